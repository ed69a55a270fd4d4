"""The collections of the API with a body that each accepts, and the application's own list of routes."""

from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa
from litestar import Litestar

from pipelines.accounts import resources as accounts
from pipelines.amr import tasks
from pipelines.crud import Resource
from pipelines.db.engine import unit_of_work
from pipelines.erp.resources import INTEGRATION
from pipelines.metering import interfaces, security_keys
from pipelines.metering import resources as metering
from pipelines.mqtt.resources import QUARANTINED
from tests.api.callers import METERING, Json, Tenant, unique


@dataclass(frozen=True, kw_only=True)
class Collection:
    """A collection of rows: where it is, and a body that is accepted there from a tenant's staff.

    Rows of a collection that cannot be posted to come from ``source``, which gets the body.
    """

    path: str
    resource: Resource
    body: Callable[[Tenant], Json]
    source: Callable[[Tenant, Json], Json] | None = None

    def made(self, tenant: Tenant, **changes: object) -> Json:
        body = self.body(tenant) | changes
        return dict(self.source(tenant, body) if self.source else tenant.staff.made(self.path, body))


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


def _task(tenant: Tenant) -> Json:
    return {
        "organization": tenant.id,
        "name": unique("task"),
        "schedule": "hourly",
        "meter_execution_type": "generic_lis200",
        "task_call": "read_single_value",
        "task_kwargs": {"address": "2:302.0"},
    }


def _invocation(tenant: Tenant) -> Json:
    return {
        "meter_device": tenant.meter()["id"],
        "meter_execution_type": "generic_lis200",
        "task_call": "set_time",
    }


def _invoked(tenant: Tenant, body: Json) -> Json:
    return dict(tenant.staff.made(f"{METERING}/amr-tasks/invoke", body))


def _message(tenant: Tenant) -> Json:
    return {
        "client_id": tenant.credentials["client"]["client_id"],
        "topic": f"v1/{tenant.credentials['client']['client_id']}/readings",
        "payload": b"{}",
        "size_bytes": 2,
        "row_number": None,
        "code": "invalid",
        "detail": "deviceId: This field is required.",
        "received_at": "2026-03-01T00:00:00Z",
    }


def _quarantined(tenant: Tenant, body: Json) -> Json:
    """Quarantine a message as the subscriber does; what a body says beyond its columns means nothing."""
    columns = [*_message(tenant), "organization_id", "created_at", "updated_at"]
    values = body | dict.fromkeys(("created_at", "updated_at"), body["received_at"])
    insert = sa.text(
        f"INSERT INTO wattloom.quarantined_message ({', '.join(columns)})"
        f" VALUES ({', '.join(f':{name}' for name in columns)}) RETURNING id"
    )
    with unit_of_work(tenant.staff.transport.app.state.engine) as connection:
        identifier = connection.scalar(insert, {"organization_id": tenant.id, **values})
    return dict(tenant.staff.found(f"{METERING}/quarantined-messages/{identifier}"))


_BY_NUMBER = {"unique_ids": [{"attribute": "meter_number", "field": "meter"}]}
_NAMED = {"attribute": "external_id", "field": "id"}


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
    "network-interfaces": Collection(
        path=f"{METERING}/network-interfaces",
        resource=interfaces.INTERFACE,
        body=lambda tenant: {"organization": tenant.id, "static_ip_address": "192.0.2.7", "port": 4059},
    ),
    "sim-cards": Collection(
        path=f"{METERING}/sim-cards",
        resource=interfaces.SIM_CARD,
        body=lambda _tenant: {"iccid": "8946071512360089522", "imsi": "240071512360089"},
    ),
    "meter-security-keys": Collection(
        path=f"{METERING}/meter-security-keys",
        resource=security_keys.SECURITY_KEY,
        body=lambda tenant: {"meter": tenant.meter()["id"], "iec62056_21_password": "00000000"},
    ),
    "amr-tasks": Collection(path=f"{METERING}/amr-tasks", resource=tasks.TASK, body=_task),
    "amr-task-groups": Collection(
        path=f"{METERING}/amr-task-groups",
        resource=tasks.TASK_GROUP,
        body=lambda tenant: {"organization": tenant.id, "name": unique("group")},
    ),
    "integrations": Collection(
        path="/v1/integrations",
        resource=INTEGRATION,
        body=lambda _tenant: {
            "name": unique("erp"),
            "use_case_slug": "meter-readings",
            "configuration": {"meter_readings": [{"mode": "delete", "meter": _BY_NUMBER, "fields": [_NAMED]}]},
        },
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
# Nobody posts to these: their rows are made by what the platform does.
READ_ONLY = {
    "amr-jobs": Collection(path=f"{METERING}/amr-jobs", resource=tasks.JOB, body=_invocation, source=_invoked),
    "quarantined-messages": Collection(
        path=f"{METERING}/quarantined-messages",
        resource=QUARANTINED,
        body=_message,
        source=_quarantined,
    ),
}
DELETABLE = {"quarantined-messages"}
READABLE = COLLECTIONS | READ_ONLY
INTEGER_IDS = {"staged-meter-readings", "meter-system-events", "memberships", *READ_ONLY}
UNCHANGEABLE = {"meter-system-events", "meter-security-keys"}
# Sent and never shown.
WRITE_ONLY = {("meter-security-keys", "dlms_master_key")}
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
