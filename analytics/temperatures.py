"""Temperatures as they were measured -> temperatures of whole hours."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from analytics.calendar import SECOND_US
from analytics.errors import BrokenContractError

HOUR_US: Final = 3600 * SECOND_US
LONGEST_GAP_US: Final = 3 * HOUR_US
"""Between two measurements that are joined by a straight line; synoptic stations report every 3 hours."""


@dataclass(frozen=True, kw_only=True, eq=False)
class WholeHours:
    """Temperatures of whole hours, in order, each hour once.

    Parameters
    ----------
    hour_us : ndarray of int64, shape (h,), [µs since the epoch, UTC]
    temperature_c : ndarray of float64, shape (h,), [°C]
        At the instant of the hour, not its mean.
    is_interpolated : ndarray of bool, shape (h,)
        Nothing was measured at this very instant.
    is_stray : ndarray of bool, shape (n,)
        Measurements, in the order they came, that no hour could be made of: none within the gap on the
        other side of a whole hour.
    """

    hour_us: npt.NDArray[np.int64]
    temperature_c: npt.NDArray[np.float64]
    is_interpolated: npt.NDArray[np.bool_]
    is_stray: npt.NDArray[np.bool_]


def to_whole_hours(time_us: npt.NDArray[np.int64], temperature_c: npt.NDArray[np.float64]) -> WholeHours:
    """Return the temperature of every whole hour that was measured, or lies between two close measurements.

    A measurement on the hour is taken as it is. Between two that are at most three hours apart the
    temperature is taken as a straight line. Of several for one instant the last one counts.

    Parameters
    ----------
    time_us : ndarray of int64, shape (n,), [µs since the epoch, UTC]
        In any order.
    temperature_c : ndarray of float64, shape (n,), [°C]
        Finite.

    Raises
    ------
    BrokenContractError
        The shapes differ, or a temperature is not finite.
    """
    if time_us.shape != temperature_c.shape or not np.isfinite(temperature_c).all():
        raise BrokenContractError("temperatures need an instant each, and to be finite")
    order = np.argsort(time_us, kind="stable")
    at, measured = time_us[order], temperature_c[order]
    is_last = np.append(at[1:] != at[:-1], np.ones(min(at.size, 1), dtype=np.bool_))
    at, measured = at[is_last], measured[is_last]
    hour_us, left = _hours_between(at)
    # What is on the hour is its own right neighbour too.
    right = np.where(at[left] == hour_us, left, left + 1)
    span = at[right] - at[left]
    weight = np.where(span > 0, (hour_us - at[left]) / np.maximum(span, 1), 0.0)
    yields = np.zeros(at.size, dtype=np.bool_)
    yields[left] = yields[right] = True
    return WholeHours(
        hour_us=hour_us,
        temperature_c=measured[left] + weight * (measured[right] - measured[left]),
        is_interpolated=span > 0,
        is_stray=~_of_yielding_run(at, yields)[np.searchsorted(at, time_us)],
    )


def _hours_between(at: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the whole hours that can be told, and the last measurement not after each."""
    first = -(-at // HOUR_US)
    is_joined = np.diff(at) <= LONGEST_GAP_US
    # From each measurement up to, not including, the next where they are close; else its own instant.
    end = np.append(np.where(is_joined, first[1:], at[:-1] // HOUR_US + 1), at[-1:] // HOUR_US + 1)
    count = np.maximum(end - first, 0)
    left = np.repeat(np.arange(at.size), count)
    within = np.arange(left.size) - np.repeat(np.cumsum(count) - count, count)
    return (first[left] + within) * HOUR_US, left


def _of_yielding_run(at: npt.NDArray[np.int64], yields: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Tell of each measurement whether it, or one it is joined to, gave an hour."""
    first_run = np.zeros(min(at.size, 1), dtype=np.int64)
    run = np.append(first_run, np.cumsum(np.diff(at) > LONGEST_GAP_US))
    return np.asarray(np.bincount(run, yields)[run] > 0)
