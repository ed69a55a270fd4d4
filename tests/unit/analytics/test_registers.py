from datetime import UTC, datetime
from fractions import Fraction

import numpy as np
import pytest

from analytics.calendar import UtcRange, to_us
from analytics.errors import BrokenContractError
from analytics.quality import Quality
from analytics.registers import Channel, derive_flow, infer_interval_s

START = datetime(2024, 1, 1, tzinfo=UTC)
T0 = to_us(START)
ALWAYS = UtcRange(datetime(1970, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
MINUTE = 60_000_000
KWH = Fraction(10**9)


def channel(minutes, values, **changes):
    settings = {"kind": "cumulative", "exponent": 3, "uwh_per_unit": KWH, "interval_s": 900} | changes
    return Channel(
        times_us=np.array([T0 + round(minute * MINUTE) for minute in minutes], dtype=np.int64),
        values=np.array(values, dtype=np.int64),
        **settings,
    )


def instants(*minutes):
    return np.array([T0 + minute * MINUTE for minute in minutes], dtype=np.int64)


def derived(*channels, window=ALWAYS):
    """Give rows of (start minute, minutes, energy in mWh, quality)."""
    energy = derive_flow(channels, window)
    columns = (energy.start_us - T0, energy.duration_us, energy.energy_uwh, energy.quality)
    return [
        (start / MINUTE, duration / MINUTE, uwh / 1000, Quality(code))
        for start, duration, uwh, code in zip(*columns, strict=True)
    ]


def test_a_register_is_differenced_and_labelled_by_the_start():
    assert derived(channel([0, 15, 30], [1000, 1250, 1250])) == [
        (0, 15, 250_000, Quality.MEASURED),
        (15, 15, 0, Quality.MEASURED),
    ]


def test_a_rollover_is_told_by_the_declared_digits():
    rows = derived(channel([0, 15], [99_999_900, 100], register_digits=5))

    assert rows == [(0, 15, 200_000, Quality.ROLLOVER)]


def test_a_rollover_is_told_by_the_width_past_readings_show():
    assert derived(channel([0, 15], [999_999_900, 100])) == [(0, 15, 200_000, Quality.ROLLOVER)]
    # The same fall of a register known to have shown a seventh digit is a reset.
    assert derived(channel([0, 15], [999_999_900, 100], past_max=1_000_000_000)) == [(0, 15, 0, Quality.RESET)]


@pytest.mark.parametrize(
    ("before", "after", "energy_mwh"),
    [
        (16_777_215_900, 0, 100_000),
        (838_860_700, 100, 200_000),
        (4_294_967_295_000, 1000, 2_000_000),
    ],
)
def test_binary_counters_of_the_field_roll_over_too(before, after, energy_mwh):
    assert derived(channel([0, 15], [before, after])) == [(0, 15, energy_mwh, Quality.ROLLOVER)]


def test_declared_digits_leave_no_room_for_a_binary_counter():
    assert derived(channel([0, 15], [838_860_700, 100], register_digits=6)) == [(0, 15, 0, Quality.RESET)]


def test_a_fall_that_needs_unusual_power_is_a_reset_once_enough_is_known():
    minutes = [15 * n for n in range(13)]
    usual = [99_990_000 + 10 * n for n in range(12)]  # 10 Wh each
    few = derived(channel([0, 15, 30], [99_990_000, 99_990_010, 100], register_digits=5))
    many = derived(channel(minutes, [*usual, 100], register_digits=5))

    assert few[-1][3] == Quality.ROLLOVER
    assert many[-1][3] == Quality.RESET


def test_an_exchange_between_or_at_the_end_counts_nothing():
    values = [5000, 5100, 0, 50]
    within = derived(channel([0, 15, 30, 45], values, exchanges_us=instants(20)))
    at_end = derived(channel([0, 15, 30, 45], values, exchanges_us=instants(30)))

    assert within == at_end
    assert [row[2:] for row in within] == [
        (100_000, Quality.MEASURED),
        (0, Quality.EXCHANGE),
        (50_000, Quality.MEASURED),
    ]


def test_a_new_meter_has_its_own_width():
    # The old meter showed six digits, the new one rolls over at three.
    rows = derived(channel([0, 15, 30], [900_000_000, 999_900, 100], exchanges_us=instants(10)))

    assert [row[3] for row in rows] == [Quality.EXCHANGE, Quality.ROLLOVER]
    assert rows[1][2] == 200_000


def test_a_gap_is_bridged_exactly_over_its_intervals():
    rows = derived(channel([0, 15, 60, 75], [0, 10, 20, 30]))

    assert [row[3] for row in rows] == [Quality.MEASURED] + [Quality.ESTIMATED] * 3 + [Quality.MEASURED]
    assert [row[0] for row in rows] == [0, 15, 30, 45, 60]
    assert sum(row[2] for row in rows[1:4]) == 10_000


def test_a_jitter_up_to_half_an_interval_is_no_gap():
    assert [row[3] for row in derived(channel([0, 22.5], [0, 10]))] == [Quality.MEASURED]
    assert [row[3] for row in derived(channel([0, 22.6], [0, 10]))] == [Quality.ESTIMATED] * 2


def test_a_daily_register_is_spread_over_hours():
    rows = derived(channel([0, 1440], [0, 12_000], interval_s=86400))

    assert rows == [(60 * hour, 60, 500_000, Quality.SPREAD) for hour in range(24)]


def test_a_missed_daily_reading_is_estimated():
    rows = derived(channel([0, 2880], [0, 12_000], interval_s=86400))

    assert len(rows) == 48
    assert {row[3] for row in rows} == {Quality.ESTIMATED}


def test_a_difference_above_400_days_counts_nothing():
    day = 1440
    kept = derived(channel([0, 400 * day], [0, 100], interval_s=3600))
    dropped = derived(channel([0, 400 * day + 1], [0, 100], interval_s=3600))

    assert len(kept) == 9600
    assert sum(round(row[2] * 1000) for row in kept) == 100_000_000
    assert [row[2:] for row in dropped] == [(0, Quality.IMPLAUSIBLE)]


def test_a_jump_beyond_plausible_power_counts_nothing():
    rows = derived(channel([0, 15, 30], [0, 25_000, 50_001]))

    assert [row[2:] for row in rows] == [(25_000_000, Quality.MEASURED), (0, Quality.IMPLAUSIBLE)]


def test_ct_and_vt_ratios_widen_energy_and_plausible_power_together():
    ratio = Fraction(200, 5) * 10
    rows = derived(channel([0, 15], [0, 1000], uwh_per_unit=KWH * ratio, max_power_w=1e5 * float(ratio)))

    assert rows == [(0, 15, 400_000_000, Quality.MEASURED)]


def test_interval_values_keep_their_time_and_tell_wrong_ones():
    rows = derived(channel([0, 15, 25, 60], [100, -1, 26_000, 50], kind="interval"))

    assert rows == [
        (0, 15, 100_000, Quality.MEASURED),
        (15, 10, 0, Quality.NEGATIVE),
        (25, 15, 0, Quality.IMPLAUSIBLE),
        (60, 15, 50_000, Quality.MEASURED),
    ]


def test_a_daily_interval_value_is_spread_over_hours():
    rows = derived(channel([0], [24_000], kind="interval", interval_s=86400))

    assert rows == [(60 * hour, 60, 1_000_000, Quality.SPREAD) for hour in range(24)]


def test_joules_are_exact_over_a_day():
    day = channel(
        [15 * n for n in range(96)], [1] * 96, kind="interval", exponent=0, uwh_per_unit=Fraction(2500, 9)
    )

    energy = derive_flow([day], ALWAYS).energy_uwh

    assert int(energy.sum()) == round(Fraction(2500, 9) * 96)
    assert set(energy.tolist()) == {277, 278}


def test_the_profile_wins_and_the_register_gives_the_rest():
    profile = channel([0, 15, 45], [100, 100, 100], kind="interval", total_priority=0)
    register = channel([0, 60], [0, 450], interval_s=3600, total_priority=1)

    rows = derived(register, profile)

    assert rows == [
        (0, 15, 100_000, Quality.MEASURED),
        (15, 15, 100_000, Quality.MEASURED),
        (30, 15, 150_000, Quality.ESTIMATED),
        (45, 15, 100_000, Quality.MEASURED),
    ]


def test_a_register_below_its_profile_gives_nothing_more():
    profile = channel([0], [100], kind="interval")
    register = channel([0, 60], [0, 50], interval_s=3600, total_priority=1)

    assert derived(profile, register) == [
        (0, 15, 100_000, Quality.MEASURED),
        (15, 45, 0, Quality.ESTIMATED),
    ]


def test_an_invalid_profile_interval_lets_the_register_through():
    profile = channel([0, 15], [100, -5], kind="interval")
    register = channel([0, 15, 30], [0, 100, 220], total_priority=1)

    assert derived(profile, register) == [
        (0, 15, 100_000, Quality.MEASURED),
        (15, 15, 120_000, Quality.MEASURED),
    ]


def test_an_invalid_interval_shows_where_nothing_else_is_known():
    profile = channel([0, 15], [100, -5], kind="interval")
    register = channel([0, 15], [0, 100], total_priority=1)

    assert derived(profile, register)[1] == (15, 15, 0, Quality.NEGATIVE)


def test_tariff_registers_are_summed_where_both_are_known():
    high = channel([0, 15, 30, 45], [0, 100, 100, 100], additive=True)
    low = channel([0, 15, 30], [0, 0, 70], additive=True)

    assert derived(high, low) == [
        (0, 15, 100_000, Quality.MEASURED),
        (15, 15, 70_000, Quality.MEASURED),
    ]


def test_a_tariff_that_cannot_be_told_leaves_the_sum_untold():
    high = channel([0, 15], [500_000, 100], additive=True, past_max=9_000_000)
    low = channel([0, 15], [0, 70], additive=True)

    assert derived(high, low) == [(0, 15, 0, Quality.RESET)]


def test_only_intervals_that_start_in_the_window_are_given():
    window = UtcRange(START.replace(minute=15), START.replace(minute=30))

    rows = derived(channel([0, 15, 30, 45], [0, 1, 2, 3]), window=window)

    assert [row[0] for row in rows] == [15]


def test_times_below_a_second_keep_their_exact_length():
    energy = derive_flow([channel([0, 15.005, 30], [0, 1, 2])], ALWAYS)

    assert energy.duration_us.tolist() == [900_300_000, 899_700_000]
    assert energy.duration_s.tolist() == [900, 900]
    assert energy.duration_s.dtype == np.int32


@pytest.mark.parametrize("kind", ["cumulative", "interval"])
def test_nothing_is_known_from_nothing_and_a_single_reading_of_unknown_length(kind):
    assert derived() == []
    assert derived(channel([], [], kind=kind)) == []
    assert derived(channel([0], [5], kind=kind, interval_s=None)) == []


@pytest.mark.parametrize(
    ("minutes", "interval_s"),
    [
        ([0, 15, 30, 45.5, 90], 900),
        ([0, 1440, 2820, 4260], 86400),
        ([0, 7, 14], 420),
        ([0, 44640, 86400], 2592000),
        ([0, 0.5], 30),
        ([0], None),
        ([], None),
    ],
)
def test_the_interval_is_the_usual_spacing(minutes, interval_s):
    assert infer_interval_s(np.array([T0 + int(m * MINUTE) for m in minutes], dtype=np.int64)) == interval_s


def test_wrong_channels_are_our_bug():
    for wrong in (
        {"exponent": -1},
        {"interval_s": 0},
        {"register_digits": 0},
        {"max_power_w": 0.0},
    ):
        with pytest.raises(BrokenContractError):
            channel([0, 15], [0, 1], **wrong)
    with pytest.raises(BrokenContractError, match="strictly"):
        channel([15, 15], [0, 1])
    with pytest.raises(BrokenContractError, match="elements"):
        derived(channel([0, 15], [0]))
    with pytest.raises(BrokenContractError, match="scaled"):
        derived(channel([0, 15], [0, 1], uwh_per_unit=Fraction(1, 10**12)))
