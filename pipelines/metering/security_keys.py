"""Security keys of meters as a resource: encrypted before they are stored, the master key never shown again."""

from collections.abc import Sequence
from dataclasses import replace

import sqlalchemy as sa

from pipelines import crud
from pipelines.accounts.principals import Principal
from pipelines.crud import Resource, Row
from pipelines.db import tables
from pipelines.errors import RejectedInput
from pipelines.fields import Field, Kind
from pipelines.metering.resources import DEVICE
from pipelines.metering.vault import SECRET_FIELDS, Vault, opened_row

_HEX = "[abcdefABCDEF1234567890]*"
_WRITE_ONLY = "dlms_master_key"
_DEVICE = tables.meter_device


def _key_field(name: str, doc: str) -> Field:
    return Field(name=name, nullable=True, max_length=64, pattern=_HEX, doc=doc, write_only=name == _WRITE_ONLY)


_FIELDS = (
    Field(
        name="meter",
        kind=Kind.UUID,
        required=True,
        column="meter_device_id",
        refers_to="meter-devices",
        doc="Sent as the meter's id, shown as the whole meter; the newest collection of a meter counts",
    ),
    Field(name="iec62056_21_password", nullable=True, min_length=1, max_length=8),
    _key_field("dlms_global_unicast_encryption_key", "GUEK, 32 or 64 hexadecimal digits"),
    _key_field("dlms_global_broadcast_encryption_key", "GBEK"),
    _key_field("dlms_master_key", "KEK; is never shown"),
    _key_field("dlms_global_authentication_key", "GAK"),
)


def security_keys(vault: Vault) -> Resource:
    """Return the resource of a deployment, whose vault keeps the secrets."""

    def seal(connection: sa.Connection, _principal: Principal, values: Row, _before: Row | None) -> None:
        meter = values["meter"]
        query = sa.select(_DEVICE.c.organization_id).where(_DEVICE.c.id == meter)
        owner = connection.scalar(query.with_for_update(read=True, key_share=True))
        if owner is None:  # it existed when the references were checked
            raise RejectedInput("What this row refers to was deleted meanwhile.")
        secret = {name: values.pop(name) for name in SECRET_FIELDS if values.get(name) is not None}
        version, sealed = vault.seal(connection, owner, meter, secret)
        values |= {"organization_id": owner, "key_version": version, **sealed}

    def show(connection: sa.Connection, rows: Sequence[Row]) -> None:
        key = tables.organization_key
        owners = {row["organization_id"] for row in rows}
        query = sa.select(key).where(key.c.organization_id.in_(owners))
        wrapped = {(r.organization_id, r.version): r.wrapped_key for r in connection.execute(query)}
        meters = crud.shown_rows(connection, DEVICE, {row["meter_device_id"] for row in rows}, owners)
        for row in rows:
            row["wrapped_key"] = wrapped[row["organization_id"], row["key_version"]]
            row.update(opened_row(vault, row))
            del row["wrapped_key"], row[_WRITE_ONLY]
            row["meter"] = meters.get(row["meter_device_id"])  # None: deleted since the row was read

    return replace(SECURITY_KEY, before_write=seal, extend=show)


SECURITY_KEY = Resource(
    name="meter-security-keys",
    title="MeterSecurityKeyCollection",
    table=tables.meter_security_key,
    fields=_FIELDS,
    filters=("meter",),
    nested=("meter",),
    related_filters={
        "meter_name": ("meter_device_id", _DEVICE.c.name),
        "meter_external_system_reference": ("meter_device_id", _DEVICE.c.external_system_reference),
        "meter_manufacturer_serial": ("meter_device_id", _DEVICE.c.manufacturer_serial),
        "meter_dlms_system_title": ("meter_device_id", _DEVICE.c.dlms_system_title),
        "meter_dlms_logical_device_name": ("meter_device_id", _DEVICE.c.dlms_logical_device_name),
    },
    targets={"meter": _DEVICE},
    may_update=False,
)
