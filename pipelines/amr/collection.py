"""Collects: claims due jobs, groups them by interface, holds sessions side by side, and leaves a verdict on each job.

Within an interface that can block, meters are read one after the other inside one lease. Over one that cannot, the
number of sessions with one host is limited. No meter waits for another's: what hangs ends by its deadline.
"""

import asyncio
import contextlib
import logging
import os
import socket
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from pipelines import clock
from pipelines.amr import jobs
from pipelines.amr.faults import MeterFault, Reason
from pipelines.amr.jobs import Verdict
from pipelines.amr.leases import Lease
from pipelines.amr.ops import Begin, Finish
from pipelines.amr.session import Outcome, read_meter
from pipelines.amr.storekeeper import Storekeeper
from pipelines.amr.targets import Target, load_targets
from pipelines.errors import SourceUnavailable
from pipelines.metering.vault import Vault
from pipelines.settings import Settings

_LOG = logging.getLogger("wattloom.amr")
MARGIN_S = 30
POLL_S = 1.0


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
        self._changed = asyncio.Event()
        self._token: UUID = uuid4()

    async def drain(self, *, devices: Sequence[int] | None = None) -> Counts:
        """Do every job that is due, until none can be claimed."""
        async with self._storekeeper() as storekeeper:
            while True:
                claimed = await self._fill(storekeeper, devices=devices)
                if not claimed and not self._active:
                    return self.counts
                await self._wait(POLL_S)

    async def serve(self, stop: asyncio.Event, *, priority: int) -> Counts:
        """Do jobs of a priority and above as they come, until ``stop`` is set; what is under way is finished."""
        stopping = asyncio.create_task(stop.wait())
        stopping.add_done_callback(lambda _: self.wake())
        async with self._storekeeper() as storekeeper:
            while not stop.is_set():
                try:
                    await self._fill(storekeeper, priority=priority)
                except (SourceUnavailable, SQLAlchemyError) as error:
                    _LOG.warning("no jobs can be claimed: %s", type(error).__name__)
                await self._wait(POLL_S)
            if self._active:
                await asyncio.gather(*self._active)
        await stopping
        return self.counts

    def wake(self) -> None:
        """Look for jobs now rather than at the next poll."""
        self._changed.set()

    async def _wait(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        self._changed.clear()

    def _storekeeper(self) -> Storekeeper:
        return Storekeeper(self._engine, token=self._token, author=self._name)

    async def _fill(
        self, storekeeper: Storekeeper, *, devices: Sequence[int] | None = None, priority: int = 0
    ) -> int:
        """Claim jobs and start their sessions where there is room; return how many jobs there were."""
        room = self.settings.amr_sessions - len(self._active)
        if room < self.settings.amr_sessions // 2 and not priority:
            return 0  # few large claims cost less than many small ones

        def work(connection: sa.Connection) -> tuple[int, list[Target]]:
            jobs.take_back_lost(connection, attempts=self.settings.amr_attempts)
            found = jobs.claim(
                connection,
                token=self._token,
                count=max(room, 1),
                hold=self._hold,
                devices=devices,
                priority=priority,
            )
            targets = load_targets(connection, self._vault, found, self.settings) if found else []
            return len(found), targets

        claimed, targets = await storekeeper.call(work)
        for group in _groups(targets):
            task = asyncio.create_task(self._collect(storekeeper, group))
            self._active.add(task)
            task.add_done_callback(self._ended)
        return int(claimed)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._active.discard(task)
        if not task.cancelled() and task.exception() is not None:
            _LOG.error("a session failed: the claims of its jobs run out", exc_info=task.exception())
        if len(self._active) <= self.settings.amr_sessions // 2:
            self.wake()

    async def _collect(self, storekeeper: Storekeeper, group: list[Target]) -> None:
        """Read the meters of one interface, one after the other inside one lease."""
        interface = group[0].interface
        token = uuid4()
        lease: Lease | None = None
        try:
            for index, target in enumerate(group):
                until = clock.now() + self._hold
                if interface is not None and interface.can_block:
                    holder = f"{self._name} for {target.meter.name}"
                    lease = Lease(interface=interface.id, token=token, holder=holder, until=until)
                claims = [job.id for job in target.jobs]
                if not await storekeeper.do(Begin(jobs=claims, lease=lease, until=until)):
                    await self._put_back(storekeeper, group[index:], lease)
                    return
                outcome = await self._outcome(storekeeper, target)
                self.counts.add(outcome.verdicts)
                await storekeeper.do(
                    Finish(
                        verdicts=outcome.verdicts,
                        marks=outcome.marks,
                        interface=None if interface is None else interface.id,
                        was_reached=outcome.was_reached,
                        releases=lease if index == len(group) - 1 else None,
                    )
                )
        except MeterFault as fault:
            # The database refuses: claims and leases run out, and the jobs are done again later.
            _LOG.warning("the jobs of %d meters are left to run out: %s", len(group), fault)

    async def _outcome(self, storekeeper: Storekeeper, target: Target) -> Outcome:
        interface = target.interface
        if interface is None or interface.can_block or interface.host is None:
            return await read_meter(target, storekeeper, self.settings)
        host = self._hosts.setdefault(interface.host, asyncio.Semaphore(self.settings.amr_sessions_per_host))
        async with host:
            return await read_meter(target, storekeeper, self.settings)

    async def _put_back(self, storekeeper: Storekeeper, group: Sequence[Target], lease: Lease | None) -> None:
        """Let jobs wait: their interface is in use, and cannot be claimed for as long, or somebody else took them."""
        at = clock.now()
        verdicts = [
            Verdict(
                job=job.id,
                state="waiting",
                reason=Reason.BLOCKED,
                detail="another job talks over the interface",
                retry_at=at,
                uncount=True,
            )
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
