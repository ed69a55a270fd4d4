"""A small labelled home for the tests of the scorecard."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np

from benchmarks.disaggregation.homes import LabelledHome, Session

HOUR_US = 3_600_000_000


def us(*moment: int) -> int:
    return int(datetime(*moment, tzinfo=UTC).timestamp()) * 1_000_000


def small_home(
    *,
    start_us: int = us(2023, 1, 1),
    hours: int = 48,
    interval_s: int = 3600,
    zone: str = "UTC",
    dataset: str = "simulated",
    sessions: tuple[Session, ...] = (),
) -> LabelledHome:
    n = hours * 3600 // interval_s
    start = start_us + interval_s * 1_000_000 * np.arange(n, dtype=np.int64)
    energy = 100.0 + np.arange(n) % 24
    return LabelledHome(
        dataset=dataset,
        name="home 1",
        zone=ZoneInfo(zone),
        latitude=52.0,
        longitude=0.0,
        interval_s=interval_s,
        start_us=start,
        energy_wh=energy,
        truth_wh={"fridge": np.full(n, 30.0)},
        labels={"fridge": ("fridge",)},
        sessions=sessions,
    )
