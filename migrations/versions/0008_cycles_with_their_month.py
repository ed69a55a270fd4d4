"""Pieces of cycles as arrays in the row of their month; a packed day says how many intervals it has.

Revision ID: 0008
Revises: 0007
"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# One number a piece in each array; class 1 is the first of cycle_appliances, day 1 the first of the month, and instants
# are microseconds since the epoch, whose arrays take a tenth of the time of those of timestamps. A row stays on its
# page up to nearly the size of one: what is moved elsewhere costs an index entry a piece, and is never compressed.
ARRAYS = """
ALTER TABLE wattloom.disaggregation_month
    ADD COLUMN cycle_appliances varchar(20)[] NOT NULL DEFAULT '{}',
    ADD COLUMN cycle_class smallint[] NOT NULL DEFAULT '{}',
    ADD COLUMN cycle_day smallint[] NOT NULL DEFAULT '{}',
    ADD COLUMN cycle_begins_day boolean[] NOT NULL DEFAULT '{}',
    ADD COLUMN cycle_start_us bigint[] NOT NULL DEFAULT '{}',
    ADD COLUMN cycle_end_us bigint[] NOT NULL DEFAULT '{}',
    ADD COLUMN cycle_energy_mwh bigint[] NOT NULL DEFAULT '{}',
    ADD CHECK (cardinality(cycle_class) = cardinality(cycle_day)
               AND cardinality(cycle_class) = cardinality(cycle_begins_day)
               AND cardinality(cycle_class) = cardinality(cycle_start_us)
               AND cardinality(cycle_class) = cardinality(cycle_end_us)
               AND cardinality(cycle_class) = cardinality(cycle_energy_mwh)
               AND 0 <= ALL (cycle_energy_mwh)),
    SET (toast_tuple_target = 8160);
ALTER TABLE wattloom.disaggregation_month
    {storage};
"""

STORED_AS_THEY_ARE = (
    "appliances",
    "expected_intervals",
    "valid_intervals",
    "confidence",
    "lower_mwh",
    "upper_mwh",
    "inputs",
    "cycle_appliances",
    "cycle_class",
    "cycle_day",
    "cycle_begins_day",
    "cycle_start_us",
    "cycle_end_us",
    "cycle_energy_mwh",
)

FILL = """
UPDATE wattloom.disaggregation_month AS r
SET cycle_appliances = c.appliances, cycle_class = c.classes, cycle_day = c.days, cycle_begins_day = c.begins_day,
    cycle_start_us = c.start_us, cycle_end_us = c.end_us, cycle_energy_mwh = c.energy_mwh
FROM (
    SELECT p.device_id, p.month, k.appliances,
           array_agg(array_position(k.appliances, p.appliance_key)::smallint ORDER BY p.appliance_key, p.start_at)
               AS classes,
           array_agg((p.day - p.month + 1)::smallint ORDER BY p.appliance_key, p.start_at) AS days,
           array_agg(p.begins_day ORDER BY p.appliance_key, p.start_at) AS begins_day,
           array_agg((extract(epoch FROM p.start_at) * 1000000)::bigint ORDER BY p.appliance_key, p.start_at)
               AS start_us,
           array_agg((extract(epoch FROM p.end_at) * 1000000)::bigint ORDER BY p.appliance_key, p.start_at) AS end_us,
           array_agg(p.energy_mwh ORDER BY p.appliance_key, p.start_at) AS energy_mwh
    FROM (SELECT *, date_trunc('month', day::timestamp)::date AS month FROM wattloom.appliance_cycle) AS p
    CROSS JOIN (SELECT array_agg(DISTINCT appliance_key ORDER BY appliance_key) AS appliances
                FROM wattloom.appliance_cycle) AS k
    GROUP BY p.device_id, p.month, k.appliances
) AS c
WHERE (r.device_id, r.month) = (c.device_id, c.month);
DROP TABLE wattloom.appliance_cycle;
"""

# A day of more intervals than the two bytes can say is read from interval_energy.
COUNTS = """
UPDATE wattloom.day_profile AS p
SET intervals = set_byte(set_byte(p.intervals, 2, c.n % 256), 3, c.n / 256 % 256)
FROM (
    SELECT device_id, day,
           (octet_length(intervals) - 16) / CASE get_byte(intervals, 0) WHEN 1 THEN 8 ELSE 24 END AS n
    FROM wattloom.day_profile
) AS c
WHERE (p.device_id, p.day) = (c.device_id, c.day);
DELETE FROM wattloom.day_profile
WHERE octet_length(intervals) > 16 + 65535 * CASE get_byte(intervals, 0) WHEN 1 THEN 8 ELSE 24 END;
"""

ROWS = """
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
INSERT INTO wattloom.appliance_cycle
SELECT r.device_id, r.cycle_appliances[p.class], r.month + p.day - 1,
       timestamptz 'epoch' + p.start_us * interval '1 microsecond',
       timestamptz 'epoch' + p.end_us * interval '1 microsecond', p.begins_day, p.energy_mwh
FROM wattloom.disaggregation_month AS r
CROSS JOIN LATERAL unnest(r.cycle_class, r.cycle_day, r.cycle_start_us, r.cycle_end_us, r.cycle_begins_day,
                          r.cycle_energy_mwh) AS p (class, day, start_us, end_us, begins_day, energy_mwh);
ALTER TABLE wattloom.disaggregation_month
    DROP COLUMN cycle_appliances, DROP COLUMN cycle_class, DROP COLUMN cycle_day, DROP COLUMN cycle_begins_day,
    DROP COLUMN cycle_start_us, DROP COLUMN cycle_end_us, DROP COLUMN cycle_energy_mwh,
    RESET (toast_tuple_target);
ALTER TABLE wattloom.disaggregation_month
    {storage};
"""

FORGET_VIEW = "DROP VIEW IF EXISTS analyst.appliance_cycles"


def storage(columns: tuple[str, ...], kind: str) -> str:
    return ",\n    ".join(f"ALTER COLUMN {column} SET STORAGE {kind}" for column in columns)


def upgrade() -> None:
    op.execute(FORGET_VIEW)
    op.execute(ARRAYS.replace("{storage}", storage(STORED_AS_THEY_ARE, "EXTERNAL")))
    for statements in (FILL, COUNTS):
        op.execute(statements)


def downgrade() -> None:
    op.execute(FORGET_VIEW)
    kept = tuple(column for column in STORED_AS_THEY_ARE if not column.startswith("cycle_"))
    op.execute(ROWS.replace("{storage}", storage(kept, "EXTENDED")))
