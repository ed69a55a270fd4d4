"""The JSON text of an event, read and written with every digit of its numbers."""

import json
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from pipelines.erp.verdicts import Code, RowError

DEEPEST = 64  # levels of a payload; an ERP's has five
_DECODER = msgspec.json.Decoder(float_hook=Decimal)
_ENCODER = msgspec.json.Encoder(decimal_format="number")
_NOT_A_NUMBER = Decimal("NaN")


def decode(text: str) -> Any:
    """Return a payload with every digit; what is no number of JSON arrives as NaN, which no field accepts.

    Raises
    ------
    RowError
        The text is not JSON, or is nested without reason.
    """
    try:
        try:
            payload = _DECODER.decode(text)
        except (msgspec.DecodeError, UnicodeError, ArithmeticError):
            payload = json.loads(text, parse_int=_whole, parse_float=_fraction, parse_constant=Decimal)
        _check_depth(payload, DEEPEST)
    except RecursionError:
        raise RowError(Code.INVALID_PAYLOAD, "The payload is nested too deeply.") from None
    except ValueError as error:
        said = str(error).encode(errors="replace").decode()
        raise RowError(Code.INVALID_PAYLOAD, f"The payload is not JSON: {said[:200]}") from None
    return payload


def _whole(text: str) -> int | Decimal:
    try:
        return int(text)
    except ValueError:  # longer than Python's limit of 4300 digits
        return _NOT_A_NUMBER


def _fraction(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:  # an exponent beyond reason
        return _NOT_A_NUMBER


def _check_depth(value: Any, levels: int) -> None:
    if levels < 0:
        raise RowError(Code.INVALID_PAYLOAD, f"The payload is nested too deeply: at most {DEEPEST} levels.")
    if isinstance(value, list):
        for item in value:
            if isinstance(item, list | dict):
                _check_depth(item, levels - 1)
    elif isinstance(value, dict):
        for item in value.values():
            if isinstance(item, list | dict):
                _check_depth(item, levels - 1)


def encode(value: Any) -> str:
    """Return JSON text in which a decimal is a number with all its digits."""
    return _ENCODER.encode(value).decode()


def native(value: Any) -> Any:
    """Return JSON in which decimals are floats, as the database's driver writes them."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, dict):
        return {key: native(item) for key, item in value.items()}
    return [native(item) for item in value] if isinstance(value, list) else value


def storable(value: Any) -> Any:
    """Return a mapped value as it can be stored: floats become the shortest decimals that mean them.

    Raises
    ------
    ValueError
        A null character, a lone surrogate, no finite number, or something that is no JSON at all.
    """
    if isinstance(value, str):
        if "\0" in value:
            raise ValueError("null characters are not allowed")
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueError("it holds a lone surrogate") from None
        return value
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float | Decimal):
        number = Decimal(str(value)) if isinstance(value, float) else value
        if isinstance(number, int):
            number = Decimal(number)
        if not number.is_finite() or abs(number.adjusted()) > 100 or len(number.as_tuple().digits) > 100:
            raise ValueError("a number is beyond reason")
        whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        return int(number) if whole else number
    if isinstance(value, list | tuple):
        return [storable(item) for item in value]
    if isinstance(value, dict):
        return {storable(str(key)): storable(item) for key, item in value.items()}
    raise ValueError("it is no JSON")
