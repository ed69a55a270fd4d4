"""Everything a session needs to know of the meters of claimed jobs: one query a batch, secrets opened at the end."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from psycopg.rows import dict_row

from pipelines.amr.contract import Keys, Meter
from pipelines.amr.jobs import Job
from pipelines.db.engine import raw
from pipelines.errors import WattloomError
from pipelines.fields import canonical_zone
from pipelines.metering.interfaces import host_of
from pipelines.metering.vault import Vault, opened_row
from pipelines.settings import Settings

_METERS = """
    SELECT d.id AS meter_device_id, d.sensor_id, d.organization_id, d.name, d.protocol, d.manufacturer_serial,
           d.iec62056_21_address, d.dlms_logical_device_name, d.dlms_system_title,
           t.manufacturer, t.manufacturer_model, c.timezone,
           n.id AS interface_id, n.fqdn, n.static_ip_address, sim.ip_address, n.port, n.can_block,
           s.authentication_failed_at, k.id AS key_id, k.created_at AS keys_created_at, k.key_version,
           k.iec62056_21_password, k.dlms_global_unicast_encryption_key, k.dlms_global_broadcast_encryption_key,
           k.dlms_master_key, k.dlms_global_authentication_key, o.wrapped_key,
           t.config_id IS NOT NULL AS is_configured,
           ARRAY(SELECT (r.name, r.series_key, r.unit)
                 FROM wattloom.meter_reading_series AS r
                 WHERE EXISTS (SELECT FROM wattloom.meter_device_config_series AS cs
                               WHERE cs.config_id = t.config_id AND cs.series_id = r.id)
                    OR (%(unconfigured)s AND t.config_id IS NULL AND r.organization_id = d.organization_id)) AS series
    FROM wattloom.meter_device AS d
    LEFT JOIN wattloom.meter_device_type AS t ON t.id = d.type_id
    LEFT JOIN wattloom.meter_device_config AS c ON c.id = t.config_id
    LEFT JOIN wattloom.network_interface AS n ON n.id = d.network_interface_id
    LEFT JOIN wattloom.sim_card AS sim ON sim.id = n.sim_id
    LEFT JOIN wattloom.amr_meter_state AS s ON s.device_id = d.sensor_id
    LEFT JOIN LATERAL (
        SELECT * FROM wattloom.meter_security_key AS mk WHERE mk.meter_device_id = d.id
        ORDER BY mk.created_at DESC, mk.id LIMIT 1
    ) AS k ON true
    LEFT JOIN wattloom.organization_key AS o
           ON o.organization_id = k.organization_id AND o.version = k.key_version
    WHERE d.id = ANY(%(meters)s)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """Where meters are reached; ``can_block`` means one session at a time."""

    id: UUID
    host: str | None
    port: int | None
    can_block: bool


@dataclass(frozen=True, slots=True)
class Kept:
    """A series that may be saved for a meter: its key in the hypertable, and its unit."""

    key: int
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A meter with its claimed jobs.

    ``authentication_failed_at``: the meter refused our secrets; ``has_newer_keys`` then deserve a try.
    ``problem`` says why nothing can be done for it, where what is stored of it cannot be read.
    ``series`` are those that may be saved for it, by name; ``watermarks`` say per archive what is stored already.
    """

    meter: Meter
    sensor_id: int
    organization_id: UUID
    interface: Interface | None
    is_configured: bool
    series: dict[str, list[Kept]]
    watermarks: dict[str, datetime]
    authentication_failed_at: datetime | None
    has_newer_keys: bool
    problem: str | None = None
    jobs: list[Job] = field(repr=False)


def load_targets(connection: sa.Connection, vault: Vault, jobs: Sequence[Job], settings: Settings) -> list[Target]:
    """Return the meters of jobs, in the order of their most urgent job."""
    wanted: dict[UUID, list[Job]] = {}
    for job in jobs:
        wanted.setdefault(job.meter_id, []).append(job)
    cursor = raw(connection).cursor(row_factory=dict_row)
    values = {"meters": list(wanted), "unconfigured": settings.allow_unconfigured_devices}
    rows = {row["meter_device_id"]: row for row in cursor.execute(_METERS, values)}
    watermarks: dict[int, dict[str, datetime]] = {}
    marks = raw(connection).execute(
        "SELECT device_id, archive, read_until FROM wattloom.amr_watermark WHERE device_id = ANY(%s)",
        ([row["sensor_id"] for row in rows.values()],),
    )
    for sensor, archive, until in marks:
        watermarks.setdefault(sensor, {})[archive] = until
    return [
        _target(
            rows[meter], vault, mine, watermarks.get(rows[meter]["sensor_id"], {}), settings.default_meter_timezone
        )
        for meter, mine in wanted.items()
        if meter in rows  # else it was deleted meanwhile, and its jobs with it
    ]


def _target(
    row: dict[str, Any], vault: Vault, jobs: list[Job], watermarks: dict[str, datetime], default_zone: str
) -> Target:
    refused_at, keys_at = row["authentication_failed_at"], row["keys_created_at"]
    problem = None
    try:
        meter = _meter(row, vault, default_zone)
    except (WattloomError, ValueError, LookupError, TypeError) as error:  # of one meter, and no other's trouble
        meter = Meter(name=row["name"], protocol=row["protocol"])
        is_ours = isinstance(error, WattloomError)
        problem = str(error) if is_ours else f"what is stored of the meter cannot be read: {type(error).__name__}"
    return Target(
        meter=meter,
        problem=problem,
        sensor_id=row["sensor_id"],
        organization_id=row["organization_id"],
        interface=None if row["interface_id"] is None else _interface(row),
        is_configured=row["is_configured"],
        series=_series(row["series"]),
        watermarks=watermarks,
        authentication_failed_at=refused_at,
        has_newer_keys=refused_at is not None and keys_at is not None and keys_at > refused_at,
        jobs=jobs,
    )


def _meter(row: dict[str, Any], vault: Vault, default_zone: str) -> Meter:
    return Meter(
        name=row["name"],
        protocol=row["protocol"],
        serial=row["manufacturer_serial"],
        address=row["iec62056_21_address"],
        system_title=_octets(row["dlms_system_title"]),
        logical_device_name=_octets(row["dlms_logical_device_name"]),
        zone=ZoneInfo(canonical_zone(row["timezone"] or default_zone)),
        manufacturer=row["manufacturer"] or "",
        model=row["manufacturer_model"] or "",
        keys=_keys(row, vault),
    )


def _series(rows: Sequence[tuple[str, str, str]]) -> dict[str, list[Kept]]:
    kept: dict[str, list[Kept]] = {}
    for name, key, unit in rows:
        kept.setdefault(name, []).append(Kept(int(key), unit))
    return kept


def _interface(row: dict[str, Any]) -> Interface:
    return Interface(
        id=row["interface_id"],
        host=host_of(row["fqdn"], row["static_ip_address"], row["ip_address"]),
        port=row["port"],
        can_block=row["can_block"],
    )


def _keys(row: dict[str, Any], vault: Vault) -> Keys:
    if row["key_id"] is None:
        return Keys()
    secret = opened_row(vault, row)
    return Keys(
        password=secret["iec62056_21_password"],
        encryption_key=_octets(secret["dlms_global_unicast_encryption_key"]),
        broadcast_key=_octets(secret["dlms_global_broadcast_encryption_key"]),
        authentication_key=_octets(secret["dlms_global_authentication_key"]),
        master_key=_octets(secret["dlms_master_key"]),
    )


def _octets(text: str | None) -> bytes | None:
    """Return hexadecimal digits as octets; an odd last digit cannot be a key and leaves nothing."""
    return bytes.fromhex(text) if text and len(text) % 2 == 0 else None
