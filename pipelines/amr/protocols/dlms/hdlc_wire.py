"""APDUs over HDLC: one link in normal response mode, window 1, that repairs what the line damages."""

from dataclasses import dataclass, field

from pipelines.amr.contract import Exchange
from pipelines.amr.faults import BadData, BadFrame, LinkLost, MeterFault, NoAnswer
from pipelines.amr.protocols.dlms.hdlc import (
    DISC,
    DM,
    FRMR,
    POLL_FINAL,
    SNRM,
    UA,
    Frame,
    hdlc_frame,
    read_frame,
)
from pipelines.amr.protocols.dlms.wire import ATTEMPTS, Talk

_LLC_COMMAND = b"\xe6\xe6\x00"
_LLC_RESPONSE = b"\xe6\xe7\x00"
_DEFAULT_INFORMATION = 128
_SKIPPED = 6
_LONGEST = 2048 + 32
APDU_LIMIT = 1 << 17


@dataclass
class HdlcWire:
    """A link to one meter; V(S) and V(R) are its whole memory.

    Silence and damaged frames are answered by a receive-ready poll: the meter then repeats its frame, or shows by its
    N(R) that ours was lost and is to be sent again. A repetition of an older frame is recognised by its N(S).

    Notes
    -----
    Source: IEC 62056-46, clauses 6.4.3 and 6.4.4.
    """

    client: bytes
    server: bytes
    propose_information: int = 512
    attempts: int = 1
    is_connected: bool = False
    send_information: int = _DEFAULT_INFORMATION
    sequence: list[int] = field(default_factory=lambda: [0, 0])

    def connect(self) -> Talk[None]:
        """Set up the link by SNRM and negotiate the lengths of frames.

        Raises
        ------
        LinkLost
            The meter answers that it is disconnected.
        """
        proposal = _parameters(self.propose_information)
        frame = yield from self._unnumbered(Frame(self.server, self.client, SNRM, proposal), ATTEMPTS)
        if frame.control != UA:
            raise LinkLost("the meter refuses the HDLC link")
        self.send_information = _negotiated(frame.information)
        self.sequence = [0, 0]
        self.is_connected = True

    def exchange(self, apdu: bytes) -> Talk[bytes]:
        """Send an APDU in as many segments as it takes and return the one that comes back.

        Raises
        ------
        LinkLost, BadFrame, NoAnswer
            The link is down, or three repetitions did not help.
        BadData
            The answer is no APDU, or longer than any.
        """
        data = _LLC_COMMAND + apdu
        size = self.send_information
        parts = [data[at : at + size] for at in range(0, len(data), size)]
        for part in parts[:-1]:
            frame = yield from self._send(part, more=True)
            if frame.is_information:
                raise BadData("the meter answers before it has the whole request")
        return (yield from self._collect((yield from self._send(parts[-1], more=False))))

    def receive(self) -> Talk[bytes]:
        """Poll for the next APDU."""
        return (yield from self._collect((yield from self._transact(self._ready(), is_numbered=False))))

    def disconnect(self, *, in_order: bool) -> Talk[None]:
        """Take the link down."""
        if not self.is_connected:
            return
        self.is_connected = False
        frame = Frame(self.server, self.client, DISC)
        if in_order:
            yield from self._unnumbered(frame, 1)
        else:
            yield Exchange(frame.octets(), None)

    def _collect(self, frame: Frame) -> Talk[bytes]:
        data = bytearray(frame.information)
        while frame.more:
            if len(data) > APDU_LIMIT:
                raise BadData("an answer of more segments than an APDU may have")
            frame = yield from self._transact(self._ready(), is_numbered=False)
            data += frame.information
        if not frame.is_information or data[:3] != _LLC_RESPONSE:
            raise BadData("an HDLC answer without its LLC header")
        return bytes(data[3:])

    def _send(self, part: bytes, *, more: bool) -> Talk[Frame]:
        sent, received = self.sequence
        # The last segment gives the meter the right to speak; within a window of one, so does each of them.
        control = received << 5 | POLL_FINAL | sent << 1
        frame = yield from self._transact(
            Frame(self.server, self.client, control, part, more).octets(), is_numbered=True, wants_ready=more
        )
        self.sequence[0] = (sent + 1) % 8
        return frame

    def _ready(self) -> bytes:
        return Frame(self.server, self.client, self.sequence[1] << 5 | POLL_FINAL | 0x01).octets()

    def _transact(self, request: bytes, *, is_numbered: bool, wants_ready: bool = False) -> Talk[Frame]:
        """Send and return the frame that answers; V(R) is then that of the next one."""
        fault: MeterFault = NoAnswer("the meter has nothing to say")
        sending = request
        for _ in range(ATTEMPTS + 1):
            try:
                frame = yield from self._fresh(sending)
            except (NoAnswer, BadFrame) as error:
                fault = error
                sending = self._ready()
                continue
            if frame.is_information:
                self.sequence[1] = (frame.sent + 1) % 8
                return frame
            if is_numbered and frame.received == self.sequence[0]:
                sending = request
            elif wants_ready:
                return frame
            else:
                sending = self._ready()
        raise fault

    def _fresh(self, request: bytes) -> Talk[Frame]:
        """Send and return the next frame that is not a repetition of one that was read."""
        for _ in range(_SKIPPED):
            frame = yield from self._frame(request)
            request = b""
            if frame.control in (DM, FRMR):
                raise LinkLost("the meter dropped the HDLC link")
            if frame.is_information and frame.sent == self.sequence[1]:
                return frame
            if frame.is_ready or frame.control & 0x0F == 0x05:
                return frame
        raise BadFrame("the meter repeats frames that were read already")

    def _unnumbered(self, command: Frame, attempts: int) -> Talk[Frame]:
        fault: MeterFault = NoAnswer("no answer to an HDLC command")
        for _ in range(attempts):
            request = command.octets()
            try:
                for _ in range(_SKIPPED):
                    frame = yield from self._frame(request)
                    request = b""
                    if frame.control in (UA, DM):
                        return frame
            except (NoAnswer, BadFrame) as error:
                fault = error
        raise fault

    def _frame(self, request: bytes) -> Talk[Frame]:
        octets: bytes = yield Exchange(request, hdlc_frame, frame_limit=_LONGEST)
        frame = read_frame(octets)
        if (frame.destination, frame.source) != (self.client, self.server):
            raise BadFrame("an HDLC frame of another station")
        return frame


def _parameters(information: int) -> bytes:
    """Return what we propose: the longest information field in both directions, windows of one."""
    size = information.to_bytes(2, "big")
    content = b"\x05\x02" + size + b"\x06\x02" + size + b"\x07\x04\x00\x00\x00\x01\x08\x04\x00\x00\x00\x01"
    return b"\x81\x80" + bytes([len(content)]) + content


def _negotiated(information: bytes) -> int:
    """Return how much we may send in a frame: what the meter receives (parameter 6), else the standard's 128."""
    at, most = 3, _DEFAULT_INFORMATION
    while at + 2 <= len(information):
        kind, size = information[at], information[at + 1]
        if kind == 0x06:
            most = int.from_bytes(information[at + 2 : at + 2 + size], "big")
        at += 2 + size
    return max(16, min(most, 2030))
