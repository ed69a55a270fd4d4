import numpy as np
import pytest

from analytics.disaggregation.stages.pieces import END_US, ENERGY_MWH, HOME, N_FIELDS, START_US, add_pieces

DAY_US = 86_400_000_000
HOUR_US = 3_600_000_000
EDGES = np.arange(4, dtype=np.int64) * DAY_US


def pieces(budget_mwh, *runs, is_held=False):
    start, end, wh = (np.array(column) for column in zip(*runs, strict=True))
    budget = np.array(budget_mwh, dtype=np.int64)
    table, count = add_pieces(
        np.empty((N_FIELDS, 0), dtype=np.int64),
        0,
        7,
        3,
        EDGES,
        budget,
        is_held,
        start.astype(np.int64),
        end.astype(np.int64),
        wh.astype(np.float64),
        np.arange(len(runs)),
    )
    rows = table.T[:count]
    assert (rows[:, HOME] == 7).all()
    return rows


def test_a_run_over_midnight_is_two_pieces_that_touch():
    found = pieces([1000, 3000, 0], (23 * HOUR_US, 26 * HOUR_US, 4.0))

    assert found[:, [START_US, END_US]].tolist() == [[23 * HOUR_US, DAY_US], [DAY_US, 26 * HOUR_US]]
    assert found[:, ENERGY_MWH].tolist() == [1000, 3000]


def test_a_day_is_shared_out_by_energy_and_the_larger_remainder_gets_the_rest():
    found = pieces([10, 0, 0], (HOUR_US, 2 * HOUR_US, 1.0), (3 * HOUR_US, 4 * HOUR_US, 2.0))
    assert found[:, ENERGY_MWH].tolist() == [3, 7]


def test_what_lies_outside_the_days_is_left_out():
    found = pieces([5, 0, 5], (-2 * HOUR_US, HOUR_US, 3.0), (3 * DAY_US - HOUR_US, 3 * DAY_US + HOUR_US, 1.0))
    assert found[:, [START_US, END_US]].tolist() == [[0, HOUR_US], [3 * DAY_US - HOUR_US, 3 * DAY_US]]
    assert found[:, ENERGY_MWH].tolist() == [5, 5]


def test_a_piece_without_energy_is_none():
    assert pieces([0, 0, 0], (HOUR_US, 2 * HOUR_US, 1.0)).size == 0


def test_a_budget_is_held_to_what_was_found():
    found = pieces([9000, 500, 7], (23 * HOUR_US, 25 * HOUR_US, 4.0), is_held=True)

    assert found[:, ENERGY_MWH].tolist() == [2000, 500]


def test_pieces_of_equal_energy_differ_by_a_milliwatt_hour_at_most():
    found = pieces([10, 0, 0], *((n * HOUR_US, (n + 1) * HOUR_US, 1.0) for n in range(4)))

    assert sorted(found[:, ENERGY_MWH].tolist()) == [2, 2, 3, 3]


@pytest.mark.parametrize("seed", range(20))
def test_pieces_of_a_day_add_up_to_its_budget(seed):
    rng = np.random.default_rng(seed)
    cuts = np.sort(rng.choice(3 * 1440, 12, replace=False)) * 60_000_000
    runs = [(cuts[n], cuts[n + 1], rng.random() * 10) for n in range(0, 12, 2)]
    budget = rng.integers(0, 10**7, 3)
    touched = [any(a < (d + 1) * DAY_US and b > d * DAY_US for a, b, _ in runs) for d in range(3)]

    found = pieces(budget, *runs)

    sums = np.bincount(found[:, START_US] // DAY_US, weights=found[:, ENERGY_MWH], minlength=3)
    assert sums.tolist() == np.where(touched, budget, 0).tolist()
    assert (found[:, ENERGY_MWH] > 0).all()
    assert (found[:, END_US] <= (found[:, START_US] // DAY_US + 1) * DAY_US).all()
