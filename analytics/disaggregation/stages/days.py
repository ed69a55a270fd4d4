"""Stage 0, quality: what was measured on a local day, and what is kept of it for later months.

Powers are means over valid time. The least power of a day is that of its least valid interval. Its quiet
power is the least mean over two hours, in which a cold appliance runs whole cycles; the difference of the
two is what cycles in a home at rest. Gaps are never imputed.
"""

from typing import Any

import numpy as np

from analytics.disaggregation.columns import (
    MAXIMUM_W,
    MINIMUM_W,
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
    """Tell whether some intervals, of a day or of a month, are all valid, of one length and without a gap."""
    step_us, after_us, gap_us = np.int64(duration_s[0]) * 1_000_000, start_us[1:], np.int64(0)
    shortest_s = longest_s = duration_s[0]
    for i in range(after_us.size):
        gap_us |= (after_us[i] - start_us[i]) ^ step_us
    for i in range(duration_s.size):
        shortest_s, longest_s = min(shortest_s, duration_s[i]), max(longest_s, duration_s[i])
    valid, all_valid = is_valid.view(np.uint8), np.uint8(1)
    for i in range(valid.size):
        all_valid &= valid[i]
    return gap_us == 0 and shortest_s == longest_s and all_valid == 1


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
def note_part(row: Any, part: Any, valid_uwh: Any, part_s: Any) -> None:
    """Note mean power and measured share of a part of the day."""
    if part_s > 0:
        row[PART0_POWER_W + part] = steps_of(valid_uwh * 0.0036 / part_s, STEPS[PART0_POWER_W])
        row[PART0_VALID_SHARE + part] = steps_of(min(part_s / PART_S, 1.0), STEPS[PART0_VALID_SHARE])


@compiled
def note_powers(
    start_us: Any,
    duration_s: Any,
    energy_uwh: Any,
    is_valid: Any,
    day_us: Any,
    length_s: Any,
    least_w: Any,
    quiet_w: Any,
    most_w: Any,
    row: Any,
    is_even_day: Any,
) -> None:
    """Note the powers of a day that was measured, and look for its longest flat block of high power."""
    row[MINIMUM_W] = steps_of(least_w, STEPS[MINIMUM_W])
    row[MAXIMUM_W] = steps_of(most_w, STEPS[MAXIMUM_W])
    row[QUIET_W] = steps_of(quiet_w if quiet_w < np.inf else least_w, STEPS[QUIET_W])
    if most_w - least_w >= MIN_RISE_W:
        note_plateau(
            start_us, duration_s, energy_uwh, is_valid, day_us, length_s, least_w, row, is_even_day=is_even_day
        )


@compiled
def note_plateau(
    start_us: Any,
    duration_s: Any,
    energy_uwh: Any,
    is_valid: Any,
    day_us: Any,
    length_s: Any,
    least_w: Any,
    row: Any,
    is_even_day: Any,
) -> None:
    """Note the longest flat block of high power of a day."""
    level_w, plateau_s, at = longest_plateau(duration_s, energy_uwh, is_valid, is_even_day, least_w)
    if plateau_s > 0:
        wall_s = wall_second((start_us[at] - day_us) // 1_000_000, length_s)
        row[PLATEAU_W] = steps_of(level_w, STEPS[PLATEAU_W])
        row[PLATEAU_W + 1] = steps_of(plateau_s / 60.0, STEPS[PLATEAU_W + 1])
        row[PLATEAU_W + 2] = steps_of(float(wall_s // 60), STEPS[PLATEAU_W + 2])


@compiled
def measure_even_day(
    start_us: Any,
    duration_s: Any,
    energy_uwh: Any,
    is_valid: Any,
    day_us: Any,
    length_s: Any,
    sums_uwh: Any,
    row: Any,
) -> Any:
    """Do the same as `measure_day` for valid intervals of one length without a gap, in sums of whole numbers.

    Their powers rise with their energies, and any stretch of them is a difference of two sums.
    """
    n: Any = np.int64(start_us.size)
    step_s: Any = np.int64(duration_s[0])
    total, after_uwh = np.int64(0), sums_uwh[1 : n + 1]
    low, high = energy_uwh[0], energy_uwh[0]
    sums_uwh[0] = 0
    for i in range(energy_uwh.size):
        total += energy_uwh[i]
        after_uwh[i] = total
    for i in range(energy_uwh.size):
        low, high = min(low, energy_uwh[i]), max(high, energy_uwh[i])
    first, step_us = np.int64(0), step_s * 1_000_000
    for part in range(4):
        last = n
        if part < 3:
            edge_us = day_us + part_edge(part + 1, length_s) * 1_000_000
            last = min(max((edge_us - start_us[0] + step_us - 1) // step_us, first), n)
        note_part(row, part, sums_uwh[last] - sums_uwh[first], (last - first) * step_s)
        first = last
    quiet_w, width = np.inf, (QUIET_S + step_s - 1) // step_s
    if width <= n:
        ends_uwh = sums_uwh[width : n + 1]
        quiet = total
        for i in range(ends_uwh.size):
            quiet = min(quiet, ends_uwh[i] - sums_uwh[i])
        quiet_w = quiet * 0.0036 / (width * step_s)
    least_w, most_w = low / step_s * 0.0036, max(high / step_s, 0.0) * 0.0036
    note_powers(
        start_us,
        duration_s,
        energy_uwh,
        is_valid,
        day_us,
        length_s,
        least_w,
        quiet_w,
        most_w,
        row,
        is_even_day=True,
    )
    return total, min(n * step_s, length_s)


@compiled
def measure_day(
    start_us: Any,
    duration_s: Any,
    energy_uwh: Any,
    is_valid: Any,
    is_even_day: Any,
    day_us: Any,
    length_s: Any,
    sums_uwh: Any,
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
    sums_uwh : ndarray of int64, shape (intervals + 1 or more,)
        Room to work.
    row : ndarray of uint16, shape (N_COLUMNS,)
    """
    row[:] = 0
    if is_even_day:
        return measure_even_day(start_us, duration_s, energy_uwh, is_valid, day_us, length_s, sums_uwh, row)
    total, valid_s, first = np.int64(0), np.int64(0), np.int64(0)
    least_w, most_w = np.inf, 0.0
    for part in range(4):
        last: Any = np.int64(start_us.size)
        if part < 3:
            last = np.searchsorted(start_us, day_us + part_edge(part + 1, length_s) * 1_000_000)
        energy, valid, part_s, low_w, high_w = measure_part(duration_s, energy_uwh, is_valid, first, last)
        first = max(first, last)
        total += energy
        valid_s += part_s
        least_w, most_w = min(least_w, low_w), max(most_w, high_w)
        note_part(row, part, valid, part_s)
    if valid_s > 0:
        quiet_w = quiet_power(start_us, duration_s, energy_uwh, is_valid)
        note_powers(
            start_us,
            duration_s,
            energy_uwh,
            is_valid,
            day_us,
            length_s,
            least_w,
            quiet_w,
            most_w,
            row,
            is_even_day=False,
        )
    return total, min(valid_s, length_s)
