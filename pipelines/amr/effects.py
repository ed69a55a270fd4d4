"""What a conversation causes outside its link: readings gathered and stored, clocks, counters and events noted."""

import asyncio
from decimal import Decimal

from pipelines import clock
from pipelines.amr.contract import ClockSeen, ClockSet, Found, MeterEvent, Reported
from pipelines.amr.faults import StorageFailed
from pipelines.amr.gathering import Gathering
from pipelines.amr.ops import Events, Reserve, State
from pipelines.amr.storekeeper import Storekeeper
from pipelines.amr.targets import Target

ENOUGH = 240
"""Readings that are stored as soon as a session has them; fewer wait for the end of its call."""
_LARGEST_DRIFT_S = Decimal(999_999_999)


class Effects:
    """Does what a conversation causes, for the job that is under way.

    ``has_heard``: the meter said something; ``failure``: what it said could not be stored.
    """

    def __init__(self, target: Target, storekeeper: Storekeeper) -> None:
        self.target = target
        self.gathering = Gathering(target)
        self.has_heard = False
        self.failure: StorageFailed | None = None
        self._storekeeper = storekeeper
        self._storing: tuple[int, asyncio.Future[int]] | None = None

    async def found(self, found: Found) -> None:
        """Take readings in, and store them once there are enough for a transaction to be worth it."""
        self.has_heard = True
        self.gathering.add(found)
        if len(self.gathering) >= ENOUGH:
            await self.flush()

    async def flush(self) -> None:
        """Store what was read so far; what was handed over when a session's time ended is waited for here too."""
        if self._storing is None and len(self.gathering):
            self._storing = len(self.gathering), self._storekeeper.put(self.gathering.take())
        if self._storing is None:
            return
        count, storing = self._storing
        try:
            lost = await asyncio.shield(storing)
        except StorageFailed as failure:
            self._storing, self.failure = None, failure
            raise
        self._storing = None
        self.gathering.stored += count - lost
        if lost:
            self.gathering.refuse(lost, "the meter or the series was deleted meanwhile")

    async def clock_seen(self, step: ClockSeen) -> None:
        """Record the drift: how far the meter's clock is ahead of ours."""
        self.has_heard = True
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
