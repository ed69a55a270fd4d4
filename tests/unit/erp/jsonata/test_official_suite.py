"""The official suite of the language, through ``wattloom jsonata``, where WATTLOOM_JSONATA_SUITE names its folder.

The folder is ``test/test-suite`` of the jsonata-js repository; it is no part of this project.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.unit.erp.jsonata.judging import Case, cases_of, is_passed

CASES, PASSED = 1686, 1685  # docs/decisions/0010-jsonata.md, jsonata-js 2.2.2


def test_the_official_suite_scores_no_less_than_the_decision_note_says() -> None:
    named = os.environ.get("WATTLOOM_JSONATA_SUITE")
    if not named:
        pytest.skip("set WATTLOOM_JSONATA_SUITE to the folder test/test-suite of jsonata-js")
    cases = cases_of(Path(named))
    assert len(cases) >= CASES, "this is not the whole suite"
    failed = [
        f"{case.name}: {case.expression[:80]}" for case, answer in _answers(cases) if not is_passed(case, *answer)
    ]
    assert len(cases) - len(failed) >= PASSED, failed


def _answers(cases: list[Case]) -> list[tuple[Case, tuple[str, str | None]]]:
    lines = "".join(json.dumps(case.asked()) + "\n" for case in cases)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WATTLOOM_")}
    done = subprocess.run(
        [sys.executable, "-m", "pipelines", "jsonata", "--lines"],
        input=lines,
        capture_output=True,
        text=True,
        timeout=280,
        env=environment,
        check=False,
    )
    printed = done.stdout.split("\n")[:-1]
    assert len(printed) == len(cases), done.stderr[-500:]
    codes: dict[int, Any] = {}
    for line in done.stderr.splitlines():
        said = json.loads(line)
        codes[said["line"]] = said["code"]
    return [(case, (printed[at], codes.get(at + 1))) for at, case in enumerate(cases)]
