"""One item of a configuration on one payload: meters found, rows matched, scope pruned, all of it stored."""

from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa

from pipelines.db.engine import raw
from pipelines.erp import matching, store
from pipelines.erp.configuration import ReadingItem
from pipelines.erp.getters import Document, Rows, Scope
from pipelines.erp.identities import Identity, identity
from pipelines.erp.ledger import Ledger, microseconds
from pipelines.erp.mapping import MappedReading, Stopwatch, map_readings, rows_of
from pipelines.erp.matching import Counter, PlacedReading
from pipelines.erp.meters import Meter, find_meters, of_tariff, the_meter, the_series
from pipelines.erp.store import Origin
from pipelines.erp.verdicts import Code, Outcome, RowError, Status

_DAY_US = 26 * 3_600_000_000  # a German day and a change of its offset
_LOCKS = 7_761_747_704  # with a meter's number: whoever changes what the ERP says of its readings takes turns


@dataclass(frozen=True, kw_only=True)
class Target:
    """The organization whose meters an event is for, and how its integration treats them."""

    organization_id: UUID
    default_series: str
    allow_unconfigured: bool
    origin: Origin


class _Protected:
    """What must not be pruned in this run, because a row that may belong to it failed."""

    def __init__(self) -> None:
        self.everything = False
        self.devices: set[int] = set()

    def covers(self, counter: Counter) -> bool:
        return self.everything or counter[0] in self.devices


def apply_item(
    connection: sa.Connection, item: ReadingItem, number: int, document: Document, target: Target, watch: Stopwatch
) -> list[Outcome]:
    """Map, match and store the rows of an item; return a verdict for every row.

    A row that fails takes no other with it, and keeps its meter from being pruned.
    """
    try:
        rows = rows_of(item, document)
    except RowError as error:
        refused = Outcome(kind="meter_reading", item=number, index=None)
        refused.refuse(error)
        return [refused]
    if rows is None:
        return []
    mapped = map_readings(item, number, rows, watch)
    outcomes = [reading.outcome for reading in mapped]
    empty, wanted = None, {one.meter for one in mapped if one.meter is not None}
    if item.prunes and not mapped:
        empty = _Empty(item, number, document)
        outcomes.append(empty.outcome)
        wanted |= {empty.meter} if empty.meter is not None else set()
    meters = find_meters(connection, target.organization_id, wanted, allow_unconfigured=target.allow_unconfigured)
    _take_turns(connection, [meter.sensor_id for found in meters.values() for meter in found])
    protected = _Protected()
    placed = _placed(item, mapped, meters, target, protected)
    named = _named(item, placed, protected)
    if empty is not None:
        counter = empty.counter_of(meters, target)
        named |= {} if counter is None else {counter: set()}
    ledger = store.load(
        connection,
        target.origin.event_number,
        external_ids=[(p.device, p.reading.external_id) for p in placed if p.reading.external_id is not None],
        near=_spans(placed, item.window_h),
        whole=[device for device, _ in named],
    )
    if item.mode == "delete":
        matching.delete_all(ledger, item, placed)
    else:
        for failed in matching.upsert_all(ledger, item, placed, named):
            protected.devices.add(failed.device)
    pruned = _prune(item, ledger, named, protected)
    if item.prunes:
        outcomes += _prune_outcomes(number, pruned, protected, empty)
    store.save(connection, ledger, target.origin)
    return outcomes


def _take_turns(connection: sa.Connection, devices: list[int]) -> None:
    """Let events of one meter follow each other, and lock in one order."""
    raw(connection).execute(
        "SELECT pg_advisory_xact_lock(%s, d) FROM (SELECT unnest(%s::int4[]) AS d ORDER BY 1) AS ordered",
        (_LOCKS % 2**31, sorted(set(devices))),
    )


def _placed(
    item: ReadingItem,
    mapped: list[MappedReading],
    meters: dict[Identity, list[Meter]],
    target: Target,
    protected: _Protected,
) -> list[PlacedReading]:
    """Return the rows whose meter and series are known and that map without a fault; the others get their verdict."""
    placed: list[PlacedReading] = []
    default = item.default_series or target.default_series
    for reading in mapped:
        meter: Meter | None = None
        try:
            if reading.meter is None:
                raise reading.error or RowError(Code.MISSING_IDENTIFIER, "Missing identifier")
            meter = the_meter(meters, reading.meter)
            if reading.error is not None:
                raise reading.error
            tariff = None if item.counter else of_tariff(meter, default, reading.attributes.get("tariff"))
            series, name = (
                the_series(meter, reading.counter, default) if tariff is None else (tariff, "of the tariff")
            )
        except RowError as error:
            reading.outcome.refuse(error)
            if meter is not None:
                protected.devices.add(meter.sensor_id)
            elif error.code is not Code.METER_NOT_FOUND:  # it may be any meter's
                protected.everything = True
            continue
        unit = reading.attributes.get("unit")
        if isinstance(unit, str) and unit.casefold() != series.unit.casefold():
            reading.outcome.warnings.append(
                f"unit: {unit[:20]} is not the unit of series {name}, {series.unit}; the value is stored as it came"
            )
        has_counter = reading.counter is not None or tariff is not None
        placed.append(
            PlacedReading(reading=reading, device=meter.sensor_id, series=series.key, has_counter=has_counter)
        )
    return placed


def _named(item: ReadingItem, placed: list[PlacedReading], protected: _Protected) -> dict[Counter, set[str]]:
    """Return, per counter that may be pruned, the external ids that the payload names."""
    named: dict[Counter, set[str]] = {}
    if item.prunes:
        for row in placed:
            if not protected.covers(row.counter):
                named.setdefault(row.counter, set())
                if row.reading.external_id is not None:
                    named[row.counter].add(row.reading.external_id)
    return named


def _spans(placed: list[PlacedReading], window_h: float) -> dict[int, tuple[int, int]]:
    """Return, per meter, the span [us] in which readings may matter to its rows."""
    margin = max(_DAY_US, round(window_h * 3_600_000_000))
    spans: dict[int, tuple[int, int]] = {}
    for row in placed:
        if row.reading.at is not None:
            at_us = microseconds(row.reading.at)
            low, high = spans.get(row.device, (at_us, at_us))
            spans[row.device] = (min(low, at_us), max(high, at_us))
    return {device: (low - margin, high + margin) for device, (low, high) in spans.items()}


def _prune(item: ReadingItem, ledger: Ledger, named: dict[Counter, set[str]], protected: _Protected) -> int:
    kept = {id(entry) for entry in ledger.touched}
    before = len(ledger.removed)
    for counter, names in named.items():
        if not protected.covers(counter):
            matching.prune(ledger, item, counter, names, kept)
    return len(ledger.removed) - before


def _prune_outcomes(number: int, pruned: int, protected: _Protected, empty: "_Empty | None") -> list[Outcome]:
    if empty is not None:
        if empty.outcome.status is not Status.ERROR:
            empty.outcome.settle("pruned", f"No readings in the payload; {pruned} in scope deleted")
        return []
    outcome = Outcome(kind="meter_reading", item=number, index=None)
    outcome.settle("pruned", f"{pruned} readings in scope that the payload does not name deleted")
    if protected.everything or protected.devices:
        outcome.status = Status.WARNING
        outcome.warnings.append("rows failed, so their meters were not pruned")
    return [outcome]


class _Empty:
    """A payload without rows: everything in the scope of the meter that the payload itself names is to go."""

    def __init__(self, item: ReadingItem, number: int, document: Document) -> None:
        self.outcome = Outcome(kind="meter_reading", item=number, index=None)
        self.meter: Identity | None = None
        self.counter: Identity | None = None
        self._item = item
        root = Scope(Rows(document, [document.exact]), 0)
        try:
            self.meter = identity(item.meter, root)
            self.counter = identity(item.counter, root) if item.counter else None
            self._check()
        except RowError as error:
            self.meter = None
            self.outcome.refuse(error)

    def _check(self) -> None:
        if self.meter is None or (self._item.counter and self.counter is None):
            what = "meter" if self.meter is None else "meter_counter"
            message = f"The payload has no readings and does not name the {what}; nothing was deleted"
            raise RowError(Code.MISSING_IDENTIFIER, message)

    def counter_of(self, meters: dict[Identity, list[Meter]], target: Target) -> Counter | None:
        """Return whose scope is to be emptied."""
        if self.meter is None:
            return None
        try:
            meter = the_meter(meters, self.meter)
            if self.counter is None:
                return meter.sensor_id, None
            series, _ = the_series(meter, self.counter, self._item.default_series or target.default_series)
        except RowError as error:
            self.outcome.refuse(error)
            return None
        return meter.sensor_id, series.key
