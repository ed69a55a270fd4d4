"""``wattloom analyze``: one home's CSV into its months, with no database."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from pipelines.errors import RejectedInput
from pipelines.settings import Settings

_SHOWN = 20


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``analyze``."""
    analyze = commands.add_parser("analyze", help="one home's interval CSV by appliance; needs no database")
    analyze.add_argument(
        "file", type=Path, metavar="FILE", help="columns timestamp and energy_wh or power_w; gz too"
    )
    analyze.add_argument(
        "--timezone", required=True, metavar="TZ", help="zone of the home's days, e.g. Europe/Rome"
    )
    analyze.add_argument("--latitude", type=float, help="default: the zone's principal city")
    analyze.add_argument("--longitude", type=float)
    analyze.add_argument("--appliances", type=Path, metavar="JSON", help="as PUT to metadata/appliances")
    analyze.add_argument("--property", type=Path, metavar="JSON", help="as PUT to metadata/property")
    analyze.add_argument("--weather", type=Path, metavar="CSV", help="columns timestamp and temperature_c")
    analyze.add_argument("--month", metavar="YYYY-MM", help="this month alone; earlier ones teach it all the same")
    analyze.add_argument("--format", choices=("json", "text"), default="json")
    analyze.set_defaults(run=run_analyze)


def run_analyze(settings: Settings, chosen: argparse.Namespace) -> int:
    """Print every month of the file; what of it was not taken goes to standard error, and into the JSON."""
    from analytics.reports import CarbonFactors
    from pipelines.files.home_csv import listed, read_home
    from pipelines.insight.analyze import analyze
    from pipelines.insight.readiness import announce_compiling

    facts = _facts(chosen)
    wanted = _month(chosen.month)
    file = read_home(chosen.file)
    factors = CarbonFactors(kgco2_per_kwh=settings.carbon_kg_per_kwh, kgco2_per_tree_day=settings.tree_kg_per_day)
    announce_compiling()
    months = analyze(file, facts, month=wanted, factors=factors)
    if file.rejected:
        print(f"{chosen.file}: {len(file.rejected)} of {file.rows} rows were not taken", file=sys.stderr)
        for line in listed(file.rejected, _SHOWN):
            print(f"{chosen.file}: {line}", file=sys.stderr)
    if chosen.format == "json":
        rejected = [
            {"row": one.row, "column": one.column, "code": one.code, "detail": one.detail} for one in file.rejected
        ]
        print(json.dumps({"months": months, "rows": file.rows, "rejected": rejected}))
    else:
        _print_months(months)
    return 0


def _facts(chosen: argparse.Namespace) -> Any:
    from analytics.disaggregation.households import household_of
    from pipelines.fields import canonical_zone, is_zone
    from pipelines.household.documents import check_appliances, check_geolocation, check_property
    from pipelines.insight.analyze import HomeFacts

    if not is_zone(chosen.timezone):
        raise RejectedInput({"timezone": [f"{chosen.timezone!r} is no IANA time zone such as Europe/Rome"]})
    coordinates = None
    if (chosen.latitude is None) != (chosen.longitude is None):
        raise RejectedInput({"latitude": ["give both latitude and longitude, or neither"]})
    if chosen.latitude is not None:
        place = {"latitude": chosen.latitude, "longitude": chosen.longitude}
        checked = check_geolocation(place).document
        coordinates = float(checked["latitude"]), float(checked["longitude"])
    property_ = _document(chosen.property, check_property)
    appliances = _document(chosen.appliances, check_appliances)
    temperatures = None
    if chosen.weather is not None:
        temperatures = _temperatures(chosen.weather)
    return HomeFacts(
        zone=ZoneInfo(canonical_zone(chosen.timezone)),
        coordinates=coordinates,
        household=household_of(property_, None if appliances is None else appliances["appliances"]),
        temperatures=temperatures,
    )


def _document(path: Path | None, check: Any) -> Any:
    """Return a checked document of a JSON file: a body as it is sent, or its bare list; its version may be absent."""
    if path is None:
        return None
    try:
        payload = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RejectedInput({str(path): [f"cannot be read: {error.strerror}"]}) from error
    except ValueError as error:
        raise RejectedInput({str(path): [f"is no JSON: {error}"]}) from error
    if isinstance(payload, list):
        payload = {"appliances": payload}
    if isinstance(payload, dict):
        payload = {"version": "1.0", **payload}
    try:
        checked = check(payload)
    except RejectedInput as error:
        named = {f"{path}: {name}": said for name, said in error.errors.items()}
        raise RejectedInput(named) from error
    for warning in checked.warnings:
        print(f"{path}: {warning}", file=sys.stderr)
    return checked.document


def _temperatures(path: Path) -> Any:
    from pipelines.weather.files import read_temperatures

    weather = read_temperatures(path)
    for one in weather.rejected[:_SHOWN]:
        print(f"{path}: row {one.row}, {one.column}: {one.code}: {one.detail}", file=sys.stderr)
    if len(weather.rejected) > _SHOWN:
        print(f"{path}: ... and {len(weather.rejected) - _SHOWN} more", file=sys.stderr)
    return weather.hours


def _month(text: str | None) -> Any:
    from pipelines.insight.due import first_of_month

    if text is None:
        return None
    try:
        return first_of_month(text)
    except ValueError:
        raise RejectedInput({"month": [f"{text!r} is no month; expected YYYY-MM"]}) from None


def _print_months(months: list[dict[str, Any]]) -> None:
    from rich.console import Console

    from pipelines.demo.chart import cycles_table, report_panel

    console = Console()
    for month in months:
        console.print(report_panel(month["report"], title=month["month"]))
        if month["cycles"]:
            console.print(cycles_table(month["cycles"]))
        for warning in month["disaggregation"]["quality"]["warnings"]:
            console.print(f"note: {warning['detail']}", style="dim")
