"""What sessions store, many at a time: everything that waits goes into one transaction, and each hears when it stands.

Sessions of hundreds of meters commit a block each few milliseconds. One transaction for all that came meanwhile costs
the database little more than one of them. Where such a transaction fails, its parts are tried one by one, so nobody's
fault becomes another's.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from pipelines.amr import stores
from pipelines.amr.faults import StorageFailed, place
from pipelines.amr.ops import Begin, Block, Events, Finish, Op, Reserve, State
from pipelines.db.engine import unit_of_work
from pipelines.errors import SourceUnavailable

_LOG = logging.getLogger("wattloom.amr")


class Storekeeper:
    """Stores for the sessions of one collector; ``token`` marks its leases and claims."""

    def __init__(self, engine: sa.Engine, *, token: UUID, author: str) -> None:
        self.token = token
        self._engine = engine
        self._author = author
        self._waiting: list[tuple[Op, asyncio.Future[Any]]] = []
        self._woken = asyncio.Event()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="wattloom-store")
        self._task: asyncio.Task[None] | None = None
        self._is_closing = False

    async def __aenter__(self) -> "Storekeeper":
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_failure: object) -> None:
        self._is_closing = True
        self._woken.set()
        if self._task is not None:
            await self._task
        self._thread.shutdown()

    async def do(self, op: Op) -> Any:
        """Store ``op`` and return its result once it is committed.

        Raises
        ------
        StorageFailed
            The database did not take it.
        """
        return await self.put(op)

    def put(self, op: Op) -> "asyncio.Future[Any]":
        """Have ``op`` stored, even if nobody waits for the result; it is that of ``do``."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        future.add_done_callback(_heard)
        if self._task is None or self._task.done():
            future.set_exception(StorageFailed("the collector is ending and stores nothing more"))
            return future
        self._waiting.append((op, future))
        self._woken.set()
        return future

    async def call(self, work: Callable[[sa.Connection], Any]) -> Any:
        """Run ``work`` in a transaction of its own, on the storekeeper's thread."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._alone, work)

    def _alone(self, work: Callable[[sa.Connection], Any]) -> Any:
        with unit_of_work(self._engine) as connection:
            return work(connection)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        batch: list[tuple[Op, asyncio.Future[Any]]] = []
        try:
            while not self._is_closing or self._waiting:
                await self._woken.wait()
                self._woken.clear()
                batch, self._waiting = self._waiting, []
                if batch:
                    results = await loop.run_in_executor(self._thread, self._commit, [op for op, _ in batch])
                    for (_, future), result in zip(batch, results, strict=True):
                        _settle(future, result)
        finally:  # cancelled: nobody waits for ever
            for _, future in [*batch, *self._waiting]:
                _settle(future, StorageFailed("the collector is ending and stores nothing more"))

    def _commit(self, ops: list[Op]) -> list[Any]:
        try:
            with unit_of_work(self._engine) as connection:
                return self._perform(connection, ops)
        except Exception as error:  # whatever it is, each of those who wait must hear of it
            if len(ops) == 1 or isinstance(error, SourceUnavailable):
                _LOG.warning("storing failed: %s", place(error))
                return [StorageFailed(f"the database did not take it: {type(error).__name__}") for _ in ops]
        return [self._commit([op])[0] for op in ops]

    def _perform(self, connection: sa.Connection, ops: list[Op]) -> list[Any]:
        """Do the ops kind by kind, always in the same order, so that collectors never wait for each other in a ring."""
        results: list[Any] = [None] * len(ops)
        write = partial(stores.store, author=self._author)
        kinds: tuple[tuple[type[Op], Callable[[sa.Connection, Any], Sequence[Any]]], ...] = (
            (Begin, lambda connection, ops: stores.begin(connection, self.token, ops)),
            (Reserve, stores.reserve),
            (Block, write),
            (State, stores.note_states),
            (Events, stores.add_events),
            (Finish, lambda connection, ops: stores.finish(connection, self.token, ops)),
        )
        for kind, perform in kinds:
            places = [i for i, op in enumerate(ops) if isinstance(op, kind)]
            if places:
                done = perform(connection, [ops[i] for i in places])
                for place, result in zip(places, done, strict=True):
                    results[place] = result
        return results


def _settle(future: "asyncio.Future[Any]", result: Any) -> None:
    """Hand a result to who waits, if anybody still does."""
    if future.done():
        return
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)


def _heard(future: "asyncio.Future[Any]") -> None:
    """Take note of a failure whose session has ended, so that it is not reported as overlooked."""
    if not future.cancelled():
        future.exception()
