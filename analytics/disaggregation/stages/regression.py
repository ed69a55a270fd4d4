"""The sums and equations of a regression of a home's days on the weather, as `thermal` chooses its terms.

    kWh_d = a + b weekend_d + l dark_d + u_h max(0, B_h - T_d) + u_c max(0, T_d - B_c)

Days weigh half after `SEASON_HALF_LIFE_DAYS`. One pass over them adds up their products in bins of temperature
between the bases of the grid: the degrees below a base are B - T in the bins below it, so the sums of every base
follow from those of the bins. The same with the energy of each part of the day, whose equations are those of
the day (see `daytime`). Each choice of bases is then a system of at most five equations.
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
SATURDAY = 5
MIN_SHARE = 0.8
"""Share of a day that must be measured, but for parts that never are."""
KWH_PER_W = 0.006 * STEPS[PART0_POWER_W]
"""Energy of a part of a day at a step of power."""
MIN_PART_SHARE = 0.2
"""Share of a part of a day below which the part is taken at the day's mean."""
WHOLE, LEAST = round(1.0 / STEPS[PART0_VALID_SHARE]), round(MIN_PART_SHARE / STEPS[PART0_VALID_SHARE])
"""A whole part and that share, in steps of the statistics."""
(W, WT, WTT, WY, WTY, WD, WTD, WF, WTF, WP), WTP, N_SUMS = range(10), 12, 15
"""Sums of a bin of temperature: products of the weight `w`, the temperature `t`, the day's energy `y`, its dark hours
`d`, whether it is free `f`, and the energy `p` of each of the first three parts of the day."""
(FD, FY, DD, DY, YY, FP), DP, PP, N_MORE = range(6), 8, 11, 15
"""Further sums of all days, all with the weight; `PP` of all four parts of the day."""

_BASES = np.array(HEATING_BASES_C + COOLING_BASES_C)
_EDGES = np.unique(_BASES)
_EDGE_OF = np.searchsorted(_EDGES, _BASES)
"""Where each base is among the edges of the bins."""


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
    part_common, part_base, part_squares : arrays of shape (N_PARTS, N_COMMON), (N_PARTS, N_BASES), (N_PARTS,)
        Products of the energy of each part of the day with the common terms, each base's degrees and itself.
    """

    common: npt.NDArray[np.float64]
    with_base: npt.NDArray[np.float64]
    prior: npt.NDArray[np.float64]
    precision: npt.NDArray[np.float64]
    matrix: npt.NDArray[np.float64]
    right: npt.NDArray[np.float64]
    gram: npt.NDArray[np.float64]
    solution: npt.NDArray[np.float64]
    part_common: npt.NDArray[np.float64]
    part_base: npt.NDArray[np.float64]
    part_squares: npt.NDArray[np.float64]


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
        np.empty((N_PARTS, N_COMMON)),
        np.empty((N_PARTS, N_BASES)),
        np.empty(N_PARTS),
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
            known += int(rows[d, PART0_VALID_SHARE + part] >= LEAST)
        count += int(known > 0.1 * days)
    return count


@compiled
def energies_of(row: Any, n_parts: Any) -> Any:
    """Return a day's energy, -1 where too little was measured, and that of its first three parts [kWh].

    A part that was hardly measured has the day's mean. `n_parts` says how many parts of a day are measured at all.
    """
    one, two, three = (
        row[PART0_POWER_W] * KWH_PER_W,
        row[PART0_POWER_W + 1] * KWH_PER_W,
        row[PART0_POWER_W + 2] * KWH_PER_W,
    )
    least = min(row[PART0_VALID_SHARE], row[PART0_VALID_SHARE + 1])
    if min(least, row[PART0_VALID_SHARE + 2], row[PART0_VALID_SHARE + 3]) >= WHOLE:
        return one + two + three + row[PART0_POWER_W + 3] * KWH_PER_W, one, two, three
    kwh = day_kwh(row, n_parts)
    one = one if row[PART0_VALID_SHARE] >= LEAST else kwh / N_PARTS
    two = two if row[PART0_VALID_SHARE + 1] >= LEAST else kwh / N_PARTS
    three = three if row[PART0_VALID_SHARE + 2] >= LEAST else kwh / N_PARTS
    return kwh, one, two, three


@compiled
def bin_of(celsius: Any) -> Any:
    """Return the bin of a temperature between the bases of the grid."""
    at = 0
    for edge in range(_EDGES.size):
        at += int(celsius >= _EDGES[edge])
    return at


@compiled
def add_days(
    rows: Any, first_day: Any, mean_c: Any, dark_h: Any, n_parts: Any, has_weather: Any, bins: Any, more: Any
) -> Any:
    """Add up the products of the days of which enough was measured; return how many these are.

    Parameters
    ----------
    n_parts : int
        How many parts of a day are measured at all in this home.
    has_weather : bool
        Warmth and the parts of the day matter too; else all days are in one bin without them.
    bins, more : ndarray of float64, shapes (edges + 1, N_SUMS), (N_MORE,)
        Zeros, filled.
    """
    count = np.int64(0)
    # Sums of all days have a name each, so that they stay in registers.
    fd, fy, dd, dy, yy = 0.0, 0.0, 0.0, 0.0, 0.0
    f_1, f_2, f_3, d_1, d_2, d_3, p_1, p_2, p_3, p_4 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    growth = 2.0 ** (1.0 / SEASON_HALF_LIFE_DAYS)
    weight = growth ** -rows.shape[0]
    weekday = (first_day + THURSDAY - 1) % DAYS_PER_WEEK
    for d in range(rows.shape[0]):
        weight *= growth
        weekday = weekday + 1 if weekday < DAYS_PER_WEEK - 1 else 0
        kwh, one, two, three = energies_of(rows[d], n_parts)
        if kwh < 0:
            continue
        count += 1
        is_free = weekday >= SATURDAY
        celsius, y, dark = mean_c[d], weight * kwh, weight * dark_h[d]
        sums = bins[bin_of(celsius) if has_weather else 0]
        sums[W] += weight
        sums[WY] += y
        sums[WD] += dark
        dd += dark * dark_h[d]
        dy += dark * kwh
        yy += y * kwh
        if is_free:
            sums[WF] += weight
            fd += dark
            fy += y
        if not has_weather:
            continue
        four = kwh - (one + two + three)
        y_1, y_2, y_3 = weight * one, weight * two, weight * three
        sums[WT] += weight * celsius
        sums[WTT] += weight * celsius * celsius
        sums[WTY] += y * celsius
        sums[WTD] += dark * celsius
        for part, weighed in enumerate((y_1, y_2, y_3)):
            sums[WP + part] += weighed
            sums[WTP + part] += weighed * celsius
        d_1, d_2, d_3 = d_1 + dark * one, d_2 + dark * two, d_3 + dark * three
        p_1, p_2, p_3, p_4 = p_1 + y_1 * one, p_2 + y_2 * two, p_3 + y_3 * three, p_4 + weight * four * four
        if is_free:
            sums[WTF] += weight * celsius
            f_1, f_2, f_3 = f_1 + y_1, f_2 + y_2, f_3 + y_3
    more[FD], more[FY], more[DD], more[DY], more[YY] = fd, fy, dd, dy, yy
    more[FP], more[FP + 1], more[FP + 2] = f_1, f_2, f_3
    more[DP], more[DP + 1], more[DP + 2] = d_1, d_2, d_3
    more[PP], more[PP + 1], more[PP + 2], more[PP + 3] = p_1, p_2, p_3, p_4
    return count


@compiled
def add_up(
    rows: Any, first_day: Any, mean_c: Any, dark_h: Any, n_parts: Any, has_weather: Any, equations: Any
) -> Any:
    """Fill the weighted sums of products of the regression; return days, sum of weights and of y².

    Parameters
    ----------
    has_weather : bool
        The bases matter too.
    equations : Equations
        `common` is filled with the products of the common terms with each other, and with y in the last
        column, `with_base` with those of each base's degrees with the common terms, themselves and y,
        `part_*` with those of the parts of the day.
    """
    bins, more = np.zeros((_EDGES.size + 1, N_SUMS)), np.zeros(N_MORE)
    count = add_days(rows, first_day, mean_c, dark_h, n_parts, has_weather, bins, more)
    for at in range(1, bins.shape[0]):
        for k in range(N_SUMS):
            bins[at, k] += bins[at - 1, k]
    whole, common = bins[_EDGES.size], equations.common
    common[0, 0], common[0, 1], common[0, 2], common[0, 3] = whole[W], whole[WF], whole[WD], whole[WY]
    common[1, 1], common[1, 2], common[1, 3] = whole[WF], more[FD], more[FY]
    common[2, 2], common[2, 3] = more[DD], more[DY]
    if not has_weather:
        return count, whole[W], more[YY]
    last = N_PARTS - 1
    equations.part_common[last] = common[:, N_COMMON]
    for part in range(last):
        equations.part_common[part, 0] = whole[WP + part]
        equations.part_common[part, 1] = more[FP + part]
        equations.part_common[part, 2] = more[DP + part]
        equations.part_common[last] -= equations.part_common[part]
        equations.part_squares[part] = more[PP + part]
    equations.part_squares[last] = more[PP + last]
    sums = np.empty(N_SUMS)
    for base in range(N_BASES):
        # The degrees are sign (T - B): below a heating base of the sums up to it, above a cooling base of the rest.
        at, edge = _BASES[base], _EDGE_OF[base]
        sign = -1.0 if base < N_HEATING else 1.0
        for k in range(N_SUMS):
            sums[k] = bins[edge, k] if base < N_HEATING else whole[k] - bins[edge, k]
        degrees_of = equations.with_base[base]
        degrees_of[0] = sign * (sums[WT] - at * sums[W])
        degrees_of[1] = sign * (sums[WTF] - at * sums[WF])
        degrees_of[2] = sign * (sums[WTD] - at * sums[WD])
        degrees_of[3] = max(sums[WTT] - 2.0 * at * sums[WT] + at * at * sums[W], 0.0)
        degrees_of[4] = sign * (sums[WTY] - at * sums[WY])
        equations.part_base[last, base] = degrees_of[4]
        for part in range(last):
            equations.part_base[part, base] = sign * (sums[WTP + part] - at * sums[WP + part])
            equations.part_base[last, base] -= equations.part_base[part, base]
    return count, whole[W], more[YY]


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
