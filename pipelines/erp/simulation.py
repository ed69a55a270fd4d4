"""A dry run: what a configuration makes of a payload, with nothing looked up and nothing stored."""

from typing import Any

from pipelines.erp.configuration import EntityItem, ReadingItem, check_configuration
from pipelines.erp.getters import Document
from pipelines.erp.identities import Identity
from pipelines.erp.mapping import MappedReading, Stopwatch, map_entities, map_readings, rows_of
from pipelines.erp.payloads import decode, encode
from pipelines.erp.relations import MARK
from pipelines.erp.verdicts import Outcome, RowError
from pipelines.errors import RejectedInput
from pipelines.fields import Field, Kind, check_all

FIELDS = (
    Field(name="event_configuration", kind=Kind.OBJECT, required=True),
    Field(name="format", choices=("json",)),
    Field(name="payload", required=True),
)


def simulate(body: Any) -> dict[str, Any]:
    """Return the entities and readings that a payload would give; what is wrong with a row is a warning.

    Raises
    ------
    RejectedInput
        The configuration is wrong, or the payload is not JSON.
    """
    if isinstance(body, dict) and isinstance(body.get("payload"), dict | list):
        body = {**body, "payload": _text(body["payload"])}
    sent = check_all(FIELDS, body)
    try:
        configuration = check_configuration(sent["event_configuration"])
    except RejectedInput as error:
        raise RejectedInput({"event_configuration": error.errors["configuration"]}) from None
    try:
        document, watch = Document(decode(sent["payload"])), Stopwatch()
        entities: list[dict[str, Any]] = []
        readings: list[dict[str, Any]] = []
        warnings: list[dict[str, Any]] = []
        for number, entity in enumerate(configuration.entities):
            _simulate_entities(entity, number, document, watch, entities, warnings)
        for number, item in enumerate(configuration.readings):
            _simulate_readings(item, number, document, watch, readings, warnings)
    except RowError as error:
        raise RejectedInput({"payload": [error.message]}) from None
    return {"entity_updates": entities, "meter_readings_updates": readings, "warnings": warnings}


def _text(payload: Any) -> str:
    try:
        return encode(payload)
    except (ValueError, UnicodeError):
        raise RejectedInput({"payload": ["Not valid JSON."]}) from None


def _warning(outcome: Outcome, error: RowError) -> dict[str, Any]:
    outcome.refuse(error)
    return outcome.as_dict()


def _simulate_entities(
    item: EntityItem,
    number: int,
    document: Document,
    watch: Stopwatch,
    updates: list[dict[str, Any]],
    warnings: list[dict[str, Any]],
) -> None:
    try:
        rows = rows_of(item, document)
    except RowError as error:
        warnings.append(_warning(Outcome(kind=item.schema, item=number, index=None), error))
        return
    for entity in map_entities(item, number, rows, watch) if rows is not None else []:
        if entity.error is not None:
            warnings.append(_warning(entity.outcome, entity.error))
            continue
        updates.append(
            {
                "entity_schema": item.schema,
                "mode": item.mode,
                "$entity_unique_ids": dict(entity.identity),
                "attributes": entity.attributes
                | {name: {MARK: refs} for name, (_, refs) in entity.relations.items()},
            }
        )


def _simulate_readings(
    item: ReadingItem,
    number: int,
    document: Document,
    watch: Stopwatch,
    updates: list[dict[str, Any]],
    warnings: list[dict[str, Any]],
) -> None:
    try:
        rows = rows_of(item, document)
    except RowError as error:
        warnings.append(_warning(Outcome(kind="meter_reading", item=number, index=None), error))
        return
    for reading in map_readings(item, number, rows, watch) if rows is not None else []:
        if reading.error is not None:
            warnings.append(_warning(reading.outcome, reading.error))
        else:
            updates.append(_update(item, reading))


def _ids(identity: Identity | None) -> dict[str, Any] | None:
    return None if identity is None else {"$entity_unique_ids": dict(identity)}


def _update(item: ReadingItem, reading: MappedReading) -> dict[str, Any]:
    own: dict[str, Any] = {"external_id": reading.external_id}
    if reading.at is not None:
        own["timestamp"] = reading.at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if item.mode != "delete":
        own |= {"source": reading.source, "value": reading.value}
        own |= {name: getattr(reading, name) for name in ("reason", "direction") if name in reading.mapped}
    update: dict[str, Any] = {"meter": _ids(reading.meter)}
    if reading.counter is not None:
        update["meter_counter"] = _ids(reading.counter)
    return update | {"attributes": own | reading.attributes}
