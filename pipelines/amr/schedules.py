"""When tasks run: six schedules, all in UTC; "quarterly" is every quarter of an hour."""

from datetime import datetime, timedelta

# The shortest distance to the next run: an offset below it never reaches into that run.
SHORTEST_PERIOD_S = {
    "quarterly": 900,
    "hourly": 3600,
    "daily": 86_400,
    "weekly": 7 * 86_400,
    "monthly": 28 * 86_400,
    "yearly": 365 * 86_400,
}
SCHEDULES = tuple(SHORTEST_PERIOD_S)


def latest_tick(schedule: str, at: datetime) -> datetime:
    """Return the last run at or before ``at`` (aware, UTC): 00/15/30/45, full hour, 00:00, Monday, 1st, 1 January."""
    day = at.replace(hour=0, minute=0, second=0, microsecond=0)
    match schedule:
        case "quarterly":
            return at.replace(minute=at.minute - at.minute % 15, second=0, microsecond=0)
        case "hourly":
            return at.replace(minute=0, second=0, microsecond=0)
        case "daily":
            return day
        case "weekly":
            return day - timedelta(days=day.weekday())
        case "monthly":
            return day.replace(day=1)
        case "yearly":
            return day.replace(month=1, day=1)
    raise ValueError(f"{schedule!r} is no schedule")
