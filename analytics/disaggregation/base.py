"""The base of a home: standby and cold appliances, which take their power all day long."""

from typing import Any

import numpy as np

from analytics.disaggregation.classes import FRIDGE, STANDBY
from analytics.disaggregation.home_month import limit
from analytics.disaggregation.priors import STANDBY_DOUBT, STANDBY_SPREAD
from analytics.disaggregation.stages import compiled
from analytics.disaggregation.stages.fridge import fridge_power
from analytics.disaggregation.stages.standby import fridge_share, standby_levels


@compiled
def separate_base(home: Any, days: Any, work: Any, found: Any, left_wh: Any) -> Any:
    """Separate standby and cold appliances; return what they leave of the target days [Wh].

    `left_wh`, shape (target days,), is filled with the valid energy of each target day [Wh].
    """
    hours = 24.0 * home.share.sum()
    part = fridge_share(home.resolution_s)
    fridge_w, fridge_variance = fridge_power(
        home.numbers, home.experience, home.mean_c[home.n_before :].mean(), part
    )
    level_w = np.zeros(home.share.size)
    spread_w = standby_levels(home.experience, home.n_before, home.first_day, part * fridge_w, level_w)
    energy, day_wh, residual_wh = found.energy, found.day_wh, work.residual_wh
    residual_wh[: days.cuts[0]] = 0.0
    residual_wh[days.cuts[days.is_even.size] :] = 0.0
    for day in range(days.is_even.size):
        low, high, d = days.cuts[day], days.cuts[day + 1], day - home.n_context
        valid_uwh, standby_uwh, cold_uwh = take_base(
            home.duration_s,
            home.energy_uwh,
            home.is_valid,
            np.uint64(low),
            np.uint64(high),
            days.is_even[day],
            level_w[max(d, 0)],
            fridge_w,
            residual_wh,
        )
        if d >= 0:
            left_wh[d] = valid_uwh * 1e-6
            day_wh[STANDBY, d], day_wh[FRIDGE, d] = standby_uwh * 1e-6, cold_uwh * 1e-6
    total_wh = left_wh.sum()
    energy[STANDBY], energy[FRIDGE] = day_wh[STANDBY].sum(), day_wh[FRIDGE].sum()
    doubt = (STANDBY_SPREAD * spread_w * hours) ** 2 + (STANDBY_DOUBT * energy[STANDBY]) ** 2
    found.variance[STANDBY] = doubt + fridge_variance * (part * hours) ** 2
    found.variance[FRIDGE] = fridge_variance * hours * hours
    limit(STANDBY, total_wh, found)
    limit(FRIDGE, total_wh - energy[STANDBY], found)
    return max(total_wh - energy[STANDBY] - energy[FRIDGE], 0.0)


@compiled
def take_base(
    duration_s: Any,
    energy_uwh: Any,
    is_valid: Any,
    low: Any,
    high: Any,
    is_even: Any,
    standby_w: Any,
    cold_w: Any,
    residual_wh: Any,
) -> Any:
    """Take two powers out of a day's intervals as far as they have them, the second from what the first leaves.

    Whole microwatt-hours are added up, several at once in any order.

    Parameters
    ----------
    duration_s, energy_uwh, is_valid : arrays of shape (n,)
    low, high : unsigned int
        The day is the intervals `low:high`; without a sign they spare the check for places counted from the end.
    is_even : bool
        Whether all are valid and of one length.
    residual_wh : ndarray of float64, shape (n,), [Wh]
        Filled with what is left of them, 0 where nothing is known.

    Returns
    -------
    valid_uwh, standby_uwh, cold_uwh : int, [µWh]
    """
    valid, standby, cold = np.int64(0), np.int64(0), np.int64(0)
    if is_even:
        most_standby, most_cold = share_of(standby_w, duration_s[low]), share_of(cold_w, duration_s[low])
        for i in range(low, high):
            base = min(most_standby, energy_uwh[i])
            cool = min(most_cold, energy_uwh[i] - base)
            residual_wh[i] = (energy_uwh[i] - base - cool) * 1e-6
            valid += energy_uwh[i]
            standby += base
            cold += cool
    else:
        for i in range(low, high):
            energy = energy_uwh[i] if is_valid[i] else np.int64(0)
            base = min(share_of(standby_w, duration_s[i]), energy)
            cool = min(share_of(cold_w, duration_s[i]), energy - base)
            residual_wh[i] = (energy - base - cool) * 1e-6
            valid += energy
            standby += base
            cold += cool
    return valid, standby, cold


@compiled
def share_of(power_w: Any, duration_s: Any) -> Any:
    """Return the energy of a power in an interval, to the next whole one [µWh]."""
    return np.int64(power_w * duration_s * (1e6 / 3600.0) + 0.5)
