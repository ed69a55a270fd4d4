"""Several channels of one flow direction into one series: no time and no energy counted twice."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import numpy.typing as npt

from analytics.calendar import SECOND_US
from analytics.kernels.overlaps import Stretches, fill_uncovered
from analytics.quality import counts_mask

LONGEST_DURATION_S = np.iinfo(np.int32).max


@dataclass(frozen=True, kw_only=True)
class IntervalEnergy:
    """Energy of intervals in one direction, sorted by start and never overlapping.

    Parameters
    ----------
    start_us : ndarray of int64, shape (n,), [µs since the epoch, UTC]
    duration_us : ndarray of int64, shape (n,), [µs]
    energy_uwh : ndarray of int64, shape (n,), [µWh]
        Never negative; 0 where the quality counts no energy.
    quality : ndarray of int16, shape (n,)
        Codes of `analytics.quality.Quality`.
    """

    start_us: npt.NDArray[np.int64]
    duration_us: npt.NDArray[np.int64]
    energy_uwh: npt.NDArray[np.int64]
    quality: npt.NDArray[np.int16]

    @property
    def duration_s(self) -> npt.NDArray[np.int32]:
        """Durations in whole seconds, half up, at least 1 [s]; exact where the readings' times are."""
        seconds = (self.duration_us + SECOND_US // 2) // SECOND_US
        return np.clip(seconds, 1, LONGEST_DURATION_S).astype(np.int32)

    def __len__(self) -> int:
        return self.start_us.size

    def starting_in(self, start_us: int, end_us: int) -> "IntervalEnergy":
        """Return the intervals that start in `[start_us, end_us)`."""
        first, last = np.searchsorted(self.start_us, (start_us, end_us))
        return IntervalEnergy(
            start_us=self.start_us[first:last],
            duration_us=self.duration_us[first:last],
            energy_uwh=self.energy_uwh[first:last],
            quality=self.quality[first:last],
        )


@dataclass(frozen=True, kw_only=True)
class ChannelEnergy(IntervalEnergy):
    """Interval energy of one channel, and what decides between channels.

    Parameters
    ----------
    whole : ndarray of int64, shape (n,)
        The reading difference or interval value each piece is part of; never decreasing.
    total_priority : int
        The lower wins.
    additive : bool
        Tariff registers of the same priority are parts of one total.
    """

    whole: npt.NDArray[np.int64]
    total_priority: int
    additive: bool = False


def resolve_overlaps(layers: Sequence[ChannelEnergy]) -> IntervalEnergy:
    """Return one series in which, at each time, the channel of the lowest `total_priority` wins.

    Only energy that counts wins time; an invalid interval shows only where no channel has energy. A
    register difference partly covered by a better channel gives its remaining energy to the open
    stretches as ESTIMATED, so that totals equal the register. Among equal priorities the earlier of
    `layers` wins, and additive ones are summed first, on identical intervals.
    """
    ordered = sorted((layer for layer in layers if len(layer)), key=lambda layer: layer.total_priority)
    merged = [
        channel
        for _, group in groupby(ordered, key=lambda layer: layer.total_priority)
        for channel in _sum_additive(list(group))
    ]
    if not merged:
        return _as_series(_empty())
    if len(merged) == 1:
        return merged[0]
    resolved = _empty()
    for is_counted in (True, False):
        for channel in merged:
            resolved = _lay_under(resolved, channel, is_counted=is_counted)
    return _as_series(resolved)


def _sum_additive(group: list[ChannelEnergy]) -> list[ChannelEnergy]:
    """Replace the additive channels of one priority by their sum, in the place of the first."""
    tariffs = [channel for channel in group if channel.additive]
    if len(tariffs) < 2:
        return group
    total = tariffs[0]
    for tariff in tariffs[1:]:
        total = _add(total, tariff)
    place = next(i for i, channel in enumerate(group) if channel.additive)
    others = [channel for channel in group if not channel.additive]
    return [*others[:place], total, *others[place:]]


def _add(left: ChannelEnergy, right: ChannelEnergy) -> ChannelEnergy:
    """Sum two tariffs where their intervals are identical; elsewhere the total is not known.

    The sum has the worse quality of the two, and no energy where that counts none.
    """
    _, i, j = np.intersect1d(left.start_us, right.start_us, assume_unique=True, return_indices=True)
    same = left.duration_us[i] == right.duration_us[j]
    i, j = i[same], j[same]
    quality = np.maximum(left.quality[i], right.quality[j])
    energy = np.where(counts_mask(quality), left.energy_uwh[i] + right.energy_uwh[j], 0)
    # Pieces stay together as long as they are of one difference in either tariff.
    begins = np.ones(i.size, dtype=np.bool_)
    begins[1:] = (np.diff(left.whole[i]) != 0) & (np.diff(right.whole[j]) != 0)
    return ChannelEnergy(
        start_us=left.start_us[i],
        duration_us=left.duration_us[i],
        energy_uwh=energy,
        quality=quality,
        whole=np.cumsum(begins),
        total_priority=left.total_priority,
        additive=True,
    )


def _lay_under(resolved: Stretches, channel: ChannelEnergy, *, is_counted: bool) -> Stretches:
    chosen = counts_mask(channel.quality) == is_counted
    if not chosen.any():
        return resolved
    start = channel.start_us[chosen]
    lower = (start, start + channel.duration_us[chosen], channel.energy_uwh[chosen], channel.quality[chosen])
    filled = fill_uncovered(upper=resolved, lower=lower, lower_whole=channel.whole[chosen])
    if filled[0].size == 0:
        return resolved
    order = np.argsort(np.concatenate((resolved[0], filled[0])), kind="stable")
    return (
        np.concatenate((resolved[0], filled[0]))[order],
        np.concatenate((resolved[1], filled[1]))[order],
        np.concatenate((resolved[2], filled[2]))[order],
        np.concatenate((resolved[3], filled[3]))[order],
    )


def _empty() -> Stretches:
    empty = np.empty(0, dtype=np.int64)
    return empty, empty, empty, np.empty(0, dtype=np.int16)


def _as_series(stretches: Stretches) -> IntervalEnergy:
    start, end, energy, quality = stretches
    return IntervalEnergy(start_us=start, duration_us=end - start, energy_uwh=energy, quality=quality)
