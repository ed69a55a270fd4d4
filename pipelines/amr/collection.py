"""Collects: claims due jobs, groups them by interface, holds sessions side by side, and leaves a verdict on each job.

Within an interface that can block, meters are read one after the other inside one lease. Over one that cannot, the
number of sessions with one host is limited. No meter waits for another's: what hangs ends by its deadline.
"""

import asyncio
import contextlib
import logging
import os
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import psycopg
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from pipelines import clock
from pipelines.amr import jobs
from pipelines.amr.faults import MeterFault, Reason, place
from pipelines.amr.jobs import Verdict
from pipelines.amr.leases import Lease
from pipelines.amr.ops import Begin, Finish
from pipelines.amr.session import read_meter
from pipelines.amr.storekeeper import Storekeeper
from pipelines.amr.targets import Interface, Target, load_targets
from pipelines.errors import SourceUnavailable
from pipelines.metering.vault import Vault
from pipelines.settings import Settings

_LOG = logging.getLogger("wattloom.amr")
MARGIN_S = 30
POLL_S = 1.0
_KEEP_S = MARGIN_S / 2
_PATIENCE = 10
"""Looks for jobs in a row that may fail before a drain ends; a database that restarts needs a few seconds."""
_IN_USE = Reason.BLOCKED, "another job talks over the interface"
_STOPPED = Reason.LOST, "the collector was stopped first"
_NO_DATABASE = (SourceUnavailable, SQLAlchemyError, psycopg.Error)


@dataclass(slots=True)
class Counts:
    """What a collection did."""

    states: Counter[str] = field(default_factory=Counter)
    readings: int = 0

    def add(self, verdicts: Sequence[Verdict]) -> None:
        """Count verdicts."""
        self.states.update("waiting" if verdict.retry_at else verdict.state for verdict in verdicts)
        self.readings += sum(verdict.stored for verdict in verdicts)

    def as_dict(self) -> dict[str, Any]:
        """Return the counts by name."""
        return {"jobs": self.states.total(), **dict(sorted(self.states.items())), "readings": self.readings}


class Collector:
    """Holds sessions for claimed jobs; one per process."""

    def __init__(self, engine: sa.Engine, settings: Settings) -> None:
        self.settings = settings
        self.counts = Counts()
        self._engine = engine
        self._vault = Vault(settings)
        self._name = f"collector {socket.gethostname()}:{os.getpid()}"
        self._hold = timedelta(seconds=settings.amr_session_s + MARGIN_S)
        self._hosts: dict[str, asyncio.Semaphore] = {}
        self._active: set[asyncio.Task[None]] = set()
        self._waiting: set[int] = set()
        self._kept_at = time.monotonic()
        self._is_stopping = False
        self._changed = asyncio.Event()
        self._token: UUID = uuid4()

    async def drain(self, *, devices: Sequence[int] | None = None) -> Counts:
        """Do every job that is due, until none can be claimed."""
        failures = 0
        async with self._at_work() as storekeeper:
            while True:
                try:
                    claimed = await self._fill(storekeeper, devices=devices)
                except _NO_DATABASE as error:
                    failures += 1
                    _LOG.warning("no jobs can be claimed: %s", type(error).__name__)
                    if failures == _PATIENCE:
                        raise SourceUnavailable(
                            "the database does not answer, so no jobs can be claimed"
                        ) from None
                else:
                    failures = 0
                    if not claimed and not self._active:
                        return self.counts
                await self._wait(POLL_S)

    async def serve(self, stop: asyncio.Event, *, priority: int) -> Counts:
        """Do jobs of a priority and above as they come, until ``stop`` is set; what is under way is finished."""
        stopping = asyncio.create_task(stop.wait())
        stopping.add_done_callback(lambda _: self.wake())
        try:
            async with self._at_work() as storekeeper:
                while not stop.is_set():
                    try:
                        await self._fill(storekeeper, priority=priority)
                    except _NO_DATABASE as error:
                        _LOG.warning("no jobs can be claimed: %s", type(error).__name__)
                    await self._wait(POLL_S)
                self._is_stopping = True
                await asyncio.gather(*self._active, return_exceptions=True)
        finally:
            stopping.cancel()
        return self.counts

    def wake(self) -> None:
        """Look for jobs now rather than at the next poll."""
        self._changed.set()

    async def _wait(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        self._changed.clear()

    @contextlib.asynccontextmanager
    async def _at_work(self) -> AsyncIterator[Storekeeper]:
        """Give a storekeeper; leaving early ends the sessions first, while they can still put their jobs back."""
        async with Storekeeper(self._engine, token=self._token, author=self._name) as storekeeper:
            try:
                yield storekeeper
            finally:
                ending = list(self._active)
                for task in ending:
                    task.cancel()
                await asyncio.gather(*ending, return_exceptions=True)

    async def _fill(
        self, storekeeper: Storekeeper, *, devices: Sequence[int] | None = None, priority: int = 0
    ) -> int:
        """Claim jobs and start their sessions where there is room; return how many jobs there were."""
        await self._keep(storekeeper)
        room = self.settings.amr_sessions - len(self._active)
        if room <= 0 or (room < self.settings.amr_sessions // 2 and not priority):
            return 0  # few large claims cost less than many small ones

        def work(connection: sa.Connection) -> tuple[int, list[Target]]:
            jobs.take_back_lost(connection, attempts=self.settings.amr_attempts)
            found = jobs.claim(
                connection,
                token=self._token,
                count=room,
                hold=self._hold,
                devices=devices,
                priority=priority,
            )
            targets = load_targets(connection, self._vault, found, self.settings) if found else []
            return len(found), targets

        claimed, targets = await storekeeper.call(work)
        for group in _groups(targets):
            self._waiting.update(job.id for target in group for job in target.jobs)
            task = asyncio.create_task(self._collect(storekeeper, group))
            self._active.add(task)
            task.add_done_callback(self._ended)
        return int(claimed)

    async def _keep(self, storekeeper: Storekeeper) -> None:
        """Hold the claims of jobs on whose turn has not come: their interface or host may be busy for long."""
        if self._waiting and time.monotonic() >= self._kept_at + _KEEP_S:
            waiting = list(self._waiting)
            await storekeeper.call(partial(jobs.keep, token=self._token, jobs=waiting, hold=self._hold))
            self._kept_at = time.monotonic()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._active.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            _LOG.error("a session failed, and the claims of its jobs run out: %s", place(error))
        if len(self._active) <= self.settings.amr_sessions // 2:
            self.wake()

    async def _collect(self, storekeeper: Storekeeper, group: list[Target]) -> None:
        """Read the meters of one interface, one after the other inside one lease."""
        interface, token = group[0].interface, uuid4()
        lease: Lease | None = None
        done = 0
        try:
            for target in group:
                async with self._turn(interface):
                    if self._is_stopping:
                        return await self._put_back(storekeeper, group[done:], lease, _STOPPED)
                    until = clock.now() + self._hold
                    if interface is not None and interface.can_block:
                        holder = f"{self._name} for {target.meter.name}"
                        lease = Lease(interface=interface.id, token=token, holder=holder, until=until)
                    claims = [job.id for job in target.jobs]
                    if not await storekeeper.do(Begin(jobs=claims, lease=lease, until=until)):
                        return await self._put_back(storekeeper, group[done:], lease, _IN_USE)
                    self._waiting.difference_update(claims)
                    outcome = await read_meter(target, storekeeper, self.settings)
                    self.counts.add(outcome.verdicts)
                    done += 1
                    await storekeeper.do(
                        Finish(
                            verdicts=outcome.verdicts,
                            marks=outcome.marks,
                            interface=None if interface is None else interface.id,
                            was_reached=outcome.was_reached,
                            releases=lease if done == len(group) else None,
                        )
                    )
        except MeterFault as fault:
            # The database refuses: claims and leases run out, and the jobs are done again later.
            _LOG.warning("the jobs of %d meters are left to run out: %s", len(group) - done, fault)
        except asyncio.CancelledError:
            with contextlib.suppress(MeterFault):
                await self._put_back(storekeeper, group[done:], lease, _STOPPED)
            raise
        finally:
            self._waiting.difference_update(job.id for target in group for job in target.jobs)

    def _turn(self, interface: Interface | None) -> contextlib.AbstractAsyncContextManager[Any]:
        """Wait until a session may begin: over interfaces that cannot block, a host takes a few at a time."""
        if interface is None or interface.can_block or interface.host is None:
            return contextlib.nullcontext()
        return self._hosts.setdefault(interface.host, asyncio.Semaphore(self.settings.amr_sessions_per_host))

    async def _put_back(
        self, storekeeper: Storekeeper, group: Sequence[Target], lease: Lease | None, why: tuple[Reason, str]
    ) -> None:
        """Let jobs wait as if they had not been claimed: their interface is in use, or we are to stop."""
        at = clock.now()
        verdicts = [
            Verdict(job=job.id, state="waiting", reason=why[0], detail=why[1], retry_at=at, uncount=True)
            for target in group
            for job in target.jobs
        ]
        await storekeeper.do(Finish(verdicts=verdicts, releases=lease))


def _groups(targets: Sequence[Target]) -> list[list[Target]]:
    """Return the meters that share a blocking interface together, all others alone."""
    groups: dict[Any, list[Target]] = {}
    for target in targets:
        interface = target.interface
        key = interface.id if interface is not None and interface.can_block else target.sensor_id
        groups.setdefault(key, []).append(target)
    return list(groups.values())


def collect(engine: sa.Engine, settings: Settings, *, devices: Sequence[int] | None = None) -> dict[str, Any]:
    """Do every due job, of all meters or of some, and return counts by state."""

    async def run() -> Counts:
        return await Collector(engine, settings).drain(devices=devices)

    return asyncio.run(run()).as_dict()
