"""Field dictionaries: what a resource's fields may hold, checked all at once, with one message per fault.

The same dictionary validates requests, documents the API and names the columns, so the three cannot drift apart.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID
from zoneinfo import available_timezones

import msgspec

from pipelines import decimals
from pipelines.errors import RejectedInput

REQUIRED = "This field is required."
NULL = "This field may not be null."
BLANK = "This field may not be blank."
NUL = "Null characters are not allowed."
DEEPEST = 20  # levels of an object
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(2100, 1, 1, tzinfo=UTC)
# Names that the original's list has and today's tzdb lacks, with what they meant.
RETIRED_ZONES = {"Asia/Hanoi": "Asia/Ho_Chi_Minh", "US/Pacific-New": "America/Los_Angeles"}


class Kind(StrEnum):
    """What a field holds."""

    STRING = "string"
    BOOLEAN = "boolean"
    INTEGER = "integer"
    DECIMAL = "decimal"
    NUMBER = "number"
    INTEGERS = "integers"
    UUID = "uuid"
    UUIDS = "uuids"
    DATETIME = "datetime"
    ZONE = "zone"
    URI = "uri"
    IP = "ip"
    OBJECT = "object"
    OBJECTS = "objects"
    TEXTS = "texts"
    LOCAL_DATETIME = "local datetime"


@dataclass(frozen=True, kw_only=True)
class Field:
    """One field: its kind, its limits, and where it is stored."""

    name: str
    kind: Kind = Kind.STRING
    required: bool = False
    nullable: bool = False
    read_only: bool = False
    write_only: bool = False
    min_length: int = 0
    max_length: int | None = None
    pattern: str | None = None
    choices: tuple[Any, ...] | None = None
    minimum: int | None = None
    maximum: int | None = None
    refers_to: str | None = None
    column: str | None = None
    doc: str = ""

    @property
    def stored_as(self) -> str:
        """Return the column of the table."""
        return self.column or self.name

    @cached_property
    def _regex(self) -> re.Pattern[str] | None:
        return re.compile(self.pattern) if self.pattern else None

    def check(self, value: Any) -> Any:
        """Return the value as it is stored.

        Raises
        ------
        ValueError
            The value does not fit; the text is fit to be shown.
        """
        if value is None:
            if self.nullable:
                return None
            raise ValueError(NULL)
        checked = _CHECKS[self.kind](self, value)
        if self.choices is not None:
            for item in checked if isinstance(checked, list) else [checked]:
                if item not in self.choices:
                    raise ValueError(f"{_quoted(item)} is not a valid choice.")
        return checked


def _check_text(text: str) -> None:
    """Refuse characters that the database cannot hold."""
    if "\0" in text:
        raise ValueError(NUL)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("Not a valid string: it holds a lone surrogate.") from None


def _string(field: Field, value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("Not a valid string.")  # noqa: TRY004 - a fault of input, not of our types
    _check_text(value)
    if field.min_length and not value.strip():
        raise ValueError(BLANK)
    if len(value) < field.min_length:
        raise ValueError(f"Ensure this field has at least {field.min_length} characters.")
    if field.max_length is not None and len(value) > field.max_length:
        raise ValueError(f"Ensure this field has no more than {field.max_length} characters.")
    if field._regex and not field._regex.fullmatch(value):  # noqa: SLF001 - a cached part of the same value
        raise ValueError(f"This value does not match the required pattern {field.pattern}")
    return value


def _quoted(value: Any) -> str:
    """Return what an error message repeats of a value: little, and nothing that JSON could not carry."""
    text = str(value) if isinstance(value, str | int | float | Decimal) else type(value).__name__
    return '"' + text[:50].encode(errors="replace").decode() + '"'


def _boolean(_field: Field, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("Must be a valid boolean.")  # noqa: TRY004
    return value


def _integer(field: Field, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("A valid integer is required.")  # noqa: TRY004
    low = -(2**31) if field.minimum is None else field.minimum
    high = 2**31 - 1 if field.maximum is None else field.maximum
    if value < low:
        raise ValueError(f"Ensure this value is greater than or equal to {low}.")
    if value > high:
        raise ValueError(f"Ensure this value is less than or equal to {high}.")
    return value


def _integers(field: Field, value: Any) -> list[int]:
    if not isinstance(value, list):
        raise ValueError('Expected a list of items but got type "' + type(value).__name__ + '".')  # noqa: TRY004
    return [_integer(field, item) for item in value]


def _number(field: Field, value: Any) -> float:
    """Return a JSON number as the double next to it; a text that looks like a number is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise ValueError(decimals.NOT_A_NUMBER)  # noqa: TRY004
    try:
        number = float(value) + 0.0  # and no negative zero
    except OverflowError:  # an integer beyond any double
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(decimals.NOT_A_NUMBER)
    if field.minimum is not None and number < field.minimum:
        raise ValueError(f"Ensure this value is greater than or equal to {field.minimum}.")
    if field.maximum is not None and number > field.maximum:
        raise ValueError(f"Ensure this value is less than or equal to {field.maximum}.")
    return number


def _decimal(_field: Field, value: Any) -> Decimal:
    return decimals.parse(value)


def _uuid(_field: Field, value: Any) -> UUID:
    try:
        return UUID(value)
    except (ValueError, AttributeError, TypeError):
        raise ValueError(f"{_quoted(value)} is not a valid UUID.") from None


def _uuids(field: Field, value: Any) -> list[UUID]:
    if not isinstance(value, list):
        raise ValueError('Expected a list of items but got type "' + type(value).__name__ + '".')  # noqa: TRY004
    identifiers = [_uuid(field, item) for item in value]
    if len(set(identifiers)) != len(identifiers):
        raise ValueError("The items of this list must be unique.")
    return identifiers


def _parsed(value: Any) -> datetime:
    """Parse as the decoder of bulk deliveries does (it rounds nanoseconds), then whatever else is ISO 8601."""
    try:
        return msgspec.convert(value, datetime)
    except msgspec.ValidationError:
        return datetime.fromisoformat(value)


def instant(value: Any) -> datetime:
    """Return an ISO 8601 instant in UTC; its offset must be given and its year lie from 1970 to 2099.

    Raises
    ------
    ValueError
        Malformed, without an offset, or out of range.
    """
    try:
        at = _parsed(value)
    except (ValueError, TypeError):
        raise ValueError("Datetime has wrong format: use ISO 8601, such as 2026-03-01T00:15:00Z.") from None
    if at.tzinfo is None:
        raise ValueError("Datetime has no time zone: end it with Z or an offset such as +02:00.")
    try:
        at = at.astimezone(UTC)
    except OverflowError:
        at = datetime.max.replace(tzinfo=UTC)
    if not EARLIEST <= at < LATEST:
        raise ValueError("Datetime is out of range: the year must lie from 1970 to 2099.")
    return at


def _datetime(_field: Field, value: Any) -> datetime:
    return instant(value)


def is_zone(name: object) -> bool:
    """Tell whether ``name`` is a time zone that a config may have."""
    return name in RETIRED_ZONES or (name != "localtime" and name in available_timezones())


def canonical_zone(name: str) -> str:
    """Return the name under which today's tzdb knows a zone."""
    return RETIRED_ZONES.get(name, name)


def _zone(_field: Field, value: Any) -> str:
    if not isinstance(value, str) or not is_zone(value):
        raise ValueError(f"{_quoted(value)} is not a valid choice.")
    return value


def _uri(field: Field, value: Any) -> str:
    text = _string(field, value)
    try:
        parts = urlsplit(text)
        is_address = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port or an address in brackets that is none
        is_address = False
    if not is_address or any(character.isspace() for character in text):
        raise ValueError("Enter a valid URL.")
    return text


def _ip(_field: Field, value: Any) -> str:
    try:  # a scope (fe80::1%eth0) means something on one machine only, and may be any text
        return str(ip_address(value if isinstance(value, str) and "%" not in value else ""))
    except ValueError:
        raise ValueError("Enter a valid IPv4 or IPv6 address.") from None


def _object(_field: Field, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("Expected an object.")  # noqa: TRY004
    _check_json(value, DEEPEST)
    return value


def _check_json(value: Any, levels: int) -> None:
    """Refuse what PostgreSQL's jsonb or an answer could not carry, and nesting without reason."""
    if levels < 0:
        raise ValueError(f"Nested too deeply: at most {DEEPEST} levels.")
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, Decimal):
        if not value.is_finite():
            raise ValueError(decimals.NOT_A_NUMBER)
    elif isinstance(value, list):
        for item in value:
            _check_json(item, levels - 1)
    elif isinstance(value, dict):
        for key, item in value.items():
            _check_text(key)
            _check_json(item, levels - 1)


def _objects(_field: Field, value: Any) -> list[dict[str, Any]]:
    """Return a list of objects; what is in them is checked by whoever knows their fields."""
    if not isinstance(value, list):
        raise ValueError("Expected a list of objects.")  # noqa: TRY004
    for index, item in enumerate(value):
        if not isinstance(item, dict):
            raise ValueError(f"Item {index}: Expected an object.")  # noqa: TRY004
    return value


def _texts(field: Field, value: Any) -> list[str]:
    if not isinstance(value, list):
        raise ValueError('Expected a list of items but got type "' + type(value).__name__ + '".')  # noqa: TRY004
    return [_string(field, item) for item in value]


def _local_datetime(_field: Field, value: Any) -> datetime:
    """Return an instant as it was meant: with its offset, or naive, which is a meter's own time."""
    try:
        at = datetime.fromisoformat(value)
    except (ValueError, TypeError):
        raise ValueError("Datetime has wrong format: use ISO 8601, such as 2026-03-01T00:15:00.") from None
    if not EARLIEST.year <= at.year < LATEST.year:
        raise ValueError("Datetime is out of range: the year must lie from 1970 to 2099.")
    return at


_CHECKS = {
    Kind.STRING: _string,
    Kind.BOOLEAN: _boolean,
    Kind.INTEGER: _integer,
    Kind.DECIMAL: _decimal,
    Kind.NUMBER: _number,
    Kind.INTEGERS: _integers,
    Kind.UUID: _uuid,
    Kind.UUIDS: _uuids,
    Kind.DATETIME: _datetime,
    Kind.ZONE: _zone,
    Kind.URI: _uri,
    Kind.IP: _ip,
    Kind.OBJECT: _object,
    Kind.OBJECTS: _objects,
    Kind.TEXTS: _texts,
    Kind.LOCAL_DATETIME: _local_datetime,
}


def check_all(fields: tuple[Field, ...], payload: Any, *, partial: bool = False) -> dict[str, Any]:
    """Check a body against a field dictionary; return field name -> value of the fields that were sent.

    Unknown and read-only fields are ignored. With ``partial`` required fields may be left out.

    Raises
    ------
    RejectedInput
        With every fault of every field.
    """
    if not isinstance(payload, Mapping):
        raise RejectedInput(f"Invalid data. Expected a dictionary, but got {type(payload).__name__}.")
    values: dict[str, Any] = {}
    errors: dict[str, list[str]] = {}
    for field in fields:
        if field.read_only:
            continue
        if field.name not in payload:
            if field.required and not partial:
                errors[field.name] = [REQUIRED]
            continue
        try:
            values[field.name] = field.check(payload[field.name])
        except ValueError as error:
            errors[field.name] = [str(error)]
    if errors:
        raise RejectedInput(errors)
    return values
