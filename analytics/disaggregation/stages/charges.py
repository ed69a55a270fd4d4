"""Candidates for charges of a vehicle at one power, with the odds that they are.

Powers are taken relative to the charger's, `x = r / P`, where `r` is what earlier stages left. While it
charges, `x >= 1` whatever else runs, so only runs of `x >= FULL` are looked at. An interval of a run adds

    log p(x | charging) - log p(x | other use)

to its score. Charging lets `x - 1` be what was used within an hour before or after the run, as widely as that
varies, or up to `ABOVE` more with probability `BESIDE`, for other things start meanwhile. Other use is as high
as often as in this home and hour of the day without charging, counted apart from `TWICE` on, and lies anywhere
in its band. Half an hour counts once, since neighbouring intervals say the same. The stretch of the run with
the greatest score is the candidate. Its log odds are linear in

    log(score + 0.3), |rise - 1| and |fall - 1| between single intervals and between hours, its length, the
    background, and log(how often charges begin in that hour of the day / in a mean one).

How often they begin, and how often other use is high, is first taken from the plateaus of past months and
from all high intervals, then from the likely candidates as well: two looks.

Source: S. Zhang et al., IECON 2014, arXiv:1404.5020 (edges and plateaus, without training at the home). The
weights are a logistic regression, rounded, fitted on the odd months of one labelled home, on that home with
charges of other cars laid in, and on the London homes of odd number with such charges.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from analytics.disaggregation.stages import compiled

FULL = 0.88
"""Relative power from which an interval may be full charge: the standby may be taken too large."""
DIP = 0.45
DIP_S = 300
"""A run goes on over one interval that stays above `DIP` or is as short [s]."""
SIDE_S = 3600
"""Time before and after a run that its background is read from [s]."""
REACH_S = 3 * SIDE_S
"""Gaps may move that time away as far [s]."""
TAPER_S = 2700
"""Time within which a full battery lets the power fall [s]: the labelled home's took up to 35 minutes."""
SKIP_S = 1800
"""Time after a run that does not count as background: most of a taper [s]."""
ONCE_S = 1800
"""Time that counts as one observation [s]."""
PEAK_LOG = np.log(0.7 * 0.4)
"""Share of charging with nothing new beside it, times the height of a normal density of width 1."""
BESIDE_LOG = np.log(0.2)
NEVER_LOG = np.log(0.003)
BELOW, ABOVE = 0.1, 1.6
MIN_NOISE = 0.04
"""A charger's own power varies by a few percent with the mains voltage."""
MOST_BESIDE = 1.5
"""Other use beside a charge is taken to be at most so large."""
TWICE = 1.6
RARE = 0.02
"""Share of the time that other use is taken to be in each band at least."""
HOURS_KNOWN = 0.5
HOURS_ANY = 0.02
"""Charges begin in any hour: as counts, and as a share of those counted."""

BASE, PER_SCORE, PER_RISE, PER_FALL = -0.1, 1.2, -1.4, -1.6
PER_STEP_UP, PER_STEP_DOWN, PER_HOUR, PER_BACKGROUND, PER_START = -2.1, -2.8, 0.7, -2.2, 1.55
MAX_HOURS = 3.0


class Intervals(NamedTuple):
    """One home's intervals, as every stage gets them."""

    start_us: npt.NDArray[np.int64]
    duration_s: npt.NDArray[np.int32]
    residual_wh: npt.NDArray[np.float64]
    is_valid: npt.NDArray[np.bool_]
    wall_s: npt.NDArray[np.int32]


class Habits(NamedTuple):
    """By local hour: how many charges began, and how long other use was as large as the charger's [s]."""

    starts: npt.NDArray[np.float64]
    high_s: npt.NDArray[np.float64]
    start_log: npt.NDArray[np.float64]
    high_log: npt.NDArray[np.float64]


class HighRuns(NamedTuple):
    """First and end of each run of intervals as high as the charger."""

    first: npt.NDArray[np.int64]
    end: npt.NDArray[np.int64]


class Sides(NamedTuple):
    """Stretch of each run and what surrounds it, for it is asked for again; shapes (rows, 2) and (rows, 4).

    The first rows are of the runs themselves, as many after them of the best stretch of each that is no whole run.
    """

    stretch: npt.NDArray[np.int64]
    around: npt.NDArray[np.float64]


class Candidates(NamedTuple):
    """First and last full interval (half open), log odds and row in `Sides` of each, in the order of the runs."""

    first: npt.NDArray[np.int64]
    end: npt.NDArray[np.int64]
    logit: npt.NDArray[np.float64]
    row: npt.NDArray[np.int64]


@compiled
def relative(home: Any, wh_per_s: Any, i: Any) -> Any:
    """Return the power of an interval relative to the charger's."""
    return home.residual_wh[i] / (wh_per_s * home.duration_s[i])


@compiled
def follows(home: Any, i: Any) -> Any:
    """Tell whether an interval begins where the one before it ends."""
    return home.start_us[i] == home.start_us[i - 1] + 1_000_000 * np.int64(home.duration_s[i - 1])


@compiled
def find_runs_of_full(home: Any, wh_per_s: Any, habits: Any, runs: Any) -> Any:
    """Fill the runs of high intervals, over single dips, and count high time by local hour.

    Returns
    -------
    n_runs : int
    hour_s : float, [s]
        Valid time in a mean hour of the day.
    """
    start_us, duration_s, residual_wh = home.start_us, home.duration_s, home.residual_wh
    is_valid, wall_s = home.is_valid, home.wall_s
    first_of, end_of, high_s = runs.first, runs.end, habits.high_s
    n_runs, is_open, dip = 0, False, 0
    full_wh_per_s, twice_wh_per_s = FULL * wh_per_s, TWICE * wh_per_s
    valid_s, least_s = np.int64(0), np.int64(duration_s[0])
    for k in range(duration_s.size):
        valid_s += np.int64(is_valid[k]) * np.int64(duration_s[k])
        least_s = min(least_s, np.int64(duration_s[k]))
    least_wh = full_wh_per_s * least_s
    i: Any = np.int64(0)
    while i < duration_s.size:
        if not is_open:
            full = duration_s.size
            for k in range(max(i, 0), duration_s.size):
                if residual_wh[k] >= least_wh:
                    full = k
                    break
            i = full
            if i == duration_s.size:
                break
        is_full = is_valid[i] and residual_wh[i] >= full_wh_per_s * duration_s[i]
        if is_open and not (
            is_valid[i] and start_us[i] == start_us[i - 1] + 1_000_000 * np.int64(duration_s[i - 1])
        ):
            is_open = False
        if is_full:
            high_s[wall_s[i] // 3600 + (24 if residual_wh[i] >= twice_wh_per_s * duration_s[i] else 0)] += (
                duration_s[i]
            )
            if not is_open:
                first_of[n_runs] = i
                n_runs += 1
                is_open = True
            end_of[n_runs - 1] = i + 1
            dip = 0
        elif is_open:
            dip += 1
            is_short = duration_s[i] <= DIP_S or residual_wh[i] >= DIP * wh_per_s * duration_s[i]
            is_open = is_short and dip == 1
        i += 1
    return n_runs, valid_s / 24.0


@compiled
def weigh_habits(habits: Any, hour_s: Any) -> None:
    """Turn what is counted by the hour into logarithms of densities."""
    total = 0.0
    for h in range(24):
        total += habits.starts[h]
    floor = HOURS_ANY * total + HOURS_KNOWN
    mean = 2.0 * total / 24.0 + floor
    for h in range(24):
        around = habits.starts[h] + 0.5 * (habits.starts[(h + 1) % 24] + habits.starts[(h + 23) % 24])
        habits.start_log[h] = np.log((around + floor) / mean)
    for first, width in ((0, TWICE - FULL), (24, 1.0)):
        mean_s = 0.0
        for h in range(first, first + 24):
            mean_s += habits.high_s[h] / 24.0
        for h in range(first, first + 24):
            share = (0.8 * habits.high_s[h] + 0.2 * mean_s) / max(hour_s, 1.0)
            habits.high_log[h] = np.log(max(share, RARE) / width)


@compiled
def find_candidates(
    home: Any, wh_per_s: Any, habits: Any, runs: Any, n_runs: Any, sides: Any, found: Any, is_last: Any
) -> Any:
    """Fill the candidates of the runs; return how many there are.

    But for the last look, likely ones are moved from the habits of other use to those of charging, for the next.
    """
    n_found = 0
    residual_wh, duration_s, wall_s = home.residual_wh, home.duration_s, home.wall_s
    for run in range(n_runs):
        first, last = runs.first[run], runs.end[run]
        before, after, background, noise = _known_surroundings(home, wh_per_s, first, last, sides, run)
        low, high = min(before, after, background), min(max(before, after, background), MOST_BESIDE)
        first, end, score = _best_stretch(home, wh_per_s, low, high, noise, habits.high_log, first, last)
        if score > 0.0:
            row = run if first == runs.first[run] and end == last else n_runs + run
            before, after, background, _ = _known_surroundings(home, wh_per_s, first, end, sides, row)
            logit = _log_odds(home, wh_per_s, habits, first, end, score, before, after, background)
            found.first[n_found], found.end[n_found], found.logit[n_found] = first, end, logit
            found.row[n_found] = row
            n_found += 1
            if is_last:
                continue
            likely = 1.0 / (1.0 + np.exp(-logit))
            habits.starts[home.wall_s[first] // 3600] += likely
            high_s, twice_wh_per_s = habits.high_s, TWICE * wh_per_s
            run_wh, run_s, run_wall_s = residual_wh[first:end], duration_s[first:end], wall_s[first:end]
            for i in range(run_wh.size):
                band = run_wall_s[i] // 3600 + (24 if run_wh[i] >= twice_wh_per_s * run_s[i] else 0)
                high_s[band] -= likely * run_s[i]
    return n_found


@compiled
def _side(home: Any, wh_per_s: Any, at: Any, step: Any, skip_s: Any) -> Any:
    """Return the mean relative power within an hour of `at` going one way, and what of it is background.

    That is its sum, its sum of squares and its time, up to the first interval as high as the charger.
    """
    start_us, duration_s, residual_wh, is_valid = home.start_us, home.duration_s, home.residual_wh, home.is_valid
    total, side_s, passed_s = 0.0, 0.0, 0.0
    low, square, low_s = 0.0, 0.0, 0.0
    is_low = True
    i = at
    while 0 <= i < start_us.size and side_s < SIDE_S:
        if abs(start_us[i] - start_us[at]) > REACH_S * 1_000_000:
            break
        if is_valid[i]:
            x = residual_wh[i] / (wh_per_s * duration_s[i])
            is_low = is_low and x < FULL
            if passed_s >= skip_s:
                total += x * duration_s[i]
                side_s += duration_s[i]
                if is_low:
                    low += x * duration_s[i]
                    square += x * x * duration_s[i]
                    low_s += duration_s[i]
            passed_s += duration_s[i]
        i += step
    return (total / side_s if side_s > 0 else -1.0), low, square, low_s


@compiled
def surroundings(home: Any, wh_per_s: Any, first: Any, end: Any) -> Any:
    """Return the relative power before and after `[first, end)`, and mean and deviation of the background.

    They are those of an hour on either side; the background leaves out what is as high as the charger. The
    interval before may be a fractional start and the time after in part a taper: neither counts.
    """
    before, low, square, low_s = _side(home, wh_per_s, first - 2, -1, 0.0)
    after, low_after, square_after, after_s = _side(home, wh_per_s, end, 1, SKIP_S)
    low_s += after_s
    background, noise = 0.2, 0.2
    if low_s > 0:
        background = (low + low_after) / low_s
        noise = np.sqrt(max((square + square_after) / low_s - background * background, 0.0))
    return (before if before >= 0 else background), (after if after >= 0 else background), background, noise


@compiled
def new_sides(n_runs: Any) -> Any:
    """Return room for the surroundings of so many runs; nothing is known yet."""
    return Sides(np.full((2 * n_runs, 2), -1, dtype=np.int64), np.empty((2 * n_runs, 4)))


@compiled
def _known_surroundings(home: Any, wh_per_s: Any, first: Any, end: Any, sides: Any, row: Any) -> Any:
    """Return the same as `surroundings`, and keep it in a row; it is looked for only where the stretch is new."""
    around = sides.around[row]
    if sides.stretch[row, 0] != first or sides.stretch[row, 1] != end:
        sides.stretch[row, 0], sides.stretch[row, 1] = first, end
        around[0], around[1], around[2], around[3] = surroundings(home, wh_per_s, first, end)
    return around[0], around[1], around[2], around[3]


@compiled
def _best_stretch(
    home: Any, wh_per_s: Any, low: Any, high: Any, noise: Any, high_log: Any, first: Any, last: Any
) -> Any:
    """Return the stretch of the run that speaks most for a charge, and its score."""
    best, best_first, best_end = 0.0, first, first
    score, begin = 0.0, first
    width = np.sqrt(noise * noise + MIN_NOISE * MIN_NOISE)
    peak_log = PEAK_LOG - np.log(width + 0.4 * (high - low))
    twice_wh_per_s = TWICE * wh_per_s
    run_wh, run_s, wall_s = home.residual_wh[first:last], home.duration_s[first:last], home.wall_s[first:last]
    for i in range(run_wh.size):
        u = run_wh[i] / (wh_per_s * run_s[i]) - 1.0
        deviation = max(low - u, u - high, 0.0) / width
        least_log = BESIDE_LOG if low - BELOW < u < high + ABOVE else NEVER_LOG
        band = wall_s[i] // 3600 + (24 if run_wh[i] >= twice_wh_per_s * run_s[i] else 0)
        gain = max(peak_log - 0.5 * deviation * deviation, least_log) - high_log[band]
        score += gain * min(run_s[i] / ONCE_S, 1.0)
        if score <= 0.0:
            score, begin = 0.0, first + i + 1
        elif score > best:
            best, best_first, best_end = score, begin, first + i + 1
    return best_first, best_end, best


@compiled
def _log_odds(
    home: Any,
    wh_per_s: Any,
    habits: Any,
    first: Any,
    end: Any,
    score: Any,
    before: Any,
    after: Any,
    background: Any,
) -> Any:
    """Return the log odds that the stretch `[first, end)` is a charge."""
    up = abs(_mean_of(home, wh_per_s, first, end, 1) - before - 1.0)
    down = abs(_mean_of(home, wh_per_s, end - 1, first - 1, -1) - after - 1.0)
    rise, fall = _edges(home, wh_per_s, background, first, end)
    hours = (home.start_us[end - 1] - home.start_us[first]) / 3.6e9 + home.duration_s[end - 1] / 3600.0
    return (
        BASE
        + PER_SCORE * np.log(score + 0.3)
        + PER_RISE * rise
        + PER_FALL * fall
        + PER_STEP_UP * min(up, 1.0)
        + PER_STEP_DOWN * min(down, 1.0)
        + PER_HOUR * min(hours, MAX_HOURS)
        + PER_BACKGROUND * background
        + PER_START * habits.start_log[home.wall_s[first] // 3600]
    )


@compiled
def _mean_of(home: Any, wh_per_s: Any, at: Any, stop: Any, step: Any) -> Any:
    """Return the mean relative power of the first hour from `at` towards `stop`."""
    wh, passed_s = 0.0, 0.0
    residual_wh, duration_s = home.residual_wh, home.duration_s
    i = at
    while i != stop and passed_s < SIDE_S:
        wh += residual_wh[i]
        passed_s += duration_s[i]
        i += step
    return wh / (wh_per_s * passed_s)


@compiled
def _edges(home: Any, wh_per_s: Any, background: Any, first: Any, end: Any) -> Any:
    """Return how far the rise before and the fall after a stretch are from the charger's power, at most 1."""
    at_first, at_last = relative(home, wh_per_s, first), relative(home, wh_per_s, end - 1)
    before = background
    if first >= 2 and home.is_valid[first - 2]:
        before = relative(home, wh_per_s, first - 2)
    rise = min(abs(at_first - before - 1.0), 1.0)
    fall = min(abs(at_last - background - 1.0), 1.0)
    residual_wh, duration_s, is_valid = home.residual_wh, home.duration_s, home.is_valid
    i, passed_s = end + 1, 0.0
    while i < duration_s.size and passed_s < TAPER_S:
        if is_valid[i]:
            fall = min(fall, abs(at_last - residual_wh[i] / (wh_per_s * duration_s[i]) - 1.0))
        passed_s += duration_s[i]
        i += 1
    return rise, fall
