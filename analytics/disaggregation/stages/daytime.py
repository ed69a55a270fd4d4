"""Heating and cooling by the four parts of the day: when a home heats, and how its energy is given to intervals.

The regression of a day's energy on the weather is linear in it, so the same equations with the energy of a part
of the day on their right side say what that part has of each slope, and the parts add up to the day. What they
say is shrunk towards the degree-hours of the parts in the month, the more the less it is known:

    f_p = t_p u_p / u + (1 - t_p) degree-hours_p / degree-hours,    t_p = s² / (s² + var(u_p / u))

with s = `PART_SPREAD`, none below 0, scaled to a sum of 1. A day's energy is u times its degrees times the
measured share of the parts, weighed by f. It is given to the intervals of each part by their degree-hours, at
most what they have left, and what does not fit to the other intervals of the day in proportion to what they have.
"""

from typing import Any

import numpy as np

from analytics.disaggregation.columns import PART0_VALID_SHARE, STEPS
from analytics.disaggregation.priors import (
    BASE_ERROR_K,
    DARK_PARTS,
    PART_SPREAD,
    SEASON_INDEPENDENT,
    THERMAL_DOUBT,
)
from analytics.disaggregation.stages import compiled
from analytics.disaggregation.stages.days import PART_S
from analytics.disaggregation.stages.regression import (
    COOL,
    DARK,
    HEAT,
    N_COMMON,
    N_HEATING,
    N_PARTS,
    N_TERMS,
    degrees,
    rest_of,
    substitute,
)
from analytics.disaggregation.stages.sums import add_up

NOTHING_WH = 1e-6
"""What rounding may leave of a day's energy."""


@compiled
def solve_part(equations: Any, part: Any, heat: Any, cool: Any, solution: Any) -> Any:
    """Fill a part's coefficients by the equations that `fit` left; return the squares that are left."""
    gram, right, size = equations.gram, equations.right, np.int64(N_COMMON)
    for i in range(N_COMMON):
        right[i] = equations.part_common[part, i]
    for base in (heat, cool):
        if base >= 0:
            right[size] = equations.part_base[part, base]
            size += 1
    for i in range(size):
        gram[i, N_TERMS] = right[i]
    right[DARK] += equations.precision[DARK] * equations.prior[DARK] * DARK_PARTS[part]
    at = N_COMMON
    for term in (HEAT, COOL):
        if (heat if term == HEAT else cool) >= 0:
            right[at] += equations.precision[term] * equations.prior[term] / N_PARTS
            at += 1
    substitute(equations.matrix, right, size, solution)
    return rest_of(gram, size, equations.part_squares[part], solution)


@compiled
def split_parts(equations: Any, weights: Any, heat: Any, cool: Any, inverse: Any, known: Any, found: Any) -> None:
    """Fill what each part of the day has of the slopes and how far it is to be trusted.

    Parameters
    ----------
    equations : Equations
        As `fit` left them, with the chosen bases.
    weights : float
        Sum of the days' weights.
    inverse : ndarray of float64, shape (2,)
        Variance of the slopes of heating and cooling in terms of the noise.
    known : float
        Measured share of the temperatures.
    found : Signature
    """
    solution = np.empty(N_TERMS)
    spread = PART_SPREAD[1] + (PART_SPREAD[0] - PART_SPREAD[1]) * known
    for part in range(N_PARTS):
        noise = solve_part(equations, part, heat, cool, solution) / weights / SEASON_INDEPENDENT
        at = N_COMMON
        for k in range(2):
            if (heat if k == 0 else cool) >= 0:
                slope = found.slope[k]
                variance = noise * inverse[k]
                found.part_share[k, part] = solution[at] / slope if slope > 0 else 1.0 / N_PARTS
                doubt = (spread * slope) ** 2
                found.part_trust[k, part] = doubt / (doubt + variance) if doubt > 0 else 0.0
                at += 1


@compiled
def cut_parts(wall_s: Any, low: Any, high: Any, ends: Any) -> None:
    """Fill where the parts of a day begin among its intervals `low:high`, and the end of the last.

    Parameters
    ----------
    wall_s : ndarray of int32, shape (n,), [s]
    ends : ndarray of int64, shape (N_PARTS + 1,)
    """
    ends[0], ends[N_PARTS] = low, high
    for part in range(1, N_PARTS):
        first, last = ends[part - 1], high
        while first < last:
            middle = (first + last) // 2
            if wall_s[middle] < part * PART_S:
                first = middle + 1
            else:
                last = middle
        ends[part] = first


@compiled
def fill_shape(base: Any, celsius: Any, duration_s: Any, residual_wh: Any, shape: Any) -> None:
    """Fill the degree-seconds of intervals that have energy left, 0 for others."""
    for i in range(shape.size):
        shape[i] = degrees(base, celsius[i]) * duration_s[i] if residual_wh[i] > 0 else 0.0


@compiled
def shape_parts(
    base: Any,
    share: Any,
    trust: Any,
    celsius: Any,
    wall_s: Any,
    duration_s: Any,
    residual_wh: Any,
    cuts: Any,
    part_share: Any,
    shape: Any,
) -> None:
    """Fill the shares of the parts of the day in a month, and the shape of each day by parts and degree-hours.

    Parameters
    ----------
    base : int
        Of the grid.
    share, trust : ndarray of float64, shape (N_PARTS,)
        What each part has of the slope, and how far that is to be trusted.
    celsius, wall_s, duration_s, residual_wh : arrays of shape (n,)
    cuts : ndarray of int64, shape (target days + 1,)
        First interval of each day, and the end of the last one's.
    part_share : ndarray of float64, shape (N_PARTS,)
        Filled; together 1.
    shape : ndarray of float64, shape (n,)
        Filled within the days.
    """
    n_days = cuts.size - 1
    kelvins, ends = np.empty((n_days, N_PARTS)), np.empty((n_days, N_PARTS + 1), dtype=np.int64)
    first, last = cuts[0], cuts[n_days]
    fill_shape(base, celsius[first:last], duration_s[first:last], residual_wh[first:last], shape[first:last])
    for d in range(n_days):
        cut_parts(wall_s, cuts[d], cuts[d + 1], ends[d])
        for part in range(N_PARTS):
            kelvins[d, part] = add_up(shape[ends[d, part] : ends[d, part + 1]])
    whole = kelvins.sum()
    for part in range(N_PARTS):
        usual = kelvins[:, part].sum() / whole if whole > 0 else 1.0 / N_PARTS
        part_share[part] = max(trust[part] * share[part] + (1.0 - trust[part]) * usual, 0.0)
    whole = part_share.sum()
    for part in range(N_PARTS):
        part_share[part] = part_share[part] / whole if whole > 0 else 1.0 / N_PARTS
    for d in range(n_days):
        for part in range(N_PARTS):
            low, high = ends[d, part], ends[d, part + 1]
            shape_, rest_wh, length_s = shape[low:high], residual_wh[low:high], duration_s[low:high]
            if kelvins[d, part] > 0:
                factor = part_share[part] / kelvins[d, part]
                for i in range(shape_.size):
                    shape_[i] *= factor
                continue
            seconds = np.int64(0)
            for i in range(shape_.size):
                seconds += length_s[i] if rest_wh[i] > 0 else 0
            for i in range(shape_.size):
                if rest_wh[i] > 0:
                    shape_[i] = part_share[part] * length_s[i] / seconds


@compiled
def month_energy(
    slope: Any, variance: Any, base: Any, mean_c: Any, measured: Any, rows: Any, part_share: Any, day_wh: Any
) -> Any:
    """Fill heating or cooling of each target day by its degrees [Wh]; return the variance of the month [Wh²].

    It is that of the slope and of degree-days, and what a base that is off by `BASE_ERROR_K` would add.

    Parameters
    ----------
    slope, variance : float, [kWh/K] and its square
    base : int
        Of the grid.
    mean_c, measured : ndarray of float64, shape (target days,)
        Effective temperature and measured share of the temperature.
    rows : ndarray of uint16, shape (target days, N_COLUMNS)
        Of which the valid shares of the parts of the day are read.
    part_share : ndarray of float64, shape (N_PARTS,)
    """
    total, more, known, n_days = 0.0, 0.0, 0.0, day_wh.size
    shift = -BASE_ERROR_K if base < N_HEATING else BASE_ERROR_K
    for d in range(n_days):
        valid = 0.0
        for part in range(N_PARTS):
            valid += part_share[part] * rows[d, PART0_VALID_SHARE + part] * STEPS[PART0_VALID_SHARE]
        kelvins = degrees(base, mean_c[d]) * valid
        total += kelvins
        more += degrees(base, mean_c[d] + shift) * valid - kelvins
        known += measured[d] / max(n_days, 1)
        day_wh[d] = 1000.0 * slope * kelvins
    doubt = THERMAL_DOUBT[1] + (THERMAL_DOUBT[0] - THERMAL_DOUBT[1]) * known
    return 1e6 * (total * total * (variance + (doubt * slope) ** 2) + (more * slope) ** 2)


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
        low, high = cuts[d], cuts[d + 1]
        shape_, rest_wh, given_wh = shape[low:high], residual_wh[low:high], out_wh[low:high]
        weight = add_up(shape_)
        factor = day_wh[d] / weight if weight > 0 else 0.0
        for i in range(shape_.size):
            given_wh[i] = min(factor * shape_[i], rest_wh[i])
        got = add_up(given_wh)
        short = day_wh[d] - got
        if short <= NOTHING_WH:
            continue
        left = add_up(rest_wh) - got
        part = min(short / left, 1.0) if left > 0 else 0.0
        for i in range(shape_.size):
            given_wh[i] = min(given_wh[i] + part * (rest_wh[i] - given_wh[i]), rest_wh[i])
