"""Which months are computed, what is stored of them, and that days, weeks and months agree."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from analytics.calendar import to_us
from pipelines import clock, steps
from pipelines.db.engine import unit_of_work
from pipelines.household.store import write_appliances, write_place, write_property
from pipelines.insight import disaggregate as disaggregation
from pipelines.insight import due
from pipelines.settings import Settings
from pipelines.weather.cells import cell_of
from pipelines.weather.store import Hours, Source, place_id, write_hours
from tests.integration.world import Device, World

HOUR = timedelta(hours=1)
NOW = datetime(2024, 6, 10, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _june() -> None:
    clock.start_at(NOW)


@pytest.fixture
def home(world: World) -> Device:
    """A meter with hourly values of 2023-12 to 2024-06-09, 1 kWh each."""
    series = world.series("1-0:1.29.0", interval_s=3600)
    device = world.device(series, zone="Europe/London")
    start = datetime(2023, 12, 1, tzinfo=UTC)
    world.write((device, series, start + n * HOUR, 1) for n in range(24 * 191))
    world.work_off()
    return device


def due_of(world: World, at: datetime = NOW) -> list[str]:
    with unit_of_work(world.engine) as connection:
        return [str(month)[:7] for month in sorted(due.due_months(connection, None, at))]


def compute(settings: Settings, **options: object) -> dict:
    return steps.disaggregate_month(settings=settings, **options)


def correct(world: World, device: Device, at: datetime, value: int = 2) -> None:
    ((series,),) = world.rows(
        "SELECT series_id FROM wattloom.reading_channel WHERE device_id = :d", d=device.sensor_id
    )
    world.write([(device, series, at, value)])
    world.work_off()


def test_the_three_months_before_this_one_are_due_and_no_older_one(world: World, home: Device):
    assert due_of(world) == ["2024-03", "2024-04", "2024-05"]


def test_a_month_is_due_only_once_it_has_ended_in_every_zone(world: World, home: Device):
    assert due_of(world, datetime(2024, 6, 1, 1, tzinfo=UTC))[-1] == "2024-04"
    assert due_of(world, datetime(2024, 6, 1, 23, tzinfo=UTC))[-1] == "2024-05"


def test_what_is_computed_is_due_no_more_until_a_reading_changes_it(
    world: World, home: Device, settings: Settings
):
    assert compute(settings)["months"] == ["2024-03", "2024-04", "2024-05"]
    assert due_of(world) == []
    assert compute(settings)["home_months"] == 0
    correct(world, home, datetime(2024, 4, 17, 12, tzinfo=UTC))
    assert due_of(world) == ["2024-04", "2024-05"]  # May learned from April
    compute(settings)
    assert due_of(world) == []


def test_an_old_month_is_computed_when_named_and_recomputed_when_it_went_stale(
    world: World, home: Device, settings: Settings
):
    compute(settings)
    correct(world, home, datetime(2024, 1, 5, 12, tzinfo=UTC))
    assert "2024-01" not in due_of(world)
    assert compute(settings, month="2024-01")["home_months"] == 1
    correct(world, home, datetime(2024, 1, 6, 12, tzinfo=UTC))
    assert "2024-01" in due_of(world)


def test_a_span_of_months_is_computed_whole(home: Device, settings: Settings):
    done = compute(settings, start="2023-12-01", end="2024-03-01")
    assert done["months"] == ["2023-12", "2024-01", "2024-02"]


def test_another_model_version_makes_every_result_stale(world: World, home: Device, settings: Settings):
    compute(settings)
    world.execute("UPDATE wattloom.disaggregation_month SET model_version = '0.0.1'")
    assert due_of(world) == ["2024-03", "2024-04", "2024-05"]


DAYS = """
    SELECT r.month + d.n::integer - 1, d.energy_uwh, d.total_mwh,
           (SELECT sum(p.energy_mwh)::bigint FROM unnest(r.parts_mwh) WITH ORDINALITY AS p (energy_mwh, n)
            WHERE mod(p.n - d.n, cardinality(r.total_mwh)) = 0)
    FROM wattloom.disaggregation_month AS r
    CROSS JOIN LATERAL unnest(r.energy_uwh, r.total_mwh) WITH ORDINALITY AS d (energy_uwh, total_mwh, n) ORDER BY 1
"""
COUNTS = """
    SELECT month, (SELECT sum(n) FROM unnest(expected_intervals) AS e (n)),
           (SELECT sum(n) FROM unnest(valid_intervals) AS v (n)), timezone
    FROM wattloom.disaggregation_month ORDER BY 1
"""


def test_classes_add_up_to_each_day_and_the_days_to_the_energy(world: World, home: Device, settings: Settings):
    compute(settings)
    rows = world.rows(DAYS)
    assert [row[0] for row in rows] == [date(2024, 3, 1) + timedelta(days=n) for n in range(92)]
    assert all(total == parts for _, _, total, parts in rows)
    short, usual = 23_000_000, 24_000_000
    assert [row[2] for row in rows] == [short if row[0] == date(2024, 3, 31) else usual for row in rows]
    assert [row[1] for row in rows] == [row[2] * 1000 for row in rows]
    assert world.rows(COUNTS) == [
        (date(2024, 3, 1), 743, 743, "Europe/London"),
        (date(2024, 4, 1), 720, 720, "Europe/London"),
        (date(2024, 5, 1), 744, 744, "Europe/London"),
    ]


def test_computing_again_gives_the_same_rows(world: World, home: Device, settings: Settings):
    def stored() -> list:
        return [
            world.rows(f"SELECT * FROM wattloom.{table} ORDER BY 1, 2, 3")
            for table in ("disaggregation_month", "home_month_statistics")
        ]

    clock.start_at(NOW)
    compute(settings)
    first = stored()
    compute(settings, month="2024-04")
    again = stored()
    # All but the instant of the computation.
    assert [row[:3] + row[4:] for row in again[0]] == [row[:3] + row[4:] for row in first[0]]
    assert again[1:] == first[1:]
    assert len(first[0]) == 3


def test_a_week_computes_the_months_it_touches_that_have_ended(home: Device, settings: Settings):
    done = steps.disaggregate_week(week="2024-04-29", settings=settings)
    assert done["months"] == ["2024-04", "2024-05"]
    assert steps.disaggregate_week(week="2024-05-27", settings=settings)["months"] == ["2024-05"]


def test_a_device_without_data_in_a_month_gets_no_run(world: World, home: Device, settings: Settings):
    series = world.series("1.29.0", interval_s=3600)
    other = world.device(series)
    world.write((other, series, datetime(2024, 5, 1, tzinfo=UTC) + n * HOUR, 1) for n in range(48))
    world.work_off()
    compute(settings)
    compute(settings, month="2024-03", devices=[other.sensor_id])
    runs = world.rows("SELECT month FROM wattloom.disaggregation_month WHERE device_id = :d", d=other.sensor_id)
    assert runs == [(date(2024, 5, 1),)]
    # Even where a plan was made before its readings went away.
    plan = {date(2024, 2, 1): [other.sensor_id, home.sensor_id]}
    disaggregation.disaggregate_months(world.engine, plan, default_zone="UTC")
    february = world.rows("SELECT device_id FROM wattloom.disaggregation_month WHERE month = '2024-02-01'")
    assert february == [(home.sensor_id,)]


def test_the_days_that_a_month_misses_are_expected_but_not_valid(world: World, settings: Settings):
    series = world.series("1.29.0", interval_s=3600)
    device = world.device(series)
    world.write((device, series, datetime(2024, 5, 2, tzinfo=UTC) + n * HOUR, 1) for n in range(48))
    world.work_off()
    compute(settings)
    ((_, expected, valid, _),) = world.rows(COUNTS)
    assert (expected, valid) == (744, 48)


def test_a_result_goes_when_all_its_readings_were_deleted(world: World, home: Device, settings: Settings):
    compute(settings)
    ((_series,),) = world.rows("SELECT series_id FROM wattloom.reading_channel")
    world.execute(
        "DELETE FROM wattloom.meter_reading WHERE \"timestamp\" >= '2024-04-30' AND \"timestamp\" < '2024-06-02'"
    )
    world.execute(
        "INSERT INTO wattloom.reading_change (device_id, from_at, to_at) VALUES (:d, '2024-04-30', '2024-06-02')",
        d=home.sensor_id,
    )
    world.work_off()
    compute(settings)
    months = world.rows("SELECT month FROM wattloom.disaggregation_month ORDER BY 1")
    assert (date(2024, 5, 1),) not in months
    assert due_of(world) == []
    assert world.rows("SELECT * FROM wattloom.home_month_statistics WHERE month >= '2024-05-01'") == []
    assert (
        world.rows("SELECT * FROM wattloom.day_change WHERE last_day BETWEEN '2024-05-01' AND '2024-05-31'") == []
    )


def months_of(world: World) -> list[str]:
    rows = world.rows("SELECT month FROM wattloom.disaggregation_month ORDER BY 1")
    return [f"{month:%Y-%m}" for (month,) in rows]


def test_a_household_that_changes_makes_every_result_of_its_home_stale_and_the_same_again_none(
    world: World, home: Device, settings: Settings
):
    compute(settings, start="2024-02-01", end="2024-06-01")
    document = {"latitude": 51.5, "longitude": -0.1}
    with unit_of_work(world.engine) as connection:
        write_place(connection, home.sensor_id, document, NOW)
    assert due_of(world) == ["2024-02", "2024-03", "2024-04", "2024-05"]
    compute(settings)
    assert due_of(world) == []
    with unit_of_work(world.engine) as connection:
        write_place(connection, home.sensor_id, document, NOW + HOUR)
    assert due_of(world) == []


def warm(world: World, celsius: float, at: datetime, place: tuple[float, float] = (51.5, -0.1)) -> None:
    """Record the temperature of every hour of April near a place."""
    first = to_us(datetime(2024, 4, 1, tzinfo=UTC))
    hours = Hours(
        hour_us=first + np.arange(30 * 24, dtype=np.int64) * 3_600_000_000,
        temperature_c=np.full(30 * 24, celsius),
        source=np.full(30 * 24, int(Source.MEASURED), dtype=np.int8),
    )
    with unit_of_work(world.engine) as connection:
        write_hours(connection, place_id(connection, cell_of(*place), None), hours, at)


def test_temperatures_that_become_known_or_change_make_the_results_that_learn_from_them_stale(
    world: World, home: Device, settings: Settings
):
    with unit_of_work(world.engine) as connection:
        write_place(connection, home.sensor_id, {"latitude": 51.5, "longitude": -0.1}, NOW)
    compute(settings)
    clock.start_at(NOW + HOUR)
    warm(world, 9.0, clock.now())
    assert due_of(world) == ["2024-04", "2024-05"]
    compute(settings)
    assert due_of(world) == []
    clock.start_at(NOW + 2 * HOUR)
    warm(world, 9.0, clock.now())
    warm(world, 25.0, clock.now(), place=(40.4, -3.7))
    assert due_of(world) == []
    warm(world, 10.0, clock.now())
    assert due_of(world) == ["2024-04", "2024-05"]


STATISTICS = "SELECT month, timezone, statistics_version, days FROM wattloom.home_month_statistics ORDER BY 1"


def test_months_that_were_never_disaggregated_teach_by_statistics_made_on_the_way(
    world: World, home: Device, settings: Settings
):
    compute(settings, month="2024-05")
    made = world.rows(STATISTICS)
    assert [f"{row[0]:%Y-%m}" for row in made] == [
        "2023-12",
        "2024-01",
        "2024-02",
        "2024-03",
        "2024-04",
        "2024-05",
    ]
    assert all(len(row[3]) < 1000 for row in made)
    ((days,),) = world.rows("SELECT inputs -> 'history_days' FROM wattloom.disaggregation_month")
    assert days == 31 + 31 + 29 + 31 + 30
    compute(settings)
    assert world.rows(STATISTICS) == made


def test_a_correction_makes_the_statistics_of_its_month_anew_and_no_others(
    world: World, home: Device, settings: Settings
):
    compute(settings, month="2024-05")
    before = {row[0]: row[3] for row in world.rows(STATISTICS)}
    correct(world, home, datetime(2024, 2, 10, 12, tzinfo=UTC), value=9)
    after = {row[0]: row[3] for row in world.rows(STATISTICS)}
    assert {month for month in before if after[month] != before[month]} == {date(2024, 2, 1)}
    assert set(after) == set(before)
    world.execute("DELETE FROM wattloom.home_month_statistics")
    compute(settings, month="2024-05")
    assert {row[0]: row[3] for row in world.rows(STATISTICS)} == after


@pytest.mark.parametrize("change", ["timezone = 'Asia/Tokyo'", "statistics_version = 0"])
def test_statistics_of_another_zone_or_version_are_made_anew(
    world: World, home: Device, settings: Settings, change: str
):
    compute(settings, month="2024-05")
    made = world.rows(STATISTICS)
    world.execute(f"UPDATE wattloom.home_month_statistics SET {change} WHERE month < '2024-04-01'")
    compute(settings, month="2024-05")
    assert world.rows(STATISTICS) == made


def test_what_makes_a_result_less_certain_is_kept_with_it(world: World, home: Device, settings: Settings):
    with unit_of_work(world.engine) as connection:
        write_property(connection, home.sensor_id, {"power_generator_source": "SOLAR"}, NOW)
        write_appliances(connection, home.sensor_id, {"appliances": []}, NOW)
    compute(settings, month="2024-05")
    ((warnings, keys),) = world.rows("SELECT inputs -> 'warnings', appliances FROM wattloom.disaggregation_month")
    assert warnings == ["generation", "no_place", "no_temperatures"]
    assert {"cooking", "heating"} <= set(keys)
    assert "cooking_heating" not in keys


def test_months_come_in_the_order_of_time_so_that_each_knows_those_before_it(
    world: World, home: Device, settings: Settings
):
    compute(settings, start="2024-01-01", end="2024-06-01")
    rows = world.rows("SELECT inputs -> 'history_days' FROM wattloom.disaggregation_month ORDER BY month")
    assert [days for (days,) in rows] == [31, 62, 91, 122, 152]
    assert months_of(world) == ["2024-01", "2024-02", "2024-03", "2024-04", "2024-05"]


@pytest.mark.parametrize("lost", ["true", "extract(day FROM day) = 9"])
def test_days_that_an_earlier_release_rolled_up_give_the_same_result_without_their_packed_form(
    world: World, home: Device, settings: Settings, lost: str
):
    correct(world, home, datetime(2024, 5, 9, 12, 20, tzinfo=UTC), value=3)
    compute(settings, month="2024-05")
    results = "SELECT parts_mwh, confidence, upper_mwh FROM wattloom.disaggregation_month"
    packed, made = world.rows(results), world.rows(STATISTICS)
    world.execute("DELETE FROM wattloom.home_month_statistics")
    world.execute(f"DELETE FROM wattloom.day_profile WHERE {lost}")
    compute(settings, month="2024-05")
    assert (world.rows(results), world.rows(STATISTICS)) == (packed, made)


def test_the_size_of_batches_and_how_many_go_at_once_change_no_result(
    world: World, home: Device, settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    series = world.series("1.29.0", interval_s=900)
    for zone in ("Asia/Kolkata", "America/St_Johns", "Europe/London"):
        other = world.device(series, zone=zone)
        start = datetime(2024, 4, 10, tzinfo=UTC)
        world.write((other, series, start + n * HOUR / 4, n % 7) for n in range(96 * 40))
    world.work_off()
    results = (
        "SELECT device_id, month, parts_mwh, confidence, inputs, cycle_start_us FROM wattloom.disaggregation_month"
    )
    assert compute(settings)["home_months"] == 9
    whole, made = sorted(world.rows(results), key=str), world.rows(STATISTICS + ", device_id")
    for name, size in (("_HOMES_AT_ONCE", 1), ("_INTERVALS_A_DAY_AT_ONCE", 120), ("_BATCHES_AT_ONCE", 1)):
        monkeypatch.setattr(disaggregation, name, size)
        world.execute("DELETE FROM wattloom.disaggregation_month")
        world.execute("DELETE FROM wattloom.home_month_statistics")
        assert compute(settings)["home_months"] == 9
        assert sorted(world.rows(results), key=str) == whole
        assert world.rows(STATISTICS + ", device_id") == made
