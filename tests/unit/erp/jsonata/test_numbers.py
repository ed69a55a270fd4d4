import copy
import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.erp.jsonata import ExactNumber, compile_expression, exact, plain, read_json, write_json
from pipelines.errors import RejectedInput

decimals = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20)


def test_a_decimal_that_is_passed_on_keeps_every_digit() -> None:
    payload = read_json('{"rows": [{"value": 1234.567890123456789012345, "unit": "kWh", "zeros": 12000.00}]}')
    for text in (
        "rows.value",
        "rows[value > 0].value",
        "rows.{'value': value}.value",
        "$map(rows, function($r) { $r.value })",
        "(rows ~> |$|{'unit': 'Wh'}|).value",
        "$number(rows.value)",
        "rows^(value).value",
        "value",
    ):
        data = payload if text != "value" else payload["rows"][0]
        result = compile_expression(text).evaluate(data)
        result = result[0] if isinstance(result, list) else result
        assert plain(result) == Decimal("1234.567890123456789012345"), text
        assert write_json(result) == "1234.567890123456789012345"
    assert write_json(compile_expression("rows.zeros").evaluate(payload)) == "12000.00"


@given(decimals)
def test_any_decimal_comes_out_as_it_went_in(number: Decimal) -> None:
    text = format(number, "f")
    text = text if "." in text else f"{text}.0"
    value = compile_expression("{'v': v}").evaluate(read_json(f'{{"v": {text}}}'))
    assert plain(value) == {"v": Decimal(text)}
    assert write_json(value) == f'{{"v":{text}}}'
    assert plain(exact({"v": number})) == {"v": number}


def test_arithmetic_is_the_languages_and_its_noise_is_rounded_off() -> None:
    row = read_json('{"now": 450.25, "before": 420.1, "third": 0.1}')
    assert compile_expression("third + third + third").evaluate(row) == 0.1 + 0.1 + 0.1
    assert plain(compile_expression("third + third + third").evaluate(row)) == Decimal("0.3")
    assert plain(compile_expression("now - before").evaluate(row)) == Decimal("30.15")
    assert plain({"n": [1, 2**60, True, None, "x"]}) == {"n": [1, 2**60, True, None, "x"]}


def test_a_number_written_as_text_keeps_its_digits_through_number() -> None:
    assert plain(compile_expression("$number(v)").evaluate({"v": "98765432.123456789"})) == Decimal(
        "98765432.123456789"
    )
    assert compile_expression("$number(v)").evaluate({"v": "12.00"}) == 12
    for text in ("000.001230", "1.5e-9", "-0.10", "1.5E300"):
        written = write_json(compile_expression("$number(v)").evaluate({"v": text}))
        assert json.loads(written, parse_float=Decimal) == Decimal(text)


def test_an_exact_number_survives_copies() -> None:
    number = ExactNumber("1.50")
    for other in (copy.deepcopy(number), copy.copy(number), ExactNumber(Decimal("1.50"))):
        assert (other, str(other), other.decimal) == (1.5, "1.50", Decimal("1.50"))
    assert json.loads(write_json([number, {"a": 1e300, "b": "é"}, None, True])) == [
        1.5,
        {"a": 1e300, "b": "é"},
        None,
        True,
    ]


@pytest.mark.parametrize(
    "text",
    ["", "{", "[NaN]", "[Infinity]", "[1,]", "[" * 300 + "]" * 300, "[" * 99999, "9" * 5000, '{"a" 1}', "\udcff"],
)
def test_what_is_not_json_is_refused(text: str) -> None:
    with pytest.raises(RejectedInput):
        read_json(text)


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(RejectedInput):
        read_json(b'{"a": "\xff"}')
