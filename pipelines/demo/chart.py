"""A monthly report in the terminal: its days as bars, its appliances as bars, and what they add up to."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

_EIGHTHS = " ▁▂▃▄▅▆▇█"
_HEIGHT = 8
_WIDTH = 30
_WEEKDAY, _WEEKEND = "cyan", "magenta"

Report = Mapping[str, Any]


def report_panel(report: Report, *, title: str) -> RenderableType:
    """Return the answer of ``/sm/reports/monthly`` as a panel; energy in kWh."""
    metrics = report["day_by_day_metrics"]
    carbon = report["carbon_footprint"]
    most, least = metrics["max_month_consumption"], metrics["min_month_consumption"]
    totals = (
        f"total {metrics['total_month_consumption']:.2f} kWh"
        f"   a day {metrics['average_month_consumption']:.2f} kWh"
    )
    if most is not None and least is not None:  # a month without a measured day has neither
        totals += (
            f"   most {most['total_consumption']:.2f} on {most['day']}"
            f"   least {least['total_consumption']:.2f} on {least['day']}"
        )
    missing = report["disaggregation_metrics"]["disconnection_percentage"]
    rest = (
        f"{carbon['kgco2']:.1f} kg CO2, what {carbon['trees']:.1f} trees take up in the time"
        f"   {missing:.1f} % of the intervals are missing"
    )
    return Panel(
        Group(
            daily_chart(metrics["days"]),
            Text(),
            appliance_chart(report["disaggregation_metrics"]["appliances"]),
            Text(),
            Text(totals),
            Text(rest),
        ),
        title=title,
        expand=False,
    )


def collection_table(jobs: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> Table:
    """Return what reading each simulated meter brought."""
    table = Table(title="Collected over the wire")
    for name in ("home", "protocol", "call", "job", "readings"):
        table.add_column(name, justify="right" if name == "readings" else "left")
    for line, job in jobs:
        state = job["state"] if job["reason"] is None else f"{job['state']}: {job['reason']}"
        home = line["title"].partition(",")[0]
        table.add_row(home, line["protocol"], line["task_call"], state, f"{job['readings_stored']:,}")
    return table


def daily_chart(days: Sequence[Mapping[str, Any]]) -> Text:
    """Return a column per day on one scale that starts at zero; weekends in another colour."""
    values = [float(day["total_consumption"]) for day in days]
    top = max(values, default=0.0) or 1.0
    eighths = [round(max(value, 0.0) / top * _HEIGHT * 8) for value in values]
    chart = Text()
    for row in reversed(range(_HEIGHT)):
        label = f"{top:.1f}" if row == _HEIGHT - 1 else "0.0" if row == 0 else ""
        chart.append(f"{label:>7} ")
        for day, filled in zip(days, eighths, strict=True):
            block = _EIGHTHS[min(max(filled - 8 * row, 0), 8)]
            chart.append(f"{block} ", style=_WEEKEND if day["weekend"] else _WEEKDAY)
        chart.append("\n")
    chart.append(f"{'kWh':>7} ")
    for day in days:
        number = date.fromisoformat(day["day"]).day
        chart.append(f"{number:<2}" if number % 5 == 1 else "  ", style="dim")
    chart.append("\n        ")
    chart.append("█ weekday", style=_WEEKDAY)
    chart.append("  ")
    chart.append("█ weekend", style=_WEEKEND)
    return chart


def appliance_chart(appliances: Sequence[Mapping[str, Any]]) -> Table:
    """Return a bar per appliance class that used energy, the largest first, with its share of the whole."""
    used = sorted((a for a in appliances if a["consumption"] > 0), key=lambda a: -float(a["consumption"]))
    whole = sum(float(a["consumption"]) for a in used) or 1.0
    table = Table.grid(padding=(0, 1))
    table.add_column(justify="left")
    table.add_column(justify="right")
    table.add_column(justify="right")
    table.add_column(justify="left")
    for appliance in used:
        share = float(appliance["consumption"]) / whole
        bar = "█" * max(1, round(share * _WIDTH))
        label = str(appliance["appliance_key"]).replace("_", " ")
        table.add_row(label, f"{appliance['consumption'] / 1000:.2f} kWh", f"{share:.0%}", Text(bar, "green"))
    return table


def cycles_table(cycles: Sequence[Mapping[str, Any]]) -> Table:
    """Return a line per cycle of the answer of ``/sm/disag/cycles/monthly``; local times."""
    table = Table("cycle", "from", "to", title=None)
    table.add_column("kWh", justify="right")
    for found in cycles:
        for cycle in found["cycles"]:
            label, energy = str(found["appliance_key"]).replace("_", " "), f"{cycle['consumption'] / 1000:.2f}"
            table.add_row(label, cycle["from"].replace("T", " "), cycle["to"].replace("T", " "), energy)
    return table


def overview(rows: Sequence[tuple[str, Report]]) -> Table:
    """Return a line per home: its month, and how much of it never stops."""
    table = Table("home", title=None)
    for name in ("kWh", "kWh a day", "standby", "kg CO2"):
        table.add_column(name, justify="right")
    for title, report in rows:
        metrics = report["day_by_day_metrics"]
        split = {a["appliance_key"]: a["consumption"] for a in report["disaggregation_metrics"]["appliances"]}
        table.add_row(
            title,
            f"{metrics['total_month_consumption']:.2f}",
            f"{metrics['average_month_consumption']:.2f}",
            f"{split.get('standby', 0) / 1000:.2f} kWh",
            f"{report['carbon_footprint']['kgco2']:.1f}",
        )
    return table
