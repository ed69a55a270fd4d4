"""Outdoor temperature of the places homes stand in, hour by hour, with the climate normal where none is known."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from analytics.climate import normal_temperature_c
from analytics.errors import BrokenContractError

HOUR_US = 3_600_000_000

NORMAL_DECIMALS = 3
"""Of the climate normal, in degrees."""


@dataclass(frozen=True, kw_only=True)
class Places:
    """Hourly temperature of each place on one grid of UTC hours.

    Parameters
    ----------
    first_hour_us : int, [µs since the epoch, UTC]
        Start of the first hour; a whole hour.
    celsius : ndarray of float64, shape (p, hours), [°C]
        Finite everywhere.
    is_measured : ndarray of bool, shape (p, hours)
        False where the climate normal stands in.
    latitude, longitude : ndarray of float64, shape (p,), [°]

    Raises
    ------
    BrokenContractError
        A shape is not as said, the first hour is no whole one or a temperature is not finite.
    """

    first_hour_us: int
    celsius: npt.NDArray[np.float64]
    is_measured: npt.NDArray[np.bool_]
    latitude: npt.NDArray[np.float64]
    longitude: npt.NDArray[np.float64]

    def __post_init__(self) -> None:
        n_places = self.latitude.size
        if self.celsius.ndim != 2 or self.celsius.shape[0] != n_places or self.longitude.size != n_places:
            raise BrokenContractError("each place has one row of temperatures, a latitude and a longitude")
        if self.is_measured.shape != self.celsius.shape:
            raise BrokenContractError("is_measured has the shape of celsius")
        if self.first_hour_us % HOUR_US or not np.isfinite(self.celsius).all():
            raise BrokenContractError("the first hour is a whole one and every temperature is finite")


def places_of(
    coordinates: Sequence[tuple[float, float]],
    *,
    start_us: int,
    end_us: int,
    celsius: npt.NDArray[np.float64] | None = None,
) -> Places:
    """Return the places' temperatures over the hours that cover `[start_us, end_us)`.

    Parameters
    ----------
    coordinates : sequence of (latitude, longitude), [°]
    start_us, end_us : int, [µs since the epoch, UTC]
    celsius : ndarray of float64, shape (p, hours), [°C] or None
        What was measured, NaN where nothing was; the climate normal of the place fills those hours.

    Raises
    ------
    BrokenContractError
        `celsius` is not one row per place and one column per hour.
    """
    hours_us = np.arange(start_us // HOUR_US, -(-end_us // HOUR_US), dtype=np.int64) * HOUR_US
    latitude, longitude = np.array(coordinates, dtype=np.float64).reshape(-1, 2).T.copy()
    shape = (latitude.size, hours_us.size)
    known = np.full(shape, np.nan) if celsius is None else celsius
    if known.shape != shape:
        raise BrokenContractError(f"celsius: {shape} places and hours are needed, not {known.shape}")
    is_measured = np.isfinite(known)
    filled = known.copy()
    for place, (north, east) in enumerate(zip(latitude.tolist(), longitude.tolist(), strict=True)):
        missing = ~is_measured[place]
        if missing.any():
            normal_c = _normal_c(start_us // HOUR_US, hours_us.size, north, east)
            filled[place, missing] = normal_c[missing]
    return Places(
        first_hour_us=int(hours_us[0]) if hours_us.size else start_us // HOUR_US * HOUR_US,
        celsius=filled,
        is_measured=is_measured,
        latitude=latitude,
        longitude=longitude,
    )


@lru_cache(maxsize=64)
def _normal_c(first_hour: int, n_hours: int, north: float, east: float) -> npt.NDArray[np.float64]:
    """Return the climate normal of a place, hour by hour [°C]; batches of a month share it."""
    hours_us = np.arange(first_hour, first_hour + n_hours, dtype=np.int64) * HOUR_US
    # A cosine of an array depends in its last bit on the array's length; a place's hours depend on nothing.
    normal_c = np.round(normal_temperature_c(hours_us, north, east), NORMAL_DECIMALS)
    normal_c.flags.writeable = False
    return normal_c
