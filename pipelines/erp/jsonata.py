"""JSONata: compile an expression once, evaluate it on many rows, each time within a budget.

>>> compile_expression("readings[value >= 0].{'at': date, 'value': value}")

A payload is read with ``read_json`` (or prepared with ``exact``), so that its decimals keep their digits through paths,
predicates, constructors and the operators ``+``, ``-`` and ``*``; ``plain`` turns a result's decimals into ``Decimal``.
Results may share parts with the data: neither is to be changed. See ``docs/decisions/0010-jsonata.md``.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from jsonata2py.runtime.values import MISSING

from pipelines.erp.jsonata_engine import LONGEST, Program, compile_program, run_program
from pipelines.erp.jsonata_errors import ExpressionError
from pipelines.erp.jsonata_meter import Budget
from pipelines.erp.jsonata_numbers import ExactNumber, exact, plain, read_json, write_json
from pipelines.erp.jsonata_paths import UNFIT, quick

UNDEFINED: Final = MISSING  # JSONata's "nothing"; JSON's null is None
_UNSAID: Final = object()
_SHORT: Final = 4_000
_DEFAULT: Final = Budget()


class Expression:
    """A compiled expression; safe to use from several threads."""

    __slots__ = ("_program", "_quick", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._quick = quick(text)
        self._program: Program | None = None if self._quick is not None else compile_program(text)

    def evaluate(
        self,
        data: Any,
        *,
        root: Any = _UNSAID,
        bindings: Mapping[str, Any] | None = None,
        budget: Budget = _DEFAULT,
    ) -> Any:
        """Return the result on ``data``, ``UNDEFINED`` where there is none.

        Parameters
        ----------
        data
            The context, ``$``.
        root
            The payload around it, ``$$``; the context itself unless given.
        bindings
            Values of variables: ``{"unit": "kWh"}`` is ``$unit``. They are data, never functions.
        budget
            What the evaluation may spend.

        Raises
        ------
        ExpressionError
            The expression fails on this data, or spends more than the budget.
        """
        around = data if root is _UNSAID else root
        if self._quick is not None:
            result = self._quick(data, around)
            if result is not UNFIT:
                return result
        program = self._program
        if program is None:
            program = self._program = compile_program(self.text)
        return run_program(program, data, around, bindings, budget)


_kept = lru_cache(maxsize=512)(Expression)
_kept_long = lru_cache(maxsize=16)(Expression)  # up to a megabyte each


def compile_expression(text: str) -> Expression:
    """Return the compiled expression; the last few hundred are kept.

    Raises
    ------
    ExpressionError
        It is not JSONata, or longer than 20,000 characters.
    """
    if len(text) > LONGEST:
        raise ExpressionError("U1004", f"The expression is longer than {LONGEST} characters.", LONGEST)
    return _kept(text) if len(text) <= _SHORT else _kept_long(text)


__all__ = [
    "UNDEFINED",
    "Budget",
    "ExactNumber",
    "Expression",
    "ExpressionError",
    "compile_expression",
    "exact",
    "plain",
    "read_json",
    "write_json",
]
