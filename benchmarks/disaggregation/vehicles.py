"""Charging at home: energy by month and charges found, with and without the charger's power, and false alarms."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from analytics.calendar import from_us, local_date_of
from analytics.disaggregation.batch import CLASSES
from benchmarks.disaggregation.baselines import month_numbers
from benchmarks.disaggregation.homes import LabelledHome, Session
from benchmarks.disaggregation.metrics import Events, match_events, monthly_error
from benchmarks.disaggregation.months import Found, ordinal, wattloom
from benchmarks.disaggregation.splits import part_of

EV = CLASSES.index("electric_vehicle")
KNOWN, UNKNOWN, NO_LIST = "power known", "power not known", "no list"
SAYINGS = (KNOWN, UNKNOWN, NO_LIST)
"""What a home says of its vehicle."""


@dataclass(frozen=True, kw_only=True)
class Charging:
    """How well charging was found over the home-months of a part.

    Parameters
    ----------
    home_months : int
    monthly_error : float
        Mean error of a month's energy in terms of the mean month, sum|p - y| / sum y.
    total_error : float
        |sum p - sum y| / sum y.
    events : Events
    """

    home_months: int
    monthly_error: float
    total_error: float
    events: Events


def saying(home: LabelledHome, said: str) -> LabelledHome:
    """Return the home when it says so much of its vehicle."""
    if said == NO_LIST:
        return home.without_list()
    if said == KNOWN or home.appliances is None:
        return home
    listed = [
        {name: value for name, value in one.items() if name != "wattages"}
        if one["key"] == "ELECTRIC_VEHICLE"
        else one
        for one in home.appliances
    ]
    return replace(home, appliances=listed)


def charging(homes: Sequence[LabelledHome], said: str, part: str) -> Charging:
    """Return how well the model finds the charges of homes of which they are known."""
    found = wattloom([saying(home, said) for home in homes])
    p_all, y_all, events = [], [], []
    for home, one in zip(homes, found, strict=True):
        months = month_numbers(one.day)
        truth = home.by_day(home.truth_wh["electric_vehicle"])
        row = one.day - ordinal(home.first_day())
        inside = (row >= 0) & (row < truth.size)
        y_day = np.where(inside, truth[np.where(inside, row, 0)], 0.0)
        for month in np.unique(months):
            if part_of(home.dataset, home.name, _first(int(month))) == part:
                p_all.append(one.parts_wh[months == month, EV].sum())
                y_all.append(y_day[months == month].sum())
        events.append(match_events(_of_part(home, one.sessions, part), _of_part(home, home.sessions, part)))
    p, y = np.array(p_all), np.array(y_all)
    return Charging(
        home_months=p.size,
        monthly_error=monthly_error(p, y),
        total_error=float(abs(p.sum() - y.sum()) / y.sum()) if y.sum() else float("nan"),
        events=together(events),
    )


def together(events: Sequence[Events]) -> Events:
    """Return the counts of several homes added, and the means of their errors weighted by matched charges."""
    matched = sum(one.n_matched for one in events)

    def mean(values: list[tuple[float, int]]) -> float:
        return sum(value * weight for value, weight in values if weight) / matched if matched else float("nan")

    return Events(
        n_found=sum(one.n_found for one in events),
        n_true=sum(one.n_true for one in events),
        n_matched=matched,
        start_error_min=mean([(one.start_error_min, one.n_matched) for one in events]),
        energy_error=mean([(one.energy_error, one.n_matched) for one in events]),
    )


def _first(month: int) -> date:
    return date(month // 12, month % 12 + 1, 1)


def _of_part(home: LabelledHome, sessions: Sequence[Session], part: str) -> list[Session]:
    """Return the charges that start in a month of the part."""
    kept = []
    for one in sessions:
        month = local_date_of(from_us(int(one.start_us)), home.zone).replace(day=1)
        if part_of(home.dataset, home.name, month) == part:
            kept.append(one)
    return kept


@dataclass(frozen=True, kw_only=True)
class FalseAlarms:
    """In how many home-months of homes without a known vehicle one was reported, and its mean share there."""

    home_months: int
    with_vehicle: int
    homes_with_vehicle: tuple[str, ...]

    @property
    def share(self) -> float:
        """Home-months with a vehicle of all; NaN without any."""
        return self.with_vehicle / self.home_months if self.home_months else float("nan")


def false_alarms(homes: Sequence[LabelledHome], part: str | None = None) -> FalseAlarms:
    """Return how often the model reports a vehicle in homes that gave no list; both parts by default."""
    found = wattloom([home.without_list() for home in homes])
    count, alarms = 0, 0
    named: dict[str, int] = {}
    for home, one in zip(homes, found, strict=True):
        for month, energy in _months(one):
            if part is not None and part_of(home.dataset, home.name, month) != part:
                continue
            count += 1
            if energy > 0:
                alarms += 1
                named[home.name] = named.get(home.name, 0) + 1
    worst = sorted(named, key=lambda name: (-named[name], name))
    return FalseAlarms(
        home_months=count,
        with_vehicle=alarms,
        homes_with_vehicle=tuple(f"{name} ({named[name]})" for name in worst),
    )


def _months(found: Found) -> list[tuple[date, float]]:
    months = month_numbers(found.day)
    return [(_first(int(month)), float(found.parts_wh[months == month, EV].sum())) for month in np.unique(months)]
