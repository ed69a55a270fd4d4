"""Matching by day, deletion and pruning: what an ERP may change and delete, and what it never does."""

from typing import Any

import pytest

from tests.api.callers import Home, Tenant
from tests.api.erp_world import BY_COUNTER, BY_NUMBER, FIELDS, OPTIONAL, Erp, item, reading

ALL = [*FIELDS[:2], FIELDS[3], *OPTIONAL]


def erp_for(tenant: Tenant, **changes: Any) -> Erp:
    return Erp(tenant, [item(fields=ALL, **changes)])


def row(home: Home, number: object, *args: Any, **more: Any) -> dict[str, Any]:
    return reading(home, number, *args, **{"source": "ERP", **more})


@pytest.fixture
def portal(tenant: Tenant) -> Erp:
    """An integration that takes everything: what customers enter, without a window."""
    return erp_for(tenant, deduplication_window_hours=0)


def test_the_erps_echo_of_a_customers_reading_changes_it(tenant: Tenant, portal: Erp) -> None:
    home, erp = tenant.home(), erp_for(tenant, reading_matching="strict-date")
    portal.rows(row(home, "ecp", at="2024-01-15T22:30:00Z", source="ECP"))  # 23:30 in Germany

    (outcome,) = erp.rows(row(home, "erp", at="2024-01-15", value=101))

    assert outcome["action"] == "updated"
    assert erp.said(home) == {"R-erp": ("2024-01-15T00:00:00Z", "101")}


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("2024-01-15T22:30:00Z", "2024-01-15T00:00:00Z", True),  # 23:30 CET
        ("2024-01-15T23:00:00Z", "2024-01-15T00:00:00Z", False),  # midnight CET belongs to the next day
        ("2024-07-15T22:00:00Z", "2024-07-15T00:00:00Z", False),  # midnight CEST
        ("2024-07-15T21:59:59Z", "2024-07-14T22:00:00Z", True),
        ("2024-03-31T21:59:59Z", "2024-03-30T23:00:00Z", True),  # 23 hours
        ("2024-03-31T22:00:00Z", "2024-03-30T23:00:00Z", False),
        ("2024-10-27T22:59:59Z", "2024-10-26T22:00:00Z", True),  # 25 hours
        ("2024-10-27T23:00:00Z", "2024-10-26T22:00:00Z", False),
    ],
)
def test_a_day_is_a_german_calendar_day(tenant: Tenant, portal: Erp, first: str, second: str, same: bool) -> None:
    home = tenant.home()
    erp = erp_for(tenant, reading_matching="strict-date", deduplication_window_hours=0)
    portal.rows(row(home, 1, at=first))

    (outcome,) = erp.rows(row(home, 2, at=second))

    assert outcome["action"] == ("updated" if same else "created")


def test_several_readings_of_a_day_are_an_error_and_nothing_is_changed(tenant: Tenant, portal: Erp) -> None:
    home, erp = tenant.home(), erp_for(tenant, reading_matching="strict-date")
    portal.rows(row(home, 1), row(home, 2, at="2024-01-15T09:00:00Z"))
    before = erp.said(home)

    wrong, right = erp.rows(row(home, 3, value=5), row(home, 4, at="2024-03-01"))

    assert wrong["error"]["code"] == "AMBIGUOUS_READING"
    assert right["action"] == "created"
    assert erp.said(home) == before | {"R-4": ("2024-03-01T00:00:00Z", "100")}


def test_another_direction_is_another_reading_of_the_day(tenant: Tenant) -> None:
    home, erp = tenant.home(), erp_for(tenant, reading_matching="strict-date")

    outcomes = erp.rows(
        row(home, 1, direction="feed-in"),
        row(home, 2, at="2024-01-15T09:00:00Z", direction="feed-out"),
        row(home, 3, at="2024-01-15T10:00:00Z"),
        row(home, 4, at="2024-01-15T11:00:00Z", direction="feed-in"),
    )

    assert [o["action"] for o in outcomes] == ["created", "created", "created", "updated"]


def test_an_external_id_is_never_taken_from_another_reading(tenant: Tenant, portal: Erp) -> None:
    home, erp = tenant.home(), erp_for(tenant, reading_matching="strict-date")
    portal.rows(row(home, 1), row(home, 2, at="2024-02-01"))

    (outcome,) = erp.rows(row(home, 1, at="2024-02-01T10:00:00Z"))

    assert outcome["error"]["code"] == "AMBIGUOUS_IDENTIFIER"
    assert set(erp.said(home)) == {"R-1", "R-2"}


def test_deletion_is_permanent_audited_and_a_missing_reading_is_a_warning(tenant: Tenant, portal: Erp) -> None:
    home, erp = tenant.home(), Erp(tenant, [item(mode="delete", fields=FIELDS[:1])])
    portal.rows(row(home, 1), row(home, 2, at="2024-02-01"))

    gone, missing = erp.rows(reading(home, 1), reading(home, 9))

    assert (gone["status"], gone["action"]) == ("success", "deleted")
    assert missing["status"] == "warning"
    assert set(erp.said(home)) == {"R-2"}
    assert len(tenant.readings(home)) == 1
    device = {"d": home.meter["sensor_id"]}
    assert erp.sql("SELECT count(*) FROM wattloom.meter_reading_version WHERE device_id = :d", **device) == [(1,)]
    span = "SELECT first_at = last_at FROM wattloom.reading_channel WHERE device_id = :d"
    assert erp.sql(span, **device) == [(True,)]


def test_deletion_by_date_takes_the_exact_id_first_and_the_day_otherwise(tenant: Tenant, portal: Erp) -> None:
    home = tenant.home()
    erp = Erp(tenant, [item(mode="delete", reading_matching="strict-date", fields=FIELDS[:2])])
    portal.rows(
        row(home, 1),
        row(home, 2, at="2024-02-01"),
        row(home, 3, at="2024-03-01"),
        row(home, 4, at="2024-03-01T05:00:00Z"),
    )

    outcomes = erp.rows(
        reading(home, 1, at="2024-02-01"),
        reading(home, "unknown", at="2024-02-01T10:00:00Z"),
        reading(home, "unknown", at="2024-03-01"),
        reading(home, "unknown", at="2024-04-01"),
    )

    assert [o.get("action") for o in outcomes] == ["deleted", "deleted", None, "none"]
    assert outcomes[2]["error"]["code"] == "AMBIGUOUS_READING"
    assert set(erp.said(home)) == {"R-3", "R-4"}


def test_pruning_deletes_what_the_payload_does_not_name(tenant: Tenant, portal: Erp) -> None:
    home, other, erp = tenant.home(), tenant.home(), erp_for(tenant, mode="upsert-prune-scope")
    portal.rows(
        row(home, 1), row(home, 2, at="2024-02-01"), row(home, 3, at="2024-03-01", source="ECP"), row(other, 1)
    )
    tenant.deliver(home.named("2024-02-15T00:00:00Z", "7"))

    outcomes = erp.rows(row(home, 2, at="2024-02-01", value=9), row(home, 5, at="2024-02-01T01:00:00Z"))

    assert [o["action"] for o in outcomes] == ["updated", "created", "pruned"]
    assert set(erp.said(home)) == {"R-2", "R-5"}  # named, so no duplicate of the other
    assert set(erp.said(other)) == {"R-1"}
    assert {one["value"] for one in tenant.readings(home)} == {"9", "100", "7"}  # the meter's own stays


def test_a_source_narrows_what_is_pruned(tenant: Tenant, portal: Erp) -> None:
    home, erp = tenant.home(), erp_for(tenant, mode="upsert-prune-scope", scope={"source": "ERP"})
    portal.rows(row(home, 1), row(home, 2, at="2024-02-01", source="ECP"))

    erp.rows(row(home, 3, at="2024-03-01"))

    assert set(erp.said(home)) == {"R-2", "R-3"}


def test_a_reading_may_take_the_place_of_one_that_is_pruned_and_of_no_other(tenant: Tenant, portal: Erp) -> None:
    home, erp = tenant.home(), erp_for(tenant, mode="upsert-prune-scope", scope={"source": "ERP"})
    portal.rows(row(home, 1), row(home, 2, at="2024-02-01", source="ECP"))

    taken, refused, _ = erp.rows(row(home, 3, value=5), row(home, 4, at="2024-02-01"))

    assert taken["action"] == "created"
    assert refused["error"]["code"] == "TIMESTAMP_TAKEN"
    assert erp.said(home)["R-3"] == ("2024-01-15T08:00:00Z", "5")
    assert "R-2" in erp.said(home)


@pytest.mark.parametrize("wrong", [{"value": "x"}, {"id": None}, {"at": "yesterday"}, {"direction": "up"}])
def test_a_failed_row_keeps_its_meter_from_being_pruned_and_no_other(
    tenant: Tenant, portal: Erp, wrong: dict[str, Any]
) -> None:
    home, other, erp = tenant.home(), tenant.home(), erp_for(tenant, mode="upsert-prune-scope")
    portal.rows(row(home, 1), row(other, 1))

    erp.rows(row(home, 2, at="2024-02-01"), row(home, 3, at="2024-03-01") | wrong, row(other, 2, at="2024-02-01"))

    assert set(erp.said(home)) == {"R-1", "R-2"}
    assert set(erp.said(other)) == {"R-2"}


def test_a_row_that_may_be_any_meters_keeps_all_from_being_pruned(tenant: Tenant, portal: Erp) -> None:
    home, erp = tenant.home(), erp_for(tenant, mode="upsert-prune-scope")
    portal.rows(row(home, 1))

    outcomes = erp.rows(row(home, 2, at="2024-02-01"), row(home, 3, at="2024-03-01") | {"meter": None})

    assert set(erp.said(home)) == {"R-1", "R-2"}
    assert outcomes[-1]["status"] == "warning"


def test_no_rows_delete_everything_of_the_meter_that_the_payload_names(tenant: Tenant, portal: Erp) -> None:
    home, other = tenant.home(), tenant.home()
    erp = erp_for(tenant, mode="upsert-prune-scope", scope={"source": "ERP"})
    portal.rows(row(home, 1), row(home, 2, at="2024-02-01", source="ECP"), row(other, 1))

    (outcome,) = erp.rows(meter=home.meter["name"])

    assert (outcome["status"], outcome["action"]) == ("success", "pruned")
    assert set(erp.said(home)) == {"R-2"}
    assert set(erp.said(other)) == {"R-1"}


@pytest.mark.parametrize("root", [{}, {"meter": "M999"}, {"meter": [1]}])
def test_no_rows_and_no_meter_delete_nothing(tenant: Tenant, portal: Erp, root: dict[str, Any]) -> None:
    home, erp = tenant.home(), erp_for(tenant, mode="upsert-prune-scope")
    portal.rows(row(home, 1))

    (outcome,) = erp.rows(**root)

    assert outcome["status"] == "error"
    assert set(erp.said(home)) == {"R-1"}


def test_an_expression_that_fails_deletes_nothing(tenant: Tenant, portal: Erp) -> None:
    home = tenant.home()
    erp = erp_for(tenant, mode="upsert-prune-scope", jsonataExpression="$error('no')")
    portal.rows(row(home, 1))

    (outcome,) = erp.rows(meter=home.meter["name"])

    assert (outcome["status"], outcome["message"]) == ("error", "no")
    assert set(erp.said(home)) == {"R-1"}


def test_pruning_without_a_counter_never_touches_a_counters_readings(tenant: Tenant) -> None:
    home = tenant.home(series={"name": "1-0:1.8.0"})
    named = Erp(
        tenant, [item(meter=BY_NUMBER, meter_counter=BY_COUNTER, fields=ALL, deduplication_window_hours=0)]
    )
    without, erp = erp_for(tenant, deduplication_window_hours=0), erp_for(tenant, mode="upsert-prune-scope")
    named.rows(row(home, 1, counter="1-0:1.8.0"))
    without.rows(row(home, 2, at="2024-02-01"))

    erp.rows(row(home, 3, at="2024-03-01"))

    assert set(erp.said(home)) == {"R-1", "R-3"}


def test_a_counters_scope_is_that_counter_alone(tenant: Tenant) -> None:
    series = [tenant.series(name=name) for name in ("1-0:1.8.1", "1-0:1.8.2")]
    meter = tenant.meter(tenant.type(tenant.config(*series)))
    home = Home(meter=meter, series=series[0], config={}, type={})
    upsert, erp = (
        Erp(tenant, [item(meter_counter=BY_COUNTER, fields=ALL, mode=mode)])
        for mode in ("upsert", "upsert-prune-scope")
    )
    upsert.rows(row(home, 1, counter="1-0:1.8.1"), row(home, 2, counter="1-0:1.8.2"))

    erp.rows(row(home, 3, at="2024-03-01", counter="1-0:1.8.1"))
    assert set(erp.said(home)) == {"R-2", "R-3"}

    (outcome,) = erp.rows(meter=meter["name"])
    assert outcome["error"]["code"] == "MISSING_IDENTIFIER"
    erp.rows(meter=meter["name"], counter="1-0:1.8.2")
    assert set(erp.said(home)) == {"R-3"}


def test_a_reading_deleted_through_the_platform_is_forgotten_by_the_gateway_too(
    tenant: Tenant, portal: Erp
) -> None:
    home = tenant.home()
    portal.rows(row(home, 1))
    ((number,),) = portal.sql(
        "SELECT id FROM wattloom.meter_reading WHERE device_id = :d", d=home.meter["sensor_id"]
    )

    assert tenant.staff.delete(f"/v1/metering/meter-readings/{number}").status_code == 204
    (outcome,) = portal.rows(row(home, 1))

    assert outcome["action"] == "created"


def test_a_replay_of_an_earlier_event_changes_nothing_that_a_later_one_wrote(tenant: Tenant) -> None:
    home, erp = tenant.home(), Erp(tenant)
    (first,) = erp.post({"readings": [reading(home, 1, value=100), reading(home, 2, at="2024-03-01", value=7)]})
    erp.rows(reading(home, 1, at="2024-02-01", value=200))
    now = erp.said(home)

    outcomes = erp.replayed(first)

    assert [(o["status"], o["action"]) for o in outcomes] == [("superseded", "skipped"), ("success", "updated")]
    assert erp.said(home) == now
    assert erp.replayed(first) == outcomes


@pytest.mark.parametrize("strict", [False, True])
def test_a_replay_brings_nothing_back_that_a_later_event_deleted(tenant: Tenant, strict: bool) -> None:
    home, matching = tenant.home(), {"reading_matching": "strict-date"} if strict else {}
    erp, remove = erp_for(tenant, **matching), erp_for(tenant, mode="delete", **matching)
    named = {} if not strict else {"id": None}
    (first,) = erp.post({"readings": [row(home, 1) | named]})
    assert remove.rows(row(home, 1) | named)[0]["action"] == "deleted"

    (outcome,) = erp.replayed(first)

    assert (outcome["status"], tenant.readings(home)) == ("superseded", [])
    assert erp.rows(row(home, 1))[0]["action"] == "created"  # a new event may


def test_a_replayed_deletion_or_pruning_spares_what_came_later(tenant: Tenant) -> None:
    home, erp = tenant.home(), erp_for(tenant, deduplication_window_hours=0)
    remove, prune = erp_for(tenant, mode="delete"), erp_for(tenant, mode="upsert-prune-scope")
    erp.rows(row(home, 1))
    (deletion,) = remove.post({"readings": [row(home, 1)]})
    (pruning,) = prune.post({"readings": [row(home, 2, at="2024-02-01")]})
    erp.rows(row(home, 1), row(home, 3, at="2024-05-01"))
    now = erp.said(home)

    assert [o["status"] for o in remove.replayed(deletion)] == ["superseded"]
    assert prune.replayed(pruning)[-1]["message"].startswith("0 readings")
    assert erp.said(home) == now


def test_what_a_later_event_pruned_stays_gone(tenant: Tenant) -> None:
    home, erp, prune = tenant.home(), erp_for(tenant), erp_for(tenant, mode="upsert-prune-scope")
    (first,) = erp.post({"readings": [row(home, 1), row(home, 2, at="2024-02-01")]})
    prune.rows(row(home, 2, at="2024-02-01", value=5))
    now = erp.said(home)

    assert [o["status"] for o in erp.replayed(first)] == ["superseded", "superseded"]
    assert erp.said(home) == now


@pytest.mark.parametrize("count", [2, 3])
def test_readings_that_change_places_with_each_other_do(tenant: Tenant, count: int) -> None:
    home, erp = tenant.home(), Erp(tenant)
    days = [f"2024-0{n}-01" for n in range(1, count + 1)]
    erp.rows(*(reading(home, n, at=day, value=n) for n, day in enumerate(days)))

    outcomes = erp.rows(*(reading(home, n, at=days[n - 1], value=10 + n) for n in range(count)))

    assert {o["action"] for o in outcomes} == {"updated"}
    assert erp.said(home) == {f"R-{n}": (f"{days[n - 1]}T00:00:00Z", str(10 + n)) for n in range(count)}
    assert len(tenant.readings(home)) == count


def test_a_change_of_places_that_one_stands_in_the_way_of_moves_none_of_them(tenant: Tenant) -> None:
    home, erp = tenant.home(), Erp(tenant)
    erp.rows(*(reading(home, n, at=f"2024-0{n}-01") for n in (1, 2, 3)))
    before = erp.said(home)

    outcomes = erp.rows(reading(home, 1, at="2024-02-01"), reading(home, 2, at="2024-03-01"))

    assert {o["error"]["code"] for o in outcomes} == {"TIMESTAMP_TAKEN"}
    assert erp.said(home) == before


def test_what_the_meter_sends_after_the_erp_stays_when_the_erp_withdraws_its_own(tenant: Tenant) -> None:
    home, erp = tenant.home(), Erp(tenant)
    erp.rows(reading(home, 1, value=100))
    tenant.deliver([home.named(timestamp="2024-01-15T08:00:00Z", value="101")])

    (outcome,) = erp_for(tenant, mode="delete").rows(row(home, 1))

    assert outcome["action"] == "deleted"
    assert erp.said(home) == {}
    assert [one["value"] for one in tenant.readings(home)] == ["101"]
