"""``/auth/token``: access tokens of API clients (003)."""

from litestar import Response, Router, post

from api import shapes
from api.auth.access import AnyRequest, settings_of
from pipelines.accounts import clients
from pipelines.db.engine import unit_of_work
from pipelines.fields import Field, check_all

GRANT = (
    Field(name="grant_type", required=True, choices=("client_credentials",)),
    Field(name="client_id", required=True, min_length=1, max_length=64),
    Field(name="client_secret", required=True, min_length=1, max_length=200),
)
REFRESH = (
    Field(name="grant_type", required=True, choices=("refresh_token",)),
    Field(name="client_id", required=True, min_length=1, max_length=64),
    Field(name="refresh_token", required=True, min_length=1, max_length=200),
)


@post("/", name="client-token", sync_to_thread=True, status_code=200)
def grant(request: AnyRequest, body: bytes) -> Response[bytes]:
    """Exchange client id and secret for an access token of 12 hours and a refresh token."""
    sent = check_all(GRANT, shapes.read_json(body))
    with unit_of_work(request.app.state.engine) as connection:
        given = clients.grant(connection, settings_of(request), sent["client_id"], sent["client_secret"])
    answer = {
        "access_token": given.access_token,
        "token_type": "Bearer",
        "expires_in_secs": given.expires_in_secs,
        "refresh_token": given.refresh_token,
    }
    return shapes.json_response(answer)


@post("/refresh", name="client-token-refresh", sync_to_thread=True, status_code=200)
def refresh(request: AnyRequest, body: bytes) -> Response[bytes]:
    """Exchange a refresh token for a new access token."""
    sent = check_all(REFRESH, shapes.read_json(body))
    with unit_of_work(request.app.state.engine) as connection:
        given = clients.renew(connection, settings_of(request), sent["client_id"], sent["refresh_token"])
    answer = {
        "access_token": given.access_token,
        "token_type": "Bearer",
        "expires_in_secs": given.expires_in_secs,
    }
    return shapes.json_response(answer)


ROUTER = Router("/auth/token", route_handlers=[grant, refresh])
