"""The only place that asks what time it is; ``WATTLOOM_CLOCK`` moves where the process's clock starts."""

from datetime import UTC, datetime, timedelta

_offset = timedelta(0)


def now() -> datetime:
    """Return the present instant in UTC."""
    return datetime.now(UTC) + _offset


def start_at(instant: datetime | None) -> None:
    """Let the clock run on from ``instant``; None puts it back to real time."""
    global _offset  # noqa: PLW0603 - one clock per process is the point
    _offset = timedelta(0) if instant is None else instant - datetime.now(UTC)


def is_moved() -> bool:
    """Tell whether the clock was moved away from real time."""
    return _offset != timedelta(0)
