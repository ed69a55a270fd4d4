"""Reading what homes measured: interval energy of a month, and what its local days add up to."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from analytics.calendar import DayRange, UtcRange, month_range
from analytics.daily import total_homes
from analytics.disaggregation.homes import CONTEXT_DAYS, HomeIntervals, expected_intervals_of, month_edges_us
from analytics.profiles import Room, joined, unpack_homes
from analytics.series import Direction
from pipelines.db.bulk import array_text, decode
from pipelines.db.engine import raw
from pipelines.db.instants import instant

_QUALITIES = 256  # more than there will be
# A row a home and three columns an interval are twice as fast as a row an interval.
_INTERVALS = f"""
    SELECT x.start_at, x.energy_uwh, x.duration_and_quality
    FROM unnest(%(n)s::int4[], %(device)s::int4[], %(start)s::int8[], %(end)s::int8[])
        AS k (n, device_id, start_us, end_us)
    CROSS JOIN LATERAL (
        SELECT string_agg(timestamptz_send(e.start_at), ''::bytea) AS start_at,
               string_agg(int8send(e.energy_uwh), ''::bytea) AS energy_uwh,
               string_agg(int8send(e.duration_s::int8 * {_QUALITIES} + e.quality), ''::bytea) AS duration_and_quality
        FROM (
            SELECT start_at, energy_uwh, duration_s, quality FROM wattloom.interval_energy
            WHERE device_id = k.device_id AND direction = %(direction)s
              AND start_at >= {instant("k.start_us")} AND start_at < {instant("k.end_us")}
            ORDER BY start_at
        ) AS e
    ) AS x
    ORDER BY k.n
"""
# Days that an earlier release rolled up are not packed: then there are fewer of them.
_PACKED = """
    SELECT p.intervals, p.days = d.days, d.days_of_month, EXISTS (
               SELECT FROM wattloom.daily_energy WHERE device_id = k.device_id AND direction = %(export)s
               AND day BETWEEN k.month AND k.last AND energy_uwh > 0)
    FROM unnest(%(device)s::int4[], %(first)s::date[], %(month)s::date[], %(last)s::date[]) WITH ORDINALITY
        AS k (device_id, first, month, last, n)
    CROSS JOIN LATERAL (
        SELECT string_agg(o.intervals, ''::bytea) AS intervals, count(*) AS days
        FROM (SELECT intervals FROM wattloom.day_profile
              WHERE device_id = k.device_id AND day BETWEEN k.first AND k.last ORDER BY day) AS o
    ) AS p
    CROSS JOIN LATERAL (
        SELECT count(*) AS days, count(*) FILTER (WHERE day >= k.month) AS days_of_month FROM wattloom.daily_energy
        WHERE device_id = k.device_id AND direction = %(import)s AND day BETWEEN k.first AND k.last
    ) AS d
    ORDER BY k.n
"""


class _Row(NamedTuple):
    """What is stored of a home over some local days."""

    intervals: bytes | None
    is_packed: bool
    days_of_month: int
    has_export: bool


def read_intervals(
    connection: sa.Connection, homes: Sequence[int], zones: Sequence[ZoneInfo], spans: Sequence[DayRange]
) -> HomeIntervals:
    """Return the imported energy of homes, a row each, over the local days of their spans.

    A home may come in several rows.
    """
    rows = _read_packed(connection, homes, spans, [span.first for span in spans])
    return _unpack(connection, rows, homes, zones, spans, Room())


def _read_packed(
    connection: sa.Connection, homes: Sequence[int], spans: Sequence[DayRange], months: Sequence[date]
) -> list[_Row]:
    """Return the packed days of homes; those from the first of their month on are counted."""
    keys: dict[str, Any] = {
        "device": array_text(homes),
        "first": array_text(span.first for span in spans),
        "month": array_text(months),
        "last": array_text(span.last for span in spans),
        "import": int(Direction.IMPORT),
        "export": int(Direction.EXPORT),
    }
    return [_Row(*row) for row in raw(connection).cursor(binary=True).execute(_PACKED, keys).fetchall()]


def _unpack(
    connection: sa.Connection,
    rows: Sequence[_Row],
    homes: Sequence[int],
    zones: Sequence[ZoneInfo],
    spans: Sequence[DayRange],
    room: Room,
) -> HomeIntervals:
    """Return the intervals of rows; where some of a row's days are not packed, all of it from `interval_energy`."""
    unpacked = [n for n, row in enumerate(rows) if not row.is_packed]
    if not unpacked:
        return unpack_homes([row.intervals or b"" for row in rows], room)
    ranges = [spans[n].to_utc(zones[n]) for n in unpacked]
    slow = iter(_read_rows(connection, [homes[n] for n in unpacked], ranges))
    return joined([unpack_homes([row.intervals or b""]) if row.is_packed else next(slow) for row in rows])


def _read_rows(
    connection: sa.Connection, homes: Sequence[int], ranges: Sequence[UtcRange]
) -> Iterator[HomeIntervals]:
    keys: dict[str, Any] = {
        "n": list(range(len(homes))),
        "device": list(homes),
        "start": [span.start_us for span in ranges],
        "end": [span.end_us for span in ranges],
        "direction": int(Direction.IMPORT),
    }
    for start, energy, mixed in raw(connection).cursor(binary=True).execute(_INTERVALS.encode(), keys).fetchall():
        duration_s, quality = np.divmod(decode("int8", mixed or b""), _QUALITIES)
        yield HomeIntervals(
            offsets=np.array([0, duration_s.size], dtype=np.int64),
            start_us=decode("timestamptz", start or b""),
            duration_s=duration_s.astype(np.int32),
            energy_uwh=decode("int8", energy or b""),
            quality=quality.astype(np.int16),
        )


def intervals_of_last_day(connection: sa.Connection, devices: Sequence[int], month: date) -> dict[int, int]:
    """Return how many intervals the last day of a month should have, of each device that has any on it."""
    rows = raw(connection).execute(
        "SELECT device_id, expected_intervals FROM wattloom.daily_energy"
        " WHERE device_id = ANY(%s::int4[]) AND direction = %s AND day = %s",
        (array_text(devices), int(Direction.IMPORT), month_range(month.year, month.month).last),
    )
    return dict(rows.fetchall())


@dataclass(frozen=True, kw_only=True)
class MeasuredDays:
    """What the local days of homes' month add up to.

    Parameters
    ----------
    energy_uwh, expected, valid : ndarray of int64, shape (h, d)
        Energy [µWh], intervals that each day should have and those it has; days without any included.
    has_export : ndarray of bool, shape (h,)
        Whether the home fed anything in.
    """

    energy_uwh: npt.NDArray[np.int64]
    expected: npt.NDArray[np.int64]
    valid: npt.NDArray[np.int64]
    has_export: npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class MeasuredMonth:
    """The homes that have any energy in a month, in order, with the intervals of it and of the context before it."""

    homes: list[int]
    zones: list[ZoneInfo]
    intervals: HomeIntervals
    days: MeasuredDays


def read_month(
    connection: sa.Connection, devices: Sequence[int], zone_of: Mapping[int, ZoneInfo], month: date, room: Room
) -> MeasuredMonth:
    """Return those of the devices that have energy in a month, with it, in `room`; days that they miss are zeros."""
    first, last = month_range(month.year, month.month)
    span = DayRange(first - timedelta(days=CONTEXT_DAYS), last)
    found = _read_packed(connection, devices, [span] * len(devices), [first] * len(devices))
    measured = [n for n, row in enumerate(found) if row.days_of_month]
    homes, rows = [devices[n] for n in measured], [found[n] for n in measured]
    zones = [zone_of[home] for home in homes]
    intervals = _unpack(connection, rows, homes, zones, [span] * len(homes), room)
    edges_us = np.array([month_edges_us(month, zone) for zone in zones], dtype=np.int64)
    totals = total_homes(
        intervals.offsets,
        intervals.start_us,
        intervals.duration_s,
        intervals.energy_uwh,
        intervals.quality,
        edges_us.reshape(len(homes), (last - first).days + 2),
    )
    for row in np.flatnonzero((totals.resolution_s == 0).any(axis=1)).tolist():
        totals.expected_intervals[row] = expected_intervals_of(
            totals.expected_intervals[row], totals.resolution_s[row], edges_us[row]
        )
    return MeasuredMonth(
        homes=homes,
        zones=zones,
        intervals=intervals,
        days=MeasuredDays(
            energy_uwh=totals.energy_uwh,
            expected=totals.expected_intervals,
            valid=totals.valid_intervals,
            has_export=np.array([row.has_export for row in rows], dtype=np.bool_),
        ),
    )
