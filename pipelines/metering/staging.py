"""Readings of meters that are not known yet: kept by name until the meter appears, pruned by age."""

from datetime import datetime, timedelta
from uuid import UUID

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from pipelines.db.bulk import copy_in
from pipelines.db.engine import raw
from pipelines.metering.batches import NamedReadings


def stage(
    connection: sa.Connection,
    organization_id: UUID,
    batch: NamedReadings,
    rows: npt.NDArray[np.intp],
    at: datetime,
) -> None:
    """Keep ``rows`` of a batch by their names; of repeated (meter, series, timestamp) the last value stays."""
    if not len(rows):
        return
    cursor = raw(connection).cursor()
    cursor.execute(
        "CREATE TEMPORARY TABLE IF NOT EXISTS incoming_staged (pair int4, row_number int4,"
        ' "timestamp" timestamptz, value numeric) ON COMMIT DELETE ROWS'
    )
    cursor.execute("TRUNCATE incoming_staged")
    copy_in(
        raw(connection),
        "incoming_staged",
        {
            "pair": ("int4", batch.pair[rows]),
            "row_number": ("int4", rows),
            "timestamp": ("timestamptz", batch.times_us[rows]),
            "value": ("numeric", (batch.mantissa[rows], batch.scale[rows])),
        },
        schema=None,
    )
    cursor.execute(
        """
        INSERT INTO wattloom.staged_meter_reading
            (organization_id, meter_device_name, series_name, "timestamp", value, created_at, updated_at)
        SELECT DISTINCT ON (p.meter, p.series, i."timestamp")
               %(organization)s, p.meter, p.series, i."timestamp", i.value, %(at)s, %(at)s
        FROM incoming_staged AS i
        JOIN unnest(%(meters)s::text[], %(series)s::text[]) WITH ORDINALITY AS p (meter, series, number)
          ON p.number = i.pair + 1
        ORDER BY p.meter, p.series, i."timestamp", i.row_number DESC
        ON CONFLICT (organization_id, meter_device_name, series_name, "timestamp")
        DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at
        WHERE staged_meter_reading.value <> excluded.value
        """,
        {
            "organization": organization_id,
            "at": at,
            "meters": [meter for meter, _ in batch.pairs],
            "series": [series for _, series in batch.pairs],
        },
    )


def prune(connection: sa.Connection, *, now: datetime, retention_days: int) -> int:
    """Delete staged readings that arrived more than ``retention_days`` ago; return how many."""
    cursor = raw(connection).execute(
        "DELETE FROM wattloom.staged_meter_reading WHERE created_at < %s", (now - timedelta(days=retention_days),)
    )
    return cursor.rowcount
