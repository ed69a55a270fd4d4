"""The COSEM objects of the simulated meter: clock, registers, load profile, event log."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from pipelines.simulators.meters import dlms_encoding as enc
from pipelines.simulators.meters.archive import MeterArchive, meter_now
from pipelines.simulators.meters.responder import Faults

CLOCK = bytes.fromhex("0000010000ff")
SERIAL = bytes.fromhex("0000600100ff")
DEVICE_NAME = bytes.fromhex("00002a0000ff")
COUNTER = bytes.fromhex("00002b0100ff")
IMPORT = bytes.fromhex("0100010800ff")
EXPORT = bytes.fromhex("0100020800ff")
INTERVAL = bytes.fromhex("0100011d00ff")
POWER = bytes.fromhex("0100010700ff")
MAXIMUM = bytes.fromhex("0100010600ff")
PROFILE = bytes.fromhex("0100630100ff")
EVENTS = bytes.fromhex("0000636200ff")
EVENT_CODE = bytes.fromhex("0000600b00ff")
_PUBLIC = ((8, CLOCK), (1, DEVICE_NAME), (1, COUNTER))
_WH, _W = 30, 27
NOTHING_SUCH, FORBIDDEN, OUT_OF_SCOPE, WRONG_TYPE = 4, 3, 13, 12


@dataclass
class MeterState:
    """What a meter keeps when a connection ends: its clock's setting, invocation counters, refused log-ins."""

    clock_offset: timedelta = field(default_factory=timedelta)
    last_client_counter: int = -1
    own_counter: int = 0
    refused: int = 0


@dataclass(kw_only=True)
class Objects:
    """Reads and writes attributes; a value is encoded data, a refusal a data-access-result."""

    archive: MeterArchive
    faults: Faults
    state: MeterState
    serial: str
    zone: ZoneInfo
    tells_deviation: bool = True
    has_intervals: bool = False
    is_compressed: bool = False
    events: tuple[tuple[datetime, int], ...] = ()
    refuses: frozenset[bytes] = frozenset()

    def now(self) -> datetime:
        """Return what the meter's clock shows."""
        return meter_now(self.faults) + self.state.clock_offset

    def read(
        self, interface: int, name: bytes, attribute: int, selection: bytes, *, is_public: bool
    ) -> bytes | int:
        """Return an attribute, encoded, or the reason why not."""
        if is_public and (interface, name) not in _PUBLIC:
            return OUT_OF_SCOPE
        if name in self.refuses:
            return FORBIDDEN
        reader = self._readers().get((interface, name))
        if reader is None:
            return NOTHING_SUCH
        if attribute == 1:
            return enc.text(name)
        value = reader(attribute, selection)
        return FORBIDDEN if value is None else value

    def write(self, interface: int, name: bytes, attribute: int, value: bytes) -> int:
        """Set the clock, and nothing else; return the result."""
        if (interface, name, attribute) != (8, CLOCK, 2):
            return FORBIDDEN
        octets, _ = enc.parse(value)
        if not isinstance(octets, bytes):
            return WRONG_TYPE
        self.state.clock_offset += enc.moment(octets, self.zone) - self.now()
        return 0

    def _readers(self) -> dict[tuple[int, bytes], Callable[[int, bytes], bytes | None]]:
        archive, now = self.archive, self.now()
        return {
            (8, CLOCK): self._clock,
            (1, SERIAL): lambda attribute, _: enc.text(self.serial.encode()) if attribute == 2 else None,
            (1, DEVICE_NAME): lambda attribute, _: enc.text(b"WTL0000000000001") if attribute == 2 else None,
            (1, COUNTER): lambda attribute, _: (
                enc.uint32(max(self.state.last_client_counter, 0)) if attribute == 2 else None
            ),
            (3, IMPORT): _register(archive.register_at(now), _WH),
            (3, EXPORT): _register(0, _WH),
            (3, INTERVAL): _register(archive.power_w(now) * archive.interval_s // 3600, _WH),
            (3, POWER): _register(archive.power_w(now), _W),
            (4, MAXIMUM): self._maximum,
            (7, PROFILE): self._profile,
            (7, EVENTS): self._log,
        }

    def _stamp(self, at: datetime) -> bytes:
        return enc.text(enc.stamp(at, self.zone, tells_deviation=self.tells_deviation))

    def _clock(self, attribute: int, _selection: bytes) -> bytes | None:
        return self._stamp(self.now()) if attribute == 2 else None

    def _maximum(self, attribute: int, selection: bytes) -> bytes | None:
        edge = self._last_edge()
        if attribute == 5:
            return self._stamp(edge)
        return _register(self.archive.power_w(edge), _W)(attribute, selection) if attribute < 4 else None

    def _last_edge(self) -> datetime:
        now = self.now()
        found = self.archive.rows(now - timedelta(seconds=self.archive.interval_s), now)
        return found[-1][0] if found else now

    def _profile(self, attribute: int, selection: bytes) -> bytes | None:
        columns = [enc.capture_object(8, CLOCK, 2), enc.capture_object(3, IMPORT, 2)]
        if self.has_intervals:
            columns.append(enc.capture_object(3, INTERVAL, 2))
        match attribute:
            case 2:
                return enc.rows(self._rows(*self._limits(selection)))
            case 3:
                return enc.rows(columns)
            case 4:
                return enc.uint32(self.archive.interval_s)
            case 7 | 8:
                return enc.uint32(len(self.archive.times_us))
            case _:
                return None

    def _rows(self, start: datetime, end: datetime) -> list[bytes]:
        step = timedelta(seconds=self.archive.interval_s)
        made: list[bytes] = []
        before: datetime | None = None
        for at, register in self.archive.rows(start, min(end, self.now())):
            is_next = self.is_compressed and before is not None and at - before == step
            items = [enc.NULL if is_next else self._stamp(at), enc.uint32(register)]
            if self.has_intervals:
                used = (register - self.archive.register_at(at - step)) % 10**self.archive.digits
                items.append(enc.uint32(used))
            made.append(enc.fields(*items))
            before = at
        return made

    def _log(self, attribute: int, selection: bytes) -> bytes | None:
        if attribute == 3:
            return enc.rows([enc.capture_object(8, CLOCK, 2), enc.capture_object(1, EVENT_CODE, 2)])
        if attribute != 2:
            return None
        start, end = self._limits(selection)
        entries = [(at, code) for at, code in self.events if start <= at <= end]
        return enc.rows([enc.fields(self._stamp(at), bytes((0x11, code))) for at, code in entries])

    def _limits(self, selection: bytes) -> tuple[datetime, datetime]:
        """Return the instants of a range descriptor; without one, all that is in the archive."""
        if not selection:
            return datetime(1970, 1, 2, tzinfo=self.zone), self.now()
        if selection[0] != 1:
            raise enc.Malformed("only the selection by range is known")
        descriptor, _ = enc.parse(selection, 1)
        match descriptor:
            case [[8, name, 2, 0], bytes(first), bytes(last), list()] if name == CLOCK:
                return enc.moment(first, self.zone), enc.moment(last, self.zone)
            case _:
                raise enc.Malformed("no range of times")


def _register(value: int, unit: int) -> Callable[[int, bytes], bytes | None]:
    def read(attribute: int, _selection: bytes) -> bytes | None:
        return {2: enc.uint32(value), 3: enc.scaled(0, unit)}.get(attribute)

    return read
