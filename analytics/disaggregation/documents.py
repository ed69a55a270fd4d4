"""Printed energies into the JSON shapes of the disaggregation answers.

Energies are integer milliwatt-hours until the last moment; a float of 3 decimals made from them prints
exactly, and the printed parts add up to the printed total.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from analytics.calendar import days_of_month, from_us, weeks_of_month
from analytics.disaggregation.months import WARNINGS, HomeMonth, PeriodResult, Piece
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


def cycles_document(pieces: Sequence[Piece], zone: ZoneInfo, appliances: Sequence[str]) -> list[dict[str, Any]]:
    """Return the answer of `disag/cycles/*`: the cycles of each class that has any, clipped to the period.

    Parameters
    ----------
    pieces : sequence of Piece
        Those of the period's days, in order of start; joined where one continues the day before.
    zone : ZoneInfo
        `from` and `to` are local times without an offset, ambiguous in the hour a clock goes back through;
        `from_utc` and `to_utc` are not.
    appliances : sequence of str
        Classes that are asked for.

    Source: Voltaware HTTP API for smart meters, Appliance Cycles.
    """
    found = []
    for appliance in appliances:
        cycles = join_pieces([piece for piece in pieces if piece.appliance == appliance])
        if cycles:
            found.append(
                {
                    "appliance_key": appliance,
                    "total_consumption": wh_from_mwh(sum(cycle.energy_mwh for cycle in cycles)),
                    "cycles": [_cycle(cycle, zone) for cycle in cycles],
                }
            )
    return found


def join_pieces(pieces: Sequence[Piece]) -> list[Piece]:
    """Join the pieces of one class that were cut at local midnights into whole cycles, in order of start."""
    cycles: list[Piece] = []
    for piece in sorted(pieces, key=lambda piece: (piece.start_us, piece.end_us)):
        ends = [n for n, cycle in enumerate(cycles) if cycle.end_us == piece.start_us] if piece.begins_day else []
        if ends:
            before = cycles[ends[0]]
            energy_mwh = before.energy_mwh + piece.energy_mwh
            cycles[ends[0]] = before._replace(end_us=piece.end_us, energy_mwh=energy_mwh)
        else:
            cycles.append(piece)
    return cycles


def _cycle(cycle: Piece, zone: ZoneInfo) -> dict[str, Any]:
    start, end = from_us(cycle.start_us), from_us(cycle.end_us)
    return {
        "from": start.astimezone(zone).replace(tzinfo=None).isoformat(timespec="seconds"),
        "to": end.astimezone(zone).replace(tzinfo=None).isoformat(timespec="seconds"),
        "consumption": wh_from_mwh(cycle.energy_mwh),
        "from_utc": f"{start.replace(tzinfo=None).isoformat(timespec='seconds')}Z",
        "to_utc": f"{end.replace(tzinfo=None).isoformat(timespec='seconds')}Z",
    }


def quality_document(result: PeriodResult) -> dict[str, Any]:
    """Return the `quality` block of an answer: how much was measured and how sure each class is.

    Confidence and bounds are of the calendar months the period was computed with, also where the period
    is a week: `lower` and `upper` hold the month's energy with about 80 % probability [Wh].
    """
    codes = {code for month in result.months for code in month.warnings}
    return {
        "disconnection_percentage": result.disconnection,
        "warnings": [{"code": code, "detail": text} for code, text in WARNINGS.items() if code in codes],
        "months": [_month_quality(month) for month in result.months],
    }


def _month_quality(month: HomeMonth) -> dict[str, Any]:
    consumption = month.parts_mwh.sum(axis=1).tolist()
    rows = zip(month.appliances, consumption, month.confidence, month.lower_mwh, month.upper_mwh, strict=True)
    return {
        "month": f"{month.month:%Y-%m}",
        "model_version": month.model_version,
        "appliances": [
            {
                "appliance_key": appliance,
                "consumption": wh_from_mwh(energy),
                "lower": wh_from_mwh(lower),
                "upper": wh_from_mwh(upper),
                "confidence": round(float(confidence), 3),
            }
            for appliance, energy, confidence, lower, upper in sorted(rows)
        ],
    }


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
