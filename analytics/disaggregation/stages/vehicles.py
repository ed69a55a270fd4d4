"""Stage 3, electric vehicles: charges with a start, an end and an energy, and whether there is a vehicle at all.

The charger's power is the mean level of the days' plateaus near the wattage the household gave, over 13 months
and this one. Without a wattage it is, of the few levels that most plateau energy lies at, the one most like a
charger's. `charges` finds where that power may be; a charge is accepted at odds `EVEN`. It takes

    P in full intervals,  (x - b) P, at most P, in the one before and in its taper of at most 45 minutes,

where b is the background. Start and end lie inside the edge intervals by their share of full power. A car that
charges beside another is not seen.

A household that gave no list is shown a vehicle only at a posterior above `REPORTED`: a logistic regression on
the power, the mean energy of a charge, how regularly plateaus begin (tanks and storage heaters: within 10
minutes), how near their levels lie to each other, how much of all plateau energy they are and how their length
varies; less, where the charges of the month go with the outdoor temperature.

Source: disaggregation method, stage 3; weights fitted on half of the London homes with and without charges laid
into them (energies and plug-in times of A. L. Sørensen et al., Data in Brief 36:107105, 2021) and on the odd
months of one labelled home. See `charges` and `plateaus`.
"""

from typing import Any

import numpy as np

from analytics.disaggregation.stages import compiled
from analytics.disaggregation.stages.charges import (
    FULL,
    TAPER_S,
    Candidates,
    Habits,
    HighRuns,
    Intervals,
    find_candidates,
    find_runs_of_full,
    follows,
    new_sides,
    relative,
    weigh_habits,
)
from analytics.disaggregation.stages.plateaus import (
    BIN_W,
    N_BINS,
    NEAR,
    WEAK_W,
    add_starts,
    describe_plateaus,
    fill_histogram,
    plateaus_of,
    usual_level,
)

NO_LIST, OWNED, NOT_OWNED = 0, 1, 2
"""What the household says: nothing, that it has a vehicle, that it has none."""

DRAWS_FROM, DRAWS_TO = 0.85, 1.12
"""A charger draws between these shares of the wattage on its plate."""
SHORTEST_US = 1_500_000_000
LONGEST_US = 14 * 3_600_000_000
"""Source: disaggregation method, stage 3: 0.5 to 14 hours; a little less, for edges are estimates."""
EVEN = -0.2
"""Log odds from which a charge is accepted; a little below 0, so that months come out neither high nor low."""
SMALL = 0.12
"""Shares of an edge interval below this are background."""
EDGE = 0.1
"""Standard deviation of an edge's share beyond that of the background."""
SYSTEMATIC = 0.05
"""Standard deviation of the month's energy that all charges share: the power's and the threshold's."""

REPORTED = 0.9
LEAST_POWER_W = 2000.0
LEAST_PLATEAUS = 3.0
MOST_LEVELS = 4
LIKE_LONG, LIKE_SHARP, LIKE_REGULAR, REGULAR, LIKE_WEAK = 0.5, 1.5, 5.0, 0.35, 0.7
"""Own choice, tried on charges laid into homes of the tuning split."""
TOO_LITTLE = 20.0
"""Taken off the log odds where the power or the number of plateaus is below what may show a vehicle."""
MOST_VARIED = 0.6
MOST_OVER = 2.0
"""A home's charges hold at most so many times the energy of its plateaus, or it is not looked at."""
IS_ONE, PER_POWER, PER_KWH, PER_REGULAR, PER_SHARP, PER_SHARE, PER_VARIED = -8.4, 2.9, 2.55, -5.7, 3.7, 6.2, 3.4
USUAL_POWER_W = 3500.0
SUREST = 6.0
PER_WEATHER = -10.0
"""Own choice, as no labelled set has a heater that looks like a charger: no vehicle at a correlation of 0.8."""
LOOSE = 0.4
"""Correlation with the temperature that chance and cold batteries bring."""
LEAST_SPREAD_K = 2.0


@compiled
def separate_vehicles(
    start_us: Any,
    duration_s: Any,
    residual_wh: Any,
    is_valid: Any,
    cuts: Any,
    wall_s: Any,
    celsius: Any,
    experience: Any,
    n_before: Any,
    wattages_w: Any,
    ownership: Any,
    out_wh: Any,
    session_start_us: Any,
    session_end_us: Any,
    session_wh: Any,
) -> Any:
    """Write the energy of charging per interval and the charges of a home.

    Parameters
    ----------
    start_us, duration_s, residual_wh, is_valid, wall_s, celsius : arrays of shape (n,)
        The home's intervals, context included; energy that standby and cold appliances have left.
    cuts : ndarray of int64, shape (days + 1,)
        First interval of each day, and the end of the last one's.
    experience : ndarray of uint16, shape (days, N_COLUMNS)
        What came before, then the target days.
    n_before : int
        Days before the target days.
    wattages_w : ndarray of float64, shape (chargers,), [W]
        0 where the list gives none.
    ownership : int
        `NO_LIST`, `OWNED` or `NOT_OWNED`.
    out_wh : ndarray of float64, shape (n,), [Wh]
        Filled if there are charges; between 0 and the residual.
    session_start_us, session_end_us : ndarray of int64, shape (n,), [µs since the epoch, UTC]
    session_wh : ndarray of float64, shape (n,), [Wh]
        Filled with the charges by start; they never overlap, and are sums of `out_wh` over their intervals.

    Returns
    -------
    n_sessions : int
    variance_wh2 : float, [Wh²]
    posterior : float
        Of there being a vehicle: 1 with one on the list.
    """
    if ownership == NOT_OWNED or start_us.size == 0:
        return 0, 0.0, 0.0
    home = Intervals(start_us, duration_s, residual_wh, is_valid, wall_s)
    plateaus = plateaus_of(experience, n_before)
    if ownership == NO_LIST:
        power_w = usual_power(plateaus, wattages_w[:0])
        without_kwh, most_kwh = _log_odds_without_energy(plateaus, power_w)
        if without_kwh + PER_KWH * np.log(most_kwh) < np.log(REPORTED / (1.0 - REPORTED)):
            return 0, 0.0, 0.0
        out_wh[:] = 0.0
        n, variance_wh2 = _charge(home, power_w, plateaus, out_wh, session_start_us, session_end_us, session_wh, 0)
        mean_kwh = session_wh[:n].sum() / 1000.0 / max(n, 1)
        logit = min(without_kwh + PER_KWH * np.log(max(mean_kwh, 0.1)), SUREST)
        logit += PER_WEATHER * max(abs(weather_correlation(cuts, celsius, out_wh)) - LOOSE, 0.0)
        posterior = 1.0 / (1.0 + np.exp(-logit))
        if posterior <= REPORTED:
            return 0, 0.0, posterior
        return n, variance_wh2, posterior

    out_wh[:] = 0.0
    n, variance_wh2 = 0, 0.0
    for w in range(max(wattages_w.size, 1)):
        power_w = _power_of(plateaus, wattages_w, w)
        if power_w > 0:
            if n > 0:
                home = Intervals(start_us, duration_s, residual_wh, is_valid & (out_wh == 0.0), wall_s)
            n, more_wh2 = _charge(home, power_w, plateaus, out_wh, session_start_us, session_end_us, session_wh, n)
            variance_wh2 += more_wh2
    _sort(session_start_us, session_end_us, session_wh, n)
    return n, variance_wh2, 1.0


@compiled
def _power_of(plateaus: Any, wattages_w: Any, w: Any) -> Any:
    """Return the power a charger of the list draws [W]; 0 without any, or if one before it has the same."""
    if w >= wattages_w.size or wattages_w[w] <= 0:
        for before in range(min(w, wattages_w.size)):
            if wattages_w[before] <= 0:
                return 0.0
        return usual_power(plateaus, wattages_w)
    for before in range(w):
        if abs(wattages_w[before] - wattages_w[w]) <= NEAR * wattages_w[w]:
            return 0.0
    power_w = usual_level(plateaus, DRAWS_FROM * wattages_w[w], DRAWS_TO * wattages_w[w])
    return power_w if power_w > 0 else wattages_w[w]


@compiled
def usual_power(plateaus: Any, taken_w: Any) -> Any:
    """Return the level of plateaus that looks most like a charger's [W], none of the powers taken; 0 without any.

    Of the few levels that most plateau energy lies at it is the one most like a charger's.
    """
    histogram = np.zeros(N_BINS)
    fill_histogram(plateaus, histogram)
    for w in range(taken_w.size):
        _clear_near(histogram, taken_w[w])
    best_w, most = 0.0, -np.inf
    for _ in range(MOST_LEVELS):
        centre_w = _fullest(histogram)
        if centre_w == 0.0:
            break
        power_w = usual_level(plateaus, (1.0 - NEAR) * centre_w, (1.0 + NEAR) * centre_w)
        if power_w > 0.0:
            likeness = _likeness(plateaus, power_w)
            if likeness > most:
                best_w, most = power_w, likeness
        _clear_near(histogram, centre_w)
    return best_w


@compiled
def _likeness(plateaus: Any, power_w: Any) -> Any:
    """Return how much the plateaus near a power are like a charger's: many, long, alike, at no fixed minute."""
    n_near, regular, sharp, share, _, mean_kwh = describe_plateaus(plateaus, power_w)
    if n_near == 0.0:
        return -np.inf
    likeness = np.log(share * mean_kwh**LIKE_LONG)
    likeness += LIKE_SHARP * sharp - LIKE_REGULAR * max(regular - REGULAR, 0.0)
    return likeness - LIKE_WEAK * (1.0 if power_w < WEAK_W else 0.0)


@compiled
def _clear_near(histogram: Any, power_w: Any) -> None:
    """Empty the bins near a power."""
    for k in range(histogram.size):
        if abs((k + 0.5) * BIN_W - power_w) <= NEAR * power_w + 0.5 * BIN_W:
            histogram[k] = 0.0


@compiled
def _fullest(histogram: Any) -> Any:
    """Return the middle of the bin that holds most with its neighbours [W], 0 if all are empty."""
    best, at_w = 0.0, 0.0
    for k in range(1, histogram.size - 1):
        around = 0.5 * histogram[k - 1] + histogram[k] + 0.5 * histogram[k + 1]
        if around > best:
            best, at_w = around, (k + 0.5) * BIN_W
    return at_w


@compiled
def _log_odds_without_energy(plateaus: Any, power_w: Any) -> Any:
    """Return the log odds of a vehicle without the energy of its charges, and the most that may be [kWh]."""
    n_near, regular, sharp, share, varied, mean_kwh = describe_plateaus(plateaus, power_w)
    if n_near == 0.0:
        return -np.inf, 1.0
    log_odds = (
        IS_ONE
        + PER_POWER * np.log(power_w / USUAL_POWER_W)
        + PER_REGULAR * regular
        + PER_SHARP * sharp
        + PER_SHARE * share
        + PER_VARIED * min(varied, MOST_VARIED)
    )
    if power_w < LEAST_POWER_W or n_near < LEAST_PLATEAUS:
        log_odds -= TOO_LITTLE
    return log_odds, MOST_OVER * mean_kwh


@compiled
def weather_correlation(cuts: Any, celsius: Any, out_wh: Any) -> Any:
    """Return the correlation of the days' charging with their temperature, 0 where that hardly changes."""
    n_days = cuts.size - 1
    energy_wh, warmth, count = np.zeros(n_days), np.zeros(n_days), np.zeros(n_days)
    for d in range(n_days):
        count[d] = cuts[d + 1] - cuts[d]
        for i in range(cuts[d], cuts[d + 1]):
            energy_wh[d] += out_wh[i]
            warmth[d] += celsius[i]
    known = count > 0
    if known.sum() < 3:
        return 0.0
    warmth, energy_wh = warmth[known] / count[known], energy_wh[known]
    spread_k, spread_wh = np.std(warmth), np.std(energy_wh)
    if spread_k < LEAST_SPREAD_K or spread_wh == 0.0:
        return 0.0
    return np.mean((warmth - warmth.mean()) * (energy_wh - energy_wh.mean())) / (spread_k * spread_wh)


@compiled
def _charge(
    home: Any,
    power_w: Any,
    plateaus: Any,
    out_wh: Any,
    session_start_us: Any,
    session_end_us: Any,
    session_wh: Any,
    n: Any,
) -> Any:
    """Add the charges at one power to the `n` there are; return how many there are then and their variance."""
    wh_per_s = power_w / 3600.0
    habits = Habits(np.zeros(24), np.zeros(48), np.empty(24), np.empty(48))
    add_starts(plateaus, power_w, habits.starts)
    runs = HighRuns(np.empty(home.start_us.size, np.int64), np.empty(home.start_us.size, np.int64))
    n_runs, hour_s = find_runs_of_full(home, wh_per_s, habits, runs)
    # The arrays of the sessions hold the candidates first: a session is never written before its candidate.
    sides = new_sides(n_runs)
    rows = np.empty(n_runs, dtype=np.int64)
    found = Candidates(session_start_us[n:], session_end_us[n:], session_wh[n:], rows)
    n_found = 0
    for is_last in (False, True):
        weigh_habits(habits, hour_s)
        n_found = find_candidates(home, wh_per_s, habits, runs, n_runs, sides, found, is_last)
    variance_wh2, month_wh = 0.0, 0.0
    for k in range(n_found):
        first, end, logit = found.first[k], found.end[k], found.logit[k]
        background, noise = sides.around[rows[k], 2], sides.around[rows[k], 3]
        likely = 1.0 / (1.0 + np.exp(-logit))
        hours_wh = power_w * ((home.start_us[end - 1] - home.start_us[first]) / 3.6e9)
        hours_wh += wh_per_s * home.duration_s[end - 1]
        variance_wh2 += likely * (1.0 - likely) * hours_wh**2
        if logit <= EVEN:
            continue
        low, high, start_us, end_us = _extent(home, wh_per_s, background, first, end, out_wh)
        if SHORTEST_US <= end_us - start_us <= LONGEST_US:
            wh = _take(home, wh_per_s, background, first, end, low, high, out_wh)
            session_start_us[n], session_end_us[n], session_wh[n] = start_us, end_us, wh
            n += 1
            month_wh += wh
            variance_wh2 += 2.0 * ((noise + EDGE) * wh_per_s * home.duration_s[first]) ** 2
    return n, variance_wh2 + (SYSTEMATIC * month_wh) ** 2


@compiled
def _share(home: Any, wh_per_s: Any, background: Any, i: Any) -> Any:
    """Return the share of full power that an interval has above the background."""
    return min(max(relative(home, wh_per_s, i) - background, 0.0), 1.0)


@compiled
def _extent(home: Any, wh_per_s: Any, background: Any, first: Any, end: Any, out_wh: Any) -> Any:
    """Return first interval and end of a charge with its edges, and its start and end in time [µs]."""
    low, high = first, end
    start_us = home.start_us[first]
    if first > 0 and home.is_valid[first - 1] and follows(home, first) and out_wh[first - 1] == 0.0:
        share = _share(home, wh_per_s, background, first - 1)
        if share >= SMALL and relative(home, wh_per_s, first - 1) < 1.0:
            low = first - 1
            start_us -= np.int64(share * home.duration_s[low] * 1e6)
    end_us = home.start_us[end - 1] + 1_000_000 * np.int64(home.duration_s[end - 1])
    before, taper_s = 1.0, 0.0
    while high < home.start_us.size and taper_s < TAPER_S and home.is_valid[high] and follows(home, high):
        share = min(_share(home, wh_per_s, background, high), before)
        # What is full from the second interval on may be another charge.
        if share < SMALL or relative(home, wh_per_s, high) >= (1.0 if high == end else FULL):
            break
        length_us = 1_000_000 * np.int64(home.duration_s[high])
        taper_s += home.duration_s[high]
        high += 1
        if share < 0.5 * before:
            end_us += np.int64(share * length_us)
            break
        end_us += length_us
        before = share
    return low, high, start_us, end_us


@compiled
def _take(
    home: Any, wh_per_s: Any, background: Any, first: Any, end: Any, low: Any, high: Any, out_wh: Any
) -> Any:
    """Write the energy of a charge over `[low, high)`, full within `[first, end)`; return its sum [Wh]."""
    total, before = 0.0, 1.0
    for i in range(low, high):
        share = 1.0
        if not first <= i < end or relative(home, wh_per_s, i) < FULL:
            share = _share(home, wh_per_s, background, i)
        if i >= end:
            share = before = min(share, before)
        out_wh[i] = min(share * wh_per_s * home.duration_s[i], home.residual_wh[i])
        total += out_wh[i]
    return total


@compiled
def _sort(session_start_us: Any, session_end_us: Any, session_wh: Any, n: Any) -> None:
    """Sort the sessions of several chargers by start, in place."""
    for k in range(1, n):
        start_us, end_us, wh = session_start_us[k], session_end_us[k], session_wh[k]
        j = k
        while j > 0 and session_start_us[j - 1] > start_us:
            session_start_us[j], session_end_us[j] = session_start_us[j - 1], session_end_us[j - 1]
            session_wh[j] = session_wh[j - 1]
            j -= 1
        session_start_us[j], session_end_us[j], session_wh[j] = start_us, end_us, wh
