"""A real database for every test that asks: a clone of one migrated template, on either engine."""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import hypothesis
import psycopg
import pytest
import sqlalchemy as sa

from pipelines import clock
from pipelines.accounts.organizations import create_organization
from pipelines.accounts.principals import Principal, by_staff_token
from pipelines.db.embedded import EmbeddedServer
from pipelines.db.engine import create_engine, unit_of_work
from pipelines.db.migrate import migrate
from pipelines.settings import Settings

# A slow machine is no failure: what a test may take is bounded by its examples and by pytest-timeout. CI tries the
# same examples every time; everyone else's runs go on looking for new ones.
hypothesis.settings.register_profile(
    "wattloom",
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
    derandomize=bool(os.environ.get("CI")),
)
hypothesis.settings.load_profile("wattloom")


def _shared_data() -> Path | None:
    """Find the real data sets, which are never part of the project."""
    named = os.environ.get("WATTLOOM_DATA_DIR")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / "data"
    return folder if folder.is_dir() else None


def pytest_configure() -> None:
    """Keep the environment of whoever runs the tests out of them."""
    for name in [n for n in os.environ if n.startswith("WATTLOOM_")]:
        if name not in {"WATTLOOM_TEST_DATABASE_URL", "WATTLOOM_DATA_DIR", "WATTLOOM_JSONATA_SUITE"}:
            del os.environ[name]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip, with the reason, what this machine cannot run."""
    no_server = pytest.mark.skip(reason="needs a TimescaleDB Community server: set WATTLOOM_TEST_DATABASE_URL")
    no_data = pytest.mark.skip(reason="needs the real data sets in ../shared/data, or WATTLOOM_DATA_DIR")
    for item in items:
        if "timescale" in item.keywords and not os.environ.get("WATTLOOM_TEST_DATABASE_URL"):
            item.add_marker(no_server)
        if "shared_data" in item.keywords and _shared_data() is None:
            item.add_marker(no_data)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    folder = _shared_data()
    assert folder is not None, "mark the test shared_data"
    return folder


def with_database(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


@pytest.fixture(scope="session")
def server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the server under test: the one named, else an embedded one of this test run alone."""
    named = os.environ.get("WATTLOOM_TEST_DATABASE_URL")
    if named:
        yield named
        return
    server = EmbeddedServer(tmp_path_factory.mktemp("server"))
    server.start()
    try:
        yield server.url("postgres")
    finally:
        server.destroy()


@pytest.fixture(scope="session")
def template(server_url: str) -> Iterator[str]:
    """Name of a migrated database that nobody connects to."""
    name = f"template_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    engine = create_engine(with_database(server_url, name), pool_size=1)
    migrate(engine)
    engine.dispose()
    yield name
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def database_url(server_url: str, template: str) -> Iterator[str]:
    """Address of a database of this test alone, at head and empty."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    yield with_database(server_url, name)
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    engine = create_engine(database_url, pool_size=4)
    yield engine
    engine.dispose()


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return Settings(database_url=database_url, home=tmp_path / "home")


@pytest.fixture
def organization(engine: sa.Engine) -> dict[str, dict[str, str]]:
    """Credentials of an organization, as ``wattloom init --json`` prints them."""
    with unit_of_work(engine) as connection:
        return create_organization(connection, "First")


@pytest.fixture
def principal(engine: sa.Engine, organization: dict[str, dict[str, str]]) -> Principal:
    """The organization's staff token."""
    with unit_of_work(engine) as connection:
        return by_staff_token(connection, organization["staff"]["token"])


@pytest.fixture(autouse=True)
def _real_time() -> Iterator[None]:
    """Put a moved clock back after each test."""
    yield
    clock.start_at(None)
