"""Security keys of meters: what an answer shows of them, and that the master key is never in one."""

from typing import Any

import pytest
import sqlalchemy as sa

from pipelines import crud
from pipelines.db.engine import unit_of_work
from tests.api.callers import Tenant, unique
from tests.api.catalog import COLLECTIONS
from tests.api.conftest import Kept
from tests.api.keyring import KEYS, MASTER, METERS, SECRETS, alter, made_keys, stored


def test_every_secret_but_the_master_key_is_shown_with_the_whole_meter(tenant: Tenant) -> None:
    home = tenant.home(dlms_system_title="4B464D1020304050")
    created = made_keys(tenant, home.meter)
    read = tenant.staff.found(f"{KEYS}/{created['id']}")
    listed = tenant.staff.found(KEYS, params={"meter": home.meter["id"]})["results"]

    shown = {name: text for name, text in SECRETS.items() if name != MASTER}
    assert created == read == listed[0]
    assert {name: created[name] for name in shown} == shown
    assert created["meter"] == tenant.staff.found(f"{METERS}/{home.meter['id']}")
    assert set(created) == {"id", "meter", *shown, "created_at", "updated_at"}


def test_the_master_key_is_in_no_answer_no_log_and_no_exception(
    tenant: Tenant, debug_log: Kept, engine: sa.Engine
) -> None:
    meter = tenant.meter()
    body = {"meter": meter["id"], **SECRETS}
    created = tenant.staff.post(KEYS, json=body)
    address = f"{KEYS}/{created.json()['id']}"
    answers = [
        created,
        tenant.staff.get(address),
        tenant.staff.get(KEYS),
        tenant.staff.get(KEYS, params={"meter": meter["id"]}),
        tenant.reader().get(address),
        tenant.staff.get(f"{METERS}/{meter['id']}"),
        *(tenant.staff.request(method, address, json=body) for method in ("PUT", "PATCH", "POST")),
        tenant.staff.post(KEYS, json=body | {"meter": "nobody"}),
        tenant.staff.post(KEYS, json=body | {MASTER: SECRETS[MASTER] + "0"}),
        tenant.staff.post(KEYS, json=body | {MASTER: SECRETS[MASTER][:-1] + "x"}),
        tenant.staff.post(KEYS, json=body | {MASTER: [SECRETS[MASTER]]}),
        tenant.staff.post(KEYS, json=[body]),
        tenant.staff.post(KEYS, content=str(body).encode()),
        tenant.reader().post(KEYS, json=body),
    ]
    alter(engine, created.json()["id"], iec62056_21_password=b"broken" * 10)
    broken = tenant.staff.get(address)

    assert created.status_code == 201
    assert [answer.status_code for answer in answers[-6:]] == [400, 400, 400, 400, 400, 403]
    assert broken.status_code == 500
    for answer in [*answers, broken]:
        assert SECRETS[MASTER].lower() not in answer.text.lower(), answer.request.url
        assert MASTER not in answer.text or answer.status_code == 400
    said = "\n".join(debug_log.texts).lower()
    assert "cannot be decrypted" in said
    for name, secret in SECRETS.items():
        assert secret.lower() not in said, name


def test_no_fault_of_a_secret_repeats_it(tenant: Tenant) -> None:
    meter = tenant.meter()["id"]

    for name, secret in SECRETS.items():
        for wrong in (secret + "x" * 60, [secret], {"a": secret}, f"{secret[:3]}\0{secret[3:]}", 20_26_11):
            answer = tenant.staff.post(KEYS, json={"meter": meter, name: wrong})
            assert (answer.status_code, list(answer.json())) == (400, [name])
            assert secret not in answer.text
            assert secret[:3] not in answer.json()[name][0]


def test_a_row_without_secrets_and_one_with_empty_ones_are_kept_as_they_are(tenant: Tenant) -> None:
    meter = tenant.meter()["id"]
    bare = tenant.staff.made(KEYS, {"meter": meter})
    nulls = tenant.staff.made(KEYS, {"meter": meter} | dict.fromkeys(SECRETS))
    empty = tenant.staff.made(KEYS, {"meter": meter, "dlms_global_authentication_key": ""})

    for row in (bare, nulls):
        assert [row[name] for name in SECRETS if name != MASTER] == [None] * 4
    assert empty["dlms_global_authentication_key"] == ""


@pytest.mark.parametrize("length", [1, 31, 32, 63, 64])
def test_a_key_of_any_length_up_to_64_digits_keeps_its_case(tenant: Tenant, length: int) -> None:
    key = ("aB3" * 22)[:length]

    assert made_keys(tenant, dlms_global_unicast_encryption_key=key)["dlms_global_unicast_encryption_key"] == key


@pytest.mark.parametrize("field", [name for name in SECRETS if name.startswith("dlms")])
@pytest.mark.parametrize("text", ["xyz", "0x12", "12 34", "12\n", "é", "\uff11\uff12", "-1"])
def test_keys_are_hexadecimal(tenant: Tenant, field: str, text: str) -> None:
    answer = tenant.staff.post(KEYS, json={"meter": tenant.meter()["id"], field: text})

    assert (answer.status_code, list(answer.json())) == (400, [field])


def test_a_password_may_hold_any_characters(tenant: Tenant) -> None:
    for password in ("0", "ÄÖüß€✓漢字", "(a) b;'", " x"):
        assert made_keys(tenant, iec62056_21_password=password)["iec62056_21_password"] == password


FILTERS = [
    ("meter_name", "name"),
    ("meter_external_system_reference", "external_system_reference"),
    ("meter_manufacturer_serial", "manufacturer_serial"),
    ("meter_dlms_system_title", "dlms_system_title"),
    ("meter_dlms_logical_device_name", "dlms_logical_device_name"),
]


@pytest.mark.parametrize(("query", "field"), FILTERS)
def test_keys_are_found_by_what_their_meter_says(fresh: Tenant, stranger: Tenant, query: str, field: str) -> None:
    value = "abcdef0123456789"
    mine = made_keys(fresh, fresh.meter(**{field: value}))
    made_keys(fresh, fresh.meter(**{field: value[:-1]}))
    made_keys(stranger, stranger.meter(**{field: value, **({} if field == "name" else {"name": unique("m")})}))

    found = fresh.staff.found(KEYS, params={query: value})
    none = fresh.staff.found(KEYS, params={query: value[:8]})
    everything = fresh.staff.found(KEYS, params={query: ""})
    refused = fresh.staff.get(f"{KEYS}?{query}=%00")

    assert [row["id"] for row in found["results"]] == [mine["id"]]
    assert (none["count"], none["results"]) == (0, [])
    assert everything["count"] == 2
    assert (refused.status_code, list(refused.json())) == (400, [query])


def test_filters_of_keys_combine(fresh: Tenant) -> None:
    one = fresh.meter(manufacturer_serial="4711")
    first, second = made_keys(fresh, one), made_keys(fresh, one)
    other = fresh.meter(manufacturer_serial="4711")
    made_keys(fresh, other)

    by_id = fresh.staff.found(KEYS, params={"meter": one["id"]})
    both = fresh.staff.found(KEYS, params={"meter_manufacturer_serial": "4711", "meter_name": one["name"]})
    contradicting = fresh.staff.found(KEYS, params={"meter": one["id"], "meter_name": other["name"]})

    assert [row["id"] for row in by_id["results"]] == [first["id"], second["id"]]
    assert both == by_id
    assert contradicting["count"] == 0


def test_keys_are_never_changed_only_added_and_deleted(tenant: Tenant) -> None:
    created = made_keys(tenant)

    for method in ("PUT", "PATCH"):
        for slash in ("", "/"):
            answer = tenant.staff.request(method, f"{KEYS}/{created['id']}{slash}", json=SECRETS)
            assert answer.status_code == 405
            assert {*answer.headers["allow"].replace(" ", "").split(",")} == {"GET", "DELETE", "OPTIONS"}
    assert tenant.staff.found(f"{KEYS}/{created['id']}") == created
    assert tenant.staff.delete(f"{KEYS}/{created['id']}").status_code == 204
    assert tenant.staff.found(f"{METERS}/{created['meter']['id']}") == created["meter"]


def test_keys_go_with_their_meter_and_with_their_organization(tenant: Tenant, engine: sa.Engine) -> None:
    subsidiary = COLLECTIONS["organizations"].made(tenant)["id"]
    of_meter, of_subsidiary = made_keys(tenant), made_keys(tenant, tenant.meter(organization=subsidiary))

    assert tenant.staff.delete(f"{METERS}/{of_meter['meter']['id']}").status_code == 204
    assert tenant.staff.delete(f"/v1/organizations/{subsidiary}").status_code == 204

    for gone in (of_meter, of_subsidiary):
        assert tenant.staff.get(f"{KEYS}/{gone['id']}").status_code == 404
    with engine.connect() as connection:
        left = sa.text("SELECT count(*) FROM wattloom.organization_key WHERE organization_id = :id")
        assert connection.scalar(left, {"id": subsidiary}) == 0


def test_keys_belong_to_the_organization_of_their_meter(
    tenant: Tenant, stranger: Tenant, engine: sa.Engine
) -> None:
    subsidiary = COLLECTIONS["organizations"].made(tenant)["id"]
    created = made_keys(tenant, tenant.meter(organization=subsidiary), organization=stranger.id)
    foreign = tenant.staff.post(KEYS, json={"meter": stranger.meter()["id"], **SECRETS})

    assert str(stored(engine, created["id"])["organization_id"]) == subsidiary
    assert (foreign.status_code, list(foreign.json())) == (400, ["meter"])


def test_a_meter_that_is_deleted_while_its_keys_are_stored_is_400(
    tenant: Tenant, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    meter = tenant.meter()["id"]
    check = crud._check_references

    def check_and_lose(*arguments: Any) -> None:
        check(*arguments)
        with unit_of_work(engine) as connection:
            connection.execute(sa.text("DELETE FROM wattloom.meter_device WHERE id = :id"), {"id": meter})

    with monkeypatch.context() as patch:
        patch.setattr(crud, "_check_references", check_and_lose)
        answer = tenant.staff.post(KEYS, json={"meter": meter, **SECRETS})

    assert (answer.status_code, list(answer.json())) == (400, ["non_field_errors"]), answer.text
