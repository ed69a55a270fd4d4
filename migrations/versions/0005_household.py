"""Households: what is known of the home behind a meter, and the temperatures outside.

Revision ID: 0005
Revises: 0004
"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

HOUSEHOLD = """
-- version counts the changes, so that a result can say which state of the household it was computed from.
CREATE TABLE wattloom.household (
    device_id integer PRIMARY KEY REFERENCES wattloom.meter_device (sensor_id) ON DELETE CASCADE,
    property jsonb,
    appliances jsonb,
    latitude double precision CHECK (latitude BETWEEN -90 AND 90),
    longitude double precision CHECK (longitude BETWEEN -180 AND 180),
    version integer NOT NULL,
    changed_at timestamptz NOT NULL,
    CHECK ((latitude IS NULL) = (longitude IS NULL))
);
"""

WEATHER = """
-- A cell of 0.1 degrees; without an organization its hours serve every organization.
CREATE TABLE wattloom.weather_place (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organization_id uuid REFERENCES wattloom.organization ON DELETE CASCADE,
    latitude numeric(3, 1) NOT NULL CHECK (latitude BETWEEN -90 AND 90),
    longitude numeric(4, 1) NOT NULL CHECK (longitude >= -180 AND longitude < 180),
    UNIQUE NULLS NOT DISTINCT (organization_id, latitude, longitude)
);
-- temperature_c is null where the service was asked and knows nothing.
CREATE TABLE wattloom.weather_hourly (
    place_id integer NOT NULL REFERENCES wattloom.weather_place ON DELETE CASCADE,
    hour_at timestamptz NOT NULL,
    temperature_c real CHECK (temperature_c BETWEEN -100 AND 70),
    source varchar(12) NOT NULL CHECK (source IN ('measured', 'interpolated', 'reanalysis')),
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (place_id, hour_at)
);
"""


def upgrade() -> None:
    for statements in (HOUSEHOLD, WEATHER):
        op.execute(statements)


def downgrade() -> None:
    # The views of analysts read these tables; the next migrate makes them anew.
    op.execute("DROP SCHEMA IF EXISTS analyst CASCADE")
    for table in ("weather_hourly", "weather_place", "household"):
        op.execute(f"DROP TABLE wattloom.{table}")
