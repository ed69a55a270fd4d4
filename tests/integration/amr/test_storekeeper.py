"""The storekeeper: one transaction for many, nobody's fault another's, and an answer for everyone who waits."""

import asyncio
import threading
from array import array
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import sqlalchemy as sa

from pipelines.amr.contract import MeterEvent
from pipelines.amr.faults import StorageFailed
from pipelines.amr.ops import Block, Events, Op, Reserve, State
from pipelines.amr.storekeeper import Storekeeper
from pipelines.db.engine import create_engine
from tests.integration.amr.station import NOW, Station
from tests.integration.world import Device, Series, to_us

GONE = 999_999


def block(device: Device | int, series: Series, *values: int, start: datetime = NOW) -> Block:
    return Block(
        sensor_id=device if isinstance(device, int) else device.sensor_id,
        series=array("i", [series.key] * len(values)),
        times_us=array("q", [to_us(start + timedelta(minutes=i)) for i in range(len(values))]),
        mantissas=array("q", values),
        scales=array("h", [0] * len(values)),
    )


def at_work(
    station: Station, use: Callable[[Storekeeper], Awaitable[Any]], *, engine: sa.Engine | None = None
) -> Any:
    async def run() -> Any:
        async with Storekeeper(engine or station.engine, token=uuid4(), author="test") as storekeeper:
            return await use(storekeeper)

    return asyncio.run(run())


def answers(storekeeper: Storekeeper, *ops: Op) -> "asyncio.Future[list[Any]]":
    """Hand over ops at once, so that they become one batch; failures are among the answers."""
    return asyncio.gather(*(storekeeper.do(op) for op in ops), return_exceptions=True)


def test_a_poisoned_op_fails_alone(station: Station) -> None:
    meters = [station.meter(None) for _ in range(3)]
    poison: list[Op] = [
        Reserve(sensor_id=GONE, count=1),  # no such meter: a foreign key
        State(sensor_id=meters[0].sensor_id, drift_s=Decimal(10) ** 12),  # more than the column holds
        block(2**31 - 1, station.register, 1),  # a meter that is gone: not stored, and told so
        block(meters[0], Series(station.register.id, 2**31 - 1), 1),
        Reserve(sensor_id=meters[0].sensor_id, count="many"),  # type: ignore[arg-type]
        State(sensor_id="none", drift_s=Decimal(1)),  # type: ignore[arg-type]
        Reserve(sensor_id=2**40, count=1),
    ]
    good: list[Op] = [block(meter, station.register, 1, 2, 3) for meter in meters]
    mixed = [op for pair in zip(poison, [*good, *good, *good], strict=False) for op in pair]

    found = at_work(station, lambda storekeeper: answers(storekeeper, *mixed))

    assert [type(answer) for answer in found[::2]] == [
        StorageFailed,
        StorageFailed,
        int,
        int,
        StorageFailed,
        StorageFailed,
        StorageFailed,
    ]
    assert (found[4], found[6]) == (1, 1)
    assert found[1::2] == [0] * 7
    assert [len(station.readings(meter)) for meter in meters] == [3, 3, 3]


def test_whatever_a_transaction_raises_everyone_hears_of_it(
    station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    meter = station.meter(None)

    def fails(*_arguments: object) -> None:
        raise KeyError("a bug of ours")

    monkeypatch.setattr("pipelines.amr.stores.note_states", fails)

    async def use(storekeeper: Storekeeper) -> list[Any]:
        async with asyncio.timeout(5):
            first = await answers(storekeeper, State(sensor_id=meter.sensor_id), block(meter, station.register, 1))
            return [*first, await storekeeper.do(block(meter, station.register, 1, 2))]

    failure, *stored = at_work(station, use)

    assert isinstance(failure, StorageFailed)
    assert "bug of ours" not in str(failure)
    assert stored == [0, 0]


def test_a_database_that_is_away_is_asked_once_for_all_that_wait(station: Station) -> None:
    nowhere = create_engine("postgresql://nobody@127.0.0.1:1/none", pool_size=1)
    asked = []
    sa.event.listen(nowhere, "do_connect", lambda *_: asked.append(1))
    ops = [State(sensor_id=1) for _ in range(200)]

    found = at_work(station, lambda storekeeper: answers(storekeeper, *ops), engine=nowhere)

    assert all(isinstance(answer, StorageFailed) for answer in found)
    assert len(asked) <= 2, "each of hundreds would wait for a time-out of its own"


def test_a_deadlock_costs_a_second_and_no_reading(station: Station, database_url: str) -> None:
    first, second = station.meter(None), station.meter(None)
    for meter in (first, second):  # their channels exist, so that there is something to lock
        at_work(station, lambda storekeeper, meter=meter: storekeeper.do(block(meter, station.register, 0)))
    lock = "SELECT FROM wattloom.reading_channel WHERE device_id = %s FOR UPDATE"
    has_both = threading.Event()

    def rival() -> None:
        with psycopg.connect(database_url) as connection:
            connection.execute("SET deadlock_timeout = '10s'")  # so that the other one is given up
            connection.execute(lock, (second.sensor_id,))
            has_both.set()
            while not station.scalar("SELECT count(*) FROM pg_locks WHERE NOT granted"):
                pass
            connection.execute(lock, (first.sensor_id,))

    async def use(storekeeper: Storekeeper) -> list[Any]:
        other = asyncio.create_task(asyncio.to_thread(rival))
        await asyncio.to_thread(has_both.wait)
        found = await answers(
            storekeeper, block(first, station.register, 0, 1), block(second, station.register, 0, 1)
        )
        await other
        return found

    assert at_work(station, use) == [0, 0]
    assert [len(station.readings(meter)) for meter in (first, second)] == [2, 2]
    deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    station.world.execute("SELECT pg_stat_force_next_flush()")
    assert station.scalar(deadlocks) >= 1, "the test made none"


def test_who_waits_for_a_storekeeper_that_is_cancelled_hears_so(station: Station) -> None:
    meter = station.meter(None)

    async def run() -> list[Any]:
        storekeeper = Storekeeper(station.engine, token=uuid4(), author="test")
        await storekeeper.__aenter__()
        waiting = [asyncio.create_task(storekeeper.do(block(meter, station.register, 1))) for _ in range(3)]
        await asyncio.sleep(0)
        assert storekeeper._task is not None
        storekeeper._task.cancel()
        async with asyncio.timeout(5):
            found = await asyncio.gather(*waiting, return_exceptions=True)
            late = await answers(storekeeper, State(sensor_id=meter.sensor_id))
        storekeeper._thread.shutdown()
        return [*found, *late]

    found = asyncio.run(run())

    assert [type(answer) for answer in found] == [StorageFailed] * 4


def test_what_waits_at_the_end_is_stored_and_what_comes_after_is_refused(station: Station) -> None:
    meter = station.meter(None)

    async def run() -> Any:
        async with Storekeeper(station.engine, token=uuid4(), author="test") as storekeeper:
            waiting = asyncio.create_task(storekeeper.do(block(meter, station.register, 1)))
            await asyncio.sleep(0)
        with pytest.raises(StorageFailed, match="stores nothing more"):
            await storekeeper.do(block(meter, station.register, 2))
        return await waiting

    assert asyncio.run(run()) == 0
    assert len(station.readings(meter)) == 1


def test_an_op_is_done_though_nobody_waits_for_it_any_more(station: Station) -> None:
    meter = station.meter(None)

    async def use(storekeeper: Storekeeper) -> None:
        waiting = asyncio.create_task(storekeeper.do(block(meter, station.register, 1)))
        await asyncio.sleep(0)
        waiting.cancel()

    at_work(station, use)

    assert len(station.readings(meter)) == 1


def test_counters_are_never_given_twice(station: Station) -> None:
    meter = station.meter(None)
    given: list[int] = []

    async def use(storekeeper: Storekeeper) -> None:
        for _ in range(5):
            given.extend(
                await asyncio.gather(
                    *(storekeeper.do(Reserve(sensor_id=meter.sensor_id, count=3)) for _ in range(4))
                )
            )

    def use_three() -> None:
        at_work(station, use)

    threads = [threading.Thread(target=use_three) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(given) == list(range(1, 3 * 60 + 1, 3))


def test_events_are_kept_once_whatever_a_meter_calls_them(station: Station) -> None:
    meter = station.meter(None)
    events = [
        MeterEvent(NOW, "Cover\0 opened", "a\0b \ud800" + "c" * 600),
        MeterEvent(NOW, "Cover opened", "again"),
        MeterEvent(NOW, "t" * 90, "long"),
    ]
    op = Events(organization_id=station.world.organization, meter_id=meter.id, events=events)

    for _ in range(2):
        assert at_work(station, lambda storekeeper: answers(storekeeper, op, op)) == [None, None]

    rows = station.world.rows("SELECT title, length(content) FROM wattloom.meter_system_event ORDER BY title")
    assert rows == [("Cover opened", 5), ("t" * 50, 4)]
