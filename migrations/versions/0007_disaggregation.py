"""What the whole model of the disaggregation keeps: a home's month as one row, statistics of its days, cycles.

Revision ID: 0007
Revises: 0006
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

MONTHS = """
CREATE TABLE wattloom.disaggregation_month (
    device_id integer NOT NULL,
    month date NOT NULL CHECK (extract(day FROM month) = 1),
    model_version varchar(40) NOT NULL,
    computed_at timestamptz NOT NULL,
    timezone varchar(64) NOT NULL,
    appliances varchar(20)[] NOT NULL,
    energy_uwh bigint[] NOT NULL,
    total_mwh bigint[] NOT NULL,
    parts_mwh bigint[] NOT NULL,
    expected_intervals integer[] NOT NULL,
    valid_intervals integer[] NOT NULL,
    confidence real[] NOT NULL,
    lower_mwh bigint[] NOT NULL,
    upper_mwh bigint[] NOT NULL,
    inputs jsonb NOT NULL,
    PRIMARY KEY (device_id, month),
    CHECK (cardinality(parts_mwh) = cardinality(appliances) * cardinality(total_mwh)
           AND 0 <= ALL (parts_mwh))
);
-- A row is too long for its page and would be compressed, which takes three quarters of the time of writing it.
ALTER TABLE wattloom.disaggregation_month
    ALTER COLUMN parts_mwh SET STORAGE EXTERNAL,
    ALTER COLUMN energy_uwh SET STORAGE EXTERNAL,
    ALTER COLUMN total_mwh SET STORAGE EXTERNAL;
CREATE TABLE wattloom.home_month_statistics (
    device_id integer NOT NULL,
    month date NOT NULL CHECK (extract(day FROM month) = 1),
    timezone varchar(64) NOT NULL,
    statistics_version smallint NOT NULL,
    days bytea NOT NULL,
    PRIMARY KEY (device_id, month)
);
-- The imported energy of a local day as bytes, made with daily_energy; a day without is read from interval_energy.
CREATE TABLE wattloom.day_profile (
    device_id integer NOT NULL,
    day date NOT NULL,
    intervals bytea NOT NULL,
    PRIMARY KEY (device_id, day)
);
ALTER TABLE wattloom.day_profile ALTER COLUMN intervals SET STORAGE EXTERNAL;
"""

# What was computed before stays servable until the next run computes it anew.
CARRY_OVER = """
INSERT INTO wattloom.disaggregation_month
SELECT r.device_id, r.month, r.model_version, r.computed_at, r.timezone, p.appliances, d.energy_uwh, d.total_mwh,
       p.parts_mwh, d.expected_intervals, d.valid_intervals,
       ARRAY(SELECT coalesce((r.confidence ->> k.key)::real, 0) FROM unnest(p.appliances) WITH ORDINALITY AS k (key, n)
             ORDER BY k.n),
       array_fill(0::bigint, ARRAY[cardinality(p.appliances)]),
       array_fill(d.whole_mwh, ARRAY[cardinality(p.appliances)]),
       r.inputs
FROM wattloom.disaggregation_run AS r
CROSS JOIN LATERAL (
    SELECT array_agg(energy_uwh ORDER BY day) AS energy_uwh, array_agg(total_mwh ORDER BY day) AS total_mwh,
           array_agg(expected_intervals ORDER BY day) AS expected_intervals,
           array_agg(valid_intervals ORDER BY day) AS valid_intervals, sum(total_mwh)::bigint AS whole_mwh
    FROM wattloom.disaggregation_day
    WHERE device_id = r.device_id AND day >= r.month AND day < r.month + interval '1 month'
) AS d
CROSS JOIN LATERAL (
    SELECT array_agg(energy_mwh ORDER BY appliance_key, day) AS parts_mwh,
           array_agg(DISTINCT appliance_key) AS appliances
    FROM wattloom.appliance_energy
    WHERE device_id = r.device_id AND day >= r.month AND day < r.month + interval '1 month'
) AS p
WHERE cardinality(p.parts_mwh) = cardinality(p.appliances) * cardinality(d.total_mwh);
DROP TABLE wattloom.appliance_energy, wattloom.disaggregation_day, wattloom.disaggregation_run;
"""

# Two runs of one class may begin at once, so the key goes; a piece that begins a local day may continue a run.
CYCLES = """
DROP TABLE wattloom.appliance_cycle;
CREATE TABLE wattloom.appliance_cycle (
    device_id integer NOT NULL,
    appliance_key varchar(20) NOT NULL,
    day date NOT NULL,
    start_at timestamptz NOT NULL,
    end_at timestamptz NOT NULL CHECK (end_at > start_at),
    begins_day boolean NOT NULL,
    energy_mwh bigint NOT NULL CHECK (energy_mwh >= 0)
);
CREATE INDEX appliance_cycle_device_day ON wattloom.appliance_cycle (device_id, day);
"""

OLD_TABLES = """
CREATE TABLE wattloom.disaggregation_run (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    device_id integer NOT NULL,
    month date NOT NULL,
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
INSERT INTO wattloom.disaggregation_run (device_id, month, model_version, computed_at, timezone, expected_intervals,
                                         valid_intervals, inputs, confidence)
SELECT device_id, month, model_version, computed_at, timezone,
       (SELECT sum(n) FROM unnest(expected_intervals) AS e (n)), (SELECT sum(n) FROM unnest(valid_intervals) AS v (n)),
       inputs, (SELECT jsonb_object_agg(k.key, k.share) FROM unnest(appliances, confidence) AS k (key, share))
FROM wattloom.disaggregation_month;
INSERT INTO wattloom.disaggregation_day
SELECT m.device_id, m.month + d.n::integer - 1, d.energy_uwh, d.total_mwh, d.expected_intervals, d.valid_intervals
FROM wattloom.disaggregation_month AS m
CROSS JOIN LATERAL unnest(m.energy_uwh, m.total_mwh, m.expected_intervals, m.valid_intervals)
    WITH ORDINALITY AS d (energy_uwh, total_mwh, expected_intervals, valid_intervals, n);
INSERT INTO wattloom.appliance_energy
SELECT m.device_id, m.month + ((p.n - 1) % cardinality(m.total_mwh))::integer,
       m.appliances[(p.n - 1) / cardinality(m.total_mwh) + 1], p.energy_mwh
FROM wattloom.disaggregation_month AS m
CROSS JOIN LATERAL unnest(m.parts_mwh) WITH ORDINALITY AS p (energy_mwh, n);
DROP TABLE wattloom.disaggregation_month, wattloom.home_month_statistics, wattloom.day_profile,
    wattloom.appliance_cycle;
CREATE TABLE wattloom.appliance_cycle (
    device_id integer NOT NULL,
    appliance_key varchar(20) NOT NULL,
    start_at timestamptz NOT NULL,
    end_at timestamptz NOT NULL CHECK (end_at > start_at),
    energy_mwh bigint NOT NULL CHECK (energy_mwh >= 0),
    PRIMARY KEY (device_id, appliance_key, start_at)
);
"""

# The views of schema analyst are made anew at every migrate; here they only stand in the way.
FORGET_VIEWS = "DROP VIEW IF EXISTS analyst.appliance_daily, analyst.appliance_monthly, analyst.appliance_cycles"


def upgrade() -> None:
    op.execute(FORGET_VIEWS)
    for statements in (MONTHS, CARRY_OVER, CYCLES):
        op.execute(statements)


def downgrade() -> None:
    op.execute(FORGET_VIEWS)
    op.execute(OLD_TABLES)
