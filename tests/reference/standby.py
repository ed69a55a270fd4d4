"""Naive twin of the standby stage of one home: lists, days and the statistics module."""

import itertools
from statistics import median

DAYS_PER_WEEK = 7


def daily(intervals, edges):
    """Give (total_uwh, valid_s, least valid power or None) per day; intervals are tuples."""
    days = []
    for first, last in itertools.pairwise(edges):
        inside = [row for row in intervals if first <= row[0] < last]
        valid = [row for row in inside if row[3]]
        least = min((energy * 0.0036 / duration for _, duration, energy, _ in valid), default=None)
        days.append((sum(row[2] for row in inside), sum(row[1] for row in valid), least))
    return days


def weekly_level(first_day, minima, index, reference_days, weight):
    """Give the level of the day `index`, where `minima` has None on days that say nothing."""
    weekday = (first_day + index + 3) % DAYS_PER_WEEK
    monday, end = index - weekday, index - weekday + DAYS_PER_WEEK
    week = [m for m in minima[max(monday, 0) : end] if m is not None]
    reference = [m for m in minima[max(end - reference_days, 0) : end] if m is not None]
    if not reference:
        return 0.0
    middle = median(reference)
    own = median(week) if week else 0.0
    trust = len(week) / (len(week) + weight)
    return middle + trust * (own - middle)


def level_energy(intervals, edges, levels):
    """Give the energy of each interval at its day's level, at most its residual."""
    energies = []
    for start, duration, residual, is_valid in intervals:
        day = next((d for d in range(len(edges) - 1) if edges[d] <= start < edges[d + 1]), None)
        if day is None or not is_valid:
            energies.append(0)
        else:
            energies.append(min(int(levels[day] / 0.0036 * duration), residual))
    return energies
