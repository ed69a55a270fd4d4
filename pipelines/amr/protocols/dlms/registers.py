"""Single values: data, registers, extended and demand registers."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from pipelines.amr.contract import Call, Found, Reading
from pipelines.amr.faults import BadData, MeterFault, Refused
from pipelines.amr.protocols.dlms.apdu import Attribute
from pipelines.amr.protocols.dlms.axdr import Data
from pipelines.amr.protocols.dlms.obis import obis_code, obis_text
from pipelines.amr.protocols.dlms.services import get
from pipelines.amr.protocols.dlms.settings import Settings
from pipelines.amr.protocols.dlms.state import State
from pipelines.amr.protocols.dlms.times import instant
from pipelines.amr.protocols.dlms.units import ScalerUnit, scaler_unit
from pipelines.amr.protocols.dlms.wire import Talk


@dataclass(frozen=True, slots=True)
class Layout:
    """Which attributes of a class hold its value, scaler and unit, and capture time."""

    value: int
    scaler_unit: int | None = None
    captured_at: int | None = None


REGISTER = 3
# Blue Book, 4.3.1 (Data), 4.3.2 (Register), 4.3.3 (Extended register), 4.3.4 (Demand register: last average).
LAYOUTS: Mapping[int, Layout] = {1: Layout(2), 3: Layout(2, 3), 4: Layout(2, 3, 5), 5: Layout(3, 4, 6)}
_WITHOUT_UNIT = ScalerUnit(0, None)


def read_registers(state: State, settings: Settings, call: Call) -> Talk[None]:
    """Read registers; those that the meter refuses do not keep the others from being stored.

    Raises
    ------
    Refused, BadData
        After the others are stored: which ones, and the meter's words.
    MeterFault
        The line failed, or the session ended otherwise; what was read before is stored.
    """
    readings: list[Reading] = []
    faults: list[MeterFault] = []
    shown_at = state.meter_now()
    codes = [obis_code(text) for text in call.arguments["registers"]]
    for code in codes:
        try:
            readings.append((yield from _read_register(state, settings, code, shown_at)))
        except (Refused, BadData) as fault:
            faults.append(fault)
        except MeterFault:
            if readings:
                yield Found(readings)
            raise
    if readings:
        yield Found(readings)
    raise_together(faults)


def raise_together(faults: list[MeterFault]) -> None:
    """Raise faults that did not stop a call, as one of the kind of the first."""
    if faults:
        raise type(faults[0])("; ".join(str(fault) for fault in faults)[:1000])


def scaler_of(state: State, interface: int, code: bytes) -> Talk[ScalerUnit]:
    """Return a register's scaler and unit, read once a session.

    Raises
    ------
    Refused, BadData
        The meter does not tell it.
    """
    layout = LAYOUTS[interface]
    if layout.scaler_unit is None:
        return _WITHOUT_UNIT
    if (interface, code) not in state.scalers:
        value = yield from get(state, Attribute(interface, code, layout.scaler_unit))
        state.scalers[interface, code] = scaler_unit(value)
    return state.scalers[interface, code]


def number_of(value: Data) -> int | Decimal | None:
    """Return a value that is a number, else None."""
    return value if isinstance(value, int | Decimal) and not isinstance(value, bool) else None


def _read_register(state: State, settings: Settings, code: bytes, shown_at: datetime) -> Talk[Reading]:
    interface = settings.classes.get(code, REGISTER)
    layout = LAYOUTS[interface]
    series = obis_text(code)
    scale = settings.column(series).fixed or (yield from scaler_of(state, interface, code))
    number = number_of((yield from get(state, Attribute(interface, code, layout.value))))
    if number is None:
        raise BadData(f"{series} holds no number")
    if layout.captured_at is not None:
        captured = yield from get(state, Attribute(interface, code, layout.captured_at))
        if not isinstance(captured, bytes):
            raise BadData(f"{series} was captured at no date-time")
        shown_at = instant(captured, state.meter.zone)
    return Reading(series, shown_at, scale.apply(number), scale.unit)
