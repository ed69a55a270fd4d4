import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from pipelines.amr.contract import ClockSeen, ClockSet, Found, Reading, Reported
from pipelines.amr.conversation import converse
from pipelines.amr.faults import BadFrame, LinkLost, MeterFault, NoAnswer
from pipelines.amr.transport import connect
from pipelines.simulators.meters.archive import steady_archive
from pipelines.simulators.meters.mbus import MbusMeter
from pipelines.simulators.meters.responder import Faults
from pipelines.simulators.meters.server import HOST, MeterServer
from tests.unit.amr.mbus.support import call, session

ARCHIVE = steady_archive(start=datetime(2025, 1, 1, tzinfo=UTC), rows=200_000, interval_s=900)
TIMEOUT_S = 0.4
CONNECT_S = 5.0


class Kept:
    """Keeps what a conversation finds, as the collection would store it."""

    def __init__(self) -> None:
        self.readings: list[Reading] = []
        self.clock: datetime | None = None

    async def found(self, found: Found) -> None:
        self.readings += found.readings

    async def clock_seen(self, step: ClockSeen) -> None:
        self.clock = step.meter_at

    async def clock_set(self, step: ClockSet) -> None:
        self.clock = step.meter_at

    async def reserve_counters(self, count: int) -> int:
        raise AssertionError(count)

    async def reported(self, step: Reported) -> None:
        raise AssertionError(step)


def read(faults: Faults, *, secondary: bool = False) -> tuple[Kept, MeterFault | None]:
    """Read a meter with its history over a real socket; return what was kept and the fault, if any."""

    async def talk() -> tuple[Kept, MeterFault | None]:
        server = await MeterServer(lambda given: MbusMeter(ARCHIVE, given), faults).start()
        kept, fault = Kept(), None
        asked = {} if secondary else {"primary_address": 1}
        try:
            async with await connect(HOST, server.port, CONNECT_S) as link:
                one = session(serial="12345678", now=datetime.now(UTC))
                for conversation in (
                    one.open(),
                    one.perform(call("read_values", history=True, **asked)),
                    one.close(),
                ):
                    await converse(link, conversation, kept, timeout_s=TIMEOUT_S)
        except MeterFault as error:
            fault = error
        finally:
            await server.stop()
        return kept, fault

    return asyncio.run(talk())


@pytest.fixture(scope="module")
def undisturbed() -> list[str]:
    kept, fault = read(Faults())
    assert fault is None
    assert len(kept.readings) == 15
    return [f"{reading.series} {reading.value}" for reading in kept.readings]


@pytest.mark.parametrize("secondary", [False, True])
@pytest.mark.parametrize(
    "faults",
    [
        Faults(corrupt_frames=frozenset({1})),
        Faults(corrupt_frames=frozenset({2, 3})),
        Faults(corrupt_frames=frozenset({3, 5})),
        Faults(duplicate_frames=frozenset({1, 2, 3, 4})),
        Faults(reply_delay_s=0.1),
        Faults(byte_delay_s=0.0005),
        Faults(byte_delay_s=0.0005, corrupt_frames=frozenset({2})),
        Faults(clock_drift_s=20),
    ],
    ids=[
        "ack",
        "telegram twice",
        "two telegrams",
        "duplicates",
        "slow",
        "byte by byte",
        "slow and damaged",
        "drift",
    ],
)
def test_what_a_repeat_can_heal_is_healed(faults: Faults, secondary: bool, undisturbed: list[str]) -> None:
    kept, fault = read(faults, secondary=secondary)
    assert fault is None
    found = [f"{reading.series} {reading.value}" for reading in kept.readings]
    # The register may have counted on between the two readouts; the month ends have not.
    assert found[2:] == undisturbed[2:]
    assert len(found) == len(undisturbed)


@pytest.mark.parametrize(
    ("faults", "kind", "count"),
    [
        (Faults(cut_frame=1), LinkLost, lambda count: count == 0),
        (Faults(cut_frame=3), LinkLost, lambda count: count == 2),
        (Faults(silent_from=1), NoAnswer, lambda count: count == 0),
        (Faults(silent_from=3), NoAnswer, lambda count: count == 2),
        (Faults(corrupt_frames=frozenset(range(3, 100))), BadFrame, lambda count: count == 2),
        (Faults(flood=True), BadFrame, lambda count: count == 0),
    ],
    ids=["cut", "cut later", "silent", "silent later", "always damaged", "flood"],
)
def test_what_cannot_be_healed_is_the_right_fault_in_bounded_time(
    faults: Faults, kind: type[MeterFault], count: Callable[[int], bool]
) -> None:
    started = time.monotonic()
    kept, fault = read(faults)
    assert isinstance(fault, kind)
    assert count(len(kept.readings))
    assert time.monotonic() - started < 5
