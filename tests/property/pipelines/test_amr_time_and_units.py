"""Ticks against a calendar walked minute by minute; units that convert exactly or not at all."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipelines.amr.schedules import SCHEDULES, SHORTEST_PERIOD_S, latest_tick
from pipelines.amr.units import _UNITS, factor

MINUTE = timedelta(minutes=1)
FIRST, LAST = datetime(1970, 1, 8), datetime(2099, 12, 31)  # noqa: DTZ001 - the strategy adds the zone
INSTANTS = st.datetimes(FIRST, LAST, timezones=st.just(UTC))


def _is_tick(schedule: str, at: datetime) -> bool:
    """Say from the words of the contract whether a whole minute is a run."""
    return {
        "quarterly": at.minute in {0, 15, 30, 45},
        "hourly": at.minute == 0,
        "daily": (at.hour, at.minute) == (0, 0),
        "weekly": (at.isoweekday(), at.hour, at.minute) == (1, 0, 0),
        "monthly": (at.day, at.hour, at.minute) == (1, 0, 0),
        "yearly": (at.month, at.day, at.hour, at.minute) == (1, 1, 0, 0),
    }[schedule]


def _walked_back(schedule: str, at: datetime) -> datetime:
    """Return the last run at or before ``at``: by minutes within a day, then by days."""
    at = at.replace(second=0, microsecond=0)
    while not _is_tick(schedule, at):
        at -= MINUTE if (at.hour, at.minute) != (0, 0) else timedelta(days=1)
    return at


@pytest.mark.parametrize("schedule", SCHEDULES)
@given(at=INSTANTS)
@example(at=datetime(2024, 2, 29, 23, 59, 59, 999_999, UTC))
@example(at=datetime(2023, 2, 28, 23, 59, tzinfo=UTC))
@example(at=datetime(2000, 3, 1, tzinfo=UTC))
@example(at=datetime(2025, 12, 31, 23, 59, 59, tzinfo=UTC))
@example(at=datetime(2026, 1, 1, tzinfo=UTC))
@example(at=datetime(2026, 3, 2, tzinfo=UTC))  # a Monday
@example(at=datetime(2026, 3, 29, 1, 7, tzinfo=UTC))  # Europe's clocks change, UTC's do not
def test_the_latest_tick_is_the_one_found_by_walking_back(schedule: str, at: datetime) -> None:
    tick = latest_tick(schedule, at)

    assert tick == _walked_back(schedule, at)
    assert tick <= at
    assert latest_tick(schedule, tick) == tick
    assert tick.utcoffset() == timedelta(0)


@pytest.mark.parametrize("schedule", SCHEDULES)
@given(at=INSTANTS)
def test_an_offset_never_reaches_into_the_next_run(schedule: str, at: datetime) -> None:
    tick = latest_tick(schedule, at)
    last = tick + timedelta(seconds=SHORTEST_PERIOD_S[schedule] - 1)

    assert latest_tick(schedule, last) == tick


def test_an_unknown_schedule_is_refused() -> None:
    with pytest.raises(ValueError, match="'fortnightly' is no schedule"):
        latest_tick("fortnightly", datetime(2026, 1, 1, tzinfo=UTC))


UNITS = sorted(_UNITS)
VALUES = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9, places=6)


@given(VALUES, st.sampled_from(UNITS), st.sampled_from(UNITS))
def test_a_value_there_and_back_is_the_same_to_the_last_digit(value: Decimal, sent: str, wanted: str) -> None:
    there, back = factor(sent, wanted), factor(wanted, sent)

    assert (there is None) == (back is None) == (_UNITS[sent][0] != _UNITS[wanted][0])
    if there is not None and back is not None:
        assert there * back == 1
        assert value * there * back == value
        assert there.normalize().as_tuple().digits == (1,), "a power of ten"


@given(st.sampled_from(UNITS), st.sampled_from(UNITS), st.sampled_from(UNITS))
def test_two_steps_are_as_good_as_one(first: str, second: str, third: str) -> None:
    one, two, direct = factor(first, second), factor(second, third), factor(first, third)

    if one is not None and two is not None:
        assert one * two == direct


@pytest.mark.parametrize(
    ("sent", "wanted", "expected"),
    [
        ("Wh", "kWh", "0.001"),
        ("MWh", "kWh", "1000"),
        ("GWh", "Wh", "1000000000"),
        ("m³", "m3", "1"),
        ("l", "m3", "0.001"),
        ("m3", "dm3", "1000"),
        ("bar", "kPa", "100"),
        ("mbar", "Pa", "100"),
        ("kvarh", "varh", "1000"),
        (" kWh ", "kWh", "1"),
        ("KWH", "kWh", "1"),
        ("%", "%", "1"),
        (None, "kWh", "1"),
    ],
)
def test_units_that_are_known_convert(sent: str | None, wanted: str, expected: str) -> None:
    assert factor(sent, wanted) == Decimal(expected)


@pytest.mark.parametrize(
    ("sent", "wanted"),
    [
        ("mWh", "MWh"),
        ("mWh", "Wh"),
        ("MWh", "mWh"),
        ("mW", "MW"),
        ("kWh", "kvarh"),
        ("kWh", "kVAh"),
        ("kWh", "kW"),
        ("MJ", "kWh"),  # heat is not converted to electricity
        ("m3", "kWh"),
        ("m3", "m3/h"),
        ("C", "K"),
        ("", "kWh"),
        ("kWh", ""),
        ("%", "kWh"),
    ],
)
def test_units_that_only_look_alike_do_not(sent: str, wanted: str) -> None:
    assert factor(sent, wanted) is None
