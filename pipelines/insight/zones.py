"""The zone of a device's local days: that of its type's config."""

from collections.abc import Sequence
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from pipelines.db.bulk import array_text
from pipelines.db.engine import raw
from pipelines.fields import canonical_zone


def zones_of_devices(connection: sa.Connection, devices: Sequence[int], default: str) -> dict[int, ZoneInfo]:
    """Return the zone of each existing device; ``default`` where its type has no config."""
    rows = raw(connection).execute(
        "SELECT d.sensor_id, coalesce(c.timezone, %s) FROM wattloom.meter_device AS d"
        " LEFT JOIN wattloom.meter_device_type AS t ON t.id = d.type_id"
        " LEFT JOIN wattloom.meter_device_config AS c ON c.id = t.config_id WHERE d.sensor_id = ANY(%s::int4[])",
        (default, array_text(devices)),
    )
    zones: dict[str, ZoneInfo] = {}
    found = {}
    for device, zone in rows:
        if zone not in zones:
            zones[zone] = ZoneInfo(canonical_zone(zone))
        found[device] = zones[zone]
    return found
