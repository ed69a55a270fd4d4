from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.disaggregation.model import disaggregate
from analytics.disaggregation.reconcile import month_day_totals_mwh
from analytics.kernels.rounding import round_rows
from analytics.kernels.standby import daily_statistics, level_energy, weekly_levels
from analytics.rounding import round_cumulatively, round_half_even
from tests.reference import standby as naive
from tests.unit.analytics.disaggregation.homes import Home, batch_of

DAY_US = 86_400_000_000
moderate = settings(max_examples=60, deadline=None)
energies = st.lists(st.integers(0, 10**13), max_size=31)


@st.composite
def homes(draw):
    """Draw a home of a few short days of odd lengths, with holes and invalid intervals."""
    n_days = draw(st.integers(1, 16))
    n_context = draw(st.integers(0, n_days - 1))
    lengths = draw(st.lists(st.sampled_from([0, 23, 24, 24, 24, 25]), min_size=n_days, max_size=n_days))
    edges_us = np.concatenate(([0], np.cumsum(lengths))).astype(np.int64) * 3_600_000_000
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    step_s = draw(st.sampled_from([1800, 3600, 5400]))
    start_us = np.arange(-DAY_US, edges_us[-1] + DAY_US, step_s * 1_000_000, dtype=np.int64)
    start_us = start_us[rng.random(start_us.size) < draw(st.sampled_from([0.0, 0.5, 0.9, 1.0]))]
    return Home(
        start_us=start_us,
        duration_s=np.full(start_us.size, step_s, dtype=np.int32),
        energy_uwh=rng.integers(0, 10 ** rng.integers(1, 10), start_us.size),
        is_valid=rng.random(start_us.size) < draw(st.sampled_from([0.0, 0.5, 1.0])),
        edges_us=edges_us,
        first_day=draw(st.integers(-20, 20_000)),
        n_context_days=n_context,
    )


@moderate
@given(st.lists(homes(), min_size=1, max_size=5))
def test_a_home_alone_equals_the_home_in_a_batch(batch):
    together = disaggregate(batch_of(*batch))

    for i, subject in enumerate(batch):
        alone = disaggregate(batch_of(subject))
        rows = slice(together.target_offsets[i], together.target_offsets[i + 1])
        assert alone.total_mwh.tolist() == together.total_mwh[rows].tolist()
        assert alone.parts_mwh.tolist() == together.parts_mwh[rows].tolist()
        assert alone.confidence[0].tolist() == together.confidence[i].tolist()
        assert alone.valid_s.tolist() == together.valid_s[rows].tolist()


@moderate
@given(homes())
def test_parts_are_never_negative_and_add_up_to_the_rounded_month(subject):
    result = disaggregate(batch_of(subject))

    target = subject.edges_us[subject.n_context_days :]
    inside = (subject.start_us >= target[0]) & (subject.start_us < target[-1])
    month_uwh = int(subject.energy_uwh[inside].sum())
    assert np.all(result.parts_mwh >= 0)
    assert result.parts_mwh.sum(axis=1).tolist() == result.total_mwh.tolist()
    assert int(result.total_mwh.sum()) == round_half_even(month_uwh, 1000)
    assert np.all((result.confidence >= 0) & (result.confidence <= 1))
    standby = result.parts_mwh[:, 0]
    assert np.all(standby[result.valid_s == 0] == 0)


@moderate
@given(homes(), st.integers(0, 15))
def test_a_day_depends_on_no_later_day_of_the_month_for_its_total(subject, cut):
    n_days = subject.edges_us.size - 1
    kept = max(n_days - cut, subject.n_context_days)
    shorter = Home(**{**vars(subject), "edges_us": subject.edges_us[: kept + 1]})

    whole, part = disaggregate(batch_of(subject)), disaggregate(batch_of(shorter))

    assert part.total_mwh.tolist() == whole.total_mwh[: part.total_mwh.size].tolist()


@moderate
@given(homes())
def test_the_kernels_of_standby_agree_with_their_naive_twins(subject):
    batch = batch_of(subject)
    rows = list(
        zip(
            *(getattr(subject, name).tolist() for name in ("start_us", "duration_s", "energy_uwh", "is_valid")),
            strict=True,
        )
    )
    edges = subject.edges_us.tolist()
    shared = {
        "offsets": batch.offsets,
        "start_us": batch.start_us,
        "duration_s": batch.duration_s,
        "is_valid": batch.is_valid,
        "edge_offsets": batch.edge_offsets,
        "edges_us": batch.day_edges_us,
    }

    total_uwh, valid_s, n_valid, minimum_w = daily_statistics(**shared, energy_uwh=batch.energy_uwh)
    days = naive.daily(rows, edges)
    assert list(zip(total_uwh, valid_s, strict=True)) == [day[:2] for day in days]
    least = [np.inf if day[2] is None else day[2] for day in days]
    assert minimum_w == pytest.approx(least, rel=1e-12)
    assert n_valid.sum() == sum(row[3] for row in rows if edges[0] <= row[0] < edges[-1])

    usable = np.where(np.isinf(minimum_w), np.nan, minimum_w)
    level_w, _ = weekly_levels(
        day_offsets=batch.day_offsets,
        first_day=batch.first_day,
        minimum_w=usable,
        reference_days=10,
        reference_weight=3.0,
    )
    minima = [None if np.isnan(m) else float(m) for m in usable]
    expected_w = [naive.weekly_level(subject.first_day, minima, d, 10, 3.0) for d in range(len(minima))]
    assert level_w == pytest.approx(expected_w, rel=1e-9, abs=1e-12)

    interval_uwh, day_uwh = level_energy(**shared, residual_uwh=batch.energy_uwh, level_w=level_w)
    assert interval_uwh.tolist() == naive.level_energy(rows, edges, level_w.tolist())
    assert day_uwh.sum() == interval_uwh.sum()


@moderate
@given(st.lists(energies, min_size=1, max_size=4), st.sampled_from([1, 2, 7, 1000, 10_000]))
def test_cumulative_rounding_of_rows_agrees_with_its_definition(rows, step):
    offsets = np.concatenate(([0], np.cumsum([len(row) for row in rows]))).astype(np.int64)
    amounts = np.array([amount for row in rows for amount in row], dtype=np.int64)

    rounded = round_rows(offsets, amounts, step)

    assert rounded.tolist() == [amount for row in rows for amount in round_cumulatively(row, step)]


@moderate
@given(energies)
def test_days_of_a_month_add_up_to_its_half_even_rounding(amounts):
    totals = month_day_totals_mwh(np.array(amounts, dtype=np.int64))

    assert int(totals.sum()) == round_half_even(sum(amounts), 1000)
    assert all(abs(total * 1000 - amount) <= 1000 for total, amount in zip(totals.tolist(), amounts, strict=True))
    assert np.all(totals >= 0)


@moderate
@given(st.integers(-(10**20), 10**20), st.integers(1, 10**6))
def test_half_even_rounding_is_that_of_decimals(amount, step):
    assert round_half_even(amount, step) == round(Fraction(amount, step))
