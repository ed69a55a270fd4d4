"""P1 telegrams of real meters, checked against an extraction that knows nothing of our parser."""

import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.amr.contract import Reading
from pipelines.amr.datalink import identify, parse
from pipelines.amr.faults import BadData, BadFrame, MeterFault
from pipelines.amr.protocols.iec62056_21.datasets import data_sets
from pipelines.amr.protocols.iec62056_21.telegrams import crc16, decode_telegram

NOW = datetime(2026, 11, 1, tzinfo=UTC)
AMSTERDAM = ZoneInfo("Europe/Amsterdam")
EXAMPLE = (
    b"/ISk5\\2MT382-1000\r\n\r\n1-3:0.2.8(50)\r\n0-0:1.0.0(101209113020W)\r\n1-0:1.8.1(123456.789*kWh)\r\n"
    b"1-0:99.97.0(2)(0-0:96.7.19)(101208152415W)(0000000240*s)(101208151004W)(0000000301*s)\r\n"
    b"1-0:32.32.0(00002)\r\n0-0:96.13.0(3031)\r\n0-1:24.1.0(003)\r\n0-1:24.2.1(101209112500W)(12785.123*m3)\r\n!"
)


def with_crc(body: bytes) -> bytes:
    value = 0
    for byte in body:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0xA001 if value & 1 else 0)
    return body + b"%04X\r\n" % value


def telegrams(shared_data: Path) -> list[Path]:
    return sorted((shared_data / "telegrams" / "p1_dsmr").glob("*.txt"))


def has_wrong_crc(raw: bytes) -> bool:
    end = raw.index(b"\r\n!") + 3
    printed = re.match(rb"([0-9A-F]{1,4})\r", raw[end:])
    computed = with_crc(raw[raw.index(b"/") : end])[-6:-2].decode()
    return printed is not None and int(printed[1], 16) != int(computed, 16)


def naive_time(text: str) -> datetime:
    naive = datetime.strptime(text[:12], "%y%m%d%H%M%S")  # noqa: DTZ007 - the season follows
    if text[-1] in "WS":
        return (naive - timedelta(hours=1 if text[-1] == "W" else 2)).replace(tzinfo=UTC)
    return naive.replace(tzinfo=AMSTERDAM).astimezone(UTC)


def naive_readings(raw: bytes) -> set[tuple[str, datetime, Decimal, str]]:
    """Values with a unit, line by line: the telegram's time for plain ones, their own for those that have one."""
    text = raw.decode("latin-1")
    clock = re.search(r"\n0-0:1\.0\.0\((\d{12}[WS])\)", text)
    at = naive_time(clock[1]) if clock else NOW
    found = set()
    for name, value, unit in re.findall(r"\n(\d-\d:\d+\.\d+\.\d+)(?:\*255)?\(([\d.]+)\*(\w+)\)\r", text):
        found.add((name, at, Decimal(value), unit))
    for name, time, value, unit in re.findall(
        r"\n(\d-\d:\d+\.\d+\.\d+)\((\d{12}[WS])\)\(([\d.]+)\*(\w+)\)\r", text
    ):
        found.add((name, naive_time(time), Decimal(value), unit))
    old = re.search(r"\n0-1:24\.3\.0\((\d{12})\)\(\w\w\)\(60\)\(1\)\((.*?)\)\(m3\)(?:\r\n)?\(([\d.]+)\)", text)
    if old:
        found.add((old[2], naive_time(old[1]), Decimal(old[3]), "m3"))
    for time, value in re.findall(r"\((\d{12}[WS])\)\((\d+)\*s\)", text):
        found.add(("0-0:96.7.19", naive_time(time), Decimal(value), "s"))
    for row in re.findall(r"\n0-0:98\.1\.0\(\d+\)\(1-0:1\.6\.0\)\(1-0:1\.6\.0\)(.*)\r", text):
        for time, value in re.findall(r"\(\d{12}[WS]\)\((\d{12}[WS])\)\(([\d.]+)\*kW\)", row):
            if int(time[2:4]) <= 12:
                found.add(("1-0:1.6.0", naive_time(time), Decimal(value), "kW"))
    return found


@pytest.mark.shared_data
def test_every_real_telegram_gives_exactly_the_values_it_prints(shared_data):
    decoded = 0
    for path in telegrams(shared_data):
        raw = path.read_bytes()
        if "_error_" in path.name:
            continue
        telegram = decode_telegram(raw, now=NOW, zone=AMSTERDAM, is_checked=not has_wrong_crc(raw))
        got = {(each.series, each.timestamp, each.value, each.unit) for each in telegram.readings if each.unit}
        assert got == naive_readings(raw), path.name
        decoded += 1
    assert decoded == 37


@pytest.mark.shared_data
def test_every_line_of_every_real_telegram_is_a_data_set(shared_data):
    for path in telegrams(shared_data):
        raw = path.read_bytes()
        if "_error_" in path.name:
            continue
        telegram = decode_telegram(raw, now=NOW, is_checked=False)
        body = raw.decode("latin-1").partition("\r\n!")[0]
        assert [each.address for each in telegram.data_sets] == re.findall(r"\n([^(\r\n]+)\(", body), path.name


@pytest.mark.shared_data
def test_a_telegram_that_was_edited_after_its_checksum_was_made_is_a_bad_frame(shared_data):
    edited = [path for path in telegrams(shared_data) if "_error_" not in path.name]
    edited = [path for path in edited if has_wrong_crc(path.read_bytes())]
    assert len(edited) == 6
    for path in edited:
        with pytest.raises(BadFrame, match="checksum"):
            decode_telegram(path.read_bytes(), now=NOW)


@pytest.mark.shared_data
@pytest.mark.parametrize(("number", "fault"), [(1, BadFrame), (2, BadFrame), (3, BadData)])
def test_the_telegrams_named_as_errors_are_faults(shared_data, number, fault):
    name = f"dsmrreader_dsmr_datalogger-tests-datalogger-test_error_{number}.txt"
    raw = (shared_data / "telegrams" / "p1_dsmr" / name).read_bytes()
    # The third is whole but comes from the future of the day its test plays on.
    now = datetime(2017, 1, 1, 9, tzinfo=UTC) if number == 3 else NOW
    with pytest.raises(fault):
        decode_telegram(raw, now=now, zone=AMSTERDAM)


@pytest.mark.shared_data
def test_the_snippets_of_a_public_client_are_read(shared_data):
    lines = (shared_data / "telegrams" / "iec62056_21" / "pwitab_samples.jsonl").read_text().splitlines()
    outcomes: dict[str, int] = {}
    for line in lines:
        raw = bytes.fromhex(json.loads(line)["hex"])
        if raw[:1] in b"\x01\x02":
            try:
                message = parse(raw)
                outcome = "message"
                if not message.head:
                    assert data_sets(message.text)
            except BadFrame:
                outcome = "bad block check"
        elif raw[:2] == b"/?":
            outcome = "request"
        elif raw[:1] == b"/":
            assert identify(raw).device == "EK280"
            outcome = "identification"
        else:
            text = raw.decode("latin-1")
            assert sum(len(each.groups) for each in data_sets(text)) == text.count("(")
            outcome = "data"
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
    assert outcomes == {"message": 9, "bad block check": 4, "request": 2, "identification": 2, "data": 8}


def test_the_printed_example_of_the_standard():
    telegram = decode_telegram(with_crc(EXAMPLE), now=NOW)
    at = datetime(2010, 12, 9, 10, 30, 20, tzinfo=UTC)
    assert telegram.at == at
    assert telegram.identification == "ISk5\\2MT382-1000"
    assert list(telegram.readings) == [
        Reading("1-0:1.8.1", at, Decimal("123456.789"), "kWh"),
        Reading("0-0:96.7.19", datetime(2010, 12, 8, 14, 24, 15, tzinfo=UTC), Decimal(240), "s"),
        Reading("0-0:96.7.19", datetime(2010, 12, 8, 14, 10, 4, tzinfo=UTC), Decimal(301), "s"),
        Reading("1-0:32.32.0", at, Decimal(2), None),
        Reading("0-1:24.2.1", datetime(2010, 12, 9, 10, 25, tzinfo=UTC), Decimal("12785.123"), "m3"),
    ]


def test_the_crc_is_the_one_of_the_standard():
    assert crc16(b"123456789") == 0xBB3D


@pytest.mark.parametrize(
    ("zone", "stamp", "expected"),
    [
        ("Europe/Amsterdam", "261025023000S", datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
        ("Europe/Amsterdam", "261025023000W", datetime(2026, 10, 25, 1, 30, tzinfo=UTC)),
        ("UTC", "261025023000W", datetime(2026, 10, 25, 1, 30, tzinfo=UTC)),
        ("Europe/Helsinki", "260701120000S", datetime(2026, 7, 1, 9, 0, tzinfo=UTC)),
        ("Europe/Dublin", "260701120000S", datetime(2026, 7, 1, 11, 0, tzinfo=UTC)),
        ("Europe/Dublin", "260101120000W", datetime(2026, 1, 1, 12, 0, tzinfo=UTC)),
        ("Etc/GMT-1", "260701120000S", datetime(2026, 7, 1, 10, 0, tzinfo=UTC)),
    ],
)
def test_summer_and_winter_are_those_of_the_zone(zone, stamp, expected):
    raw = with_crc(EXAMPLE.replace(b"101209113020W", stamp.encode()))
    assert decode_telegram(raw, now=NOW, zone=ZoneInfo(zone)).at == expected


@pytest.mark.parametrize(
    "raw", [b"", b"/ISK5\r\n", EXAMPLE[1:] + b"\r\n", EXAMPLE + b"0000\r\n", b"x" * 70_000 + with_crc(EXAMPLE)]
)
def test_what_is_no_whole_telegram_is_a_bad_frame(raw):
    with pytest.raises(BadFrame):
        decode_telegram(raw, now=NOW)


@settings(max_examples=2000, deadline=None)
@given(st.binary(max_size=200) | st.text(alphabet="/!()*0123456789-:.WSkh\r\n", max_size=200).map(str.encode))
def test_any_bytes_are_a_telegram_or_a_fault(noise):
    for raw in (noise, b"/X\r\n" + noise + b"\r\n!\r\n"):
        try:
            telegram = decode_telegram(raw, now=NOW)
        except MeterFault:
            continue
        assert all(each.value.is_finite() for each in telegram.readings)


@settings(max_examples=2000, deadline=None)
@given(st.integers(0, len(EXAMPLE) * 8 - 1))
def test_no_flipped_bit_changes_a_value(bit):
    raw = with_crc(EXAMPLE)
    flipped = raw[: bit // 8] + bytes([raw[bit // 8] ^ (1 << bit % 8)]) + raw[bit // 8 + 1 :]
    with pytest.raises(BadFrame):
        decode_telegram(flipped, now=NOW)


@settings(max_examples=2000, deadline=None)
@given(st.integers(0, len(EXAMPLE)))
def test_no_truncated_telegram_is_one(end):
    if b"\r\n!" not in EXAMPLE[:end]:
        with pytest.raises(BadFrame):
            decode_telegram(EXAMPLE[:end], now=NOW)


def test_a_telegram_without_a_checksum_that_another_interrupts_is_a_bad_frame():
    lost, whole = (
        b"/ISK5\\2M550T\r\n\r\n1-0:1.7.0(00.321*kW)\r\n",
        b"/ISK5\\2M550T\r\n\r\n1-0:1.7.0(1*kW)\r\n!\r\n",
    )
    assert decode_telegram(whole, now=NOW).readings
    with pytest.raises(BadFrame, match="within another"):
        decode_telegram(lost + whole, now=NOW)
