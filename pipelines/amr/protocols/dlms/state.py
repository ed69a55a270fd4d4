"""What a session remembers between its conversations."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pipelines.amr.contract import Meter, Now, ReserveCounters
from pipelines.amr.faults import LinkLost, MeterFault
from pipelines.amr.protocols.dlms.ciphering import Cipher
from pipelines.amr.protocols.dlms.settings import Association
from pipelines.amr.protocols.dlms.units import ScalerUnit
from pipelines.amr.protocols.dlms.wire import Talk, Wire

COUNTERS_AT_ONCE = 50
_INVOKE_IDS = 16


@dataclass(repr=False)
class State:
    """What a session remembers between conversations."""

    meter: Meter
    now: Now
    challenge: Callable[[], bytes]
    association: Association | None = None
    wire: Wire | None = None
    cipher: Cipher | None = None
    is_in_order: bool = True
    refused: MeterFault | None = None
    invoke_id: int = 0
    counter: int = 0
    counters_left: int = 0
    ahead: timedelta = timedelta(0)
    scalers: dict[tuple[int, bytes], ScalerUnit] = field(default_factory=dict)

    def meter_now(self) -> datetime:
        """Return what the meter's clock shows now, as far as we have seen it."""
        return (self.now() + self.ahead).replace(microsecond=0)

    def connected(self) -> Wire:
        """Return the wire.

        Raises
        ------
        LinkLost
            There is none.
        """
        if self.wire is None:
            raise LinkLost("no link to the meter is up")
        return self.wire

    def next_invoke_id(self) -> int:
        """Return an invoke id that the last fifteen requests did not have."""
        self.invoke_id = (self.invoke_id + 1) % _INVOKE_IDS
        return self.invoke_id


def next_counter(state: State) -> Talk[int]:
    """Return an invocation counter that is stored as used before anything is sent under it."""
    if not state.counters_left:
        state.counter = yield ReserveCounters(COUNTERS_AT_ONCE)
        state.counters_left = COUNTERS_AT_ONCE
    state.counters_left -= 1
    state.counter += 1
    return state.counter - 1
