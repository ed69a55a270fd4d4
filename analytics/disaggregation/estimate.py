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
    DARK_SINE,
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
    WAKING_FROM_H,
)
from analytics.disaggregation.stages import activities, compiled, inlined
from analytics.disaggregation.stages.days import DAY_S, wall_second
from analytics.disaggregation.stages.fridge import fridge_power
from analytics.disaggregation.stages.home import HAS_LIST
from analytics.disaggregation.stages.pieces import is_touched
from analytics.disaggregation.stages.reconcile import reconcile_days, reconcile_month
from analytics.disaggregation.stages.season import HOUR_US, sun_sine
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


class Work(NamedTuple):
    """Arrays of one home's intervals, shape (n,); `day` is -1 outside the days."""

    day: npt.NDArray[np.int64]
    wall_s: npt.NDArray[np.int64]
    celsius: npt.NDArray[np.float64]
    is_dark: npt.NDArray[np.bool_]
    residual_wh: npt.NDArray[np.float64]
    out_wh: npt.NDArray[np.float64]
    shape: npt.NDArray[np.float64]
    first: npt.NDArray[np.int64]
    last: npt.NDArray[np.int64]


class Runs(NamedTuple):
    """Runs of single appliances of one home, in order of start; a class that is none is no cycle."""

    appliance: npt.NDArray[np.int64]
    start_us: npt.NDArray[np.int64]
    end_us: npt.NDArray[np.int64]
    energy_wh: npt.NDArray[np.float64]


@compiled
def _new_work(n: Any) -> Any:
    """Return room for so many intervals."""
    return Work(
        np.empty(n, dtype=np.int64),
        np.empty(n, dtype=np.int64),
        np.empty(n),
        np.empty(n, dtype=np.bool_),
        np.empty(n),
        np.empty(n),
        np.empty(n),
        np.empty(n, dtype=np.int64),
        np.empty(n, dtype=np.int64),
    )


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
    joined[: history.shape[0]] = history
    joined[history.shape[0] :] = rows[n_context:]
    return joined


@compiled
def _place_intervals(inputs: Any, n: Any, work: Any, left_wh: Any) -> Any:
    """Fill day, clock, warmth, darkness and valid energy of each interval of a home.

    Parameters
    ----------
    left_wh : ndarray of float64, shape (target days,), [Wh]
        Filled with the valid energy of each target day.

    Returns
    -------
    float, [s]
        Mean length of the valid intervals within the days; 0 without any.
    """
    i, j = inputs.offsets[n], inputs.offsets[n + 1]
    start_us, duration_s = inputs.start_us[i:j], inputs.duration_s[i:j]
    energy_uwh, is_valid = inputs.energy_uwh[i:j], inputs.is_valid[i:j]
    edges_us = inputs.edges_us[inputs.edge_offsets[n] : inputs.edge_offsets[n + 1]]
    n_context, place = inputs.n_context_days[n], inputs.place[n]
    first_hour_us, n_hours = inputs.first_hour_us, inputs.celsius.shape[1]
    phi, lam = np.radians(inputs.latitude[place]), np.radians(inputs.longitude[place])
    sin_phi, cos_phi, cos_lam, sin_lam = np.sin(phi), np.cos(phi), np.cos(lam), np.sin(lam)
    day, wall_s, celsius, is_dark = work.day, work.wall_s, work.celsius, work.is_dark
    count, seconds, d, next_us, length_s = 0, 0, -1, np.int64(-(2**62)), 0
    warmth, is_night, n_days = 0.0, False, edges_us.size - 1
    for i in range(start_us.size):
        while d < n_days and start_us[i] >= edges_us[d + 1]:
            d += 1
            length_s = (edges_us[d + 1] - edges_us[d]) // 1_000_000 if d < n_days else 0
        if start_us[i] >= next_us:
            hour = (start_us[i] - first_hour_us) // HOUR_US
            next_us = first_hour_us + (hour + 1) * HOUR_US
            hour = min(max(hour, 0), n_hours - 1)
            warmth = inputs.celsius[place, hour]
            is_night = sun_sine(hour, inputs.sun, sin_phi, cos_phi, cos_lam, sin_lam) < DARK_SINE
        work.residual_wh[i] = 0.0
        celsius[i] = warmth
        if d < 0 or d >= n_days:
            day[i], wall_s[i], is_dark[i] = -1, 0, False
            continue
        # Exact: the microseconds of a day are far below 2**53, and half of one keeps whole seconds whole.
        elapsed_s = np.int64((start_us[i] - edges_us[d] + 0.5) * 1e-6)
        day[i] = d
        wall_s[i] = min(elapsed_s, DAY_S - 1) if length_s == DAY_S else wall_second(elapsed_s, length_s)
        is_dark[i] = is_night and wall_s[i] >= WAKING_FROM_H * 3600
        if is_valid[i]:
            work.residual_wh[i] = energy_uwh[i] * 1e-6
            count += 1
            seconds += duration_s[i]
            if d >= n_context:
                left_wh[d - n_context] += work.residual_wh[i]
    return seconds / max(count, 1)


@compiled
def _take(k: Any, home: Any, work: Any, found: Any) -> Any:
    """Take a stage's energy out of the residual and add it to the days of its class; return its sum."""
    total, first = 0.0, home.n_context
    for i in range(work.out_wh.size):
        work.residual_wh[i] = max(work.residual_wh[i] - work.out_wh[i], 0.0)
        if work.day[i] >= first:
            found.day_wh[k, work.day[i] - first] += work.out_wh[i]
            total += work.out_wh[i]
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
def _separate_base(home: Any, work: Any, found: Any, total_wh: Any) -> Any:
    """Separate standby and cold appliances; return what they leave of the target days [Wh]."""
    days = home.share.sum()
    hours = 24.0 * days
    n_target = home.share.size
    part = fridge_share(home.resolution_s)
    fridge_w, fridge_variance = fridge_power(
        home.numbers, home.experience, home.mean_c[home.n_before :].mean(), part
    )
    level_w = np.zeros(n_target)
    spread_w = standby_levels(home.experience, home.n_before, home.first_day, part * fridge_w, level_w)
    energy, day_wh, first = found.energy, found.day_wh, home.n_context
    for i in range(home.start_us.size):
        if work.residual_wh[i] > 0:
            d = work.day[i] - first
            hour_h = home.duration_s[i] / 3600.0
            standby = min(level_w[max(d, 0)] * hour_h, work.residual_wh[i])
            fridge = min(fridge_w * hour_h, work.residual_wh[i] - standby)
            work.residual_wh[i] -= standby + fridge
            if d >= 0:
                day_wh[STANDBY, d] += standby
                day_wh[FRIDGE, d] += fridge
    energy[STANDBY], energy[FRIDGE] = day_wh[STANDBY].sum(), day_wh[FRIDGE].sum()
    doubt = (STANDBY_SPREAD * spread_w * hours) ** 2 + (STANDBY_DOUBT * energy[STANDBY]) ** 2
    found.variance[STANDBY] = doubt + fridge_variance * (part * hours) ** 2
    found.variance[FRIDGE] = fridge_variance * hours * hours
    _limit(STANDBY, total_wh, found)
    _limit(FRIDGE, total_wh - energy[STANDBY], found)
    return max(total_wh - energy[STANDBY] - energy[FRIDGE], 0.0)


@compiled
def _separate_charges(home: Any, work: Any, found: Any, charges: Any) -> Any:
    """Separate a vehicle's charges; return how many there are and the variance of their month."""
    is_listed = home.numbers[HAS_LIST] > 0
    ownership = (1 if home.wattages_w.size > 0 else 2) if is_listed else 0
    n_charges, variance, _ = separate_vehicles(
        home.start_us,
        home.duration_s,
        work.residual_wh,
        home.is_valid,
        work.day,
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
        _take(VEHICLE, home, work, found)
        for d in range(home.share.size):
            # An interval that crosses midnight may bring energy to a day on which nothing charges.
            if not is_touched(home.edges_us[d], home.edges_us[d + 1], charges.start_us, charges.end_us, n_charges):
                found.day_wh[VEHICLE, d] = 0.0
    return n_charges, variance


@compiled
def _separate_weather(home: Any, work: Any, found: Any, room_wh: Any) -> Any:
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
        for i in range(work.shape.size):
            work.shape[i] = degrees(base, work.celsius[i]) * home.duration_s[i]
        allocate(expected_wh, work.shape, work.day, home.n_context, work.residual_wh, work.out_wh)
        found.energy[k] = _take(k, home, work, found)
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
def _separate_runs(home: Any, work: Any, found: Any, mean_wh: Any, room_wh: Any, runs: Any) -> Any:
    """Separate boiler, cooking and washing: the survey's energy moved towards what runs in the home.

    Returns how many runs there are; `runs` is filled.
    """
    days = home.share.sum()
    first, last = work.first, work.last
    n_runs = activities.find_runs(
        home.start_us, home.duration_s, work.residual_wh, work.day, home.n_context, first, last
    )
    odds, energy_wh = np.empty((n_runs, activities.N_COMPONENTS)), np.empty(n_runs)
    rates = np.empty(activities.N_COMPONENTS)
    class_wh, class_variance = np.zeros(N_CLASSES), np.zeros(N_CLASSES)
    activities.set_rates(home.numbers, rates)
    activities.describe_runs(
        home.duration_s, work.residual_wh, first, last, n_runs, work.wall_s, energy_wh, odds, rates
    )
    activities.favour_regular(first, n_runs, work.wall_s, days, odds)
    activities.share_runs(odds, energy_wh, n_runs, days, rates, class_wh, class_variance)
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
    activities.add_classes(
        home.duration_s, work.residual_wh, work.day, home.n_context, first, last, n_runs, odds, found.day_wh
    )
    return n_runs


@compiled
def _leave_others(
    home: Any, work: Any, found: Any, lights_kwh: Any, mean_wh: Any, room_wh: Any, total_wh: Any
) -> None:
    """Separate lights, an even power in the dark waking hours that were measured, and weigh what is left.

    What no stage claims is weighed against what a survey expects of things without a class.
    """
    lights_wh, rest_wh, first = 0.0, 0.0, home.n_context
    wh_per_s = lights_kwh / 3.6
    day_wh = found.day_wh
    for i in range(work.residual_wh.size):
        d = work.day[i] - first
        if d >= 0:
            wanted = wh_per_s * home.duration_s[i] if work.is_dark[i] and home.is_valid[i] else 0.0
            lit = min(wanted, work.residual_wh[i])
            lights_wh += wanted
            rest_wh += work.residual_wh[i] - lit
            day_wh[LIGHTS, d] += lit
            day_wh[OTHERS, d] += work.residual_wh[i] - lit
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
    inputs: Any, n: Any, rows: Any, share: Any, day_wh: Any, variance: Any, charges: Any, runs: Any
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
    day_wh : ndarray of float64, shape (N_CLASSES, target days), [Wh]
        Zeros, filled.
    variance : ndarray of float64, shape (N_CLASSES,), [Wh²]
        Zeros, filled.
    charges, runs : Runs
        Room for one per interval, filled.

    Returns
    -------
    n_charges, n_runs : int
    """
    i, j = inputs.offsets[n], inputs.offsets[n + 1]
    work = _new_work(j - i)
    left_wh = np.zeros(share.size)
    resolution_s = _place_intervals(inputs, n, work, left_wh)
    if resolution_s <= 0 or share.sum() <= 0:
        return np.int64(0), np.int64(0)
    home = _home(inputs, n, rows, share, resolution_s)
    found = Found(np.zeros(N_CLASSES), variance, day_wh)
    room_wh = _separate_base(home, work, found, left_wh.sum())
    n_charges, charged_variance = _separate_charges(home, work, found, charges)
    charged_wh = day_wh[VEHICLE].copy()
    for d in range(share.size):
        left_wh[d] = max(left_wh[d] - charged_wh[d], 0.0)
    room_wh = max(room_wh - charged_wh.sum(), 0.0)
    lights_kwh, room_wh = _separate_weather(home, work, found, room_wh)
    mean_wh = _expect(home, found, room_wh)
    n_runs = _separate_runs(home, work, found, mean_wh, room_wh, runs)
    _leave_others(home, work, found, lights_kwh, mean_wh, room_wh, left_wh.sum())
    reconcile_month(found.energy, variance, left_wh.sum())
    # Charges stay as they were found: they are no part of what the days share out.
    day_wh[VEHICLE] = 0.0
    reconcile_days(found.energy, day_wh, left_wh)
    day_wh[VEHICLE] = charged_wh
    variance[VEHICLE] = charged_variance
    return n_charges, n_runs
