"""A month's report over HTTP semantics, with one year of history and with ten."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from litestar.testing import TestClient

from api.app import create_app
from benchmarks.fleet import make_fleet, profile
from benchmarks.measure import Row, database, median, seconds
from pipelines import steps
from pipelines.db.engine import unit_of_work
from pipelines.metering.delivery import deliver
from pipelines.metering.writer import Authorship
from pipelines.settings import Settings

YEAR = 35_040
METERS, ASKED = 10, 300


@contextmanager
def _served(server_url: str, years: int) -> Iterator[Callable[[int], float]]:
    """Give a function that asks for a report on January 2024 and returns its time [s], over ``years`` of history."""
    with database(server_url) as (url, engine), TemporaryDirectory() as home:
        fleet = make_fleet(engine, METERS)
        settings = Settings(database_url=url, home=Path(home))
        for year in range(years):
            with unit_of_work(engine) as connection:
                batch = profile(fleet, first=-year * YEAR, count=YEAR)
                authorship = Authorship(author="bench", reason="bench", at=datetime.now(UTC))
                deliver(connection, fleet.organization, batch, authorship)
        steps.derive(settings=settings)
        steps.refresh(settings=settings)
        steps.disaggregate_month(start=f"{2025 - years}-01-01", end="2025-01-01", settings=settings)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("ANALYZE")  # what the server does by itself within minutes
        with TestClient(create_app(settings, engine)) as client:
            client.headers["Authorization"] = f"Token {fleet.credentials['staff']['token']}"

            def ask(number: int) -> float:
                path = f"/sensors/{fleet.sensors[number % METERS]}/sm/reports/monthly?year=2024&month=1"
                return seconds(lambda: json.loads(client.get(path).raise_for_status().content))

            yield ask


def run(server_url: str) -> list[Row]:
    with _served(server_url, 1) as ask_one, _served(server_url, 10) as ask_ten:
        for number in range(ASKED // 10):
            ask_one(number), ask_ten(number)
        pairs = [(ask_one(number), ask_ten(number)) for number in range(ASKED)]  # in turn: the machine drifts
    one, ten = median([pair[0] for pair in pairs]), median([pair[1] for pair in pairs])
    return [
        Row(what="monthly report, p50", figure=f"{one * 1000:.1f} ms", target="<= 15 ms", met=one <= 0.015),
        Row(
            what="monthly report with ten times the history",
            figure=f"x{ten / one:.2f}",
            target="<= x1.3",
            met=ten / one <= 1.3,
        ),
    ]
