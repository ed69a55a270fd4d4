"""Deleting devices, series and organizations: readings live in hypertables, which no foreign key reaches.

The parent row goes first: its channels go with it, which waits for writers under way and turns later ones away;
only then are the readings deleted, so none can slip in behind.
"""

import sqlalchemy as sa

from pipelines.crud import Row
from pipelines.db import tables
from pipelines.db.timescale import has_community_features
from pipelines.metering.changes import (
    devices_of_config,
    devices_of_series,
    devices_of_type,
    mark_devices_changed,
)

_OF_DEVICE = (
    tables.meter_reading,
    tables.meter_reading_version,
    tables.interval_energy,
    tables.daily_energy,
    tables.reading_change,
    tables.energy_change,
    tables.day_change,
    tables.day_profile,
    tables.disaggregation_month,
    tables.home_month_statistics,
)


def delete_traces(connection: sa.Connection, sensors: list[int]) -> None:
    """Delete every reading and result of devices that no longer exist."""
    if not sensors:
        return
    for table in _OF_DEVICE:
        connection.execute(sa.delete(table).where(table.c.device_id.in_(sensors)))
    if has_community_features(connection):  # a continuous aggregate forgets them at its next refresh
        return
    for rollup in ("energy_hourly_v1", "energy_daily_utc_v1"):
        connection.execute(sa.text(f"DELETE FROM wattloom.{rollup} WHERE device_id = ANY(:ids)"), {"ids": sensors})


def before_device(connection: sa.Connection, row: Row) -> None:
    """Delete a device with all its traces."""
    connection.execute(sa.delete(tables.meter_device).where(tables.meter_device.c.id == row["id"]))
    delete_traces(connection, [row["sensor_id"]])


def before_series(connection: sa.Connection, row: Row) -> None:
    """Delete a series with its readings; the energy of their devices is derived again without them."""
    mark_devices_changed(connection, devices_of_series(row["series_key"]))
    connection.execute(sa.delete(tables.meter_reading_series).where(tables.meter_reading_series.c.id == row["id"]))
    for table in (tables.meter_reading, tables.meter_reading_version):
        connection.execute(sa.delete(table).where(table.c.series_id == row["series_key"]))


def before_type(connection: sa.Connection, row: Row) -> None:
    """Derive the devices of a type again: without it they live in the default zone."""
    mark_devices_changed(connection, devices_of_type(row["id"]))


def before_config(connection: sa.Connection, row: Row) -> None:
    """Derive the devices of a config again: without it they live in the default zone."""
    mark_devices_changed(connection, devices_of_config(row["id"]))


def before_organization(connection: sa.Connection, row: Row) -> None:
    """Delete an organization with everything it owns."""
    sensors = list(
        connection.scalars(
            sa.select(tables.meter_device.c.sensor_id).where(tables.meter_device.c.organization_id == row["id"])
        )
    )
    connection.execute(sa.delete(tables.organization).where(tables.organization.c.id == row["id"]))
    delete_traces(connection, sensors)
    # Its imports went with it, which waited for the one under way: none can bring further rows.
    for table in (tables.registry_meter, tables.registry_customer):
        connection.execute(sa.delete(table).where(table.c.organization_id == row["number"]))
