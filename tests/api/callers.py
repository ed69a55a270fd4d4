"""Callers of the API with each kind of credentials, and the rows a tenant makes through it."""

import itertools
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import httpx
import sqlalchemy as sa
from litestar import Litestar
from litestar.testing import TestClient

from pipelines.accounts.organizations import create_organization
from pipelines.db.engine import unit_of_work

Json = dict[str, Any]
_NUMBERS = itertools.count(1)
METERING = "/v1/metering"


def unique(prefix: str = "row") -> str:
    """Return a name that no other test uses."""
    return f"{prefix}-{next(_NUMBERS)}"


def faults(answer: httpx.Response) -> Json:
    """Return the fields that a 400 names, in the shape of its family."""
    said = dict(answer.json())
    return said if answer.headers["content-type"] == "application/json" else dict(said["errors"])


class Client:
    """A caller: every request carries its Authorization header, if it has one."""

    def __init__(self, transport: TestClient[Litestar], authorization: str | None = None) -> None:
        self.transport = transport
        self._headers = {"Authorization": authorization} if authorization else {}

    def request(self, method: str, path: str, **details: Any) -> httpx.Response:
        headers = {**self._headers, **details.pop("headers", {})}
        return self.transport.request(method, path, headers=headers, **details)

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

    def made(self, path: str, body: Any) -> Any:
        """Post ``body`` and return the answer, which must be 201."""
        answer = self.post(path, json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def found(self, path: str, **details: Any) -> Any:
        """Get ``path`` and return the answer, which must be 200."""
        answer = self.get(path, **details)
        assert answer.status_code == 200, answer.text
        return answer.json()


@dataclass(frozen=True, kw_only=True)
class Home:
    """A meter whose config allows one series, with all that this needs."""

    meter: Json
    series: Json
    config: Json
    type: Json

    def reading(self, timestamp: str = "2026-03-01T00:00:00Z", value: Any = "1.5", **changes: Any) -> Json:
        """Return a body for ``/meter-readings``."""
        return {
            "organization": self.meter["organization"],
            "meter_device": self.meter["id"],
            "series": self.series["id"],
            "timestamp": timestamp,
            "value": value,
        } | changes

    def named(self, timestamp: str = "2026-03-01T00:00:00Z", value: Any = "1.5", **changes: Any) -> Json:
        """Return a row for ``/new-meter-readings``."""
        return {
            "meter_device_name": self.meter["name"],
            "series_name": self.series["name"],
            "timestamp": timestamp,
            "value": value,
        } | changes

    @property
    def selection(self) -> dict[str, str]:
        """The query that lists its readings."""
        return {"meter_device": self.meter["id"], "series": self.series["id"]}


@dataclass(frozen=True, kw_only=True)
class Tenant:
    """An organization, its credentials and its callers."""

    credentials: dict[str, dict[str, str]]
    anonymous: Client
    staff: Client

    @classmethod
    def create(cls, engine: sa.Engine, anonymous: Client) -> "Tenant":
        with unit_of_work(engine) as connection:
            credentials = create_organization(connection, unique("Organization"))
        staff = Client(anonymous.transport, f"Token {credentials['staff']['token']}")
        return cls(credentials=credentials, anonymous=anonymous, staff=staff)

    @property
    def id(self) -> str:
        return self.credentials["organization"]["id"]

    def reader(self) -> Client:
        token = self.anonymous.made("/v1/auth/jwt/token/", self.credentials["user"])["token"]
        return Client(self.anonymous.transport, f"JWT {token}")

    def grant(self) -> Json:
        grant = {"grant_type": "client_credentials", **self.credentials["client"]}
        answer = self.anonymous.post("/auth/token", json=grant)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def bearer(self) -> Client:
        return Client(self.anonymous.transport, f"Bearer {self.grant()['access_token']}")

    def series(self, **changes: Any) -> Json:
        body = {"organization": self.id, "name": unique("1-0:1.8.0"), "unit": "kWh"}
        return dict(self.staff.made(f"{METERING}/meter-reading-series", body | changes))

    def config(self, *series: Json, **changes: Any) -> Json:
        body = {"organization": self.id, "name": unique("config"), "series": [one["id"] for one in series]}
        return dict(self.staff.made(f"{METERING}/meter-device-configs", body | changes))

    def type(self, config: Json | None = None, **changes: Any) -> Json:
        body = {
            "organization": self.id,
            "name": unique("type"),
            "manufacturer": "Kamstrup",
            "manufacturer_model": "Omnipower",
            "config": config["id"] if config else None,
        }
        return dict(self.staff.made(f"{METERING}/meter-device-types", body | changes))

    def meter(self, kind: Json | None = None, **changes: Any) -> Json:
        body = {"name": unique("meter"), "protocol": "dlms-cosem", "type": kind["id"] if kind else None}
        return dict(self.staff.made(f"{METERING}/meter-devices", body | changes))

    def home(self, *, series: Json | None = None, config: Json | None = None, **meter: Any) -> Home:
        """Make a meter that may store one series; ``series`` and ``config`` hold fields to change."""
        one = self.series(**(series or {}))
        setting = self.config(one, **(config or {}))
        kind = self.type(setting)
        return Home(meter=self.meter(kind, **meter), series=one, config=setting, type=kind)

    def event(self, home: Home, **changes: Any) -> Json:
        body = {
            "organization": self.id,
            "meter_device": home.meter["id"],
            "timestamp": "2026-03-01T00:00:00Z",
            "title": "Cover opened",
            "content": "The terminal cover was opened.",
        }
        return dict(self.staff.made(f"{METERING}/meter-system-events", body | changes))

    def deliver(self, rows: Any) -> Json:
        return dict(self.staff.made(f"{METERING}/new-meter-readings", rows))

    def readings(self, home: Home, **query: Any) -> list[Json]:
        answer = self.staff.found(f"{METERING}/meter-readings", params={**home.selection, "limit": 1000, **query})
        return list(answer["results"])


def interval_rows(home: Home, start: datetime, count: int, step: timedelta, values: list[str]) -> list[Json]:
    """Return ``count`` rows of interval energy from ``start`` on; the values repeat."""
    return [home.named((start + n * step).isoformat(), values[n % len(values)]) for n in range(count)]
