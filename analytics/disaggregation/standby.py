"""Stage 1, standby: the power a home never falls below, week by week.

The level of a day is its Monday week's median of daily least powers, shrunk to the median of 13 weeks,
less the part of a fridge that such a least power contains. A quantity the meter cannot resolve (a
register of whole kilowatt-hours) shows as 0.
"""

import numpy as np
import numpy.typing as npt

from analytics.disaggregation.batch import HomesBatch, MeasuredDays, StageEnergy
from analytics.disaggregation.priors import (
    FRIDGE_MEAN_W,
    FRIDGE_SHARE_OF_MINIMUM,
    FRIDGE_SHARE_RESOLUTION_S,
    MIN_DAY_COVERAGE,
    STANDBY_REFERENCE_DAYS,
    STANDBY_REFERENCE_WEIGHT,
)
from analytics.kernels.standby import level_energy, weekly_levels

APPLIANCE = "standby"


def fridge_share_w(resolution_s: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the power of a fridge within a day's least power, by the intervals' length [W].

    Parameters
    ----------
    resolution_s : ndarray of float64, shape (h,), [s]

    Source: `priors.FRIDGE_SHARE_OF_MINIMUM`.
    """
    share = np.interp(resolution_s, FRIDGE_SHARE_RESOLUTION_S, FRIDGE_SHARE_OF_MINIMUM)
    return FRIDGE_MEAN_W * share


def separate_standby(batch: HomesBatch, days: MeasuredDays, residual_uwh: npt.NDArray[np.int64]) -> StageEnergy:
    """Return the standby energy of every valid interval, at most what it has left.

    Days mostly without valid measurement teach nothing and take the level of the others; time that
    was not validly measured gets none.

    Source: disaggregation method, stage 1.
    """
    teaches = (days.valid_s > 0) & (days.valid_s >= MIN_DAY_COVERAGE * days.expected_s)
    level_w, spread_w = weekly_levels(
        day_offsets=batch.day_offsets,
        first_day=batch.first_day,
        minimum_w=np.where(teaches, days.minimum_w, np.nan),
        reference_days=STANDBY_REFERENCE_DAYS,
        reference_weight=STANDBY_REFERENCE_WEIGHT,
    )
    fridge_w = np.repeat(fridge_share_w(days.resolution_s), np.diff(batch.day_offsets))
    interval_uwh, day_uwh = level_energy(
        offsets=batch.offsets,
        start_us=batch.start_us,
        duration_s=batch.duration_s,
        residual_uwh=residual_uwh,
        is_valid=batch.is_valid,
        edge_offsets=batch.edge_offsets,
        edges_us=batch.day_edges_us,
        level_w=np.maximum(level_w - fridge_w, 0.0),
    )
    return StageEnergy(
        appliance=APPLIANCE,
        interval_uwh=interval_uwh,
        day_uwh=day_uwh,
        day_variance_wh2=np.square(spread_w * days.valid_s / 3600.0),
    )
