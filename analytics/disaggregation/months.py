"""A home's printed month: what is stored of it, and what the answers of months and weeks are made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from analytics.calendar import DayRange, days_of_month
from analytics.disaggregation.batch import CLASSES, DisaggregationBatch
from analytics.disaggregation.households import Household
from analytics.errors import BrokenContractError
from analytics.reports import PeriodDays, disconnection_percentage

WITHOUT_LIST = tuple(sorted({*CLASSES, "cooking_heating"} - {"cooking", "heating"}))
"""Classes of a home that gave no list of appliances: cooking and heating cannot be told apart for it."""

WARNINGS: Mapping[str, str] = {
    "generation": "The home generates power; what it uses of that itself is not measured.",
    "export": "Intervals below zero were left out as gaps: the home feeds in, or its meter nets.",
    "implausible": "Intervals beyond plausible power were left out as gaps.",
    "coverage": "Less than half of the period was measured.",
    "history": "Less than three months of days were known before the month.",
    "no_appliance_list": "The home gave no list of appliances; cooking and heating are shown together.",
    "no_place": "The home gave no coordinates; those of its time zone's principal city stood in.",
    "no_temperatures": "No temperatures of the place were known; the climate normal of its latitude stood in.",
}
"""What makes a result less certain than its numbers look, by code."""

SHORT_HISTORY_DAYS = 90
POOR_COVERAGE = 0.5


class Piece(NamedTuple):
    """Part of a cycle within one local day; one that begins the day may continue the day before."""

    appliance: str
    start_us: int
    end_us: int
    energy_mwh: int
    begins_day: bool


@dataclass(frozen=True, kw_only=True)
class Shown:
    """The classes of many homes as they are printed, for homes that all have a list or all have none.

    Parameters
    ----------
    appliances : tuple of str, length k
    parts_mwh : ndarray of int64, shape (d, k), [mWh]
    confidence : ndarray of float64, shape (h, k)
    lower_mwh, upper_mwh : ndarray of int64, shape (h, k), [mWh]
    """

    appliances: tuple[str, ...]
    parts_mwh: npt.NDArray[np.int64]
    confidence: npt.NDArray[np.float64]
    lower_mwh: npt.NDArray[np.int64]
    upper_mwh: npt.NDArray[np.int64]


def shown_classes(result: DisaggregationBatch, *, has_list: bool) -> Shown:
    """Return a result's classes as homes with, or without, a list of appliances show them.

    Without a list cooking and heating are one class: its energy is their sum, its confidence theirs by
    energy, and its bounds are as far away as independent errors of the two together.
    """
    if has_list:
        return Shown(
            appliances=CLASSES,
            parts_mwh=result.parts_mwh,
            confidence=result.confidence,
            lower_mwh=result.lower_mwh,
            upper_mwh=result.upper_mwh,
        )
    pair = [CLASSES.index("cooking"), CLASSES.index("heating")]
    first, last = result.target_offsets[:-1], result.target_offsets[1:]
    running = np.concatenate((np.zeros((1, len(CLASSES)), dtype=np.int64), np.cumsum(result.parts_mwh, axis=0)))
    energy_mwh = (running[last] - running[first])[:, pair]
    total_mwh = np.concatenate(([0], np.cumsum(result.total_mwh)))
    weight = np.where(energy_mwh.sum(axis=1, keepdims=True) > 0, energy_mwh, 1)
    both_mwh = energy_mwh.sum(axis=1)
    below = np.rint(np.hypot(*(energy_mwh - result.lower_mwh[:, pair]).T.astype(np.float64))).astype(np.int64)
    above = np.rint(np.hypot(*(result.upper_mwh[:, pair] - energy_mwh).T.astype(np.float64))).astype(np.int64)
    merged = {
        "parts_mwh": result.parts_mwh[:, pair].sum(axis=1),
        "confidence": (result.confidence[:, pair] * weight).sum(axis=1) / weight.sum(axis=1),
        "lower_mwh": np.maximum(both_mwh - below, 0),
        "upper_mwh": np.minimum(both_mwh + above, np.maximum(total_mwh[last] - total_mwh[first], both_mwh)),
    }

    def columns(name: str) -> npt.NDArray[np.float64]:
        whole = getattr(result, name)
        return np.column_stack(
            [merged[name] if key == "cooking_heating" else whole[:, CLASSES.index(key)] for key in WITHOUT_LIST]
        )

    return Shown(
        appliances=WITHOUT_LIST,
        parts_mwh=columns("parts_mwh").astype(np.int64),
        confidence=columns("confidence"),
        lower_mwh=columns("lower_mwh").astype(np.int64),
        upper_mwh=columns("upper_mwh").astype(np.int64),
    )


@dataclass(frozen=True, kw_only=True)
class HomeMonth:
    """The stored result of one home and calendar month.

    Parameters
    ----------
    month : date
        Its first day.
    model_version : str
    appliances : sequence of str, length k
    energy_uwh : ndarray of int64, shape (d,), [µWh]
        Exact energy of each day, as reports print it.
    total_mwh : ndarray of int64, shape (d,), [mWh]
    parts_mwh : ndarray of int64, shape (k, d), [mWh]
        Its columns add up to `total_mwh`.
    expected_intervals, valid_intervals : ndarray of int64, shape (d,)
    confidence : sequence of float, length k
    lower_mwh, upper_mwh : sequence of int, length k, [mWh]
    warnings : sequence of str
        Codes of `WARNINGS`.
    """

    month: date
    model_version: str
    appliances: Sequence[str]
    energy_uwh: npt.NDArray[np.int64]
    total_mwh: npt.NDArray[np.int64]
    parts_mwh: npt.NDArray[np.int64]
    expected_intervals: npt.NDArray[np.int64]
    valid_intervals: npt.NDArray[np.int64]
    confidence: Sequence[float]
    lower_mwh: Sequence[int]
    upper_mwh: Sequence[int]
    warnings: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class PeriodResult:
    """The results of every day of a month or a week, and the months they were computed with.

    Parameters
    ----------
    data : PeriodDays
    day_parts_mwh : mapping of class to ndarray of int64, shape (n,), [mWh]
        Of every class that any of the months knows.
    months : sequence of HomeMonth
    """

    data: PeriodDays
    day_parts_mwh: Mapping[str, npt.NDArray[np.int64]]
    months: Sequence[HomeMonth]

    @property
    def disconnection(self) -> float:
        """Return the share of intervals that were not measured [%]."""
        return disconnection_percentage(
            int(self.data.valid_intervals.sum()), int(self.data.expected_intervals.sum())
        )

    @property
    def model_version(self) -> str:
        """Return the version of the model, or those of the months."""
        return ", ".join(sorted({month.model_version for month in self.months}))


def period_of(months: Sequence[HomeMonth], period: DayRange) -> PeriodResult:
    """Cut a period out of the months it touches, in order.

    Raises
    ------
    BrokenContractError
        A day of the period is in none of the months.
    """
    days = [day for month in months for day in days_of_month(month.month.year, month.month.month)]
    if period.first not in days or period.last not in days:
        raise BrokenContractError("a day of the period is in none of the months")
    chosen = slice(days.index(period.first), days.index(period.last) + 1)

    def joined(name: str) -> npt.NDArray[np.int64]:
        return np.concatenate([getattr(month, name) for month in months])[chosen]

    keys = sorted({key for month in months for key in month.appliances})
    rows = {(n, key): k for n, month in enumerate(months) for k, key in enumerate(month.appliances)}
    day_parts_mwh = {
        key: np.concatenate(
            [
                month.parts_mwh[rows[n, key]] if (n, key) in rows else np.zeros_like(month.total_mwh)
                for n, month in enumerate(months)
            ]
        )[chosen]
        for key in keys
    }
    data = PeriodDays(
        days=days[chosen],
        energy_uwh=joined("energy_uwh"),
        expected_intervals=joined("expected_intervals"),
        valid_intervals=joined("valid_intervals"),
    )
    return PeriodResult(data=data, day_parts_mwh=day_parts_mwh, months=months)


def warnings_of(
    household: Household,
    *,
    coverage: float,
    history_days: int,
    has_place: bool,
    has_temperatures: bool,
    has_export: bool,
    has_implausible: bool,
) -> list[str]:
    """Return the codes of `WARNINGS` that hold for a home's month.

    Parameters
    ----------
    household : Household
    coverage : float
        Share of the expected intervals that were measured.
    history_days : int
        Days known before the month.
    has_place, has_temperatures, has_export, has_implausible : bool
    """
    holds = {
        "generation": bool(household.has_generator),
        "export": has_export,
        "implausible": has_implausible,
        "coverage": coverage < POOR_COVERAGE,
        "history": history_days < SHORT_HISTORY_DAYS,
        "no_appliance_list": not household.has_appliance_list,
        "no_place": not has_place,
        "no_temperatures": not has_temperatures,
    }
    return [code for code in WARNINGS if holds[code]]
