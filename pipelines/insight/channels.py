"""Reading what a derivation needs: the readings of a device's energy series around changed windows."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from analytics.cadence import cut_at_cadences
from analytics.registers import DEFAULT_MAX_POWER_W, Channel
from pipelines.db.bulk import copy_out
from pipelines.db.engine import raw
from pipelines.db.instants import instant, us
from pipelines.insight.device_series import DeviceSeries
from pipelines.insight.spacing import local_cadences
from pipelines.insight.windows import Window

_LARGEST = 9 * 10**18
_MOST_DECIMALS = 12


_CONTEXT = f"""
    SELECT k.n, {us("b.first_at")}, {us("b.last_at")}
    FROM unnest(%(n)s::int4[], %(device)s::int4[], %(series)s::int4[], %(first)s::int8[], %(last)s::int8[])
        AS k (n, device_id, series_id, first_us, last_us)
    CROSS JOIN LATERAL (
        SELECT (SELECT max(r."timestamp") FROM wattloom.meter_reading AS r
                WHERE (r.device_id, r.series_id) = (k.device_id, k.series_id)
                  AND r."timestamp" <= {instant("k.first_us")}) AS first_at,
               (SELECT min(r."timestamp") FROM wattloom.meter_reading AS r
                WHERE (r.device_id, r.series_id) = (k.device_id, k.series_id)
                  AND r."timestamp" >= {instant("k.last_us")}) AS last_at
    ) AS b
"""
_DECIMALS = f"""
    SELECT k.n, coalesce(max(scale(r.value)), 0), coalesce(max(abs(r.value)), 0)
    FROM unnest(%(n)s::int4[], %(device)s::int4[], %(series)s::int4[], %(first)s::int8[], %(last)s::int8[])
        AS k (n, device_id, series_id, first_us, last_us)
    JOIN wattloom.meter_reading AS r ON (r.device_id, r.series_id) = (k.device_id, k.series_id)
     AND r."timestamp" BETWEEN {instant("k.first_us")} AND {instant("k.last_us")}
    GROUP BY k.n
"""
_READINGS = f"""
    SELECT k.n, r."timestamp", round(r.value * power(10::numeric, k.exponent))::int8
    FROM unnest(%(n)s::int4[], %(device)s::int4[], %(series)s::int4[], %(first)s::int8[], %(last)s::int8[],
                %(exponent)s::int4[]) AS k (n, device_id, series_id, first_us, last_us, exponent)
    JOIN wattloom.meter_reading AS r ON (r.device_id, r.series_id) = (k.device_id, k.series_id)
     AND r."timestamp" BETWEEN {instant("k.first_us")} AND {instant("k.last_us")}
    ORDER BY k.n, r."timestamp"
"""


def read_channels(
    connection: sa.Connection, windows: Sequence[Window], series: Mapping[int, Sequence[DeviceSeries]]
) -> dict[int, list[tuple[DeviceSeries, list[Channel]]]]:
    """Return the channels of each window (by its place), with the readings around it that its ends depend on.

    A channel whose cadence changed within the window comes in several parts, in order.

    Values come as integers at the finest decimals that the channel's readings show and an int64 holds.
    """
    rows = [(w, s) for w, window in enumerate(windows) for s in series[window.device_id]]
    keys: dict[str, list[int]] = {
        "n": list(range(len(rows))),
        "device": [s.device_id for _, s in rows],
        "series": [s.series_id for _, s in rows],
        "first": [windows[w].start_us for w, _ in rows],
        "last": [windows[w].end_us for w, _ in rows],
    }
    # Twice: out to the reading at or beyond each end, then for all series to the outermost of those.
    for _ in range(2):
        _reach_out(connection, rows, keys)
    exponent = [0] * len(rows)
    for n, decimals, largest in raw(connection).execute(_DECIMALS.encode(), keys):
        exponent[n] = min(int(decimals), _MOST_DECIMALS)
        while exponent[n] and int(largest) * 10 ** exponent[n] >= _LARGEST:
            exponent[n] -= 1
    data = copy_out(
        raw(connection),
        _READINGS,
        {"n": "int4", "at": "timestamptz", "value": "int8"},
        keys | {"exponent": exponent},
    )
    exchanges = _exchanges(connection, {window.device_id for window in windows})
    channels: dict[int, list[tuple[DeviceSeries, list[Channel]]]] = {w: [] for w in range(len(windows))}
    edges = np.searchsorted(data["n"], np.arange(len(rows) + 1))
    for n, (w, one) in enumerate(rows):
        part = slice(edges[n], edges[n + 1])
        channel = _channel(one, data["at"][part], data["value"][part], exponent[n], exchanges.get(one.device_id))
        runs = cut_at_cadences(channel, local_cadences(connection, one, channel.times_us))
        channels[w].append((one, _with_past(connection, one, runs)))
    return channels


def _reach_out(
    connection: sa.Connection, rows: Sequence[tuple[int, DeviceSeries]], keys: dict[str, list[int]]
) -> None:
    """Widen each window's bounds to the nearest readings outside, the same for all series of the window."""
    widest: dict[int, tuple[int, int]] = {}
    for n, first_us, last_us in raw(connection).execute(_CONTEXT.encode(), keys):
        window = rows[n][0]
        first = keys["first"][n] if first_us is None else first_us
        last = keys["last"][n] if last_us is None else last_us
        known = widest.get(window, (first, last))
        widest[window] = (min(known[0], first), max(known[1], last))
    keys["first"] = [widest[w][0] for w, _ in rows]
    keys["last"] = [widest[w][1] for w, _ in rows]


def _channel(
    one: DeviceSeries,
    times_us: npt.NDArray[np.int64],
    values: npt.NDArray[np.int64],
    exponent: int,
    exchanges_us: npt.NDArray[np.int64] | None,
) -> Channel:
    return Channel(
        kind=one.energy.kind,
        times_us=times_us,
        values=values,
        exponent=exponent,
        uwh_per_unit=Fraction(one.energy.uwh_per_unit * one.ratio),
        register_digits=one.register_digits,
        exchanges_us=np.empty(0, dtype=np.int64) if exchanges_us is None else exchanges_us,
        max_power_w=DEFAULT_MAX_POWER_W * one.ratio,
        total_priority=one.energy.priority,
        additive=one.energy.additive,
    )


def _with_past(connection: sa.Connection, one: DeviceSeries, runs: list[Channel]) -> list[Channel]:
    """Add the largest earlier reading where a register fell: it tells the register's width."""
    fell = one.energy.kind == "cumulative" and any(bool((np.diff(run.values) < 0).any()) for run in runs)
    if not fell or one.register_digits is not None:
        return runs
    row = (
        raw(connection)
        .execute(
            "SELECT max(value) FROM wattloom.meter_reading WHERE device_id = %s AND series_id = %s"
            f' AND "timestamp" < {instant("%s")}',
            (one.device_id, one.series_id, int(runs[0].times_us[0])),
        )
        .fetchone()
    )
    peak = 0 if row is None or row[0] is None else min(int(row[0] * 10 ** runs[0].exponent), _LARGEST)
    known = []
    for run in runs:
        known.append(replace(run, past_max=max(peak, 0)))
        peak = max(peak, int(run.values.max()))
    return known


def _exchanges(connection: sa.Connection, devices: set[int]) -> dict[int, npt.NDArray[np.int64]]:
    found: dict[int, list[int]] = {}
    for device, at in raw(connection).execute(
        f"SELECT device_id, {us('exchanged_at')} FROM wattloom.meter_device_exchange"
        " WHERE device_id = ANY(%s) ORDER BY device_id, exchanged_at",
        (sorted(devices),),
    ):
        found.setdefault(device, []).append(at)
    return {device: np.array(times, dtype=np.int64) for device, times in found.items()}
