"""What a message is to us, and every reason for which one, or a row of it, is kept apart."""

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from analytics.series import Direction

LARGEST_PAYLOAD = 1024 * 1024
KEPT_PAYLOAD = 64 * 1024


class Fault(StrEnum):
    """Why a message or a row was quarantined; rejections of the write path keep their own codes."""

    BAD_TOPIC = "bad_topic"
    UNKNOWN_CLIENT = "unknown_client"
    TOO_LARGE = "too_large"
    NOT_JSON = "not_json"
    INVALID = "invalid"
    FOREIGN_DEVICE = "foreign_device"
    NOT_CONFIGURED = "device_not_configured"
    NOT_ALLOWED = "series_not_allowed"
    AMBIGUOUS = "ambiguous_series"
    TOO_MANY = "too_many_faults"
    INTERNAL = "internal"


class Message(NamedTuple):
    """A message as it arrived; of one that is too large only the beginning is kept in ``payload``.

    ``link`` is the connection it came over: its packet number ``mid`` means nothing on another one.
    """

    topic: str
    payload: bytes
    size_bytes: int
    qos: int
    mid: int
    is_repeated: bool
    link: int
    received_at: datetime

    @property
    def client_id(self) -> str | None:
        """Return the client that the topic names, None where the topic is not of our form."""
        parts = self.topic.split("/")
        if len(parts) != 3 or parts[0] != "v1" or parts[2] != "readings" or not 0 < len(parts[1]) <= 64:
            return None
        return None if "\0" in parts[1] else parts[1]


class Reading(NamedTuple):
    """A reading as its sender names it; value = mantissa * 10**-scale.

    ``row`` is its place in a list, None where the payload is one object. ``target`` is a series name, or the
    direction of an energy in Wh; only with a direction may ``device`` be a sensor id.
    """

    row: int | None
    device: str | int
    target: str | Direction
    times_us: int
    mantissa: int
    scale: int


class Refusal(NamedTuple):
    """A row (or, without a row, all) of a message that was not stored, and why."""

    row: int | None
    code: str
    detail: str
