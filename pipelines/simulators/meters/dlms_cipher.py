"""The meter's side of security suite 0, on AES-GCM alone."""

from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_TAG = 12


class Undecipherable(Exception):
    """A wrong tag: another key, or damage."""


@dataclass(frozen=True, repr=False)
class MeterCipher:
    """Encrypts under the meter's title and deciphers what came under the client's."""

    encryption_key: bytes
    authentication_key: bytes

    def seal(self, title: bytes, counter: int, plain: bytes) -> bytes:
        """Return security control, counter, ciphertext and the shortened tag."""
        nonce = title + counter.to_bytes(4, "big")
        sealed = AESGCM(self.encryption_key).encrypt(nonce, plain, b"\x30" + self.authentication_key)
        return b"\x30" + counter.to_bytes(4, "big") + sealed[: len(plain) + _TAG]

    def unseal(self, title: bytes, content: bytes) -> tuple[int, bytes]:
        """Return the counter and the plain text.

        The library takes whole tags only. Encrypting the ciphertext gives the plain text (GCM is a stream cipher),
        and encrypting that gives the tag to compare with.

        Raises
        ------
        Undecipherable
            The tag is wrong.
        """
        if len(content) < 5 + _TAG or content[0] != 0x30 or len(title) != 8:
            raise Undecipherable
        nonce, body, tag = title + content[1:5], content[5:-_TAG], content[-_TAG:]
        engine = AESGCM(self.encryption_key)
        plain = engine.encrypt(nonce, body, None)[: len(body)]
        if engine.encrypt(nonce, plain, b"\x30" + self.authentication_key)[-16:-4] != tag:
            raise Undecipherable
        return int.from_bytes(content[1:5], "big"), plain

    def proof(self, title: bytes, counter: int, challenge: bytes) -> bytes:
        """Return security control, counter and GMAC of a challenge."""
        nonce = title + counter.to_bytes(4, "big")
        mac = AESGCM(self.encryption_key).encrypt(nonce, b"", b"\x10" + self.authentication_key + challenge)
        return b"\x10" + counter.to_bytes(4, "big") + mac[:_TAG]
