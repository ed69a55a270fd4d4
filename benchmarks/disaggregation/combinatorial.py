"""Combinatorial optimisation: the sum of appliance states that is nearest to the meter, interval by interval.

Source: Hart, "Nonintrusive appliance load monitoring", Proc. IEEE 80(12), 1992; as the reference method of
NILMTK (Batra et al., e-Energy 2014). Written anew. It learns each appliance's states from sub-meters, which
a home without labels does not have; the unmetered rest is taught as one more appliance, in its favour.
"""

from collections.abc import Sequence
from itertools import product

import numpy as np

from benchmarks.disaggregation.homes import Floats

OFF_W = 10.0
ON_STATES = 2
"""States of an appliance that runs, beside off: three in all, as in NILMTK."""


def states_of(power_w: Floats) -> Floats:
    """Return the power states of an appliance, off first, by k-means in one dimension [W].

    Starts from quantiles, so it is the same every time. An appliance that never runs has the state off.
    """
    running = power_w[power_w > OFF_W]
    if running.size == 0:
        return np.zeros(1)
    centres = np.unique(np.quantile(running, (np.arange(ON_STATES) + 0.5) / ON_STATES))
    for _ in range(100):
        nearest = np.abs(running[:, None] - centres).argmin(axis=1)
        count = np.bincount(nearest, minlength=centres.size)
        moved = np.bincount(nearest, weights=running, minlength=centres.size) / np.maximum(count, 1)
        moved = np.where(count > 0, moved, centres)
        if np.allclose(moved, centres, atol=0.01):
            break
        centres = moved
    return np.concatenate(([0.0], np.sort(centres)))


class Combinations:
    """Every combination of the appliances' states, ordered by its sum.

    Parameters
    ----------
    states : sequence of ndarrays of float64, [W]
        Of each appliance, from `states_of`.
    """

    def __init__(self, states: Sequence[Floats]) -> None:
        powers = np.array(list(product(*states)))
        order = np.argsort(powers.sum(axis=1), kind="stable")
        self.powers_w = powers[order]
        self.sums_w = self.powers_w.sum(axis=1)

    def split(self, power_w: Floats) -> Floats:
        """Return the states whose sum is nearest to each power, shape (n, appliances) [W]."""
        above = (
            np.clip(np.searchsorted(self.sums_w, power_w), 1, self.sums_w.size - 1) if self.sums_w.size > 1 else 0
        )
        below = np.maximum(above - 1, 0)
        is_below = np.abs(self.sums_w[below] - power_w) <= np.abs(self.sums_w[above] - power_w)
        return np.asarray(self.powers_w[np.where(is_below, below, above)])
