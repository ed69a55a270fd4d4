"""A simulated IEC 62056-21 meter, mode C: data readout, programming mode, registers, load profile, clock.

It builds and reads its telegrams itself and shares no code with the driver, so that no common error hides.
"""

import re
from abc import ABC, abstractmethod
from datetime import UTC, datetime, timedelta
from functools import reduce
from itertools import pairwise
from operator import xor
from zoneinfo import ZoneInfo

from pipelines.simulators.meters.archive import MeterArchive, meter_now
from pipelines.simulators.meters.responder import Faults

_BUFFER_LIMIT = 4096
_RANGE = re.compile(r"(P\.0[12])\((\d{0,13});(\d{0,13})\)")
_ROWS_PER_BLOCK = 24
_FIRST, _LAST = datetime(1970, 1, 2, tzinfo=UTC), datetime(2099, 1, 1, tzinfo=UTC)


def message(content: bytes) -> bytes:
    """Return a message from its first character to ETX or EOT, with its block check behind it."""
    return content + bytes([reduce(xor, content[1:], 0)])


def kilo(value: int) -> str:
    """Return thousandths as a number of the meter's display: six digits and three decimals."""
    return f"{value // 1000:06d}.{value % 1000:03d}"


class Iec62056Line(ABC):
    """A meter's side of the data link: it cuts what it hears into requests and repeats its last message on NAK."""

    def __init__(self, faults: Faults, address: str, identification: str, zone: ZoneInfo) -> None:
        self.faults = faults
        self.zone = zone
        self.is_programming = False
        self._address = address
        self._identification = identification
        self._buffer = b""
        self._is_signed_on = False
        self._last = b""
        self._blocks: list[bytes] = []
        self._clock_shift = timedelta(0)

    def receive(self, data: bytes) -> list[bytes]:
        """Take a segment; return the messages it makes the meter say."""
        self._buffer = (self._buffer + data)[-_BUFFER_LIMIT:]
        said: list[bytes] = []
        while (taken := self._take()) is not None:
            answer = self._hear(taken)
            if answer:
                self._last = answer
                said.append(answer)
        return said

    def now(self) -> datetime:
        """Return what the meter's clock shows [UTC]."""
        return meter_now(self.faults) + self._clock_shift

    def set_clock(self, local: datetime) -> None:
        """Put the clock to a local time."""
        self._clock_shift = local.replace(tzinfo=self.zone).astimezone(UTC) - meter_now(self.faults)

    @abstractmethod
    def execute(self, head: str, body: str) -> bytes:
        """Return the answer to a command; what a kind of meter adds to the line."""

    def readout(self) -> bytes:
        """Return the message of mode C, data readout."""
        return b""

    def challenge(self) -> bytes:
        """Return what the meter says when it enters programming mode."""
        return message(b"\x01P0\x02()\x03")

    def blocks(self, chunks: list[str]) -> bytes:
        """Return the first of several partial blocks and keep the others until they are acknowledged."""
        last = len(chunks) - 1
        made = [
            message(b"\x02" + chunk.encode("latin-1") + (b"\x03" if index == last else b"\x04"))
            for index, chunk in enumerate(chunks)
        ]
        self._blocks = made[1:]
        return made[0]

    def _take(self) -> bytes | None:
        """Return the next whole request; what can be none is dropped."""
        buffer = self._buffer
        while buffer:
            size = self._size(buffer)
            if size is None:
                break
            if size > 0:
                self._buffer = buffer[size:]
                return buffer[:size]
            buffer = buffer[1:]
        self._buffer = buffer
        return None

    def _size(self, buffer: bytes) -> int | None:
        """Return how long the request at the start is: 0 for none, None while it is not whole."""
        first = buffer[:1]
        if first == b"/":
            end = buffer.find(b"\r\n")
            return None if end < 0 else end + 2
        if first == b"\x06":
            if not self._is_signed_on:
                return 1
            return 6 if len(buffer) >= 6 else None
        if first == b"\x01":
            end = buffer.find(b"\x03")
            return None if end < 0 or end + 2 > len(buffer) else end + 2
        return 1 if first == b"\x15" else 0

    def _hear(self, taken: bytes) -> bytes:
        if taken == b"\x15":
            return self._last
        if taken == b"\x06":
            return self._blocks.pop(0) if self._blocks else b""
        if taken[:1] == b"/":
            return self._sign_on(taken)
        if taken[:1] == b"\x06":
            return self._select(taken)
        return self._command(taken)

    def _sign_on(self, line: bytes) -> bytes:
        asked = line[2:-3].decode("latin-1")
        if line[-3:] != b"!\r\n" or (asked and asked.lstrip("0") != self._address.lstrip("0")):
            return b""
        self._is_signed_on, self.is_programming, self._blocks = True, False, []
        return f"/{self._identification}\r\n".encode("latin-1")

    def _select(self, option: bytes) -> bytes:
        self._is_signed_on = False
        speed = b"0" + self._identification[3].encode("ascii")
        if option[1:4] == speed + b"0":
            return self.readout()
        if option[1:4] == speed + b"1":
            self.is_programming = True
            return self.challenge()
        return b""

    def _command(self, taken: bytes) -> bytes:
        if message(taken[:-1]) != taken:
            return b"\x15"
        if taken[1:3] == b"B0":
            self.is_programming, self._blocks = False, []
            return b""
        if not self.is_programming or taken[3:4] != b"\x02":
            return b""
        self._blocks = []
        return self.execute(taken[1:3].decode("latin-1"), taken[4:-2].decode("latin-1"))


class Iec62056Meter(Iec62056Line):
    """An electricity meter with one register.

    ``address`` is what it answers to besides the empty one; with a ``password`` it tells registers and takes its
    clock only after P1. Load profile P.01 has the register at every edge of an interval, P.02 the energy of every
    interval, stamped by its end; R5 answers in one block, R6 in partial ones.
    """

    def __init__(
        self,
        archive: MeterArchive,
        faults: Faults,
        *,
        serial: str = "12345678",
        address: str = "",
        password: str | None = None,
        zone: ZoneInfo | None = None,
    ) -> None:
        super().__init__(faults, address or serial, f"WTL5\\2SIM{serial}", zone or ZoneInfo("UTC"))
        self._archive = archive
        self._serial = serial
        self._password = password
        self._is_open = password is None

    def readout(self) -> bytes:
        """Return every current value, the clock, and one historical value."""
        oldest = int(self._archive.register_wh[0])
        lines = [f"{name}({self._value(name)})" for name in ("F.F", "0.0.0", "0.9.1", "0.9.2", "1.8.0")]
        lines += [f"1.8.0*01({kilo(oldest)}*kWh)", f"1.7.0({self._value('1.7.0')})", "!"]
        return message(b"\x02" + "\r\n".join(lines).encode("ascii") + b"\r\n\x03")

    def challenge(self) -> bytes:
        """Begin a new login."""
        self._is_open = self._password is None
        return message(b"\x01P0\x02(00000000)\x03")

    def execute(self, head: str, body: str) -> bytes:
        """Answer P1, R1, R5, R6, W1 and W5."""
        if head == "P1":
            self._is_open = self._password is None or body == f"({self._password})"
            return b"\x06" if self._is_open else message(b"\x02(ER01)\x03")
        if not self._is_open:
            return message(b"\x02(ER02)\x03")
        if head in {"R1", "R5", "R6"}:
            return self._read(head, body)
        if head in {"W1", "W5"}:
            return self._write(body)
        return b"\x15"

    def _value(self, name: str) -> str:
        local = self.now().astimezone(self.zone)
        values = {
            "F.F": "00000000",
            "0.0.0": self._serial,
            "C.1.0": self._serial,
            "0.9.1": f"{local:%H%M%S}",
            "0.9.2": f"{local:%y%m%d}",
            "1.8.0": f"{kilo(self._archive.register_at(self.now()))}*kWh",
            "1.7.0": f"{kilo(self._archive.power_w(self.now()))}*kW",
        }
        return values.get(name.removeprefix("1-0:"), "")

    def _read(self, head: str, body: str) -> bytes:
        profile = _RANGE.fullmatch(body)
        if profile:
            return self._profile(head, *profile.groups())
        name = body.removesuffix("()")
        value = self._value(name)
        said = f"{name}({value})" if value else "(ER03)"
        return message(b"\x02" + said.encode("latin-1") + b"\x03")

    def _write(self, body: str) -> bytes:
        found = re.fullmatch(r"0\.9\.([12])\((\d\d)(\d\d)(\d\d)\)", body)
        if not found:
            return message(b"\x02(ER04)\x03")
        numbers = [int(found[index]) for index in (2, 3, 4)]
        local = self.now().astimezone(self.zone).replace(tzinfo=None)
        try:
            if found[1] == "1":
                local = local.replace(hour=numbers[0], minute=numbers[1], second=numbers[2], microsecond=0)
            else:
                local = local.replace(year=2000 + numbers[0], month=numbers[1], day=numbers[2])
        except ValueError:
            return message(b"\x02(ER05)\x03")
        self.set_clock(local)
        return b"\x06"

    def _profile(self, head: str, name: str, first: str, last: str) -> bytes:
        start, end = self._edge(first, _FIRST, 0), self._edge(last, _LAST, 1)
        if start is None or end is None:
            return message(b"\x02(ER06)\x03")
        lines = self._lines(name, start, min(end, self.now()))
        if not lines:
            return message(b"\x02" + name.encode("ascii") + b"()\x03")
        if head != "R6":
            return self.blocks(["".join(lines)])
        cut = range(0, len(lines), _ROWS_PER_BLOCK)
        return self.blocks(["".join(lines[at : at + _ROWS_PER_BLOCK]) for at in cut])

    def _lines(self, name: str, start: datetime, end: datetime) -> list[str]:
        interval = timedelta(seconds=self._archive.interval_s)
        rows = self._archive.rows(start - (interval if name == "P.02" else timedelta(0)), end)
        if name == "P.02":
            wrap = 10**self._archive.digits
            rows = [(at, (new - old) % wrap) for (_, old), (at, new) in pairwise(rows) if at >= start]
        column = "(1-0:1.8.0)(kWh)" if name == "P.01" else "(1.29)(kWh)"
        minutes, rest = divmod(self._archive.interval_s, 60)
        lines: list[str] = []
        for index, (at, value) in enumerate(rows):
            if index == 0 or rest:
                stamp = f"{at.astimezone(self.zone):%y%m%d%H%M%S}"
                lines.append(f"{name}({stamp})(00)({max(minutes, 1)})(1){column}\r\n({kilo(value)})\r\n")
            else:
                lines.append(f"({kilo(value)})\r\n")
        return lines

    def _edge(self, text: str, default: datetime, fold: int) -> datetime | None:
        """Return the instant of ``[s]YYMMDDhhmm[ss]``."""
        if not text:
            return default
        digits = text[1:] if len(text) in {11, 13} else text
        try:
            local = datetime.strptime(digits.ljust(12, "0"), "%y%m%d%H%M%S").replace(fold=fold, tzinfo=self.zone)
        except ValueError:
            return None
        return local.astimezone(UTC)
