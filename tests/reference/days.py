"""Naive twin of the daily statistics of one home: lists, days and whole numbers."""

import itertools

HOUR_S, DAY_S, CHANGE_S, QUIET_S = 3600, 86_400, 9000, 7200


def days(intervals, edges):
    """Give the first eleven columns per day; intervals are (start [µs], length [s], energy [µWh], valid)."""
    return [
        one_day([row for row in intervals if first <= row[0] < last], first, (last - first) // 1_000_000)
        for first, last in itertools.pairwise(edges)
    ]


def one_day(rows, day_us, length_s):
    valid = [row for row in rows if row[3]]
    if not valid:
        return [0] * 11
    parts = [[row for row in valid if wall_s(row[0], day_us, length_s) // (6 * HOUR_S) == n] for n in range(4)]
    powers = [mean_w(part) for part in parts]
    shares = [min(sum(row[1] for row in part) / (6 * HOUR_S), 1) for part in parts]
    single = [mean_w([row]) for row in valid]
    quiet = quiet_w(rows)
    columns = [
        *powers,
        *(share * 10_000 for share in shares),
        min(single) * 10,
        (min(single) if quiet is None else quiet) * 10,
        max(single),
    ]
    return [min(int(value + 0.5), 65_535) for value in columns]


def wall_s(start_us, day_us, length_s):
    elapsed = (start_us - day_us) // 1_000_000
    if length_s != DAY_S and elapsed >= CHANGE_S:
        elapsed += DAY_S - length_s
    return min(max(elapsed, 0), DAY_S - 1)


def mean_w(rows):
    seconds = sum(row[1] for row in rows)
    return sum(row[2] for row in rows) * 0.0036 / seconds if seconds else 0.0


def quiet_w(rows):
    """Give the least mean of the shortest windows of two hours or more that end with an interval."""
    least = None
    for last in range(len(rows)):
        end = rows[last][0] + rows[last][1] * 1_000_000
        firsts = [n for n in range(last + 1) if end - rows[n][0] >= QUIET_S * 1_000_000]
        window = rows[firsts[-1] : last + 1] if firsts else []
        valid = [row for row in window if row[3]]
        if sum(row[1] for row in valid) >= 0.9 * QUIET_S:
            mean = mean_w(valid)
            least = mean if least is None else min(least, mean)
    return least
