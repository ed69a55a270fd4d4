"""Reading what homes measured: interval energy of a month, and what its local days add up to."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from analytics.calendar import EPOCH_DAY, DayRange, UtcRange, month_range
from analytics.disaggregation.homes import HomeIntervals, expected_intervals_of, month_edges_us
from analytics.profiles import joined, unpack_homes
from analytics.series import Direction
from pipelines.db.bulk import copy_out, decode
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
_DAYS = """
    SELECT k.n, e.direction, e.day, e.energy_uwh, e.expected_intervals, e.valid_intervals, e.resolution_s
    FROM unnest(%(n)s::int4[], %(device)s::int4[]) AS k (n, device_id)
    JOIN wattloom.daily_energy AS e ON e.device_id = k.device_id AND e.day BETWEEN %(first)s AND %(last)s
    ORDER BY k.n
"""
_DAY_KINDS = {
    "n": "int4",
    "direction": "int2",
    "day": "date",
    "energy": "int8",
    "expected": "int4",
    "valid": "int4",
    "resolution": "int4",
}


_PROFILES = """
    SELECT (SELECT array_agg(intervals ORDER BY day) FROM wattloom.day_profile
            WHERE device_id = k.device_id AND day BETWEEN k.first AND k.last),
           (SELECT count(*) FROM wattloom.daily_energy
            WHERE device_id = k.device_id AND direction = %(direction)s AND day BETWEEN k.first AND k.last)
    FROM unnest(%(n)s::int4[], %(device)s::int4[], %(first)s::date[], %(last)s::date[])
        AS k (n, device_id, first, last)
    ORDER BY k.n
"""


def read_intervals(
    connection: sa.Connection, homes: Sequence[int], zones: Sequence[ZoneInfo], spans: Sequence[DayRange]
) -> HomeIntervals:
    """Return the imported energy of homes, a row each, over the local days of their spans.

    A home may come in several rows. Days come packed (`day_profile`); where some of a row's days are not, which were
    rolled up by an earlier release, all of the row is read from `interval_energy`.
    """
    keys: dict[str, Any] = {
        "n": list(range(len(homes))),
        "device": list(homes),
        "first": [span.first for span in spans],
        "last": [span.last for span in spans],
        "direction": int(Direction.IMPORT),
    }
    rows = raw(connection).cursor(binary=True).execute(_PROFILES, keys).fetchall()
    is_packed = [len(days or []) == count for days, count in rows]
    if all(is_packed):
        return unpack_homes([days or [] for days, _ in rows])
    unpacked = [n for n, whole in enumerate(is_packed) if not whole]
    ranges = [spans[n].to_utc(zones[n]) for n in unpacked]
    slow = iter(_read_rows(connection, [homes[n] for n in unpacked], ranges))
    return joined([unpack_homes([days or []]) if is_packed[n] else next(slow) for n, (days, _) in enumerate(rows)])


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


def read_days(
    connection: sa.Connection, homes: Sequence[int], zones: Sequence[ZoneInfo], month: date
) -> MeasuredDays:
    """Return the days of a month of homes, in their order."""
    first, last = month_range(month.year, month.month)
    data = copy_out(
        raw(connection),
        _DAYS,
        _DAY_KINDS,
        {"n": list(range(len(homes))), "device": list(homes), "first": first, "last": last},
    )
    imported = data["direction"] == int(Direction.IMPORT)
    cells = data["n"][imported], data["day"][imported] - (first - EPOCH_DAY).days

    def spread(name: str) -> npt.NDArray[np.int64]:
        whole = np.zeros((len(homes), (last - first).days + 1), dtype=np.int64)
        whole[cells] = data[name][imported]
        return whole

    expected, resolution_s = spread("expected"), spread("resolution")
    for row in np.flatnonzero((resolution_s == 0).any(axis=1)).tolist():
        expected[row] = expected_intervals_of(expected[row], resolution_s[row], month_edges_us(month, zones[row]))
    has_export = np.zeros(len(homes), dtype=np.bool_)
    has_export[data["n"][~imported & (data["energy"] > 0)]] = True
    return MeasuredDays(
        energy_uwh=spread("energy"), expected=expected, valid=spread("valid"), has_export=has_export
    )
