"""Stage 8, reconciliation: what the stages and the survey say becomes what the meter says, exactly.

Each class of a month has an energy e and a variance v, `others` too. What is missing or too much is borne in
proportion to the variances,

    x = e + v (T - sum e) / sum v,    x >= 0, and 0 for what is not owned,

first for the month, which scales the classes' days, then for each day with v_d = (r x_d)² + a floor, so that
the parts of every day add up to its total, and so those of every week and of the month. What is left of the
variances is widened by factors fitted on labelled homes: no home is quite as the stages take it. Charges of a
vehicle and the energy of intervals that teach nothing (`others`) are as they are. Printed parts are whole mWh.

Source: method, stage 8; conditioning independent normal variables on their sum.
"""

from typing import Any

import numpy as np

from analytics.disaggregation.classes import N_CLASSES, OTHERS, VEHICLE
from analytics.disaggregation.priors import BOUND_FACTORS, BOUND_RESOLUTION_S, DAY_DOUBT, DAY_FLOOR
from analytics.disaggregation.stages import compiled

MWH_UWH = 1000
BOUND_SIGMAS = 1.2816
"""Standard deviations either side of the mean of a normal distribution that hold 80 % of it."""

_RESOLUTION_S, _FACTORS = np.array(BOUND_RESOLUTION_S), np.array(BOUND_FACTORS)


@compiled
def fit_total(energy: Any, variance: Any, total: Any) -> None:
    """Move energies >= 0 in place to a sum, in proportion to their variances; none becomes negative.

    A class of variance 0 stays as it is, unless the others cannot bear the difference: then all are scaled.
    """
    for _ in range(N_CLASSES):
        missing = total - energy.sum()
        if abs(missing) <= 1e-9 * max(total, 1.0):
            return
        free = 0.0
        for k in range(energy.size):
            if missing > 0 or energy[k] > 0:
                free += variance[k]
        if free <= 0:
            break
        is_clipped = False
        for k in range(energy.size):
            if missing > 0 or energy[k] > 0:
                energy[k] += variance[k] / free * missing
                if energy[k] < 0:
                    energy[k] = 0.0
                    is_clipped = True
        if not is_clipped:
            return
    whole = energy.sum()
    if whole > 0:
        for k in range(energy.size):
            energy[k] *= total / whole
    else:
        energy[OTHERS] = total


@compiled
def reconcile_month(energy: Any, variance: Any, total: Any) -> None:
    """Fit a month's energies [Wh] to its total and turn the variances into what is left of them [Wh²]."""
    fit_total(energy, variance, total)
    whole = variance.sum()
    for k in range(N_CLASSES):
        if whole > 0:
            # Rounding may bring a class that bears all alone below zero.
            variance[k] = max(variance[k] - variance[k] * (variance[k] / whole), 0.0)


@compiled
def widen(variance: Any, resolution_s: Any) -> None:
    """Multiply the standard deviations of a month's classes so that bounds hold what they say, in place [Wh²].

    Parameters
    ----------
    variance : ndarray of float64, shape (N_CLASSES,), [Wh²]
    resolution_s : float, [s]
        Mean length of the home's intervals.
    """
    for k in range(N_CLASSES):
        factor = np.interp(resolution_s, _RESOLUTION_S, _FACTORS[k])
        variance[k] *= factor * factor


@compiled
def reconcile_days(energy: Any, day_wh: Any, total_wh: Any) -> None:
    """Scale each class's days to its month, then fit each day to its total; both in place [Wh].

    Parameters
    ----------
    energy : ndarray of float64, shape (N_CLASSES,), [Wh]
    day_wh : ndarray of float64, shape (N_CLASSES, days), [Wh]
    total_wh : ndarray of float64, shape (days,), [Wh]
        Of what is to be shared out.
    """
    n_days = total_wh.size
    whole = total_wh.sum()
    part, doubt = np.empty(N_CLASSES), np.empty(N_CLASSES)
    for k in range(N_CLASSES):
        found = day_wh[k].sum()
        for d in range(n_days):
            if found > 0:
                day_wh[k, d] *= energy[k] / found
            elif whole > 0:
                day_wh[k, d] = energy[k] * total_wh[d] / whole
    for d in range(n_days):
        for k in range(N_CLASSES):
            part[k] = day_wh[k, d]
            floor = DAY_FLOOR * energy[k] / n_days
            doubt[k] = DAY_DOUBT[k] ** 2 * (part[k] * part[k] + floor * floor)
        fit_total(part, doubt, total_wh[d])
        for k in range(N_CLASSES):
            day_wh[k, d] = part[k]


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

    A vehicle comes first, so that its charges are printed as they were found.

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
        for turn in range(N_CLASSES):
            k = VEHICLE if turn == 0 else (turn - 1 if turn <= VEHICLE else turn)
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
        reach = np.int64(min(BOUND_SIGMAS * np.sqrt(variance[k]) * 1000.0, float(total)))
        lower_mwh[k] = max(month_mwh - reach, 0)
        upper_mwh[k] = min(month_mwh + reach, total)
