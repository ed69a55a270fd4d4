"""Stage 2, cold appliances: their count and type, refined by what cycles in a home at rest.

    prior   kWh a day by type and count, + 1.5 % per kelvin outdoors
    seen    (median of quiet - least power of the days) / (0.8 (1 - share)),

where the least power is that of the least interval and the quiet power the least mean of two hours, and
`share` the part of a fridge that a least interval of that length contains (see `standby`). Both are weighed by
their variances; the coarser the intervals, the less is seen.

Source: method, stage 2; parameters in `priors`.
"""

from typing import Any

import numpy as np

from analytics.disaggregation.columns import MINIMUM_W, QUIET_W, STEPS
from analytics.disaggregation.priors import (
    FRIDGE_PRIOR_DOUBT,
    FRIDGE_SEEN,
    FRIDGE_SEEN_DOUBT,
    STANDBY_REFERENCE_DAYS,
)
from analytics.disaggregation.stages import compiled
from analytics.disaggregation.stages.standby import double_median_of, teaches
from analytics.disaggregation.stages.survey import fridge_kwh


@compiled
def fridge_power(home: Any, rows: Any, celsius: Any, share: Any) -> Any:
    """Return the mean power of a home's cold appliances and its variance [W, W²].

    Parameters
    ----------
    home : ndarray of float64, shape (N_NUMBERS,)
    rows : ndarray of uint16, shape (days, N_COLUMNS)
        What came before, then the target days.
    celsius : float, [°C]
        Mean of the target days.
    share : float
        Of a fridge's mean power in the least interval.
    """
    usual_w = fridge_kwh(home, celsius) / 0.024
    if usual_w <= 0:
        return 0.0, 0.0
    variance = (FRIDGE_PRIOR_DOUBT * usual_w) ** 2
    if share >= 0.6:
        return usual_w, variance
    scratch = np.empty(STANDBY_REFERENCE_DAYS + 1, dtype=np.int32)
    size = np.int64(0)
    for d in range(max(rows.shape[0] - STANDBY_REFERENCE_DAYS, 0), rows.shape[0]):
        more: Any = np.int64(rows[d, QUIET_W]) - np.int64(rows[d, MINIMUM_W])  # both in the same steps
        scratch[size] = max(more, 0)
        size += np.int64(teaches(rows[d]))
    if size == 0:
        return usual_w, variance
    seen_w = 0.5 * double_median_of(scratch, size) * STEPS[QUIET_W] / (FRIDGE_SEEN * (1.0 - share))
    # What is seen of a coarse interval is little, and its error grows as it is scaled up.
    doubt = (FRIDGE_SEEN_DOUBT * max(seen_w, 0.5 * usual_w) / (1.0 - share)) ** 2
    whole = variance + doubt
    return (usual_w * doubt + min(seen_w, 3.0 * usual_w) * variance) / whole, variance * doubt / whole
