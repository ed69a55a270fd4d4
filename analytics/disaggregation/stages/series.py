"""Exponential and logarithm by series of plain arithmetic, which a processor does for several numbers at once.

Those of the mathematical library are called number by number. Each step here is a sum, a product or a shift of
bits and rounded on its own, so that a result does not depend on how many are done at once. Errors are below
1e-14 of the result.
"""

from typing import Any

import numpy as np

from analytics.disaggregation.stages import inlined

LEAST = -700.0
"""Exponents below it count as it: the result is 1e-304."""
_LOG2_E, _LN2 = 1.4426950408889634, 0.6931471805599453
_LN2_HIGH, _LN2_LOW = 0.6931471803691238, 1.9082149292705877e-10
"""The logarithm of 2 in two parts, of which whole multiples of the first are exact."""
_ROOT_HALF_BITS = 0x3FE6A09E667F3BCD
"""Bits of the root of 0.5: numbers are taken apart into a power of 2 and a factor from there to the root of 2."""
_FRACTION_BITS, _BIAS = 52, 1023


@inlined
def exponential(x: Any) -> Any:
    """Return e to the power of a number of at most 700.

    Powers of two times the Taylor series of 11 terms about 0, for what is left is at most 0.35.
    """
    bounded = max(x, LEAST)
    twos = np.floor(bounded * _LOG2_E + 0.5)
    r = (bounded - twos * _LN2_HIGH) - twos * _LN2_LOW
    series = 1.0 / 39_916_800.0
    series = series * r + 1.0 / 3_628_800.0
    series = series * r + 1.0 / 362_880.0
    series = series * r + 1.0 / 40_320.0
    series = series * r + 1.0 / 5040.0
    series = series * r + 1.0 / 720.0
    series = series * r + 1.0 / 120.0
    series = series * r + 1.0 / 24.0
    series = series * r + 1.0 / 6.0
    series = series * r + 0.5
    series = (series * r + 1.0) * r + 1.0
    return series * np.int64((np.int64(twos) + _BIAS) << _FRACTION_BITS).view(np.float64)


@inlined
def logarithm(x: Any) -> Any:
    """Return the natural logarithm of a number > 0, by the series of log((1 + s) / (1 - s)) about 0."""
    bits = np.float64(x).view(np.int64)
    twos = (bits - _ROOT_HALF_BITS) >> _FRACTION_BITS
    factor = np.int64(bits - (twos << _FRACTION_BITS)).view(np.float64)
    s = (factor - 1.0) / (factor + 1.0)
    z = s * s
    series = 1.0 / 19.0
    series = series * z + 1.0 / 17.0
    series = series * z + 1.0 / 15.0
    series = series * z + 1.0 / 13.0
    series = series * z + 1.0 / 11.0
    series = series * z + 1.0 / 9.0
    series = series * z + 1.0 / 7.0
    series = series * z + 1.0 / 5.0
    series = series * z + 1.0 / 3.0
    return twos * _LN2 + 2.0 * (s + s * z * series)
