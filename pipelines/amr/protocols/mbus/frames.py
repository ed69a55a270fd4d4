"""Frames of the M-Bus link layer (format class FT 1.2): where they end, whether they are whole, how they are built.

Source: EN 13757-2 clause 5; IEC 60870-5-1 (FT 1.2).
"""

from dataclasses import dataclass

from pipelines.amr.faults import BadFrame

ACKNOWLEDGE = b"\xe5"
SND_NKE = 0x40
SND_UD = 0x53
REQ_UD2 = 0x5B
FCB = 0x20
FROM_MASTER = 0x40
ANY_SELECTED = 0xFD
FRAME_LIMIT = 261

_SHORT = 0x10
_LONG = 0x68
_STOP = 0x16
_SHORTEST_LONG = 3


@dataclass(frozen=True, slots=True)
class Frame:
    """A whole frame; an acknowledgement (E5h) has neither control field nor address.

    ``data`` starts with the CI field and is empty in a short frame.
    """

    control: int | None
    address: int = 0
    data: bytes = b""

    @property
    def is_acknowledgement(self) -> bool:
        """Whether it is the single character E5h."""
        return self.control is None

    @property
    def is_answer(self) -> bool:
        """Whether a slave sent user data (RSP_UD), and not a master or an echo of one."""
        return self.control is not None and not self.control & FROM_MASTER and bool(self.data)


def frame_length(buffer: bytearray) -> int | None:
    """Return where the first frame ends: E5h, short frame 10h, control and long frame 68h L L 68h.

    Raises
    ------
    BadFrame
        The start is none of these, or the two length fields differ.
    """
    start = buffer[0]
    if start == ACKNOWLEDGE[0]:
        return 1
    if start == _SHORT:
        return 5 if len(buffer) >= 5 else None
    if start != _LONG:
        raise BadFrame(f"an M-Bus frame does not start with {start:02X}h")
    if len(buffer) < 4:
        return None
    if buffer[1] != buffer[2] or buffer[3] != _LONG or buffer[1] < _SHORTEST_LONG:
        raise BadFrame(f"the head of a long frame is {buffer[:4].hex(' ').upper()}")
    length = buffer[1] + 6
    return length if len(buffer) >= length else None


def parse(frame: bytes) -> Frame:
    """Return a frame whose checksum and stop character are right.

    Raises
    ------
    BadFrame
        They are not, or the bytes are not exactly one frame.
    """
    if not frame or frame_length(bytearray(frame)) != len(frame):
        raise BadFrame(f"{len(frame)} bytes are not one M-Bus frame")
    if frame == ACKNOWLEDGE:
        return Frame(None)
    body = frame[1:-2] if frame[0] == _SHORT else frame[4:-2]
    if frame[-1] != _STOP:
        raise BadFrame(f"the frame ends with {frame[-1]:02X}h in place of 16h")
    if frame[-2] != _checksum(body):
        raise BadFrame(f"the checksum is {frame[-2]:02X}h where {_checksum(body):02X}h is right")
    return Frame(body[0], body[1], bytes(body[2:]))


def short_frame(control: int, address: int) -> bytes:
    """Return a short frame: SND_NKE or REQ_UD2."""
    body = bytes([control, address])
    return bytes([_SHORT]) + body + bytes([_checksum(body), _STOP])


def long_frame(control: int, address: int, data: bytes) -> bytes:
    """Return a long frame; ``data`` starts with the CI field and has at most 253 bytes."""
    body = bytes([control, address]) + data
    head = bytes([_LONG, len(body), len(body), _LONG])
    return head + body + bytes([_checksum(body), _STOP])


def _checksum(body: bytes) -> int:
    return sum(body) % 256
