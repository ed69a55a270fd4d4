"""A calendar month of measured homes into the batch that the disaggregation takes, from whatever source."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from analytics.calendar import EPOCH_DAY, SECOND_US, day_edges_us, month_range
from analytics.disaggregation.batch import HomesBatch
from analytics.disaggregation.columns import HISTORY_DAYS, Statistics
from analytics.disaggregation.households import Household
from analytics.disaggregation.places import Places
from analytics.disaggregation.statistics import day_statistics
from analytics.quality import Quality, counts_mask, profile_mask

DAY_US = 86_400 * SECOND_US
CONTEXT_DAYS = 1
"""Days before the month whose intervals show how its first night began."""


@dataclass(frozen=True, kw_only=True)
class HomeIntervals:
    """Interval energy of homes, each a row, as the derivation leaves it: with its quality codes.

    Parameters
    ----------
    offsets : ndarray of int64, shape (h + 1,)
        Home `i` has the intervals `offsets[i]:offsets[i + 1]`, in order of start.
    start_us : ndarray of int64, shape (n,), [µs since the epoch, UTC]
    duration_s : ndarray of int32, shape (n,), [s]
    energy_uwh : ndarray of int64, shape (n,), [µWh]
    quality : ndarray of int16, shape (n,)
        Codes of `analytics.quality.Quality`.
    """

    offsets: npt.NDArray[np.int64]
    start_us: npt.NDArray[np.int64]
    duration_s: npt.NDArray[np.int32]
    energy_uwh: npt.NDArray[np.int64]
    quality: npt.NDArray[np.int16]

    def has(self, quality: Quality) -> npt.NDArray[np.bool_]:
        """Tell of each home whether it has an interval of a quality, shape (h,)."""
        found = np.searchsorted(self.offsets, np.flatnonzero(self.quality == quality), side="right") - 1
        return np.bincount(found, minlength=self.offsets.size - 1) > 0

    def counted(self) -> "HomeIntervals":
        """Return the intervals whose energy counts."""
        kept = counts_mask(self.quality)
        if kept.all():
            return self
        return HomeIntervals(
            offsets=np.concatenate(([0], np.cumsum(kept))).astype(np.int64)[self.offsets],
            start_us=self.start_us[kept],
            duration_s=self.duration_s[kept],
            energy_uwh=self.energy_uwh[kept],
            quality=self.quality[kept],
        )


@dataclass(frozen=True, kw_only=True)
class HomesHistory:
    """Daily statistics of homes, each home consecutive local days that end with the one before a month.

    Parameters
    ----------
    offsets : ndarray of int64, shape (h + 1,)
        Home `i` has the rows `offsets[i]:offsets[i + 1]`.
    days : ndarray of uint16, shape (n, N_COLUMNS)
    """

    offsets: npt.NDArray[np.int64]
    days: Statistics

    @property
    def n_days(self) -> npt.NDArray[np.int64]:
        """Days of each home, shape (h,)."""
        return np.diff(self.offsets)

    def latest(self) -> "HomesHistory":
        """Return the last `HISTORY_DAYS` of each home."""
        beyond = np.maximum(self.n_days - HISTORY_DAYS, 0)
        if not beyond.any():
            return self
        at = np.arange(len(self.days)) - np.repeat(self.offsets[:-1], self.n_days)
        return HomesHistory(
            offsets=self.offsets - np.concatenate(([0], np.cumsum(beyond))),
            days=self.days[at >= np.repeat(beyond, self.n_days)],
        )


@lru_cache(maxsize=4096)
def month_edges_us(month: date, zone: ZoneInfo, context_days: int = 0) -> npt.NDArray[np.int64]:
    """Return the edges of a month's local days and of the context days before it [µs]; not to be written to."""
    first, last = month_range(month.year, month.month)
    start = first - timedelta(days=context_days)
    edges_us = day_edges_us(start, (last - start).days + 1, zone)
    edges_us.flags.writeable = False
    return edges_us


def temperature_span_us(month: date) -> tuple[int, int]:
    """Return the UTC days whose temperatures a month and its history need, in whatever zone [µs].

    They are the same for every home, so that a result never depends on who else is in its batch.
    """
    first, last = month_range(month.year, month.month)
    start, end = first - timedelta(days=HISTORY_DAYS + 2), last + timedelta(days=2)
    return (start - EPOCH_DAY).days * DAY_US, (end - EPOCH_DAY).days * DAY_US


def month_batch(
    month: date,
    *,
    zones: Sequence[ZoneInfo],
    intervals: HomeIntervals,
    history: HomesHistory,
    households: Sequence[Household],
    places: Places,
    place: npt.NDArray[np.int64],
) -> HomesBatch:
    """Return a batch of homes for one calendar month.

    Parameters
    ----------
    month : date
        Its first day.
    zones : sequence of ZoneInfo, length h
        Each home's local days are in its own zone.
    intervals : HomeIntervals
        From the first context day to the end of the month, each home in its zone.
    history : HomesHistory
        The last `HISTORY_DAYS` of each home count.
    households : sequence of Household, length h
    places : Places
    place : ndarray of int64, shape (h,)
    """
    counted = intervals.counted()
    edges = [month_edges_us(month, zone, CONTEXT_DAYS) for zone in zones]
    first_day = (month - EPOCH_DAY).days - CONTEXT_DAYS
    kept = history.latest()
    return HomesBatch(
        offsets=counted.offsets,
        start_us=counted.start_us,
        duration_s=counted.duration_s,
        energy_uwh=counted.energy_uwh,
        is_valid=profile_mask(counted.quality),
        edge_offsets=_offsets([edge.size for edge in edges]),
        day_edges_us=np.concatenate([np.empty(0, dtype=np.int64), *edges]),
        first_day=np.full(len(edges), first_day, dtype=np.int64),
        n_context_days=np.full(len(edges), CONTEXT_DAYS, dtype=np.int64),
        history_offsets=kept.offsets,
        history=kept.days,
        households=tuple(households),
        places=places,
        place=place,
    )


def month_statistics(
    months: Sequence[date], *, zones: Sequence[ZoneInfo], intervals: HomeIntervals
) -> list[Statistics]:
    """Return the daily statistics of homes' months, each row of the intervals a month of a home.

    Parameters
    ----------
    months : sequence of date, length m
    zones : sequence of ZoneInfo, length m
    intervals : HomeIntervals
        Row `i` has the intervals that start in month `i`.

    Returns
    -------
    list of m arrays of uint16, shape (days of the month, N_COLUMNS)
    """
    counted = intervals.counted()
    edges = [month_edges_us(month, zone) for month, zone in zip(months, zones, strict=True)]
    rows = day_statistics(
        offsets=counted.offsets,
        start_us=counted.start_us,
        duration_s=counted.duration_s,
        energy_uwh=counted.energy_uwh,
        is_valid=profile_mask(counted.quality),
        edge_offsets=_offsets([edge.size for edge in edges]),
        day_edges_us=np.concatenate([np.empty(0, dtype=np.int64), *edges]),
    )
    return np.split(rows, np.cumsum([edge.size - 1 for edge in edges])[:-1])


def expected_intervals_of(
    expected: npt.NDArray[np.int64], resolution_s: npt.NDArray[np.int64], edges_us: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Return the intervals that each day of a home's month should have.

    Parameters
    ----------
    expected, resolution_s : ndarray of int64, shape (d,)
        Of each day, from `analytics.daily.total_days`; 0 on days without any interval, which would have
        had as many as the home's shortest usual interval of the month fits into them.
    edges_us : ndarray of int64, shape (d + 1,), [µs]
    """
    is_absent = resolution_s == 0
    usual_s = int(resolution_s[~is_absent].min()) if not is_absent.all() else 3600
    return np.where(is_absent, np.diff(edges_us) // SECOND_US // usual_s, expected)


def _offsets(sizes: Sequence[int]) -> npt.NDArray[np.int64]:
    return np.concatenate(([0], np.cumsum(sizes))).astype(np.int64)
