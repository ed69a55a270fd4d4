"""Naive twin of overlap resolution: microsecond by microsecond, for short times only."""


def covered(upper, lower):
    """Give, per microsecond of `lower` (start, end), whether a piece of `upper` holds it."""
    start, end = lower
    return [any(s <= t < e for s, e in upper) for t in range(start, end)]


def open_stretches(upper, lower):
    """Give the maximal stretches (start, end) of one piece that `upper` leaves open."""
    start, _ = lower
    stretches = []
    for offset, is_covered in enumerate(covered(upper, lower)):
        time = start + offset
        if is_covered:
            continue
        # A stretch ends where it is covered, and only there.
        if stretches and stretches[-1][1] == time:
            stretches[-1] = (stretches[-1][0], time + 1)
        else:
            stretches.append((time, time + 1))
    return stretches
