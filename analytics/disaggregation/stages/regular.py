"""Months of regular days: 24 hours each, and intervals that are all valid, of one length and without a gap.

All days of a home have the same shape then, and are measured at once, with the same result as day by day.
"""

from typing import Any

import numpy as np

from analytics.disaggregation.columns import (
    MAXIMUM_W,
    MINIMUM_W,
    PART0_POWER_W,
    PART0_VALID_SHARE,
    QUIET_W,
    STEPS,
)
from analytics.disaggregation.stages import compiled
from analytics.disaggregation.stages.days import DAY_S, PART_S, QUIET_S, note_plateau, steps_of
from analytics.disaggregation.stages.plateaus import MIN_RISE_W


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
    note_parts(part_uwh, ends, step_s, rows)
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
def note_parts(part_uwh: Any, ends: Any, step_s: Any, rows: Any) -> None:
    """Note mean power and measured share of the parts of all days.

    Parameters
    ----------
    part_uwh : ndarray of int64, shape (4, days), [µWh]
    ends : ndarray of int64, shape (5,)
        First interval of each part within a day, and the end of the last one's.
    """
    for part in range(4):
        part_s = (ends[part + 1] - ends[part]) * step_s
        if part_s > 0:
            share = steps_of(min(part_s / PART_S, 1.0), STEPS[PART0_VALID_SHARE])
            for day in range(rows.shape[0]):
                power_w = part_uwh[part, day] * 0.0036 / part_s
                rows[day, PART0_POWER_W + part] = steps_of(power_w, STEPS[PART0_POWER_W])
                rows[day, PART0_VALID_SHARE + part] = share
