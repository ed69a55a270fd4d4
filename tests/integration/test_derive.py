"""Readings into interval energy: what is derived, and that only what a change can alter is derived again."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest

from pipelines import clock, crud
from pipelines.accounts.principals import Principal
from pipelines.db.engine import unit_of_work
from pipelines.insight.work import Limits
from pipelines.metering.resources import CONFIG, DEVICE, SERIES, TYPE
from tests.integration.world import QUARTER, T0, World

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
MEASURED, ROLLOVER, SPREAD, ESTIMATED, RESET, EXCHANGE = range(6)


def rewritten(world: World, table: str, before: dict) -> list:
    """Return the keys of rows that are new or were written again since ``before``."""
    return sorted(key for key, xmin in stamps(world, table).items() if before.get(key) != xmin)


def stamps(world: World, table: str) -> dict:
    columns = {
        "interval_energy": "device_id, start_at",
        "daily_energy": "device_id, day",
        "energy_hourly_v1": "device_id, bucket",
    }
    rows = world.rows(f"SELECT {columns[table]}, xmin::text FROM wattloom.{table}")
    return {row[:-1]: row[-1] for row in rows}


def test_a_correction_rewrites_the_intervals_beside_it_and_no_other(world: World):
    series = world.series(interval_s=900)
    devices = [world.device(series) for _ in range(3)]
    world.write((d, series, T0 + n * QUARTER, n) for d in devices for n in range(2000))
    world.work_off()
    before, days = stamps(world, "interval_energy"), stamps(world, "daily_energy")
    world.write([(devices[1], series, T0 + 1000 * QUARTER, "1000.5")])
    done = world.derive()
    assert (done.devices, done.windows, done.intervals) == (1, 1, 2)
    touched = rewritten(world, "interval_energy", before)
    assert touched == [(devices[1].sensor_id, T0 + n * QUARTER) for n in (999, 1000)]
    assert world.refresh().local_days == 1
    assert rewritten(world, "daily_energy", days) == [(devices[1].sensor_id, (T0 + 1000 * QUARTER).date())]


def test_a_new_day_at_the_end_rewrites_nothing_before_it(world: World):
    series = world.series(interval_s=900)
    device = world.device(series)
    world.write((device, series, T0 + n * QUARTER, n) for n in range(97))
    world.work_off()
    before = stamps(world, "interval_energy")
    world.write((device, series, T0 + n * QUARTER, n) for n in range(97, 193))
    assert world.derive().intervals == 96
    assert rewritten(world, "interval_energy", before) == [
        (device.sensor_id, T0 + n * QUARTER) for n in range(96, 192)
    ]


def test_two_corrections_far_apart_in_two_batches_stay_two_windows(world: World):
    series = world.series(interval_s=900)
    device = world.device(series)
    world.write((device, series, T0 + n * QUARTER, n) for n in range(3000))
    world.derive()
    for n in (10, 2900):
        world.write([(device, series, T0 + n * QUARTER, f"{n}.5")])
    done = world.derive()
    assert (done.windows, done.intervals) == (2, 4)


def test_a_step_limited_to_a_device_or_a_time_leaves_the_rest_for_later(world: World):
    series = world.series(interval_s=900)
    first, second = world.device(series), world.device(series)
    for device in (first, second):
        world.write((device, series, T0 + n * QUARTER, n) for n in range(9))
    assert world.derive(Limits(devices=[second.sensor_id])).devices == 1
    assert (world.energy(first), len(world.energy(second))) == ([], 8)
    assert world.derive(Limits(start=T0 + DAY)).devices == 0
    assert world.derive(Limits(start=T0, end=T0 + DAY)).devices == 1
    assert world.rows("SELECT * FROM wattloom.reading_change") == []


UNITS = {"Wh": 1, "kWh": 1000, "MWh": 10**6, "J": Fraction(1, 3600), "MJ": Fraction(10**6, 3600)}


@pytest.mark.parametrize("unit", ["Wh", "kWh", "MWh", "J", "MJ"])
def test_a_register_of_any_unit_adds_up_exactly(world: World, unit):
    series = world.series(unit=unit, interval_s=900)
    device = world.device(series)
    step = Decimal("0.007") if unit == "MWh" else 3
    world.write((device, series, T0 + n * QUARTER, step * n) for n in range(101))
    world.derive()
    expected = Fraction(step * 100) * UNITS[unit] * 10**6
    assert sum(row[3] for row in world.energy(device)) == int(expected + Fraction(1, 2))


def test_transformer_ratios_apply_only_where_series_and_meter_say_so(world: World):
    plain = world.series("1.8.0", interval_s=900)
    both = world.series("2.8.0", interval_s=900, affected_by_ct_ratio=True, affected_by_vt_ratio=True)
    ratios = {"current_transformer_ratio": 30, "voltage_transformer_ratio": 100}
    with_both = world.device(plain, both, has_current_transformer=True, has_voltage_transformer=True, **ratios)
    with_ct = world.device(plain, both, has_current_transformer=True, **ratios)
    without = world.device(plain, both, **ratios)
    for device in (with_both, with_ct, without):
        world.write((device, s, T0 + n * QUARTER, n) for s in (plain, both) for n in range(2))
    world.derive()
    factors = {d: [row[3] // 10**9 for row in world.energy(d)] for d in (with_both, with_ct, without)}
    assert factors == {with_both: [1, 3000], with_ct: [1, 30], without: [1, 1]}


def test_import_and_export_stand_beside_each_other(world: World):
    imported, exported = world.series("1.8.0", interval_s=900), world.series("2.8.0", interval_s=900)
    device = world.device(imported, exported)
    world.write((device, imported, T0 + n * QUARTER, 5 * n) for n in range(5))
    world.write((device, exported, T0 + n * QUARTER, 2 * n) for n in range(5))
    world.work_off()
    totals = {row[0]: row[2] for row in world.derived(device)["daily_energy"]}
    assert totals == {1: 20 * 10**9, 2: 8 * 10**9}


def test_a_load_profile_goes_before_the_register_and_the_total_stays_the_registers(world: World):
    register, profile = world.series("1.8.0", interval_s=86_400), world.series("1.29.0", interval_s=900)
    device = world.device(register, profile)
    world.write((device, register, T0 + n * DAY, 96 * n) for n in range(4))
    world.write((device, profile, T0 + n * QUARTER, "0.5") for n in range(48))
    world.derive()
    rows = world.energy(device)
    assert sum(row[3] for row in rows) == 288 * 10**9
    assert [row[2:] for row in rows[:48]] == [(900, 5 * 10**8, MEASURED)] * 48
    rest = [row for row in rows if T0 + 48 * QUARTER <= row[1] < T0 + DAY]
    assert sum(row[3] for row in rest) == 72 * 10**9
    assert {row[4] for row in rest} == {ESTIMATED}


def test_a_rollover_by_the_declared_width_and_by_the_width_the_past_shows(world: World):
    declared, shown = (
        world.series("1.8.0", interval_s=900, register_digits=4),
        world.series("2.8.0", interval_s=900),
    )
    device = world.device(declared, shown)
    world.write([(device, declared, T0, 9999), (device, declared, T0 + QUARTER, 2)])
    values = [99_990, 99_999, 3]
    world.write((device, shown, T0 + n * QUARTER, value) for n, value in enumerate(values))
    world.derive()
    assert [(row[0], row[3] // 10**9, row[4]) for row in world.energy(device)] == [
        (1, 3, ROLLOVER),
        (2, 9, MEASURED),
        (2, 4, ROLLOVER),
    ]


def test_the_width_is_remembered_when_the_fall_arrives_on_its_own(world: World):
    series = world.series(interval_s=900)
    device = world.device(series)
    world.write((device, series, T0 + n * QUARTER, 99_900 + n) for n in range(90))
    world.derive()
    world.write([(device, series, T0 + 90 * QUARTER, 950)])
    world.write([(device, series, T0 + 91 * QUARTER, 5)])
    world.derive()
    # 950 -> 5 would be a rollover of three digits, had the register not shown five.
    assert [row[4] for row in world.energy(device)[-2:]] == [RESET, RESET]


def test_an_exchanged_meter_counts_nothing_across_the_exchange(world: World, principal: Principal):
    series = world.series(interval_s=900)
    device = world.device(series, manufacturer_serial="old")
    clock.start_at(T0 + 2 * QUARTER + timedelta(minutes=1))
    world.write((device, series, T0 + n * QUARTER, 500 + n) for n in range(3))
    world.derive()
    with unit_of_work(world.engine) as connection:
        payload = {"manufacturer_serial": "new"}
        crud.update_row(connection, DEVICE, principal, device.id, payload, partial=True)
    world.write((device, series, T0 + n * QUARTER, n) for n in range(3, 6))
    world.derive()
    assert [(row[3] // 10**9, row[4]) for row in world.energy(device)] == [
        (1, MEASURED),
        (1, MEASURED),
        (0, EXCHANGE),
        (1, MEASURED),
        (1, MEASURED),
    ]


@pytest.mark.parametrize(
    ("resource", "payload", "factor"),
    [
        (SERIES, {"unit": "Wh"}, Fraction(1, 1000)),
        (SERIES, {"affected_by_ct_ratio": True}, 30),
        (SERIES, {"kind": "interval"}, 55),
        (SERIES, {"kind": "instantaneous"}, 0),
        (SERIES, {"name": "2.8.0"}, 10),
        (DEVICE, {"current_transformer_ratio": 7}, 1),
    ],
)
def test_a_changed_setting_has_the_whole_history_derived_again(
    world: World, principal: Principal, resource, payload, factor
):
    series = world.series("1.8.0", interval_s=900, kind="cumulative")
    device = world.device(series, has_current_transformer=True, current_transformer_ratio=30)
    world.write((device, series, T0 + n * QUARTER, n) for n in range(11))
    world.work_off()
    before = sum(row[3] for row in world.energy(device))
    identifier = series.id if resource is SERIES else device.id
    with unit_of_work(world.engine) as connection:
        crud.update_row(connection, resource, principal, identifier, payload, partial=True)
    world.work_off()
    wanted = before * factor if factor not in {10, 55} else {10: before, 55: before / 10 * 55}[factor]
    assert sum(row[3] for row in world.energy(device)) == wanted
    assert sum(row[2] for row in world.derived(device)["daily_energy"]) == wanted
    assert sum(row[2] for row in world.derived(device)["energy_hourly"]) == wanted
    if payload == {"name": "2.8.0"}:
        assert {row[0] for row in world.energy(device)} == {2}


def test_another_zone_moves_the_local_days(world: World, principal: Principal):
    series = world.series(interval_s=900)
    device = world.device(series, zone="UTC")
    world.write((device, series, T0 + n * QUARTER, n) for n in range(97))
    world.work_off()
    assert [str(row[1]) for row in world.derived(device)["daily_energy"]] == ["2024-01-01"]
    with unit_of_work(world.engine) as connection:
        crud.update_row(connection, CONFIG, principal, device.config, {"timezone": "Asia/Kathmandu"}, partial=True)
    world.work_off()
    days = world.derived(device)["daily_energy"]
    assert [(str(row[1]), row[2] // 10**9) for row in days] == [("2024-01-01", 73), ("2024-01-02", 23)]
    with unit_of_work(world.engine) as connection:
        crud.update_row(connection, TYPE, principal, device.type, {"config": None}, partial=True)
    world.work_off()
    assert [(str(r[1]), r[2] // 10**9) for r in world.derived(device)["daily_energy"]] == [("2024-01-01", 96)]


def test_an_outage_is_a_gap_because_the_usual_spacing_was_learned(world: World):
    series = world.series()
    device = world.device(series)
    world.write((device, series, T0 + n * QUARTER, n) for n in range(400))
    world.derive()
    later = [401, 403, 405, 407]  # every second reading is missing now
    for n in later:
        world.write([(device, series, T0 + n * QUARTER, n)])
        world.derive()
    rows = world.energy(device)
    assert [(row[2], row[4]) for row in rows[399:]] == [(900, ESTIMATED)] * 8
    assert world.rows("SELECT spacing_s FROM wattloom.reading_channel") == [(900,)]


def test_a_meter_read_at_another_cadence_keeps_its_old_history(world: World, principal: Principal):
    series = world.series()
    device = world.device(series)
    turn = T0 + 600 * HOUR
    world.write((device, series, T0 + n * HOUR, n) for n in range(601))
    world.derive()
    world.write((device, series, turn + n * QUARTER, 600 + n) for n in range(1, 2401))
    world.derive()
    assert world.rows("SELECT spacing_s FROM wattloom.reading_channel") == [(900,)]
    expected = [(3600, MEASURED)] * 600 + [(900, MEASURED)] * 2400
    assert [(row[2], row[4]) for row in world.energy(device)] == expected
    world.write([(device, series, T0 + 300 * HOUR, "300.5")])  # a late correction of the hourly time
    world.derive()
    assert [(row[2], row[4]) for row in world.energy(device)] == expected
    with unit_of_work(world.engine) as connection:  # and everything at once
        payload = {"has_current_transformer": True, "current_transformer_ratio": 2}
        crud.update_row(connection, DEVICE, principal, device.id, payload, partial=True)
    world.derive()
    assert [(row[2], row[4]) for row in world.energy(device)] == expected


def test_a_missing_interval_of_a_learned_cadence_is_seen_after_a_correction_beside_it(world: World):
    series = world.series("1.8.0")
    device = world.device(series)
    world.write((device, series, T0 + n * QUARTER, n) for n in range(500) if n not in {250, 251})
    world.derive()
    gap = [row for row in world.energy(device) if row[4] == ESTIMATED]
    assert [row[1] for row in gap] == [T0 + n * QUARTER for n in (249, 250, 251)]
    world.write([(device, series, T0 + 249 * QUARTER, "249.3")])
    world.derive()
    assert [row[1] for row in world.energy(device) if row[4] == ESTIMATED] == [row[1] for row in gap]


def test_the_interval_of_a_last_long_value_is_stored_whole(world: World):
    series = world.series("1.29.0", interval_s=86_400)
    device = world.device(series)
    world.write((device, series, T0 + n * DAY, 24) for n in range(2))
    world.work_off()
    assert [(row[2], row[3], row[4]) for row in world.energy(device)] == [(3600, 10**9, SPREAD)] * 48
    with unit_of_work(world.engine) as connection:
        connection.exec_driver_sql("UPDATE wattloom.meter_reading_series SET interval_s = 3600")
    world.mark_changed(device)
    world.work_off()
    assert [(row[1], row[2]) for row in world.energy(device)] == [(T0, 3600), (T0 + DAY, 3600)]
    assert len(world.derived(device)["energy_hourly"]) == 2


def test_a_meter_whose_clock_was_reset_does_not_stop_the_others(world: World):
    series = world.series(interval_s=900)
    odd, good = world.device(series), world.device(series)
    early, late = datetime(1970, 1, 1, tzinfo=UTC), datetime(2099, 12, 31, tzinfo=UTC)
    world.write([(odd, series, early, 1), (odd, series, late, 2)])
    world.write((good, series, T0 + n * QUARTER, n) for n in range(3))
    world.work_off()
    assert len(world.energy(good)) == 2


def test_other_media_and_momentary_values_are_no_energy(world: World):
    others = [world.series("7-0:3.0.0", "m3"), world.series("1-0:1.7.0", "W"), world.series("1-0:3.8.0", "kvarh")]
    device = world.device(*others)
    world.write((device, s, T0 + n * QUARTER, n) for s in others for n in range(5))
    done = world.derive()
    assert done.intervals == 0
    assert world.energy(device) == []
