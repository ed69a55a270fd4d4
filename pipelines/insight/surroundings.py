"""What is known of homes beside their energy: their households, where they stand and how warm it was there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from analytics.disaggregation.households import Household, household_of
from analytics.disaggregation.places import HOUR_US, Places, places_of
from pipelines.db.bulk import array_text
from pipelines.db.engine import raw
from pipelines.household.store import HouseholdDocuments, read_households
from pipelines.weather.cells import cell_of
from pipelines.weather.store import WeatherPlace, hourly_temperatures

UTC_ZONE = ZoneInfo("UTC")
SOMEWHERE = (50.0, 10.0)
"""Coordinates of a home in a zone of no country (UTC, Etc/GMT-2): the middle of Europe [°]."""


_UNKNOWN = household_of()


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """Of homes, in their order; a result remembers the version of its household and a digest of its weather."""

    households: Sequence[Household]
    household_version: Sequence[int]
    places: Places
    place: npt.NDArray[np.int64]
    has_place: npt.NDArray[np.bool_]
    celsius: npt.NDArray[np.float64]

    def celsius_between(self, first_hour_us: int, last_hour_us: int) -> npt.NDArray[np.float64]:
        """Return what is known of each place's temperatures from one whole hour to another, NaN where nothing is."""
        first, last = ((at - self.places.first_hour_us) // HOUR_US for at in (first_hour_us, last_hour_us))
        return self.celsius[:, first : last + 1]


def read_surroundings(
    connection: sa.Connection, homes: Sequence[int], zones: Sequence[ZoneInfo], start_us: int, end_us: int
) -> Surroundings:
    """Return what is known of homes; temperatures cover ``[start_us, end_us)``."""
    documents = read_households(connection, homes)
    sites, has_place = sites_of(connection, homes, zones, documents)
    distinct = sorted(set(sites))
    row = {site: n for n, site in enumerate(distinct)}
    first_us, last_us = start_us // HOUR_US * HOUR_US, -(-end_us // HOUR_US) * HOUR_US - HOUR_US
    celsius = hourly_temperatures(connection, distinct, first_us, last_us)
    return Surroundings(
        households=[_household_of(documents[home]) for home in homes],
        places=places_of(
            [(site.latitude, site.longitude) for site in distinct],
            start_us=start_us,
            end_us=end_us,
            celsius=celsius,
        ),
        place=np.array([row[site] for site in sites], dtype=np.int64),
        has_place=has_place,
        celsius=celsius,
        household_version=[documents[home].version for home in homes],
    )


def _household_of(documents: HouseholdDocuments) -> Household:
    if documents.property is None and documents.appliances is None:
        return _UNKNOWN
    return household_of(documents.property, documents.appliances)


def sites_of(
    connection: sa.Connection,
    homes: Sequence[int],
    zones: Sequence[ZoneInfo],
    documents: Mapping[int, HouseholdDocuments],
) -> tuple[list[WeatherPlace], npt.NDArray[np.bool_]]:
    """Return where homes stand, as the weather is looked up, and which of them said so themselves."""
    rows = raw(connection).execute(
        "SELECT sensor_id, organization_id FROM wattloom.meter_device WHERE sensor_id = ANY(%s::int4[])",
        (array_text(homes),),
    )
    organizations: dict[int, UUID] = dict(rows.fetchall())
    sites = []
    for home, zone in zip(homes, zones, strict=True):
        latitude, longitude = documents[home].latitude, documents[home].longitude
        if latitude is None or longitude is None:
            latitude, longitude = place_of_zone(str(zone))
        sites.append(WeatherPlace(organizations[home], *site_of(latitude, longitude)))
    return sites, np.array([documents[home].latitude is not None for home in homes], dtype=np.bool_)


@lru_cache(maxsize=65_536)
def site_of(latitude: float, longitude: float) -> tuple[float, float]:
    """Return the middle of the weather's cell [°], in which all homes share temperatures and sun."""
    cell = cell_of(latitude, longitude)
    return float(cell.latitude), float(cell.longitude)


@lru_cache(maxsize=1)
def _zone_table() -> dict[str, tuple[str, tuple[float, float]]]:
    """Return IANA zone -> (first ISO 3166-1 country, coordinates of its principal city), from the tz database."""
    found: dict[str, tuple[str, tuple[float, float]]] = {}
    for line in resources.files("tzdata").joinpath("zoneinfo/zone.tab").read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            country, coordinates, zone, *_ = line.split("\t")
            cut = max(coordinates.rfind("+"), coordinates.rfind("-"))
            found.setdefault(zone, (country, (_degrees(coordinates[:cut], 2), _degrees(coordinates[cut:], 3))))
    return found


def _degrees(text: str, whole: int) -> float:
    """Return ±DDMM, ±DDMMSS or with three digits of degrees as degrees."""
    sign, digits = (-1 if text[0] == "-" else 1), text[1:]
    minutes, seconds = digits[whole : whole + 2], digits[whole + 2 :] or "0"
    return sign * (int(digits[:whole]) + int(minutes) / 60 + int(seconds) / 3600)


def place_of_zone(zone: str) -> tuple[float, float]:
    """Return the coordinates of a zone's principal city [°], for homes that gave none."""
    known = _zone_table().get(zone)
    return SOMEWHERE if known is None else known[1]


def country_of(zone: ZoneInfo) -> str | None:
    """Return the ISO 3166-1 alpha-2 code of a zone's country, None for zones of none (UTC, Etc/GMT-2)."""
    known = _zone_table().get(str(zone))
    return None if known is None else known[0]
