"""``/auth/jwt``: tokens of users, read only, for one organization at a time (002)."""

from typing import Any

from litestar import Response, Router, get, post

from api import shapes
from api.auth.access import AnyRequest, authorised, settings_of
from pipelines import clock
from pipelines.accounts import principals, secrets
from pipelines.accounts.principals import Principal, Scheme
from pipelines.db.engine import unit_of_work
from pipelines.errors import BrokenContract, RejectedInput
from pipelines.fields import Field, Kind, check_all

CREDENTIALS = (
    Field(name="username", required=True, min_length=1, max_length=150),
    Field(name="password", required=True, min_length=1, max_length=1024),
    Field(name="organization", kind=Kind.UUID, nullable=True),
)
CHANGE = (Field(name="organization", kind=Kind.UUID, required=True),)
_JWT = frozenset({Scheme.JWT})


def _token(request: AnyRequest, user: Any, organization: Any) -> dict[str, str]:
    settings = settings_of(request)
    token = principals.issue_jwt(
        secrets.signing_key(settings),
        user_id=user,
        organization_id=organization,
        now=clock.now(),
        life_s=settings.jwt_expiration_s,
    )
    return {"token": token}


@post("/token", name="jwt-token", sync_to_thread=True)
def token(request: AnyRequest, body: bytes) -> Response[bytes]:
    """Exchange username and password for a token; without an organization it is for the first one joined."""
    sent = check_all(CREDENTIALS, shapes.read_json(body))
    with unit_of_work(request.app.state.engine) as connection:
        user, organization = principals.login(
            connection, sent["username"], sent["password"], sent.get("organization")
        )
    return shapes.json_response(_token(request, user, organization), 201)


def _renewed(request: AnyRequest, principal: Principal) -> Response[bytes]:
    if principal.user_id is None:
        raise BrokenContract("a JWT without a user")
    return shapes.json_response(_token(request, principal.user_id, principal.organization_id))


def _renew_by_header(request: AnyRequest) -> Response[bytes]:
    with authorised(request, _JWT, may_write=True) as (_, principal):
        return _renewed(request, principal)


@get("/renew", name="jwt-renew", sync_to_thread=True)
def renew(request: AnyRequest) -> Response[bytes]:
    """Exchange a valid token for a new one."""
    return _renew_by_header(request)


@post("/renew", name="jwt-renew-posted", sync_to_thread=True, status_code=200)
def renew_posted(request: AnyRequest, body: bytes) -> Response[bytes]:
    """Exchange a valid token for a new one; the token may also stand in the body."""
    if request.headers.get("authorization"):
        return _renew_by_header(request)
    sent = check_all((Field(name="token", required=True, min_length=1),), shapes.read_json(body))
    settings = settings_of(request)
    with unit_of_work(request.app.state.engine) as connection:
        principal = principals.by_jwt(connection, secrets.signing_key(settings), sent["token"], clock.now())
    return _renewed(request, principal)


@post("/change-organization", name="jwt-change-organization", sync_to_thread=True)
def change_organization(request: AnyRequest, body: bytes) -> Response[bytes]:
    """Exchange a valid token for one of another organization that the user belongs to."""
    with authorised(request, _JWT, may_write=True) as (connection, principal):
        sent = check_all(CHANGE, shapes.read_json(body))
        if principal.user_id is None:
            raise RejectedInput({"organization": ["A user's token is needed."]})
        organization = principals.member_organization(connection, principal.user_id, sent["organization"])
        return shapes.json_response(_token(request, principal.user_id, organization), 201)


ROUTER = Router("/v1/auth/jwt", route_handlers=[token, renew, renew_posted, change_organization])
