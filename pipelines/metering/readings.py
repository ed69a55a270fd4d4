"""Single readings and lists of them, as the REST API offers them; bulk writes go through ``delivery``."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
import sqlalchemy as sa

from pipelines import clock
from pipelines.accounts.principals import Principal
from pipelines.crud import visible_organizations
from pipelines.db import tables
from pipelines.decimals import split
from pipelines.errors import NotFound, RejectedInput
from pipelines.fields import Field, Kind, check_all
from pipelines.metering.writer import Authorship, KeyedReadings, write_readings

FIELDS = (
    Field(name="organization", kind=Kind.UUID, required=True),
    Field(name="meter_device", kind=Kind.UUID, required=True, refers_to="meter-devices"),
    Field(name="series", kind=Kind.UUID, required=True, refers_to="meter-reading-series"),
    Field(name="timestamp", kind=Kind.DATETIME, required=True, doc="When the meter registered the value"),
    Field(name="value", kind=Kind.DECIMAL, required=True),
)

_READING, _DEVICE, _SERIES = tables.meter_reading, tables.meter_device, tables.meter_reading_series


@dataclass(frozen=True, kw_only=True)
class ReadingFilter:
    """Which readings to list: start inclusive, end exclusive; ids that are not the caller's match nothing."""

    meter_device: UUID | None = None
    series: UUID | None = None
    start_time: datetime | None = None
    end_time: datetime | None = None


def _conditions(
    connection: sa.Connection, principal: Principal, chosen: ReadingFilter
) -> list[sa.ColumnElement[bool]]:
    """Resolve the filter to keys first, so that the hypertable is entered by its primary key."""
    visible = visible_organizations(principal)
    devices = sa.select(_DEVICE.c.sensor_id).where(_DEVICE.c.organization_id.in_(visible))
    where: list[sa.ColumnElement[bool]] = []
    if chosen.meter_device is not None:
        key = connection.scalar(devices.where(_DEVICE.c.id == chosen.meter_device))
        where.append(_READING.c.device_id == (key if key is not None else -1))
    else:
        where.append(_READING.c.device_id.in_(devices))
    if chosen.series is not None:
        series = sa.select(_SERIES.c.series_key).where(
            _SERIES.c.id == chosen.series, _SERIES.c.organization_id.in_(visible)
        )
        key = connection.scalar(series)
        where.append(_READING.c.series_id == (key if key is not None else -1))
    if chosen.start_time is not None:
        where.append(_READING.c.timestamp >= chosen.start_time)
    if chosen.end_time is not None:
        where.append(_READING.c.timestamp < chosen.end_time)
    return where


def list_readings(
    connection: sa.Connection, principal: Principal, chosen: ReadingFilter, *, limit: int, offset: int
) -> tuple[int, list[tuple[datetime, Decimal]]]:
    """Return the full count and one page of (timestamp, value), ascending in time."""
    where = _conditions(connection, principal, chosen)
    count = connection.scalar(sa.select(sa.func.count()).select_from(_READING).where(*where)) or 0
    query = sa.select(_READING.c.timestamp, _READING.c.value).where(*where)
    order = (_READING.c.timestamp, _READING.c.device_id, _READING.c.series_id)
    rows: Sequence[Any] = connection.execute(query.order_by(*order).limit(limit).offset(offset)).all()
    return count, [(row[0], row[1]) for row in rows]


def _full_select(principal: Principal) -> sa.Select[Any]:
    return (
        sa.select(
            _READING.c.id,
            _DEVICE.c.organization_id.label("organization"),
            _DEVICE.c.id.label("meter_device"),
            _SERIES.c.id.label("series"),
            _READING.c.timestamp,
            _READING.c.value,
            _READING.c.created_at,
        )
        .join(_DEVICE, _DEVICE.c.sensor_id == _READING.c.device_id)
        .join(_SERIES, _SERIES.c.series_key == _READING.c.series_id)
        .where(_DEVICE.c.organization_id.in_(visible_organizations(principal)))
    )


def get_reading(connection: sa.Connection, principal: Principal, identifier: int) -> dict[str, Any]:
    """Return one reading by its number.

    Raises
    ------
    NotFound
        Unknown, or of another organization.
    """
    row = connection.execute(_full_select(principal).where(_READING.c.id == identifier)).first()
    if row is None:
        raise NotFound
    return dict(row._mapping)


def create_reading(
    connection: sa.Connection, principal: Principal, payload: Any, *, allow_unconfigured: bool
) -> dict[str, Any]:
    """Store one reading; the same value again changes nothing, another value is a correction.

    Raises
    ------
    RejectedInput
        A field is wrong, an id unknown, or the meter's config does not allow the series.
    """
    values = check_all(FIELDS, payload)
    device, series = _checked_keys(connection, principal, values, allow_unconfigured=allow_unconfigured)
    mantissa, scale = split(values["value"])
    readings = KeyedReadings(
        device_id=np.array([device], dtype=np.int32),
        series_id=np.array([series], dtype=np.int32),
        times_us=np.array([round(values["timestamp"].timestamp() * 1_000_000)], dtype=np.int64),
        mantissa=np.array([mantissa], dtype=np.int64),
        scale=np.array([scale], dtype=np.int16),
    )
    authorship = Authorship(author=principal.name, reason="posted to meter-readings", at=clock.now())
    if write_readings(connection, readings, authorship).gone[0]:
        raise RejectedInput({"meter_device": [_missing(values["meter_device"])]})
    key = (
        _READING.c.device_id == device,
        _READING.c.series_id == series,
        _READING.c.timestamp == values["timestamp"],
    )
    return dict(connection.execute(_full_select(principal).where(*key)).one()._mapping)


def _missing(identifier: object) -> str:
    return f'Invalid pk "{identifier}" - object does not exist.'


def _checked_keys(
    connection: sa.Connection, principal: Principal, values: dict[str, Any], *, allow_unconfigured: bool
) -> tuple[int, int]:
    errors: dict[str, list[str]] = {}
    organization, visible = values["organization"], visible_organizations(principal)
    if not connection.scalar(sa.select(sa.literal(1)).where(sa.literal(organization).in_(visible))):
        raise RejectedInput({"organization": [_missing(organization)]})
    kind = tables.meter_device_type
    device = connection.execute(
        sa.select(_DEVICE.c.sensor_id, kind.c.config_id)
        .outerjoin(kind, kind.c.id == _DEVICE.c.type_id)
        .where(_DEVICE.c.id == values["meter_device"], _DEVICE.c.organization_id == organization)
        .where(_DEVICE.c.organization_id.in_(visible))
    ).one_or_none()
    if device is None:
        errors["meter_device"] = [_missing(values["meter_device"])]
    series = connection.scalar(
        sa.select(_SERIES.c.series_key)
        .where(_SERIES.c.id == values["series"], _SERIES.c.organization_id == organization)
        .where(_SERIES.c.organization_id.in_(visible))
    )
    if series is None:
        errors["series"] = [_missing(values["series"])]
    if errors or device is None or series is None:
        raise RejectedInput(errors)
    link = tables.meter_device_config_series
    allowed = device.config_id is None and allow_unconfigured
    if device.config_id is not None:
        allowed = connection.scalar(
            sa.select(sa.literal(1)).where(
                link.c.config_id == device.config_id, link.c.series_id == values["series"]
            )
        )
    if not allowed:
        reason = (
            "is not allowed by the meter's config"
            if device.config_id
            else "cannot be saved: the meter has no config"
        )
        raise RejectedInput({"series": [f"This series {reason}."]})
    return device.sensor_id, series


def delete_reading(connection: sa.Connection, principal: Principal, identifier: int) -> None:
    """Delete one reading; its value stays in the audit table, and its surroundings are derived again.

    Raises
    ------
    NotFound
        Unknown, or of another organization.
    """
    visible = sa.select(_DEVICE.c.sensor_id).where(_DEVICE.c.organization_id.in_(visible_organizations(principal)))
    place = connection.execute(
        sa.select(_READING.c.device_id, _READING.c.series_id, _READING.c.timestamp).where(
            _READING.c.id == identifier, _READING.c.device_id.in_(visible)
        )
    ).first()
    if place is None:
        raise NotFound
    # Writers hold the channel's lock, so under it the reading stays as it is; rows of a columnstore lock badly.
    channel = _at_place(tables.reading_channel, place._mapping)
    connection.execute(sa.select(tables.reading_channel.c.device_id).where(*channel).with_for_update())
    reading = _at_place(_READING, place._mapping)
    found = connection.execute(sa.select(_READING).where(*reading)).first()
    if found is None:
        raise NotFound
    _keep_version(connection, principal, found)
    connection.execute(sa.delete(_READING).where(*reading))
    connection.execute(sa.delete(tables.erp_reading).where(*_at_place(tables.erp_reading, place._mapping)))
    _narrow_channel(connection, found)
    connection.execute(
        sa.insert(tables.reading_change).values(
            device_id=found.device_id, from_at=found.timestamp, to_at=found.timestamp
        )
    )


def _at_place(table: sa.Table, place: sa.RowMapping) -> list[sa.ColumnElement[bool]]:
    """Return the condition for the row, or rows, of a channel (and timestamp, where the table has one)."""
    return [table.c[name] == place[name] for name in ("device_id", "series_id", "timestamp") if name in table.c]


def _keep_version(connection: sa.Connection, principal: Principal, found: sa.Row[Any]) -> None:
    version = tables.meter_reading_version
    same = _at_place(version, found._mapping)
    number = connection.scalar(sa.select(sa.func.count()).select_from(version).where(*same)) or 0
    connection.execute(
        sa.insert(version).values(
            device_id=found.device_id,
            series_id=found.series_id,
            timestamp=found.timestamp,
            version=number + 1,
            value=found.value,
            recorded_at=found.created_at,
            replaced_at=clock.now(),
            replaced_by=principal.name[:200],
            reason="deleted",
        )
    )


def _narrow_channel(connection: sa.Connection, gone: sa.Row[Any]) -> None:
    """Let the channel's span end where its readings now do; without any it has none, and is no sensor's data."""
    channel = tables.reading_channel
    own = (_READING.c.device_id == gone.device_id, _READING.c.series_id == gone.series_id)
    connection.execute(
        sa.update(channel)
        .where(*_at_place(channel, gone._mapping))
        .where(sa.or_(channel.c.first_at == gone.timestamp, channel.c.last_at == gone.timestamp))
        .values(
            first_at=sa.select(sa.func.min(_READING.c.timestamp)).where(*own).scalar_subquery(),
            last_at=sa.select(sa.func.max(_READING.c.timestamp)).where(*own).scalar_subquery(),
        )
    )
