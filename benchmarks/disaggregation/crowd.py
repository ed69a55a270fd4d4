"""A thousand distinct home-months out of a few homes, by drawing their days anew."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from analytics.calendar import SECOND_US, day_edges_us
from analytics.disaggregation.batch import HomesBatch
from analytics.disaggregation.households import Household, household_of
from analytics.disaggregation.places import HOUR_US, places_of
from analytics.disaggregation.statistics import HISTORY_DAYS, day_statistics
from benchmarks.disaggregation.datasets import Absent, at_rate, load
from benchmarks.disaggregation.homes import Floats, LabelledHome
from benchmarks.disaggregation.months import ordinal
from benchmarks.disaggregation.synthetic import simulated

ZONE = ZoneInfo("Europe/London")
MONTH = date(2013, 11, 1)
N_DAYS = 31
"""Of the month and its day of context; no clock changes within."""
SPREAD = 0.05
"""Of the factor on each interval, so that no two home-months are the same."""
N_PLACES = 100
SEED = 41
SOURCES = {30: ("london", "pecan661"), 15: ("pecan661", "redd", "uci-minutes"), 1: ("redd", "uci-minutes")}
"""Real sets the days come from; simulated homes join those that are few."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Pool:
    """A home's complete days, shape (days, intervals of a day) [Wh], and what it says of itself."""

    home: LabelledHome
    days_wh: Floats


def pools(minutes: int) -> list[Pool]:
    """Return the homes at an interval that have at least a week of complete days.

    Raises
    ------
    Absent
        None of the sets is on this machine.
    """
    homes: list[LabelledHome] = []
    for name in SOURCES[minutes]:
        try:
            homes += at_rate(load(name), minutes)
        except Absent:
            continue
    if not homes:
        raise Absent("the sets of this interval are not on this machine (WATTLOOM_DATA_DIR)")
    if minutes < 30:
        homes += at_rate(simulated(min(minutes * 60, 900), months=1 if minutes == 1 else 12), minutes)
    made = [Pool(home=home, days_wh=complete_days(home)) for home in homes]
    return [pool for pool in made if pool.days_wh.shape[0] >= 7]


def complete_days(home: LabelledHome) -> Floats:
    """Return the days of 24 hours without a gap, from local midnight on."""
    edges = home.edges_us()
    per_day = 86_400 // home.interval_s
    cuts = np.searchsorted(home.start_us, edges)
    rows = [
        home.energy_wh[first : first + per_day]
        for first, last, edge in zip(cuts[:-1], cuts[1:], edges, strict=False)
        if last - first == per_day and home.start_us[first] == edge
    ]
    return np.array(rows) if rows else np.empty((0, per_day))


def crowd(made: Sequence[Pool], minutes: int, count: int, *, seed: int = SEED) -> HomesBatch:
    """Return home-months drawn from the pools, each with a full history of 13 months.

    Each home takes its days from one pool with repeats, every interval with a factor of its own; every
    third home gives no list, the others that of their pool. The history is drawn from the statistics of
    the month's days in the same way. A hundred places are shared.
    """
    rng = np.random.default_rng(seed)
    per_day = 1440 // minutes
    n = N_DAYS * per_day
    energy = np.empty((count, n), dtype=np.int64)
    for row in range(count):
        days = made[row % len(made)].days_wh
        drawn = days[rng.integers(0, days.shape[0], N_DAYS)].ravel()
        energy[row] = np.rint(drawn * np.exp(SPREAD * rng.standard_normal(n)) * 1e6)
    edges = day_edges_us(MONTH - timedelta(days=1), N_DAYS, ZONE)
    arrays = {
        "offsets": np.arange(count + 1, dtype=np.int64) * n,
        "start_us": np.tile(edges[0] + minutes * 60 * SECOND_US * np.arange(n, dtype=np.int64), count),
        "duration_s": np.full(count * n, minutes * 60, dtype=np.int32),
        "energy_uwh": energy.ravel(),
        "is_valid": np.ones(count * n, dtype=np.bool_),
        "edge_offsets": np.arange(count + 1, dtype=np.int64) * (N_DAYS + 1),
        "day_edges_us": np.tile(edges, count),
    }
    rows = day_statistics(**arrays).reshape(count, N_DAYS, -1)
    history = np.concatenate([one[rng.integers(0, N_DAYS, HISTORY_DAYS)] for one in rows])
    coordinates = [(50.0 + 0.05 * place, -3.0 + 0.05 * place) for place in range(N_PLACES)]
    return HomesBatch(
        **arrays,
        first_day=np.full(count, ordinal(MONTH) - 1, dtype=np.int64),
        n_context_days=np.ones(count, dtype=np.int64),
        history_offsets=np.arange(count + 1, dtype=np.int64) * HISTORY_DAYS,
        history=history,
        households=tuple(_household(made[row % len(made)].home, row) for row in range(count)),
        places=places_of(
            coordinates,
            start_us=int(edges[0]) - (HISTORY_DAYS + 2) * 24 * HOUR_US,
            end_us=int(edges[-1]) + 24 * HOUR_US,
        ),
        place=np.arange(count, dtype=np.int64) % N_PLACES,
    )


def _household(home: LabelledHome, row: int) -> Household:
    return household_of(home.property_, None if row % 3 == 0 else home.appliances)
