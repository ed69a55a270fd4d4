"""How far apart readings are, along a history in which that may have changed."""

from itertools import groupby

import numpy as np
import numpy.typing as npt

from analytics.calendar import SECOND_US
from analytics.registers import infer_interval_s

BLOCK = 96
LASTING = 4
"""Blocks that must agree before a cadence counts as changed: fewer are an outage. Own choice: 4 days of 15 min."""


def cadences(times_us: npt.NDArray[np.int64]) -> list[tuple[int, int]]:
    """Return (index of the first reading, usual spacing [s]) of each stretch of one cadence; the first index is 0.

    Parameters
    ----------
    times_us : ndarray of int64, shape (n,), [µs]
        Strictly increasing.

    Returns
    -------
    list of (int, int)
        Empty for fewer than two readings. A cadence that holds for less than `LASTING` blocks of `BLOCK`
        readings is a disturbance of the one before it.
    """
    overall = infer_interval_s(times_us)
    if overall is None:
        return []
    if times_us.size < 2 * BLOCK * LASTING:
        return [(0, overall)]
    starts = range(0, times_us.size - BLOCK, BLOCK)
    blocks = [infer_interval_s(times_us[first : first + BLOCK + 1]) or overall for first in starts]
    groups = [(spacing, len(list(same))) for spacing, same in groupby(blocks)]
    lasting = [spacing for spacing, count in groups if count >= LASTING] or [overall]
    found, block, current = [(0, lasting[0])], 0, lasting[0]
    for spacing, count in groups:
        if count >= LASTING and spacing != current:
            found.append((_turn(times_us, block * BLOCK, current, spacing), spacing))
            current = spacing
        block += count
    return found


def _turn(times_us: npt.NDArray[np.int64], near: int, before_s: int, after_s: int) -> int:
    """Return the reading, within a block of `near`, that best parts the two spacings."""
    first = max(near - BLOCK, 0)
    spacing_s = np.diff(times_us[first : near + BLOCK + 1]) / SECOND_US
    is_before = np.abs(spacing_s - before_s) < np.abs(spacing_s - after_s)
    score = np.concatenate(([0], np.cumsum(np.where(is_before, 1, -1))))
    return first + int(np.argmax(score))
