"""Where households are kept: one row per device, whose version counts the changes."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from pipelines.db.bulk import array_text
from pipelines.db.engine import raw
from pipelines.household.documents import Document

# A device that is being deleted is waited for: its household goes with it and cannot come back.
_WRITE = """
    INSERT INTO wattloom.household (device_id, {columns}, version, changed_at)
    SELECT sensor_id, {values}, 1, %(at)s FROM wattloom.meter_device WHERE sensor_id = %(device)s FOR KEY SHARE
    ON CONFLICT (device_id) DO UPDATE SET ({columns}) = ROW ({excluded}),
        version = household.version + 1, changed_at = excluded.changed_at
        WHERE ({stored}) IS DISTINCT FROM ({excluded})
"""


def _statement(**values: str) -> bytes:
    return _WRITE.format(
        columns=", ".join(values),
        values=", ".join(values.values()),
        stored=", ".join(f"household.{name}" for name in values),
        excluded=", ".join(f"excluded.{name}" for name in values),
    ).encode()


_WRITE_PROPERTY = _statement(property="%(property)s::jsonb")
_WRITE_APPLIANCES = _statement(appliances="%(appliances)s::jsonb")
_WRITE_PLACE = _statement(latitude="%(latitude)s::float8", longitude="%(longitude)s::float8")


@dataclass(frozen=True, kw_only=True)
class HouseholdDocuments:
    """What is known of a device's home; None is what was never said.

    Parameters
    ----------
    property : dict or None
        Fields of ``pipelines.household.fields.PROPERTY``, of a home those of ``HOME_ONLY`` too. A row that was
        not written by us may lack some.
    appliances : list of dict or None
        An empty list says that there are none; None says that nobody knows.
    latitude, longitude : float or None, [°]
    version : int
        Grows with every change, 0 before the first: a result computed from an older one is stale.
    """

    property: Document | None = None
    appliances: list[Document] | None = None
    latitude: float | None = None
    longitude: float | None = None
    version: int = 0
    changed_at: datetime | None = None


def write_property(connection: sa.Connection, device_id: int, document: Document, at: datetime) -> None:
    """Keep a checked property; what is the same already changes nothing."""
    _write(connection, _WRITE_PROPERTY, device_id, at, {"property": json.dumps(document)})


def write_appliances(connection: sa.Connection, device_id: int, document: Document, at: datetime) -> None:
    """Keep a checked list of appliances instead of the one before; what is the same already changes nothing."""
    _write(connection, _WRITE_APPLIANCES, device_id, at, {"appliances": json.dumps(document["appliances"])})


def write_place(connection: sa.Connection, device_id: int, document: Document, at: datetime) -> None:
    """Keep a checked place; what is the same already changes nothing."""
    _write(connection, _WRITE_PLACE, device_id, at, document)


def _write(
    connection: sa.Connection, statement: bytes, device_id: int, at: datetime, values: dict[str, Any]
) -> None:
    raw(connection).execute(statement, {"device": device_id, "at": at, **values})


def read_households(connection: sa.Connection, device_ids: Sequence[int]) -> dict[int, HouseholdDocuments]:
    """Return what is known of each device's home; every device that was asked for has an entry."""
    rows = raw(connection).execute(
        "SELECT device_id, property, appliances, latitude, longitude, version, changed_at"
        " FROM wattloom.household WHERE device_id = ANY(%s::int4[])",
        (array_text(device_ids),),
    )
    found = {
        device: HouseholdDocuments(
            property=property_,
            appliances=appliances,
            latitude=latitude,
            longitude=longitude,
            version=version,
            changed_at=changed_at,
        )
        for device, property_, appliances, latitude, longitude, version, changed_at in rows
    }
    unknown = HouseholdDocuments()
    return {device: found.get(device, unknown) for device in device_ids}
