"""An event of an ERP that was stored is applied once, whenever the process that took it dies."""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from pipelines import clock, steps
from pipelines.accounts.principals import Principal
from pipelines.crud import create_row
from pipelines.db.engine import unit_of_work
from pipelines.erp import events
from pipelines.erp.resources import INTEGRATION
from pipelines.settings import Settings
from tests.integration.world import World

ROOT = Path(__file__).resolve().parents[2]
CONFIGURATION = {
    "meter_readings": [
        {
            "jsonataExpression": "readings",
            "meter": {"unique_ids": [{"attribute": "meter_number", "field": "meter"}]},
            "fields": [
                {"attribute": "external_id", "field": "id"},
                {"attribute": "timestamp", "field": "at"},
                {"attribute": "source", "constant": "ERP"},
                {"attribute": "value", "field": "value"},
            ],
        }
    ]
}
PROCESS = """
import sys, uuid
from pipelines.db.engine import create_engine
from pipelines.erp import events
engine = create_engine(sys.argv[1])
print("ready", flush=True)
for one in sys.argv[2:]:
    events.work_off(engine, [uuid.UUID(one)], by="test", allow_unconfigured=False)
    print("done", flush=True)
"""


def stored_events(world: World, principal: Principal, meter: str, count: int) -> list[uuid.UUID]:
    body = {"name": "ERP", "use_case_slug": "readings", "configuration": CONFIGURATION}
    with unit_of_work(world.engine) as connection:
        integration = create_row(connection, INTEGRATION, principal, body)["id"]
        payloads = [
            {
                "readings": [
                    {"meter": meter, "id": f"R-{n}-{r}", "at": f"{2000 + n}-{r + 1:02}-01", "value": n * 100 + r}
                    for r in range(12)
                ]
            }
            for n in range(count)
        ]
        request = {"integration_id": str(integration), "events": [{"payload": json.dumps(p)} for p in payloads]}
        stored = events.store(connection, principal, request)
    return [one for one in stored if isinstance(one, uuid.UUID)]


def replay(settings: Settings) -> dict[str, Any]:
    clock.start_at(clock.now() + events._ORPHANED)
    return steps.replay_erp_events(settings=settings)


@pytest.mark.parametrize("after_s", [0.0, 0.02, 0.05, 0.1])
def test_what_a_killed_process_left_is_replayed_once(
    world: World, principal: Principal, settings: Settings, after_s: float
) -> None:
    series = world.series("1-0:1.8.0")
    device = world.device(series)
    stored = stored_events(world, principal, device.name, 20)
    url = world.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    command = [sys.executable, "-c", PROCESS, url, *map(str, stored)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        time.sleep(after_s)
        os.kill(child.pid, signal.SIGKILL)
        child.wait(20)
    time.sleep(0.3)  # the server ends the orphaned transaction

    left = world.rows("SELECT count(*) FROM wattloom.erp_event WHERE state = 'stored'")[0][0]
    counts = replay(settings)

    assert counts == {"replayed": left, "failed": 0}
    assert len(world.readings(device)) == 20 * 12
    assert world.rows("SELECT count(*), min(attempts), max(attempts) FROM wattloom.erp_event") == [(20, 1, 1)]
    assert world.rows("SELECT count(*) FROM wattloom.erp_reading") == [(240,)]
    assert world.rows("SELECT count(*) FROM wattloom.meter_reading_version") == [(0,)]
    assert replay(settings) == {"replayed": 0, "failed": 0}
    assert steps.check(settings=settings)["checks"] > 4


def test_an_event_that_fails_on_our_side_is_kept_and_tried_again(
    world: World, principal: Principal, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = world.device(world.series("1-0:1.8.0"))
    (event,) = stored_events(world, principal, device.name, 1)

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr("pipelines.erp.store.write_readings", broken)
        (result,) = events.work_off(world.engine, [event], by="test", allow_unconfigured=False)
    assert result["status"] == "failed"
    assert world.readings(device) == {}
    assert world.rows("SELECT count(*) FROM wattloom.erp_reading") == [(0,)]

    assert replay(settings) == {"replayed": 1, "failed": 0}
    assert len(world.readings(device)) == 12


def test_finished_events_and_the_bin_are_emptied_by_age(
    world: World, principal: Principal, settings: Settings, engine: sa.Engine
) -> None:
    device = world.device(world.series("1-0:1.8.0"))
    done, left = stored_events(world, principal, device.name, 2)
    events.work_off(engine, [done], by="test", allow_unconfigured=False)
    clock.start_at(clock.now() + (events._ORPHANED * 30 * 24 * 91))

    counts = steps.maintain(settings=settings)

    assert counts["erp_events"] == 1
    assert world.rows("SELECT id FROM wattloom.erp_event") == [(left,)]
    assert len(world.readings(device)) == 12
