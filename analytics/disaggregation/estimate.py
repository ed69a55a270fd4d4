"""One home through all stages, in their order.

The base (`base`), charges of a vehicle (`charging`), heating and cooling, and what people do (`living`) each take
their energy out of what the ones before left; then all is fitted to what the meter says (`stages/reconcile.py`).
"""

from typing import Any

import numpy as np

from analytics.disaggregation.base import separate_base
from analytics.disaggregation.charging import separate_charges
from analytics.disaggregation.classes import COOLING, HEATING, N_CLASSES, VEHICLE
from analytics.disaggregation.home_month import Found, home_month_of, limit
from analytics.disaggregation.living import expect_month, leave_others, separate_runs
from analytics.disaggregation.stages import compiled, inlined
from analytics.disaggregation.stages.placing import part_of, place_intervals, resolution
from analytics.disaggregation.stages.reconcile import reconcile_days, reconcile_month
from analytics.disaggregation.stages.thermal import allocate, degrees, month_energy, regress


@compiled
def _separate_weather(home: Any, days: Any, work: Any, found: Any, room_wh: Any) -> Any:
    """Separate heating and cooling; return lights per dark hour [kWh] and what is left of the target days [Wh]."""
    told = np.zeros(7)
    regress(home.numbers, home.experience, home.first_day - home.n_before, home.mean_c, home.dark_h, told)
    expected_wh = np.zeros(home.share.size)
    for k, slope, variance, base in (
        (HEATING, told[0], told[1], int(told[2])),
        (COOLING, told[3], told[4], int(told[5])),
    ):
        if base < 0:
            continue
        found.variance[k] = month_energy(
            slope,
            variance,
            base,
            home.mean_c[home.n_before :],
            home.measured[home.n_before :],
            home.share,
            expected_wh,
        )
        if expected_wh.sum() <= 0:
            continue
        cuts, energy_wh = days.cuts[home.n_context :], 0.0
        for d in range(expected_wh.size):
            if expected_wh[d] > 0:
                shape, celsius = work.shape[cuts[d] : cuts[d + 1]], work.celsius[cuts[d] : cuts[d + 1]]
                duration_s = home.duration_s[cuts[d] : cuts[d + 1]]
                for i in range(shape.size):
                    shape[i] = degrees(base, celsius[i]) * duration_s[i]
        allocate(expected_wh, work.shape, cuts, work.residual_wh, work.out_wh)
        for d in range(expected_wh.size):
            if expected_wh[d] > 0:
                taken_wh = 0.0
                residual_wh, out_wh = work.residual_wh[cuts[d] : cuts[d + 1]], work.out_wh[cuts[d] : cuts[d + 1]]
                for i in range(out_wh.size):
                    residual_wh[i] = max(residual_wh[i] - out_wh[i], 0.0)
                    taken_wh += out_wh[i]
                    energy_wh += out_wh[i]
                found.day_wh[k, d] = taken_wh
        found.energy[k] = energy_wh
        limit(k, room_wh, found)
        room_wh = max(room_wh - found.energy[k], 0.0)
    return told[6], room_wh


@inlined
def estimate(
    inputs: Any,
    n: Any,
    rows: Any,
    share: Any,
    days: Any,
    day_wh: Any,
    variance: Any,
    work: Any,
    activations: Any,
) -> None:
    """Fill each class's days, which add up to the valid energy of each day, and the variance of its month.

    Parameters
    ----------
    inputs : Inputs
    n : int
        Row of the home in the batch.
    rows : ndarray of uint16, shape (days, N_COLUMNS)
        Of all days of the home, context included.
    share : ndarray of float64, shape (target days,)
        Validly measured part of each target day, in days of 24 h.
    days : Days
        Of all days of the home, context included.
    day_wh : ndarray of float64, shape (N_CLASSES, target days), [Wh]
        Zeros, filled.
    variance : ndarray of float64, shape (N_CLASSES,), [Wh²]
        Zeros, filled.
    work : Work
        Room for the intervals at least.
    activations : Activations
        Room for those of the intervals at least, filled; of no class there where nothing was measured.
    """
    activations.first[:] = 0
    activations.last[:] = 0
    i, j = inputs.offsets[n], inputs.offsets[n + 1]
    work = part_of(work, j - i)
    left_wh = np.zeros(share.size)
    resolution_s = resolution(inputs.duration_s[i:j], inputs.is_valid[i:j], days)
    if resolution_s <= 0 or share.sum() <= 0:
        return
    place_intervals(inputs, n, days, work)
    home = home_month_of(inputs, n, rows, share, resolution_s)
    found = Found(np.zeros(N_CLASSES), variance, day_wh)
    room_wh = separate_base(home, days, work, found, left_wh)
    charged_variance = separate_charges(home, days, work, found, activations)
    charged_wh = day_wh[VEHICLE].copy()
    for d in range(share.size):
        left_wh[d] = max(left_wh[d] - charged_wh[d], 0.0)
    room_wh = max(room_wh - charged_wh.sum(), 0.0)
    lights_kwh, room_wh = _separate_weather(home, days, work, found, room_wh)
    mean_wh = expect_month(home, found, room_wh)
    separate_runs(home, days, work, found, mean_wh, room_wh, activations)
    leave_others(home, days, work, found, lights_kwh, mean_wh, room_wh, left_wh.sum())
    reconcile_month(found.energy, variance, left_wh.sum())
    # Charges stay as they were found: they are no part of what the days share out.
    day_wh[VEHICLE] = 0.0
    reconcile_days(found.energy, day_wh, left_wh)
    day_wh[VEHICLE] = charged_wh
    variance[VEHICLE] = charged_variance
