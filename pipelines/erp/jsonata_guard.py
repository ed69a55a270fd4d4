"""Guards around what the engine does in one long step of C, where no watcher can stop it.

``jsonata2py`` runs an expression as Python code, which ``jsonata_watch`` ends in time. That leaves single calls that
copy or build much at once: these functions of its runtime are replaced, once per process, by ones that first count
what they will put together. The version is pinned; a test asks that each name below is still there.
"""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from jsonata2py.errors import _RuntimeEvaluationError as EngineError
from jsonata2py.runtime import core
from jsonata2py.runtime.strings import regex_ops
from jsonata2py.runtime.values import MISSING, JLambda, is_regex

from pipelines.erp.jsonata_meter import meter, weigh
from pipelines.erp.jsonata_numbers import ExactNumber
from pipelines.erp.jsonata_regex import TimedPattern
from pipelines.erp.jsonata_watch import Overrun

Function = Callable[..., Any]

LONGEST_RANGE = 10_000_000  # the language's own bound
LONGEST_PICTURE = 500
LONGEST_PARSED = 10_000
WIDEST_WHOLE = 1024  # bits: a double holds no larger number
TOO_LONG = "The expression makes longer texts than it may."
_WIDE = re.compile(r"[,*-]\s*[0-9]{4}")  # a width of thousands, as in [Y,9999]


def concat(original: Function) -> Function:
    """Count the text that ``&`` makes."""

    def guarded(left: Any, right: Any) -> Any:
        text = original(left, right)
        meter().take_text(len(text))
        return text

    return guarded


def counted_text(original: Function) -> Function:
    """Count the text that a function returns."""

    def guarded(*args: Any) -> Any:
        result = original(*args)
        if isinstance(result, str):
            meter().take_text(len(result))
        return result

    return guarded


def weighed(original: Function) -> Function:
    """Count an array or object before it is spelled out as text."""

    def guarded(value: Any, *args: Any) -> Any:
        if isinstance(value, (list, dict)):
            meter().take_text(weigh(value))
        return original(value, *args)

    return guarded


def pad(original: Function) -> Function:
    """Count the width before it is filled."""

    def guarded(text: Any, width: Any, *args: Any) -> Any:
        if isinstance(width, (int, float)):
            if abs(width) > meter().text:
                raise Overrun("U1003", TOO_LONG)
            meter().take_text(int(abs(width)))
        return original(text, width, *args)

    return guarded


def join(original: Function) -> Function:
    """Count the parts before they are joined."""

    def guarded(parts: Any, separator: Any = MISSING) -> Any:
        if isinstance(parts, list):
            between = len(separator) if isinstance(separator, str) else 0
            meter().take_text(sum(len(part) + between for part in parts if isinstance(part, str)))
        return original(parts, separator)

    return guarded


def replace(original: Function) -> Function:
    """Count what every match is replaced with before it is put together."""

    def guarded(text: Any, pattern: Any, replacement: Any, *args: Any) -> Any:
        if isinstance(replacement, JLambda):
            replacement = JLambda(counted_text(replacement.fn), replacement.arity)
        elif isinstance(text, str) and isinstance(replacement, str):
            copied = (1 + replacement.count("$")) * len(text)
            if copied + (len(text) + 1) * len(replacement) > meter().text:
                copied += _count_matches(text, pattern) * len(replacement)
                if copied > meter().text:
                    raise Overrun("U1003", TOO_LONG)
        result = original(text, pattern, replacement, *args)
        if isinstance(result, str):
            meter().take_text(len(result))
        return result

    return guarded


def _count_matches(text: str, pattern: Any) -> int:
    if isinstance(pattern, str):
        return text.count(pattern) if pattern else 0
    return sum(1 for _ in regex_ops.iter_matches(regex_ops.compiled_of(pattern), text)) if is_regex(pattern) else 0


def picture(original: Function) -> Function:
    """Refuse pictures, and texts for them, that no date or number needs; and whole numbers beyond a double."""

    def guarded(value: Any, picture: Any = MISSING, *args: Any) -> Any:
        if isinstance(picture, str) and (len(picture) > LONGEST_PICTURE or _WIDE.search(picture)):
            raise EngineError("D3132", "The picture is too long or too wide.")
        if isinstance(value, str) and len(value) > LONGEST_PARSED:
            raise EngineError("D3136", "The text is too long for a picture.")
        result = original(value, picture, *args)
        if isinstance(result, int) and result.bit_length() > WIDEST_WHOLE:
            raise EngineError("D1001", "A number is out of range.")
        return result

    return guarded


def sort(original: Function) -> Function:
    """Refuse arrays that C would sort for longer than the evaluation may last."""

    def guarded(values: Any, *args: Any) -> Any:
        if isinstance(values, list):
            if len(values) > meter().sortable:
                raise Overrun("U1002", "The expression sorts larger arrays than it may.")
            meter().take_items(len(values))
        return original(values, *args)

    return guarded


def gathered(original: Function) -> Function:
    """Count the members of every argument that is, or stands for, an array."""

    def guarded(*args: Any) -> Any:
        total = 0
        for arg in args:
            if isinstance(arg, list):
                total += len(arg)
            elif isinstance(arg, core.RangeHolder):
                total += max(0, arg.to - arg.from_ + 1)
            else:
                total += 1
        meter().take_items(total)
        return original(*args)

    return guarded


def gathered_list(original: Function) -> Function:
    """Count the members of the arrays that are appended to each other."""

    def guarded(parts: list[Any]) -> Any:
        meter().take_items(sum(len(part) if isinstance(part, list) else 1 for part in parts))
        return original(parts)

    return guarded


def flattened(original: Function) -> Function:
    """Count the members of an array that is flattened into a sequence."""

    def guarded(so_far: list[Any], value: Any) -> None:
        if isinstance(value, list):
            meter().take_items(len(value))
        original(so_far, value)

    return guarded


def field(original: Function) -> Function:
    """Count the members of the arrays that a path gathers; an object's field is answered at once."""

    def guarded(node: Any, name: str) -> Any:
        if node.__class__ is dict:
            return node.get(name, MISSING)
        if node.__class__ is list and len(node) > 1:
            total = 0
            for item in node:
                if item.__class__ is dict:
                    value = item.get(name)
                    if value.__class__ is list:
                        total += len(value)
            if total:
                meter().take_items(total)
        return original(node, name)

    return guarded


def range_(original: Function) -> Function:
    """Count a range before it is made."""

    def guarded(low: Any, high: Any) -> Any:
        if low.__class__ is int and high.__class__ is int and high - low < LONGEST_RANGE:
            meter().take_items(max(0, high - low + 1))
            return list(range(low, high + 1))
        return original(low, high)

    return guarded


def number(original: Function) -> Function:
    """Let ``$number("1234.50")`` remember its digits, as a number of the payload does."""

    def guarded(value: Any) -> Any:
        result = original(value)
        return ExactNumber(Decimal(value)) if result.__class__ is float and isinstance(value, str) else result

    return guarded


def compiled(original: Function) -> Function:
    """Give a regular expression its time limit."""

    def guarded(pattern: str, flags: str) -> TimedPattern:
        return TimedPattern(original(pattern, flags))

    return guarded


def literal(original: Function) -> Function:
    """Give a text to search for its time limit."""

    def guarded(text: str) -> TimedPattern:
        return TimedPattern(original(text))

    return guarded
