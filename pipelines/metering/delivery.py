"""Deliveries by name: every row of a batch is accepted, staged, or rejected with a reason; none is lost."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from pipelines.db.engine import raw
from pipelines.metering.batches import NamedReadings
from pipelines.metering.staging import stage
from pipelines.metering.writer import Authorship, KeyedReadings, write_readings


class Code(StrEnum):
    """Why a row was rejected."""

    INVALID = "invalid"
    UNKNOWN_SERIES = "unknown_series"
    SERIES_NOT_ALLOWED = "series_not_allowed"
    NOT_CONFIGURED = "device_not_configured"
    AMBIGUOUS_SERIES = "ambiguous_series"
    DUPLICATE = "duplicate_in_batch"


@dataclass(frozen=True, kw_only=True)
class Rejection:
    """A row that was not stored: its place in the batch, a stable code and one sentence."""

    index: int
    code: Code
    detail: str


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """The verdicts of a batch; accepted + staged + rejected is the number of its rows."""

    accepted: int = 0
    staged: int = 0
    inserted: int = 0
    corrected: int = 0
    rejected: list[Rejection] = field(default_factory=list)


@dataclass(frozen=True)
class _Resolved:
    device_id: int
    series_id: int


_UNKNOWN_METER = "unknown meter"

_RESOLVE = """
    SELECT d.name, d.sensor_id, t.config_id IS NOT NULL, s.name, s.series_key
    FROM wattloom.meter_device AS d
    LEFT JOIN wattloom.meter_device_type AS t ON t.id = d.type_id
    LEFT JOIN LATERAL (
        SELECT r.name, r.series_key
        FROM wattloom.meter_reading_series AS r
        WHERE r.organization_id = d.organization_id AND r.name = ANY(%(series)s)
          AND (EXISTS (SELECT FROM wattloom.meter_device_config_series AS cs
                       WHERE cs.config_id = t.config_id AND cs.series_id = r.id)
               OR (%(unconfigured)s AND t.config_id IS NULL))
    ) AS s ON true
    WHERE d.organization_id = %(organization)s AND d.name = ANY(%(meters)s)
"""


def resolve(
    connection: sa.Connection, organization_id: UUID, pairs: list[tuple[str, str]], *, allow_unconfigured: bool
) -> list[_Resolved | Rejection | str]:
    """Find device and series of each (meter name, series name); what cannot be stored says why.

    Only series that the device's config allows are candidates, so two series of one name may serve two models.
    """
    names = {
        "organization": organization_id,
        "meters": sorted({meter for meter, _ in pairs}),
        "series": sorted({series for _, series in pairs}),
        "unconfigured": allow_unconfigured,
    }
    cursor = raw(connection).cursor()
    devices: dict[str, tuple[int, bool]] = {}
    allowed: dict[tuple[str, str], list[int]] = {}
    for meter, sensor_id, configured, series, series_key in cursor.execute(_RESOLVE, names):
        devices[meter] = (sensor_id, configured)
        if series is not None:
            allowed.setdefault((meter, series), []).append(series_key)
    refused = [p for p in pairs if p[0] in devices and len(allowed.get(p, ())) != 1]
    existing = _existing_series(cursor, names) if refused else frozenset()
    outcome: list[_Resolved | Rejection | str] = []
    for meter, series in pairs:
        keys = allowed.get((meter, series), [])
        if meter not in devices:
            outcome.append(_UNKNOWN_METER)
        elif len(keys) == 1:
            outcome.append(_Resolved(devices[meter][0], keys[0]))
        else:
            outcome.append(_refusal(series, keys, configured=devices[meter][1], exists=series in existing))
    return outcome


def _existing_series(cursor: Any, names: dict[str, Any]) -> frozenset[str]:
    rows = cursor.execute(
        "SELECT DISTINCT name FROM wattloom.meter_reading_series"
        " WHERE organization_id = %(organization)s AND name = ANY(%(series)s)",
        names,
    )
    return frozenset(name for (name,) in rows)


def _refusal(series: str, keys: list[int], *, configured: bool, exists: bool) -> Rejection:
    if len(keys) > 1:
        return Rejection(
            index=0,
            code=Code.AMBIGUOUS_SERIES,
            detail=f"series_name: {len(keys)} series of the meter's config are named {series!r}.",
        )
    if not exists:
        return Rejection(index=0, code=Code.UNKNOWN_SERIES, detail=f"series_name: no series is named {series!r}.")
    if not configured:
        return Rejection(
            index=0,
            code=Code.NOT_CONFIGURED,
            detail="meter_device_name: the meter has no type with a config, so no series is allowed for it.",
        )
    return Rejection(
        index=0,
        code=Code.SERIES_NOT_ALLOWED,
        detail=f"series_name: {series!r} is not allowed by the meter's config.",
    )


def deliver(
    connection: sa.Connection,
    organization_id: UUID,
    batch: NamedReadings,
    authorship: Authorship,
    *,
    allow_unconfigured: bool = False,
    stage_unknown: bool = True,
) -> Delivery:
    """Store a batch inside the caller's transaction and return a verdict for every row.

    A row of an unknown meter is staged (or, without ``stage_unknown``, left out of the counts); a row whose series
    the meter may not save is rejected; all others are accepted: new, unchanged or a correction.
    """
    outcomes = resolve(connection, organization_id, batch.pairs, allow_unconfigured=allow_unconfigured)
    device = np.array([o.device_id if isinstance(o, _Resolved) else 0 for o in outcomes], dtype=np.int32)
    series = np.array([o.series_id if isinstance(o, _Resolved) else 0 for o in outcomes], dtype=np.int32)
    unknown = np.array([o == _UNKNOWN_METER for o in outcomes], dtype=np.bool_)[batch.pair]
    known = (device > 0)[batch.pair]
    rejected = [
        Rejection(index=int(row), code=outcome.code, detail=outcome.detail)
        for row in np.flatnonzero(~known & ~unknown)
        if isinstance(outcome := outcomes[batch.pair[row]], Rejection)
    ]
    rows = np.flatnonzero(known)
    readings = KeyedReadings(
        device_id=device[batch.pair[rows]],
        series_id=series[batch.pair[rows]],
        times_us=batch.times_us[rows],
        mantissa=batch.mantissa[rows],
        scale=batch.scale[rows],
    )
    written = write_readings(connection, readings, authorship)
    contradicting = _contradicting(readings, written.superseded)
    rejected += [
        Rejection(
            index=int(rows[row]),
            code=Code.DUPLICATE,
            detail="timestamp: a later row of the batch has the same meter, series and timestamp with another value.",
        )
        for row in contradicting
    ]
    unknown[rows[written.gone]] = True  # the meter was deleted while the batch was under way
    to_stage = np.flatnonzero(unknown)
    if stage_unknown:
        stage(connection, organization_id, batch, to_stage, authorship.at)
    return Delivery(
        accepted=len(rows) - int(written.gone.sum()) - len(contradicting),
        staged=len(to_stage) if stage_unknown else 0,
        inserted=written.inserted,
        corrected=written.corrected,
        rejected=sorted(rejected, key=lambda r: r.index),
    )


def _contradicting(readings: KeyedReadings, superseded: npt.NDArray[np.bool_]) -> list[int]:
    """Return the superseded rows whose value is not that of the row that won; exact repetitions are harmless."""
    if not superseded.any():
        return []
    keys = zip(readings.device_id.tolist(), readings.series_id.tolist(), readings.times_us.tolist(), strict=True)
    values = list(zip(readings.mantissa.tolist(), readings.scale.tolist(), strict=True))
    all_keys = list(keys)
    winners = {key: row for row, key in enumerate(all_keys)}  # of equal keys the last row stays
    result = []
    for row in np.flatnonzero(superseded).tolist():
        (mantissa, scale), (won, won_scale) = values[row], values[winners[all_keys[row]]]
        if mantissa * 10**won_scale != won * 10**scale:
            result.append(row)
    return result
