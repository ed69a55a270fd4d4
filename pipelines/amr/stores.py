"""The SQL of the storekeeper: each function does all ops of one kind inside the caller's transaction."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from uuid import UUID

import numpy as np
import sqlalchemy as sa

from pipelines import clock
from pipelines.amr import jobs, leases
from pipelines.amr.ops import Begin, Block, Events, Finish, Mark, Reserve, State
from pipelines.db.engine import raw
from pipelines.metering.writer import Authorship, KeyedReadings, write_readings


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


def store(connection: sa.Connection, ops: Sequence[Block], *, author: str) -> list[int]:
    """Store readings through the one write path; return per block how many lost their meter or series meanwhile."""
    sizes = np.array([len(op.times_us) for op in ops])
    readings = KeyedReadings(
        device_id=np.repeat(np.array([op.sensor_id for op in ops], dtype=np.int32), sizes),
        series_id=np.concatenate([np.frombuffer(op.series, dtype=np.int32) for op in ops]),
        times_us=np.concatenate([np.frombuffer(op.times_us, dtype=np.int64) for op in ops]),
        mantissa=np.concatenate([np.frombuffer(op.mantissas, dtype=np.int64) for op in ops]),
        scale=np.concatenate([np.frombuffer(op.scales, dtype=np.int16) for op in ops]),
    )
    authorship = Authorship(author=author, reason="collected from the meter", at=clock.now())
    written = write_readings(connection, readings, authorship)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    lost: list[int] = np.add.reduceat(written.gone.astype(np.int64), starts).tolist()
    return lost


def finish(connection: sa.Connection, token: UUID, ops: Sequence[Finish]) -> list[None]:
    """Write verdicts, note which interfaces answer, and release leases."""
    jobs.finish(connection, token, [verdict for op in ops for verdict in op.verdicts])
    _advance_watermarks(connection, [mark for op in ops for mark in op.marks])
    reached = [(op.interface, op.was_reached) for op in ops if op.was_reached is not None and op.interface]
    if reached:
        leases.note_reached(connection, reached)
    released = [op.releases for op in ops if op.releases is not None]
    if released:
        leases.release(connection, released)
    return [None] * len(ops)


def _advance_watermarks(connection: sa.Connection, marks: Sequence[Mark]) -> None:
    """Move the watermark of each archive on; never over a hole, never back, never into the future.

    A meter whose clock is ahead dates its rows into the future; what it will yet measure until then is not read.
    """
    now = clock.now()
    for spans in _rounds(replace(mark, end=min(mark.end, now)) for mark in marks):
        values = {
            "now": now,
            "devices": [mark.sensor_id for mark in spans],
            "archives": [mark.archive[:100] for mark in spans],
            "starts": [mark.start for mark in spans],
            "ends": [mark.end for mark in spans],
        }
        # First the row, then its end: the condition is then that of the row as it stands under its lock.
        raw(connection).execute(
            f"""
            INSERT INTO wattloom.amr_watermark (device_id, archive, read_until, updated_at)
            SELECT w.device_id, w.archive, w.start_at, %(now)s FROM {_SPANS}
            JOIN wattloom.meter_device AS d ON d.sensor_id = w.device_id
            ON CONFLICT (device_id, archive) DO NOTHING
            """,
            values,
        )
        raw(connection).execute(
            f"""
            UPDATE wattloom.amr_watermark AS m SET read_until = w.end_at, updated_at = %(now)s FROM {_SPANS}
            WHERE (m.device_id, m.archive) = (w.device_id, w.archive)
              AND m.read_until >= w.start_at AND m.read_until < w.end_at
            """,
            values,
        )


_SPANS = """
    unnest(%(devices)s::int4[], %(archives)s::text[], %(starts)s::timestamptz[], %(ends)s::timestamptz[])
        AS w (device_id, archive, start_at, end_at)
"""


def _rounds(marks: Iterable[Mark]) -> list[list[Mark]]:
    """Return marks in rounds, each with at most one of an archive; earlier spans come in earlier rounds."""
    rounds: list[list[Mark]] = []
    places: Counter[tuple[int, str]] = Counter()
    for mark in sorted(marks, key=lambda mark: (mark.sensor_id, mark.archive, mark.start)):
        place = mark.sensor_id, mark.archive
        if mark.start <= mark.end:
            if places[place] == len(rounds):
                rounds.append([])
            rounds[places[place]].append(mark)
            places[place] += 1
    return rounds


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
    known = {
        (op.meter_id, event.timestamp, _kept(event.title, 50)): (op, event) for op in ops for event in op.events
    }
    rows = list(known.values())  # a meter may send an entry of its log twice
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
            "titles": [_kept(event.title, 50) for _, event in rows],
            "contents": [_kept(event.content, 500) for _, event in rows],
        },
    )
    return [None] * len(ops)


def _kept(text: str, length: int) -> str:
    """Return what the database can keep of a text that a meter sent."""
    return text.encode(errors="replace").decode().replace("\0", "")[:length]
