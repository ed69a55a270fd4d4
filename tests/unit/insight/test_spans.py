"""Which spans, buckets and months a change concerns."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from analytics.calendar import to_us
from pipelines.insight.due import has_ended, is_due, months_before
from pipelines.insight.refresh import _whole_buckets
from pipelines.insight.work import Change, batches, merged_spans

HOUR = timedelta(hours=1)


def change(device: int, first: int, last: int) -> Change:
    return Change(id=0, device_id=device, from_us=first, to_us=last)


def test_changes_that_meet_become_one_and_those_apart_stay_apart():
    changes = [change(1, 10, 20), change(2, 0, 5), change(1, 20, 30), change(1, 31, 40), change(1, 0, 3)]
    assert merged_spans(changes) == [(1, 0, 3), (1, 10, 30), (1, 31, 40), (2, 0, 5)]


def test_a_change_within_another_does_not_shorten_it():
    assert merged_spans([change(1, 0, 100), change(1, 10, 20)]) == [(1, 0, 100)]


def test_buckets_have_a_margin_so_that_a_change_on_an_edge_is_inside():
    at = datetime(2024, 1, 1, 5, tzinfo=UTC)
    found = _whole_buckets([change(1, to_us(at), to_us(at + HOUR))], HOUR)
    assert found == [(at - HOUR, at + 3 * HOUR)]
    far = to_us(at + 48 * HOUR)
    assert len(_whole_buckets([change(1, to_us(at), to_us(at)), change(2, far, far)], HOUR)) == 2


def test_batches_hold_every_device_once():
    assert list(batches(range(5), 2)) == [[0, 1], [2, 3], [4]]
    assert list(batches([])) == []


@pytest.mark.parametrize(
    ("first", "count", "expected"),
    [
        (date(2024, 1, 1), 1, date(2023, 12, 1)),
        (date(2024, 12, 1), -1, date(2025, 1, 1)),
        (date(2024, 3, 1), 14, date(2023, 1, 1)),
    ],
)
def test_months_are_counted_across_years(first, count, expected):
    assert months_before(first, count) == expected


def test_a_month_is_served_from_the_third_day_of_the_next_in_the_homes_own_zone():
    month, auckland = date(2024, 5, 1), ZoneInfo("Pacific/Auckland")
    third = datetime(2024, 6, 3, tzinfo=auckland)
    assert is_due(month, auckland, third)
    assert not is_due(month, auckland, third - timedelta(seconds=1))


def test_a_month_has_ended_when_it_is_over_in_the_last_zone():
    assert not has_ended(date(2024, 5, 1), datetime(2024, 6, 1, 11, tzinfo=UTC))
    assert has_ended(date(2024, 5, 1), datetime(2024, 6, 2, tzinfo=UTC))
