"""What the tests of I-FLAG share: an independent CRC, frames by hand, a recorder of effects, a meter."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from pipelines.amr.contract import Call, ClockSeen, ClockSet, Found, Keys, Meter, Reading, Reported, Step
from pipelines.amr.protocols.iflag import DRIVER
from pipelines.amr.protocols.iflag.session import CorusSession
from pipelines.fields import check_all
from pipelines.simulators.meters.archive import MeterArchive, steady_archive

STOCKHOLM = ZoneInfo("Europe/Stockholm")
NOW = datetime(2024, 3, 1, 5, 5, tzinfo=UTC)  # 06:05 in Stockholm


def naive_crc(data: bytes) -> bytes:
    """Divide the bits, most significant first, by x^16 + x^15 + x^2 + 1: the definition, bit by bit."""
    bits = [int(bit) for byte in data for bit in f"{byte:08b}"] + [0] * 16
    divisor = [int(bit) for bit in f"{0x18005:017b}"]
    for at in range(len(bits) - 16):
        if bits[at]:
            for offset, bit in enumerate(divisor):
                bits[at + offset] ^= bit
    remainder = int("".join(map(str, bits[-16:])), 2)
    return bytes([remainder & 0xFF, remainder >> 8])


def framed(body: bytes) -> bytes:
    frame = b"\x01" + bytes([len(body)]) + body + b"\x03"
    return frame + naive_crc(frame)


def request(text: str) -> bytes:
    """Return a request written in hex without its CRC, with it."""
    frame = bytes.fromhex(text)
    return frame + naive_crc(frame)


def meter(**changes: Any) -> Meter:
    password = changes.pop("password", None)
    defaults: dict[str, Any] = {"name": "G-1", "protocol": "i-flag", "zone": STOCKHOLM}
    return Meter(**(defaults | changes), keys=Keys(password=password))


def session(of: Meter | None = None, now: Callable[[], datetime] = lambda: NOW) -> CorusSession:
    made = DRIVER.session(of or meter(), now)
    assert isinstance(made, CorusSession)
    return made


def call(name: str, since: datetime | None = None, **arguments: Any) -> Call:
    """Return a call whose arguments went through the same check as those of the API."""
    return Call(name=name, arguments=check_all(DRIVER.calls[name].fields, arguments), since=since)


def quarter_hours(rows: int = 4 * 24 * 3, start: datetime = datetime(2024, 2, 27, 6, tzinfo=UTC)) -> MeterArchive:
    return steady_archive(start=start, rows=rows, interval_s=900, step_wh=120, initial_wh=5_000_000)


def readings_of(steps: list[Step]) -> list[Reading]:
    return [reading for step in steps if isinstance(step, Found) for reading in step.readings]


@dataclass
class Recorder:
    """Effects that are kept in memory, in order."""

    steps: list[Step] = field(default_factory=list)

    async def found(self, found: Found) -> None:
        self.steps.append(found)

    async def clock_seen(self, step: ClockSeen) -> None:
        self.steps.append(step)

    async def clock_set(self, step: ClockSet) -> None:
        self.steps.append(step)

    async def reserve_counters(self, count: int) -> int:
        raise AssertionError(f"i-flag has no counters, {count} wanted")

    async def reported(self, step: Reported) -> None:
        self.steps.append(step)
