import numpy as np
import pytest

from analytics.disaggregation.columns import N_COLUMNS
from tests.unit.analytics.disaggregation.charging import ChargedHome

NIGHTS = [(24.0 * day + 22.4 + 0.13 * (day % 7), 1.5 + 0.37 * (day % 5), 3700.0) for day in range(0, 30, 2)]


def energy_of(charges):
    return sum(length * power for _, length, power in charges)


@pytest.mark.parametrize("step_s", [60, 900, 1800])
@pytest.mark.parametrize("wattage", [3700.0, 3500.0, 0.0])
def test_charges_are_found_with_their_energy_whether_the_power_is_known_or_not(step_s, wattage):
    home = ChargedHome(step_s=step_s, charges=NIGHTS)

    found = home.find(wattages=(wattage,))

    assert len(found.sessions) == len(NIGHTS)
    assert found.out_wh.sum() == pytest.approx(energy_of(NIGHTS), rel=0.03)
    for (start_h, end_h, wh), (true_h, length_h, power_w) in zip(found.sessions, NIGHTS, strict=True):
        assert start_h == pytest.approx(true_h, abs=0.25 * step_s / 3600 + 0.02)
        assert end_h == pytest.approx(true_h + length_h, abs=0.5 * step_s / 3600 + 0.02)
        assert wh == pytest.approx(length_h * power_w, rel=0.1)


def test_hours_show_the_long_charges():
    long = [(24.0 * day + 20.3, 6.4, 7200.0) for day in range(0, 30, 3)]

    found = ChargedHome(step_s=3600, charges=long).find(wattages=(7200.0,))

    assert len(found.sessions) == len(long)
    assert found.out_wh.sum() == pytest.approx(energy_of(long), rel=0.03)


def test_a_home_whose_list_has_no_vehicle_charges_none():
    found = ChargedHome(charges=NIGHTS).find(wattages=(), ownership=2)

    assert found.sessions == []
    assert (found.variance_wh2, found.posterior) == (0.0, 0.0)


def test_a_home_without_a_list_shows_a_vehicle_that_nothing_else_explains():
    found = ChargedHome(charges=[(start, length, 7200.0) for start, length, _ in NIGHTS]).find(
        wattages=(), ownership=0
    )

    assert found.posterior > 0.9
    assert len(found.sessions) == len(NIGHTS)


def test_a_tank_that_heats_at_the_same_minute_every_night_is_no_vehicle():
    tank = [(24.0 * day + 0.5, 1.0 + 0.25 * (day % 3), 3000.0) for day in range(31)]

    found = ChargedHome(charges=tank).find(wattages=(), ownership=0)

    assert found.sessions == []
    assert found.posterior < 0.9


def test_charges_that_go_with_the_cold_are_a_heater_to_a_home_without_a_list():
    lengths = [1.0 + 6.0 * (day % 10) / 10 for day in range(30)]
    blocks = [(24.0 * day + 8.0 + 0.7 * (day % 8), lengths[day], 7200.0) for day in range(30)]
    home = ChargedHome(charges=blocks)
    assert home.find(wattages=(), ownership=0).sessions
    day = home.start_us // 86_400_000_000
    home.celsius = 15.0 - 2.0 * np.array([*lengths, 4.0])[day]

    assert home.find(wattages=(), ownership=0).sessions == []


@pytest.mark.parametrize("ownership", [0, 1])
def test_a_home_with_nothing_like_a_charge_has_none(ownership):
    found = ChargedHome().find(wattages=(7200.0,) if ownership else (), ownership=ownership)

    assert found.sessions == []


def test_short_strong_uses_are_no_charges():
    showers = [(24.0 * day + 7.1, 0.15, 9000.0) for day in range(31)]
    kettles = [(24.0 * day + hour, 0.06, 2900.0) for day in range(31) for hour in (7.5, 13.0, 17.2)]

    found = ChargedHome(charges=showers + kettles).find(wattages=(3700.0,))

    assert found.sessions == []


def test_a_charge_goes_on_beside_cooking():
    beside = (24.0 * 4 + 23.0, 0.5, 2000.0)

    found = ChargedHome(charges=[*NIGHTS, beside]).find(wattages=(3700.0,))

    assert len(found.sessions) == len(NIGHTS)
    assert found.out_wh.sum() == pytest.approx(energy_of(NIGHTS), rel=0.03)


def test_a_gap_ends_a_charge_and_gets_no_energy():
    home = ChargedHome(charges=[*NIGHTS[:-1], (24.0 * 28 + 20.0, 6.0, 3700.0)])
    gap = (home.start_us / 3.6e9 >= 24.0 * 28 + 22.0) & (home.start_us / 3.6e9 < 24.0 * 28 + 23.0)
    home.is_valid[gap] = False
    home.residual_wh[gap] = 0.0

    found = home.find(wattages=(3700.0,))

    assert not found.out_wh[gap].any()
    assert len(found.sessions) == len(NIGHTS) + 1
    assert found.sessions[-2][1] == pytest.approx(24.0 * 28 + 22.0)
    assert found.sessions[-1][0] == pytest.approx(24.0 * 28 + 23.0)


def test_two_chargers_of_different_power_are_told_apart():
    other = [(24.0 * day + 17.2, 2.5, 11_000.0) for day in range(1, 31, 2)]

    found = ChargedHome(charges=NIGHTS + other).find(wattages=(3700.0, 11_000.0))

    starts = [session[0] for session in found.sessions]
    assert len(found.sessions) == len(NIGHTS) + len(other)
    assert starts == sorted(starts)
    assert found.out_wh.sum() == pytest.approx(energy_of(NIGHTS + other), rel=0.03)


def test_a_home_without_intervals_has_no_charges():
    home = ChargedHome(days=0)

    assert home.find(experience=np.zeros((0, N_COLUMNS), dtype=np.uint16)).sessions == []
