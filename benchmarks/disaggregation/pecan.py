"""Pecan Street 661: one home in Austin with a vehicle and solar panels, 2018, by the quarter hour."""

from dataclasses import replace
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from benchmarks.disaggregation.files import HOME, QUARTER, local_us, read, within
from benchmarks.disaggregation.homes import LabelledHome, Session, appliance


def home() -> list[LabelledHome]:
    """One home in Austin by the quarter hour, 2018, with its 294 charges; the meter is the whole home's use.

    Stamps are wall-clock: the hour that never was (filled in the file) is left out, the doubled hour is
    there once. What else the home owns is not in the file; its list is what Austin homes of the set have.
    """
    rows = _rows()
    energy = np.maximum(rows["whole_home_kw"].to_numpy() * 250.0, 0.0)
    charges = read("pecan_661_ev/661_sessions.csv", try_parse_dates=True).sort("startTime")
    start, end = (local_us(charges[name], "America/Chicago") for name in ("startTime", "endTime"))
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


def home_at_the_grid() -> list[LabelledHome]:
    """Return the same home as a meter at the grid sees it: what its solar panels leave to buy.

    Charging by day is in part hidden behind the panels; its truth is what of it was bought at most.
    """
    whole = home()[0]
    rows = _rows()
    energy = np.maximum(rows["grid_kw"].to_numpy() * 250.0, 0.0)
    vehicle = np.minimum(whole.truth_wh["electric_vehicle"], energy)
    sun = {**HOME, "power_generator_source": "SOLAR"}
    truth = {"electric_vehicle": vehicle}
    return [replace(whole, dataset="pecan661-grid", energy_wh=energy, truth_wh=truth, property_=sun)]


def _rows() -> pl.DataFrame:
    return (
        read("pecan_661_ev/661_2018_15min_with_ev.csv.gz", try_parse_dates=True)
        .drop_nulls("grid_kw")
        .with_columns(
            pl.col("local_15min").map_batches(lambda s: local_us(s, "America/Chicago")).alias("start_us")
        )
        .drop_nulls("start_us")
        .sort("start_us")
    )
