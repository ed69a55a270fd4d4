"""REDD houses 1 to 3: appliances and mains about every 3.3 s, in segments without a date.

The files carry no times. A row counts 10/3 s, so a minute has 18 rows; each segment is laid on a day of
its own from 1 May 2011 on (the set was measured from April to June 2011), and shifted so that its quietest
hours, by the mains alone, lie where homes are quietest (see `QUIETEST_HOUR`). So the day and the hour are
plausible and made up: weekdays, weather and months say nothing here. Mains are apparent power and the
listed circuits cover 14 to 73 % of them: the rest holds lights, outlets and standby.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from benchmarks.disaggregation.homes import Floats, LabelledHome, appliance

ROWS_PER_MINUTE = 18
QUIET_HOURS = 5
QUIETEST_HOUR = 3.5
"""Wall-clock hour of the middle of the quietest five hours of a day [h]."""
ZONE = ZoneInfo("America/New_York")
FIRST_DAY = datetime(2011, 5, 1, tzinfo=ZONE)

CHANNELS = {
    "cooking": ("electric stove", "microwave"),
    "fridge": ("fridge",),
    "heating": ("electric space heater", "electric furnace"),
    "washing": ("dish washer", "washer dryer"),
}
_WASHING = (
    appliance("DISHWASHER"),
    appliance("WASHING_MACHINE"),
    appliance("TUMBLE_DRYER", type="I_DONT_KNOW", usage_types=["AUTUMN", "SPRING", "SUMMER", "WINTER"]),
)
_COMMON = (
    appliance("FRIDGE", type="FRIDGE_AND_FREEZER"),
    appliance("ELECTRIC_OVEN", type="MICROWAVE"),
    *_WASHING,
)
APPLIANCES = {
    1: [*_COMMON, appliance("ELECTRIC_STOVE", type="ELECTRIC"), appliance("ELECTRIC_HEATING", type="RADIATOR")],
    2: [*_COMMON, appliance("ELECTRIC_STOVE", type="ELECTRIC"), appliance("OTHER", name="waste disposal")],
    3: [*_COMMON, appliance("ELECTRIC_HEATING", type="OTHER"), appliance("OTHER", name="waste disposal")],
}


def homes(folder: Path) -> list[LabelledHome]:
    """Return the houses by the minute."""
    return [_house(folder, number) for number in APPLIANCES]


def _house(folder: Path, number: int) -> LabelledHome:
    files = sorted(folder.glob(f"redd_house{number}_*.csv.gz"), key=lambda file: int(file.name.split("_")[2][:-7]))
    starts, energies = [], []
    truths: dict[str, list[Floats]] = {label: [] for label in CHANNELS}
    day = FIRST_DAY
    for file in files:
        rows = pl.read_csv(file).drop_nulls()
        mains = _minutes_wh(rows["main"])
        start = start_of(mains, day)
        starts.append(int(start.timestamp()) * 1_000_000 + np.arange(mains.size, dtype=np.int64) * 60_000_000)
        energies.append(mains)
        for label, names in CHANNELS.items():
            found = [_minutes_wh(rows[name]) for name in names if name in rows.columns]
            truths[label].append(np.minimum(np.sum(found, axis=0), mains) if found else np.zeros(mains.size))
        last = start + timedelta(minutes=mains.size)
        day = (last + timedelta(days=1)).astimezone(ZONE).replace(hour=0, minute=0)
    energy = np.concatenate(energies)
    truth = {label: np.concatenate(amounts) for label, amounts in truths.items()}
    known = np.sum(list(truth.values()), axis=0)
    scale = np.where(known > energy, energy / np.maximum(known, 1e-12), 1.0)
    return LabelledHome(
        dataset="redd",
        name=f"house {number}",
        zone=ZONE,
        latitude=42.36,
        longitude=-71.09,
        interval_s=60,
        start_us=np.concatenate(starts),
        energy_wh=energy,
        truth_wh={label: amounts * scale for label, amounts in truth.items()},
        labels={label: (label,) for label in CHANNELS},
        property_={"property_type": "HOME", "home_type": "HOUSE", "home_usage_type": "PRIMARY"},
        appliances=APPLIANCES[number],
    )


def _minutes_wh(power_w: pl.Series) -> Floats:
    """Return the energy of whole minutes [Wh]."""
    power = np.maximum(power_w.to_numpy().astype(np.float64), 0.0)
    minutes = power.size // ROWS_PER_MINUTE
    return power[: minutes * ROWS_PER_MINUTE].reshape(minutes, ROWS_PER_MINUTE).mean(axis=1) / 60.0


def start_of(minutes_wh: Floats, earliest: datetime) -> datetime:
    """Return the first instant from `earliest` on that puts the quietest hours of the segment in the night."""
    window = QUIET_HOURS * 60
    if minutes_wh.size <= window:
        return earliest.astimezone(UTC)
    running = np.concatenate(([0.0], np.cumsum(minutes_wh)))
    quietest = int(np.argmin(running[window:] - running[:-window])) + window // 2
    clock_min = (int(QUIETEST_HOUR * 60) - quietest) % 1440
    clock_min -= clock_min % 60  # whole hours, so that every interval's grid is that of the files' rows
    return (earliest + timedelta(minutes=clock_min)).astimezone(UTC)
