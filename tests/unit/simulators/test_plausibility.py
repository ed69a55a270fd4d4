"""A simulated home looks like a home: yearly energy, seasons, nights, and habits on the wall clock."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from analytics.climate import sun_elevation_deg
from pipelines.simulators.household import KOLKATA_HOME, LONDON_FLAT, STOCKHOLM_HOUSE, simulate

QUARTERS_PER_DAY = 96


def kwh(simulated, *keys):
    return sum(int(simulated.energy_mwh[key].sum()) for key in keys) / 1e6


def by_day(values):
    return values.reshape(-1, QUARTERS_PER_DAY).sum(axis=1)


def utc_months(simulated):
    return simulated.start_us.astype("datetime64[us]").astype("datetime64[M]").astype(int) % 12 + 1


def local_hours(simulated, zone):
    return np.array(
        [datetime.fromtimestamp(us / 1e6, UTC).astimezone(ZoneInfo(zone)).hour for us in simulated.start_us]
    )


def test_a_london_flat_uses_what_ofgem_calls_low_to_medium(year):
    # Ofgem, Typical Domestic Consumption Values from 1 April 2020, profile class 1: 1,800 and 2,900 kWh.
    assert 1800 < year(LONDON_FLAT).total_mwh.sum() / 1e6 < 2900


def test_a_stockholm_heat_pump_house_uses_half_to_all_of_an_electrically_heated_one(year):
    # SCB, EN 16 SM 0701: 139 kWh per m2 with household electricity in the electrically heated small
    # houses of 2006, few with a heat pump; one saves up to two thirds of the heat, not of the rest.
    simulated = year(STOCKHOLM_HOUSE)
    without_car = simulated.total_mwh.sum() / 1e6 - kwh(simulated, "electric_vehicle")

    assert 0.5 < without_car / (139 * STOCKHOLM_HOUSE.floor_area_m2) < 1.0


def test_a_kolkata_home_with_one_air_conditioner_is_between_india_and_delhi(year):
    # Prayas and CPR, Plugging In (2017): 90 kWh a month in the mean Indian home, 250-270 in Delhi.
    assert 12 * 90 < year(KOLKATA_HOME).total_mwh.sum() / 1e6 < 12 * 270


def test_the_car_takes_its_distance_times_its_use(year):
    car = STOCKHOLM_HOUSE.vehicle
    at_20_c = 366 * car.km_per_day * car.kwh_per_100km / 100

    # The cold adds up to a quarter at -10 °C.
    assert 0.95 < kwh(year(STOCKHOLM_HOUSE), "electric_vehicle") / at_20_c < 1.25


def test_what_a_slow_charger_does_not_finish_is_charged_later(year):
    car = replace(STOCKHOLM_HOUSE.vehicle, charger_w=2300.0, km_per_day=70.0)
    simulated = year(replace(STOCKHOLM_HOUSE, vehicle=car))
    cut_short = [s for s in simulated.ev_sessions if s.end - s.start == timedelta(hours=11)]

    assert len(cut_short) > 50
    assert 1.0 < kwh(simulated, "electric_vehicle") / (366 * car.km_per_day * car.kwh_per_100km / 100) < 1.25


def test_fridges_use_their_label_and_more_in_a_warm_room(year):
    for household in (LONDON_FLAT, STOCKHOLM_HOUSE):
        label = sum(fridge.annual_kwh for fridge in household.fridges)
        assert kwh(year(household), "fridge") == pytest.approx(label, rel=0.08)
    label = sum(fridge.annual_kwh for fridge in KOLKATA_HOME.fridges)
    # A mean room of 29 °C is 9 K above 20 °C, at 2-4 % per K.
    assert 1.15 < kwh(year(KOLKATA_HOME), "fridge") / label < 1.4


def test_hot_water_takes_one_and_a_half_to_two_and_a_half_kwh_per_person_and_day(year):
    # 2.1 kWh per person and day and 0.5-1.5 of loss.
    per_day = kwh(year(STOCKHOLM_HOUSE), "boiler") / 366

    assert 1.5 < (per_day - 1.4) / STOCKHOLM_HOUSE.people < 2.5


def test_cooking_washing_and_lights_have_the_order_of_surveys(year):
    # Own wide bands of the order of the per-home averages in Energy Consumption in the UK (electrical
    # products table), which gives averages and no limits.
    simulated = year(LONDON_FLAT)

    assert 250 < kwh(simulated, "cooking") < 600
    assert 200 < kwh(simulated, "washing") < 600
    assert 100 < kwh(simulated, "lights") < 500


def test_standby_is_constant(year):
    standby = year(LONDON_FLAT).energy_mwh["standby"]

    assert (standby == LONDON_FLAT.standby_w * 250).all()


def test_heating_follows_the_cold_and_rests_in_summer(year):
    simulated = year(STOCKHOLM_HOUSE)
    months = utc_months(simulated)[::QUARTERS_PER_DAY]
    heating, outdoor = by_day(simulated.energy_mwh["heating"]), by_day(simulated.temperature_c) / 96
    is_winter = np.isin(months, (1, 2, 3, 11, 12))

    assert np.corrcoef(heating[is_winter], outdoor[is_winter])[0, 1] < -0.9
    assert heating[np.isin(months, (6, 7, 8))].sum() < 0.05 * heating.sum()


def test_heating_makes_good_what_the_house_loses():
    house = STOCKHOLM_HOUSE
    simulated = simulate(
        house,
        start=datetime(2024, 1, 1, tzinfo=UTC),
        end=datetime(2024, 2, 1, tzinfo=UTC),
        interval_s=900,
        seed=3,
    )
    loss_kwh = house.loss_w_per_k * (house.heating.setpoint_c - simulated.temperature_c).mean() * 744 / 1000

    # People, appliances and the low sun give 10-50 %; a heat pump makes 2 to 3.5 of one.
    assert 0.5 / 3.5 < kwh(simulated, "heating") / loss_kwh < 0.9 / 2


def test_cooling_follows_the_heat_and_keeps_to_its_hours(year):
    simulated = year(KOLKATA_HOME)
    cooling, outdoor = simulated.energy_mwh["cooling"], simulated.temperature_c
    hours = local_hours(simulated, "Asia/Kolkata")
    first, last = KOLKATA_HOME.cooling.usage_hours

    assert np.corrcoef(by_day(cooling), by_day(outdoor))[0, 1] > 0.75
    assert cooling[(hours < first) & (hours >= last)].sum() == 0
    assert cooling.max() == KOLKATA_HOME.cooling.electric_w * 250


@pytest.mark.parametrize("household", [LONDON_FLAT, STOCKHOLM_HOUSE, KOLKATA_HOME])
def test_lights_burn_in_the_dark(household, year):
    simulated = year(household)
    middle_us = simulated.start_us + 450_000_000
    elevation = sun_elevation_deg(middle_us, household.latitude, household.longitude)
    hours = local_hours(simulated, household.zone)
    is_evening = (hours >= 19) & (hours < 22)
    lights = simulated.energy_mwh["lights"]

    dark, bright = lights[is_evening & (elevation < -6)], lights[(hours >= 9) & (elevation > 15)]
    assert dark.mean() > 8 * bright.mean()
    assert lights[(hours >= 1) & (hours < 5)].sum() == 0


def test_lights_burn_more_in_december_than_in_june(year):
    simulated = year(STOCKHOLM_HOUSE)
    lights, months = simulated.energy_mwh["lights"], utc_months(simulated)

    assert lights[months == 12].sum() > 2 * lights[months == 6].sum()


def peak_hour(simulated, hours):
    return int(np.argmax(np.bincount(hours, weights=simulated.energy_mwh["cooking"])))


@pytest.mark.parametrize("change", [datetime(2024, 3, 31, 1, tzinfo=UTC), datetime(2024, 10, 27, 1, tzinfo=UTC)])
def test_dinner_stays_at_its_hour_of_the_wall_clock_when_the_clock_changes(change):
    before, after = (
        simulate(LONDON_FLAT, start=start, end=start + timedelta(days=28), interval_s=900, seed=7)
        for start in (change - timedelta(days=28), change)
    )
    utc = [peak_hour(s, (s.start_us // 3_600_000_000) % 24) for s in (before, after)]
    local = [peak_hour(s, local_hours(s, "Europe/London")) for s in (before, after)]

    assert local == [18, 18]
    assert utc == ([18, 17] if change.month == 3 else [17, 18])


def test_working_people_are_away_in_the_morning_and_back_in_the_evening(year):
    simulated = year(LONDON_FLAT)
    hours = local_hours(simulated, "Europe/London")
    days = (simulated.start_us // 86_400_000_000 + 3) % 7
    on_workdays = np.bincount(hours[days < 5], weights=simulated.energy_mwh["others"][days < 5])
    on_weekends = np.bincount(hours[days >= 5], weights=simulated.energy_mwh["others"][days >= 5])

    assert on_workdays[19:22].sum() > 5 * on_workdays[10:13].sum()
    assert on_weekends[10:13].sum() / 104 > 2 * on_workdays[10:13].sum() / 262


@pytest.mark.parametrize("household", [LONDON_FLAT, STOCKHOLM_HOUSE, KOLKATA_HOME])
def test_a_home_loads_a_meter_plausibly(household, year):
    power_w = year(household).total_mwh / 250

    # Three phases of 25 A at 230 V; never below what never stops, a minute rounded to 1 mWh.
    assert power_w.min() > household.standby_w - 0.03
    assert power_w.max() < 17_250
    assert power_w.max() > 5 * power_w.mean()
