"""The OS account the embedded server runs under, and how its programs are started.

PostgreSQL refuses to run as root. A launcher that is root therefore drops to a dedicated account, or to the
account that already owns the data; an ordinary user runs the server as themselves.
"""

import contextlib
import os
import pwd
import secrets
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.errors import SourceUnavailable

SERVER_USER = "wattloom"
_ADMIN_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class EmbeddedServerError(SourceUnavailable):
    """The embedded PostgreSQL server cannot be started, reached or stopped."""


@dataclass(frozen=True, slots=True)
class Account:
    """The OS user and group that own the data directory and run the server."""

    uid: int
    gid: int

    @property
    def is_self(self) -> bool:
        """Whether the launcher already runs as this account."""
        return os.geteuid() == self.uid

    @property
    def label(self) -> str:
        """The account's name for messages; its number where it has none."""
        try:
            return pwd.getpwuid(self.uid).pw_name
        except KeyError:
            return f"uid {self.uid}"


def own_account() -> Account:
    """Return the account the launcher runs as."""
    return Account(os.geteuid(), os.getegid())


def server_account(data_dir: Path) -> Account:
    """Return the account for `data_dir`: its owner, else the launcher, else (as root) the dedicated user.

    Raises
    ------
    EmbeddedServerError
        The data belong to someone else, or the dedicated user is missing and cannot be created.
    """
    owner = data_dir.stat() if data_dir.exists() else None
    if os.geteuid() != 0:
        if owner is not None and owner.st_uid != os.geteuid():
            raise EmbeddedServerError(
                f"the database in {data_dir} belongs to OS user "
                f"{Account(owner.st_uid, owner.st_gid).label}: run as root or as that user, "
                "or choose another WATTLOOM_HOME"
            )
        return own_account()
    if owner is not None and owner.st_uid != 0:
        return Account(owner.st_uid, owner.st_gid)
    return _find_server_user() or _create_server_user()


def _find_server_user() -> Account | None:
    try:
        entry = pwd.getpwnam(SERVER_USER)
    except KeyError:
        return None
    if entry.pw_uid == 0:
        raise EmbeddedServerError(f"OS user {SERVER_USER} is root under another name: PostgreSQL refuses it")
    return Account(entry.pw_uid, entry.pw_gid)


def _create_server_user() -> Account:
    useradd = shutil.which("useradd", path=_ADMIN_PATH)
    advice = f"create the OS user {SERVER_USER} by hand, or run as an ordinary user"
    if useradd is None:
        raise EmbeddedServerError(f"PostgreSQL refuses to run as root and there is no useradd: {advice}")
    command = [useradd, "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
    command += ["--shell", "/usr/sbin/nologin", SERVER_USER]
    reason = ""
    for _ in range(5):  # another launcher may be creating it, and useradd locks the password file
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=30
        )
        if (account := _find_server_user()) is not None:
            return account
        reason = done.stderr.strip()
        time.sleep(0.2)
    raise EmbeddedServerError(f"the OS user {SERVER_USER} could not be created ({reason}): {advice}")


def run_as(
    account: Account, command: Sequence[str | Path], *, cwd: Path, timeout_s: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run `command` to its end as `account`, sharing nothing with the launcher but a pipe for its words.

    A session of its own keeps Ctrl-C away, a fresh environment keeps `PG*` and `LD_*` variables away, and
    all other file descriptors are closed.

    Raises
    ------
    EmbeddedServerError
        The program cannot be started as that account, or does not end in time.
    """
    foreign = not account.is_self
    try:
        return subprocess.run(
            command,
            cwd=cwd,
            env={"PATH": _ADMIN_PATH, "HOME": "/", "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            check=False,
            timeout=timeout_s,
            user=account.uid if foreign else None,
            group=account.gid if foreign else None,
            extra_groups=[] if foreign else None,
            umask=0o077,
            start_new_session=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        name = Path(command[0]).name
        raise EmbeddedServerError(f"{name} could not be run as OS user {account.label}: {error}") from error


def can_enter(account: Account, folder: Path) -> bool:
    """Whether `account` may enter `folder`: asked of the system, so that access lists count too."""
    if account.is_self:
        return True
    # Not by the child's working directory: that is entered before the privileges are dropped.
    return run_as(account, ["/bin/sh", "-c", 'cd -- "$1"', "sh", folder], cwd=Path("/")).returncode == 0


def write_owned(path: Path, text: str, account: Account, *, mode: int = 0o600) -> None:
    """Replace `path` by a file of `account`, whole or not at all.

    A new name and a rename never follow a link that the server's account may have left in its directory,
    which matters when the launcher is root.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            if not account.is_self:
                os.fchown(file.fileno(), account.uid, account.gid)
            os.fchmod(file.fileno(), mode)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise
