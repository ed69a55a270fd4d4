import json
import subprocess
import sys
import threading
import time
from typing import Any

import pytest
from jsonata2py import runtime
from jsonata2py.runtime import core

from pipelines.erp import jsonata_install
from pipelines.erp.jsonata import Budget, ExpressionError, compile_expression
from pipelines.erp.jsonata_watch import WATCH, Overrun

MARGIN_S = 5.0  # test machines are shared; on an idle one it is below 0.1 s. An endless one would never end

# Every one of these would take seconds to years, or gigabytes, if nothing stopped it.
HOSTILE = {
    "endless tail call": "($f := function($x) { $f($x + 1) }; $f(1))",
    "endless recursion": "($f := function($x) { 1 + $f($x + 1) }; $f(1))",
    "two functions that call each other": "($f := function($x) { $g($x) }; $g := function($x) { $f($x) }; $f(1))",
    "exponential recursion": "($f := function($n) { $n < 2 ? $n : $f($n - 1) + $f($n - 2) }; $f(60))",
    "range": "[1..1e9]",
    "range within the language's bound": "[1..9999999]",
    "loop within a loop": "$map([1..9000], function($v) { $map([1..9000], function($w) { $v * $w }) })",
    "catastrophic regex": "$match($pad('', 3000, 'x'), /(x+x+)+y/)",
    "catastrophic regex in replace": "$replace($pad('', 50000, 'a'), /(a|aa)+$b/, 'x')",
    "catastrophic regex in split": "$split($pad('', 3000, 'x'), /(x+x+)+y/)",
    "catastrophic regex in contains": "$contains($pad('', 3000, 'x'), /(x+x+)+y/)",
    "catastrophic regex behind ~>": "$pad('', 3000, 'x') ~> /(x+x+)+y/",
    "pad": "$pad('a', 1000000000)",
    "pad to the left": "$pad('a', -500000000)",
    "pad by name": "($p := $pad; $p('a', 500000000))",
    "many pads": "$map([1..100000], function($v) { $pad('a', 1000000) })",
    "text that doubles": "$reduce([1..60], function($a, $v) { $a & $a }, 'xx')",
    "array that doubles": "$reduce([1..60], function($a, $v) { $append($a, $a) }, [1, 2])",
    "array that doubles in a constructor": "$reduce([1..60], function($a, $v) { [$a, $a, $v] }, [1, 2])",
    "shared arrays as the result": "$reduce([1..60], function($a, $v) { [[$a], [$a]] }, [1])",
    "shared arrays as text": "$string($reduce([1..60], function($a, $v) { [[$a], [$a]] }, [1]))",
    "shared arrays as pretty text": "$string($reduce([1..60], function($a, $v) { [[$a], [$a]] }, [1]), true)",
    "shared arrays compared": (
        "($f := function() { $reduce([1..40], function($a, $v) { [[$a], [$a]] }, [1]) }; $f() = $f())"
    ),
    "shared objects": "$reduce([1..60], function($a, $v) { {'a': $a, 'b': $a} }, 1)",
    "descendants of shared objects": "$count($reduce([1..60], function($a, $v) { {'a': $a, 'b': $a} }, 1).**)",
    "transform of shared objects": "$reduce([1..60], function($a, $v) { {'a': $a, 'b': $a} }, 1) ~> |a|{'c': 1}|",
    "join": "($b := $pad('', 900000); $join($map([1..100000], function($v) { $b }), ''))",
    "join with a long separator": "$join($map([1..100000], $string), $pad('', 900000))",
    "replace by a long text": "$replace($pad('', 900000, 'a'), 'a', $pad('', 900000, 'b'))",
    "replace by many groups": "$replace($pad('', 900000, 'a'), /a+/, $pad('', 900000, '$0'))",
    "replace by a function": "($b := $pad('', 900000); $replace($pad('', 9000, 'a'), /a/, function($m) { $b }))",
    "many groups": "$match($pad('', 900000, 'y'), /" + "(" * 60 + "y+" + ")" * 60 + "/)",
    "substrings": "($b := $pad('', 900000); $map([1..100000], function($v) { $substring($b, 1) }))",
    "sort": "$sort($map([1..60000], function($v) { $random() }))",
    "order by": "[1..500000]^(>$)",
    "cross product": "($a := [1..90000]; $a@$x.$a@$y[$x = $y].{'x': $x})",
    "field of shared arrays": "($b := [1..9000]; $map([1..9000], function($v) { {'b': $b} }).b)",
    "flattening": "($b := [1..90000]; $count([1..90000].$b))",
    "groups": "[1..900000]{$string($): $}",
    "eval of eval": "($s := '$eval($s)'; $eval($s))",
    "many evals": "$map([1..100000], function($v) { $eval('1+' & $v) })",
    "base 64 of base 64": "$reduce([1..100], function($a, $v) { $base64encode($a) }, 'aaaaaaaa')",
    "date as wide as a gigabyte": "$fromMillis(0, '[Y,999999999]')",
    "number picture of a megabyte": "$formatNumber(1, $pad('0', 900000, '0'))",
    "whole number of thousands of digits": "$parseInteger($pad('z', 9000, 'z'), 'a')",
    "words that are no number": "$parseInteger($pad('one', 9000, ' thousand'), 'w')",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_expression_is_an_error_in_time(name: str) -> None:
    expression = compile_expression(HOSTILE[name])
    started_s = time.perf_counter()
    with pytest.raises(ExpressionError) as caught:
        expression.evaluate({})
    assert time.perf_counter() - started_s < 0.1 + MARGIN_S
    assert caught.value.code != "U1000"
    assert compile_expression("$sum([1..10]) & ''").evaluate({}) == "55"


MEMORY = """
import json, resource, sys
from pipelines.erp.jsonata import ExpressionError, compile_expression
def peak_mb(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
compile_expression("$sum([1..10]) & ''").evaluate({})
before = peak_mb()
worst = {}
for name, text in json.load(sys.stdin).items():
    former = peak_mb()
    try:
        compile_expression(text).evaluate({})
    except ExpressionError:
        pass
    worst[name] = peak_mb() - former
print(json.dumps([peak_mb() - before, worst]))
"""


def test_hostile_expressions_do_not_take_the_memory_of_the_process() -> None:
    done = subprocess.run(
        [sys.executable, "-c", MEMORY],
        input=json.dumps(HOSTILE),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    grown_mb, worst = json.loads(done.stdout)
    assert grown_mb < 200, sorted(worst.items(), key=lambda item: -item[1])[:3]


def test_a_budget_spent_within_eval_is_the_budget_of_all() -> None:
    for text in (HOSTILE["many evals"], "$eval('($f := function() { $f() }; $f())')"):
        with pytest.raises(ExpressionError) as caught:
            compile_expression(text).evaluate({}, budget=Budget(time_ms=30))
        assert caught.value.code == "U1001"


def test_each_part_of_the_budget_holds() -> None:
    deep = compile_expression("($f := function($n) { $n = 0 ? 0 : 1 + $f($n - 1) }; $f(20))")
    assert deep.evaluate({}) == 20
    cases: list[tuple[Any, dict[str, int], str]] = [
        (deep, {"depth": 10}, "U1001"),
        (compile_expression("[1..50]"), {"items": 40}, "U1002"),
        (compile_expression("absent & 'bc'"), {"text": 1}, "U1003"),
        (compile_expression("$map([1..100000], function($v) { $v * 2 })"), {"time_ms": 2}, "U1001"),
    ]
    for expression, limits, code in cases:
        with pytest.raises(ExpressionError) as caught:
            expression.evaluate({}, budget=Budget(**limits))
        assert caught.value.code == code
        expression.evaluate({}, budget=Budget(time_ms=5000))


def test_threads_have_budgets_of_their_own() -> None:
    hostile = compile_expression(HOSTILE["endless tail call"])
    friendly = compile_expression("$sum($map([1..10], function($v) { $v * factor }))")
    results: list[object] = []

    def work(number: int) -> None:
        for turn in range(8):
            if (number + turn) % 4 == 0:
                try:
                    hostile.evaluate({}, budget=Budget(time_ms=15))
                except ExpressionError as error:
                    results.append(error.code)
            else:
                results.append(friendly.evaluate({"factor": number}, budget=Budget(time_ms=20_000)) == 55 * number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(results) == 64
    assert set(results) == {True, "U1001"}


def test_nothing_is_raised_after_an_evaluation_has_ended() -> None:
    endless = compile_expression(HOSTILE["endless tail call"])
    for turn in range(40):
        with pytest.raises(ExpressionError):
            endless.evaluate({}, budget=Budget(time_ms=1 + turn % 7))
    until_s = time.monotonic() + 0.3
    while time.monotonic() < until_s:
        sum(range(100))  # any bytecode would meet a late exception


def test_work_that_ends_just_in_time_neither_fails_twice_nor_late() -> None:
    for _ in range(60):
        try:
            WATCH.run(0.005, lambda: time.sleep(0.0049))
        except Overrun:
            continue
    until_s = time.monotonic() + 0.2
    while time.monotonic() < until_s:
        sum(range(100))


def test_an_overrun_waits_for_a_finalizer_to_end() -> None:
    finished: list[bool] = []

    class Stubborn:
        def __del__(self) -> None:
            until_s = time.monotonic() + 0.1
            while time.monotonic() < until_s:
                pass
            finished.append(True)

    def work() -> None:
        Stubborn()
        while True:
            pass

    with pytest.raises(Overrun):
        WATCH.run(0.02, work)
    assert finished


def test_a_forked_process_has_a_watcher_of_its_own() -> None:
    script = (
        "import os\n"
        "from pipelines.erp.jsonata import compile_expression, ExpressionError\n"
        f"endless = compile_expression({HOSTILE['endless tail call']!r})\n"
        "def code():\n"
        "    try: endless.evaluate({})\n"
        "    except ExpressionError as error: return error.code\n"
        "assert code() == 'U1001'\n"
        "child = os.fork()\n"
        "if child == 0: os._exit(0 if code() == 'U1001' else 1)\n"
        "assert os.waitpid(child, 0)[1] == 0\n"
    )
    subprocess.run([sys.executable, "-W", "ignore::DeprecationWarning", "-c", script], check=True, timeout=60)


def test_the_engine_still_has_every_function_that_is_guarded() -> None:
    jsonata_install.install()
    for module, name, _ in jsonata_install.replacements():
        assert getattr(module, name).__module__ == "pipelines.erp.jsonata_guard", name
    compile_expression("$$").evaluate({})
    assert runtime.concat is core.concat
