"""Data records of an M-Bus telegram: DIF and VIF blocks taken apart, values kept exact.

Source: EN 13757-3 clause 6 (variable data structure).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from types import MappingProxyType

from pipelines.amr.faults import BadData
from pipelines.amr.protocols.mbus import values
from pipelines.amr.protocols.mbus.quantities import (
    EXTENSION_FB,
    EXTENSION_FD,
    PRIMARY,
    RESERVED,
    Quantity,
    scaled,
)
from pipelines.amr.protocols.mbus.values import LocalTime

Value = Decimal | LocalTime | date | time | str | None

FUNCTIONS = ("instantaneous", "maximum", "minimum", "error")
_EXTENDED = 0x80
_MOST_EXTENSIONS = 10
_MANUFACTURER_DATA, _MORE_FOLLOWS, _FILLER = 0x0F, 0x1F, 0x2F
_LENGTHS = MappingProxyType({
    0x0: 0, 0x1: 1, 0x2: 2, 0x3: 3, 0x4: 4, 0x5: 4, 0x6: 6, 0x7: 8,
    0x8: 0, 0x9: 1, 0xA: 2, 0xB: 3, 0xC: 4, 0xE: 6,
})  # fmt: skip
_REAL, _VARIABLE = 0x5, 0xD
_WIDE_BINARY = MappingProxyType({0xF0: 16, 0xF1: 20, 0xF2: 24, 0xF3: 28, 0xF4: 32, 0xF5: 48, 0xF6: 64})
_BCD = (0x9, 0xA, 0xB, 0xC, 0xE)
# Times are told by the quantity and the length of the data: types G, J, F and I.
_TIMES: MappingProxyType[int, Callable[[bytes], LocalTime | date | time | None]] = MappingProxyType({
    2: values.date_g, 3: values.time_j, 4: values.time_f, 6: values.time_i,
})  # fmt: skip
_TIME_QUANTITIES = ("date", "date and time", "start of tariff", "date of battery change")


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One value with what it is: a Decimal in ``unit`` (a base unit), a time, a text, or None where it is invalid.

    ``modifiers`` are the combinable VIFE codes that do not merely scale (3Bh import, 3Ch export, 7Eh future, ...).
    """

    quantity: str
    unit: str = ""
    value: Value
    function: str = "instantaneous"
    storage: int = 0
    tariff: int = 0
    subunit: int = 0
    modifiers: tuple[int, ...] = ()


class _Cursor:
    """Reads a telegram's data from the front and never beyond its end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def byte(self) -> int:
        return self.take(1)[0]

    def take(self, count: int) -> bytes:
        if count > self.left:
            raise BadData(f"a record of the telegram needs {count} more bytes where {self.left} are left")
        taken = self._data[self._at : self._at + count]
        self._at += count
        return taken

    def chain(self, kind: str) -> list[int]:
        """Return the extension bytes that follow a byte with the extension bit."""
        codes = [self.byte()]
        while codes[-1] & _EXTENDED:
            if len(codes) == _MOST_EXTENSIONS:
                raise BadData(f"a record has more than {_MOST_EXTENSIONS} {kind}")
            codes.append(self.byte())
        return codes


def parse_records(data: bytes) -> tuple[list[Record], bool]:
    """Return the records of a variable data structure, and whether more follow in the next telegram (DIF 1Fh).

    Raises
    ------
    BadData
        The data end inside a record, or a record is none.
    """
    cursor = _Cursor(data)
    records: list[Record] = []
    while cursor.left:
        dif = cursor.byte()
        if dif == _FILLER:
            continue
        if dif in (_MANUFACTURER_DATA, _MORE_FOLLOWS):
            text = values.hex_text(cursor.take(cursor.left))
            records.append(Record(quantity="manufacturer specific", value=text, function="manufacturer"))
            return records, dif == _MORE_FOLLOWS
        if dif & 0x0F == 0x0F:
            raise BadData(f"a record starts with the reserved DIF {dif:02X}h")
        records.append(_record(dif, cursor))
    return records, False


def _record(dif: int, cursor: _Cursor) -> Record:
    storage, tariff, subunit = dif >> 6 & 1, 0, 0
    if dif & _EXTENDED:
        for position, dife in enumerate(cursor.chain("DIFE")):
            storage |= (dife & 0x0F) << (1 + 4 * position)
            tariff |= (dife >> 4 & 0x03) << (2 * position)
            subunit |= (dife >> 6 & 0x01) << position
    quantity, modifiers = _value_information(cursor)
    quantity = scaled(quantity, modifiers)
    return Record(
        quantity=quantity.name,
        unit=quantity.unit,
        value=_value(dif & 0x0F, quantity, cursor),
        function=FUNCTIONS[dif >> 4 & 0x03],
        storage=storage,
        tariff=tariff,
        subunit=subunit,
        modifiers=_meaningful(modifiers),
    )


def _value_information(cursor: _Cursor) -> tuple[Quantity, tuple[int, ...]]:
    vif = cursor.byte()
    code = vif & ~_EXTENDED
    if vif in (0xFB, 0xFD):
        chain = [item & ~_EXTENDED for item in cursor.chain("VIFE")]
        table = EXTENSION_FB if vif == 0xFB else EXTENSION_FD
        return table.get(chain[0], RESERVED), tuple(chain[1:])
    # The text of a plain-text VIF stands right behind it, before any VIFE.
    quantity = _plain_text(cursor) if code == 0x7C else PRIMARY.get(code, RESERVED)
    modifiers = [item & ~_EXTENDED for item in cursor.chain("VIFE")] if vif & _EXTENDED else []
    return quantity, tuple(modifiers)


def _plain_text(cursor: _Cursor) -> Quantity:
    text = cursor.take(cursor.byte())[::-1].decode("latin-1")
    return Quantity(name=text)


def _meaningful(modifiers: tuple[int, ...]) -> tuple[int, ...]:
    """Return the modifiers without those that only scale, which are in the value already."""
    kept: list[int] = []
    for place, code in enumerate(modifiers):
        if code == 0x7F:
            return (*kept, *modifiers[place:])
        if not 0x70 <= code <= 0x77 and code != 0x7D:
            kept.append(code)
    return tuple(kept)


def _value(field: int, quantity: Quantity, cursor: _Cursor) -> Value:
    if field == _VARIABLE:
        return _variable(quantity, cursor)
    data = cursor.take(_LENGTHS[field])
    if not data:
        return None
    if quantity.name in _TIME_QUANTITIES and field not in _BCD and field != _REAL:
        decode = _TIMES.get(len(data))
        return decode(data) if decode else values.hex_text(data)
    if field == _REAL:
        number = values.real(data)
        return None if number is None else values.shifted(number, quantity.exponent)
    return _counted(values.bcd(data) if field in _BCD else values.integer(data), quantity)


def _variable(quantity: Quantity, cursor: _Cursor) -> Value:
    """Return data of variable length: text, digits, or bytes, by the length byte (LVAR)."""
    length = cursor.byte()
    if length < 0xC0:
        return cursor.take(length)[::-1].decode("latin-1")
    if length < 0xE0:
        number = values.bcd(cursor.take(length & 0x0F))
        return _counted(-number if number is not None and length >= 0xD0 else number, quantity)
    if length < 0xF0:
        return values.hex_text(cursor.take(length - 0xE0)[::-1])
    if length in _WIDE_BINARY:
        return values.hex_text(cursor.take(_WIDE_BINARY[length])[::-1])
    raise BadData(f"a record of variable length has the reserved length {length:02X}h")


def _counted(number: int | None, quantity: Quantity) -> Decimal | None:
    return None if number is None else values.exact(number * quantity.factor, quantity.exponent)
