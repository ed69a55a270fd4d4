"""A meter's side of a protocol, without I/O: bytes in, frames out."""

from dataclasses import dataclass
from typing import Protocol


class Responder(Protocol):
    """One connection to a simulated meter; it keeps what it has not yet understood."""

    def receive(self, data: bytes) -> list[bytes]:
        """Take a segment, however it was cut, and return the frames to send, in order.

        It never raises on bytes it does not understand: a meter ignores them or answers with its protocol's error.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """What goes wrong on request, the same for every protocol. Frames are counted from 1 within a connection.

    ``reply_delay_s`` before every frame; ``byte_delay_s`` between its bytes; ``corrupt_frames`` get one bit flipped;
    after half of frame ``cut_frame`` the connection closes; from frame ``silent_from`` on nothing is said;
    ``duplicate_frames`` are sent twice; ``flood`` answers the first segment with bytes without end;
    ``clock_drift_s`` is how far the meter's clock is ahead.
    """

    reply_delay_s: float = 0.0
    byte_delay_s: float = 0.0
    corrupt_frames: frozenset[int] = frozenset()
    cut_frame: int | None = None
    silent_from: int | None = None
    duplicate_frames: frozenset[int] = frozenset()
    flood: bool = False
    clock_drift_s: float = 0.0
