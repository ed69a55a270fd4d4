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
    kind = np.array([blob[0] if blob else 0 for blob in blobs], dtype=np.int64)
    width = np.where(kind == REGULAR, _ENERGY.itemsize, INTERVAL.itemsize)
    count, rest = np.divmod(sizes - HEADER.itemsize, width)
    if np.any((kind != REGULAR) & (kind != ODD)) or np.any(rest) or np.any(count < 0):
        raise BrokenContractError("some bytes are no packed day")
    target = np.concatenate(([0], np.cumsum(count))).astype(np.int64)
    start_us, energy_uwh = np.empty((2, int(target[-1])), dtype=np.int64)
    duration_s = np.empty(start_us.size, dtype=np.int32)
    quality = np.empty(start_us.size, dtype=np.int16)
    for of_kind, n in sorted(set(zip(kind.tolist(), count.tolist(), strict=True))):
        rows = np.flatnonzero((kind == of_kind) & (count == n))
        places = target[rows][:, None] + np.arange(n)
        form = np.dtype([("header", HEADER), ("body", _ENERGY if of_kind == REGULAR else INTERVAL, (n,))])
        block = np.frombuffer(b"".join([blobs[row] for row in rows.tolist()]), dtype=form)
        header, body = block["header"], block["body"]
        if of_kind == ODD:
            start_us[places], energy_uwh[places] = body["start_us"], body["energy_uwh"]
            duration_s[places], quality[places] = body["duration_s"], body["quality"]
            continue
        step_us = header["duration_s"].astype(np.int64) * SECOND_US
        start_us[places] = header["start_us"][:, None] + step_us[:, None] * np.arange(n)
        energy_uwh[places] = body
        duration_s[places], quality[places] = header["duration_s"][:, None], header["quality"][:, None]
    of_home = np.concatenate(([0], np.cumsum([len(home) for home in days]))).astype(np.int64)
    return HomeIntervals(
        offsets=target[of_home],
        start_us=start_us,
        duration_s=duration_s,
        energy_uwh=energy_uwh,
        quality=quality,
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
