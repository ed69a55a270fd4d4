import itertools
from datetime import UTC, datetime
from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.calendar import UtcRange, from_us, to_us
from analytics.kernels.overlaps import fill_uncovered
from analytics.kernels.registers import difference_readings, value_intervals
from analytics.quality import Quality, counts_mask
from analytics.registers import Channel, derive_flow
from tests.reference import overlaps as naive_overlaps
from tests.reference import registers as naive

T0 = to_us(datetime(2024, 1, 1, tzinfo=UTC))
ALWAYS = UtcRange(datetime(1970, 1, 1, tzinfo=UTC), datetime(2300, 1, 1, tzinfo=UTC))
KWH = Fraction(10**9)
SECOND = 1_000_000
moderate = settings(max_examples=80, deadline=None)

spacings_s = st.one_of(st.just(900), st.integers(1, 10_000), st.integers(1, 450 * 86400))
factors = st.sampled_from(
    [KWH, Fraction(10**6), Fraction(2500, 9), Fraction(25 * 10**8, 9), KWH * Fraction(2000, 7), KWH / 3]
)


def as_times(spacings, *, unit=SECOND):
    return T0 + np.concatenate(([0], np.cumsum(np.array(spacings, dtype=np.int64) * unit))).astype(np.int64)


def cumulative(times_us, values, **changes):
    defaults = {"exponent": 3, "uwh_per_unit": KWH, "interval_s": 900, "max_power_w": 1e12}
    return Channel(
        kind="cumulative", times_us=times_us, values=np.array(values, dtype=np.int64), **(defaults | changes)
    )


def rows(pieces):
    start, duration, energy, quality, _ = pieces
    names = [Quality(code).name for code in quality]
    return list(zip(start.tolist(), duration.tolist(), energy.tolist(), names, strict=True))


def assert_is_sound(energy):
    ends = energy.start_us + energy.duration_us
    assert np.all(energy.duration_us > 0)
    assert np.all(ends[:-1] <= energy.start_us[1:])
    assert np.all(energy.energy_uwh >= 0)
    assert np.all(energy.energy_uwh[~counts_mask(energy.quality)] == 0)


@moderate
@given(
    data=st.data(),
    spacings=st.lists(spacings_s, min_size=1, max_size=14),
    factor=factors,
    exponent=st.integers(0, 5),
    digits=st.sampled_from([None, None, 3, 6]),
    interval_s=st.sampled_from([60, 900, 3600, 86400]),
)
def test_the_register_kernel_agrees_with_its_naive_twin(data, spacings, factor, exponent, digits, interval_s):
    times_us = as_times(spacings)
    value = st.one_of(st.integers(0, 10**6), st.integers(9 * 10**5, 10**6), st.integers(-(2**63), 2**63 - 1))
    values = data.draw(st.lists(value, min_size=times_us.size, max_size=times_us.size))
    exchanges = sorted(data.draw(st.lists(st.sampled_from(times_us.tolist()), max_size=2, unique=True)))
    past_max = data.draw(st.sampled_from([None, 999, 10**7]))
    step = factor / 10**exponent

    pieces = difference_readings(
        times_us,
        np.array(values, dtype=np.int64),
        exchanges_us=np.array(exchanges, dtype=np.int64),
        uwh_per_step=step,
        exponent=exponent,
        register_digits=digits,
        past_max=past_max,
        interval_us=max(interval_s, max(spacings) // 500) * SECOND,
        max_power_w=1e6,
    )

    assert rows(pieces) == naive.difference_readings(
        times_us.tolist(),
        values,
        exchanges=exchanges,
        k=step,
        exponent=exponent,
        digits=digits,
        past_max=past_max,
        interval_us=max(interval_s, max(spacings) // 500) * SECOND,
        max_power_w=1e6,
    )


@moderate
@given(
    data=st.data(),
    spacings=st.lists(st.integers(1, 100_000), min_size=1, max_size=20),
    factor=factors,
    interval_s=st.sampled_from([60, 900, 3600, 86400]),
)
def test_the_interval_kernel_agrees_with_its_naive_twin(data, spacings, factor, interval_s):
    times_us = as_times(spacings)
    value = st.one_of(st.integers(-5, 10**4), st.integers(-(2**63), 2**63 - 1))
    values = data.draw(st.lists(value, min_size=times_us.size, max_size=times_us.size))

    pieces = value_intervals(
        times_us,
        np.array(values, dtype=np.int64),
        uwh_per_step=factor,
        interval_us=interval_s * SECOND,
        max_power_w=1e6,
    )

    assert rows(pieces) == naive.value_intervals(
        times_us.tolist(), values, k=factor, interval_us=interval_s * SECOND, max_power_w=1e6
    )


@moderate
@given(
    spacings=st.lists(st.integers(1, 400 * 86400 * 10**6 // 1000), min_size=1, max_size=8),
    steps=st.lists(st.integers(0, 10**9), min_size=8, max_size=8),
    first=st.integers(0, 10**9),
    interval_s=st.sampled_from([3600, 86400, None]),
    factor=factors,
)
def test_the_energy_of_a_register_telescopes_over_any_gaps(spacings, steps, first, interval_s, factor):
    times_us = as_times(spacings, unit=1000)
    values = first + np.concatenate(([0], np.cumsum(steps[: len(spacings)])))
    interval_s = interval_s or max(60, max(spacings) // 1000 // 500)

    energy = derive_flow(
        [cumulative(times_us, values, interval_s=interval_s, uwh_per_unit=factor, max_power_w=1e18)], ALWAYS
    )

    assert_is_sound(energy)
    exact = factor * int(values[-1] - values[0]) / 1000
    assert abs(int(energy.energy_uwh.sum()) - exact) <= (0 if factor % 1000 == 0 else 1)
    assert int(energy.duration_us.sum()) == times_us[-1] - times_us[0]


@moderate
@given(
    steps=st.lists(st.integers(0, 20_000), min_size=1, max_size=40),
    first=st.integers(0, 10**8 - 1),
    shift=st.integers(0, 10**8 - 1),
    digits=st.sampled_from([5, 6, 8]),
)
def test_shifting_a_register_around_its_end_changes_nothing(steps, first, shift, digits):
    modulus = 10 ** (digits + 3)
    values = first + np.concatenate(([0], np.cumsum(steps)))
    times_us = as_times([900] * len(steps))

    plain = derive_flow([cumulative(times_us, values % modulus, register_digits=digits, max_power_w=1e5)], ALWAYS)
    turned = derive_flow(
        [cumulative(times_us, (values + shift) % modulus, register_digits=digits, max_power_w=1e5)], ALWAYS
    )

    usual = sorted(step for step in steps if step > 0)
    if len(usual) < 10 or usual[-1] <= 20 * usual[-2]:
        assert plain.energy_uwh.tolist() == turned.energy_uwh.tolist()
        assert int(plain.energy_uwh.sum()) == int(values[-1] - values[0]) * 10**6


@moderate
@given(
    data=st.data(),
    spacings=st.lists(st.sampled_from([900, 900, 900, 901, 2000, 7200, 90_000]), min_size=3, max_size=30),
    profile_gaps=st.sets(st.integers(0, 200), max_size=60),
)
def test_the_result_of_a_part_is_the_part_of_the_result(data, spacings, profile_gaps):
    times_us = as_times(spacings)
    steps = data.draw(st.lists(st.integers(0, 500), min_size=len(spacings), max_size=len(spacings)))
    values = 10**6 + np.concatenate(([0], np.cumsum(steps)))
    end = int(times_us[-1])
    profile_times = np.array(
        [t for n in range(201) if n not in profile_gaps and (t := T0 + n * 900 * SECOND) < end]
    )
    profile_values = np.arange(profile_times.size) % 137 - 3
    low = data.draw(st.integers(T0, end))
    high = data.draw(st.integers(low, end))

    def flow(first, last, window):
        """Derive from the readings between two register readings."""
        # A profile interval lasts beyond its start: one more on either side, even where none starts inside.
        before = int(np.searchsorted(profile_times, times_us[first])) - 1
        beyond = int(np.searchsorted(profile_times, times_us[last], side="right")) + 1
        chosen = slice(max(before, 0), beyond)
        profile = Channel(
            kind="interval",
            times_us=profile_times[chosen].astype(np.int64),
            values=profile_values[chosen].astype(np.int64),
            exponent=3,
            uwh_per_unit=KWH,
            interval_s=900,
        )
        register = cumulative(times_us[first : last + 1], values[first : last + 1], total_priority=1)
        return derive_flow([register, profile], window)

    window = UtcRange(from_us(low), from_us(high))
    first = max(int(np.searchsorted(times_us, low, side="right")) - 1, 0)
    last = min(int(np.searchsorted(times_us, high)), times_us.size - 1)
    part = flow(first, last, window)
    whole = flow(0, times_us.size - 1, ALWAYS).starting_in(low, high)

    assert_is_sound(part)
    assert part.start_us.tolist() == whole.start_us.tolist()
    assert part.duration_us.tolist() == whole.duration_us.tolist()
    assert part.energy_uwh.tolist() == whole.energy_uwh.tolist()
    assert part.quality.tolist() == whole.quality.tolist()


@moderate
@given(
    values=st.lists(st.integers(-(2**63), 2**63 - 1), min_size=2, max_size=12),
    factor=st.sampled_from(
        [KWH, Fraction(2500, 9), Fraction(2**61), Fraction(1, 2**31), Fraction(2**61 - 1, 2**31 - 1)]
    ),
    kind=st.sampled_from(["cumulative", "interval"]),
    exponent=st.sampled_from([0, 3]),
)
def test_values_near_the_limits_are_implausible_and_never_overflow(values, factor, kind, exponent):
    if (factor / 10**exponent).denominator > 2**31:
        exponent = 0
    channel = Channel(
        kind=kind,
        times_us=as_times([900] * (len(values) - 1)),
        values=np.array(values, dtype=np.int64),
        exponent=exponent,
        uwh_per_unit=factor,
        interval_s=900,
        max_power_w=1e300,
    )

    energy = derive_flow([channel], ALWAYS)

    assert_is_sound(energy)
    exact = [factor * (after - before) / 10**exponent for before, after in itertools.pairwise(values)]
    for i, code in enumerate(energy.quality):
        if kind == "cumulative" and code == Quality.MEASURED:
            assert abs(int(energy.energy_uwh[i]) - exact[i]) <= 1
        if kind == "cumulative" and exact[i] > 3 * 10**18:
            assert code == Quality.IMPLAUSIBLE
            assert energy.energy_uwh[i] == 0


@moderate
@given(
    upper_cuts=st.lists(st.integers(0, 60), min_size=0, max_size=12, unique=True),
    lower_cuts=st.lists(st.integers(0, 60), min_size=2, max_size=8, unique=True),
    data=st.data(),
)
def test_filling_uncovered_time_agrees_with_its_naive_twin(upper_cuts, lower_cuts, data):
    upper = list(zip(sorted(upper_cuts)[::2], sorted(upper_cuts)[1::2], strict=False))
    edges = sorted(lower_cuts)
    lower = list(itertools.pairwise(edges))
    upper_energy = data.draw(st.lists(st.integers(0, 10**15), min_size=len(upper), max_size=len(upper)))
    lower_energy = data.draw(st.lists(st.integers(0, 10**15), min_size=len(lower), max_size=len(lower)))
    joined = data.draw(st.lists(st.booleans(), min_size=len(lower), max_size=len(lower)))
    whole = np.cumsum(np.logical_not(joined)).astype(np.int64)

    start, end, energy, quality = fill_uncovered(
        upper=columns(upper, upper_energy), lower=columns(lower, lower_energy), lower_whole=whole
    )

    assert list(zip(start, end, strict=True)) == [
        stretch for piece in lower for stretch in naive_overlaps.open_stretches(upper, piece)
    ]
    for group in np.unique(whole):
        members = [i for i in range(len(lower)) if whole[i] == group]
        low, high = lower[members[0]][0], lower[members[-1]][1]
        inside = (start >= low) & (start < high)
        total = sum(lower_energy[i] for i in members)
        taken = Fraction(0)
        for (first, last), uwh in zip(upper, upper_energy, strict=True):
            overlap = max(0, min(last, high) - max(first, low))
            taken += Fraction(uwh * overlap, last - first)
        touched = any(any(naive_overlaps.covered(upper, lower[i])) for i in members)
        if not touched:
            assert energy[inside].tolist() == [lower_energy[i] for i in members]
            assert set(quality[inside].tolist()) == {Quality.MEASURED}
        elif inside.any():
            assert abs(int(energy[inside].sum()) - max(total - taken, 0)) <= len(upper) + 1
            assert set(quality[inside].tolist()) == {Quality.ESTIMATED}


def columns(pieces, energy):
    start, end = np.array(pieces, dtype=np.int64).reshape(-1, 2).T.copy()
    return start, end, np.array(energy, dtype=np.int64), np.zeros(start.size, dtype=np.int16)


@moderate
@given(
    covered=st.sets(st.integers(0, 95), max_size=95),
    register_wh=st.integers(20_000, 40_000),
    daily=st.booleans(),
)
def test_totals_equal_the_register_when_a_profile_covers_part_of_it(covered, register_wh, daily):
    times = T0 + np.array(sorted(covered), dtype=np.int64) * 900 * SECOND
    profile = Channel(
        kind="interval",
        times_us=times,
        values=np.full(times.size, 200, dtype=np.int64),
        exponent=3,
        uwh_per_unit=KWH,
        interval_s=900,
    )
    register = cumulative(
        as_times([86400]), [5000, 5000 + register_wh], interval_s=86400 if daily else 900, total_priority=1
    )

    energy = derive_flow([profile, register], ALWAYS)

    assert_is_sound(energy)
    assert int(energy.energy_uwh.sum()) == register_wh * 10**6
    assert int(energy.duration_us.sum()) == 86400 * SECOND
