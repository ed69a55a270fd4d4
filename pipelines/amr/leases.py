"""Leases of network interfaces: one conditional UPDATE takes one, time ends it, and the API shows it as a block.

A lease that can be taken at all is free or has run out, so a killed collector blocks an interface no longer than its
session could have lasted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from pipelines import clock
from pipelines.db.engine import raw

CIRCUIT_FAILURES = 5
CIRCUIT_FIRST_S = 60
CIRCUIT_LONGEST_S = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """Who wants an interface, and until when at most; the token is that of one holder, who may extend it."""

    interface: UUID
    token: UUID
    holder: str
    until: datetime


def take(connection: sa.Connection, leases: Sequence[Lease]) -> set[UUID]:
    """Take every lease that is free, has run out or is extended by its holder; return the tokens that hold now.

    Of two that want the same interface at once one gets it. Only what can be taken is locked, and nothing is waited
    for, so takers and holders never wait for each other in a ring.
    """
    rows = raw(connection).execute(
        """
        WITH wanted AS (
            SELECT DISTINCT ON (id) id, token, holder, until
            FROM unnest(%(interfaces)s::uuid[], %(tokens)s::uuid[], %(holders)s::text[], %(untils)s::timestamptz[])
                 AS w (id, token, holder, until)
            ORDER BY id, token
        ), free AS (
            SELECT n.id FROM wattloom.network_interface AS n JOIN wanted AS w USING (id)
            WHERE n.blocked_until IS NULL OR n.blocked_until <= %(now)s OR n.lease_token = w.token
            FOR UPDATE OF n SKIP LOCKED
        )
        UPDATE wattloom.network_interface AS n
        SET blocked_by = w.holder, blocked_at = CASE WHEN n.lease_token = w.token THEN n.blocked_at ELSE %(now)s END,
            blocked_until = w.until, lease_token = w.token
        FROM free JOIN wanted AS w USING (id)
        WHERE n.id = w.id
        RETURNING n.lease_token
        """,
        {
            "now": clock.now(),
            "interfaces": [lease.interface for lease in leases],
            "tokens": [lease.token for lease in leases],
            "holders": [lease.holder[:100] for lease in leases],
            "untils": [lease.until for lease in leases],
        },
    )
    return {token for (token,) in rows}


def release(connection: sa.Connection, leases: Sequence[Lease]) -> None:
    """Give back leases that their tokens still hold."""
    raw(connection).execute(
        """
        UPDATE wattloom.network_interface
        SET blocked_by = NULL, blocked_at = NULL, blocked_until = NULL, lease_token = NULL
        WHERE id IN (SELECT id FROM wattloom.network_interface WHERE id = ANY(%s) AND lease_token = ANY(%s)
                     ORDER BY id FOR UPDATE)
        """,
        ([lease.interface for lease in leases], [lease.token for lease in leases]),
    )


def note_reached(connection: sa.Connection, outcomes: Sequence[tuple[UUID, bool]]) -> None:
    """Count failures in a row per interface; from the fifth on its circuit opens, for twice as long each time.

    While a circuit is open scheduled jobs leave the interface alone. One answer closes it.
    """
    reached: dict[UUID, bool] = {}
    for interface, was_reached in outcomes:
        reached[interface] = reached.get(interface, False) or was_reached
    raw(connection).execute(
        """
        WITH outcome AS (
            SELECT n.id, o.was_reached, n.failures + 1 AS failures
            FROM unnest(%(interfaces)s::uuid[], %(reached)s::bool[]) AS o (id, was_reached)
            JOIN wattloom.network_interface AS n USING (id)
            WHERE NOT o.was_reached OR n.failures > 0
            ORDER BY n.id FOR UPDATE OF n
        )
        UPDATE wattloom.network_interface AS n
        SET failures = CASE WHEN o.was_reached THEN 0 ELSE o.failures END,
            circuit_open_until = CASE WHEN NOT o.was_reached AND o.failures >= %(opens_at)s THEN %(now)s::timestamptz
                + make_interval(secs => least(%(first)s * 2 ^ least(o.failures - %(opens_at)s, 20), %(longest)s)) END
        FROM outcome AS o WHERE n.id = o.id
        """,
        {
            "now": clock.now(),
            "interfaces": list(reached),
            "reached": list(reached.values()),
            "opens_at": CIRCUIT_FAILURES,
            "first": CIRCUIT_FIRST_S,
            "longest": CIRCUIT_LONGEST_S,
        },
    )
