"""The link to a meter: whole frames however they were cut, no stale bytes, no wait and no buffer without an end."""

import asyncio
import contextlib
import socket
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from pipelines.amr.faults import BadFrame, LinkLost, MeterFault, NoAnswer, Unreachable
from pipelines.amr.transport import Link, connect

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def line(buffer: bytearray) -> int | None:
    end = buffer.find(b"\n")
    return None if end < 0 else end + 1


def never(_buffer: bytearray) -> None:
    """Frame nothing: as a length field does that promises more than ever comes."""


def talk(serve: Serve, use: Callable[[Link], Awaitable[Any]], *, host: str = "127.0.0.1") -> Any:
    """Let ``serve`` answer the connection that ``use`` talks over."""

    async def run() -> Any:
        served = []

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            served.append(asyncio.current_task())
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await serve(reader, writer)
            writer.close()

        server = await asyncio.start_server(handle, host, 0)
        try:
            async with await connect(host, server.sockets[0].getsockname()[1], 2) as link:
                return await use(link)
        finally:
            server.close()
            for task in served:
                task.cancel()
            await asyncio.gather(*served)

    return asyncio.run(run())


def fault_of(serve: Serve, use: Callable[[Link], Awaitable[Any]]) -> tuple[MeterFault, float]:
    """Return the fault that ``use`` ends with, and after how long [s]."""
    began = time.monotonic()
    with pytest.raises(MeterFault) as caught:
        talk(serve, use)
    return caught.value, time.monotonic() - began


async def _hold(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.read()


def test_a_frame_arrives_whole_wherever_it_was_cut() -> None:
    frame = b"1.8.0(001234.5*kWh)\n"

    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for cut in range(1, len(frame)):
            writer.write(frame[:cut])
            await asyncio.sleep(0.002)
            writer.write(frame[cut:])
            await asyncio.sleep(0.002)

    async def use(link: Link) -> list[bytes]:
        return [await link.frame(line, 1) for _ in range(1, len(frame))]

    assert talk(serve, use) == [frame] * (len(frame) - 1)


def test_frames_of_one_segment_are_taken_one_by_one() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"one\ntwo\nthr")
        await asyncio.sleep(0.05)
        writer.write(b"ee\n")
        await reader.read()

    async def use(link: Link) -> list[bytes]:
        return [await link.frame(line, 1) for _ in range(3)]

    assert talk(serve, use) == [b"one\n", b"two\n", b"three\n"]


@pytest.mark.parametrize("gap_s", [0.0, 0.05], ids=["in the same segment", "in a segment of its own"])
def test_what_came_before_a_request_is_not_taken_for_its_answer(gap_s: float) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for number in (b"first", b"second", b"third"):
            await reader.readline()
            writer.write(number + b"\n")
            await asyncio.sleep(gap_s)
            writer.write(number + b"\n")  # a converter that repeats

    async def use(link: Link) -> list[bytes]:
        answers = []
        for _ in range(3):
            await link.send(b"?\n", 1)
            answers.append(await link.frame(line, 1))
            await asyncio.sleep(0.1)  # as long as a driver thinks or stores
        return answers

    assert talk(serve, use) == [b"first\n", b"second\n", b"third\n"]


def test_silence_ends_after_the_time_that_was_given_and_says_how_much_came() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"half")
        await reader.read()

    fault, took_s = fault_of(serve, lambda link: link.frame(line, 0.3))

    assert isinstance(fault, NoAnswer)
    assert "after 4 bytes" in str(fault)
    assert 0.3 <= took_s < 1


def test_a_connection_that_ends_in_mid_frame_is_lost() -> None:
    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"half")

    fault, _ = fault_of(serve, lambda link: link.frame(line, 5))

    assert isinstance(fault, LinkLost)
    assert "in mid-frame, after 4 bytes" in str(fault)


@pytest.mark.parametrize("abrupt", [False, True], ids=["closed", "reset"])
def test_a_request_over_a_connection_that_ended_says_that_it_is_lost(abrupt: bool) -> None:
    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if abrupt:
            writer.transport.abort()

    async def use(link: Link) -> None:
        await asyncio.sleep(0.1)
        for _ in range(20):
            await link.send(b"?" * 100, 1)
            await link.frame(line, 1)

    fault, took_s = fault_of(serve, use)

    assert isinstance(fault, LinkLost)
    assert took_s < 2


def test_bytes_without_end_are_given_up_at_the_limit() -> None:
    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"\x55" * 16_384)
            await writer.drain()

    fault, took_s = fault_of(serve, lambda link: link.frame(never, 5, 10_000))

    assert isinstance(fault, BadFrame)
    assert int(str(fault).split("sent ")[1].split()[0]) <= 10_000 + 65_536
    assert took_s < 2


def test_a_flood_does_not_keep_a_request_from_being_sent() -> None:
    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"\x55" * 16_384)
            await writer.drain()

    async def use(link: Link) -> float:
        began = time.monotonic()
        for _ in range(50):
            await link.send(b"?\n", 1)
            await asyncio.sleep(0)
        return time.monotonic() - began

    assert talk(serve, use) < 5


def test_a_peer_that_takes_nothing_is_given_up_and_its_socket_closed() -> None:
    async def run() -> tuple[MeterFault, bytes]:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        fault: MeterFault | None = None
        try:
            async with await connect("127.0.0.1", listener.getsockname()[1], 2) as link:
                accepted, _ = listener.accept()
                await link.send(b"x" * 8_000_000, 0.2)
        except NoAnswer as error:
            fault = error
        assert fault is not None
        # The peer wakes up: it must find the end, not the rest of the eight megabytes.
        accepted.settimeout(2)
        received = 0
        with contextlib.suppress(ConnectionResetError):
            while data := await asyncio.to_thread(accepted.recv, 1 << 20):
                received += len(data)
        accepted.close()
        listener.close()
        return fault, received

    fault, received = asyncio.run(run())

    assert "took nothing for 0.2 s" in str(fault)
    assert received < 8_000_000


def test_an_address_of_ipv6_is_reached() -> None:
    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"six\n")

    assert talk(serve, lambda link: link.frame(line, 1), host="::1") == b"six\n"


@pytest.mark.parametrize(
    ("host", "port", "words"),
    [
        ("127.0.0.1", 1, "127.0.0.1:1 cannot be reached: Connect call failed"),
        ("::1", 1, r"\[::1\]:1 cannot be reached"),
        ("meter.invalid", 502, "meter.invalid:502 cannot be reached: "),
        ("a" * 64 + ".example", 502, "cannot be reached"),
        ("a..b", 502, "cannot be reached"),
        ("null\0byte", 502, "cannot be reached"),
        ("127.0.0.1", 0, "cannot be reached"),
    ],
)
def test_what_cannot_be_reached_says_why(host: str, port: int, words: str) -> None:
    with pytest.raises(Unreachable, match=words):
        asyncio.run(connect(host, port, 2))


def test_a_host_that_never_answers_is_given_up_in_time() -> None:
    full = socket.socket()
    full.bind(("127.0.0.1", 0))
    full.listen(0)
    port = full.getsockname()[1]

    async def run() -> float:
        waiting = [asyncio.create_task(connect("127.0.0.1", port, 1)) for _ in range(8)]
        began = time.monotonic()
        results = await asyncio.gather(*waiting, return_exceptions=True)
        took = time.monotonic() - began
        for result in results:
            if isinstance(result, Link):
                async with result:
                    pass
            else:
                assert isinstance(result, Unreachable)
        assert any(isinstance(result, Unreachable) for result in results)
        assert "did not answer for 1 s" in str(next(r for r in results if isinstance(r, Unreachable)))
        return took

    assert asyncio.run(run()) < 2
    full.close()
