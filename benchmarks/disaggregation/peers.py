"""Other ways to the same answer, timed on the same home-months; those that need a package skip without it."""

import contextlib
import io
import logging
import time
import warnings
from collections.abc import Callable

import numpy as np

from analytics.disaggregation.batch import HomesBatch
from benchmarks.disaggregation.combinatorial import Combinations
from benchmarks.disaggregation.homes import Floats

CO_APPLIANCES = 8
CO_STATES_W = (
    (0.0, 60.0, 90.0),
    (0.0, 150.0, 2100.0),
    (0.0, 500.0, 2200.0),
    (0.0, 1100.0, 2400.0),
    (0.0, 800.0, 1500.0),
    (0.0, 40.0, 120.0),
    (0.0, 2000.0, 3000.0),
    (0.0, 3300.0, 7200.0),
)
"""Eight appliances of three states, 6,561 combinations: fridge, washing machine, dishwasher, cooker,
microwave, lights, boiler, vehicle."""


class Missing(Exception):
    """The peer's package is not installed; see `--peers`."""


def power_w(batch: HomesBatch, home: int) -> Floats:
    """Return a home's mean power per interval [W]."""
    rows = slice(batch.offsets[home], batch.offsets[home + 1])
    return batch.energy_uwh[rows] * 0.0036 / batch.duration_s[rows]


def read_pass(batch: HomesBatch) -> Callable[[int], object]:
    """Return a pass that only reads what the model reads, the whole batch at once."""
    arrays = (batch.start_us, batch.duration_s, batch.energy_uwh, batch.is_valid, batch.history)
    raw = [array.reshape(-1).view(np.uint8) for array in arrays]
    words = [one[: one.size // 8 * 8].view(np.int64) for one in raw]
    return lambda _: [one.sum() for one in words]


def combinatorial(batch: HomesBatch) -> Callable[[int], object]:
    """Return combinatorial optimisation of one home-month, its combinations made beforehand."""
    assert len(CO_STATES_W) == CO_APPLIANCES
    combinations = Combinations([np.array(states) for states in CO_STATES_W])
    return lambda home: combinations.split(power_w(batch, home))


def nilmtk_co(batch: HomesBatch) -> Callable[[int], object]:
    """Return NILMTK's own combinatorial optimisation of one home-month, with the same states, already taught.

    Raises
    ------
    Missing
        nilmtk and pandas are not installed.
    """
    try:
        import pandas as pd  # noqa: PLC0415 -- optional
        from nilmtk.disaggregate import CO  # noqa: PLC0415 -- optional
    except ImportError as error:
        raise Missing(f"nilmtk: {error}") from error
    method = CO({})
    method.model = [
        {"states": np.array(states), "appliance_name": f"appliance {n}"} for n, states in enumerate(CO_STATES_W)
    ]

    def split(home: int) -> object:
        rows = slice(batch.offsets[home], batch.offsets[home + 1])
        times = pd.to_datetime(batch.start_us[rows], unit="us", utc=True)
        with contextlib.redirect_stdout(io.StringIO()):
            return method.disaggregate_chunk([pd.Series(power_w(batch, home), index=times)])

    return split


def opendsm_daily(batch: HomesBatch) -> Callable[[int], object]:
    """Return the daily model of OpenEEmeter, fitted on a year of a home's days: the thermal stage alone.

    Raises
    ------
    Missing
        opendsm and pandas are not installed.
    """
    try:
        import pandas as pd  # noqa: PLC0415 -- optional
        from opendsm.eemeter import DailyBaselineData, DailyModel  # noqa: PLC0415 -- optional
    except ImportError as error:
        raise Missing(f"opendsm: {error}") from error
    logging.getLogger("eemeter").setLevel(logging.ERROR)
    days = pd.date_range("2012-11-01", periods=365, freq="D", tz="UTC")

    def fit(home: int) -> object:
        rows = slice(int(batch.history_offsets[home + 1]) - 365, int(batch.history_offsets[home + 1]))
        used = batch.history[rows, :4].mean(axis=1) * 0.024
        celsius = batch.places.celsius[batch.place[home], : 365 * 24].reshape(365, 24).mean(axis=1)
        frame = pd.DataFrame({"observed": used, "temperature": celsius * 1.8 + 32.0}, index=days)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            data = DailyBaselineData(frame, is_electricity_data=True)
            return DailyModel().fit(data, ignore_disqualification=True)

    return fit


def convex(batch: HomesBatch) -> Callable[[int], object]:
    """Return contextually supervised source separation of one home-month, solved by Clarabel.

    Ten sources that add up to the meter, one for each class: two constant, two that follow degrees, one
    that follows the hour, and five of runs of constant power; absolute errors and total variation.

    Raises
    ------
    Missing
        cvxpy is not installed.

    Source: Wytock and Kolter, "Contextually supervised source separation", AAAI 2014.
    """
    try:
        import cvxpy as cp  # noqa: PLC0415 -- optional
    except ImportError as error:
        raise Missing(f"cvxpy: {error}") from error

    def solve(home: int) -> object:
        power = power_w(batch, home) / 1000.0
        n = power.size
        hour = np.arange(n) * int(batch.duration_s[batch.offsets[home]]) // 3600 % 24
        place = batch.places.celsius[batch.place[home]]
        celsius = np.interp(np.linspace(0, 1, n), np.linspace(0, 1, 31 * 24), place[-33 * 24 : -2 * 24])
        features = [
            np.ones((n, 1)),
            np.ones((n, 1)),
            np.maximum(15.5 - celsius, 0)[:, None],
            np.maximum(celsius - 20.0, 0)[:, None],
            (hour[:, None] == np.arange(24)).astype(np.float64),
        ]
        sources = [cp.Variable(n, nonneg=True) for _ in range(10)]
        loss = 0
        for source, feature in zip(sources, features, strict=False):
            loss += cp.norm1(source - feature @ cp.Variable(feature.shape[1], nonneg=True))
        for weight, source in enumerate(sources[len(features) :], start=1):
            loss += 0.1 * weight * cp.sum(source) + cp.norm1(cp.diff(source)) / weight
        problem = cp.Problem(cp.Minimize(loss), [sum(sources) == power])
        problem.solve(solver=cp.CLARABEL)
        return problem.value

    return solve


def rate(work: Callable[[int], object], *, limit_s: float, most: int) -> float:
    """Return how many a second of the processor's time are done, after a first one that does not count."""
    work(0)
    started = time.process_time()
    done = 0
    while done < most and (done == 0 or time.process_time() - started < limit_s):
        work(done)
        done += 1
    return done / (time.process_time() - started)
