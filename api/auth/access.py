"""The one door: every route opens its transaction here, with an authenticated and scoped caller."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from litestar import Request

from pipelines import clock
from pipelines.accounts import principals, secrets
from pipelines.accounts.principals import Principal, Scheme
from pipelines.accounts.sources import by_source_secret
from pipelines.db.engine import unit_of_work
from pipelines.errors import Forbidden, Unauthorized
from pipelines.settings import Settings

METERING = frozenset({Scheme.TOKEN, Scheme.JWT})
SENSORS = frozenset({Scheme.TOKEN, Scheme.BEARER})
ERP = SENSORS
INTEGRATIONS = frozenset({Scheme.TOKEN, Scheme.JWT, Scheme.BEARER})  # a JWT only reads, here as everywhere
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})

AnyRequest = Request[Any, Any, Any]


def settings_of(request: AnyRequest) -> Settings:
    """Return the settings of the application that serves ``request``."""
    settings: Settings = request.app.state.settings
    return settings


def credentials(request: AnyRequest) -> tuple[Scheme, str]:
    """Return scheme and secret of the Authorization header.

    Raises
    ------
    Unauthorized
        There is none, or it is malformed.
    """
    word, _, secret = request.headers.get("authorization", "").strip().partition(" ")
    for scheme in Scheme:
        if word.lower() == scheme.value.lower() and secret.strip() and " " not in secret.strip():
            return scheme, secret.strip()
    raise Unauthorized("Authentication credentials were not provided.")


def _principal(request: AnyRequest, connection: sa.Connection, allowed: frozenset[Scheme]) -> Principal:
    settings = settings_of(request)
    scheme, secret = credentials(request)
    if scheme not in allowed or (scheme is Scheme.TOKEN and not settings.allow_token_auth):
        raise Unauthorized("These credentials are not accepted here.")
    if scheme is Scheme.TOKEN:
        return principals.by_staff_token(connection, secret)
    find = principals.by_jwt if scheme is Scheme.JWT else principals.by_access_token
    return find(connection, secrets.signing_key(settings), secret, clock.now())


@contextmanager
def authorised_source(request: AnyRequest) -> Iterator[tuple[sa.Connection, Principal]]:
    """Open a unit of work for a source by its secret, or for the staff Token, which works on every route.

    Raises
    ------
    Unauthorized
        No or wrong credentials.
    """
    with unit_of_work(request.app.state.engine) as connection:
        scheme, secret = credentials(request)
        if scheme is Scheme.BEARER:
            yield connection, by_source_secret(connection, secret)
        else:
            yield connection, _principal(request, connection, frozenset({Scheme.TOKEN}))


@contextmanager
def authorised(
    request: AnyRequest, allowed: frozenset[Scheme], *, may_write: bool = False
) -> Iterator[tuple[sa.Connection, Principal]]:
    """Open a unit of work for an authenticated caller; commits when the block ends, rolls back when it raises.

    Parameters
    ----------
    may_write
        Let a JWT use an unsafe method (the auth routes); everywhere else it only reads.

    Raises
    ------
    Unauthorized, Forbidden
        No or wrong credentials; a read-only caller tries to write.
    """
    with unit_of_work(request.app.state.engine) as connection:
        principal = _principal(request, connection, allowed)
        if principal.scheme is Scheme.JWT and request.method not in _SAFE and not may_write:
            raise Forbidden("You do not have permission to perform this action.")
        yield connection, principal
