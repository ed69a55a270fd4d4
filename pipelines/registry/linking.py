"""Registry meters and meter devices: the same serial number within an organization is the same meter."""

from typing import Any

import sqlalchemy as sa

from pipelines.db.engine import raw

# A serial number may repeat under another manufacturer; where several devices have it, none is chosen.
_LINK = """
    UPDATE wattloom.registry_meter AS m SET meter_device_id = CASE WHEN found.devices = 1 THEN found.device END
    FROM (
        SELECT serial, (array_agg(d.id))[1] AS device, count(d.id) AS devices
        FROM unnest(%(serials)s::text[]) AS wanted (serial)
        JOIN wattloom.organization AS o ON o.number = %(organization)s
        LEFT JOIN wattloom.meter_device AS d ON d.organization_id = o.id AND d.manufacturer_serial = serial
        GROUP BY serial
    ) AS found
    WHERE m.organization_id = %(organization)s AND m.serial_number = found.serial
      AND m.meter_device_id IS DISTINCT FROM CASE WHEN found.devices = 1 THEN found.device END
"""


def link_rows(connection: sa.Connection, values: dict[str, Any]) -> None:
    """Link the meters of an ``organization`` (its number) of these ``serials`` to the devices known by now."""
    # Without devices there is nothing to part either: a device that goes takes its links with it.
    any_device = (
        "SELECT EXISTS (SELECT FROM wattloom.meter_device AS d JOIN wattloom.organization AS o"
        " ON o.id = d.organization_id WHERE o.number = %(organization)s)"
    )
    found = raw(connection).execute(any_device, values).fetchone()
    if found is not None and found[0]:
        raw(connection).execute(_LINK, values)


def link_serials(connection: sa.Connection, organization: object, serials: list[str]) -> None:
    """Link, or part, the registry's meters of these serial numbers after a device was made or changed."""
    cursor = raw(connection).cursor()
    found = cursor.execute("SELECT number FROM wattloom.organization WHERE id = %s", (organization,)).fetchone()
    if found is not None and serials:
        link_rows(connection, {"organization": found[0], "serials": sorted(set(serials))})
