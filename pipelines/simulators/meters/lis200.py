"""A simulated LIS-200 data logger: one counter of electricity, its archive, its clock and its lock."""

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from pipelines.simulators.meters.archive import MeterArchive
from pipelines.simulators.meters.iec62056_21 import Iec62056Line, kilo, message
from pipelines.simulators.meters.responder import Faults

_ARCHIVE = re.compile(r"(\d{1,2}):V\.([0-9A])\((\d{0,2});([^;()]*);([^;()]*);(\d{0,3})\)")
_VALUE = re.compile(r"(\d{1,2}):0*([0-9A-F]{1,4})\.0\(([^()]*)\)")
_TIME = "%Y-%m-%d,%H:%M:%S"
_ONE_COLUMN = {
    "1": "(1)(1)(1)(1)(1)(1)(1)(1)(1)",
    "2": "(GONr)(AONr)(Time)(V1)(V1.A)(St.1)(StSy)(Ev.)(Check)",
    "3": "()()()(kWh)(kWh)()()()()",
    "4": "()()(1:0400.0)(1:0202.0)(1:0203.0)(1:0110.0)(2:0110.0)()()",
    "5": "(0)(0)(0)(30)(30)(0)(0)(0)(0)",
}


class Lis200Meter(Iec62056Line):
    """A data logger whose archive has a row an interval: ordinals, time, counter, adjustable counter, status words.

    With a ``password`` it tells and takes nothing before its supplier's or customer's lock (3:171, 4:171) is open.
    ``rows_per_block`` overrules what a request for partial blocks asks for.
    """

    def __init__(
        self,
        archive: MeterArchive,
        faults: Faults,
        *,
        serial: str = "12345678",
        password: str | None = None,
        zone: ZoneInfo | None = None,
        archive_number: int = 3,
        rows_per_block: int | None = None,
    ) -> None:
        super().__init__(faults, serial, "Els6\\2DL230", zone or ZoneInfo("UTC"))
        self._archive = archive
        self._serial = serial
        self._password = password
        self._number = archive_number
        self._rows_per_block = rows_per_block
        self._is_open = password is None

    def challenge(self) -> bytes:
        """Begin with closed locks."""
        self._is_open = self._password is None
        return message(b"\x01P0\x02(0000000)\x03")

    def execute(self, head: str, body: str) -> bytes:
        """Answer R1, R3 and W1."""
        value = _VALUE.fullmatch(body)
        if head == "W1" and value and value[2] == "171" and value[1] in {"3", "4"}:
            self._is_open = self._password is None or value[3] == self._password
            return b"\x06" if self._is_open else _error(17)
        if not self._is_open:
            return _error(18)
        if head == "W1":
            return self._write(value)
        if value and head == "R1":
            return self._value(value[1], value[2], body.partition("(")[0])
        rows = _ARCHIVE.fullmatch(body)
        if rows and head in {"R1", "R3"}:
            return self._archive_answer(head, rows)
        return _error(200)

    def _value(self, instance: str, number: str, asked: str) -> bytes:
        counter = kilo(self._archive.register_at(self.now()))
        values = {
            "1:400": f"{self.now().astimezone(self.zone):{_TIME}}",
            "1:180": self._serial,
            "1:202": f"{counter}*kWh",
            "1:203": f"{counter}*kWh",
            "1:210": f"{kilo(self._archive.power_w(self.now()))}*kW",
            "2:190": "1.11",
        }
        value = values.get(f"{instance}:{number}")
        if value is None:
            return _error(2 if any(key.endswith(f":{number}") for key in values) else 1)
        return message(f"\x02{asked}({value})\x03".encode("latin-1"))

    def _write(self, value: re.Match[str] | None) -> bytes:
        if value is None:
            return _error(200)
        if (value[1], value[2]) != ("1", "400"):
            return _error(9 if value[2] in {"180", "190"} else 1)
        local = _local(value[3])
        if local is None:
            return _error(13)
        self.set_clock(local)
        return b"\x06"

    def _archive_answer(self, head: str, asked: re.Match[str]) -> bytes:
        number, attribute, position, first, last, count = asked.groups()
        known = _ONE_COLUMN.get(attribute)
        refused = self._refusal(int(number), attribute, position)
        if refused:
            return _error(refused)
        if known:
            return message(f"\x02{known}\r\n\x03".encode("latin-1"))
        rows = self._rows(first, last)
        if rows is None:
            return _error(13)
        if attribute == "A":
            return message(f"\x02({len(rows)})\r\n\x03".encode("ascii"))
        if not rows:
            return _error(104)
        size = len(rows) if head == "R1" else self._rows_per_block or max(int(count or "1"), 1)
        return self.blocks(["".join(rows[at : at + size]) for at in range(0, len(rows), size)])

    def _refusal(self, number: int, attribute: str, position: str) -> int:
        """Return the number of the error that the request deserves, 0 for none."""
        if number != self._number:
            return 100
        if attribute not in {"0", "A", *_ONE_COLUMN}:
            return 4
        if attribute in {"0", "A"} and position not in {"", "3"}:
            return 101 if int(position) > 9 else 6
        return 0

    def _rows(self, first: str, last: str) -> list[str] | None:
        """Return the rows from the first local time to the last; a time that comes twice is meant both times."""
        start, end = datetime(1970, 1, 2, tzinfo=UTC), self.now()
        if first:
            local = _local(first)
            if local is None:
                return None
            start = local.replace(tzinfo=self.zone, fold=0).astimezone(UTC)
        if last:
            local = _local(last)
            if local is None:
                return None
            end = min(end, local.replace(tzinfo=self.zone, fold=1).astimezone(UTC))
        oldest = int(self._archive.times_us[0]) // 1_000_000
        lines = []
        for at, register_wh in self._archive.rows(start, end):
            ordinal = (int(at.timestamp()) - oldest) // self._archive.interval_s + 1
            counter = kilo(register_wh)
            stamp = at.astimezone(self.zone).strftime(_TIME)
            lines.append(f"({ordinal + 1000})({ordinal})({stamp})({counter})({counter})(0)(0)(0x8101)(CRC Ok)\r\n")
        return lines


def _error(number: int) -> bytes:
    return message(f"\x02(#{number:04d})\x03".encode("ascii"))


def _local(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, _TIME)  # noqa: DTZ007 - a meter's own time
    except ValueError:
        return None
