"""What the simulated meter does with an APDU: associations, GET with blocks, SET, ACTION, plain or ciphered."""

from dataclasses import dataclass, field

from pipelines.simulators.meters import dlms_encoding as enc
from pipelines.simulators.meters.dlms_association import Door, Entry, Stale, enter, use_counter
from pipelines.simulators.meters.dlms_cipher import Undecipherable
from pipelines.simulators.meters.dlms_objects import Objects

_NOT_ALLOWED, _UNKNOWN = 1, 2
_IMPOSSIBLE, _UNSUPPORTED, _DECIPHERING, _COUNTER = 1, 2, 5, 6
_PLAIN = {0xC8: 0xC0, 0xC9: 0xC1, 0xCB: 0xC3}
_CIPHERED = {0xC4: 0xCC, 0xC5: 0xCD, 0xC7: 0xCF}
_GENERAL = 0xDB
_ASSOCIATION = bytes.fromhex("0000280000ff")
_BLOCK_INVALID, _NO_TRANSFER = 19, 16
_OVERHEAD = 48


@dataclass
class Services:
    """One client's conversation with the meter above the framing."""

    objects: Objects
    door: Door
    entry: Entry | None = None
    pending: list[bytes] = field(default_factory=list)
    sent: int = 0

    def answer(self, apdu: bytes, client: int) -> bytes:
        """Return the answer to one APDU; what cannot be read is answered by an exception."""
        try:
            return self._answer(apdu, client)
        except Stale:
            last = self.objects.state.last_client_counter
            return bytes((0xD8, _NOT_ALLOWED, _COUNTER)) + max(last, 0).to_bytes(4, "big")
        except Undecipherable:
            return bytes((0xD8, _NOT_ALLOWED, _DECIPHERING))
        except (enc.Malformed, IndexError, KeyError, ValueError, OverflowError):
            return bytes((0xD8, _UNKNOWN, _IMPOSSIBLE))

    def _answer(self, apdu: bytes, client: int) -> bytes:
        kind = apdu[0]
        if kind == 0x60:
            self.entry, response = enter(apdu, client, self.door, self.objects.state)
            return response
        if kind == 0x62:
            self.entry = None
            return bytes.fromhex("6303800100")
        if self.entry is None:
            return bytes((0xD8, _NOT_ALLOWED, _IMPOSSIBLE))
        if not self.entry.client_title:
            return self._serve(apdu, self.entry)
        return self._ciphered(apdu, self.entry)

    def _ciphered(self, apdu: bytes, entry: Entry) -> bytes:
        cipher, state, at = self.door.cipher, self.objects.state, 1
        if cipher is None or (apdu[0] not in _PLAIN and apdu[0] != _GENERAL):
            return bytes((0xD8, _NOT_ALLOWED, _IMPOSSIBLE))
        if apdu[0] == _GENERAL:
            length, at = enc.read_size(apdu, at)
            at += length
        length, at = enc.read_size(apdu, at)
        counter, plain = cipher.unseal(entry.client_title, apdu[at : at + length])
        use_counter(counter, state)
        response = self._serve(plain, entry)
        if response[0] == 0xD8:
            return response
        state.own_counter += 1
        sealed = cipher.seal(self.door.title, state.own_counter, response)
        if apdu[0] == _GENERAL:
            return b"\xdb\x08" + self.door.title + enc.size(len(sealed)) + sealed
        return bytes((_CIPHERED[response[0]],)) + enc.size(len(sealed)) + sealed

    def _serve(self, apdu: bytes, entry: Entry) -> bytes:
        kind, form, invoke = apdu[0], apdu[1], apdu[2:3]
        if not entry.is_proven and kind != 0xC3:
            return bytes((0xD8, _NOT_ALLOWED, _IMPOSSIBLE))
        if kind == 0xC0 and form == 1:
            return self._get(apdu, entry, invoke)
        if kind == 0xC0 and form == 2:
            return self._next(int.from_bytes(apdu[3:7], "big"), invoke)
        if kind == 0xC1 and form == 1 and not entry.is_public:
            interface, name, attribute, at = _descriptor(apdu)
            return b"\xc5\x01" + invoke + bytes((self.objects.write(interface, name, attribute, apdu[at + 1 :]),))
        if kind == 0xC3 and form == 1:
            return self._act(apdu, entry, invoke)
        return bytes((0xD8, _UNKNOWN, _UNSUPPORTED))

    def _get(self, apdu: bytes, entry: Entry, invoke: bytes) -> bytes:
        interface, name, attribute, at = _descriptor(apdu)
        selection = apdu[at + 1 :] if apdu[at] else b""
        value = self.objects.read(interface, name, attribute, selection, is_public=entry.is_public)
        self.pending, self.sent = [], 0
        if isinstance(value, int):
            return b"\xc4\x01" + invoke + bytes((1, value))
        room = entry.pdu_limit - _OVERHEAD
        if len(value) <= room:
            return b"\xc4\x01" + invoke + b"\x00" + value
        self.pending = [value[start : start + room] for start in range(0, len(value), room)]
        return self._next(0, invoke)

    def _next(self, received: int, invoke: bytes) -> bytes:
        """Return the block after the one that the client has; the last one sent may be asked for again."""
        if received not in (self.sent, self.sent - 1) or received >= len(self.pending):
            reason = _BLOCK_INVALID if self.pending else _NO_TRANSFER
            return b"\xc4\x02" + invoke + b"\x01" + received.to_bytes(4, "big") + bytes((1, reason))
        self.sent = received + 1
        block = self.pending[received]
        is_last = self.sent == len(self.pending)
        head = b"\xc4\x02" + invoke + bytes((is_last,)) + self.sent.to_bytes(4, "big")
        return head + b"\x00" + enc.size(len(block)) + block

    def _act(self, apdu: bytes, entry: Entry, invoke: bytes) -> bytes:
        interface, name, method, at = _descriptor(apdu)
        if (interface, name, method) != (15, _ASSOCIATION, 1) or self.door.cipher is None or entry.is_proven:
            return b"\xc7\x01" + invoke + b"\x03\x00"
        proof, _ = enc.parse(apdu, at + 1)
        if not isinstance(proof, bytes) or len(proof) != 17:
            return b"\xc7\x01" + invoke + b"\x0c\x00"
        counter = int.from_bytes(proof[1:5], "big")
        expected = self.door.cipher.proof(entry.client_title, counter, self.door.challenge)
        if proof != expected:
            self.objects.state.refused += 1
            self.entry = None
            return b"\xc7\x01" + invoke + b"\x03\x00"
        entry.is_proven = True
        self.objects.state.own_counter += 1
        mine = self.door.cipher.proof(self.door.title, self.objects.state.own_counter, entry.client_challenge)
        return b"\xc7\x01" + invoke + b"\x00\x01\x00" + enc.text(mine)


def _descriptor(apdu: bytes) -> tuple[int, bytes, int, int]:
    """Return class, logical name and index of a request, and where its optional part begins."""
    if len(apdu) < 13:
        raise enc.Malformed("a request is cut short")
    return int.from_bytes(apdu[3:5], "big"), apdu[5:11], apdu[11], 12
