"""Stage 1, standby: the power a home never falls below, week by week.

The level of a day is its Monday week's median of daily least powers, shrunk to the median of the 13 weeks
that end with the month, less the part of a fridge that such a least power contains:

    level = m13 + n / (n + w) (m_week - m13) - share(resolution) fridge_w

A quantity the meter cannot resolve (a register of whole kilowatt-hours) shows as 0.

Source: disaggregation method, stage 1; parameters in `priors`.
"""

from typing import Any

import numpy as np

from analytics.disaggregation.columns import MINIMUM_W, PART0_VALID_SHARE, STEPS
from analytics.disaggregation.priors import (
    FRIDGE_SHARE_OF_MINIMUM,
    FRIDGE_SHARE_RESOLUTION_S,
    MIN_DAY_COVERAGE,
    STANDBY_REFERENCE_DAYS,
    STANDBY_REFERENCE_WEIGHT,
)
from analytics.disaggregation.stages import compiled

DAYS_PER_WEEK = 7
THURSDAY = 3
"""Weekday of 1970-01-01, Monday being 0."""
NORMAL_MAD = 1.4826
"""Standard deviation of a normal distribution over its median absolute deviation."""

_MINIMUM_STEP_W = STEPS[MINIMUM_W]


@compiled
def fridge_share(resolution_s: Any) -> Any:
    """Return the share of a fridge's mean power that a day's least interval contains, by its length."""
    share = FRIDGE_SHARE_OF_MINIMUM[0]
    for k in range(1, len(FRIDGE_SHARE_RESOLUTION_S)):
        low_s, high_s = FRIDGE_SHARE_RESOLUTION_S[k - 1], FRIDGE_SHARE_RESOLUTION_S[k]
        along = min(max((resolution_s - low_s) / (high_s - low_s), 0.0), 1.0)
        share += along * (FRIDGE_SHARE_OF_MINIMUM[k] - FRIDGE_SHARE_OF_MINIMUM[k - 1])
    return share


@compiled
def median_of(values: Any, size: Any) -> Any:
    """Return the median of the first `size` values, 0 without any; they are put in another order.

    By Hoare's selection, a fifth of the time of a sort.
    """
    if size == 0:
        return 0.0
    middle, low, high = size // 2, 0, size - 1
    while low < high:
        pivot = values[middle]
        i, j = low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while pivot < values[j]:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if j < middle:
            low = i
        if middle < i:
            high = j
    upper = values[middle]
    lower = upper
    if size % 2 == 0:
        lower = values[0]
        for i in range(1, middle):
            lower = max(lower, values[i])
    return 0.5 * (lower + upper)


@compiled
def teaches(row: Any) -> Any:
    """Tell whether enough of a day was measured for its least power to be the day's."""
    shares = 0.0
    for part in range(4):
        shares += row[PART0_VALID_SHARE + part] * STEPS[PART0_VALID_SHARE]
    return shares >= 4 * MIN_DAY_COVERAGE


@compiled
def _minima(rows: Any, first: Any, last: Any, scratch: Any) -> Any:
    """Collect the least powers of the days that teach; return how many there are."""
    size = 0
    for d in range(first, last):
        if teaches(rows[d]):
            scratch[size] = rows[d, MINIMUM_W] * _MINIMUM_STEP_W
            size += 1
    return size


@compiled
def standby_levels(rows: Any, n_before: Any, first_day: Any, fridge_w: Any, level_w: Any) -> Any:
    """Fill the standby level of each target day; return the robust spread of the daily minima [W].

    Parameters
    ----------
    rows : ndarray of uint16, shape (days, N_COLUMNS)
        What came before, then the target days.
    n_before : int
        Days before the target days.
    first_day : int, [days since 1970-01-01]
        Of the target days.
    fridge_w : float, [W]
        What a fridge adds to a day's least power.
    level_w : ndarray of float64, shape (target days,), [W]
    """
    n_days = rows.shape[0]
    scratch = np.empty(STANDBY_REFERENCE_DAYS)
    size = _minima(rows, max(n_days - STANDBY_REFERENCE_DAYS, 0), n_days, scratch)
    if size == 0:
        level_w[:] = 0.0
        return 0.0
    reference_w = median_of(scratch, size)
    for i in range(size):
        scratch[i] = abs(scratch[i] - reference_w)
    spread_w = NORMAL_MAD * median_of(scratch, size)
    day = 0
    while day < level_w.size:
        weekday = (first_day + day + THURSDAY) % DAYS_PER_WEEK
        sunday = min(day + DAYS_PER_WEEK - weekday, level_w.size)
        n_week = _minima(rows, max(n_before + day - weekday, 0), n_before + sunday, scratch)
        week_w = median_of(scratch, n_week)
        trust = n_week / (n_week + STANDBY_REFERENCE_WEIGHT)
        level = max(reference_w + trust * (week_w - reference_w) - fridge_w, 0.0)
        for d in range(day, sunday):
            level_w[d] = level
        day = sunday
    return spread_w
