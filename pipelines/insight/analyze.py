"""One home's file into the answers that the platform gives of it, month by month and without a database."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from analytics.cadence import derive_runs
from analytics.calendar import day_edges_us, from_us, local_date_of
from analytics.daily import DailyTotals, total_days
from analytics.disaggregation.batch import CLASSES
from analytics.disaggregation.columns import N_COLUMNS, Statistics
from analytics.disaggregation.homes import (
    CONTEXT_DAYS,
    HomeIntervals,
    HomesHistory,
    expected_intervals_of,
    month_batch,
    month_edges_us,
    month_statistics,
    temperature_span_us,
)
from analytics.disaggregation.households import Household, household_of
from analytics.disaggregation.model import DisaggregationBatch, disaggregate
from analytics.disaggregation.months import HomeMonth, Piece, period_of, shown_classes, warnings_of
from analytics.disaggregation.places import HOUR_US, Places, places_of
from analytics.overlaps import IntervalEnergy, resolve_overlaps
from analytics.quality import Quality
from analytics.reports import CarbonFactors
from analytics.temperatures import WholeHours
from pipelines.errors import RejectedInput
from pipelines.files.home_csv import HomeFile
from pipelines.insight import answers
from pipelines.insight.due import months_before
from pipelines.insight.history import HISTORY_MONTHS
from pipelines.insight.results import days_of_cycles
from pipelines.insight.surroundings import place_of_zone, site_of

VEHICLE = ("electric_vehicle",)


@dataclass(frozen=True, kw_only=True)
class HomeFacts:
    """What is known of a home beside its energy.

    Parameters
    ----------
    zone : ZoneInfo
    coordinates : (latitude, longitude) or None, [°]
        None takes those of the zone's principal city.
    household : Household
    temperatures : WholeHours or None
    """

    zone: ZoneInfo
    coordinates: tuple[float, float] | None = None
    household: Household = field(default_factory=household_of)
    temperatures: WholeHours | None = None


@dataclass(frozen=True, kw_only=True)
class _Measured:
    intervals: IntervalEnergy
    days: DailyTotals
    first_day: date
    statistics: dict[date, Statistics]

    @property
    def months(self) -> list[date]:
        """The months with any interval."""
        days = (self.first_day + timedelta(days=day) for day in self.days.day.tolist())
        return sorted({day.replace(day=1) for day in days})


def analyze(
    file: HomeFile, facts: HomeFacts, *, month: date | None = None, factors: CarbonFactors
) -> list[dict[str, Any]]:
    """Return the documents of every month of a file, in order: each knows the statistics of those before it.

    The numbers are those that the platform stores and serves of the same readings.

    Parameters
    ----------
    month : date, optional
        Return this month alone; the earlier ones teach it all the same.
    factors : CarbonFactors

    Raises
    ------
    RejectedInput
        The file has nothing of the month.
    """
    measured = _measure(file, facts.zone)
    if month is not None and month not in measured.months:
        known = f"{measured.months[0]:%Y-%m} to {measured.months[-1]:%Y-%m}"
        raise RejectedInput({"month": [f"{month:%Y-%m} is not in the file, which has {known}"]})
    documents = []
    for at in measured.months:
        if month is None or at == month:
            home_month, pieces = _disaggregate(measured, facts, at)
            documents.append(_documents(home_month, pieces, facts.zone, factors))
    return documents


def _measure(file: HomeFile, zone: ZoneInfo) -> _Measured:
    intervals = resolve_overlaps([derive_runs(file.channels())])
    first, last = (local_date_of(from_us(int(intervals.start_us[at])), zone).replace(day=1) for at in (0, -1))
    months = [first]
    while months[-1] < last:
        months.append(months_before(months[-1], -1))
    first_day, end = months[0], months_before(months[-1], -1)
    days = total_days(
        intervals.start_us,
        intervals.duration_s,
        intervals.energy_uwh,
        intervals.quality,
        day_edges_us(first_day, (end - first_day).days, zone),
    )
    rows = _rows(intervals, [month_edges_us(month, zone) for month in months])
    statistics = month_statistics(months, zones=[zone] * len(months), intervals=rows)
    return _Measured(
        intervals=intervals,
        days=days,
        first_day=first_day,
        statistics=dict(zip(months, statistics, strict=True)),
    )


def _rows(intervals: IntervalEnergy, edges: Sequence[npt.NDArray[np.int64]]) -> HomeIntervals:
    """Return the intervals that start between the first and the last of each edges, a row each."""
    parts = [intervals.starting_in(int(edge[0]), int(edge[-1])) for edge in edges]
    return HomeIntervals(
        offsets=np.concatenate(([0], np.cumsum([len(part) for part in parts]))).astype(np.int64),
        start_us=np.concatenate([part.start_us for part in parts]),
        duration_s=np.concatenate([part.duration_s for part in parts]),
        energy_uwh=np.concatenate([part.energy_uwh for part in parts]),
        quality=np.concatenate([part.quality for part in parts]),
    )


def _disaggregate(measured: _Measured, facts: HomeFacts, month: date) -> tuple[HomeMonth, list[Piece]]:
    zone = facts.zone
    edges_us = month_edges_us(month, zone, CONTEXT_DAYS)
    oldest = months_before(month, HISTORY_MONTHS)
    known = [rows for at, rows in measured.statistics.items() if oldest <= at < month]
    history = np.concatenate([np.zeros((0, N_COLUMNS), dtype=np.uint16), *known])
    intervals = _rows(measured.intervals, [edges_us])
    places = _places(facts, *temperature_span_us(month))
    result = disaggregate(
        month_batch(
            month,
            zones=[zone],
            intervals=intervals,
            history=HomesHistory(offsets=np.array([0, len(history)], dtype=np.int64), days=history),
            households=[facts.household],
            places=places,
            place=np.zeros(1, dtype=np.int64),
        )
    )
    return _home_month(measured, facts, month, result, intervals, len(history), places), _pieces(
        result, month, zone
    )


def _places(facts: HomeFacts, start_us: int, end_us: int) -> Places:
    coordinates = site_of(*(facts.coordinates or place_of_zone(str(facts.zone))))
    celsius = None
    if facts.temperatures is not None:
        first, last = start_us // HOUR_US, -(-end_us // HOUR_US)
        celsius = np.full((1, last - first), np.nan)
        hour = facts.temperatures.hour_us // HOUR_US - first
        inside = (hour >= 0) & (hour < last - first)
        # As they are stored: the platform keeps temperatures in single precision.
        celsius[0, hour[inside]] = facts.temperatures.temperature_c[inside].astype(np.float32)
    return places_of([coordinates], start_us=start_us, end_us=end_us, celsius=celsius)


def _home_month(
    measured: _Measured,
    facts: HomeFacts,
    month: date,
    result: DisaggregationBatch,
    intervals: HomeIntervals,
    history_days: int,
    places: Places,
) -> HomeMonth:
    edges_us = month_edges_us(month, facts.zone)
    first = (month - measured.first_day) // timedelta(days=1)
    inside = (measured.days.day >= first) & (measured.days.day < first + edges_us.size - 1)

    def spread(name: str) -> npt.NDArray[np.int64]:
        whole = np.zeros(edges_us.size - 1, dtype=np.int64)
        whole[measured.days.day[inside] - first] = getattr(measured.days, name)[inside]
        return whole

    expected = expected_intervals_of(spread("expected_intervals"), spread("resolution_s"), edges_us)
    valid = spread("valid_intervals")
    shown = shown_classes(result, has_list=facts.household.has_appliance_list)
    return HomeMonth(
        month=month,
        model_version=result.model_version,
        appliances=shown.appliances,
        energy_uwh=spread("energy_uwh"),
        total_mwh=result.total_mwh,
        parts_mwh=shown.parts_mwh.T,
        expected_intervals=expected,
        valid_intervals=valid,
        confidence=shown.confidence[0].astype(np.float32).tolist(),
        lower_mwh=shown.lower_mwh[0].tolist(),
        upper_mwh=shown.upper_mwh[0].tolist(),
        warnings=warnings_of(
            facts.household,
            coverage=int(valid.sum()) / max(int(expected.sum()), 1),
            history_days=history_days,
            has_place=facts.coordinates is not None,
            has_temperatures=bool(places.is_measured.any()),
            has_export=bool(intervals.has(Quality.NEGATIVE)[0]),
            has_implausible=bool(intervals.has(Quality.IMPLAUSIBLE)[0]),
        ),
    )


def _pieces(result: DisaggregationBatch, month: date, zone: ZoneInfo) -> list[Piece]:
    cycles = result.cycles
    _, begins_day = days_of_cycles(cycles, month, [zone])
    order = np.lexsort((cycles.end_us, cycles.start_us))
    return [
        Piece(
            CLASSES[int(cycles.appliance[n])],
            int(cycles.start_us[n]),
            int(cycles.end_us[n]),
            int(cycles.energy_mwh[n]),
            bool(begins_day[n]),
        )
        for n in order
    ]


def _documents(
    month: HomeMonth, pieces: Sequence[Piece], zone: ZoneInfo, factors: CarbonFactors
) -> dict[str, Any]:
    period = answers.month_period(month.month.year, month.month.month)
    result = period_of([month], period.days)
    return {
        "month": f"{month.month:%Y-%m}",
        "disaggregation": answers.with_quality(answers.disaggregation(result), result),
        "cycles": answers.cycles(pieces, zone, result, VEHICLE),
        "report": answers.with_quality(answers.report(result, "month", unit="kwh", factors=factors), result),
    }
