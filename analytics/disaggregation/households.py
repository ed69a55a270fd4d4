"""What a household says of itself: the metadata documents as the numbers the stages use.

The documents are those of `/sensors/{id}/metadata/*`, validated before they are stored; here an absent or
odd value falls back to "not known", so that an old document never stops a result.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

FRIDGE_TYPES = (
    "FRIDGE",
    "FREEZER",
    "FRIDGE_AND_FREEZER",
    "SMALL_ELECTRIC_WINE_CELLAR",
    "LARGE_ELECTRIC_WINE_CELLAR",
)
"""Types of cold appliances, in the order of `Household.fridges`."""


@dataclass(frozen=True, kw_only=True)
class Household:
    """One home as far as it is known. `None` is not known; with a list, what is not on it is not owned.

    Parameters
    ----------
    has_appliance_list : bool
        An empty list is a list: nothing of it is owned.
    people, people_in_day_time, bedrooms : int or None
    home_size_m2 : float or None
    is_house, is_secondary, is_home : bool or None
        House rather than flat; secondary rather than primary home; home rather than a business.
    has_generator : bool or None
        Solar panels, a battery or another source.
    fridges : tuple of int, one per `FRIDGE_TYPES`
    ev_wattages_w : tuple of float
        Of each charger; 0 where the list names a vehicle without a usable power.
    cools, heats_by_ac : int
        Air conditioners used in summer, and in winter (reported as heating).
    heats, heat_pumps : int
        Electric heaters of any type, and those of them that are heat pumps.
    heats_by_boiler, boilers, boiler_tanks, solar_boilers : int
        Electric boilers that heat rooms; that heat water; those of the latter with a tank; those coupled
        to solar collectors.
    has_gas_heating : bool
    ovens, stoves, microwaves, kettles : int
    washing_machines, dishwashers, dryers, showers : int
    others : int
        Everything else on the list: pool pumps, jacuzzis, dehumidifiers, own names.
    """

    has_appliance_list: bool = False
    people: int | None = None
    people_in_day_time: int | None = None
    bedrooms: int | None = None
    home_size_m2: float | None = None
    is_house: bool | None = None
    is_secondary: bool | None = None
    is_home: bool | None = None
    has_generator: bool | None = None
    fridges: tuple[int, ...] = (0,) * len(FRIDGE_TYPES)
    ev_wattages_w: tuple[float, ...] = ()
    cools: int = 0
    heats_by_ac: int = 0
    heats: int = 0
    heat_pumps: int = 0
    heats_by_boiler: int = 0
    boilers: int = 0
    boiler_tanks: int = 0
    solar_boilers: int = 0
    has_gas_heating: bool = False
    ovens: int = 0
    stoves: int = 0
    microwaves: int = 0
    kettles: int = 0
    washing_machines: int = 0
    dishwashers: int = 0
    dryers: int = 0
    showers: int = 0
    others: int = 0


_COUNTED = {
    "ELECTRIC_STOVE": "stoves",
    "KETTLE": "kettles",
    "WASHING_MACHINE": "washing_machines",
    "DISHWASHER": "dishwashers",
    "TUMBLE_DRYER": "dryers",
    "ELECTRIC_SHOWER": "showers",
}


def household_of(
    property_: Mapping[str, Any] | None = None, appliances: Sequence[Mapping[str, Any]] | None = None
) -> Household:
    """Return what the documents say; `None` is a document that was never given.

    Parameters
    ----------
    property_ : mapping or None
        The body of `metadata/property`.
    appliances : sequence of mappings or None
        The list in the body of `metadata/appliances`.

    Source: Voltaware HTTP API for smart meters, Metadata.
    """
    known = dict(property_ or {})
    kind, source = known.get("property_type"), known.get("power_generator_source")
    described: dict[str, Any] = {
        "people": _whole(known.get("people_amount")),
        "people_in_day_time": _whole(known.get("people_amount_in_day_time")),
        "bedrooms": _whole(known.get("bedroom_amount")),
        "home_size_m2": _positive(known.get("home_size")),
        "is_house": _is(known.get("home_type"), "HOUSE"),
        "is_secondary": _is(known.get("home_usage_type"), "SECONDARY"),
        "is_home": _is(kind, "HOME"),
        "has_generator": None if source is None else source != "NONE",
    }
    if appliances is None:
        return Household(**described)
    counts: dict[str, Any] = {}
    fridges = [0] * len(FRIDGE_TYPES)
    wattages: list[float] = []
    for appliance in appliances:
        key, amount = appliance.get("key"), _whole(appliance.get("amount")) or 0
        if amount <= 0:
            continue
        if key == "FRIDGE":
            type_ = appliance.get("type")
            fridges[FRIDGE_TYPES.index(type_) if type_ in FRIDGE_TYPES else 0] += amount
        elif key == "ELECTRIC_VEHICLE":
            given = appliance.get("wattages")
            listed = [_positive(watts) or 0.0 for watts in (given if isinstance(given, list) else [])][:amount]
            wattages += listed + [0.0] * (amount - len(listed))
        else:
            for name in _names(str(key), appliance):
                counts[name] = counts.get(name, 0) + amount
    has_gas = counts.pop("has_gas_heating", 0) > 0
    return Household(
        has_appliance_list=True,
        fridges=tuple(fridges),
        ev_wattages_w=tuple(wattages),
        has_gas_heating=has_gas,
        **described,
        **counts,
    )


def _names(key: str, appliance: Mapping[str, Any]) -> list[str]:
    """Return the counts of `Household` that one appliance adds to."""
    usage = appliance.get("usage_type")
    if key in _COUNTED:
        return [_COUNTED[key]]
    if key == "AC":
        return [
            *(["cools"] if usage != "WINTER" else []),
            *(["heats_by_ac"] if usage in {"WINTER", "BOTH"} else []),
        ]
    if key == "ELECTRIC_BOILER":
        names = ["heats_by_boiler"] if usage in {"SPACE_HEATING", "BOTH"} else []
        if usage != "SPACE_HEATING":
            names.append("boilers")
            names += ["boiler_tanks"] if appliance.get("water_tank") is True else []
            names += ["solar_boilers"] if appliance.get("coupled_with_solar_thermal_system") == "YES" else []
        return names
    if key == "ELECTRIC_HEATING":
        return ["heats", *(["heat_pumps"] if appliance.get("type") == "HEAT_PUMP" else [])]
    if key == "GAS_HEATING":
        return ["has_gas_heating", *(["heats"] if appliance.get("any_electric_heater") is True else [])]
    is_microwave = appliance.get("type") == "MICROWAVE"
    return ["microwaves" if is_microwave else "ovens"] if key == "ELECTRIC_OVEN" else ["others"]


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _positive(value: Any) -> float | None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if is_number and 0 < value < float("inf") else None


def _is(value: Any, wanted: str) -> bool | None:
    return None if value is None else value == wanted
