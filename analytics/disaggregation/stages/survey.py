"""What a survey expects of such a home: energy per class and month, before anything is measured.

    mean_k = days kWh_k(people, size, what is owned), times (total / sum of means) ** SCALE_SHARE_k

Heating and cooling have no mean here: degree-days and the regression give them (see `thermal`).
"""

from typing import Any

import numpy as np

from analytics.disaggregation.classes import BOILER, COOKING, FRIDGE, LIGHTS, OTHERS, WASHING
from analytics.disaggregation.priors import (
    BOILER_KWH_PER_PERSON,
    BOILER_LOSS_KWH,
    BOILER_SOLAR_SHARE,
    BOILER_WITHOUT_TANK,
    COOKING_KWH_PER_DAY,
    COOKING_KWH_PER_DAY_NO_LIST,
    FRIDGE_KWH_PER_DAY,
    FRIDGE_KWH_PER_DAY_NO_LIST,
    FRIDGE_PER_K,
    FRIDGE_REFERENCE_C,
    HOME_M2,
    LIGHTS_CAP_KWH_PER_M2,
    LIGHTS_KWH_PER_DARK_H,
    OTHERS_KWH_PER_DAY,
    OTHERS_LISTED_KWH,
    PEOPLE,
    SHOWER_KWH_PER_PERSON,
    WASHING_KWH_PER_DAY,
    WASHING_OWNED,
)
from analytics.disaggregation.stages import compiled
from analytics.disaggregation.stages.home import (
    BOILER_TANKS,
    BOILERS,
    DISHWASHERS,
    DRYERS,
    FRIDGES,
    HAS_LIST,
    KETTLES,
    MICROWAVES,
    OTHERS_LISTED,
    OVENS,
    PEOPLE_KNOWN,
    SHOWERS,
    SIZE_M2,
    SOLAR_BOILERS,
    STOVES,
    WASHING_MACHINES,
)


@compiled
def people_of(home: Any) -> Any:
    """Return how many live there, the mean household's where it is not known."""
    return min(max(home[PEOPLE_KNOWN], 1.0), 12.0) if home[PEOPLE_KNOWN] >= 0 else PEOPLE


@compiled
def size_of(home: Any) -> Any:
    """Return how large a home is in terms of the usual one, damped and bounded."""
    return min(max(home[SIZE_M2] / HOME_M2, 0.2), 10.0) if home[SIZE_M2] > 0 else 1.0


@compiled
def fridge_kwh(home: Any, celsius: Any) -> Any:
    """Return what the cold appliances use a day [kWh] at an outdoor temperature."""
    kwh = FRIDGE_KWH_PER_DAY_NO_LIST
    if home[HAS_LIST] > 0:
        kwh = 0.0
        for type_ in range(len(FRIDGE_KWH_PER_DAY)):
            kwh += min(home[FRIDGES + type_], 20.0) * FRIDGE_KWH_PER_DAY[type_]
    return kwh * min(max(1.0 + FRIDGE_PER_K * (celsius - FRIDGE_REFERENCE_C), 0.6), 1.5)


@compiled
def washing_kwh(home: Any, crowd: Any) -> Any:
    """Return what washing takes a day [kWh]."""
    owned_machine, owned_dishes, owned_dryer = WASHING_OWNED
    if home[HAS_LIST] > 0:
        owned_machine = min(home[WASHING_MACHINES], 2.0)
        owned_dishes = min(home[DISHWASHERS], 2.0)
        owned_dryer = min(home[DRYERS], 2.0)
    machine, dishes, dryer = WASHING_KWH_PER_DAY
    return crowd * (machine * owned_machine + dishes * owned_dishes + dryer * owned_dryer)


@compiled
def cooking_kwh(home: Any, crowd: Any) -> Any:
    """Return what cooking takes a day [kWh]."""
    if home[HAS_LIST] == 0:
        return crowd * COOKING_KWH_PER_DAY_NO_LIST
    stove, oven, microwave, kettle = COOKING_KWH_PER_DAY
    return crowd * (
        stove * min(home[STOVES], 1.0)
        + oven * min(home[OVENS], 1.0)
        + microwave * min(home[MICROWAVES], 1.0)
        + kettle * min(home[KETTLES], 1.0)
    )


@compiled
def boiler_kwh(home: Any) -> Any:
    """Return what electric hot water takes a day [kWh], 0 where the list has no boiler or there is none."""
    if home[HAS_LIST] == 0:
        return 0.0
    kwh = 0.0
    people = people_of(home)
    if home[BOILERS] > 0:
        kwh = BOILER_KWH_PER_PERSON * people
        kwh = kwh + BOILER_LOSS_KWH if home[BOILER_TANKS] > 0 else kwh * BOILER_WITHOUT_TANK
        if home[SOLAR_BOILERS] > 0:
            kwh *= BOILER_SOLAR_SHARE
    return kwh


@compiled
def expect(home: Any, days: Any, celsius: Any, dark_h: Any, mean_wh: Any) -> None:
    """Fill the expected energy of a month per class [Wh], 0 for those that stages of their own know.

    Parameters
    ----------
    home : ndarray of float64, shape (N_NUMBERS,)
    days : float
        Validly measured, in days.
    celsius : float, [°C]
    dark_h : float, [h]
        Dark waking hours of a mean day.
    mean_wh : ndarray of float64, shape (N_CLASSES,), [Wh]
    """
    mean_wh[:] = 0.0
    crowd, size = np.sqrt(people_of(home) / PEOPLE), np.sqrt(size_of(home))
    wh = 1000.0 * days
    mean_wh[FRIDGE] = wh * fridge_kwh(home, celsius)
    mean_wh[WASHING] = wh * washing_kwh(home, crowd)
    mean_wh[COOKING] = wh * cooking_kwh(home, crowd)
    mean_wh[BOILER] = wh * boiler_kwh(home)
    lights = min(LIGHTS_KWH_PER_DARK_H * dark_h * size, LIGHTS_CAP_KWH_PER_M2 * HOME_M2 * size_of(home))
    mean_wh[LIGHTS] = wh * lights
    others = OTHERS_KWH_PER_DAY * crowd + OTHERS_LISTED_KWH * min(home[OTHERS_LISTED], 10.0)
    if home[SHOWERS] > 0:
        others += SHOWER_KWH_PER_PERSON * people_of(home)
    mean_wh[OTHERS] = wh * others
