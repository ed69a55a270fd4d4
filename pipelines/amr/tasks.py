"""Tasks, task groups and jobs as resources, and the invocation of a task on demand."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from pipelines import clock, crud
from pipelines.accounts.principals import Principal
from pipelines.amr import jobs
from pipelines.amr.drivers import EXECUTION_TYPES, checked_arguments
from pipelines.amr.faults import MeterFault, Reason
from pipelines.amr.schedules import SCHEDULES, SHORTEST_PERIOD_S
from pipelines.crud import Link, Resource, Row
from pipelines.db import tables
from pipelines.errors import RejectedInput
from pipelines.fields import Field, Kind, check_all
from pipelines.metering.resources import ORGANIZATION

_PROBLEM = 500
_EXECUTION_TYPE = Field(name="meter_execution_type", required=True, choices=EXECUTION_TYPES)
_CALL = Field(name="task_call", required=True, min_length=1, max_length=50, doc="See docs/collecting.md")
_KWARGS = Field(name="task_kwargs", kind=Kind.OBJECT, nullable=True, doc="Arguments of the call")
_OFFSET = Field(
    name="run_offset_seconds",
    kind=Kind.INTEGER,
    minimum=0,
    doc="Delays the run; less than the time to the next run",
)


def _plain(value: Any) -> Any:
    """Return what JSON can store: exact fractions as text, which every decimal argument takes."""
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _problem(execution_type: str, call: str, arguments: Mapping[str, Any] | None) -> str | None:
    """Return what a driver will say of a call, None where it will take it."""
    try:
        checked_arguments(execution_type, call, arguments)
    except MeterFault as fault:
        return str(fault)[:_PROBLEM]  # it may repeat names that were sent
    return None


def _check_task(_connection: sa.Connection, _principal: Principal, values: Row, before: Row | None) -> None:
    known = {"run_offset_seconds": 0, **(before or {}), **values}
    period = SHORTEST_PERIOD_S[known["schedule"]]
    if known["run_offset_seconds"] >= period:
        raise RejectedInput(
            {"run_offset_seconds": [f"Ensure this value is less than {period}, when the next run may come."]}
        )
    if "task_kwargs" in values:
        values["task_kwargs"] = _plain(values["task_kwargs"])


def _end_waiting(connection: sa.Connection, row: Row) -> None:
    """End the runs that a deleted task still waits for: nobody could tell any more what they are for."""
    job, now = tables.amr_job, clock.now()
    verdict = {
        "state": "failed",
        "reason": Reason.SUPERSEDED.value,
        "detail": "its task was deleted before it was done",
        "finished_at": now,
        "updated_at": now,
    }
    waiting = sa.and_(job.c.amr_task_id == row["id"], job.c.state == "waiting")
    connection.execute(sa.update(job).where(waiting).values(**verdict))


def _task_problem(_connection: sa.Connection, rows: Sequence[Row]) -> None:
    for row in rows:
        row["problem"] = _problem(row["meter_execution_type"], row["task_call"], row["task_kwargs"])


TASK = Resource(
    name="amr-tasks",
    title="AmrTask",
    table=tables.amr_task,
    fields=(
        ORGANIZATION,
        Field(name="name", required=True, min_length=1, max_length=150),
        Field(name="description", max_length=500),
        Field(name="is_active", kind=Kind.BOOLEAN),
        Field(name="schedule", required=True, choices=SCHEDULES, doc="In UTC; quarterly is every 15 minutes"),
        _OFFSET,
        _EXECUTION_TYPE,
        _CALL,
        _KWARGS,
        Field(
            name="problem", nullable=True, read_only=True, doc="Why no meter can execute it; null: none is seen"
        ),
    ),
    before_write=_check_task,
    before_delete=_end_waiting,
    extend=_task_problem,
)


def _tasks_info(connection: sa.Connection, rows: Sequence[Row]) -> None:
    found = crud.shown_rows(
        connection, TASK, {task for row in rows for task in row["tasks"]}, {row["organization_id"] for row in rows}
    )
    for row in rows:
        row["tasks_info"] = [found[task] for task in row["tasks"] if task in found]  # else deleted since


TASK_GROUP = Resource(
    name="amr-task-groups",
    title="AmrTaskGroup",
    table=tables.amr_task_group,
    fields=(
        Field(name="name", required=True, min_length=1, max_length=150),
        ORGANIZATION,
        Field(name="description", max_length=500),
        Field(name="tasks", kind=Kind.UUIDS, refers_to="amr-tasks"),
        Field(name="tasks_info", kind=Kind.OBJECTS, read_only=True),
    ),
    links={"tasks": Link(table=tables.amr_task_group_task, own="group_id", other="task_id")},
    targets={"tasks": tables.amr_task},
    extend=_tasks_info,
)


def _read_only(name: str, kind: Kind = Kind.STRING, doc: str = "", *, column: str | None = None) -> Field:
    return Field(name=name, kind=kind, read_only=True, nullable=True, doc=doc, column=column)


JOB = Resource(
    name="amr-jobs",
    title="AmrJob",
    table=tables.amr_job,
    fields=(
        _read_only("organization", Kind.UUID, column="organization_id"),
        _read_only("meter_device", Kind.UUID, column="meter_device_id"),
        _read_only(
            "amr_task", Kind.UUID, "null: invoked on demand, or the task was deleted", column="amr_task_id"
        ),
        _read_only("meter_execution_type"),
        _read_only("task_call"),
        _read_only("task_kwargs", Kind.OBJECT),
        _read_only("tick", Kind.DATETIME, "The run of the schedule it belongs to"),
        _read_only("due_at", Kind.DATETIME, "Not before; later after a failed attempt"),
        _read_only("state", doc="waiting, running, ok, partial or failed"),
        _read_only("attempt", Kind.INTEGER, "Attempts so far"),
        _read_only("reason", doc="Why the last attempt did not end well, one word"),
        _read_only("detail", doc="and one sentence"),
        _read_only("started_at", Kind.DATETIME),
        _read_only("finished_at", Kind.DATETIME),
        _read_only("readings_found", Kind.INTEGER, "Values the meter sent"),
        _read_only("readings_stored", Kind.INTEGER, "of which stored, unchanged repeats included"),
        _read_only("readings_rejected", Kind.INTEGER, "of which not allowed by the meter's config"),
    ),
    filters=("meter_device", "amr_task", "state", "reason", "start_time", "end_time"),
    time_column="due_at",
    integer_id=True,
    may_create=False,
    may_update=False,
    may_delete=False,
)

INVOCATION = (
    Field(name="meter_device", kind=Kind.UUID, required=True, refers_to="meter-devices"),
    _CALL,
    _KWARGS,
    _OFFSET,
    _EXECUTION_TYPE,
)


def invoke(connection: sa.Connection, principal: Principal, payload: Any) -> Row:
    """Put a job before all scheduled ones; return it as the API shows it.

    Raises
    ------
    RejectedInput
        A field is wrong, or the meter is unknown.
    """
    values = check_all(INVOCATION, payload)
    device = tables.meter_device
    query = sa.select(device.c.id, device.c.organization_id).where(
        device.c.id == values["meter_device"],
        device.c.organization_id.in_(crud.visible_organizations(principal)),
    )
    meter = connection.execute(query.with_for_update(read=True, key_share=True, of=device)).one_or_none()
    if meter is None:
        raise RejectedInput({"meter_device": [f'Invalid pk "{values["meter_device"]}" - object does not exist.']})
    organization: UUID = meter.organization_id
    identifier = jobs.enqueue_on_demand(
        connection,
        organization=organization,
        meter=meter.id,
        execution_type=values["meter_execution_type"],
        call=values["task_call"],
        arguments=_plain(values.get("task_kwargs")),
        due_at=clock.now() + timedelta(seconds=values.get("run_offset_seconds", 0)),
    )
    return crud.shown(JOB, crud.get_row(connection, JOB, principal, identifier))
