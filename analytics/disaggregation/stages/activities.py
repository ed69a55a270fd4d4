"""Stages 5 and 6, boiler, washing and cooking: each run of high power is shared out among what it may be.

The odds of a run (see `runs`) for each component k are

    rate_k N(log energy; m_k, s_k) N(log length; t_k, u_k) hours_k(start)

where rates are those of the survey, moved towards the runs found (`RUN_DAYS_OF_PRIOR`), and a boiler's odds
rise with the share of days that have a run at that hour. What is owned decides which components there are.

Source: method, stages 5 and 6 (naive Bayes on start, length, energy; rates per person); numbers in `priors`.
"""

from typing import Any

import numpy as np

from analytics.disaggregation.classes import BOILER, COOKING, OTHERS, WASHING
from analytics.disaggregation.priors import (
    BOILER_REGULAR,
    COOKING_KWH_PER_DAY,
    PEOPLE,
    RUN_DAYS_OF_PRIOR,
    RUN_H,
    RUN_H_SPREAD,
    RUN_HOURS,
    RUN_KWH,
    RUN_KWH_SPREAD,
    RUN_OTHERS_PER_DAY,
    WASHING_KWH_PER_DAY,
    WASHING_OWNED,
)
from analytics.disaggregation.stages import compiled
from analytics.disaggregation.stages.home import (
    DISHWASHERS,
    DRYERS,
    HAS_LIST,
    KETTLES,
    MICROWAVES,
    OVENS,
    STOVES,
    WASHING_MACHINES,
)
from analytics.disaggregation.stages.runs import N_COMPONENTS
from analytics.disaggregation.stages.series import exponential, logarithm
from analytics.disaggregation.stages.sums import dot
from analytics.disaggregation.stages.survey import boiler_kwh, people_of

KETTLE, HOB, MACHINE, DISHES, DRYER, TANK, REST = range(N_COMPONENTS)
CLASS_OF = np.array((COOKING, COOKING, WASHING, WASHING, WASHING, BOILER, OTHERS))
HOURS = np.array(RUN_HOURS) / np.array(RUN_HOURS).mean(axis=1)[:, None]
N_ROUNDS = 3
LEAST_ODDS = 1e-12
"""No run is beyond everything that is owned."""
_PER_KWH_SPREAD, _PER_H_SPREAD = 1.0 / np.array(RUN_KWH_SPREAD), 1.0 / np.array(RUN_H_SPREAD)
_PEAKS = HOURS * (_PER_KWH_SPREAD * _PER_H_SPREAD)[:, None]
_LOG_KWH = np.log(np.array(RUN_KWH))


@compiled
def set_rates(home: Any, rates: Any) -> None:
    """Fill how often each component runs a day by the survey; 0 for what is not owned."""
    crowd = np.sqrt(people_of(home) / PEOPLE)
    stove, oven, microwave, kettle = COOKING_KWH_PER_DAY
    machine, dishes, dryer = WASHING_KWH_PER_DAY
    if home[HAS_LIST] > 0:
        short = microwave * min(home[MICROWAVES], 1.0) + kettle * min(home[KETTLES], 1.0)
        rates[KETTLE] = crowd * short / RUN_KWH[KETTLE]
        rates[HOB] = crowd * (stove * min(home[STOVES], 1.0) + oven * min(home[OVENS], 1.0)) / RUN_KWH[HOB]
        rates[MACHINE] = crowd * machine / RUN_KWH[MACHINE] * min(home[WASHING_MACHINES], 2.0)
        rates[DISHES] = crowd * dishes / RUN_KWH[DISHES] * min(home[DISHWASHERS], 2.0)
        rates[DRYER] = crowd * dryer / RUN_KWH[DRYER] * min(home[DRYERS], 2.0)
    else:
        rates[KETTLE] = crowd * (microwave + kettle) / RUN_KWH[KETTLE]
        rates[HOB] = crowd * (stove + oven) * 0.7 / RUN_KWH[HOB]
        rates[MACHINE] = crowd * machine / RUN_KWH[MACHINE] * WASHING_OWNED[0]
        rates[DISHES] = crowd * dishes / RUN_KWH[DISHES] * WASHING_OWNED[1]
        rates[DRYER] = crowd * dryer / RUN_KWH[DRYER] * WASHING_OWNED[2]
    rates[TANK] = boiler_kwh(home) / RUN_KWH[TANK]
    rates[REST] = RUN_OTHERS_PER_DAY


@compiled
def weigh_runs(runs: Any, n_runs: Any, rates: Any) -> None:
    """Fill each run's odds for each component but for their rates.

    A component with a rate of 0 is not owned and has no odds, which are not filled.
    """
    log_kwh, log_h = np.empty(n_runs), np.empty(n_runs)
    energy_wh, seconds = runs.energy_wh[:n_runs], runs.seconds[:n_runs]
    for run in range(n_runs):
        log_kwh[run] = logarithm(energy_wh[run] * 0.001)
    for run in range(n_runs):
        log_h[run] = logarithm(seconds[run] / 3600.0)
    low = np.int64(0)
    while low < n_runs:
        high = low + 1
        while high < n_runs and runs.longest_s[high] == runs.longest_s[low]:
            high += 1
        for k in range(N_COMPONENTS):
            if rates[k] > 0:
                # A run covers the intervals it touches, half an interval more than it lasts.
                usual_log_h = np.log(RUN_H[k] + 0.5 * runs.longest_s[low] / 3600.0)
                weigh(
                    log_kwh[low:high],
                    log_h[low:high],
                    runs.hour[low:high],
                    k,
                    usual_log_h,
                    runs.odds[k, low:high],
                )
        low = high


@compiled
def weigh(log_kwh: Any, log_h: Any, hour: Any, k: Any, usual_log_h: Any, odds: Any) -> None:
    """Fill the odds of some runs for one component."""
    usual_log_kwh, per_kwh, per_h = _LOG_KWH[k], _PER_KWH_SPREAD[k], _PER_H_SPREAD[k]
    for run in range(odds.size):
        e, t = (log_kwh[run] - usual_log_kwh) * per_kwh, (log_h[run] - usual_log_h) * per_h
        odds[run] = exponential(-0.5 * (e * e + t * t))
    peaks = _PEAKS[k]
    for run in range(odds.size):
        odds[run] = peaks[hour[run]] * odds[run] + LEAST_ODDS


@compiled
def favour_regular(runs: Any, n_runs: Any, days: Any) -> None:
    """Raise the boiler's odds of runs that begin within an hour that has one on most days."""
    starts = np.zeros(24, dtype=np.int64)
    for run in range(n_runs):
        starts[runs.hour[run]] += 1
    mean = n_runs / 24.0 / days
    favour = np.empty(24)
    for hour in range(24):
        often = min(starts[hour] / days, 1.0)
        favour[hour] = 1.0 + (BOILER_REGULAR - 1.0) * max(often - mean, 0.0)
    for run in range(n_runs):
        runs.odds[TANK, run] *= favour[runs.hour[run]]


@compiled
def share_runs(runs: Any, n_runs: Any, days: Any, rates: Any, class_wh: Any, class_variance: Any) -> None:
    """Turn odds into shares, rates being moved towards what is found; fill energy and variance per class.

    Those of components that are not owned are 0.
    """
    usual = rates.copy()
    whole = np.empty(n_runs)
    for turn in range(N_ROUNDS):
        whole[:] = 0.0
        for k in range(N_COMPONENTS):
            odds, rate = runs.odds[k, :n_runs], rates[k]
            if rate > 0:
                for run in range(n_runs):
                    whole[run] += rate * odds[run]
        for run in range(n_runs):
            whole[run] = 1.0 / whole[run]
        if turn < N_ROUNDS - 1:
            for k in range(N_COMPONENTS):
                if usual[k] > 0:
                    count = rates[k] * dot(runs.odds[k, :n_runs], whole)
                    rates[k] = (usual[k] * RUN_DAYS_OF_PRIOR + count) / (RUN_DAYS_OF_PRIOR + days)
    settle_runs(runs, n_runs, rates, whole, class_wh, class_variance)


@compiled
def settle_runs(runs: Any, n_runs: Any, rates: Any, per_whole: Any, class_wh: Any, class_variance: Any) -> None:
    """Turn odds into shares at the last rates, over what all come to; fill energy and variance per class."""
    doubt, energy_wh = np.empty(n_runs), runs.energy_wh[:n_runs]
    class_wh[:] = 0.0
    class_variance[:] = 0.0
    for k in range(N_COMPONENTS):
        share, rate = runs.odds[k, :n_runs], rates[k]
        if rate > 0:
            for run in range(n_runs):
                share[run] = rate * share[run] * per_whole[run]
            for run in range(n_runs):
                doubt[run] = (1.0 - share[run]) * (energy_wh[run] * energy_wh[run])
            class_wh[CLASS_OF[k]] += dot(share, energy_wh)
            class_variance[CLASS_OF[k]] += dot(share, doubt)
        else:
            share[:] = 0.0


@compiled
def add_up_classes(runs: Any, n_runs: Any) -> None:
    """Add up the shares of each class: cooking's are then those of `KETTLE`, washing's of `MACHINE`.

    Those of the boiler are the ones of `TANK`.
    """
    kettle, hob = runs.odds[KETTLE, :n_runs], runs.odds[HOB, :n_runs]
    machine, dishes, dryer = runs.odds[MACHINE, :n_runs], runs.odds[DISHES, :n_runs], runs.odds[DRYER, :n_runs]
    for run in range(n_runs):
        kettle[run] += hob[run]
    for run in range(n_runs):
        machine[run] += dishes[run] + dryer[run]
