"""The simple methods: each does what its name says, and none loses energy."""

import numpy as np
import pytest

from analytics.disaggregation.batch import CLASSES
from analytics.disaggregation.households import household_of
from benchmarks.disaggregation.baselines import mean_shares, month_numbers, prior_only, survey_wh, week_numbers
from benchmarks.disaggregation.homes import appliance
from benchmarks.disaggregation.others import mean_of_others, share_of
from tests.unit.benchmarks.homes import small_home

WINTER_DAYS = 19_358 + np.arange(31)  # from 2023-01-01
SUMMER_DAYS = 19_539 + np.arange(31)  # from 2023-07-01


def with_list(*listed):
    home = small_home()
    object.__setattr__(home, "appliances", list(listed))
    return home


def test_a_survey_gives_nothing_to_what_is_not_owned():
    expected = survey_wh(household_of({}, [appliance("FRIDGE", type="FRIDGE")]), (10.0, 10.0))
    parts = dict(zip(CLASSES, expected, strict=True))
    none = {"boiler", "cooking", "cooling", "electric_vehicle", "heating", "washing"}
    assert {name for name, energy in parts.items() if energy == 0} == none
    assert parts["fridge"] == pytest.approx(1200.0)


def test_a_prior_adds_up_to_each_day_and_heats_in_winter_only():
    home = with_list(appliance("ELECTRIC_HEATING", type="RADIATOR"), appliance("FRIDGE", type="FRIDGE"))
    days = np.concatenate((WINTER_DAYS, SUMMER_DAYS))
    total = np.linspace(5000.0, 9000.0, days.size)
    parts = prior_only(home, days, total)
    np.testing.assert_allclose(parts.sum(axis=1), total)
    share = parts[:, CLASSES.index("heating")] / total
    assert share[:31].min() > 0.5
    assert share[31:].max() < 0.1


def test_mean_shares_by_hand():
    assert mean_shares([np.array([[10.0, 30.0]]), np.array([[20.0, 0.0], [0.0, 40.0]])]).tolist() == [0.3, 0.7]


def test_a_label_is_learned_from_sets_that_can_tell_it():
    fine = {("cooking",): 0.1, ("fridge",): 0.2}
    coarse = {("cooking", "fridge"): 0.5}
    assert share_of(("cooking", "fridge"), [fine, coarse]) == pytest.approx(0.4)
    assert share_of(("fridge",), [fine, coarse]) == pytest.approx(0.2)
    assert share_of(("boiler",), [fine, coarse]) is None


def test_the_mean_of_others_adds_up_and_gives_the_rest_what_is_left():
    home = small_home()
    total = np.array([1000.0, 3000.0])
    found = mean_of_others(home, WINTER_DAYS[:2], total, [{("fridge",): 0.25}, {("fridge",): 0.35}])
    np.testing.assert_allclose(found, [[300.0, 700.0], [900.0, 2100.0]])


def test_the_mean_of_others_gives_nothing_to_what_is_not_owned():
    home = with_list(appliance("KETTLE"))
    found = mean_of_others(home, WINTER_DAYS[:1], np.array([1000.0]), [{("fridge",): 0.25}])
    np.testing.assert_allclose(found, [[0.0, 1000.0]])


def test_months_and_weeks_are_those_of_the_calendar():
    days = np.array([19_388, 19_389, 19_390])  # 31 January (a Tuesday), 1 and 2 February 2023
    assert np.diff(month_numbers(days)).tolist() == [1, 0]
    assert np.diff(week_numbers(np.array([19_386, 19_387]))).tolist() == [1]  # Sunday, Monday
