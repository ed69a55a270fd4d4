"""What a changed span of readings can alter: the windows of a device to derive again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa

from analytics.calendar import SECOND_US
from pipelines.db.engine import raw
from pipelines.db.instants import instant, us
from pipelines.insight.device_series import DeviceSeries

_DAY_US = 86_400_000_000
_Spans = Sequence[tuple[int, int, int]]


@dataclass(frozen=True, kw_only=True)
class Window:
    """Intervals of a device that start in ``[start_us, end_us)`` are to be derived again."""

    device_id: int
    start_us: int
    end_us: int


_NEIGHBOURS = f"""
    SELECT k.n, {us("p.at")}, {us("f.at")}
    FROM unnest(%(n)s::int4[], %(device)s::int4[], %(series)s::int4[], %(first)s::int8[], %(last)s::int8[])
        AS k (n, device_id, series_id, first_us, last_us)
    CROSS JOIN LATERAL (SELECT max("timestamp") AS at FROM wattloom.meter_reading AS r
        WHERE (r.device_id, r.series_id) = (k.device_id, k.series_id) AND r."timestamp" < {instant("k.first_us")}) AS p
    CROSS JOIN LATERAL (SELECT min("timestamp") AS at FROM wattloom.meter_reading AS r
        WHERE (r.device_id, r.series_id) = (k.device_id, k.series_id) AND r."timestamp" > {instant("k.last_us")}) AS f
"""


def affected_windows(
    connection: sa.Connection, spans: _Spans, series: Mapping[int, Sequence[DeviceSeries]]
) -> list[Window]:
    """Widen changed spans to all that depends on them, and merge what then meets.

    A reading alters the intervals up to its neighbours. Where several series show the same energy, the lower in
    priority gives only what the higher leaves open, so each level reaches out around what the levels above alter.
    """
    reach = [[first, last + 1] for _, first, last in spans]
    levels = sorted({s.energy.priority for some in series.values() for s in some})
    for level in levels:
        rows = [(n, s) for n, span in enumerate(spans) for s in series[span[0]] if s.energy.priority == level]
        # Its own readings in the span, and its differences that reach into what is altered above it.
        own = [(spans[n][1], spans[n][2]) for n, _ in rows]
        above = [(reach[n][0] + 1, reach[n][1] - 1) for n, _ in rows]
        found = _neighbours(connection, spans, rows * 2, own + above)
        for n, before, after in found:
            reach[n] = [min(reach[n][0], before), max(reach[n][1], after)]
        for n, one in rows:
            if one.energy.kind == "interval" and one.energy.uwh_per_unit.denominator != 1:
                # The rounding of such values is carried on within each UTC day.
                reach[n] = [reach[n][0] // _DAY_US * _DAY_US, -(-reach[n][1] // _DAY_US) * _DAY_US]
    reaches = [(span[0], first, end) for span, (first, end) in zip(spans, reach, strict=True)]
    return _with_stale_tails(connection, _merged(sorted(reaches)))


def _neighbours(
    connection: sa.Connection,
    spans: _Spans,
    rows: Sequence[tuple[int, DeviceSeries]],
    around: Sequence[tuple[int, int]],
) -> list[tuple[int, int, int]]:
    """Return (span, last reading before, first reading after) of each row; where there is none, the bound itself."""
    keys = {
        "n": list(range(len(rows))),
        "device": [spans[n][0] for n, _ in rows],
        "series": [s.series_id for _, s in rows],
        "first": [first for first, _ in around],
        "last": [last for _, last in around],
    }
    found = raw(connection).execute(_NEIGHBOURS.encode(), keys).fetchall() if rows else []
    return [
        (
            rows[n][0],
            around[n][0] if before is None else before,
            around[n][1] + 1 + _tail_us(rows[n][1]) if after is None else after,
        )
        for n, before, after in found
    ]


def _tail_us(one: DeviceSeries) -> int:
    """Return how far energy reaches beyond the last reading [µs]: the interval that starts at it."""
    return (one.interval_s or one.spacing_s or 0) * SECOND_US if one.energy.kind == "interval" else 0


_STALE_TAILS = f"""
    SELECT k.n, {us("max(e.start_at)")}
    FROM unnest(%(n)s::int4[], %(device)s::int4[], %(end)s::int8[]) AS k (n, device_id, end_us)
    JOIN wattloom.interval_energy AS e ON e.device_id = k.device_id AND e.start_at >= {instant("k.end_us")}
    WHERE NOT EXISTS (SELECT FROM wattloom.meter_reading AS r
                      WHERE r.device_id = k.device_id AND r."timestamp" >= {instant("k.end_us")})
    GROUP BY k.n
"""


def _with_stale_tails(connection: sa.Connection, windows: Sequence[Window]) -> list[Window]:
    """Reach to the end of what was derived where no reading explains it: one was deleted, an interval shortened."""
    keys = {
        "n": list(range(len(windows))),
        "device": [w.device_id for w in windows],
        "end": [w.end_us for w in windows],
    }
    stale = dict(raw(connection).execute(_STALE_TAILS.encode(), keys))
    return [replace(w, end_us=stale[n] + 1) if n in stale else w for n, w in enumerate(windows)]


def _merged(reaches: Sequence[tuple[int, int, int]]) -> list[Window]:
    windows: list[Window] = []
    for device, start, end in reaches:
        if windows and windows[-1].device_id == device and start <= windows[-1].end_us:
            last = windows.pop()
            windows.append(Window(device_id=device, start_us=last.start_us, end_us=max(last.end_us, end)))
        else:
            windows.append(Window(device_id=device, start_us=start, end_us=end))
    return windows
