"""``wattloom jsonata``: evaluate an expression from standard input, as the gateway would."""

import argparse
import json
import sys
from typing import Any

from pipelines.settings import Settings

USAGE = """\
Standard input is one JSON object {"expression": ..., "data": ..., "bindings": {...}}; "data" may be absent, which is
JSONata's undefined, and so may "bindings". The result is printed as JSON; an undefined one prints nothing. An error is
printed to standard error as {"code": ..., "message": ..., "position": ...}, and the exit code is 2.

With --lines, every line of the input is such an object and has its own line of output, empty where the result is
undefined or the expression failed; an error also says its "line", counted from 1.
"""
_ITEMS = _TEXT = 25_000_000  # room for the language's largest range, ten million members


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``jsonata``."""
    jsonata = commands.add_parser(
        "jsonata",
        help="evaluate a JSONata expression from standard input",
        description=USAGE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    jsonata.add_argument("--lines", action="store_true", help="one object per line, one line of output for each")
    jsonata.add_argument(
        "--time-ms", type=int, default=5000, metavar="MS", help="time one evaluation may take (default 5000)"
    )
    jsonata.set_defaults(run=run_jsonata)


def run_jsonata(_: Settings, chosen: argparse.Namespace) -> int:
    """Evaluate what standard input holds; exit code 2 where an expression failed."""
    if not chosen.lines:
        return 0 if _answer(sys.stdin.read(), chosen.time_ms) else 2
    failures = 0
    for number, line in enumerate(sys.stdin, 1):
        if not _answer(line, chosen.time_ms, line_number=number):
            failures += 1
    return 2 if failures else 0


def _answer(text: str, time_ms: int, line_number: int | None = None) -> bool:
    """Print one result or one error; tell whether it was a result."""
    from pipelines.erp.jsonata import UNDEFINED, ExpressionError, write_json
    from pipelines.errors import RejectedInput

    try:
        result = _evaluate(text, time_ms)
    except RejectedInput as error:
        said: dict[str, Any] = {"code": "U1005", "message": str(error), "position": None}
        if isinstance(error, ExpressionError):
            said = {"code": error.code, "message": error.message, "position": error.position}
        if line_number is not None:
            said["line"] = line_number
            print(flush=True)
        print(json.dumps(said), file=sys.stderr, flush=True)
        return False
    if result is not UNDEFINED:
        print(write_json(result), flush=True)
    elif line_number is not None:
        print(flush=True)
    return True


def _evaluate(text: str, time_ms: int) -> Any:
    from pipelines.erp.jsonata import UNDEFINED, Budget, compile_expression, read_json
    from pipelines.errors import RejectedInput

    asked = read_json(text)
    if not isinstance(asked, dict) or not isinstance(asked.get("expression"), str):
        raise RejectedInput({"expression": ["An object with an expression is expected."]})
    bindings = asked.get("bindings")
    if bindings is not None and not isinstance(bindings, dict):
        raise RejectedInput({"bindings": ["An object of names and values is expected."]})
    further = asked.keys() - {"expression", "data", "bindings"}
    if further:
        raise RejectedInput({name: ["This is not a field of the input."] for name in sorted(further)})
    return compile_expression(asked["expression"]).evaluate(
        asked.get("data", UNDEFINED),
        bindings=bindings,
        budget=Budget(time_ms=max(time_ms, 1), items=_ITEMS, text=_TEXT),
    )
