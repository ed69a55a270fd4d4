"""Every line of a block becomes a good row or a verdict that names its number and column."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.files.interval_rows import IntervalParser, IntervalRows
from pipelines.files.layout import read_layout
from pipelines.files.plan import LoadPlan

HEADER = "meter,time,energy_kwh"


def _parser(header: str = HEADER) -> IntervalParser:
    layout = read_layout("a.csv", header, LoadPlan(organization="First"))
    return IntervalParser(layout, stem="a", zone="Europe/London", timestamps="local")


def _parse(lines: str | bytes, header: str = HEADER) -> IntervalRows:
    block = lines.encode() if isinstance(lines, str) else lines
    return _parser(header).parse(block, first_row=1)


def _verdicts(parsed: IntervalRows) -> list[tuple[int, str, str]]:
    return [(row, reason.column, reason.code) for row, reason in parsed.rejected]


@pytest.mark.parametrize(
    ("line", "column", "code"),
    [
        ("m,2013-01-01 00:00,", "energy_kwh", "missing_value"),
        ("m,2013-01-01 00:00,Null", "energy_kwh", "invalid_value"),
        ("m,2013-01-01 00:00,NaN", "energy_kwh", "invalid_value"),
        ("m,2013-01-01 00:00,0,219", "energy_kwh", "wrong_field_count"),
        ("m,2013-01-01 00:00,0,", "energy_kwh", "wrong_field_count"),
        ('m,2013-01-01 00:00,"0,219"', "energy_kwh", "invalid_value"),
        ('m,2013-01-01 00:00,"1', "energy_kwh", "malformed_row"),
        ("m,2013-01-01 00:00", "energy_kwh", "wrong_field_count"),
        ("m", "energy_kwh", "wrong_field_count"),
        (",2013-01-01 00:00,1", "meter", "invalid_device"),
        ("m" * 51 + ",2013-01-01 00:00,1", "meter", "invalid_device"),
        ("m\x00,2013-01-01 00:00,1", "meter", "invalid_device"),
        ("m,,1", "time", "missing_time"),
        ("m,yesterday,1", "time", "invalid_time"),
        ("m,2013-03-31 01:30,1", "time", "nonexistent_local_time"),
        ("m,2213-03-31 01:30,1", "time", "time_out_of_range"),
    ],
)
def test_a_bad_row_is_named_and_the_good_rows_around_it_are_kept(line: str, column: str, code: str) -> None:
    parsed = _parse(f"m,2013-01-02 00:00,1\n\n{line}\nm,2013-01-02 00:30,2.5\n")
    assert _verdicts(parsed) == [(3, column, code)]
    assert parsed.row.tolist() == [1, 4]
    assert list(zip(parsed.mantissa.tolist(), parsed.scale.tolist(), strict=True)) == [(1, 0), (25, 1)]
    assert (parsed.rows, parsed.lines) == (3, 4)


def test_bytes_that_are_not_utf8_spoil_their_row_only() -> None:
    parsed = _parse(b"m,2013-01-01 00:00,1\nm\xf6,2013-01-01 00:00,1\nm,2013-01-01 00:30,1\r\n")
    assert _verdicts(parsed) == [(2, "energy_kwh", "malformed_row")]
    assert parsed.row.tolist() == [1, 3]


def test_a_repeated_hour_is_told_apart_across_blocks_and_by_device() -> None:
    parser = _parser()
    first = parser.parse(b"a,2013-10-27 01:30,1\nb,2013-10-27 01:30,1\n", first_row=1)
    second = parser.parse(b"b,2013-10-27 01:30,Null\na,2013-10-27 01:30,2\nb,2013-10-27 01:30,3\n", first_row=3)
    hour_us = 3_600_000_000
    assert first.time_us[0] == first.time_us[1]
    assert (second.time_us - first.time_us[0]).tolist() == [hour_us]
    assert _verdicts(second) == [(3, "energy_kwh", "invalid_value"), (5, "time", "repeated_local_time")]


_names = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=12)


@given(
    st.lists(st.tuples(_names, st.integers(0, 10**9)), min_size=1, max_size=30),
    st.sampled_from(",;\t"),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    st.sampled_from(["\n", "\r\n"]),
)
def test_whatever_a_csv_writer_writes_is_read_back(
    rows: list[tuple[str, int]], separator: str, quoting: int, end: str
) -> None:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator, quoting=quoting, lineterminator=end)
    writer.writerows((name, "2013-01-01T00:00:00Z", value) for name, value in rows)
    parsed = _parse(text.getvalue(), header=HEADER.replace(",", separator))
    assert parsed.rejected == []
    found = [parsed.devices[n] for n in parsed.device.tolist()]
    assert list(zip(found, parsed.mantissa.tolist(), strict=True)) == rows
    assert len(set(parsed.devices)) == len(parsed.devices)


@given(st.binary(max_size=300))
def test_no_bytes_whatever_break_the_parser_or_vanish(noise: bytes) -> None:
    block = noise + b"\nm,2013-01-01 00:00,1\n"
    parsed = _parse(block)
    assert parsed.lines == block.count(b"\n")
    assert len(parsed.row) + len(parsed.rejected) == parsed.rows
    assert parsed.row.tolist()[-1:] == [parsed.lines]
