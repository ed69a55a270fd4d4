"""Flat blocks of high power, by which a charger shows its power over 13 months of days.

A block begins where the power rises by at least `MIN_RISE_W` over what was before and lasts while at least
`STAYS` of the rise is left. Its level is the mean of its inner intervals less the mean of what was before
and after. A block counts as a plateau when its inner powers lie within `MAX_SPREAD` of each other.
"""

from typing import Any

import numpy as np
from numba import njit

from analytics.disaggregation.columns import COLUMNS

MIN_RISE_W = 1200.0
"""The weakest charger, 230 V at 6 A, draws 1.4 kW (IEC 61851-1); own margin for what runs beside it."""
STAYS = 0.65
MAX_SPREAD = 0.3
MIN_PLATEAU_S = 1500
"""Own choice: two intervals of 15 minutes, or one of 30."""
BIN_W = 250.0
"""Width of a bin of the histogram of plateaus. Source: disaggregation method, stage 3."""
N_BINS = 92
"""Up to 23 kW, three phases of 32 A."""
NEAR = 0.12
"""Plateaus of one charger lie so near to each other: mains voltage varies by 10 % (EN 50160)."""
MAX_WEIGHT_MIN = 240
"""A block longer than this counts no more: heaters run for whole days."""

_NAMES = [name for name, _ in COLUMNS]
LEVEL, LENGTH, START = (_NAMES.index(name) for name in ("plateau_w", "plateau_min", "plateau_start_min"))


@njit(cache=True, nogil=True)
def longest_plateau(duration_s: Any, energy_wh: Any, is_valid: Any, wall_s: Any) -> Any:
    """Return level [W], length [min] and start [min after local midnight] of one local day's longest plateau.

    Parameters
    ----------
    duration_s, energy_wh, is_valid, wall_s
        Of the intervals of one local day, in order; invalid ones split it.

    Returns
    -------
    level_w, length_min, start_min : float
        All 0 without a plateau of `MIN_PLATEAU_S`.
    """
    level_w, length_s, start_s = 0.0, 0.0, 0.0
    n = duration_s.size
    least_w = np.inf
    for i in range(n):
        if is_valid[i] and energy_wh[i] * 3600.0 < least_w * duration_s[i]:
            least_w = energy_wh[i] * 3600.0 / duration_s[i]
    i = 0
    before_w = earlier_w = least_w
    while i < n:
        if not is_valid[i]:
            before_w = earlier_w = least_w
            i += 1
            continue
        power_w = energy_wh[i] * 3600.0 / duration_s[i]
        base_w = min(before_w, earlier_w)
        if power_w - base_w < MIN_RISE_W:
            earlier_w, before_w = before_w, power_w
            i += 1
            continue
        found_w, found_s, first, last = _block(duration_s, energy_wh, is_valid, i, base_w, least_w)
        if found_s > length_s and found_s >= MIN_PLATEAU_S:
            level_w, length_s = found_w, found_s
            start_s = wall_s[first]
        if last > i + 1:
            before_w = earlier_w = base_w
            i = last
        else:
            earlier_w, before_w = before_w, power_w
            i += 1
    return level_w, length_s / 60.0, start_s / 60.0


@njit(cache=True, nogil=True)
def _block(duration_s: Any, energy_wh: Any, is_valid: Any, first: Any, base_w: Any, least_w: Any) -> Any:
    """Return level [W] (0 where not flat), length [s], first inner interval and end of the block at `first`."""
    n = duration_s.size
    top_w = energy_wh[first] * 3600.0 / duration_s[first] - base_w
    inner = first
    # The first interval may hold the charger for a part of its time.
    if first + 1 < n and is_valid[first + 1]:
        next_w = energy_wh[first + 1] * 3600.0 / duration_s[first + 1] - base_w
        if next_w > top_w / STAYS:
            top_w, inner = next_w, first + 1
    i = inner
    total_wh, total_s, low_w, high_w = 0.0, 0.0, np.inf, 0.0
    while i < n and is_valid[i]:
        power_w = energy_wh[i] * 3600.0 / duration_s[i]
        if power_w - base_w < STAYS * top_w or power_w - base_w > top_w / STAYS:
            break
        total_wh += energy_wh[i]
        total_s += duration_s[i]
        low_w, high_w = min(low_w, power_w), max(high_w, power_w)
        i += 1
    if total_s == 0.0:
        return 0.0, 0.0, inner, i
    after_w = base_w
    if i + 1 < n and is_valid[i + 1]:
        after_w = energy_wh[i + 1] * 3600.0 / duration_s[i + 1]
    level_w = total_wh * 3600.0 / total_s - 0.5 * (base_w + min(after_w, base_w + 0.3 * top_w))
    if high_w - low_w > MAX_SPREAD * level_w or level_w < MIN_RISE_W:
        return 0.0, 0.0, inner, i
    return level_w, total_s, inner, i


@njit(cache=True, nogil=True)
def near_plateaus(statistics: Any, around_w: Any, low: Any, high: Any) -> Any:
    """Return the mean level of the days' plateaus between `low` and `high` of a power, and their weight [min]."""
    total, weight = 0.0, 0.0
    for d in range(statistics.shape[0]):
        level_w = float(statistics[d, LEVEL])
        if low * around_w <= level_w <= high * around_w:
            minutes = min(float(statistics[d, LENGTH]), MAX_WEIGHT_MIN)
            total += level_w * minutes
            weight += minutes
    return (total / weight if weight > 0 else around_w), weight


@njit(cache=True, nogil=True)
def add_to_histogram(statistics: Any, histogram: Any) -> None:
    """Add the days' plateaus to a histogram of `N_BINS` bins of `BIN_W`, by their minutes."""
    for d in range(statistics.shape[0]):
        level_w = statistics[d, LEVEL]
        if level_w > 0:
            slot = min(int(level_w / BIN_W), N_BINS - 1)
            histogram[slot] += min(float(statistics[d, LENGTH]), MAX_WEIGHT_MIN)


@njit(cache=True, nogil=True)
def add_hours(statistics: Any, power_w: Any, hours: Any) -> None:
    """Count the days' plateaus near a power by the local hour they begin in."""
    for d in range(statistics.shape[0]):
        if abs(statistics[d, LEVEL] - power_w) <= NEAR * power_w:
            hours[min(statistics[d, START] // 60, 23)] += 1.0
