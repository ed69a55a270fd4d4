import json
import subprocess
import sys
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import pytest

from analytics.calendar import days_of_month
from analytics.errors import BrokenContractError
from analytics.reports import (
    CarbonFactors,
    PeriodDays,
    carbon_footprint,
    day_by_day_metrics,
    disconnection_percentage,
    report_document,
)

JULY = days_of_month(2024, 7)


def period(energy_uwh, *, days=JULY, expected=96, valid=None):
    n = len(days)
    return PeriodDays(
        days=days,
        energy_uwh=np.array(energy_uwh, dtype=np.int64),
        expected_intervals=np.full(n, expected, dtype=np.int64),
        valid_intervals=np.array([expected] * n if valid is None else valid, dtype=np.int64),
    )


def test_the_carbon_footprint_of_the_original_report_is_reproduced():
    assert carbon_footprint(13_706_710_000, 31) == {"kgco2": 7.11378249, "trees": 3.803064}


def test_carbon_counts_the_printed_total_and_takes_other_factors():
    printed = carbon_footprint(13_706_714_999, 31)
    other = carbon_footprint(
        10**9, 7, factors=CarbonFactors(kgco2_per_kwh=Decimal("0.233"), kgco2_per_tree_day=Decimal("0.1"))
    )

    assert printed == carbon_footprint(13_706_710_000, 31)
    assert other == {"kgco2": 0.233, "trees": 0.332857}
    with pytest.raises(BrokenContractError, match="at least one day"):
        carbon_footprint(0, 0)


def test_days_add_up_to_weekdays_and_weekends_and_these_to_the_total_as_printed():
    data = period([441_001_111 + 7_777 * day for day in range(31)])

    metrics = day_by_day_metrics(data)

    def units(kwh):
        return round(kwh * 100_000)

    days = metrics["days"]
    total = units(metrics["total_month_consumption"])
    assert sum(units(day["total_consumption"]) for day in days) == total
    assert (
        units(metrics["total_consumed_on_week_days"]) + units(metrics["total_consumed_on_weekend_days"]) == total
    )
    assert total == round(Decimal(int(data.energy_uwh.sum())) / 10_000)
    assert [day["weekend"] for day in days[:7]] == [False] * 5 + [True] * 2
    assert metrics["max_month_consumption"] == days[-1]
    assert metrics["min_month_consumption"] == days[0]
    assert metrics["average_month_consumption"] == round(total / 31) / 100_000


def test_watt_hours_multiply_every_energy_and_nothing_else():
    data = period([0] + [412_345_678] * 30)

    kwh, wh = day_by_day_metrics(data), day_by_day_metrics(data, unit="wh")

    assert kwh["days_without_consumption"] == wh["days_without_consumption"] == 1
    assert wh["total_month_consumption"] == 12370.37
    assert kwh["total_month_consumption"] == 12.37037
    assert wh["days"][1]["total_consumption"] == pytest.approx(kwh["days"][1]["total_consumption"] * 1000)
    assert list(kwh) == list(wh)


def test_a_week_has_the_names_of_a_week_and_divides_by_seven():
    week = [date(2024, 7, 8) + timedelta(days=n) for n in range(7)]
    metrics = day_by_day_metrics(period([10**9] * 7, days=week), period="week")

    assert list(metrics) == [
        "days_without_consumption",
        "total_consumed_on_week_days",
        "total_consumed_on_weekend_days",
        "total_week_consumption",
        "average_week_consumption",
        "max_week_consumption",
        "min_week_consumption",
        "days",
    ]
    assert metrics["total_week_consumption"] == 7.0
    assert metrics["average_week_consumption"] == 1.0
    assert metrics["max_week_consumption"]["day"] == "2024-07-08"
    assert metrics["min_week_consumption"]["day"] == "2024-07-08"


def test_a_day_without_data_is_neither_without_consumption_nor_the_least():
    data = period([0, 0, 5 * 10**8] + [6 * 10**8] * 28, valid=[0, 95, 10] + [96] * 28)

    metrics = day_by_day_metrics(data)

    assert metrics["days_without_consumption"] == 0
    assert metrics["min_month_consumption"]["day"] == "2024-07-02"
    assert metrics["max_month_consumption"]["day"] == "2024-07-04"


def test_a_month_without_any_data_has_no_greatest_day():
    metrics = day_by_day_metrics(period([0] * 31, valid=[0] * 31))

    assert metrics["max_month_consumption"] is None
    assert metrics["min_month_consumption"] is None
    assert metrics["total_month_consumption"] == 0.0
    assert metrics["days_without_consumption"] == 0


def test_the_report_names_the_unit_of_each_block_and_is_json():
    report = report_document(
        period([442_000_000] * 31), disaggregation_metrics={"total_consumption": 13702.0}, unit="wh"
    )

    assert list(json.loads(json.dumps(report))) == [
        "day_by_day_metrics",
        "disaggregation_metrics",
        "carbon_footprint",
        "units",
        "version",
    ]
    assert report["units"]["day_by_day_metrics"] == "Wh"
    assert report["carbon_footprint"]["kgco2"] == 7.111338
    assert report["version"] == 1


@pytest.mark.parametrize(
    ("valid", "expected", "percentage"),
    [(2551, 2976, 14.3), (0, 10, 100.0), (10, 10, 0.0), (11, 10, 0.0), (0, 0, 0.0), (1999, 2000, 0.0)],
)
def test_disconnection_is_the_share_of_missing_intervals(valid, expected, percentage):
    assert disconnection_percentage(valid, expected) == percentage


def test_wrong_days_are_our_bug():
    with pytest.raises(BrokenContractError, match="follow"):
        period([1, 2], days=[JULY[0], JULY[2]])
    with pytest.raises(BrokenContractError, match="never negative"):
        period([-1, 2], days=JULY[:2])
    with pytest.raises(BrokenContractError, match="shape"):
        period([1], days=JULY[:2])
    with pytest.raises(BrokenContractError, match="at least one day"):
        period([], days=[])


def test_calendar_quality_and_reports_do_not_load_the_compiler():
    code = "import sys, analytics.calendar, analytics.quality, analytics.reports; print('numba' in sys.modules)"

    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert answer.stdout.strip() == "False"
