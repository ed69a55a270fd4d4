"""Decodes the values of a Corus exactly: the library's codec inside bounds, floats by their shortest digits."""

import struct
from collections.abc import Mapping
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from iflag import data

from pipelines.amr.faults import BadData

Value = Decimal | str | datetime | None
"""None: the meter says that it has no value (all bits set), or the bytes are not used."""

_CODECS: Mapping[str, type[Any]] = {
    "byte": data.Byte,
    "word": data.Word,
    "eword": data.EWord,
    "ulong": data.ULong,
    "eulong": data.EULong,
    "float": data.Float,
    "float1": data.Float1,
    "float2": data.Float2,
    "float3": data.Float3,
    "index": data.Index,
    "index9": data.Index9,
    "date": data.Date,
    "string": data.CorusString,
    "null2": data.Null2,
    "null4": data.Null4,
}
LENGTHS: Mapping[str, int] = {name: int(codec.LENGTH) for name, codec in _CODECS.items()}
"""Bytes of each of the manufacturer's data types."""

_FRACTION_LIMIT = 100_000_000
_FIRST_YEAR, _LAST_YEAR = 2000, 2063
EARLIEST, LATEST = datetime(_FIRST_YEAR, 1, 1), datetime(_LAST_YEAR, 12, 31, 23, 59, 59)  # noqa: DTZ001
"""What the meter's calendar can hold (six bits of year): naive, in the meter's own time."""
_MOST_DIGITS, _LEAST = 18, Decimal("1E-12")


def decode(kind: str, raw: bytes) -> Value:
    """Return the value of ``raw``, a type's own number of bytes.

    Raises
    ------
    BadData
        The bytes are no value of this type: not a number, an impossible date.
    """
    if len(raw) != LENGTHS[kind]:
        raise BadData(f"{len(raw)} bytes are no {kind}")
    try:
        if kind == "float":
            return _float(raw)
        if kind == "date" and not any(raw):
            return None
        value = _CODECS[kind].from_bytes(raw).value
    except (ValueError, ArithmeticError, LookupError, struct.error):
        raise BadData(f"{raw.hex()} is no {kind}") from None
    if kind in {"index", "index9"} and value is not None and int.from_bytes(raw[-4:], "little") >= _FRACTION_LIMIT:
        raise BadData(f"{raw.hex()} is no {kind}: its fraction is more than one")
    if isinstance(value, str):
        return value.strip("\0 ")
    return plain(Decimal(value)) if isinstance(value, int | Decimal) else value


def clipped(at: datetime) -> datetime:
    """Return a naive time, cut to what the meter's calendar can hold."""
    return min(max(at, EARLIEST), LATEST)


def encode_date(at: datetime) -> bytes:
    """Return the four bytes of a naive time, cut to what the meter's calendar can hold."""
    encoded: bytes = data.Date(clipped(at)).to_bytes()
    return encoded


def _float(raw: bytes) -> Decimal | None:
    """Return the shortest decimal that is this very binary32: the digits that the meter itself shows.

    The library rounds to six decimals, which loses digits of small values and invents some for great ones.
    """
    if raw == b"\xff\xff\xff\xff":
        return None
    exact = Decimal(_shortest(raw))
    if not exact.is_finite() or exact.adjusted() >= _MOST_DIGITS:
        raise ValueError("not a number that can be kept")
    return plain(exact.quantize(_LEAST, ROUND_HALF_EVEN) if _exponent(exact) < _exponent(_LEAST) else exact)


def _shortest(raw: bytes) -> str:
    (number,) = struct.unpack("<f", raw)
    for digits in (6, 7, 8):
        shown = f"{number:.{digits}g}"
        if struct.pack("<f", float(shown)) == raw:
            return shown
    return f"{number:.9g}"


def plain(value: Decimal) -> Decimal:
    """Return the same number without trailing zeros and without a power of ten."""
    value = value.normalize() + 0
    return value.quantize(Decimal(1)) if _exponent(value) > 0 else value


def _exponent(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    return exponent if isinstance(exponent, int) else 0
