"""The mean of other sets: what was learned where appliances are known, given to a home where nothing is.

Labels of sets differ. A label of the home's set gets the mean share of those sets that can tell it: whose
labels cover its classes exactly. Where none can, the survey's share stands in, and `rest` gets what is left.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from analytics.disaggregation.batch import CLASSES
from analytics.disaggregation.households import household_of
from benchmarks.disaggregation.baselines import mean_shares, prior_only
from benchmarks.disaggregation.homes import REST, Floats, Ints, LabelledHome

Shares = Mapping[tuple[str, ...], float]
"""Share of a set's energy in the classes of one of its labels."""


def set_shares(homes: Sequence[LabelledHome], taught: Sequence[Floats]) -> Shares:
    """Return what a set teaches: the mean share of each of its labels.

    Parameters
    ----------
    taught : sequence of ndarrays, shape (d, labels), [Wh]
        Truth of the days to learn from, per home.
    """
    labels = homes[0].all_labels
    return {
        labels[label]: share for label, share in zip(labels, mean_shares(taught), strict=True) if label != REST
    }


def share_of(classes: tuple[str, ...], sets: Sequence[Shares]) -> float | None:
    """Return the mean over sets of the share of these classes; None where no set's labels make them up."""
    found = []
    for shares in sets:
        inside = [label for label in shares if set(label) <= set(classes)]
        if sum(len(label) for label in inside) == len(classes):
            found.append(sum(shares[label] for label in inside))
    return float(np.mean(found)) if found else None


def owned_classes(home: LabelledHome) -> set[str]:
    """Return the classes a home's list does not rule out; all without a list."""
    household = household_of(home.property_, home.appliances)
    if not household.has_appliance_list:
        return set(CLASSES)
    owns = {
        "boiler": household.boilers,
        "cooking": household.ovens + household.stoves + household.microwaves + household.kettles,
        "cooling": household.cools,
        "electric_vehicle": len(household.ev_wattages_w),
        "fridge": sum(household.fridges),
        "heating": household.heats + household.heats_by_ac + household.heats_by_boiler,
        "washing": household.washing_machines + household.dishwashers + household.dryers,
    }
    return {name for name in CLASSES if owns.get(name, 1) > 0}


def mean_of_others(home: LabelledHome, day: Ints, total_wh: Floats, sets: Sequence[Shares]) -> Floats:
    """Return the other sets' mean shares of each day's total, shape (d, labels) [Wh]."""
    survey = prior_only(home, day, total_wh).sum(axis=0)
    survey = survey / max(survey.sum(), 1e-12)
    owned = owned_classes(home)
    shares = []
    for label, classes in home.all_labels.items():
        known = share_of(classes, sets) if label != REST else None
        if known is None:
            known = float(sum(survey[CLASSES.index(name)] for name in classes))
        shares.append(known if owned & set(classes) else 0.0)
    labels = list(home.all_labels)
    if REST in labels:
        at = labels.index(REST)
        shares[at] = max(1.0 - (sum(shares) - shares[at]), 0.0)
    scaled = np.array(shares) / max(sum(shares), 1e-12)
    return np.asarray(total_wh[:, None] * scaled)
