"""One instant for all tests of this folder, so that what is read is known."""

from collections.abc import Iterator

import pytest

from pipelines import clock
from tests.unit.amr.dlms.meters import NOW


@pytest.fixture(autouse=True)
def _fixed_clock() -> Iterator[None]:
    clock.start_at(NOW)
    yield
    clock.start_at(None)
