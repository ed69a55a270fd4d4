"""Homes for the tests: one month of interval energy, alone or in a batch."""

from dataclasses import dataclass, field
from datetime import timedelta
from zoneinfo import ZoneInfo

import numpy as np

from analytics.calendar import EPOCH_DAY, SECOND_US, day_edges_us, month_range
from analytics.disaggregation.batch import HomesBatch
from analytics.disaggregation.households import Household
from analytics.disaggregation.places import places_of
from analytics.disaggregation.statistics import HISTORY_DAYS, N_COLUMNS

LONDON = ZoneInfo("Europe/London")
PLACE = (51.5, -0.1)
DAY_US = 86_400 * SECOND_US


@dataclass(frozen=True)
class Home:
    start_us: np.ndarray
    duration_s: np.ndarray
    energy_uwh: np.ndarray
    is_valid: np.ndarray
    edges_us: np.ndarray
    first_day: int
    n_context_days: int
    history: np.ndarray = field(default_factory=lambda: np.zeros((0, N_COLUMNS), dtype=np.uint16))
    household: Household = field(default_factory=Household)


def home(year, month, *, context_days=0, n_days=None, interval_s=1800, zone=LONDON, power_w=100.0):
    """Give a home of constant power, of complete and valid data."""
    first, last = month_range(year, month)
    n_target = (last - first).days + 1 if n_days is None else n_days
    start = first - timedelta(days=context_days)
    edges_us = day_edges_us(start, context_days + n_target, zone)
    start_us = np.arange(edges_us[0], edges_us[-1], interval_s * SECOND_US, dtype=np.int64)
    return Home(
        start_us=start_us,
        duration_s=np.full(start_us.size, interval_s, dtype=np.int32),
        energy_uwh=np.full(start_us.size, round(power_w * interval_s / 0.0036), dtype=np.int64),
        is_valid=np.ones(start_us.size, dtype=np.bool_),
        edges_us=edges_us,
        first_day=(start - EPOCH_DAY).days,
        n_context_days=context_days,
    )


def batch_of(*homes, celsius=None):
    """Give a batch at one place; `celsius` is a temperature for all hours, else the climate normal."""

    def joined(name, dtype):
        return np.concatenate([np.empty(0, dtype), *(getattr(h, name) for h in homes)]).astype(dtype)

    def offsets(name):
        return np.concatenate(([0], np.cumsum([len(getattr(h, name)) for h in homes]))).astype(np.int64)

    edges_us = joined("edges_us", np.int64)
    start_us = int(edges_us.min()) - (HISTORY_DAYS + 1) * DAY_US if edges_us.size else 0
    end_us = int(edges_us.max()) + DAY_US if edges_us.size else 0
    places = places_of([PLACE], start_us=start_us, end_us=end_us)
    if celsius is not None:
        places.celsius[:] = celsius
    history = [np.zeros((0, N_COLUMNS), dtype=np.uint16), *(h.history for h in homes)]
    return HomesBatch(
        offsets=offsets("start_us"),
        start_us=joined("start_us", np.int64),
        duration_s=joined("duration_s", np.int32),
        energy_uwh=joined("energy_uwh", np.int64),
        is_valid=joined("is_valid", np.bool_),
        edge_offsets=offsets("edges_us"),
        day_edges_us=edges_us,
        first_day=np.array([h.first_day for h in homes], dtype=np.int64),
        n_context_days=np.array([h.n_context_days for h in homes], dtype=np.int64),
        history_offsets=offsets("history"),
        history=np.concatenate(history),
        households=tuple(h.household for h in homes),
        places=places,
        place=np.zeros(len(homes), dtype=np.int64),
    )
