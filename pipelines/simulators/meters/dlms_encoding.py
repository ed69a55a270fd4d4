"""COSEM data for the simulated meter: what it writes, and the little that it has to read."""

from datetime import UTC, datetime, timedelta
from typing import TypeAlias
from zoneinfo import ZoneInfo

Item: TypeAlias = "int | bytes | list[Item] | None"

NULL = b"\x00"
_WIDTHS = {5: 4, 6: 4, 15: 1, 16: 2, 17: 1, 18: 2, 20: 8, 21: 8, 22: 1, 3: 1}
_SIGNED = (5, 15, 16, 20)
_FIXED = {25: 12, 26: 5, 27: 4}


class Malformed(ValueError):
    """What a client sent cannot be read."""


def size(count: int) -> bytes:
    """Return a length in the short form, or the long one with two octets."""
    if count < 128:
        return bytes((count,))
    if count < 256:
        return bytes((0x81, count))
    return b"\x82" + count.to_bytes(2, "big") if count < 65_536 else b"\x83" + count.to_bytes(3, "big")


def read_size(octets: bytes, at: int) -> tuple[int, int]:
    """Return a length and the place after it."""
    try:
        first = octets[at]
    except IndexError:
        raise Malformed("a length is missing") from None
    if first < 128:
        return first, at + 1
    width = first - 128
    if not 1 <= width <= 4 or at + 1 + width > len(octets):
        raise Malformed("a length is cut short")
    return int.from_bytes(octets[at + 1 : at + 1 + width], "big"), at + 1 + width


def text(octets: bytes) -> bytes:
    """Return an octet string."""
    return b"\x09" + size(len(octets)) + octets


def uint32(value: int) -> bytes:
    """Return a double-long-unsigned."""
    return b"\x06" + value.to_bytes(4, "big")


def uint16(value: int) -> bytes:
    """Return a long-unsigned."""
    return b"\x12" + value.to_bytes(2, "big")


def fields(*items: bytes) -> bytes:
    """Return a structure."""
    return b"\x02" + size(len(items)) + b"".join(items)


def rows(items: list[bytes]) -> bytes:
    """Return an array."""
    return b"\x01" + size(len(items)) + b"".join(items)


def scaled(exponent: int, unit: int) -> bytes:
    """Return the structure of scaler and unit."""
    return fields(b"\x0f" + exponent.to_bytes(1, "big", signed=True), bytes((0x16, unit)))


def capture_object(interface: int, name: bytes, attribute: int) -> bytes:
    """Return a capture object of whole attributes."""
    return fields(uint16(interface), text(name), bytes((0x0F, attribute)), uint16(0))


def stamp(at: datetime, zone: ZoneInfo, *, tells_deviation: bool = True) -> bytes:
    """Return the twelve octets of a date-time as the meter's clock shows it."""
    local = at.astimezone(zone)
    summer = bool(local.dst())
    minutes = int(-(local.utcoffset() or timedelta()) / timedelta(minutes=1)) if tells_deviation else -32_768
    date = local.year.to_bytes(2, "big") + bytes((local.month, local.day, local.isoweekday()))
    time = bytes((local.hour, local.minute, local.second, 0))
    return date + time + minutes.to_bytes(2, "big", signed=True) + (b"\x80" if summer else b"\x00")


def moment(octets: bytes, zone: ZoneInfo) -> datetime:
    """Return the instant of a date-time from a client; unspecified minutes to UTC mean the meter's own zone."""
    if len(octets) != 12:
        raise Malformed("no date-time")
    try:
        local = datetime(int.from_bytes(octets[0:2], "big"), octets[2], octets[3], *octets[5:8])  # noqa: DTZ001
    except ValueError:
        raise Malformed("no such date") from None
    minutes = int.from_bytes(octets[9:11], "big", signed=True)
    if minutes == -32_768:
        return local.replace(tzinfo=zone).astimezone(UTC)
    return local.replace(tzinfo=UTC) + timedelta(minutes=minutes)


def parse(octets: bytes, at: int = 0, depth: int = 0) -> tuple[Item, int]:
    """Return a client's value and the place after it.

    Raises
    ------
    Malformed
        Cut short, nested deeper than any parameter, or of a type that no parameter has.
    """
    if at >= len(octets) or depth > 6:
        raise Malformed("a value is missing")
    kind, at = octets[at], at + 1
    if kind == 0:
        return None, at
    if kind in (1, 2):
        count, at = read_size(octets, at)
        items: list[Item] = []
        for _ in range(min(count, len(octets))):
            item, at = parse(octets, at, depth + 1)
            items.append(item)
        return items, at
    if kind in (9, 10):
        width, at = read_size(octets, at)
    elif kind in _FIXED:
        width = _FIXED[kind]
    elif kind in _WIDTHS:
        width = _WIDTHS[kind]
    else:
        raise Malformed("a type that no parameter has")
    raw = octets[at : at + width]
    if len(raw) != width:
        raise Malformed("a value is cut short")
    return (int.from_bytes(raw, "big", signed=kind in _SIGNED) if kind in _WIDTHS else raw), at + width
