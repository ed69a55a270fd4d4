"""How a load profile comes over the line: in slices of a day by R5, or in partial blocks by R6."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from pipelines.amr.contract import Conversation, Exchange, Found
from pipelines.amr.datalink import (
    ACK,
    NAK,
    REPEATS,
    Dialogue,
    Message,
    ask,
    command,
    message_framer,
    parse,
    unless_repeated,
)
from pipelines.amr.faults import BadFrame
from pipelines.amr.protocols.iec62056_21.devices import Device
from pipelines.amr.protocols.iec62056_21.profile import ProfileRows, first_stamp

_FORMS = {"minutes": "%y%m%d%H%M", "seconds": "%y%m%d%H%M%S", "season": "%y%m%d%H%M"}
_NOON = 12


@dataclass(frozen=True, slots=True)
class ProfileRange:
    """A range of a profile: ``start`` is where the whole read began, ``first`` to ``last`` what is asked for now."""

    name: str
    start: datetime
    first: datetime
    last: datetime | None


def profile_slices(
    start: datetime, end: datetime, device: Device, zone: ZoneInfo
) -> Iterator[tuple[datetime, datetime]]:
    """Yield (first, last) instants that cover start to end, oldest first.

    They meet at local noon: no clock is ever changed then, so no end of a slice means two instants.
    """
    if device.profile_read == "R6" or end < start:
        yield start, end
        return
    first = start
    while True:
        local = first.astimezone(zone).replace(tzinfo=None)
        days = max(device.slice_hours // 24, 1) - (1 if local.hour < _NOON else 0)
        noon = local.replace(hour=_NOON, minute=0, second=0, microsecond=0) + timedelta(days=days)
        last = min(noon.replace(tzinfo=zone).astimezone(UTC), end)
        yield first, last
        if last >= end:
            return
        first = last


def written(at: datetime, device: Device, zone: ZoneInfo) -> str:
    """Return an end of a range as the model writes it; minutes round down."""
    local = at.astimezone(zone)
    season = ("1" if local.dst() else "0") if device.range_form == "season" else ""
    return season + local.strftime(_FORMS[device.range_form])


def read_range(
    asked: ProfileRange,
    rows: ProfileRows,
    device: Device,
    zone: ZoneInfo,
    raise_for: Callable[[Message, str], None],
) -> Conversation:
    """Read one range of a profile, block by block; the values of every block are stored as it comes."""

    def is_stale(message: Message) -> bool:
        said = message.text.partition("(")[0].strip()
        if message.head not in {"", "B0"} or (said and said.rpartition(":")[2] != asked.name.rpartition(":")[2]):
            return True
        begins = first_stamp(message.text, zone)
        return begins is not None and begins < asked.first - timedelta(minutes=1)

    until = "" if asked.last is None else written(asked.last, device, zone)
    request = command(device.profile_read, f"{asked.name}({written(asked.first, device, zone)};{until})")
    message = yield from ask(request, is_stale)
    rows.begin_range()
    idle = 0
    while True:
        raise_for(message, asked.name)
        before = rows.newest
        readings = rows.take(message.text)
        idle = idle + 1 if rows.newest == before else 0
        if rows.newest is not None and readings:
            yield Found(readings, (asked.start, rows.newest))
        if message.is_last:
            return
        if idle > REPEATS:
            raise BadFrame(f"{asked.name}: nothing but blocks without rows")
        message = yield from _next_block(message.text)


def _next_block(previous: str) -> Dialogue[Message]:
    """Acknowledge a partial block and return the next one.

    After silence nothing is asked for: rows carry no numbers, so a block that comes twice could not be told from
    the next one, and the rest is read by a later session.
    """
    sending = ACK
    failure = BadFrame("no block")
    for _ in range(1 + REPEATS):
        try:
            message = parse((yield Exchange(sending, message_framer)))
            return (yield from unless_repeated(message, previous))
        except BadFrame as fault:
            failure, sending = fault, NAK
    raise failure
