"""An electric car: driven by day, plugged in on some evenings, charged at the charger's power."""

from dataclasses import dataclass

import numpy as np

from pipelines.simulators.climate import Weather
from pipelines.simulators.homes import ElectricVehicle
from pipelines.simulators.occupancy import Occupancy
from pipelines.simulators.timeline import DayDice, Floats, PowerTrace, Stream, Timeline

LONGEST_MIN = 660
"""A session ends before the car leaves the next morning."""
SHORTEST_MIN = 20
TAPER_MIN = 8
TAPER = 0.5
COLD_PER_K = 0.008
"""Extra energy per kelvin below 20 °C: about a quarter at -10 °C, mostly cabin heat; own choice."""
LOW_BATTERY = 0.45


@dataclass(frozen=True, slots=True)
class Plugged:
    """The minutes of one charge, half open, in minutes of the timeline."""

    first: int
    last: int


def vehicle_power_w(
    vehicle: ElectricVehicle, line: Timeline, life: Occupancy, weather: Weather, *, seed: int
) -> tuple[Floats, list[Plugged]]:
    """Return the charger's power [W] and its sessions, which never overlap and hold all of it.

    Each starts in the evening and runs at the charger's power, less at most 2 %, with a short taper.
    What does not fit stays for the next.
    """
    dice = DayDice(seed, Stream.VEHICLE, line, width=12)
    km = vehicle.km_per_day * np.where(dice.chance(0.9), 0.4 + 1.42 * dice.uniform(), 0.0)
    morning = weather.day_c[np.minimum(line.edges[:-1], line.n - 1)]
    cold = 1 + COLD_PER_K * np.maximum(20.0 - morning, 0.0)
    used_wh = km * vehicle.kwh_per_100km * 10 * cold
    start = line.at(np.minimum(np.maximum(life.back, 17 * 60.0) + dice.around(50, 45), 1410.0))
    wants = dice.chance(0.55)
    watts = np.rint(vehicle.charger_w * (0.98 + 0.02 * dice.uniform()))

    trace, sessions, owed_wh = PowerTrace(line.n), [], 0.0
    for day in range(line.n_days):
        owed_wh += float(used_wh[day])
        is_low = owed_wh > LOW_BATTERY * vehicle.battery_kwh * 1000
        # The taper gives less than its minutes would.
        minutes = round(owed_wh / watts[day] * 60 + TAPER_MIN * (1 - TAPER))
        if minutes < SHORTEST_MIN or not (wants[day] or is_low):
            continue
        first, length = start[day : day + 1], min(minutes, LONGEST_MIN)
        trace.add(first, minutes=length - TAPER_MIN, watts=watts[day])
        trace.add(first + length - TAPER_MIN, minutes=TAPER_MIN, watts=watts[day] * TAPER)
        owed_wh = max(owed_wh - (length - TAPER_MIN * (1 - TAPER)) / 60 * float(watts[day]), 0.0)
        sessions.append(Plugged(int(first[0]), min(int(first[0]) + length, line.n)))
    return trace.power_w(), sessions
