"""``wattloom pipeline STEP``, the same functions that the DAGs call, ``wattloom worker`` and ``wattloom compile``."""

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
    "dispatch": frozenset({"schedule", "tick"}),
    "collect": frozenset({"devices"}),
    "promote": frozenset(),
    "prune-staging": frozenset(),
    "derive": frozenset({"month", "start", "end", "devices"}),
    "refresh": frozenset({"month", "start", "end", "devices"}),
    "disaggregate": frozenset({"month", "start", "end", "devices"}),
    "disaggregate-month": frozenset({"month", "start", "end", "devices"}),
    "disaggregate-week": frozenset({"week", "devices"}),
    "load-weather": frozenset({"start", "end", "devices"}),
    "import-dropped-files": frozenset(),
    "prune-imports": frozenset(),
    "replay-erp-events": frozenset(),
    "maintain": frozenset(),
    "check": frozenset(),
}


_ARGUMENTS = ("month", "week", "start", "end", "devices", "schedule", "tick")
_WITH_PROGRESS = frozenset({"month", "week"})


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``pipeline``, ``worker`` and ``compile``."""
    step = commands.add_parser("pipeline", help="one pipeline step, the same that a DAG task runs")
    step.add_argument("step", choices=sorted(STEPS), metavar="STEP", help=", ".join(sorted(STEPS)))
    step.add_argument("--month", metavar="YYYY-MM")
    step.add_argument("--week", metavar="YYYY-MM-DD", help="a Monday")
    step.add_argument("--from", dest="start", metavar="ISO", help="changes from this date or instant on")
    step.add_argument("--to", dest="end", metavar="ISO", help="and before this one")
    step.add_argument(
        "--device", dest="devices", type=int, action="append", metavar="ID", help="sensor id; repeatable"
    )
    step.add_argument("--schedule", help="dispatch only the tasks of this schedule")
    step.add_argument("--tick", metavar="ISO", help="dispatch the run that this instant belongs to")
    step.set_defaults(run=run_step)
    worker = commands.add_parser("worker", help="execute AMR tasks that are invoked on demand, within a second")
    worker.add_argument("--scheduled", action="store_true", help="and scheduled jobs as they become due")
    worker.set_defaults(run=run_worker)
    ahead = commands.add_parser("compile", help="compile the disaggregation now rather than when it first runs")
    ahead.set_defaults(run=run_compile)


def run_step(settings: Settings, chosen: argparse.Namespace) -> int:
    """Run a step on every device of every organization, or on those named; print its counts as JSON."""
    from pipelines import steps

    given = {name: getattr(chosen, name) for name in _ARGUMENTS if getattr(chosen, name)}
    unknown = sorted(set(given) - STEPS[chosen.step])
    if unknown:
        raise RejectedInput({name: [f"{chosen.step} does not take it"] for name in unknown})
    require_head(settings)
    function: Callable[..., dict[str, Any]] = getattr(steps, chosen.step.replace("-", "_"))
    if STEPS[chosen.step] & _WITH_PROGRESS:
        with progress_bar(chosen.step) as advance:
            counts = function(settings=settings, progress=advance, **given)
    else:
        counts = function(settings=settings, **given)
    print(json.dumps(counts))
    return 0


def run_worker(settings: Settings, chosen: argparse.Namespace) -> int:
    """Execute jobs until interrupted; what is under way is finished first."""
    from pipelines.amr.worker import run_worker as work

    require_head(settings)
    print(json.dumps(work(settings, scheduled=chosen.scheduled)))
    return 0


def run_compile(_settings: Settings, _chosen: argparse.Namespace) -> int:
    """Compile for this machine and keep the result; nothing to do where that was done."""
    from pipelines.insight.readiness import announce_compiling, compile_ahead

    announce_compiling()
    compile_ahead()
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
