"""``/new-meter-readings``: bulk delivery by names, one object or a list, with a verdict for every row."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

import msgspec
import numpy as np
from litestar import Response, post

from api import shapes
from api.auth.access import METERING, AnyRequest, authorised, settings_of
from pipelines import clock
from pipelines.decimals import split_all
from pipelines.errors import RejectedInput
from pipelines.fields import EARLIEST, LATEST, Field, Kind, check_all
from pipelines.metering.batches import NamedReadings
from pipelines.metering.delivery import Code, Rejection, deliver
from pipelines.metering.writer import Authorship

FIELDS = (
    Field(name="meter_device_name", required=True, min_length=1, max_length=50),
    Field(name="series_name", required=True, min_length=1, max_length=50),
    Field(name="timestamp", kind=Kind.DATETIME, required=True),
    Field(name="value", kind=Kind.DECIMAL, required=True),
)
_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=50, pattern=r"^[^\x00]*[^\s\x00][^\x00]*$")]


class _Reading(msgspec.Struct):
    meter_device_name: _Name
    series_name: _Name
    timestamp: Annotated[datetime, msgspec.Meta(tz=True)]
    value: Decimal


_FAST = msgspec.json.Decoder(list[_Reading])
_EARLIEST_US = round(EARLIEST.timestamp() * 1_000_000)
_LATEST_US = round(LATEST.timestamp() * 1_000_000)
Rows = list[tuple[str, str, datetime, Decimal]]


def _parse(body: bytes) -> tuple[NamedReadings, list[int], list[Rejection]]:
    """Return the good rows, their places in the body, and the verdicts of the others.

    A body in which every row is well formed is decoded in one go; only where that fails is each row looked at.
    """
    try:
        readings = _FAST.decode(body)
        return _columns([(r.meter_device_name, r.series_name, r.timestamp, r.value) for r in readings]), [], []
    except (
        msgspec.ValidationError,
        msgspec.DecodeError,
        UnicodeError,
        ValueError,
        OverflowError,
        ArithmeticError,
        RecursionError,
    ):
        return _parse_each(shapes.read_json(body))


def _parse_each(payload: Any) -> tuple[NamedReadings, list[int], list[Rejection]]:
    if isinstance(payload, dict):
        payload = [payload]
    if not isinstance(payload, list):
        raise RejectedInput("Expected one reading or a list of readings.")
    rows: Rows = []
    places: list[int] = []
    rejected: list[Rejection] = []
    for index, item in enumerate(payload):
        try:
            values = check_all(FIELDS, item)
        except RejectedInput as error:
            rejected.append(Rejection(index=index, code=Code.INVALID, detail=str(error)))
            continue
        rows.append((values["meter_device_name"], values["series_name"], values["timestamp"], values["value"]))
        places.append(index)
    return _columns(rows), places, rejected


def _columns(rows: Rows) -> NamedReadings:
    """Return rows as columns.

    Raises
    ------
    ValueError
        A timestamp or a value is out of range.
    """
    numbers: dict[tuple[str, str], int] = {}
    pair = np.array([numbers.setdefault((row[0], row[1]), len(numbers)) for row in rows], dtype=np.int32)
    times_us = np.array([round(row[2].timestamp() * 1_000_000) for row in rows], dtype=np.int64)
    if len(rows) and not (times_us.min() >= _EARLIEST_US and times_us.max() < _LATEST_US):
        raise ValueError("a timestamp is out of range")
    mantissa, scale = split_all([row[3] for row in rows])
    return NamedReadings(pairs=list(numbers), pair=pair, times_us=times_us, mantissa=mantissa, scale=scale)


@post("/new-meter-readings", name="new-meter-readings", sync_to_thread=True)
def create_new_readings(request: AnyRequest, body: bytes) -> Response[bytes]:
    """Store readings by the names of meter and series; what is accepted is readable when the answer is sent.

    Rows of unknown meters are staged until the meter appears. Rows that are wrong are rejected one by one, with
    their index, a code and a reason; good rows are kept whatever the others do.
    """
    with authorised(request, METERING) as (connection, principal):
        batch, places, rejected = _parse(body)
        verdicts = deliver(
            connection,
            principal.organization_id,
            batch,
            Authorship(author=principal.name, reason="delivered to new-meter-readings", at=clock.now()),
            allow_unconfigured=settings_of(request).allow_unconfigured_devices,
        )
    refused = [
        {"index": places[r.index] if places else r.index, "code": r.code.value, "detail": r.detail}
        for r in verdicts.rejected
    ]
    refused += [{"index": r.index, "code": r.code.value, "detail": r.detail} for r in rejected]
    refused.sort(key=lambda row: int(row["index"]))
    answer = {"accepted": verdicts.accepted, "staged": verdicts.staged, "rejected": refused}
    return shapes.json_response(answer, 201)
