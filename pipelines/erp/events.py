"""Events as the API takes and shows them: stored first, then processed; replayed; simulated without a trace."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from pipelines import clock
from pipelines.accounts.principals import Principal
from pipelines.crud import get_row
from pipelines.db.engine import raw, unit_of_work
from pipelines.erp.payloads import encode
from pipelines.erp.processing import Result, process
from pipelines.erp.resources import INTEGRATION
from pipelines.errors import NotFound, RejectedInput
from pipelines.fields import Field, Kind, check_all

MOST_EVENTS = 100
SLUG = "[a-z0-9][a-z0-9_-]*"
REQUEST = (Field(name="integration_id", kind=Kind.UUID, required=True),)
META = (Field(name="correlation_id", nullable=True, max_length=255),)
EVENT = (
    Field(name="event_type", nullable=True, max_length=255),
    Field(name="event_name", nullable=True, max_length=255),
    Field(name="use_case_slug", nullable=True, min_length=1, max_length=255, pattern=SLUG),
    Field(name="timestamp", kind=Kind.DATETIME, nullable=True),
    Field(name="format", choices=("json",)),
    Field(name="payload", required=True),
    Field(name="deduplication_id", nullable=True, min_length=1, max_length=255),
    Field(name="correlation_id", nullable=True, max_length=255),
)
REPLAY = (Field(name="event_ids", kind=Kind.UUIDS, required=True),)
_ORPHANED = timedelta(minutes=2)  # an event this old that is only stored was left by a process that died
_MOST_ATTEMPTS = 8

_STORE = """
    INSERT INTO wattloom.erp_event (integration_id, deduplication_id, correlation_id, event_type, use_case_slug,
                                    occurred_at, payload, trace, created_at, updated_at)
    VALUES (%(integration)s, %(deduplication_id)s, %(correlation_id)s, %(event_type)s, %(use_case_slug)s,
            %(timestamp)s, %(payload)s, %(trace)s::jsonb, %(at)s, %(at)s)
    ON CONFLICT (integration_id, deduplication_id) DO NOTHING
    RETURNING id
"""
Stored = UUID | dict[str, Any]


def store(connection: sa.Connection, principal: Principal, body: Any) -> list[Stored]:
    """Store the events of a request; return, in order, the id of each or the verdict on one that is malformed.

    An event whose deduplication id is known is the one that was stored first.

    Raises
    ------
    RejectedInput
        The request as a whole is malformed, or names no integration of the caller's.
    """
    integration = check_all(REQUEST, body)["integration_id"]
    meta = {} if body.get("meta") is None else check_all(META, body["meta"])
    events = body.get("events")
    if not isinstance(events, list):
        raise RejectedInput({"events": ["This field is required." if events is None else "Expected a list."]})
    if len(events) > MOST_EVENTS:
        raise RejectedInput({"events": [f"Ensure that there are no more than {MOST_EVENTS} events."]})
    try:
        get_row(connection, INTEGRATION, principal, integration)
    except NotFound:
        raise RejectedInput({"integration_id": [f'Invalid pk "{integration}" - object does not exist.']}) from None
    return [
        _store_one(connection, principal, integration, meta.get("correlation_id"), event, index)
        for index, event in enumerate(events)
    ]


def _store_one(
    connection: sa.Connection,
    principal: Principal,
    integration: UUID,
    correlation_id: str | None,
    event: Any,
    index: int,
) -> Stored:
    try:
        if isinstance(event, Mapping) and isinstance(event.get("payload"), dict | list):
            event = {**event, "payload": encode(event["payload"])}  # the JSON itself instead of its text
        values = check_all(EVENT, event)
    except (RejectedInput, ValueError, UnicodeError) as error:
        said = error if isinstance(error, RejectedInput) else "payload: Not valid JSON."
        return {"event_id": None, "status": "error", "message": f"events[{index}]: {said}"[:500]}
    at = clock.now()
    step = [{"at": at.isoformat(), "step": "stored", "state": "stored", "by": principal.name}]
    slug = values.get("use_case_slug") or values.get("event_name")  # the slug wins
    row = {name: values.get(name) for name in ("deduplication_id", "event_type", "timestamp", "payload")}
    row |= {"integration": integration, "use_case_slug": slug, "trace": encode(step), "at": at}
    row["correlation_id"] = values.get("correlation_id") or correlation_id
    cursor = raw(connection).cursor()
    stored = cursor.execute(_STORE, row).fetchone()
    if stored is None:
        stored = cursor.execute(
            "SELECT id FROM wattloom.erp_event WHERE integration_id = %(integration)s"
            " AND deduplication_id = %(deduplication_id)s",
            row,
        ).fetchone()
    assert stored is not None  # noqa: S101 - it was stored now or before
    identifier: UUID = stored[0]
    return identifier


def work_off(
    engine: sa.Engine, stored: list[Stored], *, by: str, allow_unconfigured: bool
) -> list[dict[str, Any]]:
    """Process stored events in order; return the result of each."""
    results: list[dict[str, Any]] = []
    for one in stored:
        if isinstance(one, UUID):
            results.append(process(engine, one, by=by, allow_unconfigured=allow_unconfigured).as_dict())
        else:
            results.append(one)
    return results


_SHOW = """
    SELECT id, deduplication_id, correlation_id, event_type, use_case_slug, occurred_at, state, message, attempts,
           outcomes, trace, created_at, updated_at
    FROM wattloom.erp_event WHERE integration_id = %s AND id = %s
"""


def show(connection: sa.Connection, principal: Principal, integration: object, event: object) -> dict[str, Any]:
    """Return an event with the verdict on each of its rows and its trace.

    Raises
    ------
    NotFound
        Unknown, or of another organization.
    """
    own = get_row(connection, INTEGRATION, principal, integration)["id"]
    row = raw(connection).execute(_SHOW, (own, event)).fetchone()
    if row is None:
        raise NotFound
    shown: dict[str, Any] = dict(
        zip(("event_id", "deduplication_id", "correlation_id", "event_type"), row, strict=False)
    )
    shown |= {"use_case_slug": row[4], "timestamp": row[5], "status": row[6], "message": row[7]}
    shown |= {"results": row[9] or [], "created_at": row[11], "updated_at": row[12]}
    trace = {"correlation_id": row[2], "attempts": row[8], "steps": row[10]}
    return {"integration_id": own, **shown, "trace": trace}


def chosen_for_replay(
    connection: sa.Connection, principal: Principal, integration: object, body: Any
) -> list[Stored]:
    """Return the events of an integration that a request names; an unknown one has its verdict.

    Raises
    ------
    NotFound, RejectedInput
        The integration is unknown; the request is malformed.
    """
    own = get_row(connection, INTEGRATION, principal, integration)["id"]
    identifiers = check_all(REPLAY, body)["event_ids"]
    if len(identifiers) > MOST_EVENTS:
        raise RejectedInput({"event_ids": [f"Ensure that there are no more than {MOST_EVENTS} events."]})
    query = "SELECT id FROM wattloom.erp_event WHERE integration_id = %s AND id = ANY(%s)"
    known = {identifier for (identifier,) in raw(connection).execute(query, (own, identifiers))}
    unknown = {"status": "error", "message": "Not found."}
    return [one if one in known else {"event_id": str(one), **unknown} for one in identifiers]


def replay(engine: sa.Engine, chosen: list[Stored], *, by: str, allow_unconfigured: bool) -> list[dict[str, Any]]:
    """Process events again, whatever became of them; matching makes a repetition harmless."""
    return [
        process(engine, one, by=by, allow_unconfigured=allow_unconfigured, again=True).as_dict()
        if isinstance(one, UUID)
        else one
        for one in chosen
    ]


_UNFINISHED = """
    SELECT id, number FROM wattloom.erp_event
    WHERE state IN ('stored', 'failed') AND attempts < %s AND updated_at < %s AND number > %s
    ORDER BY number LIMIT 100
"""


def replay_unfinished(engine: sa.Engine, *, allow_unconfigured: bool) -> dict[str, int]:
    """Process, in order of arrival, every event that was left stored or that failed on our side."""
    counts = {"replayed": 0, "failed": 0}
    before, after = clock.now() - _ORPHANED, 0
    while True:
        with unit_of_work(engine) as connection:
            cursor = raw(connection).cursor()
            found = cursor.execute(_UNFINISHED, (_MOST_ATTEMPTS, before, after))
            events: list[tuple[UUID, int]] = found.fetchall()
        if not events:
            return counts
        after = events[-1][1]
        for identifier, _ in events:
            result: Result = process(engine, identifier, by="replay", allow_unconfigured=allow_unconfigured)
            counts["failed" if result.status == "failed" else "replayed"] += 1


def prune(connection: sa.Connection, *, before: datetime) -> int:
    """Delete finished events that arrived before an instant; return how many."""
    cursor = raw(connection).execute(
        "DELETE FROM wattloom.erp_event WHERE created_at < %s AND state NOT IN ('stored', 'failed')", (before,)
    )
    return cursor.rowcount
