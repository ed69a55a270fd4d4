"""Whole sessions over a loopback socket, with every fault a line can have."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from pipelines import clock
from pipelines.amr.contract import Call, ClockSeen, Found, Step
from pipelines.amr.conversation import converse
from pipelines.amr.faults import BadFrame, LinkLost, MeterFault, NoAnswer
from pipelines.amr.transport import connect
from pipelines.simulators.meters.iflag import CorusMeter
from pipelines.simulators.meters.responder import Faults
from pipelines.simulators.meters.server import HOST, MeterServer
from tests.unit.amr.iflag.support import STOCKHOLM, Recorder, call, quarter_hours, readings_of, session

AT = datetime(2024, 3, 1, 5, 5, 10, tzinfo=UTC)
ARCHIVE = quarter_hours(41, datetime(2024, 2, 29, 19, tzinfo=UTC))
TIMEOUT_S = 0.4
DATABASE = call("read_database", database="interval")
FIRST_BLOCK = 8
"""Frames before it: three NULs, identification, PASS, ACK, mapping, clock, pulse weight."""


@pytest.fixture(autouse=True)
def _started_clock() -> Any:
    clock.start_at(AT)
    yield
    clock.start_at(None)


def run(
    *calls: Call, faults: Faults | None = None, timeout_s: float = TIMEOUT_S
) -> tuple[list[Step], MeterFault | None]:
    """Run a session against a served Corus; return what it found and the fault that ended it."""

    async def talk() -> tuple[list[Step], MeterFault | None]:
        server = await MeterServer(lambda held: CorusMeter(ARCHIVE, held, zone=STOCKHOLM), faults).start()
        recorder, talking = Recorder(), session(now=clock.now)
        try:
            async with await connect(HOST, server.port, 2.0) as link:
                for conversation in (talking.open, *(lambda each=each: talking.perform(each) for each in calls)):
                    await converse(link, conversation(), recorder, timeout_s=timeout_s)
                await converse(link, talking.close(), recorder, timeout_s=timeout_s)
        except MeterFault as fault:
            return recorder.steps, fault
        finally:
            await server.stop()
        return recorder.steps, None

    return asyncio.run(asyncio.wait_for(talk(), 30))


def is_whole(steps: list[Step]) -> bool:
    rows = list(reversed(ARCHIVE.rows(AT - timedelta(days=2), AT)[1:]))
    index = [(each.timestamp, each.value) for each in readings_of(steps) if each.series == "7-0:13.2.0"]
    covered = [step.covered for step in steps if isinstance(step, Found)][-1]
    return index == [(at, Decimal(litres) / 1000) for at, litres in rows] and covered == (rows[-1][0], rows[0][0])


def test_a_session_without_faults_reads_the_database_in_order() -> None:
    steps, fault = run(DATABASE, call("set_time", allowed_drift_seconds=60))
    assert fault is None
    assert is_whole(steps)
    assert isinstance(steps[0], ClockSeen)


@pytest.mark.parametrize("frame", [1, 3, 4, 5, 8, 11])
def test_one_corrupt_frame_anywhere_is_repeated_and_nothing_is_lost(frame: int) -> None:
    steps, fault = run(DATABASE, faults=Faults(corrupt_frames=frozenset({frame})))
    assert fault is None
    assert is_whole(steps)


def test_a_line_that_corrupts_everything_ends_as_a_bad_frame() -> None:
    steps, fault = run(DATABASE, faults=Faults(corrupt_frames=frozenset(range(FIRST_BLOCK + 2, 1000))))
    assert isinstance(fault, BadFrame)
    assert readings_of(steps)
    assert all(step.covered is None for step in steps if isinstance(step, Found))


@pytest.mark.parametrize("frame", [2, 5, FIRST_BLOCK + 3])
def test_a_connection_cut_in_mid_frame_keeps_what_was_found(frame: int) -> None:
    steps, fault = run(DATABASE, faults=Faults(cut_frame=frame))
    assert isinstance(fault, LinkLost)
    assert bool(readings_of(steps)) == (frame > FIRST_BLOCK)
    assert all(step.covered is None for step in steps if isinstance(step, Found))


@pytest.mark.parametrize("frame", [1, FIRST_BLOCK + 2])
def test_a_meter_that_falls_silent_is_asked_four_times(frame: int) -> None:
    started = time.monotonic()
    _, fault = run(DATABASE, faults=Faults(silent_from=frame), timeout_s=0.2)
    assert isinstance(fault, NoAnswer)
    assert 0.75 <= time.monotonic() - started < 3


@pytest.mark.parametrize("frames", [{frame} for frame in range(1, 12)] + [set(range(1, 200))])
def test_frames_that_come_twice_change_nothing(frames: set[int]) -> None:
    calls = (DATABASE, call("read_parameters", parameters=["pressure", "temperature"]), DATABASE)
    steps, fault = run(*calls, faults=Faults(duplicate_frames=frozenset(frames)))
    assert fault is None
    assert is_whole(steps[: len(steps) // 2])
    found = [(each.series, each.value) for each in readings_of(steps) if each.series.startswith("7-0:4")]
    assert found == [("7-0:42.0.0", Decimal("4.0125")), ("7-0:41.0.0", Decimal("8.25"))]


def test_a_slow_line_is_waited_for() -> None:
    slow = Faults(reply_delay_s=0.02, byte_delay_s=0.0002)
    steps, fault = run(call("read_database", database="hourly"), faults=slow)
    assert fault is None
    hours = [each.timestamp for each in readings_of(steps) if each.series == "7-0:13.2.0"]
    assert hours == [AT.replace(minute=0, second=0) - timedelta(hours=back) for back in range(10)]


def test_a_flood_ends_at_once() -> None:
    started = time.monotonic()
    steps, fault = run(DATABASE, faults=Faults(flood=True))
    assert isinstance(fault, BadFrame)
    assert steps == []
    assert time.monotonic() - started < 2


def test_a_clock_that_is_off_is_seen_and_set() -> None:
    steps, fault = run(call("set_time", allowed_drift_seconds=10), faults=Faults(clock_drift_s=-600))
    assert fault is None
    seen, was_set = steps
    assert (was_set.meter_at - seen.meter_at).total_seconds() == pytest.approx(600, abs=3)  # type: ignore[union-attr]
