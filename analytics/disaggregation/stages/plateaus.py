"""Flat blocks of high power: a charger shows its power by them over 13 months of days.

A block begins where the power rises by at least `MIN_RISE_W` over what was before and lasts while `STAYS` of
the rise is left. Its level is the mean of its inner intervals less the mean of what was before and after it.
It is a plateau when its inner powers lie within `MAX_SPREAD` of its level.

Source: disaggregation method, stage 3; the numbers are own choices, tuned on the odd months of one labelled
home and on charges laid into homes without a vehicle.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from analytics.disaggregation.columns import PLATEAU_W
from analytics.disaggregation.stages import compiled

MIN_RISE_W = 1200.0
"""The weakest charger draws 6 A of 230 V, 1.4 kW (IEC 61851-1); a margin for what runs beside it."""
NO_RISE_UW = 0.999 * MIN_RISE_W / 0.0036
"""Rises that are surely too small are seen without a division [µWh/s]."""
STAYS = 0.65
MAX_SPREAD = 0.3
MIN_PLATEAU_S = 1500
"""Two intervals of 15 minutes, or one of 30."""
MANY = 8
"""From so many intervals of a plateau on it is quicker to look for what may hold one first."""
BIN_W = 250.0
"""Width of a bin of the histogram of plateaus. Source: disaggregation method, stage 3."""
N_BINS = 92
"""Up to 23 kW, three phases of 32 A."""
NEAR = 0.12
"""Plateaus of one charger lie so near to its power: mains voltage varies by 10 % (EN 50160)."""
WEAK_W = 3000.0
WEAK_TRUST = 0.5
"""Below this many things in a home have a plateau: heaters, dryers, tanks, air conditioners."""
CLOSE = 0.05
MAX_WEIGHT_MIN = 240
"""A longer plateau counts no more: heaters run for whole days."""

SHARP = 0.04
SLOT_MIN = 10
N_SLOTS = 144

LEVEL, LENGTH, START = PLATEAU_W, PLATEAU_W + 1, PLATEAU_W + 2
N_NUMBERS = 5
LEVEL_W, WEIGHT_MIN, LENGTH_MIN, START_MIN, IS_BEFORE = range(N_NUMBERS)
"""Rows of `Plateaus.numbers`."""


class Plateaus(NamedTuple):
    """The plateaus of a home's days, bin after bin, shape (N_NUMBERS, plateaus), and where each bin begins.

    All are whole numbers, so that sums over them are exact in any order; `all_wmin` is their energy [W min], the
    long ones as `MAX_WEIGHT_MIN`.
    """

    numbers: npt.NDArray[np.int64]
    begins: npt.NDArray[np.int64]
    all_wmin: np.int64


@compiled
def longest_plateau(duration_s: Any, energy_uwh: Any, is_valid: Any, is_even: Any, least_w: Any) -> Any:
    """Return level [W], length [s] and first interval of the longest plateau of a local day.

    Parameters
    ----------
    duration_s, energy_uwh, is_valid : arrays of one shape
        The intervals of the day, in order; an invalid one ends a block.
    is_even : bool
        Whether all are valid and of one length.
    least_w : float, [W]
        The day's least power, which stands for what was before the first interval.

    Returns
    -------
    level_w, length_s : float
        0 without a plateau of `MIN_PLATEAU_S`.
    first : int
    """
    if is_even:
        step_s = np.int64(duration_s[0])
        if MANY * step_s <= MIN_PLATEAU_S:
            return _longest_of_many(energy_uwh, step_s, least_w)
        return _longest_within(energy_uwh, step_s, least_w, np.int64(0), energy_uwh.size, np.int64(0))
    level_w, length_s, at = 0.0, np.int64(0), np.int64(0)
    before_w = earlier_w = least_w
    i = np.int64(0)
    while i < duration_s.size:
        if not is_valid[i]:
            before_w = earlier_w = least_w
            i += 1
            continue
        power_w = energy_uwh[i] * 0.0036 / duration_s[i]
        base_w = min(before_w, earlier_w)
        after = i + 1
        if power_w - base_w >= MIN_RISE_W:
            found_w, found_s, first, last = _block(duration_s, energy_uwh, is_valid, i, base_w)
            if found_s > length_s and found_s >= MIN_PLATEAU_S:
                level_w, length_s, at = found_w, np.int64(found_s), first
            after = max(last, i + 1)
        if after > i + 1:
            before_w = earlier_w = base_w
        else:
            earlier_w, before_w = before_w, power_w
        i = after
    return level_w, length_s, at


@compiled
def _longest_of_many(energy_uwh: Any, step_s: Any, least_w: Any) -> Any:
    """Return the longest plateau of an even day of many intervals.

    All intervals of a block are high above the day's least power. So only stretches with as many high intervals
    on end as a longer plateau needs are looked at, from two low ones to two low ones: what lies before those has
    no part in what comes after. Of so many on end one is found by looking at every so-manieth interval.
    """
    n = energy_uwh.size
    level_w, length_s, at = 0.0, np.int64(0), np.int64(0)
    high_uwh = np.int64((least_w + 0.999 * STAYS * MIN_RISE_W) * step_s / 0.0036)
    seen, need = np.int64(0), (MIN_PLATEAU_S + step_s - 1) // step_s
    while seen + need <= n:
        end = seen + need
        first = end - 1
        if energy_uwh[first] < high_uwh:
            seen = end
            continue
        while first > seen and energy_uwh[first - 1] >= high_uwh:
            first -= 1
        while end < n and energy_uwh[end] >= high_uwh:
            end += 1
        seen = end
        if end - first < need:
            continue
        while first > 0 and (energy_uwh[first - 1] >= high_uwh or energy_uwh[max(first - 2, 0)] >= high_uwh):
            first -= 1
        while end < n and (energy_uwh[end] >= high_uwh or energy_uwh[min(end + 1, n - 1)] >= high_uwh):
            end += 1
        seen = end
        found_w, found_s, found = _longest_within(
            energy_uwh, step_s, least_w, first if first >= 2 else np.int64(0), end, length_s
        )
        if found_s > length_s:
            level_w, length_s, at = found_w, found_s, found
            need = length_s // step_s + 1
    return level_w, length_s, at


@compiled
def _longest_within(energy_uwh: Any, step_s: Any, least_w: Any, first: Any, stop: Any, longer_s: Any) -> Any:
    """Return the longest plateau that begins within `[first, stop)` of an even day and is longer than one.

    No block may reach over `first`, and none of what it returns is that.
    """
    level_w, length_s, at = 0.0, longer_s, np.int64(0)
    no_rise_uwh = np.int64(NO_RISE_UW * step_s)
    now_uwh, before_uwh, earlier_uwh = energy_uwh[2:], energy_uwh[1:], energy_uwh
    # What was before a block stands for what was before the two intervals after it, up to `plain`.
    base_w, base_uwh, i, plain = least_w, np.int64(least_w * step_s / 0.0036), first, np.int64(2)
    while i < stop:
        if i < plain:
            if energy_uwh[i] - base_uwh < no_rise_uwh:
                base_uwh = min(base_uwh, energy_uwh[i])
                base_w = min(base_w, energy_uwh[i] * 0.0036 / step_s)
                i += 1
                continue
        else:
            rise = stop
            for k in range(max(i - 2, 0), stop - 2):
                if now_uwh[k] - min(before_uwh[k], earlier_uwh[k]) >= no_rise_uwh:
                    rise = k + 2
                    break
            if rise == stop:
                break
            i = rise
            base_uwh = min(energy_uwh[i - 1], energy_uwh[i - 2])
            base_w = base_uwh * 0.0036 / step_s
        top_w = energy_uwh[i] * 0.0036 / step_s - base_w
        end = i
        if top_w >= MIN_RISE_W:
            inner, end, top_w = _even_block(energy_uwh, step_s, i, base_w, top_w)
            found_s = (end - inner) * step_s
            if found_s > length_s and found_s >= MIN_PLATEAU_S:
                found_w = _flat_level(energy_uwh, step_s, inner, end, base_w, top_w)
                if found_w > 0.0:
                    level_w, length_s, at = found_w, found_s, inner
        if end > i + 1:
            i, plain = end, end + 2
        else:
            i += 1
    return level_w, length_s, at


@compiled
def _even_block(energy_uwh: Any, step_s: Any, first: Any, base_w: Any, top_w: Any) -> Any:
    """Return first inner interval and end of the block that begins at `first` with a rise, and the rise."""
    n, inner = energy_uwh.size, first
    # The first interval may be charged in for a part of its time.
    if first + 1 < n:
        next_w = energy_uwh[first + 1] * 0.0036 / step_s - base_w
        if next_w * STAYS > top_w:
            inner, top_w = first + 1, next_w
    w_per_uwh, low_w, high_w = 0.0036 / step_s, STAYS * top_w, top_w / STAYS
    slack_w = 1e-9 * (high_w + base_w)  # within it a product is not surely the quotient
    sure_low_w, sure_high_w = low_w + base_w + slack_w, high_w + base_w - slack_w
    for k in range(max(inner, 0), n):
        is_sure = sure_low_w <= energy_uwh[k] * w_per_uwh <= sure_high_w
        if not is_sure and not low_w <= energy_uwh[k] * 0.0036 / step_s - base_w <= high_w:
            return inner, k, top_w
    return inner, n, top_w


@compiled
def _flat_level(energy_uwh: Any, step_s: Any, inner: Any, end: Any, base_w: Any, top_w: Any) -> Any:
    """Return the level of the block `[inner, end)` of an even day, 0 where it is not flat [W]."""
    # The last interval is charged in for a part of its time, unless there is no other.
    block_uwh = energy_uwh[inner : max(end - 1, inner + 1)]
    total_uwh, low_uwh, high_uwh = np.int64(0), block_uwh[0], block_uwh[0]
    for k in range(block_uwh.size):
        total_uwh += block_uwh[k]
        low_uwh, high_uwh = min(low_uwh, block_uwh[k]), max(high_uwh, block_uwh[k])
    after_w = base_w
    if end + 2 < energy_uwh.size:
        after_w = min(energy_uwh[end + 2] * 0.0036 / step_s, base_w + (1.0 - STAYS) * top_w)
    level_w = total_uwh * 0.0036 / (block_uwh.size * step_s) - 0.5 * (base_w + after_w)
    spread_w = high_uwh * 0.0036 / step_s - low_uwh * 0.0036 / step_s
    return level_w if level_w >= MIN_RISE_W and spread_w <= MAX_SPREAD * level_w else 0.0


@compiled
def _block(duration_s: Any, energy_uwh: Any, is_valid: Any, first: Any, base_w: Any) -> Any:
    """Return level [W], length [s] (0 where not flat), first inner interval and end of the block at `first`."""
    n = duration_s.size
    inner = first
    top_w = energy_uwh[first] * 0.0036 / duration_s[first] - base_w
    # The first interval may be charged in for a part of its time.
    if first + 1 < n and is_valid[first + 1]:
        next_w = energy_uwh[first + 1] * 0.0036 / duration_s[first + 1] - base_w
        if next_w * STAYS > top_w:
            inner, top_w = first + 1, next_w
    total_uwh, total_s, low_w, high_w = 0, 0, np.inf, 0.0
    last_uwh, last_s = 0, 0
    i = inner
    while i < n and is_valid[i]:
        power_w = energy_uwh[i] * 0.0036 / duration_s[i]
        if not STAYS * top_w <= power_w - base_w <= top_w / STAYS:
            break
        if last_s > 0:
            last_w = last_uwh * 0.0036 / last_s
            low_w, high_w = min(low_w, last_w), max(high_w, last_w)
            total_uwh += last_uwh
            total_s += last_s
        last_uwh, last_s = energy_uwh[i], duration_s[i]
        i += 1
    if last_s == 0:
        return 0.0, 0, inner, i
    # The last interval is charged in for a part of its time, unless there is no other.
    length_s = total_s + last_s
    if total_s == 0:
        total_uwh, total_s = last_uwh, last_s
        low_w = high_w = last_uwh * 0.0036 / last_s
    after_w = base_w
    if i + 2 < n and is_valid[i + 1] and is_valid[i + 2]:
        after_w = min(energy_uwh[i + 2] * 0.0036 / duration_s[i + 2], base_w + (1.0 - STAYS) * top_w)
    level_w = total_uwh * 0.0036 / total_s - 0.5 * (base_w + after_w)
    is_flat = level_w >= MIN_RISE_W and high_w - low_w <= MAX_SPREAD * level_w
    return level_w, length_s if is_flat else 0, inner, i


@compiled
def plateaus_of(experience: Any, n_before: Any) -> Any:
    """Return the days' plateaus, those of the first `n_before` days marked."""
    begins, all_wmin = np.zeros(N_BINS + 1, dtype=np.int64), np.int64(0)
    for d in range(experience.shape[0]):
        if experience[d, LEVEL] > 0:
            begins[_bin_of(experience[d, LEVEL]) + 1] += 1
    for k in range(N_BINS):
        begins[k + 1] += begins[k]
    at = begins.copy()
    numbers = np.empty((N_NUMBERS, begins[N_BINS]), dtype=np.int64)
    for d in range(experience.shape[0]):
        if experience[d, LEVEL] > 0:
            slot = _bin_of(experience[d, LEVEL])
            k, minutes = at[slot], np.int64(experience[d, LENGTH])
            at[slot] += 1
            numbers[LEVEL_W, k], numbers[WEIGHT_MIN, k] = experience[d, LEVEL], min(minutes, MAX_WEIGHT_MIN)
            numbers[LENGTH_MIN, k], numbers[START_MIN, k] = minutes, experience[d, START]
            numbers[IS_BEFORE, k] = d < n_before
            all_wmin += numbers[LEVEL_W, k] * numbers[WEIGHT_MIN, k]
    return Plateaus(numbers, begins, all_wmin)


@compiled
def _bin_of(level_w: Any) -> Any:
    """Return the bin of a level."""
    return np.int64(min(level_w / BIN_W, N_BINS - 1.0))


@compiled
def _between(plateaus: Any, low_w: Any, high_w: Any) -> Any:
    """Return where the plateaus of all bins between two powers begin and end; those of other bins are not between."""
    return plateaus.begins[_bin_of(max(low_w, 0.0))], plateaus.begins[_bin_of(max(high_w, 0.0)) + 1]


@compiled
def mean_level(plateaus: Any, low_w: Any, high_w: Any) -> Any:
    """Return the mean level of the plateaus between two powers [W], 0 without any."""
    total, weight = np.int64(0), np.int64(0)
    first, end = _between(plateaus, low_w, high_w)
    level_w, weight_min = plateaus.numbers[LEVEL_W, first:end], plateaus.numbers[WEIGHT_MIN, first:end]
    for k in range(level_w.size):
        minutes = weight_min[k] if low_w <= level_w[k] <= high_w else np.int64(0)
        total += level_w[k] * minutes
        weight += minutes
    return total / weight if weight > 0 else 0.0


@compiled
def usual_level(plateaus: Any, low_w: Any, high_w: Any) -> Any:
    """Return the level the plateaus between two powers crowd at [W]: their mean, drawn to the closest."""
    level_w = mean_level(plateaus, low_w, high_w)
    for _ in range(2):
        closer_w = mean_level(plateaus, max((1.0 - CLOSE) * level_w, low_w), min((1.0 + CLOSE) * level_w, high_w))
        level_w = closer_w if closer_w > 0.0 else level_w
    return level_w


@compiled
def fill_histogram(plateaus: Any, histogram: Any) -> None:
    """Fill a histogram of `N_BINS` bins of `BIN_W` with the energy of the plateaus, weak ones less."""
    level_w, weight_min = plateaus.numbers[LEVEL_W], plateaus.numbers[WEIGHT_MIN]
    for slot in range(N_BINS):
        energy_wmin = 0.0
        for k in range(plateaus.begins[slot], plateaus.begins[slot + 1]):
            trust = 1.0 if level_w[k] >= WEAK_W else WEAK_TRUST
            energy_wmin += trust * level_w[k] * weight_min[k]
        histogram[slot] = energy_wmin


@compiled
def add_starts(plateaus: Any, power_w: Any, starts: Any) -> None:
    """Count the plateaus of the days before that are near a power by the local hour they begin in."""
    first, end = _between(plateaus, (1.0 - NEAR) * power_w - 1.0, (1.0 + NEAR) * power_w + 1.0)
    numbers = plateaus.numbers
    for k in range(first, end):
        if numbers[IS_BEFORE, k] > 0 and abs(numbers[LEVEL_W, k] - power_w) <= NEAR * power_w:
            starts[min(numbers[START_MIN, k] // 60, 23)] += 1.0


@compiled
def describe_plateaus(plateaus: Any, power_w: Any) -> Any:
    """Return what the plateaus near a power have in common.

    Returns
    -------
    n_near : float
    regular : float
        Share of them that begin within about 10 minutes of one time of the day.
    sharp : float
        Share of them within `SHARP` of the power.
    share : float
        Of the energy of all plateaus.
    varied : float
        Standard deviation of their length over its mean.
    mean_kwh : float, [kWh]
        Of one of them; a charge may be longer, for a plateau ends at midnight and at any other use.
    """
    n_near, n_sharp, near_wmin, length, square = np.int64(0), np.int64(0), np.int64(0), np.int64(0), np.int64(0)
    near_w, sharp_w = NEAR * power_w, SHARP * power_w
    first, end = _between(plateaus, power_w - near_w - 1.0, power_w + near_w + 1.0)
    level_w, weight_min = plateaus.numbers[LEVEL_W, first:end], plateaus.numbers[WEIGHT_MIN, first:end]
    length_min, start_min = plateaus.numbers[LENGTH_MIN, first:end], plateaus.numbers[START_MIN, first:end]
    for k in range(level_w.size):
        is_near = np.int64(abs(level_w[k] - power_w) <= near_w)
        n_near += is_near
        n_sharp += np.int64(abs(level_w[k] - power_w) <= sharp_w)
        near_wmin += is_near * level_w[k] * weight_min[k]
        length += is_near * length_min[k]
        square += is_near * length_min[k] * length_min[k]
    if n_near == 0:
        return 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    begin = np.zeros(N_SLOTS, dtype=np.int64)
    for k in range(level_w.size):
        begin[min(start_min[k] // SLOT_MIN, N_SLOTS - 1)] += np.int64(abs(level_w[k] - power_w) <= near_w)
    most = begin[0] + begin[N_SLOTS - 1]
    for k in range(1, N_SLOTS):
        most = max(most, begin[k] + begin[k - 1])
    varied = np.sqrt(max(float(square) * n_near - float(length) * length, 0.0)) / length
    mean_kwh = near_wmin / 60_000.0 / n_near
    return n_near, most / n_near, n_sharp / n_near, near_wmin / plateaus.all_wmin, varied, mean_kwh
