"""The database fails or changes under a collection: nothing is lost or doubled, and nothing is left behind."""

import asyncio
import gc
import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
import sqlalchemy as sa

from pipelines import clock
from pipelines.amr import collection, effects
from pipelines.amr.collection import Collector
from pipelines.db import tables
from pipelines.db.engine import create_engine, unit_of_work
from pipelines.errors import SourceUnavailable
from pipelines.metering import deletion
from pipelines.simulators.meters.responder import Faults
from pipelines.simulators.meters.server import MeterServer
from tests.integration.amr.station import NOW, Station, lis200, serving
from tests.integration.world import Device

DAY = timedelta(days=1)
TERMINATE = (
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name = 'wattloom'"
)
WAITING = "FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
LEASED = (
    "SELECT count(*) FROM wattloom.network_interface WHERE lease_token IS NOT NULL OR blocked_until IS NOT NULL"
)
Fleet = tuple[list[Device], dict[UUID, MeterServer]]


@pytest.fixture(autouse=True)
def _nothing_left_behind(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """A task or a coroutine that nobody waited for is a failure, and so is what asyncio had to report itself."""
    yield
    gc.collect()
    complaints = [
        r.getMessage() for r in caplog.get_records("call") if r.name == "asyncio" and r.levelno > logging.INFO
    ]
    assert complaints == []


@pytest.fixture
def small(station: Station, monkeypatch: pytest.MonkeyPatch) -> Station:
    """A head end that stores block by block."""
    monkeypatch.setattr(effects, "ENOUGH", 16)
    return station


def _fleet(station: Station, interfaces: int, meters: int, delay_s: float = 0.03) -> Fleet:
    served = {station.interface(1): lis200(Faults(reply_delay_s=delay_s)) for _ in range(interfaces)}
    devices = [station.meter(list(served)[i % interfaces]) for i in range(meters)]
    station.task(*devices)
    assert station.dispatch() == meters
    return devices, served


def _states(station: Station) -> dict[str, int]:
    return dict(station.world.rows("SELECT state, count(*) FROM wattloom.amr_job GROUP BY state"))


def _complete(station: Station, devices: list[Device]) -> None:
    assert _states(station) == {"ok": len(devices)}
    for device in devices:
        assert station.readings(device) == station.expected(NOW - DAY)
    assert station.scalar("SELECT count(*) FROM wattloom.meter_reading_version") == 0
    assert station.scalar(LEASED) == 0


async def _until(condition: Callable[[], Any], seconds: float = 20) -> None:
    ends = time.monotonic() + seconds
    while not await asyncio.to_thread(condition):
        assert time.monotonic() < ends, "it never came to that"
        await asyncio.sleep(0.02)


def _stored_some(station: Station) -> bool:
    return bool(station.scalar("SELECT count(*) FROM wattloom.meter_reading") > 20)


async def _drain(station: Station, engine: sa.Engine | None = None) -> None:
    await Collector(engine or station.engine, station.settings).drain()


def test_connections_that_end_again_and_again_lose_and_double_nothing(small: Station, database_url: str) -> None:
    devices, served = _fleet(small, 4, 16)
    over = threading.Event()
    ended = []

    def terminate() -> None:
        with psycopg.connect(database_url, autocommit=True, application_name="rival") as connection:
            while not over.wait(0.15):
                ended.extend(connection.execute(TERMINATE).fetchone() or ())

    async def run() -> None:
        async with serving(small, served):
            rival = threading.Thread(target=terminate)
            rival.start()
            engine = create_engine(database_url, pool_size=2)
            try:
                await _drain(small, engine)
            finally:
                over.set()
                await asyncio.to_thread(rival.join)
                engine.dispose()
            small.engine.dispose()
            for minutes in (2, 10, 30):  # what was left to run out, and the waits before further attempts
                clock.start_at(NOW + timedelta(minutes=minutes))
                small.world.execute("UPDATE wattloom.amr_job SET attempt = least(attempt, 1)")
                await _drain(small)

    asyncio.run(run())

    assert sum(ended) > 5, "the test ended nothing"
    _complete(small, devices)


def test_a_drain_without_a_database_says_so_and_ends(small: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collection, "POLL_S", 0.01)
    nowhere = create_engine("postgresql://nobody@127.0.0.1:1/none", pool_size=1)

    with pytest.raises(SourceUnavailable, match="no jobs can be claimed"):
        asyncio.run(_drain(small, nowhere))


def _ending_first(database_url: str, count: int) -> sa.Engine:
    """Return an engine whose first transactions lose their connection as they begin."""
    engine, left = create_engine(database_url, pool_size=1), [count]

    def end(connection: sa.Connection) -> None:
        if left[0] > 0:
            left[0] -= 1
            pid = connection.connection.driver_connection.info.backend_pid
            with psycopg.connect(database_url, autocommit=True) as rival:
                rival.execute("SELECT pg_terminate_backend(%s, 2000)", (pid,))

    sa.event.listen(engine, "begin", end)
    return engine


@pytest.mark.parametrize("is_worker", [False, True], ids=["drain", "worker"])
def test_a_connection_that_ends_while_jobs_are_claimed_is_outlived(
    small: Station, monkeypatch: pytest.MonkeyPatch, database_url: str, is_worker: bool
) -> None:
    monkeypatch.setattr(collection, "POLL_S", 0.05)
    interface = small.interface(1)
    identifier = small.invoke(small.meter(interface))
    engine = _ending_first(database_url, 5)

    async def run() -> None:
        async with serving(small, {interface: lis200()}):
            collector, stop = Collector(engine, small.settings), asyncio.Event()
            work = asyncio.create_task(collector.serve(stop, priority=0) if is_worker else collector.drain())
            await _until(lambda: work.done() or small.job(identifier).state == "ok")
            stop.set()
            await work

    asyncio.run(run())
    engine.dispose()

    assert (small.job(identifier).state, small.job(identifier).attempt) == ("ok", 1)


def _delete_device(station: Station, device: Device, _interface: UUID) -> None:
    with unit_of_work(station.engine) as connection:
        deletion.before_device(connection, {"id": device.id, "sensor_id": device.sensor_id})


def _delete_series(station: Station, _device: Device, _interface: UUID) -> None:
    with unit_of_work(station.engine) as connection:
        deletion.before_series(connection, {"id": station.register.id, "series_key": station.register.key})


def _delete_config(station: Station, device: Device, _interface: UUID) -> None:
    with unit_of_work(station.engine) as connection:
        deletion.before_config(connection, {"id": device.config})
        connection.execute(
            sa.delete(tables.meter_device_config).where(tables.meter_device_config.c.id == device.config)
        )


def _change_config(station: Station, device: Device, _interface: UUID) -> None:
    station.world.execute(
        "DELETE FROM wattloom.meter_device_config_series WHERE config_id = :id", id=device.config
    )


def _delete_interface(station: Station, _device: Device, interface: UUID) -> None:
    station.world.execute("DELETE FROM wattloom.network_interface WHERE id = :id", id=interface)


def _delete_organization(station: Station, _device: Device, _interface: UUID) -> None:
    number = station.scalar(
        "SELECT number FROM wattloom.organization WHERE id = :id", id=station.world.organization
    )
    with unit_of_work(station.engine) as connection:
        deletion.before_organization(connection, {"id": station.world.organization, "number": number})


@pytest.mark.parametrize(
    ("change", "left"),
    [
        (_delete_device, {"ok": 3}),
        (_delete_series, {"ok": 4}),
        (_delete_config, {"ok": 4}),
        (_change_config, {"ok": 4}),
        (_delete_interface, {"ok": 4}),
        (_delete_organization, {}),
    ],
)
def test_what_is_deleted_or_changed_in_mid_session_takes_nothing_else_with_it(
    small: Station, change: Callable[[Station, Device, UUID], None], left: dict[str, int]
) -> None:
    devices, served = _fleet(small, 4, 4, delay_s=0.1)

    async def run() -> None:
        async with serving(small, served):
            drain = asyncio.create_task(_drain(small))
            await _until(lambda: _stored_some(small))
            await asyncio.to_thread(change, small, devices[0], next(iter(served)))
            await drain

    asyncio.run(run())

    assert _states(small) == left
    known = {sensor for (sensor,) in small.world.rows("SELECT sensor_id FROM wattloom.meter_device")}
    kept = {key for (key,) in small.world.rows("SELECT series_key FROM wattloom.meter_reading_series")}
    stored = small.world.rows("SELECT DISTINCT device_id, series_id FROM wattloom.meter_reading")
    assert all(device in known and series in kept for device, series in stored)
    if left and change is not _delete_series:
        for device in devices[1:]:
            assert small.readings(device) == small.expected(NOW - DAY)
    assert small.scalar(LEASED) == 0


def test_a_collection_that_is_cancelled_gives_back_what_it_holds(small: Station) -> None:
    devices, served = _fleet(small, 3, 9)

    async def run() -> dict[str, int]:
        async with serving(small, served):
            drain = asyncio.create_task(_drain(small))
            await _until(lambda: _stored_some(small))
            drain.cancel()
            with pytest.raises(asyncio.CancelledError):
                await drain
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            assert not [task for task in tasks if "serve" not in repr(task)], "a session goes on"
            held = _states(small)
            assert small.scalar(LEASED) == 0
            await _drain(small)
            return held

    held = asyncio.run(run())

    assert held.get("running", 0) == 0
    assert held["waiting"] >= 6
    assert small.scalar("SELECT max(attempt) FROM wattloom.amr_job") == 1, "being stopped is no attempt"
    _complete(small, devices)


def test_a_worker_that_is_stopped_finishes_the_sessions_under_way_and_puts_the_others_back(small: Station) -> None:
    devices, served = _fleet(small, 1, 6, delay_s=0.05)
    (server,) = served.values()

    async def run() -> tuple[dict[str, int], int]:
        async with serving(small, served):
            stop = asyncio.Event()
            serve = asyncio.create_task(Collector(small.engine, small.settings).serve(stop, priority=0))
            await _until(lambda: server.open_now == 1)
            stop.set()
            await serve
            after = _states(small), server.connections
            await _drain(small)
            return after

    states, connections = asyncio.run(run())

    assert (states, connections) == ({"ok": 1, "waiting": 5}, 1)
    _complete(small, devices)


@pytest.mark.parametrize("can_block", [True, False], ids=["one interface", "one host"])
def test_meters_that_wait_long_for_their_turn_are_not_taken_for_lost(
    small: Station, monkeypatch: pytest.MonkeyPatch, can_block: bool
) -> None:
    monkeypatch.setattr(collection, "MARGIN_S", 0.5)
    monkeypatch.setattr(collection, "_KEEP_S", 0.2)
    monkeypatch.setattr(collection, "POLL_S", 0.2)
    settings = replace(small.settings, amr_session_s=2, amr_sessions_per_host=1)
    interface = small.interface(1, can_block=can_block)
    devices = [small.meter(interface) for _ in range(7)]
    small.task(*devices)
    small.dispatch()
    server = lis200(Faults(reply_delay_s=0.05))  # about 0.7 s a meter; a claim holds for 2.5 s

    async def run() -> None:
        async with serving(small, {interface: server}):
            first = asyncio.create_task(Collector(small.engine, settings).drain())
            await _until(lambda: server.open_now == 1)
            second = asyncio.create_task(
                Collector(small.engine, settings).serve(stop := asyncio.Event(), priority=0)
            )
            await first
            stop.set()
            await second

    began = clock.now()
    asyncio.run(run())

    assert clock.now() - began > timedelta(seconds=3), "nobody had to wait"
    assert (server.connections, server.most_open) == (7, 1)
    assert small.scalar("SELECT max(attempt) FROM wattloom.amr_job") == 1
    _complete(small, devices)


def test_no_more_sessions_are_held_than_the_setting_says(small: Station) -> None:
    settings = replace(small.settings, amr_sessions=2, amr_sessions_per_host=100)
    interface = small.interface(1, can_block=False)
    for _ in range(8):
        small.invoke(small.meter(interface))
    server = lis200(Faults(reply_delay_s=0.1))

    async def run() -> None:
        async with serving(small, {interface: server}):
            collector = Collector(small.engine, settings)
            serve = asyncio.create_task(collector.serve(stop := asyncio.Event(), priority=10))
            while _states(small).get("ok", 0) < 8:
                collector.wake()
                await asyncio.sleep(0.1)
            stop.set()
            await serve

    asyncio.run(run())

    assert server.most_open == 2


def _lock_channels(database_url: str, seconds: float, is_locked: threading.Event) -> None:
    with psycopg.connect(database_url, application_name="rival") as connection:
        connection.execute("SELECT FROM wattloom.reading_channel FOR UPDATE")
        is_locked.set()
        time.sleep(seconds)


@pytest.mark.parametrize("ends", ["stored", "lost"])
def test_what_was_handed_over_when_a_sessions_time_ended_is_counted_and_only_then_covered(
    small: Station, database_url: str, ends: str
) -> None:
    """The deadline comes while a block waits behind a lock; the block is stored later, or its connection ends."""
    settings = replace(small.settings, amr_session_s=2, amr_attempts=1)
    interface = small.interface(1)
    device = small.meter(interface)
    small.world.write(
        [(device, small.register, NOW - timedelta(days=30), 1)]
    )  # so that there is a channel to lock
    identifier = small.invoke(device)
    is_locked = threading.Event()
    engine = create_engine(database_url, pool_size=1)

    async def run() -> None:
        rival = threading.Thread(target=_lock_channels, args=(database_url, 4, is_locked))
        rival.start()
        await asyncio.to_thread(is_locked.wait)
        async with serving(small, {interface: lis200()}):
            drain = asyncio.create_task(_drain(replace(small, settings=settings), engine))
            if ends == "lost":
                await _until(lambda: small.scalar(f"SELECT count(*) {WAITING}") == 1)
                await asyncio.sleep(2.2)  # beyond the deadline
                assert small.scalar(f"SELECT count(pg_terminate_backend(pid)) {WAITING}") == 1
            await drain
        await asyncio.to_thread(rival.join)

    asyncio.run(run())
    engine.dispose()

    job = small.job(identifier)
    stored = [row for row in small.readings(device) if row[0] > NOW - timedelta(days=2)]
    marks = small.world.rows("SELECT read_until FROM wattloom.amr_watermark")
    assert job.readings_stored == len(stored)
    if ends == "stored":
        assert (job.state, job.reason, len(stored)) == ("partial", "deadline", 16)
        assert marks == [(stored[-1][0],)]
    else:
        assert (job.state, job.reason, stored, marks) == ("failed", "storage", [], [])


def test_the_fixture_would_see_a_task_that_nobody_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    async def fails() -> None:
        raise ValueError("lost")

    async def run() -> None:
        task = asyncio.create_task(fails())
        await asyncio.sleep(0)
        del task

    asyncio.run(run())
    gc.collect()

    assert [r for r in caplog.records if r.name == "asyncio" and r.levelno == logging.ERROR]
    caplog.clear()
