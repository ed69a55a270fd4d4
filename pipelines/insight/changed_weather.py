"""Which results were computed with other temperatures than are known today."""

import zlib
from collections.abc import Sequence
from datetime import date

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from analytics.calendar import day_edges_us, month_range
from analytics.disaggregation.places import HOUR_US
from pipelines.db.engine import raw
from pipelines.household.store import read_households
from pipelines.insight.surroundings import UTC_ZONE, sites_of
from pipelines.insight.zones import zones_of_devices
from pipelines.weather.store import hourly_temperatures

# A month is looked at only where some temperature of it, of any place, was recorded after the result, or shortly
# before it: what was committed late had not been seen by it.
_SUSPECTS = """
    WITH fresh AS (
        SELECT date_trunc('month', hour_at AT TIME ZONE 'UTC')::date AS month, max(recorded_at) AS recorded_at
        FROM wattloom.weather_hourly GROUP BY 1
    )
    SELECT r.month, r.device_id, coalesce((r.inputs ->> 'weather')::bigint, 0)
    FROM wattloom.disaggregation_month AS r
    JOIN fresh AS f ON f.month = r.month AND f.recorded_at >= r.computed_at - interval '1 day'
    WHERE %(devices)s::int4[] IS NULL OR r.device_id = ANY(%(devices)s)
    ORDER BY r.month, r.device_id
"""


def month_hours(month: date) -> tuple[int, int]:
    """Return the first and the last whole hour of a month [µs], by UTC: the same ones for every zone."""
    first, last = month_range(month.year, month.month)
    edges_us = day_edges_us(first, (last - first).days + 1, UTC_ZONE)
    return int(edges_us[0]), int(edges_us[-1]) - HOUR_US


def weather_digest(celsius: npt.NDArray[np.float64]) -> int:
    """Return a number that tells one month's temperatures from others; 0 where nothing is known."""
    known = np.where(np.isnan(celsius), np.float32(np.nan), celsius.astype(np.float32))
    return 0 if np.isnan(known).all() else zlib.crc32(known.astype("<f4").tobytes())


def months_with_other_weather(
    connection: sa.Connection, devices: Sequence[int] | None, default_zone: str
) -> list[tuple[date, int]]:
    """Return (month, device) of results whose month's temperatures are others now than they were computed with."""
    rows = raw(connection).execute(_SUSPECTS, {"devices": None if devices is None else list(devices)})
    suspects: dict[date, list[tuple[int, int]]] = {}
    for month, device, digest in rows:
        suspects.setdefault(month, []).append((device, digest))
    changed = []
    for month, results in suspects.items():
        zone_of = zones_of_devices(connection, [device for device, _ in results], default_zone)
        known = [(device, digest) for device, digest in results if device in zone_of]
        homes = [device for device, _ in known]
        documents = read_households(connection, homes)
        sites, _ = sites_of(connection, homes, [zone_of[home] for home in homes], documents)
        distinct = sorted(set(sites))
        celsius = hourly_temperatures(connection, distinct, *month_hours(month))
        now = {site: weather_digest(row) for site, row in zip(distinct, celsius, strict=True)}
        changed += [
            (month, device) for (device, digest), site in zip(known, sites, strict=True) if now[site] != digest
        ]
    return changed
