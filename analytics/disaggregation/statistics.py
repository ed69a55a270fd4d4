"""Daily statistics of homes from their intervals alone, also of months that were never disaggregated."""

import numpy as np
import numpy.typing as npt

from analytics.disaggregation.columns import (
    COLUMNS,
    HISTORY_DAYS,
    N_COLUMNS,
    PARTS_OF_DAY_H,
    STATISTICS_VERSION,
    Statistics,
)
from analytics.disaggregation.stages.quality import NEGATIVE, NO_LENGTH, NOT_IN_ORDER, measure_homes
from analytics.errors import BrokenContractError
from analytics.kernels.checks import require_array, require_offsets

__all__ = [
    "COLUMNS",
    "HISTORY_DAYS",
    "N_COLUMNS",
    "PARTS_OF_DAY_H",
    "STATISTICS_VERSION",
    "Statistics",
    "day_statistics",
    "raise_fault",
]

_FAULTS = {
    NOT_IN_ORDER: "an interval starts no later than the one before it",
    NO_LENGTH: "an interval lasts less than a second",
    NEGATIVE: "an interval has negative energy",
}


def raise_fault(home: int, fault: int) -> None:
    """Raise what is wrong with a home's intervals; nothing if `home` is -1.

    Raises
    ------
    BrokenContractError
        A home is at fault.
    """
    if home >= 0:
        raise BrokenContractError(f"home {home} of the batch: {_FAULTS[fault]}")


def day_statistics(
    *,
    offsets: npt.NDArray[np.int64],
    start_us: npt.NDArray[np.int64],
    duration_s: npt.NDArray[np.int32],
    energy_uwh: npt.NDArray[np.int64],
    is_valid: npt.NDArray[np.bool_],
    edge_offsets: npt.NDArray[np.int64],
    day_edges_us: npt.NDArray[np.int64],
) -> Statistics:
    """Return what is kept of each local day of each home; an interval belongs to the day it starts in.

    Parameters
    ----------
    offsets : ndarray of int64, shape (h + 1,)
        Home `i` has the intervals `offsets[i]:offsets[i + 1]`.
    start_us : ndarray of int64, shape (n,), [µs since the epoch, UTC]
        Rising within a home.
    duration_s : ndarray of int32, shape (n,), [s]
    energy_uwh : ndarray of int64, shape (n,), [µWh]
    is_valid : ndarray of bool, shape (n,)
    edge_offsets : ndarray of int64, shape (h + 1,)
        Home `i` has the day edges `edge_offsets[i]:edge_offsets[i + 1]`, one more than its days.
    day_edges_us : ndarray of int64, shape (days + h,), [µs since the epoch, UTC]

    Returns
    -------
    ndarray of uint16, shape (days, N_COLUMNS)

    Raises
    ------
    BrokenContractError
        A home's intervals are not in order, empty or negative, or an array has another dtype or shape.
    """
    require_array("start_us", start_us, np.int64)
    require_array("duration_s", duration_s, np.int32, start_us.size)
    require_array("energy_uwh", energy_uwh, np.int64, start_us.size)
    require_array("is_valid", is_valid, np.bool_, start_us.size)
    require_array("day_edges_us", day_edges_us, np.int64)
    require_offsets("offsets", offsets, start_us.size)
    require_offsets("edge_offsets", edge_offsets, day_edges_us.size)
    if edge_offsets.size != offsets.size or np.any(np.diff(edge_offsets) < 1):
        raise BrokenContractError("each home has at least one day edge")
    rows, home, fault = measure_homes(
        offsets, start_us, duration_s, energy_uwh, is_valid, edge_offsets, day_edges_us
    )
    raise_fault(home, fault)
    statistics: Statistics = rows
    return statistics
