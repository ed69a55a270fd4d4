"""A physically plausible household: the energy of every appliance, interval by interval, from a seed.

It has no effects: the same home, span and seed always give the same energy. A minute's energy does not
depend on the interval asked for, and a longer span begins with the shorter one.
"""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from analytics.calendar import SECOND_US, UtcRange, expected_intervals, from_us, local_date_of
from pipelines.errors import RejectedInput
from pipelines.simulators.background import fridge_power_w, lights_power_w, other_power_w
from pipelines.simulators.chores import cooking_power_w, hot_water_wh, washing_power_w
from pipelines.simulators.climate import Weather, weather
from pipelines.simulators.homes import (
    KOLKATA_HOME,
    LONDON_FLAT,
    STOCKHOLM_HOUSE,
    AirConditioner,
    Boiler,
    ElectricVehicle,
    Fridge,
    Heating,
    Household,
)
from pipelines.simulators.occupancy import occupancy
from pipelines.simulators.results import EvSession, RegisterReadings, SimulatedEnergy, register_readings
from pipelines.simulators.thermal import boiler_power_w, cooling_power_w, heating_power_w
from pipelines.simulators.timeline import MINUTE_US, Floats, Ints, Timeline, timeline
from pipelines.simulators.vehicle import Plugged, vehicle_power_w

__all__ = [
    "KOLKATA_HOME",
    "LONDON_FLAT",
    "STOCKHOLM_HOUSE",
    "AirConditioner",
    "Boiler",
    "ElectricVehicle",
    "EvSession",
    "Fridge",
    "Heating",
    "Household",
    "RegisterReadings",
    "SimulatedEnergy",
    "register_readings",
    "simulate",
]

DAY_S = 86_400
WARM_UP_DAYS = 10
"""Days simulated before the start, so that rooms, tanks and batteries are as usual."""
MWH_PER_W_MIN = 1000 / 60


def simulate(
    household: Household,
    *,
    start: datetime,
    end: datetime,
    interval_s: int,
    seed: int,
    weather_seed: int | None = None,
) -> SimulatedEnergy:
    """Return the energy of every interval that starts within `[start, end)`.

    Intervals stand on the grid of `interval_s` from the epoch, as `analytics.calendar.expected_intervals`
    counts them. Power is simulated by the minute; each minute is rounded to whole milliwatt-hours.

    Parameters
    ----------
    start, end : datetime
        Aware, in any zone.
    interval_s : int, [s]
        Whole minutes that divide a day.
    seed, weather_seed : int
        Not negative. Neighbours share their weather by the second; None takes the first.

    Raises
    ------
    RejectedInput
        The span is naive, empty or holds no start of an interval, or the interval or seed is not as said.
    """
    weather_seed = seed if weather_seed is None else weather_seed
    _check(start=start, end=end, interval_s=interval_s, seed=min(seed, weather_seed))
    step_us = interval_s * SECOND_US
    span = UtcRange(start.astimezone(UTC), end.astimezone(UTC))
    n = expected_intervals(span, interval_s)
    if n == 0:
        raise RejectedInput({"end": ["No interval starts within the span."]})
    first_us = -(-span.start_us // step_us) * step_us
    zone = ZoneInfo(household.zone)
    line = timeline(
        local_date_of(from_us(first_us), zone) - timedelta(days=WARM_UP_DAYS),
        # The day after the last keeps a late evening's sessions and cycles whole.
        local_date_of(from_us(first_us + n * step_us), zone) + timedelta(days=1),
        zone,
    )
    sky = weather(line, latitude=household.latitude, longitude=household.longitude, seed=weather_seed)
    powers_w, plugged = _powers(household, line, sky, seed=seed)
    offset = (first_us - line.start_us) // MINUTE_US
    minutes = slice(offset, offset + n * (interval_s // 60))
    shape = (n, interval_s // 60)
    by_minute = {key: np.rint(power[minutes] * MWH_PER_W_MIN).astype(np.int64) for key, power in powers_w.items()}
    energy_mwh = {key: energy.reshape(shape).sum(axis=1) for key, energy in by_minute.items()}
    return SimulatedEnergy(
        interval_s=interval_s,
        start_us=first_us + step_us * np.arange(n, dtype=np.int64),
        energy_mwh=energy_mwh,
        total_mwh=np.sum(list(energy_mwh.values()), axis=0, dtype=np.int64),
        temperature_c=sky.outdoor_c[minutes].reshape(shape).mean(axis=1),
        ev_sessions=_sessions(plugged, by_minute.get("electric_vehicle"), offset, first_us),
    )


def _check(*, start: datetime, end: datetime, interval_s: int, seed: int) -> None:
    errors = {
        name: ["Needs a time zone."]
        for name, moment in (("start", start), ("end", end))
        if moment.utcoffset() is None
    }
    if not errors and end <= start:
        errors["end"] = ["Must be after start."]
    if interval_s < 60 or interval_s % 60 or DAY_S % interval_s:
        errors["interval_s"] = ["Must be whole minutes that divide a day."]
    if seed < 0:
        errors["seed"] = ["Must not be negative."]
    if errors:
        raise RejectedInput(errors)


def _powers(
    household: Household, line: Timeline, sky: Weather, *, seed: int
) -> tuple[dict[str, Floats], list[Plugged]]:
    """Return the power of each minute by appliance key [W] and the car's charges."""
    life = occupancy(household, line, seed=seed)
    powers = {
        "standby": np.full(line.n, household.standby_w),
        "lights": lights_power_w(household, line, life, sky, seed=seed),
        "cooking": cooking_power_w(household, line, life, seed=seed),
        "others": other_power_w(household, line, life, sky, seed=seed),
    }
    if household.fridges:
        powers["fridge"] = fridge_power_w(household, line, life, sky, seed=seed)
    # What boils over, drains away or is dried outdoors heats no room.
    warmth = np.sum(list(powers.values()), axis=0) - 0.4 * powers["cooking"]
    if household.heating is not None:
        powers["heating"] = heating_power_w(household, life, sky, appliances_w=warmth)
    if household.cooling is not None:
        powers["cooling"] = cooling_power_w(household, line, life, sky, appliances_w=warmth)
    if household.has_washing_machine or household.has_dishwasher or household.dryer:
        powers["washing"] = washing_power_w(household, line, sky, seed=seed)
    if household.boiler is not None:
        draws = hot_water_wh(household, line, life, sky, seed=seed)
        powers["boiler"] = boiler_power_w(household.boiler, sky, draws_wh=draws)
    plugged: list[Plugged] = []
    if household.vehicle is not None:
        powers["electric_vehicle"], plugged = vehicle_power_w(household.vehicle, line, life, sky, seed=seed)
    return powers, plugged


def _sessions(plugged: list[Plugged], by_minute: Ints | None, offset: int, first_us: int) -> tuple[EvSession, ...]:
    """Cut charges to the span and give each the energy its minutes hold."""
    if by_minute is None:
        return ()
    sessions = []
    for charge in plugged:
        first, last = max(charge.first - offset, 0), min(charge.last - offset, by_minute.size)
        if first < last:
            sessions.append(
                EvSession(
                    start=from_us(first_us + first * MINUTE_US),
                    end=from_us(first_us + last * MINUTE_US),
                    energy_mwh=int(by_minute[first:last].sum()),
                )
            )
    return tuple(sessions)
