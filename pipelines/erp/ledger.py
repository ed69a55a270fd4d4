"""What an ERP has said of some meters' readings, changed in memory row by row and then stored as a whole.

Rows of one event see each other, and nothing is stored that the rules of matching do not allow: every reading has
one place (meter, series, instant), and an external id stands once per meter.
"""

from bisect import bisect_left, insort
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from pipelines.erp.verdicts import Code, RowError

GERMANY = ZoneInfo("Europe/Berlin")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = 1_000_000
Place = tuple[int, int, int]
Withdrawn = Place | tuple[int, str]
Group = tuple[int, int | None, str | None]


def microseconds(at: datetime) -> int:
    """Return an instant as microseconds since the epoch."""
    return (at - _EPOCH) // timedelta(microseconds=1)


def instant_of(at_us: int) -> datetime:
    """Return the instant of microseconds since the epoch."""
    return _EPOCH + timedelta(microseconds=at_us)


def german_day(at: datetime) -> tuple[int, int]:
    """Return start and end [us] of the German calendar day of an instant: 23, 24 or 25 hours."""
    day = at.astimezone(GERMANY).date()
    edges = [datetime.combine(day + timedelta(days=n), datetime.min.time(), GERMANY) for n in (0, 1)]
    return microseconds(edges[0].astimezone(UTC)), microseconds(edges[1].astimezone(UTC))


def _wall_us(at_us: int) -> int:
    return microseconds(instant_of(at_us).astimezone(GERMANY).replace(tzinfo=UTC))


@dataclass(kw_only=True, eq=False)
class Entry:
    """A reading with what the ERP says of it; ``stored`` is its place in the database, ``value`` a new value."""

    device_id: int
    series_id: int
    at_us: int
    has_counter: bool
    external_id: str | None = None
    direction: str | None = None
    reading_type: str | None = None
    source: str = ""
    reason: str | None = None
    attributes: dict[str, Any] = field(default_factory=dict)
    value: Decimal | None = None
    was_measured: bool = False
    created_at: datetime | None = None
    event_number: int = 0
    stored: Place | None = None

    @property
    def place(self) -> Place:
        """Where the reading stands."""
        return self.device_id, self.series_id, self.at_us

    @property
    def group(self) -> Group:
        """Meter, counter (None without one) and direction: what is compared with each other."""
        return self.device_id, self.series_id if self.has_counter else None, self.direction


class Ledger:
    """The readings of some meters, as they are and as they are to be."""

    def __init__(self, event_number: int = 0, withdrawn: Collection[Withdrawn] = ()) -> None:
        self.event_number = event_number
        self._withdrawn = set(withdrawn)
        self._touched: dict[int, Entry] = {}
        self.removed: list[Entry] = []
        self._by_external: dict[tuple[int, str], Entry] = {}
        self._by_place: dict[Place, Entry] = {}
        self._groups: dict[Group, list[tuple[int, int, Entry]]] = {}

    @property
    def touched(self) -> list[Entry]:
        """The readings that are new or changed."""
        return list(self._touched.values())

    def is_later(self, entry: Entry) -> bool:
        """Tell whether a later event than this one wrote a reading."""
        return entry.event_number > self.event_number

    def was_withdrawn(self, entry: Entry) -> bool:
        """Tell whether a later event withdrew a reading: the one of its external id, or of its place without one."""
        known = entry.place if entry.external_id is None else (entry.device_id, entry.external_id)
        return known in self._withdrawn

    def add(self, entry: Entry) -> None:
        """Put a reading at its place, which is free."""
        self._by_place[entry.place] = entry
        if entry.external_id is not None:
            self._by_external[entry.device_id, entry.external_id] = entry
        insort(self._groups.setdefault(entry.group, []), (entry.at_us, id(entry), entry), key=lambda one: one[:2])

    def _take_out(self, entry: Entry) -> None:
        del self._by_place[entry.place]
        if entry.external_id is not None:
            del self._by_external[entry.device_id, entry.external_id]
        group = self._groups[entry.group]
        del group[bisect_left(group, (entry.at_us, id(entry)), key=lambda one: one[:2])]

    def by_external_id(self, device: int, external_id: str | None) -> Entry | None:
        """Return the reading of a meter that has an external id."""
        return None if external_id is None else self._by_external.get((device, external_id))

    def within(self, group: Group, start_us: int, end_us: int) -> Iterator[Entry]:
        """Return the readings of a group in ``[start, end)``."""
        entries = self._groups.get(group, [])
        for position in range(bisect_left(entries, start_us, key=lambda one: one[0]), len(entries)):
            if entries[position][0] >= end_us:
                return
            yield entries[position][2]

    def of_counter(self, device: int, counter: int | None) -> list[Entry]:
        """Return all readings of a meter's counter, of either direction."""
        groups = [group for group in self._groups if group[:2] == (device, counter)]
        return [entry for group in groups for _, _, entry in self._groups[group]]

    def duplicate_of(self, entry: Entry, window_h: float) -> Entry | None:
        """Return a reading of the same group and type less than the window away.

        Daily readings at local midnight are 23 hours apart when summer time begins: nothing is a duplicate that is
        a whole window away by the German clock.
        """
        window_us = round(window_h * 3600 * _SECOND)
        for other in self.within(entry.group, entry.at_us - window_us + 1, entry.at_us + window_us):
            near_by_clock = abs(_wall_us(other.at_us) - _wall_us(entry.at_us)) < window_us
            if other.reading_type == entry.reading_type and near_by_clock:
                return other
        return None

    def remove(self, entry: Entry) -> None:
        """Delete a reading."""
        self._take_out(entry)
        self._touched.pop(id(entry), None)
        if entry.stored is not None:
            self.removed.append(entry)

    def put(self, entry: Entry, *, replaceable: Callable[[Entry], bool]) -> None:
        """Add a new reading; one in its place gives way if it may.

        Raises
        ------
        RowError
            The place is taken.
        """
        self._clear(entry.place, entry, replaceable)
        self.add(entry)
        self._touched[id(entry)] = entry

    def change(self, entry: Entry, changes: dict[str, Any], *, replaceable: Callable[[Entry], bool]) -> None:
        """Change a reading, its place included.

        Raises
        ------
        RowError
            The new place, or the external id, is another reading's.
        """
        external_id = changes.get("external_id")
        owner = self.by_external_id(entry.device_id, external_id)
        if owner is not None and owner is not entry:
            message = "Ambiguous identifier: another reading of the meter has this external_id"
            raise RowError(Code.AMBIGUOUS_IDENTIFIER, message, external_id=external_id)
        self._clear(_place_after(entry, changes), entry, replaceable)
        self._take_out(entry)
        self._put_back(entry, changes)

    def exchange(self, changes: list[tuple[Entry, dict[str, Any]]]) -> list[bool]:
        """Change readings at once that stand in each other's places; say of each whether it could be.

        A reading can where its new place is free, or held by another of them that can leave; of several that want one
        place the first does.
        """
        able, fits = list(range(len(changes))), False
        while not fits:
            leaving = {id(changes[n][0]) for n in able}
            wanted: dict[Place, int] = {}
            for n in able:
                wanted.setdefault(_place_after(*changes[n]), n)
            holders = {n: self._by_place.get(place) for place, n in wanted.items()}
            kept = sorted(n for n, holder in holders.items() if holder is None or id(holder) in leaving)
            able, fits = kept, kept == able
        for n in able:
            self._take_out(changes[n][0])
        for n in able:
            self._put_back(*changes[n])
        return [n in set(able) for n in range(len(changes))]

    def _put_back(self, entry: Entry, changes: dict[str, Any]) -> None:
        for name, value in changes.items():
            setattr(entry, name, value)
        self.add(entry)
        self._touched[id(entry)] = entry

    def _clear(self, place: Place, entry: Entry, replaceable: Callable[[Entry], bool]) -> None:
        other = self._by_place.get(place)
        if other is None or other is entry:
            return
        if not replaceable(other):
            raise RowError(
                Code.TIMESTAMP_TAKEN,
                "Another reading of the meter's series has this timestamp",
                timestamp=instant_of(place[2]).isoformat().replace("+00:00", "Z"),
                external_id=other.external_id,
            )
        self.remove(other)


def _place_after(entry: Entry, changes: dict[str, Any]) -> Place:
    return entry.device_id, changes.get("series_id", entry.series_id), changes.get("at_us", entry.at_us)
