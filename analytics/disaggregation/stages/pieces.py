"""Runs cut at local midnights into pieces of one local day, in whole mWh of what is printed of their class.

A piece has the share of its run's energy that its time has. On each day the pieces share out a budget by the
running sum of their energy, rounded: the printed energy of the class for charges of a vehicle, which add up to
it, and at most that for other classes. Runs of one class do not overlap, so there is at most one piece more for
each midnight.
"""

from typing import Any

import numpy as np

from analytics.disaggregation.stages import compiled

N_FIELDS = 5
HOME, APPLIANCE, START_US, END_US, ENERGY_MWH = range(N_FIELDS)


@compiled
def room_for(table: Any, count: Any, more: Any) -> Any:
    """Return the table, or a longer copy where it has no room for so many rows more."""
    if count + more <= table.shape[0]:
        return table
    longer = np.empty((2 * (count + more), N_FIELDS), dtype=np.int64)
    longer[:count] = table[:count]
    return longer


@compiled
def is_touched(day_us: Any, next_us: Any, start_us: Any, end_us: Any, n_runs: Any) -> Any:
    """Tell whether any run has time on a day."""
    count = 0
    for run in range(n_runs):
        count += int(start_us[run] < next_us and end_us[run] > day_us)
    return count > 0


@compiled
def cut(
    edges_us: Any, start_us: Any, end_us: Any, energy_wh: Any, n_runs: Any, pieces: Any, day: Any, weight_mwh: Any
) -> Any:
    """Fill start and end of each piece, its day, and its energy if the run's were even; return how many there are.

    Parameters
    ----------
    pieces : ndarray of int64, shape (pieces, N_FIELDS)
        Rows of the table: start and end are filled.
    day : ndarray of int64, shape (pieces,)
    weight_mwh : ndarray of float64, shape (pieces,), [mWh]
    """
    n_days, n_pieces, first_day = edges_us.size - 1, np.int64(0), np.int64(0)
    for run in range(n_runs):
        run_start_us, run_end_us = start_us[run], end_us[run]
        while first_day < n_days and edges_us[first_day + 1] <= run_start_us:
            first_day += 1
        d = first_day
        while d < n_days and edges_us[d] < run_end_us and n_pieces < weight_mwh.size:
            low, high = max(run_start_us, edges_us[d]), min(run_end_us, edges_us[d + 1])
            if high > low:
                share = 1.0
                if high - low < run_end_us - run_start_us:
                    share = (high - low) / (run_end_us - run_start_us)
                pieces[n_pieces, START_US], pieces[n_pieces, END_US] = low, high
                day[n_pieces], weight_mwh[n_pieces] = d, 1000.0 * energy_wh[run] * share
                n_pieces += 1
            d += 1
    return n_pieces


@compiled
def share_out(budget_mwh: Any, is_held: Any, day: Any, weight_mwh: Any, n_pieces: Any, pieces: Any) -> None:
    """Share the days' budgets out among their pieces by weight, each the step of their rounded running sum.

    Parameters
    ----------
    budget_mwh : ndarray of int64, shape (days,), [mWh]
    is_held : bool
        Whether a day shares out no more than its pieces were found to take.
    day, weight_mwh : arrays of shape (n_pieces or more,)
    pieces : ndarray of int64, shape (n_pieces or more, N_FIELDS)
        The energy is filled.
    """
    whole_mwh, passed_mwh = np.zeros(budget_mwh.size), np.zeros(budget_mwh.size)
    held_mwh, given_mwh = budget_mwh.copy(), np.zeros(budget_mwh.size, dtype=np.int64)
    for piece in range(n_pieces):
        whole_mwh[day[piece]] += weight_mwh[piece]
    scale = np.zeros(budget_mwh.size)
    for d in range(budget_mwh.size):
        if is_held:
            held_mwh[d] = min(held_mwh[d], np.int64(whole_mwh[d]))
        if whole_mwh[d] > 0:
            scale[d] = held_mwh[d] / whole_mwh[d]
    for piece in range(n_pieces):
        d = day[piece]
        passed_mwh[d] += weight_mwh[piece]
        # The last piece of a day gets what is left, to the last mWh.
        upto_mwh = held_mwh[d]
        if passed_mwh[d] < whole_mwh[d]:
            upto_mwh = min(max(np.int64(passed_mwh[d] * scale[d] + 0.5), given_mwh[d]), upto_mwh)
        pieces[piece, ENERGY_MWH] = upto_mwh - given_mwh[d]
        given_mwh[d] = upto_mwh


@compiled
def add_pieces(
    table: Any,
    count: Any,
    home: Any,
    appliance: Any,
    edges_us: Any,
    budget_mwh: Any,
    is_held: Any,
    start_us: Any,
    end_us: Any,
    energy_wh: Any,
    n_runs: Any,
) -> Any:
    """Add the pieces of a home's runs of one class to a table; return the table and how many rows it has.

    Parameters
    ----------
    table : ndarray of int64, shape (rows, N_FIELDS)
    edges_us : ndarray of int64, shape (days + 1,), [µs]
        Of the target days; what lies outside is left out.
    budget_mwh : ndarray of int64, shape (days,), [mWh]
        What the pieces of each day share out.
    is_held : bool
        Whether they share out no more than was found.
    start_us, end_us, energy_wh : arrays of shape (n_runs or more,)
        In order of start.
    """
    if n_runs == 0:
        return table, count
    most = n_runs + edges_us.size - 1
    table = room_for(table, count, most)
    pieces, day, weight_mwh = table[count:], np.empty(most, dtype=np.int64), np.empty(most)
    n_pieces = cut(edges_us, start_us, end_us, energy_wh, n_runs, pieces, day, weight_mwh)
    share_out(budget_mwh, is_held, day, weight_mwh, n_pieces, pieces)
    kept = np.int64(0)
    for piece in range(n_pieces):
        if pieces[piece, ENERGY_MWH] > 0:
            pieces[kept, HOME], pieces[kept, APPLIANCE] = home, appliance
            pieces[kept, START_US], pieces[kept, END_US] = pieces[piece, START_US], pieces[piece, END_US]
            pieces[kept, ENERGY_MWH] = pieces[piece, ENERGY_MWH]
            kept += 1
    return table, count + kept
