"""JSON as it goes over the wire: bodies in, answers out, pages of lists."""

import json
import re
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import msgspec
from litestar import Response

from api.auth.access import AnyRequest
from pipelines.errors import RejectedInput
from pipelines.fields import NUL, instant

DEFAULT_LIMIT, MAX_LIMIT = 100, 1000
_TOO_DEEP = "JSON parse error - nested too deeply"
_WHOLE = re.compile(r"-?[0-9]{1,18}")  # what int() takes is much more: 1_0, +1, digits of other scripts
_DECODER = msgspec.json.Decoder(float_hook=Decimal)
_NOT_A_NUMBER = Decimal("NaN")


def read_json(body: bytes) -> Any:
    """Return a request's JSON body; fractions keep every digit.

    What one value of a body may be wrong with (NaN, infinities, numbers beyond reason, lone surrogates) does not
    refuse the body: it arrives as something that no field accepts, so the verdict names the row and the field.

    Raises
    ------
    RejectedInput
        The body is not JSON; the text says where.
    """
    try:
        return _DECODER.decode(body)
    except RecursionError:
        raise RejectedInput({"detail": [_TOO_DEEP]}) from None
    except (msgspec.DecodeError, UnicodeDecodeError, ArithmeticError):
        return _read_forgivingly(body)


def _read_forgivingly(body: bytes) -> Any:
    try:
        return json.loads(
            body.decode(), parse_int=_whole_or_nan, parse_float=_decimal_or_nan, parse_constant=Decimal
        )
    except RecursionError:
        raise RejectedInput({"detail": [_TOO_DEEP]}) from None
    except ValueError as error:
        raise RejectedInput({"detail": [f"JSON parse error - {error}"]}) from None


def _whole_or_nan(text: str) -> int | Decimal:
    try:
        return int(text)
    except ValueError:  # longer than Python's limit of 4300 digits
        return _NOT_A_NUMBER


def _decimal_or_nan(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:  # an exponent beyond reason
        return _NOT_A_NUMBER


def utc_text(at: datetime) -> str:
    """Return an instant as ISO 8601 in UTC, ending in Z."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def wire(value: Any) -> Any:
    """Return what JSON shows of a stored value: decimals as strings, instants in UTC."""
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        return utc_text(value)
    if isinstance(value, UUID | date):
        return str(value)
    if isinstance(value, list):
        return [wire(item) for item in value]
    if isinstance(value, dict):
        return {key: wire(item) for key, item in value.items()}
    return value


def json_response(content: Any, status: int = 200) -> Response[bytes]:
    """Return ``content`` as a JSON answer."""
    return Response(msgspec.json.encode(content), status_code=status, media_type="application/json")


def query_text(request: AnyRequest, name: str) -> str | None:
    """Return a query parameter, None where it is absent or empty.

    Raises
    ------
    RejectedInput
        It holds a null character.
    """
    value: str | None = request.query_params.get(name)
    if value and "\0" in value:
        raise RejectedInput({name: [NUL]})
    return value or None


def query_instant(request: AnyRequest, name: str) -> datetime | None:
    """Return a query parameter as an instant.

    Raises
    ------
    RejectedInput
        Malformed, without a zone, or out of range.
    """
    text = query_text(request, name)
    if text is None:
        return None
    try:
        return instant(text.replace(" ", "+"))  # an unescaped plus sign arrives as a space
    except ValueError as error:
        raise RejectedInput({name: [str(error)]}) from None


def query_uuid(request: AnyRequest, name: str) -> UUID | None:
    """Return a query parameter as an id.

    Raises
    ------
    RejectedInput
        It is not a UUID.
    """
    text = query_text(request, name)
    if text is None:
        return None
    try:
        return UUID(text)
    except ValueError:
        raise RejectedInput({name: [f'"{text[:50]}" is not a valid UUID.']}) from None


def whole_number(text: str) -> int | None:
    """Return what at most 18 plain digits stand for, with or without a minus; None for any other text."""
    return int(text) if _WHOLE.fullmatch(text) else None


def _whole(request: AnyRequest, name: str, default: int, low: int) -> int:
    text = query_text(request, name)
    if text is None:
        return default
    number = whole_number(text)
    if number is None:
        raise RejectedInput({name: ["A valid integer is required."]})
    if number < low:
        raise RejectedInput({name: [f"Ensure this value is greater than or equal to {low}."]})
    return number


def page_bounds(request: AnyRequest) -> tuple[int, int]:
    """Return limit (default 100, at most 1000) and offset of a list.

    Raises
    ------
    RejectedInput
        One of them is not a whole number, or negative.
    """
    return min(_whole(request, "limit", DEFAULT_LIMIT, 1), MAX_LIMIT), _whole(request, "offset", 0, 0)


def page(request: AnyRequest, count: int, limit: int, offset: int, results: list[Any]) -> Response[bytes]:
    """Return one page of a list with the addresses of its neighbours."""
    following = offset + limit if offset + limit < count else None
    preceding = max(0, offset - limit) if offset > 0 else None
    return json_response(
        {
            "count": count,
            "next": _page_address(request, limit, following),
            "previous": _page_address(request, limit, preceding),
            "results": results,
        }
    )


def _page_address(request: AnyRequest, limit: int, offset: int | None) -> str | None:
    if offset is None:
        return None
    kept = [(k, v) for k, v in request.query_params.multi_items() if k not in {"limit", "offset"}]
    query = urlencode([*kept, ("limit", limit), *([("offset", offset)] if offset else [])])
    return str(request.url.with_replacements(query=query))


def identifier(text: str, *, integer: bool) -> UUID | int | None:
    """Return a path's id; None where no row can have it."""
    if integer:
        number = whole_number(text)
        return number if number is not None and number >= 0 else None
    try:
        return UUID(text)
    except ValueError:
        return None
