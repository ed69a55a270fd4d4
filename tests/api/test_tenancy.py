"""A walk over every route of the application: no credentials, wrong credentials, and another organization's."""

import re
from typing import Any

import pytest
import sqlalchemy as sa
from litestar import Litestar

from tests.api.callers import METERING, Client, Tenant
from tests.api.catalog import PUBLIC, READABLE, routes

_QUERY = {"year": "2026", "month": "3", "startDate": "2026-03-02", "endDate": "2026-03-08"}
# Rows in which an organization shows, and which no stranger's request may change.
_TABLES = (
    "organization",
    "organization_member",
    "app_user",
    "api_token",
    "meter_device",
    "meter_device_type",
    "meter_device_config",
    "meter_device_config_series",
    "meter_reading_series",
    "meter_system_event",
    "staged_meter_reading",
    "meter_reading",
    "meter_reading_version",
    "reading_channel",
    "reading_change",
    "network_interface",
    "sim_card",
    "meter_security_key",
    "organization_key",
    "amr_task",
    "amr_task_group",
    "amr_task_group_task",
    "amr_job",
    "quarantined_message",
    "meter_device_task",
    "meter_device_task_group",
    "erp_integration",
    "erp_event",
    "erp_entity",
    "erp_reading",
    "registry_customer",
    "registry_meter",
    "registry_grid",
    "registry_import",
    "registry_import_verdict",
    "pseudonym_key",
    "household",
    "weather_place",
    "weather_hourly",
)

REGISTRY_ROWS = {
    "customers": {"external_id": "customer-of-the-victim"},
    "meters": {
        "customer_external_id": "customer-of-the-victim",
        "device_external_id": "device-of-the-victim",
        "serial_number": "serial-of-the-victim",
        "manufacturer": "maker",
    },
}


METADATA = {
    "property": {"property_type": "OFFICE", "power_generator_source": "NONE", "version": "1.0"},
    "appliances": {"appliances": [{"key": "KETTLE", "amount": 1}], "version": "1.0"},
    "geolocation": {"latitude": 51.5, "longitude": -0.1},
}


@pytest.fixture(scope="module")
def victim(tenant: Tenant) -> Tenant:
    """An organization with a row of every kind."""
    home = tenant.home()
    tenant.deliver([home.named(), home.named(meter_device_name="staged-meter")])
    tenant.event(home)
    for name, body in METADATA.items():
        tenant.staff.put(f"/sensors/{home.meter['sensor_id']}/metadata/{name}", json=body).raise_for_status()
    for table, row in REGISTRY_ROWS.items():
        tenant.staff.made(f"/api/v1/in/{table}", row)
    rows = {name: collection.made(tenant) for name, collection in READABLE.items()}
    task, group = rows["amr-tasks"]["id"], rows["amr-task-groups"]["id"]
    for path, change in [
        (f"amr-task-groups/{group}", {"tasks": [task]}),
        (
            f"meter-devices/{rows['meter-devices']['id']}",
            {"network_interface": rows["network-interfaces"]["id"], "meter_tasks": [task], "task_groups": [group]},
        ),
    ]:
        assert tenant.staff.patch(f"{METERING}/{path}", json=change).status_code == 200
    return tenant


def _identifiers(victim: Tenant, engine: sa.Engine) -> dict[str, list[str]]:
    """Return, per collection path, the ids of the victim's rows."""
    found = {
        collection.path: [str(row["id"]) for row in victim.staff.found(collection.path)["results"]]
        for collection in READABLE.values()
    }
    sensors = victim.staff.found("/sensors")
    with engine.connect() as connection:
        readings = connection.scalars(
            sa.text("SELECT id FROM wattloom.meter_reading WHERE device_id = ANY(:ids)"), {"ids": sensors}
        )
        found[f"{METERING}/meter-readings"] = [str(one) for one in readings]
    found["/sensors"] = [str(one) for one in sensors]
    found["/api/v1/in"] = found["/api/v1/out"] = ["customers", "meters"]
    with engine.connect() as connection:
        imports = connection.scalars(
            sa.text("SELECT id FROM wattloom.registry_import WHERE organization_id = :number"),
            {"number": victim.credentials["organization"]["number"]},
        )
        found["/api/v1/imports"] = [str(one) for one in imports]
    assert all(found.values()), found
    return found


def _stored(engine: sa.Engine) -> dict[str, list[str]]:
    with engine.connect() as connection:
        return {
            table: sorted(map(str, connection.execute(sa.text(f"SELECT * FROM wattloom.{table}"))))
            for table in _TABLES
        }


def _addresses(path: str, identifiers: dict[str, list[str]]) -> list[str]:
    """Fill a path template with every id of the victim that fits it."""
    if "{" not in path:
        return [path]
    collection = path[: path.index("/{")]
    return [re.sub(r"\{\w+\}", key, path) for key in identifiers[collection]]


def _bodies(path: str, victim: Tenant) -> list[Any]:
    """Return bodies that would write into the victim's organization, were they let."""
    home = victim.staff.found(f"{METERING}/meter-devices")["results"][0]
    series = victim.staff.found(f"{METERING}/meter-reading-series")["results"][0]
    mine = victim.staff.found("/v1/organizations/memberships")["results"][0]
    linked = {
        name: victim.staff.found(f"{METERING}/{path}")["results"][0]["id"]
        for name, path in [
            ("sim", "sim-cards"),
            ("network_interface", "network-interfaces"),
            ("task", "amr-tasks"),
        ]
    }
    everything = {
        "organization": victim.id,
        "name": "stolen",
        "protocol": "mbus",
        "manufacturer": "x",
        "manufacturer_model": "x",
        "series": series["id"] if path.endswith("meter-readings") else [series["id"]],
        "unit": "kWh",
        "meter_device": home["id"],
        "timestamp": "2026-03-01T00:00:00Z",
        "value": "99",
        "title": "x",
        "content": "x",
        "user": mine["user"],
        "meter": home["id"],
        "iec62056_21_password": "stolen",
        "iccid": "1",
        "imsi": "1",
        "sim": linked["sim"],
        "network_interface": linked["network_interface"],
        "tasks": [linked["task"]],
        "meter_tasks": [linked["task"]],
        "schedule": "daily",
        "meter_execution_type": "generic_lis200",
        "task_call": "set_time",
        "property_type": "OFFICE",
        "power_generator_source": "SOLAR",
        "version": "1.0",
        "appliances": [],
        "latitude": 1.0,
        "longitude": 1.0,
    }
    return [everything, {}]


def _walk(app: Litestar) -> list[tuple[str, str]]:
    return [(method, path) for method, path in routes(app) if (method, path) not in PUBLIC]


def test_every_route_without_credentials_is_401_but_the_public_ones(
    app: Litestar, victim: Tenant, engine: sa.Engine, anonymous: Client
) -> None:
    identifiers, before = _identifiers(victim, engine), _stored(engine)

    for method, path in _walk(app):
        for address in _addresses(path, identifiers):
            for query in ({}, _QUERY, {"limit": "-1", "year": "x", "unit": "x", "start_time": "x"}):
                for content in (b"{}", b"not json", b""):
                    answer = anonymous.request(method, address, params=query, content=content)
                    if path == "/v1/auth/jwt/renew" and method == "POST":
                        assert answer.status_code == 400  # the token may stand in the body
                        continue
                    assert answer.status_code == 401, (method, address, query, content)
                    assert answer.headers["www-authenticate"] in {"Token", "JWT", "Bearer"}
    assert _stored(engine) == before


def test_every_route_answers_the_same_with_and_without_a_trailing_slash(
    app: Litestar, victim: Tenant, engine: sa.Engine
) -> None:
    identifiers = _identifiers(victim, engine)
    identifiers["/docs/assets"] = ["swagger-ui.css"]

    for method, path in routes(app):
        for address in _addresses(path, identifiers)[:1]:
            if method == "DELETE" or path.startswith(("/metrics", "/docs/assets")):
                continue  # what is deleted once is gone; metrics count every request; a file is no folder
            if method == "POST" and path.startswith("/api/v1/in"):
                continue  # every answer names an import of its own; tests/api/test_registry.py
            for caller in (victim.staff, victim.anonymous):
                answers = [caller.request(method, address + slash, params=_QUERY) for slash in ("", "/")]
                assert answers[0].status_code == answers[1].status_code, (method, address)
                assert answers[0].content == answers[1].content, (method, address)
                assert answers[0].status_code != 405, (method, address)


def test_the_read_only_user_reads_every_collection(app: Litestar, victim: Tenant) -> None:
    reader = victim.reader()

    for method, path in routes(app):
        if method == "GET" and "{" not in path and path.startswith(("/v1/metering", "/v1/organizations")):
            assert reader.found(path)["count"] >= 1, path


def test_every_public_route_is_one_of_the_application(app: Litestar) -> None:
    assert set(routes(app)) >= PUBLIC


@pytest.mark.parametrize("caller", ["staff", "reader", "bearer"])
def test_no_route_shows_or_changes_another_organizations_rows(
    app: Litestar, victim: Tenant, stranger: Tenant, engine: sa.Engine, caller: str
) -> None:
    identifiers, before = _identifiers(victim, engine), _stored(engine)
    secrets_of_victim = {one for ids in identifiers.values() for one in ids if len(one) > 20} | {victim.id}
    client: Client = getattr(stranger, caller) if caller == "staff" else getattr(stranger, caller)()

    for method, path in _walk(app):
        for address in _addresses(path, identifiers):
            for body in _bodies(path, victim) if method in {"POST", "PUT", "PATCH"} else [None]:
                if path.endswith(
                    ("new-meter-readings", "staged-meter-readings", "/renew", "/in/{table:str}", "/in/{table}")
                ):
                    continue  # these name no organization: what they write is the caller's own
                if (method, path) == ("POST", "/v1/organizations") and caller == "staff":
                    continue  # creates an organization of the caller's
                answer = client.request(method, address, params=_QUERY, json=body)
                _is_closed(answer, method, path, secrets_of_victim, repeated=str(body))
    for collection in READABLE.values():
        for filter_ in ({}, {"organization": victim.id}, {"name": "stolen"}):
            answer = client.get(collection.path, params=filter_)
            assert not any(secret in answer.text for secret in secrets_of_victim)
    assert _stored(engine) == before


def _is_closed(answer: Any, method: str, path: str, secrets: set[str], *, repeated: str) -> None:
    where = (method, path, answer.status_code, answer.text[:200])
    refused = {400, 401, 403, 404}
    names_nobody = "{" not in path or path.startswith(("/api/v1/in", "/api/v1/out"))
    assert answer.status_code in (refused | {200} if method == "GET" and names_nobody else refused), where
    assert not any(secret in answer.text for secret in secrets if secret not in repeated), where


def test_filters_with_foreign_ids_find_nothing(victim: Tenant, stranger: Tenant) -> None:
    meter = victim.staff.found(f"{METERING}/meter-devices")["results"][0]
    series = victim.staff.found(f"{METERING}/meter-reading-series")["results"][0]
    sim = victim.staff.found(f"{METERING}/sim-cards")["results"][0]
    key = victim.staff.found(f"{METERING}/meter-security-keys")["results"][0]
    job = victim.staff.found(f"{METERING}/amr-jobs")["results"][0]

    for caller in (stranger.staff, stranger.reader()):
        for path, query in [
            ("meter-readings", {"meter_device": meter["id"], "series": series["id"]}),
            ("meter-readings", {"meter_device": meter["id"]}),
            ("meter-readings", {"series": series["id"]}),
            ("meter-readings", {}),
            ("meter-system-events", {"meter_device": meter["id"]}),
            ("meter-devices", {"name": meter["name"]}),
            ("meter-reading-series", {"name": series["name"]}),
            ("staged-meter-readings", {"meter_device_name": "staged-meter"}),
            ("sim-cards", {"iccid": sim["iccid"]}),
            ("sim-cards", {"imsi": sim["imsi"]}),
            ("meter-security-keys", {"meter": key["meter"]["id"]}),
            ("meter-security-keys", {"meter_name": key["meter"]["name"]}),
            ("amr-jobs", {"meter_device": job["meter_device"]}),
            ("amr-jobs", {"state": "waiting"}),
        ]:
            page = caller.found(f"{METERING}/{path}", params=query)
            assert (page["count"], page["results"]) == (0, [])


def test_sensors_of_another_organization_look_like_unknown_ones(
    victim: Tenant, stranger: Tenant, engine: sa.Engine
) -> None:
    sensor = victim.staff.found("/sensors")[0]
    silent = victim.meter()["sensor_id"]

    for caller in (stranger.staff, stranger.bearer()):
        assert caller.found("/sensors") == []
        for one in (sensor, silent):
            assert caller.get(f"/sensors/{one}").json() == caller.get("/sensors/2147483647").json()
            assert caller.get(f"/sensors/{one}").status_code == 404
