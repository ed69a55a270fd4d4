"""Work off stored events: one transaction per event, so that it is applied once and wholly, or not at all."""

import logging
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from pipelines import clock
from pipelines.accounts.principals import Principal, Scheme
from pipelines.db.engine import raw, unit_of_work
from pipelines.erp.configuration import compiled
from pipelines.erp.entities import apply_entities
from pipelines.erp.getters import Document
from pipelines.erp.mapping import Stopwatch
from pipelines.erp.payloads import decode, encode
from pipelines.erp.readings import Target, apply_item
from pipelines.erp.store import Origin
from pipelines.erp.verdicts import Outcome, RowError, Status
from pipelines.errors import RejectedInput, WattloomError
from pipelines.metering.writer import Authorship

_LOG = logging.getLogger("wattloom.erp")
_TRIES = 4  # of an event that collided with another writer
_AGAIN = (
    psycopg.errors.DeadlockDetected,
    psycopg.errors.SerializationFailure,
    psycopg.errors.ForeignKeyViolation,
    psycopg.errors.UniqueViolation,
)
UNFINISHED = ("stored", "failed")


@dataclass(frozen=True, kw_only=True)
class Result:
    """What became of an event: ``success``, ``partial`` (rows failed), ``error`` (all did) or ``failed`` (we did)."""

    event_id: UUID
    status: str
    message: str

    def as_dict(self) -> dict[str, Any]:
        """Return the result as it is answered."""
        return {"event_id": str(self.event_id), "status": self.status, "message": self.message}


_TAKE = """
    SELECT e.payload, e.state, e.message, i.id, i.organization_id, i.default_series, i.configuration::text,
           e.use_case_slug, i.use_case_slug, e.number
    FROM wattloom.erp_event AS e JOIN wattloom.erp_integration AS i ON i.id = e.integration_id
    WHERE e.id = %s
    FOR NO KEY UPDATE OF e
"""
_FINISH = """
    UPDATE wattloom.erp_event SET state = %(state)s, message = %(message)s, outcomes = %(outcomes)s::jsonb,
           attempts = attempts + 1, trace = trace || %(step)s::jsonb, updated_at = %(at)s
    WHERE id = %(id)s
"""


def process(
    engine: sa.Engine,
    event_id: UUID,
    *,
    by: str,
    allow_unconfigured: bool,
    again: bool = False,
) -> Result:
    """Apply a stored event and return what became of it; one that was applied is left alone, unless ``again``.

    Raises
    ------
    SourceUnavailable
        The database cannot be reached; the event stays as it is and is worked off later.
    """
    for left in reversed(range(_TRIES)):
        try:
            with unit_of_work(engine) as connection:
                return _apply(connection, event_id, by=by, allow_unconfigured=allow_unconfigured, again=again)
        except (RowError, RejectedInput, _Refused) as error:  # nothing of it was applied
            with unit_of_work(engine) as connection:
                return _finish(connection, event_id, "error", str(error), by=by, outcomes=[])
        except DBAPIError as error:
            if isinstance(error.orig, psycopg.OperationalError) and not isinstance(error.orig, _AGAIN):
                raise
            if left and isinstance(error.orig, _AGAIN):
                continue
            failure: Exception = error
        except _AGAIN as error:
            if left:
                continue
            failure = error
        except psycopg.OperationalError:
            raise
        except WattloomError:
            raise
        except Exception as error:
            failure = error
        return _failed(engine, event_id, failure, by)
    raise AssertionError("unreachable")  # the last try returns or raises


def _apply(connection: sa.Connection, event_id: UUID, *, by: str, allow_unconfigured: bool, again: bool) -> Result:
    cursor = raw(connection).cursor()
    row = cursor.execute(_TAKE, (event_id,)).fetchone()
    if row is None:
        return Result(event_id=event_id, status="error", message="The event was deleted meanwhile.")
    payload, state, message, integration, organization, series, configuration, slug, own_slug, number = row
    if state not in UNFINISHED and not again:
        return Result(event_id=event_id, status=state, message=message)
    at = clock.now()
    authorship = Authorship(author=by, reason=f"ERP event {event_id}", at=at)
    target = Target(
        organization_id=organization,
        default_series=series,
        allow_unconfigured=allow_unconfigured,
        origin=Origin(integration_id=integration, event_id=event_id, event_number=number, authorship=authorship),
    )
    if slug is not None and slug != own_slug:
        raise _Refused(f"use_case_slug: this integration's use case is {own_slug}")
    outcomes = _outcomes(connection, configuration, payload, target, by)
    state, message = _summary(outcomes)
    return _finish(connection, event_id, state, message, by=by, outcomes=outcomes)


def _finish(
    connection: sa.Connection, event_id: UUID, state: str, message: str, *, by: str, outcomes: list[Outcome]
) -> Result:
    at = clock.now()
    step = [{"at": at.isoformat(), "step": "processed", "state": state, "by": by}]
    raw(connection).execute(
        _FINISH,
        {
            "state": state,
            "message": message[:500],
            "outcomes": encode([outcome.as_dict() for outcome in outcomes]),
            "step": encode(step),
            "at": at,
            "id": event_id,
        },
    )
    return Result(event_id=event_id, status=state, message=message[:500])


class _Refused(Exception):
    """The event as a whole cannot be applied."""


def _outcomes(
    connection: sa.Connection, configuration: str, payload: str, target: Target, by: str
) -> list[Outcome]:
    """Apply an event's entities, then its readings."""
    chosen = compiled(configuration)
    document, watch = Document(decode(payload)), Stopwatch()
    # Never the caller's own rights: a staff token sees other organizations, an event only its integration's.
    principal = Principal(scheme=Scheme.BEARER, organization_id=target.organization_id, name=by)
    outcomes: list[Outcome] = []
    for number, entity in enumerate(chosen.entities):
        outcomes += apply_entities(connection, entity, number, document, principal, target, watch)
    for number, item in enumerate(chosen.readings):
        outcomes += apply_item(connection, item, number, document, target, watch)
    return outcomes


def _summary(outcomes: Sequence[Outcome]) -> tuple[str, str]:
    failed = sum(outcome.status is Status.ERROR for outcome in outcomes)
    counts: dict[str, int] = {}
    for outcome in outcomes:
        key = outcome.status.value if outcome.action is None else outcome.action
        if outcome.index is not None:
            counts[key] = counts.get(key, 0) + 1
    said = ", ".join(f"{count} {key}" for key, count in sorted(counts.items())) or "no rows"
    # What a payload as a whole did: how much was pruned.
    said = "; ".join([said, *(o.message for o in outcomes if o.index is None and o.action == "pruned")])
    if not failed:
        return "success", f"Processed: {said}"
    first = next(outcome.message for outcome in outcomes if outcome.status is Status.ERROR)
    state = "error" if failed == len(outcomes) else "partial"
    return state, f"Processed: {said}; first error: {first}"


def _failed(engine: sa.Engine, event_id: UUID, failure: Exception, by: str) -> Result:
    """Note that we could not apply an event; of a database's error not its text, which may repeat values."""
    cause = failure.orig if isinstance(failure, DBAPIError) else failure
    where = "".join(traceback.format_tb(failure.__traceback__))
    _LOG.error("ERP event %s failed with %s\n%s", event_id, type(cause).__name__, where)
    with unit_of_work(engine) as connection:
        said = "An unexpected error happened on our side; the event is tried again."
        return _finish(connection, event_id, "failed", said, by=by, outcomes=[])
