import pytest
import sqlalchemy as sa

from tests.integration.world import World


@pytest.fixture
def world(engine: sa.Engine, organization: dict[str, dict[str, str]]) -> World:
    return World(engine, organization["organization"]["id"])
