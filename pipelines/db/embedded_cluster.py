"""Create, launch and stop a PostgreSQL cluster: a data directory and its server."""

import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from pipelines.db.embedded_account import Account, EmbeddedServerError, run_as, write_owned
from pipelines.db.embedded_place import MAJOR_VERSION
from pipelines.db.embedded_postmaster import (
    SETTINGS_FILE,
    STARTUP_LOG,
    clear_leftovers,
    find_postmaster,
    is_free,
    last_words,
    server_processes,
    usable_port,
    write_settings,
)

_PAUSE_S = 0.05


@dataclass(frozen=True, slots=True)
class Cluster:
    """A data directory, the programs that serve it, and the account they run as."""

    data_dir: Path
    programs: Path
    account: Account

    def create(self, superuser: str, password: str, *, timeout_s: float) -> None:
        """Build the data directory beside its place and move it there when whole."""
        draft = self.data_dir.with_name(".postgresql-new")
        secret = self.data_dir.with_name(".postgresql-secret")
        if draft.exists():  # an interrupted first start
            shutil.rmtree(draft)
        draft.mkdir(mode=0o700)
        if not self.account.is_self:
            os.chown(draft, self.account.uid, self.account.gid)
        command: list[str | Path] = [
            self.programs / "initdb",
            "-D",
            ".",
            "--username",
            superuser,
            "-A",
            "scram-sha-256",
        ]
        command += ["--pwfile", secret, "--encoding", "UTF8", "--data-checksums"]
        command += ["--locale", "C", "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"]
        try:
            write_owned(secret, password, self.account)
            done = run_as(self.account, command, cwd=draft, timeout_s=timeout_s)
        finally:
            secret.unlink(missing_ok=True)
        if done.returncode != 0:
            raise EmbeddedServerError(f"initdb failed for {self.data_dir}:\n{done.stdout.strip()}")
        main = draft / "postgresql.conf"
        text = main.read_text(encoding="utf-8")
        write_owned(main, f"{text}\ninclude '{SETTINGS_FILE}'\n", self.account)
        draft.rename(self.data_dir)

    def launch(self, deadline: float) -> None:
        """Start the server unless it runs; it may still be recovering when this returns.

        Raises
        ------
        EmbeddedServerError
            The directory is of another PostgreSQL, or the server ended at once; its last words are given.
        """
        self._require_version()
        self._await_end_of_shutdown(deadline)
        if find_postmaster(self.data_dir) is not None:
            return
        clear_leftovers(self.data_dir)
        words = ""
        for _ in range(3):
            port = usable_port(self.data_dir)
            write_settings(self.data_dir, port, self.account)
            (self.data_dir / STARTUP_LOG).unlink(missing_ok=True)
            left_s = max(1, int(deadline - time.monotonic()))
            code, words = self._pg_ctl("start", "-w", "-t", str(left_s), "-s", "-l", STARTUP_LOG, wait_s=left_s)
            if code == 0 or find_postmaster(self.data_dir) is not None:
                return
            if is_free(port):
                break
            # Someone took the port after it was found free: another round finds another.
        raise EmbeddedServerError(
            f"PostgreSQL in {self.data_dir} did not start: {words}\n{last_words(self.data_dir)}"
        )

    def stop(self, *, timeout_s: int) -> None:
        """Stop the server in mode `fast`, and return when all its processes are gone."""
        deadline = time.monotonic() + timeout_s
        options = ["-m", "fast", "-w", "-t", str(timeout_s), "-s"]
        code, words = self._pg_ctl("stop", *options, wait_s=timeout_s)
        if code != 0 and find_postmaster(self.data_dir) is not None:
            raise EmbeddedServerError(
                f"PostgreSQL in {self.data_dir} did not stop: {words}\n{last_words(self.data_dir)}"
            )
        while server_processes(self.data_dir) and time.monotonic() < deadline:  # the log's writer is the last
            time.sleep(_PAUSE_S)

    def is_live(self) -> bool:
        """Whether pg_ctl sees a server."""
        return self._pg_ctl("status", wait_s=10)[0] == 0

    def _pg_ctl(self, action: str, *options: str, wait_s: int) -> tuple[int, str]:
        # From within the directory: pg_ctl passes names through a shell, and a home may be called anything.
        command: list[str | Path] = [self.programs / "pg_ctl", action, "-D", ".", *options]
        done = run_as(self.account, command, cwd=self.data_dir, timeout_s=wait_s + 10)
        return done.returncode, done.stdout.strip()

    def _require_version(self) -> None:
        file = self.data_dir / "PG_VERSION"
        found = file.read_text(encoding="utf-8").strip() if file.exists() else "nothing of PostgreSQL"
        if found != MAJOR_VERSION:
            raise EmbeddedServerError(f"{self.data_dir} holds {found}, this launcher needs {MAJOR_VERSION}")

    def _await_end_of_shutdown(self, deadline: float) -> None:
        while (process := find_postmaster(self.data_dir)) is not None and process.phase == "stopping":
            if time.monotonic() > deadline:
                raise EmbeddedServerError(f"PostgreSQL in {self.data_dir} has been stopping all along")
            time.sleep(_PAUSE_S)
