"""Events: stored, processed once, shown, replayed, limited, simulated; and whatever else somebody may send."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines import clock
from pipelines.accounts import throttling
from pipelines.db.engine import unit_of_work
from pipelines.erp import limits
from tests.api.callers import METERING, Tenant, unique
from tests.api.erp_world import EVENTS, FIELDS, INTEGRATIONS, SIMULATION, Erp, item, reading
from tests.api.test_fuzz import _ANYTHING, FEW


def test_an_event_is_shown_with_its_rows_and_its_trace(tenant: Tenant) -> None:
    erp, home = Erp(tenant), tenant.home()
    (result,) = erp.post(
        {"readings": [reading(home, 1), reading(home, 2, value="x")]}, use_case_slug="meter-readings"
    )

    event = erp.event(result["event_id"])

    assert result["status"] == event["status"] == "partial"
    assert [row["status"] for row in event["results"]] == ["success", "error"]
    assert [row["index"] for row in event["results"]] == [0, 1]
    assert event["correlation_id"] == event["trace"]["correlation_id"] == "c-1"
    assert [step["step"] for step in event["trace"]["steps"]] == ["stored", "processed"]
    assert event["trace"]["attempts"] == 1


def test_an_event_with_a_known_deduplication_id_changes_nothing(tenant: Tenant) -> None:
    erp, home = Erp(tenant), tenant.home()
    (first,) = erp.post({"readings": [reading(home, 1)]}, deduplication_id="d-1")

    (second,) = erp.post({"readings": [reading(home, 1, value=999)]}, deduplication_id="d-1")

    assert second == first
    assert erp.said(home) == {"R-1": ("2024-01-15T08:00:00Z", "100")}
    assert Erp(tenant).post({"readings": [reading(home, 2, at="2024-02-01")]}, deduplication_id="d-1") != [first]


def test_many_senders_of_one_event_apply_it_once(tenant: Tenant) -> None:
    erp, home = Erp(tenant), tenant.home()
    body = erp.body({"readings": [reading(home, 1)]}, deduplication_id="d-1")

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: erp.client.post(EVENTS, json=body).json(), range(8)))

    assert len({json.dumps(answer) for answer in answers}) == 1
    assert erp.event(answers[0]["results"][0]["event_id"])["trace"]["attempts"] == 1


def test_events_of_one_meter_at_once_take_turns(tenant: Tenant) -> None:
    erp, homes = Erp(tenant), [tenant.home() for _ in range(4)]
    payloads = [
        {
            "readings": [
                *(reading(h, 1, value=n) for h in homes[:: (-1) ** n]),
                *(reading(h, n + 2, at="2024-03-01") for h in homes),
            ]
        }
        for n in range(12)
    ]  # fmt: skip

    with ThreadPoolExecutor(6) as pool:
        results = [one for some in pool.map(erp.post, payloads) for one in some]

    assert {one["status"] for one in results} == {"success"}
    for home in homes:
        assert len(erp.said(home)) == 2  # of twelve readings of one instant one was first


def test_a_slug_of_another_use_case_is_refused_for_that_event_alone(tenant: Tenant) -> None:
    erp, home = Erp(tenant), tenant.home()
    payload = json.dumps({"readings": [reading(home, 1)]})
    body = erp.body()
    body["events"] = [
        {"event_type": "x", "payload": payload, "use_case_slug": "billing"},
        {"event_type": "x", "payload": payload, "event_name": "billing"},
        {"event_type": "x", "payload": payload, "event_name": "billing", "use_case_slug": "meter-readings"},
    ]

    results = erp.client.post(EVENTS, json=body).json()["results"]

    assert [one["status"] for one in results] == ["error", "error", "success"]


@pytest.mark.parametrize(
    "event",
    [
        5,
        {},
        {"payload": None},
        {"payload": 5},
        {"payload": "{}", "format": "xml"},
        {"payload": "{}", "use_case_slug": "Not A Slug"},
        {"payload": "{}", "deduplication_id": "x" * 256},
        {"payload": "{}", "timestamp": "yesterday"},
    ],
)
def test_a_malformed_event_has_its_verdict_and_the_others_are_processed(tenant: Tenant, event: Any) -> None:
    erp, home = Erp(tenant), tenant.home()
    body = erp.body({"readings": [reading(home, 1)]})
    body["events"].insert(0, event)

    answer = erp.client.post(EVENTS, json=body)

    wrong, right = answer.json()["results"]
    assert (answer.status_code, wrong["status"], wrong["event_id"]) == (200, "error", None)
    assert wrong["message"].startswith("events[0]")
    assert right["status"] == "success"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not json",
        "{",
        "[" * 100_000,
        '{"a":' * 90 + "1" + "}" * 90,
        "{} {}",
        '"\\ud800',
        "\ufeff{}",
    ],
)
def test_a_payload_that_is_not_json_is_stored_and_refused(tenant: Tenant, text: str) -> None:
    erp = Erp(tenant)

    (result,) = erp.post(text or " ")

    assert result["status"] == "error"
    assert "payload" in result["message"]
    assert erp.event(result["event_id"])["status"] == "error"


@pytest.mark.parametrize(
    "value", ["1e400", "-1e99999", "NaN", "Infinity", "1" * 5000, '"\\ud800"', '"a\\u0000"', "[[[]]]"]
)
@pytest.mark.parametrize("name", ["value", "at", "id", "meter", "unit"])
def test_a_value_beyond_reason_is_a_verdict_on_its_row(tenant: Tenant, name: str, value: str) -> None:
    erp = Erp(
        tenant,
        [
            item(
                fields=[
                    *FIELDS,
                    {"attribute": "unit", "field": "unit"},
                    {"attribute": "n", "jsonataExpression": "value"},
                ]
            )
        ],
    )
    home = tenant.home()
    wrong = reading(home, 1) | {name: "@"}
    text = json.dumps({"readings": [wrong, reading(home, 2, at="2024-06-01")]}).replace('"@"', value)

    first, second = erp.send(text)

    assert first["status"] in {"error", "success"}
    assert first["status"] == "error" or name == "unit"
    assert second["status"] == "success"


@pytest.mark.parametrize("body", [5, [], "x", None, {}, {"events": {}}, {"integration_id": 5, "events": []}])
def test_a_request_that_is_malformed_as_a_whole_is_400(tenant: Tenant, body: Any) -> None:
    answer = tenant.bearer().post(EVENTS, json=body)

    assert answer.status_code == 400
    assert answer.json()["errors"]


def test_a_request_has_at_most_a_hundred_events(tenant: Tenant) -> None:
    erp = Erp(tenant)

    assert len(erp.post(*[{"readings": []}] * 100)) == 100
    answer = erp.client.post(EVENTS, json=erp.body(*[{"readings": []}] * 101))
    assert "100" in answer.json()["errors"]["events"][0]


def test_more_than_a_thousand_requests_a_minute_are_throttled_for_one_organization_alone(
    fresh: Tenant, tenant: Tenant
) -> None:
    erp, other = Erp(fresh), Erp(tenant)
    now = datetime.fromisoformat("2026-05-01T12:00:30+00:00")
    clock.start_at(now)
    caller, others = fresh.bearer(), tenant.bearer()
    with unit_of_work(fresh.staff.transport.app.state.engine) as connection:
        for _ in range(limits.PER_MINUTE - 1):
            throttling.count_request(connection, f"erp {fresh.id}", limits.PER_MINUTE, now - timedelta(seconds=10))

    answers = [caller.post(EVENTS, json=erp.body()) for _ in range(2)]
    assert [one.status_code for one in answers] == [200, 429]
    assert 45 <= int(answers[1].headers["retry-after"]) <= 50
    assert others.post(EVENTS, json=other.body()).status_code == 200
    assert fresh.staff.post(SIMULATION, json={}).status_code == 429

    clock.start_at(now + timedelta(seconds=int(answers[1].headers["retry-after"])))
    assert caller.post(EVENTS, json=erp.body()).status_code == 200


def test_a_replay_uses_the_present_configuration_and_applies_once(tenant: Tenant) -> None:
    erp, home = Erp(tenant, [item(jsonataExpression="$.wrong")]), tenant.home()
    (result,) = erp.post({"readings": [reading(home, 1)]})
    assert erp.said(home) == {}
    changed = {"configuration": {"meter_readings": [item()]}}
    assert erp.client.patch(f"{INTEGRATIONS}/{erp.id}", json=changed).status_code == 200

    unknown = "00000000-0000-4000-8000-000000000000"
    for _ in range(2):
        body = {"event_ids": [result["event_id"], unknown]}
        answer = erp.client.post(f"{INTEGRATIONS}/{erp.id}/events/replay", json=body).json()["results"]
        assert [one["status"] for one in answer] == ["success", "error"]

    assert list(erp.said(home)) == ["R-1"]
    assert erp.event(result["event_id"])["trace"]["attempts"] == 3


def test_entities_are_processed_before_the_readings_of_the_same_event(fresh: Tenant) -> None:
    names = {"meter_number": "number", "external_id": "x", "serial_number": "s"}
    entity = {
        "entity_schema": "meter",
        "unique_ids": ["external_id"],
        "jsonataExpression": "meters",
        "fields": [{"attribute": attribute, "field": name} for attribute, name in names.items()],
    }
    erp = Erp(fresh, entities=[entity])
    payload = {
        "meters": [{"number": "M001", "x": "X-1", "s": 4711}],
        "readings": [{"meter": "M001", "id": "R-1", "at": "2024-01-15", "value": 1}],
    }

    outcomes = erp.send(payload)
    (meter,) = fresh.staff.found(f"{METERING}/meter-devices")["results"]
    payload["meters"][0]["number"] = "M002"
    again = erp.send(payload)

    assert [o["action"] for o in outcomes] == ["created", "created"]
    assert (meter["name"], meter["external_system_reference"], meter["manufacturer_serial"]) == (
        "M001",
        "X-1",
        "4711",
    )
    assert [o.get("action") for o in again] == ["updated", None]
    (meter,) = fresh.staff.found(f"{METERING}/meter-devices")["results"]
    assert meter["name"] == "M002"


def test_an_entity_that_cannot_be_a_meter_says_which_field_and_stops_no_other(tenant: Tenant) -> None:
    entity = {
        "entity_schema": "meter",
        "unique_ids": ["meter_number"],
        "jsonataExpression": "meters",
        "fields": [
            {"attribute": "meter_number", "field": "number"},
            {"attribute": "protocol", "field": "protocol"},
            {"attribute": "type", "field": "type"},
            {"attribute": "color", "field": "color"},
        ],
    }
    kind, number = tenant.type(tenant.config(tenant.series())), unique("M")
    meters = [
        {"number": "x" * 51},
        {"number": unique("M"), "protocol": "carrier-pigeon"},
        {"number": unique("M"), "type": "unknown"},
        {},
        {"number": number, "type": kind["name"], "color": "red"},
    ]

    outcomes = Erp(tenant, [], [entity]).send({"meters": meters})

    assert [o["status"] for o in outcomes] == ["error"] * 4 + ["success"]
    assert [o["error"]["details"].get("field") for o in outcomes[:3]] == ["meter_number", "protocol", "type"]
    assert outcomes[4]["kept"] == {"color": "red"}
    query = "SELECT attributes ->> 'color' FROM wattloom.erp_entity WHERE attributes ->> 'meter_number' = :n"
    assert Erp(tenant).sql(query, n=number) == [("red",)]
    (meter,) = tenant.staff.found(f"{METERING}/meter-devices", params={"name": number})["results"]
    assert meter["type"] == kind["id"]


def test_other_entities_are_kept_changed_and_binned(tenant: Tenant, stranger: Tenant) -> None:
    entity = {
        "entity_schema": "contract",
        "unique_ids": ["number"],
        "fields": [{"attribute": "number", "field": "number"}, {"attribute": "city", "field": "city"}],
    }
    erp, number = Erp(tenant, [], [entity]), unique("C")
    remove = Erp(tenant, [], [entity | {"mode": "delete"}])
    Erp(stranger, [], [entity]).send({"number": number, "city": "Bonn"})

    actions = [
        erp.send({"number": number, "city": "Köln"})[0]["action"],
        erp.send({"number": number, "city": "Ulm"})[0]["action"],
        remove.send({"number": number})[0]["action"],
        remove.send({"number": number})[0]["action"],
        erp.send({"number": number, "city": "Jena"})[0]["action"],
    ]

    assert actions == ["created", "updated", "deleted", "none", "created"]
    query = (
        "SELECT attributes ->> 'city', deleted_at IS NULL FROM wattloom.erp_entity"
        " WHERE organization_id = :o AND attributes ->> 'number' = :n ORDER BY created_at"
    )
    assert erp.sql(query, o=tenant.id, n=number) == [("Ulm", False), ("Jena", True)]


def test_a_simulation_shows_what_would_happen_and_stores_nothing(fresh: Tenant) -> None:
    configuration = {
        "entities": [
            {
                "entity_schema": "meter",
                "unique_ids": ["meter_number"],
                "fields": [{"attribute": "meter_number", "field": "m"}],
            }
        ],
        "meter_readings": [item(meter_counter={"unique_ids": [{"attribute": "external_id", "field": "counter"}]})],
    }  # fmt: skip
    row = {"meter": "M001", "id": "R-1", "at": "2024-01-15", "value": 12500.50, "counter": "1-0:1.8.1"}
    payload = json.dumps({"m": "M001", "readings": [row, row | {"value": "x"}]})
    body = {"event_configuration": configuration, "format": "json", "payload": payload}

    answer = fresh.bearer().post(SIMULATION, json=body)

    assert answer.status_code == 200
    said = answer.json()
    assert said["entity_updates"][0]["$entity_unique_ids"] == {"meter_number": "M001"}
    assert said["meter_readings_updates"] == [
        {
            "meter": {"$entity_unique_ids": {"meter_number": "M001"}},
            "meter_counter": {"$entity_unique_ids": {"external_id": "1-0:1.8.1"}},
            "attributes": {
                "external_id": "R-1",
                "timestamp": "2024-01-15T00:00:00.000Z",
                "source": "ERP",
                "value": 12500.5,
            },
        }
    ]
    assert said["warnings"][0]["error"]["code"] == "INVALID_READING_VALUE"
    assert fresh.staff.found(f"{METERING}/meter-devices")["count"] == 0


def test_a_simulation_of_something_wrong_is_400(tenant: Tenant) -> None:
    right = {"event_configuration": {"meter_readings": [item()]}, "format": "json", "payload": "{}"}
    for change, field in [
        ({"payload": "x"}, "payload"),
        ({"payload": None}, "payload"),
        ({"event_configuration": {}}, "event_configuration"),
        ({"event_configuration": {"meter_readings": [{}]}}, "event_configuration"),
        ({"format": "xml"}, "format"),
    ]:
        answer = tenant.bearer().post(SIMULATION, json=right | change)
        assert (answer.status_code, set(answer.json()["errors"])) == (400, {field})


def test_no_generated_request_or_row_breaks_the_gateway(tenant: Tenant) -> None:
    erp, home = (
        Erp(tenant, [item(mode=mode) for mode in ("upsert", "delete", "upsert-prune-scope")]),
        tenant.home(),
    )
    client, staff = erp.client, tenant.staff
    rows = st.fixed_dictionaries({}, optional=dict.fromkeys(("meter", "id", "at", "value"), _ANYTHING))
    bodies = st.one_of(
        _ANYTHING,
        st.builds(
            lambda p: erp.body(json.dumps({"readings": p})), st.lists(st.one_of(rows, _ANYTHING), max_size=3)
        ),
        st.builds(
            lambda p: erp.body({"readings": [reading(home, 1) | p]}),
            st.dictionaries(st.sampled_from(["meter", "id", "at", "value"]), _ANYTHING, max_size=2),
        ),
        st.builds(lambda e: erp.body() | {"events": e}, _ANYTHING),
    )

    @FEW
    @given(body=bodies)
    def send(body: Any) -> None:
        answer = client.post(EVENTS, content=json.dumps(body))
        assert answer.status_code in {200, 400}, answer.text
        if answer.status_code == 200:
            assert "failed" not in {one["status"] for one in answer.json()["results"]}, body

    @FEW
    @given(
        body=st.one_of(
            _ANYTHING,
            st.fixed_dictionaries({"event_configuration": _ANYTHING, "payload": st.text() | st.just("{}")}),
        )
    )
    def simulate(body: Any) -> None:
        assert staff.post(SIMULATION, content=json.dumps(body)).status_code in {200, 400}

    send()
    simulate()
