"""Outdoor temperature, sun and mains water of a place, from its latitude and a seed."""

from dataclasses import dataclass

import numpy as np

from pipelines.simulators.timeline import DAY_MIN, DayDice, Floats, Stream, Timeline

# Annual mean and half the range of the monthly means, rounded to 0.5 °C, of Singapore, Kolkata, Cairo,
# Athens, Milan, London, Stockholm, Kiruna and Longyearbyen, after the climate normals 1991-2020.
# Places of one latitude differ by several degrees, so it is a plausible place, not a forecast.
NORMAL_LATITUDE = np.array([0.0, 22.6, 30.0, 38.0, 45.5, 51.5, 59.3, 67.8, 78.2])
NORMAL_MEAN_C = np.array([27.5, 27.0, 22.5, 18.5, 14.0, 11.5, 7.5, -0.5, -4.0])
NORMAL_HALF_RANGE_K = np.array([0.5, 5.5, 7.5, 9.5, 11.0, 7.0, 10.0, 13.0, 9.0])

COLDEST_DAY = 20.0
"""Days after 1 January of the coldest day in the north; the sun's lowest day is a month before."""
YEAR_DAYS = 365.2425
EPOCH_J2000_MIN = 15_778_800.0
"""2000-01-01T12:00 from the Unix epoch [min]."""
SYNOPTIC_DAY = 0.72
"""Correlation of one day's anomaly with the day before: weather systems pass in about three days."""
SPIN_UP_DAYS = 40
WARMEST_HOUR = 15.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Weather:
    """The weather of each minute.

    Parameters
    ----------
    outdoor_c, mains_c : ndarray of float64, shape (n,), [°C]
        Air, and the water that comes into the house.
    elevation_deg : ndarray of float64, shape (n,), [°]
        Of the sun over the horizon.
    sunshine_w_m2 : ndarray of float64, shape (n,), [W/m2]
        On level ground.
    day_c : ndarray of float64, shape (n,), [°C]
        Air without the swing of the day, what a building and a habit follow.
    """

    outdoor_c: Floats
    mains_c: Floats
    elevation_deg: Floats
    sunshine_w_m2: Floats
    day_c: Floats


def normal_c(minutes: Floats, latitude: float) -> Floats:
    """Return the climate normal of a latitude [°C]: a yearly sine; the south is half a year later."""
    mean = np.interp(abs(latitude), NORMAL_LATITUDE, NORMAL_MEAN_C)
    half_range = np.interp(abs(latitude), NORMAL_LATITUDE, NORMAL_HALF_RANGE_K)
    coldest = COLDEST_DAY + (YEAR_DAYS / 2 if latitude < 0 else 0.0)
    # 2000-01-01T12:00 is half a day into its year.
    days = (minutes - EPOCH_J2000_MIN) / DAY_MIN + 0.5 - coldest
    return np.asarray(mean - half_range * np.cos(2 * np.pi * days / YEAR_DAYS))


def sun_elevation_deg(minutes: Floats, latitude: float, longitude: float) -> Floats:
    """Return the sun's elevation without refraction, within 0.02° [°].

    Parameters
    ----------
    minutes : ndarray of float64, [min from the epoch, UTC]

    Notes
    -----
    Source: The Astronomical Almanac's low-precision formulas, as in Michalsky, Solar Energy 40(3), 1988,
    doi:10.1016/0038-092X(88)90045-X.
    """
    days = (minutes - EPOCH_J2000_MIN) / DAY_MIN
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


def weather(line: Timeline, *, latitude: float, longitude: float, seed: int) -> Weather:
    """Return plausible weather: the climate normal, passing systems (AR(1) by day) and the swing of the day.

    Clear days swing more. The anomaly's spread grows from 1.2 K at the equator to 4 K at 60°.
    """
    dice = DayDice(seed, Stream.CLIMATE, line, width=4, days_before=SPIN_UP_DAYS)
    anomalies = _synoptic(dice.normal(), spread_k=1.2 + 0.045 * abs(latitude))
    clear = dice.uniform()[SPIN_UP_DAYS:]
    minutes = line.minutes
    noon = (line.edges[:-1] + line.edges[1:]) / 2
    index = np.arange(line.n, dtype=np.float64)
    clearness = np.interp(index, noon, 0.25 + 0.6 * clear)
    normal = normal_c(minutes, latitude)
    day_c = normal + np.interp(index, noon, anomalies)
    solar_hour = minutes / 60 + longitude / 15
    swing = 6.0 * clearness * np.cos(2 * np.pi * (solar_hour - WARMEST_HOUR) / 24)
    elevation = sun_elevation_deg(minutes, latitude, longitude)
    # The ground follows the year late and damped, and mains water does not freeze.
    mean = np.interp(abs(latitude), NORMAL_LATITUDE, NORMAL_MEAN_C)
    ground = mean + 0.5 * (normal_c(minutes - 35 * DAY_MIN, latitude) - mean)
    return Weather(
        outdoor_c=day_c + swing,
        mains_c=np.maximum(ground, 4.0),
        elevation_deg=elevation,
        sunshine_w_m2=1000.0 * clearness * np.maximum(np.sin(np.radians(elevation)), 0.0),
        day_c=day_c,
    )


def _synoptic(shocks: Floats, *, spread_k: float) -> Floats:
    """Return the daily anomalies after the spin-up; their standard deviation is the spread [K]."""
    scale = spread_k * (1 - SYNOPTIC_DAY**2) ** 0.5
    anomaly, anomalies = 0.0, []
    for shock in shocks.tolist():
        anomaly = SYNOPTIC_DAY * anomaly + scale * shock
        anomalies.append(anomaly)
    return np.array(anomalies[SPIN_UP_DAYS:])
