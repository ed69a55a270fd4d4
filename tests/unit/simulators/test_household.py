"""The promises of a simulated home: exact, repeatable, on the grid, refusing nonsense."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.calendar import UtcRange, expected_intervals, from_us, to_us
from pipelines.errors import RejectedInput
from pipelines.simulators.household import (
    KOLKATA_HOME,
    LONDON_FLAT,
    STOCKHOLM_HOUSE,
    Fridge,
    SimulatedEnergy,
    register_readings,
    simulate,
)

HOMES = [
    pytest.param(LONDON_FLAT, id="london"),
    pytest.param(STOCKHOLM_HOUSE, id="stockholm"),
    pytest.param(KOLKATA_HOME, id="kolkata"),
]
START = datetime(2024, 2, 27, tzinfo=UTC)
WEEK = START + timedelta(days=7)
CONTRACT_KEYS = {
    "boiler",
    "cooking",
    "cooking_heating",
    "cooling",
    "electric_vehicle",
    "fridge",
    "heating",
    "lights",
    "others",
    "standby",
    "washing",
}


def week_of(household=STOCKHOLM_HOUSE, *, start=START, end=WEEK, interval_s=900, seed=1):
    return simulate(household, start=start, end=end, interval_s=interval_s, seed=seed)


def assert_same(one, other):
    assert one.energy_mwh.keys() == other.energy_mwh.keys()
    for key, energy in one.energy_mwh.items():
        np.testing.assert_array_equal(energy, other.energy_mwh[key], err_msg=key)
    np.testing.assert_array_equal(one.temperature_c, other.temperature_c)
    assert one.ev_sessions == other.ev_sessions


@pytest.mark.parametrize("household", HOMES)
def test_the_same_seed_gives_the_same_home(household):
    assert_same(week_of(household), week_of(household))


def test_another_seed_gives_another_home():
    one, other = week_of(seed=1), week_of(seed=2)

    for key in one.energy_mwh.keys() - {"standby"}:
        assert (one.energy_mwh[key] != other.energy_mwh[key]).any(), key
    assert (one.temperature_c != other.temperature_c).all()


def test_neighbours_share_their_weather_and_nothing_else():
    one, other = (
        simulate(LONDON_FLAT, start=START, end=WEEK, interval_s=900, seed=seed, weather_seed=9) for seed in (1, 2)
    )

    np.testing.assert_array_equal(one.temperature_c, other.temperature_c)
    assert (one.energy_mwh["cooking"] != other.energy_mwh["cooking"]).any()


@pytest.mark.parametrize("household", HOMES)
def test_the_classes_sum_to_the_total_exactly(household, year):
    simulated = year(household)

    total = [sum(parts) for parts in zip(*(e.tolist() for e in simulated.energy_mwh.values()), strict=True)]

    assert simulated.total_mwh.tolist() == total
    assert simulated.total_mwh.dtype == np.int64
    assert all(e.dtype == np.int64 and e.min() >= 0 for e in simulated.energy_mwh.values())


def test_a_home_has_the_classes_it_owns():
    bare = replace(KOLKATA_HOME, fridges=(), has_washing_machine=False, boiler=None, cooling=None)

    assert week_of(bare).energy_mwh.keys() == {"cooking", "lights", "others", "standby"}
    assert week_of(KOLKATA_HOME).energy_mwh.keys() - week_of(bare).energy_mwh.keys() == {
        "boiler",
        "cooling",
        "fridge",
        "washing",
    }
    assert week_of(STOCKHOLM_HOUSE).energy_mwh.keys() == CONTRACT_KEYS - {"cooking_heating", "cooling"}


def test_quarter_hours_add_up_to_hours_exactly():
    quarters, hours = week_of(interval_s=900), week_of(interval_s=3600)

    for key, energy in hours.energy_mwh.items():
        np.testing.assert_array_equal(quarters.energy_mwh[key].reshape(-1, 4).sum(axis=1), energy, err_msg=key)
    np.testing.assert_allclose(quarters.temperature_c.reshape(-1, 4).mean(axis=1), hours.temperature_c)
    assert quarters.ev_sessions == hours.ev_sessions


@pytest.mark.parametrize("household", HOMES)
def test_a_longer_span_begins_with_the_shorter_one(household):
    short, long = week_of(household), week_of(household, end=WEEK + timedelta(days=3, hours=5))

    for key, energy in short.energy_mwh.items():
        np.testing.assert_array_equal(long.energy_mwh[key][: energy.size], energy, err_msg=key)
    np.testing.assert_array_equal(long.temperature_c[: short.temperature_c.size], short.temperature_c)


def test_chores_of_a_day_do_not_depend_on_the_start():
    whole, late = week_of(), week_of(start=START + timedelta(days=3))

    for key in ("washing", "cooking", "electric_vehicle", "standby"):
        np.testing.assert_array_equal(whole.energy_mwh[key][3 * 96 :], late.energy_mwh[key], err_msg=key)


def test_a_new_appliance_changes_only_its_own_class():
    without = replace(STOCKHOLM_HOUSE, vehicle=None, boiler=None)
    full, less = week_of(), week_of(without)

    assert full.energy_mwh.keys() - less.energy_mwh.keys() == {"boiler", "electric_vehicle"}
    for key, energy in less.energy_mwh.items():
        np.testing.assert_array_equal(full.energy_mwh[key], energy, err_msg=key)


@pytest.mark.parametrize("interval_s", [60, 900, 1800, 3600, 86400])
@pytest.mark.parametrize("zone", ["Asia/Kolkata", "Europe/London", "Asia/Kathmandu"])
def test_intervals_stand_on_the_grid_of_utc(zone, interval_s):
    start = datetime(2024, 3, 30, tzinfo=ZoneInfo(zone))
    end = datetime(2024, 4, 2, tzinfo=ZoneInfo(zone))
    span = UtcRange(start.astimezone(UTC), end.astimezone(UTC))

    simulated = week_of(replace(KOLKATA_HOME, zone=zone), start=start, end=end, interval_s=interval_s)

    assert simulated.start_us.size == expected_intervals(span, interval_s)
    assert not (simulated.start_us % (interval_s * 1_000_000)).any()
    assert (np.diff(simulated.start_us) == interval_s * 1_000_000).all()
    assert all(from_us(edge) in span for edge in simulated.start_us[[0, -1]])


def test_half_hours_start_at_midnight_in_kolkata_and_hours_half_past():
    start = datetime(2024, 3, 30, tzinfo=ZoneInfo("Asia/Kolkata"))

    half_hours = week_of(KOLKATA_HOME, start=start, end=start + timedelta(days=1), interval_s=1800)
    hours = week_of(KOLKATA_HOME, start=start, end=start + timedelta(days=1), interval_s=3600)

    assert half_hours.start_us[0] == to_us(start)
    assert half_hours.start_us.size == 48
    assert hours.start_us[0] == to_us(start + timedelta(minutes=30))
    for key, energy in hours.energy_mwh.items():
        of_hours = half_hours.energy_mwh[key][1:47].reshape(-1, 2).sum(axis=1)
        np.testing.assert_array_equal(of_hours, energy[:23], err_msg=key)


def test_charges_hold_all_energy_of_the_car_and_never_overlap(year):
    simulated = year(STOCKHOLM_HOUSE)
    sessions = simulated.ev_sessions

    assert sum(s.energy_mwh for s in sessions) == simulated.energy_mwh["electric_vehicle"].sum()
    assert all(one.end <= other.start for one, other in pairwise(sessions))
    assert all(timedelta(minutes=20) <= s.end - s.start <= timedelta(hours=11) for s in sessions)
    # By the wall clock people are back from five to eight in the evening.
    assert {s.start.astimezone(ZoneInfo("Europe/Stockholm")).hour for s in sessions} <= {17, 18, 19, 20}


def test_a_charge_is_a_plateau_at_the_power_of_the_charger(year):
    simulated = year(STOCKHOLM_HOUSE)
    energy = simulated.energy_mwh["electric_vehicle"]
    full_mwh = STOCKHOLM_HOUSE.vehicle.charger_w * 250

    for session in simulated.ev_sessions:
        first = -(-(to_us(session.start) - simulated.start_us[0]) // 900_000_000)
        last = (to_us(session.end - timedelta(minutes=8)) - simulated.start_us[0]) // 900_000_000
        inside = energy[first:last]
        assert (inside >= 0.979 * full_mwh).all()
        assert (inside <= full_mwh).all()
        assert np.unique(inside).size <= 1
    is_charging = energy > 0
    assert 0.01 < is_charging.mean() < 0.2


def test_a_charge_is_cut_to_the_span():
    session = week_of().ev_sessions[0]
    middle = session.start + (session.end - session.start) / 2
    middle = middle.replace(second=0, microsecond=0)

    before, after = week_of(end=middle, interval_s=60), week_of(start=middle, interval_s=60)

    assert before.ev_sessions[-1].end == middle
    assert after.ev_sessions[0].start == middle
    assert before.ev_sessions[-1].energy_mwh + after.ev_sessions[0].energy_mwh == session.energy_mwh


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"start": START.replace(tzinfo=None)}, "start"),
        ({"end": WEEK.replace(tzinfo=None)}, "end"),
        ({"end": START}, "end"),
        ({"start": START + timedelta(minutes=1), "end": START + timedelta(minutes=2)}, "end"),
        ({"interval_s": 0}, "interval_s"),
        ({"interval_s": 90}, "interval_s"),
        ({"interval_s": 420}, "interval_s"),
        ({"seed": -1}, "seed"),
    ],
)
def test_a_senseless_request_is_rejected_with_its_field(changed, field):
    with pytest.raises(RejectedInput) as caught:
        week_of(**changed)

    assert caught.value.errors.keys() == {field}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("zone", "Europe/Atlantis"),
        ("latitude", 91.0),
        ("longitude", -181.0),
        ("people", 0),
        ("people_in_daytime", 5),
        ("floor_area_m2", 0.0),
        ("loss_w_per_k", float("nan")),
    ],
)
def test_an_impossible_home_is_rejected_with_its_field(field, value):
    with pytest.raises(RejectedInput) as caught:
        replace(STOCKHOLM_HOUSE, **{field: value})

    assert field in caught.value.errors


def test_two_fridges_use_about_twice_the_energy():
    one = week_of(replace(LONDON_FLAT, fridges=(Fridge(),))).energy_mwh["fridge"].sum()
    two = week_of(replace(LONDON_FLAT, fridges=(Fridge(), Fridge()))).energy_mwh["fridge"].sum()

    assert 1.9 < two / one < 2.1


def energies(total_mwh):
    total = np.array(total_mwh, dtype=np.int64)
    return SimulatedEnergy(
        interval_s=900,
        start_us=to_us(START) + 900_000_000 * np.arange(total.size, dtype=np.int64),
        energy_mwh={"others": total},
        total_mwh=total,
        temperature_c=np.zeros(total.size),
        ev_sessions=(),
    )


@given(
    total_mwh=st.lists(st.integers(0, 9_000_000), min_size=1, max_size=60),
    digits=st.integers(4, 12),
    data=st.data(),
)
def test_the_register_telescopes_through_rollovers(total_mwh, digits, data):
    initial_wh = data.draw(st.integers(0, 10**digits - 1))

    readings = register_readings(energies(total_mwh), initial_wh=initial_wh, digits=digits)

    assert readings.register_wh.size == readings.time_us.size == len(total_mwh) + 1
    assert readings.register_wh[0] == initial_wh
    steps = np.diff(readings.register_wh) % 10**digits
    assert steps.sum() == sum(total_mwh) // 1000
    assert np.abs(steps * 1000 - np.array(total_mwh)).max() < 1000
    falls = np.count_nonzero(np.diff(readings.register_wh) < 0)
    assert falls == (initial_wh + sum(total_mwh) // 1000) // 10**digits


def test_the_register_of_a_year_only_falls_when_it_rolls_over(year):
    simulated = year(STOCKHOLM_HOUSE)
    used_wh = int(simulated.total_mwh.sum()) // 1000

    wide = register_readings(simulated, initial_wh=120_000, digits=9)
    narrow = register_readings(simulated, initial_wh=999_000, digits=6)

    assert (np.diff(wide.register_wh) >= 0).all()
    assert wide.register_wh[-1] - wide.register_wh[0] == used_wh
    assert np.count_nonzero(np.diff(narrow.register_wh) < 0) == (999_000 + used_wh) // 1_000_000
    assert narrow.register_wh.max() < 1_000_000
    np.testing.assert_array_equal(narrow.time_us[:-1], simulated.start_us)
    assert narrow.time_us[-1] == simulated.start_us[-1] + 900_000_000


@pytest.mark.parametrize(
    ("initial_wh", "digits", "field"),
    [(-1, 6, "initial_wh"), (10**6, 6, "initial_wh"), (0, 0, "digits"), (0, 16, "digits")],
)
def test_a_register_that_cannot_exist_is_rejected(initial_wh, digits, field):
    with pytest.raises(RejectedInput) as caught:
        register_readings(energies([1]), initial_wh=initial_wh, digits=digits)

    assert caught.value.errors.keys() == {field}
