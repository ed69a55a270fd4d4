"""Serves responders on loopback ports and does to their frames what the faults say."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from pipelines.simulators.meters.responder import Faults, Responder

HOST = "127.0.0.1"
_SEGMENT = 65_536
_FLOOD = b"\x55" * 16_384
_IDLE_S = 120.0


class MeterServer:
    """One listening port; ``faults`` may be changed while it runs and hold for new connections.

    ``connections`` counts those that were ever made; ``open_now`` and ``most_open`` those open at once.
    """

    def __init__(self, make: Callable[[Faults], Responder], faults: Faults | None = None) -> None:
        self.faults = faults or Faults()
        self.connections = 0
        self.open_now = 0
        self.most_open = 0
        self._make = make
        self._server: asyncio.Server | None = None
        self._talks: dict[asyncio.Task[Any], asyncio.StreamWriter] = {}

    @property
    def port(self) -> int:
        """The port it listens on."""
        assert self._server is not None  # noqa: S101 - started first
        return int(self._server.sockets[0].getsockname()[1])

    async def start(self, port: int = 0) -> "MeterServer":
        """Listen on ``port`` of the loopback interface; 0 takes a free one."""
        self._server = await asyncio.start_server(self._serve, HOST, port, limit=_SEGMENT, backlog=1024)
        return self

    async def stop(self) -> None:
        """Stop listening and drop every connection: the plug is pulled."""
        if self._server is not None:
            self._server.close()
            talks = dict(self._talks)
            for talk, writer in talks.items():
                writer.transport.abort()
                talk.cancel()
            await asyncio.gather(*talks)
            await self._server.wait_closed()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open_now += 1
        self.most_open = max(self.most_open, self.open_now)
        talk = asyncio.current_task()
        assert talk is not None  # noqa: S101 - a connection is served by a task of its own
        self._talks[talk] = writer
        try:
            # Cancelled by stop(): asyncio would report a task that ends so as an error of the server.
            with contextlib.suppress(OSError, TimeoutError, asyncio.CancelledError):
                await self._talk(reader, writer)
        finally:
            self.open_now -= 1
            del self._talks[talk]
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        faults = self.faults
        responder = self._make(faults)
        number = 0
        while True:
            async with asyncio.timeout(_IDLE_S):
                data = await reader.read(_SEGMENT)
            if not data:
                return
            while faults.flood:
                writer.write(_FLOOD)
                await writer.drain()
            for frame in responder.receive(data):
                number += 1
                if not await _send(writer, frame, number, faults):
                    return


async def _send(writer: asyncio.StreamWriter, frame: bytes, number: int, faults: Faults) -> bool:
    """Send a frame as the faults say; tell whether the connection stays."""
    if faults.silent_from is not None and number >= faults.silent_from:
        return True
    if faults.reply_delay_s:
        await asyncio.sleep(faults.reply_delay_s)
    if number in faults.corrupt_frames:
        frame = corrupted(frame)
    if number == faults.cut_frame:
        writer.write(frame[: len(frame) // 2])
        await writer.drain()
        return False
    for _ in range(2 if number in faults.duplicate_frames else 1):
        if faults.byte_delay_s:
            for byte in frame:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(faults.byte_delay_s)
        else:
            writer.write(frame)
            await writer.drain()
    return True


def corrupted(frame: bytes) -> bytes:
    """Return the frame with one bit flipped in its middle, as noise on a line would."""
    middle = len(frame) // 2
    return frame[:middle] + bytes([frame[middle] ^ 0x01]) + frame[middle + 1 :]
