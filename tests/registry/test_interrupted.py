"""Imports that die, repeat and overlap: nothing is lost, nothing is stored twice, nothing changes needlessly."""

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pipelines import clock, steps
from pipelines.db.engine import unit_of_work
from pipelines.registry import importing, imports, waiting
from pipelines.registry.catalogue import TABLES
from pipelines.registry.checking import check
from pipelines.registry.contents import Content
from pipelines.registry.importing import Options, import_content
from pipelines.registry.pseudonyms import Hasher
from tests.registry.conftest import Registry

ROWS = 90_000
_CHILD = """
import sys
from pathlib import Path
from uuid import UUID
from pipelines.db.engine import engine_for
from pipelines.registry.catalogue import TABLES
from pipelines.registry.checking import check
from pipelines.registry.contents import Content
from pipelines.registry.importing import Options, import_content
from pipelines.settings import Settings
settings = Settings(database_url=sys.argv[1], home=Path(sys.argv[2]))
import_content(
    engine_for(settings), settings, UUID(sys.argv[3]), TABLES["customers"], Content(path=Path(sys.argv[4])),
    Options(resume=True), progress=lambda done, total: print(done, total, flush=True),
)
"""


@pytest.fixture
def many(tmp_path: Path) -> Path:
    path = tmp_path / "many.csv"
    lines = (f"C-{n},Name {n},{1950 + n % 50 if n % 1000 else 'x'}\n" for n in range(ROWS))
    path.write_text("external_id,name,birth_year\n" + "".join(lines))
    return path


def bring(registry: Registry, path: Path) -> dict[str, Any]:
    options = Options(resume=True)
    row = import_content(
        registry.engine, registry.settings, registry.organization, TABLES["customers"], Content(path=path), options
    )
    return imports.shown(row)


@pytest.mark.parametrize("steps", [2, 6, 8])
def test_a_killed_import_goes_on_where_it_was_and_a_repetition_changes_nothing(
    registry: Registry, many: Path, database_url: str, steps: int
) -> None:
    """Five blocks are read, then as many chunks applied: the kill falls into the reading or the applying."""
    home = str(registry.settings.home)
    command = [sys.executable, "-c", _CHILD, database_url, home, str(registry.organization), str(many)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    with child.stdout as progress:
        for _ in range(steps):
            assert next(progress)
        child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL

    made = bring(registry, many)
    stored = registry.rows("customers")
    again = bring(registry, many)

    assert (made["status"], made["rows"], made["rejected"], made["inserted"]) == ("done", ROWS, 90, ROWS - 90)
    assert len(stored) == ROWS - 90
    assert {row["import_id"] for row in stored} == {made["id"]}
    assert again["id"] != made["id"]
    assert (again["inserted"], again["updated"], again["unchanged"]) == (0, 0, ROWS - 90)
    assert registry.rows("customers") == stored


def test_two_imports_of_the_same_file_at_once_store_it_once(registry: Registry, many: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: bring(registry, many), range(2)))

    assert {one["status"] for one in both} == {"done"}
    assert sum(one["inserted"] for one in {one["id"]: one for one in both}.values()) == ROWS - 90
    assert len(registry.rows("customers")) == ROWS - 90


def test_what_was_read_and_not_applied_is_finished_by_the_step(registry: Registry, many: Path) -> None:
    with unit_of_work(registry.engine) as connection:
        whose = imports.target(connection, registry.organization, None)
    customers, content = TABLES["customers"], Content(path=many)
    read = importing.read_content(registry.engine, registry.settings, whose, customers, content, Options())
    assert (read["status"], registry.rows("customers")) == ("applying", [])

    assert steps.import_dropped_files(settings=registry.settings)["finished"] == 1
    assert len(registry.rows("customers")) == ROWS - 90


@pytest.mark.parametrize(
    ("digest", "minutes", "status"),
    [(None, 14, "reading"), (None, 16, "abandoned"), (b"d", 2870, "reading"), (b"d", 2890, "abandoned")],
)
def test_an_import_that_nobody_can_go_on_reading_is_given_up_soon(
    registry: Registry, digest: bytes | None, minutes: int, status: str
) -> None:
    """What came over the API is gone with its process; a file may be brought again for two days."""
    customers = TABLES["customers"]
    with unit_of_work(registry.engine) as connection:
        whose = imports.target(connection, registry.organization, None)
        record = imports.begin(connection, whose, "customers", key_version=0, content_digest=digest)
    block = next(importing._blocks(customers, Content(data=b"external_id\nC-1\n"), Hasher(0, None)))
    assert waiting.store(registry.engine, record["id"], check(customers, block, Hasher(0, None), registry.number))

    clock.start_at(clock.now() + timedelta(minutes=minutes))
    steps.import_dropped_files(settings=registry.settings)

    with unit_of_work(registry.engine) as connection:
        assert imports.get(connection, registry.number, record["id"])["status"] == status
        left = connection.exec_driver_sql("SELECT count(*) FROM wattloom.registry_waiting").scalar_one()
    assert left == (1 if status == "reading" else 0)
