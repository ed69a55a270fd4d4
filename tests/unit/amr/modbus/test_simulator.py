import struct
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from pipelines import clock
from pipelines.amr.faults import NoAnswer, Refused
from pipelines.amr.protocols.modbus.session import MAPS, MODELS
from pipelines.simulators.meters.archive import steady_archive
from pipelines.simulators.meters.modbus import ModbusMeter
from pipelines.simulators.meters.responder import Faults
from tests.unit.amr.modbus.support import call, readings, session, unit_data
from tests.unit.amr.transcripts import answer_from

NOON = datetime(2026, 3, 2, 12, 0, 1, tzinfo=UTC)
ARCHIVE = steady_archive(start=datetime(2026, 1, 1, tzinfo=UTC), rows=40_000, interval_s=900, initial_wh=123_456)


@pytest.fixture(autouse=True)
def _at_noon() -> object:
    clock.start_at(NOON)
    yield
    clock.start_at(None)


@pytest.mark.parametrize("key", sorted(MODELS))
def test_energy_and_power_of_every_model_are_those_of_the_archive(key: str) -> None:
    meter = ModbusMeter(ARCHIVE, Faults(), model=key)
    found = {one.series: one for one in readings(answer_from(session().perform(call(model=key)), meter.receive))}
    assert set(found) == {one.series for one in MAPS[key].registers}
    energy, power = found["1-0:1.8.0"], found["1-0:16.7.0"]
    register = Decimal(ARCHIVE.register_at(clock.now())) / (1 if energy.unit == "Wh" else 1000)
    resolution = next(one.scaler for one in MAPS[key].registers if one.series == "1-0:1.8.0")
    assert register - resolution < energy.value <= register
    assert power.value * (1000 if power.unit == "kW" else 1) == 400
    assert found["1-0:32.7.0"].value == 230
    assert found["1-0:14.7.0"].value == 50


@pytest.mark.parametrize("key", sorted(MODELS))
def test_no_more_requests_are_made_than_the_sample_of_the_model_shows(key: str) -> None:
    meter = ModbusMeter(ARCHIVE, Faults(), model=key)
    answer_from(session().perform(call(model=key)), meter.receive)
    assert len(meter.requests) == len(MODELS[key].data["sample"]["exchanges"])


def test_another_unit_is_silent_behind_its_gateway() -> None:
    meter = ModbusMeter(ARCHIVE, Faults(), unit=7)
    with pytest.raises(NoAnswer, match="failed to respond"):
        answer_from(session().perform(call(model="eastron_sdm630")), meter.receive)
    assert readings(answer_from(session().perform(call(model="eastron_sdm630", unit=7)), meter.receive))


def test_a_register_that_the_device_does_not_have_is_refused() -> None:
    meter = ModbusMeter(ARCHIVE, Faults(), refused=frozenset({0x48}))
    with pytest.raises(Refused, match="illegal data address"):
        answer_from(session().perform(call(model="eastron_sdm630")), meter.receive)


@pytest.mark.parametrize(
    ("request_pdu", "answer_pdu"),
    [
        ("06 00 00 00 01", "86 01"),
        ("04 00 48 00 7E", "84 03"),
        ("04 00 48 00 00", "84 03"),
        ("04 00 48", "84 03"),
        ("03 00 48 00 02", "83 02"),
        ("04 01 00 00 02", "84 02"),
        ("04 00 06 00 40", "84 02"),
    ],
)
def test_what_the_device_cannot_do_gets_its_exception(request_pdu: str, answer_pdu: str) -> None:
    meter = ModbusMeter(ARCHIVE, Faults())
    assert meter.receive(unit_data(5, request_pdu)) == [unit_data(5, answer_pdu)]


def test_segments_are_put_together_and_noise_is_dropped() -> None:
    meter = ModbusMeter(ARCHIVE, Faults())
    whole = unit_data(5, "04 00 46 00 02")
    assert meter.receive(b"\x55" * 20) == []
    assert meter.receive(whole[:5]) == []
    fifty = unit_data(5, b"\x04\x04" + struct.pack(">f", 50))
    assert meter.receive(whole[5:] + whole) == [fifty, fifty]
