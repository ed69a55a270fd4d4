"""What the tests of DLMS/COSEM share: a meter, its simulator, and a collection that only remembers."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from pipelines import clock
from pipelines.amr.contract import Call, ClockSeen, ClockSet, Found, Keys, Meter, Reading, Reported, Step
from pipelines.amr.protocols.dlms import DRIVER
from pipelines.amr.protocols.dlms.session import DlmsSession
from pipelines.fields import check_all
from pipelines.simulators.meters.archive import MeterArchive, steady_archive
from pipelines.simulators.meters.dlms import DlmsMeter
from pipelines.simulators.meters.responder import Faults
from tests.unit.amr.transcripts import answer_from

ZONE = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 3, 30, 10, 0, 7, tzinfo=UTC)
PASSWORD = "opensesame"
GUEK, GAK = bytes(range(16)), bytes(range(0xD0, 0xE0))
ARCHIVE = steady_archive(start=datetime(2026, 3, 25, tzinfo=UTC), rows=2000, interval_s=900, initial_wh=5_000)
SECRETS: dict[str, Any] = {"password": PASSWORD.encode(), "encryption_key": GUEK, "authentication_key": GAK}
CASES = [(framing, security) for framing in ("wrapper", "hdlc") for security in ("none", "lls", "gmac")]


def meter(**more: Any) -> Meter:
    keys = Keys(password=PASSWORD, encryption_key=GUEK, authentication_key=GAK)
    return Meter(**{"name": "m1", "protocol": "dlms-cosem", "zone": ZONE, "keys": keys} | more)


def simulated(
    framing: str = "wrapper", security: str = "none", archive: MeterArchive = ARCHIVE, **more: Any
) -> Any:
    faults = more.pop("faults", Faults())
    settings = {"framing": framing, "security": security, "zone": ZONE, "pdu_limit": 600} | SECRETS | more
    return DlmsMeter(archive, faults, **settings)


def session(**more: Any) -> DlmsSession:
    made = DRIVER.session(meter(**more), clock.now)
    assert isinstance(made, DlmsSession)
    return made


def call(name: str, *, since: datetime | None = None, **arguments: Any) -> Call:
    """Return a call whose arguments went through the driver's field dictionaries, as in production."""
    return Call(name=name, arguments=check_all(DRIVER.calls[name].fields, arguments), since=since)


def steps_of(framing: str, security: str, name: str, simulator: Any = None, **arguments: Any) -> list[Step]:
    """Run one call in a session of its own against a simulated meter."""
    responder = simulator or simulated(framing, security)
    one = session()
    steps = answer_from(one.open(), responder.receive)
    wanted = call(name, framing=framing, security=security, client=1, **arguments)
    steps += answer_from(one.perform(wanted), responder.receive)
    return steps + answer_from(one.close(), responder.receive)


def found(steps: list[Step]) -> list[Reading]:
    return [reading for step in steps if isinstance(step, Found) for reading in step.readings]


class Remembered:
    """The effects of conversations, kept in a list; counters go on from ``first``."""

    def __init__(self, first: int = 1) -> None:
        self.steps: list[Step] = []
        self.counter = first

    async def found(self, found: Found) -> None:
        self.steps.append(found)

    async def clock_seen(self, step: ClockSeen) -> None:
        self.steps.append(step)

    async def clock_set(self, step: ClockSet) -> None:
        self.steps.append(step)

    async def reserve_counters(self, count: int) -> int:
        first, self.counter = self.counter, self.counter + count
        return first

    async def reported(self, step: Reported) -> None:
        self.steps.append(step)


QUARTER = timedelta(minutes=15)
