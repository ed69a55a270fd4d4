"""Readings of meters that are not known yet: kept, promoted once, pruned by age; and the retention of readings."""

from datetime import timedelta
from decimal import Decimal

from pipelines.db.engine import unit_of_work
from pipelines.metering import promotion, retention, staging
from tests.integration.test_concurrent_writes import together
from tests.integration.test_write_path import send
from tests.integration.world import QUARTER, STORED_AT, T0, World

DAY = timedelta(days=1)


def staged(world: World) -> list:
    return world.rows(
        'SELECT meter_device_name, series_name, "timestamp", value FROM wattloom.staged_meter_reading ORDER BY 1, 2, 3'
    )


def promote(world: World, **options) -> int:
    with unit_of_work(world.engine) as connection:
        return promotion.promote(connection, world.organization, at=STORED_AT, **options)


def test_a_delivery_of_an_unknown_meter_waits_and_a_repetition_replaces_its_value(world: World):
    send(world, [("late", "1.8.0", T0, "1.50")])
    send(world, [("late", "1.8.0", T0, "2.50"), ("late", "1.8.0", T0 + QUARTER, 3)])
    assert staged(world) == [("late", "1.8.0", T0, Decimal("2.50")), ("late", "1.8.0", T0 + QUARTER, Decimal(3))]


def test_staged_readings_are_promoted_exactly_once_when_the_meter_appears(world: World):
    rows = [("late", "1.8.0", T0 + n * QUARTER, n) for n in range(50)]
    send(world, [*rows, ("other", "1.8.0", T0, 1)])
    series = world.series("1.8.0")
    assert promote(world) == 0
    device = world.device(series, name="late")
    assert sum(together(lambda: promote(world), lambda: promote(world))) == 50
    assert promote(world) == 0
    assert [row[0] for row in staged(world)] == ["other"]
    assert len(world.readings(device)) == 50
    world.work_off()
    assert len(world.energy(device)) == 49


def test_a_staged_reading_of_a_series_that_is_not_allowed_stays(world: World):
    send(world, [("late", "1.8.0", T0, 1), ("late", "9.9.9", T0, 1)])
    world.device(world.series("1.8.0"), name="late")
    assert promote(world) == 1
    assert [row[1] for row in staged(world)] == ["9.9.9"]


def test_more_staged_readings_than_one_turn_takes_are_all_promoted(world: World, monkeypatch):
    monkeypatch.setattr(promotion, "_PROMOTED_AT_ONCE", 7)
    send(world, [("late", name, T0 + n * QUARTER, n) for n in range(20) for name in ("1.8.0", "9.9.9")])
    device = world.device(world.series("1.8.0"), name="late")
    assert promote(world) == 20
    assert len(world.readings(device)) == 20
    assert len(staged(world)) == 20


def test_staged_readings_are_pruned_by_the_day_they_arrived(world: World):
    send(world, [("late", "1.8.0", T0, 1)])
    with unit_of_work(world.engine) as connection:
        assert staging.prune(connection, now=STORED_AT + 30 * DAY, retention_days=30) == 0
        assert staging.prune(connection, now=STORED_AT + 30 * DAY + QUARTER, retention_days=30) == 1
    assert staged(world) == []


def test_retention_forgets_readings_and_keeps_their_energy(world: World):
    series = world.series(interval_s=900)
    device = world.device(series)
    world.write((device, series, T0 + n * QUARTER, n) for n in range(96 * 20))
    world.write([(device, series, T0, "0.5")])
    world.work_off()
    before = world.derived(device)
    counts = retention.apply(world.engine, now=T0 + 20 * DAY, retention_days=5)
    assert counts["readings"] == 96 * 15
    assert min(at for _, at in world.readings(device)) == T0 + 15 * DAY
    assert world.rows("SELECT * FROM wattloom.meter_reading_version") == []
    world.mark_changed(device)
    world.work_off()
    assert world.derived(device) == before
    assert retention.apply(world.engine, now=T0 + 20 * DAY, retention_days=None)["readings"] == 0


def test_a_reading_older_than_the_retention_can_be_delivered_again(world: World):
    series = world.series(interval_s=900)
    device = world.device(series)
    rows = [(device, series, T0 + n * QUARTER, n) for n in range(96 * 4)]
    world.write(rows)
    world.work_off()
    before = world.derived(device)
    retention.apply(world.engine, now=T0 + 4 * DAY, retention_days=2)
    assert world.write(rows).inserted == 96 * 2
    world.work_off()
    assert world.derived(device) == before
