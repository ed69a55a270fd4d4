"""Day-by-day metrics and carbon footprint of a month or a week, in the shape of the report.

Energies are added as integers of 10 mWh, the last printed digit of kWh with 5 decimals, so the printed
days add up to the printed weekday and weekend energy, and these to the printed total, exactly.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from analytics.errors import BrokenContractError
from analytics.rounding import TEN_MWH_UWH, round_cumulatively, round_half_even

REPORT_VERSION = 1
SATURDAY = 5
PRINTED_PER_UNIT = {"kwh": 100_000, "wh": 100}
"""Integers of 10 mWh in one printed unit."""

EnergyUnit = Literal["kwh", "wh"]
Period = Literal["month", "week"]


@dataclass(frozen=True, kw_only=True)
class PeriodDays:
    """A home's energy of consecutive local days, exact.

    Parameters
    ----------
    days : sequence of date, length n >= 1
        Every calendar day of the period, in order.
    energy_uwh : ndarray of int64, shape (n,), [µWh]
        Energy of each day, estimated intervals included; never negative.
    expected_intervals, valid_intervals : ndarray of int64, shape (n,)
        Intervals each day should have, and those it has that were measured.

    Raises
    ------
    BrokenContractError
        The days have gaps, a shape differs, or an energy or a count is negative.
    """

    days: Sequence[date]
    energy_uwh: npt.NDArray[np.int64]
    expected_intervals: npt.NDArray[np.int64]
    valid_intervals: npt.NDArray[np.int64]

    def __post_init__(self) -> None:
        if not self.days:
            raise BrokenContractError("a period has at least one day")
        if any(day != self.days[0] + timedelta(days=n) for n, day in enumerate(self.days)):
            raise BrokenContractError("the days of a period follow each other")
        for name in ("energy_uwh", "expected_intervals", "valid_intervals"):
            array = getattr(self, name)
            if array.dtype != np.int64 or array.shape != (len(self.days),):
                raise BrokenContractError(f"{name}: int64 of shape ({len(self.days)},) is needed")
            if array.min() < 0:
                raise BrokenContractError(f"{name} is never negative")


@dataclass(frozen=True, kw_only=True)
class CarbonFactors:
    """What a kilowatt-hour emits and a tree absorbs; replace them per country and date.

    Parameters
    ----------
    kgco2_per_kwh : Decimal, [kg/kWh]
        Default 0.519. Source: UK Standard Assessment Procedure SAP 2012, table 12, grid electricity;
        it reproduces the household API's example report to every digit.
    kgco2_per_tree_day : Decimal, [kg/day]
        Default 0.06034, about 22 kg a year. Source: the same example report, to every digit.
    """

    kgco2_per_kwh: Decimal = Decimal("0.519")
    kgco2_per_tree_day: Decimal = Decimal("0.06034")


def is_weekend(day: date) -> bool:
    """Tell whether a day is a Saturday or a Sunday."""
    return day.weekday() >= SATURDAY


def disconnection_percentage(valid: int, expected: int) -> float:
    """Return the share of expected intervals that were not measured, 1 decimal [%].

    Between 0 and 100; a period that expects nothing (a skipped day) is not disconnected.
    """
    if expected <= 0:
        return 0.0
    missing = min(max(expected - valid, 0), expected)
    return round_half_even(missing * 1000, expected) / 10


def day_by_day_metrics(data: PeriodDays, *, period: Period = "month", unit: EnergyUnit = "kwh") -> dict[str, Any]:
    """Return the `day_by_day_metrics` block of a report, JSON-ready.

    `days_without_consumption` counts days measured as zero with complete data. The greatest and least
    day are taken among days with any valid interval, the first one of equals; null when there is none.
    The average divides by the days of the period.

    Parameters
    ----------
    data : PeriodDays
    period : {'month', 'week'}
        Names the fields: `total_month_consumption` or `total_week_consumption`.
    unit : {'kwh', 'wh'}
        `wh` multiplies every energy by 1000 and changes nothing else.

    Source: Voltaware HTTP API for smart meters, Reports; kWh as its examples have it, though its table says Wh.
    """
    per_unit = PRINTED_PER_UNIT[unit]
    printed = round_cumulatively(data.energy_uwh.tolist(), TEN_MWH_UWH)
    rows = [
        {"day": day.isoformat(), "total_consumption": amount / per_unit, "weekend": is_weekend(day)}
        for day, amount in zip(data.days, printed, strict=True)
    ]
    total = sum(printed)
    weekend = sum(amount for day, amount in zip(data.days, printed, strict=True) if is_weekend(day))
    with_data = np.flatnonzero(data.valid_intervals > 0).tolist()
    # Printed energy ranks first, so that the greatest day is also the greatest of the printed list.
    rank = [(amount, int(exact)) for amount, exact in zip(printed, data.energy_uwh, strict=True)]
    greatest = max(with_data, key=rank.__getitem__, default=None)
    least = min(with_data, key=rank.__getitem__, default=None)
    complete = (data.expected_intervals > 0) & (data.valid_intervals == data.expected_intervals)
    return {
        "days_without_consumption": int(np.count_nonzero(complete & (data.energy_uwh == 0))),
        "total_consumed_on_week_days": (total - weekend) / per_unit,
        "total_consumed_on_weekend_days": weekend / per_unit,
        f"total_{period}_consumption": total / per_unit,
        f"average_{period}_consumption": round_half_even(total, len(data.days)) / per_unit,
        f"max_{period}_consumption": None if greatest is None else dict(rows[greatest]),
        f"min_{period}_consumption": None if least is None else dict(rows[least]),
        "days": rows,
    }


def carbon_footprint(total_uwh: int, n_days: int, *, factors: CarbonFactors = CarbonFactors()) -> dict[str, float]:
    """Return the `carbon_footprint` block: CO2 of the printed total and the trees that absorb it.

    Parameters
    ----------
    total_uwh : int, [µWh]
        Exact energy of the period; it counts as printed, in kWh with 5 decimals.
    n_days : int
        Days of the period: 28 to 31 for a month, 7 for a week.
    factors : CarbonFactors

    Returns
    -------
    dict
        `kgco2` with 8 decimals [kg] and `trees` with 6.

    Raises
    ------
    BrokenContractError
        There is no day in the period.

    Source: Voltaware HTTP API for smart meters, Reports: 13.70671 kWh in 31 days give 7.11378249 and 3.803064.
    """
    if n_days < 1:
        raise BrokenContractError(f"a period has at least one day: {n_days}")
    total_kwh = Decimal(round_half_even(total_uwh, TEN_MWH_UWH)).scaleb(-5)
    kgco2 = (total_kwh * factors.kgco2_per_kwh).quantize(Decimal("1e-8"), ROUND_HALF_EVEN)
    trees = (kgco2 / (factors.kgco2_per_tree_day * n_days)).quantize(Decimal("1e-6"), ROUND_HALF_EVEN)
    return {"kgco2": float(kgco2), "trees": float(trees)}


def report_document(
    data: PeriodDays,
    *,
    disaggregation_metrics: Mapping[str, Any],
    period: Period = "month",
    unit: EnergyUnit = "kwh",
    factors: CarbonFactors = CarbonFactors(),
) -> dict[str, Any]:
    """Return the whole report of a month or a week, JSON-ready.

    Parameters
    ----------
    data : PeriodDays
    disaggregation_metrics : mapping
        From `analytics.disaggregation.documents.disaggregation_document`, in Wh whatever `unit` is.
    period : {'month', 'week'}
    unit : {'kwh', 'wh'}
        Unit of `day_by_day_metrics` only.
    factors : CarbonFactors
    """
    return {
        "day_by_day_metrics": day_by_day_metrics(data, period=period, unit=unit),
        "disaggregation_metrics": dict(disaggregation_metrics),
        "carbon_footprint": carbon_footprint(sum(data.energy_uwh.tolist()), len(data.days), factors=factors),
        "units": {
            "day_by_day_metrics": "kWh" if unit == "kwh" else "Wh",
            "disaggregation_metrics": "Wh",
            "carbon_footprint": "kg CO2",
        },
        "version": REPORT_VERSION,
    }
