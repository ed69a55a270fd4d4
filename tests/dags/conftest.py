"""An Airflow of the tests' own, in child processes only: its home and database are in a temporary folder."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
DAGS = ROOT / "dags"

Airflow = Callable[..., Any]


@pytest.fixture(scope="session")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Airflow:
    """Return what runs a script beside this file in an interpreter of its own and returns its answer."""
    home = tmp_path_factory.mktemp("airflow")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "WATTLOOM", "COV_"))}
    environment = kept | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__HOSTNAME_CALLABLE": "socket.gethostname",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
        "PYTHONPATH": str(ROOT),
    }

    def call(command: list[str], extra: dict[str, str]) -> str:
        done = subprocess.run(
            command,
            env=environment | extra,
            cwd=home,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout

    call([str(Path(sys.executable).with_name("airflow")), "db", "migrate"], {})

    def run(script: str, *arguments: str, **extra: str) -> Any:
        answer = home / "answer.json"
        answer.unlink(missing_ok=True)
        call([sys.executable, str(Path(__file__).with_name(script)), str(answer), *arguments], extra)
        return json.loads(answer.read_text())

    return run
