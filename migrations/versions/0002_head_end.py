"""The head end: interfaces, SIM cards, keys, tasks, jobs, watermarks, and the quarantine of messages.

Revision ID: 0002
Revises: 0001
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

INTERFACES = """
CREATE TABLE wattloom.sim_card (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id uuid NOT NULL REFERENCES wattloom.organization ON DELETE CASCADE,
    iccid varchar(20) NOT NULL,
    imsi varchar(15) NOT NULL,
    ip_address varchar(45),
    phone_number varchar(30),
    external_system_link varchar(200),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX sim_card_organization_id ON wattloom.sim_card (organization_id);
CREATE TABLE wattloom.network_interface (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id uuid NOT NULL REFERENCES wattloom.organization ON DELETE CASCADE,
    static_ip_address varchar(45),
    fqdn varchar(200),
    port integer CHECK (port BETWEEN 0 AND 65535),
    sim_id uuid REFERENCES wattloom.sim_card ON DELETE SET NULL,
    can_block boolean NOT NULL DEFAULT true,
    blocked_by varchar(100),
    blocked_at timestamptz,
    blocked_until timestamptz,
    lease_token uuid,
    failures integer NOT NULL DEFAULT 0,
    circuit_open_until timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX network_interface_organization_id ON wattloom.network_interface (organization_id);
CREATE INDEX network_interface_sim_id ON wattloom.network_interface (sim_id);
ALTER TABLE wattloom.meter_device
    ADD COLUMN network_interface_id uuid REFERENCES wattloom.network_interface ON DELETE SET NULL;
CREATE INDEX meter_device_network_interface_id ON wattloom.meter_device (network_interface_id);
CREATE INDEX meter_device_name ON wattloom.meter_device (name);
"""

SECRETS = """
CREATE TABLE wattloom.organization_key (
    organization_id uuid NOT NULL REFERENCES wattloom.organization ON DELETE CASCADE,
    version integer NOT NULL,
    wrapped_key bytea NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, version)
);
CREATE TABLE wattloom.meter_security_key (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id uuid NOT NULL REFERENCES wattloom.organization ON DELETE CASCADE,
    meter_device_id uuid NOT NULL REFERENCES wattloom.meter_device ON DELETE CASCADE,
    key_version integer NOT NULL,
    iec62056_21_password bytea,
    dlms_global_unicast_encryption_key bytea,
    dlms_global_broadcast_encryption_key bytea,
    dlms_master_key bytea,
    dlms_global_authentication_key bytea,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX meter_security_key_meter_device_id ON wattloom.meter_security_key (meter_device_id, created_at);
CREATE INDEX meter_security_key_organization_id ON wattloom.meter_security_key (organization_id);
"""

TASKS = """
CREATE TABLE wattloom.amr_task (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id uuid NOT NULL REFERENCES wattloom.organization ON DELETE CASCADE,
    name varchar(150) NOT NULL,
    description varchar(500) NOT NULL DEFAULT '',
    is_active boolean NOT NULL DEFAULT true,
    schedule varchar(9) NOT NULL
        CHECK (schedule IN ('quarterly', 'hourly', 'daily', 'weekly', 'monthly', 'yearly')),
    run_offset_seconds integer NOT NULL DEFAULT 0 CHECK (run_offset_seconds >= 0),
    meter_execution_type varchar(20) NOT NULL,
    task_call varchar(50) NOT NULL,
    task_kwargs jsonb,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX amr_task_organization_id ON wattloom.amr_task (organization_id);
CREATE TABLE wattloom.amr_task_group (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id uuid NOT NULL REFERENCES wattloom.organization ON DELETE CASCADE,
    name varchar(150) NOT NULL,
    description varchar(500) NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX amr_task_group_organization_id ON wattloom.amr_task_group (organization_id);
CREATE TABLE wattloom.amr_task_group_task (
    group_id uuid NOT NULL REFERENCES wattloom.amr_task_group ON DELETE CASCADE,
    task_id uuid NOT NULL REFERENCES wattloom.amr_task ON DELETE CASCADE,
    PRIMARY KEY (group_id, task_id)
);
CREATE INDEX amr_task_group_task_task_id ON wattloom.amr_task_group_task (task_id);
CREATE TABLE wattloom.meter_device_task_group (
    device_id uuid NOT NULL REFERENCES wattloom.meter_device ON DELETE CASCADE,
    group_id uuid NOT NULL REFERENCES wattloom.amr_task_group ON DELETE CASCADE,
    PRIMARY KEY (device_id, group_id)
);
CREATE INDEX meter_device_task_group_group_id ON wattloom.meter_device_task_group (group_id);
CREATE TABLE wattloom.meter_device_task (
    device_id uuid NOT NULL REFERENCES wattloom.meter_device ON DELETE CASCADE,
    task_id uuid NOT NULL REFERENCES wattloom.amr_task ON DELETE CASCADE,
    PRIMARY KEY (device_id, task_id)
);
CREATE INDEX meter_device_task_task_id ON wattloom.meter_device_task (task_id);
"""

JOBS = """
CREATE TABLE wattloom.amr_job (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES wattloom.organization ON DELETE CASCADE,
    meter_device_id uuid NOT NULL REFERENCES wattloom.meter_device ON DELETE CASCADE,
    amr_task_id uuid REFERENCES wattloom.amr_task ON DELETE SET NULL,
    tick timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    priority smallint NOT NULL DEFAULT 0,
    meter_execution_type varchar(20) NOT NULL,
    task_call varchar(50) NOT NULL,
    task_kwargs jsonb,
    state varchar(8) NOT NULL DEFAULT 'waiting'
        CHECK (state IN ('waiting', 'running', 'ok', 'partial', 'failed')),
    attempt smallint NOT NULL DEFAULT 0,
    reason varchar(32),
    detail varchar(500),
    claim_token uuid,
    claimed_until timestamptz,
    started_at timestamptz,
    finished_at timestamptz,
    readings_found integer NOT NULL DEFAULT 0,
    readings_stored integer NOT NULL DEFAULT 0,
    readings_rejected integer NOT NULL DEFAULT 0,
    read_until timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    UNIQUE (amr_task_id, meter_device_id, tick)
) WITH (fillfactor = 70);
CREATE INDEX amr_job_waiting ON wattloom.amr_job (priority DESC, due_at, id) WHERE state = 'waiting';
CREATE INDEX amr_job_running ON wattloom.amr_job (claimed_until) WHERE state = 'running';
CREATE INDEX amr_job_meter_device_id ON wattloom.amr_job (meter_device_id, id);
CREATE INDEX amr_job_organization_id ON wattloom.amr_job (organization_id, id);
CREATE INDEX amr_job_finished_at ON wattloom.amr_job USING brin (finished_at);
CREATE TABLE wattloom.amr_watermark (
    device_id integer NOT NULL REFERENCES wattloom.meter_device (sensor_id) ON DELETE CASCADE,
    archive varchar(100) NOT NULL,
    read_until timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (device_id, archive)
) WITH (fillfactor = 70);
CREATE TABLE wattloom.amr_meter_state (
    device_id integer PRIMARY KEY REFERENCES wattloom.meter_device (sensor_id) ON DELETE CASCADE,
    invocation_counter bigint NOT NULL DEFAULT 0,
    clock_drift_s numeric(12, 3),
    clock_seen_at timestamptz,
    authentication_failed_at timestamptz,
    updated_at timestamptz NOT NULL
) WITH (fillfactor = 70);
"""

QUARANTINE = """
CREATE TABLE wattloom.quarantined_message (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organization_id uuid REFERENCES wattloom.organization ON DELETE CASCADE,
    client_id varchar(64),
    topic varchar(250) NOT NULL,
    payload bytea NOT NULL,
    size_bytes integer NOT NULL,
    row_number integer,
    code varchar(32) NOT NULL,
    detail varchar(500) NOT NULL,
    received_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX quarantined_message_organization_id ON wattloom.quarantined_message (organization_id, id);
CREATE INDEX quarantined_message_received_at ON wattloom.quarantined_message (received_at);
"""


def upgrade() -> None:
    for statements in (INTERFACES, SECRETS, TASKS, JOBS, QUARANTINE):
        op.execute(statements)


def downgrade() -> None:
    # The views of analysts read these tables; the next migrate makes them anew.
    op.execute("DROP SCHEMA IF EXISTS analyst CASCADE")
    op.execute("DROP INDEX wattloom.meter_device_name")
    op.execute("ALTER TABLE wattloom.meter_device DROP COLUMN network_interface_id")
    for table in (
        "quarantined_message",
        "amr_meter_state",
        "amr_watermark",
        "amr_job",
        "meter_device_task",
        "meter_device_task_group",
        "amr_task_group_task",
        "amr_task_group",
        "amr_task",
        "meter_security_key",
        "organization_key",
        "network_interface",
        "sim_card",
    ):
        op.execute(f"DROP TABLE wattloom.{table}")
