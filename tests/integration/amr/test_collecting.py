"""Jobs are executed over real sockets: what is read is stored, and what is not says why."""

import time
from dataclasses import replace
from datetime import timedelta

import pytest

from pipelines import clock
from pipelines.amr.protocols.lis200.session import Lis200Session
from pipelines.simulators.meters.responder import Faults
from tests.integration.amr.station import DAY_BACK, NOW, START, Station, lis200

DAY = timedelta(days=1)


def test_an_archive_is_read_over_the_wire_and_stored_to_the_last_digit(station: Station) -> None:
    interface = station.interface(1)
    meter = station.meter(interface)
    identifier = station.invoke(meter)

    station.collect({interface: lis200()})

    job = station.job(identifier)
    assert (job.state, job.reason, job.attempt) == ("ok", None, 1)
    assert station.readings(meter) == station.expected(NOW - DAY)
    assert (job.readings_found, job.readings_stored, job.readings_rejected) == (97, 97, 0)


def test_a_second_reading_overlaps_changes_nothing_and_goes_on_from_the_watermark(station: Station) -> None:
    interface = station.interface(1)
    meter = station.meter(interface)
    station.invoke(meter)
    station.collect({interface: lis200(rows=12 * 4 + 1)})  # the archive ends at noon of the day before
    station.invoke(meter, arguments=DAY_BACK | {"offset_seconds": 3600})

    station.collect({interface: lis200()})

    # One hour was asked for; what the first reading could not yet see comes along.
    assert station.readings(meter) == station.expected(NOW - DAY)
    assert station.scalar("SELECT count(*) FROM wattloom.meter_reading_version") == 0
    assert station.scalar("SELECT read_until FROM wattloom.amr_watermark") == NOW


def test_a_reading_that_starts_behind_a_hole_does_not_move_the_watermark(station: Station) -> None:
    interface = station.interface(1)
    meter = station.meter(interface)
    by_date = {"archive_number": 2, "control_position": 3, "model": "dl230"}
    station.invoke(
        meter,
        "read_archive_by_date",
        by_date | {"start_date": START.isoformat(), "end_date": (START + timedelta(hours=2)).isoformat()},
    )
    station.collect({interface: lis200()})
    station.invoke(meter, "read_archive_by_date", by_date | {"start_date": (NOW - timedelta(hours=1)).isoformat()})

    station.collect({interface: lis200()})

    assert station.scalar("SELECT read_until FROM wattloom.amr_watermark") == START + timedelta(hours=2)


def test_the_meters_of_one_interface_are_read_one_after_the_other_under_its_lease(station: Station) -> None:
    interface = station.interface(1)
    meters = [station.meter(interface) for _ in range(4)]
    identifiers = [station.invoke(meter) for meter in meters]
    server = lis200(Faults(reply_delay_s=0.02))

    station.collect({interface: server})

    assert [station.job(identifier).state for identifier in identifiers] == ["ok"] * 4
    assert (server.connections, server.most_open) == (4, 1)
    assert station.one("SELECT blocked_by, blocked_until, lease_token FROM wattloom.network_interface") == (
        None,
        None,
        None,
    )


def test_an_interface_that_cannot_block_is_used_side_by_side_up_to_its_hosts_limit(station: Station) -> None:
    interface = station.interface(1, can_block=False)
    for _ in range(8):
        station.invoke(station.meter(interface))
    server = lis200(Faults(reply_delay_s=0.05))
    limited = replace(station, settings=replace(station.settings, amr_sessions_per_host=3))

    limited.collect({interface: server})

    assert server.most_open == 3
    assert station.scalar("SELECT count(*) FROM wattloom.amr_job WHERE state = 'ok'") == 8


@pytest.mark.parametrize(
    ("faults", "reason", "stored"),
    [
        (Faults(silent_from=1), "no_answer", False),
        (Faults(cut_frame=1), "connection_lost", False),
        (Faults(flood=True), "bad_frame", False),
        (Faults(byte_delay_s=0.3), "deadline", False),
        (Faults(silent_from=8), "no_answer", True),
        (Faults(cut_frame=8), "connection_lost", True),
    ],
    ids=["silent", "cut", "flood", "one byte at a time", "silent later", "cut later"],
)
def test_a_bad_line_ends_in_a_reason_a_retry_and_delays_no_other_meter(
    station: Station, faults: Faults, reason: str, stored: bool
) -> None:
    bad, good = station.interface(1), station.interface(2)
    sick, well = station.meter(bad), station.meter(good)
    first = station.invoke(sick)
    second = station.invoke(well)
    began = time.monotonic()

    station.collect({bad: lis200(faults), good: lis200()})

    job = station.job(first)
    assert (job.state, job.reason, job.attempt) == ("waiting", reason, 1)
    assert NOW < job.due_at <= clock.now() + timedelta(seconds=90)
    assert (job.readings_stored > 0) is stored
    assert len(station.readings(sick)) == job.readings_stored
    assert station.job(second).state == "ok"
    assert time.monotonic() - began < 12
    assert station.scalar("SELECT count(*) FROM wattloom.network_interface WHERE blocked_until IS NOT NULL") == 0


def test_attempts_end_and_partial_results_stay(station: Station) -> None:
    once = replace(station, settings=replace(station.settings, amr_attempts=1))
    interface = station.interface(1)
    meter = station.meter(interface)
    identifier = once.invoke(meter)

    once.collect({interface: lis200(Faults(cut_frame=8))})

    job = station.job(identifier)
    assert (job.state, job.reason, job.finished_at is not None) == ("partial", "connection_lost", True)
    assert 0 < len(station.readings(meter)) < 97


def test_nobody_listens_and_unknown_hosts_say_so(station: Station) -> None:
    nobody, unknown = station.interface(1), station.interface(1, host="meter.invalid")
    first = station.invoke(station.meter(nobody))
    second = station.invoke(station.meter(unknown))

    station.collect()

    assert station.job(first).reason == station.job(second).reason == "unreachable"
    assert "127.0.0.1:1" in station.job(first).detail


def test_what_is_not_configured_fails_at_once_and_says_what(station: Station) -> None:
    interface = station.interface(None)
    hostless = station.interface(1, host=None)
    cases = [
        (station.invoke(station.meter(None)), "no network interface"),
        (station.invoke(station.meter(interface)), "no port"),
        (station.invoke(station.meter(hostless)), "neither FQDN nor static IP"),
        (station.invoke(station.meter(station.interface(1), protocol="mbus")), "the meter's protocol is mbus"),
        (station.invoke(station.meter(station.interface(1)), "read_minds"), "has no call 'read_minds'"),
        (station.invoke(station.meter(station.interface(1)), arguments={"x": 1}), "does not take 'x'"),
        (station.invoke(station.meter(station.interface(1)), arguments={}), "offset_seconds"),
    ]

    station.collect()

    for identifier, words in cases:
        job = station.job(identifier)
        assert (job.state, job.attempt) == ("failed", 1)
        assert job.reason in {"configuration", "unsupported"}
        assert words in job.detail


def test_a_wrong_password_is_tried_once_and_then_not_before_there_are_new_keys(station: Station) -> None:
    interface = station.interface(1)
    meter = station.meter(interface)
    station.key(meter, iec62056_21_password="wrong")
    station.task(meter)
    server = lis200(password="right")
    station.dispatch()
    station.collect({interface: server})
    first = station.one("SELECT state, reason, detail FROM wattloom.amr_job")
    tried = server.connections

    station.dispatch(tick=NOW + timedelta(minutes=15))
    clock.start_at(NOW + timedelta(minutes=15))
    again = lis200(password="right")
    station.collect({interface: again})
    second = station.one("SELECT state, reason, detail FROM wattloom.amr_job ORDER BY id DESC LIMIT 1")

    assert (tried, again.connections) == (1, 0)
    assert (first.state, first.reason) == (second.state, second.reason) == ("failed", "authentication")
    assert "not tried" in second.detail
    assert "wrong" not in first.detail.replace("wrong password", "")

    clock.start_at(NOW + timedelta(minutes=30))
    station.key(meter, iec62056_21_password="right")
    station.dispatch(tick=NOW + timedelta(minutes=30))
    station.collect({interface: lis200(password="right")})

    assert station.scalar("SELECT state FROM wattloom.amr_job ORDER BY id DESC LIMIT 1") == "ok"
    assert station.scalar("SELECT authentication_failed_at FROM wattloom.amr_meter_state") is None


def test_the_drift_of_a_meters_clock_is_recorded_and_corrected_on_request(station: Station) -> None:
    interface = station.interface(1)
    meter = station.meter(interface)
    station.invoke(meter)
    station.collect({interface: lis200(Faults(clock_drift_s=-120))})
    drift = station.scalar("SELECT clock_drift_s FROM wattloom.amr_meter_state")

    station.invoke(meter, "set_time", {})
    station.collect({interface: lis200(Faults(clock_drift_s=-120))})

    assert -123 < drift < -117
    assert station.scalar("SELECT title FROM wattloom.meter_system_event") == "Clock set"


def test_a_series_that_the_config_does_not_allow_is_counted_and_named(station: Station) -> None:
    interface = station.interface(1)
    meter = station.meter(interface, station.world.series("something else", "kWh"))
    identifier = station.invoke(meter)

    station.collect({interface: lis200()})

    job = station.job(identifier)
    assert (job.state, job.readings_stored, job.readings_rejected) == ("ok", 0, 97)
    assert "1-0:1.8.0" in job.detail


def test_a_meters_unit_is_converted_to_that_of_the_series_or_refused(station: Station) -> None:
    interface = station.interface(1)
    exact = station.meter(interface, station.world.series("1-0:1.8.0", "Wh"))
    wrong = station.meter(interface, station.world.series("1-0:1.8.0", "m3"))
    station.invoke(exact)
    refused = station.invoke(wrong)

    station.collect({interface: lis200()})

    assert station.readings(exact) == [(at, value * 1000) for at, value in station.expected(NOW - DAY)]
    assert "the meter sends kWh, the series is kept in m3" in station.job(refused).detail


def test_after_failures_in_a_row_the_circuit_opens_and_an_answer_closes_it(station: Station) -> None:
    interface = station.interface(1)
    meter = station.meter(interface)
    station.task(meter)
    for run in range(5):
        clock.start_at(NOW + timedelta(minutes=15 * run))
        station.dispatch(tick=NOW + timedelta(minutes=15 * run))
        station.collect()
    opened = station.one("SELECT failures, circuit_open_until FROM wattloom.network_interface")
    station.dispatch(tick=NOW + timedelta(minutes=75))
    clock.start_at(opened.circuit_open_until - timedelta(seconds=10))
    server = lis200()

    station.collect({interface: server})
    before = server.connections
    clock.start_at(NOW + timedelta(minutes=80))
    late = lis200()
    station.collect({interface: late})

    assert opened.failures == 5
    assert (before, late.connections) == (0, 1)
    assert station.one("SELECT failures, circuit_open_until FROM wattloom.network_interface") == (0, None)


def test_a_driver_with_a_bug_fails_its_job_alone(station: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    interface, other = station.interface(1), station.interface(2)
    broken, well = station.invoke(station.meter(interface, name="broken")), station.invoke(station.meter(other))
    perform = Lis200Session.perform

    def fails(self, call):
        if self._meter.name == "broken":
            raise ZeroDivisionError("a secret")
        return perform(self, call)

    monkeypatch.setattr(Lis200Session, "perform", fails)
    station.collect({interface: lis200(), other: lis200()})

    job = station.job(broken)
    assert (job.state, job.reason) == ("failed", "internal")
    assert "secret" not in job.detail
    assert station.job(well).state == "ok"


def test_a_read_that_was_cut_off_goes_on_from_there(station: Station) -> None:
    interface = station.interface(1)
    meter = station.meter(interface)
    identifier = station.invoke(meter)
    station.collect({interface: lis200(Faults(cut_frame=8))})
    first = station.job(identifier)
    clock.start_at(first.due_at)

    station.collect({interface: lis200()})

    second = station.job(identifier)
    assert (first.state, second.state, second.attempt) == ("waiting", "ok", 2)
    assert 0 < first.readings_stored < 97
    # Only the last row of the first attempt is read twice.
    assert second.readings_stored == 97 + 1
    assert station.readings(meter) == station.expected(NOW - DAY)
    assert station.scalar("SELECT read_until FROM wattloom.amr_watermark") == NOW
