"""Who stands behind a request: one principal, one organization, one scheme."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

import jwt
import sqlalchemy as sa

from pipelines.accounts import secrets
from pipelines.db.engine import raw
from pipelines.errors import RejectedInput, Unauthorized

_ALGORITHM = "HS256"


class Scheme(StrEnum):
    """The word before the credentials in the Authorization header."""

    TOKEN = "Token"  # noqa: S105 - the word, not a secret
    JWT = "JWT"
    BEARER = "Bearer"


class Purpose(StrEnum):
    """What a signed token is for; one kind never passes for another."""

    USER = "user"
    ACCESS = "access"


@dataclass(frozen=True, kw_only=True)
class Principal:
    """An authenticated caller; every query is scoped to ``organization_id``."""

    scheme: Scheme
    organization_id: UUID
    name: str
    user_id: UUID | None = None
    source_id: int | None = None

    @property
    def is_staff(self) -> bool:
        """Only the staff Token may do everything."""
        return self.scheme is Scheme.TOKEN


def _row(connection: sa.Connection, query: str, *values: Any) -> tuple[Any, ...] | None:
    result: tuple[Any, ...] | None = raw(connection).execute(query.encode(), values).fetchone()
    return result


def by_staff_token(connection: sa.Connection, token: str) -> Principal:
    """Return the staff user of an API token.

    Raises
    ------
    Unauthorized
        Unknown or revoked token, or its user or organization is switched off.
    """
    row = _row(
        connection,
        "SELECT u.id, u.username, t.organization_id FROM wattloom.api_token AS t"
        " JOIN wattloom.app_user AS u ON u.id = t.user_id"
        " JOIN wattloom.organization AS o ON o.id = t.organization_id"
        " WHERE t.digest = %s AND t.revoked_at IS NULL AND u.is_active AND u.is_staff AND o.is_active",
        secrets.digest(token),
    )
    if row is None:
        raise Unauthorized("Invalid token.")
    return Principal(scheme=Scheme.TOKEN, user_id=row[0], name=f"user:{row[1]}", organization_id=row[2])


def issue_jwt(key: str, *, user_id: UUID, organization_id: UUID, now: datetime, life_s: int) -> str:
    """Sign a read-only token for a user in one organization."""
    return _sign(key, Purpose.USER, {"sub": str(user_id), "org": str(organization_id)}, now, life_s)


def issue_access_token(key: str, *, api_client_id: UUID, organization_id: UUID, now: datetime, life_s: int) -> str:
    """Sign a Bearer access token for an API client."""
    return _sign(key, Purpose.ACCESS, {"sub": str(api_client_id), "org": str(organization_id)}, now, life_s)


def _sign(key: str, purpose: Purpose, claims: dict[str, Any], now: datetime, life_s: int) -> str:
    times = {"iat": now, "exp": now + timedelta(seconds=life_s)}
    return jwt.encode({**claims, **times, "aud": purpose.value}, key, algorithm=_ALGORITHM)


def _claims(key: str, token: str, purpose: Purpose, now: datetime) -> dict[str, Any]:
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[_ALGORITHM],
            audience=purpose.value,
            options={"require": ["exp", "sub", "aud"], "verify_exp": False, "verify_iat": False},
        )
    except jwt.InvalidTokenError:
        raise Unauthorized("Invalid token.") from None
    if now.timestamp() >= claims["exp"]:
        raise Unauthorized("Token has expired.")
    return claims


def by_jwt(connection: sa.Connection, key: str, token: str, now: datetime) -> Principal:
    """Return the user of a JWT, who must still be a member of its organization.

    Raises
    ------
    Unauthorized
        Wrong signature or purpose, expired, or the membership has ended.
    """
    claims = _claims(key, token, Purpose.USER, now)
    row = _row(
        connection,
        "SELECT u.id, u.username, m.organization_id FROM wattloom.app_user AS u"
        " JOIN wattloom.organization_member AS m ON m.user_id = u.id"
        " JOIN wattloom.organization AS o ON o.id = m.organization_id"
        " WHERE u.id = %s AND m.organization_id = %s AND u.is_active AND o.is_active",
        UUID(claims["sub"]),
        UUID(claims["org"]),
    )
    if row is None:
        raise Unauthorized("Invalid token.")
    return Principal(scheme=Scheme.JWT, user_id=row[0], name=f"user:{row[1]}", organization_id=row[2])


def by_access_token(connection: sa.Connection, key: str, token: str, now: datetime) -> Principal:
    """Return the API client of a Bearer access token.

    Raises
    ------
    Unauthorized
        Wrong signature or purpose, expired, or the client was revoked.
    """
    claims = _claims(key, token, Purpose.ACCESS, now)
    row = _row(
        connection,
        "SELECT c.client_id, c.organization_id FROM wattloom.api_client AS c"
        " JOIN wattloom.organization AS o ON o.id = c.organization_id"
        " WHERE c.id = %s AND c.revoked_at IS NULL AND o.is_active",
        UUID(claims["sub"]),
    )
    if row is None:
        raise Unauthorized("Invalid token.")
    return Principal(scheme=Scheme.BEARER, name=f"client:{row[0]}", organization_id=row[1])


def login(
    connection: sa.Connection, username: str, password: str, organization_id: UUID | None
) -> tuple[UUID, UUID]:
    """Check a user's password; return (user, organization): the asked one, else the first joined.

    Raises
    ------
    Unauthorized
        Unknown user or wrong password (the two look the same), or no membership at all.
    RejectedInput
        The user is not a member of the asked organization.
    """
    row = _row(
        connection, "SELECT id, password_hash FROM wattloom.app_user WHERE username = %s AND is_active", username
    )
    if not secrets.password_matches(password, row[1] if row else None) or row is None:
        raise Unauthorized("Unable to log in with provided credentials.")
    return row[0], member_organization(connection, row[0], organization_id)


def member_organization(connection: sa.Connection, user_id: UUID, organization_id: UUID | None) -> UUID:
    """Return the organization a user asked for, or the first joined one; the user must be a member.

    Raises
    ------
    RejectedInput
        The user is not a member of the asked organization, or it is switched off.
    Unauthorized
        The user is not a member of any.
    """
    row = _row(
        connection,
        "SELECT m.organization_id FROM wattloom.organization_member AS m"
        " JOIN wattloom.organization AS o ON o.id = m.organization_id"
        " WHERE m.user_id = %s AND o.is_active AND (%s::uuid IS NULL OR o.id = %s) ORDER BY m.id LIMIT 1",
        user_id,
        organization_id,
        organization_id,
    )
    if row is None and organization_id is not None:
        raise RejectedInput({"organization": [f'Invalid pk "{organization_id}" - object does not exist.']})
    if row is None:
        raise Unauthorized("Unable to log in with provided credentials.")
    found: UUID = row[0]
    return found
