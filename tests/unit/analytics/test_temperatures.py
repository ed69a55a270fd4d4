from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.calendar import to_us
from analytics.errors import BrokenContractError
from analytics.temperatures import HOUR_US, LONGEST_GAP_US, to_whole_hours

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)
MINUTE_US = 60_000_000


def hours_of(*rows):
    """Return hour after noon -> temperature, and which rows are stray, for rows of (minutes after noon, °C)."""
    at = np.array([to_us(NOON + timedelta(minutes=minute)) for minute, _ in rows], dtype=np.int64)
    result = to_whole_hours(at, np.array([float(value) for _, value in rows]))
    since = ((result.hour_us - to_us(NOON)) // HOUR_US).tolist()
    told = dict(zip(since, result.temperature_c.round(9).tolist(), strict=True))
    return told, np.flatnonzero(result.is_stray).tolist(), result


def naive(rows):
    """Return hour [µs] -> (temperature, was it interpolated), reckoned one hour at a time."""
    known, told = dict(rows), {}
    times = sorted(known)
    for left, right in zip(times, [*times[1:], None], strict=False):
        if left % HOUR_US == 0:
            told[left] = (known[left], False)
        if right is not None and right - left <= LONGEST_GAP_US:
            hour = (left // HOUR_US + 1) * HOUR_US
            while hour < right:
                part = (hour - left) / (right - left)
                told[hour] = (known[left] + part * (known[right] - known[left]), True)
                hour += HOUR_US
    return told


def test_hourly_measurements_are_taken_as_they_are():
    told, stray, result = hours_of((0, 1.1), (60, 2.2), (120, 3.3))

    assert told == {0: 1.1, 1: 2.2, 2: 3.3}
    assert stray == []
    assert not result.is_interpolated.any()


def test_measurements_beside_the_hour_are_joined_by_a_line():
    told, stray, result = hours_of((-10, 10), (50, 16), (110, 10))

    assert told == {0: 11.0, 1: 15.0}
    assert stray == []
    assert result.is_interpolated.all()


def test_hours_up_to_three_apart_are_filled_and_no_further():
    told, _, result = hours_of((0, 0), (180, 3), (361, 9), (540, 9))

    assert told == {0: 0.0, 1: 1.0, 2: 2.0, 3: 3.0, 7: 9.0, 8: 9.0, 9: 9.0}
    assert result.is_interpolated.tolist() == [False, True, True, False, True, True, False]


def test_of_several_for_one_instant_the_last_one_counts():
    told, stray, _ = hours_of((0, 1), (60, 2), (0, 5), (0, 7))

    assert told == {0: 7.0, 1: 2.0}
    assert stray == []


def test_measurements_come_in_any_order():
    assert hours_of((120, 3), (0, 1), (60, 2))[0] == {0: 1.0, 1: 2.0, 2: 3.0}


def test_what_no_hour_could_be_made_of_is_told():
    told, stray, _ = hours_of((0, 1), (250, 9), (500, 5), (510, 5), (720, 2), (930, 7), (950, 7), (965, 7))

    assert told == {0: 1.0, 12: 2.0, 16: 7.0}
    assert stray == [1, 2, 3]


def test_nothing_measured_is_nothing_known():
    told, stray, result = hours_of()

    assert (told, stray) == ({}, [])
    assert result.hour_us.dtype == np.int64


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_a_temperature_that_is_no_number_is_our_bug(wrong):
    with pytest.raises(BrokenContractError):
        to_whole_hours(np.zeros(1, dtype=np.int64), np.array([wrong]))
    with pytest.raises(BrokenContractError):
        to_whole_hours(np.zeros(2, dtype=np.int64), np.zeros(1))


@given(
    st.lists(
        st.tuples(
            st.one_of(
                st.integers(-30, 30).map(lambda n: n * HOUR_US), st.integers(-1500, 1500).map(MINUTE_US.__mul__)
            ),
            st.integers(-40, 40).map(float),
        ),
        max_size=30,
    )
)
def test_every_hour_is_what_a_naive_reckoning_says(rows):
    expected = naive(rows)

    result = to_whole_hours(
        np.array([at for at, _ in rows], dtype=np.int64), np.array([value for _, value in rows], dtype=np.float64)
    )

    assert result.hour_us.tolist() == sorted(expected)
    np.testing.assert_allclose(result.temperature_c, [expected[hour][0] for hour in sorted(expected)], atol=1e-9)
    assert result.is_interpolated.tolist() == [expected[hour][1] for hour in sorted(expected)]
    assert result.is_stray.shape == (len(rows),)
    assert not (result.is_stray.all() and expected and rows)
