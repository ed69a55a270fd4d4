"""``wattloom pipeline STEP``: the same functions that the DAGs call."""

import argparse
import json
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from pipelines.cli.database import require_head
from pipelines.errors import RejectedInput
from pipelines.settings import Settings

STEPS: dict[str, frozenset[str]] = {
    "promote": frozenset(),
    "prune-staging": frozenset(),
    "derive": frozenset({"month", "start", "end", "devices"}),
    "refresh": frozenset({"month", "start", "end", "devices"}),
    "disaggregate-month": frozenset({"month", "start", "end", "devices"}),
    "disaggregate-week": frozenset({"week", "devices"}),
    "maintain": frozenset(),
    "check": frozenset(),
}


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``pipeline``."""
    step = commands.add_parser("pipeline", help="one pipeline step, the same that a DAG task runs")
    step.add_argument("step", choices=sorted(STEPS), metavar="STEP", help=", ".join(sorted(STEPS)))
    step.add_argument("--month", metavar="YYYY-MM")
    step.add_argument("--week", metavar="YYYY-MM-DD", help="a Monday")
    step.add_argument("--from", dest="start", metavar="ISO", help="changes from this date or instant on")
    step.add_argument("--to", dest="end", metavar="ISO", help="and before this one")
    step.add_argument(
        "--device", dest="devices", type=int, action="append", metavar="ID", help="sensor id; repeatable"
    )
    step.set_defaults(run=run_step)


def run_step(settings: Settings, chosen: argparse.Namespace) -> int:
    """Run a step on every device of every organization, or on those named; print its counts as JSON."""
    from pipelines import steps

    given = {n: getattr(chosen, n) for n in ("month", "week", "start", "end", "devices") if getattr(chosen, n)}
    unknown = sorted(set(given) - STEPS[chosen.step])
    if unknown:
        raise RejectedInput({name: [f"{chosen.step} does not take it"] for name in unknown})
    require_head(settings)
    function: Callable[..., dict[str, Any]] = getattr(steps, chosen.step.replace("-", "_"))
    if STEPS[chosen.step]:
        with progress_bar(chosen.step) as advance:
            counts = function(settings=settings, progress=advance, **given)
    else:
        counts = function(settings=settings)
    print(json.dumps(counts))
    return 0


class progress_bar:  # noqa: N801 - reads as a function: with progress_bar("derive") as advance
    """Show a bar on standard error while a step says how far it is; nothing where that is no terminal."""

    def __init__(self, title: str) -> None:
        console = Console(stderr=True)
        self._bar = Progress(
            TextColumn(title),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> Callable[[int, int], None]:
        self._bar.__enter__()
        task = self._bar.add_task("", total=None)

        def advance(done: int, total: int) -> None:
            self._bar.update(task, completed=done, total=total)

        return advance

    def __exit__(self, *failure: object) -> None:
        self._bar.stop()
