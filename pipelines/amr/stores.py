"""The SQL of the storekeeper: each function does all ops of one kind inside the caller's transaction."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
import sqlalchemy as sa

from pipelines import clock
from pipelines.amr import jobs, leases
from pipelines.amr.ops import Begin, Block, Events, Finish, Rejected, Reserve, State
from pipelines.db.engine import raw
from pipelines.metering.batches import NamedReadings
from pipelines.metering.delivery import deliver
from pipelines.metering.writer import Authorship


def begin(connection: sa.Connection, token: UUID, ops: Sequence[Begin]) -> list[bool]:
    """Take leases and hold claims."""
    wanted = [op.lease for op in ops if op.lease is not None]
    granted = leases.take(connection, wanted) if wanted else set()
    allowed = [op for op in ops if op.lease is None or op.lease.token in granted]
    held = raw(connection).execute(
        """
        UPDATE wattloom.amr_job AS j SET claimed_until = w.until
        FROM unnest(%(jobs)s::int8[], %(untils)s::timestamptz[]) AS w (id, until)
        WHERE j.id = w.id AND j.claim_token = %(token)s AND j.state = 'running' RETURNING j.id
        """,
        {
            "jobs": [job for op in allowed for job in op.jobs],
            "untils": [op.until for op in allowed for _ in op.jobs],
            "token": token,
        },
    )
    ours = {job for (job,) in held}
    return [(op.lease is None or op.lease.token in granted) and ours.issuperset(op.jobs) for op in ops]


def store(
    connection: sa.Connection, ops: Sequence[Block], *, author: str, allow_unconfigured: bool
) -> list[Rejected]:
    """Store readings through the one write path, and move watermarks on."""
    results: list[Rejected] = [{} for _ in ops]
    for organization in sorted({op.organization_id for op in ops}):
        places = [i for i, op in enumerate(ops) if op.organization_id == organization]
        batch, owner = _columns([ops[i] for i in places])
        authorship = Authorship(author=author, reason="collected from the meter", at=clock.now())
        delivery = deliver(connection, organization, batch, authorship, allow_unconfigured=allow_unconfigured)
        for rejection in delivery.rejected:
            rejected = results[places[owner[rejection.index]]]
            count, reason = rejected.get(rejection.code, (0, rejection.detail))
            rejected[rejection.code] = (count + 1, reason)
    _advance_watermarks(connection, ops)
    return results


def finish(connection: sa.Connection, token: UUID, ops: Sequence[Finish]) -> list[None]:
    """Write verdicts, note which interfaces answer, and release leases."""
    jobs.finish(connection, token, [verdict for op in ops for verdict in op.verdicts])
    reached = [(op.interface, op.was_reached) for op in ops if op.was_reached is not None and op.interface]
    if reached:
        leases.note_reached(connection, reached)
    released = [op.releases for op in ops if op.releases is not None]
    if released:
        leases.release(connection, released)
    return [None] * len(ops)


def _columns(blocks: Sequence[Block]) -> tuple[NamedReadings, np.ndarray[Any, np.dtype[np.intp]]]:
    """Return blocks as one batch, and the block of each of its rows."""
    pairs: list[tuple[str, str]] = []
    numbers: list[np.ndarray[Any, Any]] = []
    for block in blocks:
        numbers.append(np.array(block.pair, dtype=np.int32) + len(pairs))
        pairs += [(block.meter, series) for series in block.series]
    batch = NamedReadings(
        pairs=pairs,
        pair=np.concatenate(numbers),
        times_us=np.concatenate([np.array(block.times_us, dtype=np.int64) for block in blocks]),
        mantissa=np.concatenate([np.array(block.mantissa, dtype=np.int64) for block in blocks]),
        scale=np.concatenate([np.array(block.scale, dtype=np.int16) for block in blocks]),
    )
    return batch, np.repeat(np.arange(len(blocks)), [len(block.pair) for block in blocks])


def _advance_watermarks(connection: sa.Connection, blocks: Sequence[Block]) -> None:
    """Move the watermark of each archive on; never over a hole, never back."""
    marks: dict[tuple[int, str], list[tuple[datetime, datetime]]] = {}
    for block in blocks:
        if block.archive is not None and block.covered is not None:
            marks.setdefault((block.sensor_id, block.archive), []).append(block.covered)
    spans = [(key, min(s for s, _ in found), max(e for _, e in found)) for key, found in sorted(marks.items())]
    if spans:
        raw(connection).execute(
            """
            INSERT INTO wattloom.amr_watermark AS m (device_id, archive, read_until, updated_at)
            SELECT w.device_id, w.archive, w.until_at, %(now)s
            FROM unnest(%(devices)s::int4[], %(archives)s::text[], %(starts)s::timestamptz[], %(ends)s::timestamptz[])
                 AS w (device_id, archive, start_at, until_at)
            JOIN wattloom.meter_device AS d ON d.sensor_id = w.device_id
            LEFT JOIN wattloom.amr_watermark AS old ON (old.device_id, old.archive) = (w.device_id, w.archive)
            WHERE old.device_id IS NULL OR w.start_at <= old.read_until
            ON CONFLICT (device_id, archive) DO UPDATE
            SET read_until = greatest(m.read_until, excluded.read_until), updated_at = excluded.updated_at
            """,
            {
                "now": clock.now(),
                "devices": [sensor for (sensor, _), _, _ in spans],
                "archives": [archive[:100] for (_, archive), _, _ in spans],
                "starts": [start for _, start, _ in spans],
                "ends": [end for _, _, end in spans],
            },
        )


def reserve(connection: sa.Connection, ops: Sequence[Reserve]) -> list[int]:
    """Use up invocation counters: stored before any of them is sent."""
    firsts = []
    for op in ops:
        row = (
            raw(connection)
            .execute(
                """
            INSERT INTO wattloom.amr_meter_state AS s (device_id, invocation_counter, updated_at)
            VALUES (%(device)s, %(count)s, %(now)s)
            ON CONFLICT (device_id) DO UPDATE
            SET invocation_counter = s.invocation_counter + excluded.invocation_counter,
                updated_at = excluded.updated_at
            RETURNING s.invocation_counter
            """,
                {"device": op.sensor_id, "count": op.count, "now": clock.now()},
            )
            .fetchone()
        )
        firsts.append((row[0] if row else op.count) - op.count + 1)
    return firsts


def note_states(connection: sa.Connection, ops: Sequence[State]) -> list[None]:
    """Note drifts, and whether meters took our secrets."""
    states: dict[int, tuple[Decimal | None, bool | None]] = {}
    for op in ops:
        drift, refused = states.get(op.sensor_id, (None, None))
        states[op.sensor_id] = (
            drift if op.drift_s is None else op.drift_s,
            refused if op.refused is None else op.refused,
        )
    ordered = sorted(states.items())
    raw(connection).execute(
        """
        INSERT INTO wattloom.amr_meter_state AS s
            (device_id, clock_drift_s, clock_seen_at, authentication_failed_at, updated_at)
        SELECT w.device_id, w.drift_s, CASE WHEN w.drift_s IS NOT NULL THEN %(now)s::timestamptz END,
               CASE WHEN w.refused THEN %(now)s::timestamptz END, %(now)s
        FROM unnest(%(devices)s::int4[], %(drifts)s::numeric[], %(refused)s::bool[]) AS w (device_id, drift_s, refused)
        JOIN wattloom.meter_device AS d ON d.sensor_id = w.device_id
        ON CONFLICT (device_id) DO UPDATE
        SET clock_drift_s = coalesce(excluded.clock_drift_s, s.clock_drift_s),
            clock_seen_at = coalesce(excluded.clock_seen_at, s.clock_seen_at),
            authentication_failed_at = CASE
                WHEN excluded.device_id = ANY(%(unchanged)s::int4[]) THEN s.authentication_failed_at
                ELSE excluded.authentication_failed_at END,
            updated_at = excluded.updated_at
        """,
        {
            "now": clock.now(),
            "devices": [sensor for sensor, _ in ordered],
            "drifts": [drift for _, (drift, _) in ordered],
            "refused": [refused for _, (_, refused) in ordered],
            "unchanged": [sensor for sensor, (_, refused) in ordered if refused is None],
        },
    )
    return [None] * len(ops)


def add_events(connection: sa.Connection, ops: Sequence[Events]) -> list[None]:
    """Add events that are not there yet."""
    rows = [(op, event) for op in ops for event in op.events]
    raw(connection).execute(
        """
        INSERT INTO wattloom.meter_system_event
            (organization_id, meter_device_id, "timestamp", title, content, created_at, updated_at)
        SELECT d.organization_id, d.id, w.at, w.title, w.content, %(now)s, %(now)s
        FROM unnest(%(meters)s::uuid[], %(times)s::timestamptz[], %(titles)s::text[], %(contents)s::text[])
             AS w (meter, at, title, content)
        JOIN wattloom.meter_device AS d ON d.id = w.meter
        WHERE NOT EXISTS (SELECT FROM wattloom.meter_system_event AS e
                          WHERE e.meter_device_id = d.id AND e."timestamp" = w.at AND e.title = w.title)
        """,
        {
            "now": clock.now(),
            "meters": [op.meter_id for op, _ in rows],
            "times": [event.timestamp for _, event in rows],
            "titles": [event.title[:50] for _, event in rows],
            "contents": [event.content[:500] for _, event in rows],
        },
    )
    return [None] * len(ops)
