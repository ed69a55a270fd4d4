"""Printed months: classes without a list, periods over two months, cycles cut at midnights."""

from datetime import date
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from analytics.calendar import DayRange, local_day, to_us
from analytics.disaggregation.batch import CLASSES, Cycles, DisaggregationBatch
from analytics.disaggregation.documents import cycles_document, join_pieces, quality_document
from analytics.disaggregation.households import Household
from analytics.disaggregation.months import (
    WARNINGS,
    WITHOUT_LIST,
    HomeMonth,
    Piece,
    period_of,
    shown_classes,
    warnings_of,
)
from analytics.errors import BrokenContractError

LONDON = ZoneInfo("Europe/London")
NONE = np.empty(0, dtype=np.int64)


def result_of(parts_mwh, lower_mwh, upper_mwh, confidence, homes=1):
    parts = np.array(parts_mwh, dtype=np.int64)
    days = len(parts) // homes
    return DisaggregationBatch(
        model_version="9",
        target_offsets=np.arange(homes + 1, dtype=np.int64) * days,
        total_mwh=parts.sum(axis=1),
        parts_mwh=parts,
        confidence=np.array(confidence, dtype=np.float64),
        lower_mwh=np.array(lower_mwh, dtype=np.int64),
        upper_mwh=np.array(upper_mwh, dtype=np.int64),
        valid_s=np.full(len(parts), 86_400),
        expected_s=np.full(len(parts), 86_400),
        cycles=Cycles(home=NONE, appliance=NONE, start_us=NONE, end_us=NONE, energy_mwh=NONE),
        statistics=np.zeros((len(parts), 14), dtype=np.uint16),
    )


def row(**values):
    return [values.get(name, 0) for name in CLASSES]


def test_without_a_list_cooking_and_heating_are_one_class_whose_energy_is_their_sum():
    result = result_of(
        [row(cooking=3, heating=40, others=7), row(heating=60, others=1)],
        [row(cooking=0, heating=96)],
        [row(cooking=7, heating=103, others=8)],
        [row(cooking=0.5, heating=1.0)],
    )
    shown = shown_classes(result, has_list=False)
    both = shown.appliances.index("cooking_heating")
    assert shown.appliances == WITHOUT_LIST
    assert shown.parts_mwh[:, both].tolist() == [43, 60]
    assert shown.parts_mwh.sum(axis=1).tolist() == result.total_mwh.tolist()
    # 3 and 4 below, 4 and 3 above: independent errors together are 5.
    assert (shown.lower_mwh[0, both], shown.upper_mwh[0, both]) == (103 - 5, 103 + 5)
    assert shown.confidence[0, both] == pytest.approx((3 * 0.5 + 100 * 1.0) / 103)


def test_bounds_of_the_merged_class_stay_within_nothing_and_the_whole():
    result = result_of(
        [row(cooking=5, heating=5), row(others=9)] * 2,
        [row(), row()],
        [row(cooking=19, heating=19), row(cooking=19, heating=19)],
        [row(), row()],
        homes=2,
    )
    shown = shown_classes(result, has_list=False)
    both = shown.appliances.index("cooking_heating")
    assert shown.lower_mwh[:, both].tolist() == [10 - 7, 10 - 7]
    assert shown.upper_mwh[:, both].tolist() == [19, 19]


def test_with_a_list_the_classes_are_the_models_own():
    result = result_of([row(cooking=3)], [row()], [row(cooking=3)], [row()])
    assert shown_classes(result, has_list=True).appliances == CLASSES


def home_month(month, days, **parts):
    rows = np.array([np.arange(days) + first for first in parts.values()], dtype=np.int64)
    return HomeMonth(
        month=month,
        model_version=f"of {month:%m}",
        appliances=tuple(parts),
        energy_uwh=rows.sum(axis=0) * 1000,
        total_mwh=rows.sum(axis=0),
        parts_mwh=rows,
        expected_intervals=np.full(days, 48),
        valid_intervals=np.full(days, 24),
        confidence=[0.5] * len(parts),
        lower_mwh=[0] * len(parts),
        upper_mwh=[10**6] * len(parts),
        warnings=["coverage"],
    )


def test_a_week_of_two_months_has_the_classes_of_both_and_the_days_of_each():
    march = home_month(date(2026, 3, 1), 31, cooking_heating=100, others=0)
    april = home_month(date(2026, 4, 1), 30, cooking=10, heating=20, others=5)
    week = period_of([march, april], DayRange(date(2026, 3, 30), date(2026, 4, 5)))
    assert week.day_parts_mwh["cooking_heating"].tolist() == [129, 130, 0, 0, 0, 0, 0]
    assert week.day_parts_mwh["heating"].tolist() == [0, 0, 20, 21, 22, 23, 24]
    assert week.day_parts_mwh["others"].tolist() == [29, 30, 5, 6, 7, 8, 9]
    assert week.disconnection == 50.0
    assert week.model_version == "of 03, of 04"
    quality = quality_document(week)
    assert [month["month"] for month in quality["months"]] == ["2026-03", "2026-04"]
    assert quality["warnings"] == [{"code": "coverage", "detail": WARNINGS["coverage"]}]


def test_a_period_needs_all_its_months():
    march = home_month(date(2026, 3, 1), 31, others=0)
    with pytest.raises(BrokenContractError, match="none of the months"):
        period_of([march], DayRange(date(2026, 3, 30), date(2026, 4, 5)))


def midnight(day):
    return to_us(local_day(day, LONDON).start)


HOUR_US = 3_600_000_000
EV = "electric_vehicle"


def test_pieces_join_over_midnights_only_and_only_where_one_ends():
    day, following = midnight(date(2026, 3, 2)), midnight(date(2026, 3, 3))
    pieces = [
        Piece(EV, day - HOUR_US, day, 10, begins_day=False),
        Piece(EV, day, following, 24, begins_day=True),
        Piece(EV, following, following + HOUR_US, 5, begins_day=True),
        Piece(EV, following + HOUR_US, following + 2 * HOUR_US, 7, begins_day=False),
    ]
    cycles = join_pieces(pieces)
    assert [(cycle.start_us, cycle.end_us, cycle.energy_mwh) for cycle in cycles] == [
        (day - HOUR_US, following + HOUR_US, 39),
        (following + HOUR_US, following + 2 * HOUR_US, 7),
    ]
    # Without what came before, as at the edge of a month, a piece that begins the day is where the cycle begins.
    assert join_pieces(pieces[1:])[0].start_us == day


def test_of_two_runs_over_midnight_each_keeps_its_own_start():
    day = midnight(date(2026, 3, 2))
    pieces = [
        Piece("washing", day - 3 * HOUR_US, day, 1, begins_day=False),
        Piece("washing", day - HOUR_US, day, 2, begins_day=False),
        Piece("washing", day, day + HOUR_US, 4, begins_day=True),
        Piece("washing", day, day + 2 * HOUR_US, 8, begins_day=True),
    ]
    cycles = join_pieces(pieces)
    assert [(cycle.start_us, cycle.end_us) for cycle in cycles] == [
        (day - 3 * HOUR_US, day + HOUR_US),
        (day - HOUR_US, day + 2 * HOUR_US),
    ]
    assert sum(cycle.energy_mwh for cycle in cycles) == 15


def test_a_cycle_in_the_hour_that_comes_twice_says_which_by_utc():
    first = to_us(local_day(date(2026, 10, 25), LONDON).start) + HOUR_US // 2
    pieces = [Piece(EV, first, first + HOUR_US, 1500, begins_day=False)]
    ((found,),) = [one["cycles"] for one in cycles_document(pieces, LONDON, (EV, "washing"))]
    assert found == {
        "from": "2026-10-25T00:30:00",
        "to": "2026-10-25T01:30:00",
        "consumption": 1.5,
        "from_utc": "2026-10-24T23:30:00Z",
        "to_utc": "2026-10-25T00:30:00Z",
    }
    later = [piece._replace(start_us=first + HOUR_US, end_us=first + 2 * HOUR_US) for piece in pieces]
    ((again,),) = [one["cycles"] for one in cycles_document(later, LONDON, (EV,))]
    assert (again["from"], again["to"]) == ("2026-10-25T01:30:00", "2026-10-25T01:30:00")
    assert again["from_utc"] != again["to_utc"]


def test_every_warning_can_hold_and_none_holds_of_a_well_known_home():
    well_known = Household(has_appliance_list=True, has_generator=False)
    facts = {"has_place": True, "has_temperatures": True, "has_export": False, "has_implausible": False}
    assert warnings_of(well_known, coverage=1.0, history_days=396, **facts) == []
    opposite = {name: not value for name, value in facts.items()}
    unknown = Household(has_generator=True)
    assert warnings_of(unknown, coverage=0.4, history_days=3, **opposite) == list(WARNINGS)
