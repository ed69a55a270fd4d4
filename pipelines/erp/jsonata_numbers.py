"""Numbers of a payload keep their digits: a decimal is a double to the engine and itself to whoever stores it."""

import json
import math
from decimal import Decimal
from typing import Any, NoReturn

from pipelines.errors import RejectedInput

DEEPEST_DATA = 200
_DOUBLE_DIGITS = 15  # what a double holds for certain, and what JSONata's $string prints


class ExactNumber(float):
    """A double that remembers the decimal it was read from.

    To the engine it is a double: what is computed from it is computed as the language says. Where it is only passed
    on, ``decimal`` and ``write_json`` give the digits that came in.
    """

    __slots__ = ("_source",)
    _source: str | Decimal

    def __new__(cls, source: str | Decimal) -> "ExactNumber":
        """Remember the decimal, or the text of one."""
        number = super().__new__(cls, source)
        number._source = source
        return number

    @property
    def decimal(self) -> Decimal:
        """The decimal, digit by digit."""
        return Decimal(self._source)

    def __reduce__(self) -> tuple[type["ExactNumber"], tuple[str | Decimal]]:
        return ExactNumber, (self._source,)

    def __repr__(self) -> str:
        return str(self._source)

    __str__ = __repr__


def read_json(text: str | bytes) -> Any:
    """Return what a JSON text says, its decimals as ``ExactNumber``.

    Raises
    ------
    RejectedInput
        It is not JSON, holds NaN or Infinity, or is nested deeper than 200 levels.
    """
    try:
        value = json.loads(text, parse_float=ExactNumber, parse_constant=_no_constant)
    except RecursionError:
        raise RejectedInput("The JSON is nested too deeply.") from None
    except ValueError as error:
        where = f" (line {error.lineno}, column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
        raise RejectedInput(f"This is not JSON{where}.") from None
    if _is_deeper(value, DEEPEST_DATA):
        raise RejectedInput("The JSON is nested too deeply.")
    return value


def _is_deeper(value: Any, bound: int) -> bool:
    level = [value] if isinstance(value, (dict, list)) else []
    for _ in range(bound):
        if not level:
            return False
        level = [
            member
            for item in level
            for member in (item.values() if isinstance(item, dict) else item)
            if isinstance(member, (dict, list))
        ]
    return True


def _no_constant(_: str) -> NoReturn:
    raise ValueError("not a JSON number")


def exact(value: Any) -> Any:
    """Return a copy of JSON-like data in which every ``Decimal`` is an ``ExactNumber``, as the engine needs it."""
    if isinstance(value, Decimal):
        return ExactNumber(value)
    if isinstance(value, dict):
        return {key: exact(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [exact(item) for item in value]
    return value


def plain(value: Any) -> Any:
    """Return a copy of a result in which every decimal is a ``Decimal``: the digits that came in.

    A double that the language computed is rounded to 15 significant digits, as ``$string`` does.
    """
    if isinstance(value, ExactNumber):
        return value.decimal
    if isinstance(value, float):
        return Decimal(f"{value:.{_DOUBLE_DIGITS}g}")
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def write_json(value: Any) -> str:
    """Return a result as JSON text; an exact number is written with the digits it came with."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value.decimal) if isinstance(value, ExactNumber) else "null"
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{write_json(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(write_json, value)) + "]"
    return repr(value) if isinstance(value, ExactNumber) else json.dumps(value)
