"""The quarantine as a resource: an organization lists, reads and deletes its own refused messages."""

from collections.abc import Sequence

import sqlalchemy as sa

from pipelines.crud import Resource, Row
from pipelines.db import tables
from pipelines.fields import Field, Kind


def _as_text(_connection: sa.Connection, rows: Sequence[Row]) -> None:
    """Show payloads as text, whatever their bytes are."""
    for row in rows:
        row["payload"] = bytes(row["payload"]).decode("utf-8", errors="replace")


QUARANTINED = Resource(
    name="quarantined-messages",
    title="QuarantinedMessage",
    table=tables.quarantined_message,
    fields=(
        Field(name="organization", kind=Kind.UUID, read_only=True, column="organization_id"),
        Field(name="client_id", read_only=True, nullable=True, doc="The client that the topic names"),
        Field(name="topic", read_only=True),
        Field(name="payload", read_only=True, doc="The row, or the first 64 KiB of the message"),
        Field(name="size_bytes", kind=Kind.INTEGER, read_only=True, doc="Size of the whole message"),
        Field(
            name="row_number",
            kind=Kind.INTEGER,
            read_only=True,
            nullable=True,
            doc="Place in the message's list, the first is 0; null where the fault is the message's",
        ),
        Field(name="code", read_only=True, doc="Why it was refused"),
        Field(name="detail", read_only=True),
        Field(name="received_at", kind=Kind.DATETIME, read_only=True),
    ),
    filters=("code", "start_time", "end_time"),
    time_column="received_at",
    integer_id=True,
    may_create=False,
    may_update=False,
    extend=_as_text,
)
