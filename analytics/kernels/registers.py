"""Readings of one channel into pieces of interval energy.

Times and durations are [µs], energies [µWh]. The quality codes are those of `analytics.quality`.
"""

from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from analytics.kernels.checks import require_array
from analytics.kernels.scaling import MAX_ENERGY_UWH, require_scale, scale_difference, scale_rest
from analytics.quality import Quality

Pieces = tuple[
    npt.NDArray[np.int64],
    npt.NDArray[np.int64],
    npt.NDArray[np.int64],
    npt.NDArray[np.int16],
    npt.NDArray[np.int64],
]
"""Start, duration, energy, quality and the index of the difference each piece is part of."""

# A compiled kernel wants plain integers.
MEASURED, ROLLOVER, SPREAD, ESTIMATED = 0, 1, 2, 3
RESET, EXCHANGE, NEGATIVE, IMPLAUSIBLE = 4, 5, 6, 7
if tuple(Quality) != (MEASURED, ROLLOVER, SPREAD, ESTIMATED, RESET, EXCHANGE, NEGATIVE, IMPLAUSIBLE):
    raise AssertionError("the kernel's quality codes are not those of analytics.quality")

MINUTE_US = 60_000_000
HOUR_US = 3_600_000_000
DAY_US = 86_400_000_000
MAX_SPAN_US = 400 * DAY_US
"""Longest difference that is still spread: a yearly reading that came a month late."""

UNKNOWN = -1
LARGEST_MODULUS = 10**18
MANY_DIFFERENCES = 10
UNUSUAL_POWER_RATIO = 20.0
"""A rollover that needs more than this times the largest usual power is a reset. Own choice."""


@njit(cache=True)
def _average_power_w(steps: Any, uwh_per_step: Any, duration_us: Any) -> Any:
    return steps * uwh_per_step * 3600.0 / duration_us


@njit(cache=True)
def _power_limit_w(times_us: Any, values: Any, exchanged: Any, uwh_per_step: Any, max_power_w: Any) -> Any:
    """Return the power a rollover may imply: usual powers bound it once there are enough of them."""
    count, largest = 0, 0.0
    for i in range(times_us.size - 1):
        if values[i + 1] > values[i] and not exchanged[i]:
            steps = float(values[i + 1]) - float(values[i])
            power_w = _average_power_w(steps, uwh_per_step, times_us[i + 1] - times_us[i])
            if power_w <= max_power_w:
                count += 1
                largest = max(largest, power_w)
    if count >= MANY_DIFFERENCES:
        return min(max_power_w, UNUSUAL_POWER_RATIO * largest)
    return max_power_w


@njit(cache=True)
def _decimal_modulus(peak: Any, digits: Any, scale: Any) -> Any:
    """Return 10**digits in steps, or for unknown digits the least that holds `peak`; 0 if too large."""
    modulus = scale * 10
    if digits != UNKNOWN:
        for _ in range(digits - 1):
            if modulus >= LARGEST_MODULUS:
                return 0
            modulus *= 10
        return modulus
    while modulus <= peak:
        if modulus >= LARGEST_MODULUS:
            return 0
        modulus *= 10
    return modulus


@njit(cache=True)
def _rollover_modulus(before: Any, after: Any, peak: Any, digits: Any, scale: Any, most_steps: Any) -> Any:
    """Return the first modulus that makes a fall a plausible rollover, else 0.

    The binary counters of 24 and 32 bits, and of 23 bits in tenths (838860.7), exist in the field.
    """
    if after < 0:
        return 0
    candidates = np.zeros(4, dtype=np.int64)
    candidates[0] = _decimal_modulus(peak, digits, scale)
    if digits == UNKNOWN and scale < 10**8:
        candidates[1] = 2**24 * scale
        candidates[2] = 2**32 * scale
        if scale % 10 == 0:
            candidates[3] = 2**23 * (scale // 10)
    for modulus in candidates:
        if before < modulus and peak < modulus and float(after - before + modulus) <= most_steps:
            return modulus
    return 0


@njit(cache=True)
def _mark_exchanges(times_us: Any, exchanges_us: Any) -> Any:
    """Mark the differences in which, or at whose end, the meter was exchanged."""
    exchanged = np.zeros(times_us.size - 1, dtype=np.bool_)
    for instant in exchanges_us:
        i = np.searchsorted(times_us, instant) - 1
        if 0 <= i < exchanged.size:
            exchanged[i] = True
    return exchanged


@njit(cache=True)
def _difference(
    times_us: Any,
    values: Any,
    exchanges_us: Any,
    numerator: Any,
    denominator: Any,
    digits: Any,
    scale: Any,
    past_max: Any,
    max_power_w: Any,
) -> Any:
    n = times_us.size - 1
    energy = np.zeros(n, dtype=np.int64)
    quality = np.empty(n, dtype=np.int16)
    uwh_per_step = numerator / denominator
    exchanged = _mark_exchanges(times_us, exchanges_us)
    rollover_power_w = _power_limit_w(times_us, values, exchanged, uwh_per_step, max_power_w)
    peak = past_max
    for i in range(n):
        before, after = values[i], values[i + 1]
        duration = times_us[i + 1] - times_us[i]
        peak = max(peak, before)
        if exchanged[i]:
            quality[i] = EXCHANGE
            peak = 0  # the new meter has its own width
        elif duration > MAX_SPAN_US:
            quality[i] = IMPLAUSIBLE
        elif after >= before:
            steps = float(after) - float(before)
            power_w = _average_power_w(steps, uwh_per_step, duration)
            if power_w > max_power_w or steps * uwh_per_step > MAX_ENERGY_UWH:
                quality[i] = IMPLAUSIBLE
            else:
                quality[i] = MEASURED
                energy[i] = scale_difference(before, after, numerator, denominator)
        else:
            most_steps = min(rollover_power_w * duration / 3600.0, MAX_ENERGY_UWH) / uwh_per_step
            modulus = _rollover_modulus(before, after, peak, digits, scale, most_steps)
            if modulus > 0:
                quality[i] = ROLLOVER
                energy[i] = scale_difference(before, after + modulus, numerator, denominator)
            else:
                quality[i] = RESET
    return energy, quality


@njit(cache=True)
def _value_intervals(
    times_us: Any,
    values: Any,
    numerator: Any,
    denominator: Any,
    interval_us: Any,
    max_power_w: Any,
) -> Any:
    n = times_us.size
    ends_us = np.empty(n, dtype=np.int64)
    energy = np.zeros(n, dtype=np.int64)
    quality = np.empty(n, dtype=np.int16)
    uwh_per_step = numerator / denominator
    day, carry = 0, 0
    for i in range(n):
        ends_us[i] = times_us[i] + interval_us
        if i + 1 < n:
            ends_us[i] = min(ends_us[i], times_us[i + 1])
        if i == 0 or times_us[i] // DAY_US != day:
            day = times_us[i] // DAY_US
            carry = denominator // 2
        steps = float(values[i])
        if values[i] < 0:
            quality[i] = NEGATIVE
        elif (
            _average_power_w(steps, uwh_per_step, interval_us) > max_power_w
            or steps * uwh_per_step > MAX_ENERGY_UWH
        ):
            quality[i] = IMPLAUSIBLE
        else:
            quality[i] = MEASURED
            turns = values[i] // denominator
            floor, left = scale_rest(values[i] - turns * denominator, numerator, denominator)
            carry += left
            energy[i] = turns * numerator + floor + carry // denominator
            carry %= denominator
    return ends_us, energy, quality


@njit(cache=True)
def _n_pieces(duration: Any, interval_us: Any) -> Any:
    if duration > MAX_SPAN_US:
        return 1
    if interval_us > HOUR_US:
        return -(-duration // HOUR_US)
    if 2 * duration > 3 * interval_us:
        # Half up. Minutes are fine enough for a gap above a day: one of a year stays small.
        length = interval_us if duration <= DAY_US else max(interval_us, MINUTE_US)
        return max((2 * duration + length) // (2 * length), 1)
    return 1


@njit(cache=True)
def _cut(starts_us: Any, ends_us: Any, energy: Any, quality: Any, interval_us: Any) -> Any:
    n = 0
    for i in range(starts_us.size):
        n += _n_pieces(ends_us[i] - starts_us[i], interval_us)
    start = np.empty(n, dtype=np.int64)
    length = np.empty(n, dtype=np.int64)
    part = np.empty(n, dtype=np.int64)
    code = np.empty(n, dtype=np.int16)
    whole = np.empty(n, dtype=np.int64)
    k = 0
    for i in range(starts_us.size):
        duration = ends_us[i] - starts_us[i]
        pieces = _n_pieces(duration, interval_us)
        label = quality[i]
        if label <= ESTIMATED and 2 * duration > 3 * interval_us:
            label = ESTIMATED
        elif label <= ESTIMATED and pieces > 1:
            label = SPREAD
        step_us, rest_us = duration // pieces, duration % pieces
        step_uwh, rest_uwh = energy[i] // pieces, energy[i] % pieces
        for j in range(pieces):
            # Cumulative rounding in integers: the pieces add up to the difference, in time and energy.
            extra_us = rest_us * j // pieces
            extra_uwh = rest_uwh * j // pieces
            start[k] = starts_us[i] + step_us * j + extra_us
            length[k] = step_us + rest_us * (j + 1) // pieces - extra_us
            part[k] = step_uwh + rest_uwh * (j + 1) // pieces - extra_uwh
            code[k] = label
            whole[k] = i
            k += 1
    return start, length, part, code, whole


def difference_readings(
    times_us: npt.NDArray[np.int64],
    values: npt.NDArray[np.int64],
    *,
    exchanges_us: npt.NDArray[np.int64],
    uwh_per_step: Fraction,
    exponent: int,
    register_digits: int | None,
    past_max: int | None,
    interval_us: int,
    max_power_w: float,
) -> Pieces:
    """Difference a cumulative register into pieces whose energies add up to it exactly.

    Parameters
    ----------
    times_us : ndarray of int64, shape (n,), [µs]
        Strictly increasing.
    values : ndarray of int64, shape (n,), [steps of 10**-exponent units]
    exchanges_us : ndarray of int64, shape (k,), [µs]
    uwh_per_step : Fraction, [µWh per step]
    exponent : int, 0 <= exponent <= 16
    register_digits : int or None
        Whole digits the register shows; None derives them from the past readings.
    past_max : int or None, [steps]
        Largest reading before the first of these.
    interval_us : int, [µs]
    max_power_w : float, [W]

    Returns
    -------
    Pieces

    Raises
    ------
    BrokenContractError
        An array has another dtype or shape, or the factor cannot be scaled exactly.
    """
    require_array("times_us", times_us, np.int64)
    require_array("values", values, np.int64, times_us.size)
    require_array("exchanges_us", exchanges_us, np.int64)
    numerator, denominator = require_scale(uwh_per_step)
    if times_us.size < 2:
        return _no_pieces()
    energy, quality = _difference(
        times_us,
        values,
        exchanges_us,
        numerator,
        denominator,
        UNKNOWN if register_digits is None else register_digits,
        10**exponent,
        0 if past_max is None else min(past_max, LARGEST_MODULUS),
        max_power_w,
    )
    pieces: Pieces = _cut(times_us[:-1], times_us[1:], energy, quality, interval_us)
    return pieces


def value_intervals(
    times_us: npt.NDArray[np.int64],
    values: npt.NDArray[np.int64],
    *,
    uwh_per_step: Fraction,
    interval_us: int,
    max_power_w: float,
) -> Pieces:
    """Scale interval values, each the energy of the interval that starts at its time, exactly.

    Where µWh per step is not whole, the rounding error is carried on within each UTC day, so that the
    energy of a day is within 1 µWh of the exact sum.

    Parameters
    ----------
    times_us : ndarray of int64, shape (n,), [µs]
        Strictly increasing.
    values : ndarray of int64, shape (n,), [steps]
    uwh_per_step : Fraction, [µWh per step]
    interval_us : int, [µs]
    max_power_w : float, [W]

    Returns
    -------
    Pieces

    Raises
    ------
    BrokenContractError
        An array has another dtype or shape, or the factor cannot be scaled exactly.
    """
    require_array("times_us", times_us, np.int64)
    require_array("values", values, np.int64, times_us.size)
    numerator, denominator = require_scale(uwh_per_step)
    if times_us.size == 0:
        return _no_pieces()
    ends_us, energy, quality = _value_intervals(times_us, values, numerator, denominator, interval_us, max_power_w)
    pieces: Pieces = _cut(times_us, ends_us, energy, quality, interval_us)
    return pieces


def _no_pieces() -> Pieces:
    empty = np.empty(0, dtype=np.int64)
    return empty, empty, empty, np.empty(0, dtype=np.int16), empty
