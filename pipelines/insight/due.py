"""When a month may be computed and served, and which months of which devices are due."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from analytics.calendar import month_range
from analytics.disaggregation.model import MODEL_VERSION
from analytics.series import Direction
from pipelines.db.engine import raw
from pipelines.insight.changed_weather import months_with_other_weather

BACK_CALCULATED_MONTHS = 3
_LAST_ZONE = timedelta(hours=12)  # Etc/GMT+12 is the last place where a day ends


def first_of_month(month: str) -> date:
    """Return the first day of ``YYYY-MM``.

    Raises
    ------
    ValueError
        It is no month.
    """
    return datetime.strptime(month, "%Y-%m").date()  # noqa: DTZ007 - a calendar month has no zone


def months_before(first: date, count: int) -> date:
    """Return the first day of the month ``count`` months before ``first``."""
    index = first.year * 12 + first.month - 1 - count
    return date(index // 12, index % 12 + 1, 1)


def is_due(month: date, zone: ZoneInfo, now: datetime) -> bool:
    """Tell whether a month may be served: from 00:00 of the third day of the next one, local time."""
    following = months_before(month, -1)
    return now.astimezone(zone).date() >= following + timedelta(days=2)


def has_ended(month: date, now: datetime) -> bool:
    """Tell whether a month is over in every zone; the one under way is never computed."""
    return months_before(month, -1) <= (now - _LAST_ZONE).date()


def due_months(
    connection: sa.Connection, devices: Sequence[int] | None, now: datetime, *, default_zone: str = "UTC"
) -> dict[date, list[int]]:
    """Return the devices to compute per month: what ended, up to three months back, and whatever went stale.

    A month is computed once it has ended in every zone; an older one only where a result exists already and its
    readings, its household, its temperatures or the model changed since.
    """
    this_month = (now - _LAST_ZONE).date().replace(day=1)
    oldest = months_before(this_month, BACK_CALCULATED_MONTHS)
    rows = raw(connection).execute(
        """
        WITH measured AS (
            SELECT DISTINCT device_id, date_trunc('month', day::timestamp)::date AS month
            FROM wattloom.daily_energy
            WHERE direction = %(direction)s AND day >= %(oldest)s AND day < %(this_month)s
              AND (%(devices)s::int4[] IS NULL OR device_id = ANY(%(devices)s))
            UNION
            SELECT device_id, month FROM wattloom.disaggregation_month  -- its readings may all have been deleted
            WHERE %(devices)s::int4[] IS NULL OR device_id = ANY(%(devices)s)
        )
        SELECT m.month, m.device_id
        FROM measured AS m
        LEFT JOIN wattloom.disaggregation_month AS r USING (device_id, month)
        LEFT JOIN wattloom.household AS h USING (device_id)
        WHERE r.device_id IS NULL OR r.model_version <> %(model)s
           OR coalesce((r.inputs ->> 'household')::integer, 0) <> coalesce(h.version, 0)
           OR EXISTS (SELECT FROM wattloom.day_change AS c
                      WHERE c.device_id = m.device_id AND c.last_day >= m.month
                        AND c.first_day < (m.month + interval '1 month')::date)
        ORDER BY m.month, m.device_id
        """,
        {
            "direction": int(Direction.IMPORT),
            "this_month": this_month,
            "oldest": oldest,
            "devices": None if devices is None else list(devices),
            "model": MODEL_VERSION,
        },
    )
    found = {(month, device) for month, device in rows}
    found |= set(months_with_other_weather(connection, devices, default_zone))
    plan: dict[date, list[int]] = {}
    for month, device in sorted(found):
        plan.setdefault(month, []).append(device)
    return plan


def measured_devices(connection: sa.Connection, month: date, devices: Sequence[int] | None) -> list[int]:
    """Return the devices that have any energy in a month."""
    span = month_range(month.year, month.month)
    rows = raw(connection).execute(
        "SELECT DISTINCT device_id FROM wattloom.daily_energy WHERE direction = %s AND day BETWEEN %s AND %s"
        " AND (%s::int4[] IS NULL OR device_id = ANY(%s)) ORDER BY device_id",
        (int(Direction.IMPORT), span.first, span.last, *[None if devices is None else list(devices)] * 2),
    )
    return [device for (device,) in rows]
