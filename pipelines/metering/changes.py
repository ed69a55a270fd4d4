"""The log of what must be derived again, written in the transaction that makes it so."""

import sqlalchemy as sa

from pipelines.db import tables


def mark_devices_changed(connection: sa.Connection, devices: sa.Select[tuple[object]]) -> None:
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
