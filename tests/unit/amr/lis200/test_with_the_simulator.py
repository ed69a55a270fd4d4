"""The driver with a simulated LIS-200 meter: without a socket, then over one, with everything that can go wrong."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from pipelines import clock
from pipelines.amr.contract import Call, ClockSeen, ClockSet, Found, Keys, Meter
from pipelines.amr.faults import (
    AuthenticationFailed,
    BadFrame,
    LinkLost,
    Misconfigured,
    NoAnswer,
    Refused,
    TransportFault,
    Unsupported,
)
from pipelines.amr.protocols.lis200 import DRIVER
from pipelines.simulators.meters.archive import MeterArchive, steady_archive
from pipelines.simulators.meters.lis200 import Lis200Meter
from pipelines.simulators.meters.responder import Faults
from tests.unit.amr.iec62056_21.helpers import call, readings, session_over_loopback
from tests.unit.amr.transcripts import answer_from

START = datetime(2026, 3, 1, tzinfo=UTC)
NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
ARCHIVE = steady_archive(start=START, rows=96, interval_s=900, initial_wh=1_000_000)
BERLIN = ZoneInfo("Europe/Berlin")
ALL_OF_IT = {"start_date": "2026-03-01T00:00:00Z", "archive_number": 3, "control_position": 3}


@pytest.fixture(autouse=True)
def _at_noon() -> None:
    clock.start_at(NOW)


def meter(password: str | None = None, zone: ZoneInfo = BERLIN) -> Meter:
    return Meter(name="m", protocol="lis-200", zone=zone, keys=Keys(password=password))


def simulated(faults: Faults, *, archive: MeterArchive = ARCHIVE, zone: ZoneInfo = BERLIN, **more) -> Lis200Meter:
    return Lis200Meter(archive, faults, zone=zone, **more)


def expected(archive: MeterArchive = ARCHIVE, since: datetime = START) -> list[tuple[datetime, Decimal]]:
    return [(at, Decimal(wh) / 1000) for at, wh in archive.rows(since, NOW)]


def run(name: str, *, since: datetime | None = None, faults: Faults | None = None, **arguments):
    responder = simulated(faults or Faults())
    session = DRIVER.session(meter(), clock.now)
    answer_from(session.open(), responder.receive)
    return answer_from(session.perform(call(DRIVER, name, since, **arguments)), responder.receive)


@pytest.mark.parametrize("model", ["one_counter", "generic"])
def test_every_row_of_the_archive_arrives_once_oldest_first(model):
    found = readings(run("read_archive_by_date", model=model, **ALL_OF_IT))
    assert [
        (each.timestamp, each.value) for each in found if each.series in {"1-0:1.8.0", "1:202.0"}
    ] == expected()
    assert {each.unit for each in found} == {"kWh"}


def test_every_block_says_how_far_the_archive_is_read():
    steps = [
        step for step in run("read_archive_by_date", model="one_counter", **ALL_OF_IT) if isinstance(step, Found)
    ]
    assert len(steps) == 3
    assert [step.covered for step in steps] == [(START, step.readings[-1].timestamp) for step in steps]


def test_an_end_date_ends_the_read_with_its_row():
    found = readings(run("read_archive_by_date", model="one_counter", end_date="2026-03-01T02:00:00", **ALL_OF_IT))
    assert found[-1].timestamp == datetime(2026, 3, 1, 1, 0, tzinfo=UTC)


def test_an_offset_counts_from_the_meters_now():
    two_hours_ahead = Faults(clock_drift_s=7200)
    clock.start_at(datetime(2026, 3, 1, 12, 0, tzinfo=UTC))
    found = readings(
        run(
            "read_archive_by_offset_seconds",
            faults=two_hours_ahead,
            offset_seconds=3500,
            archive_number=3,
            control_position=3,
            model="one_counter",
        )
    )
    assert found[0].timestamp == datetime(2026, 3, 1, 13, 15, tzinfo=UTC)


def test_an_offset_reaches_back_to_what_is_missing():
    found = readings(
        run(
            "read_archive_by_offset_seconds",
            since=START + timedelta(hours=3),
            offset_seconds=60,
            archive_number=3,
            control_position=3,
            model="one_counter",
        )
    )
    assert [each.timestamp for each in found] == [at for at, _ in expected(since=START + timedelta(hours=3))]


def test_the_hour_that_comes_twice_is_read_twice():
    begin = datetime(2026, 10, 24, 22, 0, tzinfo=UTC)
    archive = steady_archive(start=begin, rows=32, interval_s=900)
    clock.start_at(begin + timedelta(days=1))
    responder = simulated(Faults(), archive=archive)
    session = DRIVER.session(meter(), clock.now)
    answer_from(session.open(), responder.receive)
    asked = call(
        DRIVER,
        "read_archive_by_date",
        start_date="2026-10-25T00:00:00",
        archive_number=3,
        control_position=3,
        model="one_counter",
    )
    found = readings(answer_from(session.perform(asked), responder.receive))
    assert [each.timestamp for each in found] == [at for at, _ in archive.rows(begin, begin + timedelta(days=1))]


def test_the_clock_of_the_meter_is_seen_and_set():
    steps = run("set_time", faults=Faults(clock_drift_s=-300))
    assert [type(step) for step in steps] == [ClockSeen, ClockSet]
    assert steps[0].meter_at - NOW < timedelta(seconds=-290)
    assert abs(steps[1].meter_at - NOW) < timedelta(seconds=5)


def test_an_end_before_the_start_is_refused_here():
    with pytest.raises(Misconfigured):
        run("read_archive_by_date", end_date="2026-02-01T00:00:00", **ALL_OF_IT)


def test_another_archive_does_not_exist():
    with pytest.raises(Refused, match="no such archive"):
        run("read_archive_by_date", model="one_counter", **(ALL_OF_IT | {"archive_number": 9}))


def test_a_call_of_another_protocol_is_unsupported():
    responder = simulated(Faults())
    session = DRIVER.session(meter(), clock.now)
    with pytest.raises(Unsupported):
        answer_from(session.perform(Call(name="read_database")), responder.receive)


ARCHIVE_CALL = [call(DRIVER, "read_archive_by_date", model="one_counter", **ALL_OF_IT)]


def over_loopback(faults: Faults, ours: str | None = None, **more):
    return session_over_loopback(
        DRIVER, meter(ours), lambda given: simulated(given, **more), ARCHIVE_CALL, faults, timeout_s=0.3
    )


# The frames of a session: 1 identification, 2 P0, 3 clock, 4 to 6 blocks of the archive.
def test_a_whole_session_over_a_socket():
    outcome = over_loopback(Faults(), "geheim", password="geheim")
    assert outcome.fault is None
    assert [(each.timestamp, each.value) for each in outcome.readings] == expected()


@pytest.mark.parametrize("frame", [2, 3, 4, 5, 6])
def test_a_corrupt_frame_is_read_again(frame):
    outcome = over_loopback(Faults(corrupt_frames=frozenset({frame})))
    assert outcome.fault is None
    assert [(each.timestamp, each.value) for each in outcome.readings] == expected()


@pytest.mark.parametrize("frames", [{1}, {2}, {3}, {4}, {5}, {6}, {1, 2, 3, 4, 5, 6}])
def test_a_frame_that_comes_twice_changes_nothing(frames):
    outcome = over_loopback(Faults(duplicate_frames=frozenset(frames)))
    assert outcome.fault is None
    assert [(each.timestamp, each.value) for each in outcome.readings] == expected()


def test_a_line_that_stays_bad_is_given_up():
    outcome = over_loopback(Faults(corrupt_frames=frozenset(range(5, 40))))
    assert isinstance(outcome.fault, BadFrame)
    assert [(each.timestamp, each.value) for each in outcome.readings] == expected()[:40]


def test_a_cut_line_keeps_what_had_come():
    outcome = over_loopback(Faults(cut_frame=5))
    assert isinstance(outcome.fault, LinkLost)
    assert [(each.timestamp, each.value) for each in outcome.readings] == expected()[:40]


@pytest.mark.parametrize(("frame", "kept"), [(1, 0), (3, 0), (5, 40)])
def test_a_silent_meter_is_given_up_in_time(frame, kept):
    outcome = over_loopback(Faults(silent_from=frame))
    assert isinstance(outcome.fault, NoAnswer)
    assert len(outcome.readings) == kept


def test_a_slow_meter_is_waited_for():
    few = steady_archive(start=START, rows=4, interval_s=900)
    outcome = over_loopback(Faults(byte_delay_s=0.001, reply_delay_s=0.2), archive=few)
    assert outcome.fault is None
    assert len(outcome.readings) == 4


def test_a_flood_is_no_frame():
    outcome = over_loopback(Faults(flood=True))
    assert isinstance(outcome.fault, TransportFault)
    assert outcome.readings == []


def test_a_wrong_password_is_one_failed_attempt():
    outcome = over_loopback(Faults(), "not-it", password="geheim")
    assert isinstance(outcome.fault, AuthenticationFailed)
    assert outcome.connections == 1
    assert "not-it" not in str(outcome.fault)


def test_a_locked_meter_without_a_password_says_so():
    outcome = over_loopback(Faults(), None, password="geheim")
    assert isinstance(outcome.fault, Refused)
    assert "lock is closed" in str(outcome.fault)
