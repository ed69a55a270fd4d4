"""Cooking, washing and hot water: what people start, at times of the wall clock."""

import numpy as np

from pipelines.simulators.climate import Weather
from pipelines.simulators.homes import Household
from pipelines.simulators.occupancy import Occupancy
from pipelines.simulators.timeline import DayDice, Flags, Floats, Ints, PowerTrace, Stream, Timeline

SHOWER_MIN = 7
SHOWER_DL_PER_MIN = 65
"""6.5 l/min at 40 °C; 0.85 showers a day and 8.5 l of the taps make 47 l per person, 1.5 to 2 kWh: below
a planning figure of 2.1 kWh, 40 l heated by 45 K."""
USE_C = 40.0
WATER_WH_PER_L_K = 1.163

WASH_CYCLE = ((3, 18, 2050.0), (21, 65, 140.0), (86, 9, 420.0))
"""After minutes, for minutes, watts: a 40 °C wash of 0.83 kWh (own choice within usual label values)."""
DISH_CYCLE = ((4, 16, 1950.0), (20, 45, 75.0), (65, 12, 1950.0))
"""A programme of 0.97 kWh (likewise)."""
DRYER_CYCLES = {"vented": ((2, 70, 2200.0),), "heat_pump": ((2, 110, 780.0),)}


def cooking_power_w(household: Household, line: Timeline, life: Occupancy, *, seed: int) -> Floats:
    """Return the power of hob, oven, microwave and kettle; a gas home has only the last two [W]."""
    dice = DayDice(seed, Stream.COOKING, line, width=64)
    trace = PowerTrace(line.n)
    dinner = line.at(dice.around(household.dinner_hour * 60, 50))
    lunch = line.at(dice.around(12.6 * 60, 50))
    breakfast = line.at(dice.around(life.wake + 30, 15))
    has_dinner, has_lunch, has_oven = dice.chance(0.85), dice.chance(0.6), dice.chance(0.3)
    watts = dice.around(1500 + 150.0 * household.people, 300)
    if household.cooking == "electric":
        is_on = has_dinner & _someone(life, dinner)
        trace.add(dinner[is_on], minutes=6, watts=watts[is_on])
        trace.pulses(dinner[is_on] + 8, count=6, on_min=2, every_min=4, watts=watts[is_on])
        is_on = has_oven & _someone(life, dinner)
        trace.add(dinner[is_on] - 15, minutes=12, watts=2300.0)
        trace.pulses(dinner[is_on] + 1, count=7, on_min=2, every_min=6, watts=2300.0)
        is_on = has_lunch & _someone(life, lunch)
        trace.add(lunch[is_on], minutes=9, watts=0.8 * watts[is_on])
    is_on = has_lunch & _someone(life, lunch)
    trace.add(lunch[is_on] + 12, minutes=4, watts=1250.0)
    is_on = dice.chance(0.7) & _someone(life, breakfast)
    trace.add(breakfast[is_on], minutes=4, watts=950.0)
    for hour in (None, 10.5, 13.2, 16.0, 19.0, 20.8):
        start = line.at(dice.around(life.wake + 20 if hour is None else hour * 60, 60))
        is_on = dice.chance(min(0.25 + 0.15 * household.people, 0.8)) & _someone(life, start)
        trace.add(start[is_on], minutes=3, watts=2100.0)
    return trace.power_w()


def washing_power_w(household: Household, line: Timeline, weather: Weather, *, seed: int) -> Floats:
    """Return the power of washing machine, dryer and dishwasher [W].

    A home washes more on weekends and uses the dryer more in the cold. Rates: 1.6 washes a week and 0.8
    per person more, 1.5 and 1.1 of the dishwasher. For three people this is 209 and 250 a year, near the
    220 and 280 the EU's energy labels once assumed (Regulations (EU) 1061/2010 and 1059/2010).
    """
    dice = DayDice(seed, Stream.WASHING, line, width=24)
    trace = PowerTrace(line.n)
    busy = np.where(line.is_weekend, 1.6, 0.76)
    start = line.at(np.where(line.is_weekend, dice.around(10.8 * 60, 120), dice.around(18.6 * 60, 90)))
    is_on = dice.chance(busy * (1.6 + 0.8 * household.people) / 7)
    cold = np.clip((22.0 - weather.day_c[np.minimum(line.edges[:-1], line.n - 1)]) / 20.0, 0.25, 0.95)
    is_dried = is_on & dice.chance(cold)
    if household.has_washing_machine:
        _add_cycle(trace, start[is_on], WASH_CYCLE)
    if household.dryer is not None:
        _add_cycle(trace, start[is_dried] + 105, DRYER_CYCLES[household.dryer])
    if household.has_dishwasher:
        after_dinner = line.at(dice.around(household.dinner_hour * 60 + 90, 45))
        is_on = dice.chance((1.5 + 1.1 * household.people) / 7)
        _add_cycle(trace, after_dinner[is_on], DISH_CYCLE)
    return trace.power_w()


def hot_water_wh(household: Household, line: Timeline, life: Occupancy, weather: Weather, *, seed: int) -> Floats:
    """Return the heat of the hot water drawn in each minute [Wh]; cold mains water needs more."""
    dice = DayDice(seed, Stream.WATER, line, width=8 * household.people + 16)
    trace = PowerTrace(line.n)  # here of decilitres per minute
    for person in range(household.people):
        morning = line.at(dice.around(life.wake + 15 + 12 * person, 10))
        evening = line.at(dice.around(21 * 60 + 10.0 * person, 50))
        is_early = dice.chance(0.5)
        is_late = ~is_early & dice.chance(0.7)
        trace.add(morning[is_early], minutes=SHOWER_MIN, watts=SHOWER_DL_PER_MIN)
        trace.add(evening[is_late], minutes=SHOWER_MIN, watts=SHOWER_DL_PER_MIN)
    for hour, litres in ((7.2, 1.5), (13.0, 1.0), (household.dinner_hour + 1, 4.5), (22.0, 1.5)):
        start = line.at(dice.around(hour * 60, 40))
        is_on = _someone(life, start)
        trace.add(start[is_on], minutes=3, watts=10 * litres * household.people / 3)
    litres_per_min = trace.power_w() / 10
    return litres_per_min * WATER_WH_PER_L_K * np.maximum(USE_C - weather.mains_c, 0.0)


def _someone(life: Occupancy, minute: Ints) -> Flags:
    """Tell per day whether someone is at home and awake at a minute."""
    return life.active[minute] > 0


def _add_cycle(trace: PowerTrace, start: Ints, cycle: tuple[tuple[int, int, float], ...]) -> None:
    for after, minutes, watts in cycle:
        trace.add(start + after, minutes=minutes, watts=watts)
