"""Which server a process talks to, and how: one engine per process, one transaction per unit of work."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from pipelines.db.embedded import EmbeddedServer
from pipelines.errors import SourceUnavailable
from pipelines.settings import Settings

# A correction may reach into compressed chunks of any size (timescale's default stops at 100,000 tuples). Plain
# PostgreSQL keeps a dotted name it does not know and ignores it.
_SESSION = "-c timezone=UTC -c search_path=public -c timescaledb.max_tuples_decompressed_per_dml_transaction=0"


def database_url(settings: Settings) -> str:
    """Return the ``postgresql://`` address of the configured server, or of the embedded one under the home."""
    return settings.database_url or EmbeddedServer(settings.home).url()


def without_password(url: str) -> str:
    """Return ``url`` fit to be shown."""
    parts = urlsplit(url)
    if parts.password is None:
        return url
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{parts.username}:***@{host}"))


def create_engine(url: str, *, pool_size: int = 8) -> sa.Engine:
    """Make an engine whose sessions run in UTC; connections are checked before use."""
    address = "postgresql+psycopg" + url[url.index("://") :]
    return sa.create_engine(
        address,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_pre_ping=True,
        pool_timeout=10,
        hide_parameters=True,  # an error's text, and so the log, never repeats what was sent
        connect_args={
            "options": _SESSION,
            "connect_timeout": 5,
            "application_name": "wattloom",
        },
    )


_ENGINES: dict[Settings, sa.Engine] = {}


def engine_for(settings: Settings) -> sa.Engine:
    """Return this process's engine for ``settings``; made at the first call."""
    if settings not in _ENGINES:
        _ENGINES[settings] = create_engine(database_url(settings), pool_size=settings.database_pool)
    return _ENGINES[settings]


def close_engines() -> None:
    """Close every connection that this process keeps; the next call of ``engine_for`` starts anew."""
    while _ENGINES:
        _ENGINES.popitem()[1].dispose()


@contextmanager
def unit_of_work(engine: sa.Engine) -> Iterator[sa.Connection]:
    """One transaction: committed when the block ends, rolled back when it raises.

    Raises
    ------
    SourceUnavailable
        The server cannot be reached.
    """
    try:
        connection = engine.connect()
    except OperationalError as error:
        reason = str(error.orig).strip().splitlines()[0] if error.orig else "no answer"
        raise SourceUnavailable(f"the database cannot be reached: {reason}") from None
    with connection, connection.begin():
        yield connection


def raw(connection: sa.Connection) -> psycopg.Connection[Any]:
    """Return the psycopg connection under ``connection``, inside the same transaction, for COPY."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)  # noqa: S101 - narrows the type; the engine is psycopg's
    return driver
