"""How many home-months a second one core does, beside one pass that only reads them and other methods."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

from analytics.disaggregation.batch import HomesBatch
from analytics.disaggregation.households import household_of
from analytics.disaggregation.model import disaggregate
from analytics.disaggregation.stages.home import numbers_of
from analytics.disaggregation.stages.thermal import new_signature, regress
from analytics.disaggregation.statistics import HISTORY_DAYS
from benchmarks.disaggregation import peers
from benchmarks.disaggregation.crowd import N_PLACES, crowd, pools
from benchmarks.disaggregation.datasets import Absent
from benchmarks.disaggregation.report import table
from benchmarks.measure import Row

TARGETS = {30: 30_000, 15: 18_000, 1: 2_500}
"""Home-months per second and core, by the interval [min]."""
AT_ONCE = {30: 1200, 15: 1200, 1: 250}
"""Home-months of a batch; a minute's are drawn four times, a batch of 0.2 GB each."""
BATCHES = {30: 1, 15: 1, 1: 4}
REPEATS = 5
REGRESSION_US = 14.0
"""Most that the regression on the weather may take of a home, its parts of the day included [us]."""
CO_TARGET, OPENDSM_TARGET, CONVEX_TARGET = 30, 3000, 10_000
HEAD = ("interval", "what", "home-months per second, one core", "target", "met")


def model_rate(batch: HomesBatch) -> float:
    """Return the median rate of the model over repeats, after one that compiles and warms [home-months/s]."""
    disaggregate(batch)
    times = []
    for _ in range(REPEATS):
        started = time.process_time()
        disaggregate(batch)
        times.append(time.process_time() - started)
    return batch.n_homes / sorted(times)[REPEATS // 2]


@njit
def _regressions(homes: Any, history: Any, first_day: Any, mean_c: Any, dark_h: Any, measured: Any) -> Any:
    """Fit the weather of homes, all with a history of one length; return the sum of their slopes."""
    n_days, slopes = mean_c.size, 0.0
    for home in range(homes.shape[0]):
        found = new_signature()
        rows = history[home * n_days : (home + 1) * n_days]
        regress(homes[home], rows, first_day, mean_c, dark_h, measured, found)
        slopes += found.slope.sum()
    return slopes


def regression_us(batch: HomesBatch) -> float:
    """Return the median time of the regression on the weather, in homes that may heat and cool [us a home].

    A made weather of the middle latitudes is the same for all.
    """
    day = np.arange(HISTORY_DAYS)
    mean_c = 12.0 - 9.0 * np.cos(2 * np.pi * day / 365) + np.random.default_rng(7).normal(0, 3, HISTORY_DAYS)
    dark_h = 6.0 + 4.0 * np.cos(2 * np.pi * day / 365)
    both = [
        {"key": "ELECTRIC_HEATING", "type": "RADIATOR", "amount": 1},
        {"key": "AC", "type": "MINI_SPLIT", "usage_type": "SUMMER", "amount": 1},
    ]
    said = (household_of({}, both), household_of({}, None))
    homes = numbers_of([said[row % 2] for row in range(batch.n_homes)])
    given = (homes, batch.history, int(batch.first_day[0]) - HISTORY_DAYS, mean_c, dark_h, np.ones(HISTORY_DAYS))
    _regressions(*given)
    times = []
    for _ in range(REPEATS):
        started = time.process_time()
        _regressions(*given)
        times.append(time.process_time() - started)
    return sorted(times)[REPEATS // 2] / batch.n_homes * 1e6


def section(targets: list[Row]) -> str:
    """Return the table; the peers are measured at 30 minutes, on the same home-months in the same run.

    Parameters
    ----------
    targets : list of Row
        Grows by those of the speed.
    """
    rows: list[list[str]] = []
    for minutes, target in TARGETS.items():
        try:
            made = pools(minutes)
        except Absent as absent:
            rows.append([f"{minutes} min", f"skipped: {absent}", "", "", ""])
            continue
        rates, reads = [], []
        for number in range(BATCHES[minutes]):
            batch = crowd(made, minutes, AT_ONCE[minutes], seed=41 + number)
            rates.append(model_rate(batch))
            reads.append(batch.n_homes * peers.rate(peers.read_pass(batch), limit_s=1.0, most=20))
        model, read = sum(rates) / len(rates), sum(reads) / len(reads)
        what = f"disaggregate, {AT_ONCE[minutes] * BATCHES[minutes]:,} home-months of {len(made)} homes"
        rows.append([f"{minutes} min", what, f"{model:,.0f}", f"{target:,}", _met(model >= target)])
        targets.append(
            Row(
                what=f"home-months per second and core, {minutes} min",
                figure=f"{model:,.0f}",
                target=f"{target:,}",
                met=model >= target,
            )
        )
        share = f"{read:,.0f} ({read / model:,.0f} times the model)"
        rows.append([f"{minutes} min", "one pass that only reads them", share, "", ""])
        if minutes == 30:
            taken = regression_us(batch)
            what = f"the regression on the weather alone: {taken:.1f} us a home"
            limit = f"{1e6 / REGRESSION_US:,.0f}"
            rows.append(["30 min", what, f"{1e6 / taken:,.0f}", limit, _met(taken <= REGRESSION_US)])
            rows += _peer_rows(batch, model, targets)
    words = (
        f"A month of 30 days, one of context and 396 days of history; every third home without a list; {N_PLACES} "
        f"places. One thread; the processor's time, so that neighbours on the machine count less; "
        f"median of {REPEATS} runs after one that warms.\n\n"
    )
    return words + table(HEAD, rows)


def _peer_rows(batch: HomesBatch, model: float, targets: list[Row]) -> list[list[str]]:
    methods: tuple[tuple[str, Callable[[HomesBatch], Callable[[int], object]], int | None, int], ...] = (
        ("CO of NILMTK, 8 appliances of 3 states", peers.nilmtk_co, CO_TARGET, 1000),
        ("CO of this benchmark, the same states, bare arrays", peers.combinatorial, None, 1000),
        ("OpenDSM daily model (the thermal stage alone)", peers.opendsm_daily, OPENDSM_TARGET, 10),
        ("contextually supervised separation, cvxpy", peers.convex, CONVEX_TARGET, 10),
    )
    rows = []
    for what, make, target, most in methods:
        try:
            peer = peers.rate(make(batch), limit_s=20.0, most=most)
        except peers.Missing as missing:
            rows.append(["30 min", what, f"skipped: not installed ({missing})", "", ""])
            continue
        ratio = model / peer
        figure = f"{peer:,.1f}; the model does {ratio:,.0f} times as many"
        if target is None:
            rows.append(["30 min", what, figure, "", ""])
            continue
        rows.append(["30 min", what, figure, f"{target:,} times", _met(ratio >= target)])
        named = f"rate in terms of that of: {what}"
        targets.append(Row(what=named, figure=f"{ratio:,.0f}", target=f"{target:,}", met=ratio >= target))
    return rows


def _met(is_met: bool) -> str:  # noqa: FBT001 -- one private word
    return "yes" if is_met else "**no**"
