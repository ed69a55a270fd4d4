"""Combinatorial optimisation on a case whose answer is known, and against trying every combination."""

from itertools import product

import numpy as np

from benchmarks.disaggregation.combinatorial import Combinations, states_of


def test_states_are_off_and_the_means_of_two_groups():
    power = np.array([0.0, 3.0, 98.0, 100.0, 102.0, 990.0, 1010.0])
    assert states_of(power).tolist() == [0.0, 100.0, 1000.0]


def test_an_appliance_that_never_runs_has_one_state():
    assert states_of(np.array([0.0, 9.0])).tolist() == [0.0]


def test_an_appliance_of_one_power_has_two_states():
    assert states_of(np.array([0.0, 60.0, 60.0, 60.0])).tolist() == [0.0, 60.0]


def test_a_sum_of_states_is_taken_apart_exactly():
    states = [np.array([0.0, 100.0]), np.array([0.0, 1000.0, 2100.0]), np.array([0.0, 350.0])]
    true = np.array(list(product(*states)))
    assert np.array_equal(Combinations(states).split(true.sum(axis=1)), true)


def test_the_nearest_sum_is_taken_as_trying_all_would():
    rng = np.random.default_rng(7)
    states = [np.array([0.0, 83.0, 121.0]), np.array([0.0, 977.0]), np.array([0.0, 411.0, 1533.0])]
    power = rng.uniform(-100.0, 3500.0, 200)
    every = np.array(list(product(*states)))
    least = np.abs(every.sum(axis=1) - power[:, None]).min(axis=1)
    found = Combinations(states).split(power)
    np.testing.assert_allclose(np.abs(found.sum(axis=1) - power), least)


def test_appliances_that_are_always_off_take_nothing():
    assert Combinations([np.zeros(1), np.zeros(1)]).split(np.array([50.0])).tolist() == [[0.0, 0.0]]
