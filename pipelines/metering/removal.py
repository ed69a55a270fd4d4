"""Deleting readings in bulk: the values go to the audit table, and their surroundings are derived again."""

from collections.abc import Sequence

import sqlalchemy as sa

from pipelines.db.engine import raw
from pipelines.db.instants import instant
from pipelines.metering.writer import Authorship

Place = tuple[int, int, int]

_PLACES = "unnest(%(devices)s::int4[], %(series)s::int4[], %(times)s::int8[]) AS k (device_id, series_id, at_us)"
_AT_PLACE = (
    f'(m.device_id, m.series_id, m."timestamp") = (k.device_id, k.series_id, {instant("k.at_us")})'
    " AND m.device_id = ANY(%(devices)s) AND m.series_id = ANY(%(series)s)"
    f' AND m."timestamp" BETWEEN {instant("%(first)s::int8")} AND {instant("%(last)s::int8")}'
)
_LOCK = """
    SELECT c.device_id FROM wattloom.reading_channel AS c
    WHERE (c.device_id, c.series_id) IN (SELECT * FROM unnest(%(devices)s::int4[], %(series)s::int4[]))
    ORDER BY c.device_id, c.series_id
    FOR UPDATE OF c
"""
_KEEP = f"""
    INSERT INTO wattloom.meter_reading_version
        (device_id, series_id, "timestamp", version, value, recorded_at, replaced_at, replaced_by, reason)
    SELECT m.device_id, m.series_id, m."timestamp",
           1 + (SELECT count(*) FROM wattloom.meter_reading_version AS v
                WHERE (v.device_id, v.series_id, v."timestamp") = (m.device_id, m.series_id, m."timestamp")),
           m.value, m.created_at, %(at)s, %(author)s, %(reason)s
    FROM {_PLACES} JOIN wattloom.meter_reading AS m ON {_AT_PLACE}
"""
_DELETE = f"""
    WITH gone AS (
        DELETE FROM wattloom.meter_reading AS m USING {_PLACES} WHERE {_AT_PLACE}
        RETURNING m.device_id, m."timestamp"
    ), logged AS (
        INSERT INTO wattloom.reading_change (device_id, from_at, to_at)
        SELECT device_id, min("timestamp"), max("timestamp") FROM gone GROUP BY device_id
    )
    SELECT count(*) FROM gone
"""
# A channel's span ends where its readings do; without any it has none.
_NARROW = """
    UPDATE wattloom.reading_channel AS c SET
        first_at = (SELECT min("timestamp") FROM wattloom.meter_reading AS m
                    WHERE (m.device_id, m.series_id) = (c.device_id, c.series_id)),
        last_at = (SELECT max("timestamp") FROM wattloom.meter_reading AS m
                   WHERE (m.device_id, m.series_id) = (c.device_id, c.series_id))
    WHERE (c.device_id, c.series_id) IN (SELECT * FROM unnest(%(devices)s::int4[], %(series)s::int4[]))
"""


def lock_channels(connection: sa.Connection, channels: Sequence[tuple[int, int]]) -> None:
    """Lock channels in the order in which every writer does."""
    ordered = sorted(set(channels))
    keys = {"devices": [device for device, _ in ordered], "series": [series for _, series in ordered]}
    raw(connection).execute(_LOCK, keys)


def remove_readings(connection: sa.Connection, places: Sequence[Place], authorship: Authorship) -> int:
    """Delete the readings at (device, series, instant [us]) inside the caller's transaction; return how many."""
    if not places:
        return 0
    lock_channels(connection, [place[:2] for place in places])
    parameters = {
        "devices": [device for device, _, _ in places],
        "series": [series for _, series, _ in places],
        "times": [at_us for _, _, at_us in places],
        "first": min(at_us for _, _, at_us in places),
        "last": max(at_us for _, _, at_us in places),
        "at": authorship.at,
        "author": authorship.author[:200],
        "reason": authorship.reason[:200],
    }
    cursor = raw(connection).cursor()
    cursor.execute(_KEEP, parameters)
    row = cursor.execute(_DELETE, parameters).fetchone()
    cursor.execute(_NARROW, parameters)
    return int(row[0]) if row else 0
