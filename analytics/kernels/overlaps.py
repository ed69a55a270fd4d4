"""Energy of a less important channel, laid into the stretches a more important one leaves open."""

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from analytics.kernels.checks import require_array
from analytics.kernels.scaling import share_of

LAST_COUNTED = 3
"""Codes up to ESTIMATED carry energy (`analytics.quality`)."""
ESTIMATED = 3

Stretches = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int16]]
"""Start, end, energy and quality."""


@njit(cache=True)
def _covered_energy(start: Any, end: Any, energy: Any, from_us: Any, to_us: Any) -> Any:
    """Return the energy of one piece within a stretch of it; adjacent stretches add up exactly."""
    duration = end - start
    return share_of(energy, to_us - start, duration) - share_of(energy, from_us - start, duration)


@njit(cache=True)
def _fill_uncovered(
    upper_start: Any,
    upper_end: Any,
    upper_energy: Any,
    lower_start: Any,
    lower_end: Any,
    lower_energy: Any,
    lower_quality: Any,
    lower_whole: Any,
) -> Any:
    most = lower_start.size + upper_start.size
    start = np.empty(most, dtype=np.int64)
    end = np.empty(most, dtype=np.int64)
    energy = np.zeros(most, dtype=np.int64)
    quality = np.empty(most, dtype=np.int16)
    n, first, upper = 0, 0, 0
    while first < lower_start.size:
        last = first
        while last < lower_start.size and lower_whole[last] == lower_whole[first]:
            last += 1
        first_out, total, covered, is_touched = n, 0, 0, False
        for i in range(first, last):
            total += lower_energy[i]
            while upper < upper_start.size and upper_end[upper] <= lower_start[i]:
                upper += 1
            position, j = lower_start[i], upper
            while j < upper_start.size and upper_start[j] < lower_end[i]:
                from_us = max(upper_start[j], lower_start[i])
                to_us = min(upper_end[j], lower_end[i])
                covered += _covered_energy(upper_start[j], upper_end[j], upper_energy[j], from_us, to_us)
                is_touched = True
                if from_us > position:
                    start[n], end[n], quality[n] = position, from_us, lower_quality[i]
                    n += 1
                position = to_us
                j += 1
            if position < lower_end[i]:
                start[n], end[n], quality[n] = position, lower_end[i], lower_quality[i]
                n += 1
        if not is_touched:
            energy[first_out:n] = lower_energy[first:last]
        elif n > first_out and lower_quality[first] <= LAST_COUNTED:
            _spread(start, end, energy, (first_out, n), max(total - covered, 0))
            quality[first_out:n] = ESTIMATED
        first = last
    return start[:n].copy(), end[:n].copy(), energy[:n].copy(), quality[:n].copy()


@njit(cache=True)
def _spread(start: Any, end: Any, energy: Any, bounds: Any, amount: Any) -> None:
    """Spread an amount evenly over the time of some stretches, exactly."""
    first, last = bounds
    open_us = 0
    for i in range(first, last):
        open_us += end[i] - start[i]
    elapsed = 0
    for i in range(first, last):
        before = share_of(amount, elapsed, open_us)
        elapsed += end[i] - start[i]
        energy[i] = share_of(amount, elapsed, open_us) - before


def fill_uncovered(
    *,
    upper: Stretches,
    lower: Stretches,
    lower_whole: npt.NDArray[np.int64],
) -> Stretches:
    """Cut `lower` to the time `upper` leaves open and give it the energy `upper` leaves over.

    A difference (pieces of the same `lower_whole`) that nothing covers stays as it is. Of one that is
    partly covered, the energy not covered, at least 0, is spread evenly over its open stretches as
    ESTIMATED, so that the total is the difference's. One that is wholly covered gives nothing.

    Parameters
    ----------
    upper : Stretches, shape (m,) each, [µs], [µs], [µWh]
        Sorted, not overlapping, energies >= 0 that count.
    lower : Stretches, shape (n,) each, [µs], [µs], [µWh]
        Sorted, not overlapping; pieces without counted energy keep their code and carry 0.
    lower_whole : ndarray of int64, shape (n,)
        The difference each piece is part of; never decreasing.

    Returns
    -------
    Stretches
        Sorted, overlapping neither each other nor `upper`.

    Raises
    ------
    BrokenContractError
        An array has another dtype or shape.
    """
    for name, (start, end, energy, quality) in (("upper", upper), ("lower", lower)):
        require_array(f"{name} start", start, np.int64)
        require_array(f"{name} end", end, np.int64, start.size)
        require_array(f"{name} energy", energy, np.int64, start.size)
        require_array(f"{name} quality", quality, np.int16, start.size)
    require_array("lower_whole", lower_whole, np.int64, lower[0].size)
    filled: Stretches = _fill_uncovered(*upper[:3], *lower, lower_whole)
    return filled
