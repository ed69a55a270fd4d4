"""A session with a LIS-200 device: sign-on, lock, clock, values and archives.

Source: IEC 62056-21, clause 6.4.3 (programming mode); Elster, LIS-200 data interface (archives, locks, errors).
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pipelines.amr.contract import (
    Call,
    ClockSeen,
    ClockSet,
    Conversation,
    Exchange,
    Found,
    Meter,
    Now,
    Reading,
    date_start,
    local_instant,
    offset_start,
)
from pipelines.amr.datalink import (
    BREAK,
    Dialogue,
    Message,
    ask,
    checked_password,
    command,
    programming_mode,
    sign_on,
    unless_repeated,
)
from pipelines.amr.faults import (
    AuthenticationFailed,
    BadData,
    Misconfigured,
    Refused,
    Unsupported,
)
from pipelines.amr.protocols.lis200.devices import Column, Device, Layout, choose_device, core_address
from pipelines.amr.protocols.lis200.errors import error_number, raise_for
from pipelines.amr.protocols.lis200.rows import ArchiveRows, cells, number
from pipelines.amr.protocols.lis200.times import LocalTimes, written
from pipelines.amr.protocols.lis200.transfer import read_blocks

CLOCK = "1:400.0"
_SOURCES, _UNITS = "4", "3"
_CLOCK_TOLERANCE = timedelta(seconds=60)


@dataclass(slots=True)
class State:
    """What the session remembers: how far the meter's clock is ahead, its last answer, the layouts it told us."""

    ahead: timedelta = timedelta(0)
    last_answer: str = ""
    layouts: dict[int, Layout] = field(default_factory=dict)


class Lis200Session:
    """One connection to one device."""

    def __init__(self, meter: Meter, now: Now) -> None:
        self.state = State()
        self._meter = meter
        self._now = now
        self._times = LocalTimes(meter.zone)

    def open(self) -> Conversation:
        """Sign on in programming mode, open the lock with the password if there is one, read the clock."""
        identification = yield from sign_on(self._meter.address)
        if not identification.is_mode_c:
            raise Unsupported(f"{identification.device!r} has no programming mode (Z is {identification.baud})")
        entered = yield from programming_mode(identification)
        if entered.head != "P0":
            raise Unsupported("the device did not enter programming mode")
        if self._meter.keys.password:
            yield from self._unlock(choose_device(self._meter, None), self._meter.keys.password)
        yield ClockSeen((yield from self._read_clock()))

    def perform(self, call: Call) -> Conversation:
        """Carry out a call."""
        device = choose_device(self._meter, call.arguments.get("model"))
        match call.name:
            case "read_single_value":
                yield from self._read_single_value(call, device)
            case "read_archive_by_date":
                end = call.arguments.get("end_date")
                yield from self._read_archive(
                    call,
                    device,
                    date_start(call, self._meter.zone),
                    None if end is None else local_instant(end, self._meter.zone),
                )
            case "read_archive_by_offset_seconds":
                yield from self._read_archive(call, device, offset_start(call, self._meter_now()), None)
            case "set_time":
                yield from self._set_time()
            case _:
                raise Unsupported(f"LIS-200 devices have no call {call.name!r}")

    def close(self) -> Conversation:
        """Break off; the device closes its locks itself."""
        yield Exchange(BREAK, None)

    def _unlock(self, device: Device, password: str) -> Dialogue[None]:
        """Open the lock: once, whatever the device says."""
        request = command("W1", f"{device.lock}({checked_password(password)})")
        try:
            answer = yield from ask(request, _is_no_verdict, may_resend=False)
        except Refused:
            raise AuthenticationFailed("the device does not take the password (NAK)") from None
        if answer.head != "ACK":
            raise AuthenticationFailed(f"the device does not take the password ({answer.head or answer.text[:8]})")

    def _read(self, asked: str) -> Dialogue[str]:
        """Return the text of the answer to ``R1``.

        Raises
        ------
        Refused, LinkLost
            The device says no, or ends the session.
        """
        core = core_address(asked.partition("(")[0])

        def is_stale(message: Message) -> bool:
            said = message.text.partition("(")[0]
            return message.head not in {"", "B0"} or (bool(said) and core_address(said) != core)

        answer = yield from ask(command("R1", asked), is_stale)
        answer = yield from unless_repeated(answer, self.state.last_answer)
        self.state.last_answer = answer.text
        raise_for(answer, asked.partition("(")[0])
        return answer.text

    def _read_clock(self) -> Dialogue[datetime]:
        shown = cells((yield from self._read(f"{CLOCK}(1)")).strip() or "()")[0]
        at = self._times.instant(shown)
        self.state.ahead = at - self._now()
        return at

    def _meter_now(self) -> datetime:
        return (self._now() + self.state.ahead).replace(microsecond=0)

    def _read_single_value(self, call: Call, device: Device) -> Conversation:
        address = call.arguments["address"]
        text = (yield from self._read(f"{address}(1)")).strip() or "()"
        shown = cells(text)[0]
        value = number(shown)
        if value is None:
            raise BadData(f"{address} has no value")
        column = device.values.get(core_address(address), Column(0, address, None))
        unit = shown.partition("*")[2] or column.unit
        yield Found([Reading(column.series, self._meter_now(), value, unit)])

    def _set_time(self) -> Conversation:
        yield ClockSeen((yield from self._read_clock()))
        at = self._now().replace(microsecond=0)
        request = command("W1", f"{CLOCK}({written(at, self._meter.zone)})")
        answer = yield from ask(request, _is_no_verdict)
        raise_for(answer, CLOCK)
        shown = yield from self._read_clock()
        if abs(shown - self._now()) > _CLOCK_TOLERANCE:
            raise Refused(f"the device kept its clock at {shown.isoformat()}")
        yield ClockSet(at)

    def _read_archive(self, call: Call, device: Device, start: datetime, end: datetime | None) -> Conversation:
        archive, position = call.arguments["archive_number"], call.arguments["control_position"]
        if end is not None and end < start:
            raise Misconfigured("end_date lies before start_date")
        layout = device.layout(archive, position) or (yield from self._told_layout(archive, position))
        rows = ArchiveRows(layout, self._times)
        until = "" if end is None else written(end, self._meter.zone)
        head = "R3" if device.rows_per_block else "R1"

        def request_from(first: datetime) -> bytes:
            since = written(first, self._meter.zone)
            return command(head, f"{archive}:V.0({position};{since};{until};{device.rows_per_block or ''})")

        yield from read_blocks(f"archive {archive}", rows, request_from, start, self.state.last_answer)

    def _told_layout(self, archive: int, position: int) -> Dialogue[Layout]:
        """Ask the device for the sources and units of the archive's columns, once a session."""
        known = self.state.layouts.get(archive)
        if known is None:
            sources = cells((yield from self._read(f"{archive}:V.{_SOURCES}(1;;;)")).strip() or "()")
            units = cells((yield from self._read(f"{archive}:V.{_UNITS}(1;;;)")).strip() or "()")
            columns = tuple(
                Column(index, source if ":" not in source else f"{core_address(source)}.0", unit.strip())
                for index, (source, unit) in enumerate(zip(sources, units, strict=False))
                if unit.strip() and source and index != position - 1
            )
            if not columns:
                raise Misconfigured(f"archive {archive} tells no units; name a model that knows its columns")
            known = self.state.layouts[archive] = Layout(time=position - 1, ordinal=None, columns=columns)
        return known


def _is_no_verdict(message: Message) -> bool:
    """Tell that a message says nothing about a write: neither ACK, nor an error, nor the end."""
    return message.head not in {"ACK", "B0"} and error_number(message.text) is None
