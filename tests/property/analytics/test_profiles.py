"""Packed days come back as they were, however odd they are."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.daily import total_days, total_homes
from analytics.errors import BrokenContractError
from analytics.profiles import HEADER, INTERVAL, joined, pack_day, unpack_homes

regular = st.tuples(st.integers(0, 2**50), st.integers(1, 90_000), st.integers(0, 7), st.integers(1, 60))
energies = st.integers(0, 2**62)


@st.composite
def days(draw):
    """Return start, duration, energy and quality of a day, in order of start."""
    if draw(st.booleans()):
        start, duration, quality, count = draw(regular)
        starts = start + np.arange(count, dtype=np.int64) * duration * 1_000_000
        durations, qualities = np.full(count, duration, dtype=np.int32), np.full(count, quality, dtype=np.int16)
    else:
        found = draw(
            st.lists(st.tuples(st.integers(0, 2**50), st.integers(1, 2**31 - 1), st.integers(0, 7)), min_size=1)
        )
        starts = np.sort(np.array([row[0] for row in found], dtype=np.int64))
        durations = np.array([row[1] for row in found], dtype=np.int32)
        qualities = np.array([row[2] for row in found], dtype=np.int16)
    energy = draw(st.lists(energies, min_size=starts.size, max_size=starts.size))
    return starts, durations, np.array(energy, dtype=np.int64), qualities


@given(st.lists(st.lists(days(), max_size=4), max_size=4))
def test_days_of_homes_come_back_as_they_were(homes):
    packed = [b"".join(pack_day(*day) for day in home) for home in homes]
    seen = unpack_homes(packed)
    whole = [day for home in homes for day in home]
    for n, name in enumerate(("start_us", "duration_s", "energy_uwh", "quality")):
        expected = np.concatenate([np.empty(0, dtype=np.int64), *(day[n] for day in whole)])
        assert np.array_equal(getattr(seen, name), expected)
    sizes = [sum(day[0].size for day in home) for home in homes]
    assert np.diff(seen.offsets).tolist() == sizes
    if packed:
        again = joined([unpack_homes([home]) for home in packed])
        assert np.array_equal(again.offsets, seen.offsets)
        assert np.array_equal(again.energy_uwh, seen.energy_uwh)


def test_a_regular_day_takes_eight_bytes_an_interval():
    day = (
        np.arange(48) * 1_800_000_000,
        np.full(48, 1800, dtype=np.int32),
        np.arange(48),
        np.zeros(48, dtype=np.int16),
    )
    assert len(pack_day(*day)) == HEADER.itemsize + 48 * 8


@pytest.mark.parametrize(
    "junk",
    [
        b"x" * 8,
        b"x" * 9,
        bytes([9, 0, 1]) + bytes(21),
        bytes([1, 0, 0]) + bytes(13),
        bytes([1, 0, 2]) + bytes(21),
        bytes([2, 0, 1]) + bytes(13 + INTERVAL.itemsize - 8),
    ],
)
def test_bytes_that_are_no_packed_day_are_our_bug(junk):
    with pytest.raises(BrokenContractError, match="no packed day"):
        unpack_homes([junk])


def test_a_day_of_more_intervals_than_a_header_can_count_has_several():
    starts = np.arange(86_400) * 1_000_000
    day = (starts, np.ones(86_400, dtype=np.int32), np.arange(86_400), np.zeros(86_400, dtype=np.int16))
    packed = pack_day(*day)
    assert len(packed) == 2 * HEADER.itemsize + 86_400 * 8
    assert np.array_equal(unpack_homes([packed]).start_us, starts)


@given(st.lists(st.lists(days(), min_size=1, max_size=3), min_size=1, max_size=3), st.data())
def test_the_days_of_many_homes_add_up_as_those_of_one(homes, data):
    seen = unpack_homes([b"".join(pack_day(*day) for day in home) for home in homes])
    # In order of start, as intervals are stored.
    order = np.concatenate(
        [first + np.argsort(seen.start_us[first:last]) for first, last in pairwise(seen.offsets.tolist())]
    )
    columns = (
        seen.start_us[order],
        np.minimum(seen.duration_s[order], 10**6),
        seen.energy_uwh[order] >> 10,
        seen.quality[order],
    )
    cuts = sorted(data.draw(st.lists(st.integers(0, 2**50), min_size=2, max_size=6)))
    edges = np.tile(np.array(cuts, dtype=np.int64), (len(homes), 1))
    whole = total_homes(seen.offsets, *columns, edges)
    for home, (first, last) in enumerate(pairwise(seen.offsets.tolist())):
        one = total_days(*(column[first:last] for column in columns), edges[home])
        for name in ("energy_uwh", "expected_intervals", "valid_intervals", "resolution_s"):
            expected = np.zeros(edges.shape[1] - 1, dtype=np.int64)
            expected[one.day] = getattr(one, name)
            assert getattr(whole, name)[home].tolist() == expected.tolist()
