"""A household as a row of numbers, NaN where a thing is not known."""

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

import numpy as np
import numpy.typing as npt

from analytics.disaggregation.households import FRIDGE_TYPES, Household

_NAMES = (
    "has_appliance_list",
    "people",
    "home_size_m2",
    "is_home",
    "has_generator",
    "cools",
    "heats_by_ac",
    "heats",
    "heat_pumps",
    "heats_by_boiler",
    "boilers",
    "boiler_tanks",
    "solar_boilers",
    "ovens",
    "stoves",
    "microwaves",
    "kettles",
    "washing_machines",
    "dishwashers",
    "dryers",
    "showers",
    "others",
)

(
    HAS_LIST,
    PEOPLE_KNOWN,
    SIZE_M2,
    IS_HOME,
    HAS_GENERATOR,
    COOLS,
    HEATS_BY_AC,
    HEATS,
    HEAT_PUMPS,
    HEATS_BY_BOILER,
    BOILERS,
    BOILER_TANKS,
    SOLAR_BOILERS,
    OVENS,
    STOVES,
    MICROWAVES,
    KETTLES,
    WASHING_MACHINES,
    DISHWASHERS,
    DRYERS,
    SHOWERS,
    OTHERS_LISTED,
) = range(len(_NAMES))
FRIDGES = len(_NAMES)
N_NUMBERS = FRIDGES + len(FRIDGE_TYPES)

_read = attrgetter(*_NAMES)


def numbers_of(households: Sequence[Household]) -> npt.NDArray[np.float64]:
    """Return the households as rows, shape (h, N_NUMBERS)."""
    rows: list[tuple[Any, ...]] = [(*_read(household), *household.fridges) for household in households]
    return np.array(rows, dtype=np.float64).reshape(-1, N_NUMBERS)
