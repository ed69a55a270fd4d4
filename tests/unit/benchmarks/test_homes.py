"""Labelled homes: intervals, days, parts that never stop."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from benchmarks.disaggregation.homes import REST, always_on, check_labels, months_of, resample
from benchmarks.disaggregation.splits import REPORT, SAID, TUNE, part_of
from tests.unit.benchmarks.homes import HOUR_US, small_home, us


def test_every_class_belongs_to_one_label_and_the_truths_add_up_to_the_energy():
    home = small_home()
    classes = [name for names in home.all_labels.values() for name in names]
    assert len(classes) == len(set(classes)) == 10
    assert list(home.all_labels) == ["fridge", REST]
    np.testing.assert_allclose(home.truths().sum(axis=1), home.energy_wh)


def test_a_longer_interval_keeps_the_energy_and_leaves_out_what_is_not_complete():
    home = small_home(interval_s=900, hours=4)
    gap = replace(
        home,
        start_us=np.delete(home.start_us, 5),
        energy_wh=np.delete(home.energy_wh, 5),
        truth_wh={"fridge": np.delete(home.truth_wh["fridge"], 5)},
    )
    hourly = resample(home, 3600)
    assert hourly.energy_wh.sum() == pytest.approx(home.energy_wh.sum())
    assert hourly.truth_wh["fridge"].tolist() == [120.0] * 4
    assert resample(gap, 3600).start_us.tolist() == [us(2023, 1, 1, hour) for hour in (0, 2, 3)]


def test_days_are_local_and_none_of_the_energy_is_lost_when_the_clock_changes():
    home = small_home(start_us=us(2023, 3, 24, 23), hours=24 * 3 - 1, zone="Europe/Paris")
    days = home.by_day(home.energy_wh)
    assert days.size == 3
    assert days.sum() == pytest.approx(home.energy_wh.sum())
    lengths = home.by_day(np.ones(home.start_us.size))
    assert lengths.tolist() == [24.0, 23.0, 24.0]


def test_what_never_stops_is_the_weeks_median_of_daily_least_values():
    # Monday 2 January 2023; least values 10, 10, 40 of three days; one hour below the level keeps its own.
    power = np.full(72, 100.0)
    power[[3, 27, 51]] = 10.0, 12.0, 40.0
    start = us(2023, 1, 2) + HOUR_US * np.arange(72)
    level = always_on(start, power)
    assert level[0] == 12.0
    assert level[3] == 10.0
    assert level[51] == 12.0


def test_a_month_with_hardly_any_day_is_left_out():
    home = small_home(start_us=us(2023, 1, 30), hours=24 * 12)
    assert months_of(home) == [date(2023, 2, 1)]
    assert months_of(home, least_days=2) == [date(2023, 1, 1), date(2023, 2, 1)]


def test_a_truth_above_the_energy_is_caught():
    home = small_home()
    with pytest.raises(AssertionError, match="above the energy"):
        check_labels([replace(home, energy_wh=np.full(48, 29.0))])
    with pytest.raises(AssertionError, match="negative"):
        check_labels([replace(home, truth_wh={"fridge": np.full(48, -1.0)})])


def test_no_month_is_both_fitted_and_reported_and_the_sets_split_as_said():
    assert part_of("ampds2", "Burnaby", date(2013, 3, 1)) == TUNE
    assert part_of("ampds2", "Burnaby", date(2013, 4, 1)) == REPORT
    assert part_of("pecan661", "661", date(2018, 1, 1)) == TUNE
    assert part_of("pecan661", "661", date(2018, 2, 1)) == REPORT
    assert [part_of("redd", f"house {n}", date(2011, 5, 1)) for n in (1, 2, 3)] == [TUNE, TUNE, REPORT]
    assert part_of("uci", "Sceaux", date(2007, 12, 1)) == TUNE
    assert part_of("uci", "Sceaux", date(2008, 1, 1)) == REPORT
    assert part_of("london", "MAC000003", date(2013, 5, 1)) == TUNE
    assert part_of("london", "MAC000004", date(2013, 5, 1)) == REPORT
    assert {part_of(name, "house 1", date(2023, 1, 1)) for name in ("simulated", "uci-minutes")} == {TUNE}
    assert set(SAID) >= {"ampds2", "pecan661", "redd", "uci", "london"}
