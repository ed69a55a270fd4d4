"""Derived energy, local days and the results of disaggregation."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from pipelines.db.tables.columns import at, key, number_id, table, text


def _numbers(name: str, kind: type[sa.types.TypeEngine[Any]] = sa.BigInteger) -> sa.Column[object]:
    """Return an array of numbers: one a day, a class, or a class and day."""
    return sa.Column(name, ARRAY(kind), nullable=False)


def _array(name: str, kind: sa.types.TypeEngine[Any] | type[sa.types.TypeEngine[Any]]) -> sa.Column[object]:
    """Return an array with an entry a piece of a cycle, empty unless given."""
    return sa.Column(name, ARRAY(kind), nullable=False, server_default=sa.text("'{}'"))


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
disaggregation_month = table(
    "disaggregation_month",
    key("device_id"),
    key("month", sa.Date),
    text("model_version", 40),
    at("computed_at"),
    text("timezone", 64),
    sa.Column("appliances", ARRAY(sa.String(20)), nullable=False),
    _numbers("energy_uwh"),
    _numbers("total_mwh"),
    _numbers("parts_mwh"),
    _numbers("expected_intervals", sa.Integer),
    _numbers("valid_intervals", sa.Integer),
    _numbers("confidence", sa.REAL),
    _numbers("lower_mwh"),
    _numbers("upper_mwh"),
    sa.Column("inputs", JSONB, nullable=False),
    _array("cycle_appliances", sa.String(20)),
    _array("cycle_class", sa.SmallInteger),
    _array("cycle_day", sa.SmallInteger),
    _array("cycle_begins_day", sa.Boolean),
    _array("cycle_start_us", sa.BigInteger),
    _array("cycle_end_us", sa.BigInteger),
    _array("cycle_energy_mwh", sa.BigInteger),
)
home_month_statistics = table(
    "home_month_statistics",
    key("device_id"),
    key("month", sa.Date),
    text("timezone", 64),
    sa.Column("statistics_version", sa.SmallInteger, nullable=False),
    sa.Column("days", sa.LargeBinary, nullable=False),
)
day_profile = table(
    "day_profile",
    key("device_id"),
    key("day", sa.Date),
    sa.Column("intervals", sa.LargeBinary, nullable=False),
)
