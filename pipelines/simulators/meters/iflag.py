"""A simulated Corus gas volume converter: parameters, four databases and a clock, over I-FLAG.

Written apart from the driver, its tables and its codec included. Converted litres are the archive's watt-hours
(1 Wh = 1 l), unconverted ones three quarters of them. A gas day begins at 06:00 local time.
"""

import struct
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from pipelines.simulators.meters.archive import MeterArchive, meter_now
from pipelines.simulators.meters.responder import Faults

_ACK, _NAK = b"\x06", b"\x15"
_GAS_DAY_HOUR = 6
_LITRES_A_PULSE = 1
_IDS = {
    "g0003": {
        "clock": 106, "battery": 107, "vm": 148, "vb": 149, "qm": 152, "qb": 153, "t": 158, "p": 159, "z": 15,
        "pb": 19, "tb": 24, "pl": 30, "ph": 31, "tl": 40, "th": 41, "firmware": 0,
    },
    "m5a00": {
        "clock": 91, "battery": 92, "vm": 108, "vb": 109, "qm": 280, "qb": 281, "t": 116, "p": 117, "z": 6,
        "pb": 10, "tb": 15, "pl": 45, "ph": 46, "tl": 55, "th": 56, "p2": 392, "firmware": 75, "kernel": 0,
    },
    "m5b00": {
        "clock": 90, "battery": 91, "vm": 107, "vb": 108, "qm": 285, "qb": 286, "t": 115, "p": 116, "z": 6,
        "pb": 10, "tb": 15, "pl": 45, "ph": 46, "tl": 55, "th": 56, "p2": 397, "firmware": 75, "kernel": 0,
    },
}  # fmt: skip
_WEIGHT_ID, _MAPPING_ID = 1, 94
_FLOATS = {
    "t": 8.25, "p": 4.0125, "p2": 2.5, "tb": 273.15, "tl": -25.0, "th": 55.0, "pb": 1.01325, "pl": 0.9, "ph": 10.0,
}  # fmt: skip
_EDGES: tuple[Callable[[datetime], bool], ...] = (
    lambda _at: True,
    lambda at: at.minute == 0,
    lambda at: (at.hour, at.minute) == (_GAS_DAY_HOUR, 0),
    lambda at: (at.day, at.hour, at.minute) == (1, _GAS_DAY_HOUR, 0),
)


def _shifted(register: int) -> int:
    for _ in range(8):
        register = register << 1 ^ (0x18005 if register & 0x8000 else 0)
    return register


_SHIFTED = [_shifted(high << 8) for high in range(256)]


def checksum(data: bytes) -> bytes:
    """Return the CRC-16 (x^16 + x^15 + x^2 + 1, not reflected, from 0) of ``data``, low byte first."""
    register = 0
    for byte in data:
        register = (register & 0xFF) << 8 ^ _SHIFTED[register >> 8 ^ byte]
    return bytes((register & 0xFF, register >> 8))


class CorusMeter:
    """One connection to a simulated Corus.

    Parameters
    ----------
    password : str, optional
        What must answer the request of a password; without one the request itself.
    firmware : {"g0003", "m5a00", "m5b00"}
        Its parameter mapping; the two M5 firmwares are MID ones with indexes in every record.
    block_bytes : int
        How much of a database one block carries; records are cut wherever it ends.
    """

    def __init__(
        self,
        archive: MeterArchive,
        faults: Faults | None = None,
        *,
        serial: str = "12345678",
        password: str | None = None,
        zone: ZoneInfo | None = None,
        firmware: str = "m5b00",
        block_bytes: int = 200,
    ) -> None:
        self._archive = archive
        self._faults = faults or Faults()
        self._serial = serial.encode("ascii")
        self._secret = b"PASS" if password is None else password.encode("latin-1")
        self._zone = zone or ZoneInfo("UTC")
        self._firmware = firmware
        self._ids = _IDS[firmware]
        self._block_bytes = block_bytes
        self._correction = timedelta(0)
        self._buffer = b""
        self._nuls = 0
        self._stage = "asleep"
        self._blocks: list[bytes] = []
        self._sent = b""

    def receive(self, data: bytes) -> list[bytes]:
        """Take a segment and return the frames to send."""
        self._buffer += data
        frames = []
        while self._buffer:
            left = len(self._buffer)
            answer = self._next()
            if answer:
                self._sent = answer
                frames.append(answer)
            if len(self._buffer) == left:
                break
        return frames

    def _next(self) -> bytes:
        """Take one frame off the buffer, if there is a whole one, and return the answer to it."""
        if self._buffer[0] == 0:
            return self._wake_up()
        if self._buffer[:1] == b"/" and self._stage != "challenged":
            return self._identify()
        stages = {"identified": self._choose, "challenged": self._sign_on, "open": self._talk}
        return stages.get(self._stage, self._drop)()

    def _talk(self) -> bytes:
        if self._buffer[0] == 1:
            return self._command()
        first = self._take(1)
        if first == _ACK:
            return self._blocks.pop(0) if self._blocks else b""
        return self._sent if first == _NAK else self._drop()

    def _take(self, count: int) -> bytes:
        taken, self._buffer = self._buffer[:count], self._buffer[count:]
        return taken

    def _drop(self) -> bytes:
        self._buffer = b""
        return b""

    def _wake_up(self) -> bytes:
        """Answer at the twelfth NUL; 200 are one wake-up."""
        self._take(1)
        self._nuls = self._nuls % 200 + 1
        self._stage = "asleep"
        return bytes(3) if self._nuls == 12 else b""

    def _identify(self) -> bytes:
        end = self._buffer.find(b"\n")
        if end < 0:
            return b""
        line, was_awake = self._take(end + 1), self._nuls >= 12
        self._nuls = 0
        if not was_awake or line not in (b"/?!\r\n", b"/?" + self._serial + b"!\r\n"):
            return b""
        self._stage = "identified"
        return b"/ACT7CORUS" + self._serial + b"\r\n"

    def _choose(self) -> bytes:
        if len(self._buffer) < 6:
            return b""
        if self._take(6) != b"\x06076\r\n":
            self._stage = "asleep"
            return self._drop()
        self._stage = "challenged"
        return b"PASS" + checksum(b"PASS")

    def _sign_on(self) -> bytes:
        for length in range(1, 9):
            word, crc = self._buffer[:length], self._buffer[length : length + 2]
            if len(crc) == 2 and checksum(word) == crc:
                self._take(length + 2)
                self._stage = "open" if word == self._secret else "asleep"
                return _ACK if word == self._secret else _NAK
        return self._drop() or _NAK if len(self._buffer) >= 10 else b""

    def _command(self) -> bytes:
        if len(self._buffer) < 3:
            return b""
        code, size = self._buffer[1], self._buffer[2]
        end = 6 if code == ord("B") else size + 6
        if len(self._buffer) < end:
            return b""
        frame = self._take(end)
        if checksum(frame[:-2]) != frame[-2:] or frame[-3] != 3:
            return self._drop() or _NAK
        self._blocks = []
        if code == ord("B"):
            self._stage = "asleep"
            return b""
        body = frame[3:-3]
        answers = {0xBF: self._read, 0xFF: self._write, 0xBE: self._database}
        return answers[code](body) if code in answers else _NAK

    def _read(self, body: bytes) -> bytes:
        values = []
        while body:
            wide = body[0] >= 0xF0
            identifier = int.from_bytes(body[:2], "big") & 0x0FFF if wide else body[0]
            body = body[2 if wide else 1 :]
            value = self._parameter(identifier)
            if value is None:
                return _NAK
            values.append(value)
        return _data(b"".join(values))

    def _write(self, body: bytes) -> bytes:
        if len(body) != 5 or body[0] != self._ids["clock"]:
            return _NAK
        shown = _moment(int.from_bytes(body[1:], "little"))
        if shown is None:
            return _NAK
        self._correction = shown.replace(tzinfo=self._zone) - meter_now(self._faults)
        return _ACK

    def _parameter(self, identifier: int) -> bytes | None:
        if identifier in (_WEIGHT_ID, _MAPPING_ID):
            weight = struct.pack("<f", _LITRES_A_PULSE / 1000)
            return weight if identifier == _WEIGHT_ID else f"FL_{self._firmware.upper()}".encode()
        name = next((name for name, own in self._ids.items() if own == identifier), None)
        now = self._clock()
        litres, power = self._archive.register_at(now), self._archive.power_w(now)
        if name in _FLOATS:
            return struct.pack("<f", _FLOATS[name])
        values: dict[str | None, Callable[[], bytes]] = {
            "clock": lambda: _date(now.astimezone(self._zone)),
            "battery": lambda: struct.pack("<H", 1500),
            "z": lambda: b"\x01",
            "firmware": lambda: b"V3.10\0\0\0",
            "kernel": lambda: b"K1.02\0\0\0",
            "vm": lambda: self._counter(litres * 3 // 4),
            "vb": lambda: self._counter(litres),
            "qm": lambda: struct.pack("<f", power * 0.75 / 1000),
            "qb": lambda: struct.pack("<f", power / 1000),
        }
        return values[name]() if name in values else None

    def _counter(self, litres: int) -> bytes:
        return _index(litres, 4 if self._firmware == "g0003" else 5)

    def _clock(self) -> datetime:
        return meter_now(self._faults) + self._correction

    def _database(self, body: bytes) -> bytes:
        if len(body) != 13 or body[0] >= len(_EDGES):
            return _NAK
        newest, oldest = (int.from_bytes(body[at : at + 4], "little") for at in (5, 9))
        records = list(self._records(body[0], newest or 0xFFFFFFFF, oldest))
        size = len(records[0]) if records else 0
        stream = bytes([size]) + b"".join(records)
        chunks = [stream[at : at + self._block_bytes] for at in range(0, len(stream), self._block_bytes)]
        self._blocks = [
            _data(struct.pack("<H", number | (0x8000 if number == len(chunks) else 0)) + chunk)
            for number, chunk in enumerate(chunks, 1)
        ]
        return self._blocks.pop(0)

    def _records(self, database: int, newest: int, oldest: int) -> Iterator[bytes]:
        """Yield the records whose end lies between two encoded dates, newest first."""
        now = self._clock()
        first = _moment(oldest)
        # The record before the oldest one asked for is needed for what was consumed since: at most a month back.
        low = (
            now - timedelta(days=36_000)
            if first is None
            else first.replace(tzinfo=self._zone) - timedelta(days=33)
        )
        rows = [(at.astimezone(self._zone), litres) for at, litres in self._archive.rows(low, now)]
        edges = [(at, litres) for at, litres in rows if _EDGES[database](at)]
        for (start, before), (end, litres) in reversed(list(pairwise(edges))):
            if oldest <= int.from_bytes(_date(end), "little") <= newest:
                used = (litres - before) % 10**self._archive.digits
                yield self._record(database, start, end, litres, used)

    def _record(self, database: int, start: datetime, end: datetime, litres: int, used: int) -> bytes:
        big, mid = database >= 2, self._firmware != "g0003"
        seconds = end.timestamp() - start.timestamp()  # of one zone, a difference would be one of wall clocks
        counts = [used * 3 // 4 // _LITRES_A_PULSE, used * (1000 if mid else 1) // _LITRES_A_PULSE, 0, 0]
        widths = [3, 5, 3, 5] if big else [2, 4, 2, 4]
        coded = [min(n, 256**width - 2).to_bytes(width, "little") for n, width in zip(counts, widths, strict=True)]
        flows = [_flow(count * 3600 / seconds) for count in (used * 3 // 4, used * 3 // 4, used, used)]
        parts = [
            int(seconds // 3600 if big else seconds // 60).to_bytes(2 if big else 1, "little"), b"\0", _date(end),
            *coded, struct.pack("<3h", 610, 1125, 825), struct.pack("<3H", 3990, 4025, 0x8000 | 401), *flows,
            struct.pack("<f", 11.2) if mid else bytes(4),
        ]  # fmt: skip
        if mid or database == 3:
            parts += [_index(litres * 3 // 4, 4), _index(litres, 4), _index(0, 4), _index(0, 4)]
        if database == 3:
            parts += [struct.pack("<H", 0xFFFF), _date(end), struct.pack("<I", 0xFFFFFFFF), _date(end)]
        parts += [flows[0], flows[2], _date(start), bytes(2)]
        return b"".join([*parts, struct.pack("<3H", 2500, 2500, 2500) if mid else b""])


def _data(body: bytes) -> bytes:
    frame = bytes((1, len(body))) + body + b"\x03"
    return frame + checksum(frame)


def _index(litres: int, width: int) -> bytes:
    return (litres // 1000).to_bytes(width, "little") + struct.pack("<I", litres % 1000 * 100_000)


def _flow(litres_an_hour: float) -> bytes:
    exponent = next((e for e in range(4) if litres_an_hour * 10 / 10**e < 16_384), 3)
    return struct.pack("<H", min(int(litres_an_hour * 10 / 10**exponent), 16_383) | exponent << 14)


def _date(at: datetime) -> bytes:
    bits = ((at.year - 2000, 6), (at.month, 4), (at.day, 5), (at.hour, 5), (at.minute, 6), (at.second, 6))
    return int("".join(f"{value:0{width}b}" for value, width in bits), 2).to_bytes(4, "little")


def _moment(word: int) -> datetime | None:
    """Return the naive time of an encoded date, None where there is no such day."""
    year, month, day = 2000 + (word >> 26), word >> 22 & 15, word >> 17 & 31
    try:
        return datetime(year, month, day, word >> 12 & 31, word >> 6 & 63, word & 63)  # noqa: DTZ001
    except ValueError:
        return None
