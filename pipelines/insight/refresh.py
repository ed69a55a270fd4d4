"""Interval energy into hours, UTC days and local days: only the spans that a derivation touched.

Fixed-width UTC buckets are continuous aggregates on TimescaleDB and tables of the same columns elsewhere. Local days
are always our own table: buckets in a named zone go stale (timescale/timescaledb#10296).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from analytics.calendar import DayRange, day_edges_us, from_us, local_date_of
from analytics.daily import total_days
from analytics.profiles import pack_day
from analytics.series import Direction
from pipelines.db.bulk import copy_in, copy_out
from pipelines.db.engine import raw, unit_of_work
from pipelines.db.timescale import has_community_features
from pipelines.insight.history import first_days
from pipelines.insight.learning import Touched, teach_anew
from pipelines.insight.work import (
    Change,
    Limits,
    batches,
    changed_devices,
    claim_changes,
    lock_devices,
    merged_spans,
    settle_changes,
)
from pipelines.insight.zones import zones_of_devices

ROLLUPS = (("energy_hourly_v1", timedelta(hours=1)), ("energy_daily_utc_v1", timedelta(days=1)))
_REFRESH_LOCK = 7_761_747_703
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()


@dataclass(frozen=True, kw_only=True)
class Refreshed:
    """What a refresh did."""

    devices: int = 0
    local_days: int = 0

    def __add__(self, other: "Refreshed") -> "Refreshed":
        return Refreshed(devices=self.devices + other.devices, local_days=self.local_days + other.local_days)


def refresh(
    engine: sa.Engine, limits: Limits, *, default_zone: str, progress: Callable[[int, int], None] | None = None
) -> Refreshed:
    """Work off the log of changed energy, a batch of devices per transaction.

    On TimescaleDB the continuous aggregates are refreshed first, outside any transaction; a run that is killed after
    that finds its log entries again and repeats, which changes nothing.
    """
    with unit_of_work(engine) as connection:
        devices = changed_devices(connection, "energy_change", limits)
        continuous = has_community_features(connection)
    refreshed = _refresh_continuous(engine, devices, limits) if continuous and devices else None
    done, total = 0, Refreshed()
    for batch in batches(devices):
        with unit_of_work(engine) as connection:
            locked = lock_devices(connection, batch)
            total += _refresh_batch(connection, locked, limits, default_zone=default_zone, refreshed=refreshed)
        done += len(batch)
        if progress is not None:
            progress(done, len(devices))
    return total


def _refresh_continuous(engine: sa.Engine, devices: Sequence[int], limits: Limits) -> frozenset[int]:
    """Refresh whole buckets around the changed spans, with one bucket of margin; return the changes this covers.

    A change logged from now on is left for the next run. One process refreshes at a time: shards share the buckets.
    """
    with unit_of_work(engine) as connection:
        changes = claim_changes(connection, "energy_change", devices, limits)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        raw(connection).execute("SELECT pg_advisory_lock(%s)", (_REFRESH_LOCK,))
        try:
            for name, width in ROLLUPS:
                for first, last in _whole_buckets(changes, width):
                    raw(connection).execute(
                        f"CALL refresh_continuous_aggregate('wattloom.{name}', %s::timestamptz, %s::timestamptz)",
                        (first, last),
                    )
        finally:
            raw(connection).execute("SELECT pg_advisory_unlock(%s)", (_REFRESH_LOCK,))
    return frozenset(change.id for change in changes)


def _whole_buckets(changes: Sequence[Change], width: timedelta) -> list[tuple[datetime, datetime]]:
    """Return the spans of all changes as whole buckets with a margin of one, merged where they meet."""
    merged: list[tuple[datetime, datetime]] = []
    for first_us, last_us in sorted((c.from_us, c.to_us) for c in changes):
        first = _floor(from_us(first_us), width) - width
        last = _floor(from_us(last_us), width) + 2 * width
        if merged and first <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], last))
        else:
            merged.append((first, last))
    return merged


def _floor(at: datetime, width: timedelta) -> datetime:
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return epoch + (at - epoch) // width * width


def _refresh_batch(
    connection: sa.Connection,
    devices: Sequence[int],
    limits: Limits,
    *,
    default_zone: str,
    refreshed: frozenset[int] | None,
) -> Refreshed:
    """Roll the changes of some devices up; ``refreshed`` are those that continuous aggregates already show."""
    changes = claim_changes(connection, "energy_change", devices, limits)
    if refreshed is not None:
        changes = [change for change in changes if change.id in refreshed]
    if not changes:
        return Refreshed()
    zones = zones_of_devices(connection, devices, default_zone)
    began = first_days(connection, list(zones))
    touched = [
        Touched(device, _refresh_local_days(connection, device, zones[device], first_us, end_us - 1))
        for device, first_us, end_us in merged_spans(changes)
        if device in zones
    ]
    teach_anew(connection, touched, zones, began)
    if refreshed is None:
        _refresh_tables(connection, changes)
    settle_changes(connection, "energy_change", changes)
    days = sum(len(one.days.days()) for one in touched)
    return Refreshed(devices=len({c.device_id for c in changes}), local_days=days)


def _refresh_tables(connection: sa.Connection, changes: Sequence[Change]) -> None:
    """Sum the touched buckets of the embedded engine's roll-up tables anew."""
    for name, width in ROLLUPS:
        for device, first_us, end_us in merged_spans(changes):
            span = {
                "device": device,
                "first": _floor(from_us(first_us), width),
                "last": _floor(from_us(end_us - 1), width) + width,
                "width": width,
            }
            raw(connection).execute(
                f"DELETE FROM wattloom.{name} WHERE device_id = %(device)s"
                " AND bucket >= %(first)s AND bucket < %(last)s",
                span,
            )
            raw(connection).execute(
                f"""
                INSERT INTO wattloom.{name} (device_id, direction, bucket, energy_uwh, interval_count, valid_count)
                SELECT device_id, direction, date_bin(%(width)s, start_at, timestamptz '1970-01-01T00:00:00Z'),
                       sum(energy_uwh)::bigint, count(*)::integer, (count(*) FILTER (WHERE quality < 3))::integer
                FROM wattloom.interval_energy
                WHERE device_id = %(device)s AND start_at >= %(first)s AND start_at < %(last)s
                GROUP BY 1, 2, 3
                """,
                span,
            )


def _refresh_local_days(
    connection: sa.Connection, device: int, zone: ZoneInfo, first_us: int, last_us: int
) -> DayRange:
    """Sum the touched local days of a device anew and note them for the disaggregation; return them."""
    first = local_date_of(from_us(first_us), zone)
    count = (local_date_of(from_us(last_us), zone) - first).days + 1
    edges = day_edges_us(first, count, zone)
    cursor = raw(connection).cursor()
    last = first + timedelta(days=count - 1)
    span = {"device": device, "first": first, "last": last}
    for table in ("daily_energy", "day_profile"):
        cursor.execute(
            f"DELETE FROM wattloom.{table} WHERE device_id = %(device)s AND day BETWEEN %(first)s AND %(last)s",
            span,
        )
    for direction in Direction:
        data = copy_out(
            raw(connection),
            "SELECT start_at, duration_s, energy_uwh, quality FROM wattloom.interval_energy"
            " WHERE device_id = %(device)s AND direction = %(direction)s"
            " AND start_at >= %(start)s AND start_at < %(end)s ORDER BY start_at",
            {"start": "timestamptz", "duration": "int4", "energy": "int8", "quality": "int2"},
            {
                "device": device,
                "direction": int(direction),
                "start": from_us(int(edges[0])),
                "end": from_us(int(edges[-1])),
            },
        )
        totals = total_days(data["start"], data["duration"], data["energy"], data["quality"], edges)
        size = len(totals.day)
        if size:
            copy_in(
                raw(connection),
                "daily_energy",
                {
                    "device_id": ("int4", np.full(size, device, dtype=np.int32)),
                    "direction": ("int2", np.full(size, int(direction), dtype=np.int16)),
                    "day": ("date", totals.day + (first.toordinal() - _EPOCH_ORDINAL)),
                    "energy_uwh": ("int8", totals.energy_uwh),
                    "expected_intervals": ("int4", totals.expected_intervals),
                    "valid_intervals": ("int4", totals.valid_intervals),
                    "resolution_s": ("int4", totals.resolution_s),
                },
                schema="wattloom",
            )
        if direction is Direction.IMPORT:
            _store_profiles(connection, device, first, edges, data)
    cursor.execute(
        "INSERT INTO wattloom.day_change (device_id, first_day, last_day) VALUES (%(device)s, %(first)s, %(last)s)",
        span,
    )
    return DayRange(first, last)


def _store_profiles(
    connection: sa.Connection,
    device: int,
    first: date,
    edges: npt.NDArray[np.int64],
    data: Mapping[str, npt.NDArray[Any]],
) -> None:
    """Keep each day's imported intervals packed: the disaggregation reads a row a day instead of one an interval."""
    cuts = np.searchsorted(data["start"], edges)
    days = np.flatnonzero(np.diff(cuts)).tolist()
    if not days:
        return
    columns = [data[name] for name in ("start", "duration", "energy", "quality")]
    packed = [pack_day(*(column[cuts[day] : cuts[day + 1]] for column in columns)) for day in days]
    copy_in(
        raw(connection),
        "day_profile",
        {
            "device_id": ("int4", np.full(len(days), device, dtype=np.int32)),
            "day": ("date", np.array(days, dtype=np.int64) + (first.toordinal() - _EPOCH_ORDINAL)),
            "intervals": ("bytea", packed),
        },
        schema="wattloom",
    )
