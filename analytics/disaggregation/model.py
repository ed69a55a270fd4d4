"""The public entry of the disaggregation: a batch of homes in, printed energy per class and day out.

Stages run in order, each on what the ones before left of every valid interval; what none claims is
`others`. Nothing here draws random numbers or depends on threads, the clock or the rest of the batch.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analytics.disaggregation.batch import HomesBatch, MeasuredDays, Stage, measure_days, sum_rows
from analytics.disaggregation.priors import OTHERS
from analytics.disaggregation.reconcile import reconcile_days
from analytics.disaggregation.standby import separate_standby

__all__ = ["MODEL_VERSION", "STAGES", "DisaggregationBatch", "HomesBatch", "disaggregate"]

MODEL_VERSION = "1.0.0"
"""Changes whenever the same input may give another output."""

STAGES: tuple[Stage, ...] = (separate_standby,)
"""The stages after quality, in the order they take their share."""


@dataclass(frozen=True, kw_only=True)
class DisaggregationBatch:
    """Printed energy of each home's target days per class.

    Parameters
    ----------
    model_version : str
    appliances : tuple of str, length k
        The classes of the columns: the stages in order, then `others`.
    target_offsets : ndarray of int64, shape (h + 1,)
        Home `i` has the target days `target_offsets[i]:target_offsets[i + 1]`.
    total_mwh : ndarray of int64, shape (d,), [mWh]
    parts_mwh : ndarray of int64, shape (d, k), [mWh]
        Never negative; each row sums to its total exactly.
    confidence : ndarray of float64, shape (h, k)
        In [0, 1]: validly measured share of the target days, times how far the class stands out of
        its own uncertainty.
    valid_s, expected_s : ndarray of int64, shape (d,), [s]
        Time that could be learned from, and length of the local day.
    """

    model_version: str
    appliances: tuple[str, ...]
    target_offsets: npt.NDArray[np.int64]
    total_mwh: npt.NDArray[np.int64]
    parts_mwh: npt.NDArray[np.int64]
    confidence: npt.NDArray[np.float64]
    valid_s: npt.NDArray[np.int64]
    expected_s: npt.NDArray[np.int64]


def disaggregate(batch: HomesBatch) -> DisaggregationBatch:
    """Split the energy of every home's target days into classes that sum to it exactly.

    Estimated intervals count in the total, as `others`, and never in the identification. A day without
    valid intervals has no energy of any other class.

    Parameters
    ----------
    batch : HomesBatch

    Returns
    -------
    DisaggregationBatch

    Raises
    ------
    BrokenContractError
        The batch's intervals are out of order, negative or empty.
    """
    days = measure_days(batch)
    residual_uwh = np.where(batch.is_valid, batch.energy_uwh, 0)
    found = []
    for separate in STAGES:
        stage = separate(batch, days, residual_uwh)
        residual_uwh -= stage.interval_uwh
        found.append(stage)
    is_target, target_offsets = batch.is_target, batch.target_offsets
    total_mwh, parts_mwh = reconcile_days(
        target_offsets, days.total_uwh[is_target], [stage.day_uwh[is_target] for stage in found]
    )
    variances = [stage.day_variance_wh2[is_target] for stage in found]
    return DisaggregationBatch(
        model_version=MODEL_VERSION,
        appliances=(*(stage.appliance for stage in found), OTHERS),
        target_offsets=target_offsets,
        total_mwh=total_mwh,
        parts_mwh=parts_mwh,
        confidence=_confidence(days, is_target, target_offsets, parts_mwh, variances),
        valid_s=days.valid_s[is_target],
        expected_s=days.expected_s[is_target],
    )


def _confidence(
    days: MeasuredDays,
    is_target: npt.NDArray[np.bool_],
    target_offsets: npt.NDArray[np.int64],
    parts_mwh: npt.NDArray[np.int64],
    variances_wh2: list[npt.NDArray[np.float64]],
) -> npt.NDArray[np.float64]:
    """Return coverage times e² / (e² + v) per home and class, shape (h, k).

    A stage's error is the same on all days of a week, so deviations add up rather than variances.
    `others` takes the error of all stages. A class that is 0 beyond doubt has the coverage alone.
    """
    valid_s = sum_rows(target_offsets, days.valid_s[is_target])
    expected_s = sum_rows(target_offsets, days.expected_s[is_target])
    coverage = valid_s / np.maximum(expected_s, 1)
    n_homes = target_offsets.size - 1
    home_of_day = np.repeat(np.arange(n_homes), np.diff(target_offsets))
    deviations_wh = [
        np.bincount(home_of_day, weights=np.sqrt(variance), minlength=n_homes) for variance in variances_wh2
    ]
    stage_variances = [np.square(deviation) for deviation in deviations_wh]
    confidence = np.empty((n_homes, parts_mwh.shape[1]))
    for column, variance in enumerate([*stage_variances, np.sum(stage_variances, axis=0)]):
        signal = np.square(sum_rows(target_offsets, parts_mwh[:, column]) / 1000.0)
        whole = signal + variance
        confidence[:, column] = coverage * np.divide(signal, whole, out=np.ones(n_homes), where=whole > 0)
    return confidence
