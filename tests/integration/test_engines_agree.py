"""The embedded engine and TimescaleDB derive and roll up the same rows from the same history."""

import uuid
from collections.abc import Iterator

import psycopg
import pytest

from pipelines.accounts.organizations import create_organization
from pipelines.db.embedded import EmbeddedServer
from pipelines.db.engine import create_engine, unit_of_work
from pipelines.db.migrate import migrate
from pipelines.db.timescale import has_community_features
from tests.conftest import with_database
from tests.integration.test_refresh import random_history
from tests.integration.world import World


@pytest.fixture(scope="module")
def embedded_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server = EmbeddedServer(tmp_path_factory.mktemp("other-server"))
    server.start()
    try:
        yield server.url("postgres")
    finally:
        server.destroy()


@pytest.fixture
def twin(embedded_url: str) -> Iterator[World]:
    """A world on the embedded engine, beside that of the server under test."""
    name = f"twin_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(embedded_url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    engine = create_engine(with_database(embedded_url, name))
    migrate(engine)
    with unit_of_work(engine) as connection:
        organization = create_organization(connection, "Twin")
    yield World(engine, organization["organization"]["id"])
    engine.dispose()


@pytest.mark.timescale
@pytest.mark.parametrize("seed", [11, 12, 13])
def test_both_engines_give_identical_tables(world: World, twin: World, seed):
    with unit_of_work(world.engine) as here, unit_of_work(twin.engine) as there:
        assert (has_community_features(here), has_community_features(there)) == (True, False)
    devices = zip(random_history(world, seed, turns=10), random_history(twin, seed, turns=10), strict=True)
    for one, other in devices:
        assert world.derived(one) == twin.derived(other)
        assert {k[1]: v for k, v in world.readings(one).items()} == {
            k[1]: v for k, v in twin.readings(other).items()
        }
    for query in (
        'SELECT "timestamp", version, value FROM wattloom.meter_reading_version ORDER BY device_id, series_id, 1, 2',
        "SELECT first_day, last_day FROM wattloom.day_change ORDER BY id",
        "SELECT first_at, last_at, spacing_s FROM wattloom.reading_channel ORDER BY device_id, series_id",
    ):
        assert world.rows(query) == twin.rows(query)
