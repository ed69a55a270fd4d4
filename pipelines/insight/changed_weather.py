"""Which results were computed with other temperatures than are known today."""

import zlib
from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from analytics.calendar import day_edges_us, month_range
from analytics.disaggregation.columns import HISTORY_DAYS
from analytics.disaggregation.homes import temperature_span_us
from analytics.disaggregation.places import HOUR_US
from pipelines.db.engine import raw
from pipelines.household.store import read_households
from pipelines.insight.surroundings import UTC_ZONE, sites_of
from pipelines.insight.zones import zones_of_devices
from pipelines.weather.store import WeatherPlace, hourly_temperatures

_SITES_AT_ONCE = 100
_MARGIN = timedelta(days=3)
"""More than the days before its 13 months whose warmth a result still feels."""

# A result is looked at only where some temperature that it learned from, of any place, was recorded after it, or
# shortly before it: what was committed late had not been seen by it.
_SUSPECTS = f"""
    WITH fresh AS (
        SELECT date_trunc('month', hour_at AT TIME ZONE 'UTC')::date AS month, max(recorded_at) AS recorded_at
        FROM wattloom.weather_hourly GROUP BY 1
    )
    SELECT r.month, r.device_id, coalesce((r.inputs ->> 'weather')::bigint, 0)
    FROM wattloom.disaggregation_month AS r
    WHERE (%(devices)s::int4[] IS NULL OR r.device_id = ANY(%(devices)s))
      AND EXISTS (SELECT FROM fresh AS f WHERE f.recorded_at >= r.computed_at - interval '1 day' AND f.month <= r.month
                  AND f.month + interval '1 month' > r.month - interval '{HISTORY_DAYS} days' - %(margin)s)
    ORDER BY r.month, r.device_id
"""


def learned_hours(month: date) -> tuple[int, int]:
    """Return the first and the last whole hour [µs] whose temperatures a month's results learn from.

    They are those of its history and of the month by UTC: the same ones for every zone.
    """
    first, last = month_range(month.year, month.month)
    return temperature_span_us(month)[0], day_edges_us(first, (last - first).days + 1, UTC_ZONE)[-1] - HOUR_US


def weather_digest(celsius: npt.NDArray[np.float64]) -> int:
    """Return a number that tells the temperatures of some hours from others; 0 where nothing is known."""
    known = np.where(np.isnan(celsius), np.float32(np.nan), celsius.astype(np.float32))
    return 0 if np.isnan(known).all() else zlib.crc32(known.astype("<f4").tobytes())


def months_with_other_weather(
    connection: sa.Connection, devices: Sequence[int] | None, default_zone: str
) -> list[tuple[date, int]]:
    """Return (month, device) of results that learned from other temperatures than are known now."""
    rows = raw(connection).execute(
        _SUSPECTS, {"devices": None if devices is None else list(devices), "margin": _MARGIN}
    )
    suspects = [(month, device, digest) for month, device, digest in rows]
    if not suspects:
        return []
    site_of_home = _sites(connection, sorted({device for _, device, _ in suspects}), default_zone)
    of_site: dict[WeatherPlace, list[tuple[date, int, int]]] = {}
    for suspect in suspects:
        if suspect[1] in site_of_home:
            of_site.setdefault(site_of_home[suspect[1]], []).append(suspect)
    changed = []
    sites = sorted(of_site)
    for first in range(0, len(sites), _SITES_AT_ONCE):
        some = sites[first : first + _SITES_AT_ONCE]
        months = sorted({month for site in some for month, _, _ in of_site[site]})
        start_us, end_us = learned_hours(months[0])[0], learned_hours(months[-1])[1]
        for site, celsius in zip(some, hourly_temperatures(connection, some, start_us, end_us), strict=True):
            now = {
                month: _digest_of(celsius, start_us, month) for month in {month for month, _, _ in of_site[site]}
            }
            changed += [(month, device) for month, device, digest in of_site[site] if now[month] != digest]
    return changed


def _sites(connection: sa.Connection, devices: Sequence[int], default_zone: str) -> dict[int, WeatherPlace]:
    """Return where the devices that still exist stand."""
    zone_of = zones_of_devices(connection, devices, default_zone)
    homes = sorted(zone_of)
    documents = read_households(connection, homes)
    sites, _ = sites_of(connection, homes, [zone_of[home] for home in homes], documents)
    return dict(zip(homes, sites, strict=True))


def _digest_of(celsius: npt.NDArray[np.float64], start_us: int, month: date) -> int:
    first, last = ((at - start_us) // HOUR_US for at in learned_hours(month))
    return weather_digest(celsius[first : last + 1])
