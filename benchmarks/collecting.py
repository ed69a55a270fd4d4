"""A thousand LIS-200 sessions stored, against the same sessions with nothing behind them; dispatch of many jobs."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from benchmarks.collector import CALL, KIND, arguments
from benchmarks.measure import Row, database, median, seconds
from pipelines.accounts.organizations import create_organization
from pipelines.amr import jobs
from pipelines.db.engine import raw, unit_of_work

SESSIONS, ROWS, DELAY_S, ROUNDS = 1000, 480, 0.2, 3
DUE = 100_000

_METERS = """
    WITH series AS (
        INSERT INTO wattloom.meter_reading_series (organization_id, name, unit, created_at, updated_at)
        VALUES (%(organization)s, '1-0:1.8.0', 'kWh', now(), now()) RETURNING id
    ), config AS (
        INSERT INTO wattloom.meter_device_config (organization_id, name, created_at, updated_at)
        VALUES (%(organization)s, 'c', now(), now()) RETURNING id
    ), allowed AS (
        INSERT INTO wattloom.meter_device_config_series SELECT config.id, series.id FROM config, series
    ), type AS (
        INSERT INTO wattloom.meter_device_type
            (organization_id, name, manufacturer, manufacturer_model, config_id, created_at, updated_at)
        SELECT %(organization)s, 't', 'Elster', 'DL230', config.id, now(), now() FROM config RETURNING id
    ), interface AS (
        INSERT INTO wattloom.network_interface (organization_id, fqdn, port, created_at, updated_at)
        SELECT %(organization)s, '127.0.0.1', %(port)s, now(), now() FROM generate_series(1, %(count)s) RETURNING id
    ), numbered AS (
        SELECT id, row_number() OVER () AS n FROM interface
    ), device AS (
        INSERT INTO wattloom.meter_device
            (organization_id, name, protocol, type_id, network_interface_id, created_at, updated_at)
        SELECT %(organization)s, 'm' || n, 'lis-200', type.id, numbered.id, now(), now() FROM numbered, type
        RETURNING id
    ), task AS (
        INSERT INTO wattloom.amr_task (organization_id, name, schedule, meter_execution_type, task_call, task_kwargs,
                                       created_at, updated_at)
        VALUES (%(organization)s, 'bench', 'quarterly', %(kind)s, %(call)s, %(kwargs)s, now(), now()) RETURNING id
    )
    INSERT INTO wattloom.meter_device_task SELECT device.id, task.id FROM device, task
"""


def _make_meters(engine: sa.Engine, *, count: int, port: int) -> None:
    with unit_of_work(engine) as connection:
        made = create_organization(connection, "Bench")
        values: dict[str, Any] = {
            "organization": UUID(made["organization"]["id"]),
            "count": count,
            "port": port,
            "kind": KIND,
            "call": CALL,
            "kwargs": json.dumps(arguments(ROWS)),
        }
        raw(connection).execute(_METERS, values)


def _dispatch(engine: sa.Engine) -> None:
    with unit_of_work(engine) as connection:
        jobs.dispatch(connection, schedule="quarterly", tick=datetime.now(UTC).replace(microsecond=0))


@contextmanager
def _meters(delay_s: float) -> Iterator[int]:
    command = [sys.executable, "-m", "benchmarks.meters", "--rows", str(ROWS), "--delay", str(delay_s)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.terminate()


def _collector(mode: str, port: int, url: str = "") -> dict[str, float]:
    environment = os.environ | {
        "WATTLOOM_DATABASE_URL": url,
        "WATTLOOM_AMR_SESSIONS": str(SESSIONS),
        "WATTLOOM_AMR_SILENCE_S": "60",
    }
    command = [sys.executable, "-m", "benchmarks.collector", mode, "--port", str(port)]
    command += ["--sessions", str(SESSIONS), "--rows", str(ROWS), "--concurrency", str(SESSIONS)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    assert found["readings"] == SESSIONS * ROWS, found
    return found


def run(server_url: str) -> list[Row]:
    bare, stored = [], []
    with _meters(DELAY_S) as port:
        for _ in range(ROUNDS):
            bare.append(_collector("bare", port))
            with database(server_url) as (url, engine):
                _make_meters(engine, count=SESSIONS, port=port)
                _dispatch(engine)
                stored.append(_collector("stored", port, url))
    ratio = median([s["seconds"] / b["seconds"] for s, b in zip(stored, bare, strict=True)])
    seconds_stored = median([s["seconds"] for s in stored])
    hourly = SESSIONS / seconds_stored * 3600
    peak = max(s["peak_mb"] for s in stored)
    with database(server_url) as (_, engine):
        _make_meters(engine, count=DUE, port=1)
        dispatched = seconds(lambda: _dispatch(engine))
        again = seconds(lambda: _dispatch(engine))
    what = f"{SESSIONS:,} LIS-200 sessions of {ROWS} values, each reply after {DELAY_S:g} s"
    return [
        Row(
            what=f"{what}, stored, against the bare loop ({median([b['seconds'] for b in bare]):.1f} s)",
            figure=f"x{ratio:.2f} ({seconds_stored:.1f} s)",
            target="<= x1.5",
            met=ratio <= 1.5,
        ),
        Row(
            what="the same as sessions an hour at concurrency 1,000",
            figure=f"{hourly:,.0f} ({hourly / 3600 * ROWS:,.0f} values/s)",
            target=">= 300,000",
            met=hourly >= 300_000,
        ),
        Row(what="peak memory of that collector", figure=f"{peak:.0f} MB", target="<= 200 MB", met=peak <= 200),
        Row(
            what=f"dispatch of {DUE:,} due jobs (again: {again:.1f} s)",
            figure=f"{dispatched:.1f} s",
            target="<= 10 s",
            met=dispatched <= 10,
        ),
    ]
