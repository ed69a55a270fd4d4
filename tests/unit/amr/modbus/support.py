"""What the tests of Modbus share: a fixed now, and how to drive a session."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from pipelines.amr.contract import Call, Found, Meter, Reading, Step
from pipelines.amr.protocols.modbus import DRIVER
from pipelines.amr.protocols.modbus.session import ModbusSession
from pipelines.fields import check_all
from tests.unit.amr.transcripts import Line, play

NOW = datetime(2026, 3, 2, 14, 31, 7, tzinfo=UTC)


def call(**arguments: Any) -> Call:
    """Return a readout with its arguments checked as the collection checks them."""
    fields = DRIVER.calls["read_registers"].fields
    return Call(name="read_registers", arguments=check_all(fields, arguments))


def session(now: datetime = NOW, **facts: Any) -> ModbusSession:
    return ModbusSession(Meter(name="m", protocol="modbus", **facts), lambda: now)


def run(transcript: Iterable[Line], asked: Call, **meter: Any) -> list[Step]:
    return play(session(**meter).perform(asked), transcript)


def readings(steps: list[Step]) -> list[Reading]:
    return [reading for step in steps if isinstance(step, Found) for reading in step.readings]


def unit_data(transaction: int, pdu: str | bytes, *, unit: int = 1) -> bytes:
    """Return a data unit around a PDU: built here, by hand, not by the driver."""
    body = bytes.fromhex(pdu) if isinstance(pdu, str) else pdu
    return transaction.to_bytes(2, "big") + b"\0\0" + (len(body) + 1).to_bytes(2, "big") + bytes([unit]) + body
