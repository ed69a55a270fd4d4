"""Warmth and darkness of each day of a place, once for all homes there.

    effective temperature of a day = (1 - c) mean of the day + c mean of the day before

since a building remembers (c = `COOLING_MEMORY`). Dark waking hours are those from 6 to 24 h wall clock in
which the sun is more than 3° below the horizon. Days before the target month are counted back in steps of
24 h from its first midnight, which after a clock change is an hour off and changes little.
"""

from typing import Any

import numpy as np

from analytics.disaggregation.priors import COOLING_MEMORY, DARK_SINE, WAKING_FROM_H
from analytics.disaggregation.stages import compiled

HOUR_US = 3_600_000_000
DAY_H = 24


@compiled
def sun_sine(
    hour: Any, sun: Any, sin_latitude: Any, cos_latitude: Any, cos_longitude: Any, sin_longitude: Any
) -> Any:
    """Return the sine of the sun's elevation from those at the pole, at 0 N 0 E and at 0 N 90 E, in `sun`."""
    return sin_latitude * sun[0, hour] + cos_latitude * (
        cos_longitude * sun[1, hour] + sin_longitude * sun[2, hour]
    )


@compiled
def fill_season(
    first_hour_us: Any,
    celsius: Any,
    is_measured: Any,
    sun: Any,
    latitude: Any,
    longitude: Any,
    edge_us: Any,
    end_us: Any,
    n_before: Any,
    mean_c: Any,
    dark_h: Any,
    measured: Any,
) -> None:
    """Fill effective temperature [°C], dark waking hours [h] and measured share of the days around an edge.

    Parameters
    ----------
    celsius, is_measured : arrays of shape (hours,)
    sun : ndarray of float64, shape (3, hours)
    edge_us, end_us : int, [µs]
        Start of the first target day, the day `n_before` of the outputs, and end of the last one. Days that lie
        beyond it, since a date was skipped, are as the last hour.
    mean_c, dark_h, measured : ndarray of float64, shape (days,)
    """
    phi, lam = np.radians(latitude), np.radians(longitude)
    sin_phi, cos_phi, cos_lam, sin_lam = np.sin(phi), np.cos(phi), np.cos(lam), np.sin(lam)
    last = min((end_us - 1 - first_hour_us) // HOUR_US, celsius.size - 1)
    first = (edge_us - first_hour_us) // HOUR_US
    before_c = np.nan
    for d in range(mean_c.size):
        low = first + (d - n_before) * DAY_H
        warmth, known, dark = 0.0, np.int64(0), np.int64(0)
        if low >= 0 and low + DAY_H <= last + 1:
            # The same without bounds, several hours at once.
            day_sun = sun[:, low + WAKING_FROM_H : low + DAY_H]
            day_c, is_known = celsius[low : low + DAY_H], is_measured[low : low + DAY_H]
            for h in range(DAY_H - WAKING_FROM_H):
                dark += np.int64(sun_sine(h, day_sun, sin_phi, cos_phi, cos_lam, sin_lam) < DARK_SINE)
            for h in range(DAY_H):
                warmth += day_c[h]
            for h in range(DAY_H):
                known += np.int64(is_known[h])
        else:
            for h in range(DAY_H):
                hour = min(max(low + h, 0), last)
                warmth += celsius[hour]
                known += np.int64(is_measured[hour])
                if h >= WAKING_FROM_H:
                    dark += np.int64(sun_sine(hour, sun, sin_phi, cos_phi, cos_lam, sin_lam) < DARK_SINE)
        today_c = warmth / DAY_H
        if d == 0:
            before_c = today_c
        mean_c[d] = (1.0 - COOLING_MEMORY) * today_c + COOLING_MEMORY * before_c
        before_c = today_c
        dark_h[d] = dark
        measured[d] = known / DAY_H


@compiled
def fill_seasons(
    first_hour_us: Any,
    celsius: Any,
    is_measured: Any,
    sun: Any,
    latitude: Any,
    longitude: Any,
    key_place: Any,
    key_edge_us: Any,
    key_end_us: Any,
    n_before: Any,
    mean_c: Any,
    dark_h: Any,
    measured: Any,
) -> None:
    """Fill the seasons of each place and span of target days, shape (keys, days)."""
    for key in range(key_place.size):
        place = key_place[key]
        fill_season(
            first_hour_us,
            celsius[place],
            is_measured[place],
            sun,
            latitude[place],
            longitude[place],
            key_edge_us[key],
            key_end_us[key],
            n_before,
            mean_c[key],
            dark_h[key],
            measured[key],
        )
