"""When people get up, leave, come back and sleep, by the wall clock."""

from dataclasses import dataclass

import numpy as np

from pipelines.simulators.homes import Household
from pipelines.simulators.timeline import DayDice, Flags, Floats, Stream, Timeline

LAST_BEDTIME = 1439.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Occupancy:
    """Who is at home and awake.

    Parameters
    ----------
    wake, leave, back, bed : ndarray of float64, shape (days,), [wall minute]
    at_home : ndarray of float64, shape (n,)
        People at home in each minute, asleep or not.
    awake : ndarray of bool, shape (n,)
    active : ndarray of float64, shape (n,)
        People at home and awake.
    """

    wake: Floats
    leave: Floats
    back: Floats
    bed: Floats
    at_home: Floats
    awake: Flags
    active: Floats


def occupancy(household: Household, line: Timeline, *, seed: int) -> Occupancy:
    """Return a plausible week: work on five days, long mornings and an outing on the other two."""
    dice = DayDice(seed, Stream.OCCUPANCY, line, width=16)
    weekend = line.is_weekend
    wake = dice.around(np.where(weekend, 8.25 * 60, 6.6 * 60), 40)
    bed = np.minimum(dice.around(np.where(weekend, 23.4 * 60, 22.8 * 60), 40), LAST_BEDTIME)
    leave = np.where(weekend, dice.around(12.5 * 60, 120), dice.around(8.2 * 60, 35))
    back = np.where(weekend, leave + 90 + 150 * dice.uniform(), dice.around(17.4 * 60, 55))
    goes_out = np.where(weekend, dice.chance(0.55), dice.chance(0.94))
    staying = np.where(weekend, 0, household.people_in_daytime)
    away = np.where(goes_out, household.people - staying, 0).astype(np.float64)

    day, wall = line.day, line.wall_min
    is_out = (wall >= leave[day]) & (wall < back[day])
    at_home = household.people - np.where(is_out, away[day], 0.0)
    awake = (wall >= wake[day]) & (wall < bed[day])
    return Occupancy(
        wake=wake, leave=leave, back=back, bed=bed, at_home=at_home, awake=awake, active=at_home * awake
    )
