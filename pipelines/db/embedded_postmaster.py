"""The embedded server's process, port, settings and words, as they show in its data directory."""

import itertools
import os
import re
import signal
import socket
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.db.embedded_account import Account, EmbeddedServerError, write_owned

HOST = "127.0.0.1"
SETTINGS_FILE = "wattloom.conf"
STARTUP_LOG = "startup.log"  # what the server says before its own log begins
LOG_FOLDER = "log"
_PORTS = range(20000, 30000)  # below the ports that Linux hands to outgoing connections (32768 and up)
_PROC = Path("/proc")

# For 2-4 cores and 2 GB that other processes share.
_SETTINGS = f"""\
# Written by Wattloom at each start; put settings of your own into postgresql.auto.conf (ALTER SYSTEM).
port = {{port}}
listen_addresses = '{HOST}'
unix_socket_directories = ''
max_connections = 200
timezone = 'UTC'

shared_buffers = '256MB'
effective_cache_size = '1GB'
work_mem = '16MB'
maintenance_work_mem = '128MB'
# Parallel queries take this before /dev/shm, of which a container often has 64 MB only.
min_dynamic_shared_memory = '128MB'
random_page_cost = 1.1
jit = off

fsync = on
synchronous_commit = on
wal_compression = on
max_wal_size = '2GB'
checkpoint_timeout = '15min'

# One file per weekday, overwritten a week later.
logging_collector = on
log_directory = '{LOG_FOLDER}'
log_filename = 'postgresql-%a.log'
log_rotation_age = '1d'
log_rotation_size = 0
log_truncate_on_rotation = on
log_timezone = 'UTC'
# Statements and row values may hold secrets and personal data; the client that sent them sees the full error.
log_min_error_statement = panic
log_error_verbosity = terse
"""


@dataclass(frozen=True, slots=True)
class Postmaster:
    """The server process of a data directory; `phase` is its own word: starting, ready, stopping."""

    pid: int
    port: int | None
    phase: str


def find_postmaster(data_dir: Path) -> Postmaster | None:
    """Return the live server of `data_dir`; None for a pid file that a crash or a reboot left behind."""
    try:
        lines = (data_dir / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        pid = int(lines[0])
    except (FileNotFoundError, IndexError, ValueError):
        return None
    if not (_works_in(pid, data_dir) if _PROC.is_dir() else _is_alive(pid)):
        return None
    port = int(lines[3]) if len(lines) > 3 and lines[3].isdigit() else None
    return Postmaster(pid=pid, port=port, phase=lines[7].strip() if len(lines) > 7 else "starting")


def clear_leftovers(data_dir: Path) -> None:
    """Remove what a killed server left: its orphaned children, and a pid file that names a stranger.

    PostgreSQL deals with a pid file of a dead process itself, but refuses to start where the number now
    belongs to another process of the same user, as happens after a reboot or when a container starts again.
    """
    end_processes(data_dir)
    pid_file = data_dir / "postmaster.pid"
    try:
        pid = int(pid_file.read_text(encoding="utf-8").splitlines()[0])
    except (FileNotFoundError, IndexError, ValueError):
        return
    if _PROC.is_dir() and _is_alive(pid):
        pid_file.unlink()


def end_processes(data_dir: Path, *, within_s: float = 10) -> None:
    """End every PostgreSQL process of `data_dir` by an immediate shutdown; nothing committed is lost."""
    begun = time.monotonic()
    while orphans := server_processes(data_dir):
        waited_s = time.monotonic() - begun
        if waited_s > within_s:
            pids = ", ".join(map(str, sorted(orphans)))
            raise EmbeddedServerError(f"processes of a killed server still use {data_dir}: {pids}")
        for pid in orphans:
            try:
                os.kill(pid, signal.SIGQUIT if waited_s < within_s / 3 else signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.05)


def server_processes(data_dir: Path) -> set[int]:
    """Return the ids of all PostgreSQL processes of `data_dir`, orphans included."""
    if not _PROC.is_dir():
        return set()
    pids = (int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit())
    return {pid for pid in pids if _works_in(pid, data_dir)}


def _works_in(pid: int, data_dir: Path) -> bool:
    """Whether `pid` is a PostgreSQL process of `data_dir`, which is the working directory of them all."""
    process = _PROC / str(pid)
    try:
        is_postgres = (process / "comm").read_text(encoding="utf-8", errors="replace").strip() == "postgres"
        return is_postgres and (process / "cwd").readlink() == data_dir
    except OSError:  # gone, a zombie, or of another user
        return False


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def write_settings(data_dir: Path, port: int, account: Account) -> None:
    """Replace the settings file that `postgresql.conf` includes; the port is kept nowhere else."""
    write_owned(data_dir / SETTINGS_FILE, _SETTINGS.format(port=port), account)


def kept_port(data_dir: Path) -> int | None:
    """Return the port of the last start; None before the first."""
    try:
        found = re.search(
            r"^port = ([0-9]+)$", (data_dir / SETTINGS_FILE).read_text(encoding="utf-8"), flags=re.MULTILINE
        )
    except FileNotFoundError:
        return None
    return int(found[1]) if found else None


def usable_port(data_dir: Path) -> int:
    """Return the kept port, or another where it is taken; the search starts at a place of this directory."""
    kept = kept_port(data_dir)
    if kept is not None and is_free(kept):
        return kept
    offset = zlib.crc32(str(data_dir).encode()) % len(_PORTS)
    for port in itertools.chain(_PORTS[offset:], _PORTS[:offset]):
        if is_free(port):
            return port
    raise EmbeddedServerError(f"no free port between {_PORTS.start} and {_PORTS.stop - 1} on {HOST}")


def is_free(port: int) -> bool:
    """Whether a server could listen on `port` now (connections of a former server do not count)."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def last_words(data_dir: Path, *, count: int = 12) -> str:
    """Return the last lines of the startup log and of the newest server log, for an error message."""
    newest = sorted((data_dir / LOG_FOLDER).glob("*.log"), key=lambda path: path.stat().st_mtime)[-1:]
    lines: list[str] = []
    for path in (data_dir / STARTUP_LOG, *newest):
        lines += _tail(path, count)
    return "\n".join(lines)


def _tail(path: Path, count: int) -> Sequence[str]:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 8192))
            return file.read().decode(errors="replace").splitlines()[-count:]
    except FileNotFoundError:
        return []
