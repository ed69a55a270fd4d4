"""What the one write path does with new, repeated, corrected, unordered and orphaned readings."""

from datetime import timedelta
from decimal import Decimal

import numpy as np
import pytest

from pipelines.db.engine import unit_of_work
from pipelines.metering import deletion
from pipelines.metering.batches import NamedReadings
from pipelines.metering.delivery import Code, Delivery, deliver
from tests.integration.world import QUARTER, STORED_AT, T0, World, authored, keyed, to_us


@pytest.fixture
def meter(world: World):
    series = world.series()
    return world.device(series), series


def changes(world: World):
    return world.rows("SELECT device_id, from_at, to_at FROM wattloom.reading_change ORDER BY id")


def versions(world: World):
    return world.rows(
        'SELECT "timestamp", version, value, recorded_at, replaced_at, replaced_by, reason'
        ' FROM wattloom.meter_reading_version ORDER BY "timestamp", version'
    )


def channel(world: World):
    return world.rows("SELECT first_at, last_at FROM wattloom.reading_channel")


def by_name(rows) -> NamedReadings:
    """Make a batch of (meter name, series name, instant, value)."""
    numbers: dict[tuple[str, str], int] = {}
    pair = [numbers.setdefault((row[0], row[1]), len(numbers)) for row in rows]
    stored = keyed((0, 0, row[2], row[3]) for row in rows)
    return NamedReadings(
        pairs=list(numbers),
        pair=np.array(pair, dtype=np.int32),
        times_us=stored.times_us,
        mantissa=stored.mantissa,
        scale=stored.scale,
    )


def send(world: World, rows, **options) -> Delivery:
    with unit_of_work(world.engine) as connection:
        return deliver(connection, world.organization, by_name(rows), authored(), **options)


def test_new_readings_are_stored_exactly_and_their_span_is_logged(world: World, meter):
    device, series = meter
    values = [Decimal("0.1000"), Decimal(-3), Decimal(123456789012345678), Decimal("0.000000000001")]
    done = world.write((device, series, T0 + n * QUARTER, value) for n, value in enumerate(values))
    assert (done.inserted, done.corrected) == (4, 0)
    stored = world.readings(device)
    assert [format(stored[series.key, T0 + n * QUARTER], "f") for n in range(4)] == [
        format(v, "f") for v in values
    ]
    assert changes(world) == [(device.sensor_id, T0, T0 + 3 * QUARTER)]
    assert channel(world) == [(T0, T0 + 3 * QUARTER)]


def test_a_repeated_delivery_changes_nothing_and_logs_nothing(world: World, meter):
    device, series = meter
    rows = [(device, series, T0 + n * QUARTER, n) for n in range(10)]
    world.write(rows)
    before = world.rows("SELECT *, xmin::text FROM wattloom.meter_reading ORDER BY timestamp")
    done = world.write(rows, authored(at=STORED_AT + timedelta(days=1)))
    assert (done.inserted, done.corrected) == (0, 0)
    assert world.rows("SELECT *, xmin::text FROM wattloom.meter_reading ORDER BY timestamp") == before
    assert len(changes(world)) == 1
    assert versions(world) == []


def test_another_way_to_write_the_same_number_is_no_correction(world: World, meter):
    device, series = meter
    world.write([(device, series, T0, "1.50"), (device, series, T0 + QUARTER, "2")])
    done = world.write([(device, series, T0, "1.5"), (device, series, T0 + QUARTER, "2.000")])
    assert (done.inserted, done.corrected, versions(world)) == (0, 0, [])


def test_a_correction_keeps_every_value_it_replaced_with_author_time_and_reason(world: World, meter):
    device, series = meter
    times = [STORED_AT + timedelta(days=n) for n in range(4)]
    for n, value in enumerate(["1", "2", "1", "3"]):
        world.write([(device, series, T0, value)], authored(f"author {n}", f"reason {n}", times[n]))
    assert world.readings(device) == {(series.key, T0): Decimal(3)}
    assert versions(world) == [
        (T0, n + 1, Decimal(value), times[n], times[n + 1], f"author {n + 1}", f"reason {n + 1}")
        for n, value in enumerate(["1", "2", "1"])
    ]
    assert len(changes(world)) == 4


def test_a_long_author_or_reason_is_cut_not_refused(world: World, meter):
    device, series = meter
    world.write([(device, series, T0, 1)])
    world.write([(device, series, T0, 2)], authored("a" * 500, "r" * 500))
    assert [(len(row[5]), len(row[6])) for row in versions(world)] == [(200, 200)]


def test_only_the_changed_part_of_a_mixed_batch_is_logged(world: World, meter):
    device, series = meter
    world.write((device, series, T0 + n * QUARTER, n) for n in range(20))
    world.execute("DELETE FROM wattloom.reading_change")
    done = world.write((device, series, T0 + n * QUARTER, 99 if n in {7, 9} else n) for n in range(20))
    assert (done.inserted, done.corrected) == (0, 2)
    assert changes(world) == [(device.sensor_id, T0 + 7 * QUARTER, T0 + 9 * QUARTER)]


def test_readings_before_between_and_after_the_known_ones_all_arrive(world: World, meter):
    device, series = meter
    world.write([(device, series, T0 + 4 * QUARTER, 4), (device, series, T0 + 8 * QUARTER, 8)])
    done = world.write((device, series, T0 + n * QUARTER, n) for n in (9, 6, 1, 3, 12, 7))
    assert done.inserted == 6
    assert sorted(world.readings(device)) == [(series.key, T0 + n * QUARTER) for n in (1, 3, 4, 6, 7, 8, 9, 12)]
    assert channel(world) == [(T0 + QUARTER, T0 + 12 * QUARTER)]


def test_of_equal_repetitions_in_a_batch_one_is_stored_and_all_are_accepted(world: World, meter):
    device, _ = meter
    verdict = send(world, [(device.name, "1-0:1.8.0*255", T0, v) for v in ("1.0", "1", "1.00")])
    assert (verdict.accepted, verdict.inserted, verdict.rejected) == (3, 1, [])


def test_of_contradicting_rows_in_a_batch_the_last_wins_and_the_others_are_rejected(world: World, meter):
    device, series = meter
    verdict = send(world, [(device.name, "1-0:1.8.0*255", T0, v) for v in (1, 2, 3, 2, 3)])
    assert [(r.index, r.code) for r in verdict.rejected] == [(n, Code.DUPLICATE) for n in (0, 1, 3)]
    assert (verdict.accepted, verdict.inserted) == (2, 1)
    assert world.readings(device) == {(series.key, T0): Decimal(3)}
    assert versions(world) == []


def test_a_batch_of_nothing_is_accepted(world: World):
    assert send(world, []) == Delivery()
    assert world.write([]).inserted == 0


def test_every_row_of_a_mixed_delivery_has_one_verdict(world: World, meter):
    device, _ = meter
    world.series("2.8.0")
    bare = world.device()
    twins = [world.series("twin"), world.series("twin")]
    doubled = world.device(*twins)
    world.execute("UPDATE wattloom.meter_device SET type_id = NULL WHERE sensor_id = :d", d=bare.sensor_id)
    verdict = send(
        world,
        [
            (device.name, "1-0:1.8.0*255", T0, 1),
            ("nobody", "1-0:1.8.0*255", T0, 1),
            (device.name, "2.8.0", T0, 1),
            (device.name, "9.9.9", T0, 1),
            (bare.name, "1-0:1.8.0*255", T0, 1),
            (doubled.name, "twin", T0, 1),
            ("nobody", "unheard of", T0, 1),
        ],
    )
    assert (verdict.accepted, verdict.staged, verdict.inserted) == (1, 2, 1)
    assert [(r.index, r.code) for r in verdict.rejected] == [
        (2, Code.SERIES_NOT_ALLOWED),
        (3, Code.UNKNOWN_SERIES),
        (4, Code.NOT_CONFIGURED),
        (5, Code.AMBIGUOUS_SERIES),
    ]
    assert len(world.rows("SELECT * FROM wattloom.staged_meter_reading")) == 2


def test_a_batch_of_an_unknown_meter_says_its_last_value_once(world: World):
    verdict = send(world, [("nobody", "1.8.0", T0, v) for v in (1, 2, 2)])
    assert verdict.staged == 3
    assert world.rows("SELECT value FROM wattloom.staged_meter_reading") == [(Decimal(2),)]


def test_rows_of_a_deleted_device_are_gone_and_the_others_arrive(world: World, meter):
    device, series = meter
    other = world.device(series)
    world.execute("DELETE FROM wattloom.meter_device WHERE sensor_id = :d", d=other.sensor_id)
    done = world.write([(other, series, T0, 1), (device, series, T0, 2), (device, 99_999, T0, 3)])
    assert done.gone.tolist() == [True, False, True]
    assert done.inserted == 1
    assert world.rows("SELECT device_id, value FROM wattloom.meter_reading") == [(device.sensor_id, Decimal(2))]
    assert [row[0] for row in changes(world)] == [device.sensor_id]


def test_deleting_a_series_takes_its_readings_and_has_the_rest_derived_again(world: World):
    total, profile = world.series(), world.series("1-0:1.29.0*255", interval_s=900)
    device = world.device(total, profile)
    world.write((device, total, T0 + n * QUARTER, n) for n in range(9))
    world.write((device, profile, T0 + n * QUARTER, 2) for n in range(8))
    world.work_off()
    assert sum(row[3] for row in world.energy(device)) == 16 * 10**9
    with unit_of_work(world.engine) as connection:
        deletion.before_series(connection, {"id": profile.id, "series_key": profile.key})
    world.work_off()
    assert {key for key, _ in world.readings(device)} == {total.key}
    assert sum(row[3] for row in world.energy(device)) == 8 * 10**9
    assert sum(row[2] for row in world.derived(device)["daily_energy"]) == 8 * 10**9


def test_microseconds_are_kept(world: World, meter):
    device, series = meter
    at = T0 + timedelta(microseconds=1)
    world.write([(device, series, T0, 1), (device, series, at, 2)])
    assert sorted(world.readings(device)) == [(series.key, T0), (series.key, at)]
    assert world.write([(device, series, at, 2)]).inserted == 0
    assert to_us(channel(world)[0][1]) == to_us(at)
