"""A new organization with everything needed to use it: what ``wattloom init`` makes and prints once."""

from typing import Any

import sqlalchemy as sa

from pipelines import clock
from pipelines.accounts import secrets
from pipelines.db import tables
from pipelines.errors import Conflict, NotFound, RejectedInput


def create_organization(connection: sa.Connection, name: str) -> dict[str, Any]:
    """Create an organization, its users, token, API client and source; return the credentials, kept nowhere else.

    Raises
    ------
    Conflict
        An organization of this name exists.
    RejectedInput
        The name is empty or longer than 64 characters.
    """
    name = name.strip()
    if not 1 <= len(name) <= 64 or "\0" in name:
        raise RejectedInput({"organization": ["The name must have 1 to 64 characters."]})
    connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": name})
    if connection.scalar(sa.select(tables.organization.c.id).where(tables.organization.c.name == name)):
        raise Conflict(f"an organization named {name!r} exists already; its secrets were printed once")
    now = clock.now()
    organization = connection.execute(
        sa.insert(tables.organization)
        .values(name=name, created_at=now, updated_at=now)
        .returning(tables.organization.c.id, tables.organization.c.number)
    ).one()
    suffix = f"{organization.number}"
    staff, token = _user(connection, organization.id, f"staff-{suffix}", is_staff=True), secrets.new_secret()
    connection.execute(
        sa.insert(tables.api_token).values(
            user_id=staff, organization_id=organization.id, digest=secrets.digest(token), created_at=now
        )
    )
    password = secrets.new_secret()
    _user(connection, organization.id, f"user-{suffix}", is_staff=False, password=password)
    client_id, client_secret = f"client-{suffix}", secrets.new_secret()
    connection.execute(
        sa.insert(tables.api_client).values(
            organization_id=organization.id,
            client_id=client_id,
            secret_digest=secrets.digest(client_secret),
            created_at=now,
        )
    )
    source_secret = secrets.new_secret()
    source = connection.execute(
        sa.insert(tables.source)
        .values(
            organization_id=organization.id, name="default", digest=secrets.digest(source_secret), created_at=now
        )
        .returning(tables.source.c.id)
    ).scalar_one()
    return {
        "organization": {"id": str(organization.id), "number": organization.number, "name": name},
        "staff": {"username": f"staff-{suffix}", "token": token},
        "user": {"username": f"user-{suffix}", "password": password},
        "client": {"client_id": client_id, "client_secret": client_secret},
        "source": {"id": source, "secret": source_secret},
    }


def _user(
    connection: sa.Connection, organization: object, username: str, *, is_staff: bool, password: str | None = None
) -> object:
    now = clock.now()
    user = connection.execute(
        sa.insert(tables.app_user)
        .values(
            username=username,
            is_staff=is_staff,
            password_hash=secrets.hash_password(password) if password else None,
            created_at=now,
        )
        .returning(tables.app_user.c.id)
    ).scalar_one()
    connection.execute(
        sa.insert(tables.organization_member).values(
            organization_id=organization, user_id=user, created_at=now, updated_at=now
        )
    )
    return user


def organization_by_name(connection: sa.Connection, name: str) -> Any:
    """Return the id of an organization.

    Raises
    ------
    NotFound
        There is none of this name.
    """
    found = connection.scalar(sa.select(tables.organization.c.id).where(tables.organization.c.name == name))
    if found is None:
        raise NotFound(f"no organization is named {name!r}; create it with: wattloom init --organization {name!r}")
    return found
