"""Where a mapped value comes from: a constant, an expression, a path or a field of the row."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.erp.jsonata import UNDEFINED, Budget, Expression, ExpressionError, compile_expression, exact, plain
from pipelines.erp.paths import ABSENT, Path, plain_path
from pipelines.erp.payloads import storable
from pipelines.erp.verdicts import Code, RowError

_FIELD_KEYS = frozenset({"attribute", "field", "jsonataExpression", "constant", "enabled"})
LONGEST_EXPRESSION = 20_000
FIELD_BUDGET = Budget()  # of one value of one row
ROWS_BUDGET = Budget(time_ms=5000, items=5_000_000, text=100_000_000)  # of all rows of a payload


class Document:
    """A payload: with decimals, and, once an expression asks for them, with the numbers that expressions know."""

    def __init__(self, payload: Any) -> None:
        self.exact = payload
        self._doubles: Any = ABSENT

    @property
    def doubles(self) -> Any:
        """The payload as expressions read it; its numbers remember their digits."""
        if self._doubles is ABSENT:
            self._doubles = exact(self.exact)
        return self._doubles


class Rows:
    """The rows that a payload holds, again in two readings."""

    def __init__(
        self, document: Document, exact_rows: list[Any], path: Path | None = None, doubles: list[Any] | None = None
    ) -> None:
        self.document, self.exact = document, exact_rows
        self._path, self._doubles = path, doubles

    def doubles(self, index: int) -> Any:
        """Return a row as expressions read it."""
        if self._doubles is None:
            whole = self.document.doubles
            found = whole if self._path is None else self._path.find(whole, whole)
            self._doubles = found if isinstance(found, list) else [found]
        return self._doubles[index]


@dataclass(frozen=True, slots=True)
class Scope:
    """What a getter looks at: one row of the rows of a payload."""

    rows: Rows
    index: int

    @property
    def row(self) -> Any:
        """The row, with exact numbers."""
        return self.rows.exact[self.index]


@dataclass(frozen=True, kw_only=True)
class Getter:
    """One source of values; exactly one of its parts is set, or it is a constant."""

    constant: Any = None
    expression: Expression | None = None
    path: Path | None = None
    key: str | None = None

    @property
    def is_constant(self) -> bool:
        """Tell whether the value is the same for every row."""
        return self.expression is None and self.path is None and self.key is None

    def get(self, scope: Scope) -> Any:
        """Return the value for a row, ``ABSENT`` where it has none.

        Raises
        ------
        RowError
            The expression fails.
        """
        if self.key is not None:
            row = scope.row
            return row.get(self.key, ABSENT) if isinstance(row, dict) else ABSENT
        if self.path is not None:
            return self.path.find(scope.row, scope.rows.document.exact)
        if self.expression is not None:
            return plain(evaluated(self.expression, scope.rows.doubles(scope.index), scope.rows.document.doubles))
        return self.constant


@dataclass(frozen=True, kw_only=True)
class MappedField:
    """An attribute and where its value comes from."""

    attribute: str
    getter: Getter
    enabled: Getter | bool = True

    def applies(self, scope: Scope) -> bool:
        """Tell whether the field is mapped for a row."""
        return is_enabled(self.enabled, scope)


def is_enabled(flag: "Getter | bool", scope: Scope) -> bool:
    """Tell what a flag, true, false or an expression, says for a row."""
    if isinstance(flag, bool):
        return flag
    value = flag.get(scope)
    return value is not ABSENT and bool(value)


def evaluated(expression: Expression, row: Any, root: Any, budget: Budget = FIELD_BUDGET) -> Any:
    """Return what an expression makes of a row, in its own numbers; ``ABSENT`` for nothing.

    Raises
    ------
    RowError
        It fails, or takes longer than it may; ``$error`` gives its own text.
    """
    try:
        value = expression.evaluate(row, root=root, budget=budget)
    except ExpressionError as error:
        raise RowError(Code.EXPRESSION, error.message[:500] or "The expression failed.", code=error.code) from None
    return ABSENT if value is UNDEFINED else value


def compile_field(sent: Any) -> MappedField:
    """Return one entry of ``fields`` or ``unique_ids``: the constant wins over the expression, that over the field.

    Raises
    ------
    ValueError
        It is malformed; the text says how.
    """
    if not isinstance(sent, Mapping):
        raise ValueError("expected an object")  # noqa: TRY004 - a fault of input
    attribute = sent.get("attribute")
    if (
        not isinstance(attribute, str)
        or not 0 < len(attribute) <= 100
        or not attribute.strip()
        or "\0" in attribute
    ):
        raise ValueError("attribute must be a text of 1 to 100 characters")
    unknown = sorted(set(sent) - _FIELD_KEYS)
    if unknown:
        raise ValueError(f"{', '.join(unknown)[:100]} is not supported")
    return MappedField(attribute=attribute, getter=_getter(sent), enabled=compile_flag(sent.get("enabled", True)))


def _getter(sent: Mapping[str, Any]) -> Getter:
    if "constant" in sent:
        return Getter(constant=storable(sent["constant"]))
    if sent.get("jsonataExpression") is not None:
        return _compiled(sent["jsonataExpression"])
    name = sent.get("field")
    if not isinstance(name, str) or not name:
        raise ValueError("one of field, jsonataExpression and constant is needed")
    return _compiled(name) if name.startswith("$") else Getter(key=name)


def _compiled(text: Any) -> Getter:
    if not isinstance(text, str) or not text.strip():
        raise ValueError("the expression must be a text")
    if len(text) > LONGEST_EXPRESSION:
        raise ValueError(f"the expression is longer than {LONGEST_EXPRESSION} characters")
    path = plain_path(text)
    if path is not None:
        return Getter(path=path)
    try:
        return Getter(expression=compile_expression(text))
    except ExpressionError as error:
        raise ValueError(f"the expression is wrong: {error.message}"[:500]) from None


def compile_flag(sent: Any) -> Getter | bool:
    """Return what ``enabled`` holds: a boolean, or an expression.

    Raises
    ------
    ValueError
        Neither.
    """
    if isinstance(sent, bool):
        return sent
    if not isinstance(sent, str):
        raise ValueError("enabled must be true, false or an expression")  # noqa: TRY004 - a fault of input
    if sent.strip() in {"true", "false"}:
        return sent.strip() == "true"
    return _compiled(sent)


def compile_rows(sent: Any) -> Getter | None:
    """Return what finds the rows; None where the whole payload is the one row.

    Raises
    ------
    ValueError
        No expression.
    """
    return None if sent is None else _compiled(sent)


def extract(getter: Getter | None, document: Document) -> Rows:
    """Return the rows of a payload: without a getter itself, or the items of the list it is.

    An expression that finds nothing finds no rows.

    Raises
    ------
    RowError
        The expression fails.
    """
    if getter is None:
        payload = document.exact
        return Rows(document, payload if isinstance(payload, list) else [payload])
    if getter.expression is not None:
        found = evaluated(getter.expression, document.doubles, document.doubles, ROWS_BUDGET)
        doubles = _listed(found)
        return Rows(document, [plain(row) for row in doubles], doubles=doubles)
    found = getter.get(Scope(Rows(document, [document.exact]), 0))
    return Rows(document, _listed(found), path=getter.path)


def _listed(found: Any) -> list[Any]:
    if found is ABSENT or found is None:
        return []
    return list(found) if isinstance(found, list | tuple) else [found]
