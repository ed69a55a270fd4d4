"""Simulated homes, of which everything is known: they rank designs and prove nothing [syn]."""

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np

from analytics.disaggregation.batch import CLASSES
from benchmarks.disaggregation.homes import LabelledHome, Session
from pipelines.simulators.documents import appliances_of, property_of
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
                property_=property_of(household),
                appliances=appliances_of(household),
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
