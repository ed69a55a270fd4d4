"""What the household routes answer: sensors, disaggregation and reports, read from stored results."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from importlib import resources
from typing import Any, Literal
from zoneinfo import ZoneInfo

import numpy as np
import sqlalchemy as sa

from analytics.calendar import DayRange, is_monday_to_sunday, month_range
from analytics.disaggregation.documents import disaggregation_document, month_weeks_document, sum_days
from analytics.reports import CarbonFactors, EnergyUnit, PeriodDays, disconnection_percentage, report_document
from pipelines.accounts.principals import Principal
from pipelines.crud import visible_organizations
from pipelines.db import tables
from pipelines.db.engine import raw
from pipelines.errors import Forbidden, NotFound, RejectedInput
from pipelines.insight.due import is_due
from pipelines.insight.zones import zones_of_devices

_DEVICE, _CHANNEL = tables.meter_device, tables.reading_channel


@dataclass(frozen=True, kw_only=True)
class Household:
    """A meter device with at least one reading, as the household routes see it."""

    sensor_id: int
    zone: ZoneInfo
    first_event: datetime
    last_event: datetime


def sensors(connection: sa.Connection, principal: Principal) -> list[int]:
    """Return the ids of all the caller's devices with at least one reading."""
    has_readings = sa.exists().where(_CHANNEL.c.device_id == _DEVICE.c.sensor_id, _CHANNEL.c.first_at.is_not(None))
    query = sa.select(_DEVICE.c.sensor_id).where(
        _DEVICE.c.organization_id.in_(visible_organizations(principal)), has_readings
    )
    return list(connection.scalars(query.order_by(_DEVICE.c.sensor_id)))


def household(connection: sa.Connection, principal: Principal, sensor_id: int, default_zone: str) -> Household:
    """Return one of the caller's devices with its zone and the span of its readings.

    Raises
    ------
    NotFound
        Unknown, or another organization's.
    Forbidden
        The device has sent nothing yet, which 003 tells from an unknown one.
    """
    first, last = sa.func.min(_CHANNEL.c.first_at), sa.func.max(_CHANNEL.c.last_at)
    row = connection.execute(
        sa.select(first, last)
        .select_from(_DEVICE)
        .outerjoin(_CHANNEL, _CHANNEL.c.device_id == _DEVICE.c.sensor_id)
        .where(_DEVICE.c.sensor_id == sensor_id, _DEVICE.c.organization_id.in_(visible_organizations(principal)))
        .group_by(_DEVICE.c.sensor_id)
    ).one_or_none()
    if row is None:
        raise NotFound
    if row[0] is None:
        raise Forbidden("No data point of this device was received yet.")
    zone = zones_of_devices(connection, [sensor_id], default_zone)[sensor_id]
    return Household(sensor_id=sensor_id, zone=zone, first_event=row[0], last_event=row[1])


@dataclass(frozen=True, kw_only=True)
class Period:
    """A calendar month or a Monday to Sunday week, and the months that must be computed for it."""

    kind: Literal["month", "week"]
    days: DayRange

    @property
    def months(self) -> list[date]:
        """Return the first days of the months the period touches."""
        first, last = self.days.first.replace(day=1), self.days.last.replace(day=1)
        return [first] if first == last else [first, last]


def month_period(year: int, month: int) -> Period:
    """Return a calendar month."""
    return Period(kind="month", days=month_range(year, month))


def week_period(start: date, end: date) -> Period:
    """Return a week.

    Raises
    ------
    RejectedInput
        The days are not the Monday and the Sunday of one week.
    """
    if not is_monday_to_sunday(start, end):
        raise RejectedInput(
            {"startDate": ["startDate and endDate must be the Monday and the Sunday of the same week."]}
        )
    return Period(kind="week", days=DayRange(start, end))


@dataclass(frozen=True, kw_only=True)
class StoredDays:
    """Stored results of every day of a period; arrays have one entry per day."""

    data: PeriodDays
    parts_mwh: dict[str, Any]
    model_versions: tuple[str, ...]

    @property
    def disconnection(self) -> float:
        """Return the share of intervals that were not measured [%]."""
        return disconnection_percentage(
            int(self.data.valid_intervals.sum()), int(self.data.expected_intervals.sum())
        )


def stored_days(connection: sa.Connection, home: Household, period: Period, now: datetime) -> StoredDays:
    """Return the results of a period, once every month it touches is due and computed.

    Raises
    ------
    NotFound
        A month is not over for three days yet, or has no result.
    """
    if not all(is_due(month, home.zone, now) for month in period.months):
        raise NotFound
    cursor = raw(connection).cursor()
    runs = cursor.execute(
        "SELECT model_version FROM wattloom.disaggregation_run WHERE device_id = %s AND month = ANY(%s)",
        (home.sensor_id, period.months),
    ).fetchall()
    if len(runs) != len(period.months):
        raise NotFound
    days = period.days.days()
    rows = cursor.execute(
        "SELECT d.energy_uwh, d.expected_intervals, d.valid_intervals,"
        " array_agg(a.appliance_key ORDER BY a.appliance_key), array_agg(a.energy_mwh ORDER BY a.appliance_key)"
        " FROM wattloom.disaggregation_day AS d JOIN wattloom.appliance_energy AS a USING (device_id, day)"
        " WHERE d.device_id = %s AND d.day BETWEEN %s AND %s GROUP BY d.device_id, d.day ORDER BY d.day",
        (home.sensor_id, period.days.first, period.days.last),
    ).fetchall()
    parts: dict[str, Any] = {}
    for n, (_, _, _, keys, amounts) in enumerate(rows):
        for key, amount in zip(keys, amounts, strict=True):
            parts.setdefault(key, np.zeros(len(days), dtype=np.int64))[n] = amount
    columns = np.array([row[:3] for row in rows], dtype=np.int64).reshape(-1, 3)
    data = PeriodDays(
        days=days, energy_uwh=columns[:, 0], expected_intervals=columns[:, 1], valid_intervals=columns[:, 2]
    )
    return StoredDays(data=data, parts_mwh=parts, model_versions=tuple(sorted({run[0] for run in runs})))


def disaggregation(stored: StoredDays, *, with_zeros: bool = False) -> dict[str, Any]:
    """Return the answer of ``disag/month`` or ``disag/week``."""
    total, parts = _sum(stored, stored.data.days)
    return disaggregation_document(
        total_mwh=total, disconnection=stored.disconnection, parts_mwh=parts, with_zeros=with_zeros
    )


def _sum(stored: StoredDays, days: Sequence[date]) -> tuple[int, dict[str, int]]:
    return sum_days(stored.data.days, days, stored.parts_mwh)


def weeks_of_month(stored: StoredDays, period: Period) -> dict[str, Any]:
    """Return the answer of ``disag/month/weeks``."""
    first = period.days.first
    return month_weeks_document(
        year=first.year, month=first.month, disconnection=stored.disconnection, day_parts_mwh=stored.parts_mwh
    )


def report(stored: StoredDays, period: Period, *, unit: EnergyUnit, factors: CarbonFactors) -> dict[str, Any]:
    """Return a monthly or weekly report."""
    return report_document(
        stored.data,
        disaggregation_metrics=disaggregation(stored, with_zeros=True),
        period=period.kind,
        unit=unit,
        factors=factors,
    )


def with_quality(document: dict[str, Any], stored: StoredDays) -> dict[str, Any]:
    """Add what a strict client ignores: the model version that computed the result."""
    return {**document, "model_version": ", ".join(stored.model_versions)}


@lru_cache(maxsize=1)
def _countries() -> dict[str, str]:
    """Return IANA zone -> first ISO 3166-1 country, from the tz database's own table."""
    found: dict[str, str] = {}
    for line in resources.files("tzdata").joinpath("zoneinfo/zone.tab").read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            country, _, zone, *_ = line.split("\t")
            found.setdefault(zone, country)
    return found


def country_of(zone: ZoneInfo) -> str | None:
    """Return the ISO 3166-1 alpha-2 code of a zone's country, None for zones of none (UTC, Etc/GMT-2)."""
    return _countries().get(str(zone))
