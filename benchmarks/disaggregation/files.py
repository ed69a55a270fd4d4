"""Where the labelled sets lie, and how their files are read. Nothing of them is part of the project."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.disaggregation.homes import Floats

ROOT = Path(__file__).resolve().parents[2]
HOME = {"property_type": "HOME", "home_type": "HOUSE", "home_usage_type": "PRIMARY"}
"""What a household says of a house."""
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


def local_us(stamps: pl.Series, zone: str) -> pl.Series:
    """Return wall-clock stamps as instants [µs]; null where that time never was. A doubled hour is the first."""
    instants = stamps.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    return instants.dt.timestamp("us")
