"""Generated requests: no body and no query makes a 500, and what is refused says which field."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from litestar import Litestar

from api.auth import client_tokens, jwt
from api.metering import new_readings
from api.openapi import document
from pipelines.amr import tasks
from pipelines.fields import Field, Kind
from pipelines.metering import readings
from tests.api.callers import METERING, Client, Home, Tenant, faults
from tests.api.catalog import COLLECTIONS, READ_ONLY, UNCHANGEABLE, routes

# Bounded by hand: every example is a request to a real database.
FEW = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)
_TEXTS = st.one_of(
    st.sampled_from(
        ["", " ", "\0", "NaN", "Infinity", "1e30", "-1", "2026-03-01T00:00:00", "9999-12-31T23:59:59Z", "\ud800"]
    ),
    st.text(max_size=60),
    st.uuids().map(str),
    st.datetimes().map(lambda at: at.isoformat() + "Z"),
    st.decimals(allow_nan=True).map(str),
)
_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([10**30, 10**400, -(2**31) - 1, 2**63]),
    st.floats(allow_nan=True),
    _TEXTS,
)
_ANYTHING = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3), max_leaves=6
)
_FITTING: dict[Kind, st.SearchStrategy[Any]] = {
    Kind.STRING: st.text(alphabet="abcdef0123456789", min_size=1, max_size=8),
    Kind.BOOLEAN: st.booleans(),
    Kind.INTEGER: st.integers(min_value=-5, max_value=2**31),
    Kind.DECIMAL: st.decimals(allow_nan=False, allow_infinity=False, places=3).map(str),
    Kind.UUID: st.uuids().map(str),
    Kind.UUIDS: st.lists(st.uuids().map(str), max_size=2),
    Kind.DATETIME: st.datetimes().map(lambda at: at.isoformat() + "+05:45"),
    Kind.ZONE: st.sampled_from(["UTC", "Asia/Kathmandu", "localtime"]),
    Kind.URI: st.just("https://example.org"),
    Kind.IP: st.ip_addresses().map(str),
    Kind.OBJECTS: st.just([]),
    Kind.OBJECT: st.dictionaries(_TEXTS, _ANYTHING, max_size=2),
}


def _value(field: Field) -> st.SearchStrategy[Any]:
    fitting = st.sampled_from(field.choices) if field.choices else _FITTING[field.kind]
    return st.one_of(fitting, fitting, _ANYTHING)


def _body(fields: tuple[Field, ...], known: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Return bodies that are mostly right: known ids, fitting values, and here and there something else."""
    values = {
        f.name: st.one_of(st.just(known[f.name]), _value(f)) if f.name in known else _value(f) for f in fields
    }
    return st.one_of(
        st.fixed_dictionaries({}, optional=values), st.fixed_dictionaries(values), st.just(known), _ANYTHING
    )


@pytest.fixture(scope="module")
def home(tenant: Tenant) -> Home:
    return tenant.home()


def _check(answer: Any, fields: tuple[Field, ...], sent: object) -> None:
    where = (answer.request.method, answer.request.url.path, answer.status_code, answer.text[:300], sent)
    assert answer.status_code < 500, where
    if answer.status_code == 400 and isinstance(sent, dict):
        named = faults(answer)
        assert named, where
        assert set(named) <= {f.name for f in fields} | {"non_field_errors", "detail"}, where


@pytest.mark.parametrize("name", COLLECTIONS)
def test_no_generated_body_breaks_a_resource(tenant: Tenant, home: Home, name: str) -> None:
    collection = COLLECTIONS[name]
    fields = collection.resource.fields
    known = collection.body(tenant)
    row = collection.made(tenant)
    methods = ["POST"] if name in UNCHANGEABLE else ["POST", "PUT", "PATCH"]

    @FEW
    @given(method=st.sampled_from(methods), body=_body(fields, known))
    def send(method: str, body: Any) -> None:
        path = collection.path if method == "POST" else f"{collection.path}/{row['id']}"
        _check(tenant.staff.request(method, path, content=json.dumps(body)), fields, body)

    send()
    assert tenant.staff.get(collection.path).status_code == 200


def test_no_generated_invocation_breaks_the_jobs(tenant: Tenant) -> None:
    jobs = READ_ONLY["amr-jobs"]

    @FEW
    @given(body=_body(tasks.INVOCATION, jobs.body(tenant)))
    def send(body: Any) -> None:
        answer = tenant.staff.post(f"{METERING}/amr-tasks/invoke", content=json.dumps(body))
        _check(answer, tasks.INVOCATION, body)
        if answer.status_code == 201:
            assert tenant.staff.found(f"{jobs.path}/{answer.json()['id']}") == answer.json()

    send()
    assert tenant.staff.found(jobs.path)["count"] > 0


def test_no_generated_reading_breaks_the_readings(tenant: Tenant, home: Home) -> None:
    @FEW
    @given(body=_body(readings.FIELDS, home.reading()))
    def send(body: Any) -> None:
        answer = tenant.staff.post(f"{METERING}/meter-readings", content=json.dumps(body))
        _check(answer, readings.FIELDS, body)

    send()


def test_every_row_of_a_generated_delivery_has_one_verdict(tenant: Tenant, home: Home) -> None:
    rows = st.lists(_body(new_readings.FIELDS, home.named()), max_size=5)

    @FEW
    @given(rows=rows)
    def send(rows: list[Any]) -> None:
        good = home.named("2026-07-01T00:00:00Z", "7")
        answer = tenant.staff.post(f"{METERING}/new-meter-readings", content=json.dumps([*rows, good]))
        assert answer.status_code == 201, answer.text
        verdict = answer.json()
        indices = [row["index"] for row in verdict["rejected"]]
        assert verdict["accepted"] + verdict["staged"] + len(indices) == len(rows) + 1
        assert len(rows) not in indices
        assert indices == sorted(set(indices))
        assert {"timestamp": "2026-07-01T00:00:00Z", "value": "7"} in tenant.readings(home)

    send()


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/v1/auth/jwt/token", jwt.CREDENTIALS),
        ("/v1/auth/jwt/change-organization", jwt.CHANGE),
        ("/v1/auth/jwt/renew", (Field(name="token"),)),
        ("/auth/token", client_tokens.GRANT),
        ("/auth/token/refresh", client_tokens.REFRESH),
    ],
)
def test_no_generated_body_gets_a_token(tenant: Tenant, path: str, fields: tuple[Field, ...]) -> None:
    caller = tenant.reader() if "change" in path else tenant.anonymous

    @FEW
    @given(body=_body(fields, {}))
    def send(body: Any) -> None:
        answer = caller.post(path, content=json.dumps(body))
        _check(answer, fields, body)
        assert answer.status_code in {400, 401}

    send()


def _queries() -> Iterator[tuple[str, tuple[str, ...]]]:
    for path, operations in document()["paths"].items():
        names = tuple(p["name"] for p in operations.get("get", {}).get("parameters", ()))
        if "get" in operations and names:
            yield path, names


@pytest.mark.parametrize(
    ("path", "names"), list(_queries()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_no_generated_query_breaks_a_list(tenant: Tenant, home: Home, path: str, names: tuple[str, ...]) -> None:
    tenant.deliver(home.named())
    filled = path.replace("{device_id}", str(home.meter["sensor_id"]))
    texts = st.one_of(_TEXTS, st.integers().map(str), st.dates().map(str)).map(
        lambda text: text.encode(errors="replace").decode()
    )

    @settings(FEW, max_examples=20)
    @given(query=st.dictionaries(st.sampled_from(names), texts))
    def send(query: dict[str, str]) -> None:
        answer = tenant.staff.get(filled, params=query)
        assert answer.status_code < 500, (query, answer.text)
        if answer.status_code == 400:
            assert set(faults(answer)) <= set(names)

    send()


def test_every_route_that_takes_a_body_is_generated_for(app: Litestar) -> None:
    covered = {collection.path for collection in COLLECTIONS.values()}
    covered |= {f"{METERING}/meter-readings", f"{METERING}/new-meter-readings", f"{METERING}/amr-tasks/invoke"}
    covered |= {"/v1/auth/jwt/token", "/v1/auth/jwt/change-organization", "/v1/auth/jwt/renew"}
    covered |= {"/auth/token", "/auth/token/refresh"}
    covered |= {"/v3/erp/updates/events", "/v2/erp/updates/mapping_simulation"}  # test_erp_fuzz
    covered |= {"/api/v1/in"}  # tests/api/test_registry.py
    covered |= {"/sensors"}  # tests/api/test_metadata_fuzz.py

    taking = {path.split("/{")[0] for method, path in routes(app) if method in {"POST", "PUT", "PATCH"}}

    assert taking == covered


def test_an_unknown_reading_id_of_any_kind_is_not_found(staff: Client) -> None:
    @FEW
    @given(key=st.one_of(st.integers(), st.text(min_size=1, max_size=20), st.just(uuid4())).map(str))
    def send(key: str) -> None:
        quoted = "".join(f"%{byte:02X}" for byte in key.encode(errors="replace"))
        if "%2F" not in quoted and quoted not in {"%2E", "%2E%2E"}:
            assert staff.get(f"{METERING}/meter-readings/{quoted}").status_code in {200, 404}

    send()
