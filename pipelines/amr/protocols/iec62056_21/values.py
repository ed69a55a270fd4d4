"""Data sets into readings: current values, values with their own time, and short logs of them."""

import re
from collections.abc import Iterable
from datetime import datetime
from zoneinfo import ZoneInfo

from pipelines.amr.contract import Reading
from pipelines.amr.faults import BadData
from pipelines.amr.protocols.iec62056_21.datasets import DataSet, data_sets, obis, value_and_unit
from pipelines.amr.protocols.iec62056_21.devices import Device
from pipelines.amr.protocols.iec62056_21.times import stamp

_COUNT = re.compile(r"[0-9]{1,3}")


def readings_of(sets: Iterable[DataSet], device: Device, at: datetime, zone: ZoneInfo) -> list[Reading]:
    """Return the readings of a telegram; a value without a time of its own has that of the telegram.

    Kept are numbers whose address the model maps, whose OBIS code is a measured quantity, or that have a unit;
    historical values (``1.8.0*01``) only where the model maps them.
    """
    found: list[Reading] = []
    for data_set in sets:
        if len(data_set.groups) < 3:
            reading = _single(data_set, device, at, zone)
            if reading is not None:
                found.append(reading)
        else:
            found += _logged(data_set, device, zone)
    return found


def _single(data_set: DataSet, device: Device, at: datetime, zone: ZoneInfo) -> Reading | None:
    """Return ``(value)``, ``(value)(time)`` or ``(time)(value)``."""
    groups = data_set.groups
    if len(groups) == 2:
        times = [stamp(group, zone) for group in groups]
        if times[0] is not None:
            return _reading(data_set.address, groups[1], None, times[0], device)
        if times[1] is None and groups[1]:
            return None
        at = times[1] or at
    return _reading(data_set.address, groups[0], None, at, device)


def _logged(data_set: DataSet, device: Device, zone: ZoneInfo) -> list[Reading]:
    """Return the values of a log ``(time)(status)(period)(n)(OBIS)(unit)...(value)...`` or ``(n)(OBIS)...(rows)``.

    Source: DSMR P1 2.2 (last value of an M-Bus channel), DSMR P1 5.0 (power failures, 1-0:99.97.0), e-MUCS P1
    (monthly maxima, 0-0:98.1.0: time of capture, time of the maximum, maximum).
    """
    groups = data_set.groups
    at = stamp(groups[0], zone)
    found: list[Reading | None] = []
    count = int(groups[3]) if len(groups) > 3 and _COUNT.fullmatch(groups[3]) else 0
    if at is not None and count and len(groups) == 4 + 3 * count:
        for index in range(count):
            address, unit = groups[4 + 2 * index], groups[5 + 2 * index]
            found.append(_reading(address, groups[4 + 2 * count + index], unit or None, at, device))
    elif _COUNT.fullmatch(groups[0]):
        names = [group for group in groups[1:3] if obis(group, device.channel)]
        width = len(names) + 1
        rows = groups[width:]
        for row in range(0, len(rows) - width + 1, width) if names else ():
            row_at = stamp(rows[row + width - 2], zone)
            if row_at is not None:
                found.append(_reading(names[-1], rows[row + width - 1], None, row_at, device))
    return [reading for reading in found if reading is not None]


def _reading(address: str, group: str, unit: str | None, at: datetime, device: Device) -> Reading | None:
    parsed = value_and_unit(group)
    if parsed is None:
        return None
    value, own_unit = parsed
    unit = own_unit or unit
    kept = device.keeps(address)
    if kept is None:  # an abstract object: a unit says that it is a quantity all the same
        code = obis(address, device.channel)
        return None if unit is None or code is None else Reading(code.name, at, value, unit)
    return Reading(kept.name, at, value, unit or kept.unit) if kept.name else None


def first_group(text: str) -> str:
    """Return what the first brackets of an answer hold, nothing if there are none."""
    found = data_sets(text)
    return found[0].groups[0] if found else ""


def clock_of(sets: list[DataSet], device: Device) -> tuple[str, str] | None:
    """Return the texts of time and date if a readout has both."""
    shown = {item.address.rpartition(":")[2]: item.groups[0] for item in sets}
    time, date = shown.get(device.clock_time), shown.get(device.clock_date)
    return (time, date) if time and date else None


def asked_for(sets: list[DataSet], at: datetime) -> list[Reading]:
    """Return the number of a register that was asked for by name though nothing says what it measures.

    Raises
    ------
    BadData
        It is no number.
    """
    found: list[Reading] = []
    for item in sets:
        parsed = value_and_unit(item.groups[0])
        if parsed is None:
            raise BadData(f"{item.address}: {item.groups[0][:40]!r} is no number")
        found.append(Reading(item.address, at, *parsed))
    return found
