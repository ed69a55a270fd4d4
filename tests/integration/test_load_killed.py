"""A load that dies by SIGKILL leaves whole blocks; the same load again completes it and changes nothing twice."""

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg

from pipelines.db.engine import engine_for
from pipelines.files.interval_csv import LoadPlan, load_files
from pipelines.settings import Settings

PLAN = LoadPlan(organization="First", timezone="UTC")
ROWS = 200_000
_CHILD = """
import sys
from pathlib import Path
from pipelines.files.interval_csv import LoadPlan, load_files
from pipelines.settings import Settings
load_files(
    Settings(database_url=sys.argv[1]),
    [Path(sys.argv[2])],
    LoadPlan(organization="First", timezone="UTC"),
    progress=lambda done, total: print(done, total, flush=True),
)
"""


def _write(path: Path) -> None:
    lines = (
        f"meter-{n % 7},{2001 + n // 70_000}-{n // 7 % 12 + 1:02}-{n // 84 % 28 + 1:02}"
        f" {n // 2352 % 24:02}:{n // 56_448 % 60:02},{n / 1000:.3f}\n"
        for n in range(ROWS)
    )
    path.write_text("meter,time,energy_wh\n" + "".join(lines))


def _state(url: str) -> tuple[Any, ...]:
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "SELECT count(*), sum(value), (SELECT count(*) FROM wattloom.meter_reading_version),"
            " (SELECT count(*) FROM wattloom.meter_device), (SELECT count(*) FROM wattloom.meter_device_type)"
            " FROM wattloom.meter_reading"
        ).fetchone()
    assert row is not None
    return row


def test_a_killed_load_is_completed_by_the_same_load_again(
    settings: Settings, database_url: str, organization: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "many.csv"
    _write(path)
    child = subprocess.Popen(
        [sys.executable, "-c", _CHILD, database_url, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    with child.stdout as progress:
        next(progress)
        next(progress)  # the first block is committed, the next one under way
        child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    survived = _state(database_url)[0]
    assert 0 < survived < ROWS

    try:
        outcome = load_files(settings, [path], PLAN)
        assert (outcome.accepted, outcome.corrected, len(outcome.rejected)) == (ROWS, 0, 0)
        assert outcome.inserted + survived >= ROWS  # what was under way at the kill may still have committed
        complete = _state(database_url)
        again = load_files(settings, [path], PLAN)
    finally:
        engine_for(settings).dispose()

    expected_wh = sum(range(ROWS))
    assert complete[0] == ROWS
    assert complete[1] * 1000 == expected_wh
    assert complete[2:] == (0, 7, 1)
    assert (again.inserted, again.corrected, again.unchanged) == (0, 0, ROWS)
    assert _state(database_url) == complete
