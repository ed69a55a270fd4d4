"""The meter's clock: class 8 at 0-0:1.0.0, read after every association and set by ``set_time``."""

from datetime import datetime, timedelta

from pipelines.amr.contract import Call, ClockSeen, ClockSet
from pipelines.amr.faults import BadData, BadFrame, MeterFault, NoAnswer, Refused
from pipelines.amr.protocols.dlms.apdu import Attribute
from pipelines.amr.protocols.dlms.axdr import octet_string
from pipelines.amr.protocols.dlms.obis import CLOCK
from pipelines.amr.protocols.dlms.services import get, set_value
from pipelines.amr.protocols.dlms.state import State
from pipelines.amr.protocols.dlms.times import date_time, instant
from pipelines.amr.protocols.dlms.wire import Talk

CLOCK_CLASS = 8
TIME = Attribute(CLOCK_CLASS, CLOCK, 2)


def read_clock(state: State) -> Talk[None]:
    """Read the meter's clock and record it; a meter that does not show it is taken to keep our time."""
    try:
        meter_at = yield from _read(state)
    except Refused:
        state.ahead = timedelta(0)
        return
    state.ahead = meter_at - state.now()
    yield ClockSeen(meter_at)


def set_clock(state: State, call: Call) -> Talk[None]:
    """Set the meter's clock to now, where it is further off than allowed.

    Raises
    ------
    Refused
        The meter does not let us.
    """
    meter_at = yield from _read(state)
    allowed_s = call.arguments.get("allowed_drift_seconds")
    if allowed_s is not None and abs(meter_at - state.now()) <= timedelta(seconds=allowed_s):
        return
    fault: MeterFault = NoAnswer("no answer")
    for _ in range(state.connected().attempts):
        # A repetition sets the time of the repetition, not that of the first attempt.
        at = state.now()
        try:
            yield from set_value(state, TIME, octet_string(date_time(at, state.meter.zone)))
        except (NoAnswer, BadFrame) as error:
            fault = error
        else:
            state.ahead = timedelta(0)
            yield ClockSet(at.replace(microsecond=0))
            return
    raise fault


def _read(state: State) -> Talk[datetime]:
    value = yield from get(state, TIME)
    if not isinstance(value, bytes):
        raise BadData("the meter's clock shows no date-time")
    return instant(value, state.meter.zone)
