"""The sums and equations of a regression of a home's days on the weather, as `thermal` chooses its terms.

    kWh_d = a + b weekend_d + l dark_d + u_h max(0, B_h - T_d) + u_c max(0, T_d - B_c)

Days weigh half after `SEASON_HALF_LIFE_DAYS`. The products of all terms are added up once; each choice of
bases is then a system of at most five equations. The same equations with a part of the day on their right
sides say what the part has of each term (see `daytime`).
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from analytics.disaggregation.columns import PART0_POWER_W, PART0_VALID_SHARE, STEPS
from analytics.disaggregation.priors import COOLING_BASES_C, HEATING_BASES_C, SEASON_HALF_LIFE_DAYS
from analytics.disaggregation.stages import compiled
from analytics.disaggregation.stages.standby import DAYS_PER_WEEK, THURSDAY

N_PARTS = 4
"""Parts of a day."""
N_HEATING, N_COOLING = len(HEATING_BASES_C), len(COOLING_BASES_C)
N_BASES = N_HEATING + N_COOLING
N_COMMON = 3
"""Constant, weekend and dark hours come before the degrees of heating and cooling."""
N_TERMS = N_COMMON + 2
CONSTANT, WEEKEND, DARK, HEAT, COOL = range(N_TERMS)
MIN_SHARE = 0.8
"""Share of a day that must be measured, but for parts that never are."""
MIN_PART_SHARE = 0.2
"""Share of a part of a day below which the part is taken at the day's mean."""
WEIGHT, IS_WEEKEND, DARK_H, CELSIUS, KWH, PART0_KWH = range(6)
"""Columns of what is known of each day; the parts follow their first."""
N_SEEN = PART0_KWH + N_PARTS

_BASES = np.array(HEATING_BASES_C + COOLING_BASES_C)


class Equations(NamedTuple):
    """The regression's sums, priors and room to solve it.

    Parameters
    ----------
    common, with_base : arrays of shape (N_COMMON, N_COMMON + 1), (N_BASES, N_COMMON + 2)
        See `add_up`.
    prior, precision : arrays of shape (N_TERMS,)
        Mean of each coefficient's prior and its weight, in terms of the noise.
    matrix, right : arrays of shape (N_TERMS, N_TERMS), (N_TERMS,)
        The equations of the chosen terms, then the matrix's factor.
    gram : ndarray of float64, shape (N_TERMS, N_TERMS + 1)
        The equations without priors, the right side last.
    solution : ndarray of float64, shape (N_TERMS,)
        The coefficients in order of the terms; those left out are 0.
    """

    common: npt.NDArray[np.float64]
    with_base: npt.NDArray[np.float64]
    prior: npt.NDArray[np.float64]
    precision: npt.NDArray[np.float64]
    matrix: npt.NDArray[np.float64]
    right: npt.NDArray[np.float64]
    gram: npt.NDArray[np.float64]
    solution: npt.NDArray[np.float64]


@compiled
def new_equations() -> Any:
    """Return room for a regression."""
    return Equations(
        np.zeros((N_COMMON, N_COMMON + 1)),
        np.zeros((N_BASES, N_COMMON + 2)),
        np.zeros(N_TERMS),
        np.zeros(N_TERMS),
        np.empty((N_TERMS, N_TERMS)),
        np.empty(N_TERMS),
        np.empty((N_TERMS, N_TERMS + 1)),
        np.empty(N_TERMS),
    )


@compiled
def degrees(base: Any, celsius: Any) -> Any:
    """Return the kelvins below a heating base or above a cooling base of the grid."""
    return max(_BASES[base] - celsius, 0.0) if base < N_HEATING else max(celsius - _BASES[base], 0.0)


@compiled
def day_kwh(row: Any, n_parts: Any) -> Any:
    """Return a day's energy [kWh] at the mean power of its measured parts, -1 where too little was measured.

    Parameters
    ----------
    n_parts : int
        How many parts of a day are measured at all in this home.
    """
    share, energy = 0.0, 0.0
    for part in range(N_PARTS):
        valid = row[PART0_VALID_SHARE + part] * STEPS[PART0_VALID_SHARE]
        share += valid
        energy += valid * row[PART0_POWER_W + part] * STEPS[PART0_POWER_W]
    return energy / share * 0.024 if share >= n_parts * MIN_SHARE else -1.0


@compiled
def measured_parts(rows: Any) -> Any:
    """Count the parts of a day that are measured on a tenth of the home's days at least."""
    count = np.int64(0)
    for part in range(N_PARTS):
        days, known = 0, 0
        for d in range(rows.shape[0]):
            most = max(
                rows[d, PART0_VALID_SHARE],
                rows[d, PART0_VALID_SHARE + 1],
                rows[d, PART0_VALID_SHARE + 2],
                rows[d, PART0_VALID_SHARE + 3],
            )
            days += int(most > 0)
            known += int(rows[d, PART0_VALID_SHARE + part] * STEPS[PART0_VALID_SHARE] >= MIN_PART_SHARE)
        count += int(known > 0.1 * days)
    return count


@compiled
def is_weekend(day: Any) -> Any:
    """Tell whether a day since 1970-01-01 is a Saturday or Sunday."""
    return 1.0 if (day + THURSDAY) % DAYS_PER_WEEK >= 5 else 0.0


@compiled
def look_at_days(rows: Any, first_day: Any, mean_c: Any, dark_h: Any, n_parts: Any, seen: Any) -> Any:
    """Fill what is known of the days of which enough was measured; return how many these are.

    Parameters
    ----------
    seen : ndarray of float64, shape (days, N_SEEN)
    """
    count = np.int64(0)
    decay = 0.5 ** (1.0 / SEASON_HALF_LIFE_DAYS)
    weight = decay ** rows.shape[0]
    for d in range(rows.shape[0]):
        weight /= decay
        kwh = day_kwh(rows[d], n_parts)
        if kwh < 0:
            continue
        day, row = seen[count], rows[d]
        day[WEIGHT], day[IS_WEEKEND], day[DARK_H] = weight, is_weekend(first_day + d), dark_h[d]
        day[CELSIUS], day[KWH] = mean_c[d], kwh
        for part in range(N_PARTS):
            is_known = row[PART0_VALID_SHARE + part] * STEPS[PART0_VALID_SHARE] >= MIN_PART_SHARE
            power_w = row[PART0_POWER_W + part] * STEPS[PART0_POWER_W]
            day[PART0_KWH + part] = power_w * 0.006 if is_known else kwh / N_PARTS
        count += 1
    return count


@compiled
def add_up(seen: Any, equations: Any, first_base: Any, end_base: Any) -> Any:
    """Fill the weighted sums of products of the regression; return the sums of weights and of y².

    Parameters
    ----------
    seen : ndarray, shape (days, N_SEEN)
        See `look_at_days`.
    first_base, end_base : int
        Bases outside them are not looked at, and have sums of 0.
    equations : Equations
        `common` is filled with the products of the common terms with each other, and with y in the last
        column, `with_base` with those of each base's degrees with the common terms, themselves and y.
    """
    common, with_base = equations.common, equations.with_base
    common[:] = 0.0
    with_base[:] = 0.0
    weights, squares = 0.0, 0.0
    n_days = seen.shape[0]
    cold, warm = np.empty((n_days, N_COMMON + 2)), np.empty((n_days, N_COMMON + 2))
    n_cold, n_warm = 0, 0
    for d in range(n_days):
        weight, dark_h, celsius, kwh = seen[d, WEIGHT], seen[d, DARK_H], seen[d, CELSIUS], seen[d, KWH]
        weekend, dark = weight * seen[d, IS_WEEKEND], weight * dark_h
        if celsius < HEATING_BASES_C[-1]:
            cold[n_cold, 0], cold[n_cold, 1], cold[n_cold, 2] = weight, weekend, dark
            cold[n_cold, 3], cold[n_cold, 4] = kwh, celsius
            n_cold += 1
        if celsius > COOLING_BASES_C[0]:
            warm[n_warm, 0], warm[n_warm, 1], warm[n_warm, 2] = weight, weekend, dark
            warm[n_warm, 3], warm[n_warm, 4] = kwh, celsius
            n_warm += 1
        weights += weight
        squares += weight * kwh * kwh
        common[0, 0] += weight
        common[0, 1] += weekend
        common[0, 2] += dark
        common[0, 3] += weight * kwh
        common[1, 1] += weekend
        common[1, 2] += weekend * dark_h
        common[1, 3] += weekend * kwh
        common[2, 2] += dark * dark_h
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
    return weights, squares


@compiled
def factor(matrix: Any, size: Any) -> Any:
    """Turn a positive definite matrix into its lower Cholesky factor in place; return the inverse's last diagonal.

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
    last = matrix[size - 1, size - 1]
    return 1.0 / (last * last) if last > 0 else 0.0


@compiled
def substitute(matrix: Any, right: Any, size: Any, solution: Any) -> None:
    """Solve the system whose matrix has this factor."""
    for j in range(size):
        value = right[j]
        for k in range(j):
            value -= matrix[j, k] * solution[k]
        solution[j] = value / matrix[j, j] if matrix[j, j] > 0 else 0.0
    for j in range(size - 1, -1, -1):
        value = solution[j]
        for k in range(j + 1, size):
            value -= matrix[k, j] * solution[k]
        solution[j] = value / matrix[j, j] if matrix[j, j] > 0 else 0.0


@compiled
def rest_of(gram: Any, size: Any, squares: Any, solution: Any) -> Any:
    """Return the weighted sum of squares that a solution leaves, by the equations without priors."""
    rss = squares
    for i in range(size):
        rss -= 2.0 * solution[i] * gram[i, N_TERMS]
        for j in range(i + 1):
            rss += (1.0 if i == j else 2.0) * solution[i] * solution[j] * gram[i, j]
    return max(rss, 1e-9 * max(squares, 1e-9))


@compiled
def assemble(equations: Any, heat: Any, cool: Any) -> Any:
    """Fill the normal equations of the chosen terms; return how many terms there are."""
    common, with_base = equations.common, equations.with_base
    matrix, right = equations.matrix, equations.right
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
def fit(equations: Any, squares: Any, heat: Any, cool: Any) -> Any:
    """Fit the regression with a heating and a cooling base of the grid, -1 for none.

    Returns
    -------
    rss : float
        Weighted sum of squares that is left, without what the priors add.
    variance : float
        Of the last coefficient, in terms of the noise.
    """
    prior, precision, solution = equations.prior, equations.precision, equations.solution
    matrix, right, gram = equations.matrix, equations.right, equations.gram
    size = assemble(equations, heat, cool)
    last = COOL if cool >= 0 else HEAT
    for i in range(size):
        term = i if i < N_COMMON else (last if i == size - 1 else HEAT)
        gram[i, N_TERMS] = right[i]
        for j in range(i + 1):
            gram[i, j] = matrix[i, j]
        matrix[i, i] += precision[term]
        right[i] += precision[term] * prior[term]
    variance = factor(matrix, size)
    substitute(matrix, right, size, solution)
    rss = rest_of(gram, size, squares, solution)
    if size == N_COMMON:
        solution[HEAT], solution[COOL] = 0.0, 0.0
    elif size == N_COMMON + 1:
        if last == COOL:
            solution[COOL], solution[HEAT] = solution[HEAT], 0.0
        else:
            solution[COOL] = 0.0
    return rss, variance
