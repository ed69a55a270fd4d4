"""The rules by which a mapped row becomes a new, changed, skipped or deleted reading."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pipelines.erp.configuration import ReadingItem
from pipelines.erp.ledger import Entry, Ledger, german_day, microseconds
from pipelines.erp.mapping import MappedReading
from pipelines.erp.verdicts import Code, RowError, Status

_LOG = logging.getLogger("wattloom.erp")
Counter = tuple[int, int | None]


@dataclass(kw_only=True)
class PlacedReading:
    """A mapped row whose meter and series are known."""

    reading: MappedReading
    device: int
    series: int
    has_counter: bool

    @property
    def counter(self) -> Counter:
        """Meter and counter; None stands for no counter."""
        return self.device, self.series if self.has_counter else None


def _never(_entry: Entry) -> bool:
    return False


def upsert_all(
    ledger: Ledger, item: ReadingItem, rows: list[PlacedReading], named: dict[Counter, set[str]]
) -> list[PlacedReading]:
    """Create or change the reading of each row; return the rows that were refused.

    Parameters
    ----------
    named
        Per counter that is to be pruned, the external ids of the payload.

    A reading may have to wait until another has left its place: what finds its place taken is tried again, from the
    last row to the first and back, as long as that helps. What then still waits for each other changes at once.
    """
    refused: list[PlacedReading] = []
    waiting = rows
    while waiting:
        taken: list[PlacedReading] = []
        for row in waiting:
            try:
                _upsert(ledger, item, row, _replaceable(ledger, item, row.counter, named))
            except RowError as error:
                row.reading.outcome.refuse(error)
                (taken if error.code is Code.TIMESTAMP_TAKEN else refused).append(row)
        if len(taken) == len(waiting):
            return refused + _exchange_all(ledger, item, taken)
        waiting = taken[::-1]
    return refused


def _exchange_all(ledger: Ledger, item: ReadingItem, rows: list[PlacedReading]) -> list[PlacedReading]:
    """Change the readings that stand in each other's places; return the rows that stay refused."""
    moving: dict[int, tuple[PlacedReading, Entry, dict[str, Any]]] = {}
    for row in rows:
        new = _entry(row, ledger.event_number)
        known = _match(ledger, item, new, row.reading) or ledger.by_external_id(
            row.device, row.reading.external_id
        )
        owner = ledger.by_external_id(row.device, new.external_id)
        if known is not None and owner in {None, known}:
            moving.setdefault(id(known), (row, known, _changes(known, new, row.reading)))
    could = ledger.exchange([(known, changes) for _, known, changes in moving.values()])
    done = set()
    for (row, _, _), moved in zip(moving.values(), could, strict=True):
        if moved:
            row.reading.outcome.settle("updated", "Reading updated")
            done.add(id(row))
    return [row for row in rows if id(row) not in done]


def _replaceable(
    ledger: Ledger, item: ReadingItem, counter: Counter, named: dict[Counter, set[str]]
) -> Callable[[Entry], bool]:
    """Return what tells whether a reading is to be pruned anyway, so that one of the payload may take its place."""
    if counter not in named:
        return _never
    return lambda entry: is_pruned(ledger, item, entry, counter, named[counter])


def is_pruned(ledger: Ledger, item: ReadingItem, entry: Entry, counter: Counter, named: set[str]) -> bool:
    """Tell whether a reading is in the scope of pruning, not named by the payload, and of no later event."""
    in_scope = entry.group[:2] == counter and item.scope_source in {None, entry.source}
    return in_scope and entry.external_id not in named and not ledger.is_later(entry)


def _upsert(ledger: Ledger, item: ReadingItem, row: PlacedReading, replaceable: Callable[[Entry], bool]) -> None:
    reading = row.reading
    new = _entry(row, ledger.event_number)
    known = _match(ledger, item, new, reading) or ledger.by_external_id(row.device, reading.external_id)
    if ledger.was_withdrawn(new) if known is None else ledger.is_later(known):
        _supersede(reading)
        return
    if known is not None:
        ledger.change(known, _changes(known, new, reading), replaceable=replaceable)
        reading.outcome.settle("updated", "Reading updated")
        return
    if item.window_h and not item.prunes:
        other = ledger.duplicate_of(new, item.window_h)
        if other is not None:
            message = f"Duplicate of a reading within {item.window_h:g} hours; skipped"
            reading.outcome.settle("skipped", message, Status.DUPLICATE)
            return
    ledger.put(new, replaceable=replaceable)
    reading.outcome.settle("created", "Reading created")


def _supersede(reading: MappedReading) -> None:
    reading.outcome.settle(
        "skipped", "A later event wrote or withdrew this reading; it stays as it is", Status.SUPERSEDED
    )


def _entry(row: PlacedReading, event_number: int) -> Entry:
    reading = row.reading
    assert reading.at is not None  # noqa: S101 - mapped without an error, so it is set
    return Entry(
        device_id=row.device,
        series_id=row.series,
        at_us=microseconds(reading.at),
        has_counter=row.has_counter,
        external_id=reading.external_id,
        direction=reading.direction,
        reading_type=reading.reading_type,
        source=reading.source,
        reason=reading.reason,
        attributes=reading.attributes,
        value=reading.value,
        event_number=event_number,
    )


def _changes(known: Entry, new: Entry, reading: MappedReading) -> dict[str, Any]:
    """Return what a row changes; an attribute that it does not map keeps its value."""
    names = ["series_id", "at_us", "has_counter", "source", "value", "event_number"]
    names += [name for name in ("reason", "direction", "reading_type") if name in reading.mapped]
    changes = {name: getattr(new, name) for name in names}
    if new.external_id is not None:
        changes["external_id"] = new.external_id
    return changes | {"attributes": known.attributes | new.attributes}


def _match(ledger: Ledger, item: ReadingItem, new: Entry, reading: MappedReading) -> Entry | None:
    """Return the reading of the row's German day under strict-date.

    Raises
    ------
    RowError
        The day has several.
    """
    if not item.is_strict or reading.at is None:
        return None
    found = list(ledger.within(new.group, *german_day(reading.at)))
    if len(found) > 1:
        _LOG.error("%d readings of one counter and direction on one day; a row was skipped", len(found))
        day = reading.at.isoformat().replace("+00:00", "Z")
        message = f"{len(found)} readings of the meter, counter and direction on this day; skipped"
        raise RowError(Code.AMBIGUOUS_READING, message, timestamp=day)
    return found[0] if found else None


def delete_all(ledger: Ledger, item: ReadingItem, rows: list[PlacedReading]) -> None:
    """Delete the reading of each row; one that does not exist is a warning."""
    for row in rows:
        reading = row.reading
        known = ledger.by_external_id(row.device, reading.external_id)
        try:
            if known is None and item.is_strict:
                known = _match(ledger, item, _entry(row, ledger.event_number), reading)
        except RowError as error:
            reading.outcome.refuse(error)
            continue
        if known is None:
            reading.outcome.settle("none", "Reading not found; nothing was deleted", Status.WARNING)
        elif ledger.is_later(known):
            _supersede(reading)
        else:
            ledger.remove(known)
            reading.outcome.settle("deleted", "Reading deleted")


def prune(ledger: Ledger, item: ReadingItem, counter: Counter, named: set[str], kept: set[int]) -> int:
    """Delete every reading of a counter that is in scope and not named; return how many.

    Parameters
    ----------
    kept
        The ``id`` of entries that stay although they have no external id: those this run wrote.
    """
    gone = [
        entry
        for entry in ledger.of_counter(*counter)
        if is_pruned(ledger, item, entry, counter, named) and id(entry) not in kept
    ]
    for entry in gone:
        ledger.remove(entry)
    return len(gone)
