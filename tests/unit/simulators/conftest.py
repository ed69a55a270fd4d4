from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache

import pytest

from pipelines.simulators.household import Household, SimulatedEnergy, simulate

Year = Callable[[Household], SimulatedEnergy]


@pytest.fixture(scope="session")
def year() -> Year:
    """One home's 2024 in quarter hours; each home is simulated once for all tests."""

    @lru_cache
    def of(household: Household) -> SimulatedEnergy:
        start, end = datetime(2024, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC)
        return simulate(household, start=start, end=end, interval_s=900, seed=7)

    return of
