"""Daily statistics, weekly standby levels and their interval energy, over a batch of homes.

Homes are independent: each loop reads and writes the rows of one home only, in order, so a home's
result depends neither on threads nor on the rest of the batch.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from analytics.errors import BrokenContractError
from analytics.kernels.checks import require_array, require_offsets

Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]

DAYS_PER_WEEK = 7
THURSDAY = 3
"""Weekday of 1970-01-01, Monday being 0."""
NORMAL_MAD = 1.4826
"""Standard deviation of a normal distribution over its median absolute deviation."""


@njit(cache=True, nogil=True)
def _is_sound(start_us: Any, duration_s: Any, energy_uwh: Any) -> Any:
    """Tell whether a home's intervals are in order, last at least a second and carry no negative energy."""
    faults = 0
    for i in range(start_us.size):
        faults += int(duration_s[i] <= 0) + int(energy_uwh[i] < 0)
    for before_us, after_us in zip(start_us[:-1], start_us[1:]):  # noqa: B905, RUF007 - numba knows neither
        faults += int(after_us <= before_us)
    return faults == 0


@njit(cache=True, nogil=True)
def _daily_statistics(
    offsets: Any,
    start_us: Any,
    duration_s: Any,
    energy_uwh: Any,
    is_valid: Any,
    edge_offsets: Any,
    edges_us: Any,
) -> Any:
    n_homes = offsets.size - 1
    n_days = edges_us.size - n_homes
    total_uwh = np.zeros(n_days, dtype=np.int64)
    valid_s = np.zeros(n_days, dtype=np.int64)
    n_valid = np.zeros(n_days, dtype=np.int64)
    minimum_w = np.full(n_days, np.inf)
    is_sound = True
    for home in range(n_homes):
        i, stop = offsets[home], offsets[home + 1]
        is_sound = _is_sound(start_us[i:stop], duration_s[i:stop], energy_uwh[i:stop])
        if not is_sound:
            break
        edges = edges_us[edge_offsets[home] : edge_offsets[home + 1]]
        while i < stop and start_us[i] < edges[0]:
            i += 1
        for day in range(edges.size - 1):
            d = edge_offsets[home] - home + day
            total, valid, count, least_w = 0, 0, 0, np.inf
            while i < stop and start_us[i] < edges[day + 1]:
                total += energy_uwh[i]
                if is_valid[i]:
                    valid += duration_s[i]
                    count += 1
                    # Division is slow, and few intervals are a new minimum.
                    if energy_uwh[i] * 0.0036 < least_w * duration_s[i]:
                        least_w = energy_uwh[i] * 0.0036 / duration_s[i]
                i += 1
            total_uwh[d], valid_s[d], n_valid[d], minimum_w[d] = total, valid, count, least_w
    return total_uwh, valid_s, n_valid, minimum_w, is_sound


def daily_statistics(
    *,
    offsets: Int64,
    start_us: Int64,
    duration_s: npt.NDArray[np.int32],
    energy_uwh: Int64,
    is_valid: npt.NDArray[np.bool_],
    edge_offsets: Int64,
    edges_us: Int64,
) -> tuple[Int64, Int64, Int64, Float64]:
    """Sum energy and valid time of each home's local days and find their least valid power.

    An interval belongs to the day it starts in; intervals outside the days are ignored.

    Parameters
    ----------
    offsets : ndarray of int64, shape (h + 1,)
        Home `i` has the intervals `offsets[i]:offsets[i + 1]`.
    start_us : ndarray of int64, shape (n,), [µs]
        Strictly increasing within a home.
    duration_s : ndarray of int32, shape (n,), [s]
    energy_uwh : ndarray of int64, shape (n,), [µWh]
    is_valid : ndarray of bool, shape (n,)
    edge_offsets : ndarray of int64, shape (h + 1,)
        Home `i` has the day edges `edge_offsets[i]:edge_offsets[i + 1]`.
    edges_us : ndarray of int64, shape (days + h,), [µs]

    Returns
    -------
    total_uwh, valid_s, n_valid : ndarray of int64, shape (days,), [µWh], [s], [1]
    minimum_w : ndarray of float64, shape (days,), [W]
        Infinite on days without a valid interval.

    Raises
    ------
    BrokenContractError
        An array has another dtype or shape, a home's intervals are not in order, a duration is not
        positive or an energy is negative.
    """
    require_array("start_us", start_us, np.int64)
    require_array("duration_s", duration_s, np.int32, start_us.size)
    require_array("energy_uwh", energy_uwh, np.int64, start_us.size)
    require_array("is_valid", is_valid, np.bool_, start_us.size)
    require_array("edges_us", edges_us, np.int64)
    require_offsets("offsets", offsets, start_us.size)
    require_offsets("edge_offsets", edge_offsets, edges_us.size)
    if edge_offsets.size != offsets.size or np.any(np.diff(edge_offsets) < 1):
        raise BrokenContractError("edge_offsets: each home has at least one day edge")
    total_uwh, valid_s, n_valid, minimum_w, is_sound = _daily_statistics(
        offsets, start_us, duration_s, energy_uwh, is_valid, edge_offsets, edges_us
    )
    if not is_sound:
        raise BrokenContractError("intervals are in order, last at least a second and carry no negative energy")
    return total_uwh, valid_s, n_valid, minimum_w


@njit(cache=True, nogil=True)
def _median_of(values: Any, first: Any, last: Any) -> Any:
    """Return the median of the numbers among `values[first:last]` and how many there are."""
    window = values[first:last]
    window = window[~np.isnan(window)]
    if window.size == 0:
        return 0.0, 0
    return np.median(window), window.size


@njit(cache=True, nogil=True)
def _weekly_levels(
    day_offsets: Any, first_day: Any, minimum_w: Any, reference_days: Any, reference_weight: Any
) -> Any:
    level_w = np.zeros(minimum_w.size)
    spread_w = np.zeros(minimum_w.size)
    for home in range(day_offsets.size - 1):
        low, high = day_offsets[home], day_offsets[home + 1]
        d = low
        while d < high:
            weekday = (first_day[home] + (d - low) + THURSDAY) % DAYS_PER_WEEK
            monday = max(d - weekday, low)
            end = min(d - weekday + DAYS_PER_WEEK, high)
            reference_start = max(d - weekday + DAYS_PER_WEEK - reference_days, low)
            reference_w, n_reference = _median_of(minimum_w, reference_start, end)
            week_w, n_week = _median_of(minimum_w, monday, end)
            if n_reference > 0:
                trust = n_week / (n_week + reference_weight)
                deviation_w = np.abs(minimum_w[reference_start:end] - reference_w)
                mad_w, _ = _median_of(deviation_w, 0, deviation_w.size)
                level_w[d:end] = reference_w + trust * (week_w - reference_w)
                spread_w[d:end] = NORMAL_MAD * mad_w
            d = end
    return level_w, spread_w


def weekly_levels(
    *,
    day_offsets: Int64,
    first_day: Int64,
    minimum_w: Float64,
    reference_days: int,
    reference_weight: float,
) -> tuple[Float64, Float64]:
    """Return each day's standby level: its Monday week's median, shrunk to that of the weeks before.

    Parameters
    ----------
    day_offsets : ndarray of int64, shape (h + 1,)
        Home `i` has the days `day_offsets[i]:day_offsets[i + 1]`.
    first_day : ndarray of int64, shape (h,), [days since 1970-01-01]
    minimum_w : ndarray of float64, shape (days,), [W]
        NaN on days that say nothing.
    reference_days : int
        Length of the reference, which ends with the week.
    reference_weight : float
        Days of the week that weigh as much as the reference.

    Returns
    -------
    level_w, spread_w : ndarray of float64, shape (days,), [W]
        Spread is the robust standard deviation of the reference's daily minima. Both are 0 where no
        day of the reference says anything.

    Raises
    ------
    BrokenContractError
        An array has another dtype or shape.
    """
    require_array("minimum_w", minimum_w, np.float64)
    require_offsets("day_offsets", day_offsets, minimum_w.size)
    require_array("first_day", first_day, np.int64, day_offsets.size - 1)
    level_w, spread_w = _weekly_levels(day_offsets, first_day, minimum_w, reference_days, reference_weight)
    return level_w, spread_w


@njit(cache=True, nogil=True)
def _level_energy(
    offsets: Any,
    start_us: Any,
    duration_s: Any,
    residual_uwh: Any,
    is_valid: Any,
    edge_offsets: Any,
    edges_us: Any,
    level_w: Any,
) -> Any:
    interval_uwh = np.zeros(start_us.size, dtype=np.int64)
    day_uwh = np.zeros(level_w.size, dtype=np.int64)
    for home in range(offsets.size - 1):
        i, stop = offsets[home], offsets[home + 1]
        edges = edges_us[edge_offsets[home] : edge_offsets[home + 1]]
        while i < stop and start_us[i] < edges[0]:
            i += 1
        for day in range(edges.size - 1):
            d = edge_offsets[home] - home + day
            uwh_per_s = level_w[d] / 0.0036
            total = 0
            while i < stop and start_us[i] < edges[day + 1]:
                if is_valid[i]:
                    energy = min(int(uwh_per_s * duration_s[i]), residual_uwh[i])
                    interval_uwh[i] = energy
                    total += energy
                i += 1
            day_uwh[d] = total
    return interval_uwh, day_uwh


def level_energy(
    *,
    offsets: Int64,
    start_us: Int64,
    duration_s: npt.NDArray[np.int32],
    residual_uwh: Int64,
    is_valid: npt.NDArray[np.bool_],
    edge_offsets: Int64,
    edges_us: Int64,
    level_w: Float64,
) -> tuple[Int64, Int64]:
    """Return the energy of a constant power per day, at most what each valid interval has left.

    Parameters
    ----------
    offsets, start_us, duration_s, is_valid, edge_offsets, edges_us
        As `daily_statistics` takes and has checked them.
    residual_uwh : ndarray of int64, shape (n,), [µWh]
        What earlier stages left of each interval, >= 0.
    level_w : ndarray of float64, shape (days,), [W]
        Finite, >= 0.

    Returns
    -------
    interval_uwh : ndarray of int64, shape (n,), [µWh]
        0 where not valid or outside the days.
    day_uwh : ndarray of int64, shape (days,), [µWh]

    Raises
    ------
    BrokenContractError
        An array has another dtype or shape.
    """
    require_array("residual_uwh", residual_uwh, np.int64, start_us.size)
    require_array("level_w", level_w, np.float64, edges_us.size - (offsets.size - 1))
    interval_uwh, day_uwh = _level_energy(
        offsets, start_us, duration_s, residual_uwh, is_valid, edge_offsets, edges_us, level_w
    )
    return interval_uwh, day_uwh
