"""Collectors that are killed or run side by side: every job is done once, no reading is lost or doubled."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from datetime import datetime, timedelta

import pytest

from pipelines import clock
from pipelines.simulators.meters.responder import Faults
from tests.integration.amr.station import NOW, Station, lis200, serving

METERS = 12
LATER = NOW + timedelta(seconds=30)  # when the commands start, by their clocks: after everything the test made
DAY = timedelta(days=1)


def _environment(station: Station, at: datetime | None) -> dict[str, str]:
    moved = {} if at is None else {"WATTLOOM_CLOCK": at.isoformat()}
    return (
        os.environ
        | moved
        | {
            "WATTLOOM_DATABASE_URL": station.settings.database_url or "",
            "WATTLOOM_HOME": str(station.settings.home),
            "WATTLOOM_AMR_SESSION_S": "30",
            "WATTLOOM_AMR_SESSIONS": "4",
        }
    )


def _command(station: Station, *arguments: str, at: datetime | None = LATER) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "pipelines", *arguments],
        env=_environment(station, at),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


async def _until(condition, seconds: float = 30) -> None:
    ends = time.monotonic() + seconds
    while not await asyncio.to_thread(condition):
        assert time.monotonic() < ends, "it never came to that"
        await asyncio.sleep(0.05)


def _states(station: Station) -> dict[str, int]:
    query = "SELECT coalesce(json_object_agg(state, n), '{}') FROM (SELECT state, count(*) AS n"
    return dict(station.scalar(query + " FROM wattloom.amr_job GROUP BY state) AS s"))


@pytest.fixture
def fleet(station: Station):
    """Meters behind three interfaces, each slow enough that a drain takes seconds."""
    interfaces = [station.interface(1) for _ in range(3)]
    meters = [station.meter(interfaces[i % 3]) for i in range(METERS)]
    station.task(*meters)
    assert station.dispatch() == METERS
    return meters, {interface: lis200(Faults(reply_delay_s=0.05)) for interface in interfaces}


def _assert_complete(station: Station, meters) -> None:
    assert _states(station) == {"ok": METERS}
    for meter in meters:
        assert station.readings(meter) == station.expected(NOW - DAY)
    assert station.scalar("SELECT count(*) FROM wattloom.meter_reading_version") == 0
    assert station.scalar("SELECT count(*) FROM wattloom.network_interface WHERE lease_token IS NOT NULL") == 0


def test_a_collector_killed_in_mid_drain_leaves_work_that_the_next_one_completes_once(
    station: Station, fleet
) -> None:
    meters, served = fleet

    async def run() -> int:
        async with serving(station, served):
            victim = _command(station, "pipeline", "collect")
            try:
                await _until(lambda: "ok" in _states(station) and "running" in _states(station))
            finally:
                victim.send_signal(signal.SIGKILL)
                await asyncio.to_thread(victim.communicate)
            done = _states(station).get("ok", 0)
            early = _command(station, "pipeline", "collect")
            await asyncio.to_thread(early.communicate)
            # What the killed one held is left alone until its claims and leases have run out.
            held = _states(station)
            late = _command(station, "pipeline", "collect", at=LATER + timedelta(minutes=2))
            _, errors = await asyncio.to_thread(late.communicate)
            assert late.returncode == 0, errors.decode()
            assert held.get("running", 0) > 0
            return done

    done = asyncio.run(run())

    assert 0 < done < METERS
    _assert_complete(station, meters)


def test_two_collectors_at_once_do_every_job_once(station: Station, fleet) -> None:
    meters, served = fleet

    async def run() -> None:
        async with serving(station, served):
            both = [_command(station, "pipeline", "collect") for _ in range(2)]
            for process in both:
                _, errors = await asyncio.to_thread(process.communicate)
                assert process.returncode == 0, errors.decode()

    asyncio.run(run())

    assert all(server.most_open == 1 for server in served.values())
    assert sum(server.connections for server in served.values()) == METERS
    assert station.scalar("SELECT max(attempt) FROM wattloom.amr_job") == 1
    _assert_complete(station, meters)


def test_a_job_whose_every_collector_was_lost_fails_and_says_so(station: Station) -> None:
    meter = station.meter(station.interface(1))
    identifier = station.invoke(meter)
    with station.engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE wattloom.amr_job SET state = 'running', attempt = 3, claim_token = gen_random_uuid(),"
            " claimed_until = '2026-03-10T11:59:00Z'"
        )

    station.collect()

    job = station.job(identifier)
    assert (job.state, job.reason) == ("failed", "collector_lost")


def test_an_invoked_job_starts_within_a_second_and_the_worker_ends_cleanly(station: Station) -> None:
    interface = station.interface(1)
    meter = station.meter(interface)
    identify = {"address": "1:180.0", "model": "dl230"}
    clock.start_at(None)  # both processes by the same clock

    async def run() -> float:
        async with serving(station, {interface: lis200()}):
            worker = _command(station, "worker", at=None)
            try:
                listening = "SELECT count(*) FROM pg_stat_activity WHERE query = 'LISTEN wattloom_job'"
                await _until(lambda: station.scalar(listening) == 1)
                await asyncio.sleep(0.5)
                began = time.monotonic()
                identifier = await asyncio.to_thread(station.invoke, meter, "read_single_value", identify)
                await _until(lambda: station.job(identifier).started_at is not None)
                waited = time.monotonic() - began
                await _until(lambda: station.job(identifier).state == "ok")
                worker.terminate()
                _, errors = await asyncio.to_thread(worker.communicate)
                assert worker.returncode == 0, errors.decode()
                return waited
            finally:
                with contextlib.suppress(ProcessLookupError):
                    worker.kill()

    waited = asyncio.run(run())

    assert waited < 1.0


def test_the_worker_leaves_scheduled_jobs_to_the_drain(station: Station) -> None:
    interface = station.interface(1)
    meter = station.meter(interface)
    station.task(meter)
    station.dispatch()

    async def run() -> None:
        async with serving(station, {interface: lis200()}):
            worker = _command(station, "worker")
            identifier = await asyncio.to_thread(station.invoke, meter)
            await _until(lambda: station.job(identifier).state == "ok")
            worker.terminate()
            await asyncio.to_thread(worker.communicate)

    asyncio.run(run())

    assert _states(station) == {"ok": 1, "waiting": 1}
