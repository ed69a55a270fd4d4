"""Outdoor temperature, sun and mains water of a place, from its latitude and a seed."""

from dataclasses import dataclass

import numpy as np

from analytics.climate import annual_mean_c, daily_swing_k, normal_day_c, sun_elevation_deg
from pipelines.simulators.timeline import DAY_MIN, MINUTE_US, DayDice, Floats, Stream, Timeline

SYNOPTIC_DAY = 0.72
"""Correlation of one day's anomaly with the day before: weather systems pass in about three days."""
SPIN_UP_DAYS = 40


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


def weather(line: Timeline, *, latitude: float, longitude: float, seed: int) -> Weather:
    """Return plausible weather: the climate normal, passing systems (AR(1) by day) and the swing of the day.

    Clear days swing more. The anomaly's spread grows from 1.2 K at the equator to 4 K at 60°.
    """
    dice = DayDice(seed, Stream.CLIMATE, line, width=4, days_before=SPIN_UP_DAYS)
    anomalies = _synoptic(dice.normal(), spread_k=1.2 + 0.045 * abs(latitude))
    clear = dice.uniform()[SPIN_UP_DAYS:]
    start_us = line.start_us + MINUTE_US * np.arange(line.n, dtype=np.int64)
    noon = (line.edges[:-1] + line.edges[1:]) / 2
    index = np.arange(line.n, dtype=np.float64)
    clearness = np.interp(index, noon, 0.25 + 0.6 * clear)
    day_c = normal_day_c(start_us, latitude) + np.interp(index, noon, anomalies)
    swing = daily_swing_k(start_us, longitude, clearness=clearness)
    elevation = sun_elevation_deg(start_us, latitude, longitude)
    # The ground follows the year late and damped, and mains water does not freeze.
    mean = annual_mean_c(latitude)
    ground = mean + 0.5 * (normal_day_c(start_us - 35 * DAY_MIN * MINUTE_US, latitude) - mean)
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
