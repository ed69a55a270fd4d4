"""Writers at the same time, on the same meters: nothing is lost, nothing deadlocks, nothing is written twice."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
import sqlalchemy as sa

from pipelines.db.engine import unit_of_work
from pipelines.insight.work import Limits, lock_devices
from pipelines.metering import deletion
from pipelines.metering.writer import write_readings
from tests.integration.world import QUARTER, T0, Device, Series, World, authored, keyed


def together(*actions: Callable[[], object]) -> list[object]:
    """Run all at once, each in a thread; an error of any fails the test."""
    gate = threading.Barrier(len(actions))

    def run(action: Callable[[], object]) -> object:
        gate.wait(timeout=10)
        return action()

    with ThreadPoolExecutor(len(actions)) as pool:
        return [future.result(timeout=30) for future in [pool.submit(run, action) for action in actions]]


@pytest.fixture
def meters(world: World) -> tuple[list[Device], list[Series]]:
    series = [world.series("1.8.0"), world.series("2.8.0")]
    return [world.device(*series) for _ in range(4)], series


def test_two_writers_of_the_same_readings_store_each_once(world: World, meters):
    devices, series = meters
    rows = [(d, s, T0 + n * QUARTER, n) for d in devices for s in series for n in range(50)]
    done = together(
        lambda: world.write(rows), lambda: world.write(list(reversed(rows))), lambda: world.write(rows)
    )
    assert sum(one.inserted for one in done) == len(rows)
    assert sum(one.corrected for one in done) == 0
    assert world.rows("SELECT count(*) FROM wattloom.meter_reading") == [(len(rows),)]


def test_writers_that_contradict_each_other_leave_one_value_and_a_version_of_every_other(world: World, meters):
    devices, series = meters
    rows = [(d, series[0], T0 + n * QUARTER) for d in devices for n in range(20)]

    def writer(value: int) -> Callable[[], object]:
        return lambda: world.write((*row, value) for row in rows)

    together(*[writer(value) for value in range(4)])
    kept = world.rows('SELECT device_id, "timestamp", count(*) FROM wattloom.meter_reading_version GROUP BY 1, 2')
    assert {count for *_, count in kept} == {3}
    assert len(kept) == len(rows)
    values = {value for device in devices for value in world.readings(device).values()}
    assert len(values) == 1


def test_overlapping_writers_in_opposite_orders_neither_lose_nor_deadlock(world: World, meters):
    devices, series = meters

    def writer(number: int) -> Callable[[], None]:
        def write() -> None:
            order = devices if number % 2 else list(reversed(devices))
            for turn in range(8):
                first = (turn * 3 + number) % 11
                world.write(
                    (d, s, T0 + n * QUARTER, n)
                    for d in order[: 2 + turn % 3]
                    for s in series
                    for n in range(first, first + 9)
                )

        return write

    together(*[writer(number) for number in range(4)])
    expected: dict[int, set[tuple[int, object]]] = {}
    for number in range(4):
        order = devices if number % 2 else list(reversed(devices))
        for turn in range(8):
            first = (turn * 3 + number) % 11
            for device in order[: 2 + turn % 3]:
                keys = {(s.key, T0 + n * QUARTER) for s in series for n in range(first, first + 9)}
                expected.setdefault(device.sensor_id, set()).update(keys)
    for device in devices:
        stored = world.readings(device)
        assert set(stored) == expected[device.sensor_id]
        assert all(value == (at - T0) // QUARTER for (_, at), value in stored.items())
    assert world.rows("SELECT * FROM wattloom.meter_reading_version") == []


def test_a_writer_and_derivations_at_the_same_time_end_in_what_a_quiet_run_gives(world: World, meters):
    devices, _ = meters
    register = world.series("1-0:1.8.0", interval_s=900)

    def write() -> None:
        for turn in range(15):
            world.write((d, register, T0 + n * QUARTER, n) for d in devices for n in range(turn * 4, turn * 4 + 5))

    def work() -> None:
        for _ in range(10):
            world.derive(Limits())
            world.refresh()

    together(write, work, work)
    world.work_off()
    noisy = [world.derived(device) for device in devices]
    for device in devices:
        world.forget_derived(device)
    world.work_off()
    assert noisy == [world.derived(device) for device in devices]
    assert len(noisy[0]["interval_energy"]) == 60


def test_a_device_deleted_while_a_batch_is_under_way_takes_its_readings_with_it(world: World, meters):
    devices, series = meters
    doomed, other = devices[0], devices[1]
    world.write([(doomed, series[0], T0, 0)])
    written, started = threading.Event(), threading.Event()

    def write() -> None:
        with unit_of_work(world.engine) as connection:
            write_readings(
                connection,
                keyed((d, series[0], T0 + n * QUARTER, n) for d in (doomed, other) for n in range(9)),
                authored(),
            )
            written.set()
            started.wait(timeout=10)
            threading.Event().wait(0.2)  # the deletion is waiting for this transaction by now

    def delete() -> None:
        written.wait(timeout=10)
        started.set()
        with unit_of_work(world.engine) as connection:
            deletion.before_device(connection, {"id": doomed.id, "sensor_id": doomed.sensor_id})

    together(write, delete)
    assert world.rows("SELECT DISTINCT device_id FROM wattloom.meter_reading") == [(other.sensor_id,)]
    assert world.rows("SELECT DISTINCT device_id FROM wattloom.reading_change") == [(other.sensor_id,)]


def test_a_writer_that_waits_for_a_deletion_finds_the_device_gone(world: World, meters):
    devices, series = meters
    doomed, other = devices[0], devices[1]
    world.write([(doomed, series[0], T0, 0)])
    deleted = threading.Event()

    def delete() -> None:
        with unit_of_work(world.engine) as connection:
            deletion.before_device(connection, {"id": doomed.id, "sensor_id": doomed.sensor_id})
            deleted.set()
            threading.Event().wait(0.3)

    def write() -> object:
        deleted.wait(timeout=10)
        rows = [(doomed, series[0], T0, 1), (doomed, series[1], T0, 1), (other, series[0], T0, 1)]
        return world.write(rows)

    _, done = together(delete, write)
    assert done.gone.tolist() == [True, True, False]
    assert world.rows("SELECT device_id, value FROM wattloom.meter_reading") == [(other.sensor_id, Decimal(1))]
    assert world.rows("SELECT DISTINCT device_id FROM wattloom.reading_channel") == [(other.sensor_id,)]


def test_a_series_deleted_while_a_batch_is_under_way_takes_its_readings_with_it(world: World, meters):
    devices, series = meters
    device = devices[0]
    written = threading.Event()

    def write() -> None:
        with unit_of_work(world.engine) as connection:
            rows = [(device, s, T0 + n * QUARTER, n) for s in series for n in range(5)]
            write_readings(connection, keyed(rows), authored())
            written.set()
            threading.Event().wait(0.3)

    def delete() -> None:
        written.wait(timeout=10)
        with unit_of_work(world.engine) as connection:
            deletion.before_series(connection, {"id": series[0].id, "series_key": series[0].key})

    together(write, delete)
    assert {key for key, _ in world.readings(device)} == {series[1].key}
    world.work_off()
    assert all(row[0] == 2 for row in world.energy(device))


def test_two_derivations_share_the_devices_and_never_the_same_one(world: World, meters, engine: sa.Engine):
    devices, _ = meters
    register = world.series("1-0:1.8.0", interval_s=900)
    world.write((d, register, T0 + n * QUARTER, n) for d in devices for n in range(30))
    ids = [device.sensor_id for device in devices]
    with unit_of_work(engine) as first, unit_of_work(engine) as second:
        assert lock_devices(first, ids[:2]) == ids[:2]
        assert lock_devices(second, ids) == ids[2:]
    together(lambda: world.derive(Limits()), lambda: world.derive(Limits()))
    world.derive()
    assert [len(world.energy(device)) for device in devices] == [29] * 4
