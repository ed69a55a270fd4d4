from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from pipelines import clock
from pipelines.amr.contract import ClockSeen, ClockSet, Found, Reading, Step
from pipelines.amr.faults import BadFrame, NoAnswer
from pipelines.simulators.meters.archive import MeterArchive, steady_archive
from pipelines.simulators.meters.mbus import MbusGateway, MbusMeter
from pipelines.simulators.meters.responder import Faults
from tests.unit.amr.mbus.support import BERLIN, call, session
from tests.unit.amr.transcripts import answer_from

START = datetime(2025, 1, 1, tzinfo=UTC)


def archive(initial_wh: int = 0) -> MeterArchive:
    return steady_archive(start=START, rows=80_000, interval_s=900, initial_wh=initial_wh)


@pytest.fixture(autouse=True)
def _at_noon() -> object:
    clock.start_at(datetime(2026, 3, 2, 14, 31, 7, tzinfo=UTC))
    yield
    clock.start_at(None)


def readings(steps: list[Step]) -> list[Reading]:
    return [reading for step in steps if isinstance(step, Found) for reading in step.readings]


def test_the_register_and_the_power_of_now_are_read() -> None:
    meter = MbusMeter(archive(), Faults(), zone=BERLIN)
    steps = answer_from(session(now=clock.now()).perform(call("read_values", primary_address=1)), meter.receive)
    at = datetime(2026, 3, 2, 14, 31, tzinfo=UTC)
    register = Decimal(archive().register_at(at)).scaleb(-3)
    assert steps[0] == ClockSeen(at)
    assert readings(steps) == [
        Reading("1-0:1.8.0", at, register, "kWh"),
        Reading("1-0:1.7.0", at, Decimal(400), "W"),
    ]


def test_the_month_ends_are_read_with_their_own_dates() -> None:
    meter = MbusMeter(archive(), Faults(), zone=BERLIN)
    asked = call("read_values", primary_address=1, history=True)
    found = readings(answer_from(session(now=clock.now()).perform(asked), meter.receive))[2:]
    edges = [datetime(2026, month, 1, tzinfo=BERLIN) for month in (3, 2, 1)]
    edges += [datetime(2025, month, 1, tzinfo=BERLIN) for month in range(12, 2, -1)]
    assert [reading.timestamp for reading in found] == edges
    assert [reading.value for reading in found] == [
        Decimal(archive().register_at(edge)).scaleb(-3) for edge in edges
    ]


def test_months_before_the_archive_do_not_exist() -> None:
    meter = MbusMeter(archive(), Faults(), zone=BERLIN, history_months=36)
    asked = call("read_values", primary_address=1, history=True, telegrams=64)
    found = readings(answer_from(session(now=clock.now()).perform(asked), meter.receive))[2:]
    assert found[-1].timestamp == datetime(2025, 1, 31, 23, tzinfo=UTC)
    assert len(found) == 14


@pytest.mark.parametrize(
    ("medium", "series", "unit"), [(4, "6-0:1.0.0", "kWh"), (3, "7-0:3.0.0", "m³"), (7, "8-0:1.0.0", "m³")]
)
def test_every_medium_has_its_series(medium: int, series: str, unit: str) -> None:
    meter = MbusMeter(archive(), Faults(), medium=medium)
    steps = answer_from(session(now=clock.now()).perform(call("read_values", primary_address=1)), meter.receive)
    assert (readings(steps)[0].series, readings(steps)[0].unit) == (series, unit)


def test_of_several_meters_behind_one_gateway_each_is_read_by_its_serial_number() -> None:
    meters = [
        MbusMeter(archive(1000 * number), Faults(), serial=f"1234567{number}", primary_address=0)
        for number in range(1, 4)
    ]
    gateway = MbusGateway(meters)
    values = []
    for number in (1, 3, 2):
        talk = session(serial=f"1234567{number}", now=clock.now())
        values.append(readings(answer_from(talk.perform(call("read_values")), gateway.receive))[0].value)
        answer_from(talk.close(), gateway.receive)
    assert [value - values[0] for value in values] == [0, 2, 1]


def test_nobody_with_the_serial_number_is_no_answer() -> None:
    gateway = MbusGateway([MbusMeter(archive(), Faults())])
    with pytest.raises(NoAnswer):
        answer_from(session(serial="87654321").perform(call("read_values")), gateway.receive)


def test_two_meters_on_one_address_speak_at_once_and_are_not_believed() -> None:
    meters = [MbusMeter(archive(7000 * number), Faults(), serial=f"1234567{number}") for number in (1, 2)]
    gateway = MbusGateway(meters)
    with pytest.raises(BadFrame):
        answer_from(session().perform(call("read_values", primary_address=1)), gateway.receive)


def test_a_clock_that_is_wrong_is_set() -> None:
    meter = MbusMeter(archive(), Faults(clock_drift_s=-3600), zone=BERLIN)
    talk = session(now=clock.now())
    steps = answer_from(talk.perform(call("set_time", primary_address=1)), meter.receive)
    assert steps == [
        ClockSeen(datetime(2026, 3, 2, 13, 31, tzinfo=UTC)),
        ClockSet(datetime(2026, 3, 2, 14, 31, tzinfo=UTC)),
    ]
    seen = answer_from(talk.perform(call("read_values", primary_address=1)), meter.receive)[0]
    assert isinstance(seen, ClockSeen)
    assert abs(seen.meter_at - clock.now()) <= timedelta(seconds=60)


def test_the_simulator_swallows_noise_and_finds_the_next_frame() -> None:
    meter = MbusMeter(archive(), Faults())
    assert meter.receive(b"\x55\x68\x99" + bytes.fromhex("10 40 01 41 16")) == [b"\xe5"]
    assert meter.receive(b"\x10\x40") == []
    assert meter.receive(b"\x01\x41\x16") == [b"\xe5"]
