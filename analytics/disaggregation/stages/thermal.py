"""Stage 4, heating and cooling, and how a home's use follows darkness: one regression on 13 months of days.

    kWh_d = a + b weekend_d + l dark_d + u_h max(0, B_h - T_d) + u_c max(0, T_d - B_c)

with u >= 0, days weighted by age, `l` and, for a home that says what it owns, `u` shrunk to their priors.
The bases are those of a grid that leave the least; whether a home without a list heats or cools at all is
decided by the information criterion of n log(rss / n) + k log n, with n the independent days. `T` is the
effective temperature (see `season`). What darkness explains is no heating: it also tells lights from warmth.

A month's energy is u times its degree-days. It is given to intervals by their degree-hours, at most what
they have left, and what does not fit to the other intervals of the day in proportion to what they have.

Source: method, stage 4; CalTRACK 2.0 (grid of bases, degree-days) and OpenEEmeter.
"""

from typing import Any

import numpy as np

from analytics.disaggregation.columns import PART0_POWER_W, PART0_VALID_SHARE, STEPS
from analytics.disaggregation.priors import (
    COOLING_BASES_C,
    COOLING_KWH_PER_K,
    HEATING_BASES_C,
    HEATING_KWH_PER_K,
    LIGHTS_KWH_PER_DARK_H,
    LIGHTS_PRIOR_DOUBT,
    MIN_SEASON_DAYS,
    SEASON_HALF_LIFE_DAYS,
    SEASON_INDEPENDENT,
    SIGNIFICANT_BIC,
    THERMAL_DOUBT,
    THERMAL_PRIOR_DOUBT,
)
from analytics.disaggregation.stages import compiled
from analytics.disaggregation.stages.home import (
    COOLS,
    HAS_LIST,
    HEAT_PUMPS,
    HEATS,
    HEATS_BY_AC,
    HEATS_BY_BOILER,
)
from analytics.disaggregation.stages.standby import DAYS_PER_WEEK, THURSDAY
from analytics.disaggregation.stages.survey import size_of

N_HEATING, N_COOLING = len(HEATING_BASES_C), len(COOLING_BASES_C)
N_BASES = N_HEATING + N_COOLING
N_COMMON = 3
"""Constant, weekend and dark hours come before the degrees of heating and cooling."""
N_TERMS = N_COMMON + 2
CONSTANT, WEEKEND, DARK, HEAT, COOL = range(N_TERMS)
MIN_SHARE = 0.8
"""Share of a day that must be measured."""

_BASES = np.array(HEATING_BASES_C + COOLING_BASES_C)


@compiled
def degrees(base: Any, celsius: Any) -> Any:
    """Return the kelvins below a heating base or above a cooling base of the grid."""
    return max(_BASES[base] - celsius, 0.0) if base < N_HEATING else max(celsius - _BASES[base], 0.0)


@compiled
def day_kwh(row: Any) -> Any:
    """Return a day's energy [kWh] at the mean power of its measured parts, -1 where too little was measured."""
    share, energy = 0.0, 0.0
    for part in range(4):
        valid = row[PART0_VALID_SHARE + part] * STEPS[PART0_VALID_SHARE]
        share += valid
        energy += valid * row[PART0_POWER_W + part] * STEPS[PART0_POWER_W]
    return energy / share * 0.024 if share >= 4 * MIN_SHARE else -1.0


@compiled
def is_weekend(day: Any) -> Any:
    """Tell whether a day since 1970-01-01 is a Saturday or Sunday."""
    return 1.0 if (day + THURSDAY) % DAYS_PER_WEEK >= 5 else 0.0


@compiled
def add_up(
    rows: Any,
    first_day: Any,
    mean_c: Any,
    dark_h: Any,
    common: Any,
    with_base: Any,
    first_base: Any,
    end_base: Any,
) -> Any:
    """Fill the weighted sums of products of the regression; return days, sum of weights and of y².

    Parameters
    ----------
    first_base, end_base : int
        Bases outside them are not looked at, and have sums of 0.
    common : ndarray, shape (N_COMMON, N_COMMON + 1)
        Products of the common terms with each other, and with y in the last column.
    with_base : ndarray, shape (N_BASES, N_COMMON + 2)
        Products of each base's degrees with the common terms, themselves and y.
    """
    common[:] = 0.0
    with_base[:] = 0.0
    count, weights, squares = 0, 0.0, 0.0
    n_days = rows.shape[0]
    cold, warm = np.empty((n_days, N_COMMON + 2)), np.empty((n_days, N_COMMON + 2))
    n_cold, n_warm = 0, 0
    decay = 0.5 ** (1.0 / SEASON_HALF_LIFE_DAYS)
    weight = decay**n_days
    for d in range(n_days):
        weight /= decay
        kwh = day_kwh(rows[d])
        if kwh < 0:
            continue
        weekend, dark = weight * is_weekend(first_day + d), weight * dark_h[d]
        if mean_c[d] < HEATING_BASES_C[-1]:
            cold[n_cold, 0], cold[n_cold, 1], cold[n_cold, 2] = weight, weekend, dark
            cold[n_cold, 3], cold[n_cold, 4] = kwh, mean_c[d]
            n_cold += 1
        if mean_c[d] > COOLING_BASES_C[0]:
            warm[n_warm, 0], warm[n_warm, 1], warm[n_warm, 2] = weight, weekend, dark
            warm[n_warm, 3], warm[n_warm, 4] = kwh, mean_c[d]
            n_warm += 1
        count += 1
        weights += weight
        squares += weight * kwh * kwh
        common[0, 0] += weight
        common[0, 1] += weekend
        common[0, 2] += dark
        common[0, 3] += weight * kwh
        common[1, 1] += weekend
        common[1, 2] += weekend * dark_h[d]
        common[1, 3] += weekend * kwh
        common[2, 2] += dark * dark_h[d]
        common[2, 3] += dark * kwh
    for base in range(first_base, end_base):
        of_weight, of_weekend, of_dark, of_itself, of_kwh = 0.0, 0.0, 0.0, 0.0, 0.0
        known, n_known = (cold, n_cold) if base < N_HEATING else (warm, n_warm)
        for k in range(n_known):
            x = degrees(base, known[k, 4])
            weighed = known[k, 0] * x
            of_weight += weighed
            of_weekend += known[k, 1] * x
            of_dark += known[k, 2] * x
            of_itself += weighed * x
            of_kwh += weighed * known[k, 3]
        with_base[base, 0], with_base[base, 1], with_base[base, 2] = of_weight, of_weekend, of_dark
        with_base[base, 3], with_base[base, 4] = of_itself, of_kwh
    return count, weights, squares


@compiled
def solve(matrix: Any, right: Any, size: Any, solution: Any) -> Any:
    """Solve a positive definite system in place by Cholesky; return the last diagonal of the inverse.

    A pivot that rounding made too small is a term the others explain: it gets a solution of 0.
    """
    for j in range(size):
        pivot = matrix[j, j]
        for k in range(j):
            pivot -= matrix[j, k] ** 2
        is_free = pivot > 1e-9 * max(matrix[j, j], 1e-9)
        matrix[j, j] = np.sqrt(pivot) if is_free else 0.0
        for i in range(j + 1, size):
            value = matrix[i, j]
            for k in range(j):
                value -= matrix[i, k] * matrix[j, k]
            matrix[i, j] = value / matrix[j, j] if is_free else 0.0
    for j in range(size):
        value = right[j]
        for k in range(j):
            value -= matrix[j, k] * solution[k]
        solution[j] = value / matrix[j, j] if matrix[j, j] > 0 else 0.0
    last = matrix[size - 1, size - 1]
    for j in range(size - 1, -1, -1):
        value = solution[j]
        for k in range(j + 1, size):
            value -= matrix[k, j] * solution[k]
        solution[j] = value / matrix[j, j] if matrix[j, j] > 0 else 0.0
    return 1.0 / (last * last) if last > 0 else 0.0


@compiled
def assemble(common: Any, with_base: Any, heat: Any, cool: Any, matrix: Any, right: Any) -> Any:
    """Fill the normal equations of the chosen terms; return how many terms there are."""
    size = np.int64(N_COMMON)
    for i in range(N_COMMON):
        for j in range(i + 1):
            matrix[i, j] = common[j, i]
        right[i] = common[i, N_COMMON]
    for base in (heat, cool):
        if base >= 0:
            for j in range(N_COMMON):
                matrix[size, j] = with_base[base, j]
            if size > N_COMMON:
                matrix[size, size - 1] = 0.0  # no day is both below one base and above the other
            matrix[size, size] = with_base[base, 3]
            right[size] = with_base[base, 4]
            size += 1
    return size


@compiled
def fit(
    common: Any,
    with_base: Any,
    squares: Any,
    heat: Any,
    cool: Any,
    prior: Any,
    precision: Any,
    matrix: Any,
    right: Any,
    gram: Any,
    solution: Any,
) -> Any:
    """Fit the regression with a heating and a cooling base of the grid, -1 for none.

    Parameters
    ----------
    prior, precision : ndarray, shape (N_TERMS,)
        Mean of each coefficient's prior and its weight, in terms of the noise.
    matrix, right, gram : ndarray, shapes (N_TERMS, N_TERMS), (N_TERMS,), (N_TERMS, N_TERMS + 1)
        Room for the equations and for what they were without priors.
    solution : ndarray, shape (N_TERMS,)
        Filled with the coefficients in order of the terms; those left out are 0.

    Returns
    -------
    rss : float
        Weighted sum of squares that is left, without what the priors add.
    variance : float
        Of the last coefficient, in terms of the noise.
    """
    size = assemble(common, with_base, heat, cool, matrix, right)
    last = COOL if cool >= 0 else HEAT
    for i in range(size):
        term = i if i < N_COMMON else (last if i == size - 1 else HEAT)
        gram[i, N_TERMS] = right[i]
        for j in range(i + 1):
            gram[i, j] = matrix[i, j]
        matrix[i, i] += precision[term]
        right[i] += precision[term] * prior[term]
    variance = solve(matrix, right, size, solution)
    rss = squares
    for i in range(size):
        rss -= 2.0 * solution[i] * gram[i, N_TERMS]
        for j in range(i + 1):
            rss += (1.0 if i == j else 2.0) * solution[i] * solution[j] * gram[i, j]
    if size == N_COMMON:
        solution[HEAT], solution[COOL] = 0.0, 0.0
    elif size == N_COMMON + 1:
        if last == COOL:
            solution[COOL], solution[HEAT] = solution[HEAT], 0.0
        else:
            solution[COOL] = 0.0
    return max(rss, 1e-9 * max(squares, 1e-9)), variance


@compiled
def can_heat(home: Any) -> Any:
    """Tell how the list allows heating: 0 not at all, 1 it is owned, 2 nobody said."""
    if home[HAS_LIST] == 0:
        return 2
    return 1 if home[HEATS] + home[HEATS_BY_AC] + home[HEATS_BY_BOILER] > 0 else 0


@compiled
def can_cool(home: Any) -> Any:
    """Tell how the list allows cooling: 0 not at all, 1 it is owned, 2 nobody said."""
    if home[HAS_LIST] == 0:
        return 2
    return 1 if home[COOLS] > 0 else 0


@compiled
def set_priors(home: Any, noise: Any, prior: Any, precision: Any) -> None:
    """Fill mean and weight of the coefficients' priors, the weights in terms of the noise [kWh²]."""
    prior[:] = 0.0
    precision[:] = 0.0
    size = np.sqrt(size_of(home))
    prior[DARK] = LIGHTS_KWH_PER_DARK_H * size
    precision[DARK] = noise / (LIGHTS_PRIOR_DOUBT * prior[DARK]) ** 2
    if can_heat(home) == 1:
        is_pump = home[HEATS] + home[HEATS_BY_BOILER] - home[HEAT_PUMPS] <= 0
        prior[HEAT] = (HEATING_KWH_PER_K[1] if is_pump else HEATING_KWH_PER_K[0]) * size
        precision[HEAT] = noise / (THERMAL_PRIOR_DOUBT * prior[HEAT]) ** 2
    if can_cool(home) == 1:
        prior[COOL] = COOLING_KWH_PER_K * size
        precision[COOL] = noise / (THERMAL_PRIOR_DOUBT * prior[COOL]) ** 2


@compiled
def best_base(
    term: Any,
    heat: Any,
    common: Any,
    with_base: Any,
    squares: Any,
    prior: Any,
    precision: Any,
    matrix: Any,
    right: Any,
    gram: Any,
    solution: Any,
) -> Any:
    """Return the base of heating or cooling that leaves least with a positive slope, or -1, and what it leaves."""
    none: Any = np.int64(-1)  # typed, so that no variant is compiled for a constant
    best, chosen = np.inf, none
    for base in range(0 if term == HEAT else N_HEATING, N_HEATING if term == HEAT else N_BASES):
        with_heat = base if term == HEAT else heat
        with_cool = none if term == HEAT else base
        rss, _ = fit(
            common, with_base, squares, with_heat, with_cool, prior, precision, matrix, right, gram, solution
        )
        if solution[term] > 0 and rss < best:
            best, chosen = rss, base
    return chosen, best


@compiled
def is_significant(n: Any, without: Any, rest: Any) -> Any:
    """Tell whether a term lowers the information criterion by enough to be believed."""
    return rest < np.inf and n * np.log(without / rest) >= np.log(n) + SIGNIFICANT_BIC


@compiled
def regress(home: Any, rows: Any, first_day: Any, mean_c: Any, dark_h: Any, found: Any) -> None:
    """Fill what the weather explains of a home's days.

    Parameters
    ----------
    found : ndarray of float64, shape (7,)
        Heating [kWh/K], its variance and base (an index, -1 for none), the same for cooling, and lights
        [kWh per dark hour].
    """
    common, with_base = np.empty((N_COMMON, N_COMMON + 1)), np.empty((N_BASES, N_COMMON + 2))
    matrix, right, solution = np.empty((N_TERMS, N_TERMS)), np.empty(N_TERMS), np.empty(N_TERMS)
    gram = np.empty((N_TERMS, N_TERMS + 1))
    prior, precision = np.empty(N_TERMS), np.empty(N_TERMS)
    heats, cools = can_heat(home), can_cool(home)
    count, weights, squares = add_up(
        rows,
        first_day,
        mean_c,
        dark_h,
        common,
        with_base,
        0 if heats > 0 else N_HEATING,
        N_BASES if cools > 0 else N_HEATING,
    )
    if count < MIN_SEASON_DAYS:
        set_priors(home, 1.0, prior, precision)
        found[0], found[1] = prior[HEAT], (THERMAL_PRIOR_DOUBT * prior[HEAT]) ** 2
        found[2] = N_HEATING // 2 if heats == 1 else -1
        found[3], found[4] = prior[COOL], (THERMAL_PRIOR_DOUBT * prior[COOL]) ** 2
        found[5] = N_HEATING + N_COOLING // 2 if cools == 1 else -1
        found[6] = prior[DARK]
        return
    n = max(weights * SEASON_INDEPENDENT, 4.0)
    noise = squares / weights - (common[0, N_COMMON] / weights) ** 2
    none = np.int64(-1)  # typed, so that no variant is compiled for a constant
    heat, cool, rss, variance = none, none, 0.0, 0.0
    for _ in range(2):
        # What each day tells counts for its independent share only.
        set_priors(home, max(noise, 1e-6) / SEASON_INDEPENDENT, prior, precision)
        heat, cool = none, none
        rss, variance = fit(
            common, with_base, squares, none, none, prior, precision, matrix, right, gram, solution
        )
        if heats > 0:
            heat, best = best_base(
                HEAT, none, common, with_base, squares, prior, precision, matrix, right, gram, solution
            )
            if heats == 2 and not is_significant(n, rss, best):
                heat = none
            rss = best if heat >= 0 else rss
        if cools > 0:
            cool, best = best_base(
                COOL, heat, common, with_base, squares, prior, precision, matrix, right, gram, solution
            )
            if cools == 2 and not is_significant(n, rss, best):
                cool = none
            rss = best if cool >= 0 else rss
        noise = rss / weights
    noise /= SEASON_INDEPENDENT
    found[1] = 0.0
    if heat >= 0:
        rss, variance = fit(
            common, with_base, squares, heat, none, prior, precision, matrix, right, gram, solution
        )
        found[1] = variance * noise
    rss, variance = fit(common, with_base, squares, heat, cool, prior, precision, matrix, right, gram, solution)
    found[0], found[2] = max(solution[HEAT], 0.0), heat
    found[3], found[4], found[5] = max(solution[COOL], 0.0), variance * noise if cool >= 0 else 0.0, cool
    found[6] = max(solution[DARK], 0.0)


@compiled
def month_energy(slope: Any, variance: Any, base: Any, mean_c: Any, measured: Any, share: Any, day_wh: Any) -> Any:
    """Fill heating or cooling of each target day by its degrees [Wh]; return the variance of the month [Wh²].

    Parameters
    ----------
    slope, variance : float, [kWh/K] and its square
    base : int
        Of the grid, -1 for none.
    mean_c, measured, share : ndarray of float64, shape (target days,)
        Effective temperature, measured share of the temperature and valid share of the day.
    """
    total, known, n_days = 0.0, 0.0, day_wh.size
    for d in range(n_days):
        kelvins = degrees(int(base), mean_c[d]) * share[d] if base >= 0 else 0.0
        total += kelvins
        known += measured[d] / max(n_days, 1)
        day_wh[d] = 1000.0 * slope * kelvins
    doubt = THERMAL_DOUBT[1] + (THERMAL_DOUBT[0] - THERMAL_DOUBT[1]) * known
    return 1e6 * total * total * (variance + (doubt * slope) ** 2)


@compiled
def allocate(day_wh: Any, shape: Any, cuts: Any, residual_wh: Any, out_wh: Any) -> None:
    """Give each day's energy to its intervals by a shape, then by what they have left; at most what they have.

    Parameters
    ----------
    day_wh : ndarray of float64, shape (target days,), [Wh]
    shape : ndarray of float64, shape (n,)
        Never negative; 0 where the class takes nothing at first.
    cuts : ndarray of int64, shape (target days + 1,)
        First interval of each day, and the end of the last one's.
    out_wh : ndarray of float64, shape (n,), [Wh]
        Filled on the days that have energy to give, and only there.
    """
    for d in range(day_wh.size):
        if day_wh[d] <= 0:
            continue
        weight, got, left = 0.0, 0.0, 0.0
        low, high = cuts[d], cuts[d + 1]
        shape_, rest_wh, given_wh = shape[low:high], residual_wh[low:high], out_wh[low:high]
        for i in range(shape_.size):
            weight += shape_[i]
        for i in range(shape_.size):
            given_wh[i] = min(day_wh[d] * shape_[i] / weight, rest_wh[i]) if weight > 0 else 0.0
            got += given_wh[i]
            left += rest_wh[i] - given_wh[i]
        short = day_wh[d] - got
        part = min(short / left, 1.0) if left > 0 and short > 0 else 0.0
        if part > 0:
            for i in range(shape_.size):
                given_wh[i] = min(given_wh[i] + part * (rest_wh[i] - given_wh[i]), rest_wh[i])
