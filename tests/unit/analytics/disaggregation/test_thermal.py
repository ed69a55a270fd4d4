"""Heating and cooling: the regression on the weather, the parts of the day, and what a month takes."""

import numpy as np
import pytest

from analytics.disaggregation.columns import N_COLUMNS, PART0_POWER_W, PART0_VALID_SHARE
from analytics.disaggregation.households import Household, household_of
from analytics.disaggregation.priors import COOLING_BASES_C, HEATING_BASES_C, HEATING_KWH_PER_K
from analytics.disaggregation.stages import daytime, regression, thermal
from analytics.disaggregation.stages.home import numbers_of

FRIDAY = 19_601
"""2023-09-01."""
MORNINGS_AND_EVENINGS = (0.0, 0.6, 0.0, 0.4)


def days(power_w):
    """Give days of statistics, fully measured; `power_w` is of the day or of its four parts."""
    power_w = np.asarray(power_w)
    rows = np.zeros((len(power_w), N_COLUMNS), dtype=np.uint16)
    rows[:, PART0_POWER_W : PART0_POWER_W + 4] = np.rint(power_w if power_w.ndim == 2 else power_w[:, None])
    rows[:, PART0_VALID_SHARE : PART0_VALID_SHARE + 4] = 10_000
    return rows


def heated(*, slope=3.0, base_c=14.0, dark=0.2, seed=1, n=396):
    """Give a year of days of a home that is heated, its temperatures and dark hours."""
    rng = np.random.default_rng(seed)
    day = np.arange(n)
    mean_c = 10 - 8 * np.cos(2 * np.pi * day / 365) + rng.normal(0, 3, n)
    dark_h = 6 + 4 * np.cos(2 * np.pi * day / 365)
    kwh = 6 + dark * dark_h + slope * np.maximum(base_c - mean_c, 0) + rng.normal(0, 1, n)
    return days(np.maximum(kwh, 0) / 0.024), mean_c, dark_h


def regress(household, rows, mean_c, dark_h, *, known=1.0):
    found = thermal.new_signature()
    home, measured = numbers_of([household])[0], np.full(len(rows), known)
    thermal.regress(home, rows, FRIDAY - len(rows), mean_c, dark_h, measured, found)
    return found


HEATS_AND_COOLS = household_of(
    {},
    [
        {"key": "ELECTRIC_HEATING", "type": "RADIATOR", "amount": 1},
        {"key": "AC", "type": "MINI_SPLIT", "usage_type": "SUMMER", "amount": 1},
    ],
)
RADIATORS = household_of({}, [{"key": "ELECTRIC_HEATING", "type": "RADIATOR", "amount": 2}])


@pytest.mark.parametrize("household", [RADIATORS, Household()], ids=["listed", "no list"])
def test_a_year_of_weather_tells_heating_from_darkness(household):
    found = regress(household, *heated())

    assert HEATING_BASES_C[found.base[0]] == 14.0
    assert found.slope[0] == pytest.approx(3.0, rel=0.05)
    assert found.base[1] == -1
    assert found.lights[0] == pytest.approx(0.2, abs=0.15)


def test_a_home_that_only_lights_more_in_winter_is_not_heated():
    found = regress(Household(), *heated(slope=0.0, dark=0.3))

    assert found.base.tolist() == [-1, -1]
    assert found.lights[0] == pytest.approx(0.3, abs=0.1)


def test_what_is_not_on_the_list_neither_heats_nor_cools():
    found = regress(household_of({}, []), *heated())
    assert found.base.tolist() == [-1, -1]


def test_with_little_experience_the_survey_speaks_for_what_is_owned():
    rows, mean_c, dark_h = heated(n=5)
    found = regress(RADIATORS, rows, mean_c, dark_h)
    assert found.slope[0] == HEATING_KWH_PER_K[0]
    assert found.variance[0] > 0


def test_the_regression_agrees_with_least_squares():
    rows, mean_c, dark_h = heated(n=200)
    equations = regression.new_equations()
    count, weights, squares = regression.add_up(rows, FRIDAY, mean_c, dark_h, 4, True, equations)
    assert count == 200
    rss, _ = regression.fit(equations, squares, 2, 6)
    solution = equations.solution

    kwh = np.array([regression.day_kwh(row, 4) for row in rows])
    weekend = [float((FRIDAY + d + 3) % 7 >= 5) for d in range(200)]
    terms = np.stack(
        [np.ones(200), weekend, dark_h, np.maximum(14 - mean_c, 0), np.maximum(mean_c - 20, 0)], axis=1
    )
    weight = np.sqrt(0.5 ** ((200 - 1 - np.arange(200)) / 180))
    expected, residual, *_ = np.linalg.lstsq(terms * weight[:, None], kwh * weight, rcond=None)
    assert solution == pytest.approx(expected, rel=1e-6)
    assert rss == pytest.approx(residual[0], rel=1e-6)
    assert weights == pytest.approx(np.sum(weight**2))


def heated_in_parts(shares=MORNINGS_AND_EVENINGS, *, slope=3.0, base_c=14.0, noise_kwh=0.5, n=396, seed=2):
    """Give a year of days of a home that is heated in some parts of the day only."""
    rng = np.random.default_rng(seed)
    day = np.arange(n)
    mean_c = 10 - 8 * np.cos(2 * np.pi * day / 365) + rng.normal(0, 3, n)
    dark_h = 6 + 4 * np.cos(2 * np.pi * day / 365)
    others = np.array([1.0, 1.5, 1.5, 2.0]) + dark_h[:, None] * [0.0, 0.04, 0.04, 0.12]
    heat = slope * np.maximum(base_c - mean_c, 0)[:, None] * shares
    kwh = others + heat + rng.normal(0, noise_kwh, (n, 4))
    return days(np.maximum(kwh, 0) / 0.006), mean_c, dark_h


@pytest.mark.parametrize("household", [RADIATORS, Household()], ids=["listed", "no list"])
def test_a_home_that_heats_mornings_and_evenings_is_known_to(household):
    found = regress(household, *heated_in_parts())

    assert found.slope[0] == pytest.approx(3.0, rel=0.05)
    assert found.part_share[0] == pytest.approx(MORNINGS_AND_EVENINGS, abs=0.04)
    assert found.part_share[0].sum() == pytest.approx(1.0)
    assert (found.part_trust[0] > 0.8).all()


@pytest.mark.parametrize("slope", [0.0, 0.5])
def test_a_heater_that_the_noise_of_evenings_hides_is_seen_in_the_mornings(slope):
    noise_kwh = np.array([0.2, 0.5, 1.0, 8.0])
    rows, mean_c, dark_h = heated_in_parts((0.0, 1.0, 0.0, 0.0), slope=slope, noise_kwh=noise_kwh)

    found = regress(Household(), rows, mean_c, dark_h)

    assert (found.base[0] >= 0) == (slope > 0)
    assert regress(Household(), rows, mean_c, dark_h, known=0.0).base[0] == -1


def test_the_parts_of_a_day_add_up_to_its_slope_whatever_the_home_is_like():
    rng = np.random.default_rng(5)
    for seed in range(20):
        shares = rng.dirichlet(np.ones(4))
        found = regress(RADIATORS, *heated_in_parts(shares, slope=rng.uniform(0.2, 4), noise_kwh=2.0, seed=seed))
        assert found.part_share[0].sum() == pytest.approx(1.0)


def test_a_part_that_is_never_measured_leaves_the_others_to_tell():
    rows, mean_c, dark_h = heated_in_parts((0.0, 0.5, 0.2, 0.3))
    rows[:, PART0_VALID_SHARE] = 0
    rows[:, PART0_POWER_W] = 0

    found = regress(RADIATORS, rows, mean_c, dark_h)

    # A day of 24 h at the power of 18: a third more.
    assert found.slope[0] == pytest.approx(4.0, rel=0.05)
    assert found.part_share[0, 1:] == pytest.approx([0.375, 0.15, 0.225], abs=0.04)


def test_parts_that_are_seldom_measured_teach_nothing_alone():
    rows, mean_c, dark_h = heated_in_parts()
    rows[::2, PART0_VALID_SHARE] = 0
    assert regression.measured_parts(rows) == 4
    assert regress(RADIATORS, rows, mean_c, dark_h).part_share[0] == pytest.approx(MORNINGS_AND_EVENINGS, abs=0.06)


def month(shares, trust, *, celsius=5.0, per_day=24, n_days=3):
    """Shape a month of constant cold; return the shares of the parts and the shape, shape (days, intervals)."""
    n = per_day * n_days
    wall_s = np.tile(np.arange(per_day) * (86_400 // per_day), n_days)
    part_share, shape = np.zeros(4), np.zeros(n)
    daytime.shape_parts(
        0,
        np.array(shares),
        np.array(trust),
        np.full(n, celsius),
        wall_s,
        np.full(n, 86_400 // per_day),
        np.ones(n),
        np.arange(n_days + 1) * per_day,
        part_share,
        shape,
    )
    return part_share, shape.reshape(n_days, per_day)


def test_energy_goes_to_the_parts_that_are_heated_by_their_degree_hours():
    part_share, shape = month(MORNINGS_AND_EVENINGS, [1.0] * 4)

    assert part_share == pytest.approx(MORNINGS_AND_EVENINGS)
    assert shape.sum(axis=1) == pytest.approx([1.0] * 3)
    assert shape[1].reshape(4, 6).sum(axis=1) == pytest.approx(MORNINGS_AND_EVENINGS)
    assert shape[1, 6:12] == pytest.approx([0.1] * 6)


def test_parts_of_which_nothing_is_known_share_by_degree_hours():
    part_share, shape = month([0.9, 0.1, 0.0, 0.0], [0.0] * 4)
    assert part_share == pytest.approx([0.25] * 4)
    assert shape == pytest.approx(np.full((3, 24), 1 / 24))


def test_a_part_without_degree_hours_is_spread_evenly():
    _, shape = month([0.0, 0.5, 0.5, 0.0], [1.0] * 4, celsius=25.0)
    assert shape[0].reshape(4, 6).sum(axis=1) == pytest.approx([0.0, 0.5, 0.5, 0.0])


def test_a_month_has_the_energy_of_its_degrees_in_the_parts_that_were_measured():
    rows = days(np.full(2, 500.0))
    rows[1, PART0_VALID_SHARE : PART0_VALID_SHARE + 2] = 0
    day_wh = np.zeros(2)

    variance = daytime.month_energy(
        2.0, 0.01, 0, np.array([5.0, 6.0]), np.ones(2), rows, np.array([0.1, 0.2, 0.3, 0.4]), day_wh
    )

    assert day_wh == pytest.approx([2000.0 * 5.0, 2000.0 * 4.0 * 0.7])
    # 0.1 of 2 kWh/K, and a kelvin more on 1 and on 0.7 of the days.
    assert variance == pytest.approx(
        1e6 * (9.0 - 1.2) ** 2 * 0.01 + 1e6 * 0.15**2 * 4 * (7.8) ** 2 + 1e6 * (1.7 * 2) ** 2
    )


def test_a_month_just_above_the_base_is_not_certain_to_be_without_heating():
    day_wh = np.zeros(1)
    whole = np.full(4, 0.25)
    near, far = (
        daytime.month_energy(2.0, 0.01, 0, np.array([celsius]), np.ones(1), days([500.0]), whole, day_wh)
        for celsius in (10.5, 11.5)
    )
    assert day_wh[0] == 0
    assert near > far == 0


def test_the_bases_of_heating_and_cooling_are_chosen_beside_each_other():
    rng = np.random.default_rng(8)
    day = np.arange(396)
    mean_c = 12 - 12 * np.cos(2 * np.pi * day / 365) + rng.normal(0, 3, 396)
    dark_h = 6 + 4 * np.cos(2 * np.pi * day / 365)
    # A summer that takes as much as the winter bends a heating line that is fitted alone.
    kwh = 8 + 1.5 * np.maximum(16 - mean_c, 0) + 5.0 * np.maximum(mean_c - 18, 0) + rng.normal(0, 3, 396)
    found = regress(HEATS_AND_COOLS, days(np.maximum(kwh, 0) / 0.024), mean_c, dark_h)

    assert HEATING_BASES_C[found.base[0]] == 16.0
    assert COOLING_BASES_C[found.base[1] - len(HEATING_BASES_C)] == 18.0
    assert found.slope == pytest.approx([1.5, 5.0], rel=0.1)


def test_a_season_alone_tells_heating_only_where_it_stands_out():
    day = np.arange(396)
    normal_c = 11 - 7 * np.cos(2 * np.pi * day / 365)
    dark_h = 6 + 4 * np.cos(2 * np.pi * day / 365)

    def base_of(winter_kwh, known):
        rng = np.random.default_rng(3)
        kwh = 26 + 0.17 * dark_h + winter_kwh * np.maximum(14 - normal_c, 0) / 10 + rng.normal(0, 1, 396)
        return regress(Household(), days(kwh / 0.024), normal_c, dark_h, known=known).base[0]

    assert base_of(8.0, known=0.0) == -1, "warm meals, dry washing and long evenings"
    assert base_of(8.0, known=1.0) >= 0
    assert base_of(25.0, known=0.0) >= 0


def test_energy_is_given_by_degree_hours_and_no_interval_gets_more_than_it_has():
    day_wh = np.array([100.0, 50.0, 10.0])
    cuts = np.array([0, 3, 5, 6])
    residual_wh = np.array([100.0, 20.0, 80.0, 10.0, 10.0, 0.0])
    out_wh = np.zeros(6)

    daytime.allocate(day_wh, np.array([1.0, 1.0, 0.0, 1.0, 1.0, 1.0]), cuts, residual_wh, out_wh)

    # 50 + 20 by degrees, the other 30 in proportion to what is left: 50, 0 and 80.
    assert out_wh == pytest.approx([50 + 30 * 50 / 130, 20, 30 * 80 / 130, 10, 10, 0])
