"""The data types of a record, exactly: integers, BCD and reals to Decimal, types F, G, I and J to times.

Source: EN 13757-3 clause 6.3 and its annex on coding of data records (types A to J).
"""

import math
import struct
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from zoneinfo import ZoneInfo

_DIGITS_OF_FLOAT32 = 9
_EVERY_YEAR = 127


@dataclass(frozen=True, slots=True)
class LocalTime:
    """A meter's own date and time, naive; ``is_summer`` tells the two passes of an ambiguous hour apart."""

    at: datetime
    is_summer: bool = False

    def instant(self, zone: ZoneInfo) -> datetime:
        """Return the time in UTC for a meter in ``zone``."""
        first, second = (self.at.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
        is_ambiguous = first.utcoffset() != second.utcoffset() and first.astimezone(UTC) < second.astimezone(UTC)
        return (second if is_ambiguous and not self.is_summer else first).astimezone(UTC)


def exact(number: int, exponent: int) -> Decimal:
    """Return ``number * 10**exponent`` exactly, however many digits it has."""
    return Decimal((int(number < 0), tuple(int(digit) for digit in str(abs(number))), exponent))


def shifted(value: Decimal, places: int) -> Decimal:
    """Return ``value * 10**places`` exactly, without an exponent above zero."""
    sign, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)  # noqa: S101 - no NaN is ever decoded
    if exponent + places > 0:
        return Decimal((sign, digits + (0,) * (exponent + places), 0))
    return Decimal((sign, digits, exponent + places))


def integer(data: bytes) -> int | None:
    """Return a signed integer (type B), least significant byte first; None where the meter marks it invalid."""
    if not data:
        return None
    return int.from_bytes(data, "little", signed=True)


def bcd(data: bytes) -> int | None:
    """Return packed digits (type A), least significant byte first, or None where a digit is none.

    A leading Fh is the sign of a negative number; other digits above 9 mark an invalid or error value.
    """
    digits = data[::-1].hex()
    is_negative = digits.startswith("f")
    text = digits[1:] if is_negative else digits
    if not text.isdecimal():
        return None
    return -int(text) if is_negative else int(text)


def real(data: bytes) -> Decimal | None:
    """Return the shortest decimal that is this float32 (type H) and no other; None for NaN and infinities."""
    (number,) = struct.unpack("<f", data)
    if not math.isfinite(number):
        return None
    for digits in range(1, _DIGITS_OF_FLOAT32 + 1):
        text = f"{number:.{digits}g}"
        try:
            if struct.pack("<f", float(text)) == data:
                return Decimal(text)
        except OverflowError:
            continue
    return Decimal(f"{number:.{_DIGITS_OF_FLOAT32}g}")


def _year(low: int, hundreds: int) -> int:
    """Return the year; without the field of hundreds a year from 81 on lies in the last century."""
    if hundreds:
        return 1900 + 100 * hundreds + low
    return 2000 + low if low <= 80 else 1900 + low


def date_g(data: bytes) -> date | None:
    """Return a date (type G, 2 bytes); None where it is marked invalid, means "every", or does not exist."""
    low = data[0] >> 5 | (data[1] & 0xF0) >> 1
    if low >= _EVERY_YEAR:
        return None
    try:
        return date(_year(low, 0), data[1] & 0x0F, data[0] & 0x1F)
    except ValueError:
        return None


def time_f(data: bytes) -> LocalTime | None:
    """Return a date and time (type F, 4 bytes), None where the meter marks it invalid or it does not exist."""
    if data[0] & 0x80:
        return None
    low = data[2] >> 5 | (data[3] & 0xF0) >> 1
    if low >= _EVERY_YEAR:
        return None
    try:
        at = datetime(  # noqa: DTZ001 - a meter's own time, which its zone gives a meaning later
            _year(low, data[1] >> 5 & 0x03), data[3] & 0x0F, data[2] & 0x1F, data[1] & 0x1F, data[0] & 0x3F
        )
    except ValueError:
        return None
    return LocalTime(at, bool(data[1] & 0x80))


def time_i(data: bytes) -> LocalTime | None:
    """Return a date and time with seconds (type I, 6 bytes), None where it is invalid."""
    if data[1] & 0x80:
        return None
    low = data[3] >> 5 | (data[4] & 0xF0) >> 1
    if low >= _EVERY_YEAR:
        return None
    try:
        at = datetime(  # noqa: DTZ001 - a meter's own time, which its zone gives a meaning later
            _year(low, 0), data[4] & 0x0F, data[3] & 0x1F, data[2] & 0x1F, data[1] & 0x3F, data[0] & 0x3F
        )
    except ValueError:
        return None
    return LocalTime(at, bool(data[0] & 0x40))


def time_j(data: bytes) -> time | None:
    """Return a time of day (type J, 3 bytes), None where it is invalid."""
    try:
        return time(data[2] & 0x1F, data[1] & 0x3F, data[0] & 0x3F)
    except ValueError:
        return None


def packed_time_f(local: datetime, *, is_summer: bool) -> bytes:
    """Return a minute as type F (4 bytes) for a meter's clock; years from 2000 on carry their hundreds."""
    low = local.year % 100
    hundreds = (local.year - 1900) // 100
    return bytes(
        [
            local.minute,
            local.hour | hundreds << 5 | (0x80 if is_summer else 0),
            local.day | (low & 0x07) << 5,
            local.month | (low & 0x78) << 1,
        ]
    )


def hex_text(data: bytes) -> str:
    """Return bytes as the dump that operators read."""
    return data.hex(" ").upper()
