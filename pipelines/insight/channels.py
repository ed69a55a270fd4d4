"""Reading what a derivation needs: the energy series of devices, and their readings around changed spans."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from analytics.registers import DEFAULT_MAX_POWER_W, Channel, infer_interval_s
from analytics.series import EnergySeries, energy_series
from pipelines.db.bulk import copy_out
from pipelines.db.engine import raw

_LARGEST = 9 * 10**18
_MOST_DECIMALS = 12


@dataclass(frozen=True, kw_only=True)
class DeviceSeries:
    """A series of a device that carries energy, with the ratios that apply to it."""

    device_id: int
    series_id: int
    energy: EnergySeries
    ratio: int
    interval_s: int | None
    spacing_s: int | None
    register_digits: int | None


_SERIES = """
    SELECT c.device_id, c.series_id, s.name, s.unit, s.kind, s.interval_s, c.spacing_s, s.register_digits,
           CASE WHEN s.affected_by_ct_ratio AND d.has_current_transformer THEN d.current_transformer_ratio ELSE 1 END
           * CASE WHEN s.affected_by_vt_ratio AND d.has_voltage_transformer THEN d.voltage_transformer_ratio ELSE 1 END::bigint
    FROM wattloom.reading_channel AS c
    JOIN wattloom.meter_device AS d ON d.sensor_id = c.device_id
    JOIN wattloom.meter_reading_series AS s ON s.series_key = c.series_id
    WHERE c.device_id = ANY(%s)
    ORDER BY c.device_id, c.series_id
"""


def series_of_devices(connection: sa.Connection, devices: Sequence[int]) -> dict[int, list[DeviceSeries]]:
    """Return, per device, the series that carry electric energy."""
    found: dict[int, list[DeviceSeries]] = {device: [] for device in devices}
    for device, series, name, unit, kind, interval_s, spacing_s, digits, ratio in raw(connection).execute(
        _SERIES, (list(devices),)
    ):
        energy = energy_series(name, unit, kind)
        if energy is not None:
            found[device].append(
                DeviceSeries(
                    device_id=device,
                    series_id=series,
                    energy=energy,
                    ratio=ratio,
                    interval_s=interval_s,
                    spacing_s=spacing_s,
                    register_digits=digits,
                )
            )
    return found


@dataclass(frozen=True, kw_only=True)
class Window:
    """Intervals of a device that start in ``[start_us, end_us)`` are to be derived again."""

    device_id: int
    start_us: int
    end_us: int


def _instant(expression: str) -> str:
    return f"timestamptz 'epoch' + {expression} * interval '1 microsecond'"


def _us(expression: str) -> str:
    return f"(extract(epoch FROM {expression}) * 1000000)::bigint"


def affected_windows(
    connection: sa.Connection, spans: Sequence[tuple[int, int, int]], series: Mapping[int, Sequence[DeviceSeries]]
) -> list[Window]:
    """Widen changed spans to the neighbouring readings of every series of the device, and merge what then meets."""
    rows = [(n, s.series_id) for n, span in enumerate(spans) for s in series[span[0]]]
    widest = {n: [span[1], span[2] + 1] for n, span in enumerate(spans)}
    query = f"""
        SELECT k.n, {_us("p.at")}, {_us("f.at")}
        FROM unnest(%(n)s::int4[], %(device)s::int4[], %(series)s::int4[], %(first)s::int8[], %(last)s::int8[])
            AS k (n, device_id, series_id, first_us, last_us)
        CROSS JOIN LATERAL (SELECT max("timestamp") AS at FROM wattloom.meter_reading AS r
            WHERE (r.device_id, r.series_id) = (k.device_id, k.series_id) AND r."timestamp" < {_instant("k.first_us")}) AS p
        CROSS JOIN LATERAL (SELECT min("timestamp") AS at FROM wattloom.meter_reading AS r
            WHERE (r.device_id, r.series_id) = (k.device_id, k.series_id) AND r."timestamp" > {_instant("k.last_us")}) AS f
    """
    parameters = {
        "n": [n for n, _ in rows],
        "device": [spans[n][0] for n, _ in rows],
        "series": [s for _, s in rows],
        "first": [spans[n][1] for n, _ in rows],
        "last": [spans[n][2] for n, _ in rows],
    }
    for n, before, after in raw(connection).execute(query.encode(), parameters):
        if before is not None:
            widest[n][0] = min(widest[n][0], before)
        if after is not None:
            widest[n][1] = max(widest[n][1], after)
    windows: list[Window] = []
    for device, start, end in sorted((spans[n][0], start, end) for n, (start, end) in widest.items()):
        if windows and windows[-1].device_id == device and start <= windows[-1].end_us:
            last = windows.pop()
            windows.append(Window(device_id=device, start_us=last.start_us, end_us=max(last.end_us, end)))
        else:
            windows.append(Window(device_id=device, start_us=start, end_us=end))
    return windows


_CONTEXT = f"""
    SELECT k.n, {_us("b.first_at")}, {_us("b.last_at")}
    FROM unnest(%(n)s::int4[], %(device)s::int4[], %(series)s::int4[], %(first)s::int8[], %(last)s::int8[])
        AS k (n, device_id, series_id, first_us, last_us)
    CROSS JOIN LATERAL (
        SELECT (SELECT max(r."timestamp") FROM wattloom.meter_reading AS r
                WHERE (r.device_id, r.series_id) = (k.device_id, k.series_id)
                  AND r."timestamp" <= {_instant("k.first_us")}) AS first_at,
               (SELECT min(r."timestamp") FROM wattloom.meter_reading AS r
                WHERE (r.device_id, r.series_id) = (k.device_id, k.series_id)
                  AND r."timestamp" >= {_instant("k.last_us")}) AS last_at
    ) AS b
"""
_DECIMALS = f"""
    SELECT k.n, coalesce(max(scale(r.value)), 0), coalesce(max(abs(r.value)), 0)
    FROM unnest(%(n)s::int4[], %(device)s::int4[], %(series)s::int4[], %(first)s::int8[], %(last)s::int8[])
        AS k (n, device_id, series_id, first_us, last_us)
    JOIN wattloom.meter_reading AS r ON (r.device_id, r.series_id) = (k.device_id, k.series_id)
     AND r."timestamp" BETWEEN {_instant("k.first_us")} AND {_instant("k.last_us")}
    GROUP BY k.n
"""
_READINGS = f"""
    SELECT k.n, r."timestamp", round(r.value * power(10::numeric, k.exponent))::int8
    FROM unnest(%(n)s::int4[], %(device)s::int4[], %(series)s::int4[], %(first)s::int8[], %(last)s::int8[],
                %(exponent)s::int4[]) AS k (n, device_id, series_id, first_us, last_us, exponent)
    JOIN wattloom.meter_reading AS r ON (r.device_id, r.series_id) = (k.device_id, k.series_id)
     AND r."timestamp" BETWEEN {_instant("k.first_us")} AND {_instant("k.last_us")}
    ORDER BY k.n, r."timestamp"
"""


def read_channels(
    connection: sa.Connection, windows: Sequence[Window], series: Mapping[int, Sequence[DeviceSeries]]
) -> dict[int, list[tuple[DeviceSeries, Channel]]]:
    """Return the channels of each window (by its place), with the readings around it that its ends depend on.

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
    channels: dict[int, list[tuple[DeviceSeries, Channel]]] = {w: [] for w in range(len(windows))}
    edges = np.searchsorted(data["n"], np.arange(len(rows) + 1))
    for n, (w, one) in enumerate(rows):
        part = slice(edges[n], edges[n + 1])
        channel = _channel(
            one,
            data["at"][part],
            data["value"][part],
            exponent[n],
            exchanges.get(one.device_id),
            one.interval_s or usual_spacing(connection, one, data["at"][part]),
        )
        channels[w].append((one, _with_past(connection, one, channel)))
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
    interval_s: int | None,
) -> Channel:
    return Channel(
        kind=one.energy.kind,
        times_us=times_us,
        values=values,
        exponent=exponent,
        uwh_per_unit=Fraction(one.energy.uwh_per_unit * one.ratio),
        interval_s=interval_s,
        register_digits=one.register_digits,
        exchanges_us=np.empty(0, dtype=np.int64) if exchanges_us is None else exchanges_us,
        max_power_w=DEFAULT_MAX_POWER_W * one.ratio,
        total_priority=one.energy.priority,
        additive=one.energy.additive,
    )


def _with_past(connection: sa.Connection, one: DeviceSeries, channel: Channel) -> Channel:
    """Add the largest earlier reading where a register fell: it tells the register's width."""
    fell = one.energy.kind == "cumulative" and bool((np.diff(channel.values) < 0).any())
    if not fell or one.register_digits is not None:
        return channel
    row = (
        raw(connection)
        .execute(
            "SELECT max(value) FROM wattloom.meter_reading WHERE device_id = %s AND series_id = %s"
            f' AND "timestamp" < {_instant("%s")}',
            (one.device_id, one.series_id, int(channel.times_us[0])),
        )
        .fetchone()
    )
    if row is None or row[0] is None:
        return channel
    past_max = min(int(row[0] * 10**channel.exponent), _LARGEST)
    return replace(channel, past_max=past_max)


_SAMPLE = 96


def usual_spacing(connection: sa.Connection, one: DeviceSeries, times_us: npt.NDArray[np.int64]) -> int | None:
    """Return the spacing [s] at which a channel is usually read, learned once and kept with the channel.

    A few readings around a correction cannot tell a gap from a slow meter, so the channel's latest readings decide:
    when nothing was learned yet, and again when most spacings here differ from what was learned. A changed spacing
    has the readings it was learned from derived again.
    """
    here = infer_interval_s(times_us)
    if one.spacing_s is not None and here in {None, one.spacing_s}:
        return one.spacing_s
    if len(times_us) > _SAMPLE:
        sample = times_us
    else:
        rows = raw(connection).execute(
            f"SELECT {_us('timestamp')} FROM wattloom.meter_reading WHERE device_id = %s AND series_id = %s"
            ' ORDER BY "timestamp" DESC LIMIT %s',
            (one.device_id, one.series_id, _SAMPLE),
        )
        sample = np.array(sorted(at for (at,) in rows), dtype=np.int64)
    spacing = infer_interval_s(sample)
    if spacing is None or spacing == one.spacing_s or (len(sample) < _SAMPLE and one.spacing_s is not None):
        return one.spacing_s or spacing
    if len(sample) >= _SAMPLE:
        raw(connection).execute(
            "UPDATE wattloom.reading_channel SET spacing_s = %s WHERE device_id = %s AND series_id = %s",
            (spacing, one.device_id, one.series_id),
        )
        if one.spacing_s is not None:
            raw(connection).execute(
                "INSERT INTO wattloom.reading_change (device_id, from_at, to_at)"
                f" VALUES (%s, {_instant('%s')}, {_instant('%s')})",
                (one.device_id, int(sample[0]), int(sample[-1])),
            )
    return spacing


def _exchanges(connection: sa.Connection, devices: set[int]) -> dict[int, npt.NDArray[np.int64]]:
    found: dict[int, list[int]] = {}
    for device, at in raw(connection).execute(
        f"SELECT device_id, {_us('exchanged_at')} FROM wattloom.meter_device_exchange"
        " WHERE device_id = ANY(%s) ORDER BY device_id, exchanged_at",
        (sorted(devices),),
    ):
        found.setdefault(device, []).append(at)
    return {device: np.array(times, dtype=np.int64) for device, times in found.items()}
