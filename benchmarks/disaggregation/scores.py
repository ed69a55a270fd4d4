"""A set at an interval: the model and the simple methods, day by day beside the truth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analytics.disaggregation.batch import CLASSES
from benchmarks.disaggregation.baselines import mean_shares, month_numbers, prior_only, week_numbers
from benchmarks.disaggregation.combinatorial import Combinations, states_of
from benchmarks.disaggregation.homes import Floats, Ints, LabelledHome
from benchmarks.disaggregation.metrics import match_rate, r2, sae, teca
from benchmarks.disaggregation.months import EPOCH_DAY, Found, ordinal, wattloom
from benchmarks.disaggregation.others import Shares, mean_of_others, set_shares
from benchmarks.disaggregation.splits import REPORT, TUNE, part_of

METHODS = ("wattloom", "prior only", "mean of other sets", "CO")
"""The model, and what it must beat. CO knows the states of the home's own appliances all the same."""
OWN_MEAN = "mean of own sub-meters"
"""Mean shares of the set's own months to learn from: what a home with sub-meters would know. No competitor."""
NO_LIST = "wattloom, no list"
MERGED = {"cooking", "heating"}
"""Labels that a home without a list shows as one."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Scored:
    """A home's days: the truth and what each method found.

    Parameters
    ----------
    name : str
    labels : tuple of str
    day : ndarray of int64, shape (d,), [days since 1970-01-01]
    is_report : ndarray of bool, shape (d,)
    truth_wh : ndarray of float64, shape (d, labels), [Wh]
    found_wh : dict of method to ndarray of float64, shape (d, labels), [Wh]
    """

    name: str
    labels: tuple[str, ...]
    day: Ints
    is_report: npt.NDArray[np.bool_]
    truth_wh: Floats
    found_wh: Mapping[str, Floats]


def score(
    homes: Sequence[LabelledHome], *, methods: Sequence[str] = METHODS, others: Sequence[Shares] = ()
) -> list[Scored]:
    """Return the truth and the methods' findings of a set's homes, all at one interval.

    Parameters
    ----------
    others : sequence of Shares
        What the other sets teach the mean.
    """
    found = wattloom(homes)
    bare = wattloom([home.without_list() for home in homes]) if NO_LIST in methods else found
    truths = [_on_days(home, one.day) for home, one in zip(homes, found, strict=True)]
    reports = [_reports(home, one.day) for home, one in zip(homes, found, strict=True)]
    taught = [truth[~report] for truth, report in zip(truths, reports, strict=True)]
    scored = []
    co = _combinations(homes) if "CO" in methods else None
    for n, home in enumerate(homes):
        one, truth = found[n], truths[n]
        total = truth.sum(axis=1)
        methods_wh = {
            "wattloom": _labelled(home, one.parts_wh),
            NO_LIST: _labelled(home, bare[n].parts_wh),
            "prior only": _labelled(home, prior_only(home, one.day, one.total_wh)),
            "mean of other sets": mean_of_others(home, one.day, one.total_wh, others),
            OWN_MEAN: total[:, None] * mean_shares(taught),
        }
        if co is not None:
            hours = home.interval_s / 3600
            split = co.split(home.energy_wh / hours) * hours
            methods_wh["CO"] = _align(home, home.by_day(split), one.day)
        scored.append(
            Scored(
                name=home.name,
                labels=tuple(home.all_labels),
                day=one.day,
                is_report=reports[n],
                truth_wh=truth,
                found_wh={name: methods_wh[name] for name in methods},
            )
        )
    return scored


def teach(homes: Sequence[LabelledHome]) -> Shares:
    """Return the mean shares of a set's days to learn from."""
    days = [ordinal(home.first_day()) + np.arange(home.n_days()) for home in homes]
    truths = [_on_days(home, day)[~_reports(home, day)] for home, day in zip(homes, days, strict=True)]
    return set_shares(homes, truths)


def _combinations(homes: Sequence[LabelledHome]) -> Combinations:
    """Return the states learned from the intervals that may be learned from."""
    powers = [home.truths()[~_interval_reports(home)] * 3600 / home.interval_s for home in homes]
    return Combinations([states_of(channel) for channel in np.concatenate(powers).T])


def _interval_reports(home: LabelledHome) -> npt.NDArray[np.bool_]:
    day = np.searchsorted(home.edges_us(), home.start_us, side="right") - 1
    return _reports(home, ordinal(home.first_day()) + day)


def _reports(home: LabelledHome, day: Ints) -> npt.NDArray[np.bool_]:
    months, inverse = np.unique(month_numbers(day), return_inverse=True)
    firsts = [EPOCH_DAY.replace(year=int(month) // 12, month=int(month) % 12 + 1) for month in months]
    parts = np.array([part_of(home.dataset, home.name, first) == REPORT for first in firsts])
    return parts[inverse]


def _align(home: LabelledHome, by_day: Floats, day: Ints) -> Floats:
    """Return the rows of the home's days that are asked for, zeros for days without data."""
    row = day - ordinal(home.first_day())
    inside = (row >= 0) & (row < by_day.shape[0])
    chosen = by_day[np.where(inside, row, 0)]
    chosen[~inside] = 0.0
    return chosen


def _on_days(home: LabelledHome, day: Ints) -> Floats:
    return _align(home, home.by_day(home.truths()), day)


def _labelled(home: LabelledHome, parts_wh: Floats) -> Floats:
    """Add the classes of each label."""
    columns = [[CLASSES.index(name) for name in classes] for classes in home.all_labels.values()]
    return np.stack([parts_wh[:, which].sum(axis=1) for which in columns], axis=1)


def grouped(
    scored: Sequence[Scored], method: str, *, by: str, part: str = REPORT
) -> tuple[tuple[str, ...], Floats, Floats]:
    """Return labels, findings and truth of all homes' months, clipped weeks or days; rows without energy left out.

    Parameters
    ----------
    by : {'month', 'week', 'day'}
    part : {'report', 'tune'}
    """
    found: list[Floats] = []
    truth: list[Floats] = []
    for home in scored:
        keep = home.is_report == (part == REPORT)
        day = home.day[keep]
        key = month_numbers(day) * 10_000_000
        if by != "month":
            key = key + (week_numbers(day) if by == "week" else day)
        _, inverse = np.unique(key, return_inverse=True)
        for source, target in ((home.found_wh[method], found), (home.truth_wh, truth)):
            sums = np.zeros((int(inverse.max(initial=-1)) + 1, len(home.labels)))
            np.add.at(sums, inverse, source[keep])
            target.append(sums)
    labels, p, y = scored[0].labels, np.concatenate(found), np.concatenate(truth)
    has = y.sum(axis=1) > 0
    p, y = p[has], y[has]
    if method == NO_LIST and set(labels) >= MERGED:
        kept = [n for n, label in enumerate(labels) if label not in MERGED]
        both = [labels.index(label) for label in sorted(MERGED)]
        p, y = (np.column_stack((a[:, kept], a[:, both].sum(axis=1))) for a in (p, y))
        labels = (*(labels[n] for n in kept), "cooking_heating")
    return labels, p, y


def tecas(scored: Sequence[Scored], method: str, part: str) -> tuple[float, float, float]:
    """Return TECA over home-months, clipped weeks and days; NaN for a part without days."""
    values = []
    for by in ("month", "week", "day"):
        _, p, y = grouped(scored, method, by=by, part=part)
        values.append(teca(p, y))
    return values[0], values[1], values[2]


@dataclass(frozen=True, kw_only=True)
class LabelScore:
    """How well one label was found: its share of the energy, and measures over home-months."""

    label: str
    share: float
    found_share: float
    sae: float
    match: float
    r2: float


def by_label(scored: Sequence[Scored], method: str, part: str) -> list[LabelScore]:
    """Return the measures of each label over home-months; the match rate is over days for sets of one month."""
    labels, p, y = grouped(scored, method, by="month", part=part)
    _, day_p, day_y = grouped(scored, method, by="day", part=part)
    total = y.sum()
    return [
        LabelScore(
            label=label,
            share=float(y[:, n].sum() / total) if total else float("nan"),
            found_share=float(p[:, n].sum() / total) if total else float("nan"),
            sae=sae(p[:, n], y[:, n]),
            match=match_rate(day_p[:, n], day_y[:, n]),
            r2=r2(p[:, n], y[:, n]) if y.shape[0] >= 6 else float("nan"),
        )
        for n, label in enumerate(labels)
    ]


def whole_weeks(found: Found, appliance: str | None) -> Floats:
    """Return a class's, or the whole energy per day of each Monday week with all its days, NaN for the others."""
    weeks = week_numbers(found.day)
    amounts = found.total_wh if appliance is None else found.parts_wh[:, CLASSES.index(appliance)]
    rows = []
    for week in range(int(weeks.min()), int(weeks.max()) + 1):
        inside = (weeks == week) & (found.total_wh > 0)
        rows.append(float(amounts[inside].mean()) if inside.sum() == 7 else float("nan"))
    return np.array(rows)


@dataclass(frozen=True, kw_only=True)
class Covered:
    """How often a class's month lies within its bounds, and how wide those are in terms of the month's total."""

    label: str
    home_months: int
    inside: float
    width: float


def covered(homes: Sequence[LabelledHome], found: Sequence[Found], part: str) -> list[Covered]:
    """Return how the bounds hold for every label that is one class, over months of the part that have energy."""
    rows = []
    for label, classes in homes[0].all_labels.items():
        if len(classes) != 1:
            continue
        column = CLASSES.index(classes[0])
        inside, widths = [], []
        for home, one in zip(homes, found, strict=True):
            truth = _on_days(home, one.day)[:, list(home.all_labels).index(label)]
            months, reports = month_numbers(one.day), _reports(home, one.day)
            for month, bounds in one.bounds_wh.items():
                days = (months == month) & (reports == (part == REPORT))
                total = one.total_wh[days].sum()
                if total > 0:
                    lower, upper = bounds[:, column]
                    inside.append(lower - 0.5 <= truth[days].sum() <= upper + 0.5)
                    widths.append((upper - lower) / total)
        if inside:
            rows.append(
                Covered(
                    label=label,
                    home_months=len(inside),
                    inside=float(np.mean(inside)),
                    width=float(np.mean(widths)),
                )
            )
    return rows


__all__ = [
    "METHODS",
    "NO_LIST",
    "OWN_MEAN",
    "REPORT",
    "TUNE",
    "Covered",
    "LabelScore",
    "Scored",
    "by_label",
    "covered",
    "grouped",
    "score",
    "teach",
    "tecas",
    "whole_weeks",
]
