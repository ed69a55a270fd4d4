"""Our own small suite, written from the documentation of the language; the official one is in test_official_suite."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from pipelines import clock
from pipelines.erp.jsonata import UNDEFINED, ExpressionError, compile_expression, exact, plain

ORDERS = {
    "utility": "North Grid",
    "meters": [
        {"id": "M1", "place": {"city": "Malmö"}, "readings": [{"at": 1, "v": 10}, {"at": 2, "v": 14}]},
        {"id": "M2", "place": {"city": "Lund"}, "readings": [{"at": 1, "v": 7}]},
        {"id": "M3", "place": {"city": "Malmö"}, "readings": []},
    ],
    "scale": 1.5,
    "nothing": None,
}

CASES: list[tuple[str, Any]] = [
    ("utility", "North Grid"),
    ("$.utility", "North Grid"),
    ("$$.utility", "North Grid"),
    ("absent", UNDEFINED),
    ("absent.further", UNDEFINED),
    ("nothing", None),
    ("meters.id", ["M1", "M2", "M3"]),
    ("meters.readings.v", [10, 14, 7]),
    ("meters[0].readings", [{"at": 1, "v": 10}, {"at": 2, "v": 14}]),
    ("meters[-1].id", "M3"),
    ("meters[[0, 2]].id", ["M1", "M3"]),
    ("meters[id = 'M2'].place.city", "Lund"),
    ("meters[id = 'M2'][].id", ["M2"]),
    ("meters[place.city = 'Malmö' and $count(readings) > 0].id", "M1"),
    ("meters.readings[v >= 10].at", [1, 2]),
    ("meters[$exists(readings)].id", ["M1", "M2", "M3"]),
    ("$exists(nothing)", True),
    ("$exists(absent)", False),
    ("meters.{'n': id, 'sum': $sum(readings.v)}", [{"n": "M1", "sum": 24}, {"n": "M2", "sum": 7}, {"n": "M3"}]),
    ("meters{place.city: $count(id)}", {"Malmö": 2, "Lund": 1}),
    ("{'a': absent, 'b': nothing}", {"b": None}),
    ("meters.readings^(>v).v", [14, 10, 7]),
    ("meters^(place.city, >id).id", ["M2", "M3", "M1"]),
    ("meters.readings.{'id': %.id, 'v': v}[v > 10]", {"id": "M1", "v": 14}),
    ("meters@$m.meters@$n[$m.place.city = $n.place.city and $m.id < $n.id].($m.id & $n.id)", "M1M3"),
    ("meters#$i[$i = 1].id", "M2"),
    ("meters.*.city", ["Malmö", "Lund", "Malmö"]),
    ("$count(**.v)", 3),
    ("utility ~> $uppercase ~> $substringBefore(' ')", "NORTH"),
    ("($shout := function($t) { $uppercase($t) & '!' }; utility ~> $shout)", "NORTH GRID!"),
    ("($up := $uppercase ~> $trim; $up('  a '))", "A"),
    ("meters[0] ~> |readings|{'v': v * 2, 'unit': 'kWh'}, 'at'|", None),
    ("$fromMillis(0)", "1970-01-01T00:00:00.000Z"),
    ("$fromMillis(1705305600000)", "2024-01-15T08:00:00.000Z"),
    ("$fromMillis(1705305600000, '[D01].[M01].[Y0001] [H01]:[m01]', '+0100')", "15.01.2024 09:00"),
    ("$toMillis('2024-01-15T08:00:00Z')", 1705305600000),
    ("$number('12.5') + 1", 13.5),
    ("$number('0x1f')", 31),
    ("$string(12.50)", "12.5"),
    ("$string({'a': [1, true, null]})", '{"a":[1,true,null]}'),
    ("$string(0.1 + 0.2)", "0.3"),
    ("'a' & 1 & true & absent", "a1true"),
    ("7 % 3", 1),
    ("-(2 - 5) * 2", 6),
    ("[1..4]", [1, 2, 3, 4]),
    ("[1..4].($ * $)", [1, 4, 9, 16]),
    ("$map([1, 2, 3], function($v, $i) { $v * $i })", [0, 2, 6]),
    ("$filter([1..6], function($v) { $v % 2 = 0 })", [2, 4, 6]),
    ("$reduce([1..5], function($a, $b) { $a * $b })", 120),
    ("$sort([3, 1, 2], function($l, $r) { $l < $r })", [3, 2, 1]),
    ("$sort(['b', 'a'])", ["a", "b"]),
    ("$distinct([1, 1, 'a', 'a'])", [1, "a"]),
    ("$zip([1, 2], ['a', 'b'])", [[1, "a"], [2, "b"]]),
    ("$merge([{'a': 1}, {'b': 2}])", {"a": 1, "b": 2}),
    ("$keys({'a': 1, 'b': 2})", ["a", "b"]),
    ("$lookup({'a b': 1}, 'a b')", 1),
    ("`utility`", "North Grid"),
    ("$split('a;b;;c', ';')", ["a", "b", "", "c"]),
    ("$join(meters.id, '+')", "M1+M2+M3"),
    ("$match('M-17', /M-([0-9]+)/).groups[0]", "17"),
    ("$replace('1-0:1.8.0', /[^0-9]/, '')", "10180"),
    ("$contains(utility, /grid/i)", True),
    ("$pad('7', -3, '0')", "007"),
    ("$formatNumber(1234.5, '#,##0.00')", "1,234.50"),
    ("$formatInteger(14, 'I')", "XIV"),
    ("$round(2.5)", 2),
    ("$type(meters)", "array"),
    ("$eval('scale * 2')", 3),
    ("$boolean([]) or $not('')", True),
    ("scale > 1 ? 'large' : 'small'", "large"),
    ("absent ?: 'default'", "default"),
    ("absent ?? 'default'", "default"),
    ("1 in [1, 2]", True),
    ("($f := function($n) { $n < 2 ? 1 : $n * $f($n - 1) }; $f(20))", 2432902008176640000),
    ("($f := function($n, $a) { $n = 0 ? $a : $f($n - 1, $a + $n) }; $f(1000, 0))", 500500),
    ("($add := function($a, $b) { $a + $b }; $inc := $add(1, ?); $inc(41))", 42),
    ("/* a note */ scale", 1.5),
    ("$uppercase", UNDEFINED),
    ("[1, $uppercase]", [1, None]),
    ("{'a': 1, 'f': $uppercase}", {"a": 1}),
]
TRANSFORMED = {
    "id": "M1",
    "place": {"city": "Malmö"},
    "readings": [{"v": 20, "unit": "kWh"}, {"v": 28, "unit": "kWh"}],
}


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_an_expression_gives_what_the_documentation_says(text: str, expected: Any) -> None:
    result = compile_expression(text).evaluate(exact(ORDERS))
    if text.startswith("meters[0] ~>"):
        expected = TRANSFORMED
    assert (
        (result is expected)
        if expected is UNDEFINED
        else (result == expected and type(result) is not type(UNDEFINED))
    )


def test_a_transform_leaves_its_input_alone() -> None:
    data = exact(ORDERS)
    compile_expression("$ ~> |meters|{'id': 'x'}|").evaluate(data)
    assert data == exact(ORDERS)


ERRORS = [
    ("currentReading >= 0 ? currentReading : $error('Negative reading value')", "D3137", "Negative reading value"),
    ("$assert(currentReading > 0, 'Must be positive')", "D3141", "Must be positive"),
    ("'a' + 1", "T2001", "The left side of an operator must be a number."),
    ("1 < 'a'", "T2009", None),
    ("$number('twelve')", "D3030", None),
    ("$uppercase(1)", "T0410", None),
    ("nope()", "T1006", None),
    ("uppercase('a')", "T1005", None),
    ("$toMillis('yesterday')", "D3110", None),
    ("1 / 0", "D1001", None),
    ("{'a': 1, 'a': 2}", "D1009", None),
    ("$eval('1 +')", "D3120", None),
    ("$eval('$error(\"inner\")')", "D3121", None),
]


@pytest.mark.parametrize(("text", "code", "message"), ERRORS)
def test_a_failure_has_the_code_of_the_language(text: str, code: str, message: str | None) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_expression(text).evaluate({"currentReading": -5})
    assert caught.value.code == code
    assert message is None or caught.value.message == message
    assert caught.value.errors


def test_a_failure_names_no_value_of_the_data() -> None:
    for text in (
        "name + 1",
        "$number(name)",
        "name()",
        "$sum(name)",
        "[name]^($)[0] + 1",
        "$toMillis(name)",
        "1 < name",
    ):
        with pytest.raises(ExpressionError) as caught:
            compile_expression(text).evaluate({"name": "Astrid Lindgren"})
        assert "Astrid" not in str(caught.value)
        assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("text", "code", "position"),
    [("a.(", "S0207", 3), ("a.[", "S0207", 3), ('"open', "S0101", 0), ("a ! b", "S0204", 2)],
)
def test_a_text_that_is_no_expression_is_refused_with_its_place(text: str, code: str, position: int) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_expression(text)
    assert (caught.value.code, caught.value.position) == (code, position)


def test_the_context_is_a_row_and_the_root_is_the_payload() -> None:
    payload = {"batch": "B1", "rows": [{"a": 1}, {"a": None}]}
    for text in ("$$.batch & a", "$$.batch & $.a", "$join([$$.batch, $string(a)])"):
        assert compile_expression(text).evaluate(payload["rows"][0], root=payload) == "B11"
    assert compile_expression("$").evaluate(None, root=payload) is None
    assert compile_expression("[$]").evaluate(None, root=payload) == [None]
    assert compile_expression("($x := $; $x)").evaluate(UNDEFINED, root=payload) is UNDEFINED


def test_bindings_are_variables_and_last_one_evaluation() -> None:
    expression = compile_expression("value * $factor")
    assert expression.evaluate({"value": 3}, bindings={"factor": 2}) == 6
    assert expression.evaluate({"value": 3}) is UNDEFINED


def test_now_is_the_clock_of_the_process() -> None:
    clock.start_at(datetime(2031, 5, 6, 7, 8, tzinfo=UTC))
    try:
        assert compile_expression("$now()").evaluate({}).startswith("2031-05-06T07:08:")
    finally:
        clock.start_at(None)


def test_the_documents_of_the_gateway_work() -> None:
    payload = exact(
        {"readings": [{"meterId": "M1", "date": "2024-01-15", "ts": 1705305600000, "v": "1234.567890123"}]}
    )
    rows = compile_expression(
        "$.readings.{'meter_number': meterId, 'reading_date': $fromMillis(ts), 'value': $number(v)}"
    ).evaluate(payload)
    assert plain(rows) == {
        "meter_number": "M1",
        "reading_date": "2024-01-15T08:00:00.000Z",
        "value": Decimal("1234.567890123"),
    }
