"""Interval energy of a local day packed into bytes, and many such days back into arrays, without a loop per interval.

A day whose intervals follow each other without a gap, of one length and one quality, is a header and its
energies; any other day has all that is known of each interval. A header says how many follow, so days stand
behind each other without more.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from analytics.calendar import SECOND_US
from analytics.disaggregation.homes import HomeIntervals
from analytics.errors import BrokenContractError
from analytics.kernels.days import ODD, REGULAR, count_packed, unpack

HEADER = np.dtype(
    [("kind", "u1"), ("quality", "u1"), ("count", "<u2"), ("duration_s", "<i4"), ("start_us", "<i8")]
)
INTERVAL = np.dtype(
    [("start_us", "<i8"), ("energy_uwh", "<i8"), ("duration_s", "<i4"), ("quality", "<i2"), ("unused", "<u2")]
)
_WORD = np.dtype("<i8")
_MOST = 65_535
"""Intervals that one header can count; a day with more has several."""


def pack_day(
    start_us: npt.NDArray[np.int64],
    duration_s: npt.NDArray[np.int32],
    energy_uwh: npt.NDArray[np.int64],
    quality: npt.NDArray[np.int16],
) -> bytes:
    """Return the intervals of a day, at least one, as bytes."""
    if start_us.size > _MOST:
        return b"".join(
            pack_day(start_us[some], duration_s[some], energy_uwh[some], quality[some])
            for some in (slice(_MOST), slice(_MOST, None))
        )
    header = np.zeros(1, dtype=HEADER)
    header["count"] = start_us.size
    step_us = int(duration_s[0]) * SECOND_US
    is_regular = (
        bool((duration_s == duration_s[0]).all())
        and bool((quality == quality[0]).all())
        and bool((np.diff(start_us) == step_us).all())
    )
    if is_regular:
        header["kind"], header["quality"] = REGULAR, quality[0]
        header["duration_s"], header["start_us"] = duration_s[0], start_us[0]
        return header.tobytes() + energy_uwh.astype(_WORD).tobytes()
    header["kind"] = ODD
    rows = np.zeros(start_us.size, dtype=INTERVAL)
    rows["start_us"], rows["energy_uwh"] = start_us, energy_uwh
    rows["duration_s"], rows["quality"] = duration_s, quality
    return header.tobytes() + rows.tobytes()


class Room:
    """Memory that one batch after the other is unpacked into: new pages would cost more than the unpacking.

    It holds what was unpacked last; who unpacks again must be done with that.
    """

    def __init__(self) -> None:
        self._arrays: dict[str, npt.NDArray[Any]] = {}

    def take(self, name: str, size: int, dtype: type[np.generic]) -> npt.NDArray[Any]:
        """Return an array of a size, by its name the one of the time before where that is large enough."""
        known = self._arrays.get(name)
        if known is None or known.size < size:
            known = self._arrays[name] = np.empty(size + size // 8, dtype=dtype)
        return known[:size]


def unpack_homes(days: Sequence[bytes], room: Room | None = None) -> HomeIntervals:
    """Return the intervals of homes, each the packed days of a home behind each other.

    Parameters
    ----------
    days : sequence of bytes
    room : Room, optional
        Where they are put; memory of their own without one.

    Raises
    ------
    BrokenContractError
        Some bytes are no packed days.
    """
    room = room or Room()
    word_offsets, rest = np.divmod(
        _offsets(np.array([len(home) for home in days], dtype=np.int64)), _WORD.itemsize
    )
    if rest.any():
        raise BrokenContractError("some bytes are no packed day")
    words = room.take("words", int(word_offsets[-1]), np.int64)
    for home, (first, last) in zip(days, pairwise(word_offsets.tolist()), strict=True):
        words[first:last] = np.frombuffer(home, dtype=_WORD)
    counts = np.zeros(len(days), dtype=np.int64)
    if count_packed(words, word_offsets, counts) >= 0:
        raise BrokenContractError("some bytes are no packed day")
    offsets = _offsets(counts)
    intervals = HomeIntervals(
        offsets=offsets,
        start_us=room.take("start_us", int(offsets[-1]), np.int64),
        duration_s=room.take("duration_s", int(offsets[-1]), np.int32),
        energy_uwh=room.take("energy_uwh", int(offsets[-1]), np.int64),
        quality=room.take("quality", int(offsets[-1]), np.int16),
    )
    unpack(words, intervals.start_us, intervals.duration_s, intervals.energy_uwh, intervals.quality)
    return intervals


def _offsets(sizes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return np.concatenate(([0], np.cumsum(sizes))).astype(np.int64)


def joined(parts: Sequence[HomeIntervals]) -> HomeIntervals:
    """Return rows of homes behind each other."""
    sizes = [np.diff(part.offsets) for part in parts]
    return HomeIntervals(
        offsets=_offsets(np.concatenate([np.empty(0, dtype=np.int64), *sizes])),
        start_us=np.concatenate([part.start_us for part in parts]),
        duration_s=np.concatenate([part.duration_s for part in parts]),
        energy_uwh=np.concatenate([part.energy_uwh for part in parts]),
        quality=np.concatenate([part.quality for part in parts]),
    )
