"""Simulated homes, of which everything is known: they rank designs and prove nothing [syn]."""

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np

from analytics.disaggregation.batch import CLASSES
from benchmarks.disaggregation.homes import LabelledHome, Session, appliance
from pipelines.simulators.homes import (
    KOLKATA_HOME,
    LONDON_FLAT,
    STOCKHOLM_HOUSE,
    ElectricVehicle,
    Heating,
    Household,
)
from pipelines.simulators.household import simulate

HOMES: dict[str, Household] = {
    "London flat": LONDON_FLAT,
    "Stockholm house": STOCKHOLM_HOUSE,
    "Kolkata home": KOLKATA_HOME,
    "London flat with a car at 3.7 kW": replace(
        LONDON_FLAT, vehicle=ElectricVehicle(charger_w=3700.0, km_per_day=30.0)
    ),
    "Stockholm flat with radiators": replace(
        STOCKHOLM_HOUSE,
        people=2,
        floor_area_m2=70.0,
        loss_w_per_k=90.0,
        heating=Heating(kind="resistive", electric_w=5000.0),
        vehicle=None,
        lights_w=120.0,
    ),
}
YEAR = 2023


def simulated(interval_s: int = 900, *, months: int = 12) -> list[LabelledHome]:
    """Return the simulated homes over the months of one year."""
    start, end = datetime(YEAR, 1, 1, tzinfo=UTC), datetime(YEAR + months // 12, months % 12 + 1, 1, tzinfo=UTC)
    homes = []
    for seed, (name, household) in enumerate(HOMES.items(), start=11):
        made = simulate(household, start=start, end=end, interval_s=interval_s, seed=seed)
        none = np.zeros(made.start_us.size)
        homes.append(
            LabelledHome(
                dataset="simulated",
                name=name,
                zone=ZoneInfo(household.zone),
                latitude=household.latitude,
                longitude=household.longitude,
                interval_s=interval_s,
                start_us=made.start_us,
                energy_wh=made.total_mwh / 1000.0,
                truth_wh={
                    key: made.energy_mwh[key] / 1000.0 if key in made.energy_mwh else none for key in CLASSES
                },
                labels={key: (key,) for key in CLASSES},
                property_=_property(household),
                appliances=_appliances(household),
                sessions=tuple(
                    Session(
                        start_us=charge.start.timestamp() * 1e6,
                        end_us=charge.end.timestamp() * 1e6,
                        energy_wh=charge.energy_mwh / 1000.0,
                    )
                    for charge in made.ev_sessions
                ),
                celsius=made.temperature_c,
            )
        )
    return homes


def _property(household: Household) -> dict[str, object]:
    return {
        "property_type": "HOME",
        "home_usage_type": "PRIMARY",
        "home_type": "HOUSE" if household.floor_area_m2 > 100 else "FLAT",
        "people_amount": household.people,
        "people_amount_in_day_time": household.people_in_daytime,
        "home_size": household.floor_area_m2,
        "power_generator_source": "NONE",
    }


def _appliances(household: Household) -> list[dict[str, object]]:
    """Return the list the people of a simulated home would give."""
    listed = [appliance("FRIDGE", type="FRIDGE_AND_FREEZER", amount=len(household.fridges))]
    if household.has_washing_machine:
        listed.append(appliance("WASHING_MACHINE"))
    if household.has_dishwasher:
        listed.append(appliance("DISHWASHER"))
    if household.dryer is not None:
        kind = "HEAT_PUMP" if household.dryer == "heat_pump" else "VENTED"
        seasons = ["AUTUMN", "SPRING", "SUMMER", "WINTER"]
        listed.append(appliance("TUMBLE_DRYER", type=kind, usage_types=seasons))
    if household.cooking == "electric":
        listed += [appliance("ELECTRIC_STOVE", type="ELECTRIC"), appliance("ELECTRIC_OVEN", type="REGULAR")]
    listed += [appliance("ELECTRIC_OVEN", type="MICROWAVE"), appliance("KETTLE")]
    if household.boiler is not None:
        boiler = {"water_tank": True, "coupled_with_solar_thermal_system": "NO"}
        listed.append(appliance("ELECTRIC_BOILER", usage_type="WATER_HEATING", **boiler))
    if household.heating is not None:
        kind = "HEAT_PUMP" if household.heating.kind == "heat_pump" else "RADIATOR"
        listed.append(appliance("ELECTRIC_HEATING", type=kind))
    if household.cooling is not None:
        listed.append(appliance("AC", type="MINI_SPLIT", usage_type="SUMMER"))
    if household.vehicle is not None:
        listed.append(appliance("ELECTRIC_VEHICLE", type="CAR", wattages=[int(household.vehicle.charger_w)]))
    return listed
