"""The collections of the API with a body that each accepts, and the application's own list of routes."""

from collections.abc import Callable
from dataclasses import dataclass

from litestar import Litestar

from pipelines.accounts import resources as accounts
from pipelines.crud import Resource
from pipelines.metering import resources as metering
from tests.api.callers import METERING, Json, Tenant, unique


@dataclass(frozen=True, kw_only=True)
class Collection:
    """A collection of rows: where it is, and a body that it accepts from a tenant's staff."""

    path: str
    resource: Resource
    body: Callable[[Tenant], Json]

    def made(self, tenant: Tenant, **changes: object) -> Json:
        return dict(tenant.staff.made(self.path, self.body(tenant) | changes))


def _membership(tenant: Tenant) -> Json:
    mine = tenant.staff.found("/v1/organizations/memberships", params={"limit": 1000})["results"]
    other = tenant.staff.made("/v1/organizations", {"name": unique("Subsidiary")})
    return {"organization": other["id"], "user": mine[0]["user"]}


def _event(tenant: Tenant) -> Json:
    return {
        "organization": tenant.id,
        "meter_device": tenant.meter()["id"],
        "timestamp": "2026-03-01T00:00:00Z",
        "title": "Cover opened",
        "content": "The terminal cover was opened.",
    }


def _staged(_tenant: Tenant) -> Json:
    return {
        "meter_device_name": unique("unknown"),
        "series_name": "1-0:1.8.0",
        "timestamp": "2026-03-01T00:00:00Z",
        "value": "1.5",
    }


COLLECTIONS = {
    "meter-devices": Collection(
        path=f"{METERING}/meter-devices",
        resource=metering.DEVICE,
        body=lambda tenant: {"organization": tenant.id, "name": unique("meter"), "protocol": "mbus"},
    ),
    "meter-device-types": Collection(
        path=f"{METERING}/meter-device-types",
        resource=metering.TYPE,
        body=lambda tenant: {
            "organization": tenant.id,
            "name": unique("type"),
            "manufacturer": "Kamstrup",
            "manufacturer_model": "Omnipower",
        },
    ),
    "meter-device-configs": Collection(
        path=f"{METERING}/meter-device-configs",
        resource=metering.CONFIG,
        body=lambda tenant: {"organization": tenant.id, "name": unique("config"), "series": []},
    ),
    "meter-reading-series": Collection(
        path=f"{METERING}/meter-reading-series",
        resource=metering.SERIES,
        body=lambda tenant: {"organization": tenant.id, "name": unique("1-0:1.8.0"), "unit": "kWh"},
    ),
    "staged-meter-readings": Collection(
        path=f"{METERING}/staged-meter-readings", resource=metering.STAGED, body=_staged
    ),
    "meter-system-events": Collection(
        path=f"{METERING}/meter-system-events", resource=metering.SYSTEM_EVENT, body=_event
    ),
    "organizations": Collection(
        path="/v1/organizations",
        resource=accounts.ORGANIZATION,
        body=lambda _tenant: {"name": unique("Subsidiary")},
    ),
    "memberships": Collection(
        path="/v1/organizations/memberships", resource=accounts.MEMBERSHIP, body=_membership
    ),
}
INTEGER_IDS = {"staged-meter-readings", "meter-system-events", "memberships"}
UNCHANGEABLE = {"meter-system-events"}
# Whoever comes in needs no credentials here.
PUBLIC = {
    ("GET", "/_health"),
    ("GET", "/metrics"),
    ("GET", "/docs"),
    ("GET", "/docs/assets/{file_path}"),
    ("HEAD", "/docs/assets/{file_path}"),
    ("GET", "/openapi.json"),
    ("POST", "/auth/token"),
    ("POST", "/auth/token/refresh"),
    ("POST", "/v1/auth/jwt/token"),
}


def routes(app: Litestar) -> list[tuple[str, str]]:
    """Return every (method, path template) that the application itself says it answers."""
    return sorted(
        (method, route.path_format)
        for route in app.routes
        for method in getattr(route, "methods", ())
        if method != "OPTIONS"
    )
