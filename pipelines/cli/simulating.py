"""``wattloom simulate``: meters of every protocol on loopback ports."""

import argparse
import asyncio
import json
import signal
import sys
from pathlib import Path

from pipelines.errors import RejectedInput, SourceUnavailable
from pipelines.settings import Settings


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``simulate``."""
    simulate = commands.add_parser(
        "simulate",
        help="simulated meters on loopback ports, each with an archive of months; prints how to read them",
    )
    simulate.add_argument("--meters", type=int, default=1, metavar="N", help="meters of each protocol (default 1)")
    simulate.add_argument("--protocol", action="append", metavar="NAME", help="only this one; repeatable")
    simulate.add_argument("--months", type=int, default=13, help="months of archive (default 13)")
    simulate.add_argument("--first-port", type=int, default=0, metavar="PORT", help="else any free ports")
    simulate.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="NAME",
        help="gives one meter of each protocol a fault; repeatable: slow, byte-by-byte, cut, corrupt, silent,"
        " duplicate, flood, drift, wrong-password",
    )
    simulate.add_argument("--manifest", type=Path, metavar="FILE", help="write the manifest there (JSON)")
    simulate.add_argument("--json", action="store_true", help="print the manifest as JSON")
    simulate.set_defaults(run=run_simulate)


def run_simulate(_settings: Settings, chosen: argparse.Namespace) -> int:
    """Serve until interrupted."""
    folder = chosen.manifest.parent if chosen.manifest is not None else Path()
    if not folder.is_dir():
        raise RejectedInput({"manifest": [f"there is no folder {folder}"]})
    return asyncio.run(_serve(chosen))


async def _serve(chosen: argparse.Namespace) -> int:
    from pipelines.simulators.meters.fleet import Fleet
    from pipelines.simulators.meters.kinds import PROTOCOLS

    fleet = Fleet()
    try:
        await fleet.start(
            per_protocol=chosen.meters,
            protocols=chosen.protocol or PROTOCOLS,
            months=chosen.months,
            first_port=chosen.first_port,
            faults=chosen.fault,
        )
    except OSError as error:  # a port in use, or more sockets than a process may have
        await fleet.stop()
        raise SourceUnavailable(f"meter {len(fleet.manifest) + 1} cannot listen: {error.strerror}") from None
    lines = [meter.as_dict() for meter in fleet.manifest]
    text = json.dumps(lines, indent=2)
    if chosen.manifest is not None:
        draft = chosen.manifest.with_suffix(".part")
        draft.touch(mode=0o600)  # it holds the meters' keys
        draft.write_text(text + "\n", encoding="utf-8")
        draft.replace(chosen.manifest)
    if chosen.json:
        print(text, flush=True)
    else:
        for meter in fleet.manifest:
            wrong = f"  [{meter.fault}]" if meter.fault else ""
            print(f"{meter.host}:{meter.port}  {meter.protocol:<12} {meter.name}{wrong}")
            print(f"    {meter.meter_execution_type} {meter.task_call} {json.dumps(dict(meter.task_kwargs))}")
        sys.stdout.flush()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()
    await fleet.stop()
    return 0
