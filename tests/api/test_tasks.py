"""Tasks and task groups: when and what they may run, what a driver says of them, and which meters have them."""

import json
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines import crud
from pipelines.amr import tasks
from pipelines.amr.drivers import EXECUTION_TYPES, driver
from pipelines.db.engine import unit_of_work
from tests.api.callers import METERING, Json, Tenant
from tests.api.catalog import COLLECTIONS

TASKS, GROUPS, METERS = f"{METERING}/amr-tasks", f"{METERING}/amr-task-groups", f"{METERING}/meter-devices"
# Seconds to the next run, at the shortest: February has 28 days, a year 365.
PERIODS = {
    "quarterly": 900,
    "hourly": 3600,
    "daily": 86_400,
    "weekly": 604_800,
    "monthly": 2_419_200,
    "yearly": 31_536_000,
}


def _task(tenant: Tenant, **changes: Any) -> Json:
    return COLLECTIONS["amr-tasks"].made(tenant, **changes)


def _group(tenant: Tenant, **changes: Any) -> Json:
    return COLLECTIONS["amr-task-groups"].made(tenant, **changes)


def _refused(tenant: Tenant, **changes: Any) -> list[str]:
    answer = tenant.staff.post(TASKS, json=COLLECTIONS["amr-tasks"].body(tenant) | changes)
    assert answer.status_code == 400, answer.text
    return list(answer.json())


@pytest.mark.parametrize(("schedule", "period"), PERIODS.items())
def test_an_offset_is_shorter_than_the_time_to_the_next_run(tenant: Tenant, schedule: str, period: int) -> None:
    for offset in (0, 1, period - 1):
        task = _task(tenant, schedule=schedule, run_offset_seconds=offset)
        assert (task["schedule"], task["run_offset_seconds"]) == (schedule, offset)
        changed = tenant.staff.patch(f"{TASKS}/{task['id']}", json={"run_offset_seconds": period})
        assert (changed.status_code, list(changed.json())) == (400, ["run_offset_seconds"])
    for offset in (period, period + 1, 2**31 - 1, -1, -period, -(2**31)):
        assert _refused(tenant, schedule=schedule, run_offset_seconds=offset) == ["run_offset_seconds"]
    assert _task(tenant, schedule=schedule)["run_offset_seconds"] == 0


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_a_stored_task_cannot_get_a_schedule_that_its_offset_does_not_fit(tenant: Tenant, method: str) -> None:
    task = _task(tenant, schedule="hourly", run_offset_seconds=900)
    address = f"{TASKS}/{task['id']}"
    whole = {name: task[name] for name in COLLECTIONS["amr-tasks"].body(tenant)} if method == "PUT" else {}

    refused = tenant.staff.request(method, address, json=whole | {"schedule": "quarterly"})
    assert (refused.status_code, list(refused.json())) == (400, ["run_offset_seconds"])
    assert tenant.staff.found(address) == task
    both = tenant.staff.request(method, address, json=whole | {"schedule": "quarterly", "run_offset_seconds": 899})
    assert (both.status_code, both.json()["run_offset_seconds"]) == (200, 899)
    longer = tenant.staff.request(method, address, json=whole | {"schedule": "yearly"})
    assert (longer.status_code, longer.json()["run_offset_seconds"]) == (200, 899)


@pytest.mark.parametrize(
    ("execution_type", "call", "arguments"),
    [
        ("generic_lis200", "set_time", None),
        ("generic_iec6205621", "set_time", {}),
        ("generic_corus_meter", "set_time", {"allowed_drift_seconds": 5}),
        ("generic_corus", "set_time", {"allowed_drift_seconds": 5}),
        ("generic_dlms", "set_time", {}),
        ("generic_mbus", "set_time", {"primary_address": 5}),
        ("generic_modbus", "read_registers", {}),
    ],
)
def test_every_execution_type_is_kept_as_it_was_sent(
    tenant: Tenant, execution_type: str, call: str, arguments: Any
) -> None:
    task = _task(tenant, meter_execution_type=execution_type, task_call=call, task_kwargs=arguments)

    assert (task["meter_execution_type"], task["task_call"]) == (execution_type, call)
    assert tenant.staff.found(f"{TASKS}/{task['id']}") == task
    if call == "set_time":
        assert task["problem"] is None


def test_there_is_no_other_execution_type(tenant: Tenant) -> None:
    assert set(EXECUTION_TYPES) >= {"generic_lis200", "generic_iec6205621", "generic_corus_meter", "generic_corus"}
    for name in ("", "generic", "generic_corus_meters", "lis200", "GENERIC_CORUS", "os.system", "generic_dlms "):
        assert _refused(tenant, meter_execution_type=name) == ["meter_execution_type"]


GOOD: list[tuple[str, str, Any]] = [
    ("generic_lis200", "read_single_value", {"address": "2:302.0"}),
    (
        "generic_lis200",
        "read_archive_by_date",
        {"start_date": "2026-03-01T06:00:00", "archive_number": 1, "control_position": 3},
    ),
    (
        "generic_lis200",
        "read_archive_by_date",
        {
            "start_date": "2026-03-01T06:00:00+01:00",
            "end_date": None,
            "archive_number": 1,
            "control_position": 3,
        },
    ),
    (
        "generic_lis200",
        "read_archive_by_offset_seconds",
        {"offset_seconds": 86_400, "archive_number": 3, "control_position": 1},
    ),
    ("generic_lis200", "set_time", {}),
    ("generic_lis200", "set_time", None),
    ("generic_corus_meter", "read_parameters", {"parameters": ["index_unconverted", "battery_days"]}),
    (
        "generic_corus",
        "read_database",
        {"database": "hourly", "start_date": "2026-03-02", "end_date": "2026-03-01"},
    ),
    ("generic_corus", "read_database", {"database": "interval"}),
    ("generic_corus", "read_database_by_offset_seconds", {"offset_seconds": 3600, "database": "daily"}),
    ("generic_corus_meter", "set_time", {"allowed_drift_seconds": 30}),
]
# Execution type, call, arguments, and what the problem names.
BAD: list[tuple[str, str, Any, list[str]]] = [
    ("generic_lis200", "read_everything", None, ["read_everything", "read_single_value", "set_time"]),
    ("generic_lis200", "read_parameters", {"parameters": ["datetime"]}, ["read_parameters"]),
    ("generic_lis200", "__class__", {}, ["__class__"]),
    ("generic_lis200", "SET_TIME", {}, ["SET_TIME"]),
    ("generic_lis200", "read_single_value", None, ["address", "required"]),
    ("generic_lis200", "read_single_value", {}, ["address", "required"]),
    ("generic_lis200", "read_single_value", {"address": None}, ["address"]),
    ("generic_lis200", "read_single_value", {"address": 2302}, ["address"]),
    ("generic_lis200", "read_single_value", {"address": "2:302.0", "adress": "2:302.0"}, ["adress"]),
    ("generic_lis200", "read_single_value", {"address": "2:302.0)\x03"}, ["address"]),
    ("generic_lis200", "read_archive_by_date", {"archive_number": 1, "control_position": 3}, ["start_date"]),
    (
        "generic_lis200",
        "read_archive_by_date",
        {"start_date": "yesterday", "archive_number": "1", "control_position": 3},
        ["start_date", "archive_number"],
    ),
    (
        "generic_lis200",
        "read_archive_by_offset_seconds",
        {"offset_seconds": -1, "archive_number": 1, "control_position": 3},
        ["offset_seconds"],
    ),
    (
        "generic_lis200",
        "read_archive_by_offset_seconds",
        {"offset_seconds": 3600.5, "archive_number": 1, "control_position": 3},
        ["offset_seconds"],
    ),
    ("generic_corus_meter", "read_database", {}, ["database"]),
    ("generic_corus_meter", "read_database", {"database": "weekly"}, ["database"]),
    ("generic_corus", "read_parameters", {"parameters": "datetime"}, ["parameters"]),
    ("generic_corus", "read_parameters", {}, ["parameters"]),
]


@pytest.mark.parametrize(("execution_type", "call", "arguments"), GOOD)
def test_of_a_call_that_a_driver_takes_no_problem_is_shown(
    tenant: Tenant, execution_type: str, call: str, arguments: Any
) -> None:
    task = _task(tenant, meter_execution_type=execution_type, task_call=call, task_kwargs=arguments)

    assert task["problem"] is None
    assert task["task_kwargs"] == arguments


@pytest.mark.parametrize(("execution_type", "call", "arguments", "named"), BAD)
def test_of_a_call_that_no_driver_takes_the_problem_says_why(
    tenant: Tenant, execution_type: str, call: str, arguments: Any, named: list[str]
) -> None:
    task = _task(tenant, meter_execution_type=execution_type, task_call=call, task_kwargs=arguments, problem=None)
    address = f"{TASKS}/{task['id']}"

    assert all(name in task["problem"] for name in named), task["problem"]
    assert tenant.staff.found(address) == task
    mended = tenant.staff.patch(
        address, json={"meter_execution_type": "generic_lis200", "task_call": "set_time", "task_kwargs": None}
    )
    assert mended.json()["problem"] is None


def test_the_problem_stays_short_whatever_was_sent(tenant: Tenant) -> None:
    task = _task(tenant, task_kwargs={f"argument-{n}" * 10: n for n in range(1000)})

    assert len(task["problem"]) == 500
    assert len(task["task_kwargs"]) == 1000


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=30)
    | st.sampled_from(["2026-03-01", "9999-12-31T23:59:59", "0001-01-01T00:00:00+14:00", "1-0:1.8.0", "hourly"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=5,
)


@pytest.mark.parametrize(
    "execution_type", ["generic_lis200", "generic_iec6205621", "generic_corus", "generic_dlms"]
)
def test_whatever_the_arguments_are_there_is_a_problem_or_none(execution_type: str) -> None:
    calls = driver(execution_type).calls

    @settings(max_examples=400, deadline=None)
    @given(data=st.data(), call=st.sampled_from([*calls, "unknown"]))
    def ask(data: st.DataObject, call: str) -> None:
        names = [field.name for field in calls[call].fields] if call in calls else ["x"]
        arguments = data.draw(st.dictionaries(st.sampled_from(names), _JSON) if names else st.none())
        problem = tasks._problem(execution_type, call, arguments)
        assert problem is None or 0 < len(problem) <= 500

    ask()


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("null", None),
        ("{}", {}),
        ('{"a": 1.10}', {"a": "1.10"}),
        ('{"a": [0.1, {"b": 1e-7}]}', {"a": ["0.1", {"b": "1E-7"}]}),
        ('{"a": 123456789012345678.123456789}', {"a": "123456789012345678.123456789"}),
        ('{"a": "1.10", "b": 12, "c": true, "d": null}', {"a": "1.10", "b": 12, "c": True, "d": None}),
        ('{"\u00e9": "\U0001f600"}', {"\u00e9": "\U0001f600"}),
        ('{"a": 1, "a": 2}', {"a": 2}),
    ],
)
def test_arguments_are_an_object_or_null_and_keep_every_digit(tenant: Tenant, sent: str, kept: Any) -> None:
    body = json.dumps(COLLECTIONS["amr-tasks"].body(tenant) | {"task_kwargs": "HERE"}).replace('"HERE"', sent)

    answer = tenant.staff.post(TASKS, content=body.encode())

    assert (answer.status_code, answer.json()["task_kwargs"]) == (201, kept)
    assert tenant.staff.found(f"{TASKS}/{answer.json()['id']}") == answer.json()


def test_arguments_may_be_20_levels_deep(tenant: Tenant) -> None:
    def nested(levels: int) -> Any:
        return json.loads('{"a":' * levels + "1" + "}" * levels)

    assert _task(tenant, task_kwargs=nested(20))["task_kwargs"] == nested(20)
    assert _refused(tenant, task_kwargs=nested(21)) == ["task_kwargs"]


def test_a_group_shows_its_tasks_and_follows_their_changes(tenant: Tenant) -> None:
    one, two = _task(tenant), _task(tenant, task_call="nonsense")
    group = _group(tenant, tasks=[one["id"], two["id"]], tasks_info=[])
    address = f"{GROUPS}/{group['id']}"

    assert group["tasks"] == sorted([one["id"], two["id"]])
    assert {row["id"]: row for row in group["tasks_info"]} == {one["id"]: one, two["id"]: two}
    changed = tenant.staff.patch(f"{TASKS}/{one['id']}", json={"name": "renamed", "is_active": False}).json()
    assert changed in tenant.staff.found(address)["tasks_info"]
    assert tenant.staff.patch(address, json={"description": "x"}).json()["tasks"] == group["tasks"]
    fewer = tenant.staff.patch(address, json={"tasks": [two["id"]]}).json()
    assert (fewer["tasks"], fewer["tasks_info"]) == ([two["id"]], [two])
    assert tenant.staff.patch(address, json={"tasks": []}).json()["tasks_info"] == []
    repeated = tenant.staff.patch(address, json={"tasks": [one["id"], one["id"]]})
    assert (repeated.status_code, list(repeated.json())) == (400, ["tasks"])


def test_a_meter_has_groups_and_tasks_of_its_own(tenant: Tenant) -> None:
    task, other = _task(tenant), _task(tenant)
    groups = sorted(_group(tenant, tasks=[task["id"]])["id"] for _ in range(2))
    meter = tenant.meter(task_groups=groups, meter_tasks=[task["id"], other["id"]])
    address = f"{METERS}/{meter['id']}"

    assert (meter["task_groups"], meter["meter_tasks"]) == (groups, sorted([task["id"], other["id"]]))
    assert tenant.staff.patch(address, json={"name": meter["name"]}).json()["task_groups"] == groups
    changed = tenant.staff.patch(address, json={"task_groups": groups[:1], "meter_tasks": []}).json()
    assert (changed["task_groups"], changed["meter_tasks"]) == (groups[:1], [])
    for field, items in (("task_groups", groups[:1] * 2), ("meter_tasks", [task["id"]] * 2)):
        answer = tenant.staff.patch(address, json={field: items})
        assert (answer.status_code, list(answer.json())) == (400, [field])
    assert tenant.staff.found(address) == changed


def test_deleting_a_task_or_a_group_takes_the_links_and_leaves_the_meter(tenant: Tenant) -> None:
    task, kept = _task(tenant), _task(tenant)
    group = _group(tenant, tasks=[task["id"], kept["id"]])
    meter = tenant.meter(task_groups=[group["id"]], meter_tasks=[task["id"]])
    address = f"{METERS}/{meter['id']}"

    assert tenant.staff.delete(f"{TASKS}/{task['id']}").status_code == 204
    left = tenant.staff.found(f"{GROUPS}/{group['id']}")
    assert (left["tasks"], left["tasks_info"]) == ([kept["id"]], [kept])
    assert tenant.staff.found(address) == meter | {"meter_tasks": []}
    assert tenant.staff.delete(f"{GROUPS}/{group['id']}").status_code == 204
    assert tenant.staff.found(address) == meter | {"meter_tasks": [], "task_groups": []}
    assert tenant.staff.found(f"{TASKS}/{kept['id']}") == kept


def test_tasks_and_groups_of_others_are_refused_and_nothing_is_written(tenant: Tenant, stranger: Tenant) -> None:
    foreign = {"tasks": _task(stranger)["id"], "task_groups": _group(stranger)["id"]}
    foreign["meter_tasks"] = foreign["tasks"]
    mine = _task(tenant)["id"]
    group, meter = _group(tenant, tasks=[mine]), tenant.meter(meter_tasks=[mine])

    for address, row, field in [
        (GROUPS, group, "tasks"),
        (METERS, meter, "task_groups"),
        (METERS, meter, "meter_tasks"),
    ]:
        for items in ([foreign[field]], [mine, foreign[field]] if field != "task_groups" else [foreign[field]]):
            body = COLLECTIONS[address.rpartition("/")[2]].body(tenant) | {field: items}
            count = tenant.staff.found(address)["count"]
            created = tenant.staff.post(address, json=body)
            changed = tenant.staff.patch(f"{address}/{row['id']}", json={field: items})
            for answer in (created, changed):
                assert (answer.status_code, list(answer.json())) == (400, [field])
                assert foreign[field] in answer.text
                assert mine not in answer.text
            assert tenant.staff.found(address)["count"] == count
            assert tenant.staff.found(f"{address}/{row['id']}") == row
    unknown = tenant.staff.patch(f"{GROUPS}/{group['id']}", json={"tasks": [str(uuid4())]})
    assert (unknown.status_code, list(unknown.json())) == (400, ["tasks"])


def test_a_task_that_is_deleted_while_its_group_is_read_is_left_out(
    tenant: Tenant, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, kept = _task(tenant), _task(tenant)
    group = _group(tenant, tasks=[task["id"], kept["id"]])
    read = crud.shown_rows

    def lose_and_read(*arguments: Any) -> Any:
        with unit_of_work(engine) as connection:
            connection.execute(sa.text("DELETE FROM wattloom.amr_task WHERE id = :id"), {"id": task["id"]})
        return read(*arguments)

    monkeypatch.setattr(crud, "shown_rows", lose_and_read)

    assert tenant.staff.found(f"{GROUPS}/{group['id']}")["tasks_info"] == [kept]


def test_a_decimal_is_sent_on_as_text() -> None:
    assert tasks._plain({"a": [Decimal("1.10"), {"b": Decimal("-0.0")}], "c": 5}) == {
        "a": ["1.10", {"b": "-0.0"}],
        "c": 5,
    }
