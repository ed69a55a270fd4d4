"""The one way to a meter: a TCP link that reads whole frames, never waits for ever and never buffers without end."""

import asyncio
import contextlib
from types import TracebackType

from pipelines.amr.contract import FRAME_LIMIT, Framer
from pipelines.amr.faults import BadFrame, LinkLost, NoAnswer, Unreachable

_SEGMENT = 65_536
_CLOSE_S = 1.0


class Link:
    """An open connection; use it as ``async with await connect(...) as link``."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: str) -> None:
        self._reader = reader
        self._writer = writer
        self._peer = peer
        self._buffer = bytearray()

    async def __aenter__(self) -> "Link":
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._writer.close()
        try:
            with contextlib.suppress(OSError, TimeoutError):
                await asyncio.wait_for(self._writer.wait_closed(), _CLOSE_S)
        finally:
            self._writer.transport.abort()  # else a peer that takes nothing would keep the socket for ever

    async def send(self, data: bytes, timeout_s: float) -> None:
        """Send ``data`` after dropping what was received and not read.

        Raises
        ------
        LinkLost, NoAnswer
            The peer is gone, or takes nothing for ``timeout_s``.
        """
        self._drop_received()
        try:
            self._writer.write(data)
            async with asyncio.timeout(timeout_s):
                await self._writer.drain()
        except TimeoutError:
            raise NoAnswer(f"{self._peer} took nothing for {timeout_s:g} s") from None
        except OSError as error:
            raise LinkLost(f"{self._peer} closed the connection: {_short(error)}") from None

    async def frame(self, framer: Framer, timeout_s: float, limit: int = FRAME_LIMIT) -> bytes:
        """Return the next whole frame; ``timeout_s`` is the longest silence between two segments of it.

        Raises
        ------
        NoAnswer, LinkLost, BadFrame
            Silence; the end of the connection; more than ``limit`` bytes without a frame, or no frame at all.
        """
        while True:
            if self._buffer:
                length = framer(self._buffer)
                if length is not None:
                    taken = bytes(self._buffer[:length])
                    del self._buffer[:length]
                    return taken
                if len(self._buffer) > limit:
                    raise BadFrame(f"{self._peer} sent {len(self._buffer)} bytes that are no frame")
            await self._more(timeout_s)

    def _drop_received(self) -> None:
        """Drop what came since the last frame, that which no frame was asked of yet included."""
        self._buffer.clear()
        while True:
            # One step of reading returns what is there at once; where it would wait, nothing is.
            reading = self._reader.read(_SEGMENT)
            try:
                reading.send(None)
            except StopIteration as read:
                if not read.value:
                    return
            except OSError as error:
                raise LinkLost(f"{self._peer} broke the connection: {_short(error)}") from None
            else:
                reading.close()
                return

    async def _more(self, timeout_s: float) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                data = await self._reader.read(_SEGMENT)
        except TimeoutError:
            arrived = f" after {len(self._buffer)} bytes of a frame" if self._buffer else ""
            raise NoAnswer(f"{self._peer} was silent for {timeout_s:g} s{arrived}") from None
        except OSError as error:
            raise LinkLost(f"{self._peer} broke the connection: {_short(error)}") from None
        if not data:
            arrived = f" in mid-frame, after {len(self._buffer)} bytes" if self._buffer else ""
            raise LinkLost(f"{self._peer} closed the connection{arrived}")
        self._buffer += data


async def connect(host: str, port: int, timeout_s: float) -> Link:
    """Connect within ``timeout_s``, the look-up of the name included.

    Raises
    ------
    Unreachable
        The name is unknown, nobody listens, or nobody answers.
    """
    peer = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        async with asyncio.timeout(timeout_s):
            reader, writer = await asyncio.open_connection(host, port, limit=_SEGMENT)
    except TimeoutError:
        raise Unreachable(f"{peer} did not answer for {timeout_s:g} s") from None
    except (OSError, ValueError, UnicodeError) as error:
        raise Unreachable(f"{peer} cannot be reached: {_short(error)}") from None
    return Link(reader, writer, peer)


def _short(error: BaseException) -> str:
    return str(getattr(error, "strerror", None) or type(error).__name__)
