"""The stages of the model, each alone on plain arrays."""

import numpy as np
import pytest

from analytics.climate import normal_temperature_c, sun_elevation_deg
from analytics.disaggregation.classes import BOILER, COOKING, FRIDGE, LIGHTS, N_CLASSES, OTHERS, STANDBY, WASHING
from analytics.disaggregation.columns import MINIMUM_W, N_COLUMNS, PART0_POWER_W, PART0_VALID_SHARE, QUIET_W
from analytics.disaggregation.households import Household, household_of
from analytics.disaggregation.places import places_of
from analytics.disaggregation.priors import FRIDGE_KWH_PER_DAY
from analytics.disaggregation.stages import activities, compiled, runs, thermal
from analytics.disaggregation.stages.days import measure_day
from analytics.disaggregation.stages.fridge import fridge_power
from analytics.disaggregation.stages.home import numbers_of
from analytics.disaggregation.stages.quality import measure_home
from analytics.disaggregation.stages.reconcile import fit_total, reconcile_days, reconcile_month, round_parts
from analytics.disaggregation.stages.season import fill_season
from analytics.disaggregation.stages.series import exponential, logarithm
from analytics.disaggregation.stages.standby import double_median_of, fridge_share, standby_levels
from analytics.disaggregation.stages.survey import expect

FRIDAY = 19_601
"""2023-09-01."""
HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US


def days(n, *, power_w=100, minimum_w=100.0, quiet_w=None):
    """Give days of statistics, fully measured."""
    rows = np.zeros((n, N_COLUMNS), dtype=np.uint16)
    rows[:, PART0_POWER_W : PART0_POWER_W + 4] = np.broadcast_to(power_w, (n,))[:, None]
    rows[:, PART0_VALID_SHARE : PART0_VALID_SHARE + 4] = 10_000
    rows[:, MINIMUM_W] = np.rint(np.broadcast_to(minimum_w, (n,)) * 10)
    rows[:, QUIET_W] = np.rint(np.broadcast_to(minimum_w if quiet_w is None else quiet_w, (n,)) * 10)
    return rows


def levels(before, month, *, fridge_w=0.0):
    level_w = np.zeros(len(month))
    spread_w = standby_levels(np.concatenate((before, month)), len(before), FRIDAY, fridge_w, level_w)
    return level_w, spread_w


def test_a_party_week_is_shrunk_towards_thirteen_weeks():
    month = days(30)
    month[17:24, MINIMUM_W] *= 2  # Monday 18 to Sunday 24

    level_w, _ = levels(days(91), month)

    assert level_w[16] == level_w[24] == 100
    assert level_w[17:24] == pytest.approx(170)  # 100 + 0.7 (200 - 100)


def test_the_days_before_teach_the_first_week():
    level_w, _ = levels(days(91, minimum_w=50.0), days(30))

    # Most days of the week of Friday 1 are history at 50 W; the next whole week at 100 W weighs 0.7.
    assert level_w[:3] == pytest.approx(50)
    assert level_w[3:10] == pytest.approx(85)


def test_days_mostly_without_measurement_teach_no_standby():
    month = days(30)
    month[:20, PART0_VALID_SHARE : PART0_VALID_SHARE + 4] = 4_900
    month[:20, MINIMUM_W] = 0

    level_w, spread_w = levels(days(0), month)

    assert level_w.tolist() == [100.0] * 30
    assert spread_w == 0


def test_an_hourly_least_power_holds_most_of_a_fridge():
    assert fridge_share(900.0) == fridge_share(60.0) == 0
    assert fridge_share(3600.0) == fridge_share(7200.0) == 0.8
    assert fridge_share(2700.0) == pytest.approx(0.43)
    assert levels(days(0), days(30), fridge_w=21.0)[0] == pytest.approx(79)


def test_fridges_are_those_of_the_list_as_far_as_nothing_else_is_seen():
    (home,) = numbers_of([household_of({}, [{"key": "FRIDGE", "type": "FREEZER", "amount": 2}])])

    power_w, variance = fridge_power(home, days(30), 12.0, 0.7)

    assert power_w == pytest.approx(2 * FRIDGE_KWH_PER_DAY[1] / 0.024)
    assert variance > 0


def test_what_cycles_at_rest_moves_the_fridge_towards_it():
    (home,) = numbers_of([Household()])
    usual_w, usual_variance = fridge_power(home, days(30, quiet_w=100.0)[:0], 12.0, 0.0)

    more_w, variance = fridge_power(home, days(30, quiet_w=100.0 + 2 * usual_w), 12.0, 0.0)

    assert usual_w < more_w < 2 * usual_w
    assert variance < usual_variance


def test_a_home_whose_list_has_no_fridge_has_none():
    (home,) = numbers_of([household_of({}, [])])
    assert fridge_power(home, days(30, quiet_w=200.0), 12.0, 0.0) == (0.0, 0.0)


def test_the_seasons_of_a_place_are_its_temperatures_and_dark_hours():
    start_us = FRIDAY * DAY_US
    places = places_of([(51.5, -0.1)], start_us=start_us - 10 * DAY_US, end_us=start_us + 40 * DAY_US)
    hours_us = places.first_hour_us + np.arange(places.celsius.shape[1]) * HOUR_US
    at = ((90.0, 0.0), (0.0, 0.0), (0.0, 90.0))
    sun = np.stack([np.sin(np.radians(sun_elevation_deg(hours_us, *one))) for one in at])
    mean_c, dark_h, measured = np.zeros(40), np.zeros(40), np.zeros(40)

    fill_season(
        places.first_hour_us,
        places.celsius[0],
        places.is_measured[0],
        sun,
        51.5,
        -0.1,
        start_us,
        start_us + 30 * DAY_US,
        10,
        mean_c,
        dark_h,
        measured,
    )

    hourly_c = normal_temperature_c(hours_us, 51.5, -0.1).reshape(-1, 24)
    expected_c = 0.7 * hourly_c[1:40].mean(axis=1) + 0.3 * hourly_c[:39].mean(axis=1)
    assert mean_c[1:] == pytest.approx(expected_c, abs=1e-3)
    is_dark = sun_elevation_deg(hours_us, 51.5, -0.1).reshape(-1, 24)[:40, 6:] < -3.0
    assert dark_h == pytest.approx(is_dark.sum(axis=1), abs=1)
    assert not measured.any()


def heated(*, slope=3.0, base_c=14.0, dark=0.2, seed=1, n=396):
    """Give a year of days of a home that is heated, its temperatures and dark hours."""
    rng = np.random.default_rng(seed)
    day = np.arange(n)
    mean_c = 10 - 8 * np.cos(2 * np.pi * day / 365) + rng.normal(0, 3, n)
    dark_h = 6 + 4 * np.cos(2 * np.pi * day / 365)
    kwh = 6 + dark * dark_h + slope * np.maximum(base_c - mean_c, 0) + rng.normal(0, 1, n)
    return days(n, power_w=np.rint(np.maximum(kwh, 0) / 0.024)), mean_c, dark_h


def regress(household, rows, mean_c, dark_h):
    found = np.zeros(7)
    thermal.regress(numbers_of([household])[0], rows, FRIDAY - len(rows), mean_c, dark_h, found)
    return found


RADIATORS = household_of({}, [{"key": "ELECTRIC_HEATING", "type": "RADIATOR", "amount": 2}])


@pytest.mark.parametrize("household", [RADIATORS, Household()], ids=["listed", "no list"])
def test_a_year_of_weather_tells_heating_from_darkness(household):
    found = regress(household, *heated())

    assert thermal.HEATING_BASES_C[int(found[2])] == 14.0
    assert found[0] == pytest.approx(3.0, rel=0.05)
    assert found[5] == -1
    assert found[6] == pytest.approx(0.2, abs=0.15)


def test_a_home_that_only_lights_more_in_winter_is_not_heated():
    found = regress(Household(), *heated(slope=0.0, dark=0.3))

    assert found[2] == found[5] == -1
    assert found[6] == pytest.approx(0.3, abs=0.1)


def test_what_is_not_on_the_list_neither_heats_nor_cools():
    found = regress(household_of({}, []), *heated())
    assert found[2] == found[5] == -1


def test_with_little_experience_the_survey_speaks_for_what_is_owned():
    rows, mean_c, dark_h = heated(n=5)
    found = regress(RADIATORS, rows, mean_c, dark_h)
    assert found[0] == thermal.HEATING_KWH_PER_K[0]
    assert found[1] > 0


def test_the_regression_agrees_with_least_squares():
    rows, mean_c, dark_h = heated(n=200)
    common, with_base = np.zeros((3, 4)), np.zeros((thermal.N_BASES, 5))
    _, weights, squares = thermal.add_up(rows, FRIDAY, mean_c, dark_h, common, with_base, 0, thermal.N_BASES)
    solution = np.zeros(5)
    none = np.zeros(5)
    rss, _ = thermal.fit(
        common, with_base, squares, 2, 6, none, none, np.zeros((5, 5)), np.zeros(5), np.zeros((5, 6)), solution
    )

    kwh = np.array([thermal.day_kwh(row) for row in rows])
    weekend = [thermal.is_weekend(FRIDAY + d) for d in range(200)]
    terms = np.stack(
        [np.ones(200), weekend, dark_h, np.maximum(14 - mean_c, 0), np.maximum(mean_c - 20, 0)], axis=1
    )
    weight = np.sqrt(0.5 ** ((200 - 1 - np.arange(200)) / 180))
    expected, residual, *_ = np.linalg.lstsq(terms * weight[:, None], kwh * weight, rcond=None)
    assert solution == pytest.approx(expected, rel=1e-6)
    assert rss == pytest.approx(residual[0], rel=1e-6)
    assert weights == pytest.approx(np.sum(weight**2))


def test_energy_is_given_by_degree_hours_and_no_interval_gets_more_than_it_has():
    day_wh = np.array([100.0, 50.0, 10.0])
    cuts = np.array([0, 3, 5, 6])
    residual_wh = np.array([100.0, 20.0, 80.0, 10.0, 10.0, 0.0])
    out_wh = np.zeros(6)

    thermal.allocate(day_wh, np.array([1.0, 1.0, 0.0, 1.0, 1.0, 1.0]), cuts, residual_wh, out_wh)

    # 50 + 20 by degrees, the other 30 in proportion to what is left: 50, 0 and 80.
    assert out_wh == pytest.approx([50 + 30 * 50 / 130, 20, 30 * 80 / 130, 10, 10, 0])


def test_a_survey_knows_what_is_owned():
    owned = household_of(
        {"people_amount": 4, "home_size": 120.0},
        [
            {"key": "WASHING_MACHINE", "amount": 1},
            {"key": "ELECTRIC_BOILER", "amount": 1, "usage_type": "WATER_HEATING", "water_tank": True},
        ],
    )
    homes = numbers_of([owned, household_of({}, []), Household()])
    listed, empty, unknown = (np.zeros(N_CLASSES) for _ in range(3))

    for home, mean_wh in zip(homes, (listed, empty, unknown), strict=True):
        expect(home, 30.0, 12.0, 6.0, mean_wh)

    assert listed[BOILER] == pytest.approx(30_000 * (2.1 * 4 + 1.0))
    assert listed[WASHING] > 0
    assert listed[COOKING] == listed[FRIDGE] == 0
    assert np.flatnonzero(empty).tolist() == [LIGHTS, OTHERS]
    assert np.flatnonzero(unknown).tolist() == [COOKING, FRIDGE, LIGHTS, OTHERS, WASHING]


def test_runs_are_shared_out_among_what_is_owned():
    start_us = np.arange(96, dtype=np.int64) * 900_000_000
    duration_s = np.full(96, 900, dtype=np.int32)
    residual_wh = np.full(96, 20.0)
    residual_wh[40:45] = 300.0  # 1.2 kW from 10:00 to 11:15
    is_on, turns = np.zeros(98, dtype=np.uint8), np.zeros(98, dtype=np.int64)
    wall_s = start_us // 1_000_000
    n_runs = runs.find_runs(start_us, duration_s, residual_wh, 0, 96, 900, is_on, turns)
    assert (n_runs, turns[0], turns[1]) == (1, 40, 45)

    def share(*keys):
        (home,) = numbers_of([household_of({}, [{"key": key, "amount": 1} for key in keys])])
        rates, class_wh, variance = np.zeros(runs.N_COMPONENTS), np.zeros(N_CLASSES), np.zeros(N_CLASSES)
        found = runs.new_runs(n_runs)
        activities.set_rates(home, rates)
        runs.measure_runs(duration_s, residual_wh, turns, n_runs, wall_s, 900, found)
        activities.weigh_runs(found, n_runs, rates)
        activities.share_runs(found, n_runs, 1.0, rates, class_wh, variance)
        return class_wh

    washing, nothing, both = share("WASHING_MACHINE"), share(), share("WASHING_MACHINE", "ELECTRIC_STOVE")
    energy_wh = 5 * (300 - 150 / 4)
    assert washing.sum() == nothing.sum() == both.sum() == pytest.approx(energy_wh)
    assert washing[WASHING] > 0.5 * energy_wh
    assert nothing[OTHERS] == pytest.approx(energy_wh)
    assert washing[WASHING] > both[WASHING] > both[COOKING] > 0


def test_a_sum_is_borne_in_proportion_to_the_variances():
    energy, variance = np.array([10.0, 20.0, 0.0]), np.array([1.0, 3.0, 0.0])
    fit_total(energy, variance, 38.0)
    assert energy.tolist() == [12.0, 26.0, 0.0]


def test_no_class_becomes_negative_and_the_others_bear_the_rest():
    energy, variance = np.array([1.0, 20.0, 5.0]), np.array([10.0, 10.0, 0.0])
    fit_total(energy, variance, 16.0)
    assert energy == pytest.approx([0.0, 11.0, 5.0])


def test_certain_classes_are_scaled_where_nothing_else_can_bear_it():
    energy, variance = np.array([10.0, 30.0]), np.zeros(2)
    fit_total(energy, variance, 20.0)
    assert energy == pytest.approx([5.0, 15.0])


def test_what_is_left_of_a_variance_is_never_negative():
    rng = np.random.default_rng(6)
    for alone in rng.random(1000) * 1e-3:
        energy, variance = np.zeros(N_CLASSES), np.zeros(N_CLASSES)
        variance[FRIDGE] = alone
        variance[OTHERS] = alone * 1e-17
        reconcile_month(energy, variance, 1e-6)
        assert (variance >= 0).all()
        assert energy.sum() == pytest.approx(1e-6)


def test_days_are_scaled_to_the_month_and_add_up_to_their_totals():
    rng = np.random.default_rng(3)
    day_wh = rng.random((N_CLASSES, 30)) * 1000
    day_wh[STANDBY] = 500.0
    total_wh = day_wh.sum(axis=0) * rng.uniform(0.5, 1.5, 30)
    energy = rng.random(N_CLASSES)
    energy *= total_wh.sum() / energy.sum()

    reconcile_days(energy, day_wh, total_wh)

    assert (day_wh >= 0).all()
    assert day_wh.sum(axis=0) == pytest.approx(total_wh)
    assert day_wh[STANDBY].std() < 0.1 * day_wh[STANDBY].mean()


def test_printed_parts_add_up_to_the_printed_day_and_month():
    rng = np.random.default_rng(4)
    day_wh = rng.random((N_CLASSES, 31))
    day_wh[OTHERS] = 0.0
    total_uwh = np.ceil(day_wh.sum(axis=0) * 1e6).astype(np.int64) + rng.integers(0, 10_000, 31)
    total_mwh, parts_mwh = np.zeros(31, dtype=np.int64), np.zeros((31, N_CLASSES), dtype=np.int64)

    round_parts(total_uwh, day_wh, total_mwh, parts_mwh)

    assert parts_mwh.sum(axis=1).tolist() == total_mwh.tolist()
    assert (parts_mwh >= 0).all()
    assert abs(total_mwh.sum() * 1000 - total_uwh.sum()) <= 500
    months = np.delete(parts_mwh.sum(axis=0) - day_wh.sum(axis=1) * 1000, OTHERS)
    assert np.abs(months).max() <= 0.51


@pytest.mark.parametrize("step_s", [60, 420, 900, 1800, 3600])
def test_the_short_way_of_even_days_finds_the_same_statistics_bit_for_bit(step_s):
    rng = np.random.default_rng(step_s)
    start_us = np.arange(0, 86_400, step_s, dtype=np.int64) * 1_000_000
    duration_s, is_valid = np.full(start_us.size, step_s, dtype=np.int32), np.ones(start_us.size, dtype=np.bool_)
    for _ in range(200):
        power_w = (
            rng.gamma(0.3, 800, start_us.size)
            + 2500 * (rng.random(start_us.size // 4 + 1) < 0.2).repeat(4)[: start_us.size]
        )
        energy_uwh = np.rint(power_w * step_s / 0.0036).astype(np.int64)
        rows, room_uwh = np.zeros((2, N_COLUMNS), dtype=np.uint16), np.empty(start_us.size + 1, dtype=np.int64)
        sums = [
            measure_day(start_us, duration_s, energy_uwh, is_valid, is_even, 0, 86_400, room_uwh, row)
            for is_even, row in zip((False, True), rows, strict=True)
        ]
        assert sums[0] == sums[1]
        assert rows[0].tolist() == rows[1].tolist()


@pytest.mark.parametrize("step_s", [60, 480, 900, 1800, 3600, 28_800, 86_400])
def test_months_of_regular_days_have_the_statistics_of_their_days_bit_for_bit(step_s):
    rng = np.random.default_rng(step_s)
    n_days, n_day = 5, 86_400 // step_s
    n = n_days * n_day
    start_us = np.arange(n, dtype=np.int64) * step_s * 1_000_000
    duration_s, edges_us = np.full(n, step_s, dtype=np.int32), np.arange(n_days + 1, dtype=np.int64) * DAY_US
    power_w = rng.gamma(0.3, 800, n) + 2500 * (rng.random(n // 4 + 1) < 0.2).repeat(4)[:n]
    energy_uwh, is_valid = np.rint(power_w * step_s / 0.0036).astype(np.int64), np.ones(n, dtype=np.bool_)

    def measured(valid):
        total_uwh, valid_s = np.zeros(n_days, dtype=np.int64), np.zeros(n_days, dtype=np.int64)
        rows, cuts = np.zeros((n_days, N_COLUMNS), dtype=np.uint16), np.zeros(n_days + 1, dtype=np.int64)
        is_even = np.zeros(n_days, dtype=np.bool_)
        shape = measure_home(
            start_us, duration_s, energy_uwh, valid, edges_us, total_uwh, valid_s, rows, cuts, is_even
        )
        return shape, is_even, [total_uwh[:-1], valid_s[:-1], rows[:-1], cuts]

    is_odd = is_valid.copy()
    is_odd[-1] = False
    regular, is_even, expected = measured(is_valid)
    odd, is_even_of_odd, found = measured(is_odd)
    assert regular == (step_s, n_day)
    assert odd == (0, 0)
    assert is_even.all()
    assert is_even_of_odd.tolist() == [True] * (n_days - 1) + [False]
    for one, other in zip(expected, found, strict=True):
        assert one.tolist() == other.tolist()


@pytest.mark.parametrize("step_s", [7, 60, 300, 900, 1800])
def test_runs_of_even_intervals_are_those_found_one_by_one(step_s):
    rng = np.random.default_rng(step_s)
    n = 3 * 86_400 // step_s
    start_us, duration_s = np.arange(n, dtype=np.int64) * step_s * 1_000_000, np.full(n, step_s, dtype=np.int32)
    for pause in (0.0, 0.02, 0.3, 1.0):
        power_w = np.where(rng.random(n) < 0.5, 0.0, 300.0)
        for i in np.flatnonzero(rng.random(n) >= pause):
            power_w[i] = power_w[i - 1]
        for begin, end in ((0, n), (5, n - 3), (5, 6), (5, 5)):
            found = []
            for step in (step_s, 0):
                is_on, turns = np.zeros(n + 2, dtype=np.uint8), np.zeros(n + 2, dtype=np.int64)
                residual_wh = power_w * step_s / 3600
                count = runs.find_runs(start_us, duration_s, residual_wh, begin, end, step, is_on, turns)
                found.append(turns[: 2 * count].tolist())
            assert found[0] == found[1]


def test_series_are_as_exact_as_the_library():
    @compiled
    def both(x, of_x, of_square):
        for i in range(x.size):
            of_x[i], of_square[i] = exponential(-x[i]), logarithm(x[i] * x[i])

    x = np.concatenate(
        ([1e-300**0.5, 1e-9, 1.0, np.sqrt(2.0), np.sqrt(0.5), 690.0], np.geomspace(1e-6, 600.0, 5000))
    )
    of_x, of_square = np.empty_like(x), np.empty_like(x)
    both(x, of_x, of_square)
    assert of_x == pytest.approx(np.exp(-x), rel=1e-13)
    assert of_square == pytest.approx(np.log(x * x), rel=1e-13, abs=1e-15)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 90, 91])
def test_the_median_of_whole_numbers_is_that_of_sorting(size):
    rng = np.random.default_rng(size)
    for most in (1, 5, 3000, 2**18):
        values = rng.integers(0, most + 1, size).astype(np.int32)
        scratch = np.concatenate((values, [-1, 2**30])).astype(np.int32)
        assert double_median_of(scratch, size) == 2 * np.median(values)
