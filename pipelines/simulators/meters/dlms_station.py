"""The HDLC secondary station of the simulated meter: one link, window 1."""

from collections.abc import Callable
from dataclasses import dataclass, field

FLAG = 0x7E
_OWN_LIMIT = 256
_BUFFER_LIMIT = 8_192
_SHORTEST = 7


def crc16(octets: bytes) -> bytes:
    """Return the X.25 check sequence, bit by bit as the standard's shift register does it."""
    register = 0xFFFF
    for octet in octets:
        for bit in range(8):
            feedback = (register ^ octet >> bit) & 1
            register = register >> 1 ^ (0x8408 if feedback else 0)
    register ^= 0xFFFF
    return bytes((register & 0xFF, register >> 8))


@dataclass
class Station:
    """Takes octets, gives frames; ``answer`` is the application above: (APDU, client) to APDU."""

    logical: int
    answer: Callable[[bytes, int], bytes]
    buffer: bytearray = field(default_factory=bytearray)
    is_connected: bool = False
    limit: int = 128
    next_sent: int = 0
    next_received: int = 0
    incoming: bytearray = field(default_factory=bytearray)
    outgoing: list[bytes] = field(default_factory=list)
    last: bytes = b""

    def receive(self, data: bytes) -> list[bytes]:
        """Return the frames that answer what is whole in the octets so far; damaged frames are not answered."""
        self.buffer += data
        made: list[bytes] = []
        while frame := self._cut():
            response = self._frame(frame)
            if response:
                made.append(response)
        return made

    def _cut(self) -> bytes:
        """Return the next frame without its flags; skip octets until one fits."""
        while len(self.buffer) >= 3:
            if self.buffer[0] == FLAG and self.buffer[1] & 0xF0 == 0xA0:
                length = (self.buffer[1] & 7) << 8 | self.buffer[2]
                if len(self.buffer) < length + 2:
                    break
                frame = bytes(self.buffer[1 : length + 1])
                if self.buffer[length + 1] == FLAG and crc16(frame[:-2]) == frame[-2:] and length >= _SHORTEST:
                    del self.buffer[: length + 1]
                    return frame
            del self.buffer[0]
        if len(self.buffer) > _BUFFER_LIMIT:
            self.buffer.clear()
        return b""

    def _frame(self, frame: bytes) -> bytes:
        server_end = next((at for at in (3, 4, 6) if frame[at - 1] & 1), 6)
        server, client = frame[2:server_end], frame[server_end : server_end + 1]
        upper = (server[0] >> 1) << 7 | server[1] >> 1 if len(server) == 4 else server[0] >> 1
        control = frame[server_end + 1]
        information = frame[server_end + 4 : -2]
        if upper != self.logical:
            return b""
        reply = self._control(control, information, client[0] >> 1, more=bool(frame[0] & 8))
        return _built(client + server, reply[0], reply[1], more=reply[2])

    def _control(self, control: int, information: bytes, client: int, *, more: bool) -> tuple[int, bytes, bool]:
        if control == 0x93:
            return self._connect(information)
        if control == 0x53:
            was_connected, self.is_connected = self.is_connected, False
            return (0x73 if was_connected else 0x1F), b"", False
        if not self.is_connected:
            return 0x1F, b"", False
        if control & 1 == 0:
            return self._information(control, information, client, more=more)
        if control & 0x0F == 1:
            return self._ready(control >> 5)
        return 0x97, b"", False

    def _connect(self, proposal: bytes) -> tuple[int, bytes, bool]:
        """Accept a link, with frames no longer than both sides take."""
        wanted = 128
        at = 3
        while at + 2 <= len(proposal):
            kind, width = proposal[at], proposal[at + 1]
            if kind == 6:
                wanted = int.from_bytes(proposal[at + 2 : at + 2 + width], "big")
            at += 2 + width
        self.limit = max(32, min(wanted, _OWN_LIMIT))
        self.is_connected, self.next_sent, self.next_received = True, 0, 0
        self.incoming.clear()
        self.outgoing, self.last = [], b""
        longest = self.limit.to_bytes(2, "big")
        chosen = b"\x05\x02" + longest + b"\x06\x02" + longest + bytes.fromhex("070400000001080400000001")
        return 0x73, b"\x81\x80" + bytes((len(chosen),)) + chosen, False

    def _information(
        self, control: int, information: bytes, client: int, *, more: bool
    ) -> tuple[int, bytes, bool]:
        if control >> 1 & 7 != self.next_received:
            return self._again()
        self.next_received = (self.next_received + 1) & 7
        self.last = b""
        self.incoming += information
        if more:
            return self._supervisory()
        request = bytes(self.incoming)
        self.incoming.clear()
        if request[:3] != b"\xe6\xe6\x00":
            return self._supervisory()
        response = b"\xe6\xe7\x00" + self.answer(request[3:], client)
        self.outgoing = [response[at : at + self.limit] for at in range(0, len(response), self.limit)]
        return self._next()

    def _ready(self, expected: int) -> tuple[int, bytes, bool]:
        if self.last and expected == self.next_sent:
            self.last = b""
        if self.last:
            return self._again()
        return self._next() if self.outgoing else self._supervisory()

    def _next(self) -> tuple[int, bytes, bool]:
        self.last = self.outgoing.pop(0)
        control = self.next_received << 5 | 0x10 | self.next_sent << 1
        self.next_sent = (self.next_sent + 1) & 7
        return control, self.last, bool(self.outgoing)

    def _again(self) -> tuple[int, bytes, bool]:
        if not self.last:
            return self._supervisory()
        sent = (self.next_sent - 1) & 7
        return self.next_received << 5 | 0x10 | sent << 1, self.last, bool(self.outgoing)

    def _supervisory(self) -> tuple[int, bytes, bool]:
        return self.next_received << 5 | 0x11, b"", False


def _built(addresses: bytes, control: int, information: bytes, *, more: bool) -> bytes:
    length = 2 + len(addresses) + 1 + 2 + (len(information) + 2 if information else 0)
    head = bytes((0xA0 | more << 3 | length >> 8, length & 0xFF)) + addresses + bytes((control,))
    body = head + crc16(head)
    if information:
        body += information
        body += crc16(body)
    return bytes((FLAG,)) + body + bytes((FLAG,))
