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
    if start_us.size == 0:
        return SOUND
    # Arrays from their second place on, and one array a loop: several intervals at once.
    after_us, rise_us, negative_uwh, shortest_s = start_us[1:], np.int64(0), np.int64(0), duration_s[0]
    for i in range(after_us.size):
        rise_us |= after_us[i] - start_us[i] - 1  # negative where there is no rise
    for i in range(duration_s.size):
        shortest_s = min(shortest_s, duration_s[i])
    for i in range(energy_uwh.size):
        negative_uwh |= energy_uwh[i]
    if rise_us < 0:
        return NOT_IN_ORDER
    if shortest_s <= 0:
        return NO_LENGTH
    return NEGATIVE if negative_uwh < 0 else SOUND


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
def intervals_a_day(step_s: Any, start_us: Any, edges_us: Any, n: Any) -> Any:
    """Return how many intervals each day has where all have one length and every day 24 hours, else 0.

    Parameters
    ----------
    step_s : int
        Length of all intervals, which follow each other without a gap; 0 where that is not so.
    start_us, n : int
        Start of the first of them, and how many there are.
    """
    odd = np.int64(0)
    for day in range(edges_us.size - 1):
        odd += np.int64(edges_us[day + 1] - edges_us[day] != DAY_S * 1_000_000)
    if step_s == 0 or odd > 0 or DAY_S % step_s > 0 or start_us != edges_us[0]:
        return np.int64(0)
    per_day = DAY_S // step_s
    return per_day if n == per_day * (edges_us.size - 1) else np.int64(0)


@compiled
def measure_regular_home(
    start_us: Any,
    duration_s: Any,
    energy_uwh: Any,
    is_valid: Any,
    edges_us: Any,
    per_day: Any,
    total_uwh: Any,
    valid_s: Any,
    rows: Any,
) -> None:
    """Do the same as `measure_even_day` for all days at once, each of 24 hours and as many intervals."""
    step_s, n_days = DAY_S // per_day, edges_us.size - 1
    least, most, quiet = np.empty(n_days), np.empty(n_days), np.empty(n_days)
    part_uwh, ends = np.empty((4, n_days), dtype=np.int64), np.empty(5, dtype=np.int64)
    for part in range(5):
        ends[part] = min((part * PART_S + step_s - 1) // step_s, per_day)
    width, sums_uwh = (QUIET_S + step_s - 1) // step_s, np.empty(per_day + 1, dtype=np.int64)
    after_uwh = sums_uwh[1:]
    later_uwh = sums_uwh[min(width, per_day) :]
    sums_uwh[0] = 0
    for day in range(n_days):
        day_uwh = energy_uwh[day * per_day : (day + 1) * per_day]
        total, low, high = np.int64(0), day_uwh[0], day_uwh[0]
        for i in range(day_uwh.size):
            total += day_uwh[i]
            after_uwh[i] = total
        for i in range(day_uwh.size):
            low, high = min(low, day_uwh[i]), max(high, day_uwh[i])
        least[day], most[day] = low / step_s * 0.0036, max(high / step_s, 0.0) * 0.0036
        total_uwh[day], valid_s[day] = total, DAY_S
        of_window = total
        for i in range(later_uwh.size):
            of_window = min(of_window, later_uwh[i] - sums_uwh[i])
        quiet[day] = of_window * 0.0036 / (width * step_s) if width <= per_day else least[day]
        for part in range(4):
            part_uwh[part, day] = sums_uwh[ends[part + 1]] - sums_uwh[ends[part]]
    rows[:] = 0
    for part in range(4):
        part_s = (ends[part + 1] - ends[part]) * step_s
        if part_s > 0:
            share = steps_of(min(part_s / PART_S, 1.0), STEPS[PART0_VALID_SHARE])
            for day in range(n_days):
                rows[day, PART0_POWER_W + part] = steps_of(
                    part_uwh[part, day] * 0.0036 / part_s, STEPS[PART0_POWER_W]
                )
                rows[day, PART0_VALID_SHARE + part] = share
    for day in range(n_days):
        rows[day, MINIMUM_W] = steps_of(least[day], STEPS[MINIMUM_W])
        rows[day, QUIET_W] = steps_of(quiet[day], STEPS[QUIET_W])
        rows[day, MAXIMUM_W] = steps_of(most[day], STEPS[MAXIMUM_W])
    for day in range(n_days):
        if most[day] - least[day] >= MIN_RISE_W:
            first, end = day * per_day, (day + 1) * per_day
            note_plateau(
                start_us[first:end],
                duration_s[first:end],
                energy_uwh[first:end],
                is_valid[first:end],
                edges_us[day],
                DAY_S,
                least[day],
                rows[day],
                is_even_day=True,
            )


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

    Returns
    -------
    step_s, per_day : int
        Length of the intervals where those of all days together are even, else 0; how many each day has where
        it is also of 24 hours and begins with an interval, else 0.
    """
    i = np.searchsorted(start_us, edges_us[0])
    end = np.searchsorted(start_us, edges_us[-1])
    is_even_home = end > i and is_even(start_us[i:end], duration_s[i:end], is_valid[i:end])
    step_s: Any = np.int64(duration_s[i]) if is_even_home else np.int64(0)
    cuts[0] = i
    per_day = intervals_a_day(step_s, start_us[i], edges_us, end - i) if is_even_home else np.int64(0)
    if per_day > 0:
        measure_regular_home(
            start_us[i:end],
            duration_s[i:end],
            energy_uwh[i:end],
            is_valid[i:end],
            edges_us,
            per_day,
            total_uwh,
            valid_s,
            rows,
        )
        for day in range(edges_us.size - 1):
            cuts[day + 1] = cuts[day] + per_day
            is_even_day[day] = True
        return step_s, per_day
    sums_uwh = np.empty(end - i + 1, dtype=np.int64)
    for day in range(edges_us.size - 1):
        stop = i
        stop += count_before(start_us, duration_s, i, edges_us[day + 1])
        length_s = (edges_us[day + 1] - edges_us[day]) // 1_000_000
        cuts[day + 1] = stop
        is_even_day[day] = stop > i and (
            is_even_home or is_even(start_us[i:stop], duration_s[i:stop], is_valid[i:stop])
        )
        total_uwh[day], valid_s[day] = measure_day(
            start_us[i:stop],
            duration_s[i:stop],
            energy_uwh[i:stop],
            is_valid[i:stop],
            is_even_day[day],
            edges_us[day],
            length_s,
            sums_uwh,
            rows[day],
        )
        i = stop
    return step_s, per_day


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
