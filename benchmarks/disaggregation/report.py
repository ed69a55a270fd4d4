"""The scorecard as Markdown: tables, and their places between markers in the document."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from analytics.disaggregation.batch import CLASSES
from benchmarks.disaggregation.baselines import month_numbers
from benchmarks.disaggregation.homes import Floats, LabelledHome
from benchmarks.disaggregation.metrics import teca, weekly_change
from benchmarks.disaggregation.months import Found, ordinal, wattloom
from benchmarks.disaggregation.scores import (
    METHODS,
    NO_LIST,
    OWN_MEAN,
    Scored,
    by_label,
    covered,
    grouped,
    tecas,
    whole_weeks,
)
from benchmarks.disaggregation.splits import REPORT, TUNE
from benchmarks.disaggregation.vehicles import Charging, FalseAlarms

SHOWN = (*METHODS, NO_LIST, OWN_MEAN)


def number(value: float, digits: int = 3) -> str:
    """Return a figure, or a dash where there is none."""
    return f"{value:.{digits}f}" if math.isfinite(value) else "-"


def percent(value: float) -> str:
    """Return a share in per cent, or a dash."""
    return f"{100 * value:.1f} %" if math.isfinite(value) else "-"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)]) + "\n"


def verdict(scored: Sequence[Scored], part: str) -> tuple[float, float, str]:
    """Return the model's TECA over home-months, the best competitor's, and which one that is."""
    values = {method: tecas(scored, method, part)[0] for method in METHODS}
    best, name = max((value, method) for method, value in values.items() if method != "wattloom")
    return values["wattloom"], best, name


def has_days(scored: Sequence[Scored], part: str) -> bool:
    """Tell whether any home has days with energy in the part."""
    return any(home.truth_wh[home.is_report == (part == REPORT)].sum() > 0 for home in scored)


def set_section(
    by_rate: Mapping[int, Sequence[Scored]], *, note: str, parts: Sequence[str] = (REPORT, TUNE)
) -> str:
    """Return the tables of one set: TECA of every method at every interval, then the labels at one interval."""
    any_rate = next(iter(by_rate.values()))
    parts = [part for part in parts if has_days(any_rate, part)]
    if not parts:
        return f"{note}\n\nNothing to show.\n"
    head = ["interval", "method", *(f"TECA of {by}s, {part}" for part in parts for by in ("month", "week", "day"))]
    rows = []
    for minutes, scored in by_rate.items():
        own, best, _ = verdict(scored, parts[0])
        for method in SHOWN:
            if method not in scored[0].found_wh:
                continue
            values = [number(value) for part in parts for value in tecas(scored, method, part)]
            if method == "wattloom":
                values[0] = f"**{values[0]}** {'above' if own > best else 'not above'} the next three"
            rows.append([f"{minutes} min", method, *values])
    minutes = 30 if 30 in by_rate else min(by_rate)
    scored = by_rate[minutes]
    months = grouped(scored, "wattloom", by="month", part=parts[0])[1].shape[0]
    labels = []
    simple = {one.label: one for one in by_label(scored, "prior only", parts[0])}
    for one in by_label(scored, "wattloom", parts[0]):
        figures = [percent(one.share), percent(one.found_share), number(one.sae), number(one.r2)]
        labels.append([one.label, *figures, number(one.match), number(simple[one.label].match)])
    head_2 = ["label", "share", "found", "SAE", "R2 of months", "match rate of days", "the same, prior only"]
    return (
        f"{note}\n\n{table(head, rows)}\nBy label, {parts[0]}, {minutes} min, {months} home-months:\n\n"
        f"{table(head_2, labels)}"
    )


def vehicle_rows(dataset: str, minutes: int, said: str, part: str, one: Charging) -> list[str]:
    """Return a line of the table of charging."""
    events = one.events
    return [
        dataset,
        f"{minutes} min",
        said,
        part,
        str(one.home_months),
        percent(one.monthly_error),
        percent(one.total_error),
        f"{events.n_found} / {events.n_true}",
        number(events.precision, 2),
        number(events.recall, 2),
        number(events.f1, 2),
        number(events.start_error_min, 1),
        percent(events.energy_error),
    ]


VEHICLE_HEAD = (
    "set",
    "interval",
    "the home says",
    "part",
    "home-months",
    "error of a month's energy",
    "error of the sum",
    "charges found / true",
    "precision",
    "recall",
    "F1",
    "start error, min",
    "energy error of matched",
)
ALARM_HEAD = ("set", "interval", "part", "home-months", "with a vehicle", "share", "homes (months)")


def alarm_row(dataset: str, minutes: int, part: str, one: FalseAlarms) -> list[str]:
    """Return a line of the table of false alarms."""
    named = ", ".join(one.homes_with_vehicle[:5]) + (", ..." if len(one.homes_with_vehicle) > 5 else "")
    counts = [str(one.home_months), str(one.with_vehicle), percent(one.share)]
    return [dataset, f"{minutes} min", part, *counts, named or "-"]


STABLE_HEAD = (
    "set",
    "interval",
    "homes",
    "standby",
    "fridge",
    "whole home",
    "standby, measured",
    "fridge, measured",
)


def stability_row(dataset: str, minutes: int, homes: Sequence[LabelledHome]) -> list[str]:
    """Return the mean change from week to week of what never stops, beside that of the whole home."""
    found = wattloom(homes)
    changes: dict[str, list[float]] = {"standby": [], "fridge": [], "total": []}
    for one in found:
        for name in ("standby", "fridge"):
            changes[name].append(weekly_change(whole_weeks(one, name)))
        changes["total"].append(weekly_change(whole_weeks(one, None)))
    measured = []
    for name in ("standby", "fridge"):
        known = [home for home in homes if (name,) in home.labels.values()]
        truths = [weekly_change(whole_weeks(_truth(home, name), name)) for home in known]
        measured.append(_median(truths))
    figures = [percent(_median(changes[name])) for name in ("standby", "fridge", "total")]
    return [dataset, f"{minutes} min", str(len(homes)), *figures, *(percent(value) for value in measured)]


AGREE_HEAD = ("set", "homes", "from", "to", "month's energy in the same class")


def agreement_rows(dataset: str, rates: Sequence[tuple[int, Sequence[LabelledHome]]]) -> list[list[str]]:
    """Return how far a home's months at each longer interval are what they are at its shortest one.

    Intervals that are not complete are left out at longer ones, so totals differ a little; shares count.
    """
    found = [(minutes, wattloom(homes)) for minutes, homes in rates]
    rows = []
    for minutes, ones in found[1:]:
        pairs = [_month_shares(one, two) for one, two in zip(found[0][1], ones, strict=True)]
        first, second = (np.concatenate(side) for side in zip(*pairs, strict=True))
        same = percent(teca(second, first))
        rows.append([dataset, str(len(ones)), f"{found[0][0]} min", f"{minutes} min", same])
    return rows


def _month_shares(one: Found, two: Found) -> tuple[Floats, Floats]:
    """Return the shares of the classes in the months both have, each shape (months, classes)."""
    shares = []
    for found in (one, two):
        months = month_numbers(found.day)
        sums = {int(m): found.parts_wh[months == m].sum(axis=0) for m in np.unique(months)}
        shares.append({m: energy / energy.sum() for m, energy in sums.items() if energy.sum() > 0})
    both = sorted(set(shares[0]) & set(shares[1]))
    first, second = (np.array([side[m] for m in both]).reshape(-1, len(CLASSES)) for side in shares)
    return first, second


def _truth(home: LabelledHome, name: str) -> Found:
    """Return one measured class in the place of what a method found."""
    day = ordinal(home.first_day()) + np.arange(home.n_days())
    parts = np.zeros((day.size, len(CLASSES)))
    parts[:, CLASSES.index(name)] = home.by_day(home.truth_wh[name])
    return Found(day=day, total_wh=home.by_day(home.energy_wh), parts_wh=parts)


def _median(values: Sequence[float]) -> float:
    known = sorted(value for value in values if math.isfinite(value))
    middle = len(known) // 2
    if not known:
        return float("nan")
    return known[middle] if len(known) % 2 else (known[middle - 1] + known[middle]) / 2


BOUNDS_HEAD = (
    "set",
    "interval",
    "part",
    "class",
    "home-months",
    "within the bounds",
    "width in terms of the total",
)


def bounds_rows(
    dataset: str, minutes: int, homes: Sequence[LabelledHome], parts: Sequence[str] = (REPORT, TUNE)
) -> list[list[str]]:
    """Return how the bounds of about 80 % hold, a line for each class and part."""
    found = wattloom(homes)
    return [
        [dataset, f"{minutes} min", part, one.label, str(one.home_months), percent(one.inside), percent(one.width)]
        for part in parts
        for one in covered(homes, found, part)
    ]


def begin(name: str) -> str:
    """Return the line before a made section."""
    return f"<!-- {name}: made by python -m benchmarks.disaggregation -->"


def end(name: str) -> str:
    """Return the line after a made section."""
    return f"<!-- end of {name} -->"


def renewed(document: str, name: str, text: str) -> str:
    """Return the document with the section of that name put between its markers.

    Raises
    ------
    KeyError
        The document has no such markers.
    """
    before, found, rest = document.partition(begin(name))
    _, closed, after = rest.partition(end(name))
    if not found or not closed:
        raise KeyError(f"the document has no place for {name}")
    return f"{before}{begin(name)}\n\n{text.strip()}\n\n{end(name)}{after}"
