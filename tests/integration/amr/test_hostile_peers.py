"""Whatever answers at a meter's port: each session ends in time and with a reason, and nobody else notices."""

import asyncio
import contextlib
import logging
import os
import random
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from pipelines.amr.collection import Collector
from pipelines.simulators.meters.fleet import Fleet
from pipelines.simulators.meters.kinds import PROTOCOLS, SimulatedMeter
from pipelines.simulators.meters.responder import Faults
from tests.integration.amr.lines import HeadEnd
from tests.integration.amr.station import Station

SESSION_S = 6
Peer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

# One whole frame of each protocol, as its meters say it.
FRAMES = {
    "lis-200": b"/Els6\\2DL230\r\n\x01P0\x02(0000000)\x03\x33",
    "iec62056-21": b"\x02F.F(00)\r\n1-0:1.8.0(000123.4*kWh)\r\n!\r\n\x03\x11",
    "dlms-cosem": bytes.fromhex("0001000100100005c401c100ff"),
    "modbus": bytes.fromhex("000100000007010304447a0000"),
    "mbus": bytes.fromhex("680f0f68080172785634122d2c010204000000000516"),
    "i-flag": b"/ACT6CORUS\r\n",
}
HUGE = {
    "lis-200": b"\x02" + b"(0)" * 200,
    "iec62056-21": b"\x02" + b"(0)" * 200,
    "dlms-cosem": bytes.fromhex("000100010010ffff") + b"\xc4\x01",
    "modbus": bytes.fromhex("00010000ffff0103ff"),
    "mbus": bytes.fromhex("68ffff68080172"),
    "i-flag": b"\xff" * 12,
}


async def _mute(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    while await reader.read(65_536):
        pass


async def _drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"\x68")
        await writer.drain()
        await asyncio.sleep(0.3)


async def _garbage(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    noise = random.Random(7)
    while True:
        writer.write(noise.randbytes(noise.randint(1, 4096)))
        await writer.drain()
        await asyncio.sleep(0.01)


async def _gone(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


def _says(frame: bytes) -> Peer:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(65_536):
            writer.write(frame)
            await writer.drain()

    return serve


@dataclass(frozen=True)
class Hostility:
    """What is wrong at a port, and the reasons that say so."""

    name: str
    reasons: frozenset[str | None]
    peer: Callable[[str], Peer] | None = None
    faults: Faults | None = None


LINE = frozenset({"no_answer", "connection_lost", "bad_frame", "deadline"})
HOSTILE = (
    Hostility("mute", frozenset({"no_answer"}), lambda _: _mute),
    Hostility("one byte now and then", LINE - {"connection_lost"}, lambda _: _drip),
    Hostility("random bytes for ever", LINE | {"bad_data"}, lambda _: _garbage),
    Hostility("reset", frozenset({"connection_lost"}), lambda _: _gone),
    Hostility("a huge length", LINE | {"bad_data"}, lambda protocol: _says(HUGE[protocol])),
    Hostility("its frame byte by byte", frozenset({"deadline", "no_answer"}), faults=Faults(byte_delay_s=0.8)),
    Hostility("cut", frozenset({"connection_lost"}), faults=Faults(cut_frame=1)),
    Hostility("cut later", frozenset({"connection_lost"}), faults=Faults(cut_frame=2)),
    Hostility("flood", LINE | {"bad_data"}, faults=Faults(flood=True)),
    Hostility("twice", frozenset({None}), faults=Faults(duplicate_frames=frozenset(range(1, 2000)))),
)


class Peers:
    """Servers that answer as told, on ports of their own; ``stop`` leaves none behind."""

    def __init__(self) -> None:
        self._servers: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[Any]] = set()

    async def serve(self, peer: Peer) -> int:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            self._tasks.add(task)
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await peer(reader, writer)
            writer.transport.abort()
            self._tasks.discard(task)

        server = await asyncio.start_server(handle, "127.0.0.1", 0, limit=65_536)
        self._servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        for server in self._servers:
            server.close()
        waiting = list(self._tasks)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting)


def _rss_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / 1e6


@pytest.fixture
def quick(station: Station) -> Station:
    settings = replace(
        station.settings, amr_session_s=SESSION_S, amr_silence_s=1, amr_attempts=1, amr_sessions=200
    )
    return replace(station, settings=settings)


def test_no_peer_holds_its_session_its_interface_its_neighbours_or_our_memory(quick: Station) -> None:
    head_end = HeadEnd(quick)
    expected: dict[int, tuple[str, frozenset[str | None]]] = {}
    good: list[int] = []

    async def run() -> tuple[float, float]:
        simulated = [one for one in HOSTILE if one.faults is not None]
        fleet = await Fleet().start(per_protocol=2 + len(simulated), months=1)
        peers = Peers()
        lines: dict[str, list[SimulatedMeter]] = defaultdict(list)
        for line in fleet.manifest:
            lines[line.protocol].append(line)
        for protocol in PROTOCOLS:
            first, second, *others = lines[protocol]
            good.extend(head_end.invoke(line, head_end.enter(line)) for line in (first, second))
            for hostility, line in zip(simulated, others, strict=True):
                assert hostility.faults is not None
                fleet.servers[line.name].faults = hostility.faults
                job = head_end.invoke(line, head_end.enter(line))
                expected[job] = f"{protocol}: {hostility.name}", hostility.reasons
            for hostility in HOSTILE:
                if hostility.peer is not None:
                    port = await peers.serve(hostility.peer(protocol))
                    job = head_end.invoke(first, head_end.enter(first, port=port))
                    expected[job] = f"{protocol}: {hostility.name}", hostility.reasons
        for protocol in PROTOCOLS:
            for other in set(PROTOCOLS) - {protocol}:
                line = lines[other][0]
                port = await peers.serve(_says(FRAMES[protocol]))
                job = head_end.invoke(line, head_end.enter(line, port=port))
                expected[job] = f"{other}: a frame of {protocol}", LINE | {"bad_data", "refused_by_meter"}
        before, began = _rss_mb(), time.monotonic()
        await Collector(quick.engine, quick.settings).drain()
        took, grown = time.monotonic() - began, _rss_mb() - before
        await peers.stop()
        await fleet.stop()
        return took, grown

    took, grown = asyncio.run(run())

    wrong = {}
    for identifier, (what, reasons) in expected.items():
        job = quick.job(identifier)
        if job.reason not in reasons or job.state not in ({"ok"} if job.reason is None else {"failed", "partial"}):
            wrong[what] = (job.state, job.reason, job.detail)
    assert wrong == {}
    jobs = [quick.job(identifier) for identifier in good]
    assert [job.state for job in jobs] == ["ok"] * 2 * len(PROTOCOLS)
    slowest = max((job.finished_at - job.started_at).total_seconds() for job in jobs)
    logging.getLogger("tests").info(
        "%d hostile peers: %.1f s, slowest good meter %.1f s, memory %+.0f MB", len(expected), took, slowest, grown
    )
    assert took < 2 * SESSION_S + 4
    assert slowest < SESSION_S
    assert grown < 150
    leased = "SELECT count(*) FROM wattloom.network_interface WHERE lease_token IS NOT NULL"
    assert quick.scalar(leased) == 0


def test_what_is_twice_as_often_attacked_takes_no_more_memory(quick: Station) -> None:
    head_end = HeadEnd(quick)

    async def run() -> list[float]:
        fleet = await Fleet().start(per_protocol=1, months=1)
        for server in fleet.servers.values():
            server.faults = Faults(flood=True)
        devices = [(line, head_end.enter(line)) for line in fleet.manifest]
        grown = []
        for _ in range(6):
            for line, device in devices:
                head_end.invoke(line, device)
            await Collector(quick.engine, quick.settings).drain()
            grown.append(_rss_mb())
        await fleet.stop()
        return grown

    sizes = asyncio.run(run())

    assert quick.scalar("SELECT count(*) FROM wattloom.amr_job WHERE state = 'failed'") == 6 * len(PROTOCOLS)
    assert sizes[-1] - sizes[1] < 20, sizes
