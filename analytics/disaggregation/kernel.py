"""The driver: home after home through all stages, without arrays of the whole batch in between.

Homes are independent: each reads and writes its own rows only and in order, so its result depends neither
on threads nor on the rest of the batch.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from analytics.disaggregation.classes import N_CLASSES, OTHERS, STANDBY
from analytics.disaggregation.columns import N_COLUMNS
from analytics.disaggregation.priors import FRIDGE_MEAN_W
from analytics.disaggregation.stages import compiled
from analytics.disaggregation.stages.days import SOUND, fault_of, measure_home
from analytics.disaggregation.stages.reconcile import bound, round_parts
from analytics.disaggregation.stages.standby import fridge_share, separate_standby, standby_levels


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


class Outputs(NamedTuple):
    """What the driver fills; see `DisaggregationBatch`."""

    total_mwh: npt.NDArray[np.int64]
    parts_mwh: npt.NDArray[np.int64]
    confidence: npt.NDArray[np.float64]
    lower_mwh: npt.NDArray[np.int64]
    upper_mwh: npt.NDArray[np.int64]
    valid_s: npt.NDArray[np.int64]
    expected_s: npt.NDArray[np.int64]
    statistics: npt.NDArray[np.uint16]


@compiled
def _experience(history: Any, rows: Any, n_context: Any) -> Any:
    """Return the days before the target days, then those; the context where nothing is remembered."""
    if history.shape[0] == 0:
        return rows
    joined = np.empty((history.shape[0] + rows.shape[0] - n_context, N_COLUMNS), dtype=np.uint16)
    joined[: history.shape[0]] = history
    joined[history.shape[0] :] = rows[n_context:]
    return joined


@compiled
def _spread_over(start_us: Any, energy_uwh: Any, is_valid: Any, edges_us: Any, day: Any, residual_wh: Any) -> Any:
    """Fill the local day and the valid energy of each interval; return how many valid ones are within."""
    count, d = 0, -1
    for i in range(start_us.size):
        while d < edges_us.size - 1 and start_us[i] >= edges_us[d + 1]:
            d += 1
        inside = 0 <= d < edges_us.size - 1
        day[i] = d if inside else -1
        residual_wh[i] = energy_uwh[i] * 1e-6 if inside and is_valid[i] else 0.0
        count += int(inside and is_valid[i])
    return count


@compiled
def _add_days(out_wh: Any, day: Any, n_context: Any, day_wh: Any, residual_wh: Any) -> None:
    """Take a stage's energy out of the residual and add it to its days."""
    for i in range(out_wh.size):
        residual_wh[i] -= out_wh[i]
        if day[i] >= n_context:
            day_wh[day[i] - n_context] += out_wh[i]


@compiled
def _disaggregate_home(inputs: Any, home: Any, outputs: Any) -> Any:
    """Split one home's target days; return what is wrong with it."""
    i, j = inputs.offsets[home], inputs.offsets[home + 1]
    start_us, duration_s = inputs.start_us[i:j], inputs.duration_s[i:j]
    energy_uwh, is_valid = inputs.energy_uwh[i:j], inputs.is_valid[i:j]
    edges_us = inputs.edges_us[inputs.edge_offsets[home] : inputs.edge_offsets[home + 1]]
    n_context, n_days, n = inputs.n_context_days[home], edges_us.size - 1, start_us.size
    fault = fault_of(start_us, duration_s, energy_uwh)
    if fault != SOUND:
        return fault

    total_uwh, valid_s = np.zeros(n_days, dtype=np.int64), np.zeros(n_days, dtype=np.int64)
    rows = np.zeros((n_days, N_COLUMNS), dtype=np.uint16)
    measure_home(start_us, duration_s, energy_uwh, is_valid, edges_us, total_uwh, valid_s, rows)
    history = inputs.history[inputs.history_offsets[home] : inputs.history_offsets[home + 1]]
    experience = _experience(history, rows, n_context)
    n_target = n_days - n_context
    n_before = experience.shape[0] - n_target

    day, residual_wh, out_wh = np.empty(n, dtype=np.int64), np.empty(n), np.empty(n)
    n_valid = _spread_over(start_us, energy_uwh, is_valid, edges_us, day, residual_wh)
    resolution_s = valid_s.sum() / max(n_valid, 1)
    day_wh = np.zeros((N_CLASSES, n_target))
    variance = np.zeros(N_CLASSES)

    level_w = np.zeros(n_target)
    fridge_w = FRIDGE_MEAN_W * fridge_share(resolution_s)
    first_day = inputs.first_day[home] + n_context
    spread_w = standby_levels(experience, n_before, first_day, fridge_w, level_w)
    hours = separate_standby(duration_s, residual_wh, day, n_context, level_w, out_wh)
    _add_days(out_wh, day, n_context, day_wh[STANDBY], residual_wh)
    variance[STANDBY] = (spread_w * hours) ** 2
    variance[OTHERS] = variance[STANDBY]

    first = inputs.target_offsets[home]
    last = first + n_target
    expected_s = 0
    for d in range(n_target):
        outputs.valid_s[first + d] = valid_s[n_context + d]
        length_s = (edges_us[n_context + d + 1] - edges_us[n_context + d]) // 1_000_000
        outputs.expected_s[first + d] = length_s
        expected_s += length_s
        for column in range(N_COLUMNS):
            outputs.statistics[first + d, column] = rows[n_context + d, column]
    coverage = valid_s[n_context:].sum() / max(expected_s, 1)
    round_parts(total_uwh[n_context:], day_wh, outputs.total_mwh[first:last], outputs.parts_mwh[first:last])
    bound(
        outputs.parts_mwh[first:last],
        variance,
        coverage,
        outputs.confidence[home],
        outputs.lower_mwh[home],
        outputs.upper_mwh[home],
    )
    return SOUND


@compiled
def disaggregate_homes(first: Any, last: Any, inputs: Any, outputs: Any) -> Any:
    """Split the homes `first:last`; return the first that is at fault, or -1, and its fault."""
    for home in range(first, last):
        fault = _disaggregate_home(inputs, home, outputs)
        if fault != SOUND:
            return home, fault
    return -1, SOUND
