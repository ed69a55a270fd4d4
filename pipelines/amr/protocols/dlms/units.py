"""Scaler and unit of a register: an exact power of ten and a symbol."""

from dataclasses import dataclass
from decimal import Decimal

from pipelines.amr.faults import BadData
from pipelines.amr.protocols.dlms.axdr import Data

SCALER_LIMIT = 18
# Blue Book, 4.3.2, table of the enumerated values for physical units; 254 (other) and 255 (count) have no symbol.
# fmt: off
UNITS = {
    1: "a", 2: "mo", 3: "wk", 4: "d", 5: "h", 6: "min", 7: "s", 8: "°", 9: "°C", 11: "m", 12: "m/s",
    13: "m3", 14: "m3", 15: "m3/h", 16: "m3/h", 17: "m3/d", 18: "m3/d", 19: "l", 20: "kg", 21: "N", 22: "Nm",
    23: "Pa", 24: "bar", 25: "J", 26: "J/h", 27: "W", 28: "VA", 29: "var", 30: "Wh", 31: "VAh", 32: "varh",
    33: "A", 34: "C", 35: "V", 36: "V/m", 37: "F", 38: "Ohm", 39: "Ohm m2/m", 40: "Wb", 41: "T", 42: "A/m",
    43: "H", 44: "Hz", 45: "1/Wh", 46: "1/varh", 47: "1/VAh", 48: "V2h", 49: "A2h", 50: "kg/s", 51: "S",
    52: "K", 53: "1/V2h", 54: "1/A2h", 55: "1/m3", 56: "%", 57: "Ah", 60: "Wh/m3", 61: "J/m3", 62: "Mol%",
    63: "g/m3", 64: "Pa s", 65: "J/kg", 66: "g/cm2", 67: "atm", 70: "dBm", 71: "dBuV", 72: "dB",
}
# fmt: on


@dataclass(frozen=True, slots=True)
class ScalerUnit:
    """What turns a register's integer into a quantity: ``value * 10**scaler`` [unit]."""

    scaler: int
    unit: str | None

    def apply(self, value: int | Decimal) -> Decimal:
        """Return the exact quantity."""
        if isinstance(value, int) and self.scaler >= 0:
            return Decimal(value * 10**self.scaler)
        sign, digits, exponent = Decimal(value).as_tuple()
        return Decimal((sign, digits, int(exponent) + self.scaler))


def scaler_unit(value: Data) -> ScalerUnit:
    """Return the attribute ``scaler_unit``.

    Raises
    ------
    BadData
        It is no structure of an integer and an enum, or the scaler is absurd.
    """
    match value:
        case [int(scaler), int(code)] if abs(scaler) <= SCALER_LIMIT:
            return ScalerUnit(scaler, UNITS.get(code))
        case _:
            raise BadData(f"no scaler and unit: {str(value)[:60]}")
