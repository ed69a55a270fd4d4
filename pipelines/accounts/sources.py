"""Sources: where an organization's imports come from, each with a secret and a number of requests a minute."""

from typing import Any

import sqlalchemy as sa

from pipelines import clock
from pipelines.accounts import secrets, throttling
from pipelines.accounts.principals import Principal, Scheme
from pipelines.db import tables
from pipelines.db.engine import raw
from pipelines.errors import RejectedInput, Unauthorized

REQUESTS = 300  # per minute


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


def count_request(connection: sa.Connection, source: int) -> None:
    """Count a request of a source.

    Raises
    ------
    TooManyRequests
        More than 300 within 60 s.
    """
    throttling.count_request(connection, f"source {source}", REQUESTS, clock.now())
