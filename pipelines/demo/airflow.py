"""Starts `airflow standalone` for the demo, triggers its DAGs for real, and stops all of it.

Airflow runs on a metadata database of its own on the embedded server, with LocalExecutor, and listens on the
loopback interface only. The log servers of its scheduler and triggerer would bind every interface, which no
setting changes: they are not started at all (a launcher before `airflow` on the PATH adds
``--skip-serve-logs``). The API server reads finished tasks' log files itself, being on the same machine.
"""

import os
import secrets
import shlex
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet

from pipelines.db.embedded import EmbeddedServer
from pipelines.demo.client import HOST, JsonClient, free_port
from pipelines.demo.files import read_private, write_private
from pipelines.demo.process import DemoProcess, child_environment
from pipelines.errors import SourceUnavailable

DATABASE = "airflow"
USERNAME = "admin"
DAGS_FOLDER = Path(__file__).resolve().parents[2] / "dags"
_PREFERRED_PORT = 8080
_START_TIMEOUT_S = 120.0
_RUN_TIMEOUT_S = 300.0
_PAUSE_S = 0.4
_COMPONENTS = ("metadatabase", "scheduler", "triggerer", "dag_processor")
_LAUNCHER = """#!/bin/sh
case "$1" in scheduler|triggerer) exec {airflow} "$@" --skip-serve-logs ;; esac
exec {airflow} "$@"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """What Airflow signs, encrypts and lets in with; made once per home."""

    jwt_secret: str
    secret_key: str
    fernet_key: str
    password: str

    @classmethod
    def kept_in(cls, file: Path) -> "Secrets":
        """Return the secrets of ``file``, made and written for the owner only where there are none."""
        kept = read_private(file)
        if kept is None:
            made = cls(
                jwt_secret=secrets.token_urlsafe(64),
                secret_key=secrets.token_urlsafe(48),
                fernet_key=Fernet.generate_key().decode(),
                password=secrets.token_urlsafe(12),
            )
            write_private(file, asdict(made))
            return made
        return cls(**kept)


class AirflowStandalone:
    """Airflow of one home; ``settings`` are the ``WATTLOOM_*`` variables its tasks see."""

    def __init__(self, home: Path, server: EmbeddedServer, settings: Mapping[str, str]) -> None:
        self.home = home.resolve() / "airflow"
        self._server = server
        self._settings = dict(settings)
        self._process = DemoProcess(self.home, "standalone")
        self._client: JsonClient | None = None
        self._secrets: Secrets | None = None

    @property
    def url(self) -> str:
        """Where the UI answers."""
        return f"http://{HOST}:{self._api.port}"

    @property
    def password(self) -> str:
        """The password of `admin`."""
        if self._secrets is None:
            raise SourceUnavailable("Airflow was not started")
        return self._secrets.password

    def start(self, *, dags_folder: Path = DAGS_FOLDER) -> None:
        """Start it; `wait_until_healthy` tells when it is ready."""
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.home.chmod(0o700)
        self._process.end_leftover()
        self._server.ensure_database(DATABASE)
        self._secrets = Secrets.kept_in(self.home / "secrets.json")
        write_private(self.home / "passwords.json", {USERNAME: self._secrets.password})
        port = free_port(_PREFERRED_PORT)
        self._client = JsonClient(port)
        launchers = self._write_launcher()
        environment = child_environment(**self._settings, **self._variables(port, dags_folder))
        environment["PATH"] = f"{launchers}{os.pathsep}{environment['PATH']}"
        self._process.start([str(launchers / "airflow"), "standalone"], environment)

    def wait_until_healthy(self, dag_ids: Iterable[str] = (), *, timeout_s: float = _START_TIMEOUT_S) -> None:
        """Return when every component answers and ``dag_ids`` are known.

        Raises
        ------
        SourceUnavailable
            Airflow ended, is not ready in time, or cannot read a DAG file.
        """
        self._wait(self._is_healthy, "Airflow is not ready", timeout_s)
        answer = self._api.post("/auth/token", {"username": USERNAME, "password": self.password})
        self._api.authorization = f"Bearer {answer['access_token']}"
        wanted = set(dag_ids)
        self._wait(lambda: wanted <= self._known_dags(), f"Airflow does not know {sorted(wanted)}", timeout_s)

    def run(
        self, dag_id: str, conf: Mapping[str, object] | None = None, *, timeout_s: float = _RUN_TIMEOUT_S
    ) -> None:
        """Trigger a run of ``dag_id`` and return when it has succeeded.

        Raises
        ------
        SourceUnavailable
            The run failed (the text names its failed tasks) or did not end in time.
        """
        runs = f"/api/v2/dags/{dag_id}/dagRuns"
        run_id = self._api.post(runs, {"logical_date": None, "conf": dict(conf or {})})["dag_run_id"]
        state = ""

        def is_over() -> bool:
            nonlocal state
            state = self._api.get(f"{runs}/{run_id}")["state"]
            return state in {"success", "failed"}

        self._wait(is_over, f"the run {run_id} of {dag_id} does not end", timeout_s)
        if state == "failed":
            tasks = self._api.get(f"{runs}/{run_id}/taskInstances", state="failed")["task_instances"]
            names = ", ".join(sorted({task["task_id"] for task in tasks})) or "no task"
            logs = self.home / "logs" / f"dag_id={dag_id}" / f"run_id={run_id}"
            raise SourceUnavailable(f"the run of {dag_id} failed at {names}; its logs are in {logs}")

    def require_running(self) -> None:
        """Raise `SourceUnavailable` where Airflow has ended."""
        self._process.require_running()

    def stop(self) -> None:
        """Stop Airflow and everything it started."""
        if self._client is not None:
            self._client.close()
        self._process.stop()

    @property
    def _api(self) -> JsonClient:
        if self._client is None:
            raise SourceUnavailable("Airflow was not started")
        return self._client

    def _wait(self, is_done: Callable[[], bool], complaint: str, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while not is_done():
            self._process.require_running()
            if time.monotonic() > deadline:
                raise SourceUnavailable(f"{complaint} after {timeout_s:.0f} s, see {self._process.log}")
            time.sleep(_PAUSE_S)

    def _is_healthy(self) -> bool:
        try:
            health: dict[str, Any] = self._api.get("/api/v2/monitor/health")
        except SourceUnavailable:
            return False
        return all(health.get(name, {}).get("status") == "healthy" for name in _COMPONENTS)

    def _known_dags(self) -> set[str]:
        broken = self._api.get("/api/v2/importErrors")["import_errors"]
        if broken:
            raise SourceUnavailable(f"Airflow cannot read {broken[0]['filename']}: {broken[0]['stack_trace']}")
        return {dag["dag_id"] for dag in self._api.get("/api/v2/dags", limit=100)["dags"]}

    def _write_launcher(self) -> Path:
        folder = self.home / "bin"
        folder.mkdir(exist_ok=True)
        program = folder / "airflow"
        program.write_text(_LAUNCHER.format(airflow=shlex.quote(str(Path(sys.executable).parent / "airflow"))))
        program.chmod(0o700)
        return folder

    def _variables(self, port: int, dags_folder: Path) -> dict[str, str]:
        if self._secrets is None:
            raise SourceUnavailable("Airflow was not started")
        address = self._server.url(DATABASE).partition("://")[2]
        base = f"http://{HOST}:{port}"
        sections: dict[str, dict[str, object]] = {
            "core": {
                "dags_folder": dags_folder,
                "load_examples": False,
                "dags_are_paused_at_creation": False,
                "executor": "LocalExecutor",
                "parallelism": 4,
                "fernet_key": self._secrets.fernet_key,
                "hostname_callable": "socket.gethostname",  # the default asks the name server
                "simple_auth_manager_users": f"{USERNAME}:admin",
                "simple_auth_manager_passwords_file": self.home / "passwords.json",
                "execution_api_server_url": f"{base}/execution/",
            },
            "database": {
                "sql_alchemy_conn": f"postgresql+psycopg://{address}",
                "sql_alchemy_conn_async": f"postgresql+psycopg_async://{address}",
            },
            "api": {
                "host": HOST,
                "port": port,
                "base_url": base,
                "workers": 1,
                "secret_key": self._secrets.secret_key,
            },
            "api_auth": {"jwt_secret": self._secrets.jwt_secret},
            "scheduler": {"enable_health_check": False, "orphaned_tasks_check_interval": 30},
            "dag_processor": {"print_stats_interval": 0, "min_file_process_interval": 300},
        }
        variables = {
            f"AIRFLOW__{section.upper()}__{key.upper()}": str(value)
            for section, pairs in sections.items()
            for key, value in pairs.items()
        }
        # Tasks are forked: each keeps to one thread, and to thread pools that survive a fork.
        threads = {"NUMBA_THREADING_LAYER": "forksafe", "NUMBA_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}
        return variables | threads | {"AIRFLOW_HOME": str(self.home), "NO_COLOR": "1"}
