"""Temperatures as they are kept: whose they are, which source counts, what is asked for again, what analysis gets."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
import sqlalchemy as sa

from analytics.errors import BrokenContractError
from pipelines import clock, steps
from pipelines.accounts.organizations import create_organization
from pipelines.cli import main
from pipelines.db.engine import unit_of_work
from pipelines.errors import SourceUnavailable
from pipelines.household.store import write_place
from pipelines.settings import Settings
from pipelines.weather import store
from pipelines.weather.cells import cell_of
from pipelines.weather.loading import LOOK_BACK, missing_spans, wanted_cells
from pipelines.weather.store import Hours, Source, WeatherPlace, Written, hourly_temperatures
from tests.integration.weather_service import WeatherService, answering, weather_service
from tests.integration.world import Device, World, to_us

HOUR = timedelta(hours=1)
T0 = datetime(2024, 3, 1, tzinfo=UTC)
LONDON = (51.509865, -0.118092)
NOW = datetime(2024, 3, 20, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _march() -> None:
    clock.start_at(NOW)


@pytest.fixture
def other(engine: sa.Engine) -> UUID:
    with unit_of_work(engine) as connection:
        return UUID(str(create_organization(connection, "Second")["organization"]["id"]))


@pytest.fixture
def service() -> Iterator[WeatherService]:
    with weather_service() as one:
        yield one


def hours(values: Sequence[float], source: Source = Source.MEASURED, start: datetime = T0) -> Hours:
    return Hours(
        hour_us=np.array([to_us(start + n * HOUR) for n in range(len(values))], dtype=np.int64),
        temperature_c=np.array(values, dtype=np.float64),
        source=np.full(len(values), int(source), dtype=np.int8),
    )


def write(
    world: World,
    values: Hours,
    *,
    organization: UUID | None = None,
    place: tuple[float, float] = LONDON,
    at: datetime = NOW,
) -> Written:
    with unit_of_work(world.engine) as connection:
        number = store.place_id(connection, cell_of(*place), organization)
        return store.write_hours(connection, number, values, at)


def told(
    world: World, organization: UUID, place: tuple[float, float] = LONDON, count: int = 3
) -> list[float | None]:
    last = T0 + (count - 1) * HOUR
    with unit_of_work(world.engine) as connection:
        (row,) = hourly_temperatures(connection, [WeatherPlace(organization, *place)], to_us(T0), to_us(last))
    return [None if np.isnan(value) else round(float(value), 4) for value in row]


def home_at(world: World, place: tuple[float, float], first: datetime, last: datetime) -> Device:
    """A device at a place, with a reading at each end of a span."""
    series = world.series()
    device = world.device(series)
    world.write([(device, series, first, 1), (device, series, last, 2)])
    with unit_of_work(world.engine) as connection:
        write_place(connection, device.sensor_id, {"latitude": place[0], "longitude": place[1]}, NOW)
    return device


def test_where_nothing_is_known_it_is_nan(world: World) -> None:
    write(world, hours([1.0]))

    assert told(world, world.organization) == [1.0, None, None]
    assert told(world, world.organization, (-33.9, 151.2)) == [None, None, None]


def test_many_places_are_answered_at_once_each_in_its_row(world: World, other: UUID) -> None:
    write(world, hours([1.5, -2.5]))
    write(world, hours([7.0], start=T0 + HOUR), organization=other, place=(-33.87, 151.21))
    places = [
        WeatherPlace(other, -33.87, 151.21),
        WeatherPlace(world.organization, 0.0, 0.0),
        WeatherPlace(world.organization, *LONDON),
        WeatherPlace(world.organization, 51.46, -0.08),
    ]

    with unit_of_work(world.engine) as connection:
        rows = hourly_temperatures(connection, places, to_us(T0), to_us(T0 + HOUR))
        none = hourly_temperatures(connection, [], to_us(T0), to_us(T0))

    assert rows.shape == (4, 2)
    assert none.shape == (0, 1)
    np.testing.assert_array_equal(rows[0], [np.nan, 7.0])
    assert np.isnan(rows[1]).all()
    np.testing.assert_array_equal(rows[2:], [[1.5, -2.5]] * 2)


@pytest.mark.parametrize(("first", "last"), [(1, 3_600_000_000), (0, 1), (3_600_000_000, 0)])
def test_only_whole_hours_can_be_asked_for(world: World, first: int, last: int) -> None:
    with unit_of_work(world.engine) as connection, pytest.raises(BrokenContractError):
        hourly_temperatures(connection, [], first, last)


def test_an_organizations_own_temperatures_are_its_alone_and_come_first(world: World, other: UUID) -> None:
    write(world, hours([1.0, 2.0, 3.0]))
    write(world, hours([10.0, 20.0]), organization=world.organization)

    assert told(world, world.organization) == [10.0, 20.0, 3.0]
    assert told(world, other) == [1.0, 2.0, 3.0]


def test_the_nearest_place_within_thirty_kilometres_counts(world: World) -> None:
    write(world, hours([1.0]), place=(51.7, -0.1))
    write(world, hours([2.0]), place=(51.6, -0.1))
    write(world, hours([3.0]), place=(51.2, -0.1))

    assert told(world, world.organization)[0] == 2.0
    assert told(world, world.organization, (51.9, -0.1))[0] == 1.0
    assert told(world, world.organization, (50.9, -0.1)) == [None, None, None]


def test_a_better_source_is_never_replaced_by_a_worse_one(world: World) -> None:
    write(world, hours([1.0] * 3, Source.REANALYSIS))
    assert write(world, hours([2.0] * 2, Source.INTERPOLATED)) == Written(changed=2)
    assert write(world, hours([3.0], Source.MEASURED)) == Written(changed=1)
    assert write(world, hours([4.0, 4.0], Source.INTERPOLATED)) == Written(changed=1, kept=1)
    assert write(world, hours([9.0] * 3, Source.REANALYSIS)) == Written(changed=1, kept=2)

    assert told(world, world.organization) == [3.0, 4.0, 9.0]


def test_the_same_temperatures_again_change_nothing(world: World) -> None:
    values = [13.9, -0.05, 21.3333333]
    first = write(world, hours(values))
    before = world.rows("SELECT * FROM wattloom.weather_hourly ORDER BY hour_at")
    again = write(world, hours(values), at=NOW + HOUR)

    assert (first, again) == (Written(new=3), Written(unchanged=3))
    assert world.rows("SELECT * FROM wattloom.weather_hourly ORDER BY hour_at") == before
    assert write(world, hours([])) == Written()


def test_what_was_known_is_not_forgotten_when_the_service_knows_it_no_more(world: World) -> None:
    write(world, hours([1.0, np.nan], Source.REANALYSIS))

    assert write(world, hours([np.nan, 5.0], Source.REANALYSIS)) == Written(changed=1, kept=1)
    assert told(world, world.organization) == [1.0, 5.0, None]


def test_temperatures_go_with_their_organization_and_the_shared_ones_stay(world: World, other: UUID) -> None:
    write(world, hours([1.0]))
    write(world, hours([2.0]), organization=other)

    with unit_of_work(world.engine) as connection:
        connection.execute(sa.text("DELETE FROM wattloom.organization WHERE id = :id"), {"id": other})

    assert world.rows("SELECT temperature_c FROM wattloom.weather_hourly") == [(1.0,)]


def test_the_service_is_asked_once_for_each_cell_over_the_span_of_its_readings(
    world: World, service: WeatherService, settings: Settings
) -> None:
    home_at(world, LONDON, T0, T0 + timedelta(days=2))
    home_at(world, (51.53, -0.06), T0 - timedelta(days=1), T0)
    home_at(world, (-33.87, 151.21), T0, T0)
    silent = world.device(world.series())
    with unit_of_work(world.engine) as connection:
        write_place(connection, silent.sensor_id, {"latitude": 1.0, "longitude": 1.0}, NOW)
    chosen = with_service(settings, service)

    counts = steps.load_weather(settings=chosen)
    again = steps.load_weather(settings=chosen)

    assert [(q["latitude"], q["longitude"], q["start_date"], q["end_date"]) for q in service.asked] == [
        ("-33.9", "151.2", "2024-03-01", "2024-03-01"),
        ("51.5", "-0.1", "2024-02-29", "2024-03-03"),
    ]
    assert counts == {"places": 2, "requests": 2, "hours": 24 * 5}
    assert again == {"places": 2, "requests": 0, "hours": 0}
    assert told(world, world.organization) == [0.1, 0.6, 1.1]


def with_service(settings: Settings, service: WeatherService) -> Settings:
    return Settings(database_url=settings.database_url, home=settings.home, weather_url=service.url)


def test_nobody_is_asked_unless_a_service_is_set(
    world: World, service: WeatherService, settings: Settings
) -> None:
    home_at(world, LONDON, T0, T0 + HOUR)

    assert steps.load_weather(settings=settings) == {"places": 0, "requests": 0, "hours": 0}
    assert service.asked == []


def test_hours_that_are_not_settled_yet_are_asked_for_again_until_they_are(
    world: World, service: WeatherService, settings: Settings
) -> None:
    home_at(world, LONDON, NOW - timedelta(days=12), NOW)
    chosen = with_service(settings, service)
    service.temperature = lambda hour: None if hour >= datetime(2024, 3, 17) else 1.0  # noqa: DTZ001 - UTC
    steps.load_weather(settings=chosen)
    clock.start_at(NOW + timedelta(days=3))
    service.temperature = lambda _hour: 2.0
    steps.load_weather(settings=chosen)
    clock.start_at(NOW + timedelta(days=30))
    steps.load_weather(settings=chosen)
    last = steps.load_weather(settings=chosen)

    assert [(q["start_date"], q["end_date"]) for q in service.asked] == [
        ("2024-03-08", "2024-03-19"),
        ("2024-03-14", "2024-03-20"),
        ("2024-03-17", "2024-03-20"),
    ]
    assert last["requests"] == 0
    values = world.rows("SELECT temperature_c, count(*) FROM wattloom.weather_hourly GROUP BY 1 ORDER BY 1")
    assert values == [(1.0, 6 * 24), (2.0, 7 * 24)]


def test_measured_hours_are_not_asked_for(world: World, service: WeatherService, settings: Settings) -> None:
    home_at(world, LONDON, T0, T0 + HOUR)
    write(world, hours([5.0] * 24))

    assert steps.load_weather(settings=with_service(settings, service))["requests"] == 0


def test_a_cell_that_fails_does_not_hold_up_the_others(
    world: World, service: WeatherService, settings: Settings
) -> None:
    for latitude in (10.0, 20.0):
        home_at(world, (latitude, 0.0), T0, T0)
    service.misbehaviours = [answering(400, b'{"reason": "no"}')]

    with pytest.raises(SourceUnavailable, match="1 of 2 places have no new temperatures"):
        steps.load_weather(settings=with_service(settings, service))

    assert told(world, world.organization, (20.0, 0.0))[0] == 0.1
    assert told(world, world.organization, (10.0, 0.0))[0] is None


def test_after_three_failures_in_a_row_the_others_wait_for_the_next_run(
    world: World, service: WeatherService, settings: Settings
) -> None:
    for latitude in range(5):
        home_at(world, (10.0 * latitude, 0.0), T0, T0)
    service.misbehaviours = [answering(403)] * 5

    with pytest.raises(SourceUnavailable, match="3 of 5"):
        steps.load_weather(settings=with_service(settings, service))
    assert len(service.asked) == 3


def test_devices_and_times_limit_what_is_asked_for(
    world: World, service: WeatherService, settings: Settings
) -> None:
    home = home_at(world, LONDON, T0, NOW)
    home_at(world, (0.0, 0.0), T0, NOW)

    steps.load_weather(
        devices=[home.sensor_id], start="2023-12-01", end="2023-12-03", settings=with_service(settings, service)
    )

    assert [(q["latitude"], q["start_date"], q["end_date"]) for q in service.asked] == [
        ("51.5", "2023-12-01", "2023-12-02")
    ]


def test_clocks_that_ran_ahead_or_far_behind_ask_for_no_more_than_three_years(world: World) -> None:
    home_at(world, LONDON, datetime(1970, 1, 1, tzinfo=UTC), datetime(2099, 1, 1, tzinfo=UTC))

    with unit_of_work(world.engine) as connection:
        (wanted,) = wanted_cells(connection)

    assert wanted.last == date(2024, 3, 19)
    assert wanted.first == wanted.last - LOOK_BACK


def test_spans_are_few_and_no_longer_than_a_year() -> None:
    def known(*days: date) -> set[int]:
        return {to_us(datetime(d.year, d.month, d.day, h, tzinfo=UTC)) for d in days for h in range(24)}

    first, last = date(2020, 1, 1), date(2021, 12, 31)
    whole = [first + timedelta(days=n) for n in range(731)]

    assert list(missing_spans(first, last, known(*whole))) == []
    assert list(missing_spans(first, last, set())) == [
        (first, date(2020, 12, 31)),
        (date(2021, 1, 1), last),
    ]
    assert list(missing_spans(first, last, known(*whole[1:10], *whole[12:]))) == [(first, whole[11])]
    assert list(missing_spans(first, last, known(*whole[1:20], *whole[22:]))) == [
        (first, first),
        (whole[20], whole[21]),
    ]
    one_hour_missing = known(*whole) - {to_us(datetime(2020, 5, 5, 23, tzinfo=UTC))}
    assert list(missing_spans(first, last, one_hour_missing)) == [(date(2020, 5, 5), date(2020, 5, 5))]


@pytest.fixture
def home(
    settings: Settings, database_url: str, organization: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> Settings:
    """The command's surroundings, with the organization ``First``."""
    monkeypatch.setenv("WATTLOOM_DATABASE_URL", database_url)
    monkeypatch.setenv("WATTLOOM_HOME", str(settings.home))
    return settings


def test_a_file_is_loaded_for_an_organization_or_for_everyone(
    home: Settings, world: World, other: UUID, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, wrong = tmp_path / "weather.csv", tmp_path / "wrong.csv"
    path.write_text(
        "timestamp,temperature_f\n2024-03-01T00:00:00Z,50\n2024-03-01T02:00:00Z,68\nyesterday,1\n"
        "2024-03-01T03:00:00Z,hot\n"
    )
    place = ["--latitude", "51.509865", "--longitude", "-0.118092"]

    own = main(["load-weather", str(path), *place, "--organization", "First", "--rejected", str(wrong)])
    said = capsys.readouterr()

    assert own == 1
    assert said.out == (
        "4 rows, 2 rejected; 3 hours at 51.5, -0.1: 3 new, 0 changed, 0 unchanged, 0 kept as they were measured\n"
    )
    assert "row 3, timestamp: invalid_time: " in said.err
    assert "row 4, temperature_f: invalid_number: " in said.err
    assert len(wrong.read_text().splitlines()) == 3
    assert told(world, world.organization) == [10.0, 15.0, 20.0]
    assert told(world, other) == [None, None, None]
    path.write_text("timestamp,temperature_c\n2024-03-01T00:00:00Z,7\n")
    assert main(["load-weather", str(path), *place]) == 0
    assert told(world, world.organization)[0] == 10.0
    assert told(world, other)[0] == 7.0
    capsys.readouterr()
    assert main(["pipeline", "load-weather", "--from", "2024-03-01"]) == 0
    assert json.loads(capsys.readouterr().out) == {"places": 0, "requests": 0, "hours": 0}


@pytest.mark.parametrize(
    "change", [["--organization", "Nobody"], ["--latitude", "91"], ["--longitude", "nan"], ["nothing.csv"]]
)
def test_a_wrong_argument_is_one_line_and_exit_code_2(
    home: Settings, tmp_path: Path, change: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "weather.csv"
    path.write_text("timestamp,temperature_c\n")
    file = [] if change[0].startswith("-") else change
    options = ["--latitude", "51.5", "--longitude", "0", *(change if not file else [])]

    assert main(["load-weather", *(file or [str(path)]), *options]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
