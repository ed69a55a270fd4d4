"""Load profiles ``P.01``: headers with a time, a period and columns, then rows of values.

Source: VDEW-Lastenheft 2.1, load profile by R5 and R6: ``P.01(time)(status)(period)(n)(OBIS)(unit)...`` and a row of
n values an interval; the time is that of the first row, the end of its interval.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from pipelines.amr.contract import Reading
from pipelines.amr.faults import BadData
from pipelines.amr.protocols.iec62056_21.datasets import value_and_unit
from pipelines.amr.protocols.iec62056_21.devices import Device, Series
from pipelines.amr.protocols.iec62056_21.times import stamp

_MOST_COLUMNS = 64
_MOST_MINUTES = 44_640


@dataclass(slots=True)
class _Header:
    next_at: datetime
    period: timedelta
    columns: list[Series]


class ProfileRows:
    """Reads the blocks of one profile, oldest row first; it remembers the header for blocks that have none."""

    def __init__(self, device: Device, zone: ZoneInfo) -> None:
        self._device = device
        self._zone = zone
        self._header: _Header | None = None
        self._known: datetime | None = None
        self.newest: datetime | None = None

    def begin_range(self) -> None:
        """Expect another range, with its own header; rows that are known already are passed over."""
        self._header, self._known = None, self.newest

    def take(self, text: str) -> list[Reading]:
        """Return the readings of a block; values of an interval are labelled by its start.

        Raises
        ------
        BadData
            The block makes no sense.
        """
        found: list[Reading] = []
        for line in text.split("\r\n"):
            if not line:
                continue
            address, bracket, rest = line.partition("(")
            if not bracket or rest[-1:] != ")":
                raise BadData(f"{line[:60]!r} is no line of a profile")
            groups = rest[:-1].split(")(")
            if not address and self._header is not None and len(groups) == len(self._header.columns):
                found += self._row(self._header, groups)
            elif groups != [""]:
                values = self._begin(groups)
                if values and self._header is not None:
                    found += self._row(self._header, values)
        return found

    def _begin(self, groups: list[str]) -> list[str]:
        """Take a header; return the values behind it, if any."""
        at = stamp(groups[0], self._zone, self.newest)
        if at is None or len(groups) < 4 or not (_is_count(groups[2]) and _is_count(groups[3])):
            raise BadData(f"({')('.join(groups)[:60]}) is no header of a profile")
        minutes, count = int(groups[2]), int(groups[3])
        names = groups[4 : 4 + 2 * count]
        values = groups[4 + 2 * count :]
        if not (0 < count <= _MOST_COLUMNS and 0 < minutes <= _MOST_MINUTES and len(names) == 2 * count):
            raise BadData("a header of a profile with a wrong number of columns or minutes")
        if values and len(values) != count:
            raise BadData("a header of a profile with a wrong number of values")
        columns = [self._column(names[index], names[index + 1]) for index in range(0, 2 * count, 2)]
        self._header = _Header(at, timedelta(minutes=minutes), columns)
        return values

    def _column(self, address: str, unit: str) -> Series:
        kept = self._device.keeps(address) or Series("")
        return Series(kept.name, unit or kept.unit, kept.is_interval)

    def _row(self, header: _Header, groups: list[str]) -> list[Reading]:
        found: list[Reading] = []
        at = header.next_at
        header.next_at = at + header.period
        if self._known is not None and at <= self._known:
            return found
        for column, group in zip(header.columns, groups, strict=True):
            parsed = value_and_unit(group)
            if parsed is not None and column.name:
                labelled = at - header.period if column.is_interval else at
                found.append(Reading(column.name, labelled, parsed[0], parsed[1] or column.unit))
            elif parsed is None and column.name and group.strip("-* "):
                raise BadData(f"{group[:40]!r} in a profile is no number")
        self.newest = at
        return found


def first_stamp(text: str, zone: ZoneInfo) -> datetime | None:
    """Return the time of a block's first header, None if it begins with none."""
    _, _, rest = text.partition("(")
    return stamp(rest.partition(")")[0], zone)


def _is_count(text: str) -> bool:
    return len(text) <= 5 and text.isascii() and text.isdigit()
