"""Packed days into arrays and intervals into sums of local days, home after home in one pass each."""

from typing import Any

import numpy as np
from numba import njit

REGULAR, ODD = 1, 2
HEADER_WORDS, INTERVAL_WORDS = 2, 3
SECOND_US = 1_000_000
LAST_VALID = 2  # analytics.quality.Quality.SPREAD


@njit(cache=True, nogil=True)
def count_packed(words: Any, word_offsets: Any, counts: Any) -> Any:
    """Fill the intervals of each home's packed days; return the first home that has no such, or -1."""
    for home in range(counts.size):
        at, end = word_offsets[home], word_offsets[home + 1]
        total = 0
        while at < end:
            kind, count = words[at] & 0xFF, (words[at] >> 16) & 0xFFFF
            if kind < REGULAR or kind > ODD or count == 0:
                return home
            total += count
            at += HEADER_WORDS + count * (1 if kind == REGULAR else INTERVAL_WORDS)
        if at != end:
            return home
        counts[home] = total
    return -1


@njit(cache=True, nogil=True)
def unpack(words: Any, start_us: Any, duration_s: Any, energy_uwh: Any, quality: Any) -> None:
    """Fill the intervals of packed days, each 8 bytes of which is a word; `count_packed` has checked them."""
    at, n = 0, 0
    while at < words.size:
        head, first_us = words[at], words[at + 1]
        count = (head >> 16) & 0xFFFF
        at += HEADER_WORDS
        if (head & 0xFF) == REGULAR:
            length_s, of_day = head >> 32, (head >> 8) & 0xFF
            step_us = length_s * SECOND_US
            for i in range(count):
                start_us[n + i] = first_us + i * step_us
                duration_s[n + i] = length_s
                energy_uwh[n + i] = words[at + i]
                quality[n + i] = of_day
            at += count
        else:
            for i in range(count):
                start_us[n + i] = words[at]
                energy_uwh[n + i] = words[at + 1]
                duration_s[n + i] = np.int32(words[at + 2] & 0xFFFFFFFF)
                quality[n + i] = np.int16((words[at + 2] >> 32) & 0xFFFF)
                at += INTERVAL_WORDS
        n += count


@njit(cache=True, nogil=True)
def total_rows(
    offsets: Any,
    start_us: Any,
    duration_s: Any,
    energy_uwh: Any,
    quality: Any,
    edges_us: Any,
    energy: Any,
    expected: Any,
    valid: Any,
    resolution_s: Any,
) -> None:
    """Fill what the days of each home add up to; days without any interval stay as they are."""
    n_days = edges_us.shape[1] - 1
    for home in range(edges_us.shape[0]):
        day, count, covered_s = -1, 0, 0
        for i in range(offsets[home], offsets[home + 1] + 1):
            is_past = i == offsets[home + 1] or start_us[i] >= edges_us[home, n_days]
            if count and (is_past or start_us[i] >= edges_us[home, day + 1]):
                length_s = (edges_us[home, day + 1] - edges_us[home, day]) // SECOND_US
                missing_s = max(length_s - covered_s, 0)
                expected[home, day] = count + np.int64(np.rint(missing_s * count / max(covered_s, 1)))
                resolution_s[home, day] = max(covered_s // count, 1)
                count, covered_s = 0, 0
            if is_past:
                break
            if start_us[i] < edges_us[home, 0]:
                continue
            while day < 0 or start_us[i] >= edges_us[home, day + 1]:
                day += 1
            count += 1
            covered_s += duration_s[i]
            energy[home, day] += energy_uwh[i]
            valid[home, day] += quality[i] <= LAST_VALID
