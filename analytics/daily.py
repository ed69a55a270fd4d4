"""Interval energy into local days: sums, and how many intervals a complete day would have had."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analytics.calendar import SECOND_US
from analytics.kernels.days import total_rows
from analytics.quality import valid_mask


@dataclass(frozen=True, kw_only=True)
class DailyTotals:
    """Energy of the local days that have any interval.

    Parameters
    ----------
    day : ndarray of int64, shape (d,)
        Index of the day among the edges.
    energy_uwh : ndarray of int64, shape (d,), [µWh]
    expected_intervals, valid_intervals : ndarray of int64, shape (d,)
        Intervals of a complete day at the day's own mean interval; those measured.
    resolution_s : ndarray of int64, shape (d,), [s]
        Mean length of the day's intervals.
    """

    day: npt.NDArray[np.int64]
    energy_uwh: npt.NDArray[np.int64]
    expected_intervals: npt.NDArray[np.int64]
    valid_intervals: npt.NDArray[np.int64]
    resolution_s: npt.NDArray[np.int64]


def total_days(
    start_us: npt.NDArray[np.int64],
    duration_s: npt.NDArray[np.int32],
    energy_uwh: npt.NDArray[np.int64],
    quality: npt.NDArray[np.int16],
    edges_us: npt.NDArray[np.int64],
) -> DailyTotals:
    """Sum intervals by the local day they start in; exact.

    Parameters
    ----------
    start_us : ndarray of int64, shape (n,), [µs since the epoch, UTC]
        Sorted; intervals outside the edges are left out.
    edges_us : ndarray of int64, shape (k + 1,), [µs since the epoch, UTC]
        From `analytics.calendar.day_edges_us`.
    """
    first, last = np.searchsorted(start_us, (edges_us[0], edges_us[-1]))
    inside = slice(first, last)
    index = np.searchsorted(edges_us, start_us[inside], side="right") - 1
    day, begins = np.unique(index, return_index=True)
    if not day.size:
        nothing = np.empty(0, dtype=np.int64)
        return DailyTotals(
            day=nothing,
            energy_uwh=nothing,
            expected_intervals=nothing,
            valid_intervals=nothing,
            resolution_s=nothing,
        )
    count = np.diff(np.append(begins, index.size))
    covered_s = np.add.reduceat(duration_s[inside].astype(np.int64), begins)
    length_s = (edges_us[day + 1] - edges_us[day]) // SECOND_US
    missing_s = np.maximum(length_s - covered_s, 0)
    return DailyTotals(
        day=day.astype(np.int64),
        energy_uwh=np.add.reduceat(energy_uwh[inside], begins),
        expected_intervals=count + np.rint(missing_s * count / np.maximum(covered_s, 1)).astype(np.int64),
        valid_intervals=np.add.reduceat(valid_mask(quality[inside]).astype(np.int64), begins),
        resolution_s=np.maximum(covered_s // count, 1),
    )


@dataclass(frozen=True, kw_only=True)
class HomesTotals:
    """What the same number of local days of homes add up to; days without any interval are zeros.

    Parameters
    ----------
    energy_uwh : ndarray of int64, shape (h, d), [µWh]
    expected_intervals, valid_intervals : ndarray of int64, shape (h, d)
    resolution_s : ndarray of int64, shape (h, d), [s]
        As in `DailyTotals`.
    """

    energy_uwh: npt.NDArray[np.int64]
    expected_intervals: npt.NDArray[np.int64]
    valid_intervals: npt.NDArray[np.int64]
    resolution_s: npt.NDArray[np.int64]


def total_homes(
    offsets: npt.NDArray[np.int64],
    start_us: npt.NDArray[np.int64],
    duration_s: npt.NDArray[np.int32],
    energy_uwh: npt.NDArray[np.int64],
    quality: npt.NDArray[np.int16],
    edges_us: npt.NDArray[np.int64],
) -> HomesTotals:
    """Sum the intervals of many homes by local day: the numbers of `total_days`.

    Parameters
    ----------
    offsets : ndarray of int64, shape (h + 1,)
        Home `i` has the intervals `offsets[i]:offsets[i + 1]`, in order of start.
    edges_us : ndarray of int64, shape (h, d + 1), [µs since the epoch, UTC]
        Of each home; intervals outside are left out.
    """
    energy, expected, valid, resolution_s = np.zeros((4, edges_us.shape[0], edges_us.shape[1] - 1), dtype=np.int64)
    total_rows(offsets, start_us, duration_s, energy_uwh, quality, edges_us, energy, expected, valid, resolution_s)
    return HomesTotals(
        energy_uwh=energy, expected_intervals=expected, valid_intervals=valid, resolution_s=resolution_s
    )
