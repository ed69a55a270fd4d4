"""One home through all stages: what each finds, and how survey and meter are weighed against each other."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from analytics.disaggregation.classes import (
    BOILER,
    COOKING,
    COOLING,
    FRIDGE,
    HEATING,
    LIGHTS,
    N_CLASSES,
    OTHERS,
    STANDBY,
    VEHICLE,
    WASHING,
)
from analytics.disaggregation.columns import HISTORY_DAYS, N_COLUMNS
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
    STANDBY_DOUBT,
    STANDBY_SPREAD,
)
from analytics.disaggregation.stages import activities, compiled, inlined
from analytics.disaggregation.stages.fridge import fridge_power
from analytics.disaggregation.stages.home import HAS_LIST
from analytics.disaggregation.stages.pieces import is_touched
from analytics.disaggregation.stages.placing import part_of, place_intervals, resolution
from analytics.disaggregation.stages.reconcile import reconcile_days, reconcile_month
from analytics.disaggregation.stages.standby import fridge_share, standby_levels
from analytics.disaggregation.stages.survey import expect
from analytics.disaggregation.stages.thermal import allocate, degrees, month_energy, regress
from analytics.disaggregation.stages.vehicles import separate_vehicles


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
    homes: npt.NDArray[np.float64]
    wattage_offsets: npt.NDArray[np.int64]
    wattages_w: npt.NDArray[np.float64]
    place: npt.NDArray[np.int64]
    first_hour_us: int
    celsius: npt.NDArray[np.float64]
    sun: npt.NDArray[np.float64]
    latitude: npt.NDArray[np.float64]
    longitude: npt.NDArray[np.float64]
    season: npt.NDArray[np.int64]
    mean_c: npt.NDArray[np.float64]
    dark_h: npt.NDArray[np.float64]
    measured: npt.NDArray[np.float64]


class Home(NamedTuple):
    """One home: its intervals, shape (n,), what is known of it, and its days before and within the target days."""

    start_us: npt.NDArray[np.int64]
    duration_s: npt.NDArray[np.int32]
    energy_uwh: npt.NDArray[np.int64]
    is_valid: npt.NDArray[np.bool_]
    edges_us: npt.NDArray[np.int64]
    n_context: int
    numbers: npt.NDArray[np.float64]
    wattages_w: npt.NDArray[np.float64]
    experience: npt.NDArray[np.uint16]
    n_before: int
    first_day: int
    mean_c: npt.NDArray[np.float64]
    dark_h: npt.NDArray[np.float64]
    measured: npt.NDArray[np.float64]
    share: npt.NDArray[np.float64]
    resolution_s: float


class Found(NamedTuple):
    """What the stages found: energy [Wh] and variance [Wh²] of the month and energy of the days, by class."""

    energy: npt.NDArray[np.float64]
    variance: npt.NDArray[np.float64]
    day_wh: npt.NDArray[np.float64]


class Runs(NamedTuple):
    """Runs of single appliances of one home, in order of start; a class that is none is no cycle."""

    appliance: npt.NDArray[np.int64]
    start_us: npt.NDArray[np.int64]
    end_us: npt.NDArray[np.int64]
    energy_wh: npt.NDArray[np.float64]


@compiled
def new_runs(n: Any) -> Any:
    """Return room for so many runs."""
    return Runs(np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64), np.empty(n))


@compiled
def _experience(history: Any, rows: Any, n_context: Any) -> Any:
    """Return the days before the target days, then those; the context where nothing is remembered."""
    if history.shape[0] == 0:
        return rows
    joined = np.empty((history.shape[0] + rows.shape[0] - n_context, N_COLUMNS), dtype=np.uint16)
    flat, before, after = joined.reshape(-1), history.reshape(-1), rows.reshape(-1)
    for k in range(before.size):
        flat[k] = before[k]
    for k in range(flat.size - before.size):
        flat[before.size + k] = after[n_context * N_COLUMNS + k]
    return joined


@compiled
def _take(k: Any, home: Any, days: Any, work: Any, found: Any) -> Any:
    """Take a stage's energy out of the residual and add it to the days of its class; return its sum."""
    total, first = 0.0, home.n_context
    for d in range(home.share.size):
        taken = found.day_wh[k, d]
        for i in range(days.cuts[first + d], days.cuts[first + d + 1]):
            work.residual_wh[i] = max(work.residual_wh[i] - work.out_wh[i], 0.0)
            taken += work.out_wh[i]
            total += work.out_wh[i]
        found.day_wh[k, d] = taken
    return total


@compiled
def _limit(k: Any, room_wh: Any, found: Any) -> None:
    """Hold a class to the energy that was left for it, and its doubt to that."""
    found.energy[k] = min(found.energy[k], room_wh)
    found.variance[k] = min(found.variance[k], room_wh * room_wh)


@compiled
def _combine(prior: Any, prior_variance: Any, seen: Any, seen_variance: Any) -> Any:
    """Return mean and variance of what the survey and the meter say together."""
    whole = prior_variance + seen_variance
    if whole <= 0:
        return seen, 0.0
    return (prior * seen_variance + seen * prior_variance) / whole, prior_variance * seen_variance / whole


@compiled
def _separate_base(home: Any, days: Any, work: Any, found: Any, left_wh: Any) -> Any:
    """Separate standby and cold appliances; return what they leave of the target days [Wh].

    `left_wh`, shape (target days,), is filled with the valid energy of each target day [Wh].
    """
    hours = 24.0 * home.share.sum()
    n_target = home.share.size
    part = fridge_share(home.resolution_s)
    fridge_w, fridge_variance = fridge_power(
        home.numbers, home.experience, home.mean_c[home.n_before :].mean(), part
    )
    level_w = np.zeros(n_target)
    spread_w = standby_levels(home.experience, home.n_before, home.first_day, part * fridge_w, level_w)
    energy, day_wh, residual_wh = found.energy, found.day_wh, work.residual_wh
    residual_wh[: days.cuts[0]] = 0.0
    residual_wh[days.cuts[days.is_even.size] :] = 0.0
    for day in range(days.is_even.size):
        low, high, d = days.cuts[day], days.cuts[day + 1], day - home.n_context
        day_w, valid_wh, standby_wh, cold_wh = level_w[max(d, 0)], 0.0, 0.0, 0.0
        if days.is_even[day]:
            hour_h = home.duration_s[low] / 3600.0
            most_standby_wh, most_cold_wh = day_w * hour_h, fridge_w * hour_h
            energy_uwh, rest_wh = home.energy_uwh[low:high], residual_wh[low:high]
            for i in range(energy_uwh.size):
                energy_wh = energy_uwh[i] * 1e-6
                standby = min(most_standby_wh, energy_wh)
                fridge = min(most_cold_wh, energy_wh - standby)
                rest_wh[i] = energy_wh - (standby + fridge)
                valid_wh += energy_wh
                standby_wh += standby
                cold_wh += fridge
        else:
            for i in range(low, high):
                residual_wh[i] = 0.0
                if home.is_valid[i]:
                    hour_h = home.duration_s[i] / 3600.0
                    energy_wh = home.energy_uwh[i] * 1e-6
                    standby = min(day_w * hour_h, energy_wh)
                    fridge = min(fridge_w * hour_h, energy_wh - standby)
                    residual_wh[i] = energy_wh - (standby + fridge)
                    valid_wh += energy_wh
                    standby_wh += standby
                    cold_wh += fridge
        if d >= 0:
            left_wh[d], day_wh[STANDBY, d], day_wh[FRIDGE, d] = valid_wh, standby_wh, cold_wh
    total_wh = left_wh.sum()
    energy[STANDBY], energy[FRIDGE] = day_wh[STANDBY].sum(), day_wh[FRIDGE].sum()
    doubt = (STANDBY_SPREAD * spread_w * hours) ** 2 + (STANDBY_DOUBT * energy[STANDBY]) ** 2
    found.variance[STANDBY] = doubt + fridge_variance * (part * hours) ** 2
    found.variance[FRIDGE] = fridge_variance * hours * hours
    _limit(STANDBY, total_wh, found)
    _limit(FRIDGE, total_wh - energy[STANDBY], found)
    return max(total_wh - energy[STANDBY] - energy[FRIDGE], 0.0)


@compiled
def _separate_charges(home: Any, days: Any, work: Any, found: Any, charges: Any) -> Any:
    """Separate a vehicle's charges; return how many there are and the variance of their month."""
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
        charges.start_us,
        charges.end_us,
        charges.energy_wh,
    )
    if n_charges > 0:
        _take(VEHICLE, home, days, work, found)
        for d in range(home.share.size):
            # An interval that crosses midnight may bring energy to a day on which nothing charges.
            if not is_touched(home.edges_us[d], home.edges_us[d + 1], charges.start_us, charges.end_us, n_charges):
                found.day_wh[VEHICLE, d] = 0.0
    return n_charges, variance


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
        _limit(k, room_wh, found)
        room_wh = max(room_wh - found.energy[k], 0.0)
    return told[6], room_wh


@compiled
def _name_runs(
    start_us: Any,
    duration_s: Any,
    first: Any,
    last: Any,
    n_runs: Any,
    odds: Any,
    energy_wh: Any,
    resolution_s: Any,
    runs: Any,
) -> None:
    """Fill the runs; one has the class that has most of it, `others` where none has half or intervals are coarse."""
    share = np.empty(N_CLASSES)
    for run in range(n_runs):
        share[:] = 0.0
        for k in range(activities.N_COMPONENTS):
            share[activities.CLASS_OF[k]] += odds[run, k]
        best = OTHERS
        for k in (BOILER, COOKING, WASHING):
            limit_s = CYCLE_RESOLUTION_S[0] if k != WASHING else CYCLE_RESOLUTION_S[1]
            if share[k] > 0.5 and resolution_s <= limit_s:
                best = k
        runs.appliance[run] = best
        runs.start_us[run] = start_us[first[run]]
        runs.end_us[run] = start_us[last[run]] + np.int64(duration_s[last[run]]) * 1_000_000
        runs.energy_wh[run] = share[best] * energy_wh[run]


@compiled
def _separate_runs(home: Any, days: Any, work: Any, found: Any, mean_wh: Any, room_wh: Any, runs: Any) -> Any:
    """Separate boiler, cooking and washing: the survey's energy moved towards what runs in the home.

    Returns how many runs there are; `runs` is filled.
    """
    n_days, cuts = home.share.sum(), days.cuts[home.n_context :]
    first, last = work.first, work.last
    n_runs = activities.find_runs(
        home.start_us, home.duration_s, work.residual_wh, cuts, days.is_even[home.n_context :], first, last
    )
    odds, energy_wh = np.empty((n_runs, activities.N_COMPONENTS)), np.empty(n_runs)
    rates = np.empty(activities.N_COMPONENTS)
    class_wh, class_variance = np.zeros(N_CLASSES), np.zeros(N_CLASSES)
    activities.set_rates(home.numbers, rates)
    activities.describe_runs(
        home.duration_s, work.residual_wh, first, last, n_runs, work.wall_s, energy_wh, odds, rates
    )
    activities.favour_regular(first, n_runs, work.wall_s, n_days, odds)
    activities.share_runs(odds, energy_wh, n_runs, n_days, rates, class_wh, class_variance)
    _name_runs(home.start_us, home.duration_s, first, last, n_runs, odds, energy_wh, home.resolution_s, runs)
    fine_s, coarse_s = EVIDENCE_RESOLUTION_S
    along = min(max((home.resolution_s - fine_s) / (coarse_s - fine_s), 0.0), 1.0)
    doubt = EVIDENCE_DOUBT[0] + along * (EVIDENCE_DOUBT[1] - EVIDENCE_DOUBT[0])
    for k in (BOILER, COOKING, WASHING):
        if mean_wh[k] > 0:
            prior_variance = (ACTIVITY_DOUBT * mean_wh[k]) ** 2
            seen_variance = class_variance[k] + (doubt * (class_wh[k] + 0.3 * mean_wh[k])) ** 2
            found.energy[k], found.variance[k] = _combine(mean_wh[k], prior_variance, class_wh[k], seen_variance)
            _limit(k, room_wh, found)
    activities.add_classes(home.duration_s, work.residual_wh, cuts, first, last, n_runs, odds, found.day_wh)
    return n_runs


@compiled
def _leave_others(
    home: Any, days: Any, work: Any, found: Any, lights_kwh: Any, mean_wh: Any, room_wh: Any, total_wh: Any
) -> None:
    """Separate lights, an even power in the dark waking hours that were measured, and weigh what is left.

    What no stage claims is weighed against what a survey expects of things without a class.
    """
    lights_wh, rest_wh = 0.0, 0.0
    wh_per_s = lights_kwh / 3.6
    for d in range(home.share.size):
        low, high = days.cuts[home.n_context + d], days.cuts[home.n_context + d + 1]
        lit_wh, dim_wh = found.day_wh[LIGHTS, d], found.day_wh[OTHERS, d]
        duration_s, is_valid = home.duration_s[low:high], home.is_valid[low:high]
        is_dark, residual_wh = work.is_dark[low:high], work.residual_wh[low:high]
        for i in range(duration_s.size):
            wanted = wh_per_s * duration_s[i] if is_dark[i] and is_valid[i] else 0.0
            lit = min(wanted, residual_wh[i])
            lights_wh += wanted
            rest_wh += residual_wh[i] - lit
            lit_wh += lit
            dim_wh += residual_wh[i] - lit
        found.day_wh[LIGHTS, d], found.day_wh[OTHERS, d] = lit_wh, dim_wh
    found.energy[LIGHTS] = lights_wh
    found.variance[LIGHTS] = (LIGHTS_DOUBT * lights_wh) ** 2
    _limit(LIGHTS, room_wh, found)
    found.energy[OTHERS], found.variance[OTHERS] = _combine(
        mean_wh[OTHERS],
        (OTHERS_DOUBT * mean_wh[OTHERS]) ** 2,
        rest_wh,
        (REST_DOUBT[0] * rest_wh + REST_DOUBT[1] * total_wh) ** 2,
    )
    _limit(OTHERS, room_wh, found)


@compiled
def _expect(home: Any, found: Any, room_wh: Any) -> Any:
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
def _home(inputs: Any, n: Any, rows: Any, share: Any, resolution_s: Any) -> Any:
    """Return the home of row `n` of the batch."""
    i, j = inputs.offsets[n], inputs.offsets[n + 1]
    n_context = inputs.n_context_days[n]
    edges_us = inputs.edges_us[inputs.edge_offsets[n] + n_context : inputs.edge_offsets[n + 1]]
    history = inputs.history[inputs.history_offsets[n] : inputs.history_offsets[n + 1]]
    experience = _experience(history, rows, n_context)
    n_days = experience.shape[0]
    n_before = n_days - share.size
    season, from_day = inputs.season[n], HISTORY_DAYS - n_before
    return Home(
        inputs.start_us[i:j],
        inputs.duration_s[i:j],
        inputs.energy_uwh[i:j],
        inputs.is_valid[i:j],
        edges_us,
        n_context,
        inputs.homes[n],
        inputs.wattages_w[inputs.wattage_offsets[n] : inputs.wattage_offsets[n + 1]],
        experience,
        n_before,
        inputs.first_day[n] + n_context,
        inputs.mean_c[season, from_day : from_day + n_days],
        inputs.dark_h[season, from_day : from_day + n_days],
        inputs.measured[season, from_day : from_day + n_days],
        share,
        resolution_s,
    )


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
    charges: Any,
    runs: Any,
) -> Any:
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
    charges, runs : Runs
        Room for one per interval at least, filled.

    Returns
    -------
    n_charges, n_runs : int
    """
    i, j = inputs.offsets[n], inputs.offsets[n + 1]
    work = part_of(work, j - i)
    left_wh = np.zeros(share.size)
    resolution_s = resolution(inputs.duration_s[i:j], inputs.is_valid[i:j], days)
    if resolution_s <= 0 or share.sum() <= 0:
        return np.int64(0), np.int64(0)
    place_intervals(inputs, n, days, work)
    home = _home(inputs, n, rows, share, resolution_s)
    found = Found(np.zeros(N_CLASSES), variance, day_wh)
    room_wh = _separate_base(home, days, work, found, left_wh)
    n_charges, charged_variance = _separate_charges(home, days, work, found, charges)
    charged_wh = day_wh[VEHICLE].copy()
    for d in range(share.size):
        left_wh[d] = max(left_wh[d] - charged_wh[d], 0.0)
    room_wh = max(room_wh - charged_wh.sum(), 0.0)
    lights_kwh, room_wh = _separate_weather(home, days, work, found, room_wh)
    mean_wh = _expect(home, found, room_wh)
    n_runs = _separate_runs(home, days, work, found, mean_wh, room_wh, runs)
    _leave_others(home, days, work, found, lights_kwh, mean_wh, room_wh, left_wh.sum())
    reconcile_month(found.energy, variance, left_wh.sum())
    # Charges stay as they were found: they are no part of what the days share out.
    day_wh[VEHICLE] = 0.0
    reconcile_days(found.energy, day_wh, left_wh)
    day_wh[VEHICLE] = charged_wh
    variance[VEHICLE] = charged_variance
    return n_charges, n_runs
