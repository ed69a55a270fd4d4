"""The exchanges of an I-FLAG session with their repeats: sign-on, questions, transfer in blocks, setting the clock.

An answer does not say which question it answers. So two questions in a row always expect answers of different
lengths (``Line.clashes``): what has the length of the answer before is a late repeat of it and is passed over.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

from pipelines.amr.contract import Conversation, Exchange, Step
from pipelines.amr.faults import (
    AuthenticationFailed,
    BadData,
    BadFrame,
    MeterFault,
    Misconfigured,
    NoAnswer,
    Refused,
)
from pipelines.amr.protocols.iflag.frames import (
    ACK,
    CHALLENGE,
    FRAME_LIMIT,
    NAK,
    OPTION,
    SIGN_ON,
    WAKE_UP,
    Kind,
    body_of,
    everything,
    frame_end,
    is_intact,
    kind_of,
    with_crc,
)

REPEATS = 3
_STRAYS = 4
_NOISE_READS = 8
_SILENCE_S = 0.5
"""How long the line must be silent before something is repeated after a bad frame [s]."""
_LAST_BLOCK = 0x8000

Answer = Generator[Step, Any, bytes]


@dataclass(slots=True)
class Line:
    """What the session remembers of its line: the length of the data frame that was last accepted."""

    last_length: int = 0

    def clashes(self, length: int) -> bool:
        """Tell whether an answer of ``length`` bytes of data could not be told from a repeat of the last one."""
        return length == self.last_length


@dataclass(frozen=True, slots=True)
class Block:
    """A block of a database transfer; ``data`` of the first begins with the length of a record."""

    number: int
    is_last: bool
    data: bytes


def sign_on(password: str | None) -> Conversation:
    """Wake the meter up, sign on and answer its request of a password; a password is sent once only.

    Without one the request is answered by itself, as meters without a password expect it.

    Raises
    ------
    AuthenticationFailed
        The meter said no to the answer.
    MeterFault
        The line failed ``REPEATS`` times more, or once after a password was sent.
    """
    answer = with_crc(CHALLENGE if password is None else _encoded(password))
    for attempt in range(REPEATS + 1):
        is_told = False
        try:
            yield from _await(WAKE_UP, Kind.WAKE_UP)
            yield from _await(SIGN_ON, Kind.IDENTIFICATION)
            challenge = yield from _await(OPTION, Kind.CHALLENGE)
            _check(challenge)
            is_told = password is not None
            reply = yield from _await(answer, Kind.ACK, Kind.NAK)
        except (BadFrame, NoAnswer) as fault:
            if is_told or attempt == REPEATS:
                raise
            yield from _silence(fault)
            continue
        if reply == NAK:
            raise AuthenticationFailed(
                "the meter refused the password" if password else "the meter wants a password"
            )
        return


def ask(line: Line, request: bytes, length: int) -> Answer:
    """Return the data that answer ``request``: exactly ``length`` bytes, checksum right, no repeat of an older one.

    Raises
    ------
    Refused, BadData, NoAnswer, BadFrame
        The meter said no, answered with another length, was silent or was unintelligible each time.
    """
    for attempt in range(REPEATS + 1):
        try:
            frame = yield from _granted(request, Kind.DATA, "to read these parameters", stale=line.last_length)
            body = _body(frame, length)
        except (BadFrame, NoAnswer, Refused, BadData) as fault:
            if attempt == REPEATS:
                line.last_length = length  # an answer may still come, during the next question
                raise
            yield from _silence(fault)
            continue
        line.last_length = length
        return body
    raise AssertionError("the last attempt returns or raises")


def first_block(line: Line, request: bytes) -> Generator[Step, Any, Block]:
    """Return the first block of a database; it is asked for again after silence, repeated on our NAK otherwise.

    Raises
    ------
    Refused, NoAnswer, BadFrame
        As for ``ask``.
    """
    message = request
    for attempt in range(REPEATS + 1):
        try:
            frame = yield from _granted(message, Kind.DATA, "to read this database", stale=line.last_length)
            return _block(line, frame)
        except (BadFrame, NoAnswer, Refused) as fault:
            if attempt == REPEATS:
                raise
            message = NAK if isinstance(fault, BadFrame) else request
            yield from _silence(fault)
    raise AssertionError("the last attempt returns or raises")


def next_block(line: Line, before: Block) -> Generator[Step, Any, Block]:
    """Acknowledge a block and return the next one; repeats of older blocks are passed over.

    Raises
    ------
    NoAnswer, BadFrame
        The meter was silent or unintelligible each time, or left a block out.
    """
    message, repeats, strays = ACK, 0, 0
    while True:
        try:
            frame = yield from _await(message, Kind.DATA)
            block = _block(line, frame)
        except (BadFrame, NoAnswer) as fault:
            if repeats == REPEATS:
                raise
            repeats += 1
            yield from _silence(fault)
            message = NAK
            continue
        if block.number == before.number + 1:
            return block
        strays += 1
        if block.number > before.number or strays > _STRAYS:
            raise BadFrame(f"the meter sent block {block.number} where {before.number + 1} was due")
        # A repeat that our NAK brought waits for its ACK; one that came by itself was acknowledged before.
        message = ACK if message == NAK else b""


def set_clock(build: Callable[[], bytes]) -> Conversation:
    """Send what ``build`` makes until the meter takes it; each repeat is built anew, for it may hold the time.

    Raises
    ------
    Refused, NoAnswer, BadFrame
        The meter said no each time, was silent or unintelligible.
    """
    for attempt in range(REPEATS + 1):
        try:
            yield from _granted(build(), Kind.ACK, "to set its clock")
        except (BadFrame, NoAnswer, Refused) as fault:
            if attempt == REPEATS:
                raise
            yield from _silence(fault)
        else:
            return


def _granted(request: bytes, wanted: Kind, what: str, stale: int = 0) -> Answer:
    """Return the next frame of the wanted kind.

    Raises
    ------
    Refused
        The meter says no. It does so too where it understood the request badly.
    """
    frame = yield from _await(request, wanted, Kind.NAK, stale=stale)
    if frame == NAK:
        raise Refused(f"the meter refused {what}")
    return frame


def _await(request: bytes, *wanted: Kind, stale: int = 0) -> Answer:
    """Return the next frame of a wanted kind; a few others, left over from before, are passed over."""
    for _ in range(_STRAYS):
        frame: bytes = yield Exchange(request, frame_end, frame_limit=FRAME_LIMIT)
        kind = kind_of(frame)
        is_stale = kind is Kind.DATA and stale > 0 and len(body_of(frame)) == stale and is_intact(frame)
        if kind in wanted and not is_stale:
            return frame
        request = b""
    raise BadFrame("the meter sends nothing but frames that nobody asked for")


def _silence(fault: MeterFault) -> Conversation:
    """Wait after a bad frame until its remains have arrived, so that they do not spoil the repeat."""
    if not isinstance(fault, BadFrame | BadData):
        return
    for _ in range(_NOISE_READS):
        try:
            yield Exchange(b"", everything, timeout_s=_SILENCE_S)
        except NoAnswer:
            return
    raise fault


def _check(frame: bytes) -> None:
    if not is_intact(frame):
        raise BadFrame("a frame with a wrong checksum")


def _body(frame: bytes, length: int) -> bytes:
    _check(frame)
    body = body_of(frame)
    if len(body) != length:
        raise BadData(f"the meter answered with {len(body)} bytes where {length} were due")
    return body


def _block(line: Line, frame: bytes) -> Block:
    _check(frame)
    body = body_of(frame)
    if len(body) < 2:
        raise BadFrame("a block without a number")
    number = int.from_bytes(body[:2], "little")
    line.last_length = len(body)
    return Block(number & ~_LAST_BLOCK, bool(number & _LAST_BLOCK), body[2:])


def _encoded(password: str) -> bytes:
    try:
        return password.encode("latin-1")
    except UnicodeEncodeError:
        raise Misconfigured("the password holds characters that the meter has not") from None
