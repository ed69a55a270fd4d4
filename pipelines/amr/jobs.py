"""Job rows: dispatched once a tick, claimed by one collector at a time, finished with a verdict."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from psycopg.errors import ForeignKeyViolation

from pipelines import clock
from pipelines.amr.faults import Reason
from pipelines.db.engine import raw

ON_DEMAND = 10
CHANNEL = "wattloom_job"
_DETAIL = 500
_MANY = 1000

_SUPERSEDE = """
    UPDATE wattloom.amr_job AS j
    SET state = CASE WHEN j.readings_stored > 0 THEN 'partial' ELSE 'failed' END,
        reason = coalesce(j.reason, %(superseded)s), finished_at = %(now)s, updated_at = %(now)s,
        detail = coalesce(j.detail || '; ', '') || 'the next run came before it was done'
    FROM wattloom.amr_task AS t
    WHERE j.amr_task_id = t.id AND t.schedule = %(schedule)s AND j.state = 'waiting' AND j.tick < %(tick)s
"""
_DISPATCH = """
    INSERT INTO wattloom.amr_job (organization_id, meter_device_id, amr_task_id, tick, due_at, meter_execution_type,
                                  task_call, task_kwargs, created_at, updated_at)
    SELECT d.organization_id, d.id, t.id, %(tick)s, %(tick)s + make_interval(secs => t.run_offset_seconds),
           t.meter_execution_type, t.task_call, t.task_kwargs, %(now)s, %(now)s
    FROM (
        SELECT device_id, task_id FROM wattloom.meter_device_task
        UNION
        SELECT g.device_id, m.task_id
        FROM wattloom.meter_device_task_group AS g
        JOIN wattloom.amr_task_group_task AS m USING (group_id)
    ) AS wanted
    JOIN wattloom.amr_task AS t ON t.id = wanted.task_id
    JOIN wattloom.meter_device AS d ON d.id = wanted.device_id
    JOIN wattloom.organization AS o ON o.id = d.organization_id
    WHERE t.schedule = %(schedule)s AND t.is_active AND o.is_active
    FOR KEY SHARE OF t, o
    ON CONFLICT (amr_task_id, meter_device_id, tick) DO NOTHING
"""


def dispatch(connection: sa.Connection, *, schedule: str, tick: datetime) -> int:
    """Insert a job for every meter and active task of a schedule; return how many are new.

    Tasks of a meter are those of its groups and its own, each once. A repeated dispatch of a tick changes nothing.
    Jobs of earlier ticks that are still waiting are ended: the new one reads what they would have read.
    """
    cursor = raw(connection).cursor()
    values = {"schedule": schedule, "tick": tick, "now": clock.now(), "superseded": Reason.SUPERSEDED.value}
    # First, for who deletes a meter locks it before its jobs, too.
    new = _insert_jobs(connection, values)
    cursor.execute(_SUPERSEDE, values)
    if new >= _MANY:
        cursor.execute("ANALYZE wattloom.amr_job")  # else claims are planned for the few jobs there were before
    return new


def _insert_jobs(connection: sa.Connection, values: dict[str, Any]) -> int:
    """Insert the jobs of a tick; a meter that is deleted just then is left out by the next try.

    Locking every meter first would double the time that a large dispatch takes.
    """
    while True:
        try:
            with connection.begin_nested():
                return raw(connection).execute(_DISPATCH, values).rowcount
        except ForeignKeyViolation:
            continue


def enqueue_on_demand(
    connection: sa.Connection,
    *,
    organization: UUID,
    meter: UUID,
    execution_type: str,
    call: str,
    arguments: dict[str, Any] | None,
    due_at: datetime,
) -> int:
    """Insert a job that goes before all scheduled ones and wake the worker when it commits; return its id."""
    cursor = raw(connection).execute(
        """
        INSERT INTO wattloom.amr_job (organization_id, meter_device_id, tick, due_at, priority, meter_execution_type,
                                      task_call, task_kwargs, created_at, updated_at)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING id
        """,
        (
            organization,
            meter,
            clock.now(),
            due_at,
            ON_DEMAND,
            execution_type,
            call,
            None if arguments is None else json.dumps(arguments),
            clock.now(),
            clock.now(),
        ),
    )
    (identifier,) = cursor.fetchone() or (0,)
    raw(connection).execute("SELECT pg_notify(%s, '')", (CHANNEL,))
    return int(identifier)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A claimed job."""

    id: int
    meter_id: UUID
    execution_type: str
    call: str
    arguments: dict[str, Any] | None = field(repr=False)
    attempt: int
    is_on_demand: bool
    read_until: datetime | None = None


_GIVE_UP_LOST = """
    UPDATE wattloom.amr_job
    SET state = CASE WHEN attempt < %(attempts)s THEN 'waiting' WHEN readings_stored > 0 THEN 'partial'
                     ELSE 'failed' END,
        finished_at = CASE WHEN attempt >= %(attempts)s THEN %(now)s END,
        reason = %(reason)s, detail = 'the process that executed it ended without a word',
        claim_token = NULL, claimed_until = NULL, updated_at = %(now)s
    WHERE id IN (SELECT id FROM wattloom.amr_job WHERE state = 'running' AND claimed_until < %(now)s
                 FOR UPDATE SKIP LOCKED)
"""
# Left alone are tasks that were switched off, interfaces that somebody talks over now, and for scheduled jobs those
# whose circuit is open.
_DUE = """
    FROM wattloom.amr_job AS j
    JOIN wattloom.meter_device AS d ON d.id = j.meter_device_id
    LEFT JOIN wattloom.network_interface AS n ON n.id = d.network_interface_id
    LEFT JOIN wattloom.amr_task AS t ON t.id = j.amr_task_id
    WHERE j.state = 'waiting' AND t.is_active IS NOT FALSE AND j.due_at <= %(now)s AND j.priority >= %(priority)s
      AND (%(devices)s::int4[] IS NULL OR d.sensor_id = ANY(%(devices)s::int4[]))
      AND NOT (coalesce(n.can_block, false) AND coalesce(n.blocked_until > %(now)s, false))
      AND (j.priority > 0 OR coalesce(n.circuit_open_until <= %(now)s, true))
"""
_CLAIM = f"""
    UPDATE wattloom.amr_job AS j
    SET state = 'running', claim_token = %(token)s, claimed_until = %(until)s, attempt = j.attempt + 1,
        started_at = %(now)s, updated_at = %(now)s
    WHERE j.id IN (SELECT j.id {_DUE} ORDER BY j.priority DESC, j.due_at, j.id LIMIT %(count)s
                   FOR UPDATE OF j SKIP LOCKED)
    RETURNING j.id, j.meter_device_id, j.meter_execution_type, j.task_call, j.task_kwargs, j.attempt,
              j.priority >= {ON_DEMAND}, j.due_at, j.read_until
"""


def take_back_lost(connection: sa.Connection, *, attempts: int) -> int:
    """Let jobs wait again whose collector was lost; those that lost their last attempt fail."""
    values = {"attempts": attempts, "now": clock.now(), "reason": Reason.LOST.value}
    return raw(connection).execute(_GIVE_UP_LOST, values).rowcount


def keep(connection: sa.Connection, *, token: UUID, jobs: Sequence[int], hold: timedelta) -> None:
    """Hold claims on, from now for the time of ``hold``: of jobs that wait for their turn in a living collector."""
    raw(connection).execute(
        """
        UPDATE wattloom.amr_job SET claimed_until = %(until)s
        WHERE id IN (SELECT id FROM wattloom.amr_job
                     WHERE id = ANY(%(jobs)s) AND claim_token = %(token)s AND state = 'running'
                     FOR UPDATE SKIP LOCKED)
        """,
        {"until": clock.now() + hold, "jobs": list(jobs), "token": token},
    )


def claim(
    connection: sa.Connection,
    *,
    token: UUID,
    count: int,
    hold: timedelta,
    devices: Sequence[int] | None = None,
    priority: int = 0,
) -> list[Job]:
    """Take at most ``count`` due jobs, on-demand ones first; nobody else can claim them for the time of ``hold``."""
    now = clock.now()
    rows = raw(connection).execute(
        _CLAIM,
        {
            "token": token,
            "until": now + hold,
            "now": now,
            "count": count,
            "devices": None if devices is None else list(devices),
            "priority": priority,
        },
    )
    found = sorted(rows, key=lambda row: (not row[6], row[7], row[0]))
    return [
        Job(
            id=row[0],
            meter_id=row[1],
            execution_type=row[2],
            call=row[3],
            arguments=row[4],
            attempt=row[5],
            is_on_demand=row[6],
            read_until=row[8],
        )
        for row in found
    ]


def due_meters(connection: sa.Connection) -> list[tuple[int, UUID | None]]:
    """Return (sensor id, interface) of every meter that has a claimable job, neighbours of an interface together."""
    rows = raw(connection).execute(
        f"SELECT DISTINCT d.network_interface_id, d.sensor_id {_DUE} ORDER BY 1, 2",
        {"now": clock.now(), "devices": None, "priority": 0},
    )
    return [(sensor, interface) for interface, sensor in rows]


def shards(meters: Sequence[tuple[int, UUID | None]], size: int) -> list[list[int]]:
    """Return sensor ids in shards of about ``size``; meters of one interface are never parted."""
    found: list[list[int]] = []
    last: UUID | None = None
    for sensor, interface in meters:
        belongs = interface is not None and interface == last
        if not found or (len(found[-1]) >= size and not belongs):
            found.append([])
        found[-1].append(sensor)
        last = interface
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How an attempt of a job ended; with ``retry_at`` it waits again, and goes on from ``read_until``."""

    job: int
    state: str
    reason: Reason | None = None
    detail: str | None = None
    retry_at: datetime | None = None
    uncount: bool = False
    read_until: datetime | None = None
    found: int = 0
    stored: int = 0
    rejected: int = 0


_FINISH = """
    UPDATE wattloom.amr_job AS j
    SET state = CASE WHEN v.state = 'failed' AND j.readings_stored > 0 THEN 'partial' ELSE v.state END,
        reason = v.reason, detail = v.detail, due_at = coalesce(v.retry_at, j.due_at),
        attempt = j.attempt - CASE WHEN v.uncount THEN 1 ELSE 0 END,
        finished_at = CASE WHEN v.retry_at IS NULL THEN %(now)s END,
        readings_found = j.readings_found + v.found, readings_stored = j.readings_stored + v.stored,
        readings_rejected = j.readings_rejected + v.rejected,
        read_until = coalesce(v.read_until, j.read_until),
        claim_token = NULL, claimed_until = NULL, updated_at = %(now)s
    FROM unnest(%(jobs)s::int8[], %(states)s::text[], %(reasons)s::text[], %(details)s::text[],
                %(retries)s::timestamptz[], %(uncounts)s::bool[], %(founds)s::int4[], %(stored)s::int4[],
                %(rejected)s::int4[], %(read_until)s::timestamptz[])
         AS v (id, state, reason, detail, retry_at, uncount, found, stored, rejected, read_until)
    WHERE j.id = v.id AND j.claim_token = %(token)s
"""


def finish(connection: sa.Connection, token: UUID, verdicts: Sequence[Verdict]) -> None:
    """Write verdicts of jobs that are still held under ``token``."""
    raw(connection).execute(
        _FINISH,
        {
            "now": clock.now(),
            "token": token,
            "jobs": [v.job for v in verdicts],
            "states": ["waiting" if v.retry_at else v.state for v in verdicts],
            "reasons": [v.reason and v.reason.value for v in verdicts],
            "details": [v.detail and v.detail.replace("\0", "")[:_DETAIL] for v in verdicts],
            "retries": [v.retry_at for v in verdicts],
            "uncounts": [v.uncount for v in verdicts],
            "founds": [v.found for v in verdicts],
            "stored": [v.stored for v in verdicts],
            "rejected": [v.rejected for v in verdicts],
            "read_until": [v.read_until for v in verdicts],
        },
    )


def prune(connection: sa.Connection, *, retention_days: int) -> int:
    """Delete jobs that ended longer ago than their retention; return how many."""
    now = clock.now()
    cursor = raw(connection).execute(
        # The job of a year's run stays as long as its run may be dispatched again.
        "DELETE FROM wattloom.amr_job AS j WHERE j.finished_at < %s AND NOT (j.tick > %s AND EXISTS (SELECT"
        " FROM wattloom.amr_task AS t WHERE t.id = j.amr_task_id AND t.schedule = 'yearly'))",
        (now - timedelta(days=retention_days), now - timedelta(days=366)),
    )
    return cursor.rowcount
