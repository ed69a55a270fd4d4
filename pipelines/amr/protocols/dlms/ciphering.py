"""Security suite 0: authenticated encryption of every service with the global keys, and GMAC of challenges."""

import hmac
from dataclasses import dataclass

from dlms_cosem import security
from dlms_cosem.exceptions import CryptographyError

from pipelines.amr.faults import AuthenticationFailed, BadData, BadFrame, CounterRefused, Misconfigured
from pipelines.amr.protocols.dlms.apdu import CONFIRMED_SERVICE_ERROR, EXCEPTION_RESPONSE
from pipelines.amr.protocols.dlms.axdr import length_octets, read_length

CLIENT_TITLE = b"WTL\x00\x00\x00\x00\x01"
KEY_LENGTH = 16
TITLE_LENGTH = 8
TAG_LENGTH = 12
AUTHENTICATED_ENCRYPTION = 0x30
AUTHENTICATED = 0x10
GENERAL = 0xDB
_BOTH = security.SecurityControlField(security_suite=0, authenticated=True, encrypted=True)
_GMAC = security.SecurityControlField(security_suite=0, authenticated=True)
# Service-specific ciphering: each plain tag has one of its own (IEC 62056-5-3, 9.5, XDLMS-APDU).
_GLOBAL = {0x01: 0x21, 0x08: 0x28, 0xC0: 0xC8, 0xC1: 0xC9, 0xC3: 0xCB, 0xC4: 0xCC, 0xC5: 0xCD, 0xC7: 0xCF}
_PLAIN = {ciphered: plain for plain, ciphered in _GLOBAL.items()}
_CLEAR = (EXCEPTION_RESPONSE, CONFIRMED_SERVICE_ERROR, 0x61, 0x63)


class Repeated(BadFrame):
    """An APDU under the invocation counter of the one before: the same one once more."""


@dataclass(repr=False)
class Cipher:
    """The keys of one association, the meter's title, and the last invocation counter that it used."""

    encryption_key: bytes
    authentication_key: bytes
    is_general: bool = False
    meter_title: bytes = b""
    last_received: int = -1

    def protect(self, apdu: bytes, counter: int) -> bytes:
        """Return the APDU encrypted and authenticated under one of our invocation counters."""
        ciphered: bytes = security.encrypt(
            _BOTH, CLIENT_TITLE, counter, self.encryption_key, apdu, self.authentication_key
        )
        content = bytes([AUTHENTICATED_ENCRYPTION]) + counter.to_bytes(4, "big") + ciphered
        header = bytes([_GLOBAL[apdu[0]]])
        if self.is_general and apdu[0] != 0x01:
            header = bytes([GENERAL]) + length_octets(TITLE_LENGTH) + CLIENT_TITLE
        return header + length_octets(len(content)) + content

    def unprotect(self, apdu: bytes) -> bytes:
        """Return the plain APDU; errors and ACSE come plain and are returned as they are.

        Raises
        ------
        BadFrame
            The tag is wrong: damaged on the way, or ciphered with another key.
        Repeated
            The meter's last APDU once more.
        CounterRefused
            An older invocation counter than the meter's last: a replay.
        BadData
            Not ciphered as agreed, or by another system title.
        """
        if apdu[:1] and apdu[0] in _CLEAR:
            return apdu
        content = self._content(apdu)
        if len(content) < 5 + TAG_LENGTH or content[0] != AUTHENTICATED_ENCRYPTION:
            raise BadData("the meter's answer is not authenticated and encrypted as agreed")
        counter = int.from_bytes(content[1:5], "big")
        try:
            plain: bytes = security.decrypt(
                _BOTH, self.meter_title, counter, self.encryption_key, content[5:], self.authentication_key
            )
        except (CryptographyError, ValueError):
            raise BadFrame("the meter's answer fails authentication: damaged, or under another key") from None
        self._advance(counter)
        if apdu[0] != GENERAL and plain[:1] != bytes([_PLAIN[apdu[0]]]):
            raise BadData("the ciphered answer holds another service than it says")
        return plain

    def prove(self, challenge: bytes, counter: int) -> bytes:
        """Return our answer to the meter's challenge: security control, counter, GMAC."""
        proof = self._gmac(CLIENT_TITLE, challenge, counter)
        return bytes([AUTHENTICATED]) + counter.to_bytes(4, "big") + proof

    def check_proof(self, proof: bytes, challenge: bytes) -> None:
        """Accept the meter's answer to our challenge.

        Raises
        ------
        AuthenticationFailed
            It does not know the keys.
        """
        expected = self._gmac(self.meter_title, challenge, int.from_bytes(proof[1:5], "big"))
        if proof[:1] != bytes([AUTHENTICATED]) or not hmac.compare_digest(expected, proof[5:]):
            raise AuthenticationFailed("the meter's answer to our challenge is wrong: it is not the meter we know")

    def _gmac(self, title: bytes, challenge: bytes, counter: int) -> bytes:
        mac = security.gmac(_GMAC, title, counter, self.encryption_key, self.authentication_key, challenge)
        return bytes(mac)

    def _content(self, apdu: bytes) -> bytes:
        at = 1
        if apdu[:1] == bytes([GENERAL]):
            length, at = read_length(apdu, at)
            title = apdu[at : at + length]
            if title != self.meter_title:
                raise BadData("the meter's answer is ciphered under another system title")
            at += length
        elif not apdu or apdu[0] not in _PLAIN:
            raise BadData("the meter's answer is not ciphered")
        length, start = read_length(apdu, at)
        if start + length != len(apdu):
            raise BadData("a ciphered answer is not as long as it says")
        return apdu[start:]

    def _advance(self, counter: int) -> None:
        if counter == self.last_received:
            raise Repeated("the meter's last answer once more")
        if counter < self.last_received:
            raise CounterRefused(
                f"the meter's invocation counter went back from {self.last_received} to {counter}"
            )
        self.last_received = counter


def checked_key(key: bytes | None, name: str) -> bytes:
    """Return a key of the right length.

    Raises
    ------
    Misconfigured
        It is missing, or not of 128 bits; the text names it and never shows it.
    """
    if key is None:
        raise Misconfigured(f"the meter has no {name}")
    if len(key) != KEY_LENGTH:
        raise Misconfigured(f"the meter's {name} has {len(key) * 8} bits; security suite 0 takes 128")
    return key
