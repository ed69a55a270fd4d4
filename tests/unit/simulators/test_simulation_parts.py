"""The parts of the simulation against physics and naive reckoning: sun, clock, dice, blocks, rooms, tanks."""

from datetime import date, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.calendar import from_us
from analytics.climate import normal_day_c
from pipelines.simulators.climate import Weather, weather
from pipelines.simulators.homes import Boiler
from pipelines.simulators.thermal import Zone, boiler_power_w, thermostat
from pipelines.simulators.timeline import MINUTE_US, DayDice, PowerTrace, Stream, timeline

ZONES = ["Europe/London", "Asia/Kolkata", "Australia/Lord_Howe", "America/Havana", "Asia/Kathmandu"]


def test_weather_wanders_around_the_normal():
    line = timeline(date(2020, 1, 1), date(2023, 12, 31), ZoneInfo("Europe/London"))
    sky = weather(line, latitude=51.51, longitude=-0.13, seed=5)
    instants = line.start_us + MINUTE_US * np.arange(line.n)
    anomaly = (sky.outdoor_c - normal_day_c(instants, 51.51))[720::1440]

    assert sky.outdoor_c.mean() == pytest.approx(11.5, abs=0.7)
    assert 2.5 < anomaly.std() < 5.0
    assert 0.6 < np.corrcoef(anomaly[:-1], anomaly[1:])[0, 1] < 0.85
    hourly = sky.outdoor_c.reshape(-1, 60).mean(axis=1).reshape(-1, 24).mean(axis=0)
    assert np.argmax(hourly) in {14, 15}
    assert 4 < np.ptp(hourly) < 10


@pytest.mark.parametrize("zone", ZONES)
def test_every_minute_shows_the_time_of_the_wall_clock(zone):
    line = timeline(date(2024, 3, 8), date(2024, 11, 5), ZoneInfo(zone))

    for minute in range(0, line.n, 7):
        local = from_us(line.start_us + minute * MINUTE_US).astimezone(ZoneInfo(zone))
        assert line.wall_min[minute] == local.hour * 60 + local.minute
        assert line.first_day + timedelta(days=int(line.day[minute])) == local.date()


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("hour", [4, 7.5, 18.25, 23.5])
def test_a_time_of_the_wall_clock_is_found_on_every_day(zone, hour):
    line = timeline(date(2024, 3, 8), date(2024, 11, 5), ZoneInfo(zone))

    found = line.at(np.full(line.n_days, hour * 60))

    np.testing.assert_array_equal(line.wall_min[found], hour * 60)
    np.testing.assert_array_equal(line.day[found], np.arange(line.n_days))


def test_weekends_are_saturdays_and_sundays():
    line = timeline(date(2024, 3, 8), date(2024, 3, 20), ZoneInfo("Asia/Kolkata"))

    expected = [(line.first_day + timedelta(days=n)).weekday() >= 5 for n in range(line.n_days)]

    assert line.is_weekend.tolist() == expected


def test_the_dice_of_a_day_are_the_same_in_every_span():
    zone = ZoneInfo("Europe/London")
    whole = timeline(date(2024, 3, 1), date(2024, 3, 20), zone)
    part = timeline(date(2024, 3, 6), date(2024, 3, 9), zone)

    throws = [DayDice(3, Stream.COOKING, line, width=5).table(5) for line in (whole, part)]
    earlier = DayDice(3, Stream.COOKING, part, width=5, days_before=2).table(5)

    np.testing.assert_array_equal(throws[0][5:9], throws[1])
    np.testing.assert_array_equal(throws[0][3:9], earlier)


def test_streams_and_seeds_throw_different_dice():
    line = timeline(date(2024, 3, 1), date(2024, 3, 20), ZoneInfo("UTC"))
    one = DayDice(3, Stream.COOKING, line, width=1).uniform()

    assert (one != DayDice(3, Stream.WATER, line, width=1).uniform()).all()
    assert (one != DayDice(4, Stream.COOKING, line, width=1).uniform()).all()


def test_more_throws_than_the_width_are_refused():
    line = timeline(date(2024, 3, 1), date(2024, 3, 2), ZoneInfo("UTC"))
    dice = DayDice(3, Stream.COOKING, line, width=1)
    dice.uniform()

    with pytest.raises(IndexError):
        dice.uniform()


@given(
    blocks=st.lists(st.tuples(st.integers(-5, 60), st.integers(0, 30), st.integers(0, 3000)), max_size=20),
)
def test_blocks_add_up_like_minute_by_minute(blocks):
    expected = [sum(watts for first, length, watts in blocks if first <= m < first + length) for m in range(50)]
    trace = PowerTrace(50)

    for first, length, watts in blocks:
        trace.add(np.array([first]), minutes=length, watts=watts)

    assert trace.power_w().tolist() == expected


@pytest.mark.parametrize("least", [1.0, 0.25])
def test_a_room_in_balance_gets_the_heat_it_loses(least):
    n, zone = 20 * 1440, Zone(loss_w_per_k=150.0, capacity_wh_per_k=6000.0)
    full = np.full(n, 6000.0)

    level = thermostat(
        zone,
        outdoor_c=np.full(n, -3.0),
        gains_w=np.full(n, 500.0),
        target_c=np.full(n, 21.0),
        full_w=full,
        least=least,
        vent_c=25.0,
    )

    heat_w = (full * level)[5 * 1440 :].mean()
    # The band of 0.3 K on either side is 45 W of loss.
    assert heat_w == pytest.approx(150.0 * 24 - 500, abs=60)
    assert ((level == 0) | ((level >= least) & (level <= 1))).all()


def test_a_warm_room_is_left_alone():
    n = 1440
    level = thermostat(
        Zone(loss_w_per_k=100.0, capacity_wh_per_k=4000.0),
        outdoor_c=np.full(n, 26.0),
        gains_w=np.zeros(n),
        target_c=np.full(n, 21.0),
        full_w=np.full(n, 5000.0),
        least=1.0,
        vent_c=25.0,
    )

    assert not level.any()


def still_weather(n, day_c=10.0):
    line = np.full(n, day_c)
    return Weather(outdoor_c=line, mains_c=line, elevation_deg=line, sunshine_w_m2=line, day_c=line)


def test_a_tank_gives_back_what_is_drawn_and_lost():
    n, boiler = 30 * 1440, Boiler(tank_litres=200.0, element_w=3000.0)
    draws = np.zeros(n)
    draws[420::1440] = 1500.0
    draws[1260::1440] = 2500.0

    power = boiler_power_w(boiler, still_weather(n), draws_wh=draws)

    stored_wh = 200 * 1.163 * 6
    taken_wh = draws.sum() + n / 60 * (20 + 0.15 * 200)
    assert taken_wh - stored_wh - 2500 <= power.sum() / 60 <= taken_wh
    assert power.max() == 3000.0
    # A draw is made good at the element's power, in a block of its own.
    assert 0.03 < (power > 0).mean() < 0.1


def test_an_empty_tank_does_not_owe_more_than_it_holds():
    n, boiler = 1440, Boiler(tank_litres=15.0, element_w=2000.0)
    draws = np.zeros(n)
    draws[:60] = 500.0

    power = boiler_power_w(boiler, still_weather(n), draws_wh=draws)

    assert power[:60].mean() == pytest.approx(2000.0, rel=0.02)
    assert power[60:].sum() / 60 <= 15 * 1.163 * 50 + 24 * 25


def test_a_boiler_is_off_in_the_heat():
    boiler = Boiler(tank_litres=15.0, off_above_c=22.0)

    power = boiler_power_w(boiler, still_weather(1440, day_c=28.0), draws_wh=np.full(1440, 5.0))

    assert not power.any()
