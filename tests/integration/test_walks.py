"""The worked sessions of the documentation, as they stand there: in a shell, against a server, with what they print."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from tests.integration.test_kill_api import ROOT, free_port, serve

needs_shell = pytest.mark.skipif(
    not all(shutil.which(name) for name in ("bash", "curl", "jq", "sed")),
    reason="bash, curl, jq and sed are needed",
)
pytestmark = needs_shell
BASH = shutil.which("bash") or "bash"


def section(name: str) -> str:
    """Return the worked session of a page."""
    text = (ROOT / "docs" / name).read_text(encoding="utf-8")
    return re.split(r"\n## ", text.split("\n## A worked session\n", 1)[1], maxsplit=1)[0]


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def promised(script: str) -> list[str]:
    """Return the lines that a script's comments say it prints."""
    return [line[2:] for line in script.splitlines() if line.startswith("# ")]


@pytest.fixture
def port(database_url: str, organization: dict[str, Any], tmp_path: Path) -> Iterator[int]:
    found = free_port()
    server = serve(database_url, tmp_path / "home", found)
    yield found
    server.terminate()
    server.wait(20)


def played(text: str, folder: Path, database_url: str, port: int, organization: dict[str, Any]) -> str:
    """Play the shell blocks of a session in one shell; return what it prints."""
    script = "\n".join(blocks(text, "sh")).replace("127.0.0.1:8000", f"127.0.0.1:{port}")
    script = script.replace("My utility", organization["organization"]["name"])
    script = script.replace('"client-1"', json.dumps(organization["client"]["client_id"]))
    script = script.replace(
        '"client_secret": "..."', f'"client_secret": "{organization["client"]["client_secret"]}"'
    )
    names = {name: value for name, value in os.environ.items() if not name.startswith("WATTLOOM_")}
    names |= {"WATTLOOM_DATABASE_URL": database_url, "WATTLOOM_HOME": str(folder / "home")}
    names["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{names['PATH']}"
    done = subprocess.run(
        [BASH, "-euo", "pipefail", "-c", script],
        cwd=folder,
        env=names,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def check_printed(printed: str, lines: list[str]) -> None:
    """Check that lines are printed in this order; three points stand for anything."""
    found = iter(printed.splitlines())
    for line in lines:
        pattern = ".*".join(map(re.escape, line.split("...")))
        assert any(re.fullmatch(pattern, one) for one in found), f"{line}\nis not printed in its place:\n{printed}"


def write_sheet(path: Path, text: str) -> None:
    """Write the table of a session as a workbook."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        for number, row in enumerate([rows[0], *rows[2:]]):
            sheet.write_row(number, 0, row)


def test_an_integrators_day_with_spreadsheets(
    port: int, database_url: str, organization: dict[str, Any], tmp_path: Path
) -> None:
    text = section("registry.md")
    write_sheet(tmp_path / "meters.xlsx", text)

    printed = played(text, tmp_path, database_url, port, organization)

    lines = promised("\n".join(blocks(text, "sh")))
    assert len(lines) > 12
    check_printed(printed, lines)


def test_an_integrators_day_with_an_erp(
    port: int, database_url: str, organization: dict[str, Any], tmp_path: Path
) -> None:
    text = section("erp.md")

    printed = played(text, tmp_path, database_url, port, organization)

    lines = promised("\n".join(blocks(text, "sh")))
    assert len(lines) > 5
    check_printed(printed, lines)
    (results,) = blocks(text, "json")
    shown = re.search(r"^\[\n.*?^\]\n", printed, re.DOTALL | re.MULTILINE)
    assert shown is not None
    assert json.loads(shown[0]) == json.loads(results)
