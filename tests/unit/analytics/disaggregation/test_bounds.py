"""Bounds and confidence of a month's classes."""

import numpy as np
import pytest

from analytics.disaggregation.batch import CLASSES
from analytics.disaggregation.classes import COOKING, HEATING, N_CLASSES, WASHING
from analytics.disaggregation.priors import BOUND_FACTORS, BOUND_RESOLUTION_S
from analytics.disaggregation.stages.reconcile import bound, widen


def bounds_of(parts_mwh, variance, *, coverage=1.0):
    """Return confidence, lower and upper bound of a month."""
    lower, upper = np.zeros(N_CLASSES, dtype=np.int64), np.zeros(N_CLASSES, dtype=np.int64)
    confidence = np.zeros(N_CLASSES)
    bound(parts_mwh, variance, coverage, confidence, lower, upper)
    return confidence, lower, upper


def test_bounds_hold_the_value_and_stay_between_nothing_and_the_total():
    rng = np.random.default_rng(1)
    for _ in range(300):
        parts_mwh = rng.integers(0, 10 ** rng.integers(1, 9), (30, N_CLASSES)) * (rng.random(N_CLASSES) < 0.7)
        variance = 10 ** rng.uniform(-9, 12, N_CLASSES) * (rng.random(N_CLASSES) < 0.8)
        widen(variance, rng.choice([60.0, 900.0, 1200.0, 3600.0]))

        confidence, lower, upper = bounds_of(parts_mwh, variance, coverage=rng.random())

        month = parts_mwh.sum(axis=0)
        assert (lower >= 0).all()
        assert (lower <= month).all()
        assert (month <= upper).all()
        assert (upper <= month.sum()).all()
        assert ((confidence >= 0) & (confidence <= 1)).all()


def test_a_class_beyond_doubt_has_no_room():
    parts_mwh = np.full((30, N_CLASSES), 1000)
    variance = np.zeros(N_CLASSES)
    widen(variance, 1800.0)
    confidence, lower, upper = bounds_of(parts_mwh, variance)
    assert lower.tolist() == upper.tolist() == [30_000] * N_CLASSES
    assert (confidence == 1).all()


def test_every_class_has_a_factor_that_never_narrows():
    assert len(BOUND_FACTORS) == len(CLASSES)
    assert all(len(row) == len(BOUND_RESOLUTION_S) and min(row) >= 1 for row in BOUND_FACTORS)


@pytest.mark.parametrize(
    ("resolution_s", "expected"),
    [(1.0, 2.0), (900.0, 2.0), (1350.0, 1.875), (1800.0, 1.75), (3600.0, 1.0), (7200.0, 1.0)],
)
def test_a_standard_deviation_is_widened_by_the_length_of_the_intervals(resolution_s, expected):
    variance = np.full(N_CLASSES, 100.0)
    widen(variance, resolution_s)
    assert np.sqrt(variance[WASHING]) == pytest.approx(10.0 * expected)
    assert variance[HEATING] >= 100.0
    assert variance[COOKING] >= 100.0
