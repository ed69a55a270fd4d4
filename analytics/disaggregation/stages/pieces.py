"""Runs cut at local midnights into pieces of one local day, in whole mWh of what is printed of their class.

A piece has the share of its run's energy that its time has. On each day the pieces share out a budget by
largest remainder: the printed energy of the class for charges of a vehicle, which add up to it, and at most that
for other classes. Runs of one class do not overlap, so there is at most one piece more for each midnight.
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
    edges_us: Any, start_us: Any, end_us: Any, energy_wh: Any, n_runs: Any, piece_us: Any, weight_mwh: Any
) -> Any:
    """Fill day, start and end of each piece, and its energy if the run's were even; return how many there are.

    Parameters
    ----------
    piece_us : ndarray of int64, shape (pieces, 3)
    weight_mwh : ndarray of float64, shape (pieces,), [mWh]
    """
    n_days, n_pieces = edges_us.size - 1, 0
    for run in range(n_runs):
        d = max(np.searchsorted(edges_us, start_us[run], side="right") - 1, 0)
        while d < n_days and edges_us[d] < end_us[run] and n_pieces < weight_mwh.size:
            low, high = max(start_us[run], edges_us[d]), min(end_us[run], edges_us[d + 1])
            if high > low:
                piece_us[n_pieces, 0], piece_us[n_pieces, 1], piece_us[n_pieces, 2] = d, low, high
                weight_mwh[n_pieces] = 1000.0 * energy_wh[run] * ((high - low) / (end_us[run] - start_us[run]))
                n_pieces += 1
            d += 1
    return n_pieces


@compiled
def share_out(budget_mwh: Any, day: Any, weight_mwh: Any, n_pieces: Any, energy_mwh: Any) -> None:
    """Share the days' budgets out among their pieces by weight, whole mWh by largest remainder.

    Parameters
    ----------
    budget_mwh : ndarray of int64, shape (days,), [mWh]
        Used up on days that have pieces.
    day, weight_mwh, energy_mwh : arrays of shape (n_pieces or more,)
        The weights are overwritten.
    """
    scale = np.zeros(budget_mwh.size)
    for piece in range(n_pieces):
        scale[day[piece]] += weight_mwh[piece]
    for d in range(scale.size):
        scale[d] = budget_mwh[d] / scale[d] if scale[d] > 0 else 0.0
    for piece in range(n_pieces):
        exact_mwh = weight_mwh[piece] * scale[day[piece]]
        energy_mwh[piece] = min(np.int64(exact_mwh), budget_mwh[day[piece]])
        weight_mwh[piece] = exact_mwh - energy_mwh[piece]
        budget_mwh[day[piece]] -= energy_mwh[piece]
    is_rising = True
    for piece in range(1, n_pieces):
        is_rising = is_rising and day[piece] >= day[piece - 1]
    for _ in range(n_pieces):
        is_left = False
        for piece in range(n_pieces):
            d = day[piece]
            if budget_mwh[d] > 0:
                is_left = True
                if is_largest(piece, day, weight_mwh, n_pieces, is_rising):
                    energy_mwh[piece] += 1
                    weight_mwh[piece] -= 1.0
                    budget_mwh[d] -= 1
        if not is_left:
            break
    # A float resolves less than one mWh of more than 9 TWh: what is then still left goes to the first piece.
    for piece in range(n_pieces):
        energy_mwh[piece] += budget_mwh[day[piece]]
        budget_mwh[day[piece]] = 0


@compiled
def is_largest(piece: Any, day: Any, weight_mwh: Any, n_pieces: Any, is_rising: Any) -> Any:
    """Tell whether no other piece of its day has a larger remainder; of equals the first has it.

    Where the days rise, those of a day are neighbours.
    """
    first, end = np.int64(0), n_pieces
    if is_rising:
        first, end = piece, piece + 1
        while first > 0 and day[first - 1] == day[piece]:
            first -= 1
        while end < n_pieces and day[end] == day[piece]:
            end += 1
    larger = 0
    for other in range(first, end):
        if day[other] == day[piece]:
            is_before = other < piece and weight_mwh[other] == weight_mwh[piece]
            larger += int(weight_mwh[other] > weight_mwh[piece] or is_before)
    return larger == 0


@compiled
def hold(budget_mwh: Any, edges_us: Any, start_us: Any, end_us: Any, energy_wh: Any, n_runs: Any) -> None:
    """Hold each day's budget to what its runs were found to take."""
    found_mwh = np.zeros(budget_mwh.size)
    for run in range(n_runs):
        d = max(np.searchsorted(edges_us, start_us[run], side="right") - 1, 0)
        while d < budget_mwh.size and edges_us[d] < end_us[run]:
            time_us = min(end_us[run], edges_us[d + 1]) - max(start_us[run], edges_us[d])
            found_mwh[d] += 1000.0 * energy_wh[run] * (max(time_us, 0) / (end_us[run] - start_us[run]))
            d += 1
    for d in range(budget_mwh.size):
        budget_mwh[d] = min(budget_mwh[d], np.int64(found_mwh[d]))


@compiled
def add_pieces(
    table: Any,
    count: Any,
    home: Any,
    appliance: Any,
    edges_us: Any,
    budget_mwh: Any,
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
        What the pieces of each day share out; used up.
    start_us, end_us, energy_wh : arrays of shape (n_runs or more,)
        In order of start.
    """
    most = n_runs + edges_us.size - 1
    piece_us, weight_mwh = np.empty((most, 3), dtype=np.int64), np.empty(most)
    energy_mwh = np.empty(most, dtype=np.int64)
    n_pieces = cut(edges_us, start_us, end_us, energy_wh, n_runs, piece_us, weight_mwh)
    share_out(budget_mwh, piece_us[:, 0], weight_mwh, n_pieces, energy_mwh)
    table = room_for(table, count, n_pieces)
    for piece in range(n_pieces):
        if energy_mwh[piece] > 0:
            table[count, HOME], table[count, APPLIANCE] = home, appliance
            table[count, START_US], table[count, END_US] = piece_us[piece, 1], piece_us[piece, 2]
            table[count, ENERGY_MWH] = energy_mwh[piece]
            count += 1
    return table, count
