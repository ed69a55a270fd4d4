"""Stage 0, quality: whether a home's intervals are sound, and what was measured on each of its local days."""

from typing import Any

import numpy as np

from analytics.disaggregation.columns import N_COLUMNS
from analytics.disaggregation.stages import compiled
from analytics.disaggregation.stages.days import is_even, measure_day
from analytics.disaggregation.stages.regular import intervals_a_day, measure_regular_home

SOUND, NOT_IN_ORDER, NO_LENGTH, NEGATIVE = 0, 1, 2, 3
"""What may be wrong with a home's intervals."""


@compiled
def fault_of(start_us: Any, duration_s: Any, energy_uwh: Any) -> Any:
    """Return what is wrong with a home's intervals, `SOUND` if nothing."""
    if start_us.size == 0:
        return SOUND
    # Arrays from their second place on, and one array a loop: several intervals at once.
    after_us, rise_us, negative_uwh, shortest_s = start_us[1:], np.int64(0), np.int64(0), duration_s[0]
    for i in range(after_us.size):
        rise_us |= after_us[i] - start_us[i] - 1  # negative where there is no rise
    for i in range(duration_s.size):
        shortest_s = min(shortest_s, duration_s[i])
    for i in range(energy_uwh.size):
        negative_uwh |= energy_uwh[i]
    if rise_us < 0:
        return NOT_IN_ORDER
    if shortest_s <= 0:
        return NO_LENGTH
    return NEGATIVE if negative_uwh < 0 else SOUND


@compiled
def count_before(start_us: Any, duration_s: Any, first: Any, edge_us: Any) -> Any:
    """Return how many intervals from `first` on start before an edge; tried first where there is no gap."""
    n = start_us.size
    if first >= n or start_us[first] >= edge_us:
        return np.int64(0)
    step_us = np.int64(duration_s[first]) * 1_000_000
    stop = min(first + (edge_us - start_us[first] + step_us - 1) // step_us, n)
    while stop > first and start_us[stop - 1] >= edge_us:
        stop -= 1
    while stop < n and start_us[stop] < edge_us:
        stop += 1
    return stop - first


@compiled
def measure_home(
    start_us: Any,
    duration_s: Any,
    energy_uwh: Any,
    is_valid: Any,
    edges_us: Any,
    total_uwh: Any,
    valid_s: Any,
    rows: Any,
    cuts: Any,
    is_even_day: Any,
) -> Any:
    """Fill energy, valid time and statistics of each day of a home; an interval belongs to the day it starts in.

    Parameters
    ----------
    cuts : ndarray of int64, shape (days + 1,)
        Filled with the first interval of each day and the end of the last one's.
    is_even_day : ndarray of bool, shape (days,)
        Filled: see `is_even`; a day without intervals is not.

    Returns
    -------
    step_s, per_day : int
        Length of the intervals where those of all days together are even, else 0; how many each day has where
        it is also of 24 hours and begins with an interval, else 0.
    """
    i = np.searchsorted(start_us, edges_us[0])
    end = np.searchsorted(start_us, edges_us[-1])
    is_even_home = end > i and is_even(start_us[i:end], duration_s[i:end], is_valid[i:end])
    step_s: Any = np.int64(duration_s[i]) if is_even_home else np.int64(0)
    cuts[0] = i
    per_day = intervals_a_day(step_s, start_us[i], edges_us, end - i) if is_even_home else np.int64(0)
    if per_day > 0:
        measure_regular_home(
            start_us[i:end],
            duration_s[i:end],
            energy_uwh[i:end],
            is_valid[i:end],
            edges_us,
            per_day,
            total_uwh,
            valid_s,
            rows,
        )
        for day in range(edges_us.size - 1):
            cuts[day + 1] = cuts[day] + per_day
            is_even_day[day] = True
        return step_s, per_day
    sums_uwh = np.empty(end - i + 1, dtype=np.int64)
    for day in range(edges_us.size - 1):
        stop = i
        stop += count_before(start_us, duration_s, i, edges_us[day + 1])
        length_s = (edges_us[day + 1] - edges_us[day]) // 1_000_000
        cuts[day + 1] = stop
        is_even_day[day] = stop > i and (
            is_even_home or is_even(start_us[i:stop], duration_s[i:stop], is_valid[i:stop])
        )
        total_uwh[day], valid_s[day] = measure_day(
            start_us[i:stop],
            duration_s[i:stop],
            energy_uwh[i:stop],
            is_valid[i:stop],
            is_even_day[day],
            edges_us[day],
            length_s,
            sums_uwh,
            rows[day],
        )
        i = stop
    return step_s, per_day


@compiled
def measure_homes(
    offsets: Any,
    start_us: Any,
    duration_s: Any,
    energy_uwh: Any,
    is_valid: Any,
    edge_offsets: Any,
    edges_us: Any,
) -> Any:
    """Return the statistics of every day, the first faulty home or -1, and its fault."""
    n_homes = offsets.size - 1
    rows = np.zeros((edges_us.size - n_homes, N_COLUMNS), dtype=np.uint16)
    total_uwh = np.zeros(rows.shape[0], dtype=np.int64)
    valid_s = np.zeros(rows.shape[0], dtype=np.int64)
    cuts, is_even_day = np.empty(edges_us.size, dtype=np.int64), np.empty(edges_us.size, dtype=np.bool_)
    for home in range(n_homes):
        i, j = offsets[home], offsets[home + 1]
        e, f = edge_offsets[home], edge_offsets[home + 1]
        fault = fault_of(start_us[i:j], duration_s[i:j], energy_uwh[i:j])
        if fault != SOUND:
            return rows, home, fault
        d, n_days = e - home, f - e - 1
        measure_home(
            start_us[i:j],
            duration_s[i:j],
            energy_uwh[i:j],
            is_valid[i:j],
            edges_us[e:f],
            total_uwh[d : d + n_days],
            valid_s[d : d + n_days],
            rows[d : d + n_days],
            cuts,
            is_even_day,
        )
    return rows, -1, SOUND
