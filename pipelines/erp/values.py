"""The values of a reading as an ERP may send them, each checked by its rule."""

import re
from collections.abc import Collection
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from pipelines import decimals
from pipelines.erp.verdicts import Code, RowError, received
from pipelines.fields import instant

SOURCES = ("ERP", "ECP", "360", "journey-submission")
REASONS = ("regular", "irregular", "last", "first", "meter_change", "contract_change", "meter_adjustment")
DIRECTIONS = ("feed-in", "feed-out")
LONGEST = 255  # characters of an identifier
NUMBERS = (int, float, Decimal)

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})?"
)
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?")


def timestamp(value: Any) -> datetime:
    """Return an instant: a date (its UTC midnight), or date and time with an offset, Z, or none (UTC).

    Raises
    ------
    RowError
        Another form, or a day or time that does not exist.
    """
    text = value if isinstance(value, str) else ""
    try:
        if _DATE.fullmatch(text):
            return instant(f"{text}T00:00:00Z")
        found = _INSTANT.fullmatch(text)
        if found:
            return instant(text if found[1] else f"{text}Z")
    except ValueError:
        pass
    raise RowError(
        Code.INVALID_TIMESTAMP,
        "Invalid reading timestamp: use ISO 8601, such as 2024-01-15 or 2024-01-15T08:00:00Z",
        field="timestamp",
        received=received(value),
    )


def reading_value(value: Any) -> Decimal:
    """Return the number that a number or a numeric text means, with every digit.

    Raises
    ------
    RowError
        No number, not finite, or longer than the platform keeps.
    """
    try:
        if isinstance(value, str):
            text = value.strip()
            number = Decimal(text) if _NUMBER.fullmatch(text) else Decimal("NaN")
        elif isinstance(value, float):
            number = Decimal(str(value))
        elif isinstance(value, int | Decimal) and not isinstance(value, bool):
            number = Decimal(value)
        else:
            number = Decimal("NaN")
        decimals.split(number)
    except (ValueError, InvalidOperation):
        raise RowError(
            Code.INVALID_VALUE, "Invalid reading value", field="value", received=received(value)
        ) from None
    return number


def source(value: Any) -> str:
    """Return a known source.

    Raises
    ------
    RowError
        None of them.
    """
    if isinstance(value, str) and value in SOURCES:
        return value
    message = f"Invalid reading source: must be one of {', '.join(SOURCES)}"
    raise RowError(Code.INVALID_SOURCE, message, field="source", received=received(value))


def reason(value: Any) -> str | None:
    """Return a known reason, None for an empty one.

    Raises
    ------
    RowError
        None of them.
    """
    return _known_or_empty(value, REASONS, "reason", Code.INVALID_REASON)


def direction(value: Any) -> str | None:
    """Return a known direction, None for an empty one.

    Raises
    ------
    RowError
        None of them.
    """
    return _known_or_empty(value, DIRECTIONS, "direction", Code.INVALID_DIRECTION)


def _known_or_empty(value: Any, known: Collection[str], field: str, code: Code) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, str) and value in known:
        return value
    message = f"Invalid reading {field}: must be one of {', '.join(known)}, or empty"
    raise RowError(code, message, field=field, received=received(value))


def identifier(attribute: str, value: Any) -> str | None:
    """Return an identifier as text, None where there is none; a number is taken as it is written.

    Raises
    ------
    RowError
        No text or number, too long, or with characters that cannot be stored.
    """
    if value is None or value == "":
        return None
    text = value
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        number = Decimal(str(value))
        finite = number.is_finite() and abs(number.adjusted()) < LONGEST
        text = (
            (str(int(number)) if number == number.to_integral_value() else format(number, "f")) if finite else ""
        )
    good = isinstance(text, str) and 0 < len(text) <= LONGEST and text.strip() and "\0" not in text
    if not good or not _encodes(text):
        message = f"Invalid identifier {attribute}: a text of at most {LONGEST} characters is needed"
        raise RowError(Code.INVALID_ATTRIBUTE, message, field=attribute, received=received(value))
    return str(text)


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
