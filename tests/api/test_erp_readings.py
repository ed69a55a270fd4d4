"""Readings of an ERP through the API: found, matched, stored and refused by the rules."""

from typing import Any

import pytest

from tests.api.callers import METERING, Tenant
from tests.api.erp_world import BY_COUNTER, FIELDS, OPTIONAL, Erp, item, reading

ALL = [*FIELDS[:2], FIELDS[3], *OPTIONAL]


def full(**changes: Any) -> dict[str, Any]:
    """Return an item whose source comes with the row, as do reason, direction and type."""
    return item(fields=ALL, **changes)


def row(home: Any, number: object, *args: Any, **more: Any) -> dict[str, Any]:
    return reading(home, number, *args, **{"source": "ERP", **more})


def test_readings_of_an_event_are_readings_of_the_meter(tenant: Tenant) -> None:
    erp, home = Erp(tenant), tenant.home(series={"name": "1-0:1.8.0"})

    outcomes = erp.rows(reading(home, 1, value=12500.5), reading(home, 2, at="2024-02-15", value="12600.250"))

    assert [(o["status"], o["action"]) for o in outcomes] == [("success", "created")] * 2
    assert tenant.readings(home) == [
        {"timestamp": "2024-01-15T08:00:00Z", "value": "12500.5"},
        {"timestamp": "2024-02-15T00:00:00Z", "value": "12600.250"},
    ]


def test_an_unknown_meter_has_the_verdict_of_the_contract_and_the_others_are_stored(tenant: Tenant) -> None:
    erp, home = Erp(tenant), tenant.home()

    lost, kept = erp.rows(reading(home, 1) | {"meter": "M999"}, reading(home, 1))

    assert {name: lost[name] for name in ("status", "message", "error")} == {
        "status": "error",
        "message": "Meter not found",
        "error": {"code": "METER_NOT_FOUND", "details": {"meter_number": "M999"}},
    }
    assert kept["status"] == "success"


@pytest.mark.parametrize(
    ("change", "code", "details"),
    [
        ({"value": "not-a-number"}, "INVALID_READING_VALUE", {"field": "value", "received": "not-a-number"}),
        ({"value": True}, "INVALID_READING_VALUE", {"field": "value", "received": True}),
        ({"value": None}, "INVALID_READING_VALUE", {"field": "value", "received": None}),
        ({"value": "12,5"}, "INVALID_READING_VALUE", {"field": "value", "received": "12,5"}),
        ({"value": "1_000"}, "INVALID_READING_VALUE", {"field": "value", "received": "1_000"}),
        ({"value": [1]}, "INVALID_READING_VALUE", {"field": "value", "received": "(list)"}),
        ({"at": 1705305600}, "INVALID_TIMESTAMP", {"field": "timestamp", "received": 1705305600}),
        ({"at": "15.01.2024"}, "INVALID_TIMESTAMP", {"field": "timestamp", "received": "15.01.2024"}),
        ({"at": "2025-02-30"}, "INVALID_TIMESTAMP", {"field": "timestamp", "received": "2025-02-30"}),
        ({"at": ""}, "INVALID_TIMESTAMP", {"field": "timestamp", "received": ""}),
        ({"at": "2024-01-15T24:00:00Z"}, "INVALID_TIMESTAMP", None),
        ({"source": "ERP_BATCH_IMPORT"}, "INVALID_SOURCE", {"field": "source", "received": "ERP_BATCH_IMPORT"}),
        ({"reason": "monthly_billing"}, "INVALID_REASON", {"field": "reason", "received": "monthly_billing"}),
        ({"direction": "out"}, "INVALID_DIRECTION", {"field": "direction", "received": "out"}),
        ({"id": None}, "MISSING_IDENTIFIER", {"attribute": "external_id"}),
        ({"meter": ""}, "MISSING_IDENTIFIER", {"attribute": "meter_number"}),
        ({"meter": {"a": 1}}, "INVALID_ATTRIBUTE", None),
        ({"id": "a\0b"}, "INVALID_ATTRIBUTE", None),
    ],
)
def test_a_wrong_row_says_what_is_wrong_and_takes_no_other_with_it(
    tenant: Tenant, change: dict[str, Any], code: str, details: dict[str, Any] | None
) -> None:
    erp, home = Erp(tenant, [full()]), tenant.home()

    wrong, right = erp.rows(row(home, 1) | change, row(home, 2, at="2024-05-01"))

    assert (wrong["status"], wrong["error"]["code"]) == ("error", code)
    assert details is None or wrong["error"]["details"] == details
    assert right["status"] == "success"
    assert list(erp.said(home)) == ["R-2"]


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("2024-01-15", "2024-01-15T00:00:00Z"),
        ("2024-01-15T08:00:00", "2024-01-15T08:00:00Z"),
        ("2024-01-15T08:00:00.25Z", "2024-01-15T08:00:00.250000Z"),
        ("2024-01-15T08:00:00+02:00", "2024-01-15T06:00:00Z"),
    ],
)
def test_a_timestamp_is_a_date_or_an_instant(tenant: Tenant, text: str, stored: str) -> None:
    erp, home = Erp(tenant), tenant.home()

    erp.rows(reading(home, 1, at=text))

    assert erp.said(home) == {"R-1": (stored, "100")}


@pytest.mark.parametrize(("reason", "kept"), [("", None), (None, None), ("meter_change", "meter_change")])
def test_a_reason_may_be_empty(tenant: Tenant, reason: str | None, kept: str | None) -> None:
    erp, home = Erp(tenant, [full()]), tenant.home()

    erp.rows(row(home, 1, reason=reason))

    assert erp.sql("SELECT reason FROM wattloom.erp_reading WHERE device_id = :d", d=home.meter["sensor_id"]) == [
        (kept,)
    ]


def test_a_known_external_id_is_changed_wherever_it_moves_and_the_old_value_is_audited(tenant: Tenant) -> None:
    erp, home = Erp(tenant), tenant.home()
    erp.rows(reading(home, 1, value=100))

    (same,) = erp.rows(reading(home, 1, value=100))
    (moved,) = erp.rows(reading(home, 1, at="2024-01-20", value=110))

    assert same["action"] == moved["action"] == "updated"
    assert erp.said(home) == {"R-1": ("2024-01-20T00:00:00Z", "110")}
    assert len(tenant.readings(home)) == 1
    audit = erp.sql(
        "SELECT value, reason LIKE 'ERP event %' FROM wattloom.meter_reading_version WHERE device_id = :d",
        d=home.meter["sensor_id"],
    )
    assert [(str(value), said) for value, said in audit] == [("100", True)]
    changes = "SELECT count(*) FROM wattloom.reading_change WHERE device_id = :d AND from_at = '2024-01-15T08:00Z'"
    assert erp.sql(changes, d=home.meter["sensor_id"])[0][0] >= 2  # written, and then deleted


def test_readings_may_move_into_each_others_places(tenant: Tenant) -> None:
    erp, home = Erp(tenant), tenant.home()
    days = [f"2024-01-{day:02}" for day in range(1, 12)]
    erp.rows(*(reading(home, n, at=day, value=n) for n, day in enumerate(days[:10])))

    outcomes = erp.rows(*(reading(home, n, at=day, value=n) for n, day in enumerate(days[1:])))

    assert {o["status"] for o in outcomes} == {"success"}
    assert erp.said(home) == {f"R-{n}": (f"{day}T00:00:00Z", str(n)) for n, day in enumerate(days[1:])}
    assert len(tenant.readings(home)) == 10


@pytest.mark.parametrize(
    ("at", "status"),
    [
        ("2024-01-16T07:59:59.999999Z", "duplicate"),
        ("2024-01-16T08:00:00Z", "success"),
        ("2024-01-14T08:00:00Z", "success"),
        ("2024-01-14T08:00:00.000001Z", "duplicate"),
        ("2024-01-15T08:00:00Z", "duplicate"),
    ],
)
def test_a_new_reading_less_than_a_day_from_another_is_a_duplicate(tenant: Tenant, at: str, status: str) -> None:
    erp, home = Erp(tenant), tenant.home()
    erp.rows(reading(home, 1, value=100))

    (outcome,) = erp.rows(reading(home, 2, at=at, value=101))

    assert outcome["status"] == status
    assert len(erp.said(home)) == (1 if status == "duplicate" else 2)


def test_rows_of_one_event_are_compared_with_each_other(tenant: Tenant) -> None:
    erp, home = Erp(tenant), tenant.home()

    outcomes = erp.rows(reading(home, 1), reading(home, 2), reading(home, 1, value=105))

    assert [o["status"] for o in outcomes] == ["success", "duplicate", "success"]
    assert erp.said(home) == {"R-1": ("2024-01-15T08:00:00Z", "105")}


@pytest.mark.parametrize(
    "change", [{"type": "estimate"}, {"direction": "feed-out"}], ids=["another type", "another direction"]
)
def test_a_reading_of_another_kind_is_no_duplicate(tenant: Tenant, change: dict[str, str]) -> None:
    erp, home = Erp(tenant, [full()]), tenant.home()

    first, second = erp.rows(row(home, 1), row(home, 2, at="2024-01-15T09:00:00Z", **change))

    assert first["status"] == second["status"] == "success"


def test_daily_readings_at_local_midnight_are_no_duplicates_when_summer_time_begins(tenant: Tenant) -> None:
    erp, home = Erp(tenant), tenant.home()

    outcomes = erp.rows(
        reading(home, 1, at="2024-03-31T00:00:00+01:00"), reading(home, 2, at="2024-04-01T00:00:00+02:00")
    )

    assert [o["status"] for o in outcomes] == ["success", "success"]


def test_without_a_window_only_a_taken_place_stops_a_reading(tenant: Tenant) -> None:
    erp, home = Erp(tenant, [item(deduplication_window_hours=0)]), tenant.home()

    outcomes = erp.rows(reading(home, 1), reading(home, 2, at="2024-01-15T08:00:01Z"), reading(home, 3))

    assert [o["status"] for o in outcomes] == ["success", "success", "error"]
    assert outcomes[2]["error"]["code"] == "TIMESTAMP_TAKEN"


def test_readings_of_the_meter_itself_are_no_duplicates_and_outlive_the_erps_own(tenant: Tenant) -> None:
    delete = item(mode="delete", fields=FIELDS[:1])
    erp, home = Erp(tenant), tenant.home()
    tenant.deliver([home.named("2024-01-15T07:45:00Z", "99"), home.named("2024-01-15T08:00:00Z", "100")])

    (outcome,) = erp.rows(reading(home, 1))
    (gone,) = Erp(tenant, [delete]).rows(reading(home, 1))

    assert (outcome["status"], gone["action"]) == ("success", "deleted")
    assert [one["value"] for one in tenant.readings(home)] == ["99", "100"]


def test_a_counter_is_a_series_of_the_meter_and_keeps_its_readings_apart(tenant: Tenant) -> None:
    high, low = tenant.series(name="1-0:1.8.1"), tenant.series(name="1-0:1.8.2")
    meter = tenant.meter(tenant.type(tenant.config(high, low)))
    erp = Erp(tenant, [item(meter_counter=BY_COUNTER)])
    rows = [
        {"meter": meter["name"], "id": n, "at": "2024-01-15", "value": n, "counter": counter}
        for n, counter in enumerate(["1-0:1.8.1", "1-0:1.8.2", "1-0:9.9.9"])
    ]

    outcomes = erp.rows(*rows)

    assert [o["status"] for o in outcomes] == ["success", "success", "error"]
    assert outcomes[2]["error"] == {"code": "METER_COUNTER_NOT_FOUND", "details": {"external_id": "1-0:9.9.9"}}
    for series, value in ((high, "0"), (low, "1")):
        page = tenant.staff.found(
            f"{METERING}/meter-readings", params={"meter_device": meter["id"], "series": series["id"]}
        )
        assert [one["value"] for one in page["results"]] == [value]


def test_identifiers_are_anded_and_two_meters_are_ambiguous(tenant: Tenant) -> None:
    homes = [tenant.home(external_system_reference="X-1", manufacturer_serial=s) for s in ("S1", "S2")]
    ids = [{"attribute": "external_id", "field": "x"}, {"attribute": "serial_number", "field": "s"}]
    both, one = (Erp(tenant, [item(meter={"unique_ids": chosen})]) for chosen in (ids, ids[:1]))

    (found,) = both.rows(reading(homes[1], 1) | {"x": "X-1", "s": "S2"})
    (ambiguous,) = one.rows(reading(homes[1], 1) | {"x": "X-1"})
    (missing,) = both.rows(reading(homes[1], 1) | {"x": "X-1"})

    assert found["status"] == "success"
    assert list(both.said(homes[1])) == ["R-1"]
    assert ambiguous["error"]["code"] == "AMBIGUOUS_IDENTIFIER"
    assert missing["error"] == {"code": "MISSING_IDENTIFIER", "details": {"attribute": "serial_number"}}


def test_a_number_may_be_an_identifier_and_every_digit_of_a_value_is_kept(tenant: Tenant) -> None:
    erp, home = Erp(tenant), tenant.home(name="4711")

    (outcome,) = erp.send(
        '{"readings": [{"meter": 4711, "id": 12345678901234567890, "at": "2024-01-15", "value": 123456789012.345678}]}'
    )

    assert outcome["status"] == "success"
    assert erp.said(home) == {"12345678901234567890": ("2024-01-15T00:00:00Z", "123456789012.345678")}


def test_an_expression_computes_and_its_error_is_the_rows_own(tenant: Tenant) -> None:
    value = {"attribute": "value", "jsonataExpression": "value >= 0 ? value : $error('Negative reading value')"}
    used = {"attribute": "consumption", "jsonataExpression": "value - before"}
    erp = Erp(tenant, [item(jsonataExpression="readings[value != null]", fields=[*FIELDS[:3], value, used])])
    home = tenant.home()

    outcomes = erp.rows(
        reading(home, 1, value=None),
        reading(home, 2, value=-1),
        reading(home, 3, value=420.25, before=400.0),
    )

    assert [o["status"] for o in outcomes] == ["error", "success"]
    assert outcomes[0]["message"] == "Negative reading value"
    query = "SELECT attributes FROM wattloom.erp_reading WHERE device_id = :d"
    ((attributes,),) = erp.sql(query, d=home.meter["sensor_id"])
    assert attributes == {"consumption": 20.25}


def test_a_unit_that_is_not_the_series_own_is_pointed_out(tenant: Tenant) -> None:
    erp = Erp(tenant, [item(fields=[*FIELDS, {"attribute": "unit", "field": "unit"}])])
    home = tenant.home()

    (outcome,) = erp.rows(reading(home, 1, unit="m3"))

    assert outcome["status"] == "success"
    assert outcome["warnings"][0].startswith("unit: m3 is not the unit of series")


def test_without_a_counter_the_default_series_is_meant_else_the_meters_only_one(tenant: Tenant) -> None:
    default, other, gas = (tenant.series(name=name) for name in ("1-0:1.8.0", "1-0:2.8.0", "7-0:3.0.0"))
    two, one, neither = (
        tenant.meter(tenant.type(tenant.config(*series))) for series in ([default, other], [gas], [other, gas])
    )
    erp = Erp(tenant)
    named = Erp(tenant, [item(default_series="1-0:2.8.0")])
    rows = [{"meter": m["name"], "id": "1", "at": "2024-01-15", "value": 1} for m in (two, one, neither)]

    outcomes = erp.rows(*rows)
    (chosen,) = named.rows(rows[2])

    assert [o["status"] for o in outcomes] == ["success", "success", "error"]
    assert outcomes[2]["error"] == {"code": "METER_COUNTER_NOT_FOUND", "details": {"default_series": "1-0:1.8.0"}}
    assert chosen["status"] == "success"
    for meter, series in ((two, default), (one, gas), (neither, other)):
        query = {"meter_device": meter["id"], "series": series["id"]}
        assert tenant.staff.found(f"{METERING}/meter-readings", params=query)["count"] == 1


def test_a_deleted_meter_or_series_takes_along_what_the_erp_said(tenant: Tenant) -> None:
    erp, homes = Erp(tenant), [tenant.home() for _ in range(2)]
    erp.rows(*(reading(home, 1) for home in homes))

    assert tenant.staff.delete(f"{METERING}/meter-devices/{homes[0].meter['id']}").status_code == 204
    assert tenant.staff.delete(f"{METERING}/meter-reading-series/{homes[1].series['id']}").status_code == 204

    for home in homes:
        query = "SELECT count(*) FROM wattloom.erp_reading WHERE device_id = :d"
        assert erp.sql(query, d=home.meter["sensor_id"]) == [(0,)]


def test_rows_are_also_the_items_of_a_list_or_the_payload_itself(tenant: Tenant) -> None:
    erp, home = Erp(tenant, [item(jsonataExpression=None)]), tenant.home()

    assert len(erp.send([reading(home, 1), reading(home, 2, at="2024-02-01")])) == 2
    assert len(erp.send(reading(home, 3, at="2024-03-01"))) == 1
    assert set(erp.said(home)) == {"R-1", "R-2", "R-3"}


def test_an_item_that_is_switched_off_for_a_payload_does_nothing(tenant: Tenant) -> None:
    erp, home = Erp(tenant, [item(enabled=False), item(enabled="$.final = true")]), tenant.home()

    assert erp.rows(reading(home, 1)) == []
    assert len(erp.rows(reading(home, 1), final=True)) == 1


def test_the_originals_two_tariffs_go_to_their_registers_or_say_that_there_is_only_one(tenant: Tenant) -> None:
    fields = [
        {"attribute": "external_id", "jsonataExpression": "m & '/' & date & '/' & tariff"},
        {"attribute": "timestamp", "field": "date"},
        {"attribute": "value", "field": "value"},
        {"attribute": "tariff", "field": "tariff"},
        {"attribute": "source", "constant": "ERP"},
    ]
    row = "$.readings.{'m': meterId, 'date': date, 'value': %sValue, 'tariff': '%s'}"
    meter = {"unique_ids": [{"attribute": "meter_number", "field": "m"}]}
    items = [item(jsonataExpression=row % (t.lower(), t), meter=meter, fields=fields) for t in ("HT", "NT")]
    registers = [tenant.series(name=name) for name in ("1-0:1.8.0", "1-0:1.8.1", "1-0:1.8.2")]
    both, total = (tenant.meter(tenant.type(tenant.config(*some))) for some in (registers, registers[:1]))
    rows = [{"meterId": m["name"], "date": "2024-01-15", "htValue": 10, "ntValue": 20} for m in (both, total)]

    outcomes = Erp(tenant, items).rows(*rows)

    assert [o["status"] for o in outcomes] == ["success", "success", "success", "error"]
    assert outcomes[3]["error"]["code"] == "TIMESTAMP_TAKEN"
    stored = [
        tenant.staff.found(f"{METERING}/meter-readings", params={"meter_device": both["id"], "series": one["id"]})
        for one in registers
    ]
    assert [[one["value"] for one in page["results"]] for page in stored] == [[], ["10"], ["20"]]
