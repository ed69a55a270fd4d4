"""``wattloom import``, ``source`` and ``registry`` as a user meets them, and the drop folder."""

import json
import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from pipelines import clock, steps
from pipelines.cli import main
from pipelines.settings import Settings


@pytest.fixture
def home(
    settings: Settings, database_url: str, organization: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> Settings:
    """The command's surroundings, with the organization ``First``."""
    monkeypatch.setenv("WATTLOOM_DATABASE_URL", database_url)
    monkeypatch.setenv("WATTLOOM_HOME", str(settings.home))
    return settings


def test_a_file_is_imported_and_the_rejected_rows_are_said(
    home: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, wrong = tmp_path / "customers.csv", tmp_path / "wrong.csv"
    path.write_text("external_id,name,birth_year\na,Ann,1990\nb,Bo,19x0\n")
    command = ["import", str(path), "--table", "customers", "--organization", "First"]

    assert main([*command, "--dry-run"]) == 1
    assert "checked" in capsys.readouterr().out
    assert main([*command, "--rejected", str(wrong)]) == 1
    said = capsys.readouterr()
    assert "2 rows: 1 accepted (1 new, 0 updated, 0 unchanged), 1 rejected" in said.out
    assert "row 2, birth_year: invalid_integer" in said.err
    assert "19x0" not in said.err + said.out + wrong.read_text()
    assert wrong.read_text().splitlines()[1].startswith("2,birth_year,invalid_integer,")
    assert main([*command, "--max-rejected", "10%"]) == 1
    assert "too_many_rejected" in capsys.readouterr().err


@pytest.mark.parametrize(
    "change", [["--organization", "Nobody"], ["--max-rejected", "many"], ["--source", "999"], ["nothing.csv"]]
)
def test_a_wrong_argument_is_one_line_and_exit_code_2(
    home: Settings, tmp_path: Path, change: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "customers.csv"
    path.write_text("external_id\na\n")
    file = change if not change[0].startswith("-") else [str(path), *change]
    command = ["import", "--table", "customers", "--organization", "First", *file]

    assert main(command) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_a_source_is_created_and_keys_are_rotated_and_destroyed(
    home: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["source", "create", "--organization", "First", "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)) == {"id", "name", "secret"}
    assert main(["registry", "rotate-key", "--organization", "First"]) == 0
    assert main(["registry", "rotate-key", "--organization", "First"]) == 0
    assert main(["registry", "destroy-key", "--organization", "First", "--version", "1"]) == 0
    assert main(["registry", "destroy-key", "--organization", "First", "--all"]) == 0
    assert "destroyed key version 2" in capsys.readouterr().out
    assert main(["registry", "destroy-key", "--organization", "First", "--all"]) == 2


def test_the_drop_folder_is_imported_set_aside_and_pruned(
    home: Settings, database_url: str, tmp_path: Path
) -> None:
    folder = tmp_path / "drop"
    place = folder / "First" / "customers"
    place.mkdir(parents=True)
    (folder / "Nobody" / "customers").mkdir(parents=True)
    (place / "good.csv").write_text("external_id,birth_year\na,1990\nb,x\n")
    (place / "bad.csv").write_text("name\nAnn\n")
    (place / "under-way.part").write_text("external_id\nc\n")
    (place / "fresh.csv").write_text("external_id\nd\n")
    settled = clock.now() - timedelta(minutes=1)
    for name in ("good.csv", "bad.csv", "under-way.part"):
        os.utime(place / name, (settled.timestamp(), settled.timestamp()))
    settings = replace(home, import_folder=folder)

    counts = steps.import_dropped_files(settings=settings)

    assert counts == {"finished": 0, "imported": 1, "refused": 1, "rows": 2, "rejected": 1}
    assert sorted(path.name for path in place.iterdir() if path.is_file()) == ["fresh.csv", "under-way.part"]
    assert len(list((place / "imported").iterdir())) == 2
    assert len(list((place / "refused").iterdir())) == 1
    assert steps.prune_imports(settings=settings) == {"verdicts": 0, "abandoned": 0, "files": 0}
    clock.start_at(clock.now() + timedelta(days=settings.import_retention_days + 1))
    assert steps.prune_imports(settings=settings) == {"verdicts": 1, "abandoned": 0, "files": 3}
    with psycopg.connect(database_url) as connection:
        found = connection.execute("SELECT external_id FROM wattloom.registry_customer").fetchall()
    assert found == [("a",)]
