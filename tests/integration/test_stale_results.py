"""Which results go stale when what they learned from changes: days and temperatures of the 13 months before."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from analytics.calendar import to_us
from pipelines import clock, steps
from pipelines.db.engine import unit_of_work
from pipelines.household.store import write_place
from pipelines.insight import due
from pipelines.insight.due import months_before
from pipelines.settings import Settings
from pipelines.weather.cells import cell_of
from pipelines.weather.store import Hours, Source, place_id, write_hours
from tests.integration.world import Device, Series, World

HOUR = timedelta(hours=1)
FIRST, LAST = datetime(2022, 12, 1, tzinfo=UTC), datetime(2024, 6, 1, tzinfo=UTC)
NOW = datetime(2024, 6, 10, 12, tzinfo=UTC)
LONDON = (51.5, -0.1)


@pytest.fixture(autouse=True)
def _june() -> None:
    clock.start_at(NOW)


def values(first: datetime, last: datetime) -> Iterator[tuple[datetime, int]]:
    """A home's hourly energy [Wh], warmer in the evening and other from day to day."""
    at = first
    while at < last:
        yield at, 200 + 37 * (at.toordinal() % 11) + 900 * (at.hour in {7, 18, 19}) + at.hour
        at += HOUR


class Home:
    """A meter in London with 18 months of hours, and the results of all of them."""

    def __init__(self, world: World, settings: Settings, first: datetime = FIRST) -> None:
        self.world, self.settings = world, settings
        self.series: Series = world.series("1-0:1.29.0", unit="Wh", interval_s=3600)
        self.device: Device = world.device(self.series, zone="Europe/London")
        self.write(first, LAST)

    def write(self, first: datetime, last: datetime, extra: float = 0) -> None:
        self.world.write(
            (self.device, self.series, at, Decimal(wh) + Decimal(str(extra))) for at, wh in values(first, last)
        )
        self.world.work_off()

    def delete(self, first: datetime, last: datetime) -> None:
        self.world.execute(
            'DELETE FROM wattloom.meter_reading WHERE "timestamp" >= :first AND "timestamp" < :last',
            first=first,
            last=last,
        )
        self.world.execute(
            "INSERT INTO wattloom.reading_change (device_id, from_at, to_at) VALUES (:d, :first, :last)",
            d=self.device.sensor_id,
            first=first - HOUR,
            last=last + HOUR,
        )
        self.world.work_off()

    def compute(self, **options: Any) -> list[str]:
        return steps.disaggregate_month(settings=self.settings, **options)["months"]

    def compute_all(self) -> None:
        self.compute(start="2022-12-01", end="2024-06-01")

    def due(self) -> list[str]:
        with unit_of_work(self.world.engine) as connection:
            return [f"{month:%Y-%m}" for month in sorted(due.due_months(connection, None, clock.now()))]

    def results(self) -> list[tuple[Any, ...]]:
        return self.world.rows(
            "SELECT month, parts_mwh, confidence, lower_mwh, upper_mwh, inputs - 'weather'"
            " FROM wattloom.disaggregation_month ORDER BY 1"
        )


@pytest.fixture
def home(world: World, settings: Settings) -> Home:
    made = Home(world, settings)
    made.compute_all()
    return made


def months(first: date, count: int) -> list[str]:
    return [f"{months_before(first, -n):%Y-%m}" for n in range(count)]


def assert_as_if_computed_anew(home: Home) -> None:
    found = home.results()
    home.world.execute("DELETE FROM wattloom.home_month_statistics")
    home.compute_all()
    assert home.results() == found


def test_a_corrected_day_makes_its_month_and_the_13_after_it_stale_and_no_other(home: Home):
    assert home.due() == []
    at = datetime(2023, 2, 14, 3, tzinfo=UTC)
    home.write(at, at + 5 * HOUR, extra=2500)
    assert home.due() == months(date(2023, 2, 1), 14)
    before = home.results()
    assert home.compute() == months(date(2023, 2, 1), 14)
    after = home.results()
    assert [row[0] for row, was in zip(after, before, strict=True) if row[:-1] != was[:-1]] == [
        months_before(date(2023, 2, 1), -n) for n in range(14)
    ]
    assert home.due() == []
    assert_as_if_computed_anew(home)


def test_a_correction_that_changes_no_statistics_makes_its_own_month_stale_alone(home: Home):
    at = datetime(2023, 2, 14, 13, tzinfo=UTC)
    home.write(at, at + HOUR, extra=0.001)
    assert home.due() == ["2023-02"]
    home.compute()
    assert home.due() == []
    assert_as_if_computed_anew(home)


def test_an_old_month_without_a_result_is_not_computed_but_what_learned_from_it_is(
    world: World, settings: Settings
):
    home = Home(world, settings)
    home.compute()
    at = datetime(2023, 6, 14, 3, tzinfo=UTC)
    home.write(at, at + 5 * HOUR, extra=2500)
    assert home.due() == ["2024-03", "2024-04", "2024-05"]
    home.compute()
    at = datetime(2023, 1, 14, 3, tzinfo=UTC)
    home.write(at, at + 5 * HOUR, extra=2500)
    assert home.due() == []  # January 2023 is 14 months before the oldest


def test_the_same_correction_twice_is_noted_once(home: Home):
    at = datetime(2023, 2, 14, 3, tzinfo=UTC)
    home.write(at, at + HOUR, extra=2500)
    noted = (
        "SELECT first_day, last_day FROM wattloom.day_change WHERE first_day BETWEEN '2023-03-01' AND '2024-05-31'"
    )
    assert home.world.rows(noted) == [(date(2023, 3, 1), date(2024, 3, 31))]
    home.write(at, at + HOUR, extra=3500)
    assert len(home.world.rows(noted)) == 1


def test_days_that_were_deleted_are_unlearned(home: Home):
    home.delete(datetime(2023, 3, 3, tzinfo=UTC), datetime(2023, 3, 9, tzinfo=UTC))
    assert home.due() == months(date(2023, 3, 1), 14)
    home.compute()
    assert home.due() == []
    assert_as_if_computed_anew(home)


def test_a_home_whose_first_months_were_deleted_has_a_shorter_history(home: Home):
    home.delete(FIRST, datetime(2023, 3, 2, tzinfo=UTC))
    assert home.due() == [*months(date(2022, 12, 1), 17)]
    home.compute()
    assert home.due() == []
    assert [f"{row[0]:%Y-%m}" for row in home.results()] == months(date(2023, 3, 1), 15)
    assert home.results()[1][-1]["history_days"] == 31
    assert_as_if_computed_anew(home)


def test_older_days_that_arrive_late_are_learned_with_the_empty_months_after_them(
    world: World, settings: Settings
):
    home = Home(world, settings, first=datetime(2024, 1, 1, tzinfo=UTC))
    home.compute()
    assert home.results()[0][-1]["history_days"] == 60
    home.write(FIRST, FIRST + timedelta(days=3))
    assert home.due() == ["2024-03", "2024-04", "2024-05"]
    home.compute()
    assert home.due() == []
    assert [row[-1]["history_days"] for row in home.results()] == [394, 397, 396]


def warm(world: World, first: datetime, celsius: float, days: int = 5) -> None:
    """Record temperatures of London, now."""
    hours = np.arange(days * 24, dtype=np.int64)
    with unit_of_work(world.engine) as connection:
        write_hours(
            connection,
            place_id(connection, cell_of(*LONDON), None),
            Hours(
                hour_us=to_us(first) + hours * 3_600_000_000,
                temperature_c=np.full(hours.size, celsius),
                source=np.full(hours.size, int(Source.MEASURED), dtype=np.int8),
            ),
            clock.now(),
        )


def test_temperatures_of_any_of_the_13_months_before_make_a_result_stale(home: Home):
    world = home.world
    with unit_of_work(world.engine) as connection:
        write_place(
            connection, home.device.sensor_id, dict(zip(("latitude", "longitude"), LONDON, strict=True)), NOW
        )
    home.compute()
    assert home.due() == []
    clock.start_at(NOW + HOUR)
    warm(world, datetime(2023, 2, 10, tzinfo=UTC), 9.0)
    assert home.due() == months(date(2023, 2, 1), 14)
    home.compute()
    assert home.due() == []
    clock.start_at(NOW + 2 * HOUR)
    warm(world, datetime(2023, 2, 10, tzinfo=UTC), 9.0)
    warm(world, datetime(2024, 6, 1, tzinfo=UTC), 9.0)
    assert home.due() == []
    warm(world, datetime(2023, 2, 12, tzinfo=UTC), -3.0, days=1)
    assert home.due() == months(date(2023, 2, 1), 14)
