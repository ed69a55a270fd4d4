"""What is thrown away by age: readings and events after the data retention, and log entries nobody will work off."""

from datetime import datetime, timedelta

import sqlalchemy as sa

from pipelines.db.engine import raw, unit_of_work
from pipelines.db.timescale import has_community_features
from pipelines.settings import Settings


def apply(engine: sa.Engine, *, now: datetime, retention_days: int | None) -> dict[str, int]:
    """Delete raw readings and events older than ``retention_days`` (None keeps them for ever).

    Derived energy and results stay: each channel's span moves up with its readings, so that what is derived again
    later never reaches back to where only the derived energy is left.
    """
    counts = {"readings": 0, "events": 0, "day_changes": 0}
    with unit_of_work(engine) as connection:
        cursor = raw(connection).cursor()
        # Days of months that are past the back-calculation and were never computed concern nobody.
        cursor.execute(
            "DELETE FROM wattloom.day_change AS c WHERE c.last_day < %s AND NOT EXISTS (SELECT"
            " FROM wattloom.disaggregation_month AS r WHERE r.device_id = c.device_id"
            " AND r.month BETWEEN date_trunc('month', c.first_day::timestamp)::date AND c.last_day)",
            ((now - timedelta(days=130)).date().replace(day=1),),
        )
        counts["day_changes"] = cursor.rowcount
        if retention_days is not None:
            oldest = now - timedelta(days=retention_days)
            cursor.execute(
                "UPDATE wattloom.reading_channel SET first_at = least(%s, last_at) WHERE first_at < %s",
                (oldest, oldest),
            )
            counts["readings"] = _forget_readings(connection, oldest)
            cursor.execute('DELETE FROM wattloom.erp_reading WHERE "timestamp" < %s', (oldest,))
            cursor.execute('DELETE FROM wattloom.meter_reading_version WHERE "timestamp" < %s', (oldest,))
            cursor.execute('DELETE FROM wattloom.meter_system_event WHERE "timestamp" < %s', (oldest,))
            counts["events"] = cursor.rowcount
    return counts


def prune_quarantine(connection: sa.Connection, *, now: datetime, settings: Settings) -> int:
    """Delete quarantined messages that arrived longer ago than staged readings are kept; return how many."""
    oldest = now - timedelta(days=settings.staged_data_retention_days)
    cursor = raw(connection).execute("DELETE FROM wattloom.quarantined_message WHERE received_at < %s", (oldest,))
    return cursor.rowcount


def _forget_readings(connection: sa.Connection, oldest: datetime) -> int:
    """Delete readings before ``oldest``, on TimescaleDB by whole chunks as far as that goes; return how many.

    No aggregate is built on readings, so no rolled-up history goes with a chunk.
    """
    cursor = raw(connection).cursor()
    dropped = 0
    if has_community_features(connection):
        row = cursor.execute(
            "SELECT max(range_end) FROM timescaledb_information.chunks WHERE hypertable_schema = 'wattloom'"
            " AND hypertable_name = 'meter_reading' AND range_end <= %s",
            (oldest,),
        ).fetchone()
        edge = row[0] if row else None
        if edge is not None:
            cursor.execute('SELECT count(*) FROM wattloom.meter_reading WHERE "timestamp" < %s', (edge,))
            dropped = (cursor.fetchone() or (0,))[0]
            cursor.execute("SELECT drop_chunks('wattloom.meter_reading', older_than => %s::timestamptz)", (edge,))
    cursor.execute('DELETE FROM wattloom.meter_reading WHERE "timestamp" < %s', (oldest,))
    return dropped + cursor.rowcount
