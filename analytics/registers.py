"""Readings of a meter's channels into trustworthy interval energy.

Rollover, reset and meter exchange are told apart; gaps are bridged by the register and say so; nothing is
counted twice. Every sum is exact: energy is integer micro-watt-hours.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

import numpy as np
import numpy.typing as npt

from analytics.calendar import SECOND_US, UtcRange
from analytics.errors import BrokenContractError
from analytics.kernels.checks import require_array
from analytics.kernels.registers import difference_readings, value_intervals
from analytics.overlaps import ChannelEnergy, IntervalEnergy, resolve_overlaps

__all__ = [
    "DEFAULT_MAX_POWER_W",
    "Channel",
    "ChannelEnergy",
    "IntervalEnergy",
    "derive_channel",
    "derive_flow",
    "infer_interval_s",
    "resolve_overlaps",
]

DEFAULT_MAX_POWER_W = 100_000.0
"""Plausible power of a directly connected meter [W]; multiply it by the CT and VT ratios. Own choice:
three phases of 100 A at 230 V are 69 kW."""

COMMON_INTERVALS_S = np.array(
    [1, 5, 10, 15, 30]
    + [60 * minutes for minutes in (1, 2, 5, 10, 15, 20, 30)]
    + [3600 * hours for hours in (1, 2, 3, 4, 6, 8, 12)]
    + [86400 * days for days in (1, 7, 30, 91, 365)],
    dtype=np.int64,
)
"""Lengths meters are read at [s]; a month is 27 to 33 days, a quarter 82 to 100."""

JITTER = 0.1
MAX_EXPONENT = 16
MAX_DIGITS = 18
LATEST_US = 253_402_300_800 * SECOND_US
"""The year 10000, beyond which there are no dates."""


def _no_exchanges() -> npt.NDArray[np.int64]:
    return np.empty(0, dtype=np.int64)


@dataclass(frozen=True, kw_only=True)
class Channel:
    """The readings of one register or load profile, and what is known of it.

    Parameters
    ----------
    kind : {'cumulative', 'interval'}
        A register, or the energy of the interval that starts at each time.
    times_us : ndarray of int64, shape (n,), [µs since the epoch, UTC]
        Strictly increasing.
    values : ndarray of int64, shape (n,), [steps]
        The true value is `values * 10**-exponent` units.
    exponent : int
        Decimals of the values, 0 to 16.
    uwh_per_unit : Fraction, [µWh per unit]
        With CT and VT ratios: kWh is `10**9 * ct * vt`, J is `Fraction(2500, 9) * ct * vt`.
    interval_s : int or None, [s]
        Declared length of the intervals; None infers it from these readings.
    register_digits : int or None
        Whole digits of the register; None takes the width its past readings show.
    past_max : int or None, [steps]
        Largest reading before these, when they are only a window of all.
    exchanges_us : ndarray of int64, shape (k,), [µs]
        Instants the meter was exchanged.
    max_power_w : float, [W]
        Greatest plausible power, with CT and VT ratios.
    total_priority : int
        The lower wins where channels overlap.
    additive : bool
        A tariff register: those of the same priority add up to the total.

    Raises
    ------
    BrokenContractError
        A shape, dtype, order or bound is not as said.
    """

    kind: Literal["cumulative", "interval"]
    times_us: npt.NDArray[np.int64]
    values: npt.NDArray[np.int64]
    exponent: int
    uwh_per_unit: Fraction
    interval_s: int | None = None
    register_digits: int | None = None
    past_max: int | None = None
    exchanges_us: npt.NDArray[np.int64] = field(default_factory=_no_exchanges)
    max_power_w: float = DEFAULT_MAX_POWER_W
    total_priority: int = 0
    additive: bool = False

    def __post_init__(self) -> None:
        require_array("times_us", self.times_us, np.int64)
        if self.times_us.size:
            if np.any(self.times_us[1:] <= self.times_us[:-1]):
                raise BrokenContractError("the times of a channel increase strictly")
            if self.times_us[0] < -LATEST_US or self.times_us[-1] >= LATEST_US:
                raise BrokenContractError("a time is outside the calendar")
        if not 0 <= self.exponent <= MAX_EXPONENT:
            raise BrokenContractError(f"an exponent is 0 to {MAX_EXPONENT}: {self.exponent}")
        if self.interval_s is not None and self.interval_s <= 0:
            raise BrokenContractError(f"an interval lasts at least a second: {self.interval_s}")
        if self.register_digits is not None and not 1 <= self.register_digits <= MAX_DIGITS:
            raise BrokenContractError(f"a register has 1 to {MAX_DIGITS} digits: {self.register_digits}")
        if not self.max_power_w > 0:
            raise BrokenContractError(f"a plausible power is positive: {self.max_power_w}")


def infer_interval_s(times_us: npt.NDArray[np.int64]) -> int | None:
    """Return the usual spacing of readings, as a common length where within 10 % of one [s].

    The spacing seen most often decides, the shorter one of equals.

    Parameters
    ----------
    times_us : ndarray of int64, shape (n,), [µs]
        Strictly increasing.

    Returns
    -------
    int or None
        None for fewer than two readings.
    """
    if times_us.size < 2:
        return None
    spacing_s = np.diff(times_us) / SECOND_US
    after = np.clip(np.searchsorted(COMMON_INTERVALS_S, spacing_s), 1, COMMON_INTERVALS_S.size - 1)
    shorter, longer = COMMON_INTERVALS_S[after - 1], COMMON_INTERVALS_S[after]
    nearest = np.where(spacing_s - shorter < longer - spacing_s, shorter, longer)
    is_common = np.abs(spacing_s - nearest) <= JITTER * nearest
    snapped = np.where(is_common, nearest, np.maximum(np.rint(spacing_s).astype(np.int64), 1))
    lengths, counts = np.unique(snapped, return_counts=True)
    return int(lengths[np.argmax(counts)])


def derive_channel(channel: Channel) -> ChannelEnergy:
    """Return the interval energy of one channel, from its first reading to its last.

    A register's difference is labelled by its start. One longer than 1.5 intervals is a gap: its energy
    is spread over the intervals it spans (ESTIMATED). Intervals above one hour are split into pieces of
    at most one (SPREAD). A difference above 400 days counts nothing (IMPLAUSIBLE).
    """
    interval_s = channel.interval_s or infer_interval_s(channel.times_us) or 0
    uwh_per_step = channel.uwh_per_unit / 10**channel.exponent
    if interval_s == 0:  # a single reading of unknown length measures nothing
        pieces = difference_readings(
            channel.times_us[:0],
            channel.values[:0],
            exchanges_us=channel.exchanges_us,
            uwh_per_step=uwh_per_step,
            exponent=0,
            register_digits=None,
            past_max=None,
            interval_us=SECOND_US,
            max_power_w=channel.max_power_w,
        )
    elif channel.kind == "cumulative":
        pieces = difference_readings(
            channel.times_us,
            channel.values,
            exchanges_us=channel.exchanges_us,
            uwh_per_step=uwh_per_step,
            exponent=channel.exponent,
            register_digits=channel.register_digits,
            past_max=channel.past_max,
            interval_us=interval_s * SECOND_US,
            max_power_w=channel.max_power_w,
        )
    else:
        pieces = value_intervals(
            channel.times_us,
            channel.values,
            uwh_per_step=uwh_per_step,
            interval_us=interval_s * SECOND_US,
            max_power_w=channel.max_power_w,
        )
    start_us, duration_us, energy_uwh, quality, whole = pieces
    return ChannelEnergy(
        start_us=start_us,
        duration_us=duration_us,
        energy_uwh=energy_uwh,
        quality=quality,
        whole=whole,
        total_priority=channel.total_priority,
        additive=channel.additive,
    )


def derive_flow(channels: Sequence[Channel], window: UtcRange) -> IntervalEnergy:
    """Return the interval energy of one flow direction whose intervals start within a window.

    Intervals do not overlap and energies are never negative. The result of a part of a window is that
    part of the result, provided `interval_s` and `past_max` are given and the readings reach far enough:
    a register's from its last one at or before the window to its first at or after it, a load profile's
    one further than those. What depends on more (the usual power that bounds a rollover, the rounding
    within a UTC day of interval values in joules) depends on the readings given.
    Among equal priorities a load profile goes before a register.

    Parameters
    ----------
    channels : sequence of Channel
        All of one direction; import and export are never netted.
    window : UtcRange

    Returns
    -------
    IntervalEnergy
    """
    profiles_first = sorted(channels, key=lambda channel: channel.kind != "interval")
    energy = resolve_overlaps([derive_channel(channel) for channel in profiles_first])
    return energy.starting_in(window.start_us, window.end_us)
