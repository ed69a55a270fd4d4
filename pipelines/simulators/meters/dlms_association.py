"""How the simulated meter lets a client in: AARQ in, AARE out."""

from dataclasses import dataclass
from enum import StrEnum

from pipelines.simulators.meters import dlms_encoding as enc
from pipelines.simulators.meters.dlms_cipher import MeterCipher, Undecipherable
from pipelines.simulators.meters.dlms_objects import MeterState

PUBLIC_CLIENT = 16
_DLMS = bytes.fromhex("60857405 08".replace(" ", ""))
_PLAIN_CONTEXT, _CIPHERED_CONTEXT = _DLMS + b"\x01\x01", _DLMS + b"\x01\x03"
_LLS, _GMAC = _DLMS + b"\x02\x01", _DLMS + b"\x02\x05"
_CONFORMANCE = bytes.fromhex("0050 1f".replace(" ", ""))
_NOT_SUPPORTED, _UNKNOWN_MECHANISM, _NEEDED, _FAILED = 2, 11, 14, 13


class Security(StrEnum):
    """What a client has to show."""

    NONE = "none"
    LLS = "lls"
    GMAC = "gmac"


@dataclass(frozen=True, kw_only=True, repr=False)
class Door:
    """The meter's secrets and limits."""

    security: Security
    password: bytes | None
    cipher: MeterCipher | None
    title: bytes
    challenge: bytes
    pdu_limit: int


@dataclass(kw_only=True, repr=False)
class Entry:
    """An association of one connection: what the client may read, and its part of the ciphering."""

    is_public: bool = False
    client_title: bytes = b""
    client_challenge: bytes = b""
    pdu_limit: int = 0
    is_proven: bool = True


class Stale(Exception):
    """An invocation counter that was used before."""


def elements(octets: bytes) -> dict[int, bytes]:
    """Return the BER elements of ``octets`` by tag."""
    found, at = {}, 0
    while at < len(octets):
        length, start = enc.read_size(octets, at + 1)
        if start + length > len(octets):
            raise enc.Malformed("an element is cut short")
        found[octets[at]] = octets[start : start + length]
        at = start + length
    return found


def enter(aarq: bytes, client: int, door: Door, state: MeterState) -> tuple[Entry | None, bytes]:
    """Return the association that a request opens, if any, and the response to it.

    Raises
    ------
    Malformed
        It is no request.
    Stale
        Its invocation counter was used before.
    """
    asked = elements(elements(aarq)[0x60])
    context = elements(asked.get(0xA1, b"")).get(0x06, b"")
    mechanism = asked.get(0x8B, b"")
    if door.security is Security.NONE or (client == PUBLIC_CLIENT and not mechanism):
        if context != _PLAIN_CONTEXT or mechanism:
            return None, _refuse(_UNKNOWN_MECHANISM if mechanism else _NOT_SUPPORTED)
        is_public = door.security is not Security.NONE
        entry = Entry(is_public=is_public, pdu_limit=_pdu_limit(_information(asked), door))
        return entry, _accept(door, b"")
    wanted = _LLS if door.security is Security.LLS else _GMAC
    if mechanism != wanted:
        return None, _refuse(_UNKNOWN_MECHANISM if mechanism else _NEEDED)
    secret = elements(asked.get(0xAC, b"")).get(0x80, b"")
    if door.security is Security.LLS:
        if secret != door.password:
            state.refused += 1
            return None, _refuse(_FAILED)
        return Entry(pdu_limit=_pdu_limit(_information(asked), door)), _accept(door, b"")
    return _challenge(asked, context, secret, door, state)


def _challenge(
    asked: dict[int, bytes], context: bytes, secret: bytes, door: Door, state: MeterState
) -> tuple[Entry | None, bytes]:
    title = elements(asked.get(0xA6, b"")).get(0x04, b"")
    ciphered = elements(_information(asked)).get(0x21, b"")
    if context != _CIPHERED_CONTEXT or door.cipher is None or not 8 <= len(secret) <= 64:
        return None, _refuse(_NOT_SUPPORTED)
    try:
        counter, initiate = door.cipher.unseal(title, ciphered)
    except Undecipherable:
        state.refused += 1
        return None, _refuse(_FAILED)
    use_counter(counter, state)
    entry = Entry(
        client_title=title,
        client_challenge=secret,
        pdu_limit=_pdu_limit(initiate, door),
        is_proven=False,
    )
    state.own_counter += 1
    answer = door.cipher.seal(door.title, state.own_counter, _initiate_response(door))
    more = (
        bytes.fromhex("a40a0408") + door.title + bytes.fromhex("88020780") + b"\x89\x07" + _GMAC
        + b"\xaa" + enc.size(len(door.challenge) + 2) + b"\x80" + enc.size(len(door.challenge)) + door.challenge
    )  # fmt: skip
    return entry, _response(0, _NEEDED, more, b"\x28" + enc.size(len(answer)) + answer)


def use_counter(counter: int, state: MeterState) -> None:
    """Accept a client's invocation counter if it is greater than all before.

    Raises
    ------
    Stale
        It is not.
    """
    if counter <= state.last_client_counter:
        raise Stale
    state.last_client_counter = counter


def _information(asked: dict[int, bytes]) -> bytes:
    return elements(asked.get(0xBE, b"")).get(0x04, b"")


def _pdu_limit(initiate: bytes, door: Door) -> int:
    """Return the longest answer: what the client receives, 0 standing for no limit, and what we send."""
    wanted = int.from_bytes(initiate[-2:], "big") or 65_535
    return min(wanted, door.pdu_limit)


def _initiate_response(door: Door) -> bytes:
    return bytes.fromhex("0800065f1f0400") + _CONFORMANCE + door.pdu_limit.to_bytes(2, "big") + b"\x00\x07"


def _accept(door: Door, more: bytes) -> bytes:
    return _response(0, 0, more, _initiate_response(door))


def _refuse(diagnostic: int) -> bytes:
    return _response(1, diagnostic, b"", bytes.fromhex("0e010601"))


def _response(result: int, diagnostic: int, more: bytes, information: bytes) -> bytes:
    context = _CIPHERED_CONTEXT if information[:1] == b"\x28" else _PLAIN_CONTEXT
    body = b"\xa1\x09\x06\x07" + context + bytes((0xA2, 3, 2, 1, result))
    body += bytes((0xA3, 5, 0xA1, 3, 2, 1, diagnostic)) + more
    wrapped = b"\x04" + enc.size(len(information)) + information
    body += b"\xbe" + enc.size(len(wrapped)) + wrapped
    return b"\x61" + enc.size(len(body)) + body
