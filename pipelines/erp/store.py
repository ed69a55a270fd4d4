"""A ledger from the database and back: what was said of readings, and the readings themselves by the one write path."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
import sqlalchemy as sa

from pipelines.db.engine import raw
from pipelines.db.instants import instant, us
from pipelines.decimals import split_all
from pipelines.erp.ledger import Entry, Ledger, Place
from pipelines.erp.payloads import decode, encode
from pipelines.metering.removal import lock_channels, remove_readings
from pipelines.metering.writer import Authorship, KeyedReadings, write_readings

_COLUMNS = f"""
    r.device_id, r.series_id, {us('r."timestamp"')}, r.external_id, r.has_counter, r.direction, r.reading_type,
    r.source, r.reason, r.attributes::text, r.was_measured, r.created_at, r.event_number
"""
_BY_EXTERNAL_ID = f"""
    SELECT {_COLUMNS} FROM unnest(%(devices)s::int4[], %(ids)s::text[]) AS k (device_id, external_id)
    JOIN wattloom.erp_reading AS r USING (device_id, external_id)
"""
_NEAR = f"""
    SELECT {_COLUMNS}
    FROM unnest(%(devices)s::int4[], %(first)s::int8[], %(last)s::int8[]) AS k (device_id, first, last)
    JOIN wattloom.erp_reading AS r ON r.device_id = k.device_id
     AND r."timestamp" BETWEEN {instant("k.first")} AND {instant("k.last")}
"""
_WHOLE = f"SELECT {_COLUMNS} FROM wattloom.erp_reading AS r WHERE r.device_id = ANY(%(devices)s)"
_MEASURED = f"""
    SELECT k.device_id, k.series_id, k.at_us
    FROM unnest(%(devices)s::int4[], %(series)s::int4[], %(times)s::int8[]) AS k (device_id, series_id, at_us)
    JOIN wattloom.meter_reading AS m
      ON (m.device_id, m.series_id, m."timestamp") = (k.device_id, k.series_id, {instant("k.at_us")})
     AND m.device_id = ANY(%(devices)s) AND m.series_id = ANY(%(series)s)
     AND m."timestamp" BETWEEN {instant("%(first)s::int8")} AND {instant("%(last)s::int8")}
"""
_OVERWRITTEN = f"""
    SELECT k.device_id, k.series_id, k.at_us
    FROM unnest(%(devices)s::int4[], %(series)s::int4[], %(times)s::int8[]) AS k (device_id, series_id, at_us)
    JOIN wattloom.erp_reading AS r
      ON (r.device_id, r.series_id, r."timestamp") = (k.device_id, k.series_id, {instant("k.at_us")})
    JOIN wattloom.meter_reading AS m
      ON (m.device_id, m.series_id, m."timestamp") = (k.device_id, k.series_id, {instant("k.at_us")})
     AND m.device_id = ANY(%(devices)s) AND m.series_id = ANY(%(series)s)
     AND m."timestamp" BETWEEN {instant("%(first)s::int8")} AND {instant("%(last)s::int8")}
    WHERE m.created_at > r.updated_at
"""
_WITHDRAWN = f"""
    SELECT r.device_id, r.external_id, r.series_id, {us('r."timestamp"')} FROM wattloom.erp_withdrawn_reading AS r
    WHERE r.device_id = ANY(%(devices)s) AND r.event_number > %(number)s
"""
_WITHDRAW = f"""
    INSERT INTO wattloom.erp_withdrawn_reading AS w
        (device_id, series_id, "timestamp", external_id, event_number, withdrawn_at)
    SELECT k.device_id, k.series_id, {instant("k.at_us")}, k.external_id, %(number)s, %(at)s
    FROM unnest(%(devices)s::int4[], %(series)s::int4[], %(times)s::int8[], %(ids)s::text[])
        AS k (device_id, series_id, at_us, external_id)
    ON CONFLICT (device_id, external_id, "timestamp", series_id) DO UPDATE
    SET event_number = greatest(w.event_number, excluded.event_number), withdrawn_at = excluded.withdrawn_at
"""
_FORGET = f"""
    DELETE FROM wattloom.erp_reading AS r
    USING unnest(%(devices)s::int4[], %(series)s::int4[], %(times)s::int8[]) AS k (device_id, series_id, at_us)
    WHERE (r.device_id, r.series_id, r."timestamp") = (k.device_id, k.series_id, {instant("k.at_us")})
"""
_SAY = f"""
    INSERT INTO wattloom.erp_reading (device_id, series_id, "timestamp", external_id, has_counter, direction,
        reading_type, source, reason, attributes, was_measured, integration_id, event_id,
        event_number, created_at, updated_at)
    SELECT k.device_id, k.series_id, {instant("k.at_us")}, k.external_id, k.has_counter, k.direction,
           k.reading_type, k.source, k.reason, k.attributes, k.was_measured, %(integration)s, %(event)s,
           %(number)s, coalesce(k.created_at, %(at)s), %(at)s
    FROM json_to_recordset(%(said)s::json) AS k (device_id int4, series_id int4, at_us int8, external_id text,
        has_counter bool, direction text, reading_type text, source text, reason text, attributes jsonb,
        was_measured bool, created_at timestamptz)
"""


_SAID = (
    *("device_id", "series_id", "at_us", "external_id", "has_counter", "direction", "reading_type"),
    *("source", "reason", "attributes", "was_measured", "created_at"),
)


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Which event of which integration writes, and in whose name."""

    integration_id: UUID
    event_id: UUID
    event_number: int
    authorship: Authorship


def load(
    connection: sa.Connection,
    event_number: int,
    *,
    external_ids: Iterable[tuple[int, str]],
    near: Mapping[int, tuple[int, int]],
    whole: Iterable[int],
) -> Ledger:
    """Return the readings that rows may match: by external id, by device and span [us], or all of a device.

    What later events than this one withdrew is known to the ledger too.
    """
    cursor = raw(connection).cursor()
    keys = sorted(set(external_ids))
    rows: list[Any] = []
    if keys:
        parameters: dict[str, Any] = {"devices": [d for d, _ in keys], "ids": [e for _, e in keys]}
        rows += cursor.execute(_BY_EXTERNAL_ID, parameters).fetchall()
    if near:
        spans = [near[device] for device in near]
        parameters = {
            "devices": list(near),
            "first": [low for low, _ in spans],
            "last": [high for _, high in spans],
        }
        rows += cursor.execute(_NEAR, parameters).fetchall()
    devices = sorted(set(whole))
    if devices:
        rows += cursor.execute(_WHOLE, {"devices": devices}).fetchall()
    concerned = sorted({device for device, _ in keys} | set(near) | set(devices))
    gone = cursor.execute(_WITHDRAWN, {"devices": concerned, "number": event_number})
    withdrawn = {(device, name) if name else (device, series, at_us) for device, name, series, at_us in gone}
    ledger, known = Ledger(event_number, withdrawn), set[Place]()
    for row in rows:
        place = (row[0], row[1], row[2])
        if place not in known:
            known.add(place)
            ledger.add(_entry(row, place))
    return ledger


def _entry(row: Any, place: Place) -> Entry:
    return Entry(
        device_id=row[0],
        series_id=row[1],
        at_us=row[2],
        external_id=row[3],
        has_counter=row[4],
        direction=row[5],
        reading_type=row[6],
        source=row[7],
        reason=row[8],
        attributes=decode(row[9]),
        was_measured=row[10],
        created_at=row[11],
        event_number=row[12],
        stored=place,
    )


def save(connection: sa.Connection, ledger: Ledger, origin: Origin) -> None:
    """Store what changed in a ledger: places that were left are deleted, values written, all of it audited."""
    touched = ledger.touched
    left = {e.stored: e.was_measured for e in [*ledger.removed, *touched] if e.stored is not None}
    taken = {entry.place for entry in touched}
    if not left and not taken:
        return
    _note_withdrawn(connection, ledger, origin)
    # The meter may also have sent its own after the ERP had; what stands there now is the meter's then.
    left |= dict.fromkeys(_found(connection, _OVERWRITTEN, sorted(left)), True)
    measured = _found(connection, _MEASURED, sorted(taken - set(left)))
    for entry in touched:
        entry.was_measured = left.get(entry.place, entry.place in measured)
    # A reading that the meter itself had sent stays when the ERP withdraws its own.
    gone = sorted(place for place, was_measured in left.items() if place not in taken and not was_measured)
    if gone:
        lock_channels(connection, [place[:2] for place in {*gone, *taken}])
        remove_readings(connection, gone, origin.authorship)
    if left:
        raw(connection).execute(_FORGET, _places(sorted(left)))
    if touched:
        write_readings(connection, _keyed(touched), origin.authorship)
        said = [{name: getattr(entry, name) for name in _SAID} for entry in touched]
        provenance = {
            "integration": origin.integration_id,
            "event": origin.event_id,
            "number": origin.event_number,
            "at": origin.authorship.at,
        }
        raw(connection).execute(_SAY, {"said": encode(said), **provenance})


def _note_withdrawn(connection: sa.Connection, ledger: Ledger, origin: Origin) -> None:
    """Remember what this event withdraws, so that an earlier one that is applied later does not bring it back."""
    gone = sorted(
        {(*entry.stored, entry.external_id or "") for entry in ledger.removed if entry.stored is not None}
    )
    if gone:
        places = _places([place[:3] for place in gone])
        names = {"ids": [place[3] for place in gone], "number": origin.event_number, "at": origin.authorship.at}
        raw(connection).execute(_WITHDRAW, {**places, **names})


def forget_withdrawn(connection: sa.Connection, *, before: datetime) -> int:
    """Forget what was withdrawn before an instant, when no event from before it is left; return how many."""
    statement = "DELETE FROM wattloom.erp_withdrawn_reading WHERE withdrawn_at < %s"
    return raw(connection).execute(statement, (before,)).rowcount


def _places(places: list[Place]) -> dict[str, list[int]]:
    return {
        "devices": [place[0] for place in places],
        "series": [place[1] for place in places],
        "times": [place[2] for place in places],
    }


def _found(connection: sa.Connection, query: str, places: list[Place]) -> set[Place]:
    if not places:
        return set()
    times = [place[2] for place in places]
    parameters = {**_places(places), "first": min(times), "last": max(times)}
    return {(row[0], row[1], row[2]) for row in raw(connection).execute(query.encode(), parameters)}


def _keyed(entries: list[Entry]) -> KeyedReadings:
    mantissa, scale = split_all([entry.value if entry.value is not None else Decimal(0) for entry in entries])
    return KeyedReadings(
        device_id=np.array([entry.device_id for entry in entries], dtype=np.int32),
        series_id=np.array([entry.series_id for entry in entries], dtype=np.int32),
        times_us=np.array([entry.at_us for entry in entries], dtype=np.int64),
        mantissa=mantissa,
        scale=scale,
    )
