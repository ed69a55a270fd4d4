"""Measures of a disaggregation, each a function of arrays; energies in one unit, usually Wh.

Rows are home-months (or home-weeks, home-days), columns are labels of appliance classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmarks.disaggregation.homes import Session

Floats = npt.NDArray[np.float64]

MIN_IOU = 0.5
"""Share that two charges have in common, of the time of both, above which they are the same."""


def teca(found: Floats, truth: Floats) -> float:
    """Return the total energy correctly assigned: 1 - sum|p - y| / (2 sum y); NaN without energy.

    Source: Kolter and Johnson, REDD, SustKDD 2011.
    """
    energy = truth.sum()
    return float(1.0 - np.abs(found - truth).sum() / (2.0 * energy)) if energy > 0 else float("nan")


def r2(found: Floats, truth: Floats) -> float:
    """Return the explained share of the variance over rows; NaN where the truth does not vary."""
    spread = np.square(truth - truth.mean()).sum() if truth.size else 0.0
    return float(1.0 - np.square(found - truth).sum() / spread) if spread > 0 else float("nan")


def sae(found: Floats, truth: Floats) -> float:
    """Return the error of the sum, |sum p - sum y| / sum y; NaN where there is nothing to find."""
    energy = truth.sum()
    return float(abs(found.sum() - energy) / energy) if energy > 0 else float("nan")


def match_rate(found: Floats, truth: Floats) -> float:
    """Return sum min(p, y) / sum max(p, y); NaN where both are nothing."""
    most = np.maximum(found, truth).sum()
    return float(np.minimum(found, truth).sum() / most) if most > 0 else float("nan")


def monthly_error(found: Floats, truth: Floats) -> float:
    """Return the mean error of a month's energy in terms of the energy, sum|p - y| / sum y."""
    energy = truth.sum()
    return float(np.abs(found - truth).sum() / energy) if energy > 0 else float("nan")


@dataclass(frozen=True, kw_only=True)
class Events:
    """How well charges were found.

    Parameters
    ----------
    n_found, n_true, n_matched : int
    start_error_min : float, [min]
        Median distance of the starts of matched charges; NaN without any.
    energy_error : float
        Of matched charges, sum|p - y| / sum y; NaN without any.
    """

    n_found: int
    n_true: int
    n_matched: int
    start_error_min: float
    energy_error: float

    @property
    def precision(self) -> float:
        """Matched of found; NaN without any found."""
        return self.n_matched / self.n_found if self.n_found else float("nan")

    @property
    def recall(self) -> float:
        """Matched of true; NaN without any true."""
        return self.n_matched / self.n_true if self.n_true else float("nan")

    @property
    def f1(self) -> float:
        """Harmonic mean of both, 2 matched / (found + true); NaN without either."""
        both = self.n_found + self.n_true
        return 2.0 * self.n_matched / both if both else float("nan")


def match_events(found: Sequence[Session], truth: Sequence[Session]) -> Events:
    """Match charges one to one, best overlap first, where they share more than half of their joint time.

    Charges of one side do not overlap each other, so above one half each has at most one partner and the
    greedy match is the best one.
    """
    pairs = []
    true_starts = np.array([charge.start_us for charge in truth])
    true_ends = np.array([charge.end_us for charge in truth])
    for i, one in enumerate(found):
        both = np.minimum(true_ends, one.end_us) - np.maximum(true_starts, one.start_us)
        for k in np.flatnonzero(both > 0).tolist():
            either = (one.end_us - one.start_us) + (true_ends[k] - true_starts[k]) - both[k]
            pairs.append((both[k] / either, i, k))
    used_found: set[int] = set()
    partners: dict[int, int] = {}
    for overlap, i, j in sorted(pairs, reverse=True):
        if overlap > MIN_IOU and i not in used_found and j not in partners:
            used_found.add(i)
            partners[j] = i
    matched = [(found[i], truth[j]) for j, i in partners.items()]
    starts = [abs(one.start_us - other.start_us) / 60e6 for one, other in matched]
    energy = sum(other.energy_wh for _, other in matched)
    return Events(
        n_found=len(found),
        n_true=len(truth),
        n_matched=len(matched),
        start_error_min=float(np.median(starts)) if starts else float("nan"),
        energy_error=(
            float(sum(abs(one.energy_wh - other.energy_wh) for one, other in matched) / energy)
            if energy > 0
            else float("nan")
        ),
    )


def weekly_change(weeks: Floats) -> float:
    """Return the mean change from one week to the next in terms of the mean week; NaN under two weeks.

    Parameters
    ----------
    weeks : ndarray of float64, shape (n,)
        Energy per day of consecutive whole weeks, NaN for a week that is not whole.
    """
    steps = np.abs(np.diff(weeks))
    both = np.isfinite(steps)
    mean = np.nanmean(weeks) if np.isfinite(weeks).any() else 0.0
    return float(steps[both].mean() / mean) if both.any() and mean > 0 else float("nan")
