"""The course of `wattloom demo`: from an empty folder to a printed report and a platform to look at."""

import contextlib
import json
import signal
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from types import FrameType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from pipelines import clock
from pipelines.accounts.organizations import create_organization, organization_by_name
from pipelines.db.embedded import EmbeddedServer
from pipelines.db.engine import database_url, engine_for, unit_of_work, without_password
from pipelines.db.migrate import migrate
from pipelines.demo.airflow import USERNAME, AirflowStandalone
from pipelines.demo.chart import Report, collection_table, overview, report_panel
from pipelines.demo.client import HOST, JsonClient, free_port
from pipelines.demo.files import read_private, write_private
from pipelines.demo.meters import Meter, describe, enter, invoke, jobs
from pipelines.demo.process import DemoProcess, child_environment
from pipelines.errors import Conflict, NotFound, SourceUnavailable
from pipelines.settings import Settings

ORGANIZATION = "Wattloom demo"
DAGS = ("collect_due", "promote_staged", "derive_and_refresh", "disaggregate_monthly")
SHOWN_METER = "sim-lis-200-1"
_PREFERRED_PORT = 8000
_API_TIMEOUT_S = 60.0
_METERS_TIMEOUT_S = 60.0
_COLLECT_TIMEOUT_S = 240.0
_COMPILE_TIMEOUT_S = 300.0
_PAUSE_S = 0.2
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run_demo(settings: Settings, *, keep_running: bool = True) -> int:
    """Show the whole platform once; return the exit code.

    Ctrl-C and SIGTERM stop everything that was started, at any moment. With ``keep_running`` the demo waits
    for one of them after the report; without, it stops by itself.
    """
    console = Console()
    with _signals_as_interrupt(), contextlib.ExitStack() as started:
        demo = _Demo(settings, console, started)
        try:
            demo.show()
            if keep_running:
                demo.print_addresses()
                demo.wait()
        except KeyboardInterrupt:
            console.print("\nStopping ...")
            return 0 if demo.is_shown else 130
        finally:
            _ignore_signals()
    return 0


class _Demo:
    """One run of the demo: what it started goes on ``started``, which stops it in reverse order."""

    _api: JsonClient
    _sensors: JsonClient

    def __init__(self, settings: Settings, console: Console, started: contextlib.ExitStack) -> None:
        self.is_shown = False
        self._settings = settings
        self._console = console
        self._started = started
        self._home = settings.home.expanduser().resolve()
        self._folder = self._home / "demo"
        self._server = EmbeddedServer(self._home)
        self._variables = {"WATTLOOM_HOME": str(self._home)}
        if settings.database_url:
            self._variables["WATTLOOM_DATABASE_URL"] = settings.database_url
        self._api_port = 0
        self._api_process = DemoProcess(self._folder, "api")
        self._meters_process = DemoProcess(self._folder, "meters")
        self._worker_process = DemoProcess(self._folder, "worker")
        self._compiler_process = DemoProcess(self._folder, "compiler")
        self._airflow = AirflowStandalone(self._home, self._server, self._variables)

    def show(self) -> None:
        """Do everything up to the printed report."""
        begun = time.monotonic()
        with self._progress() as progress:
            with _step(progress, "Database"):
                self._start_database()
            self._start(self._compiler_process, "compile")  # done by the time that a month is disaggregated
            with _step(progress, "Migrations"):
                migrate(engine_for(self._settings))
            self._started.callback(self._airflow.stop)
            self._airflow.start()  # it gets ready while the meters are simulated and entered
            self._start_meters()
            with _step(progress, "Organization and API"):
                state = self._ensure_organization()
                self._start_api(state)
            with _step(progress, "Simulated meters of six protocols"):
                meters = [
                    enter(self._api, state["credentials"]["organization"]["id"], line) for line in self._lines()
                ]
            with _step(progress, "Airflow"):
                self._airflow.wait_until_healthy(DAGS)
            with _step(progress, "DAG collect_due: reading the meters over their protocols"):
                invoked = [invoke(self._api, meter) for meter in meters]
                self._airflow.run("collect_due")
                collected = self._collected(invoked)
            with _step(progress, "What the homes own, and where they are"):
                for meter in meters:
                    if meter.has_archive:
                        describe(self._sensors, meter)
            with _step(progress, "Kernels compiled for this machine"):
                self._compiler_process.wait(_COMPILE_TIMEOUT_S)  # else the first task that needs them does it
            for dag_id in DAGS[1:]:
                with _step(progress, f"DAG {dag_id}"):
                    self._airflow.run(dag_id)
            with _step(progress, "Report"):
                month = _newest_reported_month()
                reports = [(meter, self._report(meter, month)) for meter in meters if meter.has_archive]
        self._console.print(
            collection_table([(meter.line, job) for meter, job in zip(meters, collected, strict=True)])
        )
        self._print_reports(month, reports)
        self._start_worker()
        self._console.print(f"From the start to the report: {time.monotonic() - begun:.0f} s")
        self.is_shown = True

    def wait(self) -> None:
        """Wait for a signal; a service that ends meanwhile is an error."""
        while True:
            for process in (self._api_process, self._meters_process, self._worker_process):
                process.require_running()
            self._airflow.require_running()
            time.sleep(1)

    def print_addresses(self) -> None:
        """Print where everything can be looked at."""
        wattloom = Path(sys.executable).with_name("wattloom")
        table = Table.grid(padding=(0, 2))
        table.add_row("API", f"http://{HOST}:{self._api_port}/docs")
        table.add_row("", f"credentials: {self._folder / 'state.json'}")
        table.add_row("Airflow", f"{self._airflow.url}   user {USERNAME}, password {self._airflow.password}")
        table.add_row("SQL", without_password(database_url(self._settings)))
        table.add_row("", f"WATTLOOM_HOME={self._home} {wattloom} db psql")
        self._console.print(table, soft_wrap=True)
        self._console.print("Ctrl-C stops everything the demo started; the next demo goes on from here.")

    def _progress(self) -> Progress:
        columns = (
            SpinnerColumn(finished_text="✓"),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
        )
        return Progress(*columns, TimeElapsedColumn(), console=self._console)

    def _start_database(self) -> None:
        """Start the server; it is ours to stop if we started it, or a demo did that was killed since."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        mark = self._folder / "started-the-database"
        if mark.exists() or not self._server.status().is_running:
            mark.touch()
            self._started.callback(mark.unlink, missing_ok=True)
            self._started.callback(self._server.stop)
        self._server.start()

    def _ensure_organization(self) -> dict[str, Any]:
        """Return the credentials, as kept from the last run where they still fit."""
        file = self._folder / "state.json"
        state: dict[str, Any] | None = read_private(file)
        if state is None or not self._is_organization_known(state):
            state = {"credentials": self._new_organization()}
            write_private(file, state)
        return state

    def _is_organization_known(self, state: dict[str, Any]) -> bool:
        wanted = state["credentials"]["organization"]
        with unit_of_work(engine_for(self._settings)) as connection:
            try:
                known = str(organization_by_name(connection, wanted["name"]))
            except NotFound:
                return False
        return known == str(wanted["id"])

    def _new_organization(self) -> dict[str, Any]:
        for number in range(1, 100):
            name = ORGANIZATION if number == 1 else f"{ORGANIZATION} {number}"
            with contextlib.suppress(Conflict), unit_of_work(engine_for(self._settings)) as connection:
                return create_organization(connection, name)
        raise Conflict(f"there are 99 organizations named {ORGANIZATION!r}; use another WATTLOOM_HOME")

    def _start_api(self, state: dict[str, Any]) -> None:
        self._api_process.end_leftover()
        self._api_port = free_port(_PREFERRED_PORT)
        self._start(self._api_process, "serve", "--host", HOST, "--port", str(self._api_port))
        self._api = JsonClient(self._api_port)
        self._api.authorization = f"Token {state['credentials']['staff']['token']}"
        self._sensors = JsonClient(self._api_port)
        deadline = time.monotonic() + _API_TIMEOUT_S
        while not self._is_api_up():
            self._api_process.require_running()
            if time.monotonic() > deadline:
                raise SourceUnavailable(f"the API does not answer, see {self._api_process.log}")
            time.sleep(_PAUSE_S)
        client = state["credentials"]["client"]
        token = self._sensors.post("/auth/token", {"grant_type": "client_credentials", **client})["access_token"]
        self._sensors.authorization = f"Bearer {token}"

    def _is_api_up(self) -> bool:
        try:
            self._api.get("/_health/")
        except SourceUnavailable:
            return False
        return True

    def _start_meters(self) -> None:
        """Serve simulated meters; they make their archives while everything else starts."""
        self._manifest.unlink(missing_ok=True)
        self._start(self._meters_process, "simulate", "--manifest", str(self._manifest))

    def _start_worker(self) -> None:
        """Execute what is invoked on demand from now on."""
        self._start(self._worker_process, "worker")

    def _start(self, process: DemoProcess, *arguments: str) -> None:
        process.end_leftover()
        self._started.callback(process.stop)
        command = [sys.executable, "-m", "pipelines", *arguments]
        process.start(command, child_environment(**self._variables))

    @property
    def _manifest(self) -> Path:
        return self._folder / "meters.json"

    def _lines(self) -> list[dict[str, Any]]:
        """Return the manifest of the simulated meters once they listen."""
        deadline = time.monotonic() + _METERS_TIMEOUT_S
        while not self._manifest.exists():
            self._meters_process.require_running()
            if time.monotonic() > deadline:
                raise SourceUnavailable(f"the simulated meters do not listen, see {self._meters_process.log}")
            time.sleep(_PAUSE_S)
        lines: list[dict[str, Any]] = json.loads(self._manifest.read_text(encoding="utf-8"))
        return lines

    def _collected(self, invoked: list[int]) -> list[dict[str, Any]]:
        """Return the jobs once all have ended, whichever run of the DAG executed them."""
        deadline = time.monotonic() + _COLLECT_TIMEOUT_S
        while True:
            found = jobs(self._api, invoked)
            if all(job["finished_at"] for job in found):
                return found
            if time.monotonic() > deadline:
                open_jobs = [job["id"] for job in found if not job["finished_at"]]
                raise SourceUnavailable(f"the jobs {open_jobs} do not end, see /v1/metering/amr-jobs")
            time.sleep(_PAUSE_S)

    def _report(self, meter: Meter, month: datetime) -> Report:
        path = f"/sensors/{meter.sensor_id}/sm/reports/monthly"
        report: Report = self._sensors.get(path, year=month.year, month=month.month)
        return report

    def _print_reports(self, month: datetime, reports: list[tuple[Meter, Report]]) -> None:
        for meter, report in reports:
            if meter.line["name"] == SHOWN_METER:
                self._console.print(report_panel(report, title=f"{meter.line['title']}: {month:%B %Y}"))
        self._console.print(overview([(meter.line["title"], report) for meter, report in reports]))


def _newest_reported_month() -> datetime:
    """Return the newest month whose results are due in every zone: on the third day of the next month."""
    return (clock.now() - timedelta(days=3, hours=12)).replace(day=1) - timedelta(days=1)


@contextlib.contextmanager
def _step(progress: Progress, name: str) -> Iterator[TaskID]:
    task = progress.add_task(name, total=None)
    yield task
    progress.update(task, total=1, completed=1)


@contextlib.contextmanager
def _signals_as_interrupt() -> Iterator[None]:
    """Let each way of being ended raise KeyboardInterrupt, also where the shell had made us ignore it."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _ignore_signals() -> None:
    """Go on stopping, which takes seconds, whatever comes: a second Ctrl-C must not leave half behind."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
