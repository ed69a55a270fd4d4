"""Homes month by month: context, history, charges put together again, days that add up."""

from datetime import date

import numpy as np
import pytest

from analytics.disaggregation.batch import CLASSES
from benchmarks.disaggregation import months
from benchmarks.disaggregation.homes import Session
from benchmarks.disaggregation.months import Kept, batch_of, ordinal, stitched, wattloom
from benchmarks.disaggregation.scores import METHODS, NO_LIST, grouped, score, whole_weeks
from tests.unit.benchmarks.homes import small_home, us


def test_a_month_comes_with_one_day_of_context_and_only_its_own_past():
    home = small_home(hours=24 * 90, zone="Europe/Paris")
    kept = Kept(home)
    kept.statistics = {
        ordinal(date(2023, 1, day)): np.full(len(kept_row()), day, dtype=np.uint16) for day in (3, 9)
    }
    kept.statistics[ordinal(date(2023, 2, 3))] = np.full(len(kept_row()), 99, dtype=np.uint16)
    batch = batch_of([kept], date(2023, 2, 1))
    assert batch.start_us[0] == us(2023, 1, 30, 23)
    assert batch.start_us[-1] == us(2023, 2, 28, 22)
    assert batch.n_context_days.tolist() == [1]
    # From the first day that is known, 3 January, to 31 January; days without data are zeros.
    assert batch.history.shape[0] == 29
    assert batch.history[[0, 6], 0].tolist() == [3, 9]
    assert batch.history.sum() == (3 + 9) * len(kept_row())


def kept_row() -> np.ndarray:
    return np.zeros(months.N_COLUMNS)


def test_pieces_cut_at_midnight_are_one_charge_again_and_others_are_not():
    pieces = [
        Session(start_us=100e6, end_us=160e6, energy_wh=1.0),
        Session(start_us=10e6, end_us=100e6, energy_wh=2.0),
        Session(start_us=170e6, end_us=180e6, energy_wh=4.0),
    ]
    assert stitched(pieces) == [
        Session(start_us=10e6, end_us=160e6, energy_wh=3.0),
        Session(start_us=170e6, end_us=180e6, energy_wh=4.0),
    ]


def test_the_model_gets_every_day_of_a_home_and_its_parts_add_up():
    home = small_home(hours=24 * 70, zone="America/Vancouver", start_us=us(2023, 2, 10, 8))
    found = wattloom([home])[0]
    assert found.day[0] == ordinal(date(2023, 2, 1))
    assert found.total_wh.sum() == pytest.approx(home.energy_wh.sum())
    np.testing.assert_allclose(found.parts_wh.sum(axis=1), found.total_wh)


def test_a_day_that_the_model_got_wrong_is_noticed(monkeypatch):
    home = small_home(hours=24 * 40)
    monkeypatch.setattr(months, "whole_wh", lambda one: np.rint(one.energy_wh * 1e6).astype(np.int64) + 10_000)
    with pytest.raises(AssertionError, match="not what was measured"):
        wattloom([home])


def test_months_weeks_and_days_hold_the_same_energy_for_every_method():
    home = small_home(hours=24 * 59)
    scored = score([home], methods=(*METHODS, NO_LIST))
    whole = home.energy_wh.sum()
    for method in ("wattloom", NO_LIST, "prior only", "mean of other sets"):
        for by, rows in (("month", 2), ("week", 11), ("day", 59)):
            labels, found, truth = grouped(scored, method, by=by, part="tune")
            assert found.shape == truth.shape == (rows, len(labels))
            assert found.sum() == pytest.approx(whole)
            assert truth.sum() == pytest.approx(whole)


def test_whole_weeks_are_means_of_seven_days():
    home = small_home(hours=24 * 31)  # 2023-01-01 is a Sunday
    weeks = whole_weeks(wattloom([home])[0], None)
    assert np.isnan(weeks).tolist() == [True, False, False, False, False, True]
    assert weeks[1] == pytest.approx(home.energy_wh[24:48].sum())
    assert CLASSES.index("standby") >= 0
