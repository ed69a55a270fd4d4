"""A month's report over HTTP semantics, with one year of history and with ten."""

import json
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


def _report_s(server_url: str, years: int) -> float:
    """Return the median time of a report on January 2024 with ``years`` of stored history [s]."""
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
        start = f"{2025 - years}-01-01"
        steps.disaggregate_month(start=start, end="2025-01-01", settings=settings)
        with TestClient(create_app(settings, engine)) as client:
            client.headers["Authorization"] = f"Token {fleet.credentials['staff']['token']}"
            times = []
            for number in range(ASKED):
                path = f"/sensors/{fleet.sensors[number % METERS]}/sm/reports/monthly?year=2024&month=1"
                times.append(seconds(lambda path=path: json.loads(client.get(path).raise_for_status().content)))
        return median(times)


def run(server_url: str) -> list[Row]:
    one = _report_s(server_url, 1)
    ten = _report_s(server_url, 10)
    return [
        Row(what="monthly report, p50", figure=f"{one * 1000:.1f} ms", target="<= 15 ms", met=one <= 0.015),
        Row(
            what="monthly report with ten times the history",
            figure=f"x{ten / one:.2f}",
            target="<= x1.3",
            met=ten / one <= 1.3,
        ),
    ]
