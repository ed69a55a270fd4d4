"""What the demo rests on: programs that surely end, secrets for their owner only, charts that are true."""

import io
import signal
import socket
import stat
import subprocess
import sys
import time

import psutil
import pytest
from rich.console import Console

from pipelines.demo.airflow import Secrets
from pipelines.demo.chart import appliance_chart, daily_chart
from pipelines.demo.client import free_port
from pipelines.demo.files import read_private, write_private
from pipelines.demo.process import DemoProcess, child_environment
from pipelines.errors import SourceUnavailable

STUBBORN = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN if "stubborn" in sys.argv else signal.SIG_DFL)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], process_group=0)
print(child.pid, flush=True)
time.sleep(600)
"""


def is_alive(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def started(process, *arguments):
    process.start([sys.executable, "-c", STUBBORN, *arguments], child_environment())
    deadline = time.monotonic() + 10
    while not process.log.read_text().strip():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return int(process.log.read_text())


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr("pipelines.demo.process._POLITE_S", 0.5)


def test_stopping_a_program_ends_a_child_that_left_its_process_group(tmp_path, impatient):
    process = DemoProcess(tmp_path, "program")
    grandchild = started(process)

    process.stop()

    assert not is_alive(grandchild)
    assert not (tmp_path / "program.pid").exists()


def test_a_program_that_ignores_being_asked_is_killed(tmp_path, impatient):
    process = DemoProcess(tmp_path, "program")
    grandchild = started(process, "stubborn")

    process.stop()

    assert not is_alive(grandchild)


def test_the_next_demo_ends_what_a_killed_one_left_running(tmp_path, impatient):
    left = DemoProcess(tmp_path, "program")
    grandchild = started(left)

    DemoProcess(tmp_path, "program").end_leftover()

    assert not is_alive(grandchild)
    with pytest.raises(SourceUnavailable):
        left.require_running()


def test_a_number_that_belongs_to_another_program_by_now_is_left_alone(tmp_path, impatient):
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
    (tmp_path / "program.pid").write_text(f'[{bystander.pid}, "1"]')

    DemoProcess(tmp_path, "program").end_leftover()

    assert bystander.poll() is None
    bystander.send_signal(signal.SIGKILL)
    bystander.wait()


def test_a_child_gets_no_airflow_or_libpq_variables_and_no_proxy_for_loopback(monkeypatch):
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "CeleryExecutor")
    monkeypatch.setenv("PGOPTIONS", "-c search_path=elsewhere")
    monkeypatch.setenv("NO_PROXY", "example.org")
    monkeypatch.delenv("no_proxy", raising=False)

    environment = child_environment(WATTLOOM_HOME="/somewhere")

    assert not {name for name in environment if name.startswith(("AIRFLOW", "PG"))}
    assert environment["WATTLOOM_HOME"] == "/somewhere"
    assert environment["no_proxy"].split(",") == ["example.org", "127.0.0.1", "localhost"]


def test_secrets_are_made_once_and_only_their_owner_reads_them(tmp_path):
    file = tmp_path / "secrets.json"

    first, second = Secrets.kept_in(file), Secrets.kept_in(file)

    assert first == second
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(first.jwt_secret) >= 64
    assert len({first.jwt_secret, first.secret_key, first.fernet_key, first.password}) == 4


def test_a_private_file_is_replaced_whole_and_missing_ones_read_as_none(tmp_path):
    file = tmp_path / "state.json"

    assert read_private(file) is None
    write_private(file, {"a": 1})
    write_private(file, {"a": 2})

    assert read_private(file) == {"a": 2}
    assert [path.name for path in tmp_path.iterdir()] == ["state.json"]


def test_a_taken_port_is_not_chosen():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        assert free_port(port) != port


def test_the_chart_has_a_column_per_day_on_one_scale_from_zero():
    days = [
        {"day": "2026-03-01", "total_consumption": 8.0, "weekend": True},
        {"day": "2026-03-02", "total_consumption": 4.0, "weekend": False},
        {"day": "2026-03-03", "total_consumption": 0.0, "weekend": False},
    ]

    rows = daily_chart(days).plain.splitlines()[:8]

    columns = ["".join(row[8 + 2 * day] for row in rows) for day in range(3)]
    assert columns == ["████████", "    ████", "        "]
    assert rows[0].startswith("    8.0 ")
    assert rows[7].startswith("    0.0 ")


def test_a_month_without_consumption_is_an_empty_chart():
    days = [{"day": "2026-03-01", "total_consumption": 0.0, "weekend": True}]

    assert "█" not in "".join(daily_chart(days).plain.splitlines()[:8])


def test_appliances_are_listed_by_size_and_those_without_use_are_not():
    console = Console(width=80, file=io.StringIO())
    appliances = [
        {"appliance_key": "standby", "consumption": 25_000.0},
        {"appliance_key": "electric_vehicle", "consumption": 75_000.0},
        {"appliance_key": "cooling", "consumption": 0},
    ]

    console.print(appliance_chart(appliances))

    first, second = console.file.getvalue().strip().splitlines()
    assert first.split()[:5] == ["electric", "vehicle", "75.00", "kWh", "75%"]
    assert second.split()[:4] == ["standby", "25.00", "kWh", "25%"]
