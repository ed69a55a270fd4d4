"""Interval energy of a local day packed into bytes, and many such days back into arrays, without a loop per interval.

A day whose intervals follow each other without a gap, of one length and one quality, is a header and its
energies; any other day has all that is known of each interval.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from analytics.calendar import SECOND_US
from analytics.disaggregation.homes import HomeIntervals
from analytics.errors import BrokenContractError

REGULAR, ODD = 1, 2
HEADER = np.dtype(
    [("kind", "u1"), ("quality", "u1"), ("unused", "<u2"), ("duration_s", "<i4"), ("start_us", "<i8")]
)
INTERVAL = np.dtype(
    [("start_us", "<i8"), ("energy_uwh", "<i8"), ("duration_s", "<i4"), ("quality", "<i2"), ("unused", "<u2")]
)
_ENERGY = np.dtype("<i8")


def pack_day(
    start_us: npt.NDArray[np.int64],
    duration_s: npt.NDArray[np.int32],
    energy_uwh: npt.NDArray[np.int64],
    quality: npt.NDArray[np.int16],
) -> bytes:
    """Return the intervals of a day, at least one, as bytes."""
    header = np.zeros(1, dtype=HEADER)
    step_us = int(duration_s[0]) * SECOND_US
    is_regular = (
        bool((duration_s == duration_s[0]).all())
        and bool((quality == quality[0]).all())
        and bool((np.diff(start_us) == step_us).all())
    )
    if is_regular:
        header["kind"], header["quality"] = REGULAR, quality[0]
        header["duration_s"], header["start_us"] = duration_s[0], start_us[0]
        return header.tobytes() + energy_uwh.astype(_ENERGY).tobytes()
    header["kind"] = ODD
    rows = np.zeros(start_us.size, dtype=INTERVAL)
    rows["start_us"], rows["energy_uwh"] = start_us, energy_uwh
    rows["duration_s"], rows["quality"] = duration_s, quality
    return header.tobytes() + rows.tobytes()


def unpack_homes(days: Sequence[Sequence[bytes]]) -> HomeIntervals:
    """Return the intervals of homes, each a sequence of its packed days in order.

    Raises
    ------
    BrokenContractError
        Some bytes are no packed day.
    """
    blobs = [blob for home in days for blob in home]
    sizes = np.array([len(blob) for blob in blobs], dtype=np.int64)
    data = np.frombuffer(b"".join(blobs), dtype=np.uint8)
    first = np.concatenate(([0], np.cumsum(sizes)))[:-1].astype(np.int64)
    kind = data[first] if np.all(sizes >= HEADER.itemsize) else np.zeros(sizes.size, dtype=np.uint8)
    width = np.where(kind == REGULAR, _ENERGY.itemsize, INTERVAL.itemsize)
    count, rest = np.divmod(sizes - HEADER.itemsize, width)
    if np.any((kind != REGULAR) & (kind != ODD)) or np.any(rest):
        raise BrokenContractError("some bytes are no packed day")
    target = np.concatenate(([0], np.cumsum(count))).astype(np.int64)
    whole = np.zeros(int(target[-1]), dtype=INTERVAL)
    for shape in np.unique(np.stack([kind, sizes]), axis=1).T.tolist():
        rows = np.flatnonzero((kind == shape[0]) & (sizes == shape[1]))
        block = data[first[rows][:, None] + np.arange(shape[1])]
        places = target[rows][:, None] + np.arange(int(count[rows[0]]))
        body = np.ascontiguousarray(block[:, HEADER.itemsize :])
        if shape[0] == ODD:
            whole[places] = body.view(INTERVAL)
            continue
        header = np.ascontiguousarray(block[:, : HEADER.itemsize]).view(HEADER)
        step_us = header["duration_s"].astype(np.int64) * SECOND_US
        whole["start_us"][places] = header["start_us"] + step_us * np.arange(places.shape[1])
        whole["energy_uwh"][places] = body.view(_ENERGY)
        whole["duration_s"][places] = header["duration_s"]
        whole["quality"][places] = header["quality"]
    of_home = np.concatenate(([0], np.cumsum([len(home) for home in days]))).astype(np.int64)
    return HomeIntervals(
        offsets=target[of_home],
        start_us=whole["start_us"].astype(np.int64),
        duration_s=whole["duration_s"].astype(np.int32),
        energy_uwh=whole["energy_uwh"].astype(np.int64),
        quality=whole["quality"].astype(np.int16),
    )


def joined(parts: Sequence[HomeIntervals]) -> HomeIntervals:
    """Return rows of homes behind each other."""
    sizes = [np.diff(part.offsets) for part in parts]
    return HomeIntervals(
        offsets=np.concatenate(([0], np.cumsum(np.concatenate([np.empty(0, dtype=np.int64), *sizes])))).astype(
            np.int64
        ),
        start_us=np.concatenate([part.start_us for part in parts]),
        duration_s=np.concatenate([part.duration_s for part in parts]),
        energy_uwh=np.concatenate([part.energy_uwh for part in parts]),
        quality=np.concatenate([part.quality for part in parts]),
    )
