"""Runs: stretches of intervals above `RUN_POWER_W` after the stages before, of things that people use.

Coarse intervals whose powers differ are runs of their own. Shorter things than an interval show as one interval.
What a run claims of an interval is what lies above `RUN_FLOOR_W`. What a run may be, see `activities`.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from analytics.disaggregation.classes import BOILER, COOKING, WASHING
from analytics.disaggregation.priors import (
    RUN_COARSE_S,
    RUN_FLOOR_W,
    RUN_GAP_S,
    RUN_KWH,
    RUN_POWER_W,
    RUN_STEP,
)
from analytics.disaggregation.stages import compiled

N_COMPONENTS = len(RUN_KWH)
AT_ONCE = 32
"""Intervals looked at together for a run that begins or ends."""
FLOOR_WH_PER_S = RUN_FLOOR_W / 3600.0


class Runs(NamedTuple):
    """What runs of a home are like, shape (runs,), and their odds or shares, shape (N_COMPONENTS, runs)."""

    energy_wh: npt.NDArray[np.float64]
    seconds: npt.NDArray[np.float64]
    longest_s: npt.NDArray[np.int64]
    hour: npt.NDArray[np.int64]
    odds: npt.NDArray[np.float64]


@compiled
def new_runs(n: Any) -> Any:
    """Return room for so many runs."""
    return Runs(
        np.empty(n),
        np.empty(n),
        np.empty(n, dtype=np.int64),
        np.empty(n, dtype=np.int64),
        np.empty((N_COMPONENTS, n)),
    )


@compiled
def find_runs(
    start_us: Any, duration_s: Any, residual_wh: Any, begin: Any, end: Any, step_s: Any, is_on: Any, turns: Any
) -> Any:
    """Fill first interval and end of each run among the intervals `begin:end`, in turn; return how many there are.

    Parameters
    ----------
    start_us, duration_s, residual_wh : arrays of shape (n,)
    step_s : int
        Length of the intervals if all have one and there is no gap, else 0.
    is_on : ndarray of uint8, shape (n + 2,)
        Room to work.
    turns : ndarray of int64, shape (n + 2,)
    """
    if 0 < step_s < RUN_COARSE_S:
        return find_runs_of_even(residual_wh[begin:end], begin, step_s, is_on, turns)
    count, end_us, before_w = np.int64(0), np.int64(-(2**62)), 0.0
    start_us, duration_s, residual_wh = start_us[begin:end], duration_s[begin:end], residual_wh[begin:end]
    for i in range(residual_wh.size):
        if residual_wh[i] * 3600.0 > RUN_POWER_W * duration_s[i]:
            power_w = residual_wh[i] * 3600.0 / duration_s[i]
            is_near = abs(power_w - before_w) <= RUN_STEP * max(power_w, before_w)
            is_joined = is_near or duration_s[i] < RUN_COARSE_S
            before_w = power_w
            if not (count > 0 and is_joined and start_us[i] - end_us <= RUN_GAP_S * 1_000_000):
                turns[2 * count] = begin + i
                count += 1
            turns[2 * count - 1] = begin + i + 1
            end_us = start_us[i] + np.int64(duration_s[i]) * 1_000_000
    return count


@compiled
def find_runs_of_even(residual_wh: Any, begin: Any, step_s: Any, is_on: Any, turns: Any) -> Any:
    """Fill the same of intervals of one length below `RUN_COARSE_S` without a gap: only powers have to be looked at."""
    n, power_wh_s = residual_wh.size, RUN_POWER_W * step_s
    is_on[0] = is_on[n + 1] = 0
    now, before = is_on[1 : n + 2], is_on[: n + 1]
    for i in range(n):
        now[i] = residual_wh[i] * 3600.0 > power_wh_s
    n_turns, first = np.int64(0), np.int64(0)
    while first <= n:
        now_, before_ = now[first : first + AT_ONCE], before[first : first + AT_ONCE]
        changes = np.uint8(0)
        for k in range(now_.size):
            changes |= now_[k] ^ before_[k]
        if changes:
            for k in range(now_.size):
                turns[n_turns] = begin + first + k
                n_turns += now_[k] ^ before_[k]
        first += AT_ONCE
    pause = np.int64(RUN_GAP_S) // step_s
    if pause == 0 or n_turns == 0:
        return n_turns // 2
    last = np.int64(1)
    for run in range(1, n_turns // 2):
        if turns[2 * run] - turns[last] > pause:
            turns[last + 1] = turns[2 * run]
            last += 2
        turns[last] = turns[2 * run + 1]
    return (last + 1) // 2


@compiled
def claim(residual_wh: Any, duration_s: Any) -> Any:
    """Return what a run has of an interval's energy: what is above the floor [Wh]."""
    return max(residual_wh - FLOOR_WH_PER_S * duration_s, 0.0)


@compiled
def claims(residual_wh: Any, duration_s: Any, low: Any, high: Any) -> Any:
    """Return what a run has of the energy of the intervals `low:high` [Wh], added up in whole microwatt-hours."""
    total = np.int64(0)
    # Whole numbers without a sign spare the check for places counted from the end.
    for i in range(np.uint64(low), np.uint64(high)):
        total += np.int64(claim(residual_wh[i], duration_s[i]) * 1e6 + 0.5)
    return total * 1e-6


@compiled
def measure_runs(
    duration_s: Any, residual_wh: Any, turns: Any, n_runs: Any, wall_s: Any, step_s: Any, runs: Any
) -> None:
    """Fill energy, length, longest interval and hour of start of each run; see `find_runs`."""
    for run in range(n_runs):
        low, high = turns[2 * run], turns[2 * run + 1]
        runs.energy_wh[run] = claims(residual_wh, duration_s, low, high)
        runs.hour[run] = wall_s[low] // 3600
        seconds, longest = (high - low) * step_s, step_s
        if step_s == 0:
            for i in range(low, high):
                seconds += duration_s[i]
                longest = max(longest, np.int64(duration_s[i]))
        runs.seconds[run], runs.longest_s[run] = float(seconds), longest


@compiled
def take_runs(
    duration_s: Any,
    residual_wh: Any,
    cuts: Any,
    turns: Any,
    n_runs: Any,
    energy_wh: Any,
    cooking: Any,
    washing: Any,
    boiler: Any,
    day_wh: Any,
) -> None:
    """Add each run's energy to the days of its classes, and take it out of the residual.

    Parameters
    ----------
    cuts : ndarray of int64, shape (target days + 1,)
        First interval of each day, and the end of the last one's.
    energy_wh : ndarray of float64, shape (runs,), [Wh]
    cooking, washing, boiler : arrays of shape (runs,)
        Share of each run that the class has.
    day_wh : ndarray of float64, shape (N_CLASSES, target days), [Wh]
    """
    d = 0
    for run in range(n_runs):
        claimed = min(cooking[run] + washing[run] + boiler[run], 1.0)
        low, end = turns[2 * run], turns[2 * run + 1]
        while cuts[d + 1] <= low:
            d += 1
        is_within = end <= cuts[d + 1]
        while low < end:
            while cuts[d + 1] <= low:
                d += 1
            high = min(end, cuts[d + 1])
            run_wh = energy_wh[run] if is_within else claims(residual_wh, duration_s, low, high)
            day_wh[COOKING, d] += cooking[run] * run_wh
            day_wh[WASHING, d] += washing[run] * run_wh
            day_wh[BOILER, d] += boiler[run] * run_wh
            for i in range(np.uint64(low), np.uint64(high)):
                residual_wh[i] = max(residual_wh[i] - claimed * claim(residual_wh[i], duration_s[i]), 0.0)
            low = high
