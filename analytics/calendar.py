"""Half-open ranges of UTC, and the local days, weeks and months that cut it.

A local day begins at the first instant that carries its date, so consecutive days share their
edge: nothing is lost or counted twice on days of 23, 24 or 25 hours, where midnight does not exist,
or where a whole date was skipped. Instants travel as microseconds since the Unix epoch [µs, UTC].
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from analytics.errors import BrokenContractError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EPOCH_DAY = date(1970, 1, 1)
MICROSECOND = timedelta(microseconds=1)
SECOND_US = 1_000_000
DAYS_PER_WEEK = 7


def to_us(instant: datetime) -> int:
    """Count the microseconds from the Unix epoch to an aware instant, exactly.

    Raises
    ------
    BrokenContractError
        The instant has no time zone.
    """
    if instant.utcoffset() is None:
        raise BrokenContractError(f"an instant needs a time zone: {instant!r}")
    return (instant - EPOCH) // MICROSECOND


def from_us(time_us: int) -> datetime:
    """Return the UTC instant of a count of microseconds since the Unix epoch, exactly."""
    return EPOCH + timedelta(microseconds=int(time_us))


@dataclass(frozen=True, slots=True)
class UtcRange:
    """The instants from `start` up to but not including `end`, both UTC; it may be empty.

    Raises
    ------
    BrokenContractError
        An end is not UTC, or `end` is before `start`.
    """

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start.utcoffset() != timedelta(0) or self.end.utcoffset() != timedelta(0):
            raise BrokenContractError(f"a range needs UTC ends: {self.start!r}, {self.end!r}")
        if self.end < self.start:
            raise BrokenContractError(f"a range ends before it starts: {self.start} > {self.end}")

    @property
    def start_us(self) -> int:
        """First instant of the range [µs]."""
        return to_us(self.start)

    @property
    def end_us(self) -> int:
        """First instant after the range [µs]."""
        return to_us(self.end)

    @property
    def duration(self) -> timedelta:
        """Length of the range; zero for a skipped day."""
        return self.end - self.start

    def __contains__(self, instant: datetime) -> bool:
        return self.start <= instant < self.end

    def intersection(self, other: "UtcRange") -> "UtcRange | None":
        """Return the instants both ranges have, or None when they share none."""
        start, end = max(self.start, other.start), min(self.end, other.end)
        return UtcRange(start, end) if start < end else None


class DayRange(NamedTuple):
    """The calendar days from `first` to `last`, both included."""

    first: date
    last: date

    def days(self) -> list[date]:
        """List every day of the range in order."""
        return [self.first + timedelta(days=n) for n in range((self.last - self.first).days + 1)]

    def to_utc(self, zone: ZoneInfo) -> UtcRange:
        """Return the instants these local days hold."""
        return UtcRange(local_day(self.first, zone).start, local_day(self.last, zone).end)


@lru_cache(maxsize=65536)
def _first_instant_us(day: date, zone: ZoneInfo) -> int:
    """Find the first instant whose local date is `day` or, for a skipped date, later [µs].

    In a gap, fold=1 reads the missing midnight with the later offset, an instant before the jump, and
    fold=0 with the earlier one, an instant at or after it (PEP 495); the jump is between the two.
    """
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
    first = midnight.astimezone(UTC)
    if first.astimezone(zone).replace(tzinfo=None) == midnight.replace(tzinfo=None):
        return to_us(first)
    before = to_us(midnight.replace(fold=1)) // SECOND_US
    after = to_us(first) // SECOND_US
    while after - before > 1:
        middle = (before + after) // 2
        if from_us(middle * SECOND_US).astimezone(zone).date() < day:
            before = middle
        else:
            after = middle
    return after * SECOND_US


def local_day(day: date, zone: ZoneInfo) -> UtcRange:
    """Return the instants of a local date; empty when the zone skipped that date."""
    start_us = _first_instant_us(day, zone)
    end_us = _first_instant_us(day + timedelta(days=1), zone)
    return UtcRange(from_us(start_us), from_us(end_us))


def day_edges_us(first_day: date, n_days: int, zone: ZoneInfo) -> npt.NDArray[np.int64]:
    """Return the edges of consecutive local days; day `i` is `[edges[i], edges[i + 1])`.

    Returns
    -------
    ndarray of int64, shape (n_days + 1,), [µs since the epoch, UTC]
        Never decreasing; equal neighbours are a skipped date.

    Raises
    ------
    BrokenContractError
        `n_days` is negative.
    """
    if n_days < 0:
        raise BrokenContractError(f"a count of days cannot be negative: {n_days}")
    days = (first_day + timedelta(days=n) for n in range(n_days + 1))
    return np.fromiter((_first_instant_us(day, zone) for day in days), dtype=np.int64, count=n_days + 1)


def local_date_of(instant: datetime, zone: ZoneInfo) -> date:
    """Return the local day an instant belongs to, by the same edges as `local_day`."""
    day = instant.astimezone(zone).date()
    # A clock set back over midnight shows yesterday's date again: that hour stays with the new day.
    next_day = day + timedelta(days=1)
    return next_day if _first_instant_us(next_day, zone) <= to_us(instant) else day


def month_range(year: int, month: int) -> DayRange:
    """Return the first and last day of a calendar month."""
    first = date(year, month, 1)
    following = date(year + month // 12, month % 12 + 1, 1)
    return DayRange(first, following - timedelta(days=1))


def days_of_month(year: int, month: int) -> list[date]:
    """List every day of a calendar month in order."""
    return month_range(year, month).days()


def week_of(start_monday: date) -> DayRange:
    """Return the Monday to Sunday week that starts on the given Monday.

    Raises
    ------
    BrokenContractError
        The day is not a Monday.
    """
    if start_monday.weekday() != 0:
        raise BrokenContractError(f"a week starts on a Monday: {start_monday}")
    return DayRange(start_monday, start_monday + timedelta(days=DAYS_PER_WEEK - 1))


def weeks_of_month(year: int, month: int) -> list[DayRange]:
    """List the Monday weeks of a month, clipped to it; together they are exactly the month."""
    return list(_clipped_weeks(month_range(year, month)))


def _clipped_weeks(period: DayRange) -> Iterator[DayRange]:
    first = period.first
    while first <= period.last:
        sunday = first + timedelta(days=DAYS_PER_WEEK - 1 - first.weekday())
        yield DayRange(first, min(sunday, period.last))
        first = sunday + timedelta(days=1)


def is_monday_to_sunday(start: date, end: date) -> bool:
    """Tell whether two days are the Monday and the Sunday of the same week."""
    return start.weekday() == 0 and end - start == timedelta(days=DAYS_PER_WEEK - 1)


def expected_intervals(period: UtcRange, interval_s: int) -> int:
    """Count the intervals that start within a range, on the grid of `interval_s` from the epoch.

    The counts of adjacent ranges add up to that of their union, whatever the hours of the days.

    Raises
    ------
    BrokenContractError
        The interval is not positive.
    """
    if interval_s <= 0:
        raise BrokenContractError(f"an interval lasts at least a second: {interval_s}")
    step_us = interval_s * SECOND_US
    return -(-period.end_us // step_us) - -(-period.start_us // step_us)
