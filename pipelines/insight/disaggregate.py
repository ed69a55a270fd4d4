"""Months into appliance classes per local day: stored with a snapshot of what they were computed from."""

import calendar
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import psycopg
import sqlalchemy as sa

from analytics.calendar import SECOND_US, day_edges_us, from_us, month_range
from analytics.disaggregation.batch import CLASSES, DisaggregationBatch, HomesBatch
from analytics.disaggregation.households import Household
from analytics.disaggregation.model import disaggregate
from analytics.disaggregation.places import places_of
from analytics.disaggregation.statistics import N_COLUMNS
from analytics.quality import counts_mask, profile_mask
from analytics.series import Direction
from pipelines import clock
from pipelines.db.bulk import copy_out
from pipelines.db.engine import raw, unit_of_work
from pipelines.insight.due import measured_devices
from pipelines.insight.work import batches, lock_devices
from pipelines.insight.zones import zones_of_devices

CONTEXT_DAYS = 1
_HOMES_AT_ONCE = 100
_SOMEWHERE = (50.0, 10.0)
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()


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
    zones = zones_of_devices(connection, devices, default_zone)
    homes = measured_devices(connection, month, sorted(zones))
    changes = _settle_day_changes(connection, sorted(zones), month)
    _forget(connection, sorted(zones), homes, month)
    if not homes:
        return []
    batch = _read_homes(connection, homes, zones, month)
    _store(connection, homes, zones, month, disaggregate(batch), changes)
    return homes


def _forget(connection: sa.Connection, devices: Sequence[int], homes: Sequence[int], month: date) -> None:
    """Delete the days of a month that are about to be stored again, and the runs of devices without data by now."""
    span = month_range(month.year, month.month)
    cursor = raw(connection).cursor()
    for table in ("disaggregation_day", "appliance_energy"):
        cursor.execute(
            f"DELETE FROM wattloom.{table} WHERE device_id = ANY(%s) AND day BETWEEN %s AND %s".encode(),
            (list(devices), span.first, span.last),
        )
    cursor.execute(
        "DELETE FROM wattloom.disaggregation_run WHERE device_id = ANY(%s) AND device_id <> ALL(%s) AND month = %s",
        (list(devices), list(homes), month),
    )


def _settle_day_changes(connection: sa.Connection, homes: Sequence[int], month: date) -> int:
    """Take this month out of the log of changed days; what it says of other months stays."""
    span = month_range(month.year, month.month)
    cursor = (
        raw(connection)
        .execute(
            """
        WITH taken AS (
            DELETE FROM wattloom.day_change
            WHERE device_id = ANY(%(homes)s) AND first_day <= %(last)s AND last_day >= %(first)s
            RETURNING device_id, first_day, last_day
        ), left_over AS (
            INSERT INTO wattloom.day_change (device_id, first_day, last_day)
            SELECT device_id, first_day, %(first)s::date - 1 FROM taken WHERE first_day < %(first)s
            UNION ALL
            SELECT device_id, %(last)s::date + 1, last_day FROM taken WHERE last_day > %(last)s
        )
        SELECT count(*) FROM taken
        """,
            {"homes": list(homes), "first": span.first, "last": span.last},
        )
        .fetchone()
    )
    return cursor[0] if cursor else 0


def _read_homes(
    connection: sa.Connection, homes: Sequence[int], zones: dict[int, ZoneInfo], month: date
) -> HomesBatch:
    first_day = month - timedelta(days=CONTEXT_DAYS)
    n_days = CONTEXT_DAYS + calendar.monthrange(month.year, month.month)[1]
    by_zone = {zone: day_edges_us(first_day, n_days, zone) for zone in set(zones.values())}
    edges = [by_zone[zones[home]] for home in homes]
    data = copy_out(
        raw(connection),
        """
        SELECT k.n, e.start_at, e.duration_s, e.energy_uwh, e.quality
        FROM unnest(%(n)s::int4[], %(device)s::int4[], %(start)s::timestamptz[], %(end)s::timestamptz[])
            AS k (n, device_id, start_at, end_at)
        JOIN wattloom.interval_energy AS e
          ON e.device_id = k.device_id AND e.direction = %(direction)s
         AND e.start_at >= k.start_at AND e.start_at < k.end_at
        ORDER BY k.n, e.start_at
        """,
        {"n": "int4", "start": "timestamptz", "duration": "int4", "energy": "int8", "quality": "int2"},
        {
            "n": list(range(len(homes))),
            "device": list(homes),
            "start": [from_us(int(edge[0])) for edge in edges],
            "end": [from_us(int(edge[-1])) for edge in edges],
            "direction": int(Direction.IMPORT),
        },
    )
    counted = counts_mask(data["quality"])
    data = {name: column[counted] for name, column in data.items()}
    return HomesBatch(
        offsets=np.searchsorted(data["n"], np.arange(len(homes) + 1)).astype(np.int64),
        start_us=data["start"],
        duration_s=data["duration"],
        energy_uwh=data["energy"],
        is_valid=profile_mask(data["quality"]),
        edge_offsets=np.arange(len(homes) + 1, dtype=np.int64) * (n_days + 1),
        day_edges_us=np.concatenate(edges),
        first_day=np.full(len(homes), first_day.toordinal() - _EPOCH_ORDINAL, dtype=np.int64),
        n_context_days=np.full(len(homes), CONTEXT_DAYS, dtype=np.int64),
        history_offsets=np.zeros(len(homes) + 1, dtype=np.int64),
        history=np.zeros((0, N_COLUMNS), dtype=np.uint16),
        households=(Household(),) * len(homes),
        places=places_of(
            [_SOMEWHERE], start_us=int(min(e[0] for e in edges)), end_us=int(max(e[-1] for e in edges))
        ),
        place=np.zeros(len(homes), dtype=np.int64),
    )


@dataclass(frozen=True, kw_only=True)
class _Measured:
    """Energy [µWh], expected and valid intervals per home and day [h, d], and each home's usual interval [s]."""

    energy_uwh: npt.NDArray[np.int64]
    expected: npt.NDArray[np.int64]
    valid: npt.NDArray[np.int64]
    usual_s: npt.NDArray[np.int64]


def _measured(connection: sa.Connection, homes: Sequence[int], month: date) -> _Measured:
    span = month_range(month.year, month.month)
    days = (span.last - span.first).days + 1
    energy, expected, valid, resolution = (np.zeros((len(homes), days), dtype=np.int64) for _ in range(4))
    place = {home: i for i, home in enumerate(homes)}
    for device, day, energy_uwh, wanted, got, resolution_s in raw(connection).execute(
        "SELECT device_id, day, energy_uwh, expected_intervals, valid_intervals, resolution_s"
        " FROM wattloom.daily_energy WHERE device_id = ANY(%s) AND direction = %s AND day BETWEEN %s AND %s",
        (list(homes), int(Direction.IMPORT), span.first, span.last),
    ):
        cell = place[device], (day - span.first).days
        energy[cell], expected[cell], valid[cell], resolution[cell] = energy_uwh, wanted, got, resolution_s
    absent = resolution == 0
    usual_s = np.where(absent, np.iinfo(np.int64).max, resolution).min(axis=1)
    expected[absent] = -1
    return _Measured(energy_uwh=energy, expected=expected, valid=valid, usual_s=usual_s)


def _store(
    connection: sa.Connection,
    homes: Sequence[int],
    zones: dict[int, ZoneInfo],
    month: date,
    result: DisaggregationBatch,
    changes: int,
) -> None:
    span = month_range(month.year, month.month)
    measured = _measured(connection, homes, month)
    cursor = raw(connection).cursor()
    runs, days, parts = [], [], []
    for n, (home, (first, last)) in enumerate(zip(homes, pairwise(result.target_offsets.tolist()), strict=True)):
        length_s = np.diff(day_edges_us(span.first, last - first, zones[home])) // SECOND_US
        # A day without any interval would have had as many as the home's usual interval fits.
        wanted = np.where(measured.expected[n] >= 0, measured.expected[n], length_s // measured.usual_s[n])
        confidence = {key: round(float(result.confidence[n, k]), 4) for k, key in enumerate(CLASSES)}
        inputs = {"context_days": CONTEXT_DAYS, "changes": changes}
        counts = int(wanted.sum()), int(measured.valid[n].sum())
        documents = json.dumps(inputs), json.dumps(confidence)
        runs.append((home, month, result.model_version, clock.now(), str(zones[home]), *counts, *documents))
        for row in range(first, last):
            d = row - first
            day = span.first + timedelta(days=d)
            days.append(
                (
                    home,
                    day,
                    int(measured.energy_uwh[n, d]),
                    int(result.total_mwh[row]),
                    int(wanted[d]),
                    int(measured.valid[n, d]),
                )
            )
            parts += [(home, day, key, int(result.parts_mwh[row, k])) for k, key in enumerate(CLASSES)]
    cursor.executemany(
        "INSERT INTO wattloom.disaggregation_run (device_id, month, model_version, computed_at, timezone,"
        " expected_intervals, valid_intervals, inputs, confidence) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)"
        " ON CONFLICT (device_id, month) DO UPDATE SET model_version = excluded.model_version,"
        " computed_at = excluded.computed_at, timezone = excluded.timezone,"
        " expected_intervals = excluded.expected_intervals, valid_intervals = excluded.valid_intervals,"
        " inputs = excluded.inputs, confidence = excluded.confidence",
        runs,
    )
    _copy_rows(
        cursor,
        "disaggregation_day (device_id, day, energy_uwh, total_mwh, expected_intervals, valid_intervals)",
        days,
    )
    _copy_rows(cursor, "appliance_energy (device_id, day, appliance_key, energy_mwh)", parts)


def _copy_rows(cursor: psycopg.Cursor[Any], target: str, rows: Sequence[tuple[object, ...]]) -> None:
    with cursor.copy(f"COPY wattloom.{target} FROM STDIN".encode()) as copy:
        for row in rows:
            copy.write_row(row)
