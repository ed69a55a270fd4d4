"""What the tests of both protocols share: messages made byte by byte, calls as the API makes them, a loopback run."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipelines import clock
from pipelines.amr.contract import Call, ClockSeen, ClockSet, Driver, Found, Meter, Reading, Reported, Session
from pipelines.amr.conversation import converse
from pipelines.amr.faults import MeterFault
from pipelines.amr.transport import connect
from pipelines.fields import check_all
from pipelines.simulators.meters.responder import Faults, Responder
from pipelines.simulators.meters.server import HOST, MeterServer


def bcc(content: bytes) -> bytes:
    """The block check as the standard words it: every byte after the first SOH or STX, to ETX or EOT."""
    check = 0
    for byte in content[1:]:
        check = check ^ (byte & 0x7F)
    return content + bytes([check])


def call(driver: Driver, name: str, since: Any = None, **arguments: Any) -> Call:
    return Call(name=name, arguments=check_all(driver.calls[name].fields, arguments), since=since)


def readings(steps: Sequence[object]) -> list[Reading]:
    return [reading for step in steps if isinstance(step, Found) for reading in step.readings]


@dataclass
class Recorder:
    """The collection's side of a session, in memory."""

    steps: list[object] = field(default_factory=list)

    async def found(self, found: Found) -> None:
        self.steps.append(found)

    async def clock_seen(self, step: ClockSeen) -> None:
        self.steps.append(step)

    async def clock_set(self, step: ClockSet) -> None:
        self.steps.append(step)

    async def reserve_counters(self, count: int) -> int:
        return count

    async def reported(self, step: Reported) -> None:
        self.steps.append(step)


@dataclass
class Outcome:
    steps: list[object]
    fault: MeterFault | None
    connections: int

    @property
    def readings(self) -> list[Reading]:
        return readings(self.steps)


def session_over_loopback(
    driver: Driver,
    meter: Meter,
    make: Callable[[Faults], Responder],
    calls: Sequence[Call],
    faults: Faults,
    *,
    timeout_s: float = 0.4,
) -> Outcome:
    """Run one whole session with a simulated meter; it must end by itself within ten seconds."""

    async def run() -> Outcome:
        server = await MeterServer(make, faults).start()
        recorder = Recorder()
        fault: MeterFault | None = None
        try:
            async with asyncio.timeout(10):
                session: Session = driver.session(meter, clock.now)
                async with await connect(HOST, server.port, 2.0) as link:
                    try:
                        await converse(link, session.open(), recorder, timeout_s=timeout_s)
                        for each in calls:
                            await converse(link, session.perform(each), recorder, timeout_s=timeout_s)
                        await converse(link, session.close(), recorder, timeout_s=timeout_s)
                    except MeterFault as error:
                        fault = error
        finally:
            await server.stop()
        return Outcome(recorder.steps, fault, server.connections)

    return asyncio.run(run())
