"""Temperatures from files: every row has a verdict, and a wrong one takes no good one with it."""

import gzip
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.calendar import from_us
from pipelines.errors import RejectedInput, WattloomError
from pipelines.weather.files import read_temperatures


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "weather.csv"


def read(path, text):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_temperatures(path)


def told(file):
    return [
        (from_us(at).strftime("%m-%dT%H"), round(value, 6))
        for at, value in zip(file.hours.hour_us.tolist(), file.hours.temperature_c.tolist(), strict=True)
    ]


def test_hourly_temperatures_are_read_as_they_stand(path):
    file = read(path, "timestamp,temperature_c\n2024-01-01T00:00:00Z,3.25\n2024-01-01T02:00:00+01:00,-4\n")

    assert told(file) == [("01-01T00", 3.25), ("01-01T01", -4.0)]
    assert (file.rows, file.rejected) == (2, ())
    assert not file.hours.is_interpolated.any()


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffTime;temp_C;station\r\n2024-01-01 00:00:00Z;1.5;x\r\n\r\n2024-01-01 01:00:00Z;2.5;y\r\n",
        'DT\ttempC\n"2024-01-01T00:00:00Z"\t"1.5"\n2024-01-01T01:00:00Z\t+2.5e0',
        "temperature_c,timestamp\n 1.5 , 2024-01-01T00:00Z\n2.5,2024-01-01T01:00Z\n,\n",
    ],
)
def test_separators_column_names_and_blank_lines_are_found(path, text):
    assert told(read(path, text)) == [("01-01T00", 1.5), ("01-01T01", 2.5)]
    assert read(path, text).rejected == ()
    assert told(read(path, gzip.compress(text.encode()))) == [("01-01T00", 1.5), ("01-01T01", 2.5)]


def test_fahrenheit_is_converted(path):
    file = read(path, "timestamp,temperature_f\n2024-01-01T00:00:00Z,32\n2024-01-01T01:00:00Z,-40\n")

    assert told(file) == [("01-01T00", 0.0), ("01-01T01", -40.0)]


def test_other_spacings_are_interpolated_to_whole_hours(path):
    file = read(
        path,
        "timestamp,temperature_c\n2024-01-01T00:00:00Z,0\n2024-01-01T03:00:00Z,3\n2024-01-01T03:40:00Z,3\n"
        "2024-01-01T04:20:00Z,6\n",
    )

    assert told(file) == [
        ("01-01T00", 0.0),
        ("01-01T01", 1.0),
        ("01-01T02", 2.0),
        ("01-01T03", 3.0),
        ("01-01T04", 4.5),
    ]
    assert file.hours.is_interpolated.tolist() == [False, True, True, False, True]


def test_of_several_rows_for_one_instant_the_last_counts(path):
    file = read(path, "timestamp,temperature_c\n2024-01-01T00:00Z,1\n2024-01-01T01:00+01:00,2\n")

    assert told(file) == [("01-01T00", 2.0)]
    assert file.rejected == ()


@pytest.mark.parametrize(
    ("row", "column", "code"),
    [
        ("2024-01-01T00:30:00,5", "timestamp", "invalid_time"),
        ("2024-02-30T00:00:00Z,5", "timestamp", "invalid_time"),
        ("1 January,5", "timestamp", "invalid_time"),
        (",5", "timestamp", "invalid_time"),
        ("1969-12-31T23:00:00Z,5", "timestamp", "invalid_time"),
        ("2024-01-01T05:00:00Z,", "temperature_c", "missing_value"),
        ("2024-01-01T05:00:00Z,NaN", "temperature_c", "invalid_number"),
        ("2024-01-01T05:00:00Z,inf", "temperature_c", "invalid_number"),
        ("2024-01-01T05:00:00Z,1_0", "temperature_c", "invalid_number"),
        ("2024-01-01T05:00:00Z,5°", "temperature_c", "invalid_number"),
        ('2024-01-01T05:00:00Z,"5,5"', "temperature_c", "invalid_number"),
        ("2024-01-01T05:00:00Z,5,5", "", "wrong_field_count"),
        ("2024-01-01T05:00:00Z", "", "wrong_field_count"),
        ('2024-01-01T05:00:00Z,"5', "", "malformed_row"),
        ("2024-01-01T05:00:00Z,70.1", "temperature_c", "out_of_range"),
        ("2024-01-01T05:00:00Z,-273.15", "temperature_c", "out_of_range"),
        ("2024-01-01T05:00:00Z,1e99", "temperature_c", "out_of_range"),
        ("2024-01-01T05:30:00Z,5", "timestamp", "too_sparse"),
        (b"2024-01-01T05:00:00Z,\xff", "temperature_c", "invalid_number"),
        (b"2024-01-01T05:00:00Z,5\0", "temperature_c", "invalid_number"),
    ],
)
def test_a_wrong_row_is_named_and_takes_no_good_one_with_it(path, row, column, code):
    middle = row if isinstance(row, bytes) else row.encode()
    file = read(
        path, b"timestamp,temperature_c\n2024-01-01T00:00:00Z,1\n\n" + middle + b"\n2024-01-01T10:00:00Z,2\n"
    )

    assert told(file) == [("01-01T00", 1.0), ("01-01T10", 2.0)]
    (fault,) = file.rejected
    assert (fault.row, fault.column, fault.code) == (3, column, code)
    assert file.rows == 3
    assert fault.detail


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "timestamp"),
        ("\n2024-01-01T00:00:00Z,1\n", "timestamp"),
        ("2024-01-01T00:00:00Z,1\n", "timestamp"),
        ("date,temperature_c\n", "timestamp"),
        ("timestamp,humidity\n", "temperature_c"),
        ("timestamp,temperature_c,temperature_f\n", "temperature_c"),
        ("timestamp temperature_c\n", "timestamp"),
        ("x" * 200_000, "timestamp"),
    ],
)
def test_a_header_without_a_column_is_said(path, text, named):
    with pytest.raises(RejectedInput) as refused:
        read(path, text)

    assert list(refused.value.errors) == [named]


def test_a_line_that_never_ends_is_one_wrong_row(path):
    file = read(path, "timestamp,temperature_c\n" + "5" * 3_000_000 + "\n2024-01-01T00:00:00Z,1\n")

    assert told(file) == [("01-01T00", 1.0)]
    assert [(one.row, one.code) for one in file.rejected] == [(1, "wrong_field_count")]


def test_a_file_that_cannot_be_read_is_said(path, tmp_path):
    whole = gzip.compress(b"timestamp,temperature_c\n" + b"2024-01-01T00:00:00Z,1\n" * 1000)
    for content in (whole[: len(whole) // 2], whole[:30] + b"\x55" * 20 + whole[50:]):
        with pytest.raises(RejectedInput, match=r"damaged or cut off|CRC"):
            read(path, content)
    for absent in (tmp_path / "absent.csv", tmp_path):
        with pytest.raises(RejectedInput, match="file"):
            read_temperatures(absent)


def test_rejected_rows_are_written_with_their_reasons(path, tmp_path):
    file = read(path, "timestamp,temperature_c\nyesterday,1\n2024-01-01T00:00:00Z,?\n")

    file.write_rejected(tmp_path / "wrong.csv")

    lines = (tmp_path / "wrong.csv").read_text().splitlines()
    assert lines[0] == "row,column,code,detail"
    assert [line.split(",")[:3] for line in lines[1:]] == [
        ["1", "timestamp", "invalid_time"],
        ["2", "temperature_c", "invalid_number"],
    ]
    with pytest.raises(WattloomError, match="cannot be written"):
        file.write_rejected(tmp_path / "no" / "folder.csv")


@given(st.binary(max_size=200))
def test_no_file_breaks_the_reader(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("any") / "weather.csv"

    file = read(path, b"timestamp,temperature_c\n2024-01-01T00:00:00Z,1\n" + content)

    assert ("01-01T00", 1.0) in told(file)
    assert np.isfinite(file.hours.temperature_c).all()
    assert file.rows >= len(file.rejected)


@pytest.mark.shared_data
def test_a_real_file_in_fahrenheit_gives_every_hour(shared_data):
    file = read_temperatures(shared_data / "eemeter_samples" / "il-electricity-cdd-hdd-tempF.csv.gz")

    first = from_us(int(file.hours.hour_us[0]))
    assert first == datetime(2015, 11, 22, 6, tzinfo=UTC)
    assert file.hours.hour_us.size >= 0.99 * file.rows
    assert -30 < file.hours.temperature_c.min() < file.hours.temperature_c.max() < 40
