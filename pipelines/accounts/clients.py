"""Client credentials (003): a 12-hour access token for a client's secret, renewed by a refresh token."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import sqlalchemy as sa

from pipelines import clock
from pipelines.accounts import secrets
from pipelines.accounts.principals import issue_access_token
from pipelines.db.engine import raw
from pipelines.errors import Unauthorized
from pipelines.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Grant:
    """What a client is given; ``refresh_token`` only with its credentials, never on a refresh."""

    access_token: str
    expires_in_secs: int
    refresh_token: str | None


def grant(connection: sa.Connection, settings: Settings, client_id: str, client_secret: str) -> Grant:
    """Exchange a client's credentials for an access token and a refresh token.

    Raises
    ------
    Unauthorized
        Unknown client or wrong secret.
    """
    row = (
        raw(connection)
        .execute(
            "SELECT c.id, c.organization_id, c.secret_digest FROM wattloom.api_client AS c"
            " JOIN wattloom.organization AS o ON o.id = c.organization_id"
            " WHERE c.client_id = %s AND c.revoked_at IS NULL AND o.is_active",
            (client_id,),
        )
        .fetchone()
    )
    if row is None or not secrets.same(secrets.digest(client_secret), row[2]):
        raise Unauthorized("Invalid client credentials.")
    now, refresh = clock.now(), secrets.new_secret()
    raw(connection).execute(
        "INSERT INTO wattloom.refresh_token (api_client_id, digest, created_at, expires_at) VALUES (%s, %s, %s, %s)",
        (row[0], secrets.digest(refresh), now, now + timedelta(days=settings.refresh_token_days)),
    )
    return _grant(settings, row[0], row[1], refresh)


def renew(connection: sa.Connection, settings: Settings, client_id: str, refresh_token: str) -> Grant:
    """Exchange a refresh token for a new access token; the refresh token stays good until it expires.

    Raises
    ------
    Unauthorized
        Unknown, expired or revoked, or another client's.
    """
    row = (
        raw(connection)
        .execute(
            "SELECT c.id, c.organization_id FROM wattloom.refresh_token AS r"
            " JOIN wattloom.api_client AS c ON c.id = r.api_client_id"
            " JOIN wattloom.organization AS o ON o.id = c.organization_id"
            " WHERE r.digest = %s AND c.client_id = %s AND r.revoked_at IS NULL AND r.expires_at > %s"
            " AND c.revoked_at IS NULL AND o.is_active",
            (secrets.digest(refresh_token), client_id, clock.now()),
        )
        .fetchone()
    )
    if row is None:
        raise Unauthorized("Invalid refresh token.")
    return _grant(settings, row[0], row[1], None)


def _grant(settings: Settings, client: UUID, organization: UUID, refresh: str | None) -> Grant:
    token = issue_access_token(
        secrets.signing_key(settings),
        api_client_id=client,
        organization_id=organization,
        now=clock.now(),
        life_s=settings.access_token_s,
    )
    return Grant(access_token=token, expires_in_secs=settings.access_token_s, refresh_token=refresh)
