"""The quick way and the engine agree on every expression that the quick way takes."""

from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipelines.erp.jsonata import UNDEFINED, ExactNumber, ExpressionError, compile_expression
from pipelines.erp.jsonata_engine import compile_program, run_program
from pipelines.erp.jsonata_meter import Budget
from pipelines.erp.jsonata_paths import UNFIT, quick

NAMES = ("a", "b", "value", "per cent")
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.sampled_from([0.5, -1.0, 1e300, ExactNumber("0.50"), ExactNumber("3.0")])
    | st.sampled_from(["", "a", "b", "3"])
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=8,
)
steps = st.sampled_from(["a", "b", "value", "`per cent`", "absent"])
paths = st.builds(
    lambda start, names: ".".join([*start, *names]),
    st.sampled_from([[], ["$"], ["$$"]]),
    st.lists(steps, min_size=1, max_size=3),
) | st.sampled_from(["$", "$$"])
literals = st.sampled_from(["0", "3", "0.5", "3.0", "1.250000", '"a"', "''", "'3'", "true", "false", "null"])
spaces = st.sampled_from(["", " ", "\n"])
comparisons = st.builds(
    lambda left, space, sign, right: f"{left}{space}{sign} {right}",
    paths,
    spaces,
    st.sampled_from(["=", "!=", "<", "<=", ">", ">="]),
    paths | literals,
)


def outcome(text: str, data: Any, root: Any) -> Any:
    try:
        return run_program(compile_program(text), data, root, None, Budget(time_ms=5000))
    except ExpressionError as error:
        return error.code


def same(left: Any, right: Any) -> bool:
    if isinstance(left, (list, dict)) or left is UNDEFINED:
        return type(left) is type(right) and left == right
    if isinstance(left, bool) or isinstance(right, bool) or left is None:
        return left is right
    return left == right and (isinstance(left, ExactNumber) == isinstance(right, ExactNumber))


@settings(max_examples=1500)
@given(paths | literals | comparisons, values, values)
@example("a = b", {"a": [1], "b": [1]}, None)
@example("$$ = $", 1, 1)
def test_the_quick_way_answers_as_the_engine_does(text: str, data: Any, root: Any) -> None:
    function = quick(text)
    assert function is not None
    answer = function(data, root)
    if answer is not UNFIT:
        assert same(answer, outcome(text, data, root)), text


@settings(max_examples=300)
@given(paths | literals | comparisons, values, values)
def test_an_expression_is_what_the_engine_says_whichever_way_it_takes(text: str, data: Any, root: Any) -> None:
    try:
        answer = compile_expression(text).evaluate(data, root=root)
    except ExpressionError as error:
        answer = error.code
    assert same(answer, outcome(text, data, root)), text


def test_plain_mappings_take_the_quick_way() -> None:
    row, payload = {"a": {"b": {"c": 1}}, "v": 2.5, "`": 1}, {"x": "y"}
    for text, expected in {"a.b.c": 1, "$$.x": "y", "v >= 0": True, "'ERP'": "ERP", "$.v": 2.5, "12": 12}.items():
        function = quick(text)
        assert function is not None
        assert function(row, payload) == expected


def test_what_is_more_than_a_path_is_left_to_the_engine() -> None:
    for text in (
        "a.b[0]",
        "a & b",
        "$f",
        "a.$b",
        "1..2",
        "01",
        "'a\\n'",
        "and.or",
        "a = b = c",
        "$a.b",
        "%.a",
        "a.'b'",
    ):
        assert quick(text) is None, text
