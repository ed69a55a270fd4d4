"""Months of stored interval energy into stored results, end to end: read, disaggregate, write."""

import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import sqlalchemy as sa

from analytics.calendar import EPOCH_DAY, month_range, to_us
from analytics.disaggregation.columns import N_COLUMNS
from analytics.series import Direction
from benchmarks.fleet import make_fleet
from benchmarks.measure import Row, database, seconds
from pipelines import clock
from pipelines.db.bulk import copy_in
from pipelines.db.engine import raw, unit_of_work
from pipelines.insight.disaggregate import disaggregate_months
from pipelines.insight.due import months_before
from pipelines.insight.history import HISTORY_MONTHS, store_statistics
from pipelines.insight.refresh import refresh
from pipelines.insight.work import Limits
from pipelines.insight.zones import zones_of_devices

HOMES = {1800: 1000, 900: 1000}
"""Homes by the length of their intervals [s]."""
MONTH = date(2024, 1, 1)
TARGET = 5000.0


def run(server_url: str) -> list[Row]:
    """Return how many home-months a second go through, and where the time goes.

    The worker keeps two batches under way, so the wall clock uses up to two cores; the rate of a core counts the
    processor time of the worker and of the server together.
    """
    rows = []
    for interval_s, homes in HOMES.items():
        with database(server_url) as (_, engine):
            fleet = make_fleet(engine, homes)
            sensors = sorted(fleet.sensors)
            _fill(engine, sensors, interval_s)
            plan = {MONTH: sensors}
            clock.start_at(datetime(2024, 3, 1, tzinfo=UTC))
            warm = {MONTH: sensors[:50]}
            disaggregate_months(engine, warm, default_zone="UTC")
            used, served = time.process_time(), _server_s(engine)
            took = seconds(lambda: disaggregate_months(engine, plan, default_zone="UTC"))  # noqa: B023
            used, served = time.process_time() - used, _server_s(engine) - served
            clock.start_at(None)
        rate = homes / (used + served)
        rows.append(
            Row(
                what=f"home-months a second and core, {interval_s // 60} min, worker and server together",
                figure=(
                    f"{rate:,.0f} ({used / homes * 1e6:,.0f} µs in Python and kernels, {served / homes * 1e6:,.0f} µs"
                    f" in the server; {homes / took:,.0f} a second by the clock with one worker)"
                ),
                target=f">= {TARGET:,.0f}",
                met=rate >= TARGET,
            )
        )
    return rows


def _server_s(engine: sa.Engine) -> float:
    """Return the processor time of every process of the server so far [s]; it runs on this machine."""
    with unit_of_work(engine) as connection:
        pids = [pid for (pid,) in raw(connection).execute("SELECT pid FROM pg_stat_activity")]
    return sum(int(Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()[0]) for pid in pids) / 1e9


def _fill(engine: sa.Engine, sensors: list[int], interval_s: int) -> None:
    """Store two months of energy of each home, and the statistics of the year before them."""
    random = np.random.default_rng(7)
    first, last = months_before(MONTH, 1), month_range(MONTH.year, MONTH.month).last
    start_us = to_us(datetime(first.year, first.month, 1, tzinfo=UTC))
    count = ((last - first).days + 1) * 86_400 // interval_s
    times_us = start_us + np.arange(count, dtype=np.int64) * interval_s * 1_000_000
    hour = (times_us // 3_600_000_000 % 24).astype(np.int64)
    shape = 120 + 250 * ((hour >= 17) & (hour < 22)) + 100 * ((hour >= 6) & (hour < 9))
    for chunk in range(0, len(sensors), 100):
        some = sensors[chunk : chunk + 100]
        bursts = random.random((len(some), count)) < 0.03
        power_w = shape * random.gamma(4, 0.25, (len(some), count)) + 1800 * bursts
        size = len(some) * count
        with unit_of_work(engine) as connection:
            copy_in(
                raw(connection),
                "interval_energy",
                {
                    "device_id": ("int4", np.repeat(np.array(some, dtype=np.int32), count)),
                    "direction": ("int2", np.full(size, int(Direction.IMPORT), dtype=np.int16)),
                    "start_at": ("timestamptz", np.tile(times_us, len(some))),
                    "duration_s": ("int4", np.full(size, interval_s, dtype=np.int32)),
                    "energy_uwh": ("int8", np.rint(power_w * interval_s / 3.6e-3).astype(np.int64).ravel()),
                    "quality": ("int2", np.zeros(size, dtype=np.int16)),
                },
                schema="wattloom",
            )
            raw(connection).execute(
                "INSERT INTO wattloom.energy_change (device_id, from_at, to_at) SELECT unnest(%s::int4[]), %s, %s",
                (some, datetime(first.year, first.month, 1, tzinfo=UTC), datetime(2024, 2, 1, tzinfo=UTC)),
            )
    refresh(engine, Limits(), default_zone="UTC")
    disaggregate_months(engine, {first: sensors}, default_zone="UTC")
    _age(engine, sensors, first)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM ANALYZE")  # what the server does by itself within minutes


def _age(engine: sa.Engine, sensors: list[int], first: date) -> None:
    """Let the homes have had a year like their first month."""
    with unit_of_work(engine) as connection:
        zone_of = zones_of_devices(connection, sensors, "UTC")
        rows = dict(
            raw(connection)
            .cursor(binary=True)
            .execute("SELECT device_id, days FROM wattloom.home_month_statistics WHERE month = %s", (first,))
        )
        known = {sensor: np.frombuffer(days, dtype="<u2").reshape(-1, N_COLUMNS) for sensor, days in rows.items()}
        oldest = months_before(MONTH, HISTORY_MONTHS)
        month = oldest
        while month < first:
            length = month_range(month.year, month.month).last.day
            days = np.stack([known[sensor][:length] for sensor in sensors])
            months = [month] * len(sensors)
            store_statistics(connection, sensors, months, [zone_of[sensor] for sensor in sensors], days)
            month = months_before(month, -1)
        copy_in(
            raw(connection),
            "daily_energy",
            {
                "device_id": ("int4", np.array(sensors, dtype=np.int32)),
                "direction": ("int2", np.full(len(sensors), int(Direction.IMPORT), dtype=np.int16)),
                "day": ("date", np.full(len(sensors), (oldest - EPOCH_DAY) // timedelta(days=1))),
                **{
                    name: (kind, np.ones(len(sensors), dtype=np.int64))
                    for name, kind in (
                        ("energy_uwh", "int8"),
                        ("expected_intervals", "int4"),
                        ("valid_intervals", "int4"),
                        ("resolution_s", "int4"),
                    )
                },
            },
            schema="wattloom",
        )
