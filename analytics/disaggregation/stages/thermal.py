"""Stage 4, heating and cooling, and how a home's use follows darkness: one regression on 13 months of days.

    kWh_d = a + b weekend_d + l dark_d + u_h max(0, B_h - T_d) + u_c max(0, T_d - B_c)

with u >= 0, days weighted by age, `l` and, for a home that says what it owns, `u` shrunk to their priors.
The bases are those of a grid that leave the least, each chosen beside the other and with what is usual of bases.
Whether a home without a list heats or cools at all is decided by the information criterion of
n log(rss / n) + k log n, with n the independent days: of its days or, where temperatures are known, of one part of
its days. `T` is the effective temperature (see `season`). What darkness explains is no heating: it also tells
lights from warmth.

Of the climate normal only the season is known, which much else follows. So few days are independent there, and
what is to be heating must stand out of the rest of a cold day.

A month's energy is u times its degree-days, by the parts of the day (see `daytime`).

Source: method, stage 4; CalTRACK 2.0 (grid of bases, degree-days) and OpenEEmeter.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from analytics.disaggregation.priors import (
    BASE_C,
    BASE_DOUBT_K,
    COOLING_BASES_C,
    COOLING_KWH_PER_K,
    HEATING_BASES_C,
    HEATING_KWH_PER_K,
    LIGHTS_KWH_PER_DARK_H,
    LIGHTS_PRIOR_DOUBT,
    MIN_SEASON_DAYS,
    NORMAL_INDEPENDENT,
    NORMAL_KWH,
    NORMAL_SHARE,
    PART_HINT,
    SEASON_INDEPENDENT,
    SIGNIFICANT_BIC,
    THERMAL_PRIOR_DOUBT,
)
from analytics.disaggregation.stages import compiled
from analytics.disaggregation.stages.daytime import solve_part, split_parts
from analytics.disaggregation.stages.home import (
    COOLS,
    HAS_LIST,
    HEAT_PUMPS,
    HEATS,
    HEATS_BY_AC,
    HEATS_BY_BOILER,
)
from analytics.disaggregation.stages.regression import (
    COOL,
    DARK,
    HEAT,
    N_BASES,
    N_COMMON,
    N_COOLING,
    N_HEATING,
    N_PARTS,
    N_TERMS,
    add_up,
    fit,
    measured_parts,
    new_equations,
)
from analytics.disaggregation.stages.survey import size_of

_UNUSUAL = np.array(
    [((base - BASE_C[0]) / BASE_DOUBT_K[0]) ** 2 for base in HEATING_BASES_C]
    + [((base - BASE_C[1]) / BASE_DOUBT_K[1]) ** 2 for base in COOLING_BASES_C]
)
"""How unusual each base of the grid is, as twice a logarithm of a likelihood."""


class Signature(NamedTuple):
    """What the weather explains of a home's days; heating first, then cooling.

    Parameters
    ----------
    slope, variance : ndarray of float64, shape (2,), [kWh/K] and its square
    base : ndarray of int64, shape (2,)
        An index of the grid, -1 for none.
    part_share, part_trust : ndarray of float64, shape (2, N_PARTS)
        What each part of the day has of the slope, and how far that is to be trusted, 0 to 1.
    lights : ndarray of float64, shape (1,), [kWh per dark hour]
    """

    slope: npt.NDArray[np.float64]
    variance: npt.NDArray[np.float64]
    base: npt.NDArray[np.int64]
    part_share: npt.NDArray[np.float64]
    part_trust: npt.NDArray[np.float64]
    lights: npt.NDArray[np.float64]


@compiled
def new_signature() -> Any:
    """Return the signature of a home that neither heats nor cools nor lights."""
    return Signature(
        np.zeros(2),
        np.zeros(2),
        np.full(2, -1, dtype=np.int64),
        np.full((2, N_PARTS), 1.0 / N_PARTS),
        np.zeros((2, N_PARTS)),
        np.zeros(1),
    )


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
def set_priors(home: Any, noise: Any, equations: Any) -> None:
    """Fill mean and weight of the coefficients' priors, the weights in terms of the noise [kWh²]."""
    prior, precision = equations.prior, equations.precision
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
def best_base(term: Any, other: Any, n: Any, equations: Any, squares: Any) -> Any:
    """Return the likeliest base of heating or cooling with a positive slope, or -1, what it leaves, and its slope.

    Parameters
    ----------
    other : int
        Base of the other of the two, -1 for none.
    n : float
        Independent days.
    """
    none: Any = np.int64(-1)  # typed, so that no variant is compiled for a constant
    least, best, slope, chosen = np.inf, np.inf, 0.0, none
    for base in range(0 if term == HEAT else N_HEATING, N_HEATING if term == HEAT else N_BASES):
        with_heat = base if term == HEAT else other
        with_cool = other if term == HEAT else base
        rss, _ = fit(equations, squares, with_heat, with_cool)
        # n log(rss) + its unusualness, which is a small part of n.
        weighed = rss * (1.0 + _UNUSUAL[base] / n)
        if equations.solution[term] > 0 and weighed < least:
            least, best, slope, chosen = weighed, rss, equations.solution[term], base
    return chosen, best, slope


@compiled
def stands_out(base: Any, slope: Any, weights: Any, equations: Any) -> Any:
    """Tell whether heating or cooling is much on its days, in itself and in terms of what else a mean day takes."""
    kelvins, squares = equations.with_base[base, 0], equations.with_base[base, 3]
    rest = (equations.common[0, N_COMMON] - slope * kelvins) / weights
    return slope * squares >= max(NORMAL_KWH, NORMAL_SHARE * rest) * kelvins


@compiled
def shows_in_a_part(term: Any, base: Any, other: Any, n: Any, equations: Any, squares: Any) -> Any:
    """Tell whether a part of the day follows the weather beyond doubt, though the whole day does not.

    Parameters
    ----------
    equations : Equations
        As `fit` left them without the term; filled with it.
    """
    none: Any = np.int64(-1)  # typed, so that no variant is compiled for a constant
    without, solution = np.empty(N_PARTS), np.empty(N_TERMS)
    for part in range(N_PARTS):
        without[part] = solve_part(
            equations, part, none if term == HEAT else other, other if term == HEAT else none, solution
        )
    heat, cool = base if term == HEAT else other, other if term == HEAT else base
    fit(equations, squares, heat, cool)
    at = N_COMMON if term == HEAT or heat < 0 else N_COMMON + 1
    # The best of four parts is one of four chances.
    least = np.log(n) + SIGNIFICANT_BIC + 2.0 * np.log(N_PARTS)
    for part in range(N_PARTS):
        rest = solve_part(equations, part, heat, cool, solution)
        if solution[at] > 0 and n * np.log(without[part] / rest) >= least:
            return True
    return False


@compiled
def choose(
    term: Any, other: Any, is_owned: Any, n: Any, known: Any, equations: Any, weights: Any, squares: Any
) -> Any:
    """Return the base of heating or cooling, -1 for none.

    Parameters
    ----------
    is_owned : bool
        It is on the list; else it must be beyond doubt.
    n : float
        Independent days.
    known : float
        Measured share of the temperatures.
    """
    none = np.int64(-1)  # typed, so that no variant is compiled for a constant
    base, rest, slope = best_base(term, other, n, equations, squares)
    if is_owned or base < 0:
        return base
    least = np.log(n) + SIGNIFICANT_BIC
    heat_only, cool_only = none if term == HEAT else other, other if term == HEAT else none
    without, _ = fit(equations, squares, heat_only, cool_only)
    evidence = n * np.log(without / rest)
    if known < 0.5:
        return base if evidence >= least and stands_out(base, slope, weights, equations) else none
    if evidence >= least:
        return base
    # Of what the whole day does not even hint at, a part has nothing to tell.
    return base if evidence >= PART_HINT and shows_in_a_part(term, base, other, n, equations, squares) else none


@compiled
def assume(home: Any, equations: Any, found: Any) -> None:
    """Fill what a survey says of a home of which too little is known."""
    set_priors(home, 1.0, equations)
    for k in range(2):
        found.slope[k] = equations.prior[HEAT + k]
        found.variance[k] = (THERMAL_PRIOR_DOUBT * equations.prior[HEAT + k]) ** 2
    found.base[0] = N_HEATING // 2 if can_heat(home) == 1 else -1
    found.base[1] = N_HEATING + N_COOLING // 2 if can_cool(home) == 1 else -1
    found.lights[0] = equations.prior[DARK]


@compiled
def regress(home: Any, rows: Any, first_day: Any, mean_c: Any, dark_h: Any, measured: Any, found: Any) -> None:
    """Fill what the weather explains of a home's days.

    Parameters
    ----------
    rows : ndarray of uint16, shape (days, N_COLUMNS)
    first_day : int, [days since 1970-01-01]
    mean_c, dark_h, measured : ndarray of float64, shape (days,)
        Effective temperature, dark waking hours and measured share of the temperature.
    found : Signature
    """
    equations = new_equations()
    heats, cools = can_heat(home), can_cool(home)
    has_weather = heats > 0 or cools > 0
    count, weights, squares = add_up(rows, first_day, mean_c, dark_h, N_PARTS, has_weather, equations)
    if count < MIN_SEASON_DAYS:
        n_parts = measured_parts(rows)
        if 0 < n_parts < N_PARTS:
            count, weights, squares = add_up(rows, first_day, mean_c, dark_h, n_parts, has_weather, equations)
    if count < MIN_SEASON_DAYS:
        assume(home, equations, found)
        return
    known = measured.mean()
    n = max(weights * (NORMAL_INDEPENDENT + (SEASON_INDEPENDENT - NORMAL_INDEPENDENT) * known), 4.0)
    noise = squares / weights - (equations.common[0, N_COMMON] / weights) ** 2
    heat, cool = np.int64(-1), np.int64(-1)
    for turn in range(2):
        # What each day tells counts for its independent share only.
        set_priors(home, max(noise, 1e-6) / SEASON_INDEPENDENT, equations)
        if turn == 0:
            # Of all that a home's days differ, the weather may be most: the noise is what it leaves.
            equations.precision[HEAT], equations.precision[COOL] = 0.0, 0.0
        if heats > 0:
            heat = choose(HEAT, cool, heats == 1, n, known, equations, weights, squares)
        if cools > 0:
            cool = choose(COOL, heat, cools == 1, n, known, equations, weights, squares)
        noise = fit(equations, squares, heat, cool)[0] / weights
    noise /= SEASON_INDEPENDENT
    inverse = np.zeros(2)
    if heat >= 0:
        inverse[0] = fit(equations, squares, heat, np.int64(-1))[1]
    _, last = fit(equations, squares, heat, cool)
    if cool >= 0:
        inverse[1] = last
    found.base[0], found.base[1] = heat, cool
    for k in range(2):
        found.slope[k] = max(equations.solution[HEAT + k], 0.0)
        found.variance[k] = inverse[k] * noise
    found.lights[0] = max(equations.solution[DARK], 0.0)
    if heat >= 0 or cool >= 0:
        split_parts(equations, weights, heat, cool, inverse, known, found)
