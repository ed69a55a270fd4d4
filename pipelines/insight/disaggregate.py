"""Months into appliance classes per local day: stored with a snapshot of what they were computed from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from analytics.calendar import DayRange, month_range
from analytics.disaggregation.columns import N_COLUMNS, Statistics
from analytics.disaggregation.homes import (
    CONTEXT_DAYS,
    HomeIntervals,
    month_batch,
    temperature_span_us,
)
from analytics.disaggregation.model import disaggregate
from analytics.disaggregation.months import warnings_of
from analytics.quality import Quality
from pipelines import clock
from pipelines.db.engine import raw, unit_of_work
from pipelines.insight.changed_weather import learned_hours, weather_digest
from pipelines.insight.due import measured_devices
from pipelines.insight.history import read_history, store_statistics
from pipelines.insight.homes import MeasuredDays, read_days, read_intervals
from pipelines.insight.readiness import announce_compiling
from pipelines.insight.results import Computed, forget_month, store_month
from pipelines.insight.surroundings import Surroundings, read_surroundings
from pipelines.insight.work import batches, lock_devices
from pipelines.insight.zones import zones_of_devices

_HOMES_AT_ONCE = 100


@dataclass(frozen=True, kw_only=True)
class Disaggregated:
    """What a run did."""

    homes: int = 0
    months: int = 0


def disaggregate_months(
    engine: sa.Engine,
    plan: dict[date, list[int]],
    *,
    default_zone: str,
    progress: Callable[[int, int], None] | None = None,
) -> Disaggregated:
    """Compute and store months, a batch of homes per transaction; a killed run repeats only its last batch."""
    total, done = sum(map(len, plan.values())), 0
    if total:
        announce_compiling()
    homes: set[int] = set()
    for month in sorted(plan):
        for batch in batches(plan[month], _HOMES_AT_ONCE):
            with unit_of_work(engine) as connection:
                computed = _compute(connection, lock_devices(connection, batch), month, default_zone)
            homes |= set(computed)
            done += len(batch)
            if progress is not None:
                progress(done, total)
    return Disaggregated(homes=len(homes), months=done)


def _compute(connection: sa.Connection, devices: Sequence[int], month: date, default_zone: str) -> list[int]:
    zone_of = zones_of_devices(connection, devices, default_zone)
    known = sorted(zone_of)
    homes = measured_devices(connection, month, known)
    _settle_day_changes(connection, known, month)
    forget_month(connection, known, month)
    if homes:
        zones = [zone_of[home] for home in homes]
        computed = _disaggregate(connection, homes, zones, month)
        store_month(connection, computed, clock.now())
        n_days = computed.days.energy_uwh.shape[1]
        statistics = computed.result.statistics.reshape(len(homes), n_days, N_COLUMNS)
        store_statistics(connection, homes, [month] * len(homes), zones, statistics)
    return homes


def _disaggregate(
    connection: sa.Connection, homes: Sequence[int], zones: Sequence[ZoneInfo], month: date
) -> Computed:
    surroundings = read_surroundings(connection, homes, zones, *temperature_span_us(month))
    celsius = surroundings.celsius_between(*learned_hours(month))
    history = read_history(connection, homes, zones, month)
    span = DayRange(month - timedelta(days=CONTEXT_DAYS), month_range(month.year, month.month).last)
    intervals = read_intervals(connection, homes, zones, [span] * len(homes))
    days = read_days(connection, homes, zones, month)
    batch = month_batch(
        month,
        zones=zones,
        intervals=intervals,
        history=history,
        households=surroundings.households,
        places=surroundings.places,
        place=surroundings.place,
    )
    return Computed(
        month=month,
        homes=homes,
        zones=zones,
        has_list=np.array([household.has_appliance_list for household in surroundings.households]),
        days=days,
        result=disaggregate(batch),
        inputs=_inputs(surroundings, [weather_digest(row) for row in celsius], history, intervals, days),
    )


def _inputs(
    surroundings: Surroundings,
    digests: Sequence[int],
    history: Sequence[Statistics],
    intervals: HomeIntervals,
    days: MeasuredDays,
) -> list[dict[str, Any]]:
    """Return the snapshot of each home: what its result was computed from, and what to tell of it."""
    has_export = days.has_export | intervals.has(Quality.NEGATIVE)
    has_implausible = intervals.has(Quality.IMPLAUSIBLE)
    coverage = days.valid.sum(axis=1) / np.maximum(days.expected.sum(axis=1), 1)
    is_measured: npt.NDArray[np.bool_] = np.any(surroundings.places.is_measured, axis=1)
    has_temperatures = is_measured[surroundings.place]
    return [
        {
            "household": surroundings.household_version[n],
            "weather": digests[int(surroundings.place[n])],
            "history_days": len(history[n]),
            "warnings": warnings_of(
                household,
                coverage=float(coverage[n]),
                history_days=len(history[n]),
                has_place=bool(surroundings.has_place[n]),
                has_temperatures=bool(has_temperatures[n]),
                has_export=bool(has_export[n]),
                has_implausible=bool(has_implausible[n]),
            ),
        }
        for n, household in enumerate(surroundings.households)
    ]


def _settle_day_changes(connection: sa.Connection, homes: Sequence[int], month: date) -> None:
    """Take this month out of the log of changed days; what it says of other months stays."""
    span = month_range(month.year, month.month)
    raw(connection).execute(
        """
        WITH taken AS (
            DELETE FROM wattloom.day_change
            WHERE device_id = ANY(%(homes)s) AND first_day <= %(last)s AND last_day >= %(first)s
            RETURNING device_id, first_day, last_day
        )
        INSERT INTO wattloom.day_change (device_id, first_day, last_day)
        SELECT device_id, first_day, %(first)s::date - 1 FROM taken WHERE first_day < %(first)s
        UNION ALL
        SELECT device_id, %(last)s::date + 1, last_day FROM taken WHERE last_day > %(last)s
        """,
        {"homes": list(homes), "first": span.first, "last": span.last},
    )
