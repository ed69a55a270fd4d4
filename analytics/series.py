"""What a series means: its kind, direction and unit of energy, read from its OBIS code, name and unit.

Source: IEC 62056-61 (OBIS): A medium, C quantity (1 active energy import, 2 export), D processing (7 instantaneous,
8 time integral since the beginning, 9 and 29 time integral per period), E tariff (0 the total).
"""

import re
from dataclasses import dataclass
from enum import IntEnum
from fractions import Fraction
from typing import Literal

Kind = Literal["cumulative", "interval", "instantaneous"]

_FULL = re.compile(r"(\d{1,3})-(\d{1,3}):(\d{1,3})\.(\d{1,3})(?:\.(\d{1,3}))?(?:[*&.](\d{1,3}))?")
_DASHED = re.compile(r"(\d{1,3})-(\d{1,3})-(\d{1,3})-(\d{1,3})-(\d{1,3})-(\d{1,3})")
_SHORT = re.compile(r"(\d{1,3})\.(\d{1,3})(?:\.(\d{1,3}))?(?:\*\d{1,3})?")
_ELECTRICITY = 1
_CUMULATIVE, _INTERVAL, _INSTANTANEOUS = {8}, {9, 29}, {7}

UWH_PER_UNIT: dict[str, Fraction] = {
    "wh": Fraction(10**6),
    "kwh": Fraction(10**9),
    "mwh": Fraction(10**12),
    "j": Fraction(2500, 9),
    "mj": Fraction(2500 * 10**6, 9),
    "gj": Fraction(2500 * 10**9, 9),
}
"""µWh per unit of energy; unit names are compared without case. 1 Wh is 3600 J."""
_VOLUMES = {"m3", "m³", "l", "nm3", "nm³"}


class Direction(IntEnum):
    """Which way energy flows at the metering point; import and export are never netted."""

    IMPORT = 1
    EXPORT = 2


@dataclass(frozen=True, kw_only=True)
class Obis:
    """An OBIS code; parts that a short form leaves out are None."""

    a: int | None
    c: int
    d: int
    e: int | None


@dataclass(frozen=True, kw_only=True)
class EnergySeries:
    """How a series contributes to a meter's interval energy.

    Parameters
    ----------
    kind : {'cumulative', 'interval'}
    direction : Direction
    uwh_per_unit : Fraction, [µWh per unit]
        Without CT and VT ratios.
    priority : int
        The lower wins where series overlap: load profile, register, then the same by tariffs.
    additive : bool
        A tariff: those of the same priority add up to the total.
    """

    kind: Literal["cumulative", "interval"]
    direction: Direction
    uwh_per_unit: Fraction
    priority: int
    additive: bool


def parse_obis(name: str) -> Obis | None:
    """Return the OBIS code a series is named by: ``1-0:1.8.0*255``, ``1.8.0`` or ``7-0-13-26-0-101``; else None."""
    text = name.strip()
    if match := _FULL.fullmatch(text):
        a, _, c, d, e, _ = match.groups()
        return Obis(a=int(a), c=int(c), d=int(d), e=int(e) if e else None)
    if match := _DASHED.fullmatch(text):
        a, _, c, d, e, _ = match.groups()
        return Obis(a=int(a), c=int(c), d=int(d), e=int(e))
    if match := _SHORT.fullmatch(text):
        c, d, e = match.groups()
        return Obis(a=None, c=int(c), d=int(d), e=int(e) if e else None)
    return None


def infer_kind(name: str, unit: str) -> Kind:
    """Return a series' kind from the OBIS code in its name, else from its unit.

    Energy and volume units are registers, everything else is instantaneous.
    """
    obis = parse_obis(name)
    if obis is not None and obis.d in _CUMULATIVE | _INTERVAL | _INSTANTANEOUS:
        if obis.d in _CUMULATIVE:
            return "cumulative"
        return "interval" if obis.d in _INTERVAL else "instantaneous"
    return "cumulative" if unit.lower() in UWH_PER_UNIT or unit.lower() in _VOLUMES else "instantaneous"


def energy_series(name: str, unit: str, kind: Kind | None) -> EnergySeries | None:
    """Return how a series contributes to electricity, None where it does not.

    A name that is no OBIS code counts as import, or as export when it says so. Other media, reactive energy and
    single phases do not contribute: they are no part of the total, or parts that the total already holds.
    """
    uwh_per_unit = UWH_PER_UNIT.get(unit.strip().lower())
    actual = kind or infer_kind(name, unit)
    if uwh_per_unit is None or actual == "instantaneous":
        return None
    obis = parse_obis(name)
    tariff = 0
    if obis is None:
        is_export = any(word in name.lower() for word in ("export", "production", "feed-in", "feed_in"))
        direction = Direction.EXPORT if is_export else Direction.IMPORT
    elif obis.a not in {None, _ELECTRICITY} or obis.c not in {1, 2}:
        return None
    else:
        direction, tariff = Direction(obis.c), obis.e or 0
    return EnergySeries(
        kind=actual,
        direction=direction,
        uwh_per_unit=uwh_per_unit,
        priority=(2 if tariff else 0) + (1 if actual == "cumulative" else 0),
        additive=tariff > 0,
    )
