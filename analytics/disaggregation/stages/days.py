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
def part_edge(part: Any, length_s: Any) -> Any:
    """Return the second of a day from which its wall clock is in a part of the day, 1 to 3 (see `wall_second`)."""
    if length_s == DAY_S:
        return part * PART_S
    return max(part * PART_S + length_s - DAY_S, CLOCK_CHANGE_S)


@compiled
def is_even(start_us: Any, duration_s: Any, is_valid: Any) -> Any:
    """Tell whether a day's intervals are all valid, of one length and without a gap."""
    step_us = np.int64(duration_s[0]) * 1_000_000
    odd = int(not is_valid[0])
    for i in range(1, start_us.size):
        odd += int(not is_valid[i] or duration_s[i] != duration_s[0] or start_us[i] - start_us[i - 1] != step_us)
    return odd == 0


@compiled
def quiet_power(start_us: Any, duration_s: Any, energy_uwh: Any, is_valid: Any, is_even_day: Any) -> Any:
    """Return the least mean power over two measured hours of a day's intervals, infinite without any [W]."""
    if start_us.size == 0:
        return np.inf
    if is_even_day:
        step_s = np.int64(duration_s[0])
        width = (QUIET_S + step_s - 1) // step_s
        if width > start_us.size:
            return np.inf
        energy = np.int64(0)
        for i in range(width):
            energy += energy_uwh[i]
        least = energy
        # Arrays from their first place on spare the check for places counted from the end.
        added_uwh = energy_uwh[width:]
        for i in range(added_uwh.size):
            energy += added_uwh[i] - energy_uwh[i]
            least = min(least, energy)
        return least * 0.0036 / (width * step_s)
    return quiet_power_of_odd(start_us, duration_s, energy_uwh, is_valid)


@compiled
def quiet_power_of_odd(start_us: Any, duration_s: Any, energy_uwh: Any, is_valid: Any) -> Any:
    """Return the same of intervals with gaps or of several lengths [W]."""
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
def measure_even_part(step_s: Any, energy_uwh: Any, first: Any, last: Any) -> Any:
    """Return the same as `measure_part` of valid intervals of one length: their powers rise with their energies."""
    if last <= first:
        return np.int64(0), np.int64(0), np.int64(0), np.inf, 0.0
    part_uwh = energy_uwh[first:last]
    total, low, high = np.int64(0), part_uwh[0], part_uwh[0]
    for i in range(part_uwh.size):
        total += part_uwh[i]
        low = min(low, part_uwh[i])
        high = max(high, part_uwh[i])
    return total, total, (last - first) * step_s, low / step_s * 0.0036, max(high / step_s, 0.0) * 0.0036


@compiled
def measure_part(duration_s: Any, energy_uwh: Any, is_valid: Any, first: Any, last: Any) -> Any:
    """Return energy, valid energy [µWh], valid time [s], least and greatest valid power [W] of some intervals."""
    total, valid, valid_s = np.int64(0), np.int64(0), np.int64(0)
    least, most = np.inf, 0.0
    for i in range(first, last):
        total += energy_uwh[i]
        if is_valid[i]:
            valid += energy_uwh[i]
            valid_s += duration_s[i]
            power = energy_uwh[i] / duration_s[i]
            least = min(least, power)
            most = max(most, power)
    return total, valid, valid_s, least * 0.0036, most * 0.0036


@compiled
def measure_day(
    start_us: Any,
    duration_s: Any,
    energy_uwh: Any,
    is_valid: Any,
    is_even_day: Any,
    day_us: Any,
    length_s: Any,
    row: Any,
) -> Any:
    """Fill a day's row of statistics; return its energy [µWh] and validly measured time [s].

    Parameters
    ----------
    start_us, duration_s, energy_uwh, is_valid : arrays of one shape
        The intervals that start on the day.
    is_even_day : bool
        From `is_even`.
    day_us, length_s : int
        Start and length of the day.
    row : ndarray of uint16, shape (N_COLUMNS,)
    """
    row[:] = 0
    total, valid_s, first = np.int64(0), np.int64(0), 0
    last: Any
    least_w, most_w = np.inf, 0.0
    step_s: Any = np.int64(duration_s[0]) if is_even_day else np.int64(1)
    for part in range(4):
        last = np.int64(start_us.size)
        edge_us = day_us + part_edge(part + 1, length_s) * 1_000_000
        if is_even_day:
            if part < 3:
                step_us = step_s * 1_000_000
                last = min(max((edge_us - start_us[0] + step_us - 1) // step_us, 0), last)
            energy, valid, part_s, low_w, high_w = measure_even_part(step_s, energy_uwh, first, last)
        else:
            if part < 3:
                last = np.searchsorted(start_us, edge_us)
            energy, valid, part_s, low_w, high_w = measure_part(duration_s, energy_uwh, is_valid, first, last)
        first = max(first, last)
        total += energy
        valid_s += part_s
        least_w, most_w = min(least_w, low_w), max(most_w, high_w)
        if part_s > 0:
            row[PART0_POWER_W + part] = steps_of(valid * 0.0036 / part_s, STEPS[PART0_POWER_W])
            row[PART0_VALID_SHARE + part] = steps_of(min(part_s / PART_S, 1.0), STEPS[PART0_VALID_SHARE])
    if valid_s > 0:
        row[MINIMUM_W] = steps_of(least_w, STEPS[MINIMUM_W])
        row[MAXIMUM_W] = steps_of(most_w, STEPS[MAXIMUM_W])
        quiet_w = quiet_power(start_us, duration_s, energy_uwh, is_valid, is_even_day)
        row[QUIET_W] = steps_of(quiet_w if quiet_w < np.inf else least_w, STEPS[QUIET_W])
        if most_w - least_w >= MIN_RISE_W:
            level_w, plateau_s, at = longest_plateau(duration_s, energy_uwh, is_valid, is_even_day, least_w)
            if plateau_s > 0:
                wall_s = wall_second((start_us[at] - day_us) // 1_000_000, length_s)
                row[PLATEAU_W] = steps_of(level_w, STEPS[PLATEAU_W])
                row[PLATEAU_W + 1] = steps_of(plateau_s / 60.0, STEPS[PLATEAU_W + 1])
                row[PLATEAU_W + 2] = steps_of(float(wall_s // 60), STEPS[PLATEAU_W + 2])
    return total, min(valid_s, length_s)


@compiled
def count_before(start_us: Any, duration_s: Any, first: Any, edge_us: Any) -> Any:
    """Return how many intervals from `first` on start before an edge; tried first where there is no gap."""
    n = start_us.size
    if first >= n or start_us[first] >= edge_us:
        return np.int64(0)
    step_us = np.int64(duration_s[first]) * 1_000_000
    stop = min(first + (edge_us - start_us[first] + step_us - 1) // step_us, n)
    while stop > first and start_us[stop - 1] >= edge_us:
        stop -= 1
    while stop < n and start_us[stop] < edge_us:
        stop += 1
    return stop - first


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
    cuts: Any,
    is_even_day: Any,
) -> Any:
    """Fill energy, valid time and statistics of each day of a home; an interval belongs to the day it starts in.

    Parameters
    ----------
    cuts : ndarray of int64, shape (days + 1,)
        Filled with the first interval of each day and the end of the last one's.
    is_even_day : ndarray of bool, shape (days,)
        Filled: see `is_even`; a day without intervals is not.
    """
    i = np.searchsorted(start_us, edges_us[0])
    cuts[0] = i
    for day in range(edges_us.size - 1):
        stop = i
        stop += count_before(start_us, duration_s, i, edges_us[day + 1])
        length_s = (edges_us[day + 1] - edges_us[day]) // 1_000_000
        cuts[day + 1] = stop
        is_even_day[day] = stop > i and is_even(start_us[i:stop], duration_s[i:stop], is_valid[i:stop])
        total_uwh[day], valid_s[day] = measure_day(
            start_us[i:stop],
            duration_s[i:stop],
            energy_uwh[i:stop],
            is_valid[i:stop],
            is_even_day[day],
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
    cuts, is_even_day = np.empty(edges_us.size, dtype=np.int64), np.empty(edges_us.size, dtype=np.bool_)
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
            cuts,
            is_even_day,
        )
    return rows, -1, SOUND
