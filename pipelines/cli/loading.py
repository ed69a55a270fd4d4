"""``wattloom load``: interval CSV files into readings."""

import argparse
import sys
from pathlib import Path

from pipelines.cli.database import require_head
from pipelines.cli.working import progress_bar
from pipelines.settings import Settings

_SHOWN = 20


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``load``."""
    load = commands.add_parser("load", help="interval CSV files (gz too) into readings; safe to repeat")
    load.add_argument("files", nargs="+", type=Path, metavar="FILE")
    load.add_argument("--organization", required=True, metavar="NAME")
    load.add_argument("--device-column", metavar="NAME", help="default: found by its usual names")
    load.add_argument("--time-column", metavar="NAME", help="interval start; default: found by its usual names")
    load.add_argument("--value-column", metavar="NAME", help="energy; default: found by its usual names")
    load.add_argument("--unit", help="Wh, kWh, MWh, J, MJ or GJ; default: from the value column's name, else kWh")
    load.add_argument(
        "--interval", type=int, metavar="MINUTES", help="length of an interval; default: as the data shows"
    )
    load.add_argument("--timezone", default="UTC", metavar="TZ", help="zone of the devices (default UTC)")
    load.add_argument(
        "--timestamps",
        choices=("local", "utc"),
        default="local",
        help="whether times without an offset are in the zone (default) or in UTC",
    )
    load.add_argument("--rejected", type=Path, metavar="CSV", help="write every rejected row and its reason here")
    load.set_defaults(run=run_load)


def run_load(settings: Settings, chosen: argparse.Namespace) -> int:
    """Load files; exit code 1 where rows were rejected."""
    from pipelines.files.interval_csv import LoadPlan, load_files

    require_head(settings)
    plan = LoadPlan(
        organization=chosen.organization,
        device_column=chosen.device_column,
        time_column=chosen.time_column,
        value_column=chosen.value_column,
        unit=chosen.unit,
        interval_s=chosen.interval * 60 if chosen.interval else None,
        timezone=chosen.timezone,
        timestamps=chosen.timestamps,
    )
    with progress_bar("load") as advance:
        outcome = load_files(settings, chosen.files, plan, progress=advance)
    print(
        f"{outcome.rows} rows: {outcome.accepted} accepted ({outcome.inserted} new, {outcome.corrected} corrected,"
        f" {outcome.unchanged} unchanged), {len(outcome.rejected)} rejected; {outcome.devices} devices"
    )
    if outcome.staged:
        print(f"{outcome.staged} rows are staged: their meters were deleted while the load ran", file=sys.stderr)
    for row in outcome.rejected[:_SHOWN]:
        print(f"{row.file}: row {row.row}, {row.column}: {row.code}: {row.detail}", file=sys.stderr)
    if len(outcome.rejected) > _SHOWN:
        print(f"... and {len(outcome.rejected) - _SHOWN} more (see --rejected)", file=sys.stderr)
    if chosen.rejected is not None:
        outcome.write_rejected(chosen.rejected)
    return 1 if outcome.rejected else 0
