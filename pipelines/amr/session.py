"""One session with one meter: its jobs one after the other, each with its own verdict, within a hard deadline."""

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
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
    TransportFault,
    Unreachable,
)
from pipelines.amr.jobs import Job, Verdict
from pipelines.amr.ops import Block, Events, Rejected, Reserve, State
from pipelines.amr.storekeeper import Storekeeper
from pipelines.amr.targets import Target
from pipelines.amr.transport import Link, connect
from pipelines.amr.units import factor
from pipelines.decimals import split
from pipelines.settings import Settings

_LOG = logging.getLogger("wattloom.amr")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LARGEST_DRIFT_S = Decimal(999_999_999)


@dataclass(slots=True)
class _Tally:
    """What a job has brought so far."""

    found: int = 0
    stored: int = 0
    rejected: int = 0
    note: str | None = None


class _Effects:
    """Does what a conversation causes, for the job that is under way."""

    def __init__(self, target: Target, storekeeper: Storekeeper) -> None:
        self.target = target
        self.tally = _Tally()
        self.archive: str | None = None
        self._storekeeper = storekeeper

    async def found(self, found: Found) -> None:
        """Store readings whose unit is understood; what is refused is counted and the first reason kept."""
        block = self._block(found)
        self.tally.found += len(found.readings)
        if not block.times_us and block.covered is None:
            return
        rejected: Rejected = await self._storekeeper.do(block)
        refused = sum(count for count, _ in rejected.values())
        self.tally.rejected += refused
        self.tally.stored += len(block.times_us) - refused
        for _, reason in rejected.values():
            self._note(reason)

    def _note(self, reason: str) -> None:
        self.tally.note = self.tally.note or reason

    def _block(self, found: Found) -> Block:
        numbers: dict[tuple[str, str | None], int] = {}
        factors: list[Decimal | None] = []
        series: list[str] = []
        pair: list[int] = []
        times_us: list[int] = []
        mantissas: list[int] = []
        scales: list[int] = []
        for reading in found.readings:
            place = (reading.series, reading.unit)
            number = numbers.get(place)
            if number is None:
                number = numbers[place] = len(series)
                series.append(reading.series)
                factors.append(self._factor(reading.series, reading.unit))
            times = factors[number]
            if times is None:
                self.tally.rejected += 1
                continue
            try:
                mantissa, scale = split(reading.value if times == 1 else reading.value * times)
            except ValueError as error:
                self.tally.rejected += 1
                self._note(f"{reading.series}: {error}")
                continue
            pair.append(number)
            times_us.append((reading.timestamp - _EPOCH) // _MICROSECOND)
            mantissas.append(mantissa)
            scales.append(scale)
        return Block(
            organization_id=self.target.organization_id,
            sensor_id=self.target.sensor_id,
            meter=self.target.meter.name,
            series=series,
            pair=pair,
            times_us=times_us,
            mantissa=mantissas,
            scale=scales,
            archive=self.archive,
            covered=found.covered,
        )

    def _factor(self, series: str, unit: str | None) -> Decimal | None:
        wanted = self.target.units.get(series)
        times = Decimal(1) if wanted is None else factor(unit, wanted)
        if times is None:
            self._note(f"{series}: the meter sends {unit}, the series is kept in {wanted}")
        return times

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
    """Verdicts of all jobs of a meter, and whether its interface was reached (None: not tried)."""

    verdicts: list[Verdict]
    was_reached: bool | None = None


async def read_meter(target: Target, storekeeper: Storekeeper, settings: Settings) -> Outcome:
    """Hold a session with a meter and return a verdict for each of its jobs, whatever happens."""
    effects = _Effects(target, storekeeper)
    verdicts: dict[int, Verdict] = {}
    ready: list[tuple[Job, Call]] = []
    for job in target.jobs:
        try:
            ready.append((job, _prepared(target, job)))
        except MeterFault as fault:
            verdicts[job.id] = _verdict(job, _Tally(), fault, settings)
    was_reached: bool | None = None
    if ready:
        ended, was_reached = await _hold(target, effects, ready, verdicts, settings)
        for job, _ in ready:
            if job.id not in verdicts:
                verdicts[job.id] = _verdict(job, _Tally(), ended, settings)
    return Outcome(verdicts=list(verdicts.values()), was_reached=was_reached)


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
    target: Target,
    effects: _Effects,
    ready: list[tuple[Job, Call]],
    verdicts: dict[int, Verdict],
    settings: Settings,
) -> tuple[MeterFault | None, bool]:
    """Hold the session; return the fault that ended it for the jobs without a verdict, and whether it connected."""
    try:
        async with asyncio.timeout(settings.amr_session_s):
            ended = await _talk(target, effects, ready, verdicts, settings)
    except TimeoutError:
        ended = DeadlineReached(f"the session took longer than {settings.amr_session_s} s")
        current = next((job for job, _ in ready if job.id not in verdicts), None)
        if current is not None:
            verdicts[current.id] = _verdict(current, effects.tally, ended, settings)
        return ended, effects.tally.found > 0
    if isinstance(ended, AuthenticationFailed | CounterRefused):
        await effects.note_secrets(refused=True)
    elif ended is None and target.authentication_failed_at is not None:
        await effects.note_secrets(refused=False)
    return ended, not isinstance(ended, Unreachable)


async def _talk(
    target: Target,
    effects: _Effects,
    ready: list[tuple[Job, Call]],
    verdicts: dict[int, Verdict],
    settings: Settings,
) -> MeterFault | None:
    """Connect, open, perform every call, close; return the fault that ended the session early, if any."""
    interface = target.interface
    assert interface is not None and interface.host is not None and interface.port is not None  # noqa: S101, PT018
    try:
        link = await connect(interface.host, interface.port, settings.amr_connect_s)
    except MeterFault as fault:
        return fault
    async with link:
        session: Session | None = None
        kind = ""
        for job, call in ready:
            effects.tally, effects.archive = _Tally(), _archive(job, call.arguments)
            try:
                if session is None or job.execution_type != kind:
                    session, kind = driver(job.execution_type).session(target.meter, clock.now), job.execution_type
                    await _run(link, session.open, effects, settings)
                await _run(link, partial(session.perform, call), effects, settings)
            except MeterFault as fault:
                verdicts[job.id] = _verdict(job, effects.tally, fault, settings)
                if isinstance(fault, TransportFault | AuthenticationFailed | CounterRefused):
                    return fault
            else:
                verdicts[job.id] = _verdict(job, effects.tally, None, settings)
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


def _verdict(job: Job, tally: _Tally, fault: MeterFault | None, settings: Settings) -> Verdict:
    verdict = Verdict(job=job.id, state="ok", found=tally.found, stored=tally.stored, rejected=tally.rejected)
    if fault is None:
        note = None if tally.note is None else f"{tally.rejected} readings were not kept: {tally.note}"
        return replace(verdict, detail=note)
    retry_at = None
    if fault.may_retry and job.attempt < settings.amr_attempts:
        wait_s = settings.amr_retry_s * 2 ** (job.attempt - 1) * random.uniform(0.5, 1.5)  # noqa: S311 - jitter
        retry_at = clock.now() + timedelta(seconds=wait_s)
    state = "partial" if tally.stored else "failed"
    return replace(verdict, state=state, reason=fault.reason, detail=str(fault), retry_at=retry_at)
