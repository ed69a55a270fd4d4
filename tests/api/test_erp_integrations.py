"""Integrations: who may make them, and a configuration that is refused before any event comes."""

from typing import Any

import pytest

from tests.api.callers import Tenant, unique
from tests.api.erp_world import BY_COUNTER, BY_NUMBER, FIELDS, INTEGRATIONS, Erp, item, reading

ITEM = "Meter readings configuration (item 0)"


def refused(tenant: Tenant, configuration: Any) -> list[str]:
    body = {"name": "x", "use_case_slug": "x", "configuration": configuration}
    answer = tenant.staff.post(INTEGRATIONS, json=body)
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return list(answer.json()["errors"]["configuration"])


def accepted(tenant: Tenant, *items: Any, entities: Any = ()) -> None:
    configuration = {"entities": list(entities), "meter_readings": list(items)}
    tenant.staff.made(INTEGRATIONS, {"name": "x", "use_case_slug": "x", "configuration": configuration})


def test_an_integration_is_made_shown_changed_and_deleted_by_the_api_client(tenant: Tenant) -> None:
    erp = Erp(tenant)

    shown = erp.client.found(f"{INTEGRATIONS}/{erp.id}")
    assert (shown["configuration"], shown["default_series"]) == (erp.configuration, "1-0:1.8.0")
    changed = erp.client.patch(f"{INTEGRATIONS}/{erp.id}", json={"name": "new"})
    assert (changed.status_code, changed.json()["name"]) == (200, "new")
    assert erp.client.delete(f"{INTEGRATIONS}/{erp.id}").status_code == 204
    assert erp.client.get(f"{INTEGRATIONS}/{erp.id}").status_code == 404


def test_a_reader_reads_and_a_stranger_sees_nothing(tenant: Tenant, stranger: Tenant) -> None:
    erp, home = Erp(tenant), tenant.home()
    (result,) = erp.post({"readings": [reading(home, 1)]})
    event = f"{INTEGRATIONS}/{erp.id}/events/{result['event_id']}"

    assert tenant.reader().get(event).status_code == 200
    assert tenant.reader().post(INTEGRATIONS, json={}).status_code == 403
    for caller in (stranger.staff, stranger.bearer(), stranger.reader()):
        assert caller.get(event).status_code == 404
        assert caller.get(f"{INTEGRATIONS}/{erp.id}").status_code == 404
    for caller in (stranger.staff, stranger.bearer()):
        body = {"event_ids": [result["event_id"]]}
        assert caller.post(f"{INTEGRATIONS}/{erp.id}/events/replay", json=body).status_code == 404
        answer = caller.post("/v3/erp/updates/events", json=erp.body({"readings": []}))
        assert answer.status_code == 400
        assert "does not exist" in answer.json()["errors"]["integration_id"][0]


def test_a_strangers_meter_of_the_same_name_is_never_found(tenant: Tenant, stranger: Tenant) -> None:
    home = stranger.home()

    (outcome,) = Erp(tenant).rows(reading(home, 1))

    assert outcome["error"]["code"] == "METER_NOT_FOUND"
    assert stranger.readings(home) == []


@pytest.mark.parametrize("slug", ["", "A", "-a", "a b", "_a", "ä", "a" * 256, None, 5])
def test_a_slug_is_lower_case(tenant: Tenant, slug: Any) -> None:
    body = {"name": "x", "use_case_slug": slug, "configuration": {"meter_readings": [item()]}}

    assert "use_case_slug" in tenant.staff.post(INTEGRATIONS, json=body).json()["errors"]


def test_missing_attributes_are_named_as_the_contract_names_them(tenant: Tenant) -> None:
    wrong = item(fields=[FIELDS[0], FIELDS[3]])

    assert refused(tenant, {"meter_readings": [wrong]}) == [
        f"{ITEM} is missing required field attributes: timestamp, source"
    ]
    assert refused(tenant, {"meter_readings": [item(), item(fields=[])]}) == [
        f"{ITEM.replace('0', '1')} is missing required field attributes: external_id, timestamp, source, value"
    ]
    assert refused(tenant, {"meter_readings": [item(fields=[*FIELDS[:3], FIELDS[3] | {"enabled": False}])]}) == [
        f"{ITEM} is missing required field attributes: value"
    ]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"mode": "purge"}, "purge is not supported for meter readings"),
        ({"mode": "replace"}, 'invalid mode: "replace"'),
        ({"mode": None}, "invalid mode"),
        ({"reading_matching": "fuzzy"}, 'invalid reading_matching: "fuzzy"'),
        ({"scope": {"source": "ERP"}}, "only mode upsert-prune-scope"),
        ({"mode": "upsert-prune-scope", "scope": {"source": "SAP"}}, 'invalid scope.source: "SAP"'),
        ({"mode": "upsert-prune-scope", "scope": {"scope_mode": "query"}}, "scope.scope_mode"),
        ({"fields": [*FIELDS[:2], FIELDS[3], {"attribute": "source", "constant": "ERP_BATCH"}]}, "invalid source"),
        ({"fields": [*FIELDS, {"attribute": "reason", "constant": "monthly_billing"}]}, "invalid reason"),
        ({"fields": [*FIELDS, {"attribute": "x", "jsonataExpression": "a +"}]}, "fields[4]"),
        ({"fields": [*FIELDS, {"attribute": "x"}]}, "one of field, jsonataExpression and constant"),
        ({"fields": [*FIELDS, {"attribute": "x", "field": "y", "_set": []}]}, "_set is not supported"),
        ({"fields": [*FIELDS, 5]}, "expected an object"),
        ({"fields": {}}, "no list"),
        ({"jsonataExpression": "readings["}, "jsonataExpression"),
        ({"jsonataExpression": 5}, "jsonataExpression"),
        ({"meter": None}, "missing a meter"),
        ({"meter": {"unique_ids": []}}, "missing a meter"),
        ({"meter": {"unique_ids": ["color"]}}, '"color" is none of'),
        ({"meter_counter": {"unique_ids": []}}, "meter_counter without"),
        ({"reading_maching": "strict-date"}, "unknown key"),
        ({"deduplication_window_hours": -1}, "deduplication_window_hours"),
        ({"deduplication_window_hours": True}, "deduplication_window_hours"),
        ({"default_series": ""}, "default_series"),
        ({"enabled": 5}, "enabled"),
    ],
)  # fmt: skip
def test_a_wrong_configuration_is_refused_and_says_where(
    tenant: Tenant, change: dict[str, Any], said: str
) -> None:
    messages = refused(tenant, {"meter_readings": [item(**change)]})

    assert all(message.startswith(ITEM) for message in messages)
    assert said in messages[0]


@pytest.mark.parametrize(
    "wrong", [None, [], "x", {}, {"meter_readings": {}}, {"meter_readings": [5]}, {"readings": []}]
)
def test_what_is_no_configuration_is_refused(tenant: Tenant, wrong: Any) -> None:
    assert refused(tenant, wrong)


def test_the_originals_samples_of_deletion_counters_and_names_are_accepted(tenant: Tenant) -> None:
    delete = {"mode": "delete", "meter": BY_NUMBER, "fields": FIELDS[:1]}
    by_name = item(meter={"unique_ids": ["meter_number"]})

    accepted(tenant, delete, delete | {"reading_matching": "strict-date", "fields": FIELDS[:2]})
    accepted(tenant, item(meter_counter=BY_COUNTER), by_name)
    accepted(tenant, item(mode="upsert-prune-scope", scope={"source": "ERP"}), item(scope=None))
    accepted(tenant, entities=[{"entity_schema": "contract", "unique_ids": ["number"], "fields": []}])


QUERY = {"scope_mode": "query", "query": [{"attribute": "account", "field": "account"}]}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"entity_schema": ""}, "entity_schema"),
        ({"unique_ids": []}, "unique_ids"),
        ({"unique_ids": ["color"]}, "color"),
        ({"mode": "prune"}, "invalid mode"),
        ({"mode": "upsert-prune-scope-purge", "scope": QUERY}, "not supported for meters"),
        ({"scope": QUERY}, "has a scope, which only"),
        ({"entity_schema": "bill", "mode": "upsert-prune-scope-delete"}, "wrong scope: scope_mode must be one of"),
        (
            {"entity_schema": "bill", "mode": "upsert-prune-scope-delete", "scope": {"scope_mode": "query"}},
            "query",
        ),
        ({"relations": []}, "unknown key"),
        ({"fields": [{"attribute": "a", "relations": {"operation": "_add", "items": []}}]}, "operation must be"),
        ({"fields": [{"attribute": "a", "relations": {"items": [{"entity_schema": "b"}]}}]}, "unique_ids"),
    ],
)
def test_a_wrong_entity_is_refused(tenant: Tenant, change: dict[str, Any], said: str) -> None:
    entity = {"entity_schema": "meter", "unique_ids": ["meter_number"], "fields": []} | change

    messages = refused(tenant, {"entities": [entity]})

    assert messages[0].startswith("Entity configuration (item 0)")
    assert any(said in message for message in messages)


def test_a_bare_name_is_the_mapped_attribute_else_the_rows_field(tenant: Tenant) -> None:
    home, by_name = tenant.home(), {"unique_ids": ["meter_number"]}
    mapped = Erp(tenant, [item(meter=by_name, fields=[*FIELDS, {"attribute": "meter_number", "field": "meter"}])])
    field = Erp(tenant, [item(meter=by_name)])

    (first,) = mapped.rows(reading(home, 1))
    (second,) = field.rows(reading(home, 2, at="2024-02-01") | {"meter_number": home.meter["name"]})

    assert first["status"] == second["status"] == "success"


def test_the_constant_wins_over_the_expression_and_that_over_the_field(tenant: Tenant) -> None:
    home, value = tenant.home(), {"attribute": "value", "field": "value", "jsonataExpression": "value + 1"}
    flags = [
        {"attribute": "a", "constant": 0.1, "field": "value", "jsonataExpression": "2"},
        {"attribute": "b", "constant": 1, "enabled": "value > 100"},
        {"attribute": "c", "constant": 1, "enabled": "value > 99"},
        {"attribute": "d", "field": "$$.batch"},
        {"attribute": "e", "field": "$.deep.value"},
    ]
    erp = Erp(tenant, [item(fields=[*FIELDS[:3], value, *flags])])

    erp.rows(reading(home, unique(), deep={"value": [1, 2]}), batch="B-1")

    query = "SELECT attributes FROM wattloom.erp_reading WHERE device_id = :d"
    assert erp.sql(query, d=home.meter["sensor_id"]) == [({"a": 0.1, "c": 1, "d": "B-1", "e": [1, 2]},)]
    assert [value for _, value in erp.said(home).values()] == ["101"]
