"""Where temperatures are kept: places (cells of an organization, or of everyone) and their hours."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum, unique
from typing import NamedTuple
from uuid import UUID

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from analytics.calendar import from_us, to_us
from analytics.errors import BrokenContractError
from analytics.temperatures import HOUR_US
from pipelines.db.bulk import copy_out
from pipelines.db.engine import raw
from pipelines.weather.cells import NEAR_KM, Cell, cell_of, distances_km

Floats = npt.NDArray[np.float64]

SETTLED_AFTER = timedelta(days=6)
"""An analysis of the atmosphere is final after five days (ERA5); an hour asked for earlier is asked for again."""
UNKNOWN_AFTER = timedelta(days=60)
"""What a service does not know by then it will never know."""


@unique
class Source(IntEnum):
    """Where a temperature comes from; a higher one is never replaced by a lower one."""

    REANALYSIS = 1
    INTERPOLATED = 2
    MEASURED = 3


@dataclass(frozen=True, kw_only=True, eq=False)
class Hours:
    """Temperatures to be kept: whole hours [h, µs, UTC], °C [h, NaN is unknown], a ``Source`` each [h]."""

    hour_us: npt.NDArray[np.int64]
    temperature_c: Floats
    source: npt.NDArray[np.int8]


@dataclass(frozen=True, kw_only=True)
class Written:
    """What became of hours; ``kept`` ones were known from a better source."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    kept: int = 0


class WeatherPlace(NamedTuple):
    """A place whose temperatures are asked for, and who asks."""

    organization_id: UUID
    latitude: float
    longitude: float


def place_id(connection: sa.Connection, cell: Cell, organization_id: UUID | None) -> int:
    """Return the number of a cell, without an organization of the one that everybody shares; locks it."""
    cursor = raw(connection).cursor()
    values = (organization_id, cell.latitude, cell.longitude)
    cursor.execute(
        "INSERT INTO wattloom.weather_place (organization_id, latitude, longitude) VALUES (%s, %s, %s)"
        " ON CONFLICT DO NOTHING",
        values,
    )
    row = cursor.execute(
        "SELECT id FROM wattloom.weather_place"
        " WHERE organization_id IS NOT DISTINCT FROM %s AND latitude = %s AND longitude = %s FOR UPDATE",
        values,
    ).fetchone()
    assert row is not None  # noqa: S101 - it was stored now or before
    return int(row[0])


_WRITE = """
    INSERT INTO wattloom.weather_hourly AS w (place_id, hour_at, temperature_c, source, recorded_at)
    SELECT %(place)s, h.hour_at, h.temperature_c, h.source, %(at)s
    FROM unnest(%(hours)s::timestamptz[], %(temperatures)s::float4[], %(sources)s::text[])
        AS h (hour_at, temperature_c, source)
    ON CONFLICT (place_id, hour_at) DO UPDATE
        SET temperature_c = excluded.temperature_c, source = excluded.source, recorded_at = excluded.recorded_at
"""


def write_hours(connection: sa.Connection, place: int, hours: Hours, at: datetime) -> Written:
    """Keep temperatures of a place that ``place_id`` has locked; what is known from a better source stays.

    An hour that the service does not know is kept as such, unless it was known before.
    """
    if not hours.hour_us.size:
        return Written()
    span = from_us(int(hours.hour_us.min())), from_us(int(hours.hour_us.max()))
    known = {
        to_us(hour): (temperature, Source[source.upper()])
        for hour, temperature, source in raw(connection).execute(
            "SELECT hour_at, temperature_c, source FROM wattloom.weather_hourly"
            " WHERE place_id = %s AND hour_at BETWEEN %s AND %s",
            (place, *span),
        )
    }
    new = changed = unchanged = kept = 0
    rows = []
    stored = hours.temperature_c.astype(np.float32).astype(np.float64)
    for hour, value, number in zip(hours.hour_us.tolist(), stored.tolist(), hours.source.tolist(), strict=True):
        source, temperature = Source(number), None if np.isnan(value) else value
        before = known.get(hour)
        if before is None:
            new += 1
        elif source < before[1] or (temperature is None and before[0] is not None):
            kept += 1
            continue
        elif source is before[1] and _same(temperature, before[0]):
            unchanged += 1
            if source is not Source.REANALYSIS:
                continue
        else:
            changed += 1
        rows.append((from_us(hour), temperature, source.name.lower()))
    columns = zip(*rows, strict=True) if rows else ([], [], [])
    hour_at, temperatures, sources = map(list, columns)
    values = {"hours": hour_at, "temperatures": temperatures, "sources": sources}
    raw(connection).execute(_WRITE, {"place": place, "at": at, **values})
    return Written(new=new, changed=changed, unchanged=unchanged, kept=kept)


def _same(one: float | None, other: float | None) -> bool:
    """Compare as stored: PostgreSQL writes a real with the digits that tell it from its neighbours."""
    return one is other or (one is not None and other is not None and np.float32(one) == np.float32(other))


def settled_hours(connection: sa.Connection, place: int, first: datetime, last: datetime) -> set[int]:
    """Return the hours [µs] from the first to the last that need not be asked for again."""
    rows = raw(connection).execute(
        "SELECT hour_at FROM wattloom.weather_hourly WHERE place_id = %s AND hour_at BETWEEN %s AND %s"
        " AND (source <> 'reanalysis'"
        " OR recorded_at >= hour_at + CASE WHEN temperature_c IS NULL THEN %s ELSE %s END)",
        (place, first, last, UNKNOWN_AFTER, SETTLED_AFTER),
    )
    return {to_us(hour) for (hour,) in rows}


def hourly_temperatures(
    connection: sa.Connection, places: Sequence[WeatherPlace], first_us: int, last_us: int
) -> Floats:
    """Return what is known of the temperature outside, NaN where nothing is.

    Of the places within 30 km, the nearest of the organization's own counts, and where it knows nothing of an hour, the
    nearest of those that everybody shares.

    Parameters
    ----------
    places : sequence of WeatherPlace, length n
    first_us, last_us : int, [µs since the epoch, UTC]
        First and last whole hour, both included.

    Returns
    -------
    ndarray of float64, shape (n, h), [°C]
        One row per place, one column per hour.

    Raises
    ------
    BrokenContractError
        An instant is no whole hour, or the last is before the first.
    """
    if first_us % HOUR_US or last_us % HOUR_US or last_us < first_us:
        raise BrokenContractError(f"temperatures are asked for by whole hours: {first_us}, {last_us}")
    told = np.full((len(places), (last_us - first_us) // HOUR_US + 1), np.nan)
    nearest = _nearest(connection, places)
    chosen = sorted({place for pair in nearest for place in pair if place is not None})
    if not chosen:
        return told
    data = copy_out(
        raw(connection),
        "SELECT place_id, hour_at, temperature_c FROM wattloom.weather_hourly WHERE place_id = ANY(%(places)s)"
        " AND hour_at BETWEEN %(first)s AND %(last)s AND temperature_c IS NOT NULL ORDER BY place_id, hour_at",
        {"place": "int4", "hour": "timestamptz", "temperature": "float4"},
        {"places": chosen, "first": from_us(first_us), "last": from_us(last_us)},
    )
    by_place = np.full((len(chosen), told.shape[1]), np.nan)
    by_place[np.searchsorted(chosen, data["place"]), (data["hour"] - first_us) // HOUR_US] = data["temperature"]
    row = {place: by_place[n] for n, place in enumerate(chosen)}
    for n, pair in enumerate(nearest):
        for place in pair:
            if place is not None:
                told[n] = np.where(np.isnan(told[n]), row[place], told[n])
    return told


def _nearest(connection: sa.Connection, places: Sequence[WeatherPlace]) -> list[tuple[int | None, int | None]]:
    """Return, per place, the nearest of the organization's own and of the shared ones."""
    rows = raw(connection).execute(
        "SELECT id, organization_id, latitude::float8, longitude::float8 FROM wattloom.weather_place"
        " WHERE organization_id IS NULL OR organization_id = ANY(%s) ORDER BY latitude, longitude",
        (list({place.organization_id for place in places}),),
    )
    known: dict[UUID | None, list[tuple[int, float, float]]] = defaultdict(list)
    for number, organization, latitude, longitude in rows:
        known[organization].append((number, latitude, longitude))
    arrays = {organization: np.array(found) for organization, found in known.items()}
    memory: dict[tuple[UUID | None, Cell], int | None] = {}

    def nearest(organization: UUID | None, cell: Cell) -> int | None:
        if organization not in arrays:
            return None
        if (organization, cell) not in memory:
            found = arrays[organization]
            distance = distances_km(cell, found[:, 1], found[:, 2])
            best = int(np.argmin(distance))
            memory[organization, cell] = int(found[best, 0]) if distance[best] <= NEAR_KM else None
        return memory[organization, cell]

    cells = [cell_of(place.latitude, place.longitude) for place in places]
    return [
        (nearest(place.organization_id, cell), nearest(None, cell))
        for place, cell in zip(places, cells, strict=True)
    ]
