"""The data link of IEC 62056-21: characters, block checks, messages, and how a question is put again.

Source: IEC 62056-21:2002, clauses 5 and 6; ISO/IEC 1155 for the block check.
"""

import re
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, TypeVar

from pipelines.amr.contract import Exchange, Step
from pipelines.amr.faults import AuthenticationFailed, BadFrame, MeterFault, Misconfigured, NoAnswer, Refused

SOH, STX, ETX, EOT, ACK, NAK = b"\x01", b"\x02", b"\x03", b"\x04", b"\x06", b"\x15"
LINE_END = b"\r\n"
BREAK = b"\x01B0\x03q"
REPEATS = 3
"""How often one exchange is tried again."""

_STALE_LIMIT = 4
_LINE_LIMIT = 512
_REPEAT_S = 0.5
_IDENTIFICATION = re.compile(r"/([A-Za-z]{3})([0-9A-I])((?:\\[^\\\r\n])*)([^\r\n]{0,64})\r\n")
_ADDRESS = re.compile(r"[0-9A-Za-z -]{0,32}")
_PASSWORD = re.compile(r"[^()/!\x00-\x1f\x7f-\uffff]{1,32}")

Result = TypeVar("Result")
Dialogue = Generator[Step, Any, Result]
"""A part of a conversation that ends in a result."""


@dataclass(frozen=True, slots=True)
class Identification:
    """What a meter says of itself at sign-on; ``baud`` is the character Z that chooses speed and mode."""

    manufacturer: str
    baud: str
    device: str

    @property
    def is_mode_c(self) -> bool:
        """Whether the meter waits for an option select: Z is a digit."""
        return self.baud.isdigit()


@dataclass(frozen=True, slots=True)
class Message:
    """A checked message: ``head`` is a command such as "P0", "ACK" or "NAK", and empty for data.

    ``is_last`` is false of a partial block, which is to be acknowledged before the next one comes.
    """

    head: str
    text: str = ""
    is_last: bool = True


def block_check(covered: bytes) -> int:
    """Return the exclusive or of all bytes, in seven bits.

    The bytes are folded as one integer: a block of a kilobyte takes ten steps, not a thousand.
    """
    value, size = int.from_bytes(covered, "big"), len(covered)
    while size > 1:
        size = (size + 1) // 2
        value = (value >> (8 * size)) ^ (value & ((1 << (8 * size)) - 1))
    return value & 0x7F


def command(head: str, text: str | None = None) -> bytes:
    """Return a command message: SOH, head, STX, text, ETX, block check; without text no STX."""
    body = head.encode("ascii") + (b"" if text is None else STX + text.encode("latin-1")) + ETX
    return SOH + body + bytes([block_check(body)])


def option_select(identification: Identification, mode: str) -> bytes:
    """Return the acknowledgement ``ACK 0 Z Y CR LF``: normal protocol, the meter's own speed, mode Y.

    Mode "0" is data readout, "1" programming.
    """
    return ACK + b"0" + identification.baud.encode("ascii") + mode.encode("ascii") + LINE_END


def line_framer(buffer: bytearray) -> int | None:
    """Frame a line that ends in CR LF."""
    end = buffer.find(LINE_END)
    return None if end < 0 else end + 2


def message_framer(buffer: bytearray) -> int | None:
    """Frame ACK, NAK, or anything up to ETX or EOT and the block check behind it.

    What begins with noise is framed as well: only so does the next message begin where it should.
    """
    if buffer[0] in b"\x06\x15":
        return 1
    end = buffer.find(ETX)
    partial = buffer.find(EOT, 0, len(buffer) if end < 0 else end)
    if partial >= 0:
        end = partial
    return end + 2 if 0 <= end < len(buffer) - 1 else None


def parse(frame: bytes) -> Message:
    """Return the message of a frame; noise before it is dropped.

    Raises
    ------
    BadFrame
        No start character, a wrong block check, or a command without a proper head.
    """
    if frame in (ACK, NAK):
        return Message("ACK" if frame == ACK else "NAK")
    starts = [at for at in (frame.find(SOH), frame.find(STX)) if at >= 0]
    if not starts or len(frame) < min(starts) + 3:
        raise BadFrame("a message without a start character")
    start = min(starts)
    body = frame[start + 1 : -1]
    if block_check(body) != frame[-1] & 0x7F:
        raise BadFrame("a wrong block check character")
    is_last = body[-1:] == ETX
    if frame[start : start + 1] == STX:
        return Message("", body[:-1].decode("latin-1"), is_last)
    head, has_text, text = body[:-1].partition(STX)
    if len(head) != 2 or (text and not has_text):
        raise BadFrame("a command message with a wrong head")
    return Message(head.decode("latin-1"), text.decode("latin-1"), is_last)


def identify(line: bytes) -> Identification:
    r"""Return the identification of the line ``/XXXZ\Wident CR LF``.

    Raises
    ------
    BadFrame
        It is none.
    """
    found = _IDENTIFICATION.search(line.decode("latin-1"))
    if found is None:
        raise BadFrame("no identification message")
    return Identification(manufacturer=found[1], baud=found[2], device=found[4].strip())


def sign_on(address: str | None, request_character: str = "?") -> Dialogue[Identification]:
    """Sign on with ``/?address!`` and return who answers; another request character asks for another table.

    Raises
    ------
    Misconfigured, NoAnswer, BadFrame
        The address cannot be sent; nobody answers; no identification came.
    """
    if not _ADDRESS.fullmatch(address or ""):
        raise Misconfigured("the IEC 62056-21 address has characters that cannot be sent")
    request = f"/{request_character}{address or ''}!\r\n".encode("ascii")
    failure: MeterFault = NoAnswer("no identification")
    for _ in range(1 + REPEATS):
        try:
            line = yield Exchange(request, line_framer, frame_limit=_LINE_LIMIT)
            if line.endswith(request):  # some optical heads and two-wire converters echo
                line = yield Exchange(b"", line_framer, frame_limit=_LINE_LIMIT)
            return identify(line)
        except (BadFrame, NoAnswer) as fault:
            failure = fault
    raise failure


def ask(request: bytes, is_stale: Callable[[Message], bool], *, may_resend: bool = True) -> Dialogue[Message]:
    """Send ``request`` and return the message that answers it, trying three more times on a bad line.

    After a bad block the meter is asked by NAK to repeat it; after silence the request is sent again, or NAK where
    it must not be sent twice. Messages that ``is_stale`` says belong to an earlier question are dropped.

    Raises
    ------
    NoAnswer, BadFrame
        Every attempt failed.
    Refused
        The meter answered NAK every time: it does not take the request.
    """
    sending = request
    failure: MeterFault = NoAnswer("no answer")
    for _ in range(1 + REPEATS):
        try:
            message = yield from _fresh(sending, is_stale)
        except BadFrame as fault:
            failure, sending = fault, NAK
        except NoAnswer as fault:
            failure, sending = fault, request if may_resend else NAK
        else:
            if message.head != "NAK":
                return message
            failure, sending = Refused("the meter does not take the request (NAK)"), request
            if not may_resend:
                break
    raise failure


def _fresh(sending: bytes, is_stale: Callable[[Message], bool]) -> Dialogue[Message]:
    for _ in range(1 + _STALE_LIMIT):
        message = parse((yield Exchange(sending, message_framer)))
        if message.head == "NAK" or not is_stale(message):
            return message
        sending = b""
    raise BadFrame("nothing but answers to earlier questions")


def unless_repeated(message: Message, previous: str) -> Dialogue[Message]:
    """Return the message, or the one right behind it where it only repeats the ``previous`` answer.

    For answers that do not say what they answer: a stale repeat and a new equal answer look the same, but only
    behind the repeat comes another one.
    """
    if not message.text or message.text != previous:
        return message
    try:
        return parse((yield Exchange(b"", message_framer, timeout_s=_REPEAT_S)))
    except (NoAnswer, BadFrame):
        return message


def programming_mode(identification: Identification) -> Dialogue[Message]:
    """Choose programming mode and return what the meter says then: P0, as a rule, with or without a seed.

    Source: IEC 62056-21, 6.4.3 and figure 12.
    """
    return (yield from ask(option_select(identification, "1"), lambda message: message.head == "ACK"))


def checked_password(password: str) -> str:
    """Return the password as it may be sent.

    Raises
    ------
    AuthenticationFailed
        It is empty, too long, or has a character that would end the message.
    """
    if not _PASSWORD.fullmatch(password):
        raise AuthenticationFailed("the configured password has characters or a length that cannot be sent")
    return password
