from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.calendar import (
    UtcRange,
    day_edges_us,
    days_of_month,
    expected_intervals,
    from_us,
    is_monday_to_sunday,
    local_date_of,
    local_day,
    to_us,
    weeks_of_month,
)

ZONES = [
    "UTC",
    "Europe/London",
    "Europe/Berlin",
    "America/Sao_Paulo",
    "America/St_Johns",
    "America/Toronto",
    "Asia/Beirut",
    "Asia/Kathmandu",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "Etc/GMT-2",
    "Pacific/Apia",
    "Pacific/Kwajalein",
]
zones = st.sampled_from(ZONES).map(ZoneInfo)
days = st.dates(date(1900, 1, 1), date(2099, 12, 1))
instants = st.datetimes(datetime(1900, 1, 2), datetime(2099, 1, 1)).map(lambda t: t.replace(tzinfo=UTC))  # noqa: DTZ001
moderate = settings(max_examples=80, deadline=None)


@moderate
@given(days, zones)
def test_a_day_starts_at_the_first_instant_of_its_date(day, zone):
    local = local_day(day, zone)

    assert local.end >= local.start
    assert (local.start - timedelta(microseconds=1)).astimezone(zone).date() < day
    if local.start < local.end:
        assert local.start.astimezone(zone).date() == day


@moderate
@given(days, st.integers(0, 40), zones)
def test_days_share_their_edges(day, n_days, zone):
    edges = day_edges_us(day, n_days, zone)

    assert np.all(np.diff(edges) >= 0)
    for n in range(n_days):
        local = local_day(day + timedelta(days=n), zone)
        assert (local.start_us, local.end_us) == (edges[n], edges[n + 1])


@moderate
@given(st.lists(instants, max_size=5), zones)
def test_every_instant_is_in_the_day_it_is_given(times, zone):
    assert all(time in local_day(local_date_of(time, zone), zone) for time in times)


@moderate
@given(st.integers(1900, 2100), st.integers(1, 12))
def test_the_weeks_of_a_month_are_the_month(year, month):
    weeks = weeks_of_month(year, month)

    assert [day for week in weeks for day in week.days()] == days_of_month(year, month)
    assert all(is_monday_to_sunday(*week) for week in weeks[1:-1])
    assert all(after.first.weekday() == 0 for _, after in pairwise(weeks))


@moderate
@given(st.lists(instants, min_size=3, max_size=3).map(sorted), st.integers(1, 100_000))
def test_expected_intervals_of_adjacent_ranges_add_up(times, interval_s):
    first, middle, last = times

    parts = [expected_intervals(UtcRange(*ends), interval_s) for ends in ((first, middle), (middle, last))]

    assert sum(parts) == expected_intervals(UtcRange(first, last), interval_s)


@moderate
@given(instants)
def test_microseconds_keep_an_instant(instant):
    assert from_us(to_us(instant)) == instant
