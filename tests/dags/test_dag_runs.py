"""The DAGs really run: `dag.test()` in an Airflow of their own, on a clone of the migrated database."""

import asyncio
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
import sqlalchemy as sa

from analytics.calendar import to_us
from pipelines import clock, crud
from pipelines.db import tables
from pipelines.db.engine import unit_of_work
from pipelines.metering.batches import NamedReadings
from pipelines.metering.delivery import deliver
from pipelines.metering.resources import CONFIG, DEVICE, SERIES, TYPE
from pipelines.metering.writer import Authorship
from pipelines.simulators.household import LONDON_FLAT, simulate
from tests.integration.amr.station import Station, lis200, serving

pytestmark = pytest.mark.xdist_group("airflow")

METER, SERIES_NAME = "flat-1", "1-0:1.29.0"
START = datetime(2025, 3, 1, tzinfo=ZoneInfo("Europe/London"))
END = datetime(2025, 4, 1, tzinfo=ZoneInfo("Europe/London"))
HALF_HOURS = 31 * 48 - 2  # the clocks go forward on the 30th


@pytest.fixture
def march(engine, principal):
    """A month of a meter's half-hours, delivered and not yet derived; their sum [mWh]."""
    own = {"organization": str(principal.organization_id)}
    simulated = simulate(LONDON_FLAT, start=START, end=END, interval_s=1800, seed=7)
    with unit_of_work(engine) as connection:
        series = crud.create_row(connection, SERIES, principal, {**own, "name": SERIES_NAME, "unit": "Wh"})
        config = crud.create_row(
            connection,
            CONFIG,
            principal,
            {**own, "name": "c", "series": [str(series["id"])], "timezone": "Europe/London"},
        )
        kind = {
            **own,
            "name": "t",
            "manufacturer": "m",
            "manufacturer_model": "mm",
            "config": str(config["id"]),
        }
        kind = crud.create_row(connection, TYPE, principal, kind)
        device = {**own, "name": METER, "protocol": "dlms-cosem", "type": str(kind["id"])}
        crud.create_row(connection, DEVICE, principal, device)
        batch = NamedReadings(
            pairs=[(METER, SERIES_NAME)],
            pair=np.zeros(HALF_HOURS, dtype=np.int32),
            times_us=simulated.start_us,
            mantissa=simulated.total_mwh,
            scale=np.full(HALF_HOURS, 3, dtype=np.int16),
        )
        author = Authorship(author="test", reason="arranged", at=clock.now())
        verdicts = deliver(connection, principal.organization_id, batch, author)
    assert verdicts.accepted == HALF_HOURS
    return int(simulated.total_mwh.sum())


def total(engine, query):
    with engine.connect() as connection:
        return connection.scalar(query)


def test_readings_become_days_and_appliances_and_every_further_run_changes_nothing(
    airflow, engine, database_url, march
):
    first, second, month, week, *others = airflow(
        "in_airflow_run.py",
        "derive_and_refresh",
        "derive_and_refresh",
        'disaggregate_monthly?{"month": "2025-03"}',
        'disaggregate_weekly?{"week": "2025-03-10"}',
        "promote_staged",
        "prune_staging",
        "replay_erp_events",
        "maintenance",
        "quality_checks",
        WATTLOOM_DATABASE_URL=database_url,
    )

    assert first == {
        "state": "success",
        "tasks": {
            "pending_derive": ["success"],
            "derive": ["success"],
            "pending_refresh": ["success"],
            "refresh": ["success"],
            "publish": ["success"],
        },
    }
    assert second == {
        "state": "success",
        "tasks": {
            "pending_derive": ["success"],
            "derive": ["skipped"],
            "pending_refresh": ["success"],
            "refresh": ["skipped"],
            "publish": ["skipped"],
        },
    }
    assert month == week == {"state": "success", "tasks": {"pending": ["success"], "disaggregate": ["success"]}}
    assert [run["state"] for run in others] == ["success"] * 5
    days, months = tables.daily_energy, tables.disaggregation_month
    parts = sa.select(sa.func.unnest(months.c.parts_mwh).label("energy_mwh")).subquery()
    assert total(engine, sa.select(sa.func.count()).select_from(days)) == 31
    assert total(engine, sa.select(sa.func.sum(days.c.energy_uwh))) == march * 1000
    assert total(engine, sa.select(sa.func.sum(parts.c.energy_mwh))) == march


def test_a_check_that_finds_rows_fails_its_run(airflow, engine, database_url, principal):
    with unit_of_work(engine) as connection:
        connection.execute(
            sa.insert(tables.disaggregation_month).values(
                device_id=1,
                month=datetime(2025, 3, 1, tzinfo=UTC).date(),
                model_version="2",
                computed_at=datetime(2025, 4, 3, tzinfo=UTC),
                timezone="UTC",
                appliances=["others"],
                energy_uwh=[0],
                total_mwh=[0],
                parts_mwh=[0],
                expected_intervals=[96],
                valid_intervals=[96],
                confidence=[1],
                lower_mwh=[0],
                upper_mwh=[0],
                inputs={},
                cycle_appliances=["electric_vehicle"],
                cycle_class=[1],
                cycle_day=[1],
                cycle_begins_day=[False],
                cycle_start_us=[to_us(datetime(2025, 3, 1, 20, tzinfo=UTC))],
                cycle_end_us=[to_us(datetime(2025, 3, 1, 22, tzinfo=UTC))],
                cycle_energy_mwh=[1],
            )
        )

    (run,) = airflow("in_airflow_run.py", "quality_checks", WATTLOOM_DATABASE_URL=database_url)

    assert run == {"state": "failed", "tasks": {"check": ["failed"]}}


def test_a_scheduled_task_is_dispatched_and_collected_over_the_wire(
    airflow, engine, database_url, settings, organization
):
    station = Station.build(engine, settings, organization["organization"]["id"])
    clock.start_at(None)
    interface = station.interface(1)
    meter = station.meter(interface)
    station.task(meter, task_call="read_single_value", task_kwargs={"address": "1:202.0", "model": "dl230"})

    async def run():
        async with serving(station, {interface: lis200()}):
            return await asyncio.to_thread(
                airflow,
                "in_airflow_run.py",
                "dispatch_quarterly",
                "collect_due",
                "dispatch_quarterly",
                "collect_due",
                WATTLOOM_DATABASE_URL=database_url,
            )

    dispatched, collected, again, idle = asyncio.run(run())

    done = {"pending": ["success"], "collect": ["success"], "publish": ["success"]}
    assert dispatched == again == {"state": "success", "tasks": {"dispatch": ["success"]}}
    assert collected == {"state": "success", "tasks": done}
    # A quarter of an hour may have passed between the two dispatches; otherwise there is nothing left to do.
    jobs = station.scalar("SELECT count(*) FROM wattloom.amr_job")
    assert idle["tasks"]["collect"] == (["success"] if jobs == 2 else ["skipped"])
    assert station.scalar("SELECT count(*) FROM wattloom.amr_job WHERE state = 'ok'") == jobs
    assert len(station.readings(meter)) == jobs
