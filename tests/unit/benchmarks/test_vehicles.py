"""Charging: what the home says, which months count, how several homes add up."""

import math

import numpy as np
import pytest

from analytics.disaggregation.batch import CLASSES
from benchmarks.disaggregation import vehicles
from benchmarks.disaggregation.homes import LabelledHome, Session, appliance
from benchmarks.disaggregation.metrics import Events
from benchmarks.disaggregation.months import Found, ordinal
from benchmarks.disaggregation.vehicles import KNOWN, NO_LIST, UNKNOWN, charging, false_alarms, saying, together
from tests.unit.benchmarks.homes import HOUR_US, small_home, us

CAR = appliance("ELECTRIC_VEHICLE", type="CAR", wattages=[3300])


def home_with_car() -> LabelledHome:
    """60 days from 1 January 2018; 2 kWh in an hour of 10 January and in one of 10 February."""
    charges = tuple(
        Session(start_us=start, end_us=start + HOUR_US, energy_wh=2000.0)
        for start in (us(2018, 1, 10, 3), us(2018, 2, 10, 3))
    )
    home = small_home(start_us=us(2018, 1, 1), hours=24 * 59, dataset="pecan661", sessions=charges)
    vehicle = np.isin(home.start_us, [charge.start_us for charge in charges]) * 2000.0
    object.__setattr__(home, "energy_wh", home.energy_wh + vehicle)
    object.__setattr__(home, "truth_wh", {"electric_vehicle": vehicle})
    object.__setattr__(home, "labels", {"electric_vehicle": ("electric_vehicle",)})
    object.__setattr__(home, "appliances", [CAR, appliance("KETTLE")])
    return home


def found_in(home: LabelledHome, wh_by_day: dict[int, float], sessions: tuple[Session, ...] = ()) -> Found:
    day = ordinal(home.first_day()) + np.arange(home.n_days())
    parts = np.zeros((day.size, len(CLASSES)))
    for index, energy in wh_by_day.items():
        parts[index, CLASSES.index("electric_vehicle")] = energy
    return Found(day=day, total_wh=home.by_day(home.energy_wh), parts_wh=parts, sessions=sessions)


def test_a_home_says_the_power_or_only_the_car_or_nothing():
    home = home_with_car()
    assert saying(home, KNOWN).appliances == [CAR, appliance("KETTLE")]
    assert saying(home, UNKNOWN).appliances == [appliance("ELECTRIC_VEHICLE", type="CAR"), appliance("KETTLE")]
    assert saying(home, NO_LIST).appliances is None
    assert CAR["wattages"] == [3300]


def test_only_the_months_and_charges_of_the_part_count(monkeypatch):
    home = home_with_car()
    charge = Session(start_us=us(2018, 2, 10, 3) + 6e8, end_us=us(2018, 2, 10, 4), energy_wh=1500.0)
    # January, a month to tune on, is quite wrong; February misses 500 of 2,000 Wh.
    found = found_in(home, {9: 9000.0, 40: 1500.0}, (charge,))
    monkeypatch.setattr(vehicles, "wattloom", lambda homes: [found for _ in homes])
    report, tune = (charging([home], KNOWN, part) for part in ("report", "tune"))
    assert (report.home_months, tune.home_months) == (1, 1)
    assert report.monthly_error == pytest.approx(0.25)
    assert tune.monthly_error == pytest.approx(3.5)
    assert (report.events.n_true, report.events.n_matched, report.events.start_error_min) == (1, 1, 10.0)
    assert (tune.events.n_true, tune.events.n_found) == (1, 0)


def test_events_of_homes_add_up_and_their_errors_weigh_by_matches():
    one = Events(n_found=4, n_true=3, n_matched=3, start_error_min=2.0, energy_error=0.1)
    other = Events(n_found=1, n_true=5, n_matched=1, start_error_min=10.0, energy_error=0.5)
    none = Events(n_found=2, n_true=0, n_matched=0, start_error_min=math.nan, energy_error=math.nan)
    both = together([one, other, none])
    assert (both.n_found, both.n_true, both.n_matched) == (7, 8, 4)
    assert both.start_error_min == pytest.approx(4.0)
    assert both.energy_error == pytest.approx(0.2)


def test_a_vehicle_in_a_month_of_a_home_without_one_is_a_false_alarm(monkeypatch):
    home = home_with_car()
    found = found_in(home, {40: 0.5})
    seen = []

    def model(homes):
        seen.extend(one.appliances for one in homes)
        return [found for _ in homes]

    monkeypatch.setattr(vehicles, "wattloom", model)
    whole, tune = false_alarms([home]), false_alarms([home], "tune")
    assert seen == [None, None]
    assert (whole.home_months, whole.with_vehicle, whole.share) == (2, 1, 0.5)
    assert whole.homes_with_vehicle == ("home 1 (1)",)
    assert (tune.home_months, tune.with_vehicle) == (1, 0)
