import struct
from datetime import UTC, date, datetime, time
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.amr.protocols.mbus import values
from pipelines.amr.protocols.mbus.records import Record, parse_records
from pipelines.amr.protocols.mbus.values import LocalTime

BERLIN = ZoneInfo("Europe/Berlin")


def one(text: str) -> Record:
    records, _ = parse_records(bytes.fromhex(text))
    (record,) = records
    return record


@pytest.mark.parametrize(
    ("text", "quantity", "unit", "value"),
    [
        ("04 06 E7 91 00 00", "energy", "Wh", "37351000"),
        ("0C 13 67 45 23 01", "volume", "m³", "1234.567"),
        ("0B 3B 13 00 F0", "volume flow", "m³/h", "-0.013"),
        ("02 5A 67 01", "flow temperature", "°C", "35.9"),
        ("01 60 FF", "temperature difference", "K", "-0.001"),
        ("03 13 15 31 00", "volume", "m³", "12.565"),
        ("06 03 FF FF FF FF FF 7F", "energy", "Wh", "140737488355327"),
        ("07 03 FF FF FF FF FF FF FF 7F", "energy", "Wh", "9223372036854775807"),
        ("0E 03 90 78 56 34 12 99", "energy", "Wh", "991234567890"),
        ("04 FB 00 01 00 00 00", "energy", "Wh", "100000"),
        ("04 FB 09 02 00 00 00", "energy", "J", "2000000000"),
        ("02 FD 49 34 09", "voltage", "V", "2356"),
        ("02 FD 59 88 13", "current", "A", "5.000"),
        ("02 22 0A 00", "on time", "s", "36000"),
        ("05 2B 00 00 C0 3F", "power", "W", "1.5"),
        ("02 FC 03 48 52 25 74 D4 11", "%RH", "", "45.64"),
        ("0D 7C 01 58 C2 34 12", "X", "", "1234"),
        ("0D 7C 01 58 D2 34 12", "X", "", "-1234"),
        ("04 83 75 0A 00 00 00", "energy", "Wh", "1.0"),
        ("04 83 7D 0A 00 00 00", "energy", "Wh", "10000"),
    ],
)
def test_a_record_is_exactly_what_its_digits_say(text: str, quantity: str, unit: str, value: str) -> None:
    record = one(text)
    assert (record.quantity, record.unit, record.value) == (quantity, unit, Decimal(value))


def test_storage_tariff_and_subunit_are_put_together_from_their_extensions() -> None:
    record = one("CC 91 65 13 00 00 00 00")
    assert (record.storage, record.tariff, record.subunit) == (1 | 1 << 1 | 5 << 5, 1 | 2 << 2, 2)


@pytest.mark.parametrize(("dif", "function"), [(0x04, 0), (0x14, 1), (0x24, 2), (0x34, 3)])
def test_the_function_is_told(dif: int, function: int) -> None:
    names = ("instantaneous", "maximum", "minimum", "error")
    assert one(f"{dif:02X} 03 00 00 00 00").function == names[function]


def test_modifiers_that_do_not_scale_are_kept_and_a_manufacturer_s_are_not_understood() -> None:
    assert one("04 83 3C 01 00 00 00").modifiers == (0x3C,)
    record = one("04 83 FF 75 0A 00 00 00")
    assert (record.modifiers, record.value) == ((0x7F, 0x75), Decimal(10))


@pytest.mark.parametrize("text", ["0A 5A 13 1E", "0A 5A A1 00", "0C 13 00 00 00 0B"])
def test_digits_above_nine_are_no_value(text: str) -> None:
    assert one(text).value is None


@pytest.mark.parametrize("text", ["05 2B 00 00 C0 7F", "05 2B 00 00 80 7F", "05 2B 00 00 80 FF"])
def test_a_real_that_is_no_number_is_no_value(text: str) -> None:
    assert one(text).value is None


@pytest.mark.parametrize(
    ("data", "at", "is_summer"),
    [
        ("1A 2F 65 11", datetime.fromisoformat("2011-01-05T15:26"), False),
        ("3A 8D 42 37", datetime.fromisoformat("2026-07-02T13:58"), True),
        ("00 00 21 C1", datetime.fromisoformat("1997-01-01T00:00"), False),
    ],
)
def test_type_f_is_a_local_minute(data: str, at: datetime, is_summer: bool) -> None:
    assert values.time_f(bytes.fromhex(data)) == LocalTime(at, is_summer)


@pytest.mark.parametrize("data", ["9A 2F 65 11", "00 00 00 00", "FF FF FF FF", "3B 1F FF FF", "1A 2F E1 F1"])
def test_an_invalid_or_recurring_time_is_none(data: str) -> None:
    assert values.time_f(bytes.fromhex(data)) is None


def test_types_g_i_and_j_are_dates_and_times() -> None:
    assert values.date_g(bytes.fromhex("5F 1C")) == date(2010, 12, 31)
    assert values.date_g(bytes.fromhex("FF FF")) is None
    seconds = one("06 6D 1E 1A 0F 42 33 00").value
    assert seconds == LocalTime(datetime.fromisoformat("2026-03-02T15:26:30"))
    assert one("03 6D 1E 1A 0F").value == time(15, 26, 30)


def test_the_mark_of_summer_time_tells_the_two_passes_of_an_hour_apart() -> None:
    at = datetime.fromisoformat("2026-10-25T02:30")
    assert LocalTime(at, is_summer=True).instant(BERLIN) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert LocalTime(at, is_summer=False).instant(BERLIN) == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    usual = datetime.fromisoformat("2026-07-01T12:00")
    assert LocalTime(usual).instant(BERLIN) == LocalTime(usual, is_summer=True).instant(BERLIN)


@settings(max_examples=500, deadline=None)
@given(st.integers(-(10**30), 10**30), st.integers(-20, 10), st.integers(-9, 9))
def test_shifting_never_rounds(number: int, exponent: int, places: int) -> None:
    digits = values.shifted(values.exact(number, exponent), places).as_tuple()
    assert isinstance(digits.exponent, int)
    mantissa = int("".join(map(str, digits.digits))) * (-1 if digits.sign else 1)
    shift = exponent + places - digits.exponent
    assert mantissa == number * 10**shift


@settings(max_examples=2000, deadline=None)
@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_real_is_the_shortest_decimal_that_comes_back(number: float) -> None:
    data = struct.pack("<f", number)
    decimal = values.real(data)
    assert decimal is not None
    assert struct.pack("<f", float(decimal)) == data
    assert len(decimal.as_tuple().digits) <= 9


@settings(max_examples=500, deadline=None)
@given(st.datetimes(datetime.fromisoformat("2000-01-01"), datetime.fromisoformat("2099-12-31")), st.booleans())
def test_a_packed_minute_reads_back(at: datetime, is_summer: bool) -> None:
    minute = at.replace(second=0, microsecond=0)
    assert values.time_f(values.packed_time_f(minute, is_summer=is_summer)) == LocalTime(minute, is_summer)
