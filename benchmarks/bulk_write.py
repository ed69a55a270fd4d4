"""New and repeated readings through the write path, against a raw psycopg binary COPY into the same table."""

from datetime import UTC, datetime
from decimal import Decimal

import sqlalchemy as sa

from benchmarks.fleet import Fleet, make_fleet, profile
from benchmarks.measure import Row, database, median, seconds
from pipelines.db.engine import raw, unit_of_work
from pipelines.metering.batches import NamedReadings
from pipelines.metering.delivery import deliver
from pipelines.metering.writer import Authorship

METERS, QUARTERS, ROUNDS = 100, 4000, 3


def _deliver(engine: sa.Engine, fleet: Fleet, batch: NamedReadings) -> None:
    with unit_of_work(engine) as connection:
        authorship = Authorship(author="bench", reason="bench", at=datetime.now(UTC))
        verdicts = deliver(connection, fleet.organization, batch, authorship)
        assert verdicts.accepted == len(batch.pair)


def _raw_copy(engine: sa.Engine, rows: list[tuple[object, ...]]) -> None:
    columns = 'device_id, series_id, "timestamp", value, created_at'
    statement = f"COPY wattloom.meter_reading ({columns}) FROM STDIN (FORMAT BINARY)"
    with unit_of_work(engine) as connection, raw(connection).cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types(["int4", "int4", "timestamptz", "numeric", "timestamptz"])
        for row in rows:
            copy.write_row(row)


def run(server_url: str) -> list[Row]:
    copied, new, repeated = [], [], []
    for number in range(ROUNDS):
        with database(server_url) as (_, engine):
            fleet = make_fleet(engine, METERS)
            batch = profile(fleet, first=number * QUARTERS, count=QUARTERS)
            now = datetime.now(UTC)
            rows: list[tuple[object, ...]] = [
                # Negative devices: beside the fleet's own rows, in the same table.
                (-1 - p, 1, datetime.fromtimestamp(t / 1_000_000, UTC), Decimal(m).scaleb(-3), now)
                for p, t, m in zip(
                    batch.pair.tolist(), batch.times_us.tolist(), batch.mantissa.tolist(), strict=True
                )
            ]
            copied.append(seconds(lambda rows=rows: _raw_copy(engine, rows)))
            new.append(seconds(lambda: _deliver(engine, fleet, batch)))  # noqa: B023
            repeated.append(seconds(lambda: _deliver(engine, fleet, batch)))  # noqa: B023
    count = METERS * QUARTERS
    ratio = median([c / n for c, n in zip(copied, new, strict=True)])
    again = median([c / n for c, n in zip(copied, repeated, strict=True)])
    return [
        Row(
            what=f"bulk write of {count:,} new readings, against raw binary COPY ({count / median(copied):,.0f}/s)",
            figure=f"{ratio:.0%} ({count / median(new):,.0f} readings/s)",
            target=">= 60 %",
            met=ratio >= 0.6,
        ),
        Row(
            what="the same readings delivered again",
            figure=f"{again:.0%} ({count / median(repeated):,.0f} readings/s)",
            target=">= 25 %",
            met=again >= 0.25,
        ),
    ]
