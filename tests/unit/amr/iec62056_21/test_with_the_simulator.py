"""The driver with a simulated IEC 62056-21 meter: without a socket, then over one, with all that can go wrong."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
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
from pipelines.amr.protocols.iec62056_21 import DRIVER
from pipelines.simulators.meters.archive import MeterArchive, steady_archive
from pipelines.simulators.meters.iec62056_21 import Iec62056Meter
from pipelines.simulators.meters.responder import Faults
from tests.unit.amr.iec62056_21.helpers import call, readings, session_over_loopback
from tests.unit.amr.transcripts import answer_from

START = datetime(2026, 3, 1, tzinfo=UTC)
NOW = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)
ARCHIVE = steady_archive(start=START, rows=192, interval_s=900, initial_wh=1_000_000)
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture(autouse=True)
def _at_noon() -> None:
    clock.start_at(NOW)


def meter(password: str | None = None, address: str | None = None) -> Meter:
    return Meter(name="m", protocol="iec62056-21", zone=BERLIN, address=address, keys=Keys(password=password))


def simulated(faults: Faults, *, archive: MeterArchive = ARCHIVE, **more) -> Iec62056Meter:
    return Iec62056Meter(archive, faults, zone=BERLIN, **more)


def run(name: str, *, since: datetime | None = None, faults: Faults | None = None, archive=ARCHIVE, **arguments):
    responder = simulated(faults or Faults(), archive=archive)
    session = DRIVER.session(meter(), clock.now)
    answer_from(session.open(), responder.receive)
    return answer_from(session.perform(call(DRIVER, name, since, **arguments)), responder.receive)


def registers(archive: MeterArchive = ARCHIVE, since: datetime = START) -> list[tuple[datetime, Decimal]]:
    return [(at, Decimal(wh) / 1000) for at, wh in archive.rows(since, clock.now())]


def test_current_values_are_read_with_the_meters_time():
    found = {each.series: each for each in readings(run("read_values", faults=Faults(clock_drift_s=90)))}
    assert set(found) == {"1-0:1.8.0", "1-0:1.7.0"}
    assert (found["1-0:1.8.0"].value, found["1-0:1.8.0"].unit) == (Decimal("1019.100"), "kWh")
    assert timedelta(seconds=88) < found["1-0:1.7.0"].timestamp - NOW < timedelta(seconds=95)


def test_registers_are_read_one_by_one():
    found = readings(run("read_registers", registers=["1.8.0", "1-0:1.7.0"]))
    assert [(each.series, each.value, each.unit) for each in found] == [
        ("1-0:1.8.0", Decimal("1019.100"), "kWh"),
        ("1-0:1.7.0", Decimal("0.400"), "kW"),
    ]


def test_an_unknown_register_is_refused():
    with pytest.raises(Refused, match="ER03"):
        run("read_registers", registers=["9.9.9"])


def test_a_profile_of_registers_is_the_archive():
    found = readings(run("read_profile_by_date", start_date="2026-03-01T00:00:00Z"))
    assert [(each.timestamp, each.value) for each in found] == registers()


def test_a_profile_of_energies_is_labelled_by_the_start_of_each_interval():
    found = readings(run("read_profile_by_date", start_date="2026-03-01T00:00:00Z", profile="P.02"))
    rows = registers()
    expected = [(at, new - old) for (at, old), (_, new) in pairwise(rows)]
    assert [(each.timestamp, each.value) for each in found] == expected
    assert {each.series for each in found} == {"1-0:1.29.0"}


def test_every_part_of_a_profile_says_how_far_it_is_read():
    steps = [s for s in run("read_profile_by_date", start_date="2026-03-01T00:00:00Z") if isinstance(s, Found)]
    assert len(steps) == 3
    assert [step.covered for step in steps] == [(START, step.readings[-1].timestamp) for step in steps]


def test_an_end_date_ends_the_profile_with_its_row():
    found = readings(run("read_profile_by_date", start_date="2026-03-01T01:00:00", end_date="2026-03-01T03:00:00"))
    assert [each.timestamp for each in found] == [START + timedelta(minutes=15 * row) for row in range(9)]


def test_an_offset_counts_from_the_meters_now_and_reaches_back_to_what_is_missing():
    clock.start_at(START + timedelta(hours=10))
    ahead = Faults(clock_drift_s=3600)
    short = readings(run("read_profile_by_offset_seconds", faults=ahead, offset_seconds=1700))
    assert short[0].timestamp == START + timedelta(hours=10, minutes=45)
    missing = START + timedelta(hours=2)
    longer = readings(run("read_profile_by_offset_seconds", faults=ahead, offset_seconds=1700, since=missing))
    assert longer[0].timestamp == missing


@pytest.mark.parametrize("begin", [datetime(2026, 10, 24, 20, tzinfo=UTC), datetime(2026, 3, 28, 20, tzinfo=UTC)])
def test_a_change_of_the_clocks_loses_and_doubles_nothing(begin):
    archive = steady_archive(start=begin, rows=64, interval_s=900)
    clock.start_at(begin + timedelta(days=1))
    found = readings(run("read_profile_by_date", archive=archive, start_date=begin.isoformat()))
    assert [each.timestamp for each in found] == [at for at, _ in registers(archive, begin)]


def test_the_clock_is_set():
    steps = run("set_time", faults=Faults(clock_drift_s=-300))
    assert [type(step) for step in steps] == [ClockSeen, ClockSet]
    assert abs(steps[1].meter_at - NOW) < timedelta(seconds=5)


def test_a_clock_within_what_is_allowed_is_left_alone():
    steps = run("set_time", faults=Faults(clock_drift_s=20), allowed_drift_seconds=30)
    assert [type(step) for step in steps] == [ClockSeen]


def test_an_end_before_the_start_is_refused_here():
    with pytest.raises(Misconfigured):
        run("read_profile_by_date", start_date="2026-03-01T00:00:00", end_date="2026-02-01T00:00:00")


def test_a_call_of_another_protocol_is_unsupported():
    with pytest.raises(Unsupported):
        answer_from(
            DRIVER.session(meter(), clock.now).perform(Call(name="read_database")), simulated(Faults()).receive
        )


def test_a_meter_answers_only_to_its_address():
    responder = simulated(Faults(), address="00004711")
    answer_from(DRIVER.session(meter(address="4711"), clock.now).open(), responder.receive)
    with pytest.raises(NoAnswer):
        answer_from(DRIVER.session(meter(address="4712"), clock.now).open(), responder.receive)


CALLS = [
    call(DRIVER, "read_registers", registers=["1.8.0"]),
    call(DRIVER, "read_profile_by_date", start_date="2026-03-01T00:00:00Z"),
    call(DRIVER, "read_values"),
]


def over_loopback(faults: Faults, ours: str | None = None, **more):
    return session_over_loopback(
        DRIVER, meter(ours), lambda given: simulated(given, **more), CALLS, faults, timeout_s=0.3
    )


def everything(outcome) -> bool:
    found = [(each.timestamp, each.value) for each in outcome.readings if each.series == "1-0:1.8.0"]
    return found[1:-1] == registers() and found[0][1] == found[-1][1] == Decimal("1019.100")


# The frames of a session: 1 identification, 2 P0, 3 and 4 clock, 5 register, 6 to 9 profile, 10 and 11 readout.
def test_a_whole_session_over_a_socket():
    outcome = over_loopback(Faults(), "geheim", password="geheim")
    assert outcome.fault is None
    assert everything(outcome)


@pytest.mark.parametrize("frame", [2, 3, 4, 5, 6, 9, 11])
def test_a_corrupt_frame_is_read_again(frame):
    outcome = over_loopback(Faults(corrupt_frames=frozenset({frame})))
    assert outcome.fault is None
    assert everything(outcome)


@pytest.mark.parametrize("frames", [{1}, {2}, {3}, {4}, {5}, {6}, {7}, {9}, {10}, {11}, set(range(1, 12))])
def test_a_frame_that_comes_twice_changes_nothing(frames):
    outcome = over_loopback(Faults(duplicate_frames=frozenset(frames)))
    assert outcome.fault is None
    assert everything(outcome)


def test_a_line_that_stays_bad_is_given_up():
    outcome = over_loopback(Faults(corrupt_frames=frozenset(range(7, 40))))
    assert isinstance(outcome.fault, BadFrame)
    assert len(outcome.readings) == 1 + 45


def test_a_cut_line_keeps_what_had_come():
    outcome = over_loopback(Faults(cut_frame=7))
    assert isinstance(outcome.fault, LinkLost)
    assert len(outcome.readings) == 1 + 45


@pytest.mark.parametrize(("frame", "kept"), [(1, 0), (5, 0), (7, 46)])
def test_a_silent_meter_is_given_up_in_time(frame, kept):
    outcome = over_loopback(Faults(silent_from=frame))
    assert isinstance(outcome.fault, NoAnswer)
    assert len(outcome.readings) == kept


def test_a_slow_meter_is_waited_for():
    few = steady_archive(start=START, rows=4, interval_s=900)
    outcome = over_loopback(Faults(byte_delay_s=0.001, reply_delay_s=0.1), archive=few)
    assert outcome.fault is None
    assert len(outcome.readings) == 1 + 4 + 2


def test_a_flood_is_no_frame():
    outcome = over_loopback(Faults(flood=True))
    assert isinstance(outcome.fault, TransportFault)
    assert outcome.readings == []


def test_a_wrong_password_is_one_failed_attempt():
    outcome = over_loopback(Faults(), "not-it", password="geheim")
    assert isinstance(outcome.fault, AuthenticationFailed)
    assert outcome.connections == 1
    assert "not-it" not in str(outcome.fault)
