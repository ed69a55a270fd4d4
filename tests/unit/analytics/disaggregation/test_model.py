from dataclasses import replace

import numpy as np
import pytest

from analytics.disaggregation.batch import CLASSES
from analytics.disaggregation.model import MODEL_VERSION, disaggregate
from analytics.disaggregation.statistics import day_statistics
from analytics.errors import BrokenContractError
from tests.unit.analytics.disaggregation.homes import batch_of, home


def with_evening_load(subject, *, extra_w=1500.0):
    """Add a load in every fourth half hour or so."""
    energy_uwh = subject.energy_uwh.copy()
    energy_uwh[::4] += np.int64(round(extra_w * 1800 / 0.0036))
    return replace(subject, energy_uwh=energy_uwh)


def part(result, appliance):
    return result.parts_mwh[:, CLASSES.index(appliance)]


def assert_is_exact(result, *homes):
    assert np.all(result.parts_mwh >= 0)
    assert result.parts_mwh.sum(axis=1).tolist() == result.total_mwh.tolist()
    assert np.all((result.confidence >= 0) & (result.confidence <= 1))
    for i, subject in enumerate(homes):
        rows = slice(result.target_offsets[i], result.target_offsets[i + 1])
        inside = subject.start_us >= subject.edges_us[subject.n_context_days]
        assert abs(int(result.total_mwh[rows].sum()) * 1000 - int(subject.energy_uwh[inside].sum())) <= 500


@pytest.mark.parametrize(("month", "n_days", "odd_day", "hours"), [(3, 31, 30, 23), (10, 31, 26, 25)])
def test_months_with_a_clock_change_have_days_of_their_length(month, n_days, odd_day, hours):
    subject = home(2013, month, interval_s=900)

    result = disaggregate(batch_of(subject))

    assert_is_exact(result, subject)
    assert result.total_mwh.size == n_days
    assert result.total_mwh[odd_day] == hours * 100_000
    assert result.total_mwh[0] == 24 * 100_000
    assert result.expected_s[odd_day] == result.valid_s[odd_day] == hours * 3600


def test_a_constant_load_is_standby_at_quarter_hours():
    subject = home(2023, 9, interval_s=900)

    result = disaggregate(batch_of(subject))

    assert result.model_version == MODEL_VERSION
    assert part(result, "standby").tolist() == result.total_mwh.tolist()
    assert result.confidence.tolist() == [[1.0] * len(CLASSES)]


def test_standby_is_the_level_below_the_loads():
    subject = with_evening_load(home(2023, 9))

    result = disaggregate(batch_of(subject))

    assert_is_exact(result, subject)
    standby_w = part(result, "standby").sum() / 1000 / (30 * 24)
    assert 80 < standby_w < 110


def statistics_of(subject):
    batch = batch_of(subject)
    names = ("offsets", "start_us", "duration_s", "energy_uwh", "is_valid", "edge_offsets", "day_edges_us")
    return day_statistics(**{name: getattr(batch, name) for name in names})


def remembering(subject, n_days):
    """Let a home remember days like those of its own month."""
    rows = statistics_of(subject)
    return replace(subject, history=np.tile(rows, (-(-n_days // len(rows)), 1))[:n_days])


def test_context_is_not_given_and_does_not_change_what_is_remembered():
    subject = remembering(home(2023, 9, interval_s=900), 91)
    with_context = replace(home(2023, 9, context_days=1, interval_s=900), history=subject.history)

    alone, together = disaggregate(batch_of(subject)), disaggregate(batch_of(with_context))

    assert alone.parts_mwh.tolist() == together.parts_mwh.tolist()
    assert alone.statistics.tolist() == together.statistics.tolist()


def test_what_is_kept_of_the_days_is_what_their_intervals_alone_give():
    subject = with_evening_load(home(2023, 9))

    assert disaggregate(batch_of(subject)).statistics.tolist() == statistics_of(subject).tolist()


def test_an_all_gap_month_gives_nothing_with_no_confidence():
    subject = home(2013, 3)
    empty = replace(
        subject,
        start_us=subject.start_us[:0],
        duration_s=subject.duration_s[:0],
        energy_uwh=subject.energy_uwh[:0],
        is_valid=subject.is_valid[:0],
    )

    result = disaggregate(batch_of(empty))

    assert not result.parts_mwh.any()
    assert not result.confidence.any()
    assert result.valid_s.sum() == 0


def test_a_zero_home_is_zero_and_certain():
    result = disaggregate(batch_of(home(2023, 9, power_w=0.0)))

    assert result.parts_mwh.sum() == 0
    assert np.all(result.confidence == 1.0)


def test_a_one_day_month_is_disaggregated():
    subject = with_evening_load(home(2023, 9, n_days=1))

    result = disaggregate(batch_of(subject))

    assert_is_exact(result, subject)
    assert result.total_mwh.size == 1
    assert part(result, "standby")[0] > 0


def test_a_single_interval_is_too_little_to_tell_standby():
    subject = home(2023, 9)
    single = replace(
        subject,
        start_us=subject.start_us[100:101],
        duration_s=subject.duration_s[100:101],
        energy_uwh=subject.energy_uwh[100:101],
        is_valid=subject.is_valid[100:101],
    )

    result = disaggregate(batch_of(single))

    assert_is_exact(result, single)
    assert part(result, "standby").sum() == 0
    assert result.parts_mwh[2].sum() == result.parts_mwh.sum() == 50_000
    assert result.confidence.max() < 0.01


def test_estimated_intervals_count_in_the_total_and_teach_nothing():
    subject = home(2023, 9, interval_s=900)
    is_valid = subject.is_valid.copy()
    is_valid[: 5 * 96] = False
    energy_uwh = subject.energy_uwh.copy()
    energy_uwh[: 5 * 96] //= 10

    result = disaggregate(batch_of(replace(subject, is_valid=is_valid, energy_uwh=energy_uwh)))

    assert result.total_mwh[:5].tolist() == [240_000] * 5
    assert part(result, "standby")[:5].tolist() == [0] * 5
    assert part(result, "standby")[5:].min() >= 2_399_999
    assert result.confidence[0, CLASSES.index("standby")] == pytest.approx(25 / 30)


def test_standby_is_never_more_than_the_day_uses():
    subject = home(2023, 9, interval_s=900)
    energy_uwh = subject.energy_uwh.copy()
    energy_uwh[10 * 96 : 11 * 96] //= 4

    result = disaggregate(batch_of(replace(subject, energy_uwh=energy_uwh)))

    assert part(result, "standby")[10] == result.total_mwh[10] == 600_000


def test_no_home_gives_no_result():
    result = disaggregate(batch_of())

    assert result.parts_mwh.shape == (0, len(CLASSES))
    assert result.confidence.shape == (0, len(CLASSES))


def test_wrong_batches_are_our_bug():
    subject = home(2023, 9)
    for wrong in (
        {"energy_uwh": -subject.energy_uwh},
        {"start_us": subject.start_us[::-1].copy()},
        {"duration_s": subject.duration_s * 0},
        {"n_context_days": 31},
    ):
        with pytest.raises(BrokenContractError):
            disaggregate(batch_of(replace(subject, **wrong)))
