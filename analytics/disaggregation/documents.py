"""Printed energies into the JSON shapes of the disaggregation answers.

Energies are integer milliwatt-hours until the last moment; a float of 3 decimals made from them prints
exactly, and the printed parts add up to the printed total.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt

from analytics.calendar import days_of_month, weeks_of_month
from analytics.errors import BrokenContractError


def wh_from_mwh(amount_mwh: int) -> float:
    """Return milliwatt-hours as watt-hours that print with at most 3 decimals [Wh]."""
    return int(amount_mwh) / 1000


def disaggregation_document(
    *,
    total_mwh: int,
    disconnection: float,
    parts_mwh: Mapping[str, int],
    with_zeros: bool = False,
) -> dict[str, Any]:
    """Return the answer of `disag/month`, `disag/week`, or a report's `disaggregation_metrics`.

    Parameters
    ----------
    total_mwh : int, [mWh]
    disconnection : float, [%]
        From `analytics.reports.disconnection_percentage`.
    parts_mwh : mapping of class to int, [mWh]
    with_zeros : bool
        Reports list every known class; the disaggregation lists only those found.

    Raises
    ------
    BrokenContractError
        A part is negative, or the parts do not add up to the total.

    Source: Voltaware HTTP API for smart meters, Disaggregation and Reports.
    """
    return {
        "total_consumption": wh_from_mwh(total_mwh),
        "disconnection_percentage": disconnection,
        "appliances": _appliances(total_mwh, parts_mwh, with_zeros=with_zeros),
    }


def month_weeks_document(
    *,
    year: int,
    month: int,
    disconnection: float,
    day_parts_mwh: Mapping[str, npt.NDArray[np.int64]],
) -> dict[str, Any]:
    """Return the answer of `disag/month/weeks`: Monday weeks clipped to the month.

    Parameters
    ----------
    year, month : int
    disconnection : float, [%]
        Of the month.
    day_parts_mwh : mapping of class to ndarray of int64, shape (days of the month,), [mWh]

    Raises
    ------
    BrokenContractError
        A part is negative or does not have a figure for each day of the month.

    Source: Voltaware HTTP API for smart meters, Month by Weeks.
    """
    days = days_of_month(year, month)
    total_mwh, _ = sum_days(days, days, day_parts_mwh)
    weeks = []
    for week in weeks_of_month(year, month):
        week_mwh, parts_mwh = sum_days(days, week.days(), day_parts_mwh)
        weeks.append(
            {
                "from": week.first.isoformat(),
                "to": week.last.isoformat(),
                "total_consumption": wh_from_mwh(week_mwh),
                "appliances": _appliances(week_mwh, parts_mwh, with_zeros=False),
            }
        )
    return {
        "total_consumption": wh_from_mwh(total_mwh),
        "disconnection_percentage": disconnection,
        "weeks": weeks,
    }


def sum_days(
    days: Sequence[date],
    chosen: Sequence[date],
    day_parts_mwh: Mapping[str, npt.NDArray[np.int64]],
) -> tuple[int, dict[str, int]]:
    """Add the chosen days of each class; the total is the sum of the parts [mWh].

    Parameters
    ----------
    days : sequence of date, length n
    chosen : sequence of date
        Each one of `days`.
    day_parts_mwh : mapping of class to ndarray of int64, shape (n,), [mWh]

    Raises
    ------
    BrokenContractError
        A class does not have one figure per day, or a chosen day is not among the days.
    """
    index = {day: i for i, day in enumerate(days)}
    if any(day not in index for day in chosen):
        raise BrokenContractError("a chosen day is not among the days")
    rows = [index[day] for day in chosen]
    parts_mwh = {}
    for appliance, amounts in day_parts_mwh.items():
        if amounts.shape != (len(days),):
            raise BrokenContractError(f"{appliance}: one figure per day is needed, {len(days)} in all")
        parts_mwh[appliance] = int(amounts[rows].sum())
    return sum(parts_mwh.values()), parts_mwh


def _appliances(total_mwh: int, parts_mwh: Mapping[str, int], *, with_zeros: bool) -> list[dict[str, Any]]:
    if any(amount < 0 for amount in parts_mwh.values()):
        raise BrokenContractError("a part of the energy is never negative")
    if sum(parts_mwh.values()) != total_mwh:
        raise BrokenContractError(f"the parts add up to {sum(parts_mwh.values())} mWh, not {total_mwh}")
    return [
        {"appliance_key": appliance, "consumption": wh_from_mwh(amount)}
        for appliance, amount in sorted(parts_mwh.items())
        if with_zeros or amount > 0
    ]
