"""Which devices a step works on: the change logs, one worker per device at a time, and limits in time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from pipelines.db.bulk import array_text
from pipelines.db.engine import raw
from pipelines.db.instants import us

_LOCK_SPACE = 7761
_DEVICES_AT_ONCE = 25


@dataclass(frozen=True, kw_only=True)
class Limits:
    """A step may be limited to some devices and to changes that touch ``[start, end)``."""

    devices: Sequence[int] | None = None
    start: datetime = datetime(1, 1, 1, tzinfo=UTC)
    end: datetime = datetime(9999, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Change:
    """A logged span [us] of one device: of readings with both ends, of energy without its end."""

    id: int
    device_id: int
    from_us: int
    to_us: int


def changed_devices(connection: sa.Connection, log: str, limits: Limits) -> list[int]:
    """Return the devices that ``log`` (reading_change, energy_change) names within the limits."""
    rows = raw(connection).execute(
        f"SELECT DISTINCT device_id FROM wattloom.{log} WHERE from_at < %(end)s AND to_at >= %(start)s"
        " AND (%(devices)s::int4[] IS NULL OR device_id = ANY(%(devices)s)) ORDER BY device_id",
        _parameters(limits),
    )
    return [device for (device,) in rows]


def _parameters(limits: Limits) -> dict[str, Any]:
    devices = None if limits.devices is None else list(limits.devices)
    return {"start": limits.start, "end": limits.end, "devices": devices}


def batches(devices: Sequence[int], size: int = _DEVICES_AT_ONCE) -> Iterator[list[int]]:
    """Cut devices into batches that one transaction takes."""
    for first in range(0, len(devices), size):
        yield list(devices[first : first + size])


def lock_devices(connection: sa.Connection, devices: Sequence[int]) -> list[int]:
    """Take those devices that no other worker holds, until the transaction ends."""
    rows = raw(connection).execute(
        "SELECT device_id FROM unnest(%s::int4[]) AS d (device_id) WHERE pg_try_advisory_xact_lock(%s, device_id)",
        (array_text(sorted(devices)), _LOCK_SPACE),
    )
    return [device for (device,) in rows]


def claim_changes(connection: sa.Connection, log: str, devices: Sequence[int], limits: Limits) -> list[Change]:
    """Read the logged changes of locked devices; ``settle_changes`` removes them in the same transaction."""
    rows = raw(connection).execute(
        f"SELECT id, device_id, {us('from_at')}, {us('to_at')} FROM wattloom.{log}"
        " WHERE device_id = ANY(%(devices)s) AND from_at < %(end)s AND to_at >= %(start)s ORDER BY device_id, from_at",
        _parameters(limits) | {"devices": list(devices)},
    )
    return [Change(id=r[0], device_id=r[1], from_us=r[2], to_us=r[3]) for r in rows]


def settle_changes(connection: sa.Connection, log: str, changes: Sequence[Change]) -> None:
    """Remove changes that were worked off."""
    raw(connection).execute(f"DELETE FROM wattloom.{log} WHERE id = ANY(%s)", ([c.id for c in changes],))


def merged_spans(changes: Sequence[Change]) -> list[tuple[int, int, int]]:
    """Return (device, from, to) [us] with overlapping changes of a device merged; apart ones stay apart."""
    merged: list[tuple[int, int, int]] = []
    for change in sorted(changes, key=lambda c: (c.device_id, c.from_us)):
        if merged and merged[-1][0] == change.device_id and change.from_us <= merged[-1][2]:
            device, first, last = merged.pop()
            merged.append((device, first, max(last, change.to_us)))
        else:
            merged.append((change.device_id, change.from_us, change.to_us))
    return merged
