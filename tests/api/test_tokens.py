"""Tokens: who gets one, how long it lasts, what it opens."""

import dataclasses
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import jwt
import pytest
import sqlalchemy as sa
from litestar.testing import TestClient

from api.app import create_app
from pipelines import clock
from pipelines.accounts.secrets import signing_key
from pipelines.settings import Settings
from tests.api.callers import METERING, Client, Tenant

JWT, ACCESS = "/v1/auth/jwt", "/auth/token"
METERS = f"{METERING}/meter-devices"
NOON = datetime(2030, 5, 5, 12, tzinfo=UTC)
Connect = Callable[[str | None], Client]


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_password_is_exchanged_for_a_jwt_that_reads(
    tenant: Tenant, anonymous: Client, connect: Connect, slash: str
) -> None:
    meter = tenant.meter()

    answer = anonymous.post(f"{JWT}/token{slash}", json=tenant.credentials["user"] | {"organization": None})

    assert answer.status_code == 201
    assert list(answer.json()) == ["token"]
    shown = connect(f"JWT {answer.json()['token']}").found(f"{METERS}/{meter['id']}")
    assert shown == meter


def test_a_jwt_is_for_the_organization_that_was_asked_for(
    tenant: Tenant, anonymous: Client, connect: Connect
) -> None:
    second = _second_organization(tenant)

    chosen = anonymous.made(f"{JWT}/token", tenant.credentials["user"] | {"organization": second})["token"]
    first = anonymous.made(f"{JWT}/token", tenant.credentials["user"])["token"]

    assert _organizations(connect(f"JWT {chosen}")) == [second]
    assert _organizations(connect(f"JWT {first}")) == [tenant.id]


def _second_organization(tenant: Tenant) -> str:
    second = str(tenant.staff.made("/v1/organizations", {"name": "Second"})["id"])
    for member in tenant.staff.found("/v1/organizations/memberships")["results"]:
        if member["organization"] == tenant.id:
            tenant.staff.made("/v1/organizations/memberships", {"organization": second, "user": member["user"]})
    return second


def _organizations(caller: Client) -> list[str]:
    return [row["id"] for row in caller.found("/v1/organizations")["results"]]


@pytest.mark.parametrize(
    ("change", "status", "fields"),
    [
        ({"password": "wrong"}, 401, {"detail"}),
        ({"username": "nobody"}, 401, {"detail"}),
        ({"organization": str(uuid4())}, 400, {"organization"}),
        ({"organization": "x"}, 400, {"organization"}),
        ({"username": None}, 400, {"username"}),
        ({"password": ""}, 400, {"password"}),
        ({"username": 5, "password": []}, 400, {"username", "password"}),
        ({"username": "a\0b"}, 400, {"username"}),
    ],
)
def test_a_wrong_login_gives_no_token(
    tenant: Tenant, anonymous: Client, change: dict[str, Any], status: int, fields: set[str]
) -> None:
    answer = anonymous.post(f"{JWT}/token", json=tenant.credentials["user"] | change)

    assert (answer.status_code, set(answer.json())) == (status, fields)
    assert "token" not in answer.json()
    if status == 401:
        assert answer.headers["www-authenticate"] in {"JWT", "Token"}


def test_an_unknown_user_and_a_wrong_password_look_the_same(tenant: Tenant, anonymous: Client) -> None:
    user = tenant.credentials["user"]

    answers = [
        anonymous.post(f"{JWT}/token", json=user | wrong) for wrong in ({"username": "x"}, {"password": "x"})
    ]

    assert answers[0].json() == answers[1].json()


def test_the_organization_of_a_stranger_cannot_be_logged_into(
    tenant: Tenant, stranger: Tenant, anonymous: Client
) -> None:
    body = tenant.credentials["user"] | {"organization": stranger.id}

    answer = anonymous.post(f"{JWT}/token", json=body)

    assert (answer.status_code, list(answer.json())) == (400, ["organization"])


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_valid_jwt_gives_a_new_one(tenant: Tenant, connect: Connect, method: str, slash: str) -> None:
    clock.start_at(NOON)
    old = tenant.reader()
    clock.start_at(NOON + timedelta(minutes=15))

    answer = old.request(method, f"{JWT}/renew{slash}")

    assert answer.status_code == 200
    clock.start_at(NOON + timedelta(minutes=30))
    assert old.get(METERS).status_code == 401
    assert connect(f"JWT {answer.json()['token']}").get(METERS).status_code == 200


def test_a_jwt_in_the_body_is_renewed_too(tenant: Tenant, anonymous: Client, connect: Connect) -> None:
    token = anonymous.made(f"{JWT}/token", tenant.credentials["user"])["token"]

    renewed = anonymous.post(f"{JWT}/renew", json={"token": token})
    forged = anonymous.post(f"{JWT}/renew", json={"token": f"{token}x"})
    absent = anonymous.post(f"{JWT}/renew", json={})

    assert renewed.status_code == 200
    assert connect(f"JWT {renewed.json()['token']}").get(METERS).status_code == 200
    assert forged.status_code == 401
    assert (absent.status_code, list(absent.json())) == (400, ["token"])


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_member_changes_to_another_organization(tenant: Tenant, connect: Connect, slash: str) -> None:
    second = _second_organization(tenant)

    answer = tenant.reader().post(f"{JWT}/change-organization{slash}", json={"organization": second})

    assert answer.status_code == 201
    assert _organizations(connect(f"JWT {answer.json()['token']}")) == [second]


def test_nobody_changes_to_an_organization_of_strangers(tenant: Tenant, stranger: Tenant) -> None:
    for wanted in (stranger.id, str(uuid4()), "x", None):
        answer = tenant.reader().post(f"{JWT}/change-organization", json={"organization": wanted})
        assert (answer.status_code, list(answer.json())) == (400, ["organization"])
    assert tenant.staff.post(f"{JWT}/change-organization", json={"organization": tenant.id}).status_code == 401
    assert tenant.anonymous.post(f"{JWT}/change-organization", json={"organization": tenant.id}).status_code == 401


def test_a_jwt_lasts_twenty_minutes(tenant: Tenant) -> None:
    clock.start_at(NOON)
    reader = tenant.reader()

    clock.start_at(NOON + timedelta(minutes=19, seconds=50))
    before = reader.get(METERS)
    clock.start_at(NOON + timedelta(minutes=20, seconds=1))
    after = reader.get(METERS)

    assert before.status_code == 200
    assert (after.status_code, after.headers["www-authenticate"]) == (401, "JWT")


def test_a_jwt_of_somebody_who_is_no_member_any_more_is_refused(fresh: Tenant) -> None:
    reader = fresh.reader()
    for member in fresh.staff.found("/v1/organizations/memberships")["results"]:
        assert fresh.staff.delete(f"/v1/organizations/memberships/{member['id']}").status_code == 204

    assert reader.get(METERS).status_code == 401


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_client_gets_an_access_token_for_twelve_hours(tenant: Tenant, anonymous: Client, slash: str) -> None:
    body = {"grant_type": "client_credentials", **tenant.credentials["client"]}

    answer = anonymous.post(f"{ACCESS}{slash}", json=body)

    assert answer.status_code == 200
    given = answer.json()
    assert list(given) == ["access_token", "token_type", "expires_in_secs", "refresh_token"]
    assert (given["token_type"], given["expires_in_secs"]) == ("Bearer", 43_200)


def test_an_access_token_expires_after_twelve_hours(tenant: Tenant) -> None:
    clock.start_at(NOON)
    bearer = tenant.bearer()

    clock.start_at(NOON + timedelta(hours=11, minutes=59))
    before = bearer.get("/sensors")
    clock.start_at(NOON + timedelta(hours=12, seconds=1))
    after = bearer.get("/sensors")

    assert before.status_code == 200
    assert (after.status_code, after.headers["www-authenticate"]) == (401, "Bearer")


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_refresh_token_gives_access_again_and_no_new_refresh_token(
    tenant: Tenant, anonymous: Client, connect: Connect, slash: str
) -> None:
    clock.start_at(NOON)
    body = {
        "grant_type": "refresh_token",
        "client_id": tenant.credentials["client"]["client_id"],
        "refresh_token": tenant.grant()["refresh_token"],
    }

    clock.start_at(NOON + timedelta(days=29))
    answers = [anonymous.post(f"{ACCESS}/refresh{slash}", json=body) for _ in range(2)]
    bearer = connect(f"Bearer {answers[1].json()['access_token']}")

    assert [answer.status_code for answer in answers] == [200, 200]
    assert list(answers[0].json()) == ["access_token", "token_type", "expires_in_secs"]
    assert answers[0].json()["expires_in_secs"] == 43_200
    assert bearer.get("/sensors").status_code == 200
    clock.start_at(NOON + timedelta(days=30, minutes=1))
    assert anonymous.post(f"{ACCESS}/refresh{slash}", json=body).status_code == 401


def test_wrong_clients_and_grants_get_nothing(tenant: Tenant, stranger: Tenant, anonymous: Client) -> None:
    client = {"grant_type": "client_credentials", **tenant.credentials["client"]}
    refresh = {
        "grant_type": "refresh_token",
        "client_id": stranger.credentials["client"]["client_id"],
        "refresh_token": tenant.grant()["refresh_token"],
    }
    cases = [
        (ACCESS, client | {"client_secret": "wrong"}, 401),
        (ACCESS, client | {"client_id": "client-0"}, 401),
        (ACCESS, client | {"client_id": stranger.credentials["client"]["client_id"]}, 401),
        (ACCESS, client | {"grant_type": "password"}, 400),
        (ACCESS, client | {"grant_type": None}, 400),
        (ACCESS, client | {"client_secret": 5}, 400),
        (ACCESS, {}, 400),
        (f"{ACCESS}/refresh", refresh, 401),
        (f"{ACCESS}/refresh", refresh | {"refresh_token": "wrong"}, 401),
        (f"{ACCESS}/refresh", client, 400),
    ]

    for path, body, status in cases:
        answer = anonymous.post(path, json=body)
        assert answer.status_code == status, (path, body)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == status
        assert ("www-authenticate" in answer.headers) == (status == 401)
        assert "access_token" not in answer.text


def test_one_kind_of_token_never_passes_for_another(tenant: Tenant, connect: Connect, settings: Settings) -> None:
    given, staff = tenant.grant(), tenant.credentials["staff"]["token"]
    token = tenant.anonymous.made(f"{JWT}/token", tenant.credentials["user"])["token"]
    claims = jwt.decode(token, options={"verify_signature": False})
    unsigned = jwt.encode(claims, "", algorithm="none")
    other_key = jwt.encode(claims, "k" * 40, algorithm="HS256")
    forever = jwt.encode({k: v for k, v in claims.items() if k != "exp"}, signing_key(settings), algorithm="HS256")

    for path, allowed in [(METERS, {"Token", "JWT"}), ("/sensors", {"Token", "Bearer"})]:
        right = {"Token": staff, "JWT": token, "Bearer": given["access_token"]}
        for scheme in right:
            for name, secret in {
                **right,
                "refresh": given["refresh_token"],
                "no": unsigned,
                "k": other_key,
            }.items():
                expected = 200 if scheme in allowed and name == scheme else 401
                assert connect(f"{scheme} {secret}").get(path).status_code == expected, (path, scheme, name)
    assert connect(f"JWT {forever}").get(METERS).status_code == 401


@pytest.mark.parametrize(
    "header",
    ["", "Token", "Token ", "Token a b", "Basic dXNlcjpwYXNz", "token\t", "JWT ..", "Bearer \xff", "Token \xe9"],
)
def test_a_malformed_authorization_header_is_401(anonymous: Client, header: str) -> None:
    for path in (METERS, "/sensors"):
        answer = anonymous.get(path, headers={"Authorization": header.encode("latin-1")})

        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] in {"Token", "JWT", "Bearer"}


def test_the_scheme_is_read_in_any_case(tenant: Tenant, connect: Connect) -> None:
    assert connect(f"token {tenant.credentials['staff']['token']}").get(METERS).status_code == 200


def test_an_inactive_organization_is_locked_out(fresh: Tenant, anonymous: Client) -> None:
    reader, bearer, refresh = fresh.reader(), fresh.bearer(), fresh.grant()["refresh_token"]

    assert fresh.staff.patch(f"/v1/organizations/{fresh.id}", json={"is_active": False}).status_code == 200

    client = fresh.credentials["client"]
    assert fresh.staff.get(METERS).status_code == 401
    assert fresh.staff.get("/sensors").status_code == 401
    assert reader.get(METERS).status_code == 401
    assert reader.get(f"{JWT}/renew").status_code == 401
    assert bearer.get("/sensors").status_code == 401
    assert anonymous.post(f"{JWT}/token", json=fresh.credentials["user"]).status_code == 401
    assert anonymous.post(ACCESS, json={"grant_type": "client_credentials", **client}).status_code == 401
    body = {"grant_type": "refresh_token", "client_id": client["client_id"], "refresh_token": refresh}
    assert anonymous.post(f"{ACCESS}/refresh", json=body).status_code == 401


@pytest.fixture
def without_staff_tokens(settings: Settings, engine: sa.Engine) -> Iterator[Client]:
    refusing = dataclasses.replace(settings, allow_token_auth=False)
    with TestClient(create_app(refusing, engine)) as transport:
        yield Client(transport)


def test_the_staff_token_can_be_switched_off(tenant: Tenant, without_staff_tokens: Client) -> None:
    staff = Client(without_staff_tokens.transport, f"Token {tenant.credentials['staff']['token']}")
    token = without_staff_tokens.made(f"{JWT}/token", tenant.credentials["user"])["token"]

    assert staff.get(METERS).status_code == 401
    assert staff.get("/sensors").status_code == 401
    assert Client(without_staff_tokens.transport, f"JWT {token}").get(METERS).status_code == 200


def test_a_jwt_may_leave_out_the_organization_but_never_write(tenant: Tenant) -> None:
    body = {"name": "series", "unit": "kWh"}

    for method, path in [
        ("POST", f"{METERING}/meter-reading-series"),
        ("POST", f"{METERING}/new-meter-readings"),
        ("POST", f"{METERING}/meter-readings"),
        ("PUT", f"/v1/organizations/{tenant.id}"),
        ("PATCH", f"/v1/organizations/{tenant.id}"),
        ("DELETE", f"/v1/organizations/{tenant.id}"),
    ]:
        answer = tenant.reader().request(method, path, json=body)
        assert (answer.status_code, list(answer.json())) == (403, ["detail"])
