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
def day_of(edges_us: Any, from_day: Any, at_us: Any) -> Any:
    """Return the day of an instant, looked for from a day on that is not after it; the first one if it is before."""
    d = from_day
    while d + 1 < edges_us.size and edges_us[d + 1] <= at_us:
        d += 1
    return d


@compiled
def cut(
    edges_us: Any, start_us: Any, end_us: Any, energy_wh: Any, n_runs: Any, piece_us: Any, weight_mwh: Any
) -> Any:
    """Fill day, start and end of each piece, and its energy if the run's were even; return how many there are.

    Parameters
    ----------
    piece_us : ndarray of int64, shape (3, pieces)
    weight_mwh : ndarray of float64, shape (pieces,), [mWh]
    """
    n_days, n_pieces, first_day = edges_us.size - 1, np.int64(0), np.int64(0)
    day, low_us, high_us = piece_us[0], piece_us[1], piece_us[2]
    for run in range(n_runs):
        first_day = day_of(edges_us, first_day, start_us[run])
        d = first_day
        while d < n_days and edges_us[d] < end_us[run] and n_pieces < weight_mwh.size:
            low, high = max(start_us[run], edges_us[d]), min(end_us[run], edges_us[d + 1])
            if high > low:
                day[n_pieces], low_us[n_pieces], high_us[n_pieces] = d, low, high
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
    is_rising = True
    for piece in range(n_pieces):
        scale[day[piece]] += weight_mwh[piece]
        is_rising = is_rising and day[piece] >= day[max(piece - 1, 0)]
    for d in range(scale.size):
        scale[d] = budget_mwh[d] / scale[d] if scale[d] > 0 else 0.0
    for piece in range(n_pieces):
        exact_mwh = weight_mwh[piece] * scale[day[piece]]
        energy_mwh[piece] = min(np.int64(exact_mwh), budget_mwh[day[piece]])
        weight_mwh[piece] = exact_mwh - energy_mwh[piece]
        budget_mwh[day[piece]] -= energy_mwh[piece]
    first = np.int64(0)
    while first < n_pieces:
        end = first + 1
        # Where the days rise, the pieces of a day are neighbours; else each is looked for among all.
        while is_rising and end < n_pieces and day[end] == day[first]:
            end += 1
        d = day[first]
        if is_rising:
            give_rest(budget_mwh, d, day, weight_mwh, first, end, energy_mwh)
        else:
            give_rest(budget_mwh, d, day, weight_mwh, np.int64(0), n_pieces, energy_mwh)
        # A float resolves less than one mWh of more than 9 TWh: what is then still left goes to the first piece.
        energy_mwh[first] += budget_mwh[d]
        budget_mwh[d] = 0
        first = end


@compiled
def give_rest(budget_mwh: Any, d: Any, day: Any, weight_mwh: Any, first: Any, end: Any, energy_mwh: Any) -> None:
    """Give what is left of a day's budget by single mWh to its pieces among some; of equal remainders the first."""
    for _ in range(first, end):
        if budget_mwh[d] <= 0:
            break
        largest, remainder = first, -np.inf
        for piece in range(first, end):
            if day[piece] == d and weight_mwh[piece] > remainder:
                largest, remainder = piece, weight_mwh[piece]
        energy_mwh[largest] += 1
        weight_mwh[largest] -= 1.0
        budget_mwh[d] -= 1


@compiled
def hold(budget_mwh: Any, edges_us: Any, start_us: Any, end_us: Any, energy_wh: Any, n_runs: Any) -> None:
    """Hold each day's budget to what its runs, in order of start, were found to take."""
    found_mwh, first_day = np.zeros(budget_mwh.size), np.int64(0)
    for run in range(n_runs):
        first_day = day_of(edges_us, first_day, start_us[run])
        d = first_day
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
    table : ndarray of int64, shape (N_FIELDS, rows)
    edges_us : ndarray of int64, shape (days + 1,), [µs]
        Of the target days; what lies outside is left out.
    budget_mwh : ndarray of int64, shape (days,), [mWh]
        What the pieces of each day share out; used up.
    start_us, end_us, energy_wh : arrays of shape (n_runs or more,)
        In order of start.
    """
    if n_runs == 0:
        return table, count
    most = n_runs + edges_us.size - 1
    piece_us, weight_mwh = np.empty((3, most), dtype=np.int64), np.empty(most)
    energy_mwh = np.empty(most, dtype=np.int64)
    n_pieces = cut(edges_us, start_us, end_us, energy_wh, n_runs, piece_us, weight_mwh)
    share_out(budget_mwh, piece_us[0], weight_mwh, n_pieces, energy_mwh)
    table = room_for(table, count, n_pieces)
    for piece in range(n_pieces):
        if energy_mwh[piece] > 0:
            table[HOME, count], table[APPLIANCE, count] = home, appliance
            table[START_US, count], table[END_US, count] = piece_us[1, piece], piece_us[2, piece]
            table[ENERGY_MWH, count] = energy_mwh[piece]
            count += 1
    return table, count
