"""A session with an IEC 62056-21 meter in mode C: data readout, programming mode, registers, profiles, clock.

Source: IEC 62056-21:2002, clauses 5, 6.3 and 6.4; VDEW-Lastenheft 2.1 for tables and load profiles.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pipelines.amr.contract import (
    Call,
    ClockSeen,
    ClockSet,
    Conversation,
    Exchange,
    Found,
    Meter,
    Now,
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
    option_select,
    programming_mode,
    sign_on,
    unless_repeated,
)
from pipelines.amr.faults import (
    AuthenticationFailed,
    BadData,
    LinkLost,
    MeterFault,
    Misconfigured,
    Refused,
    Unsupported,
)
from pipelines.amr.protocols.iec62056_21.datasets import DataSet, data_sets
from pipelines.amr.protocols.iec62056_21.devices import Device, choose_device
from pipelines.amr.protocols.iec62056_21.profile import ProfileRows
from pipelines.amr.protocols.iec62056_21.times import clock, written_like
from pipelines.amr.protocols.iec62056_21.transfer import ProfileRange, profile_slices, read_range
from pipelines.amr.protocols.iec62056_21.values import asked_for, clock_of, first_group, readings_of

_CLOCK_TOLERANCE = timedelta(seconds=60)
PROFILE = "P.01"


@dataclass(slots=True)
class State:
    """What the session remembers: its mode, how far the meter's clock is ahead, the last answer."""

    is_programming: bool = False
    is_clock_known: bool = False
    ahead: timedelta = timedelta(0)
    last_answer: str = ""


class Iec62056Session:
    """One connection to one meter.

    The mode is chosen at sign-on. The session opens in programming mode, for the password and the clock; a data
    readout breaks that off and signs on anew. A meter that answers programming mode with its table, or whose model
    says that it has none, can be read out all the same.
    """

    def __init__(self, meter: Meter, now: Now) -> None:
        self.state = State()
        self._meter = meter
        self._now = now

    def open(self) -> Conversation:
        """Sign on in programming mode, give the password if there is one, read the clock if there is one."""
        device = choose_device(self._meter, None)
        if device.has_programming:
            yield from self._enter()
        if self.state.is_programming:
            yield from self._see_clock(device)

    def perform(self, call: Call) -> Conversation:
        """Carry out a call."""
        device = choose_device(self._meter, call.arguments.get("model"))
        if call.name == "read_values":
            yield from self._read_values(device, call.arguments.get("table"))
            return
        if call.name not in {
            "read_registers",
            "set_time",
            "read_profile_by_date",
            "read_profile_by_offset_seconds",
        }:
            raise Unsupported(f"IEC 62056-21 meters have no call {call.name!r}")
        if not self.state.is_programming and device.has_programming:
            yield from self._enter()
        if not self.state.is_programming:
            raise Unsupported("the meter has no programming mode")
        match call.name:
            case "read_registers":
                yield from self._read_registers(device, call.arguments["registers"])
            case "set_time":
                yield from self._set_time(device, call.arguments.get("allowed_drift_seconds"))
            case "read_profile_by_date":
                zone, end = self._meter.zone, call.arguments.get("end_date")
                start = date_start(call, zone)
                yield from self._read_profile(call, device, start, end and local_instant(end, zone))
            case _:
                start = offset_start(call, (self._now() + self.state.ahead).replace(microsecond=0))
                yield from self._read_profile(call, device, start, None)

    def close(self) -> Conversation:
        """Break off."""
        if self.state.is_programming:
            self.state.is_programming = False
            yield Exchange(BREAK, None)

    def _enter(self) -> Dialogue[None]:
        identification = yield from sign_on(self._meter.address)
        if not identification.is_mode_c:
            return
        entered = yield from programming_mode(identification)
        self.state.is_programming = entered.head == "P0"
        if self.state.is_programming and self._meter.keys.password:
            yield from self._log_in(self._meter.keys.password)

    def _log_in(self, password: str) -> Dialogue[None]:
        """Give the password: once, whatever the meter says."""
        request = command("P1", f"({checked_password(password)})")
        try:
            answer = yield from ask(request, _is_no_verdict, may_resend=False)
        except Refused:
            raise AuthenticationFailed("the meter does not take the password (NAK)") from None
        if answer.head != "ACK":
            self.state.is_programming = answer.head != "B0"
            raise AuthenticationFailed(f"the meter does not take the password ({answer.head or answer.text[:6]})")

    def _read(self, device: Device, register: str) -> Dialogue[str]:
        """Return the text that answers a register's read command.

        Raises
        ------
        Refused, LinkLost
            The meter says no, or ends the session.
        """

        def is_stale(message: Message) -> bool:
            said = message.text.partition("(")[0]
            return message.head not in {"", "B0"} or (bool(said) and not _is_same(said, register))

        answer = yield from ask(command(device.read, f"{register}()"), is_stale)
        answer = yield from unless_repeated(answer, self.state.last_answer)
        self.state.last_answer = answer.text
        self._raise_for(answer, register)
        return answer.text

    def _raise_for(self, answer: Message, asked: str) -> None:
        if answer.head == "B0":
            self.state.is_programming = False
            raise LinkLost(f"{asked}: the meter ended the session")
        if answer.text.startswith("(ER"):
            raise Refused(f"{asked}: the meter answers {answer.text[1:33].partition(')')[0]}")

    def _read_clock(self, device: Device) -> Dialogue[tuple[datetime, str, str]]:
        """Return the meter's clock [UTC] and how it shows its time and date."""
        date = first_group((yield from self._read(device, device.clock_date)))
        time = first_group((yield from self._read(device, device.clock_time)))
        at = clock(time, date, self._meter.zone)
        self.state.ahead, self.state.is_clock_known = at - self._now(), True
        return at, time, date

    def _see_clock(self, device: Device) -> Conversation:
        """Read the clock; a meter that shows none is no fault."""
        try:
            at, _, _ = yield from self._read_clock(device)
        except (Refused, BadData):
            return
        yield ClockSeen(at)

    def _read_values(self, device: Device, table: int | None) -> Conversation:
        yield from self.close()
        identification = yield from sign_on(self._meter.address, "?" if table is None else str(table))
        request = option_select(identification, "0") if identification.is_mode_c else b""
        answer = yield from ask(request, lambda message: bool(message.head))
        sets = data_sets(answer.text)
        collected = self._now().replace(microsecond=0)
        shown = clock_of(sets, device)
        at = clock(*shown, self._meter.zone) if shown else collected
        if shown and not self.state.is_clock_known:
            self.state.ahead, self.state.is_clock_known = at - self._now(), True
            yield ClockSeen(at)
        yield Found(readings_of(sets, device, at, self._meter.zone))

    def _read_registers(self, device: Device, registers: list[str]) -> Conversation:
        """Read each register; what the meter refuses is raised when the others are stored."""
        at = self._now().replace(microsecond=0)
        refusals: list[MeterFault] = []
        for register in registers:
            try:
                text = yield from self._read(device, register)
                sets = [DataSet(register, item.groups) for item in data_sets(text)[:1]]
                found = readings_of(sets, device, at, self._meter.zone) or asked_for(sets, at)
            except (Refused, BadData) as fault:
                refusals.append(fault)
                continue
            yield Found(found)
        if len(refusals) == 1:
            raise refusals[0]
        if refusals:
            raise Refused("; ".join(str(fault) for fault in refusals))

    def _set_time(self, device: Device, allowed_drift_s: int | None) -> Conversation:
        shown, time, date = yield from self._read_clock(device)
        yield ClockSeen(shown)
        if allowed_drift_s is not None and abs(shown - self._now()) <= timedelta(seconds=allowed_drift_s):
            return
        at = self._now().replace(microsecond=0)
        new_time, new_date = written_like(at, self._meter.zone, time, date)
        for address, value in ((device.clock_date, new_date), (device.clock_time, new_time)):
            answer = yield from ask(command(device.write, f"{address}({value})"), _is_no_verdict)
            self._raise_for(answer, address)
        kept, _, _ = yield from self._read_clock(device)
        if abs(kept - self._now()) > _CLOCK_TOLERANCE:
            raise Refused(f"the meter kept its clock at {kept.isoformat()}")
        yield ClockSet(at)

    def _read_profile(self, call: Call, device: Device, start: datetime, end: datetime | None) -> Conversation:
        """Read slice after slice, oldest first; a repeated slice is older than what was asked for."""
        if end is not None and end < start:
            raise Misconfigured("end_date lies before start_date")
        name = call.arguments.get("profile") or PROFILE
        latest = end or (self._now() + self.state.ahead).astimezone(UTC)
        rows = ProfileRows(device, self._meter.zone)
        for first, last in profile_slices(start, latest, device, self._meter.zone):
            asked = ProfileRange(name, start, first, None if end is None and last >= latest else last)
            yield from read_range(asked, rows, device, self._meter.zone, self._raise_for)


def _is_same(said: str, asked: str) -> bool:
    """Tell whether an answer's address is the one asked for; either may leave out A-B."""
    return said == asked or said.rpartition(":")[2] == asked.rpartition(":")[2]


def _is_no_verdict(message: Message) -> bool:
    """Tell that a message says nothing about a write: neither ACK, nor an error, nor the end."""
    return message.head not in {"ACK", "B0"} and not message.text.startswith("(ER")
