"""The frames of an I-FLAG session: where one ends, what kind it is, whether its checksum holds.

A frame is told by its first byte: NUL (answer to the wake-up), ``/`` (identification), ``P`` (request of a password),
SOH (data), ACK, NAK. Data are ``SOH length data ETX CRC``; the CRC is CRC-16 with x^16+x^15+x^2+1, not reflected,
from 0, sent low byte first, over everything before it.
"""

from enum import Enum

from pipelines.amr.faults import BadFrame

ACK = b"\x06"
NAK = b"\x15"
SOH, ETX = 0x01, 0x03
WAKE_UP = bytes(200)
WAKE_UP_ANSWER = bytes(3)
SIGN_ON = b"/?!\r\n"
OPTION = b"\x06076\r\n"
"""Acknowledgement of IEC 62056-21, 6.3.3: normal procedure, a reserved speed, the manufacturer's own mode 6."""
CHALLENGE = b"PASS"
FRAME_LIMIT = 320

_IDENTIFICATION_LIMIT = 64
_OVERHEAD = 5
"""SOH, length, ETX and two bytes of CRC around the data."""


class Kind(Enum):
    """What a frame is, by its first byte."""

    WAKE_UP = 0x00
    IDENTIFICATION = 0x2F
    CHALLENGE = 0x50
    DATA = SOH
    ACK = 0x06
    NAK = 0x15


def _crc_of_byte(byte: int) -> int:
    crc = byte << 8
    for _ in range(8):
        crc = (crc << 1 ^ 0x8005) & 0xFFFF if crc & 0x8000 else crc << 1
    return crc


# The library's bitwise CRC lets its integer grow with the frame: 400 µs a frame, where this table needs 20.
_CRC = tuple(_crc_of_byte(byte) for byte in range(256))


def crc16(data: bytes) -> bytes:
    """Return the two bytes of CRC that follow ``data`` on the line."""
    crc = 0
    for byte in data:
        crc = (crc << 8 & 0xFFFF) ^ _CRC[crc >> 8 ^ byte]
    return crc.to_bytes(2, "little")


def with_crc(data: bytes) -> bytes:
    """Return ``data`` and its CRC."""
    return data + crc16(data)


BREAK = with_crc(b"\x01B0\x03")


def is_intact(frame: bytes) -> bool:
    """Tell whether a frame that ends in a CRC has the right one."""
    return crc16(frame[:-2]) == frame[-2:]


def kind_of(frame: bytes) -> Kind:
    """Return what a frame is; ``frame`` is one that ``frame_end`` has cut off."""
    return Kind(frame[0])


def body_of(frame: bytes) -> bytes:
    """Return the data of a data frame."""
    return frame[2:-3]


def frame_end(buffer: bytearray) -> int | None:
    """Return where the first frame ends, None while it is not whole.

    Raises
    ------
    BadFrame
        The first bytes begin no frame of this protocol.

    Source
    ------
    IEC 62056-21, 6.3 (identification, acknowledgement); the frames after it as the iflag library 1.0.1 reads them,
    the only public description.
    """
    first = buffer[0]
    if first == SOH:
        return _data_end(buffer)
    if first in (ACK[0], NAK[0]):
        return 1
    if first == 0:
        nuls = len(buffer) - len(buffer.lstrip(b"\0"))
        return min(nuls, len(WAKE_UP_ANSWER)) if nuls >= len(WAKE_UP_ANSWER) or nuls < len(buffer) else None
    if first == Kind.IDENTIFICATION.value:
        end = buffer.find(b"\n", 0, _IDENTIFICATION_LIMIT)
        if end < 0 and len(buffer) >= _IDENTIFICATION_LIMIT:
            raise BadFrame("an identification without an end")
        return end + 1 or None
    if first == Kind.CHALLENGE.value and CHALLENGE.startswith(bytes(buffer[:4])):
        return len(CHALLENGE) + 2 if len(buffer) >= len(CHALLENGE) + 2 else None
    raise BadFrame(f"byte {first:#04x} begins no frame")


def _data_end(buffer: bytearray) -> int | None:
    if len(buffer) < _OVERHEAD:
        return None
    end = buffer[1] + _OVERHEAD
    if len(buffer) < end:
        return None
    if buffer[end - 3] != ETX:
        raise BadFrame("a data frame whose length does not lead to its end")
    return end


def everything(buffer: bytearray) -> int | None:
    """Return the whole buffer as one frame: for noise that is to be thrown away."""
    return len(buffer) or None
