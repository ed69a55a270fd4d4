"""Between the meter's naive local time and UTC, also in the hour that a change of clocks repeats."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from pipelines.amr.contract import local_instant


def nearest(naive: datetime, zone: ZoneInfo, near: datetime) -> datetime:
    """Return the instant of a meter's time; of the two that an ambiguous one has, that nearer to ``near``."""
    return min((local_instant(naive.replace(fold=fold), zone) for fold in (0, 1)), key=lambda at: abs(at - near))


def before(naive: datetime, zone: ZoneInfo, newer: datetime | None) -> datetime:
    """Return the instant of a record that follows a newer one in an archive read backwards.

    Of an ambiguous time's two instants it is the later one that is still older than ``newer``.
    """
    later = local_instant(naive.replace(fold=1), zone)
    earlier = local_instant(naive.replace(fold=0), zone)
    return later if later > earlier and (newer is None or later < newer) else earlier


def lowest_shown(since: datetime, zone: ZoneInfo) -> datetime:
    """Return the lowest naive time that a clock in ``zone`` shows from ``since`` on.

    Meters compare naive times. In the first pass of a repeated hour a bound must therefore step back by the change,
    else records of the second pass would be left out.
    """
    local = since.astimezone(zone)
    return local.replace(tzinfo=None) - (_change(local) if local.fold == 0 else timedelta(0))


def highest_shown(until: datetime, zone: ZoneInfo) -> datetime:
    """Return the highest naive time that a clock in ``zone`` has shown up to ``until``."""
    local = until.astimezone(zone)
    return local.replace(tzinfo=None, fold=0) + (_change(local) if local.fold == 1 else timedelta(0))


def _change(local: datetime) -> timedelta:
    """Return how much the clock goes back in this hour; nothing in any other."""
    offsets = [local.replace(fold=fold).utcoffset() or timedelta(0) for fold in (0, 1)]
    return max(offsets[0] - offsets[1], timedelta(0))


def now_of(now: datetime, zone: ZoneInfo) -> datetime:
    """Return what a right clock in ``zone`` shows now: naive, whole seconds."""
    return now.astimezone(zone).replace(tzinfo=None, microsecond=0, fold=0)
