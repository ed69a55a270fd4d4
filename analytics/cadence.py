"""How far apart readings are, along a history in which that may have changed."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby, pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from analytics.calendar import SECOND_US
from analytics.overlaps import ChannelEnergy
from analytics.registers import Channel, derive_channel, infer_interval_s

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


def cut_at_cadences(channel: Channel, cadences: Sequence[tuple[int, int | None]]) -> list[Channel]:
    """Cut a channel where its cadence changed; neighbours share the reading they are cut at.

    Parameters
    ----------
    channel : Channel
    cadences : sequence of (index of the first reading, usual spacing [s])
        As from `cadences`; without any the channel stays whole and of unknown spacing.
    """
    if len(cadences) <= 1:
        return [replace(channel, interval_s=cadences[0][1] if cadences else None)]
    bounds = [first for first, _ in cadences] + [len(channel.times_us) - 1]
    return [
        replace(
            channel,
            times_us=channel.times_us[first : last + 1],
            values=channel.values[first : last + 1],
            interval_s=interval_s,
        )
        for (first, last), (_, interval_s) in zip(pairwise(bounds), cadences, strict=True)
    ]


def derive_runs(runs: Sequence[Channel]) -> ChannelEnergy:
    """Return the interval energy of a channel that was cut; the reading two parts share counts in the later one.

    Parameters
    ----------
    runs : sequence of Channel
        From `cut_at_cadences`.
    """
    parts = [derive_channel(run) for run in runs]
    if len(parts) == 1:
        return parts[0]
    kept = [part.start_us < run.times_us[-1] for part, run in zip(parts, runs, strict=True)]
    kept[-1][:] = True
    whole, numbered = 0, []
    for part, run in zip(parts, runs, strict=True):
        numbered.append(part.whole + whole)
        whole += len(run.times_us)

    def join(columns: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
        return np.concatenate([column[keep] for column, keep in zip(columns, kept, strict=True)])

    return ChannelEnergy(
        start_us=join([part.start_us for part in parts]),
        duration_us=join([part.duration_us for part in parts]),
        energy_uwh=join([part.energy_uwh for part in parts]),
        quality=join([part.quality for part in parts]),
        whole=join(numbered),
        total_priority=parts[0].total_priority,
        additive=parts[0].additive,
    )
