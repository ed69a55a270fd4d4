"""What people do: runs of boilers, machines and kitchens, lights, and what nothing else explains."""

from typing import Any

import numpy as np

from analytics.disaggregation.classes import (
    BOILER,
    COOKING,
    FRIDGE,
    LIGHTS,
    N_CLASSES,
    OTHERS,
    VEHICLE,
    WASHING,
)
from analytics.disaggregation.home_month import limit
from analytics.disaggregation.priors import (
    ACTIVITY_DOUBT,
    CYCLE_RESOLUTION_S,
    EVIDENCE_DOUBT,
    EVIDENCE_RESOLUTION_S,
    LIGHTS_DOUBT,
    MAX_SCALE,
    MIN_SCALE,
    OTHERS_DOUBT,
    REST_DOUBT,
    SCALE_SHARE,
)
from analytics.disaggregation.stages import activities, compiled
from analytics.disaggregation.stages.activities import KETTLE, MACHINE, TANK
from analytics.disaggregation.stages.runs import N_COMPONENTS, find_runs, measure_runs, new_runs, take_runs
from analytics.disaggregation.stages.survey import expect


@compiled
def expect_month(home: Any, found: Any, room_wh: Any) -> Any:
    """Return what a survey expects of the classes that are left, moved towards what the home uses [Wh]."""
    mean_wh = np.zeros(N_CLASSES)
    mean_c, dark_h = home.mean_c[home.n_before :].mean(), home.dark_h[home.n_before :].mean()
    expect(home.numbers, home.share.sum(), mean_c, dark_h, mean_wh)
    # What the fridge took is known, but belongs to what the survey compares.
    scale = (room_wh + found.energy[FRIDGE] + 1.0) / (mean_wh.sum() + 1.0)
    scale = min(max(scale, MIN_SCALE), MAX_SCALE)
    for k in range(N_CLASSES):
        mean_wh[k] *= scale ** SCALE_SHARE[k]
    return mean_wh


@compiled
def combine(prior: Any, prior_variance: Any, seen: Any, seen_variance: Any) -> Any:
    """Return mean and variance of what the survey and the meter say together."""
    whole = prior_variance + seen_variance
    if whole <= 0:
        return seen, 0.0
    return (prior * seen_variance + seen * prior_variance) / whole, prior_variance * seen_variance / whole


@compiled
def separate_runs(
    home: Any, days: Any, work: Any, found: Any, mean_wh: Any, room_wh: Any, activations: Any
) -> None:
    """Separate boiler, cooking and washing: the survey's energy moved towards what runs in the home."""
    n_days, cuts = home.share.sum(), days.cuts[home.n_context :]
    turns, residual_wh = work.turns, work.residual_wh
    n_runs = find_runs(
        home.start_us,
        home.duration_s,
        residual_wh,
        cuts[0],
        cuts[home.share.size],
        days.step_s,
        work.is_on,
        turns,
    )
    runs, rates = new_runs(n_runs), np.empty(N_COMPONENTS)
    class_wh, class_variance = np.zeros(N_CLASSES), np.zeros(N_CLASSES)
    activities.set_rates(home.numbers, rates)
    measure_runs(home.duration_s, residual_wh, turns, n_runs, work.wall_s, days.step_s, runs)
    activities.weigh_runs(runs, n_runs, rates)
    if rates[TANK] > 0:
        activities.favour_regular(runs, n_runs, n_days)
    activities.share_runs(runs, n_runs, n_days, rates, class_wh, class_variance)
    activities.add_up_classes(runs, n_runs)
    cooking, washing, boiler = runs.odds[KETTLE], runs.odds[MACHINE], runs.odds[TANK]
    fine_s, coarse_s = EVIDENCE_RESOLUTION_S
    along = min(max((home.resolution_s - fine_s) / (coarse_s - fine_s), 0.0), 1.0)
    doubt = EVIDENCE_DOUBT[0] + along * (EVIDENCE_DOUBT[1] - EVIDENCE_DOUBT[0])
    n = activations.last[VEHICLE]
    for k, share, limit_s in (
        (BOILER, boiler, CYCLE_RESOLUTION_S[0]),
        (COOKING, cooking, CYCLE_RESOLUTION_S[0]),
        (WASHING, washing, CYCLE_RESOLUTION_S[1]),
    ):
        if mean_wh[k] > 0:
            prior_variance = (ACTIVITY_DOUBT * mean_wh[k]) ** 2
            seen_variance = class_variance[k] + (doubt * (class_wh[k] + 0.3 * mean_wh[k])) ** 2
            found.energy[k], found.variance[k] = combine(mean_wh[k], prior_variance, class_wh[k], seen_variance)
            limit(k, room_wh, found)
        activations.first[k] = n
        if home.resolution_s <= limit_s:
            n = name_runs(home.start_us, home.duration_s, turns, n_runs, share, runs.energy_wh, activations, n)
        activations.last[k] = n
    take_runs(
        home.duration_s, residual_wh, cuts, turns, n_runs, runs.energy_wh, cooking, washing, boiler, found.day_wh
    )


@compiled
def name_runs(
    start_us: Any, duration_s: Any, turns: Any, n_runs: Any, share: Any, energy_wh: Any, activations: Any, n: Any
) -> Any:
    """Add the runs of which a class has most to the `n` activations there are; return how many there are then."""
    for run in range(n_runs):
        if share[run] > 0.5:
            last = turns[2 * run + 1] - 1
            activations.start_us[n] = start_us[turns[2 * run]]
            activations.end_us[n] = start_us[last] + np.int64(duration_s[last]) * 1_000_000
            activations.energy_wh[n] = share[run] * energy_wh[run]
            n += 1
    return n


@compiled
def leave_others(
    home: Any, days: Any, work: Any, found: Any, lights_kwh: Any, mean_wh: Any, room_wh: Any, total_wh: Any
) -> None:
    """Separate lights, an even power in the dark waking hours that were measured, and weigh what is left.

    What no stage claims is weighed against what a survey expects of things without a class.
    """
    lights_wh, rest_wh = 0.0, 0.0
    uwh_per_s = lights_kwh / 3.6e-6
    for d in range(home.share.size):
        low, high = days.cuts[home.n_context + d], days.cuts[home.n_context + d + 1]
        wanted_wh, lit_wh, dim_wh = light(
            home.duration_s,
            home.is_valid,
            work.is_dark,
            np.uint64(low),
            np.uint64(high),
            days.is_even[home.n_context + d],
            uwh_per_s,
            work.residual_wh,
        )
        lights_wh += wanted_wh
        rest_wh += dim_wh
        found.day_wh[LIGHTS, d] += lit_wh
        found.day_wh[OTHERS, d] += dim_wh
    found.energy[LIGHTS] = lights_wh
    found.variance[LIGHTS] = (LIGHTS_DOUBT * lights_wh) ** 2
    limit(LIGHTS, room_wh, found)
    found.energy[OTHERS], found.variance[OTHERS] = combine(
        mean_wh[OTHERS],
        (OTHERS_DOUBT * mean_wh[OTHERS]) ** 2,
        rest_wh,
        (REST_DOUBT[0] * rest_wh + REST_DOUBT[1] * total_wh) ** 2,
    )
    limit(OTHERS, room_wh, found)


@compiled
def light(
    duration_s: Any,
    is_valid: Any,
    is_dark: Any,
    low: Any,
    high: Any,
    is_even: Any,
    uwh_per_s: Any,
    residual_wh: Any,
) -> Any:
    """Return what lights want of a day's intervals, what they get, and what is left of them [Wh].

    Whole microwatt-hours are added up, several at once in any order. The day is the intervals `low:high`; without
    a sign they spare the check for places counted from the end.
    """
    wanted, lit, rest = np.int64(0), np.int64(0), np.int64(0)
    if is_even:
        usual = np.int64(uwh_per_s * duration_s[low] + 0.5)
        for i in range(low, high):
            want, left = usual if is_dark[i] else np.int64(0), np.int64(residual_wh[i] * 1e6 + 0.5)
            wanted += want
            lit += min(want, left)
            rest += left
    else:
        for i in range(low, high):
            is_lit = is_dark[i] and is_valid[i]
            want = np.int64(uwh_per_s * duration_s[i] + 0.5) if is_lit else np.int64(0)
            left = np.int64(residual_wh[i] * 1e6 + 0.5)
            wanted += want
            lit += min(want, left)
            rest += left
    return wanted * 1e-6, lit * 1e-6, (rest - lit) * 1e-6
