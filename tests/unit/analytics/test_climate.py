from datetime import UTC, date, datetime

import numpy as np
import pytest

from analytics.calendar import SECOND_US, to_us
from analytics.climate import annual_mean_c, daily_swing_k, normal_day_c, normal_temperature_c, sun_elevation_deg
from analytics.errors import BrokenContractError

MINUTE_US = 60 * SECOND_US
HOUR_US = 60 * MINUTE_US


def minutes_of(start, n):
    return to_us(start) + MINUTE_US * np.arange(n)


def hours_of(year):
    start, end = (to_us(datetime(y, 1, 1, tzinfo=UTC)) for y in (year, year + 1))
    return np.arange(start, end, HOUR_US)


@pytest.mark.parametrize(
    ("day", "declination"),
    [(date(2024, 6, 20), 23.44), (date(2024, 12, 21), -23.44), (date(2024, 3, 20), 0.15)],
)
@pytest.mark.parametrize("latitude", [51.51, 22.57, -33.9])
def test_the_sun_culminates_at_its_declination(day, declination, latitude):
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)

    elevation = sun_elevation_deg(minutes_of(start, 1440), latitude, 0.0)

    assert elevation.max() == pytest.approx(90 - abs(latitude - declination), abs=0.05)


def test_the_sun_culminates_when_the_equation_of_time_says():
    # London, 20 June: 0.5 min of longitude west and 1.7 min of the equation of time after noon.
    start = datetime(2024, 6, 20, tzinfo=UTC)

    elevation = sun_elevation_deg(minutes_of(start, 1440), 51.51, -0.13)

    assert np.argmax(elevation) == pytest.approx(12 * 60 + 2.2, abs=1.5)


def test_the_sun_stays_down_in_the_polar_night():
    assert sun_elevation_deg(minutes_of(datetime(2024, 12, 21, tzinfo=UTC), 1440), 69.6, 18.9).max() < 0


def test_the_south_is_warm_when_the_north_is_cold():
    january = minutes_of(datetime(2024, 1, 20, tzinfo=UTC), 1)
    july = minutes_of(datetime(2024, 7, 20, tzinfo=UTC), 1)

    assert normal_day_c(january, 50.0)[0] < 6
    assert normal_day_c(july, 50.0)[0] > 17
    assert normal_day_c(january, -50.0)[0] == pytest.approx(normal_day_c(july, 50.0)[0], abs=0.1)


@pytest.mark.parametrize(("latitude", "longitude"), [(51.51, -0.13), (-33.9, 151.2), (1.3, 103.8), (78.2, 15.6)])
def test_a_normal_year_has_the_mean_of_its_latitude(latitude, longitude):
    temperatures = normal_temperature_c(hours_of(2023), latitude, longitude)

    assert temperatures.mean() == pytest.approx(annual_mean_c(latitude), abs=0.05)


@pytest.mark.parametrize("longitude", [-180.0, -74.0, 0.0, 88.4, 180.0])
def test_the_afternoon_is_warmest_by_the_sun_of_the_place(longitude):
    instants = minutes_of(datetime(2024, 3, 20, tzinfo=UTC), 1440)

    swing = daily_swing_k(instants, longitude)

    warmest_utc_hour = np.argmax(swing) / 60
    assert (warmest_utc_hour + longitude / 15) % 24 == pytest.approx(15.0, abs=0.02)
    assert swing.max() - swing.min() == pytest.approx(6.6, abs=0.01)
    assert swing.sum() == pytest.approx(0.0, abs=1e-6)


def test_the_normal_is_its_day_and_the_swing():
    instants = hours_of(2024)

    temperatures = normal_temperature_c(instants, 45.5, 9.2)

    np.testing.assert_array_equal(temperatures, normal_day_c(instants, 45.5) + daily_swing_k(instants, 9.2))
    assert np.isfinite(temperatures).all()


def test_no_instants_have_no_temperatures():
    nothing = np.empty(0, dtype=np.int64)

    assert normal_temperature_c(nothing, 45.5, 9.2).shape == (0,)
    assert sun_elevation_deg(nothing, 45.5, 9.2).shape == (0,)


@pytest.mark.parametrize("latitude", [90.1, -91.0, float("nan"), float("inf")])
@pytest.mark.parametrize("climate", [normal_temperature_c, sun_elevation_deg])
def test_a_place_that_is_no_place_is_our_bug(climate, latitude):
    instants = hours_of(2024)

    with pytest.raises(BrokenContractError, match="latitude"):
        climate(instants, latitude, 0.0)
    with pytest.raises(BrokenContractError, match="longitude"):
        climate(instants, 0.0, 2 * latitude)
