"""Stage 3, electric vehicles: charges found as flat blocks at the charger's power.

Powers are taken relative to the charger's, `x = r / P`. While it charges, `x >= 1` whatever else runs, so the
stage looks only at runs of `x >= FULL`. The background `b` of a run is what was used shortly before and
after it. Each interval of the run scores for a charge by its excess `u = x - b`: near 1 for, far from 1
against. The best stretch of the run is a charge when its score and its edges are good enough. The interval before it
is its fractional start; up to 45 minutes after it are its taper.

Source: S. Zhang et al., IECON 2014, arXiv:1404.5020 (edges and plateaus without training); disaggregation
method, stage 3.
"""

from typing import Any

import numpy as np
from numba import njit

from analytics.disaggregation.stages.plateaus import (
    BIN_W,
    N_BINS,
    NEAR,
    add_hours,
    add_to_histogram,
    near_plateaus,
)

NO_LIST, OWNED, NOT_OWNED = 0, 1, 2

FULL = 0.88
"""Relative power from which an interval may be full charge: the residual misses the standby's error."""
SHORTEST_S = 1500
LONGEST_S = 14 * 3600
SIDE_S = 3600
"""Time before and after a run from which its background is read."""
TAPER_S = 2700
SMALL = 0.12
"""Shares of an interval below this are background."""
C0, CS, CR, CF, CL, CB, CH = -0.8, 0.28, -2.7, -5.0, 0.25, -0.6, 1.4
ABOVE_LOG, BELOW_LOG = -1.6, -5.8
HOUR_FLOOR = 0.02
HOUR_PRIOR = 0.5


@njit(cache=True, nogil=True)
def separate_vehicles(
    start_us: Any,
    duration_s: Any,
    residual_wh: Any,
    is_valid: Any,
    day: Any,
    wall_s: Any,
    celsius: Any,
    history: Any,
    statistics: Any,
    wattages_w: Any,
    ownership: Any,
    out_wh: Any,
    session_start_us: Any,
    session_end_us: Any,
    session_wh: Any,
) -> Any:
    """Write the energy of charging per interval and the sessions; return their count, variance and posterior."""
    out_wh[:] = 0.0
    if ownership == NOT_OWNED or start_us.size == 0:
        return 0, 0.0, 0.0
    n_sessions, variance_wh2 = 0, 0.0
    n_unknown = 0
    for w in range(wattages_w.size):
        if wattages_w[w] <= 0:
            n_unknown += 1
            continue
        power_w, minutes = near_plateaus(statistics, wattages_w[w], 0.85, 1.12)
        power_h, minutes_h = near_plateaus(history, wattages_w[w], 0.85, 1.12)
        if minutes + minutes_h > 0:
            power_w = (power_w * minutes + power_h * minutes_h) / (minutes + minutes_h)
        hours = np.zeros(24)
        add_hours(history, power_w, hours)
        n_sessions, v = _charges(
            start_us,
            duration_s,
            residual_wh,
            is_valid,
            wall_s,
            power_w,
            hours,
            out_wh,
            session_start_us,
            session_end_us,
            session_wh,
            n_sessions,
        )
        variance_wh2 += v
    if n_unknown > 0 or wattages_w.size == 0:
        power_w = _usual_power(history, statistics)
        if power_w > 0 and ownership == OWNED:
            hours = np.zeros(24)
            add_hours(history, power_w, hours)
            n_sessions, v = _charges(
                start_us,
                duration_s,
                residual_wh,
                is_valid,
                wall_s,
                power_w,
                hours,
                out_wh,
                session_start_us,
                session_end_us,
                session_wh,
                n_sessions,
            )
            variance_wh2 += v
    return n_sessions, variance_wh2, 1.0 if ownership == OWNED else 0.0


@njit(cache=True, nogil=True)
def _usual_power(history: Any, statistics: Any) -> Any:
    """Return the level of most of the days' plateau time [W], 0 without any."""
    histogram = np.zeros(N_BINS)
    add_to_histogram(history, histogram)
    add_to_histogram(statistics, histogram)
    best, at = 0.0, -1
    for k in range(1, N_BINS - 1):
        around = 0.5 * histogram[k - 1] + histogram[k] + 0.5 * histogram[k + 1]
        if around > best:
            best, at = around, k
    if at < 0:
        return 0.0
    centre_w = (at + 0.5) * BIN_W
    power_w, minutes = near_plateaus(statistics, centre_w, 1 - NEAR, 1 + NEAR)
    power_h, minutes_h = near_plateaus(history, centre_w, 1 - NEAR, 1 + NEAR)
    if minutes + minutes_h == 0:
        return centre_w
    return (power_w * minutes + power_h * minutes_h) / (minutes + minutes_h)


@njit(cache=True, nogil=True)
def _charges(
    start_us: Any,
    duration_s: Any,
    residual_wh: Any,
    is_valid: Any,
    wall_s: Any,
    power_w: Any,
    hours: Any,
    out_wh: Any,
    session_start_us: Any,
    session_end_us: Any,
    session_wh: Any,
    n_sessions: Any,
) -> Any:
    """Add the charges at one power to the sessions, return how many there are then and the new variance."""
    wh_per_s = power_w / 3600.0
    high = np.zeros(24)
    n_hour = _count_full(duration_s, residual_wh, is_valid, wall_s, wh_per_s, high)
    begin = hours.copy()
    hour_log, high_log = np.empty(24), np.empty(24)
    _hour_odds(hours, hour_log)
    _high_odds(high, n_hour, high_log)
    _candidates(
        start_us,
        duration_s,
        residual_wh,
        is_valid,
        wall_s,
        wh_per_s,
        hour_log,
        high_log,
        begin,
        high,
        session_start_us,
        session_end_us,
        session_wh,
        n_sessions,
    )
    _hour_odds(begin, hour_log)
    _high_odds(high, n_hour, high_log)
    n_candidates = _candidates(
        start_us,
        duration_s,
        residual_wh,
        is_valid,
        wall_s,
        wh_per_s,
        hour_log,
        high_log,
        begin,
        high,
        session_start_us,
        session_end_us,
        session_wh,
        n_sessions,
    )
    variance_wh2 = 0.0
    n_before = n_sessions
    for k in range(n_before, n_candidates):
        first, end, logit = session_start_us[k], session_end_us[k], session_wh[k]
        if logit < 0.0:
            continue
        background, noise = _background(start_us, duration_s, residual_wh, is_valid, wh_per_s, first, end)
        wh = _allocate(
            start_us,
            duration_s,
            residual_wh,
            is_valid,
            wh_per_s,
            background,
            first,
            end,
            out_wh,
            session_start_us,
            session_end_us,
            session_wh,
            n_sessions,
        )
        if wh > 0:
            n_sessions += 1
            edge_wh = (noise + 0.1) * wh_per_s * duration_s[first]
            doubt = 1.0 / (1.0 + np.exp(logit))
            variance_wh2 += 2 * edge_wh**2 + (0.03 * wh) ** 2 + doubt * wh * wh
    return n_sessions, variance_wh2


@njit(cache=True, nogil=True)
def _count_full(duration_s: Any, residual_wh: Any, is_valid: Any, wall_s: Any, wh_per_s: Any, high: Any) -> Any:
    """Add up the seconds of full intervals by local hour; return the valid seconds of a mean hour."""
    total = 0.0
    for i in range(duration_s.size):
        if is_valid[i]:
            total += duration_s[i]
            if residual_wh[i] >= FULL * wh_per_s * duration_s[i]:
                high[wall_s[i] // 3600 % 24] += duration_s[i]
    return total / 24.0


@njit(cache=True, nogil=True)
def _hour_odds(begin: Any, hour_log: Any) -> None:
    """Write the log odds of a charge beginning in each hour, from how many began there."""
    total = begin.sum()
    floor = HOUR_FLOOR * total + HOUR_PRIOR
    mean = 2.0 * total / 24.0 + floor
    for h in range(24):
        around = begin[h] + 0.5 * (begin[(h + 1) % 24] + begin[(h + 23) % 24])
        hour_log[h] = np.log((around + floor) / mean)


@njit(cache=True, nogil=True)
def _high_odds(high: Any, n_hour: Any, high_log: Any) -> None:
    """Write the log of the density of other use at the charger's power or above, by hour."""
    mean = high.sum() / 24.0
    for h in range(24):
        share = (0.8 * high[h] + 0.2 * mean) / max(n_hour, 1.0)
        high_log[h] = np.log(0.67 * max(share, 0.03))


@njit(cache=True, nogil=True)
def _candidates(
    start_us: Any,
    duration_s: Any,
    residual_wh: Any,
    is_valid: Any,
    wall_s: Any,
    wh_per_s: Any,
    hour_log: Any,
    high_log: Any,
    begin: Any,
    high: Any,
    first_of: Any,
    end_of: Any,
    logit_of: Any,
    k: Any,
) -> Any:
    """Write where charges may be and their log odds; move likely ones from `high` to `begin`."""
    n = start_us.size
    i = 0
    while i < n:
        if not is_valid[i] or residual_wh[i] < FULL * wh_per_s * duration_s[i]:
            i += 1
            continue
        last = _run_end(start_us, duration_s, residual_wh, is_valid, wh_per_s, i)
        background, noise = _background(start_us, duration_s, residual_wh, is_valid, wh_per_s, i, last)
        first, end, score = _best_stretch(
            duration_s, residual_wh, wall_s, wh_per_s, background, noise, high_log, i, last
        )
        if score > 0.0:
            length_h = 0.0
            for j in range(first, end):
                length_h += duration_s[j] / 3600.0
            rise, fall = _edges(start_us, duration_s, residual_wh, is_valid, wh_per_s, background, first, end)
            hour = wall_s[first] // 3600 % 24
            logit = (
                C0
                + CS * min(score, 12.0)
                + CR * rise
                + CF * fall
                + CL * min(length_h, 3.0)
                + CB * background
                + CH * hour_log[hour]
            )
            first_of[k], end_of[k], logit_of[k] = first, end, logit
            likely = 1.0 / (1.0 + np.exp(-logit))
            begin[hour] += likely
            for j in range(first, end):
                high[wall_s[j] // 3600 % 24] -= likely * duration_s[j]
            k += 1
        i = last
    return k


@njit(cache=True, nogil=True)
def _edges(
    start_us: Any,
    duration_s: Any,
    residual_wh: Any,
    is_valid: Any,
    wh_per_s: Any,
    background: Any,
    first: Any,
    end: Any,
) -> Any:
    """Return how far the rise before and the fall after a stretch are from the charger's power, at most 1."""
    n = start_us.size
    at_first = residual_wh[first] / (wh_per_s * duration_s[first])
    at_last = residual_wh[end - 1] / (wh_per_s * duration_s[end - 1])
    rise = min(abs(at_first - background - 1.0), 1.0)
    if first >= 2 and is_valid[first - 2]:
        before = residual_wh[first - 2] / (wh_per_s * duration_s[first - 2])
        rise = min(abs(at_first - before - 1.0), 1.0)
    fall = min(abs(at_last - background - 1.0), 1.0)
    i, passed_s = end + 1, 0.0
    while i < n and (passed_s == 0.0 or passed_s < TAPER_S):
        if is_valid[i]:
            after = residual_wh[i] / (wh_per_s * duration_s[i])
            fall = min(fall, abs(at_last - after - 1.0))
        passed_s += duration_s[i]
        i += 1
    return rise, fall


@njit(cache=True, nogil=True)
def _run_end(start_us: Any, duration_s: Any, residual_wh: Any, is_valid: Any, wh_per_s: Any, first: Any) -> Any:
    """Return the end of the run of full intervals that begins at `first`."""
    i = first + 1
    while (
        i < start_us.size
        and is_valid[i]
        and residual_wh[i] >= FULL * wh_per_s * duration_s[i]
        and start_us[i] == start_us[i - 1] + 1_000_000 * duration_s[i - 1]
    ):
        i += 1
    return i


@njit(cache=True, nogil=True)
def _background(
    start_us: Any, duration_s: Any, residual_wh: Any, is_valid: Any, wh_per_s: Any, first: Any, last: Any
) -> Any:
    """Return mean and mean deviation of the relative power around the run `[first, last)`."""
    n = start_us.size
    total, total_s, square = 0.0, 0.0, 0.0
    i, side_s = first - 2, 0.0
    while i >= 0 and side_s < SIDE_S and start_us[i] >= start_us[first] - 3_000_000 * SIDE_S:
        if is_valid[i]:
            x = residual_wh[i] / (wh_per_s * duration_s[i])
            if x >= FULL:
                break
            total += x * duration_s[i]
            square += x * x * duration_s[i]
            side_s += duration_s[i]
        i -= 1
    total_s += side_s
    i, side_s, skip_s = last, 0.0, 0.0
    while i < n and side_s < SIDE_S and start_us[i] <= start_us[last - 1] + 3_000_000 * SIDE_S:
        if is_valid[i]:
            x = residual_wh[i] / (wh_per_s * duration_s[i])
            if x >= FULL:
                break
            skip_s += duration_s[i]
            if skip_s > 0.5 * TAPER_S:
                total += x * duration_s[i]
                square += x * x * duration_s[i]
                side_s += duration_s[i]
        i += 1
    total_s += side_s
    if total_s == 0.0:
        return 0.2, 0.2
    mean = total / total_s
    return mean, np.sqrt(max(square / total_s - mean * mean, 0.0))


@njit(cache=True, nogil=True)
def _best_stretch(
    duration_s: Any,
    residual_wh: Any,
    wall_s: Any,
    wh_per_s: Any,
    background: Any,
    noise: Any,
    high_log: Any,
    first: Any,
    last: Any,
) -> Any:
    """Return the stretch of the run whose excess speaks most for a charge, and its score."""
    best, best_first, best_end = 0.0, first, first
    score, begin = 0.0, first
    spread = np.sqrt(noise * noise + 0.05 * 0.05)
    peak = np.log(0.28 / spread)
    for i in range(first, last):
        u = residual_wh[i] / (wh_per_s * duration_s[i]) - background
        deviation = (u - 1.0) / spread
        floor = ABOVE_LOG if 0.9 < u < 2.6 else BELOW_LOG
        gain = max(peak - 0.5 * deviation * deviation, floor) - high_log[wall_s[i] // 3600 % 24]
        score += gain * min(duration_s[i] / 1800.0, 1.0)
        if score <= 0.0:
            score, begin = 0.0, i + 1
        elif score > best:
            best, best_first, best_end = score, begin, i + 1
    return best_first, best_end, best


@njit(cache=True, nogil=True)
def _allocate(
    start_us: Any,
    duration_s: Any,
    residual_wh: Any,
    is_valid: Any,
    wh_per_s: Any,
    background: Any,
    first: Any,
    end: Any,
    out_wh: Any,
    session_start_us: Any,
    session_end_us: Any,
    session_wh: Any,
    k: Any,
) -> Any:
    """Write the energy of the charge around the full intervals `[first, end)`, return it."""
    n = start_us.size
    total = 0.0
    for i in range(first, end):
        wh = min(residual_wh[i], wh_per_s * duration_s[i])
        out_wh[i] = wh
        total += wh
    begin_us = start_us[first]
    end_us = start_us[end - 1] + 1_000_000 * duration_s[end - 1]
    i = first - 1
    if i >= 0 and is_valid[i] and start_us[i] + 1_000_000 * duration_s[i] == begin_us and out_wh[i] == 0.0:
        x = residual_wh[i] / (wh_per_s * duration_s[i])
        share = min(max(x - background, 0.0), 1.0)
        if share >= SMALL:
            wh = min(share * wh_per_s * duration_s[i], residual_wh[i])
            out_wh[i] = wh
            total += wh
            begin_us -= int(share * duration_s[i]) * 1_000_000
    i, before, taper_s = end, 1.0, 0.0
    while i < n and taper_s < TAPER_S and is_valid[i] and start_us[i] == end_us:
        x = residual_wh[i] / (wh_per_s * duration_s[i])
        share = min(max(x - background, 0.0), before)
        if share < SMALL:
            break
        wh = min(share * wh_per_s * duration_s[i], residual_wh[i])
        out_wh[i] = wh
        total += wh
        taper_s += duration_s[i]
        if x - background < 0.5 * before or share * duration_s[i] < 60:
            end_us += int(share * duration_s[i]) * 1_000_000
            break
        end_us += 1_000_000 * duration_s[i]
        before = share
        i += 1
    if (end_us - begin_us) < SHORTEST_S * 1_000_000 or end_us - begin_us > LONGEST_S * 1_000_000:
        _clear(out_wh, first - 1, i + 1, start_us, begin_us, end_us)
        return 0.0
    session_start_us[k], session_end_us[k], session_wh[k] = begin_us, end_us, total
    return total


@njit(cache=True, nogil=True)
def _clear(out_wh: Any, first: Any, last: Any, start_us: Any, begin_us: Any, end_us: Any) -> None:
    for i in range(max(first, 0), min(last, out_wh.size)):
        if start_us[i] < end_us:
            out_wh[i] = 0.0
