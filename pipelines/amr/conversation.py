"""Performs the steps of a driver's conversation over a link, handing what it finds to the collection."""

import asyncio
from typing import Any, Protocol

from pipelines.amr.contract import (
    ClockSeen,
    ClockSet,
    Conversation,
    Exchange,
    Found,
    Pause,
    Reported,
    ReserveCounters,
    Step,
)
from pipelines.amr.faults import MeterFault
from pipelines.amr.transport import Link


class Effects(Protocol):
    """What a conversation causes outside the link; each is done when it returns."""

    async def found(self, found: Found) -> None:
        """Store readings."""
        ...

    async def clock_seen(self, step: ClockSeen) -> None:
        """Record the meter's clock."""
        ...

    async def clock_set(self, step: ClockSet) -> None:
        """Record that the clock was set."""
        ...

    async def reserve_counters(self, count: int) -> int:
        """Store that ``count`` invocation counters are used up; return the first of them."""
        ...

    async def reported(self, step: Reported) -> None:
        """Store the meter's events."""
        ...


async def converse(link: Link, conversation: Conversation, effects: Effects, *, timeout_s: float) -> None:
    """Run a conversation to its end; a fault of the line is first raised into it, so that it may try again.

    Raises
    ------
    MeterFault
        The conversation did not cope with a fault, or raised one.
    """
    try:
        step = next(conversation)
        while True:
            try:
                result = await _perform(link, step, effects, timeout_s)
            except MeterFault as fault:
                step = conversation.throw(fault)
            else:
                step = conversation.send(result)
    except StopIteration:
        return
    finally:
        conversation.close()


async def _perform(link: Link, step: Step, effects: Effects, timeout_s: float) -> Any:
    match step:
        case Exchange():
            wait = timeout_s if step.timeout_s is None else step.timeout_s
            if step.request:
                await link.send(step.request, wait)
            return b"" if step.framer is None else await link.frame(step.framer, wait, step.frame_limit)
        case Found():
            await effects.found(step)
        case Pause():
            await asyncio.sleep(step.seconds)
        case ClockSeen():
            await effects.clock_seen(step)
        case ClockSet():
            await effects.clock_set(step)
        case ReserveCounters():
            return await effects.reserve_counters(step.count)
        case Reported():
            await effects.reported(step)
    return None
