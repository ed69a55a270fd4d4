"""The driver: home after home through all stages, without arrays of the whole batch in between.

Homes are independent: each reads and writes its own rows only and in order, so its result depends neither
on threads nor on the rest of the batch.
"""

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
    DARK_SINE,
    EVIDENCE_DOUBT,
    EVIDENCE_RESOLUTION_S,
    LIGHTS_DOUBT,
    OTHERS_DOUBT,
    SCALE_SHARE,
    STANDBY_DOUBT,
    WAKING_FROM_H,
)
from analytics.disaggregation.stages import activities, compiled
from analytics.disaggregation.stages.days import SOUND, fault_of, measure_home, wall_second
from analytics.disaggregation.stages.fridge import fridge_power
from analytics.disaggregation.stages.home import HAS_LIST
from analytics.disaggregation.stages.reconcile import bound, reconcile_days, reconcile_month, round_parts
from analytics.disaggregation.stages.season import HOUR_US, sun_sine
from analytics.disaggregation.stages.standby import fridge_share, separate_level, standby_levels
from analytics.disaggregation.stages.survey import expect
from analytics.disaggregation.stages.thermal import N_HEATING, allocate, degrees, month_energy, regress
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


class Outputs(NamedTuple):
    """What the driver fills; see `DisaggregationBatch`."""

    total_mwh: npt.NDArray[np.int64]
    parts_mwh: npt.NDArray[np.int64]
    confidence: npt.NDArray[np.float64]
    lower_mwh: npt.NDArray[np.int64]
    upper_mwh: npt.NDArray[np.int64]
    valid_s: npt.NDArray[np.int64]
    expected_s: npt.NDArray[np.int64]
    statistics: npt.NDArray[np.uint16]


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
def _place_intervals(
    inputs: Any, home: Any, start_us: Any, energy_uwh: Any, is_valid: Any, edges_us: Any, work: Any
) -> Any:
    """Fill day, clock, warmth, darkness and valid energy of each interval; return how many valid ones are within."""
    count, d = 0, -1
    day, wall_s, celsius, is_dark, residual_wh = (
        work.day,
        work.wall_s,
        work.celsius,
        work.is_dark,
        work.residual_wh,
    )
    place = inputs.place[home]
    phi, lam = np.radians(inputs.latitude[place]), np.radians(inputs.longitude[place])
    sin_phi, cos_phi, cos_lam, sin_lam = np.sin(phi), np.cos(phi), np.cos(lam), np.sin(lam)
    hour, next_us, warmth, is_night, length_s = -1, np.int64(-(2**62)), 0.0, False, 0
    for i in range(start_us.size):
        while d < edges_us.size - 1 and start_us[i] >= edges_us[d + 1]:
            d += 1
            length_s = (edges_us[d + 1] - edges_us[d]) // 1_000_000 if d < edges_us.size - 1 else 0
        if start_us[i] >= next_us:
            hour = (start_us[i] - inputs.first_hour_us) // HOUR_US
            next_us = inputs.first_hour_us + (hour + 1) * HOUR_US
            hour = min(max(hour, 0), inputs.celsius.shape[1] - 1)
            warmth = inputs.celsius[place, hour]
            is_night = sun_sine(hour, inputs.sun, sin_phi, cos_phi, cos_lam, sin_lam) < DARK_SINE
        inside = 0 <= d < edges_us.size - 1
        day[i] = d if inside else -1
        wall_s[i] = wall_second((start_us[i] - edges_us[d]) // 1_000_000, length_s) if inside else 0
        celsius[i] = warmth
        is_dark[i] = is_night and wall_s[i] >= WAKING_FROM_H * 3600
        residual_wh[i] = energy_uwh[i] * 1e-6 if inside and is_valid[i] else 0.0
        count += int(inside and is_valid[i])
    return count


@compiled
def _take(work: Any, n_context: Any, day_wh: Any) -> Any:
    """Take a stage's energy out of the residual and add it to its days; return the sum of the target days."""
    total = 0.0
    for i in range(work.out_wh.size):
        work.residual_wh[i] = max(work.residual_wh[i] - work.out_wh[i], 0.0)
        if work.day[i] >= n_context:
            day_wh[work.day[i] - n_context] += work.out_wh[i]
            total += work.out_wh[i]
    return total


class Work(NamedTuple):
    """Arrays of one home's intervals."""

    day: npt.NDArray[np.int64]
    wall_s: npt.NDArray[np.int64]
    celsius: npt.NDArray[np.float64]
    is_dark: npt.NDArray[np.bool_]
    residual_wh: npt.NDArray[np.float64]
    out_wh: npt.NDArray[np.float64]
    shape: npt.NDArray[np.float64]


@compiled
def _work(n: Any) -> Any:
    return Work(
        np.empty(n, dtype=np.int64),
        np.empty(n, dtype=np.int64),
        np.empty(n),
        np.empty(n, dtype=np.bool_),
        np.empty(n),
        np.empty(n),
        np.empty(n),
    )


@compiled
def _combine(prior: Any, prior_variance: Any, seen: Any, seen_variance: Any) -> Any:
    """Return mean and variance of what the survey and the meter say together."""
    whole = prior_variance + seen_variance
    if whole <= 0:
        return seen, 0.0
    return (prior * seen_variance + seen * prior_variance) / whole, prior_variance * seen_variance / whole


@compiled
def _limit(k: Any, room_wh: Any, energy: Any, variance: Any) -> None:
    """Hold a class to the energy that was left for it, and its doubt to that."""
    energy[k] = min(energy[k], room_wh)
    variance[k] = min(variance[k], room_wh * room_wh)


@compiled
def _left(work: Any, n_context: Any) -> Any:
    """Return what the stages so far have left of the target days [Wh]."""
    total = 0.0
    for i in range(work.residual_wh.size):
        if work.day[i] >= n_context:
            total += work.residual_wh[i]
    return total


@compiled
def _separate_weather(
    inputs: Any,
    home: Any,
    rows: Any,
    first_day: Any,
    n_before: Any,
    share: Any,
    duration_s: Any,
    work: Any,
    n_context: Any,
    energy: Any,
    variance: Any,
    day_wh: Any,
) -> Any:
    """Separate heating and cooling; return lights per dark hour [kWh]."""
    season = inputs.season[home]
    n_days = rows.shape[0]
    n_target = n_days - n_before
    from_day = HISTORY_DAYS - n_before
    mean_c = inputs.mean_c[season, from_day : from_day + n_days]
    dark_h = inputs.dark_h[season, from_day : from_day + n_days]
    measured = inputs.measured[season, from_day : from_day + n_days]
    found = np.zeros(7)
    regress(inputs.homes[home], rows, first_day - n_before, mean_c, dark_h, found)
    expected_wh = np.zeros(n_target)
    for k, slope, slope_variance, base in (
        (HEATING, found[0], found[1], int(found[2])),
        (COOLING, found[3], found[4], int(found[5])),
    ):
        if base < 0:
            continue
        variance[k] = month_energy(
            slope, slope_variance, base, mean_c[n_before:], measured[n_before:], share, expected_wh
        )
        for i in range(duration_s.size):
            work.shape[i] = degrees(base, work.celsius[i]) * duration_s[i]
        allocate(expected_wh, work.shape, work.day, n_context, work.residual_wh, work.out_wh)
        room_wh = _left(work, n_context)
        energy[k] = _take(work, n_context, day_wh[k])
        _limit(k, room_wh, energy, variance)
    return found[6]


@compiled
def _separate_runs(
    home: Any,
    days: Any,
    resolution_s: Any,
    start_us: Any,
    duration_s: Any,
    work: Any,
    n_context: Any,
    mean_wh: Any,
    energy: Any,
    variance: Any,
    day_wh: Any,
) -> None:
    """Separate boiler, cooking and washing: the survey's energy moved towards what runs in the home."""
    n = start_us.size
    first, last = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
    n_runs = activities.find_runs(start_us, duration_s, work.residual_wh, work.day, n_context, first, last)
    odds, energy_wh = np.empty((n_runs, activities.N_COMPONENTS)), np.empty(n_runs)
    rates = np.empty(activities.N_COMPONENTS)
    class_wh, class_variance = np.zeros(N_CLASSES), np.zeros(N_CLASSES)
    if days > 0:
        activities.set_rates(home, rates)
        activities.describe_runs(duration_s, work.residual_wh, first, last, n_runs, work.wall_s, energy_wh, odds)
        activities.favour_regular(first, n_runs, work.wall_s, days, odds)
        activities.share_runs(odds, energy_wh, n_runs, days, rates, class_wh, class_variance)
    fine_s, coarse_s = EVIDENCE_RESOLUTION_S
    along = min(max((resolution_s - fine_s) / (coarse_s - fine_s), 0.0), 1.0)
    doubt = EVIDENCE_DOUBT[0] + along * (EVIDENCE_DOUBT[1] - EVIDENCE_DOUBT[0])
    before = work.residual_wh.copy()
    room_wh = _left(work, n_context)
    for k in (BOILER, COOKING, WASHING):
        if mean_wh[k] > 0:
            prior_variance = (ACTIVITY_DOUBT * mean_wh[k]) ** 2
            seen_variance = class_variance[k] + (doubt * (class_wh[k] + 0.3 * mean_wh[k])) ** 2
            energy[k], variance[k] = _combine(mean_wh[k], prior_variance, class_wh[k], seen_variance)
            _limit(k, room_wh, energy, variance)
            activities.write_class(k, duration_s, before, first, last, n_runs, odds, work.out_wh)
            for i in range(n):
                work.out_wh[i] = min(work.out_wh[i], work.residual_wh[i])
            _take(work, n_context, day_wh[k])


@compiled
def _disaggregate_home(inputs: Any, home: Any, outputs: Any) -> Any:
    """Split one home's target days; return what is wrong with it."""
    i, j = inputs.offsets[home], inputs.offsets[home + 1]
    start_us, duration_s = inputs.start_us[i:j], inputs.duration_s[i:j]
    energy_uwh, is_valid = inputs.energy_uwh[i:j], inputs.is_valid[i:j]
    edges_us = inputs.edges_us[inputs.edge_offsets[home] : inputs.edge_offsets[home + 1]]
    n_context, n_days, n = inputs.n_context_days[home], edges_us.size - 1, start_us.size
    fault = fault_of(start_us, duration_s, energy_uwh)
    if fault != SOUND:
        return fault
    total_uwh, valid_s = np.zeros(n_days, dtype=np.int64), np.zeros(n_days, dtype=np.int64)
    rows = np.zeros((n_days, N_COLUMNS), dtype=np.uint16)
    measure_home(start_us, duration_s, energy_uwh, is_valid, edges_us, total_uwh, valid_s, rows)
    n_target = n_days - n_context
    first = inputs.target_offsets[home]
    last = first + n_target
    expected_s = 0
    share = np.zeros(n_target)
    for d in range(n_target):
        length_s = (edges_us[n_context + d + 1] - edges_us[n_context + d]) // 1_000_000
        outputs.valid_s[first + d], outputs.expected_s[first + d] = valid_s[n_context + d], length_s
        outputs.statistics[first + d] = rows[n_context + d]
        share[d] = valid_s[n_context + d] / 86_400.0
        expected_s += length_s
    day_wh = np.zeros((N_CLASSES, n_target))
    variance = np.zeros(N_CLASSES)
    _estimate(inputs, home, rows, share, day_wh, variance)
    round_parts(total_uwh[n_context:], day_wh, outputs.total_mwh[first:last], outputs.parts_mwh[first:last])
    coverage = valid_s[n_context:].sum() / max(expected_s, 1)
    bound(
        outputs.parts_mwh[first:last],
        variance,
        coverage,
        outputs.confidence[home],
        outputs.lower_mwh[home],
        outputs.upper_mwh[home],
    )
    return SOUND


@compiled
def _estimate(inputs: Any, home: Any, rows: Any, share: Any, day_wh: Any, variance: Any) -> None:
    """Fill each class's days, which add up to the valid energy of each day, and the variance of its month."""
    i, j = inputs.offsets[home], inputs.offsets[home + 1]
    start_us, duration_s = inputs.start_us[i:j], inputs.duration_s[i:j]
    energy_uwh, is_valid = inputs.energy_uwh[i:j], inputs.is_valid[i:j]
    edges_us = inputs.edges_us[inputs.edge_offsets[home] : inputs.edge_offsets[home + 1]]
    n_context, n = inputs.n_context_days[home], start_us.size
    history = inputs.history[inputs.history_offsets[home] : inputs.history_offsets[home + 1]]
    experience = _experience(history, rows, n_context)
    n_target = share.size
    n_before = experience.shape[0] - n_target
    first_day = inputs.first_day[home] + n_context
    numbers = inputs.homes[home]
    work = _work(n)
    n_valid = _place_intervals(inputs, home, start_us, energy_uwh, is_valid, edges_us, work)
    days = share.sum()
    if n_valid == 0 or days <= 0:
        return
    seconds = 0
    for k in range(n):
        seconds += duration_s[k] if is_valid[k] and work.day[k] >= 0 else 0
    resolution_s = seconds / n_valid
    left_wh = np.zeros(n_target)
    for k in range(n):
        if work.day[k] >= n_context:
            left_wh[work.day[k] - n_context] += work.residual_wh[k]
    energy = np.zeros(N_CLASSES)
    season = inputs.season[home]
    celsius = inputs.mean_c[season, HISTORY_DAYS : HISTORY_DAYS + n_target].mean()
    dark_h = inputs.dark_h[season, HISTORY_DAYS : HISTORY_DAYS + n_target].mean()

    part = fridge_share(resolution_s)
    fridge_w, fridge_variance = fridge_power(numbers, experience, celsius, part)
    level_w = np.zeros(n_target)
    spread_w = standby_levels(experience, n_before, first_day, part * fridge_w, level_w)
    separate_level(duration_s, work.residual_wh, is_valid, work.day, n_context, level_w, work.out_wh)
    energy[STANDBY] = _take(work, n_context, day_wh[STANDBY])
    hours = 24.0 * days
    variance[STANDBY] = (
        (0.3 * spread_w * hours) ** 2
        + (STANDBY_DOUBT * energy[STANDBY]) ** 2
        + fridge_variance * (part * hours) ** 2
    )
    room_wh = _left(work, n_context)
    level_w[:] = fridge_w
    separate_level(duration_s, work.residual_wh, is_valid, work.day, n_context, level_w, work.out_wh)
    energy[FRIDGE] = _take(work, n_context, day_wh[FRIDGE])
    variance[FRIDGE] = fridge_variance * hours * hours
    _limit(FRIDGE, room_wh, energy, variance)

    n_wattages = inputs.wattage_offsets[home + 1] - inputs.wattage_offsets[home]
    wattages_w = inputs.wattages_w[inputs.wattage_offsets[home] : inputs.wattage_offsets[home + 1]]
    ownership = 0 if numbers[HAS_LIST] == 0 else (1 if n_wattages > 0 else 2)
    session_start_us = np.empty(n, dtype=np.int64)
    session_end_us = np.empty(n, dtype=np.int64)
    session_wh = np.empty(n)
    n_sessions, vehicle_variance, posterior = separate_vehicles(
        start_us,
        duration_s,
        work.residual_wh,
        is_valid,
        work.day,
        work.wall_s,
        work.celsius,
        experience,
        n_before,
        wattages_w,
        ownership,
        work.out_wh,
        session_start_us,
        session_end_us,
        session_wh,
    )
    vehicle_wh = _take(work, n_context, day_wh[VEHICLE])
    for d in range(n_target):
        left_wh[d] = max(left_wh[d] - day_wh[VEHICLE, d], 0.0)

    lights_kwh = _separate_weather(
        inputs, home, experience, first_day, n_before, share, duration_s, work, n_context, energy, variance, day_wh
    )
    mean_wh = np.zeros(N_CLASSES)
    expect(numbers, days, celsius, dark_h, mean_wh)
    known = energy[STANDBY] + energy[HEATING] + energy[COOLING]
    scale = (left_wh.sum() - known + 1.0) / (mean_wh.sum() + 1.0)
    scale = min(max(scale, 0.1), 4.0)
    for k in range(N_CLASSES):
        mean_wh[k] *= scale ** SCALE_SHARE[k]
    room_wh = _left(work, n_context)
    _separate_runs(
        numbers, days, resolution_s, start_us, duration_s, work, n_context, mean_wh, energy, variance, day_wh
    )

    lights_wh = np.zeros(n_target)
    for k in range(n):
        work.shape[k] = duration_s[k] if work.is_dark[k] and is_valid[k] else 0.0
        if work.day[k] >= n_context:
            lights_wh[work.day[k] - n_context] += lights_kwh * work.shape[k] / 3.6
    energy[LIGHTS] = lights_wh.sum()
    variance[LIGHTS] = (LIGHTS_DOUBT * energy[LIGHTS]) ** 2
    _limit(LIGHTS, room_wh, energy, variance)
    allocate(lights_wh, work.shape, work.day, n_context, work.residual_wh, work.out_wh)
    _take(work, n_context, day_wh[LIGHTS])

    for k in range(n):
        work.out_wh[k] = work.residual_wh[k]
    rest_wh = _take(work, n_context, day_wh[OTHERS])
    energy[OTHERS], variance[OTHERS] = _combine(
        mean_wh[OTHERS],
        (OTHERS_DOUBT * mean_wh[OTHERS]) ** 2,
        rest_wh,
        (0.5 * rest_wh + 0.05 * left_wh.sum()) ** 2,
    )
    _limit(OTHERS, room_wh, energy, variance)
    reconcile_month(energy, variance, left_wh.sum())
    reconcile_days_but_vehicle(energy, day_wh, left_wh)
    variance[VEHICLE] = vehicle_variance


@compiled
def reconcile_days_but_vehicle(energy: Any, day_wh: Any, left_wh: Any) -> None:
    """Reconcile the days of all classes but the vehicle, whose charges stay as they are."""
    charged = day_wh[VEHICLE].copy()
    day_wh[VEHICLE] = 0.0
    reconcile_days(energy, day_wh, left_wh)
    day_wh[VEHICLE] = charged


@compiled
def disaggregate_homes(first: Any, last: Any, inputs: Any, outputs: Any) -> Any:
    """Split the homes `first:last`; return the first that is at fault, or -1, and its fault."""
    for home in range(first, last):
        fault = _disaggregate_home(inputs, home, outputs)
        if fault != SOUND:
            return home, fault
    return -1, SOUND
