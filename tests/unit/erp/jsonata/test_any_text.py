"""Whatever text arrives, the compiler answers in time: with an expression, or with an ExpressionError."""

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.erp.jsonata import Budget, Expression, ExpressionError, compile_expression
from pipelines.erp.jsonata_engine import LONGEST

BOUND_S = 3.0

pieces = st.sampled_from(
    [
        *"()[]{}.,;:?|^<>=!&+-*/%@#~$`'\"\\ \n\t",
        *(
            "a",
            "b",
            "$",
            "$$",
            "$x",
            "and",
            "or",
            "in",
            "true",
            "null",
            "function",
            "λ",
            ":=",
            "~>",
            "..",
            "**",
            "??",
            "?:",
        ),
        *(
            "1",
            "0.5",
            "1e9",
            "'text'",
            '"t"',
            "/a+/i",
            "/(/",
            "$sum(",
            "$map(",
            "function($v){",
            "$error(",
            "$eval(",
            "[]",
        ),
        *("é", "\u0000", "\ud800", "😀", "/*", "*/", "<n-n:n>", "|a|{}|", "%.", "@$v", "#$i", "^(>"),
    ]
)
texts = st.lists(pieces, max_size=14).map("".join) | st.text(max_size=30)
data = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2),
    max_leaves=6,
)


def error_of(text: str, row: Any) -> ExpressionError | None:
    """Return the error, None where the text is an expression that gives a result; anything else is raised."""
    started_s = time.perf_counter()
    try:
        expression = compile_expression(text)
        assert isinstance(expression, Expression)
        expression.evaluate(row, budget=Budget(time_ms=50))
    except ExpressionError as error:
        return error
    finally:
        assert time.perf_counter() - started_s < BOUND_S
    return None


@settings(max_examples=2500)
@given(texts, data)
def test_any_text_is_an_expression_or_an_expression_error(text: str, row: Any) -> None:
    error = error_of(text, row)
    if error is not None:
        assert error.code
        assert error.message
        assert error.position is None or 0 <= error.position <= len(text)


@pytest.mark.parametrize(
    "text",
    [
        "(" * 19_000,
        "[" * 5000 + "]" * 5000,
        "-" * 19_000 + "1",
        "1" + "+1" * 9000,
        "a" + ".a" * 9000,
        "a" + "[0]" * 6000,
        "{'a':" * 3000 + "1" + "}" * 3000,
        "function($x){" * 1500 + "1" + "}" * 1500,
        "a ? " * 4000 + "1",
        "$f(" * 6000 + ")" * 6000,
        "'" + "x" * 19_000 + "'",
        "/" + "(" * 9000 + ")" * 9000 + "/",
        "/" + "(a{1,9}){1,9}" * 1000 + "/",
        "$x := " * 3000 + "1",
        "a ~> " * 3000 + "a",
        "/*" * 9000,
        "9" * 19_000,
        "[" + "1," * 9000 + "1]",
        "(" + "$a := 1;" * 2000 + ")",
    ],
)
def test_a_long_or_deep_text_is_answered_in_time(text: str) -> None:
    error = error_of(text, {"a": 1})
    assert error is None or error.code


def test_a_text_beyond_the_bound_is_refused_unread() -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_expression("1" + " " * LONGEST)
    assert caught.value.code == "U1004"


def test_compiled_expressions_are_kept() -> None:
    assert compile_expression("kept.expression") is compile_expression("kept.expression")


def test_a_text_of_the_expression_never_becomes_code() -> None:
    for text in (
        "'\"); import os; (\"'",
        '"\\n    raise SystemExit"',
        "`'); raise SystemExit; ('`",
        "$__import__('os')",
    ):
        try:
            result = compile_expression(f"[{text}, {{{text}: 1}}]").evaluate({})
        except ExpressionError:
            continue
        assert result
