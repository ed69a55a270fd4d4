"""The master's side of the M-Bus link: requests with their frame count bit, repeats, and what to ignore.

Source: EN 13757-2 clause 5 (link layer); EN 13757-3 (selection and deselection by CI 52h and SND_NKE).
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

from pipelines.amr.contract import Exchange, Step
from pipelines.amr.faults import BadFrame, NoAnswer, TransportFault
from pipelines.amr.protocols.mbus.address import Address
from pipelines.amr.protocols.mbus.frames import (
    ANY_SELECTED,
    FCB,
    FRAME_LIMIT,
    REQ_UD2,
    SND_NKE,
    SND_UD,
    Frame,
    frame_length,
    long_frame,
    parse,
    short_frame,
)
from pipelines.amr.silence import drained

TRIES = 3
_SELECT = 0x52
_MOST_IGNORED = 4

Wanted = Callable[[Frame, bytes], bool]


@dataclass(slots=True)
class LinkState:
    """What the master remembers: the slave, the next frame count bit, the last answer, whether one is selected."""

    address: Address | None = None
    next_count_bit: bool = True
    last_answer: bytes = b""
    has_selected: bool = False


def start(state: LinkState, address: Address) -> Generator[Step, Any, None]:
    """Reset the link to a slave, or select it by its secondary address, so that its next answer is its first.

    Raises
    ------
    NoAnswer, BadFrame
        The slave stays silent, or what arrives stays damaged.
    """
    state.address, state.next_count_bit, state.last_answer = address, True, b""
    if address.is_secondary:
        # A selection with another number deselects whoever was selected before: no deselection is needed first.
        state.has_selected = True
        yield from _exchange(long_frame(SND_UD, ANY_SELECTED, bytes([_SELECT]) + address.mask), _acknowledges)
    else:
        yield from _exchange(short_frame(SND_NKE, address.primary), _acknowledges)


def next_answer(state: LinkState) -> Generator[Step, Any, Frame]:
    """Return the slave's next answer (REQ_UD2); a repeated request keeps the frame count bit.

    An answer equal to the last one is a stale repeat and is passed over.

    Raises
    ------
    NoAnswer, BadFrame
        The slave stays silent, or what arrives stays damaged.
    """
    address = _started(state)
    arrived = b""

    def is_next(frame: Frame, raw: bytes) -> bool:
        nonlocal arrived
        arrived = raw
        return frame.is_answer and raw != state.last_answer and address.is_sender(frame)

    frame = yield from _exchange(short_frame(REQ_UD2 | _count(state), address.primary), is_next)
    state.last_answer = arrived
    state.next_count_bit = not state.next_count_bit
    return frame


def send_data(state: LinkState, data: bytes) -> Generator[Step, Any, None]:
    """Send user data (SND_UD); ``data`` starts with the CI field.

    Raises
    ------
    NoAnswer, BadFrame
        The slave does not acknowledge.
    """
    address = _started(state)
    yield from _exchange(long_frame(SND_UD | _count(state), address.primary, data), _acknowledges)
    state.next_count_bit = not state.next_count_bit


def finish(state: LinkState) -> Generator[Step, Any, None]:
    """Deselect, without waiting: whoever was selected must not answer the next master."""
    if state.has_selected:
        state.has_selected = False
        yield Exchange(short_frame(SND_NKE, ANY_SELECTED), None)


def _started(state: LinkState) -> Address:
    assert state.address is not None  # noqa: S101 - start() comes first
    return state.address


def _count(state: LinkState) -> int:
    return FCB if state.next_count_bit else 0


def _acknowledges(frame: Frame, _raw: bytes) -> bool:
    return frame.is_acknowledgement


def _exchange(request: bytes, wanted: Wanted) -> Generator[Step, Any, Frame]:
    """Send a request until its answer comes, ``TRIES`` times at most."""
    fault: TransportFault | None = None
    for _ in range(TRIES):
        try:
            return (yield from _attempt(request, wanted))
        except NoAnswer as silence:
            fault = silence
        except BadFrame as damage:
            fault = damage
            yield from drained()
    assert fault is not None  # noqa: S101 - the loop ran
    raise fault


def _attempt(request: bytes, wanted: Wanted) -> Generator[Step, Any, Frame]:
    raw = yield Exchange(request, frame_length, frame_limit=FRAME_LIMIT)
    for _ in range(_MOST_IGNORED):
        frame = parse(raw)
        if wanted(frame, raw):
            return frame
        try:
            raw = yield Exchange(b"", frame_length, frame_limit=FRAME_LIMIT)
        except NoAnswer:
            raise NoAnswer("only an echo, a repeat or another meter's frame arrived, then silence") from None
    raise BadFrame("the bus says much, but not the answer")
