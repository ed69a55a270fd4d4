"""The one way a reading reaches the hypertable: COPY, set-based upsert, audit and change log in one transaction.

Every writer locks its channels (device, series) in the same order before it looks at them. Under that lock a row
later or earlier than everything its channel holds cannot collide, so it is copied straight into the table; only
rows inside the known span go through a temporary table and a join.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from pipelines.db.bulk import copy_in
from pipelines.db.engine import raw
from pipelines.db.instants import instant, us

Int64 = npt.NDArray[np.int64]
_NEVER_FIRST = np.iinfo(np.int64).max
_NEVER_LAST = np.iinfo(np.int64).min
_ANALYZE_FROM = 10_000


@dataclass(frozen=True, kw_only=True)
class KeyedReadings:
    """Readings whose device and series are known; all arrays have one entry per reading."""

    device_id: npt.NDArray[np.int32]
    series_id: npt.NDArray[np.int32]
    times_us: Int64
    mantissa: Int64
    scale: npt.NDArray[np.int16]

    def __len__(self) -> int:
        return len(self.times_us)

    def take(self, rows: npt.NDArray[Any]) -> "KeyedReadings":
        """Return the readings at ``rows`` (indices or mask)."""
        return KeyedReadings(
            device_id=self.device_id[rows],
            series_id=self.series_id[rows],
            times_us=self.times_us[rows],
            mantissa=self.mantissa[rows],
            scale=self.scale[rows],
        )


@dataclass(frozen=True, kw_only=True)
class Authorship:
    """Who writes, when and why; kept beside every value that a correction replaces."""

    author: str
    reason: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a write did, and which of its rows gave way to a later row of the same batch."""

    inserted: int
    corrected: int
    superseded: npt.NDArray[np.bool_]
    gone: npt.NDArray[np.bool_]


def superseded_rows(readings: KeyedReadings) -> npt.NDArray[np.bool_]:
    """Return [n] True where a later row of the batch has the same device, series and timestamp."""
    order = np.lexsort((readings.times_us, readings.series_id, readings.device_id))
    same = (
        (readings.times_us[order][1:] == readings.times_us[order][:-1])
        & (readings.series_id[order][1:] == readings.series_id[order][:-1])
        & (readings.device_id[order][1:] == readings.device_id[order][:-1])
    )
    result = np.zeros(len(readings), dtype=np.bool_)
    result[order[:-1][same]] = True  # lexsort is stable: the later row of a batch comes last
    return result


def write_readings(connection: sa.Connection, readings: KeyedReadings, authorship: Authorship) -> Written:
    """Store readings so that a repeated delivery changes nothing and a correction keeps what it replaces.

    Of rows of one batch with the same key the last wins. A value equal to the stored one is a no-op; another
    value replaces it and the old one goes to ``meter_reading_version``. Rows whose device or series was deleted
    meanwhile are marked ``gone`` and not written. Nothing is visible before the caller's transaction commits.
    """
    superseded = superseded_rows(readings)
    gone = np.zeros(len(readings), dtype=np.bool_)
    if not len(readings):
        return Written(inserted=0, corrected=0, superseded=superseded, gone=gone)
    channels, channel = _channels(readings)
    first_us, last_us, exists = _lock_channels(connection, channels)
    gone = ~exists[channel]
    live = ~superseded & ~gone
    free = live & ((readings.times_us > last_us[channel]) | (readings.times_us < first_us[channel]))
    _copy_free(connection, readings.take(free), authorship)
    changes = [_spans(readings.device_id[free], readings.times_us[free])]
    inserted, corrected = int(free.sum()), 0
    inside = live & ~free
    if inside.any():
        merged = _merge(connection, readings.take(inside), authorship)
        inserted += merged.inserted
        corrected = merged.corrected
        changes.append(merged.spans)
    if inserted:
        _widen_channels(connection, channels, channel[live], readings.times_us[live], first_us, last_us)
    _log_changes(connection, changes)
    return Written(inserted=inserted, corrected=corrected, superseded=superseded, gone=gone)


def _channels(readings: KeyedReadings) -> tuple[Int64, npt.NDArray[np.intp]]:
    """Return the distinct (device, series) packed in one integer, sorted, and each row's index into them."""
    packed = (readings.device_id.astype(np.int64) << 32) | readings.series_id.astype(np.int64)
    return np.unique(packed, return_inverse=True)


def _keys(channels: Int64) -> dict[str, list[int]]:
    return {"devices": (channels >> 32).tolist(), "series": (channels & 0xFFFF_FFFF).tolist()}


_SELECT_CHANNELS = f"""
    SELECT c.device_id, c.series_id, {us("c.first_at")}, {us("c.last_at")}
    FROM unnest(%(devices)s::int4[], %(series)s::int4[]) AS k (device_id, series_id)
    JOIN wattloom.reading_channel AS c USING (device_id, series_id)
    ORDER BY c.device_id, c.series_id
"""


def _lock_channels(connection: sa.Connection, channels: Int64) -> tuple[Int64, Int64, npt.NDArray[np.bool_]]:
    """Lock the channels in order; return the span [us] that each already holds and whether it exists at all."""
    keys = _keys(channels)
    cursor = raw(connection).cursor()
    known = {(d << 32) | s for d, s, _, _ in cursor.execute(_SELECT_CHANNELS, keys)}
    missing = np.array([c for c in channels.tolist() if c not in known], dtype=np.int64)
    if len(missing):
        # Devices and series that were deleted meanwhile find no partner here and get no channel.
        cursor.execute(
            """
            INSERT INTO wattloom.reading_channel (device_id, series_id)
            SELECT k.device_id, k.series_id
            FROM unnest(%(devices)s::int4[], %(series)s::int4[]) AS k (device_id, series_id)
            JOIN wattloom.meter_device AS d ON d.sensor_id = k.device_id
            JOIN wattloom.meter_reading_series AS s ON s.series_key = k.series_id
            ORDER BY k.device_id, k.series_id
            FOR KEY SHARE OF d, s
            ON CONFLICT DO NOTHING
            """,
            _keys(missing),
        )
    first = np.full(len(channels), _NEVER_FIRST, dtype=np.int64)
    last = np.full(len(channels), _NEVER_LAST, dtype=np.int64)
    exists = np.zeros(len(channels), dtype=np.bool_)
    position = {c: i for i, c in enumerate(channels.tolist())}
    for device, series, first_at, last_at in cursor.execute(_SELECT_CHANNELS + " FOR UPDATE OF c", keys):
        index = position[(device << 32) | series]
        exists[index] = True
        if first_at is not None:
            first[index], last[index] = first_at, last_at
    return first, last, exists


def _columns(readings: KeyedReadings) -> dict[str, Any]:
    return {
        "device_id": ("int4", readings.device_id),
        "series_id": ("int4", readings.series_id),
        "timestamp": ("timestamptz", readings.times_us),
        "value": ("numeric", (readings.mantissa, readings.scale)),
    }


def _microseconds(at: datetime) -> int:
    return round(at.timestamp() * 1_000_000)


def _copy_free(connection: sa.Connection, readings: KeyedReadings, authorship: Authorship) -> None:
    if len(readings):
        created = np.full(len(readings), _microseconds(authorship.at), dtype=np.int64)
        columns = _columns(readings) | {"created_at": ("timestamptz", created)}
        copy_in(raw(connection), "meter_reading", columns, schema="wattloom")


@dataclass(frozen=True, kw_only=True)
class _Merged:
    inserted: int
    corrected: int
    spans: list[tuple[int, int, int]]


# Keeps the join to the batch's own channels: without it the planner walks the whole primary key from its start.
_NEAR = (
    "m.device_id = ANY(%(devices)s) AND m.series_id = ANY(%(series)s)"
    ' AND m."timestamp" BETWEEN %(first)s AND %(last)s'
)
_MERGE_SPANS = f"""
    SELECT device_id, {us('min("timestamp")')}, {us('max("timestamp")')}, count(*)
    FROM changed GROUP BY device_id
"""
_KEEP_REPLACED = f"""
    INSERT INTO wattloom.meter_reading_version
        (device_id, series_id, "timestamp", version, value, recorded_at, replaced_at, replaced_by, reason)
    SELECT m.device_id, m.series_id, m."timestamp",
           1 + (SELECT count(*) FROM wattloom.meter_reading_version AS v
                WHERE (v.device_id, v.series_id, v."timestamp") = (m.device_id, m.series_id, m."timestamp")),
           m.value, m.created_at, %(at)s, %(author)s, %(reason)s
    FROM incoming_reading AS i
    JOIN wattloom.meter_reading AS m USING (device_id, series_id, "timestamp")
    WHERE m.value <> i.value AND {_NEAR}
"""
_CORRECT = f"""
    WITH changed AS (
        UPDATE wattloom.meter_reading AS m SET value = i.value, created_at = %(at)s
        FROM incoming_reading AS i
        WHERE (m.device_id, m.series_id, m."timestamp") = (i.device_id, i.series_id, i."timestamp")
          AND m.value <> i.value AND {_NEAR}
        RETURNING m.device_id, m."timestamp"
    ) {_MERGE_SPANS}
"""
_INSERT_MISSING = f"""
    WITH changed AS (
        INSERT INTO wattloom.meter_reading (device_id, series_id, "timestamp", value, created_at)
        SELECT i.device_id, i.series_id, i."timestamp", i.value, %(at)s
        FROM incoming_reading AS i
        LEFT JOIN wattloom.meter_reading AS m
          ON (m.device_id, m.series_id, m."timestamp") = (i.device_id, i.series_id, i."timestamp")
         AND {_NEAR}
        WHERE m.device_id IS NULL
        RETURNING device_id, "timestamp"
    ) {_MERGE_SPANS}
"""


def _merge(connection: sa.Connection, readings: KeyedReadings, authorship: Authorship) -> _Merged:
    """Insert what is missing and correct what differs among rows that may already be stored."""
    cursor = raw(connection).cursor()
    cursor.execute(
        "CREATE TEMPORARY TABLE IF NOT EXISTS incoming_reading (device_id int4, series_id int4,"
        ' "timestamp" timestamptz, value numeric) ON COMMIT DELETE ROWS'
    )
    cursor.execute("TRUNCATE incoming_reading")
    copy_in(raw(connection), "incoming_reading", _columns(readings), schema=None)
    if len(readings) >= _ANALYZE_FROM:
        cursor.execute("ANALYZE incoming_reading")
    span = cursor.execute('SELECT min("timestamp"), max("timestamp") FROM incoming_reading').fetchone()
    assert span is not None  # noqa: S101 - an aggregate always returns a row
    parameters = {
        "first": span[0],
        "last": span[1],
        "devices": np.unique(readings.device_id).tolist(),
        "series": np.unique(readings.series_id).tolist(),
        "at": authorship.at,
        "author": authorship.author[:200],
        "reason": authorship.reason[:200],
    }
    corrected: list[tuple[int, int, int, int]] = []
    if cursor.execute(_KEEP_REPLACED, parameters).rowcount:
        corrected = cursor.execute(_CORRECT, parameters).fetchall()
    inserted = cursor.execute(_INSERT_MISSING, parameters).fetchall()
    return _Merged(
        inserted=sum(row[3] for row in inserted),
        corrected=sum(row[3] for row in corrected),
        spans=[(device, first, last) for device, first, last, _ in [*corrected, *inserted]],
    )


def _spans(device_id: npt.NDArray[np.int32], times_us: Int64) -> list[tuple[int, int, int]]:
    """Return (device, first, last) [us] per device."""
    if not len(times_us):
        return []
    devices, index = np.unique(device_id, return_inverse=True)
    first = np.full(len(devices), _NEVER_FIRST, dtype=np.int64)
    last = np.full(len(devices), _NEVER_LAST, dtype=np.int64)
    np.minimum.at(first, index, times_us)
    np.maximum.at(last, index, times_us)
    return list(zip(devices.tolist(), first.tolist(), last.tolist(), strict=True))


def _widen_channels(
    connection: sa.Connection,
    channels: Int64,
    channel: npt.NDArray[np.intp],
    times_us: Int64,
    first_us: Int64,
    last_us: Int64,
) -> None:
    new_first, new_last = first_us.copy(), last_us.copy()
    np.minimum.at(new_first, channel, times_us)
    np.maximum.at(new_last, channel, times_us)
    wider = (new_first < first_us) | (new_last > last_us)
    if wider.any():
        raw(connection).execute(
            f"""
            UPDATE wattloom.reading_channel AS c
            SET first_at = {instant("k.first_us")}, last_at = {instant("k.last_us")}
            FROM unnest(%(devices)s::int4[], %(series)s::int4[], %(first)s::int8[], %(last)s::int8[])
                AS k (device_id, series_id, first_us, last_us)
            WHERE (c.device_id, c.series_id) = (k.device_id, k.series_id)
            """,
            _keys(channels[wider]) | {"first": new_first[wider].tolist(), "last": new_last[wider].tolist()},
        )


def _log_changes(connection: sa.Connection, changes: list[list[tuple[int, int, int]]]) -> None:
    """Say, in the same transaction, which span of which device must be derived again."""
    rows: dict[int, tuple[int, int]] = {}
    for device, first, last in (span for spans in changes for span in spans):
        low, high = rows.get(device, (first, last))
        rows[device] = (min(low, first), max(high, last))
    if rows:
        raw(connection).execute(
            f"""
            INSERT INTO wattloom.reading_change (device_id, from_at, to_at)
            SELECT device_id, {instant("first_us")}, {instant("last_us")}
            FROM unnest(%(devices)s::int4[], %(first)s::int8[], %(last)s::int8[]) AS k (device_id, first_us, last_us)
            """,
            {
                "devices": list(rows),
                "first": [first for first, _ in rows.values()],
                "last": [last for _, last in rows.values()],
            },
        )
