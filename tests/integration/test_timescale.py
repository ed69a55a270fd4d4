"""What only TimescaleDB Community has: hypertables, the columnstore, continuous aggregates, retention by chunk."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from pipelines import clock
from pipelines.db import timescale
from pipelines.metering import retention
from tests.integration.test_concurrent_writes import together
from tests.integration.test_refresh import assert_rolled_up, random_history
from tests.integration.world import QUARTER, T0, Device, Series, World

pytestmark = pytest.mark.timescale
DAY = timedelta(days=1)


@pytest.fixture
def home(world: World) -> tuple[Device, Series]:
    series = world.series("1.29.0", interval_s=900)
    return world.device(series), series


def write_days(world: World, home: tuple[Device, Series], first: datetime, days: int, value: int = 1) -> None:
    world.write((*home, first + n * QUARTER, value) for n in range(96 * days))


def chunks(world: World, table: str) -> list[tuple]:
    return world.rows(
        "SELECT range_start, range_end, is_compressed FROM timescaledb_information.chunks"
        " WHERE hypertable_schema = 'wattloom' AND hypertable_name = :t ORDER BY 1",
        t=table,
    )


def test_readings_and_energy_are_hypertables_with_a_columnstore(world: World):
    rows = world.rows(
        "SELECT hypertable_name, compression_enabled FROM timescaledb_information.hypertables"
        " WHERE hypertable_schema = 'wattloom' ORDER BY 1"
    )
    assert rows == [("interval_energy", True), ("meter_reading", True)]
    caggs = world.rows(
        "SELECT view_name, materialized_only FROM timescaledb_information.continuous_aggregates ORDER BY 1"
    )
    assert caggs == [("energy_daily_utc_v1", False), ("energy_hourly_v1", False)]
    policies = world.rows("SELECT count(*) FROM timescaledb_information.jobs WHERE hypertable_schema IS NOT NULL")
    assert policies[0][0] >= 4


def test_old_chunks_are_compressed_and_young_ones_are_not(world: World, home):
    write_days(world, home, T0, 70)
    now = clock.now().replace(minute=0, second=0, microsecond=0)
    write_days(world, home, now - 3 * DAY, 3)
    world.work_off()
    done = timescale.compress_due(world.engine)
    states = [state for *_, state in chunks(world, "meter_reading") + chunks(world, "interval_energy")]
    assert done == sum(states) >= 4
    assert not all(states)
    assert timescale.compress_due(world.engine) == 0
    assert timescale.failed_jobs(world.engine) == []


def test_new_repeated_and_corrected_readings_reach_compressed_chunks(world: World, home):
    device, series = home
    neighbours = [world.device(series) for _ in range(12)]  # more tuples than the database decompresses by itself
    write_days(world, home, T0, 100)
    world.write((d, series, T0 + n * QUARTER, 1) for d in neighbours for n in range(96 * 100))
    world.work_off()
    assert timescale.compress_due(world.engine) >= 6
    write_days(world, home, T0, 100)
    assert world.rows("SELECT count(*) FROM wattloom.reading_change") == [(0,)]
    rows = [(d, series, T0 + n * QUARTER, 2) for d in [device, *neighbours] for n in range(96 * 95)]
    assert world.write(rows).corrected == len(rows)
    assert world.write([(device, series, T0 - QUARTER, 5)]).inserted == 1
    world.work_off()
    assert_rolled_up(world, device)
    assert sum(row[3] for row in world.energy(device)) == (96 * 95 * 2 + 96 * 5 + 5) * 10**9
    assert world.rows("SELECT DISTINCT value FROM wattloom.meter_reading_version") == [(Decimal(1),)]


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize(
    ("first", "count"),
    [(0, 96), (0, 4), (92, 4), (95, 1), (96, 1), (95, 2), (4, 4), (3, 1), (96 * 30, 96), (96 * 30 - 1, 1)],
)
def test_aggregates_are_right_after_a_correction_that_ends_on_a_bucket_edge(
    world: World, home, first, count, compressed
):
    device, series = home
    write_days(world, home, T0 - DAY, 34)
    world.work_off()
    if compressed:
        timescale.compress_due(world.engine)
    assert_rolled_up(world, device)
    world.write((device, series, T0 + n * QUARTER, 7) for n in range(first, first + count))
    world.work_off()
    assert_rolled_up(world, device)
    ((total,),) = world.rows("SELECT sum(energy_uwh) FROM wattloom.energy_daily_utc")
    assert total == (96 * 34 + 6 * count) * 10**9


def test_deleted_readings_leave_the_aggregates_too(world: World, home):
    device, _ = home
    write_days(world, home, T0, 3)
    world.work_off()
    world.execute(
        "DELETE FROM wattloom.meter_reading WHERE \"timestamp\" >= '2024-01-02' AND \"timestamp\" < '2024-01-03'"
    )
    world.execute(
        "INSERT INTO wattloom.reading_change (device_id, from_at, to_at) VALUES (:d, '2024-01-02', '2024-01-03')",
        d=device.sensor_id,
    )
    world.work_off()
    assert_rolled_up(world, device)
    assert len(world.derived(device)["energy_daily_utc"]) == 2


def test_shards_that_refresh_at_the_same_time_do_not_fail(world: World):
    devices = random_history(world, 99)
    ids = [device.sensor_id for device in devices]
    from pipelines.insight.work import Limits  # noqa: PLC0415

    for device in devices:
        world.mark_changed(device)
    world.derive()
    together(*[lambda one=one: world.refresh(Limits(devices=[one])) for one in ids])
    world.refresh()
    for device in devices:
        assert_rolled_up(world, device)
    assert world.rows("SELECT * FROM wattloom.energy_change") == []


def test_a_change_that_is_derived_during_a_refresh_waits_for_the_next_one(world: World, home, monkeypatch):
    from pipelines.insight import refresh as refreshing  # noqa: PLC0415

    device, series = home
    write_days(world, home, T0, 2)
    world.derive()
    lock = refreshing.lock_devices

    def late(connection, devices):
        if not world.rows("SELECT FROM wattloom.meter_reading_version"):
            world.write([(device, series, T0, 9)])
            world.derive()
        return lock(connection, devices)

    monkeypatch.setattr(refreshing, "lock_devices", late)
    world.refresh()
    assert world.rows("SELECT count(*) FROM wattloom.energy_change") == [(1,)]
    world.refresh()
    assert_rolled_up(world, device)


def test_retention_drops_whole_chunks_and_keeps_what_was_rolled_up(world: World, home):
    device, _ = home
    write_days(world, home, T0, 100)
    world.work_off()
    timescale.compress_due(world.engine)
    before = world.derived(device)
    number = len(chunks(world, "meter_reading"))
    counts = retention.apply(world.engine, now=T0 + 100 * DAY, retention_days=10)
    assert counts["readings"] > 0
    assert len(chunks(world, "meter_reading")) < number
    assert min(at for _, at in world.readings(device)) == T0 + 90 * DAY
    assert world.derived(device) == before
    world.mark_changed(device)
    world.work_off()
    assert world.derived(device) == before
    assert_rolled_up(world, device)
