"""Which records become which series, and at what instant: the rules of a model file, applied.

A record without a storage number is of now: the telegram's own date and time, else the time of its collection.
Records with a storage number carry the date of that storage.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

from pipelines.amr.contract import Reading
from pipelines.amr.faults import BadData
from pipelines.amr.models import MeterModel
from pipelines.amr.protocols.mbus.records import Record
from pipelines.amr.protocols.mbus.telegram import Telegram
from pipelines.amr.protocols.mbus.values import LocalTime, shifted

# The unit of a series: the base unit of its records, and the power of ten between the two.
_UNITS: Mapping[str, tuple[str, int]] = MappingProxyType({
    "Wh": ("Wh", 0), "kWh": ("Wh", -3), "MWh": ("Wh", -6),
    "J": ("J", 0), "MJ": ("J", -6), "GJ": ("J", -9),
    "varh": ("varh", 0), "kvarh": ("varh", -3), "VAh": ("VAh", 0), "kVAh": ("VAh", -3),
    "W": ("W", 0), "kW": ("W", -3), "var": ("var", 0), "VA": ("VA", 0),
    "m³": ("m³", 0), "l": ("m³", 3), "m³/h": ("m³/h", 0), "l/h": ("m³/h", 3),
    "kg": ("kg", 0), "°C": ("°C", 0), "K": ("K", 0), "bar": ("bar", 0), "s": ("s", 0),
    "V": ("V", 0), "mV": ("V", 3), "A": ("A", 0), "mA": ("A", 3), "Hz": ("Hz", 0), "%": ("%", 0), "": ("", 0),
})  # fmt: skip
_MOST_DIGITS = 18
_MOST_DECIMALS = 12
_MOST_PENDING = 1024
_TARIFF = "{tariff}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One row of a model file: the records that it fits and the series that they become.

    ``storage`` None: storage 0, and with history every other; ``tariff`` None: any, named by ``{tariff}``.
    """

    series: str
    quantity: str
    unit: str
    media: tuple[int, ...] = ()
    function: str = "instantaneous"
    storage: int | None = None
    tariff: int | None = 0
    subunit: int = 0
    modifiers: tuple[int, ...] = ()

    def fits(self, record: Record, medium: int | None) -> bool:
        """Tell whether a record is this rule's."""
        return (
            record.quantity == self.quantity
            and record.unit == _UNITS[self.unit][0]
            and record.function == self.function
            and record.subunit == self.subunit
            and record.modifiers == self.modifiers
            and self.tariff in (None, record.tariff)
            and self.storage in (None, record.storage)
            and (not self.media or medium in self.media)
        )


def rules_of(model: MeterModel) -> tuple[Rule, ...]:
    """Return the rules of a model file, checked."""
    return tuple(_rule(dict(row)) for row in model.data["series"])


def _rule(row: dict[str, Any]) -> Rule:
    if row["unit"] not in _UNITS:
        raise ValueError(f"the unit {row['unit']!r} is unknown")
    name = row.pop("name")
    row.setdefault("tariff", None if _TARIFF in name else 0)
    for key in ("media", "modifiers"):
        row[key] = tuple(row.get(key, ()))
    return Rule(series=name, **row)


@dataclass(slots=True, kw_only=True)
class Collection:
    """The readings of one call, telegram by telegram: a date may come after the values that it dates.

    ``dates`` says what a stored date without a time means: ``start`` or ``end`` of that day, or the ``turn`` of the
    month: the end of its last day, the start of any other.
    """

    rules: tuple[Rule, ...]
    zone: ZoneInfo
    dates: str = "turn"
    with_history: bool = False
    align_seconds: int | None = None
    clock_at: datetime | None = None
    medium: int | None = None
    stored_at: dict[int, datetime] = field(default_factory=dict)
    pending: list[tuple[Rule, Record]] = field(default_factory=list)
    seen: set[tuple[str, datetime]] = field(default_factory=set)

    def readings(self, telegram: Telegram, collected_at: datetime) -> list[Reading]:
        """Return the readings that a telegram, and the dates known by now, give.

        Raises
        ------
        BadData
            A value has more digits than the platform keeps.
        """
        self._learn(telegram)
        fitting = [*self.pending, *self._fitting(telegram.records)]
        self.pending = []
        found = []
        for rule, record in fitting:
            at = self._instant(record.storage, collected_at)
            if at is None:
                self.pending.append((rule, record))
                continue
            series = rule.series.replace(_TARIFF, str(record.tariff))
            if (series, at) not in self.seen:
                self.seen.add((series, at))
                found.append(Reading(series, at, _in_unit(record.value, rule.unit, series), rule.unit or None))
        del self.pending[_MOST_PENDING:]
        return found

    def _learn(self, telegram: Telegram) -> None:
        """Take over the medium, the meter's clock, and the dates of storages."""
        if telegram.medium is not None and self.medium is None:
            self.medium = telegram.medium
        for record in telegram.records:
            if record.modifiers or record.function != "instantaneous" or record.subunit:
                continue
            if isinstance(record.value, LocalTime):
                if record.storage:
                    self.stored_at.setdefault(record.storage, record.value.instant(self.zone))
                elif self.clock_at is None:
                    self.clock_at = record.value.instant(self.zone)
            elif isinstance(record.value, date) and record.storage:
                self.stored_at.setdefault(record.storage, self._day_edge(record.value))

    def _day_edge(self, day: date) -> datetime:
        following = day + timedelta(days=1) if day < date.max else day
        is_end = self.dates == "end" or (self.dates == "turn" and following.day == 1)
        edge = following if is_end else day
        return datetime(edge.year, edge.month, edge.day, tzinfo=self.zone).astimezone(UTC)

    def _fitting(self, records: Iterable[Record]) -> Iterable[tuple[Rule, Record]]:
        for record in records:
            if not isinstance(record.value, Decimal) or (record.storage and not self.with_history):
                continue
            rule = next((rule for rule in self.rules if rule.fits(record, self.medium)), None)
            if rule is not None:
                yield rule, record

    def _instant(self, storage: int, collected_at: datetime) -> datetime | None:
        if storage:
            return self.stored_at.get(storage)
        at = self.clock_at or collected_at
        if self.align_seconds:
            seconds = int(at.timestamp())
            at = datetime.fromtimestamp(seconds - seconds % self.align_seconds, UTC)
        return at


def _in_unit(value: object, unit: str, series: str) -> Decimal:
    assert isinstance(value, Decimal)  # noqa: S101 - only numbers fit a rule
    kept = shifted(value, _UNITS[unit][1])
    exponent = kept.as_tuple().exponent
    try:
        if isinstance(exponent, int) and exponent < -_MOST_DECIMALS:
            # Only a float32 close to zero has so many decimals; they are noise of its coding.
            kept = kept.quantize(Decimal(1).scaleb(-_MOST_DECIMALS))
        is_too_long = len(kept.as_tuple().digits) > _MOST_DIGITS
    except InvalidOperation:
        is_too_long = True
    if is_too_long:
        raise BadData(f"the value of {series} has more than {_MOST_DIGITS} digits")
    return kept
