"""Paths mean what JSONata means by them; values and payloads keep their digits or are refused."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.erp import payloads, values
from pipelines.erp.jsonata import UNDEFINED, compile_expression, exact, plain
from pipelines.erp.paths import ABSENT, plain_path
from pipelines.erp.verdicts import RowError, received

NAMES = st.sampled_from(["a", "b", "c d"])
DATA = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["x", Decimal("1.50")]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=12,
)
OBJECTS = st.dictionaries(NAMES, DATA, max_size=3)


def _tried(check: Callable[[Any], Any], value: Any) -> tuple[Any, RowError | None]:
    try:
        return check(value), None
    except RowError as error:
        return None, error


def _path(names: list[str], start: str) -> str:
    return ".".join([*([start] if start else []), *(f"`{n}`" if " " in n else n for n in names)])


@given(OBJECTS, OBJECTS, st.lists(NAMES, min_size=1, max_size=3), st.sampled_from(["", "$", "$$"]))
def test_a_plain_path_finds_what_the_engine_finds(row: Any, root: Any, names: list[str], start: str) -> None:
    text = _path(names, start)
    path = plain_path(text)
    assert path is not None

    found = path.find(row, root)
    expected = compile_expression(f"({text})").evaluate(exact(row), root=exact(root))

    assert (found is ABSENT) == (expected is UNDEFINED)
    if found is not ABSENT:
        assert found == plain(expected)


@pytest.mark.parametrize(
    "text", ["a[0]", "a + b", "$sum(a)", "a.*", "and", "", "$.a[b=1]", "'x'", "$x", "a..b", "%.a"]
)
def test_more_than_a_path_is_left_to_the_engine(text: str) -> None:
    assert plain_path(text) is None


@given(
    st.text() | st.floats() | st.integers() | st.decimals() | st.none() | st.booleans() | st.lists(st.integers())
)
def test_any_value_is_a_number_or_a_verdict_that_repeats_little(value: Any) -> None:
    taken, refused = _tried(values.reading_value, value)

    if refused is None:
        assert taken.is_finite()
        assert not isinstance(value, bool)
    else:
        assert refused.details["field"] == "value"
        assert len(str(refused.details["received"])) <= 100
        payloads.encode(refused.details)


@given(st.text() | st.integers() | st.none() | st.dates().map(str) | st.datetimes().map(lambda at: at.isoformat()))
def test_any_timestamp_is_an_instant_or_a_verdict(value: Any) -> None:
    at, refused = _tried(values.timestamp, value)

    if refused is None:
        assert at.utcoffset() is not None
        assert str(value)[:4] in {str(at.year), str(at.year + 1), str(at.year - 1)}
    else:
        assert refused.details == {"field": "timestamp", "received": received(value)}


@given(st.text(max_size=40))
def test_any_text_is_json_or_a_verdict(text: str) -> None:
    _, refused = _tried(payloads.decode, text)

    if refused is not None:
        assert len(payloads.encode({"message": refused.message})) > 20


@pytest.mark.parametrize("text", ["0.1", "123456789012345.678901", "1.50", "12345678901234567890"])
def test_numbers_keep_their_digits(text: str) -> None:
    assert payloads.encode({"a": payloads.decode(text)}) == f'{{"a":{text}}}'
