from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from analytics.calendar import (
    DayRange,
    UtcRange,
    day_edges_us,
    days_of_month,
    expected_intervals,
    from_us,
    is_monday_to_sunday,
    local_date_of,
    local_day,
    month_range,
    to_us,
    week_of,
    weeks_of_month,
)
from analytics.errors import BrokenContractError

HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("zone", "day", "start", "hours"),
    [
        ("Europe/London", date(2013, 3, 31), "2013-03-31T00:00", 23),
        ("Europe/London", date(2013, 10, 27), "2013-10-26T23:00", 25),
        ("America/Sao_Paulo", date(2017, 10, 15), "2017-10-15T03:00", 23),
        ("Asia/Beirut", date(2022, 3, 27), "2022-03-26T22:00", 23),
        ("Pacific/Apia", date(2011, 12, 29), "2011-12-29T10:00", 24),
        ("Pacific/Apia", date(2011, 12, 30), "2011-12-30T10:00", 0),
        ("Pacific/Apia", date(2011, 12, 31), "2011-12-30T10:00", 24),
        ("Australia/Lord_Howe", date(2023, 4, 2), "2023-04-01T13:00", 24.5),
        ("Australia/Lord_Howe", date(2023, 10, 1), "2023-09-30T13:30", 23.5),
        ("Asia/Kolkata", date(2024, 1, 1), "2023-12-31T18:30", 24),
        ("Asia/Kathmandu", date(2024, 1, 1), "2023-12-31T18:15", 24),
        ("Etc/GMT-2", date(2024, 7, 1), "2024-06-30T22:00", 24),
        # Midnight is inside the gap from 23:30 to 00:30.
        ("America/Toronto", date(1919, 3, 31), "1919-03-31T04:30", 23.5),
        # The clock shows midnight twice: the day begins the first time.
        ("America/St_Johns", date(2008, 11, 2), "2008-11-02T02:30", 25),
    ],
)
def test_a_local_day_holds_exactly_the_instants_of_its_date(zone, day, start, hours):
    local = local_day(day, ZoneInfo(zone))

    assert local.start == datetime.fromisoformat(start).replace(tzinfo=UTC)
    assert local.duration == hours * HOUR


def test_day_edges_are_the_starts_of_the_days_and_one_more():
    zone = ZoneInfo("Europe/London")

    edges = day_edges_us(date(2013, 3, 30), 3, zone)

    assert edges.dtype == np.int64
    assert (np.diff(edges) / 3_600_000_000).tolist() == [24, 23, 24]
    assert from_us(edges[1]) == local_day(date(2013, 3, 31), zone).start
    assert day_edges_us(date(2013, 3, 30), 0, zone).size == 1


def test_an_instant_belongs_to_the_day_whose_edges_hold_it():
    zone = ZoneInfo("America/St_Johns")
    instants = [datetime(2008, 11, 2, tzinfo=UTC) + n * timedelta(minutes=10) for n in range(200)]

    assert all(instant in local_day(local_date_of(instant, zone), zone) for instant in instants)


def test_a_skipped_date_holds_no_instant():
    zone = ZoneInfo("Pacific/Apia")
    jump = datetime(2011, 12, 30, 10, tzinfo=UTC)

    assert local_date_of(jump - timedelta(microseconds=1), zone) == date(2011, 12, 29)
    assert local_date_of(jump, zone) == date(2011, 12, 31)


def test_weeks_of_a_month_are_monday_weeks_clipped_to_it():
    weeks = weeks_of_month(2023, 9)

    assert [(week.first.day, week.last.day) for week in weeks] == [
        (1, 3),
        (4, 10),
        (11, 17),
        (18, 24),
        (25, 30),
    ]


def test_a_month_that_starts_on_a_monday_and_has_28_days_has_four_whole_weeks():
    assert weeks_of_month(2021, 2) == [week_of(date(2021, 2, day)) for day in (1, 8, 15, 22)]


def test_months_know_their_days():
    assert month_range(2024, 2) == DayRange(date(2024, 2, 1), date(2024, 2, 29))
    assert month_range(2023, 12) == (date(2023, 12, 1), date(2023, 12, 31))
    assert len(days_of_month(2023, 2)) == 28
    assert month_range(2013, 3).to_utc(ZoneInfo("Europe/London")).duration == 743 * HOUR


def test_a_week_is_monday_to_the_sunday_after_it():
    assert is_monday_to_sunday(date(2024, 7, 8), date(2024, 7, 14))
    assert not is_monday_to_sunday(date(2024, 7, 8), date(2024, 7, 21))
    assert not is_monday_to_sunday(date(2024, 7, 9), date(2024, 7, 15))
    assert week_of(date(2024, 7, 8)).last == date(2024, 7, 14)
    with pytest.raises(BrokenContractError, match="Monday"):
        week_of(date(2024, 7, 9))


@pytest.mark.parametrize(
    ("zone", "day", "interval_s", "expected"),
    [
        ("Europe/London", date(2013, 3, 31), 1800, 46),
        ("Europe/London", date(2013, 10, 27), 900, 100),
        ("Europe/London", date(2013, 10, 27), 86400, 1),
        ("Pacific/Apia", date(2011, 12, 30), 900, 0),
        ("Asia/Kathmandu", date(2024, 1, 1), 3600, 24),
    ],
)
def test_expected_intervals_follow_the_length_of_the_local_day(zone, day, interval_s, expected):
    assert expected_intervals(local_day(day, ZoneInfo(zone)), interval_s) == expected


def test_ranges_are_half_open_and_refuse_other_zones():
    start = datetime(2024, 1, 1, tzinfo=UTC)
    day = UtcRange(start, start + timedelta(days=1))

    assert start in day
    assert day.end not in day
    assert day.intersection(UtcRange(day.end, day.end + HOUR)) is None
    assert day.intersection(UtcRange(start - HOUR, start + HOUR)) == UtcRange(start, start + HOUR)
    with pytest.raises(BrokenContractError, match="UTC"):
        UtcRange(start.replace(tzinfo=ZoneInfo("Asia/Kolkata")), day.end)
    with pytest.raises(BrokenContractError, match="before it starts"):
        UtcRange(day.end, start)
    with pytest.raises(BrokenContractError, match="negative"):
        day_edges_us(date(2024, 1, 1), -1, ZoneInfo("UTC"))
    with pytest.raises(BrokenContractError, match="at least a second"):
        expected_intervals(day, 0)
    with pytest.raises(BrokenContractError, match="time zone"):
        to_us(datetime(2024, 1, 1))  # noqa: DTZ001 - the naive instant is the point
