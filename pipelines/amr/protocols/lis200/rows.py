"""Rows of an archive, block by block: what is new, what was repeated, what is missing."""

import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from pipelines.amr.contract import Reading
from pipelines.amr.faults import BadData, BadFrame
from pipelines.amr.protocols.lis200.devices import Layout
from pipelines.amr.protocols.lis200.times import LocalTimes

# As many digits as the platform keeps exactly.
_NUMBER = re.compile(r"(?=[-.0-9]{1,19}\Z)-?[0-9]{1,18}(?:\.[0-9]{1,12})?")
_NO_VALUE = frozenset({"", "-", "--", "---", "----"})


class MissingRows(BadFrame):
    """A block does not go on where the last one ended."""


@dataclass(frozen=True, slots=True)
class Block:
    """The new readings of a block and the time of its newest row; no row at all has no time."""

    readings: list[Reading]
    newest: datetime | None


def number(text: str) -> Decimal | None:
    """Return the exact value of ``text``, or None where the device has none.

    Raises
    ------
    BadData
        It is something else than a number, or has more digits than can be kept.
    """
    value, _, _ = text.partition("*")
    if _NUMBER.fullmatch(value):
        return Decimal(value)
    if value.strip() in _NO_VALUE:
        return None
    raise BadData(f"{value[:40]!r} is no number")


def cells(line: str) -> list[str]:
    """Return the values between the brackets of ``(1)(2)(3)``; whatever stands before the first is an address.

    Raises
    ------
    BadData
        The line is no row.
    """
    start = line.find("(")
    if start < 0 or line[-1] != ")":
        raise BadData(f"{line[:40]!r} is no row of an archive")
    return line[start + 1 : -1].split(")(")


class ArchiveRows:
    """The rows of one read, oldest first; it remembers how far they came."""

    def __init__(self, layout: Layout, times: LocalTimes) -> None:
        self._layout = layout
        self._times = times
        self._width = layout.width
        self._ordinal: int | None = None
        self._last_text = ""
        self._is_resumed = False
        self.newest: datetime | None = None

    def resume(self) -> None:
        """Expect that the next block begins with rows that are known already."""
        self._is_resumed = True

    def take(self, text: str) -> Block | None:
        """Return what is new in a block, None where all of it was had before.

        Raises
        ------
        MissingRows
            Between the last block and this one rows are missing.
        BadData
            The block makes no sense.
        """
        if text == self._last_text and not self._is_resumed:
            return None
        rows = [cells(line) for line in text.split("\r\n") if line]
        if self._layout.ordinal is not None:
            rows = self._continued(rows, self._layout.ordinal)
            if not rows and self._ordinal is not None and not self._is_resumed:
                return None
        block = self._read(rows)
        self._is_resumed, self._last_text = False, text
        return block

    def _continued(self, rows: list[list[str]], ordinal: int) -> list[list[str]]:
        """Return the rows behind the last known one."""
        try:
            numbers = [int(row[ordinal]) for row in rows]
        except (ValueError, IndexError):
            raise BadData("a row of the archive lacks its ordinal number") from None
        last = self._ordinal
        if last is None or not rows or numbers[0] == last + 1:
            new = rows
        elif numbers[0] > last + 1 and not self._is_resumed:
            raise MissingRows(f"rows {last + 1} to {numbers[0] - 1} of the archive are missing")
        elif numbers[-1] <= last and numbers[0] > numbers[-1]:
            new = rows  # the count began anew within the block
        else:
            new = [row for row, current in zip(rows, numbers, strict=True) if current > last]
        if new:
            self._ordinal = numbers[-1]
        return new

    def _read(self, rows: list[list[str]]) -> Block:
        readings: list[Reading] = []
        keep = readings.append
        time, width, columns = self._layout.time, self._width, self._layout.columns
        instant, is_number = self._times.instant, _NUMBER.fullmatch
        at = self.newest
        for row in rows:
            if len(row) < width:
                raise BadData(f"a row of the archive has {len(row)} columns, not {width}")
            at = instant(row[time], at)
            for column in columns:
                text = row[column.index]
                value = Decimal(text) if is_number(text) else number(text)
                if value is not None:
                    keep(Reading(column.series, at, value, column.unit))
        if rows:
            self.newest = at
        return Block(readings, at if rows else None)
