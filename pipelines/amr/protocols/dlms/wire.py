"""What carries APDUs: the interface of a wire, and the TCP wrapper."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, TypeVar

from pipelines.amr.contract import Exchange, Step
from pipelines.amr.faults import BadFrame

T = TypeVar("T")
Talk: TypeAlias = Generator[Step, Any, T]
"""A part of a conversation that comes to a result."""

ATTEMPTS = 3
HEADER_LENGTH = 8
WRAPPER_VERSION = 1
_LONGEST = HEADER_LENGTH + 0xFFFF


class Wire(Protocol):
    """A connection below the association.

    ``attempts`` is how often whoever asks over it may repeat a request that met silence or a damaged answer; 1 where
    the wire repeats by itself.
    """

    attempts: int

    def connect(self) -> Talk[None]:
        """Set up the link."""
        ...

    def exchange(self, apdu: bytes) -> Talk[bytes]:
        """Send an APDU and return the next one that comes."""
        ...

    def receive(self) -> Talk[bytes]:
        """Return the APDU after one that was no answer."""
        ...

    def disconnect(self, *, in_order: bool) -> Talk[None]:
        """Take the link down; without waiting where it is not ``in_order``."""
        ...


def wrapper_frame(buffer: bytearray) -> int | None:
    """Say where a wrapped APDU ends, by its length field.

    Raises
    ------
    BadFrame
        It does not begin with version 1.

    Notes
    -----
    Source: IEC 62056-4-7, clause 5.3.3.
    """
    if buffer[: min(2, len(buffer))] != b"\x00\x01"[: len(buffer)]:
        raise BadFrame("no wrapper header of version 1")
    if len(buffer) < HEADER_LENGTH:
        return None
    length = HEADER_LENGTH + int.from_bytes(buffer[6:8], "big")
    return length if len(buffer) >= length else None


@dataclass
class WrapperWire:
    """APDUs over TCP, each behind eight octets: version, source port, destination port, length."""

    client: int
    server: int
    attempts: int = ATTEMPTS

    def connect(self) -> Talk[None]:
        """Do nothing: the TCP connection is the link."""
        yield from ()

    def exchange(self, apdu: bytes) -> Talk[bytes]:
        """Send an APDU and return the next one that comes.

        Raises
        ------
        BadFrame
            Its header names other ports than ours.
        """
        ports = self.client.to_bytes(2, "big") + self.server.to_bytes(2, "big")
        request = WRAPPER_VERSION.to_bytes(2, "big") + ports + len(apdu).to_bytes(2, "big") + apdu
        return (yield from self._frame(request))

    def receive(self) -> Talk[bytes]:
        """Return the APDU that follows without being asked for."""
        return (yield from self._frame(b""))

    def disconnect(self, *, in_order: bool) -> Talk[None]:  # noqa: ARG002 - the interface's
        """Do nothing: the collection closes the TCP connection."""
        yield from ()

    def _frame(self, request: bytes) -> Talk[bytes]:
        frame: bytes = yield Exchange(request, wrapper_frame, frame_limit=_LONGEST)
        source, destination = int.from_bytes(frame[2:4], "big"), int.from_bytes(frame[4:6], "big")
        if (source, destination) != (self.server, self.client):
            raise BadFrame(f"a wrapper from {source} to {destination}, not from {self.server} to {self.client}")
        return frame[HEADER_LENGTH:]
