"""What the household routes answer: sensors, disaggregation and reports, read from stored results."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from analytics.calendar import DayRange, is_monday_to_sunday, month_range
from analytics.disaggregation.documents import (
    cycles_document,
    disaggregation_document,
    month_weeks_document,
    quality_document,
    sum_days,
)
from analytics.disaggregation.months import PeriodResult, Piece, period_of
from analytics.reports import CarbonFactors, EnergyUnit, report_document
from pipelines.accounts.principals import Principal
from pipelines.crud import visible_organizations
from pipelines.db import tables
from pipelines.errors import Forbidden, NotFound, RejectedInput
from pipelines.insight.due import is_due
from pipelines.insight.results import read_months
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


def stored_result(connection: sa.Connection, home: Household, period: Period, now: datetime) -> PeriodResult:
    """Return the results of a period, once every month it touches is due and computed.

    Raises
    ------
    NotFound
        A month is not over for three days yet, or has no result.
    """
    if not all(is_due(month, home.zone, now) for month in period.months):
        raise NotFound
    months = read_months(connection, home.sensor_id, period.months)
    if len(months) != len(period.months):
        raise NotFound
    return period_of(months, period.days)


def disaggregation(result: PeriodResult, *, with_zeros: bool = False) -> dict[str, Any]:
    """Return the answer of ``disag/month`` or ``disag/week``."""
    days = result.data.days
    total, parts = sum_days(days, days, result.day_parts_mwh)
    return disaggregation_document(
        total_mwh=total, disconnection=result.disconnection, parts_mwh=parts, with_zeros=with_zeros
    )


def weeks_of_month(result: PeriodResult) -> dict[str, Any]:
    """Return the answer of ``disag/month/weeks``."""
    first = result.data.days[0]
    return month_weeks_document(
        year=first.year, month=first.month, disconnection=result.disconnection, day_parts_mwh=result.day_parts_mwh
    )


def cycles(
    pieces: Sequence[Piece], zone: ZoneInfo, result: PeriodResult, appliances: Sequence[str]
) -> list[dict[str, Any]]:
    """Return the answer of ``disag/cycles/*``; each class carries what `with_quality` adds elsewhere."""
    return [with_quality(found, result) for found in cycles_document(pieces, zone, appliances)]


def report(
    result: PeriodResult, kind: Literal["month", "week"], *, unit: EnergyUnit, factors: CarbonFactors
) -> dict[str, Any]:
    """Return a monthly or weekly report."""
    return report_document(
        result.data,
        disaggregation_metrics=disaggregation(result, with_zeros=True),
        period=kind,
        unit=unit,
        factors=factors,
    )


def with_quality(document: dict[str, Any], result: PeriodResult) -> dict[str, Any]:
    """Add what a strict client ignores: the model's version and how sure the result is."""
    return {**document, "model_version": result.model_version, "quality": quality_document(result)}
