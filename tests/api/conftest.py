"""The application on a test's own database, and callers with each kind of credentials."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from litestar import Litestar
from litestar.testing import TestClient

from api.app import create_app
from pipelines.settings import Settings

Credentials = dict[str, dict[str, str]]


class Client:
    """A caller: every request carries its Authorization header, if it has one."""

    def __init__(self, transport: TestClient[Litestar], authorization: str | None = None) -> None:
        self._transport = transport
        self._headers = {"Authorization": authorization} if authorization else {}

    def request(self, method: str, path: str, **details: Any) -> httpx.Response:
        headers = {**self._headers, **details.pop("headers", {})}
        return self._transport.request(method, path, headers=headers, **details)

    def get(self, path: str, **details: Any) -> httpx.Response:
        return self.request("GET", path, **details)

    def post(self, path: str, **details: Any) -> httpx.Response:
        return self.request("POST", path, **details)

    def put(self, path: str, **details: Any) -> httpx.Response:
        return self.request("PUT", path, **details)

    def patch(self, path: str, **details: Any) -> httpx.Response:
        return self.request("PATCH", path, **details)

    def delete(self, path: str, **details: Any) -> httpx.Response:
        return self.request("DELETE", path, **details)


@pytest.fixture
def transport(settings: Settings, engine: sa.Engine) -> Iterator[TestClient[Litestar]]:
    with TestClient(create_app(settings, engine)) as client:
        yield client


@pytest.fixture
def connect(transport: TestClient[Litestar]) -> Callable[[str | None], Client]:
    """Make a caller from the text of its Authorization header."""
    return lambda authorization: Client(transport, authorization)


@pytest.fixture
def anonymous(connect: Callable[[str | None], Client]) -> Client:
    return connect(None)


@pytest.fixture
def staff(connect: Callable[[str | None], Client], organization: Credentials) -> Client:
    return connect(f"Token {organization['staff']['token']}")


@pytest.fixture
def reader(connect: Callable[[str | None], Client], anonymous: Client, organization: Credentials) -> Client:
    """The read-only user of the organization."""
    answer = anonymous.post("/v1/auth/jwt/token/", json=organization["user"])
    return connect(f"JWT {answer.json()['token']}")


@pytest.fixture
def bearer(connect: Callable[[str | None], Client], anonymous: Client, organization: Credentials) -> Client:
    """The API client of the organization."""
    grant = {"grant_type": "client_credentials", **organization["client"]}
    answer = anonymous.post("/auth/token", json=grant)
    return connect(f"Bearer {answer.json()['access_token']}")
