"""Errors as HTTP answers: one table of statuses, and the shape each family of routes promises."""

import logging
import traceback
from http import HTTPStatus
from typing import Any

import msgspec
import psycopg
from litestar import Request, Response
from litestar.exceptions import HTTPException
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import OperationalError as PoolError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from pipelines.accounts.principals import Scheme
from pipelines.errors import (
    Conflict,
    Forbidden,
    NotFound,
    RejectedInput,
    SourceUnavailable,
    TooManyRequests,
    Unauthorized,
    WattloomError,
)

_LOG = logging.getLogger("wattloom.api")
_NO_DATABASE = "The database does not answer; try again."
STATUS: dict[type[WattloomError], HTTPStatus] = {
    RejectedInput: HTTPStatus.BAD_REQUEST,
    Unauthorized: HTTPStatus.UNAUTHORIZED,
    Forbidden: HTTPStatus.FORBIDDEN,
    NotFound: HTTPStatus.NOT_FOUND,
    Conflict: HTTPStatus.CONFLICT,
    TooManyRequests: HTTPStatus.TOO_MANY_REQUESTS,
    SourceUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}


def speaks_metering(path: str) -> bool:
    """Tell whether a route belongs to the 002 family, whose errors are ``{"field": [..]}`` or ``{"detail": ..}``."""
    return path == "/v1" or path.startswith(("/v1/metering", "/v1/organizations", "/v1/auth"))


def challenge(request: Request[Any, Any, Any]) -> str:
    """Return the scheme that a 401 names: the one that was used, else the family's own."""
    used = request.headers.get("authorization", "").partition(" ")[0].lower()
    for scheme in Scheme:
        if used == scheme.value.lower():
            return scheme.value
    return Scheme.TOKEN.value if speaks_metering(request.url.path) else Scheme.BEARER.value


def answer(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Return the HTTP answer for any exception; what is not ours is a 500 that says nothing of its inside."""
    status, detail, fields = _explain(request, error)
    headers = {}
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = challenge(request)
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = "5"
    if isinstance(error, TooManyRequests):
        headers["Retry-After"] = str(error.retry_after_s)
    if isinstance(error, HTTPException) and error.headers:
        headers |= {k: v for k, v in error.headers.items() if k.lower() == "allow"}
    if speaks_metering(request.url.path):
        body: dict[str, Any] = dict(fields) if fields and "detail" not in fields else {"detail": detail}
        media = "application/json"
    else:
        body = {"type": "about:blank", "title": status.phrase, "status": int(status), "detail": detail}
        if fields:
            body["errors"] = fields
        media = "application/problem+json"
    return Response(msgspec.json.encode(body), status_code=int(status), headers=headers, media_type=media)


def _explain(request: Request[Any, Any, Any], error: Exception) -> tuple[HTTPStatus, str, dict[str, list[str]]]:
    if isinstance(error, RejectedInput):
        said = error.errors.get("detail")
        return STATUS[RejectedInput], " ".join(said) if said else str(error), error.errors
    if isinstance(error, SourceUnavailable):
        _LOG.error("%s", error)  # names the server, which is no business of whoever asks
        return STATUS[SourceUnavailable], _NO_DATABASE, {}
    for family, status in STATUS.items():
        if isinstance(error, family):
            return status, str(error), {}
    if isinstance(error, HTTPException):
        return _explain_routing(request, error)
    if isinstance(error, PoolError | PoolTimeout | psycopg.OperationalError):
        _LOG.error("the database did not answer: %s", type(error).__name__)
        return STATUS[SourceUnavailable], _NO_DATABASE, {}
    _log_bug(request, error)
    return HTTPStatus.INTERNAL_SERVER_ERROR, "An unexpected error happened on our side; it was logged.", {}


def _log_bug(request: Request[Any, Any, Any], error: Exception) -> None:
    """Log where a bug showed; of a database error not its text, which repeats values that were sent."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    said = (type(cause).__name__, request.method, request.url.path)
    if isinstance(cause, psycopg.Error):
        where = "".join(traceback.format_tb(error.__traceback__))
        _LOG.error("unexpected %s at %s %s, SQLSTATE %s\n%s", *said, cause.sqlstate, where)
    else:
        _LOG.error("unexpected %s at %s %s", *said, exc_info=error)


def _explain_routing(
    request: Request[Any, Any, Any], error: HTTPException
) -> tuple[HTTPStatus, str, dict[str, list[str]]]:
    status = HTTPStatus(error.status_code)
    if status == HTTPStatus.NOT_FOUND:
        return status, "Not found.", {}
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        return status, f'Method "{request.method}" not allowed.', {}
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return status, "The request body is too large.", {}
    return status, error.detail or status.phrase, {}
