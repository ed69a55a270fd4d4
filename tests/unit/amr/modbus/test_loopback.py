import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from pipelines.amr.contract import Call, ClockSeen, ClockSet, Found, Reading, Reported
from pipelines.amr.conversation import converse
from pipelines.amr.faults import BadFrame, LinkLost, MeterFault, NoAnswer, Refused
from pipelines.amr.transport import connect
from pipelines.simulators.meters.archive import steady_archive
from pipelines.simulators.meters.modbus import ModbusMeter
from pipelines.simulators.meters.responder import Faults
from pipelines.simulators.meters.server import HOST, MeterServer
from tests.unit.amr.modbus.support import call, session

# One row: the register never counts on while a test runs.
ARCHIVE = steady_archive(start=datetime(2025, 1, 1, tzinfo=UTC), rows=1, interval_s=900, initial_wh=123_400)
TIMEOUT_S = 0.5
CONNECT_S = 5.0
ENERGY = call(model="eastron_sdm630", registers=["1-0:1.8.0"])
SEVERAL = call(model="eastron_sdm630", registers=["1-0:32.7.0", "1-0:1.8.0"])
KWH = Decimal("123.4")


class Kept:
    """Keeps what a conversation finds, as the collection would store it."""

    def __init__(self) -> None:
        self.readings: list[Reading] = []

    async def found(self, found: Found) -> None:
        self.readings += found.readings

    async def clock_seen(self, step: ClockSeen) -> None:
        raise AssertionError(step)

    async def clock_set(self, step: ClockSet) -> None:
        raise AssertionError(step)

    async def reserve_counters(self, count: int) -> int:
        raise AssertionError(count)

    async def reported(self, step: Reported) -> None:
        raise AssertionError(step)


async def talk(port: int, asked: Call) -> tuple[dict[str, Decimal], MeterFault | None]:
    kept, fault = Kept(), None
    try:
        async with await connect(HOST, port, CONNECT_S) as link:
            one = session()
            for conversation in (one.open(), one.perform(asked), one.close()):
                await converse(link, conversation, kept, timeout_s=TIMEOUT_S)
    except MeterFault as error:
        fault = error
    return {reading.series: reading.value for reading in kept.readings}, fault


def served(
    make: Callable[[Faults], ModbusMeter], faults: Faults, asked: Call
) -> tuple[dict[str, Decimal], MeterFault | None]:
    async def run() -> tuple[dict[str, Decimal], MeterFault | None]:
        server = await MeterServer(make, faults).start()
        try:
            return await talk(server.port, asked)
        finally:
            await server.stop()

    return asyncio.run(run())


def read(faults: Faults, asked: Call = ENERGY) -> tuple[dict[str, Decimal], MeterFault | None]:
    return served(lambda given: ModbusMeter(ARCHIVE, given), faults, asked)


@pytest.mark.parametrize("asked", [ENERGY, SEVERAL], ids=["one block", "two blocks"])
@pytest.mark.parametrize(
    "faults",
    [
        Faults(),
        Faults(corrupt_frames=frozenset({1, 2})),
        Faults(duplicate_frames=frozenset({1, 2})),
        Faults(reply_delay_s=0.1),
        Faults(byte_delay_s=0.005),
        Faults(byte_delay_s=0.005, corrupt_frames=frozenset({1})),
    ],
    ids=["none", "corrupt", "duplicate", "late", "byte by byte", "slow and damaged"],
)
def test_what_a_repeat_can_heal_is_healed(faults: Faults, asked: Call) -> None:
    # The flipped bit lies in the unit identifier of these short answers; inside of values TCP alone guards.
    found, fault = read(faults, asked)
    assert fault is None
    assert found == {"1-0:1.8.0": KWH} | ({"1-0:32.7.0": Decimal(230)} if asked is SEVERAL else {})


def test_an_answer_that_comes_after_the_patience_is_over_is_not_taken_for_a_later_one() -> None:
    found, fault = read(Faults(reply_delay_s=TIMEOUT_S * 1.2), SEVERAL)
    assert fault is None or isinstance(fault, NoAnswer | BadFrame)
    assert found.get("1-0:1.8.0") in (None, KWH)
    assert found.get("1-0:32.7.0") in (None, Decimal(230))


@pytest.mark.parametrize(
    ("faults", "kind", "kept"),
    [
        (Faults(cut_frame=1), LinkLost, set()),
        (Faults(cut_frame=2), LinkLost, {"1-0:32.7.0"}),
        (Faults(silent_from=1), NoAnswer, set()),
        (Faults(silent_from=2), NoAnswer, {"1-0:32.7.0"}),
        (Faults(corrupt_frames=frozenset(range(2, 100))), BadFrame, {"1-0:32.7.0"}),
        (Faults(flood=True), BadFrame, set()),
    ],
    ids=["cut", "cut later", "silent", "silent later", "always damaged", "flood"],
)
def test_what_cannot_be_healed_is_the_right_fault_in_bounded_time(
    faults: Faults, kind: type[MeterFault], kept: set[str]
) -> None:
    started = time.monotonic()
    found, fault = read(faults, SEVERAL)
    assert isinstance(fault, kind)
    assert set(found) == kept
    assert time.monotonic() - started < 5


def test_a_refused_block_is_said_after_the_others_are_kept() -> None:
    found, fault = served(lambda given: ModbusMeter(ARCHIVE, given, refused=frozenset({0})), Faults(), SEVERAL)
    assert isinstance(fault, Refused)
    assert found == {"1-0:1.8.0": KWH}


def test_pymodbus_s_client_reads_our_simulator() -> None:
    async def run() -> None:
        server = await MeterServer(lambda given: ModbusMeter(ARCHIVE, given, model="abb_b23", unit=3)).start()
        client = AsyncModbusTcpClient(HOST, port=server.port, timeout=2, retries=0)
        try:
            assert await client.connect()
            energy = await client.read_holding_registers(0x5000, count=4, device_id=3)
            assert client.convert_from_registers(energy.registers, client.DATATYPE.UINT64) == 12_340
            voltage = await client.read_holding_registers(0x5B00, count=2, device_id=3)
            assert client.convert_from_registers(voltage.registers, client.DATATYPE.UINT32) == 2300
            missing = await client.read_holding_registers(0x4000, count=2, device_id=3)
            assert (missing.isError(), missing.exception_code) == (True, 2)
        finally:
            client.close()
            await server.stop()

    asyncio.run(run())


async def _with_their_server(
    blocks: list[SimData], work: Callable[[int], Awaitable[tuple[dict[str, Decimal], MeterFault | None]]]
) -> tuple[dict[str, Decimal], MeterFault | None]:
    server = ModbusTcpServer(SimDevice(id=1, simdata=blocks), address=(HOST, 0))
    await server.serve_forever(background=True)
    try:
        assert server.transport is not None
        return await work(server.transport.sockets[0].getsockname()[1])
    finally:
        await server.shutdown()


def test_our_driver_reads_pymodbus_s_server() -> None:
    blocks = [
        SimData(0x34, values=-1234.5, datatype=DataType.FLOAT32),
        SimData(0x46, values=[49.98, 12345.678, 0.12], datatype=DataType.FLOAT32),
    ]
    asked = call(model="eastron_sdm630", registers=["1-0:16.7.0"])
    found, fault = asyncio.run(_with_their_server(blocks, lambda port: talk(port, asked)))
    assert (found, fault) == ({"1-0:16.7.0": Decimal("-1234.5")}, None)
    asked = call(model="eastron_sdm630", registers=["1-0:14.7.0", "1-0:1.8.0", "1-0:2.8.0"])
    found, fault = asyncio.run(_with_their_server(blocks, lambda port: talk(port, asked)))
    assert fault is None
    assert found == {
        "1-0:14.7.0": Decimal("49.98"),
        "1-0:1.8.0": Decimal("12345.678"),
        "1-0:2.8.0": Decimal("0.12"),
    }


def test_what_pymodbus_s_server_does_not_have_is_refused_and_the_rest_is_kept() -> None:
    blocks = [SimData(0x46, values=[49.98, 12345.678, 0.12], datatype=DataType.FLOAT32)]
    asked = call(model="eastron_sdm630", registers=["1-0:32.7.0", "1-0:1.8.0"])
    found, fault = asyncio.run(_with_their_server(blocks, lambda port: talk(port, asked)))
    assert isinstance(fault, Refused)
    assert found == {"1-0:1.8.0": Decimal("12345.678")}
