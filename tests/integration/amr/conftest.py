"""A head end of the test's organization, at a fixed hour of a fixed day."""

from dataclasses import replace

import pytest
import sqlalchemy as sa

from pipelines.settings import Settings
from tests.integration.amr.station import Station


@pytest.fixture
def station(engine: sa.Engine, settings: Settings, organization: dict[str, dict[str, str]]) -> Station:
    quick = replace(settings, amr_session_s=5, amr_silence_s=1, amr_connect_s=2, amr_retry_s=60, amr_sessions=50)
    return Station.build(engine, quick, organization["organization"]["id"])
