"""What a job has read and not yet stored, as columns: units understood, series allowed, digits exact."""

from array import array
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from pipelines.amr.contract import Found, Reading
from pipelines.amr.ops import Block
from pipelines.amr.targets import Target
from pipelines.amr.units import factor
from pipelines.decimals import NOT_A_NUMBER, split
from pipelines.fields import EARLIEST, LATEST

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_ONE = Decimal(1)


@dataclass(slots=True)
class Gathering:
    """Readings of one job of a meter, and the tally of all it brought.

    ``note`` is the first reason for which a reading was not kept; ``covered`` is what was read without a hole.
    """

    target: Target
    archive: str | None = None
    found: int = 0
    stored: int = 0
    rejected: int = 0
    note: str | None = None
    covered: tuple[datetime, datetime] | None = None
    _series: "array[int]" = field(default_factory=lambda: array("i"))
    _times_us: "array[int]" = field(default_factory=lambda: array("q"))
    _mantissas: "array[int]" = field(default_factory=lambda: array("q"))
    _scales: "array[int]" = field(default_factory=lambda: array("h"))
    _known: dict[tuple[str, str | None], tuple[int, Decimal] | None] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._times_us)

    def add(self, found: Found) -> None:
        """Take readings in; what cannot be kept is counted."""
        self.found += len(found.readings)
        for reading in found.readings:
            place = (reading.series, reading.unit)
            if place not in self._known:
                self._known[place] = self._looked_up(reading)
            known = self._known[place]
            if known is None:
                self.rejected += 1
                continue
            if not EARLIEST <= reading.timestamp < LATEST:
                self.refuse(1, f"{reading.series}: a time of the year {reading.timestamp.year}")
                continue
            key, times = known
            try:
                mantissa, scale = split(reading.value if times is _ONE else reading.value * times)
            except (ValueError, ArithmeticError) as error:
                self.refuse(1, f"{reading.series}: {error if isinstance(error, ValueError) else NOT_A_NUMBER}")
                continue
            self._series.append(key)
            self._times_us.append((reading.timestamp - _EPOCH) // _MICROSECOND)
            self._mantissas.append(mantissa)
            self._scales.append(scale)
        if found.covered is not None:
            self._cover(*found.covered)

    def take(self) -> Block:
        """Return what waits to be stored, and keep nothing of it."""
        block = Block(
            sensor_id=self.target.sensor_id,
            series=self._series,
            times_us=self._times_us,
            mantissas=self._mantissas,
            scales=self._scales,
        )
        self._series, self._times_us = array("i"), array("q")
        self._mantissas, self._scales = array("q"), array("h")
        return block

    def refuse(self, count: int, reason: str) -> None:
        """Count readings that are not kept."""
        self.rejected += count
        self.note = self.note or reason

    def _cover(self, start: datetime, end: datetime) -> None:
        """Widen what was read without a hole; a span that does not touch it says nothing of what lies between."""
        if self.covered is None:
            self.covered = start, end
        elif start <= self.covered[1] and end >= self.covered[0]:
            self.covered = min(start, self.covered[0]), max(end, self.covered[1])

    def _looked_up(self, reading: Reading) -> tuple[int, Decimal] | None:
        """Return the key of a reading's series and what turns its value into the series' unit."""
        name = reading.series
        kept = self.target.series.get(name, ())
        if len(kept) != 1:
            reason = (
                f"{len(kept)} series of the meter's config are named {name!r}"
                if kept
                else f"series {name!r} is not allowed by the meter's config"
                if self.target.is_configured
                else "the meter has no type with a config, so no series is allowed for it"
            )
            self.note = self.note or reason
            return None
        times = factor(reading.unit, kept[0].unit)
        if times is None:
            self.note = (
                self.note or f"{name}: the meter sends {reading.unit}, the series is kept in {kept[0].unit}"
            )
            return None
        return kept[0].key, _ONE if times == 1 else times
