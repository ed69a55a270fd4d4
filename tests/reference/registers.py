"""Naive twin of the register kernels: fractions, lists and one reading after the other."""

from fractions import Fraction
from math import ceil, floor

MINUTE_US, HOUR_US, DAY_US = 60_000_000, 3_600_000_000, 86_400_000_000


def half_up(number):
    return floor(number + Fraction(1, 2))


def power_w(energy_uwh, duration_us):
    return float(energy_uwh) * 3600.0 / duration_us


def moduli(peak, exponent, digits):
    if digits is not None:
        return [10 ** (digits + exponent)]
    width = max(len(str(peak // 10**exponent)), 1)
    binary = [2**24 * 10**exponent, 2**32 * 10**exponent]
    if exponent >= 1:
        binary.append(2**23 * 10 ** (exponent - 1))
    return [10 ** (width + exponent), *binary]


def classify(times, values, *, exchanges, k, exponent, digits, past_max, max_power_w):
    """Give (energy, quality name) of each difference."""

    def is_exchanged(i):
        return any(times[i] < x <= times[i + 1] for x in exchanges)

    usual = [
        power_w(k * (values[i + 1] - values[i]), times[i + 1] - times[i])
        for i in range(len(times) - 1)
        if values[i + 1] > values[i] and not is_exchanged(i)
    ]
    usual = [power for power in usual if power <= max_power_w]
    peak = past_max or 0
    result = []
    for i in range(len(times) - 1):
        before, after, duration = values[i], values[i + 1], times[i + 1] - times[i]
        peak = max(peak, before)
        if is_exchanged(i):
            result.append((0, "EXCHANGE"))
            peak = 0
        elif duration > 400 * DAY_US:
            result.append((0, "IMPLAUSIBLE"))
        elif after >= before:
            exact = k * (after - before)
            if power_w(exact, duration) > max_power_w or exact > 2 * 10**18:
                result.append((0, "IMPLAUSIBLE"))
            else:
                result.append((half_up(k * after) - half_up(k * before), "MEASURED"))
        else:
            result.append((0, "RESET"))
            for modulus in moduli(peak, exponent, digits):
                if modulus > 10**18 or after < 0 or before >= modulus or peak >= modulus:
                    continue
                power = power_w(k * (after - before + modulus), duration)
                is_unusual = len(usual) >= 10 and power > 20 * max(usual)
                if power <= max_power_w and not is_unusual:
                    result[-1] = (half_up(k * (after + modulus)) - half_up(k * before), "ROLLOVER")
                    break
    return result


def cut(start, end, energy, quality, interval_us):
    """Give the pieces (start, duration, energy, quality name) of one difference."""
    duration = end - start
    counts = quality in {"MEASURED", "ROLLOVER"}
    is_gap = 2 * duration > 3 * interval_us
    if duration > 400 * DAY_US:
        n = 1
    elif interval_us > HOUR_US:
        n = ceil(Fraction(duration, HOUR_US))
    elif is_gap:
        length = interval_us if duration <= DAY_US else max(interval_us, MINUTE_US)
        n = max(half_up(Fraction(duration, length)), 1)
    else:
        n = 1
    if counts and is_gap:
        quality = "ESTIMATED"
    elif counts and n > 1:
        quality = "SPREAD"
    times = [start + floor(Fraction(duration * j, n)) for j in range(n + 1)]
    parts = [floor(Fraction(energy * j, n)) for j in range(n + 1)]
    return [(times[j], times[j + 1] - times[j], parts[j + 1] - parts[j], quality) for j in range(n)]


def difference_readings(times, values, *, exchanges, k, exponent, digits, past_max, interval_us, max_power_w):
    pieces = []
    rows = classify(
        times,
        values,
        exchanges=exchanges,
        k=k,
        exponent=exponent,
        digits=digits,
        past_max=past_max,
        max_power_w=max_power_w,
    )
    for i, (energy, quality) in enumerate(rows):
        pieces += cut(times[i], times[i + 1], energy, quality, interval_us)
    return pieces


def value_intervals(times, values, *, k, interval_us, max_power_w):
    pieces = []
    day, exact, given = None, Fraction(0), 0
    for i, (time, value) in enumerate(zip(times, values, strict=True)):
        end = time + interval_us
        if i + 1 < len(times):
            end = min(end, times[i + 1])
        if time // DAY_US != day:
            day, exact, given = time // DAY_US, Fraction(0), 0
        energy, quality = 0, "MEASURED"
        if value < 0:
            quality = "NEGATIVE"
        elif power_w(k * value, interval_us) > max_power_w or k * value > 2 * 10**18:
            quality = "IMPLAUSIBLE"
        else:
            exact += k * value
            energy = half_up(exact) - given
            given += energy
        pieces += cut(time, end, energy, quality, interval_us)
    return pieces
