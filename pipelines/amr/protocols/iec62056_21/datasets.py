"""Data sets of IEC 62056-21 telegrams: an address and its values in brackets, exact and bounded.

Source: IEC 62056-21:2002, 6.4.1 and annex A (data line: ``address(value*unit)...``).
"""

import re
from dataclasses import dataclass
from decimal import Decimal

from pipelines.amr.faults import BadData

_DATA_SET = re.compile(r"([^()\r\n]*)((?:\([^()\r\n]*\))+)")
_OBIS = re.compile(
    r"(?:([0-9]{1,3})-([0-9]{1,3}):)?([0-9A-Z]{1,3})\.([0-9A-Z]{1,3})(?:\.([0-9]{1,3}))?(?:[*&]([0-9]{1,3}))?"
)
# As many digits as the platform keeps exactly.
_NUMBER = re.compile(r"(?=[-+.0-9]{1,19}\Z)[-+]?[0-9]{1,18}(?:\.[0-9]{1,12})?")


@dataclass(frozen=True, slots=True)
class DataSet:
    """An address, as it stands in the telegram, and what its brackets hold."""

    address: str
    groups: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Obis:
    """An OBIS code; ``a`` and ``b`` are those of the telegram or the default, ``f`` is None of a current value.

    Source: IEC 62056-61; the value groups A to F.
    """

    a: int
    b: int
    c: str
    d: str
    e: int
    f: int | None

    @property
    def name(self) -> str:
        """The name of the series, ``A-B:C.D.E``; a historical value has its own, ``A-B:C.D.E*F``."""
        return f"{self.a}-{self.b}:{self.c}.{self.d}.{self.e}" + ("" if self.f is None else f"*{self.f}")

    @property
    def is_quantity(self) -> bool:
        """Whether it measures something: a medium (A > 0) and a quantity, not an abstract or service object."""
        return self.a > 0 and self.c.isdigit() and 0 < int(self.c) < 96 and self.d.isdigit()


def data_sets(text: str) -> list[DataSet]:
    """Return the data sets of a telegram's lines; a line without an address goes on with the one before it.

    Raises
    ------
    BadData
        A line has something else than data sets.
    """
    found: list[DataSet] = []
    for line in text.split("\r\n"):
        stripped = line.strip()
        if not stripped or stripped == "!":
            continue
        at = 0
        while at < len(stripped):
            match = _DATA_SET.match(stripped, at)
            if match is None:
                raise BadData(f"{stripped[:60]!r} is no line of data sets")
            groups = tuple(match[2][1:-1].split(")("))
            if match[1] or not found:
                found.append(DataSet(match[1], groups))
            else:
                found[-1] = DataSet(found[-1].address, found[-1].groups + groups)
            at = match.end()
    return found


def obis(address: str, channel: str) -> Obis | None:
    """Return the OBIS code of an address, None if it is none; ``channel`` is the default of A-B."""
    found = _OBIS.fullmatch(address)
    if found is None:
        return None
    default_a, _, default_b = channel.partition("-")
    a, b, c, d, e, f = found.groups()
    historical = None if f is None or f == "255" else int(f)
    return Obis(int(a or default_a), int(b or default_b), c, d, int(e or 0), historical)


def value_and_unit(group: str) -> tuple[Decimal, str | None] | None:
    """Return the exact value and the unit of ``value*unit``; None if it is no number that can be kept."""
    value, _, unit = group.partition("*")
    return (Decimal(value), unit or None) if _NUMBER.fullmatch(value) else None
