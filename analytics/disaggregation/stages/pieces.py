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
    """Return the table, or a longer copy where it has no room for so many pieces more."""
    if count + more <= table.shape[1]:
        return table
    longer = np.empty((N_FIELDS, 2 * (count + more)), dtype=np.int64)
    longer[:, :count] = table[:, :count]
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
    edges_us: Any,
    start_us: Any,
    end_us: Any,
    energy_wh: Any,
    chosen: Any,
    piece_start_us: Any,
    piece_end_us: Any,
    day: Any,
    weight_mwh: Any,
) -> Any:
    """Fill start and end of each piece, its day, and its energy if the run's were even; return how many there are.

    Parameters
    ----------
    chosen : ndarray of int64, shape (runs,)
        Which runs, in order of start.
    piece_start_us, piece_end_us, day : ndarray of int64, shape (pieces,)
    weight_mwh : ndarray of float64, shape (pieces,), [mWh]
    """
    n_days, n_pieces, first_day = edges_us.size - 1, np.int64(0), np.int64(0)
    for run in chosen:
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
                piece_start_us[n_pieces], piece_end_us[n_pieces] = low, high
                day[n_pieces], weight_mwh[n_pieces] = d, 1000.0 * energy_wh[run] * share
                n_pieces += 1
            d += 1
    return n_pieces


@compiled
def share_out(budget_mwh: Any, is_held: Any, day: Any, weight_mwh: Any, n_pieces: Any, energy_mwh: Any) -> None:
    """Share the days' budgets out among their pieces by weight, each the step of their rounded running sum.

    Parameters
    ----------
    budget_mwh : ndarray of int64, shape (days,), [mWh]
    is_held : bool
        Whether a day shares out no more than its pieces were found to take.
    day, weight_mwh, energy_mwh : arrays of shape (n_pieces or more,)
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
        energy_mwh[piece] = upto_mwh - given_mwh[d]
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
    chosen: Any,
) -> Any:
    """Add the pieces of a home's runs of one class to a table; return the table and how many it has.

    Parameters
    ----------
    table : ndarray of int64, shape (N_FIELDS, pieces)
    edges_us : ndarray of int64, shape (days + 1,), [µs]
        Of the target days; what lies outside is left out.
    budget_mwh : ndarray of int64, shape (days,), [mWh]
        What the pieces of each day share out.
    is_held : bool
        Whether they share out no more than was found.
    start_us, end_us, energy_wh : arrays of one shape
    chosen : ndarray of int64, shape (runs,)
        Which of them, in order of start.
    """
    if chosen.size == 0:
        return table, count
    most = chosen.size + edges_us.size - 1
    table = room_for(table, count, most)
    day, weight_mwh = np.empty(most, dtype=np.int64), np.empty(most)
    piece_start_us, piece_end_us, energy_mwh = (
        table[START_US, count:],
        table[END_US, count:],
        table[ENERGY_MWH, count:],
    )
    n_pieces = cut(edges_us, start_us, end_us, energy_wh, chosen, piece_start_us, piece_end_us, day, weight_mwh)
    share_out(budget_mwh, is_held, day, weight_mwh, n_pieces, energy_mwh)
    kept = np.int64(0)
    for piece in range(n_pieces):
        # What comes after the last that is kept is written over.
        piece_start_us[kept], piece_end_us[kept] = piece_start_us[piece], piece_end_us[piece]
        energy_mwh[kept] = energy_mwh[piece]
        kept += np.int64(energy_mwh[piece] > 0)
    table[HOME, count : count + kept] = home
    table[APPLIANCE, count : count + kept] = appliance
    return table, count + kept
