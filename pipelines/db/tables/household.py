"""What is known of the home behind a meter, and the temperatures outside."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from pipelines.db.tables.columns import at, number_id, of_sensor, reference, table, text

household = table(
    "household",
    of_sensor("device_id"),
    sa.Column("property", JSONB),
    sa.Column("appliances", JSONB),
    sa.Column("latitude", sa.Double),
    sa.Column("longitude", sa.Double),
    sa.Column("version", sa.Integer, nullable=False),
    at("changed_at"),
)
weather_place = table(
    "weather_place",
    number_id(),
    reference("organization_id", "organization.id", nullable=True),
    sa.Column("latitude", sa.Numeric(3, 1), nullable=False),
    sa.Column("longitude", sa.Numeric(4, 1), nullable=False),
    sa.UniqueConstraint("organization_id", "latitude", "longitude", postgresql_nulls_not_distinct=True),
)
weather_hourly = table(
    "weather_hourly",
    sa.Column(
        "place_id",
        sa.Integer,
        sa.ForeignKey("wattloom.weather_place.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    sa.Column("hour_at", sa.DateTime(timezone=True), primary_key=True),
    sa.Column("temperature_c", sa.REAL),
    text("source", 12),
    at("recorded_at"),
)
