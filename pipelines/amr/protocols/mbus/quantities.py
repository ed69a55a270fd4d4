"""What a value information block says: quantity, base unit and power of ten, as data.

Energies are in Wh or J, volumes in m³, times in s, temperatures in °C or K; the power of ten belongs to that unit.

Source: EN 13757-3 clause 6.4 (tables of primary VIF, and of the extensions FBh and FDh).
"""

from dataclasses import dataclass, replace
from types import MappingProxyType


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """A quantity in its base unit: value = number * ``factor`` * 10**``exponent`` [``unit``]."""

    name: str
    unit: str = ""
    exponent: int = 0
    factor: int = 1


_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_DURATIONS = ((1, "s"), (_MINUTE, "s"), (_HOUR, "s"), (_DAY, "s"))
_CALENDAR = ((_HOUR, "s"), (_DAY, "s"), (1, "month"), (1, "year"))

# (first code, last code, quantity, unit, exponent of the first code): the exponent grows by one a code.
_PRIMARY_RANGES = (
    (0x00, 0x07, "energy", "Wh", -3),
    (0x08, 0x0F, "energy", "J", 0),
    (0x10, 0x17, "volume", "m³", -6),
    (0x18, 0x1F, "mass", "kg", -3),
    (0x28, 0x2F, "power", "W", -3),
    (0x30, 0x37, "power", "J/h", 0),
    (0x38, 0x3F, "volume flow", "m³/h", -6),
    (0x40, 0x47, "volume flow", "m³/min", -7),
    (0x48, 0x4F, "volume flow", "m³/s", -9),
    (0x50, 0x57, "mass flow", "kg/h", -3),
    (0x58, 0x5B, "flow temperature", "°C", -3),
    (0x5C, 0x5F, "return temperature", "°C", -3),
    (0x60, 0x63, "temperature difference", "K", -3),
    (0x64, 0x67, "external temperature", "°C", -3),
    (0x68, 0x6B, "pressure", "bar", -3),
)
_PRIMARY_SINGLE = {
    0x6C: "date",
    0x6D: "date and time",
    0x6E: "heat cost allocation",
    0x6F: "reserved",
    0x78: "fabrication number",
    0x79: "identification",
    0x7A: "bus address",
    0x7E: "any",
    0x7F: "manufacturer specific",
}
_PRIMARY_DURATIONS = {
    0x20: "on time",
    0x24: "operating time",
    0x70: "averaging duration",
    0x74: "actuality duration",
}

_FD_RANGES = (
    (0x00, 0x03, "credit", "currency", -3),
    (0x04, 0x07, "debit", "currency", -3),
    (0x40, 0x4F, "voltage", "V", -9),
    (0x50, 0x5F, "current", "A", -12),
)
_FD_SINGLE = {
    0x08: "access number",
    0x09: "medium",
    0x0A: "manufacturer",
    0x0B: "parameter set identification",
    0x0C: "model version",
    0x0D: "hardware version",
    0x0E: "firmware version",
    0x0F: "software version",
    0x10: "customer location",
    0x11: "customer",
    0x12: "access code user",
    0x13: "access code operator",
    0x14: "access code system operator",
    0x15: "access code developer",
    0x16: "password",
    0x17: "error flags",
    0x18: "error mask",
    0x1A: "digital output",
    0x1B: "digital input",
    0x1C: "baud rate",
    0x1D: "response delay",
    0x1E: "retry",
    0x1F: "remote control",
    0x20: "first storage number",
    0x21: "last storage number",
    0x22: "size of storage block",
    0x30: "start of tariff",
    0x3A: "dimensionless",
    0x60: "reset counter",
    0x61: "cumulation counter",
    0x62: "control signal",
    0x63: "day of week",
    0x64: "week number",
    0x65: "time point of day change",
    0x66: "state of parameter activation",
    0x67: "special supplier information",
    0x70: "date of battery change",
    0x71: "radio level",
}
_FD_DURATIONS = {
    0x24: "storage interval",
    0x2C: "duration since readout",
    0x34: "period of tariff",
}
_FD_CALENDAR = {0x68: "duration since cumulation", 0x6C: "operating time of battery"}

_FB_RANGES = (
    (0x00, 0x01, "energy", "Wh", 5),
    (0x02, 0x03, "reactive energy", "varh", 3),
    (0x04, 0x05, "apparent energy", "VAh", 3),
    (0x08, 0x09, "energy", "J", 8),
    (0x10, 0x11, "volume", "m³", 2),
    (0x14, 0x17, "reactive power", "var", 0),
    (0x18, 0x19, "mass", "kg", 5),
    (0x1A, 0x1B, "relative humidity", "%", -1),
    (0x21, 0x21, "volume", "ft³", -1),
    (0x28, 0x29, "power", "W", 5),
    (0x2C, 0x2F, "frequency", "Hz", -3),
    (0x30, 0x31, "power", "J/h", 8),
    (0x34, 0x37, "apparent power", "VA", 0),
    (0x74, 0x77, "temperature limit", "°C", -3),
    (0x78, 0x7F, "cumulated maximum of active power", "W", -3),
)


def _table(
    ranges: tuple[tuple[int, int, str, str, int], ...],
    single: dict[int, str],
    durations: dict[int, str],
    calendar: dict[int, str],
) -> MappingProxyType[int, Quantity]:
    table = {code: Quantity(name=name) for code, name in single.items()}
    for first, last, name, unit, exponent in ranges:
        for code in range(first, last + 1):
            table[code] = Quantity(name=name, unit=unit, exponent=exponent + code - first)
    for scales, named in ((_DURATIONS, durations), (_CALENDAR, calendar)):
        for first, name in named.items():
            for offset, (factor, unit) in enumerate(scales):
                table[first + offset] = Quantity(name=name, unit=unit, factor=factor)
    return MappingProxyType(table)


PRIMARY = _table(_PRIMARY_RANGES, _PRIMARY_SINGLE, _PRIMARY_DURATIONS, {})
EXTENSION_FD = MappingProxyType(
    {
        **_table(_FD_RANGES, _FD_SINGLE, _FD_DURATIONS, _FD_CALENDAR),
        0x28: Quantity(name="storage interval", unit="month"),
        0x29: Quantity(name="storage interval", unit="year"),
        0x31: Quantity(name="duration of tariff", unit="s", factor=_MINUTE),
        0x32: Quantity(name="duration of tariff", unit="s", factor=_HOUR),
        0x33: Quantity(name="duration of tariff", unit="s", factor=_DAY),
        0x38: Quantity(name="period of tariff", unit="month"),
        0x39: Quantity(name="period of tariff", unit="year"),
    }
)
EXTENSION_FB = _table(_FB_RANGES, {}, {}, {})
RESERVED = Quantity(name="reserved")

MANUFACTURER_VIFE = 0x7F


def scaled(quantity: Quantity, modifiers: tuple[int, ...]) -> Quantity:
    """Return the quantity after the multiplying modifiers (combinable VIFE 70h..77h and 7Dh) of its block.

    What follows a manufacturer's VIFE (7Fh) is the manufacturer's and multiplies nothing.
    """
    exponent = quantity.exponent
    for code in modifiers:
        if code == MANUFACTURER_VIFE:
            break
        if 0x70 <= code <= 0x77:
            exponent += code - 0x76
        elif code == 0x7D:
            exponent += 3
    return quantity if exponent == quantity.exponent else replace(quantity, exponent=exponent)


def fixed_quantity(code: int) -> Quantity:
    """Return what a counter of the fixed data structure counts (six bits of its medium/unit field).

    Source: EN 13757-3, annex on the fixed data structure (CI 73h).
    """
    for first, last, name, unit, exponent in (
        (0x02, 0x0A, "energy", "Wh", 0),
        (0x0B, 0x13, "energy", "J", 3),
        (0x14, 0x1C, "power", "W", 0),
        (0x1D, 0x25, "power", "J/h", 3),
        (0x26, 0x2E, "volume", "m³", -6),
        (0x2F, 0x37, "volume flow", "m³/h", -6),
        (0x38, 0x38, "temperature", "°C", -3),
        (0x39, 0x39, "heat cost allocation", "", 0),
        (0x3F, 0x3F, "dimensionless", "", 0),
    ):
        if first <= code <= last:
            return Quantity(name=name, unit=unit, exponent=exponent + code - first)
    return RESERVED
