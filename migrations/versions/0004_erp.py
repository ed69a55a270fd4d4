"""The ERP gateway: integrations, their events, what they say of readings, other entities, and the request count.

Revision ID: 0004
Revises: 0003
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

GATEWAY = """
CREATE TABLE wattloom.erp_integration (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id uuid NOT NULL REFERENCES wattloom.organization ON DELETE CASCADE,
    name varchar(100) NOT NULL,
    use_case_slug varchar(255) NOT NULL,
    default_series varchar(50) NOT NULL DEFAULT '1-0:1.8.0',
    configuration jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX erp_integration_organization_id ON wattloom.erp_integration (organization_id);
CREATE TABLE wattloom.erp_event (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    number bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    integration_id uuid NOT NULL REFERENCES wattloom.erp_integration ON DELETE CASCADE,
    deduplication_id varchar(255),
    correlation_id varchar(255),
    event_type varchar(255),
    use_case_slug varchar(255),
    occurred_at timestamptz,
    payload text NOT NULL,
    state varchar(7) NOT NULL DEFAULT 'stored'
        CHECK (state IN ('stored', 'success', 'partial', 'error', 'failed')),
    message varchar(500) NOT NULL DEFAULT '',
    attempts smallint NOT NULL DEFAULT 0,
    outcomes jsonb,
    trace jsonb NOT NULL DEFAULT '[]',
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    UNIQUE (integration_id, deduplication_id)
);
CREATE INDEX erp_event_unfinished ON wattloom.erp_event (number) WHERE state IN ('stored', 'failed');
CREATE INDEX erp_event_created_at ON wattloom.erp_event USING brin (created_at);
CREATE TABLE wattloom.erp_request (
    organization_id uuid NOT NULL REFERENCES wattloom.organization ON DELETE CASCADE,
    second bigint NOT NULL,
    requests integer NOT NULL,
    PRIMARY KEY (organization_id, second)
) WITH (fillfactor = 50);
"""

DATA = """
CREATE TABLE wattloom.erp_entity (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id uuid NOT NULL REFERENCES wattloom.organization ON DELETE CASCADE,
    entity_schema varchar(100) NOT NULL,
    unique_ids jsonb NOT NULL,
    attributes jsonb NOT NULL,
    deleted_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX erp_entity_organization_id ON wattloom.erp_entity (organization_id, entity_schema);
CREATE INDEX erp_entity_attributes ON wattloom.erp_entity USING gin (attributes jsonb_path_ops)
    WHERE deleted_at IS NULL;
-- What an ERP says of a reading of meter_reading. Provenance outlives the integration, so it is no foreign key.
-- was_measured: a reading of the meter's own stood at this instant before; it stays when the ERP deletes its own.
CREATE TABLE wattloom.erp_reading (
    device_id integer NOT NULL,
    series_id integer NOT NULL,
    "timestamp" timestamptz NOT NULL,
    external_id varchar(255),
    has_counter boolean NOT NULL,
    direction varchar(8) CHECK (direction IN ('feed-in', 'feed-out')),
    reading_type varchar(255),
    source varchar(18) NOT NULL CHECK (source IN ('ERP', 'ECP', '360', 'journey-submission')),
    reason varchar(16),
    attributes jsonb NOT NULL,
    was_measured boolean NOT NULL,
    integration_id uuid NOT NULL,
    event_id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (device_id, "timestamp", series_id),
    UNIQUE (device_id, external_id),
    FOREIGN KEY (device_id, series_id) REFERENCES wattloom.reading_channel ON DELETE CASCADE
);
CREATE INDEX meter_device_external_system_reference
    ON wattloom.meter_device (organization_id, external_system_reference);
CREATE INDEX meter_device_manufacturer_serial ON wattloom.meter_device (organization_id, manufacturer_serial);
"""


def upgrade() -> None:
    for statements in (GATEWAY, DATA):
        op.execute(statements)


def downgrade() -> None:
    op.execute("DROP INDEX wattloom.meter_device_external_system_reference")
    op.execute("DROP INDEX wattloom.meter_device_manufacturer_serial")
    for table in ("erp_reading", "erp_entity", "erp_request", "erp_event", "erp_integration"):
        op.execute(f"DROP TABLE wattloom.{table}")
