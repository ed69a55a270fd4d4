"""Meters as an ERP describes them: a meter device, and beside it everything that a device has no field for."""

from decimal import Decimal
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from pipelines import crud
from pipelines.accounts.principals import Principal, Scheme
from pipelines.crud import Resource
from pipelines.db import tables
from pipelines.db.engine import raw
from pipelines.erp.configuration import METER_COLUMNS, EntityItem
from pipelines.erp.mapping import MappedEntity
from pipelines.erp.payloads import encode
from pipelines.erp.readings import Target
from pipelines.erp.relations import joined
from pipelines.erp.verdicts import Code, RowError, Status, received
from pipelines.errors import NotFound, RejectedInput
from pipelines.metering import resources as metering

OWN_TYPE = "ERP meter"  # type and config of meters that an ERP makes without naming a type
ZONE = "Europe/Berlin"
PROTOCOL = "dlms-cosem"
_FIELDS = {**METER_COLUMNS, "type": "type_id", "protocol": "protocol"}
_LATER = """
    SELECT event_number > %(number)s FROM wattloom.erp_entity
    WHERE organization_id = %(organization)s AND entity_schema = 'meter'
      AND (meter_device_id = %(device)s OR (meter_device_id IS NULL AND unique_ids = %(ids)s::jsonb))
    ORDER BY event_number DESC LIMIT 1
"""
_DESCRIBE = """
    INSERT INTO wattloom.erp_entity AS e (organization_id, entity_schema, unique_ids, attributes, created_at,
        updated_at, event_number, meter_device_id, deleted_at)
    VALUES (%(organization)s, 'meter', %(ids)s::jsonb, %(attributes)s::jsonb, %(at)s, %(at)s, %(number)s, %(device)s,
        %(deleted_at)s)
    ON CONFLICT (meter_device_id) WHERE meter_device_id IS NOT NULL DO UPDATE
    SET unique_ids = excluded.unique_ids, attributes = e.attributes || excluded.attributes,
        updated_at = excluded.updated_at, event_number = excluded.event_number, deleted_at = excluded.deleted_at
"""


def named(error: RejectedInput) -> dict[str, Any]:
    """Return the attribute that a refused field of a meter device was mapped to."""
    names = {
        "external_system_reference": "external_id",
        "name": "meter_number",
        "manufacturer_serial": "serial_number",
    }
    field = next(iter(error.errors))
    return {"field": names.get(field, field)}


def _resource(target: Target) -> Resource:
    return metering.device(allow_unconfigured=target.allow_unconfigured)


def apply_meter(
    connection: sa.Connection, item: EntityItem, entity: MappedEntity, principal: Principal, target: Target
) -> None:
    """Create, change, bin or delete a meter device; what a device has no field for is kept beside it.

    Raises
    ------
    RowError, RejectedInput
        Several meters fit, or a field is wrong.
    """
    device = tables.meter_device
    conditions = [device.c[METER_COLUMNS[attribute]] == value for attribute, value in entity.identity]
    own = device.c.organization_id == target.organization_id
    found = list(connection.scalars(sa.select(device.c.id).where(own, *conditions).limit(2)))
    if len(found) > 1:
        raise RowError(
            Code.AMBIGUOUS_IDENTIFIER, "Ambiguous identifier: several meters fit", **dict(entity.identity)
        )
    device_id = found[0] if found else None
    said = _Said(entity, target, device_id)
    if said.is_late(connection):
        entity.outcome.settle(
            "skipped", "A later event described this meter; it stays as it is", Status.SUPERSEDED
        )
    elif item.mode != "upsert":
        _remove(connection, item, entity, principal, target, said)
    elif device_id is not None:
        values = _columns(connection, entity, target)
        crud.update_row(connection, _resource(target), principal, device_id, values, partial=True)
        said.keep(connection)
        entity.outcome.settle("updated", "Meter updated")
    else:
        said.device_id = _create(connection, entity, principal, target)
        said.keep(connection)
        entity.outcome.settle("created", "Meter created")


class _Said:
    """What the ERP says of a meter, kept beside its device; which event said it last."""

    def __init__(self, entity: MappedEntity, target: Target, device_id: UUID | None) -> None:
        self.device_id = device_id
        self._entity, self._target = entity, target
        self._values: dict[str, Any] = {
            "organization": target.organization_id,
            "ids": encode(dict(entity.identity)),
            "number": target.origin.event_number,
            "at": target.origin.authorship.at,
        }

    def is_late(self, connection: sa.Connection) -> bool:
        """Tell whether a later event than this one described or deleted the meter."""
        row = raw(connection).execute(_LATER, {**self._values, "device": self.device_id}).fetchone()
        return row is not None and bool(row[0])

    def keep(self, connection: sa.Connection, *, deleted: bool = False) -> None:
        """Keep the attributes; those of before that are not sent stay."""
        query = "SELECT attributes FROM wattloom.erp_entity WHERE meter_device_id = %s"
        known = raw(connection).execute(query, (self.device_id,)).fetchone()
        before = known[0] if known is not None else {}
        related = {name: joined(before.get(name), *one) for name, one in self._entity.relations.items()}
        values = {"device": self.device_id, "deleted_at": self._values["at"] if deleted else None}
        attributes = encode({**self._entity.attributes, **related})
        raw(connection).execute(_DESCRIBE, {**self._values, **values, "attributes": attributes})


def _remove(
    connection: sa.Connection,
    item: EntityItem,
    entity: MappedEntity,
    principal: Principal,
    target: Target,
    said: _Said,
) -> None:
    if said.device_id is None:
        entity.outcome.settle("none", "Meter not found; nothing was deleted", Status.WARNING)
        return
    if item.mode == "delete":
        said.keep(connection, deleted=True)
        entity.outcome.settle("deleted", "Meter moved to the bin for 30 days; its readings stay until then")
        return
    crud.delete_row(connection, _resource(target), principal, said.device_id)
    said.device_id = None
    said.keep(connection, deleted=True)
    entity.outcome.settle("purged", "Meter and its readings deleted for good")


def delete_binned(connection: sa.Connection, organization_id: UUID, device_id: UUID) -> None:
    """Delete a meter whose time in the bin is over, with its readings."""
    principal = Principal(scheme=Scheme.BEARER, organization_id=organization_id, name="bin")
    try:
        crud.delete_row(connection, metering.device(allow_unconfigured=True), principal, device_id)
    except NotFound:  # deleted meanwhile
        return


def _create(connection: sa.Connection, entity: MappedEntity, principal: Principal, target: Target) -> UUID:
    values = _columns(connection, entity, target)
    name = next(
        (values[c] for c in ("name", "external_system_reference", "manufacturer_serial") if values.get(c)), None
    )
    values = {"protocol": PROTOCOL, **values, "name": name}
    if values.get("type") is None:
        values["type"] = str(_own_type(connection, principal, target.default_series))
    return UUID(str(crud.create_row(connection, _resource(target), principal, values)["id"]))


def _columns(connection: sa.Connection, entity: MappedEntity, target: Target) -> dict[str, Any]:
    """Return the fields of a meter device that an entity gives; the verdict says what is kept beside them."""
    values: dict[str, Any] = {}
    for attribute, value in entity.attributes.items():
        if attribute in METER_COLUMNS:
            values[METER_COLUMNS[attribute]] = str(value) if isinstance(value, int | Decimal) else value
        elif attribute == "type" and value is not None:
            values["type"] = str(_type_named(connection, value, target.organization_id))
        elif attribute == "protocol" and value is not None:
            values["protocol"] = value
        elif attribute not in _FIELDS:
            entity.outcome.kept[attribute] = value
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
