"""Runs of appliances: found in the energy of a class, and cut at local midnights into pieces that add up.

A run is a time of at least some power without a pause longer than allowed. Its first and last interval are
taken to be used for the part of their time that the power of their neighbour inside would need:

    start = end of the first interval - length x min(1, p_first / p_second)

Pieces are whole milliwatt-hours that add up to a given total of each day: every piece gets the whole part of
its share, and what is left goes to the largest remainders, one each.
"""

from typing import Any

import numpy as np

from analytics.disaggregation.stages import compiled

SECOND_US = 1_000_000


@compiled
def find_runs(
    start_us: Any,
    duration_s: Any,
    class_wh: Any,
    is_valid: Any,
    min_power_w: Any,
    max_pause_s: Any,
    min_wh: Any,
    run_start_us: Any,
    run_end_us: Any,
    run_wh: Any,
) -> Any:
    """Fill the runs of a class in order of start and return how many there are; they never overlap.

    Parameters
    ----------
    start_us, duration_s, class_wh, is_valid : arrays of shape (n,)
        The home's intervals with the energy of one class. A gap or an invalid interval ends a run.
    min_power_w : float, [W]
        Of an interval of a run.
    max_pause_s : int, [s]
        Intervals of less power within a run last at most so long together; what they hold belongs to it.
    min_wh : float, [Wh]
        Less is no run.
    run_start_us, run_end_us : ndarray of int64, shape (n,), [µs since the epoch, UTC]
    run_wh : ndarray of float64, shape (n,), [Wh]
        Sums of `class_wh` over the run's intervals.
    """
    n_runs = 0
    i = 0
    while i < start_us.size:
        if not _is_on(duration_s, class_wh, is_valid, min_power_w, i):
            i += 1
            continue
        end = _end_of(start_us, duration_s, class_wh, is_valid, min_power_w, max_pause_s, i)
        wh = 0.0
        for k in range(i, end):
            wh += class_wh[k]
        if wh >= min_wh:
            run_start_us[n_runs], run_end_us[n_runs] = _limits(start_us, duration_s, class_wh, i, end)
            run_wh[n_runs] = wh
            n_runs += 1
        i = end
    return n_runs


@compiled
def _is_on(duration_s: Any, class_wh: Any, is_valid: Any, min_power_w: Any, i: Any) -> Any:
    return is_valid[i] and class_wh[i] > 0.0 and class_wh[i] * 3600.0 >= min_power_w * duration_s[i]


@compiled
def _end_of(
    start_us: Any, duration_s: Any, class_wh: Any, is_valid: Any, min_power_w: Any, max_pause_s: Any, first: Any
) -> Any:
    """Return the end of the run that begins at `first`: after its last interval of enough power."""
    end, pause_s = first + 1, 0
    i = first + 1
    while i < start_us.size and is_valid[i]:
        if start_us[i] != start_us[i - 1] + SECOND_US * np.int64(duration_s[i - 1]):
            break
        if _is_on(duration_s, class_wh, is_valid, min_power_w, i):
            end, pause_s = i + 1, 0
        else:
            pause_s += duration_s[i]
            if pause_s > max_pause_s:
                break
        i += 1
    return end


@compiled
def _limits(start_us: Any, duration_s: Any, class_wh: Any, first: Any, end: Any) -> Any:
    """Return start and end of a run inside its first and last interval [µs]."""
    last = end - 1
    begin_us = start_us[first]
    end_us = start_us[last] + SECOND_US * np.int64(duration_s[last])
    if end - first < 2:
        return begin_us, end_us
    at_first = class_wh[first] / duration_s[first]
    at_last = class_wh[last] / duration_s[last]
    second = class_wh[first + 1] / duration_s[first + 1]
    last_but_one = class_wh[last - 1] / duration_s[last - 1]
    if at_first < second:
        begin_us += np.int64((1.0 - at_first / second) * (duration_s[first] - 1) * SECOND_US)
    if at_last < last_but_one:
        end_us -= np.int64((1.0 - at_last / last_but_one) * (duration_s[last] - 1) * SECOND_US)
    return begin_us, end_us


@compiled
def cut_at_midnights(
    start_us: Any,
    class_wh: Any,
    edges_us: Any,
    run_start_us: Any,
    run_end_us: Any,
    n_runs: Any,
    day_mwh: Any,
    is_whole: Any,
    piece_start_us: Any,
    piece_end_us: Any,
    piece_mwh: Any,
) -> Any:
    """Cut runs into pieces of one local day with whole energies; return how many pieces there are.

    Parameters
    ----------
    start_us, class_wh : arrays of shape (n,)
        The home's intervals with the energy of the class; an interval's energy is of the day it starts in.
    edges_us : ndarray of int64, shape (days + 1,), [µs since the epoch, UTC]
        Of the days wanted; what is outside is left out.
    run_start_us, run_end_us : arrays of which the first `n_runs` count
        In order, without overlap.
    day_mwh : ndarray of int64, shape (days,), [mWh]
    is_whole : bool
        The class is made of runs alone: the pieces of a day add up to `day_mwh` exactly, if there is any.
        Else they add up to their own energy, rounded, or to `day_mwh` where that is less.
    piece_start_us, piece_end_us, piece_mwh : ndarray of int64, shape (n_runs + days,)
        Filled in order; the pieces of one run follow each other without a gap.
    """
    weight = np.empty(piece_mwh.size)
    n_pieces, first_of_day, i, run, day = 0, 0, 0, 0, 0
    while day < edges_us.size - 1:
        is_over = run >= n_runs
        if not is_over:
            i = _before(start_us, i, run_start_us[run])
            begin_us = run_start_us[run]
            if start_us[i] < edges_us[day + 1] <= begin_us:
                # The interval it begins in belongs to this day with all its energy.
                begin_us = max(edges_us[day + 1] - SECOND_US, start_us[i])
            low_us, high_us = max(begin_us, edges_us[day]), min(run_end_us[run], edges_us[day + 1])
            if low_us < high_us:
                piece_start_us[n_pieces], piece_end_us[n_pieces] = low_us, high_us
                weight[n_pieces] = _energy_of(start_us, class_wh, i, run_end_us[run], edges_us, day)
                n_pieces += 1
            is_over = run_end_us[run] > edges_us[day + 1]
        if is_over:
            pieces = slice(first_of_day, n_pieces)
            length_us = piece_end_us[pieces] - piece_start_us[pieces]
            _share_out(weight[pieces], length_us, day_mwh[day], is_whole, piece_mwh[pieces])
            first_of_day = n_pieces
            day += 1
        else:
            run += 1
    return n_pieces


@compiled
def _before(start_us: Any, i: Any, instant_us: Any) -> Any:
    """Return the last interval from `i` on that starts at or before an instant."""
    while i + 1 < start_us.size and start_us[i + 1] <= instant_us:
        i += 1
    return i


@compiled
def _energy_of(start_us: Any, class_wh: Any, i: Any, end_us: Any, edges_us: Any, day: Any) -> Any:
    """Return the energy of a run's intervals, `i` the first, that start on a day [Wh]."""
    wh = 0.0
    while i < start_us.size and start_us[i] < min(end_us, edges_us[day + 1]):
        if start_us[i] >= edges_us[day]:
            wh += class_wh[i]
        i += 1
    return wh


@compiled
def _share_out(weight: Any, length_us: Any, day_mwh: Any, is_whole: Any, piece_mwh: Any) -> None:
    """Share a day's energy among its pieces by weight, or by length where none has any, exactly."""
    if weight.size == 0:
        return
    total = weight.sum()
    if not is_whole:
        day_mwh = min(day_mwh, np.int64(total * 1000.0 + 0.5))
    if total <= 0.0:
        weight[:] = length_us
        total = weight.sum()
    left = day_mwh
    for k in range(weight.size):
        exact = day_mwh * (weight[k] / total)
        piece_mwh[k] = min(np.int64(exact), left)
        weight[k] = exact - piece_mwh[k]
        left -= piece_mwh[k]
    while left > 0:
        most = np.argmax(weight)
        piece_mwh[most] += 1
        weight[most] -= 1.0
        left -= 1
