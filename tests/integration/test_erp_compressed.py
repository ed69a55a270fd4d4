"""An ERP deletes, prunes and moves readings that lie in compressed chunks."""

import json
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from pipelines import clock
from pipelines.accounts.principals import Principal
from pipelines.crud import create_row
from pipelines.db import timescale
from pipelines.db.engine import unit_of_work
from pipelines.erp import events
from pipelines.erp.resources import INTEGRATION
from tests.integration.test_erp_killed import CONFIGURATION
from tests.integration.test_refresh import assert_rolled_up
from tests.integration.world import QUARTER, Device, World, authored

pytestmark = pytest.mark.timescale
FIRST = datetime(2021, 1, 1, tzinfo=UTC)


def send(engine: sa.Engine, principal: Principal, payload: dict[str, Any], **changes: Any) -> list[str]:
    """Send an event by an integration of its own; return what became of its rows."""
    (item,) = CONFIGURATION["meter_readings"]
    configuration = {"meter_readings": [item | changes]}
    body = {"name": "ERP", "use_case_slug": "readings", "configuration": configuration}
    with unit_of_work(engine) as connection:
        integration = create_row(connection, INTEGRATION, principal, body)["id"]
        request = {"integration_id": str(integration), "events": [{"payload": json.dumps(payload)}]}
        stored = events.store(connection, principal, request)
    events.work_off(engine, stored, by="test", allow_unconfigured=False)
    (event,) = stored
    assert isinstance(event, uuid.UUID)
    with unit_of_work(engine) as connection:
        shown = events.show(connection, principal, integration, event)
    return [row.get("action", row["message"]) for row in shown["results"]]


def month(n: int) -> str:
    return f"2021-{n:02}-15T00:07:00Z"


def row(device: Device, n: int, at: str | None = None) -> dict[str, Any]:
    return {"meter": device.name, "id": f"R-{n}", "at": at or month(n), "value": n}


def test_an_erp_deletes_prunes_and_moves_in_compressed_chunks(world: World, principal: Principal) -> None:
    series = world.series("1-0:1.8.0")
    device = world.device(series)
    shared = row(device, 8, "2021-01-20T00:00:00Z")  # the meter sends its own for this instant later
    rows = [*(row(device, n) for n in range(1, 8)), shared]
    send(world.engine, principal, {"readings": rows}, deduplication_window_hours=0)
    world.write([(device, series, FIRST + n * QUARTER, 1) for n in range(96 * 200)], authored(at=clock.now()))
    world.work_off()
    assert timescale.compress_due(world.engine) > 3
    before = world.readings(device)

    deleted = send(world.engine, principal, {"readings": [row(device, 1)]}, mode="delete")
    strict = {"mode": "delete", "reading_matching": "strict-date"}
    by_day = send(world.engine, principal, {"readings": [row(device, 99, "2021-02-15T20:00:00Z")]}, **strict)
    moved = send(world.engine, principal, {"readings": [row(device, 3, "2021-03-20T00:07:00Z")]})
    pruned = send(world.engine, principal, {"readings": [row(device, 7)]}, mode="upsert-prune-scope")

    assert (deleted, by_day, moved, pruned) == (["deleted"], ["deleted"], ["updated"], ["updated", "pruned"])
    assert world.rows("SELECT external_id FROM wattloom.erp_reading") == [("R-7",)]
    after = world.readings(device)
    assert after.items() <= before.items()
    gone = sorted(moment for _, moment in set(before) - set(after))
    assert gone == [datetime(2021, n, 15, 0, 7, tzinfo=UTC) for n in range(1, 7)]
    world.work_off()
    assert_rolled_up(world, device)
