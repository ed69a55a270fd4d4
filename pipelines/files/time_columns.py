"""Text into UTC by the column: ISO 8601 with an offset, or without one in a zone or in UTC, mixed."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from analytics.calendar import to_us
from pipelines.fields import EARLIEST, LATEST
from pipelines.files.plan import BLANKS, Code

DETAILS = {
    Code.MISSING_TIME: "There is no time.",
    Code.INVALID_TIME: "Not a time such as 2026-03-01T00:15:00Z or 2026-03-01 00:15.",
    Code.TIME_OUT_OF_RANGE: "The year must lie from 1970 to 2099.",
    Code.NONEXISTENT_LOCAL_TIME: "The zone's clocks skipped this local time.",
    Code.REPEATED_LOCAL_TIME: "A local time of two instants that the device has more than twice.",
}
_HOUR, _SIXTIETH = "(?:[01][0-9]|2[0-3])", "[0-5][0-9]"
_TIME = (
    r"^(?<day>[0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]"
    rf"(?<minute>{_HOUR}:{_SIXTIETH})(?::(?<second>{_SIXTIETH})(?:[.,](?<fraction>[0-9]{{1,12}}))?)?"
    rf" ?(?<offset>[Zz]|[+-]{_HOUR}(?::?{_SIXTIETH})?)?$"
)
Mask = npt.NDArray[np.bool_]
Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Times:
    """Instants [n, µs UTC] and by reason the rows at fault, whose instant is 0.

    Where clocks went back and a local time came twice, ``time_us`` is the first of the two instants and
    ``later_us`` the second; everywhere else they are equal. ``local_us`` tells equal local times.
    """

    time_us: Int64
    later_us: Int64
    local_us: Int64
    faults: dict[Code, Mask]


def parse_times(texts: pl.Series, *, zone: str, timestamps: Literal["local", "utc"]) -> Times:
    """Return the instants that ``texts`` [n, String, null where absent] name."""
    text = texts.str.strip_chars(BLANKS)
    parts = text.str.extract_groups(_TIME).struct.unnest()
    second = parts["second"].fill_null("00")
    stamp = parts["day"] + " " + parts["minute"] + ":" + second
    clock = stamp.str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="us", strict=False)
    clock_us, is_time = _microseconds(clock)
    fraction_us = _fraction_us(parts["fraction"])
    local_us = clock_us + fraction_us
    time_us = local_us - _offset_us(parts["offset"])
    later_us, nonexistent = time_us.copy(), np.zeros(len(text), dtype=np.bool_)
    naive = is_time & parts["offset"].is_null().to_numpy()
    if timestamps == "local" and naive.any():
        here = clock.filter(naive).dt
        first = here.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
        last = here.replace_time_zone(zone, ambiguous="latest", non_existent="null")
        for target, there in ((time_us, first), (later_us, last)):
            instants, exists = _microseconds(there)
            target[naive] = instants + fraction_us[naive]
            nonexistent[np.flatnonzero(naive)[~exists]] = True
    missing = (text.is_null() | (text == "")).fill_null(value=True).to_numpy()
    in_range = (time_us >= to_us(EARLIEST)) & (later_us < to_us(LATEST))
    faults = {
        Code.MISSING_TIME: missing,
        Code.INVALID_TIME: ~is_time & ~missing,
        Code.NONEXISTENT_LOCAL_TIME: nonexistent,
        Code.TIME_OUT_OF_RANGE: is_time & ~nonexistent & ~in_range,
    }
    wrong = np.logical_or.reduce(list(faults.values()))
    time_us[wrong] = later_us[wrong] = 0
    return Times(time_us=time_us, later_us=later_us, local_us=local_us, faults=faults)


def _microseconds(times: pl.Series) -> tuple[Int64, Mask]:
    """Return [n, µs] counts of a datetime column, 0 where it is null, and [n] where it is not."""
    counts = times.to_physical().fill_null(0).to_numpy()
    return counts, times.is_not_null().to_numpy()


def _fraction_us(fraction: pl.Series) -> Int64:
    """Return [n, µs] of digits after the second's point; what is finer than a microsecond is cut off."""
    if fraction.null_count() == len(fraction):
        return np.zeros(len(fraction), dtype=np.int64)
    return fraction.str.pad_end(6, "0").str.slice(0, 6).cast(pl.Int64).fill_null(0).to_numpy()


def _offset_us(offset: pl.Series) -> Int64:
    """Return [n, µs] of offsets east of UTC: 0 for Z and for none."""
    if offset.null_count() == len(offset):
        return np.zeros(len(offset), dtype=np.int64)
    digits = offset.str.replace(":", "", literal=True).str.pad_end(5, "0")
    signed = (
        digits.str.to_uppercase().str.replace("^Z0*", "+0000").str.strip_prefix("+").cast(pl.Int64).fill_null(0)
    )
    hundreds: Int64 = signed.to_numpy()
    minutes = np.abs(hundreds) // 100 * 60 + np.abs(hundreds) % 100
    offsets: Int64 = np.where(hundreds < 0, -minutes, minutes) * 60_000_000
    return offsets


class RepeatedTimes:
    """Tells the passes of an hour that clocks repeated: a device's first row of a local time is the earlier.

    One per file, whose rows it must see in order: then a part of the file, or the file again, gives the same.
    """

    def __init__(self) -> None:
        self._seen: Counter[tuple[str, int]] = Counter()

    def settle(self, devices: Sequence[str], times: Times, rows: Int64) -> Mask:
        """Set ``times.time_us`` at ambiguous ``rows``; return [n] where a device has a time too often."""
        too_often = np.zeros(len(times.time_us), dtype=np.bool_)
        for device, row in zip(devices, rows.tolist(), strict=True):
            key = (device, int(times.local_us[row]))
            self._seen[key] += 1
            if self._seen[key] == 2:
                times.time_us[row] = times.later_us[row]
            elif self._seen[key] > 2:
                too_often[row] = True
        return too_often
