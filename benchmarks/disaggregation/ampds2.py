"""AMPds2: one house near Vancouver, its meter and 20 channels, two years by the hour."""

from dataclasses import replace
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from benchmarks.disaggregation.files import HOME, HOUR, read, within
from benchmarks.disaggregation.homes import LabelledHome, always_on, appliance


def house() -> list[LabelledHome]:
    """One house near Vancouver, two years by the hour.

    Every channel's always-on part (weekly median of its daily least hour) is standby, also that of the
    heat pump, of its fan and of what no channel measures (a fifth of the house); the fridge keeps all of
    its own. The rest of heat pump and fan is cooling in July and August, and from 11 to 22 h in June and
    September; otherwise heating. The wall oven is cooking, dryer, washer and dishwasher are washing, the
    instant water heater is the boiler. Lights and plugs stay together as the rest. The meter is that of
    the house without its rented suite (WHE); two hours of it are negative and left out.
    """
    rows = read("ampds2_hourly/AMPdsR1_1hr_Wh.csv.gz").filter(pl.col("WHE") >= 0).sort("TimeStamp")
    start_us = rows["TimeStamp"].to_numpy().astype(np.int64) * 1_000_000
    local = pl.from_epoch(rows["TimeStamp"]).dt.replace_time_zone("UTC").dt.convert_time_zone("America/Vancouver")
    month, hour = local.dt.month().to_numpy(), local.dt.hour().to_numpy()
    inside = [name for name in rows.columns if name not in {"TimeStamp", "M_E", "RSE", "WHE"}]
    channels = {name: rows[name].to_numpy().astype(np.float64) for name in inside}
    energy = rows["WHE"].to_numpy().astype(np.float64)
    unmetered = np.maximum(energy - np.sum(list(channels.values()), axis=0), 0.0)
    standby = {name: always_on(start_us, power) for name, power in channels.items() if name != "FGE"}
    above = {name: power - standby.get(name, 0.0) for name, power in channels.items()}
    pump = above["HPE"] + above["FRE"]
    warm = np.isin(month, (7, 8)) | (np.isin(month, (6, 9)) & (hour >= 11) & (hour < 22))
    truth = {
        "boiler": above["HTE"],
        "cooking": above["WOE"],
        "cooling": np.where(warm, pump, 0.0),
        "fridge": above["FGE"],
        "heating": np.where(warm, 0.0, pump),
        "standby": np.sum([*standby.values(), always_on(start_us, unmetered)], axis=0),
        "washing": above["CDE"] + above["CWE"] + above["DWE"],
    }
    return [
        LabelledHome(
            dataset="ampds2",
            name="Burnaby",
            zone=ZoneInfo("America/Vancouver"),
            latitude=49.28,
            longitude=-122.97,
            interval_s=HOUR,
            start_us=start_us,
            energy_wh=energy,
            truth_wh=within(energy, truth),
            labels={label: (label,) for label in truth},
            property_=HOME,
            appliances=[
                appliance("FRIDGE", type="FRIDGE_AND_FREEZER"),
                appliance("WASHING_MACHINE"),
                appliance("TUMBLE_DRYER", type="VENTED", usage_types=["AUTUMN", "SPRING", "SUMMER", "WINTER"]),
                appliance("DISHWASHER"),
                appliance("ELECTRIC_OVEN", type="REGULAR"),
                appliance("ELECTRIC_HEATING", type="HEAT_PUMP"),
                appliance("AC", type="CENTRALISED", usage_type="SUMMER"),
                appliance(
                    "ELECTRIC_BOILER",
                    usage_type="WATER_HEATING",
                    water_tank=False,
                    coupled_with_solar_thermal_system="NO",
                ),
            ],
        )
    ]


def house_with_tap() -> list[LabelledHome]:
    """Return the house near Vancouver with its hot-water tap listed as something else than a boiler.

    The water of the house is heated by gas; the instant unit uses 70 kWh a year. Whoever lists it as an
    electric boiler says more than the meter can bear.
    """
    plain = house()[0]
    assert plain.appliances is not None
    listed = [one for one in plain.appliances if one["key"] != "ELECTRIC_BOILER"]
    tap = appliance("OTHER", name="hot-water tap")
    return [replace(plain, dataset="ampds2-tap", appliances=[*listed, tap])]
