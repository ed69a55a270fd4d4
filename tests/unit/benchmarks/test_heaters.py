"""Homes without a list that are said to heat are counted by home and month."""

from dataclasses import replace

import numpy as np

from analytics.disaggregation.batch import CLASSES
from benchmarks.disaggregation import thermal
from benchmarks.disaggregation.months import Found
from benchmarks.disaggregation.splits import REPORT, TUNE
from tests.unit.benchmarks.homes import small_home

JANUARY = 19_358
"""2023-01-01."""


def found(january, february):
    """Find heating in so much of the energy of two months of one day each."""
    parts = np.zeros((2, len(CLASSES)))
    parts[:, thermal.HEATING] = [january, february]
    parts[:, CLASSES.index("others")] = [100 - january, 100 - february]
    return Found(day=np.array([JANUARY, JANUARY + 31]), total_wh=np.full(2, 100.0), parts_wh=parts)


def test_homes_and_months_that_heat_are_counted_in_their_part(monkeypatch):
    homes = [replace(small_home(dataset="london"), name=name) for name in ("MAC1", "MAC2", "MAC3")]
    given = []

    def wattloom(asked):
        given.extend(asked)
        return [found(30, 0.5), found(20, 20), found(0, 0)]

    monkeypatch.setattr(thermal, "wattloom", wattloom)

    rows = thermal.heaters_rows("london", homes, (REPORT, TUNE))

    assert all(home.appliances is None for home in given)
    assert rows == [
        ["london", "report", "1", "1", "2", "2", "20.0 %"],
        ["london", "tune", "2", "1", "4", "1", "7.6 %"],
    ]
    assert thermal.heaters_rows("london", homes, (TUNE,)) == rows[1:]
