"""Stages 5 and 6, boiler, washing and cooking: runs of high power, each shared out among what it may be.

A run is a stretch of intervals above `RUN_POWER_W` after the stages before; coarse intervals whose powers differ
are runs of their own. Its odds for each component k are

    rate_k N(log energy; m_k, s_k) N(log length; t_k, u_k) hours_k(start)

where rates are those of the survey, moved towards the runs found (`RUN_DAYS_OF_PRIOR`), and a boiler's odds
rise with the share of days that have a run at that hour. Shorter things than an interval show as one interval.
What is owned decides which components there are.

Source: method, stages 5 and 6 (naive Bayes on start, length, energy; rates per person); numbers in `priors`.
"""

from typing import Any

import numpy as np

from analytics.disaggregation.classes import BOILER, COOKING, OTHERS, WASHING
from analytics.disaggregation.priors import (
    BOILER_REGULAR,
    COOKING_KWH_PER_DAY,
    PEOPLE,
    RUN_COARSE_S,
    RUN_DAYS_OF_PRIOR,
    RUN_FLOOR_W,
    RUN_GAP_S,
    RUN_H,
    RUN_H_SPREAD,
    RUN_HOURS,
    RUN_KWH,
    RUN_KWH_SPREAD,
    RUN_OTHERS_PER_DAY,
    RUN_POWER_W,
    RUN_STEP,
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
from analytics.disaggregation.stages.survey import boiler_kwh, people_of

N_COMPONENTS = len(RUN_KWH)
KETTLE, HOB, MACHINE, DISHES, DRYER, TANK, REST = range(N_COMPONENTS)
CLASS_OF = np.array((COOKING, COOKING, WASHING, WASHING, WASHING, BOILER, OTHERS))
HOURS = np.array(RUN_HOURS) / np.array(RUN_HOURS).mean(axis=1)[:, None]
N_ROUNDS = 3
MINUTES_S = 300
"""Intervals up to this length are looked at as many together as bytes make a word [s]."""
TOGETHER = 8
ALL_HIGH = 0x0101_0101_0101_0101
_PER_KWH_SPREAD, _PER_H_SPREAD = 1.0 / np.array(RUN_KWH_SPREAD), 1.0 / np.array(RUN_H_SPREAD)
_PEAKS = HOURS * (_PER_KWH_SPREAD * _PER_H_SPREAD)[:, None]


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
def find_runs(
    start_us: Any, duration_s: Any, residual_wh: Any, cuts: Any, is_even: Any, first: Any, last: Any
) -> Any:
    """Fill first and last interval of each run, day after day; return how many there are.

    Parameters
    ----------
    start_us, duration_s, residual_wh : arrays of shape (n,)
    cuts : ndarray of int64, shape (days + 1,)
        First interval of each day, and the end of the last one's.
    is_even : ndarray of bool, shape (days,)
        Whether the intervals of a day are of one length and without a gap.
    first, last : ndarray of int64, shape (n,)
    """
    count, d = np.int64(0), np.int64(0)
    is_high = np.zeros(0, dtype=np.bool_)
    while d < is_even.size:
        low, high = cuts[d], cuts[d + 1]
        d += 1
        if is_even[d - 1] and duration_s[low] <= MINUTES_S:
            if is_high.size <= high - low:
                is_high = np.zeros((high - low) // TOGETHER * TOGETHER + TOGETHER, dtype=np.bool_)
            step_s, day_wh = np.int64(duration_s[low]), residual_wh[low:high]
            for i in range(day_wh.size):
                is_high[i] = day_wh[i] * 3600.0 > RUN_POWER_W * step_s
            is_high[day_wh.size :] = False
            count = _add_runs_of_minutes(start_us, duration_s, is_high, low, count, first, last)
            continue
        while d < is_even.size and not (is_even[d] and duration_s[cuts[d]] <= MINUTES_S):
            high = cuts[d + 1]
            d += 1
        count = _add_runs(start_us, duration_s, residual_wh, low, high, count, first, last)
    return count


@compiled
def _add_runs(
    start_us: Any, duration_s: Any, residual_wh: Any, low: Any, high: Any, count: Any, first: Any, last: Any
) -> Any:
    """Add the runs among the intervals `low:high`; return how many there are then."""
    end_us, before_w = np.int64(-(2**62)), 0.0
    if count > 0:
        end_us = start_us[last[count - 1]] + np.int64(duration_s[last[count - 1]]) * 1_000_000
        before_w = residual_wh[last[count - 1]] * 3600.0 / duration_s[last[count - 1]]
    start_us, duration_s, residual_wh = start_us[low:high], duration_s[low:high], residual_wh[low:high]
    for i in range(residual_wh.size):
        if residual_wh[i] * 3600.0 > RUN_POWER_W * duration_s[i]:
            power_w = residual_wh[i] * 3600.0 / duration_s[i]
            is_near = abs(power_w - before_w) <= RUN_STEP * max(power_w, before_w)
            is_joined = is_near or duration_s[i] < RUN_COARSE_S
            before_w = power_w
            if count > 0 and is_joined and start_us[i] - end_us <= RUN_GAP_S * 1_000_000:
                last[count - 1] = low + i
            else:
                first[count], last[count] = low + i, low + i
                count += 1
            end_us = start_us[i] + np.int64(duration_s[i]) * 1_000_000
    return count


@compiled
def _add_runs_of_minutes(
    start_us: Any, duration_s: Any, is_high: Any, low: Any, count: Any, first: Any, last: Any
) -> Any:
    """Add the runs of an even day of short intervals from `low` on; return how many there are then.

    Parameters
    ----------
    is_high : ndarray of bool, shape (whole words,)
        Of each interval of the day, and False after them.
    """
    words = is_high.view(np.int64)
    is_running = False
    for w in range(words.size):
        if words[w] == (ALL_HIGH if is_running else 0):
            continue
        for i in range(low + TOGETHER * w, low + TOGETHER * (w + 1)):
            if is_high[i - low] == is_running:
                continue
            is_running = not is_running
            if not is_running:
                last[count - 1] = i - 1
                continue
            is_new = count == 0
            if not is_new:
                before = last[count - 1]
                end_us = start_us[before] + np.int64(duration_s[before]) * 1_000_000
                is_new = start_us[i] - end_us > RUN_GAP_S * 1_000_000
            if is_new:
                first[count] = i
                count += 1
    return count


@compiled
def claim(residual_wh: Any, duration_s: Any) -> Any:
    """Return what a run has of an interval's energy: what is above the floor [Wh]."""
    return max(residual_wh - RUN_FLOOR_W * duration_s / 3600.0, 0.0)


@compiled
def describe_runs(
    duration_s: Any,
    residual_wh: Any,
    first: Any,
    last: Any,
    n_runs: Any,
    wall_s: Any,
    energy_wh: Any,
    odds: Any,
    rates: Any,
) -> None:
    """Fill each run's energy and its odds for each component but for their rates, shape (runs, N_COMPONENTS).

    A component with a rate of 0 is not owned and has no odds.
    """
    log_usual_kwh, log_usual_h = np.empty(N_COMPONENTS), np.empty(N_COMPONENTS)
    of_longest = -1.0
    for run in range(n_runs):
        energy, seconds, longest = 0.0, 0.0, 0.0
        run_wh, run_s = residual_wh[first[run] : last[run] + 1], duration_s[first[run] : last[run] + 1]
        for i in range(run_wh.size):
            energy += claim(run_wh[i], run_s[i])
            seconds += run_s[i]
            longest = max(longest, float(run_s[i]))
        energy_wh[run] = energy
        hour = wall_s[first[run]] // 3600
        log_kwh, log_h = np.log(energy / 1000.0), np.log(seconds / 3600.0)
        if longest != of_longest:
            of_longest = longest
            for k in range(N_COMPONENTS):
                # A run covers the intervals it touches, half an interval more than it lasts.
                log_usual_kwh[k] = np.log(RUN_KWH[k])
                log_usual_h[k] = np.log(RUN_H[k] + 0.5 * longest / 3600.0)
        for k in range(N_COMPONENTS):
            if rates[k] == 0:
                odds[run, k] = 0.0
                continue
            e = (log_kwh - log_usual_kwh[k]) * _PER_KWH_SPREAD[k]
            t = (log_h - log_usual_h[k]) * _PER_H_SPREAD[k]
            odds[run, k] = _PEAKS[k, hour] * np.exp(-0.5 * (e * e + t * t)) + 1e-12


@compiled
def favour_regular(first: Any, n_runs: Any, wall_s: Any, days: Any, odds: Any) -> None:
    """Raise the boiler's odds of runs that begin within an hour that has one on most days."""
    starts = np.zeros(24)
    for run in range(n_runs):
        starts[wall_s[first[run]] // 3600] += 1.0
    mean = starts.sum() / 24.0 / days
    for run in range(n_runs):
        often = min(starts[wall_s[first[run]] // 3600] / days, 1.0)
        odds[run, TANK] *= 1.0 + (BOILER_REGULAR - 1.0) * max(often - mean, 0.0)


@compiled
def share_runs(
    odds: Any, energy_wh: Any, n_runs: Any, days: Any, rates: Any, class_wh: Any, class_variance: Any
) -> None:
    """Turn odds into shares, rates being moved towards what is found; fill energy and variance per class."""
    usual = rates.copy()
    count = np.zeros(N_COMPONENTS)
    for turn in range(N_ROUNDS):
        count[:] = 0.0
        for run in range(n_runs):
            whole = 0.0
            for k in range(N_COMPONENTS):
                whole += rates[k] * odds[run, k]
            per_whole = 1.0 / whole
            for k in range(N_COMPONENTS):
                share = rates[k] * odds[run, k] * per_whole
                count[k] += share
                if turn == N_ROUNDS - 1:
                    odds[run, k] = share
        if turn < N_ROUNDS - 1:
            for k in range(N_COMPONENTS):
                if usual[k] > 0:
                    rates[k] = (usual[k] * RUN_DAYS_OF_PRIOR + count[k]) / (RUN_DAYS_OF_PRIOR + days)
    class_wh[:] = 0.0
    class_variance[:] = 0.0
    for run in range(n_runs):
        for k in range(N_COMPONENTS):
            share, energy = odds[run, k], energy_wh[run]
            class_wh[CLASS_OF[k]] += share * energy
            class_variance[CLASS_OF[k]] += share * (1.0 - share) * energy * energy


@compiled
def add_classes(
    duration_s: Any, residual_wh: Any, cuts: Any, first: Any, last: Any, n_runs: Any, odds: Any, day_wh: Any
) -> None:
    """Add each run's energy to the days of its classes, and take it out of the residual.

    Parameters
    ----------
    cuts : ndarray of int64, shape (target days + 1,)
        First interval of each day, and the end of the last one's.
    """
    share = np.empty(N_COMPONENTS)
    d = 0
    for run in range(n_runs):
        for k in range(N_COMPONENTS):
            share[k] = odds[run, k] if CLASS_OF[k] != OTHERS else 0.0
        claimed = min(share.sum(), 1.0)
        i = first[run]
        while i <= last[run]:
            while cuts[d + 1] <= i:
                d += 1
            stop = min(last[run] + 1, cuts[d + 1])
            cooking, washing, boiler = day_wh[COOKING, d], day_wh[WASHING, d], day_wh[BOILER, d]
            run_wh, run_s = residual_wh[i:stop], duration_s[i:stop]
            for j in range(run_wh.size):
                energy = claim(run_wh[j], run_s[j])
                cooking += share[KETTLE] * energy
                cooking += share[HOB] * energy
                washing += share[MACHINE] * energy
                washing += share[DISHES] * energy
                washing += share[DRYER] * energy
                boiler += share[TANK] * energy
                run_wh[j] = max(run_wh[j] - claimed * energy, 0.0)
            day_wh[COOKING, d], day_wh[WASHING, d], day_wh[BOILER, d] = cooking, washing, boiler
            i = stop
