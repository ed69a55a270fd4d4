"""Measures against figures worked out by hand."""

import math

import numpy as np
import pytest

from benchmarks.disaggregation.homes import Session
from benchmarks.disaggregation.metrics import (
    match_events,
    match_rate,
    monthly_error,
    r2,
    sae,
    teca,
    weekly_change,
)

MIN = 60e6


def charge(start_min: float, end_min: float, energy_wh: float = 1000.0) -> Session:
    return Session(start_us=start_min * MIN, end_us=end_min * MIN, energy_wh=energy_wh)


def test_teca_counts_each_misplaced_watt_hour_once():
    truth = np.array([[60.0, 40.0], [50.0, 50.0]])
    # 20 of the first row and 10 of the second are in the wrong place: 1 - 2 (20 + 10) / (2 * 200).
    found = np.array([[40.0, 60.0], [60.0, 40.0]])
    assert teca(found, truth) == pytest.approx(0.85)


def test_teca_of_the_truth_is_one_and_of_everything_in_the_wrong_place_zero():
    truth = np.array([[100.0, 0.0]])
    assert teca(truth, truth) == 1.0
    assert teca(truth[:, ::-1], truth) == 0.0


def test_teca_without_energy_is_no_figure():
    assert math.isnan(teca(np.zeros((2, 2)), np.zeros((2, 2))))


def test_r2_by_hand():
    # Mean 2, spread 2; errors 0, 1, 0.
    assert r2(np.array([1.0, 3.0, 3.0]), np.array([1.0, 2.0, 3.0])) == pytest.approx(0.5)


def test_r2_of_a_truth_that_does_not_vary_is_no_figure():
    assert math.isnan(r2(np.array([1.0, 2.0]), np.array([3.0, 3.0])))


def test_sae_lets_errors_cancel_and_the_monthly_error_does_not():
    found, truth = np.array([80.0, 130.0]), np.array([100.0, 100.0])
    assert sae(found, truth) == pytest.approx(0.05)
    assert monthly_error(found, truth) == pytest.approx(0.25)


def test_match_rate_by_hand():
    # Least: 80 + 100, most: 100 + 130.
    assert match_rate(np.array([80.0, 130.0]), np.array([100.0, 100.0])) == pytest.approx(180 / 230)


def test_match_rate_of_nothing_against_nothing_is_no_figure():
    assert math.isnan(match_rate(np.zeros(3), np.zeros(3)))


def test_a_charge_half_of_which_was_found_is_no_match_and_a_little_more_is():
    half = match_events([charge(0, 60)], [charge(0, 120)])
    more = match_events([charge(0, 61)], [charge(0, 120)])
    assert (half.n_matched, more.n_matched) == (0, 1)


def test_charges_match_one_to_one_by_the_best_overlap():
    found = [charge(5, 60, 800.0), charge(200, 300), charge(1000, 1100)]
    truth = [charge(0, 60, 1000.0), charge(205, 305), charge(2000, 2100), charge(3000, 3100)]
    events = match_events(found, truth)
    assert (events.n_found, events.n_true, events.n_matched) == (3, 4, 2)
    assert events.precision == pytest.approx(2 / 3)
    assert events.recall == pytest.approx(1 / 2)
    assert events.f1 == pytest.approx(4 / 7)
    assert events.start_error_min == pytest.approx(5.0)
    assert events.energy_error == pytest.approx(200 / 2000)


def test_a_found_charge_over_two_true_ones_matches_at_most_one():
    events = match_events([charge(0, 130)], [charge(0, 60), charge(65, 130)])
    assert events.n_matched == 0
    events = match_events([charge(0, 130)], [charge(0, 100), charge(105, 130)])
    assert events.n_matched == 1


def test_no_charge_on_either_side_gives_no_figures():
    events = match_events([], [])
    assert math.isnan(events.f1)
    assert math.isnan(events.precision)
    assert math.isnan(match_events([], [charge(0, 60)]).precision)
    assert match_events([], [charge(0, 60)]).f1 == 0.0


def test_weekly_change_by_hand_skips_weeks_that_are_not_whole():
    # Steps 10 and 30; the steps to and from the missing week do not count. Mean of the weeks 110.
    weeks = np.array([100.0, 110.0, np.nan, 100.0, 130.0])
    assert weekly_change(weeks) == pytest.approx(20.0 / 110.0)


def test_one_week_has_no_change():
    assert math.isnan(weekly_change(np.array([100.0])))
    assert math.isnan(weekly_change(np.array([np.nan, np.nan])))
    assert math.isnan(weekly_change(np.zeros(4)))
