"""What a driver and the collection say to each other.

A driver does no I/O. Its session is a set of conversations: generators that yield steps (send this and return the
frame that comes back, store these readings, ...) and are resumed with each step's result. What a session remembers
between conversations is data in the session object. The collection (``pipelines.amr.conversation``) performs the
steps over a TCP link; a test performs them from a transcript.
"""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from pipelines.fields import Field

Now = Callable[[], datetime]
"""Our clock: an aware instant in UTC."""

Framer = Callable[[bytearray], int | None]
"""Says where the first frame of a buffer ends: its length, or None while more bytes are needed.

It finds boundaries only; checksums are the conversation's. It raises ``BadFrame`` where no continuation could make a
frame. It is called after every segment, so it looks for terminators and length fields and never loops over bytes.
"""

FRAME_LIMIT = 65_536
UTC_ZONE = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Keys:
    """The secrets of a meter; they have no ``repr``, so no log or traceback can show them."""

    password: str | None = None
    encryption_key: bytes | None = None
    broadcast_key: bytes | None = None
    authentication_key: bytes | None = None
    master_key: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """What a driver may know of a meter.

    ``zone`` gives the meter's naive times their meaning; ``address`` is the IEC 62056-21 device address;
    ``manufacturer`` and ``model`` are those of its device type and choose a model file.
    """

    name: str
    protocol: str
    serial: str | None = None
    address: str | None = None
    system_title: bytes | None = None
    logical_device_name: bytes | None = None
    zone: ZoneInfo = UTC_ZONE
    manufacturer: str = ""
    model: str = ""
    keys: Keys = field(default_factory=Keys, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One task call with its checked arguments.

    ``since`` is the watermark of the archive it reads: everything up to there is already stored. ``resume`` is set
    when an earlier attempt of the same job was cut off: everything up to there was read by it.
    """

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    since: datetime | None = None
    resume: datetime | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """One value of a meter: series by name, time in UTC, exact decimal, and the unit the value is in.

    A series name ``None`` of the model means "not kept"; such values never become a Reading.
    """

    series: str
    timestamp: datetime
    value: Decimal
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class MeterEvent:
    """Something the meter itself reports: an entry of its event log."""

    timestamp: datetime
    title: str
    content: str


@dataclass(frozen=True, slots=True)
class Exchange:
    """Send ``request`` (bytes that were not yet read are dropped first) and return the next frame.

    An empty request only receives; without a framer it only sends and returns ``b""``. ``timeout_s`` is the longest
    silence; None is the collection's setting. Raises into the conversation: NoAnswer, LinkLost, BadFrame.
    """

    request: bytes = field(repr=False)  # it may hold a password
    framer: Framer | None
    timeout_s: float | None = None
    frame_limit: int = FRAME_LIMIT


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait before the next step."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Found:
    """Store these readings; they are kept whatever becomes of the session.

    ``covered`` says that the archive is now read without a hole from its first instant to its second.
    """

    readings: list[Reading]
    covered: tuple[datetime, datetime] | None = None


@dataclass(frozen=True, slots=True)
class ClockSeen:
    """Record what the meter's clock showed [UTC]; the collection computes and keeps the drift."""

    meter_at: datetime


@dataclass(frozen=True, slots=True)
class ClockSet:
    """Record that the meter's clock was set."""

    meter_at: datetime


@dataclass(frozen=True, slots=True)
class ReserveCounters:
    """Reserve ``count`` invocation counters: stored before the step returns the first of them (an int)."""

    count: int


@dataclass(frozen=True, slots=True)
class Reported:
    """Store events of the meter's own log as system events."""

    events: list[MeterEvent]


Step = Exchange | Pause | Found | ClockSeen | ClockSet | ReserveCounters | Reported
Conversation = Generator[Step, Any, None]


class Session(Protocol):
    """One connection to one meter."""

    def open(self) -> Conversation:
        """Sign on, authenticate, read the clock where the protocol has one."""
        ...

    def perform(self, call: Call) -> Conversation:
        """Carry out one call of an opened session."""
        ...

    def close(self) -> Conversation:
        """Sign off; whatever fails here is of no account."""
        ...


@dataclass(frozen=True, kw_only=True)
class CallSpec:
    """A task call as the API documents and checks it.

    ``archive`` names what has a watermark ("archive 3"); None: the call reads no archive.
    """

    doc: str
    fields: tuple[Field, ...] = ()
    archive: Callable[[Mapping[str, Any]], str] | None = None


@dataclass(frozen=True, kw_only=True)
class Driver:
    """A protocol as the collection knows it."""

    protocol: str
    execution_type: str
    calls: Mapping[str, CallSpec]
    session: Callable[[Meter, Now], Session]


def local_instant(at: datetime, zone: ZoneInfo) -> datetime:
    """Return a meter's or an operator's time in UTC; a naive one is in ``zone``."""
    return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)


def offset_start(call: Call, meter_now: datetime) -> datetime:
    """Return where a read "by offset" starts, on the meter's clock.

    It reaches back ``offset_seconds`` from the meter's now, and further where the watermark shows that earlier
    readings are still missing. Where an earlier attempt was cut off, it goes on from there.
    """
    start = meter_now - timedelta(seconds=int(call.arguments["offset_seconds"]))
    if call.since is not None:
        start = min(start, call.since)
    return start if call.resume is None else max(start, call.resume)


def date_start(call: Call, zone: ZoneInfo) -> datetime:
    """Return where a read "by date" that goes forward starts: at ``start_date``, or where an attempt was cut off."""
    start = local_instant(call.arguments["start_date"], zone)
    return start if call.resume is None else max(start, call.resume)
