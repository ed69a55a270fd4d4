"""The ``wattloom`` command as a user meets it: its output, its exit codes, its one-line failures."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.cli import main
from pipelines.cli.working import STEPS

ROOT = Path(__file__).resolve().parents[2]


def wattloom(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("WATTLOOM_")}
    environment = {**clean, **{f"WATTLOOM_{name.upper()}": value for name, value in variables.items()}}
    command = [sys.executable, "-W", "error", "-m", "pipelines", *arguments]
    return subprocess.run(
        command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture
def place(database_url: str, tmp_path: Path) -> dict[str, str]:
    return {"database_url": database_url, "home": str(tmp_path / "home")}


def test_init_prints_every_credential_once_as_json(place: dict[str, str]) -> None:
    first = wattloom("init", "--organization", "North", "--json", **place)
    again = wattloom("init", "--organization", "North", "--json", **place)
    other = wattloom("init", "--organization", "South", "--json", **place)

    made = json.loads(first.stdout)
    assert {name: sorted(part) for name, part in made.items()} == {
        "organization": ["id", "name", "number"],
        "staff": ["token", "username"],
        "user": ["password", "username"],
        "client": ["client_id", "client_secret"],
        "source": ["id", "secret"],
    }
    assert again.returncode == 2
    assert "exists already" in again.stderr
    assert json.loads(other.stdout)["organization"]["number"] != made["organization"]["number"]


def test_an_unreachable_database_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    url = "postgresql://someone:hidden-password@127.0.0.1:9/nothing"
    for arguments in (("db", "migrate"), ("init", "--organization", "X"), ("pipeline", "derive"), ("serve",)):
        failed = wattloom(*arguments, database_url=url, home=str(tmp_path))

        assert failed.returncode == 2, failed.stderr
        assert len(failed.stderr.strip().splitlines()) == 1
        assert "cannot be reached" in failed.stderr
        assert "hidden-password" not in failed.stderr + failed.stdout


def test_a_wrong_setting_is_one_line_and_exit_code_2() -> None:
    failed = wattloom("db", "status", pool="8")

    assert failed.returncode == 2
    assert failed.stderr.strip() == "wattloom: WATTLOOM_POOL is not a setting of Wattloom (see docs/settings.md)"


def test_a_database_that_was_never_migrated_says_what_to_do(server_url: str, tmp_path: Path) -> None:
    failed = wattloom("pipeline", "derive", database_url=server_url, home=str(tmp_path))

    assert failed.returncode == 2
    assert "wattloom db migrate" in failed.stderr


def test_status_shows_the_revision_and_hides_the_password(place: dict[str, str]) -> None:
    shown = wattloom("db", "status", **place)

    assert shown.returncode == 0
    assert "revision 00" in shown.stdout
    assert "***" in shown.stdout


@pytest.mark.parametrize("step", sorted(STEPS))
def test_every_step_runs_on_an_empty_database_and_prints_its_counts(
    step: str, place: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in place.items():
        monkeypatch.setenv(f"WATTLOOM_{name.upper()}", value)

    assert main(["pipeline", step]) == 0

    assert isinstance(json.loads(capsys.readouterr().out), dict)


@pytest.mark.parametrize(
    "arguments",
    [
        ("derive", "--month", "2026-13"),
        ("disaggregate-week", "--week", "2026-03-03"),
        ("disaggregate-month", "--from", "2026-01-01"),
        ("promote", "--month", "2026-01"),
        ("refresh", "--from", "yesterday"),
    ],
)
def test_a_wrong_argument_of_a_step_is_one_line_and_exit_code_2(
    place: dict[str, str], arguments: tuple[str, ...]
) -> None:
    failed = wattloom("pipeline", *arguments, **place)

    assert failed.returncode == 2
    assert len(failed.stderr.strip().splitlines()) == 1


def test_a_moved_clock_is_announced(place: dict[str, str]) -> None:
    said = wattloom("pipeline", "promote", clock="2024-03-03T00:00:00Z", **place)

    assert "the clock starts at 2024-03-03T00:00" in said.stderr


def test_the_embedded_server_starts_migrates_and_stops(tmp_path: Path) -> None:
    home = {"home": str(tmp_path / "home")}
    try:
        assert wattloom("db", "status", **home).returncode == 1
        assert wattloom("db", "start", **home).returncode == 0
        assert wattloom("db", "migrate", **home).returncode == 0
        counted = wattloom("db", "psql", "-Atc", "SELECT count(*) FROM wattloom.quality_code", **home)
        assert int(counted.stdout) == 8
    finally:
        assert wattloom("db", "stop", **home).returncode == 0
    assert wattloom("db", "status", **home).returncode == 1
