"""Over a real loopback socket with every fault of a line: the right readings or the right fault, in bounded time."""

import asyncio
import time
from collections.abc import Iterable
from typing import Any

import pytest

from pipelines.amr.contract import Found
from pipelines.amr.conversation import converse
from pipelines.amr.faults import AuthenticationFailed, BadData, BadFrame, LinkLost, MeterFault, NoAnswer, Refused
from pipelines.amr.transport import connect
from pipelines.simulators.meters.dlms_objects import MeterState
from pipelines.simulators.meters.responder import Faults
from pipelines.simulators.meters.server import HOST, MeterServer
from tests.unit.amr.dlms.meters import ARCHIVE, CASES, NOW, Remembered, call, found, session, simulated

TIMEOUT_S = 0.15
SECONDS = 6.0
PROTECTED = [case for case in CASES if case not in (("wrapper", "none"), ("wrapper", "lls"))]


def read(framing: str, security: str, faults: Faults, **more: Any) -> list[Any]:
    """Read an hour of the profile over a socket; the readings that were stored are returned or fly with the fault."""
    effects = Remembered()
    state = MeterState()

    async def run() -> None:
        server = await MeterServer(
            lambda given: simulated(framing, security, faults=given, state=state, pdu_limit=200), faults
        ).start()
        one = session()
        wanted = call(
            "read_profile_by_date",
            start_date="2026-03-30T08:00:00Z",
            framing=framing,
            security=security,
            client=1,
        )
        try:
            async with await connect(HOST, server.port, 1.0) as link:
                try:
                    await converse(link, one.open(), effects, timeout_s=TIMEOUT_S)
                    await converse(link, one.perform(wanted), effects, timeout_s=TIMEOUT_S)
                finally:
                    await asyncio.wait_for(close(link, one), 2)
        finally:
            await server.stop()

    async def close(link: Any, one: Any) -> None:
        try:
            await converse(link, one.close(), effects, timeout_s=TIMEOUT_S)
        except MeterFault:
            return

    started = time.perf_counter()
    try:
        asyncio.run(asyncio.wait_for(run(), SECONDS))
    finally:
        assert time.perf_counter() - started < SECONDS
    assert all(isinstance(step, Found) or step for step in effects.steps)
    return [(reading.timestamp, int(reading.value)) for reading in found(effects.steps)]


EXPECTED = ARCHIVE.rows(NOW.replace(hour=8, minute=0, second=0), NOW)


@pytest.mark.parametrize(("framing", "security"), CASES)
def test_a_sound_line_gives_the_readings(framing: str, security: str) -> None:
    assert read(framing, security, Faults()) == EXPECTED


@pytest.mark.parametrize("frames", [{2}, {3, 4}, {5}, {6, 8}])
@pytest.mark.parametrize(("framing", "security"), PROTECTED)
def test_damaged_frames_are_repaired_where_damage_can_be_told(
    framing: str, security: str, frames: Iterable[int]
) -> None:
    if framing == "wrapper":
        frames = {number + 1 for number in frames}  # the association response is not asked for twice

    assert read(framing, security, Faults(corrupt_frames=frozenset(frames))) == EXPECTED


@pytest.mark.parametrize(("framing", "security"), CASES)
def test_a_damaged_first_answer_is_repaired_or_a_fault(framing: str, security: str) -> None:
    # Over the wrapper it is the association response: nothing but its own fields can tell that it is damaged.
    faults = Faults(corrupt_frames=frozenset({1}))

    if framing == "hdlc":
        assert read(framing, security, faults) == EXPECTED
    else:
        with pytest.raises((BadData, BadFrame, AuthenticationFailed, Refused)):
            read(framing, security, faults)


@pytest.mark.parametrize("frame", [1, 2, 4])
@pytest.mark.parametrize(("framing", "security"), CASES)
def test_a_cut_line_is_a_lost_link(framing: str, security: str, frame: int) -> None:
    with pytest.raises(LinkLost):
        read(framing, security, Faults(cut_frame=frame))


@pytest.mark.parametrize("frame", [1, 2, 6])
@pytest.mark.parametrize(("framing", "security"), CASES)
def test_a_silent_meter_is_no_answer(framing: str, security: str, frame: int) -> None:
    with pytest.raises(NoAnswer):
        read(framing, security, Faults(silent_from=frame))


@pytest.mark.parametrize(("framing", "security"), CASES)
def test_frames_sent_twice_are_read_once(framing: str, security: str) -> None:
    assert read(framing, security, Faults(duplicate_frames=frozenset(range(1, 60)))) == EXPECTED


@pytest.mark.parametrize("frames", [{1, 3}, {2, 5, 6}])
@pytest.mark.parametrize(("framing", "security"), CASES)
def test_some_frames_sent_twice_are_read_once(framing: str, security: str, frames: set[int]) -> None:
    assert read(framing, security, Faults(duplicate_frames=frozenset(frames), reply_delay_s=0.005)) == EXPECTED


@pytest.mark.parametrize(("framing", "security"), CASES)
def test_a_slow_meter_is_waited_for(framing: str, security: str) -> None:
    assert read(framing, security, Faults(byte_delay_s=0.0002, reply_delay_s=0.01)) == EXPECTED


@pytest.mark.parametrize(("framing", "security"), CASES)
def test_a_flood_is_a_bad_frame(framing: str, security: str) -> None:
    with pytest.raises(BadFrame):
        read(framing, security, Faults(flood=True))
