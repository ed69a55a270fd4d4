"""Text of a time column becomes the instant it names: with an offset, in UTC, or on a zone's clock."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Literal
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.calendar import from_us, to_us
from pipelines.files.plan import Code
from pipelines.files.time_columns import RepeatedTimes, parse_times

ZONES = ("Europe/London", "America/St_Johns", "Asia/Kathmandu", "Australia/Lord_Howe", "America/Sao_Paulo")
_moments = st.datetimes(  # naive is the point: what a clock on a wall shows
    datetime(1970, 1, 3),  # noqa: DTZ001
    datetime(2099, 12, 29),  # noqa: DTZ001
).map(lambda at: at.replace(fold=0))


def _parsed(
    texts: list[str | None], zone: str = "Europe/London", timestamps: Literal["local", "utc"] = "local"
) -> list[datetime | Code]:
    times = parse_times(pl.Series(texts, dtype=pl.String), zone=zone, timestamps=timestamps)
    rows = np.flatnonzero(times.time_us != times.later_us)
    faults = {**times.faults, Code.REPEATED_LOCAL_TIME: RepeatedTimes().settle(["meter"] * len(rows), times, rows)}
    found: list[datetime | Code] = []
    for row in range(len(texts)):
        codes = [code for code, mask in faults.items() if mask[row]]
        assert len(codes) <= 1
        found.append(codes[0] if codes else from_us(times.time_us[row]))
    return found


def _utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


@given(st.lists(st.tuples(_moments, st.integers(-1439, 1439)), max_size=20))
def test_an_offset_is_taken_off_exactly(moments: list[tuple[datetime, int]]) -> None:
    aware = [at.replace(tzinfo=timezone(timedelta(minutes=minutes))) for at, minutes in moments]
    assert _parsed([at.isoformat() for at in aware]) == [at.astimezone(UTC) for at in aware]


@given(st.sampled_from(ZONES), st.lists(_moments, max_size=20, unique=True))
def test_a_local_time_is_what_the_zone_database_says(zone: str, moments: list[datetime]) -> None:
    expected: list[datetime | Code] = []
    for at in moments:
        instant = at.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
        exists = instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None) == at
        expected.append(instant if exists else Code.NONEXISTENT_LOCAL_TIME)
    assert _parsed([at.isoformat(" ") for at in moments], zone=zone) == expected


@given(st.lists(_moments, max_size=20))
def test_a_naive_time_of_a_utc_file_is_utc(moments: list[datetime]) -> None:
    assert _parsed([at.isoformat() for at in moments], timestamps="utc") == [
        at.replace(tzinfo=UTC) for at in moments
    ]


@settings(max_examples=15)  # 17,520 half-hours each
@given(st.sampled_from(ZONES), st.integers(1990, 2037))
def test_a_year_of_local_half_hours_is_every_half_hour_once(zone: str, year: int) -> None:
    start, end = (datetime(y, 1, 1, tzinfo=ZoneInfo(zone)).astimezone(UTC) for y in (year, year + 1))
    instants = [start + n * timedelta(minutes=30) for n in range((end - start) // timedelta(minutes=30))]
    texts = [at.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M") for at in instants]
    assert _parsed(texts, zone=zone) == instants


def test_in_spring_the_skipped_half_hours_of_london_do_not_exist() -> None:
    texts = ["2013-03-31 00:30", "2013-03-31 01:00", "2013-03-31 01:30", "2013-03-31 02:00"]
    skipped = Code.NONEXISTENT_LOCAL_TIME
    assert _parsed(texts) == [_utc(2013, 3, 31, 0, 30), skipped, skipped, _utc(2013, 3, 31, 1, 0)]


@pytest.mark.parametrize("order", [("01:00", "01:30", "01:00", "01:30"), ("01:00", "01:00", "01:30", "01:30")])
def test_in_autumn_the_second_of_two_equal_local_times_is_the_later(order: tuple[str, ...]) -> None:
    found = _parsed([f"2013-10-27 {time}" for time in order])
    assert sorted(at for at in found if isinstance(at, datetime)) == [
        _utc(2013, 10, 27, 0, 0) + n * timedelta(minutes=30) for n in range(4)
    ]


def test_a_local_time_that_comes_a_third_time_is_refused() -> None:
    found = _parsed(["2013-10-27 01:30"] * 3)
    assert found == [_utc(2013, 10, 27, 0, 30), _utc(2013, 10, 27, 1, 30), Code.REPEATED_LOCAL_TIME]


def test_offsets_do_not_count_as_passes_of_the_repeated_hour() -> None:
    found = _parsed(["2013-10-27 01:30+01:00", "2013-10-27 01:30", "2013-10-27T00:30:00Z", "2013-10-27 01:30"])
    first, second = _utc(2013, 10, 27, 0, 30), _utc(2013, 10, 27, 1, 30)
    assert found == [first, first, first, second]


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("2013-01-01T00:00", _utc(2013, 1, 1)),
        ("2013-01-01 00:00:30.25", _utc(2013, 1, 1, 0, 0, 30, 250_000)),
        ("2012-10-12 00:30:00.0000000", _utc(2012, 10, 11, 23, 30)),
        ("2013-01-01T00:00:00+0545", _utc(2012, 12, 31, 18, 15)),
        ("2013-01-01T00:00:00-08", _utc(2013, 1, 1, 8)),
        ("2013-01-01 00:00:00 Z", _utc(2013, 1, 1)),
        ("2099-12-31T23:59:59.999999Z", _utc(2099, 12, 31, 23, 59, 59, 999_999)),
        ("2100-01-01T00:00:00Z", Code.TIME_OUT_OF_RANGE),
        ("1969-12-31T23:59:59Z", Code.TIME_OUT_OF_RANGE),
        ("0000-01-01 00:00", Code.TIME_OUT_OF_RANGE),
        ("9999-12-31 23:59", Code.TIME_OUT_OF_RANGE),
        ("2013-02-29 00:00", Code.INVALID_TIME),
        ("2013-01-01 24:00", Code.INVALID_TIME),
        ("2013-01-01 00:00:60", Code.INVALID_TIME),
        ("2013-1-1 0:00", Code.INVALID_TIME),
        ("01/02/2013 00:00", Code.INVALID_TIME),
        ("2013-01-01", Code.INVALID_TIME),
        ("1356998400", Code.INVALID_TIME),
        ("2013-01-01 00:00+25:00", Code.INVALID_TIME),
        ("Null", Code.INVALID_TIME),
        (" ", Code.MISSING_TIME),
        (None, Code.MISSING_TIME),
    ],
)
def test_times_of_real_files_get_their_verdict(text: str | None, verdict: datetime | Code) -> None:
    assert _parsed([text, "2013-01-01T00:00Z"]) == [verdict, _utc(2013, 1, 1)]


def test_an_instant_is_exact_to_the_microsecond() -> None:
    at = _utc(2033, 5, 18, 3, 33, 20, 123_457)
    times = parse_times(pl.Series([at.isoformat()]), zone="UTC", timestamps="utc")
    assert times.time_us.tolist() == [to_us(at)]
