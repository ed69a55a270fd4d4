"""The requests of an I-FLAG session, built by the iflag library's codec."""

from collections.abc import Sequence
from datetime import datetime

from iflag import messages

from pipelines.amr.protocols.iflag.values import clipped, encode_date

_ONE_BYTE_IDS = 239
"""Ids from here on take two bytes; the library drops the data when it writes such a parameter."""


def read_request(ids: Sequence[int]) -> bytes:
    """Return the question for some parameters; the answer holds their values in the same order."""
    request: bytes = messages.ReadRequest(list(ids)).to_bytes()
    return request


def database_request(database: str, newest: datetime | None, oldest: datetime | None) -> bytes:
    """Return the question for a database's records from ``newest`` back to ``oldest`` (naive; None: no bound)."""
    bounds = [None if at is None else clipped(at) for at in (newest, oldest)]
    request: bytes = messages.ReadDatabaseRequest(database, *bounds).to_bytes()
    return request


def clock_request(parameter: int, at: datetime) -> bytes:
    """Return the command that sets the clock to a naive time of the meter's zone."""
    assert parameter < _ONE_BYTE_IDS  # noqa: S101 - the test of the model files proves it
    request: bytes = messages.WriteRequest([messages.WriteData(parameter, encode_date(at))]).to_bytes()
    return request
