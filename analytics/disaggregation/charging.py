"""The charges of a home's vehicle: taken out before all that people do, and never shared out again."""

from typing import Any

from analytics.disaggregation.classes import VEHICLE
from analytics.disaggregation.stages import compiled
from analytics.disaggregation.stages.home import HAS_LIST
from analytics.disaggregation.stages.pieces import is_touched
from analytics.disaggregation.stages.vehicles import separate_vehicles


@compiled
def separate_charges(home: Any, days: Any, work: Any, found: Any, activations: Any) -> Any:
    """Separate a vehicle's charges, the first activations; return the variance of their month."""
    is_listed = home.numbers[HAS_LIST] > 0
    ownership = (1 if home.wattages_w.size > 0 else 2) if is_listed else 0
    n_charges, variance, _ = separate_vehicles(
        home.start_us,
        home.duration_s,
        work.residual_wh,
        home.is_valid,
        days.cuts,
        work.wall_s,
        work.celsius,
        home.experience,
        home.n_before,
        home.wattages_w,
        ownership,
        work.out_wh,
        activations.start_us,
        activations.end_us,
        activations.energy_wh,
    )
    activations.first[VEHICLE], activations.last[VEHICLE] = 0, n_charges
    if n_charges > 0:
        for d in range(home.share.size):
            low, high = days.cuts[home.n_context + d], days.cuts[home.n_context + d + 1]
            out_wh, residual_wh = work.out_wh[low:high], work.residual_wh[low:high]
            for i in range(out_wh.size):
                residual_wh[i] = max(residual_wh[i] - out_wh[i], 0.0)
            # An interval that crosses midnight may bring energy to a day on which nothing charges.
            if is_touched(
                home.edges_us[d], home.edges_us[d + 1], activations.start_us, activations.end_us, n_charges
            ):
                found.day_wh[VEHICLE, d] = out_wh.sum()
    return variance
