"""What runs by itself or with people: fridges, lights, screens and fans."""

import numpy as np

from pipelines.simulators.climate import Weather
from pipelines.simulators.homes import Household
from pipelines.simulators.occupancy import Occupancy
from pipelines.simulators.timeline import DAY_MIN, DayDice, Floats, PowerTrace, Stream, Timeline

HOUR_YEAR = 8766.0
FRIDGE_PER_K = 0.03
"""Relative growth of a fridge's energy per kelvin of the room; 2-4 %/K are usual."""
MIN_ROOM_C = 20.0
BLOCK_MIN = 15


def fridge_power_w(
    household: Household, line: Timeline, life: Occupancy, weather: Weather, *, seed: int
) -> Floats:
    """Return the power of the compressors [W].

    They run a part of each 40 to 80 minutes, which grows with the room's temperature and opened doors.
    """
    dice = DayDice(seed, Stream.FRIDGE, line, width=2 * len(household.fridges))
    room_c = np.maximum(weather.day_c + 2.0, MIN_ROOM_C)
    need = np.maximum(1 + FRIDGE_PER_K * (room_c - MIN_ROOM_C), 0.2)
    doors = 0.95 + 0.12 * (life.active > 0)
    power = np.zeros(line.n)
    for fridge in household.fridges:
        duty = np.minimum(fridge.annual_kwh * 1000 / HOUR_YEAR * need * doors / fridge.compressor_w, 0.95)
        period_min = 40.0 + 40.0 * dice.uniform()
        phase = np.cumsum(1.0 / period_min[line.day]) + dice.uniform()[0]
        power += np.where(phase % 1.0 < duty, fridge.compressor_w, 0.0)
    return power


def lights_power_w(
    household: Household, line: Timeline, life: Occupancy, weather: Weather, *, seed: int
) -> Floats:
    """Return the power of the lights: people awake at home in the dark, which a dull day brings forward [W].

    Full below -2° of solar elevation, none above 8° to 14°, a small rest for rooms without windows.
    """
    dice = DayDice(seed, Stream.LIGHTS, line, width=DAY_MIN // BLOCK_MIN + 1)
    bright_deg = 8.0 + 6.0 * dice.uniform()
    dark = np.clip((bright_deg[line.day] - weather.elevation_deg) / (bright_deg[line.day] + 2.0), 0.06, 1.0)
    rooms = 0.6 + 0.8 * dice.table(DAY_MIN // BLOCK_MIN)
    share = np.where(life.active > 0, 0.45 + 0.55 * life.active / household.people, 0.0)
    return np.rint(household.lights_w * dark * share * rooms[line.day, line.wall_min // BLOCK_MIN])


def other_power_w(household: Household, line: Timeline, life: Occupancy, weather: Weather, *, seed: int) -> Floats:
    """Return the power of screens, computers, fans, the iron and the vacuum cleaner [W]."""
    blocks = DAY_MIN // (2 * BLOCK_MIN)
    dice = DayDice(seed, Stream.ELECTRONICS, line, width=blocks + 12)
    level = 0.25 + 0.75 * dice.table(blocks)
    evening = np.where(line.wall_min >= 18 * 60, 1.4, 0.7)
    share = life.active / household.people
    power = household.electronics_w * share * evening * level[line.day, line.wall_min // (2 * BLOCK_MIN)]
    heat = np.clip((weather.day_c - 24.0) / 5.0, 0.0, 1.0)
    power += household.fans_w * heat * life.at_home / household.people
    trace = PowerTrace(line.n)
    start = line.at(dice.around(np.where(line.is_weekend, 11.0 * 60, 19.0 * 60), 150))
    is_on = dice.chance(0.35) & (life.active[start] > 0)
    minutes = dice.around(20.0, 12.0)
    trace.add(start[is_on], minutes=minutes[is_on], watts=1200.0)
    hair = line.at(dice.around(life.wake + 35, 15))
    trace.add(hair[dice.chance(0.4)], minutes=4, watts=1500.0)
    return power + trace.power_w()
