"""Naive twin of the longest plateau of a day: a list of intervals."""

RISE_W, STAYS, SPREAD, SHORTEST_S = 1200, 0.65, 0.3, 1500


def longest_plateau(rows, least_w):
    """Give (level, length, first) of a day; rows are (length [s], energy [µWh], valid)."""
    power = [energy * 0.0036 / length if is_valid else None for length, energy, is_valid in rows]
    best, i = (0.0, 0, 0), 0
    earlier = before = least_w
    while i < len(rows):
        if power[i] is None:
            earlier, before, i = least_w, least_w, i + 1
            continue
        base = min(earlier, before)
        after = i
        if power[i] - base >= RISE_W:
            inner, after = block(power, i, base)
            level, length = describe(rows, power, inner, after, base)
            if length > best[1] and length >= SHORTEST_S:
                best = (level, length, inner)
        if after > i + 1:
            earlier, before, i = base, base, after
        else:
            earlier, before, i = before, power[i], i + 1
    return best


def block(power, i, base):
    top, inner = power[i] - base, i
    following = power[i + 1] if i + 1 < len(power) else None
    if following is not None and (following - base) * STAYS > top:
        top, inner = following - base, i + 1
    end = inner
    while end < len(power) and power[end] is not None and STAYS * top <= power[end] - base <= top / STAYS:
        end += 1
    return inner, end


def describe(rows, power, inner, end, base):
    """Give level and length of a block, its length 0 where it is not flat; the last interval may be a part."""
    if end == inner:
        return 0.0, 0
    core = list(range(inner, end - 1 if end - inner > 1 else end))
    mean = sum(rows[k][1] for k in core) * 0.0036 / sum(rows[k][0] for k in core)
    top = power[inner] - base
    after = base
    if end + 2 < len(rows) and power[end + 1] is not None and power[end + 2] is not None:
        after = min(power[end + 2], base + (1 - STAYS) * top)
    level = mean - (base + after) / 2
    spread = max(power[k] for k in core) - min(power[k] for k in core)
    is_flat = level >= RISE_W and spread <= SPREAD * level
    return level, sum(rows[k][0] for k in range(inner, end)) if is_flat else 0
