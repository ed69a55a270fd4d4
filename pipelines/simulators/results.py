"""What a simulation gives: energy by appliance, charges of the car, and the register a meter would show."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np

from analytics.calendar import SECOND_US
from pipelines.errors import RejectedInput
from pipelines.simulators.timeline import Floats, Ints

MAX_DIGITS = 15


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
