"""The packets of MQTT that we read and write ourselves, because the moment of their sending is ours to choose.

Source: MQTT 3.1.1 and MQTT 5.0 (OASIS), clauses 3.3 PUBLISH, 3.4 PUBACK and 3.5 PUBREC; numbers are big-endian.
"""

import struct
from collections.abc import Iterable
from typing import NamedTuple

_PUBACK, _PUBREC = 0x40, 0x50
_ACKNOWLEDGEMENT = struct.Struct("!BBH")
_NUMBER = struct.Struct("!H")
_LONGEST_LENGTH = 4


class Malformed(ValueError):
    """The bytes are no packet of the kind that their header names."""


class Publish(NamedTuple):
    """A PUBLISH packet; ``mid`` is 0 with QoS 0."""

    topic: str
    payload: bytes
    qos: int
    mid: int
    is_repeated: bool


def read_publish(flags: int, packet: bytes | bytearray, *, is_v5: bool) -> Publish:
    """Return a PUBLISH packet from the flags of its fixed header and all that follows that header.

    A topic that is no UTF-8 comes with replacement characters, so that it names no client.

    Raises
    ------
    Malformed
        Cut short, or with a QoS that does not exist.
    """
    qos = flags >> 1 & 3
    start = 2 + (_NUMBER.unpack_from(packet)[0] if len(packet) >= 2 else 0)
    end = start + (2 if qos else 0)
    if qos == 3 or len(packet) < max(end, 2):
        raise Malformed("a PUBLISH packet is malformed")
    mid = _NUMBER.unpack_from(packet, start)[0] if qos else 0
    if is_v5:
        end = _after_properties(packet, end)
    topic = packet[2:start].decode("utf-8", errors="replace")
    return Publish(topic, bytes(packet[end:]), qos, mid, bool(flags & 8))


def _after_properties(packet: bytes | bytearray, place: int) -> int:
    """Return where the properties that start at ``place`` end: a variable byte integer says how long they are."""
    length = 0
    for number, byte in enumerate(packet[place : place + _LONGEST_LENGTH]):
        length |= (byte & 127) << 7 * number
        if byte < 128:
            end = place + number + 1 + length
            if end <= len(packet):
                return end
            break
    raise Malformed("the properties of a PUBLISH packet are malformed")


def acknowledgements(packets: Iterable[tuple[int, int]]) -> bytes:
    """Return what confirms packets given as (QoS, packet number): PUBACK for QoS 1, PUBREC for QoS 2."""
    return b"".join(_ACKNOWLEDGEMENT.pack(_PUBREC if qos == 2 else _PUBACK, 2, mid) for qos, mid in packets if qos)
