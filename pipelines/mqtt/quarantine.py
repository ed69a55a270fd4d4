"""The quarantine: what could not be stored, with its reason, kept in the transaction that stored the rest."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from pipelines.db.engine import raw
from pipelines.mqtt.messages import Fault, Message, Refusal
from pipelines.mqtt.payloads import MOST_REFUSALS, row_payloads

_SHOWN_TOPIC = 250
_SHOWN_DETAIL = 500

# A broker sends again what we could not acknowledge in time; only then an equal entry is the same one.
_KEEP = """
    INSERT INTO wattloom.quarantined_message
        (organization_id, client_id, topic, payload, size_bytes, row_number, code, detail,
         received_at, created_at, updated_at)
    SELECT %(organization)s, n.client_id, n.topic, n.payload, n.size_bytes, n.row_number, n.code, n.detail,
           n.received_at, %(at)s, %(at)s
    FROM unnest(%(client_id)s::text[], %(topic)s::text[], %(payload)s::bytea[], %(size_bytes)s::int4[],
                %(row_number)s::int4[], %(code)s::text[], %(detail)s::text[], %(received_at)s::timestamptz[],
                %(repeated)s::bool[]) WITH ORDINALITY
        AS n (client_id, topic, payload, size_bytes, row_number, code, detail, received_at, repeated, place)
    WHERE NOT (n.repeated AND EXISTS (
        SELECT FROM wattloom.quarantined_message AS q
        WHERE q.organization_id IS NOT DISTINCT FROM %(organization)s::uuid
          AND (q.topic, q.code, q.size_bytes, q.payload) = (n.topic, n.code, n.size_bytes, n.payload)
          AND q.row_number IS NOT DISTINCT FROM n.row_number))
    ORDER BY n.place
"""


def condensed(refusals: Sequence[Refusal]) -> list[Refusal]:
    """Return one refusal per row, and of very many only the first with the number of the others."""
    by_row: dict[int | None, Refusal] = {}
    for refusal in refusals:
        first = by_row.get(refusal.row)
        detail = refusal.detail if first is None else f"{first.detail} {refusal.detail}"
        by_row[refusal.row] = Refusal(refusal.row, first.code if first else refusal.code, detail)
    rows = sorted(by_row.values(), key=lambda refusal: -1 if refusal.row is None else refusal.row)
    if len(rows) <= MOST_REFUSALS:
        return rows
    others = len(rows) - MOST_REFUSALS
    return [
        *rows[:MOST_REFUSALS],
        Refusal(None, Fault.TOO_MANY, f"{others} further rows of this message were refused."),
    ]


def keep(
    connection: sa.Connection,
    organization: UUID | None,
    refused: Sequence[tuple[Message, Sequence[Refusal]]],
    at: datetime,
) -> int:
    """Keep every refused row with its own bytes, or the message's first 64 KiB; return the number of entries."""
    entries: list[tuple[Message, Refusal]] = []
    payloads: list[bytes] = []
    for message, refusals in refused:
        shown = condensed(refusals)
        entries += [(message, refusal) for refusal in shown]
        payloads += row_payloads(message.payload, [refusal.row for refusal in shown])
    if entries:
        raw(connection).execute(
            _KEEP,
            {
                "organization": organization,
                "at": at,
                "client_id": [message.client_id for message, _ in entries],
                "topic": [_shown(message.topic) for message, _ in entries],
                "payload": payloads,
                "size_bytes": [message.size_bytes for message, _ in entries],
                "row_number": [refusal.row for _, refusal in entries],
                "code": [str(refusal.code) for _, refusal in entries],
                "detail": [refusal.detail.replace("\0", "")[:_SHOWN_DETAIL] for _, refusal in entries],
                "received_at": [message.received_at for message, _ in entries],
                "repeated": [message.is_repeated for message, _ in entries],
            },
        )
    return len(entries)


def _shown(topic: str) -> str:
    return topic.replace("\0", "")[:_SHOWN_TOPIC]
