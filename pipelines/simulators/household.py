"""A physically plausible household: the energy of every appliance, interval by interval, from a seed.

It has no effects: the same home, span and seed always give the same energy. A minute's energy does not
depend on the interval asked for, and a longer span begins with the shorter one.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from analytics.calendar import SECOND_US, UtcRange, expected_intervals, from_us, local_date_of
from pipelines.errors import RejectedInput
from pipelines.simulators.background import fridge_power_w, lights_power_w, other_power_w
from pipelines.simulators.chores import cooking_power_w, hot_water_wh, washing_power_w
from pipelines.simulators.climate import weather
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
MAX_DIGITS = 15
WARM_UP_DAYS = 10
"""Days simulated before the start, so that rooms, tanks and batteries are as usual."""
MWH_PER_W_MIN = 1000 / 60


@dataclass(frozen=True, kw_only=True)
class EvSession:
    """One charge of the car, `[start, end)` in UTC, and the part of its energy that is in the span [mWh]."""

    start: datetime
    end: datetime
    energy_mwh: int


@dataclass(frozen=True, kw_only=True, eq=False)
class SimulatedEnergy:
    """What a home's meter and, inside it, each appliance measured.

    Parameters
    ----------
    interval_s : int, [s]
    start_us : ndarray of int64, shape (n,), [µs since the epoch, UTC]
        Starts of consecutive intervals, each a whole number of intervals from the epoch.
    energy_mwh : dict of str to ndarray of int64, shape (n,), [milliwatt-hours]
        Per appliance key of the contract (3.7), only what the home has; never negative.
    total_mwh : ndarray of int64, shape (n,), [milliwatt-hours]
        Their exact sum.
    temperature_c : ndarray of float64, shape (n,), [°C]
        Mean outdoor temperature.
    ev_sessions : tuple of EvSession
        In order, without overlap, cut to the span; their sum is that of `electric_vehicle`.
    """

    interval_s: int
    start_us: Ints
    energy_mwh: dict[str, Ints]
    total_mwh: Ints
    temperature_c: Floats
    ev_sessions: tuple[EvSession, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class RegisterReadings:
    """The readings of a cumulative register, one per edge of the intervals.

    Parameters
    ----------
    time_us : ndarray of int64, shape (n + 1,), [µs since the epoch, UTC]
    register_wh : ndarray of int64, shape (n + 1,), [Wh]
        Whole watt-hours shown; after all nines comes zero.
    """

    time_us: Ints
    register_wh: Ints


def simulate(
    household: Household, *, start: datetime, end: datetime, interval_s: int, seed: int
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
    seed : int
        Not negative.

    Raises
    ------
    RejectedInput
        The span is naive, empty or holds no start of an interval, or the interval or seed is not as said.
    """
    _check(start=start, end=end, interval_s=interval_s, seed=seed)
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
    powers_w, outdoor_c, plugged = _powers(household, line, seed=seed)
    offset = (first_us - line.start_us) // MINUTE_US
    minutes = slice(offset, offset + n * (interval_s // 60))
    shape = (n, interval_s // 60)
    by_minute = {
        key: np.rint(power[minutes] * MWH_PER_W_MIN).astype(np.int64) for key, power in powers_w.items()
    }
    energy_mwh = {key: energy.reshape(shape).sum(axis=1) for key, energy in by_minute.items()}
    return SimulatedEnergy(
        interval_s=interval_s,
        start_us=first_us + step_us * np.arange(n, dtype=np.int64),
        energy_mwh=energy_mwh,
        total_mwh=np.sum(list(energy_mwh.values()), axis=0, dtype=np.int64),
        temperature_c=outdoor_c[minutes].reshape(shape).mean(axis=1),
        ev_sessions=_sessions(plugged, by_minute.get("electric_vehicle"), offset, first_us),
    )


def register_readings(simulated: SimulatedEnergy, *, initial_wh: int, digits: int) -> RegisterReadings:
    """Return the register a meter of so many digits would show at every edge of the intervals.

    It counts whole watt-hours and keeps the rest inside, so differences telescope: any two readings
    differ by the energy between them within 1 Wh, modulo `10**digits`.

    Raises
    ------
    RejectedInput
        There are not 1 to 15 digits, or the initial reading does not fit them.
    """
    if not 1 <= digits <= MAX_DIGITS:
        raise RejectedInput({"digits": [f"Must be from 1 to {MAX_DIGITS}."]})
    if not 0 <= initial_wh < 10**digits:
        raise RejectedInput({"initial_wh": [f"Must fit {digits} digits and not be negative."]})
    counted_mwh = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(simulated.total_mwh)])
    step_us = simulated.interval_s * SECOND_US
    return RegisterReadings(
        time_us=simulated.start_us[0] + step_us * np.arange(counted_mwh.size, dtype=np.int64),
        register_wh=(initial_wh + counted_mwh // 1000) % 10**digits,
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
    household: Household, line: Timeline, *, seed: int
) -> tuple[dict[str, Floats], Floats, list[Plugged]]:
    """Return the power of each minute by appliance key [W], the temperature [°C] and the car's charges."""
    sky = weather(line, latitude=household.latitude, longitude=household.longitude, seed=seed)
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
    return powers, sky.outdoor_c, plugged


def _sessions(
    plugged: list[Plugged], by_minute: Ints | None, offset: int, first_us: int
) -> tuple[EvSession, ...]:
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
