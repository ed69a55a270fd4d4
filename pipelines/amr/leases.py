"""Leases of network interfaces: one conditional UPDATE takes one, time ends it, and the API shows it as a block.

A lease that can be taken at all is free or has run out, so a killed collector blocks an interface no longer than its
session could have lasted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
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

    Of two that want the same interface at once one gets it.
    """
    rows = raw(connection).execute(
        """
        UPDATE wattloom.network_interface AS n
        SET blocked_by = w.holder, blocked_at = CASE WHEN n.lease_token = w.token THEN n.blocked_at ELSE %(now)s END,
            blocked_until = w.until, lease_token = w.token
        FROM (SELECT i.id, w.token, w.holder, w.until
              FROM (SELECT DISTINCT ON (id) * FROM unnest(%(interfaces)s::uuid[], %(tokens)s::uuid[],
                                                          %(holders)s::text[], %(untils)s::timestamptz[])
                    AS w (id, token, holder, until) ORDER BY id, token) AS w
              JOIN wattloom.network_interface AS i USING (id)
              ORDER BY i.id FOR UPDATE OF i) AS w
        WHERE n.id = w.id AND (n.blocked_until IS NULL OR n.blocked_until <= %(now)s OR n.lease_token = w.token)
        RETURNING n.lease_token
        """,
        {
            "now": clock.now(),
            "tokens": [lease.token for lease in leases],
            "interfaces": [lease.interface for lease in leases],
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
        WHERE id = ANY(%s) AND lease_token = ANY(%s)
        """,
        ([lease.interface for lease in leases], [lease.token for lease in leases]),
    )


def circuit_pause(failures: int) -> timedelta | None:
    """Return how long scheduled jobs leave an interface alone after so many failures in a row; None: not at all."""
    if failures < CIRCUIT_FAILURES:
        return None
    return timedelta(seconds=min(CIRCUIT_FIRST_S * 2 ** (failures - CIRCUIT_FAILURES), CIRCUIT_LONGEST_S))


def note_reached(connection: sa.Connection, outcomes: Sequence[tuple[UUID, bool]]) -> None:
    """Count failures in a row per interface, and open or close its circuit."""
    cursor = raw(connection).cursor()
    reached = [interface for interface, was_reached in outcomes if was_reached]
    cursor.execute(
        "UPDATE wattloom.network_interface SET failures = 0, circuit_open_until = NULL"
        " WHERE id = ANY(%s) AND (failures > 0 OR circuit_open_until IS NOT NULL)",
        (reached,),
    )
    failed = sorted({interface for interface, was_reached in outcomes if not was_reached} - set(reached), key=str)
    for interface in failed:
        row = cursor.execute(
            "UPDATE wattloom.network_interface SET failures = failures + 1 WHERE id = %s RETURNING failures",
            (interface,),
        ).fetchone()
        pause = circuit_pause(row[0]) if row else None
        if pause is not None:
            cursor.execute(
                "UPDATE wattloom.network_interface SET circuit_open_until = %s WHERE id = %s",
                (clock.now() + pause, interface),
            )
