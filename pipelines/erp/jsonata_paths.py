"""The expressions that most mappings are made of, without the engine: paths, literals, one comparison.

A quick function answers only where it is certain of the engine's answer, and says ``UNFIT`` otherwise (an array on
the way, operands of two types); ``tests/unit/erp/jsonata`` holds it against the engine.
"""

import operator
import re
from collections.abc import Callable
from typing import Any

from jsonata2py.runtime.values import MISSING

UNFIT = object()

Quick = Callable[[Any, Any], Any]

_STEP = r"(?:[A-Za-z_][A-Za-z0-9_]*|`[^`]+`)"
_PATH = rf"(?:\$\$?(?:\.{_STEP})*|{_STEP}(?:\.{_STEP})*)"
_LITERAL = r"""(?:(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,6})?|"[^"\\]*"|'[^'\\]*'|true|false|null)"""
_WHOLE = re.compile(rf"\s*(?:(?P<literal>{_LITERAL})|(?P<path>{_PATH}))\s*")
_COMPARISON = re.compile(
    rf"\s*(?P<left>{_PATH})\s*(?P<sign><=|>=|!=|=|<|>)\s*(?:(?P<literal>{_LITERAL})|(?P<right>{_PATH}))\s*"
)
_STEPS = re.compile(_STEP)
_RESERVED = {"and", "or", "in", "true", "false", "null", "function"}
_SIGNS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def quick(text: str) -> Quick | None:
    """Return the expression as a function of context and root, or None where it needs the engine."""
    whole = _WHOLE.fullmatch(text)
    if whole is not None:
        literal = whole["literal"]
        return _constant(_value(literal)) if literal is not None else _path(whole["path"])
    comparison = _COMPARISON.fullmatch(text)
    if comparison is None:
        return None
    left = _path(comparison["left"])
    literal = comparison["literal"]
    right = _constant(_value(literal)) if literal is not None else _path(comparison["right"])
    return None if left is None or right is None else _compared(left, comparison["sign"], right)


def _value(literal: str) -> Any:
    if literal[0] in "\"'":
        return literal[1:-1]
    if literal in {"true", "false", "null"}:
        return {"true": True, "false": False, "null": None}[literal]
    number = float(literal)
    return int(number) if number.is_integer() else number


def _constant(value: Any) -> Quick:
    return lambda _data, _root: value


def _path(text: str) -> Quick | None:
    steps = _STEPS.findall(text)
    if any(step in _RESERVED for step in steps):
        return None
    names = tuple(step.strip("`") for step in steps)
    is_root = text.startswith("$$")
    if not names:
        return lambda data, root: _itself(root if is_root else data)

    def walk(data: Any, root: Any) -> Any:
        value = root if is_root else data
        for name in names:
            if value.__class__ is not dict:
                return MISSING if value is MISSING else UNFIT
            value = value.get(name, MISSING)
        return value

    return walk


def _itself(value: Any) -> Any:
    return UNFIT if isinstance(value, list) else value


def _compared(left: Quick, sign: str, right: Quick) -> Quick:
    compare = _SIGNS[sign]
    is_order = sign not in {"=", "!="}

    def check(data: Any, root: Any) -> Any:
        first, second = left(data, root), right(data, root)
        if isinstance(first, str):
            return compare(first, second) if isinstance(second, str) else UNFIT
        if _is_number(first):
            return compare(float(first), float(second)) if _is_number(second) else UNFIT
        if is_order or isinstance(first, (dict, list)) or first is MISSING or first is UNFIT:
            return UNFIT
        return compare(first, second) if first.__class__ is second.__class__ else UNFIT

    return check


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
