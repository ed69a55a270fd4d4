"""``wattloom db``: the embedded server, the address, migrations and psql."""

import argparse
import os
import subprocess

from sqlalchemy.exc import DBAPIError

from pipelines.db import migrate as migrations
from pipelines.db.embedded import EmbeddedServer
from pipelines.db.engine import create_engine, database_url, engine_for, unit_of_work, without_password
from pipelines.errors import SourceUnavailable, WattloomError
from pipelines.settings import Settings


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``db`` and its actions."""
    group = commands.add_parser("db", help="the database: embedded, or the one at WATTLOOM_DATABASE_URL")
    actions = group.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, run, text in (
        ("start", start, "start the embedded server"),
        ("stop", stop, "stop the embedded server"),
        ("status", status, "say whether the database answers, and at which revision it is"),
        ("url", url, "print the address, password included"),
        ("migrate", migrate, "bring the database to head"),
        ("psql", psql, "open psql on the database; further arguments go to psql"),
    ):
        action = actions.add_parser(name, help=text)
        action.set_defaults(run=run, takes_further=name == "psql")


def _embedded(settings: Settings) -> EmbeddedServer:
    if settings.database_url is not None:
        raise WattloomError(
            "WATTLOOM_DATABASE_URL names a server of your own; there is no embedded one to start or stop"
        )
    return EmbeddedServer(settings.home)


def ensure_running(settings: Settings) -> None:
    """Start the embedded server where it is the one in use."""
    if settings.database_url is None:
        EmbeddedServer(settings.home).start()


def require_head(settings: Settings) -> None:
    """Make sure the database answers and is at head.

    Raises
    ------
    SourceUnavailable, WattloomError
        It cannot be reached, or needs ``wattloom db migrate``.
    """
    ensure_running(settings)
    with unit_of_work(engine_for(settings)) as connection:
        revision = migrations.current(connection)
    if revision != migrations.head():
        raise WattloomError("the database is not at head; run: wattloom db migrate")


def start(settings: Settings, _chosen: argparse.Namespace) -> int:
    """Start the embedded server; safe to repeat."""
    server = _embedded(settings)
    server.start()
    print(f"running at {without_password(server.url())}")
    return 0


def stop(settings: Settings, _chosen: argparse.Namespace) -> int:
    """Stop the embedded server; safe to repeat."""
    _embedded(settings).stop()
    print("stopped")
    return 0


def status(settings: Settings, _chosen: argparse.Namespace) -> int:
    """Print the state; exit code 1 where the database does not answer."""
    if settings.database_url is None:
        state = EmbeddedServer(settings.home).status()
        if not state.is_running:
            print(f"embedded server: {state.state.value}")
            return 1
    address = database_url(settings)
    try:
        with unit_of_work(engine_for(settings)) as connection:
            revision = migrations.current(connection)
    except SourceUnavailable as error:
        print(f"{without_password(address)}: {error}")
        return 1
    print(f"running at {without_password(address)}, revision {revision or 'none'}, head {migrations.head()}")
    return 0


def url(settings: Settings, _chosen: argparse.Namespace) -> int:
    """Print the address with its password."""
    print(database_url(settings))
    return 0


def migrate(settings: Settings, _chosen: argparse.Namespace) -> int:
    """Bring either engine to head."""
    ensure_running(settings)
    with unit_of_work(engine_for(settings)):
        pass
    try:
        migrations.migrate(engine_for(settings))
    except DBAPIError as error:
        raise WattloomError(f"the migration failed, nothing was changed: {str(error.orig).strip()}") from error
    print(f"at revision {migrations.head()}")
    return 0


def psql(settings: Settings, chosen: argparse.Namespace) -> int:
    """Run psql with the address in its environment, never on its command line."""
    ensure_running(settings)
    program = EmbeddedServer(settings.home).psql_path
    address = create_engine(database_url(settings)).url
    environment = os.environ | {
        "PGHOST": address.host or "",
        "PGPORT": str(address.port or 5432),
        "PGUSER": address.username or "",
        "PGPASSWORD": address.password or "",
        "PGDATABASE": address.database or "",
    }
    return subprocess.run([program, *chosen.further], env=environment, check=False).returncode
