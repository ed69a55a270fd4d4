"""Secrets of meters at rest: encrypted, each bound to its place, unreadable with another master key."""

import threading
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from litestar.testing import TestClient

from api.app import create_app
from pipelines.db.engine import unit_of_work
from pipelines.errors import BrokenContract
from pipelines.metering.vault import SECRET_FIELDS, Vault, opened_row
from pipelines.settings import Settings
from tests.api.callers import Client, Json, Tenant
from tests.api.conftest import Kept
from tests.api.keyring import KEYS, MASTER, METERS, SECRETS, alter, made_keys, stored


def test_secrets_are_encrypted_at_rest(tenant: Tenant, engine: sa.Engine) -> None:
    created = made_keys(tenant)
    row = stored(engine, created["id"])

    for name, secret in SECRETS.items():
        sealed = bytes(row[name])
        assert len(sealed) == 12 + len(secret) + 16, name
        for plain in (secret, secret.lower(), secret.upper()):
            assert plain.encode() not in sealed
            assert bytes.fromhex(secret) not in sealed if name != "iec62056_21_password" else True
    tables = sa.text(
        "SELECT table_name FROM information_schema.tables"
        " WHERE table_schema = 'wattloom' AND table_type = 'BASE TABLE'"
    )
    with engine.connect() as connection:
        everything = list(connection.scalars(tables))
        for table in everything:
            text = "\n".join(connection.scalars(sa.text(f"SELECT t::text FROM wattloom.{table} AS t"))).lower()
            for name, secret in SECRETS.items():
                for form in (secret, secret.encode().hex()):
                    assert form.lower() not in text, (table, name)
    assert {"meter_security_key", "organization_key", "amr_job"} <= set(everything)


def test_the_same_secret_twice_is_two_ciphertexts(tenant: Tenant, engine: sa.Engine) -> None:
    meter, same = tenant.meter(), "A0A1A2A3A4A5A6A7A8A9AAABACADAEAF"
    fields = [name for name in SECRET_FIELDS if name.startswith("dlms")]
    rows = [stored(engine, made_keys(tenant, meter, **dict.fromkeys(fields, same))["id"]) for _ in range(2)]

    sealed = [bytes(row[name]) for row in rows for name in fields]

    assert len(set(sealed)) == len({one[:12] for one in sealed}) == len({one[12:] for one in sealed}) == 8


def test_a_ciphertext_cannot_be_read_anywhere_else(
    tenant: Tenant, stranger: Tenant, engine: sa.Engine, settings: Settings
) -> None:
    mine, other, theirs = made_keys(tenant), made_keys(tenant), made_keys(stranger)
    sealed = stored(engine, mine["id"])
    guek, gbek = "dlms_global_unicast_encryption_key", "dlms_global_broadcast_encryption_key"
    organization = {"organization_id": UUID(tenant.id)}
    moves: list[tuple[Tenant, Json, dict[str, Any]]] = [
        (tenant, other, {guek: sealed[guek]}),  # to another meter
        (tenant, mine, {gbek: sealed[guek]}),  # to another field
        (tenant, mine, {guek: sealed[MASTER]}),  # the master key, to be shown
        (stranger, theirs, {guek: sealed[guek]}),  # to another organization
        (tenant, theirs, {guek: sealed[guek], **organization}),  # with the row's organization
        (tenant, mine, {"meter_device_id": UUID(other["meter"]["id"])}),  # the row to another meter
        (tenant, mine, {guek: bytes(sealed[guek])[:-1]}),
        (tenant, mine, {guek: bytes(sealed[guek])[:27]}),
        (tenant, mine, {guek: b"x"}),
        (tenant, mine, {guek: b""}),
        (tenant, mine, {guek: bytes(sealed[guek])[:12] + bytes([sealed[guek][12] ^ 1]) + sealed[guek][13:]}),
    ]

    for owner, keys, columns in moves:
        kept = {name: stored(engine, keys["id"])[name] for name in columns}
        alter(engine, keys["id"], **columns)
        answer = owner.staff.get(f"{KEYS}/{keys['id']}")
        with pytest.raises(BrokenContract, match="WATTLOOM_MASTER_KEY") as caught:
            opened_row(Vault(settings), stored(engine, keys["id"]))
        alter(engine, keys["id"], **kept)

        assert answer.status_code == 500, columns
        for text in (answer.text, str(caught.value), repr(caught.value), repr(caught.value.__context__)):
            assert not any(secret in text for secret in SECRETS.values())
    assert tenant.staff.found(f"{KEYS}/{mine['id']}") == mine
    assert stranger.staff.found(f"{KEYS}/{theirs['id']}") == theirs


def test_another_master_key_gives_a_clear_error_and_no_secret(
    tenant: Tenant, engine: sa.Engine, settings: Settings, debug_log: Kept
) -> None:
    created = made_keys(tenant)
    others = Settings(
        database_url=settings.database_url, home=settings.home, master_key="another master key of 32 characters"
    )
    token = f"Token {tenant.credentials['staff']['token']}"

    with TestClient(create_app(others, engine)) as transport:
        caller = Client(transport, token)
        answers = [
            caller.get(f"{KEYS}/{created['id']}"),
            caller.get(KEYS),
            caller.post(KEYS, json={"meter": created["meter"]["id"], **SECRETS}),
        ]
        meters = caller.get(METERS)
        deleted = caller.delete(f"{KEYS}/{created['id']}")

    assert [answer.status_code for answer in answers] == [500, 500, 500]
    assert "is WATTLOOM_MASTER_KEY the one it was stored with?" in "\n".join(debug_log.texts)
    said = "\n".join([*debug_log.texts, *(answer.text for answer in answers), repr(Vault(others))])
    assert not any(secret in said for secret in [*SECRETS.values(), "another master key"])
    assert meters.status_code == 200  # nothing else depends on it
    assert deleted.status_code == 204  # and what nobody can read any more can be thrown away


def test_two_that_store_the_first_secret_of_an_organization_at_once_share_its_data_key(
    fresh: Tenant, engine: sa.Engine, settings: Settings
) -> None:
    organization, meter = UUID(fresh.id), uuid4()
    sealed: list[tuple[int, dict[str, bytes]]] = []

    def second() -> None:
        with unit_of_work(engine) as connection:
            sealed.append(Vault(settings).seal(connection, organization, meter, SECRETS))

    thread = threading.Thread(target=second)
    with unit_of_work(engine) as connection:
        sealed.append(Vault(settings).seal(connection, organization, meter, SECRETS))
        thread.start()
        thread.join(timeout=0.5)
        assert len(sealed) == 1  # it waits for this transaction
    thread.join(timeout=20)

    with engine.connect() as connection:
        keys = sa.text("SELECT version, wrapped_key FROM wattloom.organization_key WHERE organization_id = :id")
        ((version, wrapped),) = connection.execute(keys, {"id": organization}).all()
    assert [one for one, _ in sealed] == [version, version]
    for _, ciphertexts in sealed:
        assert Vault(settings).open(wrapped, organization, meter, version, ciphertexts) == SECRETS
