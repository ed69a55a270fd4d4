"""The on-demand worker: woken by the database when a job is invoked, so that it starts within a second."""

import asyncio
import logging
import signal
import threading
from typing import Any

import psycopg

from pipelines.amr.collection import Collector
from pipelines.amr.jobs import CHANNEL, ON_DEMAND
from pipelines.db.engine import database_url, engine_for
from pipelines.settings import Settings

_LOG = logging.getLogger("wattloom.amr")
_LISTEN_S = 1.0
_AGAIN_S = 2.0


class _Listener(threading.Thread):
    """Listens for new jobs and calls ``wake``; where the connection breaks, polling goes on until it stands again."""

    def __init__(self, url: str, wake: Any) -> None:
        super().__init__(name="wattloom-listen", daemon=True)
        self._url = url
        self._wake = wake
        self._stopped = threading.Event()

    def run(self) -> None:
        """Listen until stopped."""
        while not self._stopped.is_set():
            try:
                with psycopg.connect(self._url, autocommit=True, connect_timeout=5) as connection:
                    connection.execute(f"LISTEN {CHANNEL}")
                    while not self._stopped.is_set():
                        for _ in connection.notifies(timeout=_LISTEN_S, stop_after=1):
                            self._wake()
            except psycopg.Error as error:
                _LOG.warning("not listening for new jobs: %s", type(error).__name__)
                self._stopped.wait(_AGAIN_S)

    def stop(self) -> None:
        """End within the listening pause."""
        self._stopped.set()


async def _serve(settings: Settings, *, scheduled: bool, stop: asyncio.Event | None = None) -> dict[str, Any]:
    loop = asyncio.get_running_loop()
    if stop is None:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
    collector = Collector(engine_for(settings), settings)
    listener = _Listener(database_url(settings), lambda: loop.call_soon_threadsafe(collector.wake))
    listener.start()
    _LOG.info("executing %s jobs", "all" if scheduled else "on-demand")
    try:
        counts = await collector.serve(stop, priority=0 if scheduled else ON_DEMAND)
    finally:
        listener.stop()
        await asyncio.to_thread(listener.join)
    return counts.as_dict()


def run_worker(settings: Settings, *, scheduled: bool = False) -> dict[str, Any]:
    """Execute on-demand jobs, and scheduled ones too if asked, until a signal; return counts by state."""
    return asyncio.run(_serve(settings, scheduled=scheduled))
