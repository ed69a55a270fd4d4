"""One home and its month: what the stages read of it and where they write what they find."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from analytics.disaggregation.classes import N_CLASSES
from analytics.disaggregation.columns import HISTORY_DAYS, N_COLUMNS
from analytics.disaggregation.stages import compiled


class Inputs(NamedTuple):
    """A batch as arrays; see `HomesBatch`."""

    offsets: npt.NDArray[np.int64]
    start_us: npt.NDArray[np.int64]
    duration_s: npt.NDArray[np.int32]
    energy_uwh: npt.NDArray[np.int64]
    is_valid: npt.NDArray[np.bool_]
    edge_offsets: npt.NDArray[np.int64]
    edges_us: npt.NDArray[np.int64]
    first_day: npt.NDArray[np.int64]
    n_context_days: npt.NDArray[np.int64]
    history_offsets: npt.NDArray[np.int64]
    history: npt.NDArray[np.uint16]
    target_offsets: npt.NDArray[np.int64]
    homes: npt.NDArray[np.float64]
    wattage_offsets: npt.NDArray[np.int64]
    wattages_w: npt.NDArray[np.float64]
    place: npt.NDArray[np.int64]
    first_hour_us: int
    celsius: npt.NDArray[np.float64]
    is_night: npt.NDArray[np.bool_]
    season: npt.NDArray[np.int64]
    mean_c: npt.NDArray[np.float64]
    dark_h: npt.NDArray[np.float64]
    measured: npt.NDArray[np.float64]


class HomeMonth(NamedTuple):
    """One home: its intervals, shape (n,), what is known of it, and its days before and within the target days."""

    start_us: npt.NDArray[np.int64]
    duration_s: npt.NDArray[np.int32]
    energy_uwh: npt.NDArray[np.int64]
    is_valid: npt.NDArray[np.bool_]
    edges_us: npt.NDArray[np.int64]
    n_context: int
    numbers: npt.NDArray[np.float64]
    wattages_w: npt.NDArray[np.float64]
    experience: npt.NDArray[np.uint16]
    n_before: int
    first_day: int
    mean_c: npt.NDArray[np.float64]
    dark_h: npt.NDArray[np.float64]
    measured: npt.NDArray[np.float64]
    share: npt.NDArray[np.float64]
    resolution_s: float


class Found(NamedTuple):
    """What the stages found: energy [Wh] and variance [Wh²] of the month and energy of the days, by class."""

    energy: npt.NDArray[np.float64]
    variance: npt.NDArray[np.float64]
    day_wh: npt.NDArray[np.float64]


class Activations(NamedTuple):
    """Times at which appliances were on, in order of start within a class, and where those of each class lie."""

    start_us: npt.NDArray[np.int64]
    end_us: npt.NDArray[np.int64]
    energy_wh: npt.NDArray[np.float64]
    first: npt.NDArray[np.int64]
    last: npt.NDArray[np.int64]


@compiled
def new_activations(n: Any) -> Any:
    """Return room for the activations in so many intervals, of all classes together."""
    rows = 2 * n + 2
    return Activations(
        np.empty(rows, dtype=np.int64),
        np.empty(rows, dtype=np.int64),
        np.empty(rows),
        np.zeros(N_CLASSES, dtype=np.int64),
        np.zeros(N_CLASSES, dtype=np.int64),
    )


@compiled
def _experience(history: Any, rows: Any, n_context: Any) -> Any:
    """Return the days before the target days, then those; the context where nothing is remembered."""
    if history.shape[0] == 0:
        return rows
    joined = np.empty((history.shape[0] + rows.shape[0] - n_context, N_COLUMNS), dtype=np.uint16)
    flat, before, after = joined.reshape(-1), history.reshape(-1), rows.reshape(-1)
    for k in range(before.size):
        flat[k] = before[k]
    for k in range(flat.size - before.size):
        flat[before.size + k] = after[n_context * N_COLUMNS + k]
    return joined


@compiled
def limit(k: Any, room_wh: Any, found: Any) -> None:
    """Hold a class to the energy that was left for it, and its doubt to that."""
    found.energy[k] = min(found.energy[k], room_wh)
    found.variance[k] = min(found.variance[k], room_wh * room_wh)


@compiled
def home_month_of(inputs: Any, n: Any, rows: Any, share: Any, resolution_s: Any) -> Any:
    """Return the home of row `n` of the batch."""
    i, j = inputs.offsets[n], inputs.offsets[n + 1]
    n_context = inputs.n_context_days[n]
    edges_us = inputs.edges_us[inputs.edge_offsets[n] + n_context : inputs.edge_offsets[n + 1]]
    history = inputs.history[inputs.history_offsets[n] : inputs.history_offsets[n + 1]]
    experience = _experience(history, rows, n_context)
    n_days = experience.shape[0]
    n_before = n_days - share.size
    season, from_day = inputs.season[n], HISTORY_DAYS - n_before
    return HomeMonth(
        inputs.start_us[i:j],
        inputs.duration_s[i:j],
        inputs.energy_uwh[i:j],
        inputs.is_valid[i:j],
        edges_us,
        n_context,
        inputs.homes[n],
        inputs.wattages_w[inputs.wattage_offsets[n] : inputs.wattage_offsets[n + 1]],
        experience,
        n_before,
        inputs.first_day[n] + n_context,
        inputs.mean_c[season, from_day : from_day + n_days],
        inputs.dark_h[season, from_day : from_day + n_days],
        inputs.measured[season, from_day : from_day + n_days],
        share,
        resolution_s,
    )
