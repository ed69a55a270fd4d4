"""Any sequence of deliveries leaves what a plain dictionary would hold, and logs every change."""

from collections import Counter
from datetime import timedelta
from decimal import Decimal

import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.db.engine import unit_of_work
from pipelines.metering.delivery import Code, deliver
from tests.integration.test_write_path import by_name
from tests.integration.world import QUARTER, STORED_AT, T0, World, authored

VALUES = st.sampled_from(["0", "1", "1.0", "1.00", "2", "-1", "999999999999999999", "0.000000000001"])
ROW = st.tuples(
    st.sampled_from(["a", "b", "unknown"]), st.sampled_from(["s", "t", "refused"]), st.integers(0, 9), VALUES
)
BATCHES = st.lists(st.lists(ROW, max_size=12), min_size=1, max_size=6)


def winners(batch):
    """Return the last value of each key of a batch."""
    return {(meter, series, slot): Decimal(value) for meter, series, slot, value in batch}


def expected_verdicts(batch):
    last = winners(batch)
    rejected, accepted, staged = [], 0, 0
    for index, (meter, series, slot, value) in enumerate(batch):
        if meter == "unknown":
            staged += 1
        elif series == "refused":
            rejected.append((index, Code.SERIES_NOT_ALLOWED))
        elif last[meter, series, slot] != Decimal(value):
            rejected.append((index, Code.DUPLICATE))
        else:
            accepted += 1
    return accepted, staged, rejected


@given(batches=BATCHES)
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_any_sequence_of_deliveries_equals_a_dictionary(engine: sa.Engine, world: World, batches):
    world.execute("TRUNCATE wattloom.meter_reading, wattloom.meter_reading_version, wattloom.staged_meter_reading")
    world.execute("TRUNCATE wattloom.reading_change")
    world.execute("DELETE FROM wattloom.organization AS o WHERE o.id = :o", o=world.organization)
    world.execute(
        "INSERT INTO wattloom.organization (id, name, created_at, updated_at) VALUES (:o, 'x', now(), now())",
        o=world.organization,
    )
    series = {name: world.series(name) for name in ("s", "t", "refused")}
    devices = {name: world.device(series["s"], series["t"], name=name) for name in ("a", "b")}
    stored: dict[tuple[str, str, int], Decimal] = {}
    replaced: Counter[tuple[str, str, int]] = Counter()
    staged: dict[tuple[str, str, int], Decimal] = {}
    touched: list[tuple[int, int]] = []
    for number, batch in enumerate(batches):
        rows = [(meter, name, T0 + slot * QUARTER, value) for meter, name, slot, value in batch]
        with unit_of_work(engine) as connection:
            at = STORED_AT + timedelta(seconds=number)
            verdict = deliver(connection, world.organization, by_name(rows), authored(at=at))
        accepted, kept, rejected = expected_verdicts(batch)
        assert (verdict.accepted, verdict.staged) == (accepted, kept)
        assert [(r.index, r.code) for r in verdict.rejected] == rejected
        assert verdict.accepted + verdict.staged + len(verdict.rejected) == len(batch)
        inserted = corrected = 0
        for key, value in winners(batch).items():
            meter, name, slot = key
            if meter == "unknown":
                staged[key] = value
            elif name != "refused":
                if key not in stored:
                    inserted += 1
                elif stored[key] != value:
                    corrected += 1
                    replaced[key] += 1
                if stored.get(key) != value:
                    touched.append((devices[meter].sensor_id, slot))
                    stored[key] = value
        assert (verdict.inserted, verdict.corrected) == (inserted, corrected)
    assert_equals(world, devices, series, stored, replaced, staged, touched)


def assert_equals(world, devices, series, stored, replaced, staged, touched):
    found = {
        (meter, name, slot): world.readings(devices[meter]).get((series[name].key, T0 + slot * QUARTER))
        for meter, name, slot in stored
    }
    assert found == stored
    assert world.rows("SELECT count(*) FROM wattloom.meter_reading") == [(len(stored),)]
    kept = world.rows(
        'SELECT device_id, series_id, "timestamp", count(*), max(version), min(version)'
        " FROM wattloom.meter_reading_version GROUP BY 1, 2, 3"
    )
    assert {(d, s, at): (n, high, low) for d, s, at, n, high, low in kept} == {
        (devices[meter].sensor_id, series[name].key, T0 + slot * QUARTER): (n, n, 1)
        for (meter, name, slot), n in replaced.items()
    }
    by_names = world.rows(
        'SELECT meter_device_name, series_name, "timestamp", value FROM wattloom.staged_meter_reading'
    )
    assert {(m, s, at): v for m, s, at, v in by_names} == {
        (m, s, T0 + slot * QUARTER): v for (m, s, slot), v in staged.items()
    }
    spans = world.rows("SELECT device_id, from_at, to_at FROM wattloom.reading_change")
    for device, slot in touched:
        assert any(d == device and first <= T0 + slot * QUARTER <= last for d, first, last in spans)
    assert {d for d, _, _ in spans} == {d for d, _ in touched}
