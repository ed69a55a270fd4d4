"""What a job has read: exact digits, known units, allowed series, and no hole in what is called covered."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.amr.contract import Found, Meter, Reading
from pipelines.amr.gathering import Gathering
from pipelines.amr.targets import Kept, Target

T0 = datetime(2026, 3, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def target(*, is_configured: bool = True, **series: list[Kept]) -> Target:
    return Target(
        meter=Meter(name="m", protocol="mbus"),
        sensor_id=7,
        organization_id=UUID(int=1),
        interface=None,
        is_configured=is_configured,
        series=series,
        watermarks={},
        authentication_failed_at=None,
        has_newer_keys=False,
        jobs=[],
    )


def gathered(*readings: Reading, kept: Target | None = None) -> Gathering:
    found = Gathering(kept or target(energy=[Kept(3, "kWh")]))
    found.add(Found(list(readings)))
    return found


def reading(value: str, unit: str | None = "kWh", *, series: str = "energy", at: datetime = T0) -> Reading:
    return Reading(series, at, Decimal(value), unit)


def test_values_are_taken_digit_by_digit_and_handed_over_once() -> None:
    found = gathered(reading("1.50"), reading("-2", at=T0 + MINUTE), reading("1500", "Wh", at=T0 + 2 * MINUTE))

    block = found.take()

    assert list(block.series) == [3, 3, 3]
    assert [b - a for a, b in zip(block.times_us, block.times_us[1:], strict=False)] == [60_000_000] * 2
    assert [Decimal(m).scaleb(-s) for m, s in zip(block.mantissas, block.scales, strict=True)] == [
        Decimal("1.50"),
        Decimal(-2),
        Decimal("1.5"),
    ]
    assert (len(found), found.found, found.rejected) == (0, 3, 0)
    assert len(found.take().series) == 0


@pytest.mark.parametrize("value", ["9" * 18, "0." + "9" * 12, "999999.999999999999", "-" + "9" * 18, "0"])
def test_eighteen_digits_of_them_twelve_decimals_are_kept(value: str) -> None:
    block = gathered(reading(value)).take()

    assert Decimal(block.mantissas[0]).scaleb(-block.scales[0]) == Decimal(value)


@pytest.mark.parametrize(
    ("value", "unit"),
    [
        ("1" + "0" * 18, "kWh"),
        ("0." + "0" * 12 + "1", "kWh"),
        ("1234567.999999999999", "kWh"),
        ("0.0000000001", "Wh"),  # thirteen decimals of a kilowatt-hour
        ("9" * 16, "MWh"),
        ("9" * 40, "Wh"),
        ("1E+999999", "MWh"),
        ("NaN", "kWh"),
        ("sNaN", "Wh"),
        ("Infinity", "Wh"),
    ],
)
def test_a_value_that_cannot_be_kept_exactly_is_counted_and_named_and_takes_nothing_with_it(
    value: str, unit: str
) -> None:
    found = gathered(reading(value, unit), reading("1"))

    assert (found.found, found.rejected, len(found)) == (2, 1, 1)
    assert found.note is not None
    assert found.note.startswith("energy: ")


@pytest.mark.parametrize("year", [1, 1969, 2100, 9999])
def test_a_time_that_no_reading_can_have_is_refused_as_everywhere_else(year: int) -> None:
    found = gathered(reading("1", at=datetime(year, 12, 31, tzinfo=UTC)), reading("1"))

    assert (found.rejected, len(found)) == (1, 1)
    assert found.note == f"energy: a time of the year {year}"


@pytest.mark.parametrize(
    ("kept", "words"),
    [
        (target(energy=[Kept(3, "m3")]), "energy: the meter sends kWh, the series is kept in m3"),
        (target(energy=[Kept(3, "kWh"), Kept(4, "Wh")]), "2 series of the meter's config are named 'energy'"),
        (target(other=[Kept(3, "kWh")]), "series 'energy' is not allowed by the meter's config"),
        (target(is_configured=False), "the meter has no type with a config, so no series is allowed for it"),
    ],
)
def test_what_may_not_be_stored_says_why(kept: Target, words: str) -> None:
    found = gathered(reading("1"), reading("2", at=T0 + MINUTE), kept=kept)

    assert (found.found, found.rejected, len(found), found.note) == (2, 2, 0, words)


def test_a_meter_that_names_no_unit_speaks_that_of_the_series_and_another_unit_is_looked_at_anew() -> None:
    kept = target(energy=[Kept(3, "Wh")])

    found = gathered(reading("5", None), reading("5", "kWh"), reading("5", "kvarh"), kept=kept)

    assert list(found.take().mantissas) == [5, 5000]
    assert found.rejected == 1


SPANS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 12)), min_size=1, max_size=12)


@given(SPANS)
def test_what_is_called_covered_was_covered_to_the_last_minute(spans: list[tuple[int, int]]) -> None:
    found = Gathering(target())
    read: set[int] = set()
    for start, length in spans:
        read.update(range(2 * start, 2 * (start + length) + 1))  # halves, so that neighbours do not touch
        found.add(Found([], covered=(T0 + start * MINUTE, T0 + (start + length) * MINUTE)))

    assert found.covered is not None
    first, last = ((at - T0) // MINUTE for at in found.covered)
    assert first <= spans[0][0] <= sum(spans[0]) <= last, "it holds the first span"
    assert set(range(2 * first, 2 * last + 1)) <= read


def test_blocks_of_an_archive_read_oldest_first_are_covered_together() -> None:
    found = Gathering(target())
    for end in (10, 20, 30):
        found.add(Found([], covered=(T0, T0 + end * MINUTE)))

    assert found.covered == (T0, T0 + 30 * MINUTE)
