"""Staged readings become readings: when their meter appears, and again by a DAG for whatever was missed."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import numpy as np
import sqlalchemy as sa

from pipelines.db.engine import raw
from pipelines.db.instants import us
from pipelines.decimals import split_all
from pipelines.metering.batches import NamedReadings
from pipelines.metering.delivery import deliver
from pipelines.metering.writer import Authorship

_PROMOTED_AT_ONCE = 50_000

_PROMOTABLE = f"""
    SELECT s.id, s.meter_device_name, s.series_name,
           {us('s."timestamp"')}, s.value, s.created_at
    FROM wattloom.staged_meter_reading AS s
    JOIN wattloom.meter_device AS d ON (d.organization_id, d.name) = (s.organization_id, s.meter_device_name)
    WHERE s.organization_id = %(organization)s AND (%(meters)s::text[] IS NULL OR d.name = ANY(%(meters)s))
      AND s.id > %(after)s
    ORDER BY s.id
    LIMIT %(limit)s
    FOR UPDATE OF s SKIP LOCKED
"""


def promote(
    connection: sa.Connection,
    organization_id: UUID,
    *,
    at: datetime,
    meters: Sequence[str] | None = None,
    allow_unconfigured: bool = False,
) -> int:
    """Turn staged readings of known meters into readings, inside the caller's transaction; return how many.

    A reading whose series the meter may not save stays staged: the config may still be completed, and the
    retention clears it otherwise.
    """
    promoted, after = 0, 0
    while True:
        rows = (
            raw(connection)
            .execute(
                _PROMOTABLE,
                {
                    "organization": organization_id,
                    "meters": None if meters is None else list(meters),
                    "after": after,
                    "limit": _PROMOTED_AT_ONCE,
                },
            )
            .fetchall()
        )
        if not rows:
            return promoted
        after = rows[-1][0]
        numbers: dict[tuple[str, str], int] = {}
        pair = np.array([numbers.setdefault((row[1], row[2]), len(numbers)) for row in rows], dtype=np.int32)
        mantissa, scale = split_all([row[4] for row in rows])
        batch = NamedReadings(
            pairs=list(numbers),
            pair=pair,
            times_us=np.array([row[3] for row in rows], dtype=np.int64),
            mantissa=mantissa,
            scale=scale,
        )
        verdicts = deliver(
            connection,
            organization_id,
            batch,
            Authorship(author="staging", reason="promoted when the meter appeared", at=at),
            allow_unconfigured=allow_unconfigured,
            stage_unknown=False,
        )
        kept = {rejection.index for rejection in verdicts.rejected}
        done = [row[0] for index, row in enumerate(rows) if index not in kept]
        raw(connection).execute("DELETE FROM wattloom.staged_meter_reading WHERE id = ANY(%s)", (done,))
        promoted += len(done)
