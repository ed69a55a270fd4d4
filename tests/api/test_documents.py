"""The API's description of itself, its health, its metrics and its logs."""

import json
import re
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import jsonschema
import pytest
import sqlalchemy as sa
from litestar import Litestar
from litestar.testing import TestClient

from api.app import create_app
from api.openapi import document
from pipelines.db.engine import create_engine
from pipelines.settings import Settings
from tests.api.callers import METERING, Client, Tenant
from tests.api.catalog import COLLECTIONS, READABLE, WRITE_ONLY, routes
from tests.api.conftest import Kept

UNDOCUMENTED = {"/docs", "/docs/assets/{file_path}", "/openapi.json", "/metrics"}
METHODS = {"get", "put", "post", "delete", "patch", "head"}
_PARAMETER = "a-parameter-of-a-statement"
SCHEMA_WORDS = {
    "type",
    "format",
    "items",
    "properties",
    "required",
    "enum",
    "nullable",
    "readOnly",
    "writeOnly",
    "description",
    "example",
    "default",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "pattern",
    "uniqueItems",
    "oneOf",
    "additionalProperties",
}


def _operations() -> Iterator[tuple[str, str, dict[str, Any], dict[str, Any]]]:
    for path, item in document()["paths"].items():
        for method, operation in item.items():
            if method in METHODS:
                yield method, path, operation, item


def test_the_document_is_served_to_everyone(anonymous: Client) -> None:
    for path in ("/openapi.json", "/openapi.json/"):
        assert anonymous.found(path) == json.loads(json.dumps(document()))


def test_every_documented_operation_is_a_route_and_every_route_is_documented(app: Litestar) -> None:
    documented = {
        (method.upper(), re.sub(r"\{\w+\}", "{}", path.rstrip("/"))) for method, path, _, _ in _operations()
    }

    answered = {
        (method, re.sub(r"\{\w+\}", "{}", path)) for method, path in routes(app) if path not in UNDOCUMENTED
    }

    assert documented == answered


def test_the_document_has_the_form_of_openapi_3_0() -> None:
    whole = document()

    assert re.fullmatch(r"3\.0\.\d", whole["openapi"])
    assert set(whole["info"]) >= {"title", "version"}
    assert set(whole) <= {"openapi", "info", "paths", "components", "servers", "tags"}
    for reference in re.findall(r'"\$ref": "([^"]+)"', json.dumps(whole)):
        target: Any = whole
        for step in reference.removeprefix("#/").split("/"):
            target = target[step]
    for method, path, operation, item in _operations():
        where = (method, path)
        assert set(item) <= METHODS | {"parameters"}, where
        assert operation["responses"], where
        assert all(re.fullmatch(r"[1-5]\d\d", code) for code in operation["responses"]), where
        assert all(answer["description"] for answer in operation["responses"].values()), where
        parameters = [*item.get("parameters", ()), *operation.get("parameters", ())]
        names = [(one["name"], one["in"]) for one in parameters]
        assert len(set(names)) == len(names), where
        assert set(re.findall(r"\{(\w+)\}", path)) == {name for name, place in names if place == "path"}, where
        assert all(one["required"] is True for one in parameters if one["in"] == "path"), where
        assert ("requestBody" in operation) == (method in {"post", "put", "patch"}), where
        for security in operation["security"]:
            assert set(security) <= set(whole["components"]["securitySchemes"]), where


def test_the_schemas_are_schemas() -> None:
    def walk(schema: Any, where: Any) -> None:
        assert set(schema) <= SCHEMA_WORDS, (where, set(schema) - SCHEMA_WORDS)
        assert "type" in schema or "oneOf" in schema, where
        assert set(schema.get("required", ())) <= set(schema.get("properties", ())), where
        assert schema.get("required", ["x"]), where
        for name, inner in schema.get("properties", {}).items():
            walk(inner, (*where, name))
        for inner in [*schema.get("oneOf", ()), *([schema["items"]] if "items" in schema else [])]:
            walk(inner, (*where, "items"))
        assert (schema.get("type") == "array") == ("items" in schema), where
        jsonschema.Draft4Validator.check_schema({k: v for k, v in schema.items() if k != "nullable"})

    for method, path, operation, item in _operations():
        holders = [*operation["responses"].values(), operation.get("requestBody", {})]
        for holder in holders:
            for content in holder.get("content", {}).values():
                walk(content["schema"], (method, path))
        for parameter in [*item.get("parameters", ()), *operation.get("parameters", ())]:
            walk(parameter["schema"], (method, path, parameter["name"]))


def _strict(schema: Any) -> Any:
    """Turn an OpenAPI 3.0 schema into one that a validator of JSON Schema understands, and that allows no more."""
    if isinstance(schema, dict):
        left_out = {"nullable", "readOnly", "writeOnly", "example"}
        changed = {k: _strict(v) for k, v in schema.items() if k not in left_out}
        if schema.get("nullable") and "type" in changed:
            changed["type"] = [changed["type"], "null"]
        if "properties" in changed and isinstance(changed["properties"], dict):
            changed["additionalProperties"] = False
            changed["required"] = sorted(changed["properties"])
        return changed
    return [_strict(one) for one in schema] if isinstance(schema, list) else schema


@pytest.mark.parametrize("name", READABLE)
def test_what_a_resource_answers_fits_its_schema(tenant: Tenant, name: str) -> None:
    collection = READABLE[name]
    row = collection.made(tenant)
    one = document()["paths"][f"{collection.path}/{{key}}"]["get"]["responses"]["200"]["content"][
        "application/json"
    ]
    many = document()["paths"][f"{collection.path}/"]["get"]["responses"]["200"]["content"]["application/json"]

    jsonschema.validate(row, _strict(one["schema"]))
    jsonschema.validate(tenant.staff.found(collection.path), _strict(many["schema"]))


def test_a_secret_that_is_never_shown_is_documented_as_something_to_send_only() -> None:
    for name, field in WRITE_ONLY:
        path = COLLECTIONS[name].path
        paths = document()["paths"]
        sent = paths[f"{path}/"]["post"]["requestBody"]["content"]["application/json"]["schema"]
        answers = [
            answer
            for address in (f"{path}/", f"{path}/{{key}}")
            for method, operation in paths[address].items()
            if method in METHODS
            for answer in operation["responses"].values()
        ]

        assert sent["properties"][field]["writeOnly"] is True
        assert field not in json.dumps(answers)


def test_what_an_invocation_answers_fits_its_schema(tenant: Tenant) -> None:
    collection = READABLE["amr-jobs"]
    answers = document()["paths"]["/v1/metering/amr-tasks/invoke"]["post"]["responses"]

    jsonschema.validate(collection.made(tenant), _strict(answers["201"]["content"]["application/json"]["schema"]))


def test_what_the_readings_answer_fits_their_schemas(tenant: Tenant) -> None:
    home, paths = tenant.home(), document()["paths"]

    def schema(path: str, method: str, code: str) -> Any:
        return _strict(paths[path][method]["responses"][code]["content"]["application/json"]["schema"])

    row = tenant.staff.made(f"{METERING}/meter-readings", home.reading())
    jsonschema.validate(row, schema("/v1/metering/meter-readings/", "post", "201"))
    page = tenant.staff.found(f"{METERING}/meter-readings", params=home.selection)
    jsonschema.validate(page, schema("/v1/metering/meter-readings/", "get", "200"))
    verdict = tenant.deliver([home.named(), {}])
    jsonschema.validate(verdict, schema("/v1/metering/new-meter-readings", "post", "201"))
    jsonschema.validate(tenant.grant(), schema("/auth/token", "post", "200"))
    jsonschema.validate(tenant.staff.found("/sensors"), schema("/sensors", "get", "200"))


def test_the_docs_work_without_the_internet(anonymous: Client) -> None:
    page = anonymous.get("/docs")

    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    references = re.findall(r"""(?:src|href|url)\s*[=:]\s*["']([^"']+)""", page.text)
    assert {"/openapi.json", "/docs/assets/swagger-ui.css", "/docs/assets/swagger-ui-bundle.js"} <= set(references)
    assert "//" not in "".join(references)
    for reference in references:
        if reference.startswith("/"):
            assert anonymous.get(reference).status_code == 200, reference
    assert version("swagger-ui-bundle")


@pytest.mark.parametrize("path", ["/_health", "/_health/"])
def test_health_is_ok_while_the_database_answers(anonymous: Client, path: str) -> None:
    assert anonymous.found(path) == {"status": "ok"}


def test_without_the_database_the_answer_is_503_and_says_when_to_come_back(settings: Settings) -> None:
    nowhere = create_engine("postgresql://postgres:topsecret@127.0.0.1:1/none", pool_size=1)
    with TestClient(create_app(settings, nowhere)) as transport:
        caller = Client(transport, "Token x")
        for path in ("/_health/", f"{METERING}/meter-devices", "/sensors"):
            answer = caller.get(path)
            assert answer.status_code == 503
            assert answer.headers["retry-after"]
            assert "topsecret" not in answer.text


def _round(tenant: Tenant) -> list[str]:
    """Send a request of every kind; return everything that must stay secret."""
    home = tenant.home(external_system_reference="reference-of-a-person")
    token = tenant.anonymous.made("/v1/auth/jwt/token/", tenant.credentials["user"])["token"]
    given = tenant.grant()
    reader, bearer = (
        Client(tenant.staff.transport, f"JWT {token}"),
        Client(tenant.staff.transport, f"Bearer {given['access_token']}"),
    )
    tenant.deliver(
        [home.named(value="31337.25"), home.named(meter_device_name="staged-by-name", value="31337.5"), {}]
    )
    event = tenant.event(home, content="a-content-of-an-event")
    keys = {
        "meter": home.meter["id"],
        "iec62056_21_password": "PASS4711",
        "dlms_master_key": "0DD0FEEDC0FFEE00" * 2,
        "dlms_global_unicast_encryption_key": "0DD0FEEDC0FFEE01" * 2,
    }
    kept = tenant.staff.made(f"{METERING}/meter-security-keys", keys)
    tenant.staff.get(f"{METERING}/meter-security-keys/{kept['id']}")
    tenant.staff.get(f"{METERING}/meter-security-keys")
    tenant.staff.post(f"{METERING}/meter-security-keys", json=keys | {"dlms_master_key": "no-hex-key"})
    tenant.staff.post(
        f"{METERING}/amr-tasks/invoke",
        json={
            "meter_device": home.meter["id"],
            "meter_execution_type": "generic_lis200",
            "task_call": "a-call-of-somebody",
            "task_kwargs": {"an-argument": "a-value-of-it"},
        },
    )
    reader.get(f"{METERING}/meter-devices/{home.meter['id']}")
    bearer.get(f"/sensors/{home.meter['sensor_id']}")
    tenant.staff.get(f"/v1/metering/nowhere/{home.meter['id']}")
    tenant.staff.get(f"{METERING}/meter-system-events/{event['id']}")
    tenant.staff.post(
        f"{METERING}/meter-devices", json={"name": home.meter["name"], "protocol": "refused-protocol"}
    )
    tenant.staff.post(f"{METERING}/meter-devices", json={"name": home.meter["name"], "protocol": "mbus"})
    tenant.staff.post(f"{METERING}/meter-devices", content=b'{"name": "refused-body')
    tenant.anonymous.post("/v1/auth/jwt/token/", json={"username": "x", "password": "a-wrong-password"})
    tenant.anonymous.post("/v1/auth/jwt/renew/", json={"token": "a-wrong-token"})
    tenant.anonymous.get("/sensors", headers={"Authorization": "Bearer a-wrong-bearer"})
    refresh = {
        "grant_type": "refresh_token",
        "client_id": tenant.credentials["client"]["client_id"],
        "refresh_token": given["refresh_token"],
    }
    renewed = tenant.anonymous.post("/auth/token/refresh", json=refresh).json()["access_token"]
    return [
        *(
            one[key]
            for one in tenant.credentials.values()
            for key in one
            if key in {"token", "password", "client_secret"}
        ),
        *(token, given["access_token"], given["refresh_token"], renewed),
        *("a-wrong-password", "a-wrong-token", "a-wrong-bearer", "refused-body", "refused-protocol"),
        *("PASS4711", "0DD0FEEDC0FFEE00", "0DD0FEEDC0FFEE01", "no-hex-key"),
        *("a-call-of-somebody", "an-argument", "a-value-of-it"),
        *("31337.25", "31337.5", "staged-by-name", "a-content-of-an-event", "reference-of-a-person"),
    ]


def test_metrics_count_requests_and_carry_no_ids_or_secrets(tenant: Tenant, anonymous: Client) -> None:
    secrets = _round(tenant)

    for path in ("/metrics", "/metrics/"):
        text = anonymous.get(path).text

        assert re.search(
            r"^wattloom_requests_total\{.*path=\"/v1/metering/meter-devices\".*\} [1-9]", text, re.MULTILINE
        )
        assert "wattloom_request_duration_seconds_bucket" in text
        assert not re.search(r"[0-9a-f]{8}-[0-9a-f]{4}-", text)
        assert not any(secret in text for secret in secrets)
        for label in re.findall(r'path="([^"]*)"', text):
            assert not re.search(r"\d{2,}|nowhere", label), label


def test_no_log_record_holds_a_secret_or_a_body(
    debug_log: Kept, tenant: Tenant, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = _round(tenant)
    monkeypatch.setattr("api.resources.crud.list_rows", _broken_query)
    broken = tenant.staff.get(f"{METERING}/meter-devices", params={"name": "a-name-in-a-query"})

    assert broken.status_code == 500
    said = "\n".join(debug_log.texts)
    assert "unexpected InvalidTextRepresentation" in said
    for secret in [*secrets, "a-name-in-a-query", _PARAMETER]:
        assert secret not in said, secret


def _broken_query(connection: sa.Connection, *_: Any, **__: Any) -> None:
    """Fail inside the database with a parameter that must not reach the log."""
    connection.execute(sa.text("SELECT CAST(:text AS integer)"), {"text": _PARAMETER})
