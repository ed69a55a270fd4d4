"""A database with imports under way comes to the form in which rows wait as blocks, or says what to do first."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from alembic import command

from pipelines.accounts.organizations import create_organization
from pipelines.db.engine import create_engine, unit_of_work
from pipelines.db.migrate import _config, migrate
from tests.migrations.test_schema import empty_url

__all__ = ["empty_url"]
BEFORE = "0005"


@pytest.fixture
def earlier(empty_url: str) -> Iterator[sa.Engine]:
    """A database of the version before, with an organization."""
    engine = create_engine(empty_url, pool_size=2)
    migrate(engine)
    with unit_of_work(engine) as connection:
        create_organization(connection, "First")
    with engine.begin() as connection:
        command.downgrade(_config(connection), BEFORE)
    yield engine
    engine.dispose()


def begin(engine: sa.Engine, status: str) -> None:
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "INSERT INTO wattloom.registry_import"
                " (organization_id, table_name, status, key_version, created_at, updated_at)"
                " SELECT number, 'customers', :status, 1, now(), now() FROM wattloom.organization"
            ),
            {"status": status},
        )


def statuses(engine: sa.Engine) -> list[str]:
    with engine.connect() as connection:
        return list(connection.scalars(sa.text("SELECT status FROM wattloom.registry_import ORDER BY id")))


def test_an_import_that_was_being_read_is_abandoned(earlier: sa.Engine) -> None:
    begin(earlier, "reading")
    begin(earlier, "done")

    migrate(earlier)

    assert statuses(earlier) == ["abandoned", "done"]


def test_rows_that_wait_to_be_applied_are_not_dropped(earlier: sa.Engine) -> None:
    begin(earlier, "applying")

    with pytest.raises(Exception, match="imports wait to be applied; finish them"):
        migrate(earlier)

    assert statuses(earlier) == ["applying"]


def test_imports_under_way_are_abandoned_on_the_way_back(earlier: sa.Engine) -> None:
    migrate(earlier)
    begin(earlier, "applying")

    with earlier.begin() as connection:
        command.downgrade(_config(connection), BEFORE)

    assert statuses(earlier) == ["abandoned"]
