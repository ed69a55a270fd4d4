"""Checked rows wait in packed blocks; one count of requests; which event of an ERP wrote or withdrew what.

Revision ID: 0006
Revises: 0005
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# Rows that wait are of a shape that this version cannot read; an import that was only begun is repeated by its sender.
WAITING = """
DO $$
BEGIN
    IF EXISTS (SELECT FROM wattloom.registry_import WHERE status = 'applying') THEN
        RAISE EXCEPTION 'imports wait to be applied; finish them with the version before this one: '
            'wattloom pipeline import-dropped-files';
    END IF;
END $$;
UPDATE wattloom.registry_import SET status = 'abandoned', finished_at = updated_at WHERE status = 'reading';
DROP TABLE wattloom.registry_customer_waiting;
DROP TABLE wattloom.registry_meter_waiting;
CREATE TABLE wattloom.registry_waiting (
    import_id integer NOT NULL REFERENCES wattloom.registry_import ON DELETE CASCADE,
    row_to integer NOT NULL,
    rows bytea NOT NULL,
    PRIMARY KEY (import_id, row_to)
);
-- Packed already: to compress it once more would cost time and gain nothing.
ALTER TABLE wattloom.registry_waiting ALTER COLUMN rows SET STORAGE EXTERNAL;
"""

REQUESTS = """
DROP TABLE wattloom.source_window;
DROP TABLE wattloom.erp_request;
CREATE TABLE wattloom.request_turn (
    subject varchar(64) PRIMARY KEY,
    turn integer NOT NULL,
    last_at timestamptz NOT NULL
) WITH (fillfactor = 50);
CREATE TABLE wattloom.request_time (
    subject varchar(64) NOT NULL REFERENCES wattloom.request_turn ON DELETE CASCADE,
    turn integer NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (subject, turn)
) WITH (fillfactor = 50);
"""

# An event may be applied late, or again: it never undoes what a later one (by number) has written or withdrawn.
EVENTS = """
ALTER TABLE wattloom.erp_reading ADD COLUMN event_number bigint NOT NULL DEFAULT 0;
UPDATE wattloom.erp_reading AS r SET event_number = e.number FROM wattloom.erp_event AS e WHERE e.id = r.event_id;
ALTER TABLE wattloom.erp_reading ALTER COLUMN event_number DROP DEFAULT;
CREATE TABLE wattloom.erp_withdrawn_reading (
    device_id integer NOT NULL REFERENCES wattloom.meter_device (sensor_id) ON DELETE CASCADE,
    series_id integer NOT NULL,
    "timestamp" timestamptz NOT NULL,
    external_id varchar(255) NOT NULL,
    event_number bigint NOT NULL,
    withdrawn_at timestamptz NOT NULL,
    PRIMARY KEY (device_id, external_id, "timestamp", series_id)
);
ALTER TABLE wattloom.erp_entity ADD COLUMN event_number bigint NOT NULL DEFAULT 0,
    ADD COLUMN meter_device_id uuid REFERENCES wattloom.meter_device ON DELETE CASCADE;
ALTER TABLE wattloom.erp_entity ALTER COLUMN event_number DROP DEFAULT;
CREATE UNIQUE INDEX erp_entity_meter_device ON wattloom.erp_entity (meter_device_id)
    WHERE meter_device_id IS NOT NULL;
"""

BEFORE = """
CREATE TABLE wattloom.registry_customer_waiting (
    import_id integer NOT NULL REFERENCES wattloom.registry_import ON DELETE CASCADE,
    row_number integer NOT NULL,
    sent bigint NOT NULL,
    shape bigint NOT NULL,
    external_id text NOT NULL,
    uid text NOT NULL,
    name varchar(64),
    address varchar(64),
    birth_year integer,
    country text,
    email varchar(64),
    former_electricity_source text,
    gender text,
    household_size integer,
    identification_type text,
    identification_number varchar(64),
    phone varchar(64),
    phone_2 varchar(64),
    profession text,
    custom jsonb,
    PRIMARY KEY (import_id, row_number),
    CHECK (octet_length(name) = 64
        AND octet_length(address) = 64
        AND octet_length(email) = 64
        AND octet_length(identification_number) = 64
        AND octet_length(phone) = 64
        AND octet_length(phone_2) = 64)
);
CREATE TABLE wattloom.registry_meter_waiting (
    import_id integer NOT NULL REFERENCES wattloom.registry_import ON DELETE CASCADE,
    row_number integer NOT NULL,
    sent bigint NOT NULL,
    shape bigint NOT NULL,
    uid text NOT NULL,
    customer_external_id text NOT NULL,
    customer_name varchar(64),
    customer_id_number varchar(64),
    customer_id_type text,
    customer_gender text,
    customer_birth_year integer,
    customer_former_electricity_source text,
    customer_household_size integer,
    customer_profession text,
    customer_address varchar(64),
    customer_country text,
    customer_latitude numeric(6, 3),
    customer_longitude numeric(6, 3),
    customer_email varchar(64),
    customer_phone varchar(64),
    customer_phone_2 varchar(64),
    customer_location_area_1 text,
    customer_location_area_2 text,
    customer_location_area_3 text,
    customer_location_area_4 text,
    customer_location_area_5 text,
    device_external_id text NOT NULL,
    serial_number text NOT NULL,
    installation_date date,
    purchase_date date,
    firmware_version text,
    manufacturer text NOT NULL,
    model text,
    customer_category text,
    customer_sub_category text,
    account_external_id text,
    payment_plan text,
    payment_plan_days double precision,
    payment_plan_down_payment double precision,
    payment_plan_amount_financed double precision,
    total_price double precision,
    payment_plan_currency text,
    primary_use text,
    repossession_date date,
    is_locked boolean,
    max_power_w double precision,
    is_test boolean,
    device_uid text,
    customer_uid text,
    account_uid text,
    grid_uid text,
    grid_name text,
    custom jsonb,
    PRIMARY KEY (import_id, row_number),
    CHECK (octet_length(customer_name) = 64
        AND octet_length(customer_id_number) = 64
        AND octet_length(customer_address) = 64
        AND octet_length(customer_email) = 64
        AND octet_length(customer_phone) = 64
        AND octet_length(customer_phone_2) = 64)
);
CREATE TABLE wattloom.source_window (
    source_id integer PRIMARY KEY REFERENCES wattloom.source ON DELETE CASCADE,
    started_at timestamptz NOT NULL,
    requests integer NOT NULL
);
CREATE TABLE wattloom.erp_request (
    organization_id uuid NOT NULL REFERENCES wattloom.organization ON DELETE CASCADE,
    second bigint NOT NULL,
    requests integer NOT NULL,
    PRIMARY KEY (organization_id, second)
) WITH (fillfactor = 50);
"""


def upgrade() -> None:
    for statements in (WAITING, REQUESTS, EVENTS):
        op.execute(statements)


def downgrade() -> None:
    op.execute(
        "UPDATE wattloom.registry_import SET status = 'abandoned', finished_at = updated_at"
        " WHERE status IN ('reading', 'applying')"
    )
    op.execute("DELETE FROM wattloom.erp_entity WHERE entity_schema = 'meter'")
    op.execute("ALTER TABLE wattloom.erp_entity DROP COLUMN meter_device_id, DROP COLUMN event_number")
    op.execute("DROP TABLE wattloom.erp_withdrawn_reading")
    op.execute("ALTER TABLE wattloom.erp_reading DROP COLUMN event_number")
    op.execute("DROP TABLE wattloom.request_time")
    op.execute("DROP TABLE wattloom.request_turn")
    op.execute("DROP TABLE wattloom.registry_waiting")
    op.execute(BEFORE)
