"""A watermark goes on over what was read, in whatever order it was; never over a hole, back, or into the future."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines import clock
from pipelines.amr import stores
from pipelines.amr.ops import Finish, Mark
from pipelines.db.engine import unit_of_work
from tests.integration.world import World

T0 = datetime(2026, 3, 1, tzinfo=UTC)
NOW = T0 + timedelta(hours=30)
HOUR = timedelta(hours=1)

SPANS = st.tuples(st.integers(0, 30), st.integers(0, 15))
BATCHES = st.lists(st.lists(st.tuples(st.sampled_from("ab"), SPANS), max_size=4), min_size=1, max_size=6)


@pytest.fixture
def device(world: World) -> Iterator[int]:
    clock.start_at(NOW)
    yield world.device(world.series()).sensor_id
    clock.start_at(None)


def _finish(engine: sa.Engine, *marks: Mark) -> None:
    """Bring marks as the sessions of one moment do: several in one transaction."""
    with unit_of_work(engine) as connection:
        stores.finish(connection, uuid4(), [Finish(verdicts=[], marks=[mark]) for mark in marks])


def _watermarks(world: World) -> dict[str, datetime]:
    return {str(a): at for a, at in world.rows("SELECT archive, read_until FROM wattloom.amr_watermark")}


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(BATCHES)
def test_everything_between_the_first_reading_and_the_watermark_was_read(
    world: World, engine: sa.Engine, device: int, batches: list[list[tuple[str, tuple[int, int]]]]
) -> None:
    world.execute("DELETE FROM wattloom.amr_watermark")
    read: dict[str, set[int]] = {"a": set(), "b": set()}
    before: dict[str, datetime] = {}
    first: dict[str, datetime] = {}

    for batch in batches:
        marks = [
            Mark(sensor_id=device, archive=archive, start=T0 + start * HOUR, end=T0 + (start + length) * HOUR)
            for archive, (start, length) in batch
        ]
        for mark in marks:
            lowest, highest = ((at - T0) // HOUR for at in (mark.start, mark.end))
            read[mark.archive].update(range(2 * lowest, 2 * highest + 1))  # halves: neighbours do not touch
        for archive in {mark.archive for mark in marks} - first.keys():
            first[archive] = min(mark.start for mark in marks if mark.archive == archive)
        _finish(engine, *marks)

        after = _watermarks(world)
        for archive, until in after.items():
            assert until >= before.get(archive, until), "back"
            assert until <= clock.now(), "into the future"
            low, high = (int((at - T0) / HOUR * 2) for at in (first[archive], until))
            assert set(range(low, high + 1)) <= read[archive], "over a hole"
            mine = [mark for mark in marks if mark.archive == archive]
            reached = [min(m.end, NOW) for m in mine if m.start <= before.get(archive, first[archive])]
            assert all(until >= end for end in reached), "behind what was read"
        before = after


def test_two_jobs_of_one_session_with_a_hole_between_them_do_not_lead_over_it(
    world: World, engine: sa.Engine, device: int
) -> None:
    early = Mark(sensor_id=device, archive="profile", start=T0, end=T0 + HOUR)
    late = Mark(sensor_id=device, archive="profile", start=T0 + 5 * HOUR, end=T0 + 6 * HOUR)

    _finish(engine, late, early)
    assert _watermarks(world) == {"profile": T0 + HOUR}

    _finish(engine, Mark(sensor_id=device, archive="profile", start=T0 + HOUR, end=T0 + 5 * HOUR), late)
    assert _watermarks(world) == {"profile": T0 + 6 * HOUR}


def test_rows_of_a_clock_that_is_ahead_do_not_move_the_watermark_ahead_of_ours(
    world: World, engine: sa.Engine, device: int
) -> None:
    _finish(engine, Mark(sensor_id=device, archive="profile", start=T0, end=datetime(2099, 1, 1, tzinfo=UTC)))

    assert NOW <= _watermarks(world)["profile"] <= clock.now()


def test_marks_of_a_deleted_meter_and_of_no_time_at_all_are_nothing(
    world: World, engine: sa.Engine, device: int
) -> None:
    _finish(
        engine,
        Mark(sensor_id=device + 1, archive="profile", start=T0, end=T0 + HOUR),
        Mark(sensor_id=device, archive="profile", start=T0 + HOUR, end=T0),
        Mark(sensor_id=device, archive="future", start=NOW + HOUR, end=NOW + 2 * HOUR),
    )

    assert _watermarks(world) == {}
