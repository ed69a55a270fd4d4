"""Stage 0, quality: what was measured on each local day, and what is kept of the day for later months.

Powers are means over valid time. The least power of a day is that of its least valid interval. Its quiet
power is the least mean over two hours, in which a cold appliance runs whole cycles; the difference of the
two is what cycles in a home at rest. Gaps are never imputed.
"""

from typing import Any

import numpy as np

from analytics.disaggregation.columns import (
    MAXIMUM_W,
    MINIMUM_W,
    N_COLUMNS,
    PART0_POWER_W,
    PART0_VALID_SHARE,
    PLATEAU_W,
    QUIET_W,
    STEPS,
)
from analytics.disaggregation.stages import compiled
from analytics.disaggregation.stages.plateaus import MIN_RISE_W, longest_plateau

HOUR_S = 3600
DAY_S = 86_400
PART_S = 21_600
QUIET_S = 7200
"""Length of the window of the quiet power [s]: two to three cycles of a compressor."""
QUIET_VALID = 0.9
"""Share of the window that must be measured."""
CLOCK_CHANGE_S = 9000
"""A clock that changes does so about here after midnight [s]: 01:00 to 03:00 local in nearly all zones."""

SOUND, NOT_IN_ORDER, NO_LENGTH, NEGATIVE = 0, 1, 2, 3
"""What may be wrong with a home's intervals."""


@compiled
def fault_of(start_us: Any, duration_s: Any, energy_uwh: Any) -> Any:
    """Return what is wrong with a home's intervals, `SOUND` if nothing."""
    negative, empty, unordered = 0, 0, 0
    for i in range(start_us.size):
        empty += int(duration_s[i] <= 0)
        negative += int(energy_uwh[i] < 0)
    for i in range(1, start_us.size):
        unordered += int(start_us[i] <= start_us[i - 1])
    if unordered:
        return NOT_IN_ORDER
    if empty:
        return NO_LENGTH
    return NEGATIVE if negative else SOUND


@compiled
def wall_second(elapsed_s: Any, length_s: Any) -> Any:
    """Return the wall-clock second of a local day that began `elapsed_s` ago and lasts `length_s`."""
    if length_s == DAY_S or elapsed_s < CLOCK_CHANGE_S:
        return min(elapsed_s, DAY_S - 1)
    return min(max(elapsed_s + DAY_S - length_s, 0), DAY_S - 1)


@compiled
def steps_of(amount: Any, step: Any) -> Any:
    """Return an amount >= 0 in whole steps, rounded half up, at most what 16 bits hold."""
    return np.uint16(min(amount / step + 0.5, 65_535.0))


@compiled
def quiet_power(start_us: Any, duration_s: Any, energy_uwh: Any, is_valid: Any) -> Any:
    """Return the least mean power over two measured hours of a day's intervals, infinite without any [W]."""
    least_w = np.inf
    first, energy, valid_s = 0, 0, 0
    for i in range(start_us.size):
        if is_valid[i]:
            energy += energy_uwh[i]
            valid_s += duration_s[i]
        end_us = start_us[i] + np.int64(duration_s[i]) * 1_000_000
        while first < i and end_us - start_us[first + 1] >= QUIET_S * 1_000_000:
            if is_valid[first]:
                energy -= energy_uwh[first]
                valid_s -= duration_s[first]
            first += 1
        if end_us - start_us[first] >= QUIET_S * 1_000_000 and valid_s >= QUIET_VALID * QUIET_S:
            least_w = min(least_w, energy * 0.0036 / valid_s)
    return least_w


@compiled
def measure_day(
    start_us: Any, duration_s: Any, energy_uwh: Any, is_valid: Any, day_us: Any, length_s: Any, row: Any
) -> Any:
    """Fill a day's row of statistics; return its energy [µWh] and validly measured time [s].

    Parameters
    ----------
    start_us, duration_s, energy_uwh, is_valid : arrays of one shape
        The intervals that start on the day.
    day_us, length_s : int
        Start and length of the day.
    row : ndarray of uint16, shape (N_COLUMNS,)
    """
    part_uwh = np.zeros(4)
    part_s = np.zeros(4)
    total, valid_s = 0, 0
    least_w, most_w = np.inf, 0.0
    for i in range(start_us.size):
        total += energy_uwh[i]
        if is_valid[i]:
            wall_s = wall_second((start_us[i] - day_us) // 1_000_000, length_s)
            part = wall_s // PART_S
            part_uwh[part] += energy_uwh[i]
            part_s[part] += duration_s[i]
            valid_s += duration_s[i]
            # Division is slow, and few intervals are a new extreme.
            if energy_uwh[i] * 0.0036 < least_w * duration_s[i]:
                least_w = energy_uwh[i] * 0.0036 / duration_s[i]
            if energy_uwh[i] * 0.0036 > most_w * duration_s[i]:
                most_w = energy_uwh[i] * 0.0036 / duration_s[i]
    row[:] = 0
    if valid_s > 0:
        for part in range(4):
            if part_s[part] > 0:
                row[PART0_POWER_W + part] = steps_of(part_uwh[part] * 0.0036 / part_s[part], STEPS[PART0_POWER_W])
                share = min(part_s[part] / PART_S, 1.0)
                row[PART0_VALID_SHARE + part] = steps_of(share, STEPS[PART0_VALID_SHARE])
        row[MINIMUM_W] = steps_of(least_w, STEPS[MINIMUM_W])
        row[MAXIMUM_W] = steps_of(most_w, STEPS[MAXIMUM_W])
        quiet_w = quiet_power(start_us, duration_s, energy_uwh, is_valid)
        row[QUIET_W] = steps_of(quiet_w if quiet_w < np.inf else least_w, STEPS[QUIET_W])
        if most_w - least_w >= MIN_RISE_W:
            level_w, plateau_s, first = longest_plateau(duration_s, energy_uwh, is_valid, least_w)
            if plateau_s > 0:
                wall_s = wall_second((start_us[first] - day_us) // 1_000_000, length_s)
                row[PLATEAU_W] = steps_of(level_w, STEPS[PLATEAU_W])
                row[PLATEAU_W + 1] = steps_of(plateau_s / 60.0, STEPS[PLATEAU_W + 1])
                row[PLATEAU_W + 2] = steps_of(wall_s // 60, STEPS[PLATEAU_W + 2])
    return total, min(valid_s, length_s)


@compiled
def measure_home(
    start_us: Any,
    duration_s: Any,
    energy_uwh: Any,
    is_valid: Any,
    edges_us: Any,
    total_uwh: Any,
    valid_s: Any,
    rows: Any,
) -> Any:
    """Fill energy, valid time and statistics of each day of a home; an interval belongs to the day it starts in."""
    i = np.searchsorted(start_us, edges_us[0])
    for day in range(edges_us.size - 1):
        stop = i
        while stop < start_us.size and start_us[stop] < edges_us[day + 1]:
            stop += 1
        length_s = (edges_us[day + 1] - edges_us[day]) // 1_000_000
        total_uwh[day], valid_s[day] = measure_day(
            start_us[i:stop],
            duration_s[i:stop],
            energy_uwh[i:stop],
            is_valid[i:stop],
            edges_us[day],
            length_s,
            rows[day],
        )
        i = stop


@compiled
def measure_homes(
    offsets: Any,
    start_us: Any,
    duration_s: Any,
    energy_uwh: Any,
    is_valid: Any,
    edge_offsets: Any,
    edges_us: Any,
) -> Any:
    """Return the statistics of every day, the first faulty home or -1, and its fault."""
    n_homes = offsets.size - 1
    rows = np.zeros((edges_us.size - n_homes, N_COLUMNS), dtype=np.uint16)
    total_uwh = np.zeros(rows.shape[0], dtype=np.int64)
    valid_s = np.zeros(rows.shape[0], dtype=np.int64)
    for home in range(n_homes):
        i, j = offsets[home], offsets[home + 1]
        e, f = edge_offsets[home], edge_offsets[home + 1]
        fault = fault_of(start_us[i:j], duration_s[i:j], energy_uwh[i:j])
        if fault != SOUND:
            return rows, home, fault
        d, n_days = e - home, f - e - 1
        measure_home(
            start_us[i:j],
            duration_s[i:j],
            energy_uwh[i:j],
            is_valid[i:j],
            edges_us[e:f],
            total_uwh[d : d + n_days],
            valid_s[d : d + n_days],
            rows[d : d + n_days],
        )
    return rows, -1, SOUND
