"""Meters and counters by what an ERP calls them, within one organization."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from pipelines.db.engine import raw
from pipelines.erp.configuration import METER_COLUMNS
from pipelines.erp.identities import Identity
from pipelines.erp.verdicts import Code, RowError


@dataclass(frozen=True, kw_only=True)
class Series:
    """A series that a meter may store: its number and unit."""

    key: int
    unit: str


@dataclass(frozen=True, kw_only=True)
class Meter:
    """A meter device and the series it may store, by name."""

    sensor_id: int
    series: dict[str, list[Series]] = field(default_factory=dict)


_TARIFFS = {"HT": "1", "NT": "2"}
_TOTAL = re.compile(r"(.*\.)0(|\*[0-9]+)")
_FIND = """
    SELECT d.sensor_id, d.name, d.external_system_reference, d.manufacturer_serial, t.config_id
    FROM wattloom.meter_device AS d
    LEFT JOIN wattloom.meter_device_type AS t ON t.id = d.type_id
    WHERE d.organization_id = %(organization)s AND {conditions}
      AND NOT EXISTS (SELECT FROM wattloom.erp_entity AS e WHERE e.meter_device_id = d.id AND e.deleted_at IS NOT NULL)
    ORDER BY d.sensor_id
"""
_SERIES = """
    SELECT l.config_id, s.name, s.series_key, s.unit
    FROM wattloom.meter_device_config_series AS l
    JOIN wattloom.meter_reading_series AS s ON s.id = l.series_id
    WHERE l.config_id = ANY(%(configs)s)
    ORDER BY s.series_key
"""
_ALL_SERIES = """
    SELECT NULL::uuid, name, series_key, unit FROM wattloom.meter_reading_series
    WHERE organization_id = %(organization)s ORDER BY series_key
"""


def find_meters(
    connection: sa.Connection, organization_id: UUID, wanted: Iterable[Identity], *, allow_unconfigured: bool
) -> dict[Identity, list[Meter]]:
    """Return the meters that all of an identity fits; an identity without any is absent."""
    by_shape: dict[tuple[str, ...], set[Identity]] = {}
    for one in wanted:
        by_shape.setdefault(tuple(attribute for attribute, _ in one), set()).add(one)
    rows: list[tuple[Identity, int, Any]] = []
    for attributes, identities in by_shape.items():
        rows += _rows(connection, organization_id, attributes, identities)
    cursor = raw(connection).cursor()
    series: dict[Any, dict[str, list[Series]]] = {}
    configs = sorted({config for _, _, config in rows if config is not None})
    found = cursor.execute(_SERIES, {"configs": configs}).fetchall() if configs else []
    if allow_unconfigured and any(config is None for _, _, config in rows):
        found += cursor.execute(_ALL_SERIES, {"organization": organization_id}).fetchall()
    for config, name, key, unit in found:
        series.setdefault(config, {}).setdefault(name, []).append(Series(key=key, unit=unit))
    meters: dict[Identity, list[Meter]] = {}
    for one, sensor_id, config in rows:
        meters.setdefault(one, []).append(Meter(sensor_id=sensor_id, series=series.get(config, {})))
    return meters


def _rows(
    connection: sa.Connection, organization_id: UUID, attributes: Sequence[str], identities: set[Identity]
) -> list[tuple[Identity, int, Any]]:
    """Return (identity, meter, config) of the meters that fit identities made of the same attributes."""
    columns = [METER_COLUMNS[attribute] for attribute in attributes]
    conditions = " AND ".join(
        f"d.{column} = ANY(%({attribute})s)" for attribute, column in zip(attributes, columns, strict=True)
    )
    parameters: dict[str, Any] = {"organization": organization_id}
    for position, attribute in enumerate(attributes):
        parameters[attribute] = sorted({one[position][1] for one in identities})
    found = raw(connection).execute(_FIND.format(conditions=conditions).encode(), parameters)
    result: list[tuple[Identity, int, Any]] = []
    for sensor_id, name, reference, serial, config in found:
        own = {"name": name, "external_system_reference": reference, "manufacturer_serial": serial}
        one = tuple((attribute, own[column]) for attribute, column in zip(attributes, columns, strict=True))
        if one in identities:
            result.append((one, sensor_id, config))
    return result


def the_meter(meters: dict[Identity, list[Meter]], wanted: Identity) -> Meter:
    """Return the one meter of an identity.

    Raises
    ------
    RowError
        There is none, or more than one.
    """
    found = meters.get(wanted, [])
    if not found:
        raise RowError(Code.METER_NOT_FOUND, "Meter not found", **dict(wanted))
    if len(found) > 1:
        message = f"Ambiguous identifier: {len(found)} meters fit"
        raise RowError(Code.AMBIGUOUS_IDENTIFIER, message, **dict(wanted))
    return found[0]


def of_tariff(meter: Meter, default: str, tariff: object) -> Series | None:
    """Return the tariff register beside a total register (1.8.0: HT 1.8.1, NT 1.8.2) that the meter has."""
    number = _TARIFFS.get(tariff.strip().upper()) if isinstance(tariff, str) else None
    total = _TOTAL.fullmatch(default)
    if number is None or total is None:
        return None
    found = meter.series.get(f"{total[1]}{number}{total[2]}", [])
    return found[0] if len(found) == 1 else None


def the_series(meter: Meter, counter: Identity | None, default: str) -> tuple[Series, str]:
    """Return the series of a counter; without one the default, or the only one that the meter has.

    Raises
    ------
    RowError
        The meter has no such series, or two of the name.
    """
    if counter is not None:
        names = {value for _, value in counter}
        name, details = next(iter(names)), dict(counter)
        found = meter.series.get(name, []) if len(names) == 1 else []
    else:
        name, details = default, {"default_series": default}
        found = meter.series.get(default, [])
        if not found and sum(len(some) for some in meter.series.values()) == 1:
            ((name, found),) = meter.series.items()
    if not found:
        raise RowError(Code.COUNTER_NOT_FOUND, "Meter counter not found", **details)
    if len(found) > 1:
        message = f"Ambiguous identifier: {len(found)} series of the meter have this name"
        raise RowError(Code.AMBIGUOUS_IDENTIFIER, message, **details)
    return found[0], name
