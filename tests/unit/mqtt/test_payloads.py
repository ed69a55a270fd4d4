"""Payloads: the two forms, and a verdict for whatever else comes."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from analytics.series import Direction
from pipelines.mqtt.messages import KEPT_PAYLOAD, Reading, Refusal
from pipelines.mqtt.payloads import MOST_REFUSALS, parse, row_payloads
from pipelines.mqtt.quarantine import condensed

AT = "2024-01-01T00:15:00Z"
AT_US = 1_704_068_100_000_000


def body(value: object) -> bytes:
    return json.dumps(value).encode()


def test_consumption_and_production_are_two_readings_in_wh():
    payload = b'{"deviceId": "home", "timestamp": "2024-01-01T00:15:00Z", "consumption": 12.50, "production": 7}'
    assert parse(payload) == (
        [
            Reading(None, "home", Direction.IMPORT, AT_US, 1250, 2),
            Reading(None, "home", Direction.EXPORT, AT_US, 7, 0),
        ],
        [],
    )


@pytest.mark.parametrize("production", [{}, {"production": None}])
def test_a_device_without_pv_has_one_reading(production):
    readings, refusals = parse(body({"deviceId": 17, "timestamp": AT, "consumption": 1} | production))
    assert readings == [Reading(None, 17, Direction.IMPORT, AT_US, 1, 0)]
    assert refusals == []


def test_the_general_form_names_its_series_and_unknown_fields_are_ignored():
    row = {
        "meter": "m",
        "series": "1.8.0",
        "timestamp": "2024-01-01T02:15:00+02:00",
        "value": "1.10",
        "id_type": [1],
    }
    assert parse(body([row])) == ([Reading(0, "m", "1.8.0", AT_US, 110, 2)], [])


def test_digits_of_numbers_survive():
    digits = "123456789012.345678"
    payload = f'{{"deviceId": 1, "timestamp": "{AT}", "consumption": {digits}}}'.encode()
    ((_, _, _, _, mantissa, scale),) = parse(payload)[0]
    assert Decimal(mantissa).scaleb(-scale) == Decimal(digits)


def test_bad_rows_take_no_good_row_with_them():
    good = {"deviceId": "m", "timestamp": AT, "consumption": 1}
    readings, refusals = parse(body([good, None, good | {"consumption": []}, good]))
    assert [reading.row for reading in readings] == [0, 3]
    assert refusals == [
        Refusal(1, "invalid", "non_field_errors: Expected an object."),
        Refusal(2, "invalid", "consumption: A valid number is required."),
    ]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"deviceId": ""}, "deviceId"),
        ({"deviceId": "x" * 51}, "deviceId"),
        ({"deviceId": "a\0b"}, "deviceId"),
        ({"deviceId": -1}, "deviceId"),
        ({"deviceId": 1.5}, "deviceId"),
        ({"deviceId": None}, "deviceId"),
        ({"timestamp": "2024-01-01T00:15:00"}, "time zone"),
        ({"timestamp": "1969-12-31T23:59:59Z"}, "1970 to 2099"),
        ({"timestamp": 1_704_068_100}, "timestamp"),
        ({"consumption": None}, "consumption"),
        ({"consumption": True}, "consumption"),
        ({"consumption": "NaN"}, "consumption"),
        ({"consumption": "0.0000000000001"}, "no more than 18 digits"),
        ({"production": "-Infinity"}, "production"),
    ],
)
def test_a_wrong_field_is_named(change, named):
    readings, ((row, code, detail),) = parse(body({"deviceId": "m", "timestamp": AT, "consumption": 1} | change))
    assert (readings, row, code) == ([], None, "invalid")
    assert named in detail


@pytest.mark.parametrize("payload", [b"", b"{", b"\xff", b"NaN", b"[" * 100_000, b"1" * 5000, b"{}{}"])
def test_what_is_no_json_is_one_refusal(payload):
    readings, ((row, code, _),) = parse(payload)
    assert (readings, row, code) == ([], None, "not_json")


def test_an_empty_list_is_nothing():
    assert parse(b"[]") == ([], [])


@settings(max_examples=2000, deadline=None)
@given(st.binary(max_size=200))
@example(b'{"deviceId": "\\ud800", "timestamp": "2024-01-01T00:15:00Z", "consumption": 1}')
def test_any_bytes_get_a_verdict(payload):
    readings, refusals = parse(payload)
    assert readings or refusals or json.loads(payload) == []
    assert all(len(refusal.detail) <= 500 for refusal in refusals)


_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=60),
    st.sampled_from([AT, "2024-01-01T00:15:00", "1e400", "0x1", "-0", "9" * 30]),
)
_OBJECTS = st.dictionaries(
    st.sampled_from(["deviceId", "timestamp", "consumption", "production", "meter", "series", "value", "other"]),
    st.one_of(_SCALARS, st.lists(_SCALARS, max_size=2)),
)


@settings(max_examples=2000, deadline=None)
@given(st.lists(st.one_of(_OBJECTS, _SCALARS), max_size=6), st.integers(0, 400), st.integers(0, 7))
def test_every_row_of_any_list_is_a_reading_or_a_refusal(rows, place, bit):
    payload = bytearray(body(rows))
    readings, refusals = parse(bytes(payload))
    if refusals and refusals[0].code == "not_json":  # json.dumps writes NaN and infinities, which are no JSON
        assert any(word in payload for word in (b"NaN", b"Infinity", b"\\ud"))
    else:
        assert sorted({reading.row for reading in readings} | {refusal.row for refusal in refusals}) == list(
            range(len(rows))
        )
    if payload:
        payload[place % len(payload)] ^= 1 << bit
        parse(bytes(payload))
        parse(bytes(payload[:place]))


@settings(max_examples=200, deadline=None)
@given(
    st.datetimes(datetime(1970, 1, 1), datetime(2099, 12, 31)),  # noqa: DTZ001 - naive bounds are asked for
    st.decimals(-(10**9), 10**9, places=6),
    st.text("abc ö", min_size=1, max_size=50).filter(str.strip),
)
def test_one_decoder_agrees_with_the_other(at, value, name):
    row = {"deviceId": name, "timestamp": at.replace(tzinfo=UTC).isoformat(), "consumption": str(value)}
    fast, slow = parse(body([row])), parse(body([row, 0]))
    assert slow[0] == fast[0]
    assert fast[1] == []


def test_each_refused_row_keeps_its_own_bytes():
    payload = b'[ {"a": 1.10} , "x",2]'
    assert row_payloads(payload, [1, 0, None, 9]) == [b'"x"', b'{"a": 1.10}', payload, payload]
    assert row_payloads(b"x" * 70_000, [None]) == [b"x" * KEPT_PAYLOAD]
    assert row_payloads(b"no list", [3]) == [b"no list"]


def test_several_faults_of_a_row_are_one_entry():
    both = [Refusal(3, "a", "One."), Refusal(1, "b", "Two."), Refusal(3, "c", "Three.")]
    assert condensed(both) == [Refusal(1, "b", "Two."), Refusal(3, "a", "One. Three.")]


def test_of_very_many_faults_the_first_are_kept_and_the_others_counted():
    many = condensed([Refusal(row, "invalid", "No.") for row in range(1000)])
    assert [refusal.row for refusal in many] == [*range(MOST_REFUSALS), None]
    assert many[-1].detail.startswith("900 ")
