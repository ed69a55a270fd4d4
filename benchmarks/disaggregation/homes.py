"""A home whose appliances were measured beside its meter, at any interval, and its local days."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from analytics.calendar import SECOND_US, day_edges_us, from_us, local_date_of
from analytics.disaggregation.batch import CLASSES

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

REST = "rest"
"""The label of what no sub-meter says: every class that no other label of the set takes."""


@dataclass(frozen=True, kw_only=True)
class Session:
    """One charge of a vehicle, `[start, end)` [µs since the epoch, UTC], and its energy [Wh]."""

    start_us: float
    end_us: float
    energy_wh: float


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelledHome:
    """What the meter of a home measured, and what is known of the appliances behind it.

    Parameters
    ----------
    dataset, name : str
    zone : ZoneInfo
    latitude, longitude : float, [°]
    interval_s : int, [s]
    start_us : ndarray of int64, shape (n,), [µs since the epoch, UTC]
        On the grid of `interval_s` from the epoch, rising; a gap is an interval that is not there.
    energy_wh : ndarray of float64, shape (n,), [Wh]
    truth_wh : dict of label to ndarray of float64, shape (n,), [Wh]
        Without `REST`; together at most the energy. Empty where nothing is known.
    labels : dict of label to tuple of classes
        What a label of the truth stands for; a sub-meter may carry several classes.
    property_, appliances : the household's own documents
        `appliances` None is a home without a list.
    sessions : tuple of Session
        Charges of the vehicle; empty where there is none or none is known.
    celsius : ndarray of float64, shape (n,), [°C] or None
        Outdoors, where the set has it.
    """

    dataset: str
    name: str
    zone: ZoneInfo
    latitude: float
    longitude: float
    interval_s: int
    start_us: Ints
    energy_wh: Floats
    truth_wh: Mapping[str, Floats]
    labels: Mapping[str, tuple[str, ...]]
    property_: dict[str, Any] | None = None
    appliances: list[dict[str, Any]] | None = None
    sessions: tuple[Session, ...] = ()
    celsius: Floats | None = None

    @property
    def all_labels(self) -> dict[str, tuple[str, ...]]:
        """The labels and `REST`; every class belongs to exactly one of them."""
        taken = {name for classes in self.labels.values() for name in classes}
        rest = tuple(name for name in CLASSES if name not in taken)
        return {**self.labels, **({REST: rest} if rest else {})}

    def truths(self) -> Floats:
        """Return the truth of every label of `all_labels` per interval, shape (n, labels) [Wh]."""
        known = [self.truth_wh[label] for label in self.labels]
        rest = self.energy_wh - np.sum(known, axis=0) if known else self.energy_wh
        return np.stack([*known, np.maximum(rest, 0.0)][: len(self.all_labels)], axis=1)

    def first_day(self) -> date:
        """Return the local day of the first interval."""
        return local_date_of(from_us(int(self.start_us[0])), self.zone)

    def n_days(self) -> int:
        """Count the local days from the first interval's to the last one's."""
        return (local_date_of(from_us(int(self.start_us[-1])), self.zone) - self.first_day()).days + 1

    def edges_us(self) -> Ints:
        """Return the edges of those local days [µs since the epoch, UTC]."""
        return day_edges_us(self.first_day(), self.n_days(), self.zone)

    def by_day(self, amounts: Floats) -> Floats:
        """Return the sums of amounts per interval over the local days they start in, shape (days, ...)."""
        cuts = np.searchsorted(self.start_us, self.edges_us())
        running = np.concatenate((np.zeros((1, *amounts.shape[1:])), np.cumsum(amounts, axis=0)))
        return running[cuts[1:]] - running[cuts[:-1]]

    def without_list(self) -> "LabelledHome":
        """Return the home as if nobody had said anything of it."""
        return replace(self, property_=None, appliances=None)


def resample(home: LabelledHome, interval_s: int) -> LabelledHome:
    """Return the home at a longer interval; one that is not complete is a gap.

    Parameters
    ----------
    interval_s : int, [s]
        A multiple of the home's own.
    """
    if interval_s == home.interval_s:
        return home
    many, rest = divmod(interval_s, home.interval_s)
    assert rest == 0, "a longer interval is made of whole shorter ones"
    slots, inverse, count = np.unique(
        home.start_us // (interval_s * SECOND_US), return_inverse=True, return_counts=True
    )
    complete = count == many

    def added(amounts: Floats) -> Floats:
        return np.bincount(inverse, weights=amounts, minlength=slots.size)[complete]

    return replace(
        home,
        interval_s=interval_s,
        start_us=(slots * interval_s * SECOND_US)[complete],
        energy_wh=added(home.energy_wh),
        truth_wh={label: added(amounts) for label, amounts in home.truth_wh.items()},
        celsius=None if home.celsius is None else added(home.celsius) / many,
    )


def always_on(start_us: Ints, power: Floats) -> Floats:
    """Return the part of a channel that never stops: its Monday week's median of daily least values.

    The same definition as the standby of the model, per sub-meter; at most what the channel has.

    Parameters
    ----------
    start_us : ndarray of int64, shape (n,), [µs]
        Days are counted from it in UTC, which is close enough for a least value.
    power : ndarray of float64, shape (n,)
    """
    days = start_us // (86_400 * SECOND_US)
    first, start = np.unique(days, return_index=True)
    least = np.minimum.reduceat(power, start)
    week = (first + 3) // 7  # 1970-01-01 was a Thursday
    level = np.empty_like(least)
    for one in np.unique(week):
        level[week == one] = np.median(least[week == one])
    return np.minimum(power, np.repeat(level, np.diff(np.append(start, days.size))))


def whole_wh(home: LabelledHome) -> Ints:
    """Return the energy as the platform holds it [µWh]."""
    return np.rint(home.energy_wh * 1e6).astype(np.int64)


def months_of(home: LabelledHome, *, least_days: int = 3) -> list[date]:
    """List the first days of the calendar months of which the home has data on so many days."""
    days = np.unique(np.searchsorted(home.edges_us(), home.start_us, side="right") - 1)
    firsts = [(home.first_day() + timedelta(days=int(day))).replace(day=1) for day in days]
    return [month for month in sorted(set(firsts)) if firsts.count(month) >= least_days]


def appliance(key: str, amount: int = 1, **fields: Any) -> dict[str, Any]:
    """Return one entry of an appliance list."""
    return {"key": key, "amount": amount, **fields}


def check_labels(homes: Sequence[LabelledHome]) -> None:
    """Fail where a truth is negative, not finite or together above the energy, or a label is not known."""
    for home in homes:
        assert set(home.truth_wh) == set(home.labels), home.name
        assert np.all(np.diff(home.start_us) > 0), f"{home.name}: intervals out of order"
        for label, amounts in {**home.truth_wh, "energy": home.energy_wh}.items():
            assert np.isfinite(amounts).all(), f"{home.name} {label}: not finite"
            assert (amounts >= 0).all(), f"{home.name} {label}: negative"
        if home.truth_wh:
            above = np.sum(list(home.truth_wh.values()), axis=0) - home.energy_wh
            assert above.max() < 1e-6, f"{home.name}: the parts are {above.max():.3f} Wh above the energy"
