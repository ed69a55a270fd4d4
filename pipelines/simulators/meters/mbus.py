"""Simulated M-Bus slaves and the gateway in front of them, built from the standard and not from our driver.

Source: EN 13757-2 (link layer), EN 13757-3 (application layer, secondary addressing).
"""

from calendar import monthrange
from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from analytics.calendar import from_us
from pipelines.simulators.meters.archive import MeterArchive, meter_now
from pipelines.simulators.meters.responder import Faults

_E5 = b"\xe5"
_NETWORK_LAYER, _TEST, _BROADCAST = 0xFD, 0xFE, 0xFF
_WATER_LIKE = (0x03, 0x06, 0x07, 0x15, 0x16)
_MONTHS_A_TELEGRAM = 7
_MOST_BYTES = 4096
_TZ_UTC = ZoneInfo("UTC")


def _enclosed(control: int, address: int, payload: bytes) -> bytes:
    size = len(payload) + 2
    content = [control, address, *payload]
    return bytes([0x68, size, size, 0x68, *content, sum(content) & 0xFF, 0x16])


def _decimal_digits(number: int, count: int) -> bytes:
    """Return ``count`` bytes of packed decimal digits, the last two first."""
    packed = bytearray()
    for _ in range(count):
        number, low = divmod(number, 100)
        packed.append((low // 10) * 16 + low % 10)
    return bytes(packed)


def _date(at: datetime) -> bytes:
    """Return type G: day in bits 0-4, month in bits 8-11, the year's low 3 bits in 5-7 and high 4 bits in 12-15."""
    year = at.year - 2000
    word = at.day + ((year % 8) << 5) + (at.month << 8) + ((year // 8) << 12)
    return word.to_bytes(2, "little")


def _minute(at: datetime, *, summer: bool) -> bytes:
    """Return type F: minute, hour with the mark of summer time, and the date as in type G."""
    return bytes([at.minute, at.hour + (0x80 if summer else 0)]) + _date(at)


class MbusMeter:
    """A slave with a register, power where it measures energy, a clock, and month-end values.

    Its telegrams: one of the present, then the months in portions, announced by DIF 1Fh.

    Parameters
    ----------
    medium : int
        Device type, EN 13757-3: 2 electricity, 4 heat, 3 gas, 7 water. A litre takes the place of a watt-hour for
        gas and water.
    history_months : int
        Month-end values it keeps, as far as the archive reaches back.
    """

    def __init__(
        self,
        archive: MeterArchive,
        faults: Faults,
        *,
        serial: str = "12345678",
        manufacturer: str = "KAM",
        medium: int = 2,
        version: int = 1,
        primary_address: int = 1,
        zone: ZoneInfo = _TZ_UTC,
        history_months: int = 13,
    ) -> None:
        self.primary_address = primary_address
        self._archive = archive
        self._faults = faults
        self._zone = zone
        self._history_months = history_months
        letters = [ord(letter) - 64 for letter in manufacturer]
        code = letters[0] * 1024 + letters[1] * 32 + letters[2]
        self._identity = bytes.fromhex(serial)[::-1] + code.to_bytes(2, "little") + bytes([version, medium])
        self._medium = medium
        self._clock_correction = timedelta(0)
        self._is_selected = False
        self._last_bit: int | None = None
        self._telegram = 0
        self._access = 0
        self._bus = MbusGateway([self])

    def receive(self, data: bytes) -> list[bytes]:
        """Take a segment as the only slave behind its gateway."""
        return self._bus.receive(data)

    def answer(self, frame: bytes) -> bytes:
        """Return what this slave says to one whole frame on the bus; nothing if it is not meant."""
        if frame[0] == 0x10:
            control, address, payload = frame[1], frame[2], b""
        else:
            control, address, payload = frame[4], frame[5], frame[6:-2]
        if address == _NETWORK_LAYER and payload[:1] == b"\x52":
            return self._selection(payload[1:])
        meant = address in (self.primary_address, _TEST) or (address == _NETWORK_LAYER and self._is_selected)
        if not meant and address != _BROADCAST:
            return b""
        reply = self._reply(control, address, payload)
        return b"" if address == _BROADCAST else reply

    def _selection(self, mask: bytes) -> bytes:
        """Become selected if every digit and byte fits or is a wildcard, else deselected."""
        fits = len(mask) == 8
        for place, (wanted, own) in enumerate(zip(mask, self._identity, strict=False)):
            if place < 4:
                high = wanted >> 4 in (15, own >> 4)
                low = wanted % 16 in (15, own % 16)
                fits = fits and high and low
            else:
                fits = fits and wanted in (0xFF, own)
        self._is_selected = fits
        self._last_bit, self._telegram = None, 0
        return _E5 if fits else b""

    def _reply(self, control: int, address: int, payload: bytes) -> bytes:
        if control == 0x40:
            self._last_bit, self._telegram = None, 0
            if address == _NETWORK_LAYER:
                self._is_selected = False
            return _E5
        bit = control & 0x20
        if control & 0x0F == 0x03:
            self._last_bit, self._telegram = None, 0
            self._user_data(payload)
            return _E5
        if control & 0x0F in (0x0A, 0x0B):
            if self._last_bit is not None and bit != self._last_bit:
                self._telegram += 1
            elif self._last_bit is None:
                self._access = (self._access + 1) % 256
            self._last_bit = bit
            return self._data()
        return b""

    def _user_data(self, payload: bytes) -> None:
        if payload[:3] == b"\x51\x04\x6d" and len(payload) == 7:
            minute, hour, low, high = payload[3:]
            year = 2000 + low // 32 + 8 * (high // 16)
            shown = datetime(year, high % 16, low % 32, hour % 32, minute % 64, tzinfo=self._zone)
            self._clock_correction = shown - meter_now(self._faults)

    def _now(self) -> datetime:
        return meter_now(self._faults) + self._clock_correction

    def _data(self) -> bytes:
        months = self._months()
        portions = [months[at : at + _MONTHS_A_TELEGRAM] for at in range(0, len(months), _MONTHS_A_TELEGRAM)]
        number = self._telegram % (1 + len(portions))
        body = self._present() if number == 0 else b"".join(portions[number - 1])
        more = b"\x1f" if number < len(portions) else b""
        access = bytes([(self._access + number) % 256])
        head = b"\x72" + self._identity + access + b"\x00\x00\x00"
        return _enclosed(0x08, self.primary_address, head + body + more)

    def _register_vif(self) -> int:
        return 0x13 if self._medium in _WATER_LIKE else 0x03

    def _present(self) -> bytes:
        now = self._now()
        local = now.astimezone(self._zone)
        body = b"\x0c\x78" + self._identity[:4]
        body += bytes([0x0E, self._register_vif()]) + _decimal_digits(self._archive.register_at(now), 6)
        if self._medium not in _WATER_LIKE:
            body += b"\x04\x2b" + self._archive.power_w(now).to_bytes(4, "little")
        return body + b"\x04\x6d" + _minute(local, summer=bool(local.dst()))

    def _months(self) -> list[bytes]:
        """Return the records of the past month ends, the latest as storage 1: value, then its date."""
        local = self._now().astimezone(self._zone)
        oldest = from_us(int(self._archive.times_us[0]))
        records: list[bytes] = []
        year, month = local.year, local.month
        for storage in range(1, self._history_months + 1):
            edge = datetime(year, month, 1, tzinfo=self._zone)
            if edge < oldest:
                break
            year, month = (year - 1, 12) if month == 1 else (year, month - 1)
            last_day = datetime(year, month, monthrange(year, month)[1], tzinfo=self._zone)
            extension = storage >> 1
            dif = 0x80 + 0x40 * (storage % 2)
            value = _decimal_digits(self._archive.register_at(edge), 6)
            records.append(
                bytes([dif + 0x0E, extension, self._register_vif()])
                + value
                + bytes([dif + 0x02, extension, 0x6C])
                + _date(last_day)
            )
        return records


class MbusGateway:
    """A transparent TCP gateway: every slave on its bus hears every frame."""

    def __init__(self, meters: Sequence[MbusMeter]) -> None:
        self._meters = tuple(meters)
        self._pending = b""

    def receive(self, data: bytes) -> list[bytes]:
        """Take a segment; return what the bus says to the whole frames in it."""
        self._pending = (self._pending + data)[-_MOST_BYTES:]
        answers = []
        while frame := self._next():
            said = [answer for meter in self._meters if (answer := meter.answer(frame))]
            if said:
                answers.append(_superposed(said))
        return answers

    def _next(self) -> bytes:
        """Cut the next whole frame off what has arrived; bytes that are none are passed over."""
        while self._pending:
            size = 0
            if self._pending[0] == 0x10:
                size = 5
            elif self._pending[0] == 0x68:
                if len(self._pending) < 4:
                    return b""
                size = 6 + self._pending[1] if self._pending[1] == self._pending[2] else 0
            if len(self._pending) < size:
                return b""
            frame = self._pending[:size]
            if size and frame[-1] == 0x16 and sum(frame[1 if size == 5 else 4 : -2]) % 256 == frame[-2]:
                self._pending = self._pending[size:]
                return frame
            self._pending = self._pending[1:]
        return b""


def _superposed(said: list[bytes]) -> bytes:
    """Return what the master hears of slaves that speak at once: on the bus a 0 (current) covers a 1."""
    heard = bytearray(max(said, key=len))
    for answer in said:
        for place, byte in enumerate(answer):
            heard[place] &= byte
    return bytes(heard)
