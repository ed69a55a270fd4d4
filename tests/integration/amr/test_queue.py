"""The queue of jobs: dispatched once a tick, claimed by one at a time in order, never lost and never tried for ever."""

import threading
from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from pipelines import clock
from pipelines.accounts.organizations import create_organization
from pipelines.amr import jobs
from pipelines.amr.faults import BadData, MeterFault, NoAnswer, Reason
from pipelines.amr.gathering import Gathering
from pipelines.amr.jobs import Job, Verdict
from pipelines.amr.session import _verdict
from pipelines.db import tables
from pipelines.db.engine import unit_of_work
from tests.integration.amr.station import NOW, Station
from tests.unit.amr.test_gathering import target

HOLD = timedelta(minutes=5)
QUARTER = timedelta(minutes=15)


def states(station: Station) -> Counter[str]:
    return Counter(state for (state,) in station.world.rows("SELECT state FROM wattloom.amr_job"))


def claim(station: Station, count: int = 100, *, token: UUID | None = None, **limits: Any) -> list[Job]:
    with unit_of_work(station.engine) as connection:
        return jobs.claim(connection, token=token or uuid4(), count=count, hold=HOLD, **limits)


def finish(station: Station, token: UUID, *verdicts: Verdict) -> None:
    with unit_of_work(station.engine) as connection:
        jobs.finish(connection, token, verdicts)


def take_back(station: Station, attempts: int = 3) -> int:
    with unit_of_work(station.engine) as connection:
        return jobs.take_back_lost(connection, attempts=attempts)


def group_of(station: Station, *tasks: UUID, devices: Any = ()) -> UUID:
    group: UUID = station.world._insert(tables.amr_task_group, name="g").id
    with unit_of_work(station.engine) as connection:
        for task in tasks:
            connection.execute(sa.insert(tables.amr_task_group_task).values(group_id=group, task_id=task))
        for device in devices:
            connection.execute(
                sa.insert(tables.meter_device_task_group).values(device_id=device.id, group_id=group)
            )
    return group


def test_a_meters_tasks_are_those_of_its_groups_and_its_own_each_once(station: Station) -> None:
    meters = [station.meter(None) for _ in range(3)]
    first, second = station.task(meters[0], meters[1]), station.task(meters[0])
    for _ in range(2):  # the same tasks by way of two groups
        group_of(station, first, second, devices=meters[:2])

    assert station.dispatch() == 4
    query = "SELECT meter_device_id, amr_task_id FROM wattloom.amr_job"
    assert Counter(station.world.rows(query)) == Counter(
        {(meter.id, task): 1 for meter in meters[:2] for task in (first, second)}
    )


def test_a_tick_is_dispatched_once_however_often_and_by_however_many(station: Station) -> None:
    station.task(*(station.meter(None) for _ in range(20)))
    made: list[int] = []

    def dispatch() -> None:
        made.append(station.dispatch(tick=NOW))

    threads = [threading.Thread(target=dispatch) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (sorted(made), station.dispatch(tick=NOW)) == ([0, 0, 0, 20], 0)
    assert states(station) == {"waiting": 20}


def test_inactive_tasks_and_organizations_other_schedules_and_foreign_meters_are_not_dispatched(
    station: Station,
) -> None:
    meter = station.meter(None)
    station.task(meter, is_active=False)
    station.task(meter, schedule="hourly")
    with unit_of_work(station.engine) as connection:
        create_organization(connection, "Second")
    assert station.dispatch() == 0

    station.task(meter)
    switch = "UPDATE wattloom.organization SET is_active = :on"
    station.world.execute(switch, on=False)
    assert station.dispatch() == 0
    station.world.execute(switch, on=True)
    assert station.dispatch() == 1


def test_an_offset_delays_a_run_and_a_task_that_is_switched_off_waits(station: Station) -> None:
    task = station.task(station.meter(None), run_offset_seconds=600)
    station.dispatch(tick=NOW)

    assert claim(station) == []
    clock.start_at(NOW + timedelta(seconds=601))
    station.world.execute("UPDATE wattloom.amr_task SET is_active = false WHERE id = :id", id=task)
    assert claim(station) == []
    station.world.execute("UPDATE wattloom.amr_task SET is_active = true WHERE id = :id", id=task)
    assert len(claim(station)) == 1


def test_a_new_run_ends_those_still_waiting_but_none_under_way_none_of_other_schedules_and_none_on_demand(
    station: Station,
) -> None:
    waiting, running, hourly = (station.meter(None) for _ in range(3))
    task = station.task(running)
    station.dispatch(tick=NOW)
    claim(station)
    with unit_of_work(station.engine) as connection:
        connection.execute(sa.insert(tables.meter_device_task).values(device_id=waiting.id, task_id=task))
    station.dispatch(tick=NOW)
    station.task(hourly, schedule="hourly")
    station.dispatch("hourly", NOW)
    station.invoke(waiting)

    assert station.dispatch(tick=NOW + QUARTER) == 2

    rows = station.world.rows(
        "SELECT meter_device_id, tick, state, reason FROM wattloom.amr_job WHERE priority = 0 AND tick = :t", t=NOW
    )
    assert {(row[0], row[2], row[3]) for row in rows} == {
        (waiting.id, "failed", "superseded"),
        (running.id, "running", None),
        (hourly.id, "waiting", None),
    }
    assert states(station)["waiting"] == 4, "two new ones, the hourly and the one on demand"


def test_a_run_that_comes_late_ends_no_newer_one(station: Station) -> None:
    station.task(station.meter(None))
    station.dispatch(tick=NOW + QUARTER)

    station.dispatch(tick=NOW)

    assert states(station) == {"waiting": 2}


def test_a_run_that_is_superseded_after_it_stored_something_is_partial(station: Station) -> None:
    station.task(station.meter(None))
    station.dispatch(tick=NOW)
    token = uuid4()
    (job,) = claim(station, token=token)
    finish(station, token, Verdict(job=job.id, state="partial", reason=Reason.NO_ANSWER, retry_at=NOW, stored=5))

    station.dispatch(tick=NOW + QUARTER)

    ended = station.job(job.id)
    assert (ended.state, ended.reason, ended.readings_stored) == ("partial", "no_answer", 5)


def test_jobs_on_demand_are_claimed_first_then_the_longest_due(station: Station) -> None:
    meter = station.meter(None)
    late, later = (station.task(meter, run_offset_seconds=offset) for offset in (0, 60))
    station.dispatch(tick=NOW - QUARTER)
    station.invoke(meter)

    ordered = claim(station)

    assert [job.is_on_demand for job in ordered] == [True, False, False]
    assert [station.job(job.id).amr_task_id for job in ordered[1:]] == [late, later]
    assert [job.attempt for job in ordered] == [1, 1, 1]
    assert claim(station) == []


def test_no_more_are_claimed_than_asked_for_and_only_of_the_devices_and_the_priority_wanted(
    station: Station,
) -> None:
    meters = [station.meter(None) for _ in range(5)]
    station.task(*meters)
    station.dispatch()
    on_demand = station.invoke(meters[0])

    assert [job.id for job in claim(station, priority=jobs.ON_DEMAND)] == [on_demand]
    assert [job.meter_id for job in claim(station, devices=[meters[3].sensor_id])] == [meters[3].id]
    assert claim(station, devices=[]) == []
    assert len(claim(station, 3)) == 3
    assert len(claim(station)) == 1


def test_a_job_is_claimed_by_one_of_many(station: Station) -> None:
    station.task(*(station.meter(None) for _ in range(60)))
    station.dispatch()
    taken: list[int] = []
    together = threading.Barrier(6)

    def take() -> None:
        together.wait()
        while got := claim(station, 4):
            taken.extend(job.id for job in got)

    threads = [threading.Thread(target=take) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(taken) == len(set(taken)) == 60


def test_who_lost_a_job_can_neither_finish_nor_keep_it(station: Station) -> None:
    identifier = station.invoke(station.meter(None))
    old, new = uuid4(), uuid4()
    claim(station, token=old)
    clock.start_at(NOW + timedelta(minutes=6))
    assert take_back(station) == 1
    assert station.job(identifier).state == "waiting"
    (again,) = claim(station, token=new)
    before = station.job(identifier)

    finish(station, old, Verdict(job=identifier, state="ok"))
    with unit_of_work(station.engine) as connection:
        jobs.keep(connection, token=old, jobs=[identifier], hold=2 * HOLD)

    assert again.attempt == 2
    assert station.job(identifier) == before
    finish(station, new, Verdict(job=identifier, state="ok"))
    assert station.job(identifier).state == "ok"


def test_a_kept_claim_does_not_run_out(station: Station) -> None:
    kept, left = (station.invoke(station.meter(None)) for _ in range(2))
    token = uuid4()
    claim(station, token=token)
    clock.start_at(NOW + timedelta(minutes=4))
    with unit_of_work(station.engine) as connection:
        jobs.keep(connection, token=token, jobs=[kept], hold=HOLD)
    clock.start_at(NOW + timedelta(minutes=6))

    assert take_back(station) == 1
    assert (station.job(kept).state, station.job(left).state) == ("running", "waiting")


@pytest.mark.parametrize(("stored", "state"), [(0, "failed"), (7, "partial")])
def test_a_job_whose_last_attempt_was_lost_ends_with_what_it_stored(
    station: Station, stored: int, state: str
) -> None:
    identifier = station.invoke(station.meter(None))
    claim(station)
    station.world.execute("UPDATE wattloom.amr_job SET attempt = 3, readings_stored = :n", n=stored)
    clock.start_at(NOW + timedelta(minutes=6))

    assert take_back(station) == 1

    job = station.job(identifier)
    assert (job.state, job.reason, job.finished_at is not None) == (state, "collector_lost", True)


def test_what_earlier_attempts_stored_makes_a_failed_job_partial(station: Station) -> None:
    identifier = station.invoke(station.meter(None))
    token = uuid4()
    for verdict in (
        Verdict(job=identifier, state="partial", reason=Reason.CONNECTION_LOST, retry_at=NOW, found=9, stored=8),
        Verdict(job=identifier, state="failed", reason=Reason.UNREACHABLE),
    ):
        claim(station, token=token)
        finish(station, token, verdict)

    job = station.job(identifier)
    assert (job.state, job.reason, job.readings_stored, job.attempt) == ("partial", "unreachable", 8, 2)


def test_a_job_that_is_put_back_has_lost_no_attempt(station: Station) -> None:
    identifier = station.invoke(station.meter(None))
    token = uuid4()
    for _ in range(5):
        claim(station, token=token)
        blocked = Verdict(job=identifier, state="waiting", reason=Reason.BLOCKED, retry_at=NOW, uncount=True)
        finish(station, token, blocked)

    job = station.job(identifier)
    assert (job.state, job.attempt, job.reason) == ("waiting", 0, "interface_blocked")


@pytest.mark.parametrize(
    ("fault", "attempt", "retries"),
    [
        (NoAnswer("x"), 1, (30, 90)),
        (NoAnswer("x"), 2, (60, 180)),
        (NoAnswer("x"), 3, None),
        (NoAnswer("x"), 9, None),
        (BadData("x"), 1, None),
        (MeterFault("x"), 1, None),
    ],
)
def test_only_the_line_is_tried_again_later_each_time_twice_as_late_with_jitter_and_not_for_ever(
    station: Station, fault: MeterFault, attempt: int, retries: tuple[int, int] | None
) -> None:
    job = Job(
        id=1, meter_id=uuid4(), execution_type="", call="", arguments=None, attempt=attempt, is_on_demand=False
    )
    waits: list[float] = []
    for _ in range(200):
        at = clock.now()
        verdict = _verdict(job, Gathering(target()), fault, station.settings)
        assert (verdict.state, verdict.reason) == ("failed", fault.reason)
        if verdict.retry_at is not None:
            waits.append((verdict.retry_at - at).total_seconds())

    if retries is None:
        assert waits == []
    else:
        assert len(waits) == 200
        assert retries[0] <= min(waits) < max(waits) <= retries[1] + 1
        assert max(waits) - min(waits) > retries[0] / 2, "no jitter"


def test_a_meter_may_be_deleted_while_its_run_is_dispatched(station: Station) -> None:
    meters = [station.meter(None) for _ in range(3)]
    station.task(*meters)
    made: list[int] = []
    with unit_of_work(station.engine) as connection:
        connection.execute(sa.delete(tables.meter_device).where(tables.meter_device.c.id == meters[1].id))
        other = threading.Thread(target=lambda: made.append(station.dispatch()))
        other.start()
        other.join(0.5)
        assert other.is_alive(), "it waits for what becomes of the meter"
    other.join()

    assert made == [2]


def test_interfaces_that_are_in_use_or_whose_circuit_is_open_are_left_alone(station: Station) -> None:
    used, broken = station.interface(1), station.interface(2)
    shared = station.interface(3, can_block=False)
    later = clock.now() + timedelta(minutes=1)
    station.world.execute(
        "UPDATE wattloom.network_interface SET blocked_until = :t WHERE id IN (:a, :b)", t=later, a=used, b=shared
    )
    station.world.execute(
        "UPDATE wattloom.network_interface SET circuit_open_until = :t WHERE id = :a", t=later, a=broken
    )
    meters = [station.meter(interface) for interface in (used, broken, shared)]
    station.task(*meters)
    station.dispatch()

    assert [job.meter_id for job in claim(station)] == [meters[2].id], "what cannot block is never blocked"
    on_demand = [station.invoke(meter) for meter in meters[:2]]
    assert [job.id for job in claim(station)] == on_demand[1:], "who asks now is not kept waiting by a circuit"
    with unit_of_work(station.engine) as connection:
        assert jobs.due_meters(connection) == []
    clock.start_at(later + timedelta(seconds=1))
    with unit_of_work(station.engine) as connection:
        assert sorted(jobs.due_meters(connection)) == sorted(
            [(meters[0].sensor_id, used), (meters[1].sensor_id, broken)]
        )
