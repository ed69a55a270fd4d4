from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.disaggregation.batch import CLASSES
from analytics.disaggregation.columns import N_COLUMNS
from analytics.disaggregation.households import household_of
from analytics.disaggregation.model import disaggregate
from analytics.disaggregation.statistics import day_statistics
from analytics.rounding import round_half_even
from tests.reference import days as naive
from tests.unit.analytics.disaggregation.homes import Home, batch_of

DAY_US = 86_400_000_000
moderate = settings(max_examples=60, deadline=None)


APPLIANCES = (
    {"key": "FRIDGE", "type": "FREEZER", "amount": 1},
    {"key": "WASHING_MACHINE", "amount": 1},
    {"key": "ELECTRIC_STOVE", "type": "INDUCTION", "amount": 1},
    {"key": "ELECTRIC_HEATING", "type": "HEAT_PUMP", "amount": 1},
    {"key": "ELECTRIC_BOILER", "usage_type": "WATER_HEATING", "water_tank": True, "amount": 1},
    {"key": "AC", "type": "WINDOW", "usage_type": "SUMMER", "amount": 1},
    {"key": "ELECTRIC_VEHICLE", "type": "CAR", "wattages": [3700], "amount": 1},
    {"key": "ELECTRIC_VEHICLE", "type": "CAR", "wattages": [0], "amount": 1},
)


@st.composite
def homes(draw):
    """Draw a home of a few short days of odd lengths, with holes and invalid intervals."""
    n_days = draw(st.integers(1, 16))
    n_context = draw(st.integers(0, n_days - 1))
    lengths = draw(st.lists(st.sampled_from([0, 23, 24, 24, 24, 25]), min_size=n_days, max_size=n_days))
    edges_us = np.concatenate(([0], np.cumsum(lengths))).astype(np.int64) * 3_600_000_000
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    step_s = draw(st.sampled_from([900, 1800, 3600, 5400]))
    start_us = np.arange(-DAY_US, edges_us[-1] + DAY_US, step_s * 1_000_000, dtype=np.int64)
    start_us = start_us[rng.random(start_us.size) < draw(st.sampled_from([0.0, 0.5, 0.9, 1.0]))]
    appliances = draw(st.none() | st.lists(st.sampled_from(APPLIANCES), max_size=6))
    return Home(
        household=household_of({"people_amount": draw(st.integers(0, 8))}, appliances),
        history=rng.integers(0, 2 ** draw(st.integers(0, 16)), (draw(st.integers(0, 40)), N_COLUMNS)).astype(
            np.uint16
        ),
        start_us=start_us,
        duration_s=np.full(start_us.size, step_s, dtype=np.int32),
        energy_uwh=rng.integers(0, 10 ** rng.integers(1, 11), start_us.size),
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
        assert alone.lower_mwh[0].tolist() == together.lower_mwh[i].tolist()
        assert alone.upper_mwh[0].tolist() == together.upper_mwh[i].tolist()
        chosen = together.cycles.home == i
        for name in ("appliance", "start_us", "end_us", "energy_mwh"):
            assert getattr(alone.cycles, name).tolist() == getattr(together.cycles, name)[chosen].tolist()


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
    months = result.parts_mwh.sum(axis=0)
    assert np.all((result.lower_mwh[0] >= 0) & (result.lower_mwh[0] <= months))
    assert np.all((result.upper_mwh[0] >= months) & (result.upper_mwh[0] <= result.total_mwh.sum()))
    known = np.delete(result.parts_mwh, CLASSES.index("others"), axis=1)
    assert not known[result.valid_s == 0].any()


@moderate
@given(homes())
def test_what_is_not_on_a_list_has_no_energy(subject):
    result = disaggregate(batch_of(subject))

    household = subject.household
    if household.has_appliance_list:
        owned = {
            "boiler": household.boilers,
            "cooking": household.stoves,
            "cooling": household.cools,
            "electric_vehicle": len(household.ev_wattages_w),
            "fridge": sum(household.fridges),
            "heating": household.heats,
            "washing": household.washing_machines,
        }
        for name, count in owned.items():
            assert count or not result.parts_mwh[:, CLASSES.index(name)].any(), name


@moderate
@given(homes())
def test_the_pieces_of_charges_are_the_vehicle_and_lie_within_their_days(subject):
    result = disaggregate(batch_of(subject))

    target = subject.edges_us[subject.n_context_days :]
    cycles = result.cycles
    day = np.searchsorted(target, cycles.start_us, side="right") - 1
    assert np.all((day >= 0) & (cycles.start_us < cycles.end_us) & (cycles.energy_mwh > 0))
    assert np.all(cycles.end_us <= target[np.minimum(day + 1, target.size - 1)])
    for k in range(len(CLASSES)):
        chosen = cycles.appliance == k
        sums = np.zeros(target.size - 1, dtype=np.int64)
        np.add.at(sums, day[chosen], cycles.energy_mwh[chosen])
        printed = result.parts_mwh[:, k]
        assert np.all(sums == printed if CLASSES[k] == "electric_vehicle" else sums <= printed)


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
def test_what_is_kept_of_days_agrees_with_its_naive_twin(subject):
    batch = batch_of(subject)
    names = ("start_us", "duration_s", "energy_uwh", "is_valid")
    rows = list(zip(*(getattr(subject, name).tolist() for name in names), strict=True))

    kept = day_statistics(
        **{name: getattr(batch, name) for name in ("offsets", "edge_offsets", "day_edges_us", *names)}
    )

    expected = naive.days(rows, subject.edges_us.tolist())
    assert kept[:, :11].tolist() == pytest.approx(np.array(expected), abs=1)


@moderate
@given(st.integers(-(10**20), 10**20), st.integers(1, 10**6))
def test_half_even_rounding_is_that_of_decimals(amount, step):
    assert round_half_even(amount, step) == round(Fraction(amount, step))
