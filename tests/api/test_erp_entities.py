"""Entities of an ERP: meters with all that is said of them, the modes, relations, scopes, and the order of events."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from pipelines import clock
from pipelines.db.engine import unit_of_work
from pipelines.erp import entities
from tests.api.callers import METERING, Home, Tenant, unique
from tests.api.erp_world import Erp, item, reading

ACCOUNT = {"attribute": "account", "field": "account"}
BILL = {
    "entity_schema": "billing_event",
    "unique_ids": ["number"],
    "jsonataExpression": "bills",
    "fields": [
        {"attribute": "number", "field": "number"},
        {"attribute": "account", "field": "$$.account"},
        {"attribute": "amount", "field": "amount"},
    ],
}
OWNER = {"entity_schema": "billing_account", "unique_ids": [{"attribute": "number", "field": "$$.account"}]}
QUERY = {"scope_mode": "query", "query": [ACCOUNT]}
RELATED = {
    "scope_mode": "relations",
    "schema": "billing_account",
    "unique_ids": [ACCOUNT | {"attribute": "number"}],
}
METER = {
    "entity_schema": "meter",
    "unique_ids": ["meter_number"],
    "fields": [{"attribute": name, "field": name} for name in ("meter_number", "serial_number", "location")],
}


def erp_for(tenant: Tenant, entity: dict[str, Any], **changes: Any) -> Erp:
    return Erp(tenant, [], [entity | changes])


def kept(erp: Erp, tenant: Tenant) -> dict[str, Any]:
    """Return the entities that are not binned: number -> amount."""
    query = (
        "SELECT attributes ->> 'number', attributes -> 'amount' FROM wattloom.erp_entity"
        " WHERE organization_id = :o AND entity_schema = 'billing_event' AND deleted_at IS NULL"
    )
    return dict(erp.sql(query, o=tenant.id))


def bills(account: str, *numbers: str, amount: int = 1) -> dict[str, Any]:
    return {"account": account, "bills": [{"number": number, "amount": amount} for number in numbers]}


@pytest.fixture
def engine_of(tenant: Tenant) -> sa.Engine:
    engine: sa.Engine = tenant.staff.transport.app.state.engine
    return engine


@pytest.mark.parametrize("mode", ["upsert-prune-scope-delete", "upsert-prune-scope-purge"])
@pytest.mark.parametrize("scope", [QUERY, RELATED])
def test_what_a_payload_does_not_name_in_scope_is_pruned(fresh: Tenant, mode: str, scope: dict[str, Any]) -> None:
    related = {"attribute": "billing_account", "relations": {"operation": "_set", "items": [OWNER]}}
    bill = BILL | {"fields": [*BILL["fields"], related]}
    erp, prune = erp_for(fresh, bill), erp_for(fresh, bill, mode=mode, scope=scope)
    erp.send(bills("A", "1", "2", "3"))
    erp.send(bills("B", "4"))

    outcomes = prune.send(bills("A", "2", "5", amount=9))

    assert [o["action"] for o in outcomes] == ["updated", "created", "pruned"]
    assert outcomes[-1]["message"].startswith("2 entities")
    assert kept(erp, fresh) == {"2": 9, "5": 9, "4": 1}
    count = erp.sql("SELECT count(*) FROM wattloom.erp_entity WHERE organization_id = :o", o=fresh.id)
    assert count == [(5 if mode.endswith("delete") else 3,)]
    prune.send(bills("A"))
    assert kept(erp, fresh) == {"4": 1}


def test_a_scope_that_the_payload_does_not_give_or_a_wrong_row_prunes_nothing(fresh: Tenant) -> None:
    erp = erp_for(fresh, BILL)
    prune = erp_for(fresh, BILL, mode="upsert-prune-scope-purge", scope=QUERY)
    erp.send(bills("A", "1", "2"))

    (unclear,) = prune.send({"bills": []})
    wrong = prune.send({"account": "A", "bills": [{"number": "1"}, {"number": None}]})

    assert (unclear["status"], unclear["error"]["code"]) == ("error", "MISSING_IDENTIFIER")
    assert [o["status"] for o in wrong] == ["success", "error", "warning"]
    assert sorted(kept(erp, fresh)) == ["1", "2"]


def test_purged_entities_are_gone_for_good(fresh: Tenant) -> None:
    erp, purge = erp_for(fresh, BILL), erp_for(fresh, BILL, mode="purge")
    erp.send(bills("A", "1", "2"))

    assert [o["action"] for o in purge.send(bills("A", "1", "9"))] == ["purged", "none"]
    query = "SELECT attributes ->> 'number' FROM wattloom.erp_entity WHERE organization_id = :o"
    assert erp.sql(query, o=fresh.id) == [("2",)]


@pytest.mark.parametrize(
    ("operation", "accounts"), [("_set", ["B"]), ("_append", ["A", "B"]), ("_append_all", ["A", "B", "B"])]
)
def test_relations_replace_or_join_those_of_before(fresh: Tenant, operation: str, accounts: list[str]) -> None:
    related = {"attribute": "accounts", "relations": {"operation": operation, "items": [OWNER]}}
    erp = erp_for(fresh, BILL, fields=[*BILL["fields"], related])

    for account in ("A", "B", "B"):
        erp.send(bills(account, "1"))

    query = "SELECT attributes -> 'accounts' -> '$relation' FROM wattloom.erp_entity WHERE organization_id = :o"
    ((found,),) = erp.sql(query, o=fresh.id)
    assert found == [{"entity_schema": "billing_account", "unique_ids": {"number": one}} for one in accounts]


def test_a_replay_changes_and_brings_back_no_entity_that_a_later_event_wrote_or_deleted(fresh: Tenant) -> None:
    erp, remove = erp_for(fresh, BILL), erp_for(fresh, BILL, mode="delete")
    (first,) = erp.post(bills("A", "1", "2"))
    erp.send(bills("A", "1", amount=50))
    remove.send(bills("A", "2"))

    assert [o["status"] for o in erp.replayed(first)] == ["superseded", "superseded"]
    assert kept(erp, fresh) == {"1": 50}


def test_a_meter_keeps_what_a_device_has_no_field_for(tenant: Tenant) -> None:
    erp, number = erp_for(tenant, METER), unique("M")

    (made,) = erp.send({"meter_number": number, "location": "Cellar"})
    (first,) = erp.post({"meter_number": number, "serial_number": "S-1", "location": "Attic"})
    erp.send({"meter_number": number, "serial_number": "S-2"})

    assert made["kept"] == {"location": "Cellar"}
    query = "SELECT attributes FROM wattloom.erp_entity WHERE attributes ->> 'meter_number' = :n"
    now = [({"meter_number": number, "serial_number": "S-2", "location": "Attic"},)]
    assert erp.sql(query, n=number) == now
    assert [o["status"] for o in erp.replayed(first)] == ["superseded"]
    (meter,) = tenant.staff.found(f"{METERING}/meter-devices", params={"name": number})["results"]
    assert meter["manufacturer_serial"] == "S-2"


def test_a_binned_meter_takes_no_readings_comes_back_and_goes_after_thirty_days(
    tenant: Tenant, engine_of: sa.Engine
) -> None:
    home = tenant.home()
    named = {"meter_number": home.meter["name"]}
    remove, upsert, erp = erp_for(tenant, METER, mode="delete"), erp_for(tenant, METER), Erp(tenant)
    erp.rows(reading(home, 1))

    assert remove.send(named)[0]["action"] == "deleted"
    assert erp.rows(reading(home, 2, at="2024-03-01"))[0]["error"]["code"] == "METER_NOT_FOUND"
    assert len(tenant.readings(home)) == 1
    assert upsert.send(named)[0]["action"] == "updated"
    assert erp.rows(reading(home, 2, at="2024-03-01"))[0]["action"] == "created"

    remove.send(named)
    for days, there in ((29, True), (31, False)):
        with unit_of_work(engine_of) as connection:
            entities.empty_bin(connection, before=clock.now() + timedelta(days=days) - entities.BIN)
        assert exists(tenant, home) == there


def exists(tenant: Tenant, home: Home) -> bool:
    return bool(tenant.staff.get(f"{METERING}/meter-devices/{home.meter['id']}").status_code == 200)


def test_a_purged_meter_goes_with_its_readings_and_a_replay_does_not_bring_it_back(tenant: Tenant) -> None:
    upsert, purge, number = erp_for(tenant, METER), erp_for(tenant, METER, mode="purge"), unique("M")
    (first,) = upsert.post({"meter_number": number})
    Erp(tenant).send({"readings": [{"meter": number, "id": "R", "at": "2024-01-01", "value": 1}]})

    assert purge.send({"meter_number": number})[0]["action"] == "purged"
    assert purge.send({"meter_number": number})[0]["action"] == "none"

    assert tenant.staff.found(f"{METERING}/meter-devices", params={"name": number})["results"] == []
    assert [o["status"] for o in upsert.replayed(first)] == ["superseded"]
    assert upsert.send({"meter_number": number})[0]["action"] == "created"


def test_a_meter_of_the_erp_is_linked_to_the_registry_at_once(tenant: Tenant) -> None:
    serial, number = unique("S"), unique("M")
    row = {
        "customer_external_id": "1",
        "device_external_id": "D",
        "serial_number": serial,
        "manufacturer": "maker",
    }
    tenant.staff.made("/api/v1/in/meters", row)

    erp_for(tenant, METER).send({"meter_number": number, "serial_number": serial})

    query = (
        "SELECT d.name FROM wattloom.registry_meter AS m JOIN wattloom.meter_device AS d ON d.id = m.meter_device_id"
        " WHERE m.serial_number = :s"
    )
    assert Erp(tenant).sql(query, s=serial) == [(number,)]


def test_a_simulation_shows_relations(fresh: Tenant) -> None:
    related = {"attribute": "billing_account", "relations": {"items": [OWNER]}}
    configuration = {"entities": [BILL | {"fields": [*BILL["fields"], related]}], "meter_readings": [item()]}
    body = {"event_configuration": configuration, "format": "json", "payload": bills("A", "1")}

    said = fresh.bearer().post("/v2/erp/updates/mapping_simulation", json=body).json()

    reference = {"entity_schema": "billing_account", "unique_ids": {"number": "A"}}
    assert said["entity_updates"][0]["attributes"]["billing_account"] == {"$relation": [reference]}
