"""Reading what homes measured: interval energy of a month, and what its local days add up to."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from analytics.calendar import EPOCH_DAY, month_range
from analytics.disaggregation.homes import HomeIntervals, expected_intervals_of, month_edges_us
from analytics.series import Direction
from pipelines.db.bulk import copy_out, decode
from pipelines.db.engine import raw
from pipelines.db.instants import instant

_QUALITIES = 256  # more than there will be
_INT8_BYTES = 8
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


def read_intervals(
    connection: sa.Connection, homes: Sequence[int], edges: Sequence[npt.NDArray[np.int64]]
) -> HomeIntervals:
    """Return the imported energy of rows of homes, each from the first to the last of its edges [µs].

    A home may come in several rows.
    """
    keys: dict[str, Any] = {
        "n": list(range(len(homes))),
        "device": list(homes),
        "start": [int(edge[0]) for edge in edges],
        "end": [int(edge[-1]) for edge in edges],
        "direction": int(Direction.IMPORT),
    }
    rows = raw(connection).cursor(binary=True).execute(_INTERVALS.encode(), keys).fetchall()
    start, energy, mixed = (b"".join(row[column] or b"" for row in rows) for column in range(3))
    duration_s, quality = np.divmod(decode("int8", mixed), _QUALITIES)
    sizes = [len(row[1] or b"") // _INT8_BYTES for row in rows]
    return HomeIntervals(
        offsets=np.concatenate(([0], np.cumsum(sizes))).astype(np.int64),
        start_us=decode("timestamptz", start),
        duration_s=duration_s.astype(np.int32),
        energy_uwh=decode("int8", energy),
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
