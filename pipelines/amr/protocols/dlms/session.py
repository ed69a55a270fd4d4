"""A session with a DLMS/COSEM meter: associates when the first call says how, then performs it."""

import secrets
from collections.abc import Callable

from pipelines.amr.contract import Call, Conversation, Meter, Now
from pipelines.amr.faults import MeterFault, Refused, Unsupported
from pipelines.amr.protocols.dlms import clock, profiles, registers
from pipelines.amr.protocols.dlms.association import associate, release
from pipelines.amr.protocols.dlms.settings import Settings, settings_of
from pipelines.amr.protocols.dlms.state import State
from pipelines.amr.protocols.dlms.wire import Talk

CHALLENGE_LENGTH = 16


def _set_time(state: State, _settings: Settings, call: Call) -> Talk[None]:
    yield from clock.set_clock(state, call)


CALLS: dict[str, Callable[[State, Settings, Call], Talk[None]]] = {
    "read_registers": registers.read_registers,
    "read_profile_by_date": profiles.read_by_date,
    "read_profile_by_offset_seconds": profiles.read_by_offset,
    "read_events_by_offset_seconds": profiles.read_events,
    "set_time": _set_time,
}


class DlmsSession:
    """One connection to one meter.

    The association belongs to a call's arguments, so ``open`` says nothing; the first ``perform`` associates and
    reads the clock, and another one with other arguments releases and associates anew.
    """

    def __init__(self, meter: Meter, now: Now, challenge: Callable[[], bytes] | None = None) -> None:
        make = challenge or (lambda: secrets.token_bytes(CHALLENGE_LENGTH))
        self.state = State(meter=meter, now=now, challenge=make)

    def open(self) -> Conversation:
        """Do nothing: which association is wanted comes with the first call."""
        yield from ()

    def perform(self, call: Call) -> Conversation:
        """Carry out one call, in the association that its arguments and the meter's model ask for.

        Raises
        ------
        Unsupported
            There is no such call.
        MeterFault
            What the call's own description says.
        """
        carry_out = CALLS.get(call.name)
        if carry_out is None:
            raise Unsupported(f"DLMS/COSEM meters have no call {call.name!r}")
        settings = settings_of(self.state.meter, call.arguments)
        try:
            is_new = self.state.association != settings.association
            yield from associate(self.state, settings.association)
            if is_new:
                yield from clock.read_clock(self.state)
            yield from carry_out(self.state, settings, call)
        except Refused:
            raise
        except MeterFault:
            self.state.is_in_order = False
            raise

    def close(self) -> Conversation:
        """Release the association and the link; after a fault, without waiting for the meter."""
        yield from release(self.state)
