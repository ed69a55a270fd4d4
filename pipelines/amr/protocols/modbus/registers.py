"""Registers of a device as data: where they stand, how their words become an exact decimal, which series they are.

Source: MODBUS Application Protocol V1.1b3 clause 4.2 (big-endian words); types and word order are the makers'.
"""

import math
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from types import MappingProxyType
from typing import Any

from pipelines.amr.faults import BadData
from pipelines.amr.models import MeterModel
from pipelines.amr.protocols.modbus.frames import MAX_WORDS, Block

_WORDS = MappingProxyType({
    "u16": 1, "s16": 1, "u32": 2, "s32": 2, "u64": 4, "s64": 4, "f32": 2, "f64": 4, "bcd16": 1, "bcd32": 2, "bcd64": 4,
})  # fmt: skip
_TABLES = ("holding", "input")
_WORD_ORDERS = ("big", "little")
_MOST_DIGITS = 18
_MOST_DECIMALS = 12
_DIGITS_OF_FLOAT32 = 9
_EXACT = Context(prec=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    """One value of a device.

    ``word_order`` big: the most significant word first. ``absent`` are the raw contents, as hexadecimal in this
    order, by which the device says that it has no value.
    """

    series: str
    address: int
    table: str
    type: str
    unit: str = ""
    scaler: Decimal = Decimal(1)
    word_order: str = "big"
    absent: tuple[str, ...] = ()

    @property
    def words(self) -> int:
        """How many registers the value takes."""
        return _WORDS[self.type]

    def value(self, words: Sequence[int]) -> Decimal | None:
        """Return the value of these words exactly, or None where the device has none.

        Raises
        ------
        BadData
            The words hold no number of the type, or one with more digits than the platform keeps.
        """
        ordered = words if self.word_order == "big" else words[::-1]
        data = b"".join(word.to_bytes(2, "big") for word in ordered)
        if data.hex().upper() in self.absent:
            return None
        number = _number(self.type, data)
        return None if number is None else self._kept(_EXACT.multiply(number, self.scaler))

    def _kept(self, value: Decimal) -> Decimal:
        exponent = value.as_tuple().exponent
        if isinstance(exponent, int) and exponent < -_MOST_DECIMALS:
            # Only a float close to zero has so many decimals; they are noise of its coding.
            value = _EXACT.quantize(value, Decimal(1).scaleb(-_MOST_DECIMALS))
        if value.adjusted() >= _MOST_DIGITS or len(value.as_tuple().digits) > _MOST_DIGITS:
            raise BadData(f"the value of {self.series} has more than {_MOST_DIGITS} digits")
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceMap:
    """The registers of a model and how many words one request may read: at most, and over a gap."""

    unit: int
    max_words: int
    max_gap: int
    registers: tuple[Register, ...]


def _number(kind: str, data: bytes) -> Decimal | None:
    if kind[0] == "u":
        return Decimal(int.from_bytes(data, "big"))
    if kind[0] == "s":
        return Decimal(int.from_bytes(data, "big", signed=True))
    if kind[0] == "b":
        text = data.hex()
        if not text.isdecimal():
            raise BadData(f"{text.upper()} are no decimal digits")
        return Decimal(text)
    (number,) = struct.unpack(">f" if kind == "f32" else ">d", data)
    if not math.isfinite(number):
        return None
    return _shortest_float32(number, data) if kind == "f32" else Decimal(repr(number))


def _shortest_float32(number: float, data: bytes) -> Decimal:
    """Return the shortest decimal that is this float32 and no other: the digits that the device showed."""
    for digits in range(1, _DIGITS_OF_FLOAT32):
        text = f"{number:.{digits}g}"
        try:
            if struct.pack(">f", float(text)) == data:
                return Decimal(text)
        except OverflowError:
            continue
    return Decimal(f"{number:.{_DIGITS_OF_FLOAT32}g}")


def map_of(model: MeterModel) -> DeviceMap:
    """Return the register map of a model file, checked.

    Raises
    ------
    ValueError
        A register is of no known type or table, or wider than one request.
    """
    data = model.data
    defaults = {key: data[key] for key in ("table", "word_order") if key in data}
    registers = tuple(_register({**defaults, **row}) for row in data["registers"])
    max_words = int(data.get("max_words", MAX_WORDS))
    if not 4 <= max_words <= MAX_WORDS or any(register.words > max_words for register in registers):
        raise ValueError(f"max_words is {max_words}")
    return DeviceMap(
        unit=int(data.get("unit", 1)),
        max_words=max_words,
        max_gap=int(data.get("max_gap", 0)),
        registers=registers,
    )


def _register(row: dict[str, Any]) -> Register:
    row["scaler"] = Decimal(row.get("scaler", "1"))
    row["absent"] = tuple(text.upper() for text in row.get("absent", ()))
    register = Register(**row)
    if register.type not in _WORDS or register.table not in _TABLES or register.word_order not in _WORD_ORDERS:
        raise ValueError(f"the register of {register.series} is of no known type, table or word order")
    return register


def batches(device: DeviceMap, wanted: Iterable[Register]) -> list[tuple[Block, list[Register]]]:
    """Return the fewest requests that read the wanted registers: neighbours together, gaps within the limit."""
    found: list[tuple[Block, list[Register]]] = []
    for register in sorted(wanted, key=lambda item: (item.table, item.address)):
        end = register.address + register.words
        if found:
            block, members = found[-1]
            gap = register.address - (block.address + block.count)
            count = max(block.count, end - block.address)
            if block.table == register.table and gap <= device.max_gap and count <= device.max_words:
                found[-1] = (Block(block.table, block.address, count), [*members, register])
                continue
        found.append((Block(register.table, register.address, register.words), [register]))
    return found
