"""London homes with the charges of Norwegian cars laid into them: homes without a vehicle made ones with it.

The charges' times and energies are measured (Trondheim, 2019), the power is not in the set: a car charges
at one of the usual powers from the moment it is plugged in until it has its energy. Dates move back by
2,184 days (312 weeks), so that weekdays and seasons stay; 2019 becomes 2013.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from benchmarks.disaggregation.homes import LabelledHome, Session, appliance

SHIFT_US = 2184 * 86_400 * 1_000_000
POWERS_W = (3600.0, 7200.0, 2300.0, 3600.0, 7200.0, 5500.0)
LEAST_KWH, MOST_KWH = 1.0, 60.0
LEAST_CHARGES = 60
"""Of a user whose car is laid into a home."""
OTHERS_OWN = [
    appliance("FRIDGE", type="FRIDGE_AND_FREEZER"),
    appliance("WASHING_MACHINE"),
    appliance("ELECTRIC_OVEN", type="REGULAR"),
    appliance("ELECTRIC_OVEN", type="MICROWAVE"),
    appliance("ELECTRIC_STOVE", type="ELECTRIC"),
    appliance("KETTLE"),
    appliance("TUMBLE_DRYER", type="I_DONT_KNOW", usage_types=["WINTER"]),
    appliance("DISHWASHER"),
]


def users(file: Path) -> list[pl.DataFrame]:
    """Return the charges of each private user with enough of them, in order of the user's name."""
    rows = (
        pl.read_csv(file, separator=";", infer_schema=False)
        .filter(pl.col("User_type") == "Private")
        .with_columns(
            pl.col("Start_plugin").str.to_datetime("%d.%m.%Y %H:%M", time_unit="us", strict=False).alias("start"),
            pl.col("End_plugout").str.to_datetime("%d.%m.%Y %H:%M", time_unit="us", strict=False).alias("end"),
            pl.col("El_kWh").str.replace(",", ".").cast(pl.Float64, strict=False).alias("kwh"),
        )
        .drop_nulls(["start", "end", "kwh"])
        .filter(pl.col("kwh").is_between(LEAST_KWH, MOST_KWH))
        .sort("start")
    )
    own = [group for _, group in sorted(rows.group_by("User_ID"), key=lambda one: str(one[0]))]
    return [group for group in own if group.height >= LEAST_CHARGES]


def charges_of(user: pl.DataFrame, power_w: float, zone: ZoneInfo) -> list[Session]:
    """Return a user's charges at a power, one after another; one still charging delays the next."""
    start_us = user["start"].dt.replace_time_zone(str(zone), ambiguous="earliest", non_existent="null")
    sessions: list[Session] = []
    free_us = 0.0
    for start, kwh in zip(start_us.dt.timestamp("us"), user["kwh"], strict=True):
        if start is None or start - SHIFT_US < free_us:
            continue
        begin = float(start - SHIFT_US)
        end = begin + kwh * 1000.0 / power_w * 3600e6
        sessions.append(Session(start_us=begin, end_us=end, energy_wh=kwh * 1000.0))
        free_us = end + 1800e6
    return sessions


def inject(home: LabelledHome, sessions: Sequence[Session], power_w: float) -> LabelledHome:
    """Return the home with the charges in its energy; charges that touch a gap of the meter are left out."""
    step_us = home.interval_s * 1_000_000
    vehicle = np.zeros(home.start_us.size)
    kept = []
    for one in sessions:
        first = int(np.searchsorted(home.start_us, one.start_us, side="right")) - 1
        last = int(np.searchsorted(home.start_us, one.end_us, side="left"))
        starts = home.start_us[max(first, 0) : last]
        is_whole = first >= 0 and starts.size and starts.size == (starts[-1] - starts[0]) // step_us + 1
        if not is_whole or one.start_us >= starts[0] + step_us or one.end_us > starts[-1] + step_us:
            continue
        overlap = np.minimum(starts + step_us, one.end_us) - np.maximum(starts, one.start_us)
        vehicle[first:last] += power_w * overlap / 3600e6
        kept.append(one)
    return replace(
        home,
        dataset="injected",
        energy_wh=home.energy_wh + vehicle,
        truth_wh={"electric_vehicle": vehicle},
        labels={"electric_vehicle": ("electric_vehicle",)},
        sessions=tuple(kept),
        property_={"property_type": "HOME"},
        appliances=[*OTHERS_OWN, appliance("ELECTRIC_VEHICLE", type="CAR", wattages=[int(power_w)])],
    )


def homes(london: Sequence[LabelledHome], file: Path) -> list[LabelledHome]:
    """Return a home for every user, with the powers in turn."""
    made = []
    for n, (home, user) in enumerate(zip(london, users(file), strict=False)):
        power = POWERS_W[n % len(POWERS_W)]
        made.append(inject(home, charges_of(user, power, home.zone), power))
    return made
