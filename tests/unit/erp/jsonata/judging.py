"""Reads the official suite, and judges an answer as its own runner does."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_ABSENT = object()


@dataclass(frozen=True)
class Case:
    """One case of the suite."""

    name: str
    expression: str
    bindings: dict[str, Any]
    data: Any
    result: Any
    code: str | None

    def asked(self) -> dict[str, Any]:
        asked = {"expression": self.expression, "bindings": self.bindings}
        return asked if self.data is _ABSENT else {**asked, "data": self.data}


def cases_of(suite: Path) -> list[Case]:
    data_sets = {file.stem: json.loads(file.read_text()) for file in (suite / "datasets").glob("*.json")}
    cases = []
    for file in sorted((suite / "groups").glob("*/*.json")):
        found = json.loads(file.read_text())
        for number, said in enumerate(found if isinstance(found, list) else [found]):
            text = said["expr"] if "expr" in said else (file.parent / said["expr-file"]).read_text()
            data = data_sets[said["dataset"]] if said.get("dataset") is not None else _ABSENT
            cases.append(
                Case(
                    name=f"{file.parent.name}/{file.stem}#{number}",
                    expression=text,
                    bindings=said.get("bindings") or {},
                    data=said.get("data", data),
                    result=said.get("result", _ABSENT),
                    code=said.get("code") or (said.get("error") or {}).get("code"),
                )
            )
    return cases


def is_passed(case: Case, printed: str, code: str | None) -> bool:
    if case.code is not None:
        return code == case.code
    if case.result is _ABSENT:
        return code is None and not printed
    return code is None and printed != "" and is_same(json.loads(printed), case.result)


def is_same(left: Any, right: Any) -> bool:
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, (int, float)) and isinstance(right, (int, float)):
        return left == right
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(is_same, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(is_same(left[key], right[key]) for key in left)
    return type(left) is type(right) and bool(left == right)
