"""Meters, readings and what was derived from them, made and read without the API."""

import itertools
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import sqlalchemy as sa

from pipelines.db import tables
from pipelines.db.engine import unit_of_work
from pipelines.decimals import split_all
from pipelines.insight import derive as derivation
from pipelines.insight import refresh as refreshing
from pipelines.insight.work import Limits
from pipelines.metering.writer import Authorship, KeyedReadings, Written, write_readings

T0 = datetime(2024, 1, 1, tzinfo=UTC)
STORED_AT = datetime(2026, 1, 1, tzinfo=UTC)
QUARTER = timedelta(minutes=15)

Row = tuple["Device | int", "Series | int", datetime, Decimal | int | str]

DERIVED = {
    "interval_energy": "direction, start_at, duration_s, energy_uwh, quality",
    "daily_energy": "direction, day, energy_uwh, expected_intervals, valid_intervals, resolution_s",
    "energy_hourly": "direction, bucket, energy_uwh, interval_count, valid_count",
    "energy_daily_utc": "direction, bucket, energy_uwh, interval_count, valid_count",
}


@dataclass(frozen=True)
class Series:
    id: uuid.UUID
    key: int


@dataclass(frozen=True)
class Device:
    id: uuid.UUID
    sensor_id: int
    name: str
    config: uuid.UUID
    type: uuid.UUID


def authored(author: str = "test", reason: str = "test", at: datetime = STORED_AT) -> Authorship:
    return Authorship(author=author, reason=reason, at=at)


def to_us(at: datetime) -> int:
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def keyed(rows: Iterable[Row]) -> KeyedReadings:
    rows = list(rows)
    mantissa, scale = split_all([Decimal(row[3]) for row in rows])
    return KeyedReadings(
        device_id=np.array([getattr(row[0], "sensor_id", row[0]) for row in rows], dtype=np.int32),
        series_id=np.array([getattr(row[1], "key", row[1]) for row in rows], dtype=np.int32),
        times_us=np.array([to_us(row[2]) for row in rows], dtype=np.int64),
        mantissa=mantissa,
        scale=scale,
    )


class World:
    """One organization's meters in the test's database."""

    def __init__(self, engine: sa.Engine, organization: uuid.UUID | str) -> None:
        self.engine = engine
        self.organization = uuid.UUID(str(organization))
        self._numbers = itertools.count()

    def _insert(self, table: sa.Table, **values: Any) -> Any:
        known = {"organization_id": self.organization, "created_at": STORED_AT, "updated_at": STORED_AT}
        with unit_of_work(self.engine) as connection:
            return connection.execute(
                sa.insert(table).values(known | values).returning(*table.c)
            ).one()  # fmt: skip

    def series(self, name: str = "1-0:1.8.0*255", unit: str = "kWh", **values: Any) -> Series:
        row = self._insert(tables.meter_reading_series, name=name, unit=unit, **values)
        return Series(row.id, row.series_key)

    def device(self, *series: Series, zone: str = "UTC", name: str | None = None, **values: Any) -> Device:
        name = name or f"meter-{next(self._numbers)}-{uuid.uuid4().hex[:6]}"
        config = self._insert(tables.meter_device_config, name=name, timezone=zone)
        kind = self._insert(
            tables.meter_device_type, name=name, manufacturer="m", manufacturer_model="m", config_id=config.id
        )
        row = self._insert(
            tables.meter_device, **{"name": name, "protocol": "dlms-cosem", "type_id": kind.id} | values
        )
        with unit_of_work(self.engine) as connection:
            for one in series:
                connection.execute(
                    sa.insert(tables.meter_device_config_series).values(config_id=config.id, series_id=one.id)
                )
        return Device(row.id, row.sensor_id, name, config.id, kind.id)

    def write(self, rows: Iterable[Row], authorship: Authorship | None = None) -> Written:
        with unit_of_work(self.engine) as connection:
            return write_readings(connection, keyed(rows), authorship or authored())

    def derive(self, limits: Limits | None = None) -> derivation.Derived:
        """Derive until nothing is left to derive."""
        total = derivation.derive(self.engine, limits or Limits())
        assert limits or not self.rows("SELECT * FROM wattloom.reading_change")
        return total

    def refresh(self, limits: Limits | None = None, default_zone: str = "UTC") -> refreshing.Refreshed:
        return refreshing.refresh(self.engine, limits or Limits(), default_zone=default_zone)

    def work_off(self) -> None:
        self.derive()
        self.refresh()

    def rows(self, query: str, **parameters: Any) -> list[tuple[Any, ...]]:
        with unit_of_work(self.engine) as connection:
            return [tuple(row) for row in connection.execute(sa.text(query), parameters)]

    def execute(self, statement: str, **parameters: Any) -> None:
        with unit_of_work(self.engine) as connection:
            connection.execute(sa.text(statement), parameters)

    def readings(self, device: Device) -> dict[tuple[int, datetime], Decimal]:
        rows = self.rows(
            'SELECT series_id, "timestamp", value FROM wattloom.meter_reading WHERE device_id = :d',
            d=device.sensor_id,
        )
        return {(series, at): value for series, at, value in rows}

    def derived(self, device: Device, names: Sequence[str] = tuple(DERIVED)) -> dict[str, list[tuple[Any, ...]]]:
        """Return all that is derived from a device's readings, in order."""
        return {
            name: self.rows(
                f"SELECT {DERIVED[name]} FROM wattloom.{name} WHERE device_id = :d ORDER BY 1, 2",
                d=device.sensor_id,
            )
            for name in names
        }

    def energy(self, device: Device) -> list[tuple[Any, ...]]:
        return self.derived(device, ["interval_energy"])["interval_energy"]

    def forget_derived(self, device: Device) -> None:
        """Throw away what was derived and learned, and have all of it derived anew."""
        for table in ("interval_energy", "reading_change", "energy_change"):
            self.execute(f"DELETE FROM wattloom.{table} WHERE device_id = :d", d=device.sensor_id)
        self.execute(
            "UPDATE wattloom.reading_channel SET spacing_s = NULL WHERE device_id = :d", d=device.sensor_id
        )
        self.mark_changed(device)

    def mark_changed(self, device: Device) -> None:
        """Have all of a device derived again."""
        self.execute(
            "INSERT INTO wattloom.reading_change (device_id, from_at, to_at) SELECT device_id, min(first_at),"
            " max(last_at) FROM wattloom.reading_channel WHERE device_id = :d AND first_at IS NOT NULL"
            " GROUP BY device_id",
            d=device.sensor_id,
        )

    def mark_energy_changed(self, device: Device, start: datetime, end: datetime) -> None:
        """Have the energy of a span rolled up again."""
        self.execute(
            "INSERT INTO wattloom.energy_change (device_id, from_at, to_at) VALUES (:d, :start, :end)",
            d=device.sensor_id,
            start=start,
            end=end,
        )
