"""Collectors, the worker and the API at the same rows at once: one session an interface, and every job ends."""

import asyncio
import gc
import logging
import random
import threading
import time
from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from litestar.testing import TestClient

from api.app import create_app
from pipelines.amr.collection import Collector
from pipelines.amr.jobs import ON_DEMAND
from pipelines.db.engine import create_engine
from pipelines.simulators.meters.responder import Faults
from tests.integration.amr.station import DAY_BACK, NOW, Station, lis200, serving
from tests.integration.world import Device

SECONDS = 5.0
SPARE = 60
API = "/v1/metering"
DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"


class Operator:
    """Changes, deletes and invokes through the API as fast as it answers."""

    def __init__(self, station: Station, token: str, kept: list[Device], spare: list[Device]) -> None:
        self.station = station
        self.statuses: Counter[tuple[str, int]] = Counter()
        self.errors: list[str] = []
        self._headers = {"Authorization": f"Token {token}"}
        self._kept, self._spare = kept, spare
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def _work(self) -> None:
        chance = random.Random(5)
        engine = create_engine(str(self.station.settings.database_url), pool_size=2)
        with TestClient(create_app(self.station.settings, engine)) as client:
            while not self._over.is_set():
                self._ask(
                    client,
                    *chance.choice([self._patch, self._patch, self._rename, self._delete, self._invoke])(chance),
                )
        engine.dispose()

    def _ask(self, client: Any, method: str, path: str, body: dict[str, Any] | None) -> None:
        answer = client.request(method, f"{API}/{path}", json=body, headers=self._headers)
        what = f"{method} {path.partition('/')[0]}"
        self.statuses[what, answer.status_code] += 1
        if answer.status_code not in {200, 201, 204, 404}:
            self.errors.append(f"{what}: {answer.status_code} {answer.text}")

    def _patch(self, chance: random.Random) -> tuple[str, str, dict[str, Any] | None]:
        rows = self.station.world.rows("SELECT id FROM wattloom.network_interface")
        host = chance.choice(["127.0.0.1", "localhost"])
        return "PATCH", f"network-interfaces/{chance.choice(rows)[0]}", {"fqdn": host}

    def _rename(self, chance: random.Random) -> tuple[str, str, dict[str, Any] | None]:
        device = chance.choice(self._kept)
        return "PATCH", f"meter-devices/{device.id}", {"title": f"title {chance.random()}"}

    def _delete(self, chance: random.Random) -> tuple[str, str, dict[str, Any] | None]:
        if not self._spare:
            return self._rename(chance)
        return "DELETE", f"meter-devices/{self._spare.pop().id}", None

    def _invoke(self, chance: random.Random) -> tuple[str, str, dict[str, Any] | None]:
        body = {
            "meter_device": str(chance.choice([*self._kept, *self._spare]).id),
            "meter_execution_type": "generic_lis200",
            "task_call": "read_archive_by_offset_seconds",
            "task_kwargs": DAY_BACK,
        }
        return "POST", "amr-tasks/invoke", body


def test_collectors_a_worker_and_the_api_at_once(
    station: Station, organization: dict[str, dict[str, str]], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    served = {station.interface(1): lis200(Faults(reply_delay_s=0.005)) for _ in range(6)}
    interfaces: list[UUID] = list(served)
    kept = [station.meter(interfaces[i % 6]) for i in range(24)]
    spare = [station.meter(interfaces[i % 6]) for i in range(SPARE)]
    station.task(*kept, *spare)
    operator = Operator(station, organization["staff"]["token"], kept, list(spare))
    engines = [create_engine(str(station.settings.database_url), pool_size=2) for _ in range(4)]

    async def run() -> None:
        stop = asyncio.Event()
        async with serving(station, served):
            await asyncio.to_thread(station.dispatch, tick=NOW)
            at_work = [
                asyncio.create_task(Collector(engine, station.settings).serve(stop, priority=priority))
                for engine, priority in zip(engines, (0, 0, 0, ON_DEMAND), strict=True)
            ]
            await asyncio.to_thread(operator.start)
            began = time.monotonic()
            while time.monotonic() < began + SECONDS:
                await asyncio.sleep(0.5)
                await asyncio.to_thread(station.dispatch, tick=NOW)  # of the same tick: nothing new, but locks
            await asyncio.to_thread(operator.stop)
            unfinished = "SELECT count(*) FROM wattloom.amr_job WHERE state IN ('waiting', 'running')"
            while await asyncio.to_thread(station.scalar, unfinished):
                assert time.monotonic() < began + 60, "some jobs never end"
                await asyncio.sleep(0.1)
            stop.set()
            await asyncio.gather(*at_work)

    asyncio.run(run())
    for engine in engines:
        engine.dispose()
    gc.collect()

    assert operator.errors == []
    assert min(operator.statuses["PATCH network-interfaces", 200], operator.statuses["POST amr-tasks", 201]) > 5
    assert operator.statuses["DELETE meter-devices", 204] > 5
    assert [server.most_open for server in served.values()] == [1] * 6
    states = Counter(state for (state,) in station.world.rows("SELECT state FROM wattloom.amr_job"))
    assert set(states) == {"ok"}, (
        states,
        station.world.rows("SELECT DISTINCT reason, detail FROM wattloom.amr_job"),
    )
    for device in kept:
        assert station.readings(device) == station.expected(NOW - timedelta(days=1))
    assert station.scalar("SELECT count(*) FROM wattloom.meter_reading_version") == 0
    assert station.scalar("SELECT count(*) FROM wattloom.network_interface WHERE lease_token IS NOT NULL") == 0
    station.world.execute("SELECT pg_stat_force_next_flush()")
    assert station.scalar(DEADLOCKS) == 0
    said = [
        r.getMessage()
        for r in caplog.records
        if r.name in {"asyncio", "wattloom.amr"} and r.levelno >= logging.WARNING
    ]
    assert said == []
