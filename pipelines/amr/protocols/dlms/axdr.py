"""COSEM data in A-XDR: a decoder with bounded depth, size and time, and the few encoders that requests need."""

import struct
from collections.abc import Callable
from decimal import Decimal
from typing import TypeAlias

from pipelines.amr.faults import BadData

Data: TypeAlias = "bool | int | Decimal | bytes | str | list[Data] | None"
"""A decoded value: arrays and structures are lists; octet strings, dates and times stay octets."""

DEPTH_LIMIT = 12
NODE_LIMIT = 200_000
_ARRAY, _STRUCTURE, _COMPACT_ARRAY = 1, 2, 19
_EMPTY = (0, 255)  # null-data and dont-care
_INTEGERS = {
    5: (4, True),
    6: (4, False),
    15: (1, True),
    16: (2, True),
    17: (1, False),
    18: (2, False),
    20: (8, True),
    21: (8, False),
    22: (1, False),
}
_FIXED_OCTETS = {13: 1, 25: 12, 26: 5, 27: 4}
_FLOATS = {23: (">f", 6, 10), 24: (">d", 15, 18)}


def decode(data: bytes) -> Data:
    """Return the one value that ``data`` is, in time linear in its length.

    Raises
    ------
    BadData
        It is cut short, goes on after the value, is nested too deep, or holds an unknown type.

    Notes
    -----
    Source: IEC 62056-5-3, clause 9.5 (type Data) and IEC 61334-6 (A-XDR).
    """
    value, rest = decode_first(data)
    if rest:
        raise BadData(f"{len(rest)} octets follow a COSEM value")
    return value


def decode_first(data: bytes) -> tuple[Data, bytes]:
    """Return the value that ``data`` begins with, and the octets after it.

    Raises
    ------
    BadData
        As ``decode``, except that octets may follow.
    """
    reader = _Reader(data)
    value = reader.value(0)
    return value, data[reader.at :]


def read_length(data: bytes, at: int) -> tuple[int, int]:
    """Return the length that is written at ``at`` and where it ends.

    Raises
    ------
    BadData
        Cut short, or longer than four octets.
    """
    reader = _Reader(data, at)
    return reader.length(), reader.at


def length_octets(length: int) -> bytes:
    """Return a length as A-XDR and BER write it."""
    if length < 0x80:
        return bytes([length])
    size = (length.bit_length() + 7) // 8
    return bytes([0x80 | size]) + length.to_bytes(size, "big")


def octet_string(value: bytes) -> bytes:
    """Return an octet string with its type."""
    return b"\x09" + length_octets(len(value)) + value


class _Reader:
    """Walks the octets once; every node costs one of a fixed number, so no input can make it large or slow."""

    def __init__(self, data: bytes, at: int = 0) -> None:
        self.data = data
        self.at = at
        self._left = NODE_LIMIT
        self._leaves: dict[int, Callable[[], Data]] = {
            3: lambda: self.take(1) != b"\x00",
            4: self._bits,
            9: lambda: self.take(self.length()),
            10: self._text,
            12: self._text,
        }

    def take(self, count: int) -> bytes:
        end = self.at + count
        if end > len(self.data):
            raise BadData(f"a COSEM value is cut short: {count} octets are missing at {self.at}")
        taken = self.data[self.at : end]
        self.at = end
        return taken

    def length(self) -> int:
        first = self.take(1)[0]
        if first < 0x80:
            return first
        size = first & 0x7F
        if not 1 <= size <= 4:
            raise BadData(f"a length of {size} octets")
        return int.from_bytes(self.take(size), "big")

    def value(self, depth: int) -> Data:
        return self.content(self.take(1)[0], depth)

    def content(self, tag: int, depth: int) -> Data:
        """Return the value of type ``tag`` that stands here without its type."""
        self._left -= 1
        if depth > DEPTH_LIMIT or self._left < 0:
            raise BadData("a COSEM value is nested too deep or has too many elements")
        if tag in (_ARRAY, _STRUCTURE):
            return [self.value(depth + 1) for _ in range(self._count())]
        if tag == _COMPACT_ARRAY:
            return self._compact(depth)
        return self._leaf(tag)

    def _leaf(self, tag: int) -> Data:
        value: Data = None
        if tag in _INTEGERS:
            size, is_signed = _INTEGERS[tag]
            value = int.from_bytes(self.take(size), "big", signed=is_signed)
        elif tag in _FIXED_OCTETS:
            value = self.take(_FIXED_OCTETS[tag])
        elif tag in self._leaves:
            value = self._leaves[tag]()
        elif tag in _FLOATS:
            value = self._float(*_FLOATS[tag])
        elif tag not in _EMPTY:
            raise BadData(f"COSEM data of type {tag} is unknown")
        return value

    def _count(self) -> int:
        """Return a number of elements; each takes an octet at least, so a greater number is a lie."""
        count = self.length()
        if count > len(self.data) - self.at:
            raise BadData(f"{count} elements cannot fit into {len(self.data) - self.at} octets")
        return count

    def _bits(self) -> str:
        count = self.length()
        size = (count + 7) // 8
        octets = self.take(size)
        return f"{int.from_bytes(octets, 'big'):0{size * 8}b}"[:count] if size else ""

    def _text(self) -> str:
        return self.take(self.length()).decode("utf-8", errors="replace")

    def _float(self, layout: str, fewest: int, most: int) -> Decimal:
        """Return the shortest decimal that is this IEEE 754 number."""
        octets = self.take(struct.calcsize(layout))
        number = struct.unpack(layout, octets)[0]
        for digits in range(fewest, most):
            text = f"{number:.{digits}g}"
            try:
                is_same = struct.pack(layout, float(text)) == octets
            except OverflowError:
                is_same = False
            if is_same:
                break
        value = Decimal(text)
        if not value.is_finite():
            raise BadData("a floating point value is not a number")
        return value

    def _compact(self, depth: int) -> list[Data]:
        """Return a compact array: one description of the type, then the contents without types."""
        start = self.at
        self._describe(depth + 1)
        description = self.data[start : self.at]
        end = self.length() + self.at
        if end > len(self.data):
            raise BadData("a compact array is cut short")
        values: list[Data] = []
        while self.at < end:
            before = self.at
            values.append(self._described(_Reader(description), depth + 1))
            if self.at == before:
                raise BadData("a compact array of elements without content")
        if self.at != end:
            raise BadData("a compact array does not end with an element")
        return values

    def _describe(self, depth: int) -> None:
        self._left -= 1
        if depth > DEPTH_LIMIT or self._left < 0:
            raise BadData("a compact array is described too deep")
        tag = self.take(1)[0]
        if tag == _ARRAY:
            self.take(2)
            self._describe(depth + 1)
        elif tag == _STRUCTURE:
            for _ in range(self._count()):
                self._describe(depth + 1)
        elif tag == _COMPACT_ARRAY:
            raise BadData("a compact array within a compact array")

    def _described(self, description: "_Reader", depth: int) -> Data:
        self._left -= 1
        if self._left < 0:
            raise BadData("a compact array has too many elements")
        tag = description.take(1)[0]
        if tag == _ARRAY:
            count = int.from_bytes(description.take(2), "big")
            if not 1 <= count <= len(self.data) - self.at:
                raise BadData("an array within a compact array is empty or longer than its content")
            element = description.at
            values = []
            for _ in range(count):
                description.at = element
                values.append(self._described(description, depth + 1))
            return values
        if tag == _STRUCTURE:
            return [self._described(description, depth + 1) for _ in range(description.length())]
        return self.content(tag, depth)
