"""Climate of a place from its latitude: what the air and the sun do in a usual year."""

from typing import Final

import numpy as np
import numpy.typing as npt

from analytics.calendar import SECOND_US
from analytics.errors import BrokenContractError

Floats = npt.NDArray[np.float64]
Instants = npt.NDArray[np.int64]

# Annual mean and half the range of the monthly means, rounded to 0.5 °C, of Singapore, Kolkata, Cairo,
# Athens, Milan, London, Stockholm, Kiruna and Longyearbyen, after the climate normals 1991-2020.
# Places of one latitude differ by several degrees, so it is a plausible place, not a forecast.
_NORMAL_LATITUDE = np.array([0.0, 22.6, 30.0, 38.0, 45.5, 51.5, 59.3, 67.8, 78.2])
_NORMAL_MEAN_C = np.array([27.5, 27.0, 22.5, 18.5, 14.0, 11.5, 7.5, -0.5, -4.0])
_NORMAL_HALF_RANGE_K = np.array([0.5, 5.5, 7.5, 9.5, 11.0, 7.0, 10.0, 13.0, 9.0])

COLDEST_DAY: Final = 20.0
"""Days after 1 January of the coldest day in the north; the sun's lowest day is a month before."""
YEAR_DAYS: Final = 365.2425
WARMEST_HOUR: Final = 15.0
"""Solar time of the warmest hour [h]."""
CLEAR_SKY_SWING_K: Final = 6.0
"""Half the range of a day's temperatures under a clear sky [K]; clouds shrink it in proportion."""
MEAN_CLEARNESS: Final = 0.55
"""Of the sky, 0 to 1, over a usual year; with it a day's warmest and coldest hour lie 6.6 K apart (own round
figure for the middle latitudes: deserts swing more, islands and the polar night less)."""
_EPOCH_J2000_MIN = 15_778_800.0
"""2000-01-01T12:00 from the Unix epoch [min]."""
_MINUTE_US = 60 * SECOND_US
_DAY_MIN = 1440


def annual_mean_c(latitude: float) -> float:
    """Return the mean temperature of a usual year [°C].

    Raises
    ------
    BrokenContractError
        The latitude is no number from -90 to 90.
    """
    _check_angle("latitude", latitude, 90.0)
    return float(np.interp(abs(latitude), _NORMAL_LATITUDE, _NORMAL_MEAN_C))


def normal_day_c(start_us: Instants, latitude: float) -> Floats:
    """Return the climate normal of a latitude without the swing of the day: a yearly sine [°C].

    Parameters
    ----------
    start_us : ndarray of int64, shape (n,), [µs since the epoch, UTC]
    latitude : float, [°]
        The south is half a year later.

    Returns
    -------
    ndarray of float64, shape (n,), [°C]

    Raises
    ------
    BrokenContractError
        The latitude is no number from -90 to 90.
    """
    mean = annual_mean_c(latitude)
    half_range = np.interp(abs(latitude), _NORMAL_LATITUDE, _NORMAL_HALF_RANGE_K)
    coldest = COLDEST_DAY + (YEAR_DAYS / 2 if latitude < 0 else 0.0)
    # 2000-01-01T12:00 is half a day into its year.
    days = (start_us / _MINUTE_US - _EPOCH_J2000_MIN) / _DAY_MIN + 0.5 - coldest
    return np.asarray(mean - half_range * np.cos(2 * np.pi * days / YEAR_DAYS))


def daily_swing_k(start_us: Instants, longitude: float, *, clearness: Floats | float = MEAN_CLEARNESS) -> Floats:
    """Return how much warmer than its day an instant is: a sine that peaks at 15 h solar time [K].

    Parameters
    ----------
    start_us : ndarray of int64, shape (n,), [µs since the epoch, UTC]
    longitude : float, [°]
    clearness : float or ndarray of float64, shape (n,)
        Of the sky, 0 to 1.

    Raises
    ------
    BrokenContractError
        The longitude is no number from -180 to 180.
    """
    _check_angle("longitude", longitude, 180.0)
    solar_hour = start_us / _MINUTE_US / 60 + longitude / 15
    return np.asarray(CLEAR_SKY_SWING_K * clearness * np.cos(2 * np.pi * (solar_hour - WARMEST_HOUR) / 24))


def normal_temperature_c(start_us: Instants, latitude: float, longitude: float) -> Floats:
    """Return the climate normal of a place with the mean swing of the day; finite for every instant [°C].

    It stands in where no temperature was measured. A single day is several kelvin off, so whoever uses it
    takes a greater variance.

    Parameters
    ----------
    start_us : ndarray of int64, shape (n,), [µs since the epoch, UTC]
    latitude, longitude : float, [°]

    Returns
    -------
    ndarray of float64, shape (n,), [°C]

    Raises
    ------
    BrokenContractError
        The latitude is no number from -90 to 90, or the longitude none from -180 to 180.
    """
    return np.asarray(normal_day_c(start_us, latitude) + daily_swing_k(start_us, longitude))


def sun_elevation_deg(start_us: Instants, latitude: float, longitude: float) -> Floats:
    """Return the sun's elevation without refraction, within 0.02° from 1950 to 2050 [°].

    Parameters
    ----------
    start_us : ndarray of int64, shape (n,), [µs since the epoch, UTC]
    latitude, longitude : float, [°]

    Returns
    -------
    ndarray of float64, shape (n,), [°]
        Negative at night.

    Raises
    ------
    BrokenContractError
        The latitude is no number from -90 to 90, or the longitude none from -180 to 180.

    Notes
    -----
    Source: The Astronomical Almanac's low-precision formulas, as in Michalsky, Solar Energy 40(3), 1988,
    doi:10.1016/0038-092X(88)90045-X.
    """
    _check_angle("latitude", latitude, 90.0)
    _check_angle("longitude", longitude, 180.0)
    days = (start_us / _MINUTE_US - _EPOCH_J2000_MIN) / _DAY_MIN
    mean_longitude = 280.460 + 0.9856474 * days
    anomaly = np.radians(357.528 + 0.9856003 * days)
    ecliptic = np.radians(mean_longitude + 1.915 * np.sin(anomaly) + 0.020 * np.sin(2 * anomaly))
    obliquity = np.radians(23.439 - 0.0000004 * days)
    sin_declination = np.sin(obliquity) * np.sin(ecliptic)
    ascension = np.arctan2(np.cos(obliquity) * np.sin(ecliptic), np.cos(ecliptic))
    hour_angle = np.radians(mean_longitude + 360.0 * days + longitude) - ascension
    phi = np.radians(latitude)
    cos_declination = np.sqrt(1 - sin_declination**2)
    sine = np.sin(phi) * sin_declination + np.cos(phi) * cos_declination * np.cos(hour_angle)
    return np.asarray(np.degrees(np.arcsin(np.clip(sine, -1.0, 1.0))))


def _check_angle(name: str, angle: float, limit: float) -> None:
    if not -limit <= angle <= limit:
        raise BrokenContractError(f"a {name} lies from {-limit:g} to {limit:g}: {angle!r}")
