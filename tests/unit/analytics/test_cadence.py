"""A history read at one cadence after the other is parted where it changed; an outage is no change."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.cadence import BLOCK, LASTING, cadences

SECOND = 1_000_000
ENOUGH = BLOCK * (LASTING + 1)


def grid(*parts):
    """Return times of (count, spacing [s]) after each other."""
    steps = np.concatenate([np.full(count, spacing, dtype=np.int64) for count, spacing in parts])
    return np.concatenate(([0], np.cumsum(steps))) * SECOND


def test_fewer_than_two_readings_have_no_cadence():
    assert cadences(grid((0, 900))) == []
    assert cadences(grid((1, 900))) == [(0, 900)]


def test_one_cadence_is_one_stretch():
    assert cadences(grid((5000, 900))) == [(0, 900)]


@given(
    counts=st.lists(st.integers(ENOUGH, 1500), min_size=2, max_size=4),
    spacings=st.permutations([300, 900, 1800, 3600]),
)
@settings(max_examples=30, deadline=None)
def test_a_changed_cadence_is_found_at_the_very_reading(counts, spacings):
    parts = list(zip(counts, spacings, strict=False))
    starts = np.concatenate(([0], np.cumsum(counts)[:-1])).tolist()
    assert cadences(grid(*parts)) == list(zip(starts, spacings, strict=False))


def test_an_outage_within_a_history_is_not_a_cadence():
    assert cadences(grid((1000, 900), (150, 1800), (1000, 900))) == [(0, 900)]


def test_a_disturbed_beginning_belongs_to_the_cadence_that_follows():
    assert cadences(grid((150, 3600), (2000, 900))) == [(0, 900)]


def test_a_short_history_has_the_spacing_seen_most():
    assert cadences(grid((100, 900), (200, 3600))) == [(0, 3600)]
