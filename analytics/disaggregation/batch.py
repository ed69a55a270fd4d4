"""What the stages of the disaggregation take and give: homes as compressed rows, energy per interval."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analytics.disaggregation.classes import CLASSES
from analytics.disaggregation.households import Household
from analytics.disaggregation.places import Places
from analytics.disaggregation.statistics import HISTORY_DAYS, N_COLUMNS, Statistics
from analytics.errors import BrokenContractError
from analytics.kernels.checks import require_array, require_offsets

__all__ = ["CLASSES", "Cycles", "DisaggregationBatch", "HomesBatch"]


@dataclass(frozen=True, kw_only=True)
class HomesBatch:
    """Interval energy and local days of a batch of homes, each home a row.

    A home's days are a few days of context, whose intervals show how the first night began, followed by
    its target days: one whole calendar month. What longer experience teaches comes as daily statistics.

    Parameters
    ----------
    offsets : ndarray of int64, shape (h + 1,)
        Home `i` has the intervals `offsets[i]:offsets[i + 1]`, in order of start.
    start_us : ndarray of int64, shape (n,), [µs since the epoch, UTC]
    duration_s : ndarray of int32, shape (n,), [s]
    energy_uwh : ndarray of int64, shape (n,), [µWh]
        Never negative; every interval whose energy counts, estimated ones included.
    is_valid : ndarray of bool, shape (n,)
        Intervals that show when energy was used: `analytics.quality.profile_mask`. An estimated
        interval, or a daily register spread over its hours, counts in totals and teaches nothing.
    edge_offsets : ndarray of int64, shape (h + 1,)
        Home `i` has the day edges `edge_offsets[i]:edge_offsets[i + 1]`, one more than its days.
    day_edges_us : ndarray of int64, shape (days + h,), [µs since the epoch, UTC]
        From `analytics.calendar.day_edges_us`.
    first_day : ndarray of int64, shape (h,), [days since 1970-01-01]
        The local date of each home's first day, context included.
    n_context_days : ndarray of int64, shape (h,)
        Days before the target days, usually one.
    history_offsets : ndarray of int64, shape (h + 1,)
        Home `i` has the rows `history_offsets[i]:history_offsets[i + 1]` of `history`: consecutive local
        days, at most `HISTORY_DAYS`, of which the last is the day before the first target day.
    history : ndarray of uint16, shape (history days, N_COLUMNS)
        From `DisaggregationBatch.statistics` of earlier months, see `analytics.disaggregation.statistics`.
    households : tuple of Household, length h
    places : Places
        Covers the history and the target days of every home.
    place : ndarray of int64, shape (h,)
        Row of each home in `places`.

    Raises
    ------
    BrokenContractError
        A shape, a dtype or an offset is not as said.
    """

    offsets: npt.NDArray[np.int64]
    start_us: npt.NDArray[np.int64]
    duration_s: npt.NDArray[np.int32]
    energy_uwh: npt.NDArray[np.int64]
    is_valid: npt.NDArray[np.bool_]
    edge_offsets: npt.NDArray[np.int64]
    day_edges_us: npt.NDArray[np.int64]
    first_day: npt.NDArray[np.int64]
    n_context_days: npt.NDArray[np.int64]
    history_offsets: npt.NDArray[np.int64]
    history: Statistics
    households: tuple[Household, ...]
    places: Places
    place: npt.NDArray[np.int64]

    def __post_init__(self) -> None:
        require_array("start_us", self.start_us, np.int64)
        require_array("duration_s", self.duration_s, np.int32, self.start_us.size)
        require_array("energy_uwh", self.energy_uwh, np.int64, self.start_us.size)
        require_array("is_valid", self.is_valid, np.bool_, self.start_us.size)
        require_array("day_edges_us", self.day_edges_us, np.int64)
        require_offsets("offsets", self.offsets, self.start_us.size)
        require_offsets("edge_offsets", self.edge_offsets, self.day_edges_us.size)
        require_array("first_day", self.first_day, np.int64, self.n_homes)
        require_array("n_context_days", self.n_context_days, np.int64, self.n_homes)
        require_offsets("history_offsets", self.history_offsets, self.history.shape[0])
        require_array("place", self.place, np.int64, self.n_homes)
        if len(self.households) != self.n_homes or self.history_offsets.size != self.offsets.size:
            raise BrokenContractError("each home has a household and a row of history offsets")
        if self.edge_offsets.size != self.offsets.size:
            raise BrokenContractError("offsets and edge_offsets are of the same homes")
        if np.any(np.diff(self.edge_offsets) < 1):
            raise BrokenContractError("each home has at least one day edge")
        if self.history.dtype != np.uint16 or self.history.shape[1:] != (N_COLUMNS,):
            raise BrokenContractError(f"history: rows of {N_COLUMNS} uint16 are needed")
        if np.any(np.diff(self.history_offsets) > HISTORY_DAYS):
            raise BrokenContractError(f"a home has at most {HISTORY_DAYS} days of history")
        if self.n_homes and not (self.place.min() >= 0 and self.place.max() < self.places.latitude.size):
            raise BrokenContractError("place: a row of places is needed")
        if np.any(self.n_context_days < 0) or np.any(self.n_context_days > np.diff(self.day_offsets)):
            raise BrokenContractError("n_context_days lies between 0 and the days of the home")

    @property
    def n_homes(self) -> int:
        """Homes in the batch."""
        return self.offsets.size - 1

    @property
    def day_offsets(self) -> npt.NDArray[np.int64]:
        """Home `i` has the days `day_offsets[i]:day_offsets[i + 1]`, context included."""
        return self.edge_offsets - np.arange(self.n_homes + 1)

    @property
    def target_offsets(self) -> npt.NDArray[np.int64]:
        """Home `i` has the target days `target_offsets[i]:target_offsets[i + 1]`."""
        n_target = np.diff(self.day_offsets) - self.n_context_days
        return np.concatenate(([0], np.cumsum(n_target))).astype(np.int64)


@dataclass(frozen=True, kw_only=True)
class Cycles:
    """Runs of single appliances, each cut at local midnights into pieces of one local day.

    Pieces of one run follow each other without a gap. The pieces of `electric_vehicle` on a day add up to
    the printed energy of that class on that day exactly; those of other classes are at most that.

    Parameters
    ----------
    home : ndarray of int64, shape (c,)
        Row of the home in the batch; rising, then by class, then by start.
    appliance : ndarray of int64, shape (c,)
        Column in `CLASSES`: electric_vehicle, washing, boiler or cooking.
    start_us, end_us : ndarray of int64, shape (c,), [µs since the epoch, UTC]
        May lie inside an interval; within the target days.
    energy_mwh : ndarray of int64, shape (c,), [mWh]
        Never negative.
    """

    home: npt.NDArray[np.int64]
    appliance: npt.NDArray[np.int64]
    start_us: npt.NDArray[np.int64]
    end_us: npt.NDArray[np.int64]
    energy_mwh: npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class DisaggregationBatch:
    """Printed energy of each home's target days per class, with its cycles and what is kept of the days.

    Parameters
    ----------
    model_version : str
    target_offsets : ndarray of int64, shape (h + 1,)
        Home `i` has the target days `target_offsets[i]:target_offsets[i + 1]`.
    total_mwh : ndarray of int64, shape (d,), [mWh]
    parts_mwh : ndarray of int64, shape (d, N_CLASSES), [mWh]
        Never negative; each row sums to its total exactly.
    confidence : ndarray of float64, shape (h, N_CLASSES)
        In [0, 1].
    lower_mwh, upper_mwh : ndarray of int64, shape (h, N_CLASSES), [mWh]
        The target days' energy of the class lies between them with about 80 % probability;
        `0 <= lower <= sum of parts <= upper <= sum of totals`.
    valid_s, expected_s : ndarray of int64, shape (d,), [s]
        Time that could be learned from, and length of the local day.
    cycles : Cycles
    statistics : ndarray of uint16, shape (d, N_COLUMNS)
        What later months learn from the target days.
    """

    model_version: str
    target_offsets: npt.NDArray[np.int64]
    total_mwh: npt.NDArray[np.int64]
    parts_mwh: npt.NDArray[np.int64]
    confidence: npt.NDArray[np.float64]
    lower_mwh: npt.NDArray[np.int64]
    upper_mwh: npt.NDArray[np.int64]
    valid_s: npt.NDArray[np.int64]
    expected_s: npt.NDArray[np.int64]
    cycles: Cycles
    statistics: Statistics
