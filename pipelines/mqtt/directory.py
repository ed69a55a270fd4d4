"""Who sends, and which of our series each sent quantity belongs to, looked up anew for every batch."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any
from uuid import UUID

import psycopg
import sqlalchemy as sa

from analytics.series import Direction, EnergySeries, energy_series
from pipelines.db.engine import raw
from pipelines.mqtt.messages import Fault

STANDARD = {Direction.IMPORT: "1-0:1.29.0", Direction.EXPORT: "1-0:2.29.0"}
_QUANTITY = {Direction.IMPORT: "consumption", Direction.EXPORT: "production"}
_UWH_PER_WH = 10**6
_HIGHEST_SENSOR_ID = 2**31 - 1
_NO_SENSOR = -1

Device = str | int
Target = str | Direction
_Series = tuple[str, EnergySeries | None]


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a quantity is stored: the names that the write path knows, and value * factor / 10**shift."""

    meter: str
    series: str
    factor: int = 1
    shift: int = 0


@dataclass(frozen=True, kw_only=True)
class Obstacle:
    """Why a quantity of a device has no place."""

    code: Fault
    detail: str


_FOREIGN = Obstacle(code=Fault.FOREIGN_DEVICE, detail="The device belongs to another organization.")
_UNCONFIGURED = Obstacle(
    code=Fault.NOT_CONFIGURED, detail="The device has no type with a config, so no series is allowed for it."
)

_CLIENTS = """
    SELECT c.client_id, c.organization_id
    FROM wattloom.api_client AS c
    JOIN wattloom.organization AS o ON o.id = c.organization_id
    WHERE c.client_id = ANY(%s) AND c.revoked_at IS NULL AND o.is_active
"""
_OWN_DEVICES = """
    SELECT d.name, d.sensor_id, t.config_id
    FROM wattloom.meter_device AS d
    LEFT JOIN wattloom.meter_device_type AS t ON t.id = d.type_id
    WHERE d.organization_id = %(organization)s
      AND (d.name = ANY(%(names)s) OR d.sensor_id = ANY(%(numbers)s))
"""
# By way of the organizations, so that the index on (organization_id, name) serves.
_FOREIGN_DEVICES = """
    SELECT d.name, NULL::int4
    FROM wattloom.organization AS o
    JOIN wattloom.meter_device AS d ON d.organization_id = o.id AND d.name = ANY(%(names)s)
    WHERE o.id <> %(organization)s
    UNION ALL
    SELECT NULL, d.sensor_id FROM wattloom.meter_device AS d
    WHERE d.sensor_id = ANY(%(numbers)s) AND d.organization_id <> %(organization)s
"""
_ALLOWED_SERIES = """
    SELECT cs.config_id, s.name, s.unit, s.kind
    FROM wattloom.meter_device_config_series AS cs
    JOIN wattloom.meter_reading_series AS s ON s.id = cs.series_id
    WHERE cs.config_id = ANY(%(configs)s)
    UNION ALL
    SELECT NULL, s.name, s.unit, s.kind FROM wattloom.meter_reading_series AS s
    WHERE s.organization_id = %(organization)s AND s.name = ANY(%(standard)s)
"""


def organizations(connection: sa.Connection, clients: Iterable[str]) -> dict[str, UUID]:
    """Return the organization of every client that is known and in force."""
    return dict(raw(connection).execute(_CLIENTS, (sorted(set(clients)),)).fetchall())


def _number(device: Device) -> int | None:
    """Return the sensor id that a device may be meant by."""
    if isinstance(device, str):
        if not (device.isascii() and device.isdigit()):
            return None
        device = int(device)
    return device if 0 < device <= _HIGHEST_SENSOR_ID else None


class _Known:
    """Devices found by name or by number."""

    def __init__(self) -> None:
        self.by_name: dict[str | None, Any] = {}
        self.by_number: dict[int | None, Any] = {}

    def find(self, device: Device, target: Target) -> Any:
        """Return what is known of a device: a text is a name first, a number an id first."""
        name, number = str(device), _number(device) if isinstance(target, Direction) else None
        if isinstance(device, str):
            return self.by_name.get(name) or self.by_number.get(number or _NO_SENSOR)
        return self.by_number.get(number or _NO_SENSOR) or self.by_name.get(name)


def places(
    connection: sa.Connection,
    organization: UUID,
    wanted: Sequence[tuple[Device, Target]],
    *,
    allow_unconfigured: bool,
) -> list[Place | Obstacle]:
    """Return where each wanted (device, quantity) is stored, or why nowhere.

    A device that is known nowhere gets a place too: under its name, from where the write path stages it.
    """
    names = {
        "organization": organization,
        "names": sorted({str(device) for device, _ in wanted}),
        "numbers": sorted({n for device, t in wanted if isinstance(t, Direction) and (n := _number(device))}),
    }
    cursor = raw(connection).cursor()
    own, foreign = _Known(), _Known()
    for name, sensor_id, config in cursor.execute(_OWN_DEVICES, names):
        own.by_name[name] = own.by_number[sensor_id] = (name, config)
    found = [own.find(device, target) for device, target in wanted]
    if None in found:
        for name, sensor_id in cursor.execute(_FOREIGN_DEVICES, names):
            foreign.by_name[name] = foreign.by_number[sensor_id] = True  # one of the two is None
    allowed = _allowed(cursor, organization, {known[1] for known in found if known is not None} - {None})
    result: list[Place | Obstacle] = []
    for (device, target), known in zip(wanted, found, strict=True):
        if known is None and foreign.find(device, target):
            result.append(_FOREIGN)
        elif isinstance(target, str):
            result.append(Place(meter=known[0] if known else str(device), series=target))
        elif known is None:
            result.append(_staged(str(device), target, allowed.get(None, [])))
        elif known[1] is None and not allow_unconfigured:
            result.append(_UNCONFIGURED)
        else:
            result.append(_interval_series(known[0], target, allowed.get(known[1], [])))
    return result


def _allowed(
    cursor: psycopg.Cursor[Any], organization: UUID, configs: set[UUID]
) -> dict[UUID | None, list[_Series]]:
    """Return the series of each config and, under None, the organization's own of the standard names."""
    names = {"organization": organization, "standard": sorted(STANDARD.values()), "configs": sorted(configs)}
    allowed: dict[UUID | None, list[_Series]] = {}
    for config, name, unit, kind in cursor.execute(_ALLOWED_SERIES, names):
        allowed.setdefault(config, []).append((name, energy_series(name, unit, kind)))
    return allowed


def _interval_series(meter: str, direction: Direction, allowed: Sequence[_Series]) -> Place | Obstacle:
    """Choose the standard name where it is allowed as intervals of energy, else the only other such series."""
    fit = [
        (name, energy)
        for name, energy in allowed
        if energy is not None and energy.kind == "interval" and energy.direction == direction
    ]
    chosen = [one for one in fit if one[0] == STANDARD[direction]] or fit
    if len(chosen) != 1:
        code = Fault.AMBIGUOUS if chosen else Fault.NOT_ALLOWED
        count = len(chosen) or "no"
        detail = f"{_QUANTITY[direction]}: the device's config allows {count} interval series of this energy."
        return Obstacle(code=code, detail=detail)
    name, energy = chosen[0]
    return _place(meter, name, energy)


def _staged(meter: str, direction: Direction, standard: Sequence[_Series]) -> Place:
    """Return the place of an unknown device: its series will be the organization's of the standard name.

    Staged values are promoted as they stand, so they are kept in the unit of that series; in Wh where there is none.
    """
    fit = {
        _place(meter, name, energy)
        for name, energy in standard
        if name == STANDARD[direction] and energy is not None and energy.kind == "interval"
    }
    return fit.pop() if len(fit) == 1 else Place(meter=meter, series=STANDARD[direction])


def _place(meter: str, series: str, energy: EnergySeries) -> Place:
    factor, shift = _per_wh(energy.uwh_per_unit)
    return Place(meter=meter, series=series, factor=factor, shift=shift)


@cache
def _per_wh(uwh_per_unit: Fraction) -> tuple[int, int]:
    """Return (factor, shift) of a Wh in a unit; every unit of energy is a finite decimal of a Wh."""
    ratio, shift = Fraction(_UWH_PER_WH) / uwh_per_unit, 0
    while ratio.denominator > 1:
        ratio, shift = ratio * 10, shift + 1
    return ratio.numerator, shift
