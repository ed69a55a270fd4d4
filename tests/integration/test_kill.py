"""An accepted reading survives ``kill -9`` of any process, and a step that was killed can simply be run again."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from pipelines.accounts.organizations import create_organization
from pipelines.db.embedded import EmbeddedServer
from pipelines.db.engine import create_engine, unit_of_work
from pipelines.db.migrate import migrate
from pipelines.insight import disaggregate as disaggregation
from pipelines.insight import due
from tests.integration.in_process import ROWS, batch
from tests.integration.world import QUARTER, T0, Device, Series, World

ROOT = Path(__file__).resolve().parents[2]


def url_of(engine: sa.Engine) -> str:
    return engine.url.set(drivername="postgresql").render_as_string(hide_password=False)


@contextmanager
def process(*arguments: object) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.integration.in_process", *map(str, arguments)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        try:
            yield child
        finally:
            child.kill()


def wait_for_line(child: subprocess.Popen[str]) -> list[int]:
    assert child.stdout is not None
    line = child.stdout.readline()
    assert line, child.stderr.read() if child.stderr else ""
    return [int(line)]


def assert_all_or_nothing(world: World, device: Device, series: Series, told: list[int]) -> None:
    """Every batch that was reported is stored, and of one more either everything or nothing."""
    stored = {int(value) // 1_000_000 for value in world.readings(device).values()}
    last = max(stored)
    assert last in {max(told), max(told) + 1}
    expected = {}
    for number in range(last + 1):
        expected |= {(series.key, row[2]): row[3] for row in batch(number, device.sensor_id, series.key)}
    assert world.readings(device) == expected
    ((versions,),) = world.rows("SELECT count(*) FROM wattloom.meter_reading_version")
    assert versions == last * ROWS // 2
    ((first, last_at),) = world.rows("SELECT min(from_at), max(to_at) FROM wattloom.reading_change")
    assert (first, last_at) == (T0, max(at for _, at in expected))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_accepted_reading_is_lost_when_the_writer_is_killed(world: World, seed):
    series = world.series()
    device = world.device(series)
    with process("write", url_of(world.engine), device.sensor_id, series.key) as child:
        told = wait_for_line(child)
        time.sleep(random.Random(seed).uniform(0.02, 0.4))
        child.kill()
        told += [int(line) for line in child.stdout or [] if line.endswith("\n")]
    time.sleep(0.2)  # the server ends the orphaned transaction
    assert_all_or_nothing(world, device, series, told)


def test_no_accepted_reading_is_lost_when_the_embedded_server_is_killed(tmp_path: Path):
    server = EmbeddedServer(tmp_path / "home")
    server.start()
    try:
        engine = create_engine(server.url())
        migrate(engine)
        with unit_of_work(engine) as connection:
            organization = create_organization(connection, "Killed")
        world = World(engine, organization["organization"]["id"])
        series = world.series()
        device = world.device(series)
        with process("write", server.url(), device.sensor_id, series.key) as child:
            told = wait_for_line(child)
            time.sleep(0.3)
            pid = server.status().pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            assert child.stdout is not None
            told += [int(line) for line in child.stdout]
            assert child.wait(timeout=30) != 0
        server.start()
        engine.dispose()
        assert_all_or_nothing(world, device, series, told)
        engine.dispose()
    finally:
        server.destroy()


@pytest.fixture
def homes(world: World, monkeypatch: pytest.MonkeyPatch) -> list[Device]:
    """Five meters of one January."""
    register, back = world.series(interval_s=900), world.series("2.8.0", interval_s=900)
    devices = [world.device(register, back, zone="Europe/London") for _ in range(5)]
    for number, device in enumerate(devices):
        world.write((device, register, T0 + n * QUARTER, n * (number + 1)) for n in range(1000))
        world.write((device, back, T0 + n * QUARTER, n // 2) for n in range(1000))
    return devices


RESULTS = {
    "disaggregation_month": "device_id, month, model_version, appliances, energy_uwh, total_mwh, parts_mwh,"
    " expected_intervals, valid_intervals, confidence, lower_mwh, upper_mwh, inputs, cycle_appliances, cycle_class,"
    " cycle_day, cycle_begins_day, cycle_start_us, cycle_end_us, cycle_energy_mwh",
    "home_month_statistics": "device_id, month, timezone, statistics_version, days",
    "day_profile": "device_id, day, intervals",
    "reading_change": "device_id, from_at, to_at",
    "energy_change": "device_id, from_at, to_at",
    "day_change": "device_id, first_day, last_day",
}


def everything(world: World, devices: list[Device]) -> dict[str, object]:
    stored: dict[str, object] = {
        name: world.rows(f"SELECT {columns} FROM wattloom.{name} ORDER BY 1, 2, 3")
        for name, columns in RESULTS.items()
    }
    return stored | {device.name: world.derived(device) for device in devices}


def run(world: World, step: str) -> None:
    if step == "derive":
        world.derive()
    elif step == "refresh":
        world.refresh()
    else:
        with unit_of_work(world.engine) as connection:
            plan = {T0.date(): due.measured_devices(connection, T0.date(), None)}
        disaggregation.disaggregate_months(world.engine, plan, default_zone="UTC")


@pytest.mark.parametrize(
    ("step", "function", "calls"),
    [
        ("derive", "_forget", 1),
        ("derive", "copy_in", 2),
        ("refresh", "copy_in", 1),
        ("refresh", "copy_in", 7),
        ("disaggregate", "_settle_day_changes", 1),
        ("disaggregate", "forget_month", 2),
        ("disaggregate", "read_history", 1),
        ("disaggregate", "store_month", 2),
        ("disaggregate", "store_statistics", 1),
    ],
)
def test_a_killed_step_run_again_gives_what_an_undisturbed_run_gives(world: World, homes, step, function, calls):
    steps = ["derive", "refresh", "disaggregate"]
    for earlier in steps[: steps.index(step)]:
        run(world, earlier)
    with process("step", url_of(world.engine), step, function, calls) as child:
        _, errors = child.communicate(timeout=50)
        assert child.returncode == -signal.SIGKILL, errors
    time.sleep(0.2)
    for later in steps[steps.index(step) :]:
        run(world, later)
    disturbed = everything(world, homes)
    for device in homes:
        world.forget_derived(device)
    world.execute(f"TRUNCATE {', '.join(f'wattloom.{table}' for table in RESULTS if 'change' not in table)}")
    for one in steps:
        run(world, one)
    undisturbed = everything(world, homes)
    assert disturbed["disaggregation_month"] != []
    assert disturbed == undisturbed
