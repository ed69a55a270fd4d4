"""Interval energy into hours, UTC days and local days, against a naive count of every interval."""

import random
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from pipelines.db.engine import unit_of_work
from pipelines.errors import BrokenContract
from pipelines.settings import Settings
from pipelines.steps import CHECKS, check
from tests.integration.world import QUARTER, T0, Device, World

DAY = timedelta(days=1)
YEARS = [
    ("Europe/London", datetime(2024, 3, 29, tzinfo=UTC), 4),  # 23 hours on the 31st
    ("Europe/London", datetime(2024, 10, 25, tzinfo=UTC), 4),  # 25 hours on the 27th
    ("Asia/Kolkata", datetime(2024, 6, 1, tzinfo=UTC), 3),
    ("Asia/Kathmandu", datetime(2024, 6, 1, tzinfo=UTC), 3),
    ("Australia/Lord_Howe", datetime(2024, 4, 5, tzinfo=UTC), 4),  # 24.5 hours on the 7th
    ("Australia/Lord_Howe", datetime(2024, 10, 4, tzinfo=UTC), 4),  # 23.5 hours on the 6th
    ("America/Sao_Paulo", datetime(2017, 10, 13, tzinfo=UTC), 4),  # midnight of the 15th does not exist
    ("America/Sao_Paulo", datetime(2017, 2, 17, tzinfo=UTC), 4),  # the last hour of the 18th comes twice
    ("Pacific/Apia", datetime(2011, 12, 28, tzinfo=UTC), 4),  # the 30th does not exist
]


def local_date(at: datetime, zone: ZoneInfo) -> date:
    """Return the date of an instant; an hour that repeats after midnight stays with the day that has begun."""
    day = at.astimezone(zone).date()
    return max(day, *[(at - timedelta(minutes=15 * n)).astimezone(zone).date() for n in range(1, 9)])


def naive_days(rows, zone: str) -> dict:
    totals: dict = defaultdict(lambda: [Decimal(0), 0, 0])
    for direction, at, _, energy, quality in rows:
        entry = totals[direction, local_date(at, ZoneInfo(zone))]
        entry[0] += Decimal(energy)
        entry[1] += 1
        entry[2] += quality < 3
    return dict(totals)


@pytest.mark.parametrize(("zone", "start", "days"), YEARS)
def test_a_local_day_is_the_sum_of_the_intervals_that_begin_in_it(world: World, zone, start, days):
    register, profile = world.series("1.8.0", interval_s=900), world.series("2.29.0", interval_s=1800)
    device = world.device(register, profile, zone=zone)
    chance = random.Random(zone)
    value, rows = 0, []
    for n in range(96 * days):
        value += chance.randrange(9)
        if chance.random() > 0.05:
            rows.append((device, register, start + n * QUARTER, value))
    rows += [(device, profile, start + n * 2 * QUARTER, chance.randrange(9)) for n in range(48 * days)]
    world.write(rows)
    world.work_off()
    stored = world.derived(device)
    expected = naive_days(stored["interval_energy"], zone)
    found = {(d, day): (energy, valid) for d, day, energy, _, valid, _ in stored["daily_energy"]}
    assert found == {key: (int(energy), valid) for key, (energy, _, valid) in expected.items()}
    assert sum(row[2] for row in stored["daily_energy"]) == sum(row[3] for row in stored["interval_energy"])


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/London", date(2024, 3, 31), 23),
        ("Europe/London", date(2024, 10, 27), 25),
        ("Europe/London", date(2024, 6, 1), 24),
        ("Asia/Kolkata", date(2024, 6, 1), 24),
        ("Australia/Lord_Howe", date(2024, 4, 7), 24.5),
        ("America/Sao_Paulo", date(2017, 10, 15), 23),
    ],
)
def test_a_day_expects_as_many_intervals_as_its_hours_hold(world: World, zone, day, hours):
    series = world.series("1.29.0", interval_s=900)
    device = world.device(series, zone=zone)
    start = datetime.combine(day, datetime.min.time(), UTC) - DAY
    world.write((device, series, start + n * QUARTER, 1) for n in range(96 * 3))
    world.write([])
    world.work_off()
    whole = {row[1]: row[3:] for row in world.derived(device)["daily_energy"]}[day]
    assert whole == (hours * 4, hours * 4, 900)
    world.execute(
        "UPDATE wattloom.interval_energy SET quality = 7, energy_uwh = 0 WHERE device_id = :d AND start_at = :at",
        d=device.sensor_id,
        at=start + 120 * QUARTER,
    )
    world.mark_energy_changed(device, start, start + 3 * DAY)
    world.refresh()
    partly = {row[1]: row[3:] for row in world.derived(device)["daily_energy"]}[day]
    assert partly == (hours * 4, hours * 4 - 1, 900)


SUMS = """
    SELECT direction, date_bin(CAST(:width AS interval), start_at, timestamptz '1970-01-01T00:00:00Z') AS bucket,
           sum(energy_uwh)::bigint, count(*)::integer, (count(*) FILTER (WHERE quality < 3))::integer
    FROM wattloom.interval_energy WHERE device_id = :d GROUP BY 1, 2 ORDER BY 1, 2
"""


def assert_rolled_up(world: World, device: Device) -> None:
    stored = world.derived(device)
    assert stored["energy_hourly"] == world.rows(SUMS, width="1 hour", d=device.sensor_id)
    assert stored["energy_daily_utc"] == world.rows(SUMS, width="1 day", d=device.sensor_id)


def random_history(world: World, seed: int, turns: int = 6) -> list[Device]:
    """Deliver, correct and derive in a random order; everything is worked off at the end."""
    chance = random.Random(seed)
    register, profile = world.series("1.8.0", interval_s=900), world.series("2.29.0", interval_s=900)
    devices = [world.device(register, profile, zone=zone) for zone in ("Europe/London", "Asia/Kathmandu")]
    for _ in range(turns):
        device, series = chance.choice(devices), chance.choice([register, profile])
        first = chance.randrange(400)
        times = range(first, first + chance.randrange(1, 200), chance.choice([1, 1, 2, 8]))
        world.write((device, series, T0 + n * QUARTER, n * 3 + chance.randrange(3)) for n in times)
        if chance.random() < 0.5:
            world.derive()
        if chance.random() < 0.5:
            world.refresh()
    world.work_off()
    return devices


@pytest.mark.parametrize("seed", range(4))
def test_after_a_random_history_all_roll_ups_are_sums_and_no_check_finds_a_row(
    world: World, settings: Settings, seed
):
    for device in random_history(world, seed):
        assert_rolled_up(world, device)
    assert check(settings=settings)["checks"] >= 4


def test_a_correction_of_one_day_changes_that_day_alone(world: World):
    series = world.series("1.29.0", interval_s=900)
    device = world.device(series, zone="Asia/Kolkata")
    world.write((device, series, T0 + n * QUARTER, 1) for n in range(96 * 20))
    world.work_off()
    world.execute("DELETE FROM wattloom.day_change")
    before = world.derived(device)
    # The last quarter of a local day: 18:15 UTC is 23:45 there.
    at = datetime(2024, 1, 10, 18, 15, tzinfo=UTC)
    world.write([(device, series, at, 5)])
    world.work_off()
    after = world.derived(device)
    changed = [new for new, old in zip(after["daily_energy"], before["daily_energy"], strict=True) if new != old]
    assert [(row[1], row[2]) for row in changed] == [(date(2024, 1, 10), 100 * 10**9)]
    touched = world.rows("SELECT first_day, last_day FROM wattloom.day_change")
    # The reading before it may have been cut short by this one, but it is of the same day; the next day is not touched.
    assert touched == [(date(2024, 1, 10), date(2024, 1, 10))]
    for name in ("energy_hourly", "energy_daily_utc"):
        differing = [new for new, old in zip(after[name], before[name], strict=True) if new != old]
        assert len(differing) == 1


BREAKS = {
    "appliances_equal_their_day": [
        (
            "INSERT INTO wattloom.disaggregation_month VALUES (:d, '2024-01-01', '2', now(), 'UTC',"
            " '{lights,others}', '{5000,0}', '{5,0}', '{1,0,3,0}', '{96,96}', '{96,0}', '{1,1}', '{0,0}',"
            " '{5,5}', '{}')"
        ),
    ],
    "cycles_equal_their_class": [
        (
            "INSERT INTO wattloom.disaggregation_month VALUES (:d, '2024-01-01', '2', now(), 'UTC', '{others}', '{0}',"
            " '{0}', '{0}', '{96}', '{96}', '{1}', '{0}', '{0}', '{}', '{electric_vehicle}', '{1}', '{1}', '{false}',"
            " '{1704139200000000}', '{1704146400000000}', '{5}')"
        ),
    ],
    "channels_cover_their_readings": [
        "UPDATE wattloom.reading_channel SET last_at = first_at WHERE device_id = :d",
    ],
    "day_totals_equal_their_intervals": [
        "UPDATE wattloom.daily_energy SET energy_uwh = energy_uwh + 1 WHERE device_id = :d",
    ],
    "erp_readings_have_their_reading": [
        (
            "INSERT INTO wattloom.erp_reading (device_id, series_id, timestamp, has_counter, source, attributes,"
            " was_measured, integration_id, event_id, event_number, created_at, updated_at)"
            " SELECT device_id, series_id, '2031-01-01', true, 'ERP', '{}', false, gen_random_uuid(),"
            " gen_random_uuid(), 1, now(), now() FROM wattloom.reading_channel WHERE device_id = :d"
        ),
    ],
    "intervals_do_not_overlap": [
        "UPDATE wattloom.interval_energy SET duration_s = duration_s + 2 WHERE device_id = :d",
    ],
}


def test_every_check_has_a_way_to_break_it():
    assert set(BREAKS) == {script.stem for script in CHECKS.glob("*.sql")}


@pytest.mark.parametrize("name", sorted(BREAKS))
def test_a_check_finds_the_promise_that_was_broken(world: World, settings: Settings, name):
    series = world.series(interval_s=900)
    device = world.device(series)
    world.write((device, series, T0 + n * QUARTER, n) for n in range(20))
    world.work_off()
    check(settings=settings)
    for statement in BREAKS[name]:
        world.execute(statement, d=device.sensor_id)
    with pytest.raises(BrokenContract, match=name):
        check(settings=settings)
    with unit_of_work(world.engine) as connection:
        script = (CHECKS / f"{name}.sql").read_text(encoding="utf-8")
        assert connection.exec_driver_sql(script).all()
