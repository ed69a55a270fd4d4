"""A meter's unit and that of the series it is stored in: converted exactly, or not at all."""

from decimal import Decimal

# Unit -> (quantity, factor to its base unit); only what is exact in decimals.
_UNITS: dict[str, tuple[str, Decimal]] = {
    prefix + unit: (quantity, Decimal(scale))
    for unit, quantity, prefixes in (
        ("Wh", "active energy", "kMG"),
        ("varh", "reactive energy", "kM"),
        ("VAh", "apparent energy", "kM"),
        ("J", "heat", "kMG"),
        ("W", "active power", "kM"),
        ("var", "reactive power", "kM"),
        ("VA", "apparent power", "kM"),
        ("V", "voltage", "mk"),
        ("A", "current", "mk"),
        ("Hz", "frequency", ""),
        ("m3", "volume", ""),
        ("m3/h", "flow", ""),
        ("Pa", "pressure", "k"),
        ("C", "temperature", ""),
    )
    for prefix, scale in {"": "1", "m": "0.001", "k": "1000", "M": "1000000", "G": "1000000000"}.items()
    if not prefix or prefix in prefixes
} | {
    "l": ("volume", Decimal("0.001")),
    "l/h": ("flow", Decimal("0.001")),
    "bar": ("pressure", Decimal(100_000)),
    "mbar": ("pressure", Decimal(100)),
}
_SPELLINGS = {
    "kwh": "kWh",
    "KWH": "kWh",
    "Kwh": "kWh",
    "m³": "m3",
    "m^3": "m3",
    "dm3": "l",
    "m³/h": "m3/h",
    "°C": "C",
    "degC": "C",
}


def _canonical(unit: str) -> str:
    text = unit.strip()
    return _SPELLINGS.get(text, text)


def factor(sent: str | None, wanted: str) -> Decimal | None:
    """Return what turns a value in ``sent`` into one in ``wanted``; None where that cannot be known.

    A meter that does not say its unit is taken to speak the series' own.
    """
    if sent is None or sent == wanted:
        return Decimal(1)
    left, right = _canonical(sent), _canonical(wanted)
    if left == right:
        return Decimal(1)
    if left not in _UNITS or right not in _UNITS or _UNITS[left][0] != _UNITS[right][0]:
        return None
    return _UNITS[left][1] / _UNITS[right][1]
