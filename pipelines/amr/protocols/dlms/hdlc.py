"""HDLC frames of type 3: boundaries, check sequences, addresses, control fields."""

from dataclasses import dataclass

from pipelines.amr.faults import BadFrame

FLAG = 0x7E
FLAG_OCTET = b"\x7e"
SNRM, DISC, UA, DM, FRMR, UI = 0x93, 0x53, 0x73, 0x1F, 0x97, 0x13
POLL_FINAL = 0x10
_FORMAT_TYPE = 0xA0
_SEGMENTATION = 0x08
_FILL_LIMIT = 16
_SHORTEST = 7


def _table() -> tuple[int, ...]:
    rows = []
    for row in range(256):
        for _ in range(8):
            row = (row >> 1) ^ 0x8408 if row & 1 else row >> 1  # noqa: PLW2901 - the classic loop
        rows.append(row)
    return tuple(rows)


_CRC = _table()


def check_sequence(octets: bytes) -> bytes:
    """Return the CRC-16/X.25 of ``octets`` as frames carry it, low octet first.

    Notes
    -----
    Source: ISO/IEC 13239, clause 4.2.5.2; IEC 62056-46, annex.
    """
    crc = 0xFFFF
    for octet in octets:
        crc = (crc >> 8) ^ _CRC[(crc ^ octet) & 0xFF]
    return (crc ^ 0xFFFF).to_bytes(2, "little")


def hdlc_frame(buffer: bytearray) -> int | None:
    """Say where the first frame ends, by its length field; fill flags before it count as part of it.

    Raises
    ------
    BadFrame
        It does not begin with a flag and a frame format of type 3.
    """
    head = bytes(buffer[: _FILL_LIMIT + 3])
    content = head.lstrip(FLAG_OCTET)
    fill = len(head) - len(content)
    if fill > _FILL_LIMIT or (content and content[0] & 0xF0 != _FORMAT_TYPE):
        raise BadFrame("no HDLC frame: a wrong flag or frame format")
    if len(content) < 2:
        return None
    length = fill + (int.from_bytes(content[:2], "big") & 0x07FF) + 1
    return length if len(buffer) >= length else None


def address_octets(upper: int, lower: int | None = None, size: int | None = None) -> bytes:
    """Return an HDLC address: seven bits an octet, the last one marked; ``size`` 1, 2 or 4, else the shortest.

    Notes
    -----
    Source: IEC 62056-46, clause 6.4.2.
    """
    if lower is None and size in (None, 1) and upper < 0x80:
        return bytes([upper << 1 | 1])
    low = 0 if lower is None else lower
    if size == 2 or (size is None and upper < 0x80 and low < 0x80):
        return bytes([upper << 1 & 0xFE, (low << 1 | 1) & 0xFF])
    return bytes([upper >> 6 & 0xFE, upper << 1 & 0xFE, low >> 6 & 0xFE, (low << 1 | 1) & 0xFF])


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame; addresses stay octets, ``more`` says that its information goes on in the next."""

    destination: bytes
    source: bytes
    control: int
    information: bytes = b""
    more: bool = False

    @property
    def is_information(self) -> bool:
        """Whether it carries a segment."""
        return not self.control & 1

    @property
    def is_ready(self) -> bool:
        """Whether it is a receive-ready frame."""
        return self.control & 0x0F == 0x01

    @property
    def sent(self) -> int:
        """N(S) of an information frame."""
        return self.control >> 1 & 7

    @property
    def received(self) -> int:
        """N(R): the number of the frame that its sender expects next."""
        return self.control >> 5

    def octets(self) -> bytes:
        """Return the frame with its check sequences and flags."""
        head = self.destination + self.source + bytes([self.control])
        length = 2 + len(head) + 2 + (len(self.information) + 2 if self.information else 0)
        head = (_FORMAT_TYPE << 8 | _SEGMENTATION * self.more << 8 | length).to_bytes(2, "big") + head
        body = head + check_sequence(head)
        if self.information:
            body += self.information
            body += check_sequence(body)
        return FLAG_OCTET + body + FLAG_OCTET


def read_frame(octets: bytes) -> Frame:
    """Return the frame that ``hdlc_frame`` found.

    Raises
    ------
    BadFrame
        A wrong check sequence, a missing flag, or fields that do not fit into it.
    """
    if octets[-1:] != FLAG_OCTET:
        raise BadFrame("an HDLC frame without its closing flag")
    body = octets[:-1].lstrip(FLAG_OCTET)
    if len(body) < _SHORTEST or check_sequence(body[:-2]) != body[-2:]:
        raise BadFrame("an HDLC frame with a wrong check sequence")
    at = 2
    addresses = []
    for _ in range(2):
        end = _address_end(body, at)
        addresses.append(body[at:end])
        at = end
    head_end = at + 1
    if head_end == len(body) - 2:
        return Frame(addresses[0], addresses[1], body[at])
    if head_end + 2 > len(body) - 2 or check_sequence(body[:head_end]) != body[head_end : head_end + 2]:
        raise BadFrame("an HDLC frame with a wrong header check sequence")
    return Frame(addresses[0], addresses[1], body[at], body[head_end + 2 : -2], more=bool(body[0] & _SEGMENTATION))


def _address_end(body: bytes, at: int) -> int:
    for end in range(at + 1, min(at + 5, len(body) - 2)):
        if body[end - 1] & 1:
            return end
    raise BadFrame("an HDLC address without an end")
