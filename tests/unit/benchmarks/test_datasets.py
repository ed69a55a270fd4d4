"""The labelled sets: what was read is what the notes of the sets say."""

from itertools import pairwise

import numpy as np
import polars as pl
import pytest

from benchmarks.disaggregation import datasets, files, injected, redd
from benchmarks.disaggregation.homes import Session, check_labels
from tests.unit.benchmarks.homes import HOUR_US, small_home, us


def test_a_set_that_is_not_there_says_so(monkeypatch, tmp_path):
    monkeypatch.setenv("WATTLOOM_DATA_DIR", str(tmp_path))
    for name in datasets.DATASETS:
        if name != "simulated":
            with pytest.raises(datasets.Absent, match="not on this machine"):
                datasets.load(name)


def test_sub_meters_above_the_meter_are_scaled_down_to_it():
    truth = files.within(np.array([100.0, 100.0]), {"a": np.array([90.0, 20.0]), "b": np.array([60.0, 10.0])})
    assert truth["a"].tolist() == [60.0, 20.0]
    assert truth["b"].tolist() == [40.0, 10.0]


def test_quiet_hours_of_a_segment_without_times_lie_in_the_night():
    minutes = np.full(1440, 10.0)
    minutes[600:900] = 1.0
    start = redd.start_of(minutes, redd.FIRST_DAY)
    middle = (start.astimezone(redd.ZONE).hour * 60 + 750) % 1440
    assert 3 * 60 - 30 <= middle <= 4 * 60 + 30


def test_a_charge_laid_into_a_home_adds_its_energy_and_its_truth():
    home = small_home(hours=48)
    one = Session(start_us=us(2023, 1, 1, 20) + HOUR_US / 4, end_us=us(2023, 1, 1, 22), energy_wh=3500.0)
    after_the_end = Session(start_us=us(2023, 1, 2, 23), end_us=us(2023, 1, 3, 1), energy_wh=4000.0)
    made = injected.inject(home, [one, after_the_end], 2000.0)
    assert made.truth_wh["electric_vehicle"][20:23].tolist() == [1500.0, 2000.0, 0.0]
    assert made.energy_wh.sum() == pytest.approx(home.energy_wh.sum() + 3500.0)
    assert made.sessions == (one,)


def test_charges_of_a_car_never_overlap():
    times = pl.datetime_range(pl.datetime(2019, 3, 1), pl.datetime(2019, 3, 2), "3h", eager=True, time_unit="us")
    user = pl.DataFrame({"start": times, "kwh": [14.4] * len(times)})
    charges = injected.charges_of(user, 3600.0, small_home().zone)
    assert len(charges) == 5  # each lasts four hours, so every second plug-in waits for the next
    assert all(one.end_us < other.start_us for one, other in pairwise(charges))
    assert charges[0].start_us == us(2013, 3, 8)  # a Friday, as 2019-03-01


@pytest.mark.shared_data
def test_the_sets_hold_what_their_notes_say():
    house = datasets.load("ampds2")[0]
    assert house.start_us.size == 17_517  # 17,519 less two negative hours
    assert house.energy_wh.sum() / 1e6 == pytest.approx(15.08, abs=0.01)
    assert house.truth_wh["fridge"].sum() / 1e3 == pytest.approx(889, abs=1)
    car = datasets.load("pecan661")[0]
    assert len(car.sessions) == 294
    assert sum(one.energy_wh for one in car.sessions) == pytest.approx(
        car.truth_wh["electric_vehicle"].sum(), rel=0.01
    )
    uci = datasets.load("uci")[0]
    assert uci.energy_wh.mean() == pytest.approx(1091.0, abs=5.0)  # a mean of 1.09 kW over four years
    houses = datasets.load("redd")
    check_labels([house, car, uci, *houses])
    assert [home.name for home in houses] == ["house 1", "house 2", "house 3"]
    assert houses[1].truth_wh["fridge"].mean() * 60 == pytest.approx(79, abs=3)


@pytest.mark.shared_data
def test_the_sun_of_the_car_owners_home_rises_in_the_morning():
    """The stamps are wall-clock: whoever took them for UTC would find the sun at its highest before seven."""
    rows = files.read("pecan_661_ev/661_2018_15min_with_ev.csv.gz", try_parse_dates=True).drop_nulls("solar_kw")
    hours = rows["local_15min"].dt.hour().to_numpy()
    assert 12 <= np.average(hours, weights=np.maximum(rows["solar_kw"].to_numpy(), 0)) <= 14


@pytest.mark.shared_data
def test_a_meter_behind_solar_panels_sees_less_and_never_more_than_the_home():
    whole, grid = datasets.load("pecan661")[0], datasets.load("pecan661-grid")[0]
    check_labels([grid])
    assert np.array_equal(whole.start_us, grid.start_us)
    assert 0.4 < grid.energy_wh.sum() / whole.energy_wh.sum() < 0.9
    assert (grid.truth_wh["electric_vehicle"] <= whole.truth_wh["electric_vehicle"]).all()


@pytest.mark.shared_data
def test_a_tap_that_is_not_listed_as_a_boiler_changes_the_list_alone():
    plain, tap = datasets.load("ampds2")[0], datasets.load("ampds2-tap")[0]
    assert {one["key"] for one in plain.appliances} - {one["key"] for one in tap.appliances} == {"ELECTRIC_BOILER"}
    assert np.array_equal(plain.truth_wh["boiler"], tap.truth_wh["boiler"])
