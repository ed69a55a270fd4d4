"""Where a home's intervals lie: their days, local clock, warmth and darkness, and room to work on them."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from analytics.disaggregation.priors import DARK_SINE, WAKING_FROM_H
from analytics.disaggregation.stages import compiled
from analytics.disaggregation.stages.days import DAY_S, wall_second
from analytics.disaggregation.stages.season import HOUR_US, sun_sine


class Days(NamedTuple):
    """First interval of each day of one home and the end of the last one's, and whether a day's are even.

    `step_s` is the length of the intervals where those of all days together are even, `per_day` how many each day
    has where it is also of 24 hours and begins with an interval, else 0.
    """

    cuts: npt.NDArray[np.int64]
    is_even: npt.NDArray[np.bool_]
    step_s: int
    per_day: int


class Work(NamedTuple):
    """Arrays of one home's intervals, shape (n,), used again for the next.

    `is_on` and `turns` are of shape (n + 2,): see `runs`. `clock` tells what `wall_s` holds, for most homes of a
    batch have the same: intervals a day, first interval and number of days, or zeros.
    """

    clock: npt.NDArray[np.int64]

    wall_s: npt.NDArray[np.int32]
    celsius: npt.NDArray[np.float64]
    is_dark: npt.NDArray[np.bool_]
    residual_wh: npt.NDArray[np.float64]
    out_wh: npt.NDArray[np.float64]
    shape: npt.NDArray[np.float64]
    is_on: npt.NDArray[np.uint8]
    turns: npt.NDArray[np.int64]


@compiled
def new_work(n: Any) -> Any:
    """Return room for so many intervals."""
    return Work(
        np.zeros(3, dtype=np.int64),
        np.empty(n, dtype=np.int32),
        np.empty(n),
        np.empty(n, dtype=np.bool_),
        np.empty(n),
        np.empty(n),
        np.empty(n),
        np.empty(n + 2, dtype=np.uint8),
        np.empty(n + 2, dtype=np.int64),
    )


@compiled
def part_of(work: Any, n: Any) -> Any:
    """Return the first `n` places of the arrays."""
    return Work(
        work.clock,
        work.wall_s[:n],
        work.celsius[:n],
        work.is_dark[:n],
        work.residual_wh[:n],
        work.out_wh[:n],
        work.shape[:n],
        work.is_on[: n + 2],
        work.turns[: n + 2],
    )


@compiled
def resolution(duration_s: Any, is_valid: Any, days: Any) -> Any:
    """Return the mean length of the valid intervals within the days [s], 0 without any."""
    count, seconds = 0, 0
    for d in range(days.is_even.size):
        low, high = days.cuts[d], days.cuts[d + 1]
        if days.is_even[d]:
            count += high - low
            seconds += (high - low) * np.int64(duration_s[low])
            continue
        for i in range(low, high):
            if is_valid[i]:
                count += 1
                seconds += duration_s[i]
    return seconds / max(count, 1)


@compiled
def fill_nights(sun: Any, latitude: Any, longitude: Any, first: Any, last: Any, is_night: Any) -> None:
    """Tell of the hours `first:last` of each place whether rooms need light.

    Parameters
    ----------
    sun : ndarray of float64, shape (3, hours)
        See `sun_sine`.
    latitude, longitude : ndarray of float64, shape (places,), [degrees]
    is_night : ndarray of bool, shape (places, hours)
    """
    hours = sun[:, first:last]
    for place in range(latitude.size):
        phi, lam = np.radians(latitude[place]), np.radians(longitude[place])
        sin_phi, cos_phi, cos_lam, sin_lam = np.sin(phi), np.cos(phi), np.cos(lam), np.sin(lam)
        night = is_night[place, first:last]
        for hour in range(night.size):
            night[hour] = sun_sine(hour, hours, sin_phi, cos_phi, cos_lam, sin_lam) < DARK_SINE


@compiled
def place_intervals(inputs: Any, n: Any, days: Any, work: Any) -> None:
    """Fill clock, warmth and darkness of each interval of a home within its days."""
    start_us = inputs.start_us[inputs.offsets[n] : inputs.offsets[n + 1]]
    edges_us = inputs.edges_us[inputs.edge_offsets[n] : inputs.edge_offsets[n + 1]]
    hourly_c, is_night, first_us = (
        inputs.celsius[inputs.place[n]],
        inputs.is_night[inputs.place[n]],
        inputs.first_hour_us,
    )
    low, high = days.cuts[0], days.cuts[days.is_even.size]
    even, behind = low, low  # from `even` to `behind` are whole hours of intervals of one length
    step_us = days.step_s * 1_000_000
    if step_us > 0 and HOUR_US % step_us == 0:
        per_hour, passed = HOUR_US // step_us, (start_us[low] - first_us) // step_us
        even += -passed % per_hour
        hour, hours = (passed + even - low) // per_hour, (high - even) // per_hour
        is_aligned = (start_us[low] - first_us) % step_us == 0
        if is_aligned and hour >= 0 and hours > 0 and hour + hours <= hourly_c.size:
            behind = even + hours * per_hour
            spread_hours(
                hourly_c[hour : hour + hours],
                is_night[hour : hour + hours],
                work.celsius[even:behind].reshape(hours, per_hour),
                work.is_dark[even:behind].reshape(hours, per_hour),
            )
        else:
            even = low
    look_up_hours(hourly_c, is_night, start_us, first_us, low, even, work)
    look_up_hours(hourly_c, is_night, start_us, first_us, behind, high, work)
    read_clock(start_us, edges_us, days, work)
    wall_s, is_dark = work.wall_s[low:high], work.is_dark[low:high]
    for i in range(wall_s.size):
        is_dark[i] &= wall_s[i] >= WAKING_FROM_H * 3600


@compiled
def read_clock(start_us: Any, edges_us: Any, days: Any, work: Any) -> None:
    """Fill the wall clock of each interval of a home within its days."""
    n_days, clock = days.is_even.size, work.clock
    if days.per_day > 0 and clock[0] == days.per_day and clock[1] == days.cuts[0] and clock[2] == n_days:
        return
    clock[0], clock[1], clock[2] = days.per_day, days.cuts[0], n_days
    for d in range(n_days):
        low, high = days.cuts[d], days.cuts[d + 1]
        length_s = (edges_us[d + 1] - edges_us[d]) // 1_000_000
        # Parts of the arrays spare the check for places counted from the end.
        day_us, clock_s = start_us[low:high], work.wall_s[low:high]
        # Exact: the microseconds of a day are far below 2**53, and half of one keeps whole seconds whole.
        if length_s == DAY_S:
            for i in range(day_us.size):
                clock_s[i] = min(np.int32((day_us[i] - edges_us[d] + 0.5) * 1e-6), np.int32(DAY_S - 1))
        else:
            for i in range(day_us.size):
                clock_s[i] = wall_second(np.int64((day_us[i] - edges_us[d] + 0.5) * 1e-6), length_s)


@compiled
def look_up_hours(
    hourly_c: Any, is_night: Any, start_us: Any, first_hour_us: Any, low: Any, high: Any, work: Any
) -> None:
    """Fill warmth and darkness of the intervals `low:high` by the hour they start in, the nearest one known."""
    next_us, warmth, is_late = np.int64(-(2**62)), 0.0, False
    for i in range(low, high):
        if start_us[i] >= next_us:
            hour = (start_us[i] - first_hour_us) // HOUR_US
            next_us = first_hour_us + (hour + 1) * HOUR_US
            at = min(max(hour, 0), hourly_c.size - 1)
            warmth, is_late = hourly_c[at], is_night[at]
        work.celsius[i], work.is_dark[i] = warmth, is_late


@compiled
def spread_hours(hourly_c: Any, is_night: Any, celsius: Any, is_dark: Any) -> None:
    """Fill the same of whole hours, the intervals in shape (hours, intervals an hour)."""
    if celsius.shape[1] == 2:  # half of the time of the general way
        for hour in range(hourly_c.size):
            celsius[hour, 0] = hourly_c[hour]
            celsius[hour, 1] = hourly_c[hour]
        for hour in range(hourly_c.size):
            is_dark[hour, 0] = is_night[hour]
            is_dark[hour, 1] = is_night[hour]
        return
    for hour in range(hourly_c.size):
        warmth, is_late = hourly_c[hour], is_night[hour]
        for i in range(celsius.shape[1]):
            celsius[hour, i] = warmth
        for i in range(is_dark.shape[1]):
            is_dark[hour, i] = is_late
