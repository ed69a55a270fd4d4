import json
import os
import subprocess
import sys
from pathlib import Path

from tests.unit.erp.jsonata.judging import cases_of, is_passed


def run(text: str, *options: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WATTLOOM_")}
    return subprocess.run(
        [sys.executable, "-m", "pipelines", "jsonata", *options],
        input=text,
        capture_output=True,
        text=True,
        timeout=100,
        env=environment,
        check=False,
    )


def test_the_command_prints_a_result_as_json_with_its_digits() -> None:
    done = run(
        '{"expression": "{\'v\': a.v, \'b\': $b}", "data": {"a": {"v": 1234.567890123}}, "bindings": {"b": [true]}}'
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, '{"v":1234.567890123,"b":[true]}\n', "")


def test_an_undefined_result_prints_nothing_and_null_prints_null() -> None:
    assert (run('{"expression": "a.b"}').stdout, run('{"expression": "$", "data": null}').stdout) == ("", "null\n")


def test_an_error_is_an_object_on_standard_error() -> None:
    done = run('{"expression": "a.("}')
    assert (done.returncode, done.stdout) == (2, "")
    said = json.loads(done.stderr)
    assert said["code"] == "S0207"
    assert said["position"] == 3
    assert said["message"]


def test_lines_in_are_lines_out() -> None:
    asked = [
        '{"expression": "1 + 1"}',
        '{"expression": "absent"}',
        '{"expression": "\'a\' + 1"}',
        "not JSON",
        '{"expression": 7}',
        '{"expression": "1", "binding": {}}',
        '{"expression": "1", "bindings": []}',
        '{"expression": "$keys(data)[]", "data": {"data": {"x": 1}}}',
        '{"expression": "($f := function() { $f() }; $f())"}',
    ]
    done = run("\n".join(asked) + "\n", "--lines", "--time-ms", "200")
    assert done.returncode == 2
    assert done.stdout.split("\n") == ["2", "", "", "", "", "", "", '["x"]', "", ""]
    codes = {said["line"]: said["code"] for said in map(json.loads, done.stderr.splitlines())}
    assert codes == {3: "T2001", 4: "U1005", 5: "U1005", 6: "U1005", 7: "U1005", 9: "U1001"}


def test_a_suite_in_the_official_form_is_read_and_judged(tmp_path: Path) -> None:
    group = tmp_path / "groups" / "ours"
    group.mkdir(parents=True)
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets" / "d1.json").write_text('{"a": 1}')
    (group / "case000.json").write_text(
        '[{"expr": "a", "dataset": "d1", "result": 1}, {"expr": "a", "dataset": null, "undefinedResult": true},'
        ' {"expr": "a + \'x\'", "data": {"a": 1}, "code": "T2002"}]'
    )
    (group / "case001.json").write_text('{"expr-file": "e.jsonata", "data": null, "result": null}')
    (group / "e.jsonata").write_text("$")
    cases = cases_of(tmp_path)
    right = [("1", None), ("", None), ("", "T2002"), ("null", None)]
    assert [is_passed(case, *answer) for case, answer in zip(cases, right, strict=True)] == [True] * 4
    wrong: list[tuple[str, str | None]] = [("true", None), ("null", None), ("", "T2001"), ("", None)]
    assert [is_passed(case, *answer) for case, answer in zip(cases, wrong, strict=True)] == [False] * 4
