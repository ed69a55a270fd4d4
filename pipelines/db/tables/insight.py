"""Derived energy, local days and the results of disaggregation."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from pipelines.db.tables.columns import at, key, number_id, table, text

quality_code = table(
    "quality_code",
    key("code", sa.SmallInteger),
    text("name", 20, unique=True),
    sa.Column("description", sa.Text, nullable=False),
    sa.Column("is_valid", sa.Boolean, nullable=False),
    sa.Column("counts_energy", sa.Boolean, nullable=False),
)
interval_energy = table(
    "interval_energy",
    key("device_id"),
    key("direction", sa.SmallInteger),
    sa.Column("start_at", sa.DateTime(timezone=True), primary_key=True),
    sa.Column("duration_s", sa.Integer, nullable=False),
    sa.Column("energy_uwh", sa.BigInteger, nullable=False),
    sa.Column("quality", sa.SmallInteger, nullable=False),
)
energy_change = table(
    "energy_change",
    number_id(sa.BigInteger),
    sa.Column("device_id", sa.Integer, nullable=False),
    at("from_at"),
    at("to_at"),
)
daily_energy = table(
    "daily_energy",
    key("device_id"),
    key("direction", sa.SmallInteger),
    key("day", sa.Date),
    sa.Column("energy_uwh", sa.BigInteger, nullable=False),
    sa.Column("expected_intervals", sa.Integer, nullable=False),
    sa.Column("valid_intervals", sa.Integer, nullable=False),
    sa.Column("resolution_s", sa.Integer, nullable=False),
)
day_change = table(
    "day_change",
    number_id(sa.BigInteger),
    sa.Column("device_id", sa.Integer, nullable=False),
    sa.Column("first_day", sa.Date, nullable=False),
    sa.Column("last_day", sa.Date, nullable=False),
)
disaggregation_run = table(
    "disaggregation_run",
    number_id(sa.BigInteger),
    sa.Column("device_id", sa.Integer, nullable=False),
    sa.Column("month", sa.Date, nullable=False),
    text("model_version", 40),
    at("computed_at"),
    text("timezone", 64),
    sa.Column("expected_intervals", sa.Integer, nullable=False),
    sa.Column("valid_intervals", sa.Integer, nullable=False),
    sa.Column("inputs", JSONB, nullable=False),
    sa.Column("confidence", JSONB, nullable=False),
    sa.UniqueConstraint("device_id", "month"),
)
disaggregation_day = table(
    "disaggregation_day",
    key("device_id"),
    key("day", sa.Date),
    sa.Column("energy_uwh", sa.BigInteger, nullable=False),
    sa.Column("total_mwh", sa.BigInteger, nullable=False),
    sa.Column("expected_intervals", sa.Integer, nullable=False),
    sa.Column("valid_intervals", sa.Integer, nullable=False),
)
appliance_energy = table(
    "appliance_energy",
    key("device_id"),
    key("day", sa.Date),
    sa.Column("appliance_key", sa.String(20), primary_key=True),
    sa.Column("energy_mwh", sa.BigInteger, nullable=False),
)
appliance_cycle = table(
    "appliance_cycle",
    key("device_id"),
    sa.Column("appliance_key", sa.String(20), primary_key=True),
    sa.Column("start_at", sa.DateTime(timezone=True), primary_key=True),
    at("end_at"),
    sa.Column("energy_mwh", sa.BigInteger, nullable=False),
)
