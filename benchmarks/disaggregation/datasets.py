"""The labelled sets as homes, each at every interval it allows. Nothing of them is part of the project."""

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from benchmarks.disaggregation import injected, redd, synthetic
from benchmarks.disaggregation.homes import (
    Floats,
    Ints,
    LabelledHome,
    Session,
    always_on,
    appliance,
    resample,
)

ROOT = Path(__file__).resolve().parents[2]
HOME = {"property_type": "HOME", "home_type": "HOUSE", "home_usage_type": "PRIMARY"}
HOUR = 3600
QUARTER = 900


class Absent(Exception):
    """The set is not on this machine."""


def data_folder() -> Path:
    """Return where the sets lie, whether they are there or not."""
    named = os.environ.get("WATTLOOM_DATA_DIR")
    return Path(named) if named else ROOT.parent / "shared" / "data"


def read(path: str, **options: Any) -> pl.DataFrame:
    file = data_folder() / path
    if not file.exists():
        raise Absent(f"{path} is not on this machine (WATTLOOM_DATA_DIR)")
    return pl.read_csv(file, **options)


def within(energy_wh: Floats, truth_wh: Mapping[str, Floats]) -> dict[str, Floats]:
    """Scale the truths of an interval down to its energy where sub-meters say more than the meter."""
    known = np.sum(list(truth_wh.values()), axis=0)
    scale = np.where(known > energy_wh, energy_wh / np.maximum(known, 1e-12), 1.0)
    return {label: np.maximum(amounts, 0.0) * scale for label, amounts in truth_wh.items()}


def _local_us(stamps: pl.Series, zone: str) -> pl.Series:
    """Return wall-clock stamps as instants [µs]; null where that time never was. A doubled hour is the first."""
    instants = stamps.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    return instants.dt.timestamp("us")


def ampds2() -> list[LabelledHome]:
    """One house near Vancouver, two years by the hour.

    Every channel's always-on part (weekly median of its daily least hour) is standby, also that of the
    heat pump and its fan; the fridge keeps all of its own. The rest of heat pump and fan is cooling in
    July and August, and from 11 to 22 h in June and September; otherwise heating. The wall oven is cooking,
    dryer, washer and dishwasher are washing, the instant water heater is the boiler. Lights and plugs
    stay together as the rest. The meter is that of the house without its rented suite (WHE); two hours of
    it are negative and left out.
    """
    rows = read("ampds2_hourly/AMPdsR1_1hr_Wh.csv.gz").filter(pl.col("WHE") >= 0).sort("TimeStamp")
    start_us = rows["TimeStamp"].to_numpy().astype(np.int64) * 1_000_000
    local = pl.from_epoch(rows["TimeStamp"]).dt.replace_time_zone("UTC").dt.convert_time_zone("America/Vancouver")
    month, hour = local.dt.month().to_numpy(), local.dt.hour().to_numpy()
    inside = [name for name in rows.columns if name not in {"TimeStamp", "M_E", "RSE", "WHE"}]
    channels = {name: rows[name].to_numpy().astype(np.float64) for name in inside}
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
        "standby": np.sum(list(standby.values()), axis=0),
        "washing": above["CDE"] + above["CWE"] + above["DWE"],
    }
    energy = rows["WHE"].to_numpy().astype(np.float64)
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


def pecan661() -> list[LabelledHome]:
    """One home in Austin by the quarter hour, 2018, with its 294 charges; the meter is the whole home's use.

    Stamps are wall-clock: the hour that never was (filled in the file) is left out, the doubled hour is
    there once. What else the home owns is not in the file; its list is what Austin homes of the set have.
    """
    rows = (
        read("pecan_661_ev/661_2018_15min_with_ev.csv.gz", try_parse_dates=True)
        .drop_nulls("grid_kw")
        .with_columns(
            pl.col("local_15min").map_batches(lambda s: _local_us(s, "America/Chicago")).alias("start_us")
        )
        .drop_nulls("start_us")
        .sort("start_us")
    )
    energy = np.maximum(rows["whole_home_kw"].to_numpy() * 250.0, 0.0)
    charges = read("pecan_661_ev/661_sessions.csv", try_parse_dates=True).sort("startTime")
    start, end = (_local_us(charges[name], "America/Chicago") for name in ("startTime", "endTime"))
    measured = np.sort(rows["start_us"].to_numpy())
    sessions = [
        Session(start_us=a, end_us=b, energy_wh=1000.0 * kwh)
        for a, b, kwh in zip(start, end, charges["energy"], strict=True)
        if measured[np.searchsorted(measured, a, side="right") - 1] > a - QUARTER * 1_000_000
    ]
    return [
        LabelledHome(
            dataset="pecan661",
            name="661",
            zone=ZoneInfo("America/Chicago"),
            latitude=30.27,
            longitude=-97.74,
            interval_s=QUARTER,
            start_us=rows["start_us"].to_numpy(),
            energy_wh=energy,
            truth_wh=within(energy, {"electric_vehicle": rows["ev_kw"].to_numpy() * 250.0}),
            labels={"electric_vehicle": ("electric_vehicle",)},
            sessions=tuple(sessions),
            property_=HOME,
            appliances=[
                appliance("ELECTRIC_VEHICLE", type="CAR", wattages=[3300]),
                appliance("AC", type="CENTRALISED", usage_type="SUMMER"),
                appliance("FRIDGE", type="FRIDGE_AND_FREEZER"),
                appliance("WASHING_MACHINE"),
                appliance("TUMBLE_DRYER", type="VENTED", usage_types=["AUTUMN", "SPRING", "SUMMER", "WINTER"]),
                appliance("DISHWASHER"),
                appliance("ELECTRIC_OVEN", type="REGULAR"),
                appliance("ELECTRIC_OVEN", type="MICROWAVE"),
            ],
        )
    ]


UCI_LABELS = {"boiler_cooling": ("boiler", "cooling"), "kitchen_laundry": ("cooking", "fridge", "washing")}
UCI_APPLIANCES = [
    appliance("FRIDGE", type="FRIDGE_AND_FREEZER"),
    appliance("WASHING_MACHINE"),
    appliance("TUMBLE_DRYER", type="I_DONT_KNOW", usage_types=["AUTUMN", "SPRING", "SUMMER", "WINTER"]),
    appliance("DISHWASHER"),
    appliance("ELECTRIC_OVEN", type="REGULAR"),
    appliance("ELECTRIC_OVEN", type="MICROWAVE"),
    appliance(
        "ELECTRIC_BOILER", usage_type="WATER_HEATING", water_tank=True, coupled_with_solar_thermal_system="NO"
    ),
    appliance("AC", type="OTHER", usage_type="SUMMER"),
]


def _uci(dataset: str, rows: pl.DataFrame, interval_s: int) -> list[LabelledHome]:
    """Return the home of Sceaux; the kitchen's dishwasher and the laundry's fridge leave two labels to know."""
    rows = (
        rows.with_columns(pl.col("at").map_batches(lambda s: _local_us(s, "Europe/Paris")).alias("start_us"))
        .drop_nulls()
        .unique("start_us", keep="first")
        .sort("start_us")
    )
    minutes = interval_s / 60
    energy = rows["kw"].to_numpy() * 1000.0 * minutes / 60
    truth = {
        "boiler_cooling": rows["sub3"].to_numpy() * minutes,
        "kitchen_laundry": (rows["sub1"] + rows["sub2"]).to_numpy() * minutes,
    }
    return [
        LabelledHome(
            dataset=dataset,
            name="Sceaux",
            zone=ZoneInfo("Europe/Paris"),
            latitude=48.78,
            longitude=2.29,
            interval_s=interval_s,
            start_us=rows["start_us"].to_numpy(),
            energy_wh=energy,
            truth_wh=within(energy, truth),
            labels=UCI_LABELS,
            property_=HOME,
            appliances=UCI_APPLIANCES,
        )
    ]


_UCI_NAMES = {
    "Global_active_power": "kw",
    "Sub_metering_1": "sub1",
    "Sub_metering_2": "sub2",
    "Sub_metering_3": "sub3",
}


def uci() -> list[LabelledHome]:
    """One house near Paris by the hour, four years; gas hobs, an electric boiler and air conditioning."""
    rows = read("uci_household_power/household_power_consumption_hourly.csv.gz", try_parse_dates=True)
    return _uci("uci", rows.rename(_UCI_NAMES | {"Datetime": "at"}).select("at", *_UCI_NAMES.values()), HOUR)


def uci_minutes() -> list[LabelledHome]:
    """Return the same house by the minute, its first 26 days."""
    file = "uci_household_power/household_power_consumption_1min_first37k.txt.gz"
    rows = read(file, separator=";", infer_schema=False).rename(_UCI_NAMES)
    at = (pl.col("Date") + " " + pl.col("Time")).str.to_datetime("%d/%m/%Y %H:%M:%S", time_unit="us").alias("at")
    numbers = [pl.col(name).str.strip_chars().cast(pl.Float64) for name in _UCI_NAMES.values()]
    return _uci("uci-minutes", rows.select(at, *numbers), 60)


def london() -> list[LabelledHome]:
    """100 homes of London by the half hour, 2013; nothing known of what is inside, and no list."""
    files = sorted((data_folder() / "lcl_100_households_2013").glob("MAC*.csv.gz"))
    if not files:
        raise Absent("lcl_100_households_2013 is not on this machine (WATTLOOM_DATA_DIR)")
    homes = []
    for file in files:
        rows = (
            pl.read_csv(file, infer_schema=False)
            .rename(lambda name: name.strip())
            .select(
                pl.col("tstp").str.to_datetime(strict=False, time_unit="us").dt.timestamp("us").alias("start_us"),
                pl.col("energy(kWh/hh)").str.strip_chars().cast(pl.Float64, strict=False).alias("kwh"),
            )
            .drop_nulls()
            .filter(pl.col("start_us") % (1800 * 1_000_000) == 0)
            .unique("start_us", keep="last")
            .sort("start_us")
        )
        homes.append(
            LabelledHome(
                dataset="london",
                name=file.name.split(".")[0],
                zone=ZoneInfo("Europe/London"),
                latitude=51.51,
                longitude=-0.13,
                interval_s=1800,
                start_us=rows["start_us"].to_numpy(),
                energy_wh=rows["kwh"].to_numpy() * 1000.0,
                truth_wh={},
                labels={},
            )
        )
    return homes


def _redd() -> list[LabelledHome]:
    folder = data_folder() / "redd_lowfreq_3s"
    if not folder.is_dir():
        raise Absent("redd_lowfreq_3s is not on this machine (WATTLOOM_DATA_DIR)")
    return redd.homes(folder)


def _injected() -> list[LabelledHome]:
    file = data_folder() / "norway_ev_sessions" / "Dataset_1_EV_charging_reports.csv.gz"
    if not file.exists():
        raise Absent("norway_ev_sessions is not on this machine (WATTLOOM_DATA_DIR)")
    return injected.homes(london(), file)


Loader = Callable[[], list[LabelledHome]]
DATASETS: dict[str, tuple[Loader, tuple[int, ...]]] = {
    "ampds2": (ampds2, (60,)),
    "pecan661": (pecan661, (15, 30, 60)),
    "redd": (_redd, (1, 15, 30, 60)),
    "uci": (uci, (60,)),
    "uci-minutes": (uci_minutes, (1, 15, 30, 60)),
    "london": (london, (30, 60)),
    "injected": (_injected, (30, 60)),
    "simulated": (synthetic.simulated, (15, 30, 60)),
}
"""Each set's loader and the intervals it allows [min]."""


def load(dataset: str) -> list[LabelledHome]:
    """Return a set's homes at its own interval.

    Raises
    ------
    Absent
        The set is not on this machine.
    """
    return DATASETS[dataset][0]()


def at_rate(homes: Iterable[LabelledHome], minutes: int) -> list[LabelledHome]:
    """Return homes at an interval [min]."""
    return [resample(home, minutes * 60) for home in homes]


__all__ = ["DATASETS", "Absent", "Ints", "ampds2", "at_rate", "data_folder", "load", "london", "pecan661", "uci"]
