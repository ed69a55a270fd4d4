"""The driver: home after home through all stages, without arrays of the whole batch in between.

Homes are independent: each reads and writes its own rows only and in order, so its result depends neither
on threads nor on the rest of the batch.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from analytics.disaggregation.classes import BOILER, COOKING, N_CLASSES, VEHICLE, WASHING
from analytics.disaggregation.columns import N_COLUMNS
from analytics.disaggregation.estimate import estimate
from analytics.disaggregation.home_month import new_activations
from analytics.disaggregation.priors import GENERATOR_CONFIDENCE
from analytics.disaggregation.stages import compiled, inlined
from analytics.disaggregation.stages.home import HAS_GENERATOR
from analytics.disaggregation.stages.pieces import add_pieces
from analytics.disaggregation.stages.placing import Days, new_work
from analytics.disaggregation.stages.quality import SOUND, fault_of, measure_home
from analytics.disaggregation.stages.reconcile import bound, round_parts


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


@inlined
def _add_cycles(table: Any, count: Any, home: Any, edges_us: Any, parts_mwh: Any, activations: Any) -> Any:
    """Add a home's cycles by class, then start; return the table and how many rows it has."""
    for k in (BOILER, COOKING, VEHICLE, WASHING):
        first, last = activations.first[k], activations.last[k]
        table, count = add_pieces(
            table,
            count,
            home,
            k,
            edges_us,
            parts_mwh[:, k],
            k != VEHICLE,  # whose charges add up to their class
            activations.start_us,
            activations.end_us,
            activations.energy_wh,
            np.arange(first, last),
        )
    return table, count


@inlined
def _disaggregate_home(
    inputs: Any, home: Any, outputs: Any, work: Any, activations: Any, table: Any, count: Any
) -> Any:
    """Split one home's target days; return what is wrong with it and the table of cycles with its rows."""
    i, j = inputs.offsets[home], inputs.offsets[home + 1]
    start_us, duration_s = inputs.start_us[i:j], inputs.duration_s[i:j]
    energy_uwh, is_valid = inputs.energy_uwh[i:j], inputs.is_valid[i:j]
    edges_us = inputs.edges_us[inputs.edge_offsets[home] : inputs.edge_offsets[home + 1]]
    n_context, n_days = inputs.n_context_days[home], edges_us.size - 1
    fault = fault_of(start_us, duration_s, energy_uwh)
    if fault != SOUND:
        return fault, table, count
    total_uwh, valid_s = np.zeros(n_days, dtype=np.int64), np.zeros(n_days, dtype=np.int64)
    rows = np.zeros((n_days, N_COLUMNS), dtype=np.uint16)
    cuts, is_even = np.empty(n_days + 1, dtype=np.int64), np.empty(n_days, dtype=np.bool_)
    step_s, per_day = measure_home(
        start_us, duration_s, energy_uwh, is_valid, edges_us, total_uwh, valid_s, rows, cuts, is_even
    )
    days = Days(cuts, is_even, step_s, per_day)
    n_target = n_days - n_context
    first = inputs.target_offsets[home]
    last = first + n_target
    expected_s = 0
    share = np.zeros(n_target)
    for d in range(n_target):
        length_s = (edges_us[n_context + d + 1] - edges_us[n_context + d]) // 1_000_000
        outputs.valid_s[first + d], outputs.expected_s[first + d] = valid_s[n_context + d], length_s
        outputs.statistics[first + d] = rows[n_context + d]
        share[d] = valid_s[n_context + d] / 86_400.0
        expected_s += length_s
    day_wh = np.zeros((N_CLASSES, n_target))
    variance = np.zeros(N_CLASSES)
    estimate(inputs, home, rows, share, days, day_wh, variance, work, activations)
    round_parts(total_uwh[n_context:], day_wh, outputs.total_mwh[first:last], outputs.parts_mwh[first:last])
    coverage = valid_s[n_context:].sum() / max(expected_s, 1)
    if inputs.homes[home, HAS_GENERATOR] > 0:
        coverage *= GENERATOR_CONFIDENCE
    bound(
        outputs.parts_mwh[first:last],
        variance,
        coverage,
        outputs.confidence[home],
        outputs.lower_mwh[home],
        outputs.upper_mwh[home],
    )
    table, count = _add_cycles(
        table, count, home, edges_us[n_context:], outputs.parts_mwh[first:last], activations
    )
    return SOUND, table, count


@compiled
def disaggregate_homes(first: Any, last: Any, inputs: Any, outputs: Any, table: Any) -> Any:
    """Split the homes `first:last`; return the first at fault, or -1, its fault, and the cycles with their number.

    The cycles are in `table`, shape (N_FIELDS, pieces), or a longer one where it has no room.
    """
    count = np.int64(0)  # typed, so that no variant is compiled for a constant
    longest = np.int64(0)
    for home in range(first, last):
        longest = max(longest, inputs.offsets[home + 1] - inputs.offsets[home])
    # One home after the other uses the same memory: new pages would cost more than the work on them.
    work, activations = new_work(longest), new_activations(longest)
    for home in range(first, last):
        fault, table, count = _disaggregate_home(inputs, home, outputs, work, activations, table, count)
        if fault != SOUND:
            return home, fault, table, count
    return -1, SOUND, table, count
