"""Sessions with several jobs: what opens badly is not gone on with, and one job's fault is not another's."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from pipelines import clock
from pipelines.amr.contract import Call, Conversation, Found, Reading
from pipelines.amr.faults import BadData, MeterFault, Refused
from pipelines.amr.ops import Block
from pipelines.amr.protocols.lis200.session import Lis200Session
from pipelines.amr.storekeeper import Storekeeper
from pipelines.simulators.meters.responder import Faults
from tests.integration.amr.station import DAY_BACK, NOW, Station, lis200

DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("error", "reason"),
    [(Refused("no"), "refused_by_meter"), (BadData("?"), "bad_data"), (KeyError("x"), "internal")],
)
def test_where_a_session_cannot_be_opened_no_call_is_performed_in_it(
    station: Station, monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str
) -> None:
    performed: list[str] = []

    def opens(_self: Any) -> Conversation:
        raise error
        yield

    def performs(_self: Any, call: Call) -> Conversation:
        performed.append(call.name)
        yield Found([])

    monkeypatch.setattr(Lis200Session, "open", opens)
    monkeypatch.setattr(Lis200Session, "perform", performs)
    interface = station.interface(1)
    meter = station.meter(interface)
    identifiers = [station.invoke(meter), station.invoke(meter, "set_time", {}), station.invoke(meter)]
    server = lis200()

    station.collect({interface: server})

    assert performed == []
    assert [(station.job(i).state, station.job(i).reason) for i in identifiers] == [("failed", reason)] * 3
    assert server.connections == 1


def test_a_driver_that_cannot_even_be_made_fails_its_jobs_and_says_so(
    station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    def made(*_arguments: Any) -> None:
        raise ValueError("a key of 3 octets")

    monkeypatch.setattr(Lis200Session, "__init__", made)
    interface = station.interface(1)
    identifier = station.invoke(station.meter(interface))

    station.collect({interface: lis200()})

    job = station.job(identifier)
    assert (job.state, job.reason, job.detail) == ("failed", "internal", "the driver failed: ValueError")


def test_a_drivers_own_time_out_is_no_deadline(station: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    def performs(_self: Any, _call: Call) -> Conversation:
        raise TimeoutError("a bug")
        yield

    monkeypatch.setattr(Lis200Session, "perform", performs)
    interface = station.interface(1)
    identifier = station.invoke(station.meter(interface))

    station.collect({interface: lis200()})

    assert station.job(identifier).reason == "internal"


def test_of_several_jobs_one_that_the_meter_refuses_leaves_the_others_their_session(station: Station) -> None:
    interface = station.interface(1)
    meter = station.meter(interface)
    refused = station.invoke(meter, "read_single_value", {"address": "9:999.9", "model": "dl230"})
    others = [station.invoke(meter), station.invoke(meter, "set_time", {})]
    server = lis200()

    station.collect({interface: server})

    assert station.job(refused).state == "failed"
    assert [station.job(i).state for i in others] == ["ok", "ok"]
    assert (server.connections, station.readings(meter)) == (1, station.expected(NOW - DAY))


def test_a_fault_of_the_line_ends_the_session_for_all_its_jobs(station: Station) -> None:
    interface = station.interface(1)
    meter = station.meter(interface)
    identifiers = [station.invoke(meter) for _ in range(3)]
    server = lis200(Faults(cut_frame=5))

    station.collect({interface: server})

    assert [(station.job(i).state, station.job(i).reason) for i in identifiers] == [
        ("waiting", "connection_lost")
    ] * 3
    assert server.connections == 1


def test_a_driver_that_overlooks_that_nothing_was_stored_does_not_move_the_watermark(
    station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    def performs(_self: Any, _call: Call) -> Conversation:
        readings = [Reading("1-0:1.8.0", NOW - i * timedelta(minutes=1), Decimal(1), "kWh") for i in range(300)]
        try:
            yield Found(readings, covered=(NOW - DAY, NOW))
        except MeterFault:
            yield Found([], covered=(NOW - DAY, NOW))

    put = Storekeeper.put

    def refuses(self: Storekeeper, op: Any) -> Any:
        is_block = isinstance(op, Block)  # with columns of unequal length its transaction fails
        return put(self, replace(op, times_us=op.times_us[:1]) if is_block else op)

    monkeypatch.setattr(Lis200Session, "perform", performs)
    monkeypatch.setattr(Storekeeper, "put", refuses)
    interface = station.interface(1)
    identifier = station.invoke(station.meter(interface))

    station.collect({interface: lis200()})

    assert station.job(identifier).reason == "storage"
    assert station.scalar("SELECT count(*) FROM wattloom.amr_watermark") == 0


def test_a_session_that_ran_out_of_time_after_an_answer_does_not_open_the_circuit(station: Station) -> None:
    short = replace(station, settings=replace(station.settings, amr_session_s=1, amr_attempts=1))
    interface = station.interface(1)
    meter = station.meter(interface)
    for _ in range(2):
        short.invoke(meter, "read_single_value", {"address": "1:180.0", "model": "dl230"})
        short.invoke(meter, "set_time", {})
        short.collect({interface: lis200(Faults(reply_delay_s=0.15))})

    assert {reason for (reason,) in short.world.rows("SELECT reason FROM wattloom.amr_job")} >= {"deadline"}
    assert short.scalar("SELECT failures FROM wattloom.network_interface") == 0


@pytest.mark.parametrize("drift_s", [-86_400.0 * 365 * 40, -3.25, 86_400.0 * 365 * 50])
def test_a_clock_that_is_wrong_by_decades_is_noted_as_far_as_the_column_goes(
    station: Station, drift_s: float
) -> None:
    interface = station.interface(1)
    station.invoke(station.meter(interface), "read_single_value", {"address": "1:180.0", "model": "dl230"})

    station.collect({interface: lis200(Faults(clock_drift_s=drift_s))})

    drift = float(station.scalar("SELECT clock_drift_s FROM wattloom.amr_meter_state"))
    assert abs(drift - max(-999_999_999, min(999_999_999, drift_s))) < 3
    assert station.scalar("SELECT clock_seen_at FROM wattloom.amr_meter_state") <= clock.now()


def test_an_unconfigured_device_is_read_into_any_series_where_the_setting_allows_it(station: Station) -> None:
    interface = station.interface(1)
    meter = station.meter(interface, type_id=None)
    refused = station.invoke(meter)
    station.collect({interface: lis200()})
    assert station.job(refused).readings_rejected == 97
    assert "no type with a config" in station.job(refused).detail

    allowed = replace(station, settings=replace(station.settings, allow_unconfigured_devices=True))
    taken = allowed.invoke(meter, arguments=DAY_BACK)
    allowed.collect({interface: lis200()})

    assert allowed.job(taken).readings_stored == 97
    assert allowed.readings(meter) == allowed.expected(NOW - DAY)
