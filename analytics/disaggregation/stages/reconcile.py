"""Stage 8: energies of classes into printed parts that add up to the printed total of every day, exactly."""

from typing import Any

import numpy as np

from analytics.disaggregation.classes import N_CLASSES, OTHERS
from analytics.disaggregation.stages import compiled

MWH_UWH = 1000
BOUND_SIGMAS = 1.2816
"""Standard deviations either side of the mean of a normal distribution that hold 80 % of it."""


@compiled
def round_totals(total_uwh: Any, total_mwh: Any) -> None:
    """Round each day cumulatively, half to even, so that the days add up to the rounded month."""
    exact, before = 0, 0
    for d in range(total_uwh.size):
        exact += total_uwh[d]
        after, rest = exact // MWH_UWH, exact % MWH_UWH
        if 2 * rest > MWH_UWH or (2 * rest == MWH_UWH and after % 2 == 1):
            after += 1
        total_mwh[d] = after - before
        before = after


@compiled
def round_parts(total_uwh: Any, day_wh: Any, total_mwh: Any, parts_mwh: Any) -> None:
    """Round the days' totals and parts; what no class claims is `others`.

    Parameters
    ----------
    total_uwh : ndarray of int64, shape (days,), [µWh]
    day_wh : ndarray of float64, shape (N_CLASSES, days), [Wh]
        Together at most the day's total, but for rounding; `others` is not read.
    total_mwh : ndarray of int64, shape (days,), [mWh]
    parts_mwh : ndarray of int64, shape (days, N_CLASSES), [mWh]
        Never negative; each row adds up to its total.
    """
    round_totals(total_uwh, total_mwh)
    exact_mwh = np.zeros(N_CLASSES)
    before_mwh = np.zeros(N_CLASSES, dtype=np.int64)
    for d in range(total_mwh.size):
        left = total_mwh[d]
        for k in range(N_CLASSES):
            if k != OTHERS:
                exact_mwh[k] += day_wh[k, d] * 1000.0
                after = np.int64(np.rint(exact_mwh[k]))
                part = min(max(after - before_mwh[k], 0), left)
                before_mwh[k] += part
                parts_mwh[d, k] = part
                left -= part
        parts_mwh[d, OTHERS] = left


@compiled
def bound(parts_mwh: Any, variance: Any, coverage: Any, confidence: Any, lower_mwh: Any, upper_mwh: Any) -> None:
    """Fill the confidence and the 80 % bounds of each class of a month.

    The confidence is the measured share of the time, times e² / (e² + v): how far the class stands out of
    its own uncertainty. A class that is 0 beyond doubt has the coverage alone.

    Parameters
    ----------
    parts_mwh : ndarray of int64, shape (days, N_CLASSES), [mWh]
    variance : ndarray of float64, shape (N_CLASSES,), [Wh²]
    coverage : float
    confidence, lower_mwh, upper_mwh : arrays of shape (N_CLASSES,)
    """
    total = parts_mwh.sum()
    for k in range(N_CLASSES):
        month_mwh = parts_mwh[:, k].sum()
        signal = (month_mwh / 1000.0) ** 2
        whole = signal + variance[k]
        confidence[k] = coverage * (signal / whole if whole > 0 else 1.0)
        reach = min(BOUND_SIGMAS * np.sqrt(variance[k]) * 1000.0, 4e18)
        lower_mwh[k] = max(month_mwh - np.int64(reach), 0)
        upper_mwh[k] = min(month_mwh + np.int64(min(reach, float(total))), total)
