"""Devices, types, configs, series, staged readings and events as resources, and what follows a write of each."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import sqlalchemy as sa

from pipelines import clock
from pipelines.accounts.principals import Principal
from pipelines.crud import Link, Resource, Row
from pipelines.db import tables
from pipelines.errors import RejectedInput
from pipelines.fields import Field, Kind
from pipelines.metering import deletion, promotion
from pipelines.metering.changes import (
    devices_of_config,
    devices_of_series,
    devices_of_type,
    mark_devices_changed,
)
from pipelines.metering.interfaces import interface_infos
from pipelines.registry.linking import link_serials

PROTOCOLS = ("dlms-cosem", "iec62056-21", "i-flag", "mbus", "modbus", "lis-200")
SERIES_KINDS = ("cumulative", "interval", "instantaneous")
_HEX = "[abcdefABCDEF1234567890]*"

ORGANIZATION = Field(
    name="organization",
    kind=Kind.UUID,
    required=True,
    column="organization_id",
    doc="The organization the row belongs to",
)


def _organization_of(row: Row) -> Any:
    return row["organization_id"]


def _series_hook(connection: sa.Connection, _principal: Principal, stored: Row, before: Row | None) -> None:
    """Derive again what a changed unit, kind or ratio flag alters; a new name may fit staged readings."""
    if before is None:
        return
    meaning = (
        "unit",
        "kind",
        "register_digits",
        "interval_s",
        "affected_by_ct_ratio",
        "affected_by_vt_ratio",
        "name",
    )
    if any(stored[name] != before[name] for name in meaning):
        mark_devices_changed(connection, devices_of_series(stored["series_key"]))
    if stored["name"] != before["name"]:
        promotion.promote(connection, _organization_of(stored), at=clock.now())


SERIES = Resource(
    name="meter-reading-series",
    title="MeterReadingSeries",
    table=tables.meter_reading_series,
    fields=(
        ORGANIZATION,
        Field(name="name", required=True, min_length=1, max_length=50, doc="Usually an OBIS code"),
        Field(name="description", max_length=250),
        Field(name="unit", required=True, min_length=1, max_length=10, doc="Unit of the values, such as kWh"),
        Field(name="unit_description", nullable=True, min_length=1, max_length=250),
        Field(name="si_multiplier", kind=Kind.DECIMAL, doc="1 kPa = 1000 * 1 Pa; for display only"),
        Field(name="affected_by_ct_ratio", kind=Kind.BOOLEAN),
        Field(name="affected_by_vt_ratio", kind=Kind.BOOLEAN),
        Field(
            name="kind",
            nullable=True,
            choices=SERIES_KINDS,
            doc="cumulative register, interval energy from its timestamp on, or instantaneous; else inferred",
        ),
        Field(
            name="register_digits",
            kind=Kind.INTEGER,
            nullable=True,
            minimum=1,
            maximum=15,
            doc="Digits before the point at which the register rolls over",
        ),
        Field(
            name="interval_s",
            kind=Kind.INTEGER,
            nullable=True,
            minimum=1,
            maximum=34_300_800,
            doc="Expected spacing of readings [s]; else inferred",
        ),
    ),
    filters=("name", "unit"),
    after_write=_series_hook,
    before_delete=deletion.before_series,
)


def _config_hook(connection: sa.Connection, _principal: Principal, stored: Row, before: Row | None) -> None:
    """Derive again where a changed zone moves local days; promote what a longer list of series admits."""
    if before is None:
        return
    if stored["timezone"] != before["timezone"]:
        mark_devices_changed(connection, devices_of_config(stored["id"]))
    if set(stored["series"]) - set(before["series"]):
        promotion.promote(connection, _organization_of(stored), at=clock.now())


def _series_info(connection: sa.Connection, rows: Sequence[Row]) -> None:
    wanted = {item for row in rows for item in row["series"]}
    series = tables.meter_reading_series
    query = sa.select(series.c.id, series.c.name, series.c.description, series.c.unit).where(
        series.c.id.in_(wanted)
    )
    known = {row.id: dict(row._mapping) for row in connection.execute(query)} if wanted else {}
    for row in rows:
        row["series_info"] = [known[item] for item in row["series"] if item in known]


CONFIG = Resource(
    name="meter-device-configs",
    title="MeterDeviceConfig",
    table=tables.meter_device_config,
    fields=(
        ORGANIZATION,
        Field(name="name", required=True, min_length=1, max_length=50),
        Field(
            name="series",
            kind=Kind.UUIDS,
            required=True,
            refers_to="meter-reading-series",
            doc="The series that may be saved for the meter",
        ),
        Field(name="series_info", kind=Kind.OBJECTS, read_only=True),
        Field(name="timezone", kind=Kind.ZONE, doc="Zone of the meter's local days; Etc/GMT-2 is UTC+2"),
    ),
    links={"series": Link(table=tables.meter_device_config_series, own="config_id", other="series_id")},
    targets={"series": tables.meter_reading_series},
    after_write=_config_hook,
    before_delete=deletion.before_config,
    extend=_series_info,
)


def _type_hook(connection: sa.Connection, _principal: Principal, stored: Row, before: Row | None) -> None:
    """Another config means another zone and other series."""
    if before is not None and stored["config_id"] != before["config_id"]:
        mark_devices_changed(connection, devices_of_type(stored["id"]))
        promotion.promote(connection, _organization_of(stored), at=clock.now())


TYPE = Resource(
    name="meter-device-types",
    title="MeterDeviceType",
    table=tables.meter_device_type,
    fields=(
        ORGANIZATION,
        Field(name="name", required=True, min_length=1, max_length=50),
        Field(name="description", max_length=500),
        Field(name="manufacturer", required=True, min_length=1, max_length=100),
        Field(name="manufacturer_model", required=True, min_length=1, max_length=50),
        Field(name="config", kind=Kind.UUID, nullable=True, column="config_id", refers_to="meter-device-configs"),
    ),
    targets={"config": tables.meter_device_config},
    after_write=_type_hook,
    before_delete=deletion.before_type,
)

_RATIOS = (
    ("has_current_transformer", "current_transformer_ratio"),
    ("has_voltage_transformer", "voltage_transformer_ratio"),
)


def _check_device(_connection: sa.Connection, _principal: Principal, values: Row, before: Row | None) -> None:
    errors: dict[str, list[str]] = {}
    for flag, ratio in _RATIOS:
        known = {flag: False, ratio: 1, **(before or {}), **values}
        has, size = known[flag], known[ratio]
        if has and size <= 0:
            errors[ratio] = ["Ensure this value is greater than or equal to 1 when the meter has the transformer."]
    if errors:
        raise RejectedInput(errors)


def _device_hook(
    connection: sa.Connection,
    _principal: Principal,
    stored: Row,
    before: Row | None,
    *,
    allow_unconfigured: bool = False,
) -> None:
    """Promote what was staged under the name; note an exchanged meter; derive again what ratios or type alter."""
    serials = {stored["manufacturer_serial"], before["manufacturer_serial"] if before else None} - {None}
    if before is None or stored["manufacturer_serial"] != before["manufacturer_serial"]:
        link_serials(connection, _organization_of(stored), sorted(serials))
    if before is not None:
        old, new = before["manufacturer_serial"], stored["manufacturer_serial"]
        if old and new and old != new:
            connection.execute(
                sa.insert(tables.meter_device_exchange).values(
                    device_id=stored["sensor_id"], exchanged_at=clock.now(), old_serial=old, new_serial=new
                )
            )
        if (
            any(stored[name] != before[name] for pair in _RATIOS for name in pair)
            or stored["type_id"] != before["type_id"]
        ):
            mark_devices_changed(connection, sa.select(sa.literal(stored["id"])))
    if before is None or stored["name"] != before["name"] or stored["type_id"] != before["type_id"]:
        promotion.promote(
            connection,
            _organization_of(stored),
            at=clock.now(),
            meters=[stored["name"]],
            allow_unconfigured=allow_unconfigured,
        )


def _extend_device(connection: sa.Connection, rows: Sequence[Row]) -> None:
    infos = interface_infos(connection, {row["network_interface_id"] for row in rows} - {None})
    for row in rows:
        row["network_interface_info"] = infos.get(row["network_interface_id"])


DEVICE = Resource(
    name="meter-devices",
    title="MeterDevice",
    table=tables.meter_device,
    fields=(
        Field(name="sensor_id", kind=Kind.INTEGER, read_only=True, doc="The meter's id under /sensors"),
        Field(name="organization", kind=Kind.UUID, nullable=True, column="organization_id"),
        Field(name="name", required=True, min_length=1, max_length=50, doc="Unique name within the organization"),
        Field(name="external_system_reference", nullable=True, max_length=50),
        Field(name="manufacturer_serial", nullable=True, max_length=50),
        Field(name="protocol", required=True, choices=PROTOCOLS),
        Field(name="iec62056_21_address", nullable=True, max_length=8),
        Field(name="dlms_logical_device_name", nullable=True, max_length=32, pattern=_HEX),
        Field(name="dlms_system_title", nullable=True, max_length=16, pattern=_HEX),
        Field(name="type", kind=Kind.UUID, nullable=True, column="type_id", refers_to="meter-device-types"),
        Field(name="task_groups", kind=Kind.UUIDS, refers_to="amr-task-groups"),
        Field(name="meter_tasks", kind=Kind.UUIDS, refers_to="amr-tasks"),
        Field(
            name="network_interface",
            kind=Kind.UUID,
            nullable=True,
            column="network_interface_id",
            refers_to="network-interfaces",
        ),
        Field(name="network_interface_info", kind=Kind.OBJECT, nullable=True, read_only=True),
        Field(name="has_current_transformer", kind=Kind.BOOLEAN),
        Field(name="current_transformer_ratio", kind=Kind.INTEGER, doc="150/5 = 30"),
        Field(name="has_voltage_transformer", kind=Kind.BOOLEAN),
        Field(name="voltage_transformer_ratio", kind=Kind.INTEGER),
        Field(name="has_disconnector", kind=Kind.BOOLEAN),
        Field(
            name="disconnector_status",
            kind=Kind.INTEGER,
            nullable=True,
            choices=(0, 1, 2),
            doc="0 disconnected, 1 connected, 2 ready for reconnection",
        ),
    ),
    filters=(
        "name",
        "external_system_reference",
        "manufacturer_serial",
        "dlms_logical_device_name",
        "dlms_system_title",
    ),
    links={
        "task_groups": Link(table=tables.meter_device_task_group, own="device_id", other="group_id"),
        "meter_tasks": Link(table=tables.meter_device_task, own="device_id", other="task_id"),
    },
    targets={
        "type": tables.meter_device_type,
        "task_groups": tables.amr_task_group,
        "meter_tasks": tables.amr_task,
        "network_interface": tables.network_interface,
    },
    unique={"meter_device_organization_id_name_key": "name: meter device with this name already exists."},
    before_write=_check_device,
    after_write=_device_hook,
    before_delete=deletion.before_device,
    extend=_extend_device,
)


def device(*, allow_unconfigured: bool) -> Resource:
    """Return the meter devices of a deployment, which may accept readings of devices without a config."""
    return replace(DEVICE, after_write=partial(_device_hook, allow_unconfigured=allow_unconfigured))


def _own_staging(_connection: sa.Connection, principal: Principal, values: Row, before: Row | None) -> None:
    if before is None:
        values["organization_id"] = principal.organization_id


STAGED = Resource(
    name="staged-meter-readings",
    title="StagedMeterReading",
    table=tables.staged_meter_reading,
    fields=(
        Field(name="meter_device_name", required=True, min_length=1, max_length=50),
        Field(name="series_name", required=True, min_length=1, max_length=50),
        Field(name="timestamp", kind=Kind.DATETIME, required=True),
        Field(name="value", kind=Kind.DECIMAL, required=True),
    ),
    filters=("meter_device_name", "start_time", "end_time"),
    unique={
        "staged_meter_reading_organization_id_meter_device_name_seri_key": (
            "timestamp: a staged reading of this meter, series and timestamp already exists."
        )
    },
    integer_id=True,
    before_write=_own_staging,
)

SYSTEM_EVENT = Resource(
    name="meter-system-events",
    title="MeterSystemEvent",
    table=tables.meter_system_event,
    fields=(
        ORGANIZATION,
        Field(
            name="meter_device", kind=Kind.UUID, required=True, column="meter_device_id", refers_to="meter-devices"
        ),
        Field(name="timestamp", kind=Kind.DATETIME, required=True),
        Field(name="title", required=True, min_length=1, max_length=50),
        Field(name="content", required=True, min_length=1, max_length=500),
    ),
    filters=("meter_device", "start_time", "end_time"),
    targets={"meter_device": tables.meter_device},
    integer_id=True,
    may_update=False,
)
