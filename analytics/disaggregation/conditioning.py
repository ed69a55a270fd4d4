"""Heating and cooling of a home: what follows the weather, given to the parts of the day that follow it."""

from typing import Any

import numpy as np

from analytics.disaggregation.classes import COOLING, HEATING
from analytics.disaggregation.home_month import limit
from analytics.disaggregation.stages import compiled
from analytics.disaggregation.stages.daytime import allocate, month_energy, shape_parts
from analytics.disaggregation.stages.regression import N_PARTS
from analytics.disaggregation.stages.sums import add_up
from analytics.disaggregation.stages.thermal import new_signature, regress


@compiled
def separate_weather(home: Any, days: Any, work: Any, found: Any, room_wh: Any) -> Any:
    """Separate heating and cooling; return lights per dark hour [kWh] and what is left of the target days [Wh]."""
    told = new_signature()
    regress(
        home.numbers,
        home.experience,
        home.first_day - home.n_before,
        home.mean_c,
        home.dark_h,
        home.measured,
        told,
    )
    expected_wh, part_share = np.zeros(home.share.size), np.empty(N_PARTS)
    cuts = days.cuts[home.n_context :]
    for at, k in ((0, HEATING), (1, COOLING)):
        base = told.base[at]
        if base < 0:
            continue
        shape_parts(
            base,
            told.part_share[at],
            told.part_trust[at],
            work.celsius,
            work.wall_s,
            home.duration_s,
            work.residual_wh,
            cuts[: home.share.size + 1],
            part_share,
            work.shape,
        )
        found.variance[k] = month_energy(
            told.slope[at],
            told.variance[at],
            base,
            home.mean_c[home.n_before :],
            home.measured[home.n_before :],
            home.experience[home.n_before :],
            part_share,
            expected_wh,
        )
        if expected_wh.sum() <= 0:
            found.variance[k] = 0.0  # or what is left over would become heat in summer
            continue
        energy_wh = 0.0
        allocate(expected_wh, work.shape, cuts, work.residual_wh, work.out_wh)
        for d in range(expected_wh.size):
            if expected_wh[d] > 0:
                residual_wh, out_wh = work.residual_wh[cuts[d] : cuts[d + 1]], work.out_wh[cuts[d] : cuts[d + 1]]
                for i in range(out_wh.size):
                    residual_wh[i] = max(residual_wh[i] - out_wh[i], 0.0)
                found.day_wh[k, d] = add_up(out_wh)
                energy_wh += found.day_wh[k, d]
        found.energy[k] = energy_wh
        limit(k, room_wh, found)
        room_wh = max(room_wh - found.energy[k], 0.0)
    return told.lights[0], room_wh
