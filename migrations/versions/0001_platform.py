"""Accounts, metering core, derived energy and disaggregation results.

Revision ID: 0001
Revises:
"""

from alembic import op

from pipelines.db.timescale import has_community_features

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ACCOUNTS = """
CREATE TABLE wattloom.organization (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    number integer GENERATED ALWAYS AS IDENTITY UNIQUE,
    name varchar(64) NOT NULL,
    is_active boolean NOT NULL DEFAULT true,
    created_by_id uuid REFERENCES wattloom.organization ON DELETE SET NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX organization_created_by_id ON wattloom.organization (created_by_id);
CREATE TABLE wattloom.app_user (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    username varchar(150) NOT NULL UNIQUE,
    password_hash text,
    is_staff boolean NOT NULL DEFAULT false,
    is_active boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL
);
CREATE TABLE wattloom.organization_member (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES wattloom.organization ON DELETE CASCADE,
    user_id uuid NOT NULL REFERENCES wattloom.app_user ON DELETE CASCADE,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    UNIQUE (organization_id, user_id)
);
CREATE INDEX organization_member_user_id ON wattloom.organization_member (user_id);
CREATE TABLE wattloom.api_token (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL REFERENCES wattloom.app_user ON DELETE CASCADE,
    organization_id uuid NOT NULL REFERENCES wattloom.organization ON DELETE CASCADE,
    digest bytea NOT NULL UNIQUE,
    created_at timestamptz NOT NULL,
    revoked_at timestamptz
);
CREATE TABLE wattloom.api_client (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id uuid NOT NULL REFERENCES wattloom.organization ON DELETE CASCADE,
    client_id varchar(64) NOT NULL UNIQUE,
    secret_digest bytea NOT NULL,
    created_at timestamptz NOT NULL,
    revoked_at timestamptz
);
CREATE TABLE wattloom.refresh_token (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    api_client_id uuid NOT NULL REFERENCES wattloom.api_client ON DELETE CASCADE,
    digest bytea NOT NULL UNIQUE,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz
);
CREATE TABLE wattloom.source (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES wattloom.organization ON DELETE CASCADE,
    name varchar(64) NOT NULL,
    digest bytea NOT NULL UNIQUE,
    state varchar(8) NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'inactive')),
    created_at timestamptz NOT NULL
);
"""

METERING = """
CREATE TABLE wattloom.meter_reading_series (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    series_key integer GENERATED ALWAYS AS IDENTITY UNIQUE,
    organization_id uuid NOT NULL REFERENCES wattloom.organization ON DELETE CASCADE,
    name varchar(50) NOT NULL,
    description varchar(250) NOT NULL DEFAULT '',
    unit varchar(10) NOT NULL,
    unit_description varchar(250),
    si_multiplier numeric NOT NULL DEFAULT 1,
    affected_by_ct_ratio boolean NOT NULL DEFAULT false,
    affected_by_vt_ratio boolean NOT NULL DEFAULT false,
    kind varchar(13) CHECK (kind IN ('cumulative', 'interval', 'instantaneous')),
    register_digits smallint CHECK (register_digits BETWEEN 1 AND 15),
    interval_s integer CHECK (interval_s BETWEEN 1 AND 34300800),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX meter_reading_series_organization_id ON wattloom.meter_reading_series (organization_id, name);
CREATE TABLE wattloom.meter_device_config (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id uuid NOT NULL REFERENCES wattloom.organization ON DELETE CASCADE,
    name varchar(50) NOT NULL,
    timezone varchar(64) NOT NULL DEFAULT 'UTC',
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX meter_device_config_organization_id ON wattloom.meter_device_config (organization_id);
CREATE TABLE wattloom.meter_device_config_series (
    config_id uuid NOT NULL REFERENCES wattloom.meter_device_config ON DELETE CASCADE,
    series_id uuid NOT NULL REFERENCES wattloom.meter_reading_series ON DELETE CASCADE,
    PRIMARY KEY (config_id, series_id)
);
CREATE INDEX meter_device_config_series_series_id ON wattloom.meter_device_config_series (series_id);
CREATE TABLE wattloom.meter_device_type (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id uuid NOT NULL REFERENCES wattloom.organization ON DELETE CASCADE,
    name varchar(50) NOT NULL,
    description varchar(500) NOT NULL DEFAULT '',
    manufacturer varchar(100) NOT NULL,
    manufacturer_model varchar(50) NOT NULL,
    config_id uuid REFERENCES wattloom.meter_device_config ON DELETE SET NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX meter_device_type_organization_id ON wattloom.meter_device_type (organization_id);
CREATE INDEX meter_device_type_config_id ON wattloom.meter_device_type (config_id);
CREATE TABLE wattloom.meter_device (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    sensor_id integer GENERATED ALWAYS AS IDENTITY UNIQUE,
    organization_id uuid NOT NULL REFERENCES wattloom.organization ON DELETE CASCADE,
    name varchar(50) NOT NULL,
    external_system_reference varchar(50),
    manufacturer_serial varchar(50),
    protocol varchar(12) NOT NULL,
    iec62056_21_address varchar(8),
    dlms_logical_device_name varchar(32),
    dlms_system_title varchar(16),
    type_id uuid REFERENCES wattloom.meter_device_type ON DELETE SET NULL,
    has_current_transformer boolean NOT NULL DEFAULT false,
    current_transformer_ratio integer NOT NULL DEFAULT 1,
    has_voltage_transformer boolean NOT NULL DEFAULT false,
    voltage_transformer_ratio integer NOT NULL DEFAULT 1,
    has_disconnector boolean NOT NULL DEFAULT false,
    disconnector_status smallint CHECK (disconnector_status IN (0, 1, 2)),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    UNIQUE (organization_id, name)
);
CREATE INDEX meter_device_type_id ON wattloom.meter_device (type_id);
CREATE TABLE wattloom.meter_device_exchange (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    device_id integer NOT NULL REFERENCES wattloom.meter_device (sensor_id) ON DELETE CASCADE,
    exchanged_at timestamptz NOT NULL,
    old_serial varchar(50),
    new_serial varchar(50)
);
CREATE INDEX meter_device_exchange_device_id ON wattloom.meter_device_exchange (device_id, exchanged_at);
CREATE TABLE wattloom.meter_system_event (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES wattloom.organization ON DELETE CASCADE,
    meter_device_id uuid NOT NULL REFERENCES wattloom.meter_device ON DELETE CASCADE,
    timestamp timestamptz NOT NULL,
    title varchar(50) NOT NULL,
    content varchar(500) NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX meter_system_event_device ON wattloom.meter_system_event (meter_device_id, timestamp);
CREATE INDEX meter_system_event_organization_id ON wattloom.meter_system_event (organization_id, timestamp);
CREATE TABLE wattloom.staged_meter_reading (
    id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES wattloom.organization ON DELETE CASCADE,
    meter_device_name varchar(50) NOT NULL,
    series_name varchar(50) NOT NULL,
    timestamp timestamptz NOT NULL,
    value numeric NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    UNIQUE (organization_id, meter_device_name, series_name, timestamp)
);
CREATE INDEX staged_meter_reading_created_at ON wattloom.staged_meter_reading (created_at);
"""

READINGS = """
CREATE TABLE wattloom.meter_reading (
    device_id integer NOT NULL,
    series_id integer NOT NULL,
    timestamp timestamptz NOT NULL,
    value numeric NOT NULL,
    created_at timestamptz NOT NULL,
    id bigint GENERATED BY DEFAULT AS IDENTITY,
    PRIMARY KEY (device_id, series_id, timestamp)
);
CREATE INDEX meter_reading_id ON wattloom.meter_reading USING brin (id) WITH (pages_per_range = 32);
CREATE TABLE wattloom.meter_reading_version (
    device_id integer NOT NULL,
    series_id integer NOT NULL,
    timestamp timestamptz NOT NULL,
    version integer NOT NULL,
    value numeric NOT NULL,
    recorded_at timestamptz NOT NULL,
    replaced_at timestamptz NOT NULL,
    replaced_by varchar(200) NOT NULL,
    reason varchar(200) NOT NULL,
    PRIMARY KEY (device_id, series_id, timestamp, version)
);
CREATE TABLE wattloom.reading_channel (
    device_id integer NOT NULL REFERENCES wattloom.meter_device (sensor_id) ON DELETE CASCADE,
    series_id integer NOT NULL REFERENCES wattloom.meter_reading_series (series_key) ON DELETE CASCADE,
    first_at timestamptz,
    last_at timestamptz,
    spacing_s integer,
    PRIMARY KEY (device_id, series_id)
) WITH (fillfactor = 50);
CREATE INDEX reading_channel_series_id ON wattloom.reading_channel (series_id);
CREATE TABLE wattloom.reading_change (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    device_id integer NOT NULL,
    from_at timestamptz NOT NULL,
    to_at timestamptz NOT NULL
);
CREATE INDEX reading_change_device_id ON wattloom.reading_change (device_id);
"""

DERIVED = """
CREATE TABLE wattloom.quality_code (
    code smallint PRIMARY KEY,
    name varchar(20) NOT NULL UNIQUE,
    description text NOT NULL,
    is_valid boolean NOT NULL,
    counts_energy boolean NOT NULL
);
CREATE TABLE wattloom.interval_energy (
    device_id integer NOT NULL,
    direction smallint NOT NULL,
    start_at timestamptz NOT NULL,
    duration_s integer NOT NULL,
    energy_uwh bigint NOT NULL,
    quality smallint NOT NULL,
    PRIMARY KEY (device_id, direction, start_at)
);
CREATE TABLE wattloom.energy_change (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    device_id integer NOT NULL,
    from_at timestamptz NOT NULL,
    to_at timestamptz NOT NULL
);
CREATE INDEX energy_change_device_id ON wattloom.energy_change (device_id);
CREATE TABLE wattloom.daily_energy (
    device_id integer NOT NULL,
    direction smallint NOT NULL,
    day date NOT NULL,
    energy_uwh bigint NOT NULL,
    expected_intervals integer NOT NULL,
    valid_intervals integer NOT NULL,
    resolution_s integer NOT NULL,
    PRIMARY KEY (device_id, direction, day)
);
CREATE TABLE wattloom.day_change (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    device_id integer NOT NULL,
    first_day date NOT NULL,
    last_day date NOT NULL
);
CREATE INDEX day_change_device_id ON wattloom.day_change (device_id);
"""

RESULTS = """
CREATE TABLE wattloom.disaggregation_run (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    device_id integer NOT NULL,
    month date NOT NULL CHECK (extract(day FROM month) = 1),
    model_version varchar(40) NOT NULL,
    computed_at timestamptz NOT NULL,
    timezone varchar(64) NOT NULL,
    expected_intervals integer NOT NULL,
    valid_intervals integer NOT NULL,
    inputs jsonb NOT NULL,
    confidence jsonb NOT NULL,
    UNIQUE (device_id, month)
);
CREATE TABLE wattloom.disaggregation_day (
    device_id integer NOT NULL,
    day date NOT NULL,
    energy_uwh bigint NOT NULL,
    total_mwh bigint NOT NULL,
    expected_intervals integer NOT NULL,
    valid_intervals integer NOT NULL,
    PRIMARY KEY (device_id, day)
);
CREATE TABLE wattloom.appliance_energy (
    device_id integer NOT NULL,
    day date NOT NULL,
    appliance_key varchar(20) NOT NULL,
    energy_mwh bigint NOT NULL CHECK (energy_mwh >= 0),
    PRIMARY KEY (device_id, day, appliance_key)
);
CREATE TABLE wattloom.appliance_cycle (
    device_id integer NOT NULL,
    appliance_key varchar(20) NOT NULL,
    start_at timestamptz NOT NULL,
    end_at timestamptz NOT NULL CHECK (end_at > start_at),
    energy_mwh bigint NOT NULL CHECK (energy_mwh >= 0),
    PRIMARY KEY (device_id, appliance_key, start_at)
);
"""

ROLLUP_COLUMNS = """
    SELECT device_id,
           direction,
           time_bucket(INTERVAL '{width}', start_at) AS bucket,
           sum(energy_uwh)::bigint AS energy_uwh,
           count(*)::integer AS interval_count,
           (count(*) FILTER (WHERE quality < 3))::integer AS valid_count
    FROM wattloom.interval_energy
    GROUP BY device_id, direction, time_bucket(INTERVAL '{width}', start_at)
"""
ROLLUPS = (("energy_hourly", "1 hour"), ("energy_daily_utc", "1 day"))
CHUNK = "30 days"
# Corrections are rare after this; start of a refresh policy < columnstore < any retention.
COLUMNSTORE_AFTER = "45 days"


def upgrade() -> None:
    op.execute("CREATE SCHEMA IF NOT EXISTS wattloom")
    for statements in (ACCOUNTS, METERING, READINGS, DERIVED, RESULTS):
        op.execute(statements)
    if has_community_features(op.get_bind()):
        _create_hypertables()
        _create_continuous_aggregates()
    else:
        _create_rollup_tables()
    for name, _ in ROLLUPS:
        op.execute(
            f"CREATE VIEW wattloom.{name} AS SELECT device_id, direction, bucket, energy_uwh, interval_count,"
            f" valid_count FROM wattloom.{name}_v1"
        )


def _create_hypertables() -> None:
    for table, time_column, segment_by in (
        ("meter_reading", "timestamp", "device_id, series_id"),
        ("interval_energy", "start_at", "device_id, direction"),
    ):
        op.execute(
            f"SELECT create_hypertable('wattloom.{table}', by_range('{time_column}', INTERVAL '{CHUNK}'),"
            " create_default_indexes => false)"
        )
        op.execute(
            f"ALTER TABLE wattloom.{table} SET (timescaledb.enable_columnstore,"
            f" timescaledb.segmentby = '{segment_by}', timescaledb.orderby = '{time_column}')"
        )
        op.execute(f"CALL add_columnstore_policy('wattloom.{table}', after => INTERVAL '{COLUMNSTORE_AFTER}')")


def _create_continuous_aggregates() -> None:
    for name, width in ROLLUPS:
        op.execute(
            f"CREATE MATERIALIZED VIEW wattloom.{name}_v1"
            " WITH (timescaledb.continuous, timescaledb.materialized_only = false)"
            f" AS {ROLLUP_COLUMNS.format(width=width)} WITH NO DATA"
        )
        op.execute(
            f"SELECT add_continuous_aggregate_policy('wattloom.{name}_v1', start_offset => INTERVAL '40 days',"
            " end_offset => INTERVAL '1 day', schedule_interval => INTERVAL '1 day')"
        )


def _create_rollup_tables() -> None:
    for name, _ in ROLLUPS:
        op.execute(
            f"CREATE TABLE wattloom.{name}_v1 (device_id integer NOT NULL, direction smallint NOT NULL,"
            " bucket timestamptz NOT NULL, energy_uwh bigint NOT NULL, interval_count integer NOT NULL,"
            " valid_count integer NOT NULL, PRIMARY KEY (device_id, direction, bucket))"
        )


def downgrade() -> None:
    op.execute("DROP SCHEMA IF EXISTS analyst CASCADE")
    # Alembic notes in its own table that this revision is gone, so that table stays.
    op.execute("ALTER TABLE wattloom.alembic_version SET SCHEMA public")
    op.execute("DROP SCHEMA wattloom CASCADE")
    op.execute("CREATE SCHEMA wattloom")
    op.execute("ALTER TABLE public.alembic_version SET SCHEMA wattloom")
