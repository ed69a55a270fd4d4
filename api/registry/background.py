"""Larger imports are applied after the answer, in a thread of the process; what it leaves at its end a step does."""

import logging
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Lock

import sqlalchemy as sa

from pipelines.errors import WattloomError
from pipelines.registry.applying import apply_chunk

_LOG = logging.getLogger("wattloom.registry")


class Applier:
    """Applies imports one after the other; every chunk is a transaction, so it may stop after any."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._pool: ThreadPoolExecutor | None = None
        self._lock = Lock()
        self._under_way: set[int] = set()
        self._stopping = Event()

    def submit(self, identifier: int) -> None:
        """See to it that an import is applied; asking again changes nothing."""
        with self._lock:
            if identifier in self._under_way or self._stopping.is_set():
                return
            self._under_way.add(identifier)
            self._pool = self._pool or ThreadPoolExecutor(1, thread_name_prefix="imports")
            self._pool.submit(self._apply, identifier)

    def close(self) -> None:
        """Stop after the chunk that is under way."""
        self._stopping.set()
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def _apply(self, identifier: int) -> None:
        try:
            while not self._stopping.is_set() and apply_chunk(self._engine, identifier):
                pass
        except (WattloomError, sa.exc.SQLAlchemyError) as error:
            _LOG.warning("import %d waits to be finished: %s", identifier, type(error).__name__)
        finally:
            with self._lock:
                self._under_way.discard(identifier)
