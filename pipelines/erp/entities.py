"""Entities of an event: a ``meter`` is a meter device, everything else is kept as the ERP describes it."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from pipelines import crud
from pipelines.accounts.principals import Principal
from pipelines.crud import Resource
from pipelines.db import tables
from pipelines.db.engine import raw
from pipelines.erp.configuration import METER, METER_COLUMNS, EntityItem
from pipelines.erp.getters import Document
from pipelines.erp.mapping import MappedEntity, Stopwatch, map_entities, rows_of
from pipelines.erp.payloads import encode
from pipelines.erp.readings import Target
from pipelines.erp.verdicts import Code, Outcome, RowError, Status, received
from pipelines.errors import RejectedInput
from pipelines.metering import resources as metering

OWN_TYPE = "ERP meter"  # type and config of meters that an ERP makes without naming a type
ZONE = "Europe/Berlin"
PROTOCOL = "dlms-cosem"
BIN = timedelta(days=30)
_FIELDS = {**METER_COLUMNS, "type": "type_id", "protocol": "protocol"}


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
    for entity in mapped:
        try:
            if entity.error is not None:
                raise entity.error
            with connection.begin_nested():
                if item.schema == METER:
                    _apply_meter(connection, entity, principal, target)
                else:
                    _apply_other(connection, item, entity, target)
        except RowError as error:
            entity.outcome.refuse(error)
        except RejectedInput as error:
            refusal = RowError(Code.INVALID_ATTRIBUTE, f"Invalid meter: {error}", **_named(error))
            entity.outcome.refuse(refusal)
    return [entity.outcome for entity in mapped]


def _named(error: RejectedInput) -> dict[str, Any]:
    names = {
        "external_system_reference": "external_id",
        "name": "meter_number",
        "manufacturer_serial": "serial_number",
    }
    field = next(iter(error.errors))
    return {"field": names.get(field, field)}


def _resource(target: Target) -> Resource:
    return metering.device(allow_unconfigured=target.allow_unconfigured)


def _apply_meter(connection: sa.Connection, entity: MappedEntity, principal: Principal, target: Target) -> None:
    device = tables.meter_device
    conditions = [device.c[METER_COLUMNS[attribute]] == value for attribute, value in entity.identity]
    own = device.c.organization_id == target.organization_id
    found = list(connection.scalars(sa.select(device.c.id).where(own, *conditions).limit(2)))
    if len(found) > 1:
        raise RowError(
            Code.AMBIGUOUS_IDENTIFIER, "Ambiguous identifier: several meters fit", **dict(entity.identity)
        )
    values = _columns(connection, entity, target)
    if found:
        crud.update_row(connection, _resource(target), principal, found[0], values, partial=True)
        entity.outcome.settle("updated", "Meter updated")
        return
    name = next(
        (values[c] for c in ("name", "external_system_reference", "manufacturer_serial") if values.get(c)), None
    )
    values = {"protocol": PROTOCOL, **values, "name": name}
    if values.get("type") is None:
        values["type"] = str(_own_type(connection, principal, target.default_series))
    crud.create_row(connection, _resource(target), principal, values)
    entity.outcome.settle("created", "Meter created")


def _columns(connection: sa.Connection, entity: MappedEntity, target: Target) -> dict[str, Any]:
    """Return the fields of a meter device that an entity gives; what a device has no field for is said so."""
    values: dict[str, Any] = {}
    for attribute, value in entity.attributes.items():
        if attribute in METER_COLUMNS:
            values[METER_COLUMNS[attribute]] = str(value) if isinstance(value, int | Decimal) else value
        elif attribute == "type" and value is not None:
            values["type"] = str(_type_named(connection, value, target.organization_id))
        elif attribute == "protocol" and value is not None:
            values["protocol"] = value
        elif attribute not in _FIELDS:
            entity.outcome.warnings.append(f"{attribute[:100]}: a meter device has no such field; it is not kept")
    return values


def _type_named(connection: sa.Connection, name: Any, organization_id: UUID) -> UUID:
    kind = tables.meter_device_type
    where = (kind.c.organization_id == organization_id, kind.c.name == str(name))
    found: list[UUID] = list(connection.scalars(sa.select(kind.c.id).where(*where).limit(2)))
    if len(found) != 1:
        said = "several meter device types have" if found else "no meter device type has"
        raise RowError(
            Code.INVALID_ATTRIBUTE, f"Invalid meter: {said} this name", field="type", received=received(name)
        )
    return found[0]


def _own_type(connection: sa.Connection, principal: Principal, series_name: str) -> UUID:
    """Return the type of meters that the ERP makes; its config allows the integration's default series."""
    kind, organization = tables.meter_device_type, principal.organization_id
    query = sa.select(kind.c.id, kind.c.config_id).where(
        kind.c.organization_id == organization, kind.c.name == OWN_TYPE
    )
    known = connection.execute(query.order_by(kind.c.created_at).limit(1)).first()
    body = {"organization": str(organization), "name": OWN_TYPE}
    if known is not None and known.config_id is not None:
        config = crud.get_row(connection, metering.CONFIG, principal, known.config_id)
        names = {one["name"] for one in config["series_info"]}
        if series_name not in names:
            added = [*map(str, config["series"]), str(_series(connection, principal, series_name))]
            crud.update_row(connection, metering.CONFIG, principal, config["id"], {"series": added}, partial=True)
        return UUID(str(known.id))
    if known is not None:  # an operator took its config away
        return UUID(str(known.id))
    series = _series(connection, principal, series_name)
    config = crud.create_row(
        connection, metering.CONFIG, principal, {**body, "series": [str(series)], "timezone": ZONE}
    )
    made = {**body, "manufacturer": "ERP", "manufacturer_model": "unknown", "config": str(config["id"])}
    return UUID(str(crud.create_row(connection, metering.TYPE, principal, made)["id"]))


def _series(connection: sa.Connection, principal: Principal, name: str) -> UUID:
    series, organization = tables.meter_reading_series, principal.organization_id
    where = (series.c.organization_id == organization, series.c.name == name)
    found = connection.scalar(sa.select(series.c.id).where(*where).order_by(series.c.created_at).limit(1))
    if found is None:
        body = {"organization": str(organization), "name": name, "unit": "kWh"}
        found = crud.create_row(connection, metering.SERIES, principal, body)["id"]
    return UUID(str(found))


_MATCH = """
    SELECT id FROM wattloom.erp_entity
    WHERE organization_id = %s AND entity_schema = %s AND deleted_at IS NULL AND attributes @> %s::jsonb
    LIMIT 2
"""
_CREATE = """
    INSERT INTO wattloom.erp_entity
        (organization_id, entity_schema, unique_ids, attributes, created_at, updated_at)
    VALUES (%s, %s, %s::jsonb, %s::jsonb, %s, %s)
"""
_UPDATE = """
    UPDATE wattloom.erp_entity SET unique_ids = %s::jsonb, attributes = attributes || %s::jsonb, updated_at = %s
    WHERE id = %s
"""


def _apply_other(connection: sa.Connection, item: EntityItem, entity: MappedEntity, target: Target) -> None:
    cursor = raw(connection).cursor()
    ids, at = encode(dict(entity.identity)), target.origin.authorship.at
    found = cursor.execute(_MATCH, (target.organization_id, item.schema, ids)).fetchall()
    if len(found) > 1:
        raise RowError(
            Code.AMBIGUOUS_IDENTIFIER, "Ambiguous identifier: several entities fit", **dict(entity.identity)
        )
    attributes = encode(entity.attributes)
    if item.mode == "delete":
        if not found:
            entity.outcome.settle("none", "Entity not found; nothing was deleted", Status.WARNING)
            return
        cursor.execute(
            "UPDATE wattloom.erp_entity SET deleted_at = %s, updated_at = %s WHERE id = %s", (at, at, found[0][0])
        )
        entity.outcome.settle("deleted", "Entity moved to the bin for 30 days")
    elif found:
        cursor.execute(_UPDATE, (ids, attributes, at, found[0][0]))
        entity.outcome.settle("updated", "Entity updated")
    else:
        cursor.execute(_CREATE, (target.organization_id, item.schema, ids, attributes, at, at))
        entity.outcome.settle("created", "Entity created")


def empty_bin(connection: sa.Connection, *, before: datetime) -> int:
    """Delete for good what was put in the bin before an instant; return how many."""
    cursor = raw(connection).execute("DELETE FROM wattloom.erp_entity WHERE deleted_at < %s", (before,))
    return cursor.rowcount
