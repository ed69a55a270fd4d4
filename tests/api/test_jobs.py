"""Invocations on demand and the list of jobs, which nobody writes."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import sqlalchemy as sa

from pipelines import clock
from pipelines.amr import jobs as queue
from pipelines.db.engine import unit_of_work
from tests.api.callers import METERING, Json, Tenant
from tests.api.catalog import COLLECTIONS, READ_ONLY

JOBS, INVOKE, TASKS = f"{METERING}/amr-jobs", f"{METERING}/amr-tasks/invoke", f"{METERING}/amr-tasks"
TICK = datetime(2026, 3, 1, 6, 0, tzinfo=UTC)


def _body(tenant: Tenant, **changes: Any) -> Json:
    return READ_ONLY["amr-jobs"].body(tenant) | changes


def _saved(tenant: Tenant, query: Json | None = None) -> list[Json]:
    return list(tenant.staff.found(JOBS, params={"limit": 1000, **(query or {})})["results"])


def _dispatched(tenant: Tenant, engine: sa.Engine, *ticks: datetime, **task: Any) -> tuple[Json, Json]:
    """Return a task and its meter after the runs of these ticks were dispatched."""
    made = COLLECTIONS["amr-tasks"].made(tenant, schedule="daily", **task)
    meter = tenant.meter(meter_tasks=[made["id"]])
    for tick in ticks:
        with unit_of_work(engine) as connection:
            queue.dispatch(connection, schedule="daily", tick=tick)
    return made, meter


@pytest.mark.parametrize("slash", ["", "/"])
def test_an_invocation_is_a_waiting_job_and_no_task(tenant: Tenant, slash: str) -> None:
    body = _body(tenant, task_call="read_single_value", task_kwargs={"address": "1:180.0"})
    tasks, before = tenant.staff.found(TASKS)["count"], clock.now()

    answer = tenant.staff.post(INVOKE + slash, json=body)

    job = answer.json()
    assert answer.status_code == 201
    assert {name: job[name] for name in body} == body
    assert (job["organization"], job["amr_task"], job["state"], job["attempt"]) == (tenant.id, None, "waiting", 0)
    empty = ("reason", "detail", "started_at", "finished_at")
    assert [job[name] for name in empty] == [None] * 4
    assert [job[f"readings_{name}"] for name in ("found", "stored", "rejected")] == [0, 0, 0]
    assert before <= datetime.fromisoformat(job["due_at"]) <= clock.now()
    assert tenant.staff.found(f"{JOBS}/{job['id']}{slash}") == job
    assert job in _saved(tenant)
    assert tenant.staff.found(TASKS)["count"] == tasks


def test_an_offset_delays_an_invocation(tenant: Tenant) -> None:
    before = clock.now()

    job = tenant.staff.made(INVOKE, _body(tenant, run_offset_seconds=900))

    assert (
        timedelta(0)
        <= datetime.fromisoformat(job["due_at"]) - before - timedelta(seconds=900)
        < timedelta(seconds=10)
    )
    assert tenant.staff.made(INVOKE, _body(tenant, run_offset_seconds=2**31 - 1))["state"] == "waiting"


def test_only_the_worker_gets_to_know_that_something_waits(tenant: Tenant, database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as listener:
        listener.execute(f"LISTEN {queue.CHANNEL}")
        tenant.staff.post(INVOKE, json=_body(tenant, task_call=""))
        assert list(listener.notifies(timeout=0.2)) == []
        tenant.staff.made(INVOKE, _body(tenant, task_kwargs={"a": "secret"}))
        heard = list(listener.notifies(timeout=10, stop_after=1))

    assert [one.payload for one in heard] == [""]


def test_an_invocation_goes_before_scheduled_jobs(tenant: Tenant, engine: sa.Engine) -> None:
    task, meter = _dispatched(tenant, engine, TICK)
    invoked = tenant.staff.made(INVOKE, _body(tenant, meter_device=meter["id"]))
    token = uuid4()

    with engine.connect() as connection:  # claimed and given back
        taken = queue.claim(
            connection, token=token, count=1, hold=timedelta(seconds=1), devices=[meter["sensor_id"]]
        )
        connection.rollback()

    assert [(job.id, job.is_on_demand) for job in taken] == [(invoked["id"], True)]
    assert len(_saved(tenant, {"meter_device": meter["id"]})) == 2
    assert _saved(tenant, {"amr_task": task["id"]})[0]["state"] == "waiting"


BAD: list[tuple[str, list[Any]]] = [
    ("meter_device", [str(uuid4()), "x", "", None, 7, []]),
    ("task_call", ["", " ", "x" * 51, None, 7, "a\0"]),
    ("task_kwargs", [[], "x", 1, {"a": "\0"}, {"\0": 1}]),
    ("run_offset_seconds", [-1, 2**31, "5", 1.5, None, True]),
    ("meter_execution_type", ["", "x", None, 1]),
]


@pytest.mark.parametrize(("field", "values"), BAD)
def test_an_invocation_that_is_wrong_is_refused_by_name_and_leaves_no_job(
    tenant: Tenant, field: str, values: list[Any]
) -> None:
    before = len(_saved(tenant))

    for value in values:
        answer = tenant.staff.post(INVOKE, json=_body(tenant, **{field: value}))
        assert (answer.status_code, list(answer.json())) == (400, [field]), (value, answer.text)
    assert len(_saved(tenant)) == before


def test_an_invocation_needs_meter_call_and_execution_type(tenant: Tenant) -> None:
    nothing = tenant.staff.post(INVOKE, json={})
    least = tenant.staff.made(INVOKE, _body(tenant))

    assert list(nothing.json()) == ["meter_device", "task_call", "meter_execution_type"]
    assert {text for texts in nothing.json().values() for text in texts} == {"This field is required."}
    assert least["task_kwargs"] is None
    assert tenant.staff.made(INVOKE, _body(tenant, task_call="x" * 50, task_kwargs=None))["task_call"] == "x" * 50


def test_an_invocation_cannot_claim_what_the_platform_decides(tenant: Tenant, stranger: Tenant) -> None:
    claims = {
        "organization": stranger.id,
        "amr_task": COLLECTIONS["amr-tasks"].made(tenant)["id"],
        "state": "ok",
        "attempt": 3,
        "priority": 99,
        "tick": "2020-01-01T00:00:00Z",
        "due_at": "2020-01-01T00:00:00Z",
        "claim_token": str(uuid4()),
        "readings_stored": 5,
    }

    job = tenant.staff.made(INVOKE, _body(tenant, **claims))

    assert (job["organization"], job["state"], job["attempt"], job["amr_task"]) == (tenant.id, "waiting", 0, None)
    assert job["due_at"] > "2025"
    assert job["readings_stored"] == 0


def test_a_meter_of_others_looks_like_an_unknown_one(tenant: Tenant, stranger: Tenant) -> None:
    theirs, unknown = stranger.meter()["id"], str(uuid4())
    answers = [tenant.staff.post(INVOKE, json=_body(tenant, meter_device=key)) for key in (theirs, unknown)]

    assert [answer.status_code for answer in answers] == [400, 400]
    assert answers[0].text.replace(theirs, "") == answers[1].text.replace(unknown, "")
    assert _saved(stranger, {"meter_device": theirs}) == []


def test_a_read_only_user_sees_jobs_and_invokes_nothing(tenant: Tenant) -> None:
    reader, body = tenant.reader(), _body(tenant)
    job = tenant.staff.made(INVOKE, body)

    assert reader.post(INVOKE, json=body).status_code == 403
    assert reader.post(INVOKE, json={}).status_code == 403
    assert tenant.bearer().post(INVOKE, json=body).status_code == 401
    assert reader.found(f"{JOBS}/{job['id']}") == job
    assert reader.found(JOBS, params={"meter_device": body["meter_device"]})["results"] == [job]


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_invoke_is_no_task(tenant: Tenant, method: str) -> None:
    for slash in ("", "/"):
        assert tenant.staff.request(method, INVOKE + slash, json={}).status_code == 405


def test_a_parent_invokes_and_sees_the_jobs_of_its_subsidiary(tenant: Tenant) -> None:
    subsidiary = COLLECTIONS["organizations"].made(tenant)["id"]
    meter = tenant.meter(organization=subsidiary)

    job = tenant.staff.made(INVOKE, _body(tenant, meter_device=meter["id"]))

    assert job["organization"] == subsidiary
    assert _saved(tenant, {"meter_device": meter["id"]}) == [job]
    assert tenant.staff.delete(f"/v1/organizations/{subsidiary}").status_code == 204
    assert tenant.staff.get(f"{JOBS}/{job['id']}").status_code == 404


def test_jobs_are_found_by_meter_task_state_reason_and_time(fresh: Tenant, engine: sa.Engine) -> None:
    ticks = [TICK + timedelta(days=day) for day in range(3)]
    task, meter = _dispatched(fresh, engine, *ticks, run_offset_seconds=60)
    invoked = fresh.staff.made(INVOKE, _body(fresh, meter_device=meter["id"]))
    other = fresh.staff.made(INVOKE, _body(fresh))
    with unit_of_work(engine) as connection:
        token = uuid4()
        (claimed,) = queue.claim(
            connection, token=token, count=1, hold=timedelta(60), devices=[meter["sensor_id"]], priority=10
        )
        verdict = queue.Verdict(
            job=claimed.id,
            state="failed",
            reason=queue.Reason.NO_ANSWER,
            detail="silence",
            found=3,
            stored=2,
            rejected=1,
        )
        queue.finish(connection, token, [verdict])

    def found(**query: Any) -> list[str]:
        return [job["due_at"][:10] if job["amr_task"] else job["id"] for job in _saved(fresh, query)]

    days = ["2026-03-01", "2026-03-02", "2026-03-03"]
    assert claimed.id == invoked["id"]
    assert found() == [*days, invoked["id"], other["id"]]
    assert found(meter_device=meter["id"]) == [*days, invoked["id"]]
    assert found(amr_task=task["id"]) == days
    assert found(state="waiting") == [days[2], other["id"]]
    assert found(state="failed", amr_task=task["id"]) == days[:2]
    assert found(state="fail") == found(state="FAILED") == found(reason="nothing") == []
    assert found(reason="superseded") == days[:2]
    assert found(reason="no_answer", meter_device=meter["id"]) == [invoked["id"]]
    assert found(start_time="2026-03-02T06:01:00Z", end_time="2026-03-03T06:01:00Z") == [days[1]]
    assert found(start_time="2026-03-02T07:01:00+01:00", amr_task=task["id"]) == days[1:]
    assert found(end_time="2026-03-01T06:01:00Z") == []
    assert found(end_time="2026-03-01T06:01:00.000001Z") == days[:1]
    ended = fresh.staff.found(f"{JOBS}/{invoked['id']}")
    assert (ended["state"], ended["reason"], ended["detail"], ended["attempt"]) == (
        "failed",
        "no_answer",
        "silence",
        1,
    )
    assert [ended[f"readings_{name}"] for name in ("found", "stored", "rejected")] == [3, 2, 1]
    assert ended["created_at"] <= ended["started_at"] <= ended["finished_at"]


@pytest.mark.parametrize("query", ["meter_device", "amr_task"])
@pytest.mark.parametrize("text", ["x", "17", "%00", "%F0%9F%98%80"])
def test_a_wrong_id_in_a_filter_is_refused_by_name(tenant: Tenant, query: str, text: str) -> None:
    answer = tenant.staff.get(f"{JOBS}?{query}={text}")

    assert (answer.status_code, list(answer.json())) == (400, [query])


def test_a_job_keeps_what_its_task_said_when_it_was_dispatched(tenant: Tenant, engine: sa.Engine) -> None:
    task, meter = _dispatched(tenant, engine, TICK, run_offset_seconds=90)
    changed = tenant.staff.patch(f"{TASKS}/{task['id']}", json={"task_call": "set_time", "task_kwargs": None})

    (job,) = _saved(tenant, {"meter_device": meter["id"]})

    assert changed.status_code == 200
    assert (job["task_call"], job["task_kwargs"]) == (task["task_call"], task["task_kwargs"])
    assert (job["tick"], job["due_at"]) == ("2026-03-01T06:00:00Z", "2026-03-01T06:01:30Z")
    assert (job["amr_task"], job["organization"]) == (task["id"], tenant.id)


def test_the_waiting_jobs_of_a_deleted_task_end_and_those_that_ended_stay(
    tenant: Tenant, engine: sa.Engine
) -> None:
    _, meter = _dispatched(tenant, engine, TICK, TICK + timedelta(days=1))
    invoked = tenant.staff.made(INVOKE, _body(tenant, meter_device=meter["id"]))
    ended, waiting, _ = before = _saved(tenant, {"meter_device": meter["id"]})

    assert tenant.staff.delete(f"{TASKS}/{waiting['amr_task']}").status_code == 204
    after = _saved(tenant, {"meter_device": meter["id"]})

    assert [job["state"] for job in before] == ["failed", "waiting", "waiting"]
    assert after[0] == ended | {"amr_task": None}
    assert (after[1]["id"], after[1]["state"], after[1]["reason"]) == (waiting["id"], "failed", "superseded")
    assert "deleted" in after[1]["detail"]
    assert after[1]["finished_at"] is not None
    assert after[2] == invoked
    with engine.connect() as connection:
        sensors = {sensor for sensor, _ in queue.due_meters(connection)}
    assert meter["sensor_id"] in sensors  # for what was invoked


def test_jobs_go_with_their_meter(tenant: Tenant, engine: sa.Engine) -> None:
    task, meter = _dispatched(tenant, engine, TICK)

    assert tenant.staff.delete(f"{METERING}/meter-devices/{meter['id']}").status_code == 204
    assert _saved(tenant, {"amr_task": task["id"]}) == []
    assert tenant.staff.found(f"{TASKS}/{task['id']}") == task


def test_a_meter_is_held_from_the_check_to_the_job(
    tenant: Tenant, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    body, enqueue = _body(tenant), queue.enqueue_on_demand
    refusals: list[str] = []

    def try_to_delete(*arguments: Any, **details: Any) -> int:
        lost = sa.text("DELETE FROM wattloom.meter_device WHERE id = :id")
        with engine.connect() as rival:
            rival.execute(sa.text("SET LOCAL lock_timeout = '200ms'"))
            try:
                rival.execute(lost, {"id": body["meter_device"]})
            except sa.exc.OperationalError as error:  # judged below: what fails in here would end the application
                refusals.append(str(error))
        return enqueue(*arguments, **details)

    monkeypatch.setattr(queue, "enqueue_on_demand", try_to_delete)

    assert tenant.staff.made(INVOKE, body)["meter_device"] == body["meter_device"]
    assert ["lock timeout" in text for text in refusals] == [True]
