"""Bring temperatures in: from a file that someone has, or from the service for every home whose place is known."""

import logging
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import sqlalchemy as sa

from analytics.calendar import to_us
from analytics.temperatures import HOUR_US
from pipelines import clock
from pipelines.db.engine import raw, unit_of_work
from pipelines.errors import SourceUnavailable
from pipelines.weather import store
from pipelines.weather.cells import Cell, cell_of
from pipelines.weather.client import Archive
from pipelines.weather.files import TemperatureFile, read_temperatures
from pipelines.weather.store import Hours, Source, Written

_LOG = logging.getLogger("wattloom.weather")
LOOK_BACK = timedelta(days=3 * 366)
"""Temperatures are asked for this far before a home's last reading, unless a time is named."""
_DAY = timedelta(days=1)
_LONGEST_SPAN_DAYS = 366
_WORTHLESS_GAP_DAYS = 14  # days that are known already are asked for again to save a request
_FAILURES_IN_A_ROW = 3


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """What became of a file."""

    cell: Cell
    file: TemperatureFile
    written: Written


def load_file(
    engine: sa.Engine, path: Path, *, latitude: float, longitude: float, organization_id: UUID | None
) -> Loaded:
    """Keep the temperatures of a file for the cell of a place, of an organization or for everyone.

    Raises
    ------
    RejectedInput
        The file cannot be read, or lacks a column.
    """
    file = read_temperatures(path)
    cell = cell_of(latitude, longitude)
    interpolated = file.hours.is_interpolated
    hours = Hours(
        hour_us=file.hours.hour_us,
        temperature_c=file.hours.temperature_c,
        source=np.where(interpolated, int(Source.INTERPOLATED), int(Source.MEASURED)).astype(np.int8),
    )
    with unit_of_work(engine) as connection:
        place = store.place_id(connection, cell, organization_id)
        written = store.write_hours(connection, place, hours, clock.now())
    return Loaded(cell=cell, file=file, written=written)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """The UTC days of a cell for which homes in it need temperatures."""

    cell: Cell
    first: date
    last: date


def wanted_cells(
    connection: sa.Connection,
    *,
    devices: Sequence[int] | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
) -> list[Wanted]:
    """Return the cells of homes with readings, with the days their readings span, up to yesterday.

    Parameters
    ----------
    start, end
        Ask for ``[start, end)`` instead of the last three years of readings.
    """
    rows = raw(connection).execute(
        "SELECT h.latitude, h.longitude, min(c.first_at), max(c.last_at)"
        " FROM wattloom.household AS h JOIN wattloom.reading_channel AS c USING (device_id)"
        " WHERE h.latitude IS NOT NULL AND c.first_at IS NOT NULL"
        " AND (%(devices)s::int4[] IS NULL OR h.device_id = ANY(%(devices)s))"
        " GROUP BY h.device_id",
        {"devices": None if devices is None else list(devices)},
    )
    spans: dict[Cell, list[tuple[date, date]]] = defaultdict(list)
    yesterday = clock.now().astimezone(UTC).date() - _DAY
    for latitude, longitude, first_at, last_at in rows:
        last = min(last_at.astimezone(UTC).date(), yesterday)
        first = max(first_at.astimezone(UTC).date(), last - LOOK_BACK)
        if start is not None:
            first = start.astimezone(UTC).date()
        if end is not None:
            last = min((end.astimezone(UTC) - timedelta(microseconds=1)).date(), yesterday)
        if first <= last:
            spans[cell_of(latitude, longitude)].append((first, last))
    return [
        Wanted(cell=cell, first=min(one[0] for one in found), last=max(one[1] for one in found))
        for cell, found in sorted(spans.items())
    ]


def fetch(engine: sa.Engine, archive: Archive, wanted: Sequence[Wanted]) -> dict[str, Any]:
    """Ask the service for the hours that are missing or not settled yet; each answer is kept at once.

    A cell that fails does not hold up the others, until three in a row have failed.

    Raises
    ------
    SourceUnavailable
        A cell failed; what the others brought is kept.
    """
    hours, failed, in_a_row, reason = 0, 0, 0, ""
    for one in wanted:
        try:
            hours += _fetch_cell(engine, archive, one)
            in_a_row = 0
        except SourceUnavailable as error:
            failed, in_a_row, reason = failed + 1, in_a_row + 1, str(error)
            _LOG.warning("no temperatures for the cell %s, %s: %s", *one.cell, error)
        if in_a_row == _FAILURES_IN_A_ROW:
            break
    if failed:
        raise SourceUnavailable(f"{failed} of {len(wanted)} places have no new temperatures: {reason}")
    return {"places": len(wanted), "requests": archive.requests, "hours": hours}


def _fetch_cell(engine: sa.Engine, archive: Archive, wanted: Wanted) -> int:
    with unit_of_work(engine) as connection:
        place = store.place_id(connection, wanted.cell, None)
        first, last = (datetime.combine(day, time(), UTC) for day in (wanted.first, wanted.last + _DAY))
        settled = store.settled_hours(connection, place, first, last)
    hours = 0
    for span in missing_spans(wanted.first, wanted.last, settled):
        told = archive.hours(wanted.cell, *span)
        with unit_of_work(engine) as connection:
            place = store.place_id(connection, wanted.cell, None)
            written = store.write_hours(connection, place, told, clock.now())
        hours += written.new + written.changed
    return hours


def missing_spans(first: date, last: date, settled: set[int]) -> Iterator[tuple[date, date]]:
    """Yield the days to ask for, as few spans of at most a year; days known already may lie within."""
    begin = previous = None
    day = first
    while day <= last:
        midnight = to_us(datetime.combine(day, time(), UTC))
        if any(hour not in settled for hour in range(midnight, midnight + 24 * HOUR_US, HOUR_US)):
            is_far = previous is not None and (day - previous).days > _WORTHLESS_GAP_DAYS
            if begin is not None and previous is not None:
                if is_far or (day - begin).days >= _LONGEST_SPAN_DAYS:
                    yield begin, previous
                    begin = day
            else:
                begin = day
            previous = day
        day += _DAY
    if begin is not None and previous is not None:
        yield begin, previous
