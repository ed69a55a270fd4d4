import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.disaggregation.columns import N_COLUMNS, PLATEAU_W
from analytics.disaggregation.stages.plateaus import longest_plateau
from analytics.disaggregation.stages.vehicles import separate_vehicles
from tests.reference import vehicles as naive

moderate = settings(max_examples=60, deadline=None)
DAY_S = 86_400
POWERS_W = [0.0, 100.0, 900.0, 2300.0, 3600.0, 7200.0, 11_000.0]


@st.composite
def intervals(draw):
    """Draw a home's intervals: blocks of usual powers, noise, gaps in time and invalid ones."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    step_s = draw(st.sampled_from([7, 60, 900, 1800, 3600, 3660]))
    n = draw(st.integers(0, 400))
    start_us = np.cumsum(np.where(rng.random(n) < draw(st.sampled_from([0.0, 0.1])), 3, 1)) * step_s * 1_000_000
    power_w = rng.choice(POWERS_W, n)
    keep = rng.random(n) < draw(st.sampled_from([0.0, 0.7, 0.95]))
    for i in range(1, n):
        power_w[i] = power_w[i - 1] if keep[i] else power_w[i]
    power_w *= rng.uniform(1.0 - draw(st.sampled_from([0.0, 0.05, 0.5])), 1.0, n)
    if n and draw(st.booleans()):
        power_w[rng.integers(n)] = 1e6
    is_valid = rng.random(n) >= draw(st.sampled_from([0.0, 0.1, 1.0]))
    return start_us.astype(np.int64), np.full(n, step_s, dtype=np.int32), power_w * step_s / 3600, is_valid


@st.composite
def experiences(draw):
    """Draw days with plateaus anywhere in 16 bits."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    rows = rng.integers(0, 65_536, (draw(st.integers(0, 40)), N_COLUMNS)).astype(np.uint16)
    rows[:, PLATEAU_W] = rng.choice([0, 2300, 3580, 3600, 7150, 7200, 65_535], rows.shape[0])
    rows[:, PLATEAU_W + 1] = rng.choice([30, 90, 400, 1440], rows.shape[0])
    return rows


@moderate
@given(
    intervals(),
    experiences(),
    st.sampled_from([0, 1, 2]),
    st.lists(st.sampled_from([0.0, 1.0, 2300.0, 3600.0, 7400.0, 1e9]), max_size=3),
)
def test_charges_take_no_more_than_there_is_never_overlap_and_are_sums_of_their_intervals(
    home, experience, ownership, wattages
):
    start_us, duration_s, wh, is_valid = home
    n = start_us.size
    residual_wh = np.where(is_valid, wh, 0.0)
    out_wh, session_wh = np.full(n, np.nan), np.full(n, np.nan)
    begin_us, end_us = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
    seconds = start_us // 1_000_000

    count, variance, posterior = separate_vehicles(
        start_us,
        duration_s,
        residual_wh,
        is_valid,
        np.searchsorted(seconds, DAY_S * np.arange(int(seconds.max(initial=0)) // DAY_S + 2)),
        seconds % DAY_S,
        np.linspace(0.0, 20.0, n),
        experience,
        experience.shape[0] // 2,
        np.array(wattages if ownership == 1 else [], dtype=np.float64),
        ownership,
        out_wh,
        begin_us,
        end_us,
        session_wh,
    )

    if count == 0:
        out_wh[:] = 0.0
    assert np.all((out_wh >= 0) & (out_wh <= residual_wh * (1 + 1e-12)))
    assert np.isfinite(variance)
    assert variance >= 0
    assert 0 <= posterior <= 1
    assert 0 <= count <= n
    assert np.all(begin_us[:count] < end_us[:count])
    assert np.all(end_us[: max(count - 1, 0)] <= begin_us[1:count])
    stop_us = start_us + duration_s.astype(np.int64) * 1_000_000
    for k in range(count):
        inside = (stop_us > begin_us[k]) & (start_us < end_us[k])
        assert session_wh[k] == pytest.approx(out_wh[inside].sum(), rel=1e-9)
        assert np.all(is_valid[inside])
    assert out_wh.sum() == pytest.approx(session_wh[:count].sum(), rel=1e-9, abs=1e-9)


@moderate
@given(intervals())
def test_the_longest_plateau_agrees_with_its_naive_twin(home):
    _, duration_s, wh, is_valid = home
    energy_uwh = np.rint(wh * 1e6).astype(np.int64)
    powers = energy_uwh[is_valid] * 0.0036 / duration_s[is_valid]
    least_w = float(powers.min()) if powers.size else np.inf

    is_even = bool(duration_s.size and is_valid.all() and np.all(duration_s == duration_s[0]))

    level_w, length_s, first = longest_plateau(duration_s, energy_uwh, is_valid, is_even, least_w)

    rows = list(zip(duration_s.tolist(), energy_uwh.tolist(), is_valid.tolist(), strict=True))
    expected = naive.longest_plateau(rows, least_w)
    assert (level_w, length_s, first) == (pytest.approx(expected[0], rel=1e-9), expected[1], expected[2])
