"""Energies of classes into printed parts that add up to the printed total of every day, exactly.

Printed parts are integer milliwatt-hours. A month's days are rounded cumulatively, so the month prints as
its own exact rounding, and every day, week and clipped week is a sum of the same printed days.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from analytics.kernels.rounding import round_rows
from analytics.rounding import MWH_UWH


def month_day_totals_mwh(energy_uwh: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Round a calendar month's days to milliwatt-hours, so that they add up to the rounded month.

    A day's figure depends on the days before it in the month and on no later one.

    Parameters
    ----------
    energy_uwh : ndarray of int64, shape (n,), [µWh]
        Energy of the first n days of the month, in order.

    Returns
    -------
    ndarray of int64, shape (n,), [mWh]
        The sum is the half-even rounding of the exact sum; each is within 1 mWh of its own.

    Raises
    ------
    BrokenContractError
        The array is not a vector of int64.
    """
    return round_rows(np.array([0, energy_uwh.size], dtype=np.int64), energy_uwh, MWH_UWH)


def reconcile_days(
    target_offsets: npt.NDArray[np.int64],
    total_uwh: npt.NDArray[np.int64],
    stage_uwh: Sequence[npt.NDArray[np.int64]],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Round totals and parts of the homes' target days and give the rest to `others`.

    Each part is rounded cumulatively like the total, then held to what the day's total has left.

    Parameters
    ----------
    target_offsets : ndarray of int64, shape (h + 1,)
    total_uwh : ndarray of int64, shape (d,), [µWh]
    stage_uwh : sequence of k ndarrays of int64, shape (d,), [µWh]
        Together at most the total.

    Returns
    -------
    total_mwh : ndarray of int64, shape (d,), [mWh]
    parts_mwh : ndarray of int64, shape (d, k + 1), [mWh]
        The stages in order, then `others`; never negative, each row sums to its total exactly.

    Raises
    ------
    BrokenContractError
        An array has another dtype or shape.
    """
    total_mwh = round_rows(target_offsets, total_uwh, MWH_UWH)
    parts_mwh = np.empty((total_mwh.size, len(stage_uwh) + 1), dtype=np.int64)
    left_mwh = total_mwh.copy()
    for column, part_uwh in enumerate(stage_uwh):
        parts_mwh[:, column] = np.minimum(round_rows(target_offsets, part_uwh, MWH_UWH), left_mwh)
        left_mwh -= parts_mwh[:, column]
    parts_mwh[:, -1] = left_mwh
    return total_mwh, parts_mwh
