"""What a benchmark returns, and a fresh migrated database for it."""

import statistics
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

import psycopg
import sqlalchemy as sa

from pipelines.db.engine import create_engine
from pipelines.db.migrate import migrate


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table: what was measured, the figure, the target, and whether it was met."""

    what: str
    figure: str
    target: str
    met: bool


def section(rows: list[Row], *, engine: str, machine: str) -> str:
    """Return the Markdown of one part: where it ran, and its table."""
    lines = [f"{engine}; {machine}.", "", "| what | measured | target | met |", "|---|---|---|---|"]
    lines += [f"| {r.what} | {r.figure} | {r.target} | {'yes' if r.met else '**no**'} |" for r in rows]
    return "\n".join(lines) + "\n"


def sections(document: str) -> dict[str, str]:
    """Return the sections of the document by their part."""
    found = document.split("\n## ")[1:]
    return {part.partition("\n")[0]: part.partition("\n")[2].strip() + "\n" for part in found}


def document(found: dict[str, str]) -> str:
    """Return the Markdown document of all parts."""
    head = """# Benchmarks

Made by `make bench`; `python -m benchmarks PART` renews one part. Ratios are of figures taken in the same run; machines
are noisy, so read single times as +-30 %.
"""
    return head + "".join(f"\n## {part}\n\n{text}" for part, text in found.items())


@contextmanager
def database(server_url: str) -> Iterator[tuple[str, sa.Engine]]:
    """Give a new migrated database and drop it again."""
    name = f"bench_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    url = urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))
    engine = create_engine(url, pool_size=4)
    migrate(engine)
    try:
        yield url, engine
    finally:
        engine.dispose()
        with psycopg.connect(server_url, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def seconds(work: Callable[[], object]) -> float:
    """Return how long ``work`` took [s]."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def median(values: list[float]) -> float:
    """Return the median."""
    return statistics.median(values)
