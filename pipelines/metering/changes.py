"""The log of what must be derived again, written in the transaction that makes it so."""

import sqlalchemy as sa

from pipelines.db import tables

Devices = sa.Select[tuple[object]]


def devices_of_series(series_key: object) -> Devices:
    """Return the devices that have readings of a series."""
    device, channel = tables.meter_device, tables.reading_channel
    joined = sa.select(device.c.id).join(channel, channel.c.device_id == device.c.sensor_id)
    return joined.where(channel.c.series_id == series_key)


def devices_of_type(type_id: object) -> Devices:
    """Return the devices of a type."""
    return sa.select(tables.meter_device.c.id).where(tables.meter_device.c.type_id == type_id)


def devices_of_config(config_id: object) -> Devices:
    """Return the devices whose type has a config."""
    device, kind = tables.meter_device, tables.meter_device_type
    return sa.select(device.c.id).join(kind, kind.c.id == device.c.type_id).where(kind.c.config_id == config_id)


def mark_devices_changed(connection: sa.Connection, devices: Devices) -> None:
    """Have everything of some devices derived again: a setting changed that their whole history depends on.

    Parameters
    ----------
    devices
        A select of meter device ids (uuid).
    """
    channel, device, change = tables.reading_channel, tables.meter_device, tables.reading_change
    spans = (
        sa.select(channel.c.device_id, sa.func.min(channel.c.first_at), sa.func.max(channel.c.last_at))
        .join(device, device.c.sensor_id == channel.c.device_id)
        .where(device.c.id.in_(devices), channel.c.first_at.is_not(None))
        .group_by(channel.c.device_id)
    )
    connection.execute(sa.insert(change).from_select(["device_id", "from_at", "to_at"], spans))
