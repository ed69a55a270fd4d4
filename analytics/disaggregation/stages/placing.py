"""Where a home's intervals lie: their days, local clock, warmth and darkness, and room to work on them."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from analytics.disaggregation.priors import DARK_SINE, WAKING_FROM_H
from analytics.disaggregation.stages import compiled
from analytics.disaggregation.stages.days import DAY_S, wall_second
from analytics.disaggregation.stages.season import HOUR_US, sun_sine

SEVERAL = 12
"""From so many intervals an hour on they are filled together."""


class Days(NamedTuple):
    """First interval of each day of one home and the end of the last one's, and whether a day's are even."""

    cuts: npt.NDArray[np.int64]
    is_even: npt.NDArray[np.bool_]


class Work(NamedTuple):
    """Arrays of one home's intervals, shape (n,), used again for the next."""

    wall_s: npt.NDArray[np.int32]
    celsius: npt.NDArray[np.float64]
    is_dark: npt.NDArray[np.bool_]
    residual_wh: npt.NDArray[np.float64]
    out_wh: npt.NDArray[np.float64]
    shape: npt.NDArray[np.float64]
    first: npt.NDArray[np.int64]
    last: npt.NDArray[np.int64]


@compiled
def new_work(n: Any) -> Any:
    """Return room for so many intervals."""
    return Work(
        np.empty(n, dtype=np.int32),
        np.empty(n),
        np.empty(n, dtype=np.bool_),
        np.empty(n),
        np.empty(n),
        np.empty(n),
        np.empty(n, dtype=np.int64),
        np.empty(n, dtype=np.int64),
    )


@compiled
def part_of(work: Any, n: Any) -> Any:
    """Return the first `n` places of the arrays."""
    return Work(
        work.wall_s[:n],
        work.celsius[:n],
        work.is_dark[:n],
        work.residual_wh[:n],
        work.out_wh[:n],
        work.shape[:n],
        work.first[:n],
        work.last[:n],
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
def place_intervals(inputs: Any, n: Any, days: Any, work: Any) -> None:
    """Fill clock, warmth and darkness of each interval of a home within its days."""
    start_us = inputs.start_us[inputs.offsets[n] : inputs.offsets[n + 1]]
    duration_s = inputs.duration_s[inputs.offsets[n] : inputs.offsets[n + 1]]
    edges_us = inputs.edges_us[inputs.edge_offsets[n] : inputs.edge_offsets[n + 1]]
    place, first_hour_us, n_hours = inputs.place[n], inputs.first_hour_us, inputs.celsius.shape[1]
    phi, lam = np.radians(inputs.latitude[place]), np.radians(inputs.longitude[place])
    sin_phi, cos_phi, cos_lam, sin_lam = np.sin(phi), np.cos(phi), np.cos(lam), np.sin(lam)
    wall_s, celsius, is_dark = work.wall_s, work.celsius, work.is_dark
    hour = (edges_us[0] - first_hour_us) // HOUR_US - 1
    next_us, warmth, is_night = first_hour_us + (hour + 1) * HOUR_US, 0.0, False
    dark_from_s = DAY_S
    for d in range(days.is_even.size):
        low, high = days.cuts[d], days.cuts[d + 1]
        length_s = (edges_us[d + 1] - edges_us[d]) // 1_000_000
        # Exact: the microseconds of a day are far below 2**53, and half of one keeps whole seconds whole.
        # Parts of the arrays spare the check for places counted from the end.
        day_us, clock_s = start_us[low:high], wall_s[low:high]
        warm_c, dark = celsius[low:high], is_dark[low:high]
        if days.is_even[d] and SEVERAL * np.int64(duration_s[low]) * 1_000_000 <= HOUR_US:
            first_s, step_s = (day_us[0] - edges_us[d]) // 1_000_000, np.int64(duration_s[low])
            _fill_clock(first_s, step_s, length_s, clock_s)
            sines = inputs.sun, sin_phi, cos_phi, cos_lam, sin_lam
            _place_hours(day_us, step_s, clock_s, first_hour_us, inputs.celsius[place], sines, warm_c, dark)
            continue
        if length_s == DAY_S:
            for i in range(day_us.size):
                clock_s[i] = min(np.int32((day_us[i] - edges_us[d] + 0.5) * 1e-6), np.int32(DAY_S - 1))
        else:
            for i in range(day_us.size):
                clock_s[i] = wall_second(np.int64((day_us[i] - edges_us[d] + 0.5) * 1e-6), length_s)
        for i in range(day_us.size):
            if day_us[i] >= next_us:
                passed = (day_us[i] - next_us) // HOUR_US + 1 if day_us[i] >= next_us + HOUR_US else 1
                next_us += passed * HOUR_US
                hour += passed
                at = min(max(hour, 0), n_hours - 1)
                warmth = inputs.celsius[place, at]
                # The hour may go on into the waking hours.
                is_night = length_s != DAY_S or clock_s[i] >= (WAKING_FROM_H - 1) * 3600
                if is_night:
                    is_night = sun_sine(at, inputs.sun, sin_phi, cos_phi, cos_lam, sin_lam) < DARK_SINE
                dark_from_s = WAKING_FROM_H * 3600 if is_night else DAY_S
            warm_c[i] = warmth
            dark[i] = clock_s[i] >= dark_from_s


@compiled
def _fill_clock(first_s: Any, step_s: Any, length_s: Any, clock_s: Any) -> None:
    """Fill the local clock of an even day whose first interval begins `first_s` after midnight."""
    if length_s == DAY_S:
        for i in range(clock_s.size):
            clock_s[i] = min(first_s + i * step_s, DAY_S - 1)
    else:
        for i in range(clock_s.size):
            clock_s[i] = wall_second(first_s + i * step_s, length_s)


@compiled
def _place_hours(
    day_us: Any, step_s: Any, clock_s: Any, first_hour_us: Any, celsius: Any, sines: Any, warm_c: Any, dark: Any
) -> None:
    """Fill warmth and darkness of an even day of short intervals, those of an hour at once.

    Parameters
    ----------
    sines : tuple
        What `sun_sine` takes after the hour.
    """
    i, step_us = np.int64(0), 1_000_000 * step_s
    while i < day_us.size:
        hour = (day_us[i] - first_hour_us) // HOUR_US
        left_us = first_hour_us + (hour + 1) * HOUR_US - day_us[i]
        stop = min(i + (left_us + step_us - 1) // step_us, day_us.size)
        at = min(max(hour, 0), celsius.size - 1)
        is_night = sun_sine(at, sines[0], sines[1], sines[2], sines[3], sines[4]) < DARK_SINE
        dark_from_s, warmth = WAKING_FROM_H * 3600 if is_night else DAY_S, celsius[at]
        hour_s, hour_c, is_hour_dark = clock_s[i:stop], warm_c[i:stop], dark[i:stop]
        for k in range(hour_s.size):
            hour_c[k] = warmth
        for k in range(hour_s.size):
            is_hour_dark[k] = hour_s[k] >= dark_from_s
        i = stop
