"""Telegrams: what a slave answers, as a header and records, or as the fault it reports.

Source: EN 13757-3 clause 5 (CI fields) and its annex on the fixed data structure.
"""

from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType

from pipelines.amr.faults import BadData, Refused, Unsupported
from pipelines.amr.protocols.mbus import values
from pipelines.amr.protocols.mbus.frames import Frame
from pipelines.amr.protocols.mbus.quantities import Quantity, fixed_quantity
from pipelines.amr.protocols.mbus.records import Record, parse_records

APPLICATION_ERRORS = MappingProxyType(
    {
        0: "unspecified error",
        1: "CI field not implemented",
        2: "buffer too long, truncated",
        3: "too many records",
        4: "premature end of record",
        5: "more than 10 DIFE",
        6: "more than 10 VIFE",
        8: "application busy",
        9: "too many readouts",
    }
)
_ERROR, _VARIABLE, _FIXED = 0x70, 0x72, 0x73
_SHORT_HEADER, _NO_HEADER = 0x7A, 0x78
_MSB_FIRST = (0x76, 0x77)
_SECURITY_MODES = (2, 3, 4, 5, 7, 13)
# Media of the fixed structure above 8 are the second mode of these.
_FIXED_MEDIA = MappingProxyType({0xA: 0x3, 0xB: 0x4, 0xC: 0x6, 0xD: 0x7, 0xE: 0x8})


@dataclass(frozen=True, slots=True, kw_only=True)
class Telegram:
    """One answer of a slave; ``serial`` is its identification number of 8 digits where the header has one."""

    serial: str | None = None
    manufacturer: str | None = None
    version: int | None = None
    medium: int | None = None
    access: int | None = None
    status: int = 0
    records: tuple[Record, ...] = ()
    more_follow: bool = False


def parse_telegram(frame: Frame) -> Telegram:
    """Return what an answer says.

    Raises
    ------
    Refused
        The slave reports an application error (CI 70h).
    Unsupported
        The answer is encrypted or in a form that is not read: most significant byte first, another CI.
    BadData
        It is no answer of a slave, or its content is damaged.
    """
    if not frame.is_answer:
        raise BadData("the frame is no answer of a slave")
    control_information, body = frame.data[0], frame.data[1:]
    if control_information == _ERROR:
        raise Refused(f"the meter reports: {_error(body)}")
    if control_information == _VARIABLE:
        return _variable(body)
    if control_information == _FIXED:
        return _fixed(body)
    if control_information == _SHORT_HEADER:
        return _short_header(body)
    if control_information == _NO_HEADER:
        records, more = parse_records(body)
        return Telegram(records=tuple(records), more_follow=more)
    order = ", most significant byte first," if control_information in _MSB_FIRST else ""
    raise Unsupported(f"an answer with CI {control_information:02X}h{order} is not read")


def _error(body: bytes) -> str:
    code = body[0] if body else 0
    return APPLICATION_ERRORS.get(code, f"application error {code}")


def manufacturer_code(packed: int) -> str:
    """Return the three letters of a manufacturer (FLAG association) from their 15 bits."""
    return "".join(chr(64 + (packed >> shift & 0x1F)) for shift in (10, 5, 0))


def _need(body: bytes, count: int, what: str) -> None:
    if len(body) < count:
        raise BadData(f"{what} has {len(body)} bytes where {count} are needed")


def _variable(body: bytes) -> Telegram:
    _need(body, 12, "the header")
    _refuse_encryption(body[10:12], body[12:])
    records, more = parse_records(body[12:])
    return Telegram(
        serial=body[3::-1].hex().upper(),
        manufacturer=manufacturer_code(int.from_bytes(body[4:6], "little")),
        version=body[6],
        medium=body[7],
        access=body[8],
        status=body[9],
        records=tuple(records),
        more_follow=more,
    )


def _short_header(body: bytes) -> Telegram:
    _need(body, 4, "the short header")
    _refuse_encryption(body[2:4], body[4:])
    records, more = parse_records(body[4:])
    return Telegram(access=body[0], status=body[1], records=tuple(records), more_follow=more)


def _refuse_encryption(signature: bytes, data: bytes) -> None:
    """Raise where the configuration field names a security mode and the data are not plain behind it.

    Older wired meters leave noise in the field, so that only modes that encrypt are taken for one.
    """
    mode = signature[1] & 0x1F
    if mode in _SECURITY_MODES and data[:2] != b"\x2f\x2f":
        raise Unsupported(f"the telegram is encrypted (security mode {mode})")


def _fixed(body: bytes) -> Telegram:
    if len(body) != 16:
        raise BadData(f"the fixed data structure has {len(body)} bytes where it has 16")
    status, units = body[5], (body[6], body[7])
    medium = units[0] >> 6 | units[1] >> 4 & 0x0C
    is_binary, is_stored = bool(status & 0x01), bool(status & 0x02)
    first = fixed_quantity(units[0] & 0x3F)
    # 3Eh: the second counter counts what the first does, at an earlier, stored date.
    is_historic = units[1] & 0x3F == 0x3E
    second = first if is_historic else fixed_quantity(units[1] & 0x3F)
    return Telegram(
        serial=body[3::-1].hex().upper(),
        medium=_FIXED_MEDIA.get(medium, medium),
        access=body[4],
        status=status,
        records=(
            _counter(body[8:12], first, int(is_stored), is_binary=is_binary),
            _counter(body[12:16], second, int(is_stored or is_historic), is_binary=is_binary),
        ),
    )


def _counter(data: bytes, quantity: Quantity, storage: int, *, is_binary: bool) -> Record:
    number = int.from_bytes(data, "little") if is_binary else values.bcd(data)
    value: Decimal | None = None if number is None else values.exact(number, quantity.exponent)
    return Record(quantity=quantity.name, unit=quantity.unit, value=value, storage=storage)
