"""Results of the disaggregation as they rest: a row a home and month, with the pieces of its cycles."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from analytics.calendar import EPOCH_DAY, to_us
from analytics.disaggregation.batch import CLASSES, Cycles, DisaggregationBatch
from analytics.disaggregation.homes import month_edges_us
from analytics.disaggregation.months import HomeMonth, Piece, shown_classes
from pipelines.db.bulk import Column, Ragged, copy_in
from pipelines.db.engine import raw
from pipelines.insight.homes import MeasuredDays

_CYCLE_CLASSES = ("boiler", "cooking", "electric_vehicle", "washing")
"""Classes whose runs are told apart; `cycle_class` 1 is the first."""
_TABLES = ("disaggregation_month", "home_month_statistics")


@dataclass(frozen=True, kw_only=True)
class Computed:
    """Homes' results of one month, with all that is stored of them; every sequence has an entry a home.

    `inputs` are documents: what each result was computed from, and what to tell of it.
    """

    month: date
    homes: Sequence[int]
    zones: Sequence[ZoneInfo]
    has_list: npt.NDArray[np.bool_]
    days: MeasuredDays
    result: DisaggregationBatch
    inputs: Sequence[str]


def forget_month(connection: sa.Connection, devices: Sequence[int], month: date) -> None:
    """Delete everything that is stored of devices' results of a month."""
    for table in _TABLES:
        raw(connection).execute(
            f"DELETE FROM wattloom.{table} WHERE device_id = ANY(%s) AND month = %s".encode(),
            (list(devices), month),
        )


def store_month(connection: sa.Connection, computed: Computed, at: datetime) -> None:
    """Append results; `forget_month` made room for them in the same transaction."""
    for has_list in (False, True):
        chosen = np.flatnonzero(computed.has_list == has_list)
        if chosen.size:
            _store_rows(connection, computed, chosen, at, has_list=has_list)


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
            "timezone": ("varchar", [computed.zones[n].key for n in chosen]),
            "appliances": ("varchar[]", ",".join(shown.appliances)),
            "energy_uwh": ("int8[]", days.energy_uwh[chosen]),
            "total_mwh": ("int8[]", result.total_mwh.reshape(n_homes, n_days)[chosen]),
            "parts_mwh": ("int8[]", by_class[chosen].reshape(chosen.size, -1)),
            "expected_intervals": ("int4[]", days.expected[chosen]),
            "valid_intervals": ("int4[]", days.valid[chosen]),
            "confidence": ("float4[]", shown.confidence[chosen]),
            "lower_mwh": ("int8[]", shown.lower_mwh[chosen]),
            "upper_mwh": ("int8[]", shown.upper_mwh[chosen]),
            "inputs": ("jsonb", [computed.inputs[n] for n in chosen]),
            **_cycle_columns(computed, chosen),
        },
        schema="wattloom",
    )


def _cycle_columns(computed: Computed, chosen: npt.NDArray[np.int64]) -> dict[str, tuple[str, Column]]:
    """Return the pieces of the chosen homes' cycles, which come home by home."""
    cycles = computed.result.cycles
    day, begins_day = days_of_cycles(cycles, computed.month, computed.zones)
    count = np.bincount(cycles.home, minlength=len(computed.homes))
    offsets = np.concatenate(([0], np.cumsum(count[chosen])))
    rows = np.flatnonzero(np.isin(cycles.home, chosen)) if chosen.size < count.size else slice(None)
    column_of = np.full(len(CLASSES), -1, dtype=np.int16)
    column_of[[CLASSES.index(name) for name in _CYCLE_CLASSES]] = np.arange(1, len(_CYCLE_CLASSES) + 1)
    return {
        "cycle_appliances": ("varchar[]", ",".join(_CYCLE_CLASSES)),
        "cycle_class": ("int2[]", Ragged(column_of[cycles.appliance[rows]], offsets)),
        "cycle_day": ("int2[]", Ragged(day[rows] + 1, offsets)),
        "cycle_begins_day": ("bool[]", Ragged(begins_day[rows], offsets)),
        "cycle_start_us": ("int8[]", Ragged(cycles.start_us[rows], offsets)),
        "cycle_end_us": ("int8[]", Ragged(cycles.end_us[rows], offsets)),
        "cycle_energy_mwh": ("int8[]", Ragged(cycles.energy_mwh[rows], offsets)),
    }


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
        "SELECT r.cycle_appliances[c.class], c.start_us, c.end_us, c.energy_mwh, c.begins_day"
        " FROM wattloom.disaggregation_month AS r CROSS JOIN LATERAL unnest(r.cycle_class, r.cycle_day,"
        " r.cycle_start_us, r.cycle_end_us, r.cycle_energy_mwh, r.cycle_begins_day)"
        " AS c (class, day, start_us, end_us, energy_mwh, begins_day)"
        " WHERE r.device_id = %(device)s AND r.month BETWEEN %(month)s AND %(last)s"
        " AND r.month + c.day - 1 BETWEEN %(first)s AND %(last)s ORDER BY c.start_us, c.end_us",
        {"device": device, "month": first.replace(day=1), "first": first, "last": last},
    )
    return [Piece(*row) for row in rows]
