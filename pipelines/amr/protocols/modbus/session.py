"""A session with a Modbus device over TCP: its registers, read in as few requests as it allows."""

from collections.abc import Generator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pipelines.amr.contract import Call, Conversation, Exchange, Found, Meter, Now, Pause, Reading, Step
from pipelines.amr.faults import BadData, BadFrame, MeterFault, Misconfigured, NoAnswer, Refused, Unsupported
from pipelines.amr.models import choose_model, load_models
from pipelines.amr.protocols.modbus.frames import (
    BUSY,
    FRAME_LIMIT,
    TARGET_SILENT,
    Answer,
    Block,
    frame_length,
    read_answer,
    read_request,
    transaction_of,
)
from pipelines.amr.protocols.modbus.registers import DeviceMap, Register, batches, map_of
from pipelines.amr.silence import drained

MODELS = load_models(__package__)
MAPS = {key: map_of(model) for key, model in MODELS.items()}
TRIES = 3
_MOST_STALE = 8
_BUSY_S = 0.5


@dataclass(slots=True)
class TransactionState:
    """What the session remembers: the transaction identifier of its last request."""

    last: int = 0

    def next(self) -> int:
        """Return the identifier of a new request; every repeat gets a new one, so that a late answer is known."""
        self.last = self.last % 0xFFFF + 1
        return self.last


class ModbusSession:
    """One connection to a device or to a gateway in front of it; the unit is named by the call."""

    def __init__(self, meter: Meter, now: Now) -> None:
        self.state = TransactionState()
        self._meter = meter
        self._now = now

    def open(self) -> Conversation:
        """Do nothing: Modbus knows neither sign-on nor clock."""
        yield from ()

    def perform(self, call: Call) -> Conversation:
        """Carry out a call.

        Raises
        ------
        Unsupported
            There is no such call.
        """
        if call.name != "read_registers":
            raise Unsupported(f"Modbus has no call {call.name!r}")
        yield from self._read_registers(call)

    def close(self) -> Conversation:
        """Do nothing: the connection is the session."""
        yield from ()

    def _read_registers(self, call: Call) -> Conversation:
        """Read block by block; a block that the device refuses does not lose the others."""
        device = MAPS[choose_model(MODELS, self._meter, call.arguments.get("model")).key]
        unit = call.arguments.get("unit", device.unit)
        at: datetime | None = None
        refused: MeterFault | None = None
        for block, registers in batches(device, _wanted(device, call.arguments.get("registers"))):
            try:
                words = yield from self._block(unit, block)
                # One time for all: the values of a call belong together.
                at = at or _aligned(self._now(), call.arguments.get("align_seconds"))
                readings = _readings(block, words, registers, at)
            except (Refused, BadData) as fault:
                refused = refused or fault
                continue
            if readings:
                yield Found(readings)
        if refused is not None:
            raise refused

    def _block(self, unit: int, block: Block) -> Generator[Step, Any, tuple[int, ...]]:
        """Return the words of a block, asked for ``TRIES`` times at most.

        Raises
        ------
        Refused
            The device answers with an exception.
        NoAnswer, BadFrame
            Nothing comes, or nothing whole, or the gateway hears nothing of the device.
        """
        fault: MeterFault | None = None
        for _ in range(TRIES):
            try:
                answer = yield from self._attempt(unit, block)
            except NoAnswer as silence:
                fault = silence
                continue
            except BadFrame as damage:
                fault = damage
                yield from drained()
                continue
            if not answer.exception:
                return answer.words
            where = f"{block.table} registers {block.address}..{block.address + block.count - 1} of unit {unit}"
            fault = _fault_of(answer, where)
            if answer.exception in BUSY:
                yield Pause(_BUSY_S)
            elif answer.exception != TARGET_SILENT:
                raise fault
        assert fault is not None  # noqa: S101 - the loop ran
        raise fault

    def _attempt(self, unit: int, block: Block) -> Generator[Step, Any, Answer]:
        """Ask once; answers to earlier requests, late or repeated, are passed over."""
        transaction = self.state.next()
        request = read_request(transaction, unit, block)
        for _ in range(_MOST_STALE):
            frame = yield Exchange(request, frame_length, frame_limit=FRAME_LIMIT)
            if transaction_of(frame) == transaction:
                return read_answer(frame, unit, block)
            request = b""
        raise BadFrame("the device answers requests that were not made")


def _fault_of(answer: Answer, where: str) -> MeterFault:
    if answer.exception == TARGET_SILENT:
        return NoAnswer(f"{where}: {answer.says}")
    return Refused(f"{where}: {answer.says}")


def _wanted(device: DeviceMap, names: list[str] | None) -> list[Register]:
    if not names:
        return list(device.registers)
    known = {register.series for register in device.registers}
    if unknown := sorted(set(names) - known):
        raise Misconfigured(f"the model has no {', '.join(unknown)}; it has {', '.join(sorted(known))}")
    return [register for register in device.registers if register.series in names]


def _aligned(now: datetime, seconds: int | None) -> datetime:
    if not seconds:
        return now
    whole = int(now.timestamp())
    return datetime.fromtimestamp(whole - whole % seconds, UTC)


def _readings(block: Block, words: tuple[int, ...], registers: list[Register], at: datetime) -> list[Reading]:
    found = []
    for register in registers:
        start = register.address - block.address
        value = register.value(words[start : start + register.words])
        if value is not None:
            found.append(Reading(register.series, at, value, register.unit or None))
    return found
