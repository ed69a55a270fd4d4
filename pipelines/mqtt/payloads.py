"""The two JSON forms of a message as readings: whatever the bytes are, every row is a reading or a refusal.

A payload in which every row is well formed is decoded in one go; only where that fails is each row looked at.
"""

import contextlib
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

import msgspec

from analytics.series import Direction
from pipelines.decimals import split
from pipelines.errors import RejectedInput
from pipelines.fields import EARLIEST, LATEST, Field, Kind, check_all
from pipelines.mqtt.messages import KEPT_PAYLOAD, Fault, Reading, Refusal

MOST_REFUSALS = 100
_HIGHEST_ID = 10**18

_TIMESTAMP = Field(name="timestamp", kind=Kind.DATETIME, required=True)
_ENERGY = (
    _TIMESTAMP,
    Field(name="consumption", kind=Kind.DECIMAL, required=True),
    Field(name="production", kind=Kind.DECIMAL, nullable=True),
)
_BY_TEXT = (Field(name="deviceId", required=True, min_length=1, max_length=50), *_ENERGY)
_BY_NUMBER = (
    Field(name="deviceId", kind=Kind.INTEGER, required=True, minimum=0, maximum=_HIGHEST_ID),
    *_ENERGY,
)
_NAMED = (
    Field(name="meter", required=True, min_length=1, max_length=50),
    Field(name="series", required=True, min_length=1, max_length=50),
    _TIMESTAMP,
    Field(name="value", kind=Kind.DECIMAL, required=True),
)

_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=50, pattern=r"^[^\x00]*[^\s\x00][^\x00]*$")]
_Id = Annotated[int, msgspec.Meta(ge=0, le=_HIGHEST_ID)]


class _Row(msgspec.Struct, rename={"device": "deviceId"}):
    timestamp: Annotated[datetime, msgspec.Meta(tz=True)]
    device: _Name | _Id | None = None
    consumption: Decimal | None = None
    production: Decimal | None = None
    meter: _Name | None = None
    series: _Name | None = None
    value: Decimal | None = None


_FAST = msgspec.json.Decoder(_Row | list[_Row])
_ANY = msgspec.json.Decoder(float_hook=Decimal)
_PARTS = msgspec.json.Decoder(list[msgspec.Raw])
_EARLIEST_US = round(EARLIEST.timestamp() * 1_000_000)
_LATEST_US = round(LATEST.timestamp() * 1_000_000)
_MALFORMED = (
    msgspec.ValidationError,
    msgspec.DecodeError,
    UnicodeError,
    ValueError,
    OverflowError,
    ArithmeticError,
    RecursionError,
)


def parse(payload: bytes) -> tuple[list[Reading], list[Refusal]]:
    """Return the readings of a payload and a refusal for each row that is none; never raises."""
    try:
        decoded = _FAST.decode(payload)
        if isinstance(decoded, list):
            return [reading for index, row in enumerate(decoded) for reading in _readings(index, row)], []
        return list(_readings(None, decoded)), []
    except _MALFORMED:
        return _parse_each(payload)


def row_payloads(payload: bytes, indices: Sequence[int | None]) -> list[bytes]:
    """Return the bytes of rows of a list, cut to what is kept; for None, those of the whole payload."""
    rows: list[msgspec.Raw] = []
    if any(index is not None for index in indices):
        with contextlib.suppress(*_MALFORMED):
            rows = _PARTS.decode(payload)
    return [
        bytes(rows[index])[:KEPT_PAYLOAD] if index is not None and index < len(rows) else payload[:KEPT_PAYLOAD]
        for index in indices
    ]


def _readings(index: int | None, row: _Row) -> list[Reading]:
    times_us = round(row.timestamp.timestamp() * 1_000_000)
    if not _EARLIEST_US <= times_us < _LATEST_US:
        raise ValueError("the timestamp is out of range")
    if row.device is None:
        if row.meter is None or row.series is None or row.value is None:
            raise ValueError("a field is missing")
        return [Reading(index, row.meter, row.series, times_us, *split(row.value))]
    if row.consumption is None:
        raise ValueError("a field is missing")
    found = [Reading(index, row.device, Direction.IMPORT, times_us, *split(row.consumption))]
    if row.production is not None:
        found.append(Reading(index, row.device, Direction.EXPORT, times_us, *split(row.production)))
    return found


def _parse_each(payload: bytes) -> tuple[list[Reading], list[Refusal]]:
    try:
        decoded = _ANY.decode(payload)
    except _MALFORMED as error:
        # The decoder's own sentences name a place, never a content; the others say nothing a sender could use.
        reason = str(error) if isinstance(error, msgspec.DecodeError) else "it cannot be read"
        return [], [Refusal(None, Fault.NOT_JSON, f"The payload is not JSON: {reason}"[:500])]
    if not isinstance(decoded, dict | list):
        return [], [Refusal(None, Fault.INVALID, "Expected one reading or a list of readings.")]
    readings: list[Reading] = []
    refusals: list[Refusal] = []
    rows = enumerate(decoded) if isinstance(decoded, list) else [(None, decoded)]
    for index, item in rows:
        try:
            readings += _checked(index, item)
        except RejectedInput as error:
            refusals.append(Refusal(index, Fault.INVALID, str(error)[:500]))
    return readings, refusals


def _checked(index: int | None, item: Any) -> list[Reading]:
    """Return the readings of a row that may hold anything.

    Raises
    ------
    RejectedInput
        With every fault of every field.
    """
    if not isinstance(item, dict):
        raise RejectedInput("Expected an object.")
    device = item.get("deviceId")
    if device is None and ("meter" in item or "series" in item):
        values = check_all(_NAMED, item)
        return [Reading(index, values["meter"], values["series"], _us(values), *split(values["value"]))]
    values = check_all(_BY_NUMBER if type(device) is int else _BY_TEXT, item)
    readings = [Reading(index, values["deviceId"], Direction.IMPORT, _us(values), *split(values["consumption"]))]
    if values.get("production") is not None:
        readings.append(
            Reading(index, values["deviceId"], Direction.EXPORT, _us(values), *split(values["production"]))
        )
    return readings


def _us(values: dict[str, Any]) -> int:
    at: datetime = values["timestamp"]
    return round(at.timestamp() * 1_000_000)
