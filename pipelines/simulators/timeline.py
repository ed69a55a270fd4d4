"""The minutes of a simulation, their wall clock, and dice whose throws belong to a local day."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import IntEnum, unique
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from analytics.calendar import SECOND_US, day_edges_us

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

MINUTE_US = 60 * SECOND_US
DAY_MIN = 1440
OFFSET_STEP_MIN = 15
"""Zones change their offset at whole quarter hours of UTC (IANA time zone database, since 1972)."""


@unique
class Stream(IntEnum):
    """What dice are thrown for; a stream of its own keeps the others when an appliance is added."""

    CLIMATE = 1
    OCCUPANCY = 2
    FRIDGE = 3
    COOKING = 4
    WASHING = 5
    WATER = 6
    LIGHTS = 7
    ELECTRONICS = 8
    VEHICLE = 9


@dataclass(frozen=True, kw_only=True, eq=False)
class Timeline:
    """Every minute of consecutive local days.

    Parameters
    ----------
    start_us : int, [µs since the epoch, UTC]
        The first minute, which starts the first local day.
    first_day : date
    edges : ndarray of int64, shape (days + 1,), [min from the start]
    day : ndarray of int64, shape (n,)
        Which local day each minute belongs to, from 0.
    offset_min : ndarray of int64, shape (n,), [min]
        Wall clock minus UTC.
    wall_min : ndarray of int64, shape (n,), [min]
        Time on the wall clock, 0 to 1439.
    """

    start_us: int
    first_day: date
    edges: Ints
    day: Ints
    offset_min: Ints
    wall_min: Ints

    @property
    def n(self) -> int:
        """How many minutes there are."""
        return int(self.day.size)

    @property
    def n_days(self) -> int:
        """How many local days there are."""
        return int(self.edges.size) - 1

    @property
    def is_weekend(self) -> Flags:
        """Saturdays and Sundays among the days."""
        return (self.first_day.toordinal() + np.arange(self.n_days) + 6) % 7 >= 5

    def at(self, wall_min: Floats) -> Ints:
        """Return the minute at which the wall clock of each day shows a time; one per day, never outside.

        A time the clock jumps over is read with the offset after the jump, a repeated one comes once.
        """
        first = np.minimum(self.edges[:-1], self.n - 1)
        # A day whose midnight the clock jumps over begins later on the wall.
        since_first = np.rint(wall_min).astype(np.int64) - self.wall_min[first]
        late = np.clip(first + since_first, 0, self.n - 1)
        shift = self.offset_min[late] - self.offset_min[first]
        return np.asarray(np.clip(late - shift, 0, self.n - 1))


def timeline(first_day: date, last_day: date, zone: ZoneInfo) -> Timeline:
    """Return the minutes of the local days from the first to the last, both included."""
    n_days = (last_day - first_day).days + 1
    edges_us = day_edges_us(first_day, n_days, zone)
    edges = (edges_us - edges_us[0]) // MINUTE_US
    n = int(edges[-1])
    start_us = int(edges_us[0])
    offset_min = _offsets_min(start_us, n, zone)
    return Timeline(
        start_us=start_us,
        first_day=first_day,
        edges=edges,
        day=np.repeat(np.arange(n_days, dtype=np.int64), np.diff(edges)),
        offset_min=offset_min,
        wall_min=(start_us // MINUTE_US + np.arange(n, dtype=np.int64) + offset_min) % DAY_MIN,
    )


def _offsets_min(start_us: int, n: int, zone: ZoneInfo) -> Ints:
    start_s = start_us // SECOND_US
    seconds = range(start_s, start_s + 60 * n, 60 * OFFSET_STEP_MIN)
    utc = (datetime.fromtimestamp(second, UTC).astimezone(zone) for second in seconds)
    offsets_s = ((moment.utcoffset(), moment) for moment in utc)
    minutes = [0 if offset is None else int(offset.total_seconds()) // 60 for offset, _ in offsets_s]
    return np.repeat(np.array(minutes, dtype=np.int64), OFFSET_STEP_MIN)[:n]


class DayDice:
    """Throws dice for every local day at once; a day's throws are the same in any span it is part of.

    Parameters
    ----------
    width : int
        Throws a day has at most.
    days_before : int
        Days ahead of the timeline that are thrown for too.

    Raises
    ------
    IndexError
        More throws are asked for than the width.
    """

    def __init__(self, seed: int, stream: Stream, line: Timeline, *, width: int, days_before: int = 0) -> None:
        source = np.random.PCG64(np.random.SeedSequence([seed, int(stream)]))
        # One draw of PCG64 is one float64, so a day's throws stand at a place of their own.
        source.advance((line.first_day.toordinal() - days_before) * width)
        self._throws = np.random.Generator(source).random((line.n_days + days_before, width))
        self._used = 0

    def uniform(self) -> Floats:
        """Return one number per day, from 0 up to but not including 1."""
        column = self._throws[:, self._used]
        self._used += 1
        return column

    def table(self, columns: int) -> Floats:
        """Return several uniform numbers per day, shape (days, columns)."""
        return np.column_stack([self.uniform() for _ in range(columns)])

    def chance(self, probability: Floats | float) -> Flags:
        """Return per day whether something of this probability happens."""
        return self.uniform() < probability

    def around(self, centre: Floats | float, spread: float) -> Floats:
        """Return per day a number of the triangular distribution over `centre` ± `spread`."""
        return np.asarray(centre + spread * (self.uniform() + self.uniform() - 1.0))

    def normal(self) -> Floats:
        """Return one standard normal number per day (Box and Muller 1958, doi:10.1214/aoms/1177706645)."""
        radius = np.sqrt(-2.0 * np.log1p(-self.uniform()))
        return np.asarray(radius * np.cos(2.0 * np.pi * self.uniform()))


class PowerTrace:
    """Adds up blocks of constant power, exactly: overlapping ones add, none leaves a residue."""

    def __init__(self, n: int) -> None:
        self._n = n
        self._steps = np.zeros(n + 1, dtype=np.int64)

    def add(self, start: Ints, *, minutes: Floats | float, watts: Floats | float) -> None:
        """Add one block per start, in minutes of the timeline; what is past its end is cut off."""
        start, length, power = np.broadcast_arrays(
            start, np.rint(minutes).astype(np.int64), np.rint(watts).astype(np.int64)
        )
        np.add.at(self._steps, np.clip(start, 0, self._n), power)
        np.add.at(self._steps, np.clip(start + length, 0, self._n), -power)

    def pulses(self, start: Ints, *, count: int, on_min: int, every_min: int, watts: Floats | float) -> None:
        """Add the on-times of a thermostat that switches `count` times."""
        for number in range(count):
            self.add(start + number * every_min, minutes=on_min, watts=watts)

    def power_w(self) -> Floats:
        """Return the power of each minute [W]."""
        return np.cumsum(self._steps[:-1]).astype(np.float64)
