"""The daily statistics of the 13 months before a month: stored ones where they are current, else made and stored.

They stand for the intervals they were made from: what changes those makes them anew, in the same transaction
(`pipelines.insight.learning`).
"""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from analytics.calendar import EPOCH_DAY, month_range
from analytics.disaggregation.columns import N_COLUMNS, STATISTICS_VERSION, Statistics
from analytics.disaggregation.homes import month_statistics
from analytics.series import Direction
from pipelines.db.bulk import copy_in
from pipelines.db.engine import raw
from pipelines.insight.due import months_before
from pipelines.insight.homes import read_intervals

HISTORY_MONTHS = 13
MONTHS_AT_ONCE = 100
_WIRE = np.dtype("<u2")

_STORED = """
    SELECT k.n, f.first_day, s.months, s.days
    FROM unnest(%(n)s::int4[], %(device)s::int4[], %(timezone)s::varchar[]) AS k (n, device_id, timezone)
    CROSS JOIN LATERAL (
        SELECT min(day) AS first_day FROM wattloom.daily_energy
        WHERE device_id = k.device_id AND direction = %(direction)s AND day < %(month)s
    ) AS f
    CROSS JOIN LATERAL (
        SELECT array_agg(h.month ORDER BY h.month) AS months, array_agg(h.days ORDER BY h.month) AS days
        FROM wattloom.home_month_statistics AS h
        WHERE h.device_id = k.device_id AND h.month >= %(oldest)s AND h.month < %(month)s
          AND h.timezone = k.timezone AND h.statistics_version = %(version)s
    ) AS s
    ORDER BY k.n
"""


def read_history(
    connection: sa.Connection, homes: Sequence[int], zones: Sequence[ZoneInfo], month: date
) -> list[Statistics]:
    """Return each home's consecutive days up to the one before ``month``; none for a home that began in it.

    Months that have no current statistics (never made, of other intervals, another zone or another version) are
    made from their intervals and stored.
    """
    oldest = months_before(month, HISTORY_MONTHS)
    keys: dict[str, Any] = {
        "n": list(range(len(homes))),
        "device": list(homes),
        "timezone": [str(zone) for zone in zones],
        "direction": int(Direction.IMPORT),
        "month": month,
        "oldest": oldest,
        "version": STATISTICS_VERSION,
    }
    cursor = raw(connection).cursor(binary=True)
    known: list[dict[date, Statistics]] = []
    needed: list[list[date]] = []
    for _, first_day, months, days in cursor.execute(_STORED, keys):
        known.append({at: _decode(data) for at, data in zip(months or [], days or [], strict=True)})
        needed.append([] if first_day is None else list(_months(max(first_day.replace(day=1), oldest), month)))
    missing = [(n, at) for n, months in enumerate(needed) for at in months if at not in known[n]]
    for start in range(0, len(missing), MONTHS_AT_ONCE):
        wanted = missing[start : start + MONTHS_AT_ONCE]
        made = make_statistics(connection, [(homes[n], at) for n, at in wanted], [zones[n] for n, _ in wanted])
        for (n, at), rows in zip(wanted, made, strict=True):
            known[n][at] = rows
    nothing = np.zeros((0, N_COLUMNS), dtype=np.uint16)
    return [
        np.concatenate([nothing, *(stored[at] for at in months)])
        for stored, months in zip(known, needed, strict=True)
    ]


def _months(first: date, end: date) -> Iterator[date]:
    while first < end:
        yield first
        first = months_before(first, -1)


def encode(days: Statistics) -> bytes:
    """Return the statistics of a month as they are stored."""
    return days.astype(_WIRE).tobytes()


def _decode(data: bytes) -> Statistics:
    return np.frombuffer(data, dtype=_WIRE).astype(np.uint16).reshape(-1, N_COLUMNS)


def make_statistics(
    connection: sa.Connection, wanted: Sequence[tuple[int, date]], zones: Sequence[ZoneInfo]
) -> list[Statistics]:
    """Make the statistics of devices' months from their intervals and store them in place of earlier ones."""
    devices, months = [device for device, _ in wanted], [at for _, at in wanted]
    spans = [month_range(at.year, at.month) for at in months]
    made = month_statistics(months, zones=zones, intervals=read_intervals(connection, devices, zones, spans))
    forget_statistics(connection, wanted)
    for length in sorted({len(rows) for rows in made}):
        of_length = [n for n, rows in enumerate(made) if len(rows) == length]
        store_statistics(
            connection,
            [devices[n] for n in of_length],
            [months[n] for n in of_length],
            [zones[n] for n in of_length],
            np.stack([made[n] for n in of_length]),
        )
    return made


def forget_statistics(connection: sa.Connection, gone: Sequence[tuple[int, date]]) -> None:
    """Delete the statistics of devices' months."""
    raw(connection).execute(
        "DELETE FROM wattloom.home_month_statistics AS h USING unnest(%s::int4[], %s::date[]) AS k (device_id, month)"
        " WHERE (h.device_id, h.month) = (k.device_id, k.month)",
        ([device for device, _ in gone], [at for _, at in gone]),
    )


def store_statistics(
    connection: sa.Connection,
    devices: Sequence[int],
    months: Sequence[date],
    zones: Sequence[ZoneInfo],
    days: npt.NDArray[np.uint16],
) -> None:
    """Append the statistics of months of the same length [m, d, N_COLUMNS]; earlier ones were deleted."""
    if not devices:
        return
    as_bytes = np.ascontiguousarray(days.astype(_WIRE)).reshape(len(devices), -1).view(np.uint8)
    copy_in(
        raw(connection),
        "home_month_statistics",
        {
            "device_id": ("int4", np.array(devices, dtype=np.int32)),
            "month": ("date", np.array([(month - EPOCH_DAY).days for month in months], dtype=np.int64)),
            "timezone": ("varchar", [str(zone) for zone in zones]),
            "statistics_version": ("int2", np.full(len(devices), STATISTICS_VERSION, dtype=np.int16)),
            "days": ("bytea", as_bytes),
        },
        schema="wattloom",
    )
