"""Entities of an event: a ``meter`` is a meter device, everything else is kept as the ERP describes it."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import sqlalchemy as sa

from pipelines.accounts.principals import Principal
from pipelines.db.engine import raw
from pipelines.erp.configuration import METER, PRUNING, EntityItem
from pipelines.erp.entity_meters import apply_meter, delete_binned, named
from pipelines.erp.getters import Document
from pipelines.erp.mapping import MappedEntity, Stopwatch, map_entities, rows_of
from pipelines.erp.payloads import encode
from pipelines.erp.readings import Target
from pipelines.erp.relations import joined
from pipelines.erp.verdicts import Code, Outcome, RowError, Status
from pipelines.errors import RejectedInput

BIN = timedelta(days=30)


def apply_entities(
    connection: sa.Connection,
    item: EntityItem,
    number: int,
    document: Document,
    principal: Principal,
    target: Target,
    watch: Stopwatch,
) -> list[Outcome]:
    """Create, change or delete the entities of an item; return a verdict for every one."""
    try:
        rows = rows_of(item, document)
    except RowError as error:
        refused = Outcome(kind=item.schema, item=number, index=None)
        refused.refuse(error)
        return [refused]
    if rows is None:
        return []
    mapped = map_entities(item, number, rows, watch)
    # Events of one organization take turns with entities: two that create the same one find it the second time.
    raw(connection).execute(
        "SELECT pg_advisory_xact_lock(hashtextextended('erp_entity ' || %s::text, 0))", (target.organization_id,)
    )
    kept: list[UUID] = []
    for entity in mapped:
        try:
            if entity.error is not None:
                raise entity.error
            with connection.begin_nested():
                if item.schema == METER:
                    apply_meter(connection, item, entity, principal, target)
                elif (known := _apply_other(connection, item, entity, target)) is not None:
                    kept.append(known)
        except RowError as error:
            entity.outcome.refuse(error)
        except RejectedInput as error:
            refusal = RowError(Code.INVALID_ATTRIBUTE, f"Invalid meter: {error}", **named(error))
            entity.outcome.refuse(refusal)
    outcomes = [entity.outcome for entity in mapped]
    if item.mode in PRUNING:
        failed = any(outcome.status is Status.ERROR for outcome in outcomes)
        outcomes.append(_prune(connection, item, number, document, target, kept, failed=failed))
    return outcomes


_MATCH = """
    SELECT id, event_number, attributes FROM wattloom.erp_entity
    WHERE organization_id = %(organization)s AND entity_schema = %(schema)s AND deleted_at IS NULL
      AND attributes @> %(ids)s::jsonb
    LIMIT 2
"""
_BINNED_LATER = """
    SELECT 1 FROM wattloom.erp_entity
    WHERE organization_id = %(organization)s AND entity_schema = %(schema)s AND deleted_at IS NOT NULL
      AND attributes @> %(ids)s::jsonb AND event_number > %(number)s
    LIMIT 1
"""
_CREATE = """
    INSERT INTO wattloom.erp_entity
        (organization_id, entity_schema, unique_ids, attributes, created_at, updated_at, event_number)
    VALUES (%(organization)s, %(schema)s, %(ids)s::jsonb, %(attributes)s::jsonb, %(at)s, %(at)s, %(number)s)
    RETURNING id
"""
_UPDATE = """
    UPDATE wattloom.erp_entity SET unique_ids = %(ids)s::jsonb, attributes = attributes || %(attributes)s::jsonb,
           updated_at = %(at)s, event_number = %(number)s
    WHERE id = %(id)s
"""
_BIN = "UPDATE wattloom.erp_entity SET deleted_at = %(at)s, updated_at = %(at)s, event_number = %(number)s"
_PURGE = "DELETE FROM wattloom.erp_entity"
_IN_SCOPE = """
    WHERE organization_id = %(organization)s AND entity_schema = %(schema)s AND deleted_at IS NULL
      AND event_number <= %(number)s AND id <> ALL(%(kept)s::uuid[])
"""


def _values(item: EntityItem, target: Target) -> dict[str, Any]:
    return {
        "organization": target.organization_id,
        "schema": item.schema,
        "number": target.origin.event_number,
        "at": target.origin.authorship.at,
    }


def _apply_other(connection: sa.Connection, item: EntityItem, entity: MappedEntity, target: Target) -> UUID | None:
    """Create, change or delete an entity; return its id where it is there afterwards."""
    cursor = raw(connection).cursor()
    values = _values(item, target) | {"ids": encode(dict(entity.identity))}
    found = cursor.execute(_MATCH, values).fetchall()
    if len(found) > 1:
        raise RowError(
            Code.AMBIGUOUS_IDENTIFIER, "Ambiguous identifier: several entities fit", **dict(entity.identity)
        )
    known: UUID | None = None
    number, before = 0, dict[str, Any]()
    if found:
        known, number, before = found[0]
    late = number > values["number"] if found else cursor.execute(_BINNED_LATER, values).fetchone() is not None
    if late:
        message = "A later event described or deleted this entity; it stays as it is"
        entity.outcome.settle("skipped", message, Status.SUPERSEDED)
        return known
    if item.mode in {"delete", "purge"}:
        _remove(cursor, item, entity, {**values, "id": known})
        return None
    related = {name: joined(before.get(name), *one) for name, one in entity.relations.items()}
    values["attributes"] = encode({**entity.attributes, **related})
    if known is not None:
        cursor.execute(_UPDATE, {**values, "id": known})
        entity.outcome.settle("updated", "Entity updated")
        return known
    (made,) = cursor.execute(_CREATE, values).fetchone() or (None,)
    entity.outcome.settle("created", "Entity created")
    return UUID(str(made))


def _remove(cursor: psycopg.Cursor[Any], item: EntityItem, entity: MappedEntity, values: dict[str, Any]) -> None:
    if values["id"] is None:
        entity.outcome.settle("none", "Entity not found; nothing was deleted", Status.WARNING)
    elif item.mode == "delete":
        cursor.execute(f"{_BIN} WHERE id = %(id)s".encode(), values)
        entity.outcome.settle("deleted", "Entity moved to the bin for 30 days")
    else:
        cursor.execute(f"{_PURGE} WHERE id = %(id)s".encode(), values)
        entity.outcome.settle("purged", "Entity deleted for good")


def _prune(
    connection: sa.Connection,
    item: EntityItem,
    number: int,
    document: Document,
    target: Target,
    kept: list[UUID],
    *,
    failed: bool,
) -> Outcome:
    """Delete the entities in scope that the payload does not name; where a row failed, none."""
    outcome = Outcome(kind=item.schema, item=number, index=None)
    if failed:
        outcome.settle("pruned", "Rows failed, so nothing was pruned", Status.WARNING)
        return outcome
    assert item.scope is not None  # noqa: S101 - a configuration that prunes without a scope is refused
    try:
        condition, scope = item.scope.condition(document)
    except RowError as error:
        outcome.refuse(error)
        return outcome
    to_bin = item.mode == "upsert-prune-scope-delete"
    statement = f"{_BIN if to_bin else _PURGE} {_IN_SCOPE} AND {condition}"
    values = _values(item, target) | {"kept": kept, "scope": encode(scope)}
    count = raw(connection).execute(statement.encode(), values).rowcount
    outcome.settle("pruned", f"{count} entities in scope that the payload does not name deleted")
    return outcome


def empty_bin(connection: sa.Connection, *, before: datetime) -> int:
    """Delete for good what was put in the bin before an instant, meters with their readings; return how many."""
    cursor = raw(connection).cursor()
    statement = "DELETE FROM wattloom.erp_entity WHERE deleted_at < %s RETURNING organization_id, meter_device_id"
    gone = cursor.execute(statement, (before,)).fetchall()
    for organization, device in gone:
        if device is not None:
            delete_binned(connection, organization, device)
    return len(gone)
