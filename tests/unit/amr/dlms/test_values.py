"""Octets to values: OBIS codes, A-XDR data, date-times, scalers; examples from the Blue and Green Books."""

import time
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from pipelines.amr.faults import BadData, Misconfigured
from pipelines.amr.protocols.dlms.axdr import decode
from pipelines.amr.protocols.dlms.obis import obis_code, obis_text
from pipelines.amr.protocols.dlms.times import date_time, instant
from pipelines.amr.protocols.dlms.units import UNITS, ScalerUnit, scaler_unit

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "octets", "shown"),
    [
        ("1-0:1.8.0", "0100010800ff", "1-0:1.8.0"),
        ("1.8.0", "0100010800ff", "1-0:1.8.0"),
        ("1.8.1*3", "010001080103", "1-0:1.8.1*3"),
        ("1.0.99.1.0.255", "0100630100ff", "1-0:99.1.0"),
        ("7-0-13-26-0-101", "07000d1a0065", "7-0:13.26.0*101"),
        ("0-0:1.0.0*255", "0000010000ff", "0-0:1.0.0"),
    ],
)
def test_an_obis_code_is_read_in_every_form_that_people_write(text: str, octets: str, shown: str) -> None:
    assert obis_code(text).hex() == octets
    assert obis_text(bytes.fromhex(octets)) == shown


@pytest.mark.parametrize("text", ["", "1", "1.8", "1-0:1.8.256", "1.2.3.4.5.6.7", "one.two.three", "1.8.0\n"])
def test_what_is_no_obis_code_is_refused(text: str) -> None:
    with pytest.raises(Misconfigured):
        obis_code(text)


@pytest.mark.parametrize(
    ("octets", "value"),
    [
        ("00", None),
        ("0301", True),
        ("05ffffffff", -1),
        ("06ffffffff", 4294967295),
        ("0f80", -128),
        ("10ff38", -200),
        ("11c8", 200),
        ("12ffff", 65535),
        ("14ffffffffffffffff", -1),
        ("15ffffffffffffffff", 18446744073709551615),
        ("161e", 30),
        ("0903010203", b"\x01\x02\x03"),
        ("0a024142", "AB"),
        ("0409ff80", "111111111"),
        ("0101020211010a0141", [[1, "A"]]),
        ("0900", b""),
        ("098103aabbcc", b"\xaa\xbb\xcc"),
        ("1741480000", Decimal("12.5")),
        ("173dcccccd", Decimal("0.1")),
        ("183fb999999999999a", Decimal("0.1")),
        ("130100020f0401020304", [[1, 2], [3, 4]]),
    ],
)
def test_data_is_decoded_exactly(octets: str, value: object) -> None:
    assert decode(bytes.fromhex(octets)) == value


def test_a_compact_array_of_structures_is_unfolded() -> None:
    assert decode(bytes.fromhex("1302021112 06 110001 220222")) == [[0x11, 1], [0x22, 0x0222]]


@pytest.mark.parametrize(
    "octets",
    [
        "",
        "06",
        "06000000",
        "0905aabb",
        "0102",
        "0184ffffffff",
        "02ff",
        "0985ffffffffff",
        "0980",
        "7f",
        "0000",
        "13000500000000",
        "0101" * 40 + "00",
        "1301ffff01ffff01ffff020001" + "00",
        "1301ffff0001ff",
        "1313",
        "13020211120511000111220222",
        "2341480000",
    ],
)
def test_what_is_cut_short_or_absurd_is_bad_data_at_once(octets: str) -> None:
    started = time.perf_counter()

    with pytest.raises(BadData):
        decode(bytes.fromhex(octets))
    assert time.perf_counter() - started < 1


def test_decoding_takes_time_in_proportion_to_length() -> None:
    row = bytes.fromhex("0203090c07ea0301070000000000008006000001001200ff")
    small, large = (b"\x01\x82" + n.to_bytes(2, "big") + row * n for n in (1_000, 20_000))

    def seconds(data: bytes) -> float:
        started = time.perf_counter()
        assert isinstance(decode(data), list)
        return time.perf_counter() - started

    fast = min(seconds(small) for _ in range(5))
    assert min(seconds(large) for _ in range(3)) < 20 * fast * 4


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        # One hour east of Greenwich is a deviation of -60: local time plus it is UTC.
        ("07ea0105010c000000ffc400", datetime(2026, 1, 5, 11, 0, tzinfo=UTC)),
        ("07ea0705010c000000ff8880", datetime(2026, 7, 5, 10, 0, tzinfo=UTC)),
        ("07ea0105010c0000000 12c00".replace(" ", ""), datetime(2026, 1, 5, 17, 0, tzinfo=UTC)),
        # Not specified: the meter's zone, and its flag where the clock goes back.
        ("07ea0105010c0000ff8000ff", datetime(2026, 1, 5, 11, 0, tzinfo=UTC)),
        ("07e90a1a0702000000800080", datetime(2025, 10, 26, 0, 0, tzinfo=UTC)),
        ("07e90a1a0702000000800000", datetime(2025, 10, 26, 1, 0, tzinfo=UTC)),
        ("07ea0105010c00003200 0000".replace(" ", ""), datetime(2026, 1, 5, 12, 0, 0, 500_000, tzinfo=UTC)),
    ],
)
def test_a_date_time_is_an_instant(octets: str, expected: datetime) -> None:
    assert instant(bytes.fromhex(octets), BERLIN) == expected


@pytest.mark.parametrize(
    "octets",
    ["", "07ea", "ffff0105010c000000ffc400", "07eaff05010c000000ffc400", "07ea0105ffff000000ffc400",
     "07ea021e010c000000ffc400", "07ea0105010c0000007fff00", "07b2010101000000ff05a100", "7fff0105010c00000000 0000"],
)  # fmt: skip
def test_a_date_time_with_wildcards_or_out_of_range_is_bad_data(octets: str) -> None:
    with pytest.raises(BadData):
        instant(bytes.fromhex(octets), BERLIN)


def test_our_date_time_names_the_zone_in_both_its_fields() -> None:
    assert date_time(datetime(2026, 7, 5, 10, 0, 1, tzinfo=UTC), BERLIN).hex() == "07ea0705070c000100ff8880"
    assert date_time(datetime(2026, 1, 5, 11, 0, 1, tzinfo=UTC), BERLIN).hex() == "07ea0105010c000100ffc400"


@pytest.mark.parametrize(
    ("scaler", "value", "expected"),
    [
        (0, 7, "7"),
        (3, 7, "7000"),
        (-2, 12345, "123.45"),
        (-2, -5, "-0.05"),
        (-3, 2**64 - 1, "18446744073709551.615"),
    ],
)
def test_a_scaler_is_applied_without_rounding(scaler: int, value: int, expected: str) -> None:
    assert ScalerUnit(scaler, "Wh").apply(value) == Decimal(expected)
    assert str(ScalerUnit(scaler, "Wh").apply(value)) == expected


def test_units_are_those_of_the_blue_book() -> None:
    assert [UNITS[code] for code in (13, 27, 28, 29, 30, 31, 32, 33, 35, 44)] == [
        "m3", "W", "VA", "var", "Wh", "VAh", "varh", "A", "V", "Hz",
    ]  # fmt: skip
    assert scaler_unit([-1, 255]) == ScalerUnit(-1, None)
    assert max(len(unit) for unit in UNITS.values()) <= 10


@pytest.mark.parametrize("value", [None, [], [1], [1, 2, 3], ["1", 2], [127, 30], [-128, 30], 5])
def test_what_is_no_scaler_is_bad_data(value: object) -> None:
    with pytest.raises(BadData):
        scaler_unit(value)  # type: ignore[arg-type]
