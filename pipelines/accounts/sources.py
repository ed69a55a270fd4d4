"""Sources: where an organization's imports come from, each with a secret and a number of requests a minute."""

from datetime import datetime
from math import ceil
from typing import Any

import sqlalchemy as sa

from pipelines import clock
from pipelines.accounts import secrets
from pipelines.accounts.principals import Principal, Scheme
from pipelines.db import tables
from pipelines.db.engine import raw
from pipelines.errors import RejectedInput, TooManyRequests, Unauthorized

REQUESTS, WINDOW_S = 300, 60


def create_source(connection: sa.Connection, organization: object, name: str) -> dict[str, Any]:
    """Create a source; return its id, name and secret, which is kept nowhere else.

    Raises
    ------
    RejectedInput
        The name is empty or longer than 64 characters.
    """
    name = name.strip()
    if not 1 <= len(name) <= 64 or "\0" in name:
        raise RejectedInput({"name": ["The name must have 1 to 64 characters."]})
    secret = secrets.new_secret()
    insert = sa.insert(tables.source).values(
        organization_id=organization, name=name, digest=secrets.digest(secret), created_at=clock.now()
    )
    identifier = connection.execute(insert.returning(tables.source.c.id)).scalar_one()
    return {"id": identifier, "name": name, "secret": secret}


def by_source_secret(connection: sa.Connection, secret: str) -> Principal:
    """Return the source of a secret.

    Raises
    ------
    Unauthorized
        Unknown, or the source or its organization is switched off.
    """
    row = (
        raw(connection)
        .execute(
            "SELECT s.id, s.organization_id FROM wattloom.source AS s"
            " JOIN wattloom.organization AS o ON o.id = s.organization_id"
            " WHERE s.digest = %s AND s.state = 'active' AND o.is_active",
            (secrets.digest(secret),),
        )
        .fetchone()
    )
    if row is None:
        raise Unauthorized("Invalid token.")
    return Principal(scheme=Scheme.BEARER, name=f"source:{row[0]}", organization_id=row[1], source_id=row[0])


def count_request(connection: sa.Connection, source: int, now: datetime) -> None:
    """Count a request of a source: at most 300 within 60 s, counted from the first one on, across all processes.

    Raises
    ------
    TooManyRequests
        It is one too many.
    """
    row = (
        raw(connection)
        .execute(
            "INSERT INTO wattloom.source_window AS w (source_id, started_at, requests) VALUES (%(id)s, %(now)s, 1)"
            " ON CONFLICT (source_id) DO UPDATE SET"
            " started_at = CASE WHEN w.started_at > %(now)s - %(life)s * interval '1 second'"
            " AND w.started_at <= %(now)s THEN w.started_at ELSE %(now)s END,"
            " requests = CASE WHEN w.started_at > %(now)s - %(life)s * interval '1 second'"
            " AND w.started_at <= %(now)s THEN w.requests + 1 ELSE 1 END"
            " RETURNING started_at, requests",
            {"id": source, "now": now, "life": WINDOW_S},
        )
        .fetchone()
    )
    if row is not None and row[1] > REQUESTS:
        left = WINDOW_S - (now - row[0]).total_seconds()
        raise TooManyRequests(
            f"More than {REQUESTS} requests per minute; come back later.", retry_after_s=max(1, ceil(left))
        )
