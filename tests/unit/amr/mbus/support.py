"""What the tests of M-Bus share: a fixed now, and how to drive a session."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from pipelines.amr.contract import Call, Meter, Step
from pipelines.amr.protocols.mbus import DRIVER
from pipelines.amr.protocols.mbus.session import MbusSession
from pipelines.fields import check_all
from tests.unit.amr.transcripts import Line, play

NOW = datetime(2026, 3, 2, 14, 31, 7, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
NKE = bytes.fromhex("10 40 01 41 16")
REQ_1 = bytes.fromhex("10 7B 01 7C 16")
REQ_0 = bytes.fromhex("10 5B 01 5C 16")
ACK = b"\xe5"


def call(name: str, **arguments: Any) -> Call:
    """Return a call with its arguments checked as the collection checks them."""
    return Call(name=name, arguments=check_all(DRIVER.calls[name].fields, arguments))


def session(serial: str | None = None, *, now: datetime = NOW, **facts: Any) -> MbusSession:
    return MbusSession(Meter(name="m", protocol="mbus", serial=serial, zone=BERLIN, **facts), lambda: now)


def run(transcript: Iterable[Line], asked: Call, **meter: Any) -> list[Step]:
    return play(session(**meter).perform(asked), transcript)


def hexed(text: str) -> bytes:
    return bytes.fromhex(text)


def answered(body: str, *, address: int = 1) -> bytes:
    """Return a long frame around a telegram in hexadecimal: built here, by hand, not by the driver."""
    content = bytes([0x08, address]) + bytes.fromhex(body)
    size = len(content)
    return bytes([0x68, size, size, 0x68]) + content + bytes([sum(content) % 256, 0x16])
