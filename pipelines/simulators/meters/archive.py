"""What a simulated meter has measured: a register at every edge of an interval, and the clock to read it by."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt

from analytics.calendar import from_us
from pipelines import clock
from pipelines.simulators.household import Household, register_readings, simulate
from pipelines.simulators.meters.responder import Faults

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, kw_only=True, eq=False)
class MeterArchive:
    """A cumulative register of whole watt-hours, one row an edge of the intervals, oldest first.

    Parameters
    ----------
    interval_s : int, [s]
    times_us : ndarray of int64, shape (n,), [µs since the epoch, UTC]
    register_wh : ndarray of int64, shape (n,), [Wh]
        Rolls over at ``10**digits``.
    digits : int
    """

    interval_s: int
    times_us: npt.NDArray[np.int64]
    register_wh: npt.NDArray[np.int64]
    digits: int

    def register_at(self, at: datetime) -> int:
        """Return what the register shows: the row at or before ``at`` [Wh]."""
        index = int(np.searchsorted(self.times_us, (at - _EPOCH) // _MICROSECOND, side="right")) - 1
        return int(self.register_wh[max(index, 0)])

    def power_w(self, at: datetime) -> int:
        """Return the mean power of the last whole interval before ``at`` [W]."""
        index = int(np.searchsorted(self.times_us, (at - _EPOCH) // _MICROSECOND, side="right")) - 1
        if index < 1:
            return 0
        energy: int = (int(self.register_wh[index]) - int(self.register_wh[index - 1])) % (10**self.digits)
        return energy * 3600 // self.interval_s

    def rows(self, start: datetime, end: datetime) -> list[tuple[datetime, int]]:
        """Return (instant in UTC, register [Wh]) of ``start <= instant <= end``, oldest first."""
        low = int(np.searchsorted(self.times_us, (start - _EPOCH) // _MICROSECOND, side="left"))
        high = int(np.searchsorted(self.times_us, (end - _EPOCH) // _MICROSECOND, side="right"))
        times, values = self.times_us[low:high].tolist(), self.register_wh[low:high].tolist()
        return [(from_us(at), value) for at, value in zip(times, values, strict=True)]


def household_archive(
    household: Household,
    *,
    start: datetime,
    end: datetime,
    interval_s: int,
    seed: int,
    initial_wh: int = 0,
    digits: int = 9,
) -> MeterArchive:
    """Return the archive of a simulated household's meter over ``[start, end)``."""
    simulated = simulate(household, start=start, end=end, interval_s=interval_s, seed=seed)
    register = register_readings(simulated, initial_wh=initial_wh, digits=digits)
    return MeterArchive(
        interval_s=interval_s, times_us=register.time_us, register_wh=register.register_wh, digits=digits
    )


def steady_archive(
    *, start: datetime, rows: int, interval_s: int, step_wh: int = 100, initial_wh: int = 0, digits: int = 9
) -> MeterArchive:
    """Return an archive that counts ``step_wh`` an interval: for tests and benchmarks."""
    index = np.arange(rows, dtype=np.int64)
    first_us = (start - _EPOCH) // _MICROSECOND
    return MeterArchive(
        interval_s=interval_s,
        times_us=first_us + index * interval_s * 1_000_000,
        register_wh=(initial_wh + index * step_wh) % 10**digits,
        digits=digits,
    )


def meter_now(faults: Faults) -> datetime:
    """Return what a simulated meter's clock shows, in UTC: ours and its drift."""
    return clock.now() + timedelta(seconds=faults.clock_drift_s)
