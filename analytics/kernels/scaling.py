"""Exact scaling of register steps to micro-watt-hours in 64-bit integers.

A step is worth `numerator / denominator` µWh. The products never leave int64 for the bounds below.
"""

from fractions import Fraction
from typing import Any

from numba import njit

from analytics.errors import BrokenContractError

MAX_NUMERATOR = 2**61
MAX_DENOMINATOR = 2**31
"""Bounds of µWh per step: a rest below the denominator, times such a rest, stays below 2**62."""

MAX_ENERGY_UWH = 2.0e18
"""Largest energy of one difference [µWh]: 2 TWh; above is out of range."""


def require_scale(uwh_per_step: Fraction) -> tuple[int, int]:
    """Return the numerator and denominator of µWh per step, within the bounds of exact scaling.

    Raises
    ------
    BrokenContractError
        The factor is not positive, or too fine or too large for exact 64-bit scaling.
    """
    numerator, denominator = uwh_per_step.numerator, uwh_per_step.denominator
    if not 0 < numerator <= MAX_NUMERATOR or denominator > MAX_DENOMINATOR:
        raise BrokenContractError(f"µWh per step cannot be scaled exactly: {uwh_per_step}")
    return numerator, denominator


@njit(cache=True)
def scale_rest(rest: Any, numerator: Any, denominator: Any) -> Any:
    """Split `rest * numerator / denominator`, 0 <= rest < denominator, into a floor and a remainder."""
    whole_factor = numerator // denominator
    product = rest * (numerator - whole_factor * denominator)
    return rest * whole_factor + product // denominator, product % denominator


@njit(cache=True)
def scale_difference(before: Any, after: Any, numerator: Any, denominator: Any) -> Any:
    """Return the energy between two register values, each rounded half up on its own [µWh].

    Rounding the register rather than the difference diffuses the error: the energies of successive
    differences add up to the rounded energy of the whole, and no window changes them.
    """
    turns_before, turns_after = before // denominator, after // denominator
    floor_before, left_before = scale_rest(before - turns_before * denominator, numerator, denominator)
    floor_after, left_after = scale_rest(after - turns_after * denominator, numerator, denominator)
    energy = (turns_after - turns_before) * numerator + (floor_after - floor_before)
    if 2 * left_after >= denominator:
        energy += 1
    if 2 * left_before >= denominator:
        energy -= 1
    return energy


@njit(cache=True)
def share_of(amount: Any, elapsed: Any, duration: Any) -> Any:
    """Return what of an amount >= 0, spread evenly over a duration, falls in its first part.

    Never decreasing in `elapsed`, 0 at 0 and the whole amount at `duration`, so that differences of
    shares are exact parts. Durations stay below 2**53.
    """
    rest = amount % duration
    return (amount // duration) * elapsed + int(float(rest) * (elapsed / duration))
