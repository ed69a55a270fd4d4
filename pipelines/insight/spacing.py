"""How far apart a channel's readings usually are: declared with the series, else learned from its latest readings."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from analytics.cadence import cadences
from analytics.registers import infer_interval_s
from pipelines.db.engine import raw
from pipelines.db.instants import instant, us
from pipelines.insight.device_series import DeviceSeries

SAMPLE = 192
_Series = Mapping[int, Sequence[DeviceSeries]]
_Span = tuple[int, int, int]

_LATEST = f"""
    SELECT k.n, ARRAY(SELECT {us("r.timestamp")} FROM wattloom.meter_reading AS r
                      WHERE (r.device_id, r.series_id) = (k.device_id, k.series_id)
                      ORDER BY r."timestamp" DESC LIMIT {SAMPLE})
    FROM unnest(%(n)s::int4[], %(device)s::int4[], %(series)s::int4[]) AS k (n, device_id, series_id)
    ORDER BY k.n
"""


def learn_spacings(
    connection: sa.Connection, series: _Series, spans: Sequence[_Span]
) -> tuple[dict[int, list[DeviceSeries]], list[_Span]]:
    """Return the series with their usual spacing, and the spans with what a newly learned one alters.

    A few readings around a correction cannot tell a gap from a slow meter, so the channel's latest readings decide.
    A channel that has no more than those is young: whenever its spacing changes, all of it is derived again, so
    that the order in which readings arrive makes no difference.
    """
    unknown = [s for device in sorted(series) for s in series[device] if s.interval_s is None]
    learned = dict(zip(map(_key, unknown), unknown, strict=True))
    wider = list(spans)
    keys = {
        "n": list(range(len(unknown))),
        "device": [s.device_id for s in unknown],
        "series": [s.series_id for s in unknown],
    }
    rows = raw(connection).execute(_LATEST.encode(), keys).fetchall() if unknown else []
    for n, latest in rows:
        sample = np.array(latest[::-1], dtype=np.int64)
        spacing = infer_interval_s(sample)
        one = unknown[n]
        if spacing != one.spacing_s:
            _remember(connection, one, spacing)
            if len(sample):
                wider.append((one.device_id, int(sample[0]), int(sample[-1])))
        learned[_key(one)] = replace(one, spacing_s=spacing, is_young=len(sample) < SAMPLE)
    return {device: [learned.get(_key(s), s) for s in series[device]] for device in series}, sorted(wider)


def _key(one: DeviceSeries) -> tuple[int, int]:
    return one.device_id, one.series_id


def _remember(connection: sa.Connection, one: DeviceSeries, spacing_s: int | None) -> None:
    raw(connection).execute(
        "UPDATE wattloom.reading_channel SET spacing_s = %s WHERE device_id = %s AND series_id = %s",
        (spacing_s, one.device_id, one.series_id),
    )


def local_cadences(
    connection: sa.Connection, one: DeviceSeries, times_us: npt.NDArray[np.int64]
) -> list[tuple[int, int | None]]:
    """Return (index of the first reading, spacing [s]) of each stretch of the readings at one cadence.

    An old part of the history keeps the cadence it was read at, whatever the meter does today.
    """
    if one.interval_s is not None or one.is_young:
        return [(0, one.interval_s or one.spacing_s)]
    if len(times_us) > SAMPLE:
        return list(cadences(times_us))
    here = infer_interval_s(times_us)
    if here is None or here == one.spacing_s:
        return [(0, one.spacing_s)]
    return [(0, infer_interval_s(_around(connection, one, times_us)))]


def _around(
    connection: sa.Connection, one: DeviceSeries, times_us: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Return the times with as many again before and after them as a sample has."""
    rows = raw(connection).execute(
        f"""
        (SELECT {us("timestamp")} FROM wattloom.meter_reading WHERE device_id = %(device)s
         AND series_id = %(series)s AND "timestamp" < {instant("%(first)s")} ORDER BY "timestamp" DESC LIMIT %(half)s)
        UNION ALL
        (SELECT {us("timestamp")} FROM wattloom.meter_reading WHERE device_id = %(device)s
         AND series_id = %(series)s AND "timestamp" > {instant("%(last)s")} ORDER BY "timestamp" LIMIT %(half)s)
        """.encode(),
        {
            "device": one.device_id,
            "series": one.series_id,
            "first": int(times_us[0]),
            "last": int(times_us[-1]),
            "half": SAMPLE // 2,
        },
    )
    outside = np.array([at for (at,) in rows], dtype=np.int64)
    return np.sort(np.concatenate((outside, times_us)))
