"""A program the demo starts and surely ends, with all that it started, even after the demo was killed."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pipelines.errors import SourceUnavailable

_POLITE_S = 15.0
_KILL_S = 5.0
_PAUSE_S = 0.1
_PROC = Path("/proc")


class DemoProcess:
    """One program in a session of its own, so that a Ctrl-C meant for the demo does not reach it first.

    What it prints goes to ``<folder>/<name>.log``. Its number is kept in ``<folder>/<name>.pid`` while it
    runs: the next demo of the same home ends what a killed one left behind.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self._pid_file = folder / f"{name}.pid"
        self._child: subprocess.Popen[bytes] | None = None

    def start(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start ``command``; first end what an earlier, killed demo left running."""
        self.end_leftover()
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("wb") as log:
            self._child = subprocess.Popen(
                command,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._pid_file.write_text(json.dumps([self._child.pid, _birth(self._child.pid)]))

    def require_running(self) -> None:
        """Raise with the last lines of the log where the program has ended.

        Raises
        ------
        SourceUnavailable
            The program is not running.
        """
        code = self._child.poll() if self._child else None
        if self._child is None or code is not None:
            raise SourceUnavailable(f"{self.name} ended with code {code}, see {self.log}:\n{self.last_words()}")

    def wait(self, seconds: float) -> bool:
        """Wait for a program that ends by itself; tell whether it did, and well."""
        if self._child is None:
            return False
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._child.wait(seconds) == 0
        return False

    def last_words(self, lines: int = 15) -> str:
        """Return the end of the log."""
        with contextlib.suppress(OSError):
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        return ""

    def stop(self) -> None:
        """End the program and all it started: asked first, made to after some seconds."""
        if self._child is not None:
            _end_session(self._child.pid, self._child)
            self._child = None
            self._pid_file.unlink(missing_ok=True)

    def end_leftover(self) -> None:
        """End the program of an earlier demo that could not do so itself."""
        with contextlib.suppress(OSError, ValueError):
            pid, birth = json.loads(self._pid_file.read_text())
            if birth is not None and birth == _birth(pid):
                _end_session(pid)
        self._pid_file.unlink(missing_ok=True)


def _end_session(leader: int, child: "subprocess.Popen[bytes] | None" = None) -> None:
    """Ask the leader's group to end, then kill whoever of its session remains."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGTERM)
    if _is_over(leader, child, _POLITE_S):
        return
    for pid in _members(leader):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
    _is_over(leader, child, _KILL_S)


def _is_over(leader: int, child: "subprocess.Popen[bytes] | None", seconds: float) -> bool:
    """Wait until nobody of the session lives; tell whether that came in time."""
    deadline = time.monotonic() + seconds
    while True:
        is_reaped = child is None or child.poll() is not None
        if is_reaped and not any(_members(leader)):
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(_PAUSE_S)


def _members(leader: int) -> Iterator[int]:
    """Yield the live processes of a session: Airflow's tasks leave the process group, never the session."""
    if not _PROC.is_dir():
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(leader, 0)
            yield leader
        return
    for entry in _PROC.iterdir():
        fields = _stat(int(entry.name)) if entry.name.isdigit() else []
        if fields and fields[0] != "Z" and fields[3] == str(leader):
            yield int(entry.name)


def _birth(pid: int) -> str | None:
    """Return what tells this process from a later one with the same number; None where there is none."""
    if _PROC.is_dir():
        fields = _stat(pid)
        return fields[19] if fields else None
    done = subprocess.run(
        ["/bin/ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, check=False, text=True
    )
    return done.stdout.strip() or None


def _stat(pid: int) -> list[str]:
    """Return the fields of ``/proc/<pid>/stat`` from the state on: the name before it may hold anything."""
    with contextlib.suppress(OSError):
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return []


def child_environment(**changes: str) -> dict[str, str]:
    """Return this process's environment with ``changes``, without Airflow's and libpq's variables in it.

    Loopback addresses never go through a proxy.
    """
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "PG"))}
    direct = ",".join(filter(None, [kept.get("no_proxy") or kept.get("NO_PROXY"), "127.0.0.1", "localhost"]))
    scripts = str(Path(sys.executable).parent)
    kept |= {
        "NO_PROXY": direct,
        "no_proxy": direct,
        "PATH": scripts + os.pathsep + kept.get("PATH", os.defpath),
    }
    return kept | changes
