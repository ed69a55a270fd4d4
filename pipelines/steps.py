"""One function per pipeline step: what ``wattloom pipeline STEP`` and the DAGs call. Each is safe to repeat."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from pipelines import clock
from pipelines.accounts import throttling
from pipelines.amr import jobs
from pipelines.amr.schedules import SCHEDULES, latest_tick
from pipelines.db import timescale
from pipelines.db.engine import engine_for, raw, unit_of_work
from pipelines.erp import entities as erp_entities
from pipelines.erp import events as erp_events
from pipelines.erp import store as erp_store
from pipelines.errors import BrokenContract, RejectedInput
from pipelines.insight import derive as derivation
from pipelines.insight import disaggregate as disaggregation
from pipelines.insight import due
from pipelines.insight import refresh as refreshing
from pipelines.insight.work import Limits, batches, changed_devices
from pipelines.metering import promotion, retention, staging
from pipelines.settings import Settings

_LOG = logging.getLogger("wattloom.steps")
CHECKS = Path(__file__).resolve().parents[1] / "sql" / "checks"

Progress = Callable[[int, int], None]
Counts = dict[str, Any]


def _open(settings: Settings | None) -> tuple[Settings, sa.Engine]:
    chosen = settings or Settings.from_environment()
    if chosen.clock is not None and not clock.is_moved():
        clock.start_at(chosen.clock)
    return chosen, engine_for(chosen)


def _parse_instant(name: str, text: str | None, default: datetime) -> datetime:
    if text is None:
        return default
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise RejectedInput({name: [f"{text!r} is no ISO 8601 date or instant"]}) from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def limits(
    devices: Sequence[int] | None = None,
    start: str | None = None,
    end: str | None = None,
    month: str | None = None,
) -> Limits:
    """Return the limits that a step's arguments mean; a month is taken with a day's margin for its zones.

    Raises
    ------
    RejectedInput
        A date or a month is malformed.
    """
    if month is not None:
        first = parse_month(month)
        following = due.months_before(first, -1)
        margin = timedelta(days=1)
        begin = datetime.combine(first, datetime.min.time(), UTC) - margin
        finish = datetime.combine(following, datetime.min.time(), UTC) + margin
        return Limits(devices=devices, start=begin, end=finish)
    unlimited = Limits()
    return Limits(
        devices=devices,
        start=_parse_instant("from", start, unlimited.start),
        end=_parse_instant("to", end, unlimited.end),
    )


def parse_month(month: str) -> date:
    """Return the first day of ``YYYY-MM``.

    Raises
    ------
    RejectedInput
        It is no month.
    """
    try:
        return due.first_of_month(month)
    except ValueError:
        raise RejectedInput({"month": [f"{month!r} is no month; expected YYYY-MM"]}) from None


def promote(*, settings: Settings | None = None) -> Counts:
    """Promote staged readings of every organization whose meters have appeared."""
    chosen, engine = _open(settings)
    promoted = 0
    with unit_of_work(engine) as connection:
        rows = raw(connection).execute("SELECT DISTINCT organization_id FROM wattloom.staged_meter_reading")
        organizations = [organization for (organization,) in rows]
    for organization in organizations:
        with unit_of_work(engine) as connection:
            promoted += promotion.promote(
                connection, organization, at=clock.now(), allow_unconfigured=chosen.allow_unconfigured_devices
            )
    return {"promoted": promoted}


def prune_staging(*, settings: Settings | None = None) -> Counts:
    """Delete staged readings that arrived longer ago than their retention."""
    chosen, engine = _open(settings)
    with unit_of_work(engine) as connection:
        pruned = staging.prune(connection, now=clock.now(), retention_days=chosen.staged_data_retention_days)
    return {"pruned": pruned}


def pending_shards(
    step: str,
    *,
    size: int = 200,
    month: str | None = None,
    week: str | None = None,
    start: str | None = None,
    end: str | None = None,
    settings: Settings | None = None,
) -> list[list[int]]:
    """Return the devices a step has work for, in shards that tasks can take side by side.

    Raises
    ------
    RejectedInput
        The step has no shards.
    """
    chosen, engine = _open(settings)
    logs = {"derive": "reading_change", "refresh": "energy_change"}
    with unit_of_work(engine) as connection:
        if step == "collect":
            return jobs.shards(jobs.due_meters(connection), size)
        if step in logs:
            devices = changed_devices(connection, logs[step], limits(month=month))
        elif step in {"disaggregate-month", "disaggregate-week"}:
            zone = chosen.default_meter_timezone
            monthly = step == "disaggregate-month"
            plan = (
                _span_plan(connection, month, start, end, None, zone)
                if monthly
                else _week_plan(connection, week, None, zone)
            )
            devices = sorted({device for homes in plan.values() for device in homes})
        else:
            raise RejectedInput({"step": [f"{step!r} has no shards"]})
    return list(batches(devices, size))


def dispatch(*, schedule: str | None = None, tick: str | None = None, settings: Settings | None = None) -> Counts:
    """Make the jobs of a schedule's latest tick, or of the one that holds the instant ``tick``; all without a schedule.

    Raises
    ------
    RejectedInput
        There is no such schedule, or the instant is malformed.
    """
    if schedule is not None and schedule not in SCHEDULES:
        raise RejectedInput({"schedule": [f"{schedule!r} is none of {', '.join(SCHEDULES)}"]})
    _, engine = _open(settings)
    at = _parse_instant("tick", tick, clock.now()).astimezone(UTC)
    made: dict[str, int] = {}
    for name in SCHEDULES if schedule is None else [schedule]:
        with unit_of_work(engine) as connection:
            made[name] = jobs.dispatch(connection, schedule=name, tick=latest_tick(name, at))
    return {"jobs": sum(made.values()), **made}


def collect(*, devices: Sequence[int] | None = None, settings: Settings | None = None) -> Counts:
    """Execute every due job, of all meters or of some; how each ended stands with the job."""
    from pipelines.amr import collection  # noqa: PLC0415 - no other step needs an event loop and the drivers

    chosen, engine = _open(settings)
    return collection.collect(engine, chosen, devices=devices)


def derive(
    *,
    devices: Sequence[int] | None = None,
    start: str | None = None,
    end: str | None = None,
    month: str | None = None,
    settings: Settings | None = None,
    progress: Progress | None = None,
) -> Counts:
    """Turn changed readings into interval energy."""
    _, engine = _open(settings)
    return asdict(derivation.derive(engine, limits(devices, start, end, month), progress))


def refresh(
    *,
    devices: Sequence[int] | None = None,
    start: str | None = None,
    end: str | None = None,
    month: str | None = None,
    settings: Settings | None = None,
    progress: Progress | None = None,
) -> Counts:
    """Roll changed energy up to hours, UTC days and local days."""
    chosen, engine = _open(settings)
    done = refreshing.refresh(
        engine,
        limits(devices, start, end, month),
        default_zone=chosen.default_meter_timezone,
        progress=progress,
    )
    return asdict(done)


def _month_plan(
    connection: sa.Connection, month: str | None, devices: Sequence[int] | None, default_zone: str
) -> dict[date, list[int]]:
    if month is None:
        return due.due_months(connection, devices, clock.now(), default_zone=default_zone)
    first = parse_month(month)
    if not due.has_ended(first, clock.now()):
        _LOG.info("%s has not ended in every zone; nothing of it is computed", month)
        return {}
    found = due.measured_devices(connection, first, devices)
    return {first: found} if found else {}


def _span_plan(
    connection: sa.Connection,
    month: str | None,
    start: str | None,
    end: str | None,
    devices: Sequence[int] | None,
    default_zone: str,
) -> dict[date, list[int]]:
    """Return the devices to compute of a month, of the months of ``[start, end)``, or of all that is due."""
    if start is None and end is None:
        return _month_plan(connection, month, devices, default_zone)
    if start is None or end is None or month is not None:
        raise RejectedInput({"month": ["give either a month, or both from and to, or nothing"]})
    span = limits(None, start, end)
    found: dict[date, list[int]] = {}
    first = span.start.date().replace(day=1)
    while first < span.end.date():
        found |= _month_plan(connection, f"{first:%Y-%m}", devices, default_zone)
        first = due.months_before(first, -1)
    return found


def _disaggregate(
    settings: Settings | None,
    progress: Progress | None,
    plan: Callable[[sa.Connection, str], dict[date, list[int]]],
) -> Counts:
    chosen, engine = _open(settings)
    with unit_of_work(engine) as connection:
        months = plan(connection, chosen.default_meter_timezone)
    done = disaggregation.disaggregate_months(
        engine, months, default_zone=chosen.default_meter_timezone, progress=progress
    )
    return {
        "homes": done.homes,
        "home_months": done.months,
        "months": [str(month)[:7] for month in sorted(months)],
    }


def disaggregate_month(
    *,
    month: str | None = None,
    start: str | None = None,
    end: str | None = None,
    devices: Sequence[int] | None = None,
    settings: Settings | None = None,
    progress: Progress | None = None,
) -> Counts:
    """Compute a month, the months of ``[start, end)``, or without either everything that is due.

    Due are new, stale and back-calculated months. A month that has not ended in every zone is never computed.
    """
    return _disaggregate(
        settings, progress, lambda connection, zone: _span_plan(connection, month, start, end, devices, zone)
    )


disaggregate = disaggregate_month
"""The same under the short name of ``wattloom pipeline disaggregate``."""


def _week_plan(
    connection: sa.Connection, week: str | None, devices: Sequence[int] | None, default_zone: str
) -> dict[date, list[int]]:
    """Return the devices to compute per month so that a week, without one the last, can be served."""
    if week is None:
        today = clock.now().date()
        first = today - timedelta(days=today.weekday() + 7)
    else:
        try:
            first = date.fromisoformat(week)
        except ValueError:
            raise RejectedInput({"week": [f"{week!r} is no date; expected the Monday, YYYY-MM-DD"]}) from None
        if first.weekday() != 0:
            raise RejectedInput({"week": [f"{week} is not a Monday"]})
    touched = sorted({first.replace(day=1), (first + timedelta(days=6)).replace(day=1)})
    if week is None:
        pending = due.due_months(connection, devices, clock.now(), default_zone=default_zone)
        return {month: homes for month, homes in pending.items() if month in touched}
    plan: dict[date, list[int]] = {}
    for month in touched:
        plan |= _month_plan(connection, f"{month:%Y-%m}", devices, default_zone)
    return plan


def disaggregate_week(
    *,
    week: str | None = None,
    devices: Sequence[int] | None = None,
    settings: Settings | None = None,
    progress: Progress | None = None,
) -> Counts:
    """Make a week servable: compute the months it touches that have ended.

    A week is a sum of the days of its months, so it always agrees with them. Without ``week`` it is the last one, and
    only what has no current result is computed.
    """
    return _disaggregate(settings, progress, lambda connection, zone: _week_plan(connection, week, devices, zone))


def import_dropped_files(*, settings: Settings | None = None) -> Counts:
    """Import the files of the drop folder, and finish every import that was interrupted while it was applied."""
    from pipelines.registry import dropped  # noqa: PLC0415 - no other step needs the readers of files

    chosen, engine = _open(settings)
    return dropped.import_files(engine, chosen)


def prune_imports(*, settings: Settings | None = None) -> Counts:
    """Delete verdicts, abandoned imports' rows and files of the drop folder that are past their retention."""
    from pipelines.registry import dropped  # noqa: PLC0415

    chosen, engine = _open(settings)
    return dropped.prune(engine, chosen)


def load_weather(
    *,
    devices: Sequence[int] | None = None,
    start: str | None = None,
    end: str | None = None,
    settings: Settings | None = None,
) -> Counts:
    """Ask the weather service for temperatures of homes whose place is known; nobody is asked unless one is set."""
    from pipelines.weather import loading  # noqa: PLC0415 - no other step needs an HTTP client
    from pipelines.weather.client import Archive  # noqa: PLC0415

    chosen, engine = _open(settings)
    asked = limits(devices, start, end)
    if chosen.weather_url is None:
        _LOG.info("WATTLOOM_WEATHER_URL is not set: no weather service is asked")
        return {"places": 0, "requests": 0, "hours": 0}
    with unit_of_work(engine) as connection:
        wanted = loading.wanted_cells(
            connection,
            devices=devices,
            start=asked.start if start is not None else None,
            end=asked.end if end is not None else None,
        )
    with Archive(chosen.weather_url) as archive:
        return loading.fetch(engine, archive, wanted)


def replay_erp_events(*, settings: Settings | None = None) -> Counts:
    """Process again every event of an ERP that was left unprocessed or that failed on our side."""
    chosen, engine = _open(settings)
    return dict(erp_events.replay_unfinished(engine, allow_unconfigured=chosen.allow_unconfigured_devices))


def maintain(*, settings: Settings | None = None) -> Counts:
    """Compress, apply the retention of readings and events, tidy the logs, and name failed database jobs."""
    chosen, engine = _open(settings)
    counts = retention.apply(engine, now=clock.now(), retention_days=chosen.data_retention_days)
    with unit_of_work(engine) as connection:
        counts["collection_jobs"] = jobs.prune(connection, retention_days=chosen.amr_job_retention_days)
        events_end = clock.now() - timedelta(days=chosen.erp_event_retention_days)
        counts["erp_events"] = erp_events.prune(connection, before=events_end)
        erp_store.forget_withdrawn(connection, before=events_end)
        counts["erp_entities"] = erp_entities.empty_bin(connection, before=clock.now() - erp_entities.BIN)
        throttling.forget_idle(connection, before=clock.now() - timedelta(days=1))
        counts["quarantined"] = retention.prune_quarantine(connection, now=clock.now(), settings=chosen)
    failed = timescale.failed_jobs(engine)
    for job in failed:
        _LOG.warning("database job failed: %s", job)
    return {**counts, "compressed_chunks": timescale.compress_due(engine), "failed_jobs": len(failed)}


def check(*, settings: Settings | None = None) -> Counts:
    """Run every query of ``sql/checks``; each returns the rows that break a promise.

    Raises
    ------
    BrokenContract
        A check returned rows; the text names the checks and their counts.
    """
    _, engine = _open(settings)
    offending: dict[str, int] = {}
    scripts = sorted(CHECKS.glob("*.sql"))
    for script in scripts:
        with unit_of_work(engine) as connection:
            rows = connection.exec_driver_sql(script.read_text(encoding="utf-8")).fetchmany(1000)
        if rows:
            offending[script.stem] = len(rows)
            _LOG.error("check %s: %d rows, the first is %s", script.stem, len(rows), tuple(rows[0]))
    if offending:
        raise BrokenContract(
            "checks failed: " + ", ".join(f"{name} ({count})" for name, count in offending.items())
        )
    return {"checks": len(scripts)}
