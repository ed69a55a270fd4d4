"""Results of the disaggregation as they rest: a row a home and month, and the pieces of its cycles."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from analytics.calendar import EPOCH_DAY, month_range, to_us
from analytics.disaggregation.batch import CLASSES, Cycles, DisaggregationBatch
from analytics.disaggregation.homes import month_edges_us
from analytics.disaggregation.months import HomeMonth, Piece, shown_classes
from pipelines.db.bulk import copy_in
from pipelines.db.engine import raw
from pipelines.db.instants import us
from pipelines.insight.homes import MeasuredDays

_TABLES = {
    "disaggregation_month": "month = %(first)s",
    "appliance_cycle": "day BETWEEN %(first)s AND %(last)s",
    "home_month_statistics": "month = %(first)s",
}


@dataclass(frozen=True, kw_only=True)
class Computed:
    """Homes' results of one month, with all that is stored of them; every sequence has an entry a home."""

    month: date
    homes: Sequence[int]
    zones: Sequence[ZoneInfo]
    has_list: npt.NDArray[np.bool_]
    days: MeasuredDays
    result: DisaggregationBatch
    inputs: Sequence[Mapping[str, Any]]


def forget_month(connection: sa.Connection, devices: Sequence[int], month: date) -> None:
    """Delete everything that is stored of devices' results of a month."""
    first, last = month_range(month.year, month.month)
    for table, condition in _TABLES.items():
        raw(connection).execute(
            f"DELETE FROM wattloom.{table} WHERE device_id = ANY(%(devices)s) AND {condition}".encode(),
            {"devices": list(devices), "first": first, "last": last},
        )


def store_month(connection: sa.Connection, computed: Computed, at: datetime) -> None:
    """Append results; `forget_month` made room for them in the same transaction."""
    for has_list in (False, True):
        chosen = np.flatnonzero(computed.has_list == has_list)
        if chosen.size:
            _store_rows(connection, computed, chosen, at, has_list=has_list)
    _store_cycles(connection, computed)


def _store_rows(
    connection: sa.Connection, computed: Computed, chosen: npt.NDArray[np.int64], at: datetime, *, has_list: bool
) -> None:
    result, days = computed.result, computed.days
    n_homes, n_days = days.energy_uwh.shape
    shown = shown_classes(result, has_list=has_list)
    by_class = shown.parts_mwh.reshape(n_homes, n_days, -1).transpose(0, 2, 1)
    copy_in(
        raw(connection),
        "disaggregation_month",
        {
            "device_id": ("int4", np.array(computed.homes, dtype=np.int32)[chosen]),
            "month": ("date", np.full(chosen.size, (computed.month - EPOCH_DAY).days)),
            "model_version": ("varchar", result.model_version),
            "computed_at": ("timestamptz", np.full(chosen.size, to_us(at))),
            "timezone": ("varchar", [str(computed.zones[n]) for n in chosen]),
            "appliances": ("varchar[]", ",".join(shown.appliances)),
            "energy_uwh": ("int8[]", days.energy_uwh[chosen]),
            "total_mwh": ("int8[]", result.total_mwh.reshape(n_homes, n_days)[chosen]),
            "parts_mwh": ("int8[]", by_class[chosen].reshape(chosen.size, -1)),
            "expected_intervals": ("int4[]", days.expected[chosen]),
            "valid_intervals": ("int4[]", days.valid[chosen]),
            "confidence": ("float4[]", shown.confidence[chosen]),
            "lower_mwh": ("int8[]", shown.lower_mwh[chosen]),
            "upper_mwh": ("int8[]", shown.upper_mwh[chosen]),
            "inputs": ("jsonb", [json.dumps(computed.inputs[n]) for n in chosen]),
        },
        schema="wattloom",
    )


def _store_cycles(connection: sa.Connection, computed: Computed) -> None:
    cycles = computed.result.cycles
    day, begins_day = days_of_cycles(cycles, computed.month, computed.zones)
    devices = np.array(computed.homes, dtype=np.int32)
    for column in np.unique(cycles.appliance).tolist():
        rows = np.flatnonzero(cycles.appliance == column)
        copy_in(
            raw(connection),
            "appliance_cycle",
            {
                "device_id": ("int4", devices[cycles.home[rows]]),
                "appliance_key": ("varchar", CLASSES[column]),
                "day": ("date", day[rows] + (computed.month - EPOCH_DAY).days),
                "start_at": ("timestamptz", cycles.start_us[rows]),
                "end_at": ("timestamptz", cycles.end_us[rows]),
                "begins_day": ("bool", begins_day[rows]),
                "energy_mwh": ("int8", cycles.energy_mwh[rows]),
            },
            schema="wattloom",
        )


def days_of_cycles(
    cycles: Cycles, month: date, zones: Sequence[ZoneInfo]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Return of each piece its day of the month, from 0, and whether it begins with the day."""
    day = np.zeros(cycles.home.size, dtype=np.int64)
    begins_day = np.zeros(cycles.home.size, dtype=np.bool_)
    by_zone: dict[ZoneInfo, list[int]] = {}
    for home in np.unique(cycles.home).tolist():
        by_zone.setdefault(zones[home], []).append(home)
    for zone, homes in by_zone.items():
        edges_us = month_edges_us(month, zone)
        rows = np.flatnonzero(np.isin(cycles.home, homes))
        day[rows] = np.searchsorted(edges_us, cycles.start_us[rows], side="right") - 1
        begins_day[rows] = edges_us[day[rows]] == cycles.start_us[rows]
    return day, begins_day


_READ = """
    SELECT month, model_version, appliances, energy_uwh, total_mwh, parts_mwh, expected_intervals, valid_intervals,
           confidence, lower_mwh, upper_mwh, inputs -> 'warnings'
    FROM wattloom.disaggregation_month WHERE device_id = %s AND month = ANY(%s) ORDER BY month
"""


def read_months(connection: sa.Connection, device: int, months: Sequence[date]) -> list[HomeMonth]:
    """Return the stored results of a device's months, those of them that exist."""
    rows = raw(connection).cursor(binary=True).execute(_READ, (device, list(months)))
    return [_home_month(*row) for row in rows]


def _home_month(  # the columns of _READ
    month: date,
    model_version: str,
    appliances: list[str],
    energy_uwh: list[int],
    total_mwh: list[int],
    parts_mwh: list[int],
    expected_intervals: list[int],
    valid_intervals: list[int],
    confidence: list[float],
    lower_mwh: list[int],
    upper_mwh: list[int],
    warnings: list[str] | None,
) -> HomeMonth:
    return HomeMonth(
        month=month,
        model_version=model_version,
        appliances=appliances,
        energy_uwh=np.array(energy_uwh, dtype=np.int64),
        total_mwh=np.array(total_mwh, dtype=np.int64),
        parts_mwh=np.array(parts_mwh, dtype=np.int64).reshape(len(appliances), -1),
        expected_intervals=np.array(expected_intervals, dtype=np.int64),
        valid_intervals=np.array(valid_intervals, dtype=np.int64),
        confidence=confidence,
        lower_mwh=lower_mwh,
        upper_mwh=upper_mwh,
        warnings=warnings or [],
    )


def read_pieces(connection: sa.Connection, device: int, first: date, last: date) -> list[Piece]:
    """Return the pieces of cycles of a device's local days, in order of start."""
    rows = raw(connection).execute(
        f"SELECT appliance_key, {us('start_at')}, {us('end_at')}, energy_mwh, begins_day"
        " FROM wattloom.appliance_cycle WHERE device_id = %s AND day BETWEEN %s AND %s ORDER BY start_at, end_at",
        (device, first, last),
    )
    return [Piece(*row) for row in rows]
