"""The devices that files name: found, or created with a type, a config and a series for such files."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from pipelines.accounts.principals import Principal
from pipelines.crud import create_row
from pipelines.db import tables
from pipelines.db.engine import raw
from pipelines.files.plan import Code
from pipelines.metering import promotion
from pipelines.metering.resources import CONFIG, SERIES, TYPE

SERIES_NAME = "1-0:1.29.0"  # active energy imported, per interval (IEC 62056-61)
_PROTOCOL = "iec62056-21"
_LONGEST_NAME = 50

_KNOWN = """
    SELECT d.name, count(s.unit), min(s.unit), min(s.kind)
    FROM wattloom.meter_device AS d
    LEFT JOIN wattloom.meter_device_type AS t ON t.id = d.type_id
    LEFT JOIN LATERAL (
        SELECT r.unit, r.kind
        FROM wattloom.meter_reading_series AS r
        WHERE r.organization_id = d.organization_id AND r.name = %(series)s
          AND (EXISTS (SELECT FROM wattloom.meter_device_config_series AS cs
                       WHERE cs.config_id = t.config_id AND cs.series_id = r.id)
               OR (%(unconfigured)s AND t.config_id IS NULL))
    ) AS s ON true
    WHERE d.organization_id = %(organization)s AND d.name = ANY(%(meters)s)
    GROUP BY d.name
"""


@dataclass(kw_only=True)
class FileDevices:
    """Knows the devices of one load whose values are in ``unit``, so that each is looked up once.

    ``refused`` names those that must not take the file's values, and why: delivery goes by a series' name, so
    values in another unit, or of a register, would be stored without a word.
    """

    principal: Principal
    unit: str
    zone: str
    interval_s: int | None
    allow_unconfigured: bool
    refused: dict[str, tuple[Code, str]] = field(default_factory=dict)
    _known: set[str] = field(default_factory=set)

    def ensure(self, connection: sa.Connection, names: Collection[str], at: datetime) -> None:
        """Make sure that a device of every name exists, inside the caller's transaction."""
        new = sorted(set(names) - self._known)
        if not new:
            return
        absent = self._look_up(connection, new)
        if absent:
            self._create(connection, absent, at)
        self._known.update(new)

    def _look_up(self, connection: sa.Connection, names: list[str]) -> list[str]:
        """Note which of the existing devices cannot take the values; return the names that do not exist."""
        parameters = {
            "organization": self.principal.organization_id,
            "series": SERIES_NAME,
            "meters": names,
            "unconfigured": self.allow_unconfigured,
        }
        found = set()
        for name, series, unit, kind in raw(connection).execute(_KNOWN, parameters):
            found.add(name)
            if series == 1 and unit.strip().lower() != self.unit.lower():
                self.refused[name] = (
                    Code.OTHER_UNIT,
                    f"The meter's series {SERIES_NAME} is in {unit}, the file's values are in {self.unit}.",
                )
            elif series == 1 and kind not in {None, "interval"}:
                self.refused[name] = (Code.OTHER_KIND, f"The meter's series {SERIES_NAME} is {kind}.")
        return [name for name in names if name not in found]

    def _create(self, connection: sa.Connection, names: list[str], at: datetime) -> None:
        """Create devices all at once; whatever was staged under their names becomes readings."""
        organization = self.principal.organization_id
        # One load at a time makes devices: no type twice, and no two that wait for each other's names.
        lock = sa.text("SELECT pg_advisory_xact_lock(hashtextextended('interval files of ' || :organization, 0))")
        connection.execute(lock, {"organization": str(organization)})
        absent = self._look_up(connection, names)
        if not absent:
            return
        shared = {
            "organization_id": organization,
            "protocol": _PROTOCOL,
            "type_id": self._type(connection),
            "created_at": at,
            "updated_at": at,
        }
        rows = [{"name": name, **shared} for name in absent]
        connection.execute(insert(tables.meter_device).on_conflict_do_nothing(), rows)
        promotion.promote(connection, organization, at=at, meters=absent)

    def _type(self, connection: sa.Connection) -> UUID:
        """Return the type of files of this zone, unit and interval; found by its name, else created."""
        kind = tables.meter_device_type
        interval = "" if self.interval_s is None else f", {self.interval_s} s"
        name = _fitting(f"Interval file, {self.unit}, {self.zone}{interval}")
        query = sa.select(kind.c.id).where(
            kind.c.organization_id == self.principal.organization_id, kind.c.name == name
        )
        found: UUID | None = connection.scalar(query.order_by(kind.c.created_at, kind.c.id).limit(1))
        if found is not None:
            return found
        config = self._row(
            connection, CONFIG, name=name, series=[str(self._series(connection))], timezone=self.zone
        )
        return self._row(
            connection,
            TYPE,
            name=name,
            manufacturer="Wattloom",
            manufacturer_model="interval-csv",
            config=str(config),
        )

    def _series(self, connection: sa.Connection) -> UUID:
        series = tables.meter_reading_series
        query = sa.select(series.c.id).where(
            series.c.organization_id == self.principal.organization_id,
            series.c.name == SERIES_NAME,
            series.c.unit == self.unit,
            series.c.kind == "interval",
            series.c.interval_s.is_not_distinct_from(self.interval_s),
        )
        found: UUID | None = connection.scalar(query.order_by(series.c.series_key).limit(1))
        return found or self._row(
            connection,
            SERIES,
            name=SERIES_NAME,
            description="Energy imported in the interval",
            unit=self.unit,
            kind="interval",
            interval_s=self.interval_s,
        )

    def _row(self, connection: sa.Connection, resource: Any, **values: Any) -> UUID:
        payload = {"organization": str(self.principal.organization_id), **values}
        identifier: UUID = create_row(connection, resource, self.principal, payload)["id"]
        return identifier


def _fitting(name: str) -> str:
    """Return ``name``, or where it is too long its beginning and a digest of it."""
    if len(name) <= _LONGEST_NAME:
        return name
    return f"{name[: _LONGEST_NAME - 9]} {sha256(name.encode()).hexdigest()[:8]}"
