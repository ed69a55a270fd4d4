"""``wattloom load`` and ``load-weather``: interval CSV files into readings, temperatures into weather."""

import argparse
import sys
from pathlib import Path

from pipelines.cli.database import require_head
from pipelines.cli.working import progress_bar
from pipelines.settings import Settings

_SHOWN = 20


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``load`` and ``load-weather``."""
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
    weather = commands.add_parser(
        "load-weather", help="temperatures outside (timestamp,temperature_c; gz too) for a place; safe to repeat"
    )
    weather.add_argument("file", type=Path, metavar="FILE")
    weather.add_argument("--latitude", type=float, required=True, metavar="DEGREES", help="north is positive")
    weather.add_argument("--longitude", type=float, required=True, metavar="DEGREES", help="east is positive")
    weather.add_argument("--organization", metavar="NAME", help="whose it is; default: every organization's")
    weather.add_argument(
        "--rejected", type=Path, metavar="CSV", help="write every rejected row and its reason here"
    )
    weather.set_defaults(run=run_load_weather)


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


def run_load_weather(settings: Settings, chosen: argparse.Namespace) -> int:
    """Load temperatures; exit code 1 where rows were rejected."""
    from pipelines.accounts.organizations import organization_by_name
    from pipelines.db.engine import engine_for, unit_of_work
    from pipelines.household.documents import check_geolocation
    from pipelines.weather.loading import load_file

    place = check_geolocation({"latitude": chosen.latitude, "longitude": chosen.longitude}).document
    require_head(settings)
    engine, owner = engine_for(settings), None
    if chosen.organization is not None:
        with unit_of_work(engine) as connection:
            owner = organization_by_name(connection, chosen.organization)
    done = load_file(engine, chosen.file, **place, organization_id=owner)
    rejected, written, (latitude, longitude) = done.file.rejected, done.written, done.cell
    print(
        f"{done.file.rows} rows, {len(rejected)} rejected; {done.file.hours.hour_us.size} hours"
        f" at {latitude}, {longitude}: {written.new} new, {written.changed} changed, {written.unchanged} unchanged,"
        f" {written.kept} kept as they were measured"
    )
    for row in rejected[:_SHOWN]:
        column = f", {row.column}" if row.column else ""
        print(f"row {row.row}{column}: {row.code}: {row.detail}", file=sys.stderr)
    if len(rejected) > _SHOWN:
        print(f"... and {len(rejected) - _SHOWN} more (see --rejected)", file=sys.stderr)
    if chosen.rejected is not None:
        done.file.write_rejected(chosen.rejected)
    return 1 if rejected else 0
