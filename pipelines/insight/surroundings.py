"""What is known of homes beside their energy: their households, where they stand and how warm it was there."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from analytics.disaggregation.households import Household
from analytics.disaggregation.places import Places, places_of

SOMEWHERE = (50.0, 10.0)
"""Coordinates of a home in a zone of no country (UTC, Etc/GMT-2): the middle of Europe [°]."""


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """Of homes, in their order; ``versions`` is what a result remembers of each to be told stale."""

    households: Sequence[Household]
    places: Places
    place: npt.NDArray[np.int64]
    has_place: npt.NDArray[np.bool_]
    versions: Sequence[dict[str, Any]]


def read_surroundings(
    connection: sa.Connection, homes: Sequence[int], zones: Sequence[ZoneInfo], start_us: int, end_us: int
) -> Surroundings:
    """Return what is known of homes; temperatures cover ``[start_us, end_us)``."""
    coordinates = [place_of_zone(str(zone)) for zone in zones]
    distinct = sorted(set(coordinates))
    return Surroundings(
        households=[Household() for _ in homes],
        places=places_of(distinct, start_us=start_us, end_us=end_us),
        place=np.array([distinct.index(one) for one in coordinates], dtype=np.int64),
        has_place=np.zeros(len(homes), dtype=np.bool_),
        versions=[{} for _ in homes],
    )


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
