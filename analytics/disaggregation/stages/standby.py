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
_LEAST_STEPS = round(4 * MIN_DAY_COVERAGE / STEPS[PART0_VALID_SHARE])
"""Of the measured shares of a day's four parts."""


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
def kth_of(values: Any, k: Any, greatest: Any) -> Any:
    """Return the `k`-th of some whole numbers from 0 to `greatest`, counted from 0 and from the least.

    Bit by bit, the result being the greatest number with at most `k` below it: several are counted at once.
    """
    bit = np.int32(1)
    while bit <= greatest:
        bit *= np.int32(2)
    found = np.int32(0)
    while bit > 1:
        bit //= np.int32(2)
        below, tried = np.int32(0), np.int32(found + bit)
        for i in range(values.size):
            below += np.int32(values[i] < tried)
        if below <= k:
            found = tried
    return found


@compiled
def double_median_of(values: Any, size: Any) -> Any:
    """Return twice the median of the first `size` of some whole numbers >= 0, 0 without any."""
    if size == 0:
        return np.int32(0)
    known, greatest = values[:size], np.int32(0)
    for i in range(known.size):
        greatest = max(greatest, known[i])
    upper = kth_of(known, size // 2, greatest)
    if size % 2 == 1:
        return np.int32(2 * upper)
    below, under = np.int64(0), np.int32(0)
    for i in range(known.size):
        is_below = known[i] < upper
        below += np.int64(is_below)
        under = max(under, known[i] if is_below else np.int32(0))
    return np.int32(upper + (under if below == size // 2 else upper))


@compiled
def teaches(row: Any) -> Any:
    """Tell whether enough of a day was measured for its least power to be the day's."""
    steps = np.int64(0)
    for part in range(4):
        steps += row[PART0_VALID_SHARE + part]
    return steps >= _LEAST_STEPS


@compiled
def _minima(rows: Any, first: Any, last: Any, scratch: Any) -> Any:
    """Collect the least powers of the days that teach, in steps; return how many there are."""
    size = np.int64(0)
    for d in range(first, last):
        scratch[size] = rows[d, MINIMUM_W]
        size += np.int64(teaches(rows[d]))
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
    scratch = np.empty(STANDBY_REFERENCE_DAYS + 1, dtype=np.int32)
    size = _minima(rows, max(n_days - STANDBY_REFERENCE_DAYS, 0), n_days, scratch)
    if size == 0:
        level_w[:] = 0.0
        return 0.0
    double = double_median_of(scratch, size)
    reference_w = 0.5 * double * _MINIMUM_STEP_W
    for i in range(size):
        scratch[i] = abs(np.int32(2) * scratch[i] - double)
    spread_w = NORMAL_MAD * (0.25 * double_median_of(scratch, size) * _MINIMUM_STEP_W)
    day = 0
    while day < level_w.size:
        weekday = (first_day + day + THURSDAY) % DAYS_PER_WEEK
        sunday = min(day + DAYS_PER_WEEK - weekday, level_w.size)
        n_week = _minima(rows, max(n_before + day - weekday, 0), n_before + sunday, scratch)
        week_w = 0.5 * double_median_of(scratch, n_week) * _MINIMUM_STEP_W
        trust = n_week / (n_week + STANDBY_REFERENCE_WEIGHT)
        level = max(reference_w + trust * (week_w - reference_w) - fridge_w, 0.0)
        for d in range(day, sunday):
            level_w[d] = level
        day = sunday
    return spread_w
