"""Interval energy of a local day packed into bytes, and many such days back into arrays, without a loop per interval.

A day whose intervals follow each other without a gap, of one length and one quality, is a header and its
energies; any other day has all that is known of each interval. A header says how many follow, so days stand
behind each other without more.
"""

from collections.abc import Sequence

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


def unpack_homes(days: Sequence[bytes]) -> HomeIntervals:
    """Return the intervals of homes, each the packed days of a home behind each other.

    Raises
    ------
    BrokenContractError
        Some bytes are no packed days.
    """
    sizes = np.array([len(home) for home in days], dtype=np.int64)
    data = b"".join(days)
    if np.any(sizes % _WORD.itemsize):
        raise BrokenContractError("some bytes are no packed day")
    words = np.frombuffer(data, dtype=_WORD)
    counts = np.zeros(sizes.size, dtype=np.int64)
    faulty = count_packed(words, _offsets(sizes // _WORD.itemsize), counts)
    if faulty >= 0:
        raise BrokenContractError("some bytes are no packed day")
    offsets = _offsets(counts)
    intervals = HomeIntervals(
        offsets=offsets,
        start_us=np.empty(offsets[-1], dtype=np.int64),
        duration_s=np.empty(offsets[-1], dtype=np.int32),
        energy_uwh=np.empty(offsets[-1], dtype=np.int64),
        quality=np.empty(offsets[-1], dtype=np.int16),
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
