"""Months into appliance classes per local day: stored with a snapshot of what they were computed from."""

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from functools import partial

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from analytics.calendar import month_range
from analytics.disaggregation.columns import N_COLUMNS
from analytics.disaggregation.homes import HomesHistory, month_batch, temperature_span_us
from analytics.disaggregation.model import disaggregate
from analytics.disaggregation.months import POOR_COVERAGE, warnings_of
from analytics.profiles import Room
from analytics.quality import Quality
from pipelines import clock
from pipelines.db.bulk import array_text
from pipelines.db.engine import raw, unit_of_work
from pipelines.insight.changed_weather import learned_hours, weather_digest
from pipelines.insight.history import read_history, store_statistics
from pipelines.insight.homes import MeasuredMonth, intervals_of_last_day, read_month
from pipelines.insight.readiness import announce_compiling
from pipelines.insight.results import Computed, forget_month, store_month
from pipelines.insight.surroundings import Surroundings, read_surroundings
from pipelines.insight.work import lock_devices
from pipelines.insight.zones import zones_of_devices

_HOMES_AT_ONCE = 200
_INTERVALS_A_DAY_AT_ONCE = 30_000
"""What the homes of a batch have of a day at most, unless a single home has more: a month of them takes 45 MB."""
_MINUTES_A_DAY = 1440
_BATCHES_AT_ONCE = 2
"""While one batch computes, another reads or writes; each is a transaction of its own, on its own connection."""


_OF_THREAD = threading.local()


def _room() -> Room:
    """Return the memory that this thread reads its batches into, one after the other."""
    room: Room | None = getattr(_OF_THREAD, "room", None)
    if room is None:
        room = _OF_THREAD.room = Room()
    return room


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
    """Compute and store months, a batch of homes per transaction; a killed run repeats only what it was at.

    A month learns from those before it, so all batches of one are done before the next begins.
    """
    total, done = sum(map(len, plan.values())), 0
    if total:
        announce_compiling()
    homes: set[int] = set()
    with ThreadPoolExecutor(_BATCHES_AT_ONCE) as pool:
        for month in sorted(plan):
            parts = list(_batches(engine, plan[month], month))
            work = partial(_compute, engine, month=month, default_zone=default_zone)
            for part, computed in zip(parts, pool.map(work, parts), strict=True):
                homes |= set(computed)
                done += len(part)
                if progress is not None:
                    progress(done, total)
    return Disaggregated(homes=len(homes), months=done)


def _batches(engine: sa.Engine, devices: Sequence[int], month: date) -> Iterator[list[int]]:
    """Cut devices into batches of bounded size."""
    with unit_of_work(engine) as connection:
        of_home = intervals_of_last_day(connection, devices, month)
    batch: list[int] = []
    size = 0
    for device in devices:
        more = of_home.get(device, _MINUTES_A_DAY)
        if batch and (len(batch) == _HOMES_AT_ONCE or size + more > _INTERVALS_A_DAY_AT_ONCE):
            yield batch
            batch, size = [], 0
        batch.append(device)
        size += more
    if batch:
        yield batch


def _compute(engine: sa.Engine, batch: Sequence[int], *, month: date, default_zone: str) -> list[int]:
    with unit_of_work(engine) as connection:
        devices = lock_devices(connection, batch)
        zone_of = zones_of_devices(connection, devices, default_zone)
        known = sorted(zone_of)
        _settle_day_changes(connection, known, month)
        forget_month(connection, known, month)
        measured = read_month(connection, known, zone_of, month, _room())
        if measured.homes:
            computed = _disaggregate(connection, measured, month)
            store_month(connection, computed, clock.now())
            n_homes, n_days = measured.days.energy_uwh.shape
            statistics = computed.result.statistics.reshape(n_homes, n_days, N_COLUMNS)
            store_statistics(connection, measured.homes, [month] * n_homes, measured.zones, statistics)
    return measured.homes


def _disaggregate(connection: sa.Connection, measured: MeasuredMonth, month: date) -> Computed:
    homes, zones = measured.homes, measured.zones
    surroundings = read_surroundings(connection, homes, zones, *temperature_span_us(month))
    celsius = surroundings.celsius_between(*learned_hours(month))
    history = read_history(connection, homes, zones, month)
    batch = month_batch(
        month,
        zones=zones,
        intervals=measured.intervals,
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
        days=measured.days,
        result=disaggregate(batch),
        inputs=_inputs(surroundings, [weather_digest(row) for row in celsius], history, measured),
    )


def _inputs(
    surroundings: Surroundings, digests: Sequence[int], history: HomesHistory, measured: MeasuredMonth
) -> list[str]:
    """Return the snapshot of each home as a document: what its result was computed from, and what to tell of it."""
    days = measured.days
    coverage = days.valid.sum(axis=1) / np.maximum(days.expected.sum(axis=1), 1)
    is_measured: npt.NDArray[np.bool_] = np.any(surroundings.places.is_measured, axis=1)
    rows = zip(
        surroundings.households,
        surroundings.household_version,
        [digests[place] for place in surroundings.place.tolist()],
        history.n_days.tolist(),
        coverage.tolist(),
        surroundings.has_place.tolist(),
        is_measured[surroundings.place].tolist(),
        (days.has_export | measured.intervals.has(Quality.NEGATIVE)).tolist(),
        measured.intervals.has(Quality.IMPLAUSIBLE).tolist(),
        strict=True,
    )
    told: dict[tuple[object, ...], str] = {}
    documents = []
    for household, version, digest, history_days, covered, has_place, has_temperatures, has_export, odd in rows:
        # Most homes of a batch share one; what differs between them is all that it is made of.
        facts = (
            version,
            digest,
            history_days,
            covered < POOR_COVERAGE,
            has_place,
            has_temperatures,
            has_export,
            odd,
        )
        key = (household.has_generator, household.has_appliance_list, *facts)
        if key not in told:
            warnings = warnings_of(
                household,
                coverage=covered,
                history_days=history_days,
                has_place=has_place,
                has_temperatures=has_temperatures,
                has_export=has_export,
                has_implausible=odd,
            )
            told[key] = json.dumps(
                {"household": version, "weather": digest, "history_days": history_days, "warnings": warnings}
            )
        documents.append(told[key])
    return documents


def _settle_day_changes(connection: sa.Connection, homes: Sequence[int], month: date) -> None:
    """Take this month out of the log of changed days; what it says of other months stays."""
    span = month_range(month.year, month.month)
    raw(connection).execute(
        """
        WITH taken AS (
            DELETE FROM wattloom.day_change
            WHERE device_id = ANY(%(homes)s::int4[]) AND first_day <= %(last)s AND last_day >= %(first)s
            RETURNING device_id, first_day, last_day
        )
        INSERT INTO wattloom.day_change (device_id, first_day, last_day)
        SELECT device_id, first_day, %(first)s::date - 1 FROM taken WHERE first_day < %(first)s
        UNION ALL
        SELECT device_id, %(last)s::date + 1, last_day FROM taken WHERE last_day > %(last)s
        """,
        {"homes": array_text(homes), "first": span.first, "last": span.last},
    )
