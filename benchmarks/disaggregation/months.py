"""Homes through the model month by month, each with the history that its earlier months left."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt

from analytics.calendar import day_edges_us, month_range
from analytics.disaggregation.batch import CLASSES, DisaggregationBatch, HomesBatch
from analytics.disaggregation.households import household_of
from analytics.disaggregation.model import disaggregate
from analytics.disaggregation.places import HOUR_US, Places, places_of
from analytics.disaggregation.statistics import HISTORY_DAYS, N_COLUMNS
from benchmarks.disaggregation.homes import Floats, Ints, LabelledHome, Session, months_of, whole_wh

EPOCH_DAY = date(1970, 1, 1)
EV = CLASSES.index("electric_vehicle")
STEP_US = 1_000_000
"""Pieces of a charge that touch within a second are one charge."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Found:
    """What a method found in a home, day by day.

    Parameters
    ----------
    day : ndarray of int64, shape (d,), [days since 1970-01-01]
        Local days of the months given, rising.
    total_wh : ndarray of float64, shape (d,), [Wh]
    parts_wh : ndarray of float64, shape (d, len(CLASSES)), [Wh]
    sessions : tuple of Session
        Charges of the vehicle.
    bounds_wh : dict of month number to ndarray of float64, shape (2, len(CLASSES)), [Wh]
        Lower and upper bound of each class's energy in the month.
    """

    day: Ints
    total_wh: Floats
    parts_wh: Floats
    sessions: tuple[Session, ...] = ()
    bounds_wh: Mapping[int, Floats] = field(default_factory=dict)


def ordinal(day: date) -> int:
    """Count the days since 1970-01-01."""
    return (day - EPOCH_DAY).days


class Kept:
    """A home's arrays, its household and its statistics so far."""

    def __init__(self, home: LabelledHome) -> None:
        self.home = home
        self.energy_uwh = whole_wh(home)
        self.household = household_of(home.property_, home.appliances)
        self.statistics: dict[int, npt.NDArray[np.uint16]] = {}
        self.found: list[tuple[Ints, Floats, Floats]] = []
        self.pieces: list[Session] = []
        self.bounds: dict[int, Floats] = {}

    def history(self, month: date) -> npt.NDArray[np.uint16]:
        """Return the rows up to the day before the month; a day without data is a row of zeros."""
        end = ordinal(month)
        first = max(min(self.statistics, default=end), end - HISTORY_DAYS)
        rows = np.zeros((end - first, N_COLUMNS), dtype=np.uint16)
        for day, row in self.statistics.items():
            if first <= day < end:
                rows[day - first] = row
        return rows

    def keep(self, month: date, result: DisaggregationBatch, n: int) -> None:
        """Keep what home `n` of the result found in the month, and the statistics of its days."""
        rows = slice(result.target_offsets[n], result.target_offsets[n + 1])
        days = ordinal(month) + np.arange(rows.stop - rows.start)
        self.statistics |= dict(zip(days.tolist(), result.statistics[rows], strict=True))
        self.found.append((days, result.total_mwh[rows] / 1000.0, result.parts_mwh[rows] / 1000.0))
        bounds = np.stack((result.lower_mwh[n], result.upper_mwh[n])) / 1000.0
        self.bounds[month.year * 12 + month.month - 1] = bounds
        cycles = result.cycles
        for c in np.flatnonzero((cycles.home == n) & (cycles.appliance == EV)):
            self.pieces.append(
                Session(
                    start_us=float(cycles.start_us[c]),
                    end_us=float(cycles.end_us[c]),
                    energy_wh=cycles.energy_mwh[c] / 1000.0,
                )
            )


def batch_of(kept: Sequence["Kept"], month: date) -> HomesBatch:
    """Return a month of homes: its intervals after a day of context, and the history before."""
    span = month_range(month.year, month.month)
    first, n_days = month - timedelta(days=1), (span.last - month).days + 2
    edges = [day_edges_us(first, n_days, one.home.zone) for one in kept]
    rows = [
        slice(*np.searchsorted(one.home.start_us, (edge[0], edge[-1])))
        for one, edge in zip(kept, edges, strict=True)
    ]
    histories = [one.history(month) for one in kept]
    count = np.array([row.stop - row.start for row in rows])
    n = int(count.sum())
    return HomesBatch(
        offsets=np.concatenate(([0], np.cumsum(count))).astype(np.int64),
        start_us=np.concatenate([one.home.start_us[row] for one, row in zip(kept, rows, strict=True)]),
        duration_s=np.repeat([one.home.interval_s for one in kept], count).astype(np.int32),
        energy_uwh=np.concatenate([one.energy_uwh[row] for one, row in zip(kept, rows, strict=True)]),
        is_valid=np.ones(n, dtype=np.bool_),
        edge_offsets=np.arange(len(kept) + 1, dtype=np.int64) * (n_days + 1),
        day_edges_us=np.concatenate(edges),
        first_day=np.full(len(kept), ordinal(first), dtype=np.int64),
        n_context_days=np.ones(len(kept), dtype=np.int64),
        history_offsets=np.concatenate(([0], np.cumsum([rows.shape[0] for rows in histories]))).astype(np.int64),
        history=np.concatenate(histories),
        households=tuple(one.household for one in kept),
        places=_places(kept, int(edges[0][0]), int(max(edge[-1] for edge in edges))),
        place=np.arange(len(kept), dtype=np.int64),
    )


def _places(kept: Sequence["Kept"], start_us: int, end_us: int) -> Places:
    """Return one place per home; measured temperatures where the set has them."""
    start_us -= (HISTORY_DAYS + 2) * 24 * HOUR_US
    end_us += 24 * HOUR_US
    coordinates = [(one.home.latitude, one.home.longitude) for one in kept]
    measured = None
    if any(one.home.celsius is not None for one in kept):
        first = start_us // HOUR_US
        measured = np.full((len(kept), -(-end_us // HOUR_US) - first), np.nan)
        for row, one in zip(measured, kept, strict=True):
            if one.home.celsius is not None:
                hour = one.home.start_us // HOUR_US - first
                inside = (hour >= 0) & (hour < row.size)
                count = np.bincount(hour[inside], minlength=row.size)
                total = np.bincount(hour[inside], weights=one.home.celsius[inside], minlength=row.size)
                row[count > 0] = total[count > 0] / count[count > 0]
    return places_of(coordinates, start_us=start_us, end_us=end_us, celsius=measured)


def wattloom(homes: Sequence[LabelledHome]) -> list[Found]:
    """Return what the model finds in each home, its months in order.

    The parts add up to the total of each day, and the total is what the home's intervals hold: both are
    checked here, since no measure below would notice.
    """
    kept = [Kept(home) for home in homes]
    months = [months_of(home) for home in homes]
    for month in sorted({month for one in months for month in one}):
        now = [one for one, its in zip(kept, months, strict=True) if month in its]
        result = disaggregate(batch_of(now, month))
        for n, one in enumerate(now):
            one.keep(month, result, n)
    return [_found(one) for one in kept]


def _found(kept: Kept) -> Found:
    day, total, parts = (np.concatenate(arrays) for arrays in zip(*kept.found, strict=True))
    home = kept.home
    measured = np.zeros(day.size)
    days = ordinal(home.first_day()) + np.arange(home.n_days())
    place = np.searchsorted(day, days)
    known = (place < day.size) & (day[np.minimum(place, day.size - 1)] == days)
    measured[place[known]] = home.by_day(home.energy_wh)[known]
    assert np.abs(total - measured).max() < 0.01, f"{home.name}: a day's total is not what was measured"
    assert np.abs(parts.sum(axis=1) - total).max() < 1e-6, f"{home.name}: parts do not add up"
    return Found(
        day=day, total_wh=total, parts_wh=parts, sessions=tuple(stitched(kept.pieces)), bounds_wh=kept.bounds
    )


def stitched(pieces: Sequence[Session]) -> list[Session]:
    """Join pieces that were cut at midnights back into charges."""
    joined: list[Session] = []
    for piece in sorted(pieces, key=lambda one: one.start_us):
        if joined and piece.start_us - joined[-1].end_us <= STEP_US:
            last = joined.pop()
            piece = Session(  # noqa: PLW2901 -- grown, and put back
                start_us=last.start_us, end_us=piece.end_us, energy_wh=last.energy_wh + piece.energy_wh
            )
        joined.append(piece)
    return joined
