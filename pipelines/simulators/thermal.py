"""Rooms and tanks: heat that leaks away and thermostats that bring it back, minute by minute."""

from dataclasses import dataclass

import numpy as np

from pipelines.simulators.climate import Weather
from pipelines.simulators.homes import Boiler, Household
from pipelines.simulators.occupancy import Occupancy
from pipelines.simulators.timeline import DAY_MIN, Floats, Timeline

CAPACITY_WH_PER_K_M2 = 45.8
"""Heat capacity of a medium building, 165 kJ/(m2 K) of floor (EN ISO 13790:2008, table 12)."""
PERSON_W = 75.0
"""Sensible heat of a person at rest or at light work: own round figure."""
SUN_APERTURE = 0.02
"""Window area that lets the sun in per floor area, shaded and seen at a slant: own choice."""
WINDOWS_OPEN_C = 25.0
NEVER_C = 99.0
SINK_C = 38.0
"""Water in floor and large radiators."""
COLD_WATER_C = 10.0
REAL_SHARE = 0.85
"""Of the efficiency on a test bench; both after Ruhnau et al. 2019, doi:10.1038/s41597-019-0199-y."""
MIN_LIFT_K = 15.0
MIN_MODULATION = 0.25
TANK_C = 60.0
TANK_BAND_K = 6.0


@dataclass(frozen=True, kw_only=True)
class Zone:
    """A room of one temperature: what it loses and what it holds [W/K], [Wh/K]."""

    loss_w_per_k: float
    capacity_wh_per_k: float


def heating_power_w(household: Household, life: Occupancy, weather: Weather, *, appliances_w: Floats) -> Floats:
    """Return the electric power of space heating [W]; the sun, people and other appliances help.

    Parameters
    ----------
    appliances_w : ndarray of float64, shape (n,), [W]
        Electric power that ends as heat in the rooms.
    """
    heating = household.heating
    if heating is None:
        return np.zeros_like(appliances_w)
    zone = _zone(household, share=1.0)
    target = np.where(life.awake, heating.setpoint_c, heating.setpoint_c - heating.setback_k)
    if heating.kind == "heat_pump":
        lift_k = np.maximum(SINK_C - weather.outdoor_c, MIN_LIFT_K)
        cop = REAL_SHARE * (6.08 - 0.09 * lift_k + 0.0005 * lift_k**2)
        floor = MIN_MODULATION
    else:
        cop, floor = np.ones_like(appliances_w), 1.0
    level = thermostat(
        zone,
        outdoor_c=weather.outdoor_c,
        gains_w=_gains_w(household, life, weather, appliances_w, share=1.0),
        target_c=target,
        full_w=heating.electric_w * cop,
        least=floor,
        vent_c=WINDOWS_OPEN_C,
    )
    return heating.electric_w * level


def cooling_power_w(
    household: Household, line: Timeline, life: Occupancy, weather: Weather, *, appliances_w: Floats
) -> Floats:
    """Return the electric power of air conditioning [W]; it runs in its hours with someone at home."""
    unit = household.cooling
    if unit is None:
        return np.zeros_like(appliances_w)
    first, last = unit.usage_hours
    hours_on = (last - first) % 24 or 24
    is_used = ((line.wall_min - first * 60) % DAY_MIN < hours_on * 60) & (life.at_home > 0)
    # Cooling is heating with every sign turned.
    level = thermostat(
        _zone(household, share=unit.room_share),
        outdoor_c=-weather.outdoor_c,
        gains_w=-_gains_w(household, life, weather, appliances_w, share=unit.room_share),
        target_c=np.where(is_used, -unit.setpoint_c, -NEVER_C),
        full_w=np.full_like(appliances_w, unit.electric_w * unit.efficiency),
        least=1.0,
        vent_c=NEVER_C,
    )
    return unit.electric_w * level


def thermostat(
    zone: Zone,
    *,
    outdoor_c: Floats,
    gains_w: Floats,
    target_c: Floats,
    full_w: Floats,
    least: float,
    vent_c: float,
    band_k: float = 0.3,
) -> Floats:
    """Return the part of full power in each minute that keeps a first-order room near its target.

    Parameters
    ----------
    least : float
        Smallest part while on; 1 is a plain switch.
    vent_c : float, [°C]
        Windows keep the room at or below this, or at the outdoor temperature where that is higher.
    band_k : float, [K]
        It goes on this much below the target and off this much above.

    Returns
    -------
    ndarray of float64, shape (n,)
        0 or from `least` to 1.
    """
    minute_h = 1 / 60 / zone.capacity_wh_per_k
    loss, room, is_on = zone.loss_w_per_k, float(target_c[0]), False
    if room <= -NEVER_C:
        room = float(outdoor_c[0])
    levels = []
    for outdoor, gain, target, full in zip(
        outdoor_c.tolist(), gains_w.tolist(), target_c.tolist(), full_w.tolist(), strict=True
    ):
        short = target - room
        is_on = short > -band_k if is_on else short > band_k
        level = 0.0
        if is_on:
            level = min(1.0, max(least, (short + band_k) / (2 * band_k)))
        levels.append(level)
        room += (loss * (outdoor - room) + gain + full * level) * minute_h
        if room > vent_c:
            room = max(vent_c, min(room, outdoor))
    return np.array(levels)


def boiler_power_w(boiler: Boiler, weather: Weather, *, draws_wh: Floats) -> Floats:
    """Return the power of a tank's element [W]; it goes on when the tank is 6 K short, off when it is full.

    Standing loss: 20 W and 0.15 W per litre, 1.4 kWh a day at 250 l (0.5-1.5 kWh
    are usual).
    """
    is_used = np.ones(draws_wh.size, dtype=np.bool_)
    if boiler.off_above_c is not None:
        is_used = weather.day_c <= boiler.off_above_c
    loss_wh = (20.0 + 0.15 * boiler.tank_litres) / 60
    band_wh = boiler.tank_litres * 1.163 * TANK_BAND_K
    empty_wh = boiler.tank_litres * 1.163 * (TANK_C - COLD_WATER_C)
    full_wh, short_wh, is_on = boiler.element_w / 60, 0.0, False
    power = []
    for draw, used in zip(draws_wh.tolist(), is_used.tolist(), strict=True):
        # An empty tank gives cold water, so it cannot fall further behind.
        short_wh = min(short_wh + draw + loss_wh, empty_wh) if used else 0.0
        is_on = is_on or short_wh > band_wh
        heat = min(full_wh, short_wh) if is_on else 0.0
        short_wh -= heat
        is_on = is_on and short_wh > 0.0
        power.append(heat * 60)
    return np.array(power)


def _zone(household: Household, *, share: float) -> Zone:
    return Zone(
        loss_w_per_k=household.loss_w_per_k * share,
        capacity_wh_per_k=CAPACITY_WH_PER_K_M2 * household.floor_area_m2 * share,
    )


def _gains_w(
    household: Household, life: Occupancy, weather: Weather, appliances_w: Floats, *, share: float
) -> Floats:
    sun = SUN_APERTURE * household.floor_area_m2 * weather.sunshine_w_m2
    return np.asarray((sun + PERSON_W * life.at_home + appliances_w) * share)
