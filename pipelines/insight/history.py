"""The daily statistics of the 13 months before a month: stored ones where they are current, else made and stored.

They stand for the intervals they were made from: what changes those makes them anew, in the same transaction
(`pipelines.insight.learning`).
"""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from analytics.calendar import EPOCH_DAY, month_range
from analytics.disaggregation.columns import N_COLUMNS, STATISTICS_VERSION, Statistics
from analytics.disaggregation.homes import HomesHistory, month_statistics
from analytics.series import Direction
from pipelines.db.bulk import array_text, copy_in, decode
from pipelines.db.engine import raw
from pipelines.insight.due import months_before
from pipelines.insight.homes import read_intervals

HISTORY_MONTHS = 13
MONTHS_AT_ONCE = 100
_WIRE = np.dtype("<u2")
_DATE_SIZE = 4

_STORED = """
    SELECT s.months, s.days
    FROM unnest(%(device)s::int4[], %(timezone)s::varchar[]) WITH ORDINALITY AS k (device_id, timezone, n)
    CROSS JOIN LATERAL (
        SELECT string_agg(date_send(h.month), ''::bytea) AS months, string_agg(h.days, ''::bytea) AS days
        FROM (SELECT month, days FROM wattloom.home_month_statistics
              WHERE device_id = k.device_id AND month >= %(oldest)s AND month < %(month)s
                AND timezone = k.timezone AND statistics_version = %(version)s ORDER BY month) AS h
    ) AS s
    ORDER BY k.n
"""


def first_days(connection: sa.Connection, devices: Sequence[int]) -> dict[int, date]:
    """Return the first local day with imported energy of each device that has any."""
    rows = raw(connection).execute(
        "SELECT k.device_id, f.day FROM unnest(%s::int4[]) AS k (device_id) CROSS JOIN LATERAL (SELECT min(day) AS day"
        " FROM wattloom.daily_energy WHERE device_id = k.device_id AND direction = %s) AS f WHERE f.day IS NOT NULL",
        (list(devices), int(Direction.IMPORT)),
    )
    return dict(rows.fetchall())


def read_history(
    connection: sa.Connection, homes: Sequence[int], zones: Sequence[ZoneInfo], month: date
) -> HomesHistory:
    """Return each home's consecutive days up to the one before ``month``; none for a home that began in it.

    Months that have no current statistics (never made, of another zone or another version) are made from their
    intervals and stored.
    """
    rows = _read(connection, homes, zones, month)
    if missing := _missing(connection, homes, rows, month):
        for start in range(0, len(missing), MONTHS_AT_ONCE):
            wanted = missing[start : start + MONTHS_AT_ONCE]
            make_statistics(connection, [(homes[n], at) for n, at in wanted], [zones[n] for n, _ in wanted])
        rows = _read(connection, homes, zones, month)
    days = [days or b"" for _, days in rows]
    width = N_COLUMNS * _WIRE.itemsize
    return HomesHistory(
        offsets=np.concatenate(([0], np.cumsum([len(of_home) // width for of_home in days]))).astype(np.int64),
        days=np.frombuffer(bytearray().join(days), dtype=_WIRE)
        .astype(np.uint16, copy=False)
        .reshape(-1, N_COLUMNS),
    )


def _read(
    connection: sa.Connection, homes: Sequence[int], zones: Sequence[ZoneInfo], month: date
) -> list[tuple[bytes | None, bytes | None]]:
    """Return the months of each home that have current statistics, and these, in order of time."""
    keys: dict[str, Any] = {
        "device": array_text(homes),
        "timezone": array_text(zone.key for zone in zones),
        "month": month,
        "oldest": months_before(month, HISTORY_MONTHS),
        "version": STATISTICS_VERSION,
    }
    return raw(connection).cursor(binary=True).execute(_STORED, keys).fetchall()


def _missing(
    connection: sa.Connection, homes: Sequence[int], rows: Sequence[tuple[bytes | None, bytes | None]], month: date
) -> list[tuple[int, date]]:
    """Return (row, month) of the months since each home's first day that have no current statistics."""
    is_short = [n for n, (months, _) in enumerate(rows) if len(months or b"") < HISTORY_MONTHS * _DATE_SIZE]
    if not is_short:
        return []
    began = first_days(connection, [homes[n] for n in is_short])
    oldest = months_before(month, HISTORY_MONTHS)
    missing = []
    for n in is_short:
        if homes[n] not in began:
            continue
        known = {EPOCH_DAY + timedelta(days=int(day)) for day in decode("date", rows[n][0] or b"")}
        first = max(began[homes[n]].replace(day=1), oldest)
        missing += [(n, at) for at in _months(first, month) if at not in known]
    return missing


def _months(first: date, end: date) -> Iterator[date]:
    while first < end:
        yield first
        first = months_before(first, -1)


def encode(days: Statistics) -> bytes:
    """Return the statistics of a month as they are stored."""
    return days.astype(_WIRE).tobytes()


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
            "timezone": ("varchar", [zone.key for zone in zones]),
            "statistics_version": ("int2", np.full(len(devices), STATISTICS_VERSION, dtype=np.int16)),
            "days": ("bytea", as_bytes),
        },
        schema="wattloom",
    )
