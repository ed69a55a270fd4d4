"""Heating and cooling of a sample meter of OpenEEmeter whose yearly loads are stated: Springfield, Illinois.

The meter is de-identified and partly made up: its day has no shape, so it says something of seasons and
degree-days and nothing of hours. Stated are 4,000 kWh a year of each load before the end of 2016 and 3,600
after, beside a base of 2,000 and 1,800; a regression of its days on the stated balance points finds others,
which is shown beside.

Homes of London gave no list and have no temperatures here. Most heat by gas, so the share of them that is said to
heat is shown too: it should be small, and is not 0, since some do heat by electricity.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from analytics.disaggregation.batch import CLASSES
from benchmarks.disaggregation.baselines import month_numbers
from benchmarks.disaggregation.files import HOME, HOUR, read
from benchmarks.disaggregation.homes import LabelledHome, appliance
from benchmarks.disaggregation.months import EPOCH_DAY, Found, ordinal, wattloom
from benchmarks.disaggregation.splits import part_of

LATITUDE, LONGITUDE, ZONE = 39.85, -89.68, ZoneInfo("America/Chicago")
HEATING_BALANCE_F, COOLING_BALANCE_F = 60.0, 65.0
YEAR = 2017
STATED_KWH = {"heating": 3600.0, "cooling": 3600.0}
HEATING = CLASSES.index("heating")
MIN_SHARE = 0.01
"""Of a month's energy, from which on a home is said to heat."""
HEATERS_HEAD = (
    "set",
    "part",
    "homes",
    "that heat",
    "home-months",
    "with heating",
    "heating's share of the energy",
)
HEAD = ("the model knows", "heating, kWh in 2017", "cooling, kWh in 2017", "everything else")


def sample() -> LabelledHome:
    """Return the home by the hour with its temperatures."""
    folder = "eemeter_samples/il-electricity-cdd-hdd"
    meter = read(f"{folder}-hourly.csv.gz", try_parse_dates=True)
    air = read(f"{folder}-tempF.csv.gz", try_parse_dates=True).rename({"dt": "start"})
    rows = meter.join(air, on="start").drop_nulls().with_columns(pl.col("start").dt.timestamp("us")).sort("start")
    return LabelledHome(
        dataset="eemeter",
        name="Springfield",
        zone=ZONE,
        latitude=LATITUDE,
        longitude=LONGITUDE,
        interval_s=HOUR,
        start_us=rows["start"].to_numpy(),
        energy_wh=rows["value"].to_numpy() * 1000.0,
        truth_wh={},
        labels={},
        property_=HOME,
        appliances=[
            appliance("ELECTRIC_HEATING", type="RADIATOR"),
            appliance("AC", type="CENTRALISED", usage_type="SUMMER"),
            appliance("FRIDGE", type="FRIDGE_AND_FREEZER"),
        ],
        celsius=(rows["tempF"].to_numpy() - 32.0) / 1.8,
    )


def regression_kwh(home: LabelledHome) -> dict[str, float]:
    """Return the year's loads by least squares of its days on the stated balance points."""
    assert home.celsius is not None
    day = ordinal(home.first_day()) + np.arange(home.n_days())
    used = home.by_day(home.energy_wh) / 1000.0
    fahrenheit = home.by_day(home.celsius) / np.maximum(home.by_day(np.ones(home.start_us.size)), 1) * 1.8 + 32.0
    inside = (day >= ordinal(date(YEAR, 1, 1))) & (day < ordinal(date(YEAR + 1, 1, 1)))
    cold, hot = np.maximum(HEATING_BALANCE_F - fahrenheit, 0), np.maximum(fahrenheit - COOLING_BALANCE_F, 0)
    design = np.column_stack((np.ones(inside.sum()), cold[inside], hot[inside]))
    slopes = np.linalg.lstsq(design, used[inside], rcond=None)[0]
    return {"heating": float((slopes[1] * cold[inside]).sum()), "cooling": float((slopes[2] * hot[inside]).sum())}


def rows() -> list[list[str]]:
    """Return the table: what the model finds, and what it should."""
    home = sample()
    cases = {
        "list and temperatures": home,
        "list, climate normal": replace(home, celsius=None),
        "temperatures, no list": home.without_list(),
    }
    table = [_row(name, wattloom([case])[0]) for name, case in cases.items()]
    fitted = regression_kwh(home)
    table.append(["regression on the stated balance points", *(f"{fitted[name]:,.0f}" for name in STATED_KWH), ""])
    table.append(["stated", *(f"{kwh:,.0f}" for kwh in STATED_KWH.values()), "1,800"])
    return table


def _row(name: str, found: Found) -> list[str]:
    inside = (found.day >= ordinal(date(YEAR, 1, 1))) & (found.day < ordinal(date(YEAR + 1, 1, 1)))
    kwh = found.parts_wh[inside].sum(axis=0) / 1000.0
    thermal = [float(kwh[CLASSES.index(label)]) for label in STATED_KWH]
    return [name, *(f"{value:,.0f}" for value in thermal), f"{kwh.sum() - sum(thermal):,.0f}"]


def heaters_rows(dataset: str, homes: Sequence[LabelledHome], parts: Sequence[str]) -> list[list[str]]:
    """Return how many homes and home-months are said to heat that gave no list, a line for each part."""
    found = wattloom([home.without_list() for home in homes])
    rows = []
    for part in parts:
        n_homes, n_heat, n_months, n_heated, heat_wh, total_wh = 0, 0, 0, 0, 0.0, 0.0
        for home, one in zip(homes, found, strict=True):
            numbers, month = np.unique(month_numbers(one.day), return_inverse=True)
            firsts = [EPOCH_DAY.replace(year=int(n) // 12, month=int(n) % 12 + 1) for n in numbers]
            inside = np.array([part_of(home.dataset, home.name, first) == part for first in firsts])
            heat = np.bincount(month, weights=one.parts_wh[:, HEATING])[inside]
            total = np.bincount(month, weights=one.total_wh)[inside]
            heats = heat > MIN_SHARE * total
            n_homes, n_heat = n_homes + int(inside.any()), n_heat + int(heats.any())
            n_months, n_heated = n_months + heats.size, n_heated + int(heats.sum())
            heat_wh, total_wh = heat_wh + float(heat.sum()), total_wh + float(total.sum())
        if n_months:
            counts = [str(count) for count in (n_homes, n_heat, n_months, n_heated)]
            rows.append([dataset, part, *counts, f"{100 * heat_wh / max(total_wh, 1e-9):.1f} %"])
    return rows
