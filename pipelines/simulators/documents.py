"""What the people of a simulated home would say of it: the documents of `metadata/*`, complete and as a body."""

from typing import Any

from pipelines.simulators.homes import Household

Document = dict[str, Any]

_HOUSE_FROM_M2 = 100.0
_M2_PER_BEDROOM = 35.0
_SEASONS = ("AUTUMN", "SPRING", "SUMMER", "WINTER")


def documents_of(household: Household) -> dict[str, Document]:
    """Return the bodies of `property`, `appliances` and `geolocation` by the name of their endpoint.

    Source: Voltaware HTTP API for smart meters, Metadata.
    """
    return {
        "property": property_of(household),
        "appliances": {"appliances": appliances_of(household), "version": "1.0"},
        "geolocation": {"latitude": household.latitude, "longitude": household.longitude},
    }


def property_of(household: Household) -> Document:
    """Return the property of a home; nothing there generates."""
    return {
        "property_type": "HOME",
        "home_type": "HOUSE" if household.floor_area_m2 > _HOUSE_FROM_M2 else "FLAT",
        "home_usage_type": "PRIMARY",
        "home_size": household.floor_area_m2,
        "bedroom_amount": max(1, round(household.floor_area_m2 / _M2_PER_BEDROOM)),
        "power_generator_source": "NONE",
        "people_amount": household.people,
        "people_amount_in_day_time": household.people_in_daytime,
        "people": [{"age_range": "ADULT", "amount": household.people}],
        "version": "1.0",
    }


def appliances_of(household: Household) -> list[Document]:
    """Return the list of what a home owns."""
    listed = [_appliance("FRIDGE", type="FRIDGE_AND_FREEZER", amount=len(household.fridges))]
    if household.has_washing_machine:
        listed.append(_appliance("WASHING_MACHINE"))
    if household.has_dishwasher:
        listed.append(_appliance("DISHWASHER"))
    if household.dryer is not None:
        kind = "HEAT_PUMP" if household.dryer == "heat_pump" else "VENTED"
        listed.append(_appliance("TUMBLE_DRYER", type=kind, usage_types=list(_SEASONS)))
    if household.cooking == "electric":
        listed += [_appliance("ELECTRIC_STOVE", type="ELECTRIC"), _appliance("ELECTRIC_OVEN", type="REGULAR")]
    listed += [_appliance("ELECTRIC_OVEN", type="MICROWAVE"), _appliance("KETTLE")]
    if household.boiler is not None:
        boiler = _appliance("ELECTRIC_BOILER", usage_type="WATER_HEATING", water_tank=True)
        listed.append({**boiler, "coupled_with_solar_thermal_system": "NO"})
    if household.heating is not None:
        kind = "HEAT_PUMP" if household.heating.kind == "heat_pump" else "RADIATOR"
        listed.append(_appliance("ELECTRIC_HEATING", type=kind))
    if household.cooling is not None:
        listed.append(_appliance("AC", type="MINI_SPLIT", usage_type="SUMMER"))
    if household.vehicle is not None:
        listed.append(_appliance("ELECTRIC_VEHICLE", type="CAR", wattages=[int(household.vehicle.charger_w)]))
    return listed


def _appliance(key: str, amount: int = 1, **fields: Any) -> Document:
    return {"key": key, "amount": amount, **fields}
