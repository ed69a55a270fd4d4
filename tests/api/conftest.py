"""One application on one database for all API tests; each module is a tenant of its own, and a test can be too."""

import logging
import uuid
from collections.abc import Callable, Iterator

import psycopg
import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher
from litestar import Litestar
from litestar.testing import TestClient

from api.app import create_app
from pipelines import log
from pipelines.accounts import secrets
from pipelines.db.engine import engine_for
from pipelines.settings import Settings
from tests.api.callers import Client, Tenant
from tests.conftest import with_database


@pytest.fixture(scope="session", autouse=True)
def _quick_passwords() -> Iterator[None]:
    """Hash passwords with little effort: every tenant has one, and their strength is not at issue here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(secrets, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        yield


@pytest.fixture(scope="session")
def database_url(server_url: str, template: str) -> Iterator[str]:
    """Address of the database of the API tests: tenants keep the tests apart, as they do in production."""
    name = f"test_api_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    yield with_database(server_url, name)
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(scope="session")
def settings(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(database_url=database_url, home=tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="session")
def engine(settings: Settings) -> Iterator[sa.Engine]:
    """The engine that the pipeline steps find for these settings too."""
    engine = engine_for(settings)
    yield engine
    engine.dispose()
    engine_for(settings).dispose()


@pytest.fixture(scope="session")
def app(settings: Settings, engine: sa.Engine) -> Litestar:
    return create_app(settings, engine)


@pytest.fixture(scope="session")
def transport(app: Litestar) -> Iterator[TestClient[Litestar]]:
    with TestClient(app) as client:
        yield client


@pytest.fixture(scope="session")
def connect(transport: TestClient[Litestar]) -> Callable[[str | None], Client]:
    """Make a caller from the text of its Authorization header."""
    return lambda authorization: Client(transport, authorization)


@pytest.fixture(scope="session")
def anonymous(connect: Callable[[str | None], Client]) -> Client:
    return connect(None)


@pytest.fixture(scope="session")
def new_tenant(engine: sa.Engine, anonymous: Client) -> Callable[[], Tenant]:
    """Make an organization with all its callers, as ``wattloom init`` does."""
    return lambda: Tenant.create(engine, anonymous)


@pytest.fixture(scope="module")
def tenant(new_tenant: Callable[[], Tenant]) -> Tenant:
    """The organization of a module's tests."""
    return new_tenant()


@pytest.fixture(scope="module")
def stranger(new_tenant: Callable[[], Tenant]) -> Tenant:
    """Another organization, which must never be seen."""
    return new_tenant()


@pytest.fixture
def fresh(new_tenant: Callable[[], Tenant]) -> Tenant:
    """An organization of one test alone."""
    return new_tenant()


@pytest.fixture(scope="module")
def organization(tenant: Tenant) -> dict[str, dict[str, str]]:
    """Credentials of the module's organization, as ``wattloom init --json`` prints them."""
    return tenant.credentials


@pytest.fixture(scope="module")
def staff(tenant: Tenant) -> Client:
    return tenant.staff


@pytest.fixture
def reader(tenant: Tenant) -> Client:
    """The read-only user of the organization."""
    return tenant.reader()


@pytest.fixture
def bearer(tenant: Tenant) -> Client:
    """The API client of the organization."""
    return tenant.bearer()


class Kept(logging.Handler):
    """Keeps every record as text, with its arguments."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(self.format(record) + repr(record.args))


@pytest.fixture
def debug_log() -> Iterator[Kept]:
    """Everything that any logger says while the log is at its most talkative."""
    root, kept = logging.getLogger(), Kept()
    handlers, level = root.handlers[:], root.level
    log.configure("debug")
    root.handlers = [kept]
    yield kept
    root.handlers, root.level = handlers, level
