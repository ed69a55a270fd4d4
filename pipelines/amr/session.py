"""One session with one meter: its jobs one after the other, each with its own verdict, within a hard deadline."""

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from pipelines import clock
from pipelines.amr.contract import Call, ClockSeen, ClockSet, Conversation, Found, MeterEvent, Reported, Session
from pipelines.amr.conversation import converse
from pipelines.amr.drivers import checked_arguments, driver
from pipelines.amr.faults import (
    AuthenticationFailed,
    CounterRefused,
    DeadlineReached,
    MeterFault,
    Misconfigured,
    StorageFailed,
    TransportFault,
    Unreachable,
)
from pipelines.amr.gathering import Gathering
from pipelines.amr.jobs import Job, Verdict
from pipelines.amr.ops import Events, Mark, Reserve, State
from pipelines.amr.storekeeper import Storekeeper
from pipelines.amr.targets import Target
from pipelines.amr.transport import Link, connect
from pipelines.settings import Settings

_LOG = logging.getLogger("wattloom.amr")
ENOUGH = 240
"""Readings that are stored as soon as a session has them; fewer wait for the end of its call."""
_LARGEST_DRIFT_S = Decimal(999_999_999)


class _Effects:
    """Does what a conversation causes, for the job that is under way."""

    def __init__(self, target: Target, storekeeper: Storekeeper) -> None:
        self.target = target
        self.gathering = Gathering(target)
        self._storekeeper = storekeeper

    async def found(self, found: Found) -> None:
        """Take readings in, and store them once there are enough for a transaction to be worth it."""
        self.gathering.add(found)
        if len(self.gathering) >= ENOUGH:
            await self.flush()

    async def flush(self) -> None:
        """Store what was read so far."""
        count = len(self.gathering)
        if count:
            lost: int = await self._storekeeper.do(self.gathering.take())
            self.gathering.stored += count - lost
            if lost:
                self.gathering.refuse(lost, "the meter or the series was deleted meanwhile")

    async def clock_seen(self, step: ClockSeen) -> None:
        """Record the drift: how far the meter's clock is ahead of ours."""
        drift = Decimal(str(round((step.meter_at - clock.now()).total_seconds(), 3)))
        drift = max(-_LARGEST_DRIFT_S, min(_LARGEST_DRIFT_S, drift))
        await self._storekeeper.do(State(sensor_id=self.target.sensor_id, drift_s=drift))

    async def clock_set(self, step: ClockSet) -> None:
        """Record that the clock was set, as an event."""
        event = MeterEvent(clock.now(), "Clock set", f"The meter's clock was set to {step.meter_at.isoformat()}.")
        await self._add([event])

    async def reserve_counters(self, count: int) -> int:
        """Use up counters."""
        first: int = await self._storekeeper.do(Reserve(sensor_id=self.target.sensor_id, count=count))
        return first

    async def reported(self, step: Reported) -> None:
        """Store the meter's own events."""
        await self._add(step.events)

    async def note_secrets(self, *, refused: bool) -> None:
        """Record whether the meter took our secrets."""
        await self._storekeeper.do(State(sensor_id=self.target.sensor_id, refused=refused))

    async def _add(self, events: list[MeterEvent]) -> None:
        meter = self.target.jobs[0].meter_id
        await self._storekeeper.do(
            Events(organization_id=self.target.organization_id, meter_id=meter, events=events)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Verdicts of all jobs of a meter, what they read without a hole, and whether its interface was reached."""

    verdicts: list[Verdict]
    marks: list[Mark]
    was_reached: bool | None = None


@dataclass(slots=True)
class _Ledger:
    """Verdicts as they come."""

    settings: Settings
    verdicts: dict[int, Verdict] = field(default_factory=dict)
    marks: list[Mark] = field(default_factory=list)

    async def close(self, job: Job, effects: _Effects, fault: MeterFault | None) -> MeterFault | None:
        """Store the rest of what a job has read and note its verdict; return the fault it ended with, if any."""
        gathering = effects.gathering
        try:
            await effects.flush()
        except MeterFault as failure:
            fault = failure
        if (
            gathering.archive is not None
            and gathering.covered is not None
            and not isinstance(fault, StorageFailed)
        ):
            start, end = gathering.covered
            mark = Mark(sensor_id=effects.target.sensor_id, archive=gathering.archive, start=start, end=end)
            self.marks.append(mark)
        self.verdicts[job.id] = _verdict(job, gathering, fault, self.settings)
        return fault


async def read_meter(target: Target, storekeeper: Storekeeper, settings: Settings) -> Outcome:
    """Hold a session with a meter and return a verdict for each of its jobs, whatever happens."""
    effects, ledger = _Effects(target, storekeeper), _Ledger(settings)
    ready: list[tuple[Job, Call]] = []
    for job in target.jobs:
        try:
            ready.append((job, _prepared(target, job)))
        except MeterFault as fault:
            ledger.verdicts[job.id] = _verdict(job, Gathering(target), fault, settings)
    was_reached: bool | None = None
    if ready:
        ended, was_reached = await _hold(target, effects, ready, ledger)
        for job, _ in ready:
            if job.id not in ledger.verdicts:
                ledger.verdicts[job.id] = _verdict(job, Gathering(target), ended, settings)
    return Outcome(verdicts=list(ledger.verdicts.values()), marks=ledger.marks, was_reached=was_reached)


def _prepared(target: Target, job: Job) -> Call:
    """Return the call of a job with checked arguments and its archive's watermark."""
    made = driver(job.execution_type)
    if made.protocol != target.meter.protocol:
        raise Misconfigured(
            f"{job.execution_type} speaks {made.protocol}, the meter's protocol is {target.meter.protocol}"
        )
    if target.interface is None:
        raise Misconfigured("the meter has no network interface")
    if target.interface.host is None:
        raise Misconfigured("the network interface has neither FQDN nor static IP nor a SIM with an IP")
    if target.interface.port is None:
        raise Misconfigured("the network interface has no port")
    if target.authentication_failed_at is not None and not (target.has_newer_keys or job.is_on_demand):
        raise AuthenticationFailed(
            f"not tried: the meter refused our secrets at {target.authentication_failed_at.isoformat()};"
            " store new security keys, or invoke the call on demand"
        )
    arguments = checked_arguments(job.execution_type, job.call, job.arguments)
    archive = _archive(job, arguments)
    return Call(name=job.call, arguments=arguments, since=target.watermarks.get(archive or ""))


def _archive(job: Job, arguments: Any) -> str | None:
    name = driver(job.execution_type).calls[job.call].archive
    return None if name is None else name(arguments)


async def _hold(
    target: Target, effects: _Effects, ready: list[tuple[Job, Call]], ledger: _Ledger
) -> tuple[MeterFault | None, bool]:
    """Hold the session; return the fault that ended it for the jobs without a verdict, and whether it connected."""
    limit_s = ledger.settings.amr_session_s
    try:
        async with asyncio.timeout(limit_s):
            ended = await _talk(target, effects, ready, ledger)
    except TimeoutError:
        ended = DeadlineReached(f"the session took longer than {limit_s} s")
        current = next((job for job, _ in ready if job.id not in ledger.verdicts), None)
        if current is not None:
            await ledger.close(current, effects, ended)
        return ended, effects.gathering.found > 0
    if isinstance(ended, AuthenticationFailed | CounterRefused):
        await effects.note_secrets(refused=True)
    elif ended is None and target.authentication_failed_at is not None:
        await effects.note_secrets(refused=False)
    return ended, not isinstance(ended, Unreachable)


async def _talk(
    target: Target, effects: _Effects, ready: list[tuple[Job, Call]], ledger: _Ledger
) -> MeterFault | None:
    """Connect, open, perform every call, close; return the fault that ended the session early, if any."""
    interface, settings = target.interface, ledger.settings
    assert interface is not None and interface.host is not None and interface.port is not None  # noqa: S101, PT018
    try:
        link = await connect(interface.host, interface.port, settings.amr_connect_s)
    except MeterFault as unreached:
        return unreached
    async with link:
        session: Session | None = None
        kind = ""
        for job, call in ready:
            effects.gathering = Gathering(target, _archive(job, call.arguments))
            fault: MeterFault | None = None
            try:
                if session is None or job.execution_type != kind:
                    session, kind = driver(job.execution_type).session(target.meter, clock.now), job.execution_type
                    await _run(link, session.open, effects, settings)
                await _run(link, partial(session.perform, call), effects, settings)
            except MeterFault as failure:
                fault = failure
            fault = await ledger.close(job, effects, fault)
            if isinstance(fault, TransportFault | AuthenticationFailed | CounterRefused):
                return fault
        if session is not None:
            await _close(link, session, effects, settings)
    return None


async def _run(
    link: Link, conversation: Callable[[], Conversation], effects: _Effects, settings: Settings
) -> None:
    """Run a conversation; a bug in a driver fails this job and nothing else."""
    try:
        await converse(link, conversation(), effects, timeout_s=settings.amr_silence_s)
    except (MeterFault, TimeoutError, asyncio.CancelledError):
        raise
    except Exception as error:
        _LOG.exception("a driver failed on meter %s", effects.target.meter.name)
        raise MeterFault(f"the driver failed: {type(error).__name__}") from None


async def _close(link: Link, session: Session, effects: _Effects, settings: Settings) -> None:
    try:
        await _run(link, session.close, effects, settings)
    except MeterFault as fault:
        _LOG.debug("signing off from %s: %s", effects.target.meter.name, fault)


def _verdict(job: Job, brought: Gathering, fault: MeterFault | None, settings: Settings) -> Verdict:
    verdict = Verdict(
        job=job.id, state="ok", found=brought.found, stored=brought.stored, rejected=brought.rejected
    )
    if fault is None:
        note = None if brought.note is None else f"{brought.rejected} readings were not kept: {brought.note}"
        return replace(verdict, detail=note)
    retry_at = None
    if fault.may_retry and job.attempt < settings.amr_attempts:
        wait_s = settings.amr_retry_s * 2 ** (job.attempt - 1) * random.uniform(0.5, 1.5)  # noqa: S311 - jitter
        retry_at = clock.now() + timedelta(seconds=wait_s)
    state = "partial" if brought.stored else "failed"
    return replace(verdict, state=state, reason=fault.reason, detail=str(fault), retry_at=retry_at)
