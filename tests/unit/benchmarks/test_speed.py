"""A crowd of home-months for the speed: distinct, whole, like the homes they come from."""

import numpy as np
import pytest

from analytics.disaggregation.model import disaggregate
from analytics.disaggregation.statistics import HISTORY_DAYS
from benchmarks.disaggregation import datasets, peers, speed
from benchmarks.disaggregation.crowd import Pool, complete_days, crowd, pools
from benchmarks.disaggregation.homes import appliance
from tests.unit.benchmarks.homes import small_home, us


def made_pools() -> list[Pool]:
    home = small_home(hours=24 * 9, interval_s=1800)
    object.__setattr__(home, "appliances", [appliance("FRIDGE", type="FRIDGE")])
    return [Pool(home=home, days_wh=complete_days(home))]


def test_only_days_without_a_gap_are_drawn_from():
    home = small_home(hours=24 * 4)
    for name in ("start_us", "energy_wh"):
        object.__setattr__(home, name, np.delete(getattr(home, name), 30))
    days = complete_days(home)
    assert days.shape == (3, 24)
    np.testing.assert_allclose(days[1], 100.0 + np.arange(24))


def test_a_day_of_a_clock_change_is_no_day_to_draw_from():
    home = small_home(start_us=us(2023, 3, 24, 23), hours=24 * 3 - 1, zone="Europe/Paris")
    assert complete_days(home).shape == (2, 24)


def test_no_two_home_months_are_the_same_and_each_has_its_history_and_its_list_or_none():
    batch = crowd(made_pools(), 30, 6)
    energy = batch.energy_uwh.reshape(6, -1)
    assert energy.shape == (6, 31 * 48)
    assert len({row.tobytes() for row in energy}) == 6
    assert np.diff(batch.history_offsets).tolist() == [HISTORY_DAYS] * 6
    assert [one.has_appliance_list for one in batch.households] == [False, True, True, False, True, True]
    result = disaggregate(batch)
    assert result.parts_mwh.sum() == result.total_mwh.sum() > 0


def test_the_peers_get_the_power_of_the_home_months():
    batch = crowd(made_pools(), 30, 2)
    power = peers.power_w(batch, 1)
    assert power.size == 31 * 48
    assert power.mean() == pytest.approx(2 * 111.5, rel=0.02)  # 100 to 123 Wh in half an hour
    assert peers.combinatorial(batch)(1).shape == (31 * 48, peers.CO_APPLIANCES)


def test_the_regression_alone_is_timed_over_the_history_of_every_home():
    assert 0 < speed.regression_us(crowd(made_pools(), 30, 4)) < 1e6


def test_a_rate_counts_what_was_done():
    done = []
    assert peers.rate(done.append, limit_s=0.5, most=7) > 0
    assert done == [0, *range(7)]


def test_a_crowd_without_data_says_so(monkeypatch, tmp_path):
    monkeypatch.setenv("WATTLOOM_DATA_DIR", str(tmp_path))
    with pytest.raises(datasets.Absent, match="not on this machine"):
        pools(30)
