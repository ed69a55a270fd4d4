"""P1 telegrams (DSMR, ESMR, e-MUCS): what a smart meter pushes through its customer port, in mode D.

Source: DSMR P1 companion standard 5.0.2, clauses 5.2 (CRC16) and 6 (data objects); e-MUCS P1 1.7.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from pipelines.amr.contract import UTC_ZONE, Reading
from pipelines.amr.faults import BadData, BadFrame
from pipelines.amr.protocols.iec62056_21.datasets import DataSet, data_sets
from pipelines.amr.protocols.iec62056_21.devices import Device
from pipelines.amr.protocols.iec62056_21.times import stamp
from pipelines.amr.protocols.iec62056_21.values import readings_of

_LIMIT = 65_536
_END = re.compile(rb"\r\n!([0-9A-Fa-f]{0,4})[ \t]*\r?(?:\n|\Z)")
_CLOCK = "0-0:1.0.0"
_CLOCK_AHEAD = timedelta(days=1)
# The port speaks the grid's local time; it is used where there is no summer time to hide behind "UTC".
_GRID_ZONE = ZoneInfo("Europe/Amsterdam")
_PLAIN = Device()


def _crc_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = (value >> 1) ^ 0xA001 if value & 1 else value >> 1
        table.append(value)
    return tuple(table)


_TABLE = _crc_table()


@dataclass(frozen=True, slots=True)
class Telegram:
    """A decoded telegram: every data set, and the readings in them."""

    identification: str
    at: datetime
    data_sets: tuple[DataSet, ...]
    readings: tuple[Reading, ...]


def crc16(covered: bytes) -> int:
    """Return the CRC16 (x16 + x15 + x2 + 1, least significant bit first, starting at 0) of a telegram's bytes."""
    value = 0
    for byte in covered:
        value = (value >> 8) ^ _TABLE[(value ^ byte) & 0xFF]
    return value


def decode_telegram(
    raw: bytes, *, now: datetime, zone: ZoneInfo = UTC_ZONE, device: Device = _PLAIN, is_checked: bool = True
) -> Telegram:
    """Return the first telegram of ``raw``, from ``/`` to ``!`` and its checksum.

    Parameters
    ----------
    now : datetime
        Our clock [UTC]: the time of a telegram that has none, and what its clock may not be a day ahead of.
    zone : ZoneInfo
        Of the meter; W and S of the telegram choose between its offsets. UTC stands for the grid's, CET.
    is_checked : bool
        False leaves a wrong checksum unpunished, for telegrams that were edited by hand. Older ones have none.

    Raises
    ------
    BadFrame
        No whole telegram, a wrong checksum, or a second telegram within the first.
    BadData
        A line that is no data set, or a clock that is more than a day ahead of ours.
    """
    start = raw.find(b"/")
    end = _END.search(raw, start) if start >= 0 and len(raw) <= _LIMIT else None
    if end is None:
        raise BadFrame("no whole P1 telegram")
    body = raw[start : end.start() + 3]
    if b"\n/" in body:
        raise BadFrame("a P1 telegram begins within another")
    if is_checked and end[1] and int(end[1], 16) != crc16(body):
        raise BadFrame("a P1 telegram with a wrong checksum")
    identification, _, text = body[1:-1].decode("latin-1").partition("\r\n")
    sets = data_sets(text)
    grid = _GRID_ZONE if zone.key == UTC_ZONE.key else zone
    at = _clock_of(sets, grid) or now
    if at > now + _CLOCK_AHEAD:
        raise BadData(f"a P1 telegram of {at.isoformat()}, more than a day ahead of our clock")
    return Telegram(identification, at, tuple(sets), tuple(readings_of(sets, device, at, grid)))


def _clock_of(sets: list[DataSet], zone: ZoneInfo) -> datetime | None:
    for data_set in sets:
        if data_set.address == _CLOCK:
            return stamp(data_set.groups[0], zone)
    return None
