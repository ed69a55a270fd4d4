"""One session with one meter: its jobs one after the other, each with its own verdict, within a hard deadline."""

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import Any

from pipelines import clock
from pipelines.amr.contract import Call, Conversation, Driver, Session
from pipelines.amr.conversation import converse
from pipelines.amr.drivers import checked_arguments, driver
from pipelines.amr.effects import Effects
from pipelines.amr.faults import (
    AuthenticationFailed,
    CounterRefused,
    DeadlineReached,
    MeterFault,
    Misconfigured,
    StorageFailed,
    TransportFault,
    Unreachable,
    place,
)
from pipelines.amr.gathering import Gathering
from pipelines.amr.jobs import Job, Verdict
from pipelines.amr.ops import Mark
from pipelines.amr.storekeeper import Storekeeper
from pipelines.amr.targets import Target
from pipelines.amr.transport import Link, connect
from pipelines.settings import Settings

_LOG = logging.getLogger("wattloom.amr")


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

    async def close(self, job: Job, effects: Effects, fault: MeterFault | None) -> MeterFault | None:
        """Store the rest of what a job has read and note its verdict; return the fault it ended with, if any."""
        gathering = effects.gathering
        with contextlib.suppress(StorageFailed):
            await effects.flush()
        fault = effects.failure or fault
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
    effects, ledger = Effects(target, storekeeper), _Ledger(settings)
    ready: list[tuple[Job, Call]] = []
    for job in target.jobs:
        try:
            with _bugs_of_drivers(target):
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
    if target.problem is not None:
        raise Misconfigured(target.problem)
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
    since = target.watermarks.get(archive or "")
    return Call(name=job.call, arguments=arguments, since=since, resume=job.read_until)


def _archive(job: Job, arguments: Any) -> str | None:
    name = driver(job.execution_type).calls[job.call].archive
    return None if name is None else name(arguments)


async def _hold(
    target: Target, effects: Effects, ready: list[tuple[Job, Call]], ledger: _Ledger
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
        return ended, effects.has_heard
    if isinstance(ended, AuthenticationFailed | CounterRefused):
        await effects.note_secrets(refused=True)
    elif ended is None and target.authentication_failed_at is not None:
        await effects.note_secrets(refused=False)
    return ended, not isinstance(ended, Unreachable)


async def _talk(
    target: Target, effects: Effects, ready: list[tuple[Job, Call]], ledger: _Ledger
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
        for job, call in ready:
            effects.gathering = Gathering(target, _archive(job, call.arguments))
            fault: MeterFault | None = None
            try:
                if session is None:  # one serves all jobs: those of a meter speak one protocol
                    session = await _opened(link, driver(job.execution_type), effects, settings)
                await _run(link, partial(session.perform, call), effects, settings)
            except MeterFault as failure:
                fault = failure
            fault = await ledger.close(job, effects, fault)
            if session is None or isinstance(fault, TransportFault | AuthenticationFailed | CounterRefused):
                return fault
        assert session is not None  # noqa: S101 - opened for the first job
        await _close(link, session, effects, settings)
    return None


async def _opened(link: Link, made: Driver, effects: Effects, settings: Settings) -> Session:
    with _bugs_of_drivers(effects.target):
        session = made.session(effects.target.meter, clock.now)
    await _run(link, session.open, effects, settings)
    return session


async def _run(link: Link, conversation: Callable[[], Conversation], effects: Effects, settings: Settings) -> None:
    with _bugs_of_drivers(effects.target):
        await converse(link, conversation(), effects, timeout_s=settings.amr_silence_s)


@contextlib.contextmanager
def _bugs_of_drivers(target: Target) -> Iterator[None]:
    """Turn a driver's bug into a fault that fails this job and nothing else; its text may hold a secret: not shown."""
    try:
        yield
    except MeterFault:
        raise
    except Exception as error:
        _LOG.error("a driver failed on meter %s: %s", target.meter.name, place(error))
        raise MeterFault(f"the driver failed: {type(error).__name__}") from None


async def _close(link: Link, session: Session, effects: Effects, settings: Settings) -> None:
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
    covered = None if isinstance(fault, StorageFailed) else brought.covered
    return replace(
        verdict,
        state=state,
        reason=fault.reason,
        detail=str(fault),
        retry_at=retry_at,
        read_until=None if covered is None else covered[1],
    )
