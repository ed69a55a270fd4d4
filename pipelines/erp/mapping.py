"""From a payload to readings and entities: pure, so that a simulation and an event map alike."""

import time
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from pipelines.erp import values
from pipelines.erp.configuration import EntityItem, ReadingItem
from pipelines.erp.getters import Document, MappedField, Rows, Scope, extract, is_enabled
from pipelines.erp.identities import Identity, identity
from pipelines.erp.paths import ABSENT
from pipelines.erp.payloads import storable
from pipelines.erp.relations import Reference
from pipelines.erp.verdicts import Code, Outcome, RowError

LONGEST_S = 60.0  # of mapping one event; an expression has a budget of its own
_OWN = frozenset({"external_id", "timestamp", "source", "value", "reason", "direction"})


@dataclass(kw_only=True)
class MappedReading:
    """A reading as a row gives it; ``error`` says why the row cannot be taken."""

    outcome: Outcome
    meter: Identity | None = None
    counter: Identity | None = None
    external_id: str | None = None
    at: datetime | None = None
    value: Decimal | None = None
    source: str = ""
    reason: str | None = None
    direction: str | None = None
    reading_type: str | None = None
    attributes: dict[str, Any] = field(default_factory=dict)
    mapped: frozenset[str] = frozenset()
    error: RowError | None = None


@dataclass(kw_only=True)
class MappedEntity:
    """An entity as a row gives it."""

    outcome: Outcome
    identity: Identity = ()
    attributes: dict[str, Any] = field(default_factory=dict)
    relations: dict[str, tuple[str, list[Reference]]] = field(default_factory=dict)
    error: RowError | None = None


class Stopwatch:
    """Ends a mapping that takes longer than an event may."""

    def __init__(self, longest_s: float = LONGEST_S) -> None:
        self._end = time.monotonic() + longest_s

    def check(self) -> None:
        """Raise where the time is over.

        Raises
        ------
        RowError
            It is.
        """
        if time.monotonic() > self._end:
            raise RowError(Code.TIMEOUT, "Mapping the event took too long; nothing of it was stored.")


def rows_of(item: ReadingItem | EntityItem, document: Document) -> Rows | None:
    """Return the rows of an item, None where it is switched off for this payload.

    Raises
    ------
    RowError
        An expression fails.
    """
    whole = Scope(Rows(document, [document.exact]), 0)
    return extract(item.rows, document) if is_enabled(item.enabled, whole) else None


def _meter_identity(entries: tuple[MappedField, ...], scope: Scope) -> Identity:
    known = identity(entries, scope)
    if known is None:
        attribute = entries[0].attribute
        raise RowError(Code.MISSING_IDENTIFIER, f"Missing identifier {attribute}", attribute=attribute)
    return known


def _check_row(row: Any) -> None:
    if not isinstance(row, dict):
        raise RowError(Code.INVALID_ROW, "Invalid row: expected an object", received=type(row).__name__)


def map_readings(item: ReadingItem, number: int, rows: Rows, watch: Stopwatch) -> list[MappedReading]:
    """Return every row of an item, mapped or with what is wrong with it."""
    mapped: list[MappedReading] = []
    for index in range(len(rows.exact)):
        if index % 64 == 0:
            watch.check()
        reading = MappedReading(outcome=Outcome(kind="meter_reading", item=number, index=index))
        scope = Scope(rows, index)
        try:
            _check_row(scope.row)
            reading.meter = _meter_identity(item.meter, scope)
            reading.counter = identity(item.counter, scope) if item.counter else None
            _fill(reading, item, _mapped(item.fields, scope))
        except RowError as error:
            reading.error = error
        mapped.append(reading)
    return mapped


def _mapped(fields: tuple[MappedField, ...], scope: Scope) -> dict[str, Any]:
    """Return attribute -> value; of several fields of one attribute the last that has a value wins."""
    found: dict[str, Any] = {}
    for one in fields:
        if one.enabled is True or one.applies(scope):
            value = one.getter.get(scope)
            if value is not ABSENT:
                found[one.attribute] = value
    return found


def _fill(reading: MappedReading, item: ReadingItem, found: dict[str, Any]) -> None:
    deletes = item.mode == "delete"
    reading.external_id = values.identifier("external_id", found.get("external_id"))
    if reading.external_id is None and not item.is_strict:
        raise RowError(Code.MISSING_IDENTIFIER, "Missing identifier external_id", attribute="external_id")
    if not deletes or item.is_strict:
        reading.at = values.timestamp(found.get("timestamp"))
    reading.direction = values.direction(found.get("direction"))
    if deletes:
        return
    reading.source = values.source(found.get("source"))
    reading.value = values.reading_value(found.get("value"))
    reading.reason = values.reason(found.get("reason"))
    # High and low tariff of one instant are no duplicates of each other.
    kind = found.get("reading_type", found.get("tariff"))
    reading.reading_type = values.identifier("reading_type", kind)
    reading.attributes = _free(found)
    reading.mapped = frozenset(found) | ({"reading_type"} if kind is not None else set())


def _free(found: dict[str, Any], own: frozenset[str] = _OWN) -> dict[str, Any]:
    free: dict[str, Any] = {}
    for attribute, value in found.items():
        if attribute in own:
            continue
        try:
            free[attribute] = value if value is None or type(value) in {int, bool} else storable(value)
        except ValueError as error:
            message = f"Invalid attribute {attribute[:100]}: {error}"
            raise RowError(Code.INVALID_ATTRIBUTE, message, field=attribute[:100]) from None
    return free


def map_entities(item: EntityItem, number: int, rows: Rows, watch: Stopwatch) -> list[MappedEntity]:
    """Return every entity of an item, mapped or with what is wrong with it."""
    mapped: list[MappedEntity] = []
    for index in range(len(rows.exact)):
        if index % 64 == 0:
            watch.check()
        entity = MappedEntity(outcome=Outcome(kind=item.schema, item=number, index=index))
        scope = Scope(rows, index)
        try:
            _check_row(scope.row)
            entity.identity = _meter_identity(item.unique_ids, scope)
            entity.attributes = _free(_mapped(item.fields, scope), frozenset()) | dict(entity.identity)
            for relation in item.relations:
                references = relation.references(scope)
                if references is not None:
                    entity.relations[relation.attribute] = (relation.operation, references)
        except RowError as error:
            entity.error = error
        mapped.append(entity)
    return mapped
