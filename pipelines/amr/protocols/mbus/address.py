"""Whom a conversation talks to: a primary address on the bus, or a secondary one that is selected first.

Source: EN 13757-3 annex on secondary addressing; EN 13757-2 clause 5.7 (addresses).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.amr.contract import Meter
from pipelines.amr.faults import Misconfigured
from pipelines.amr.protocols.mbus.frames import ANY_SELECTED, Frame

_SERIAL_DIGITS = 8
_ANY_MAKE = "FFFFFFFF"
_HEADS_WITH_SERIAL = (0x72, 0x73)


@dataclass(frozen=True, slots=True)
class Address:
    """A primary address (0..250), or the mask of a secondary one as it travels: 8 bytes, F for any digit."""

    primary: int
    mask: bytes = b""

    @property
    def is_secondary(self) -> bool:
        """Whether the slave has to be selected before it listens."""
        return bool(self.mask)

    def is_sender(self, frame: Frame) -> bool:
        """Tell whether an answer can be from here: by its address field, or by its identification number."""
        if not self.is_secondary:
            return frame.address == self.primary
        if frame.data[0] not in _HEADS_WITH_SERIAL:
            return True
        wanted, sent = self.mask[3::-1].hex(), frame.data[4:0:-1].hex()
        return all(digit in ("f", shown) for digit, shown in zip(wanted, sent, strict=False))


def address_of(arguments: Mapping[str, Any], meter: Meter) -> Address:
    """Return the address that a call names, else the one that the meter's serial number of 8 digits is.

    A secondary address is 8 digits, or 16 hexadecimal characters: the number, then manufacturer, version and
    medium in the order of the telegram; F stands for any digit.

    Raises
    ------
    Misconfigured
        No address is named and the serial number is none.
    """
    if "primary_address" in arguments:
        return Address(arguments["primary_address"])
    text = arguments.get("secondary_address") or _serial_address(meter)
    number, make = text[:_SERIAL_DIGITS], text[_SERIAL_DIGITS:] or _ANY_MAKE
    return Address(ANY_SELECTED, bytes.fromhex(number)[::-1] + bytes.fromhex(make))


def _serial_address(meter: Meter) -> str:
    serial = meter.serial or ""
    if len(serial) == _SERIAL_DIGITS and serial.isascii() and serial.isdigit():
        return serial
    raise Misconfigured(
        "an M-Bus meter needs primary_address or secondary_address, or a serial number of 8 digits"
    )
