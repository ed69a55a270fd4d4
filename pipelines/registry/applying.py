"""Checked rows into the registry: a block per transaction, and nothing that did not change is touched.

A column that a row did not bring keeps its value; one that it brought empty is cleared. Of rows of one id the later
ones come after the earlier ones, as they stood in the file. Rows that are new are copied to where they stay; only
those of ids that are known are compared.
"""

import io
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec
import polars as pl
import psycopg
import sqlalchemy as sa
from psycopg import sql
from psycopg.errors import DeadlockDetected
from sqlalchemy.exc import OperationalError

from pipelines import clock
from pipelines.db.engine import raw, unit_of_work
from pipelines.db.tables.columns import SCHEMA
from pipelines.registry import imports
from pipelines.registry.catalogue import TABLES
from pipelines.registry.checking import ORIGIN
from pipelines.registry.dictionary import Table
from pipelines.registry.linking import link_rows
from pipelines.registry.waiting import take

_TRIES = 3
# What is made of other columns changes with them.
_FOLLOWS = {"account_uid": "account_external_id", "grid_uid": "grid_name"}
_MADE = frozenset({"uid", "device_uid", "customer_uid", "account_uid", "grid_uid"})
_ARRIVING = "registry_arriving"


@dataclass(frozen=True, kw_only=True)
class _Writer:
    """Which import writes, and when."""

    identifier: int
    source: int | None
    organization: int
    version: int
    now: datetime


def apply_chunk(engine: sa.Engine, identifier: int) -> bool:
    """Apply the next rows of an import; False once none are left, when the import is done."""
    for attempt in range(1, _TRIES + 1):
        try:
            with unit_of_work(engine) as connection:
                return _apply(connection, identifier)
        except (DeadlockDetected, OperationalError) as error:
            cause = error.orig if isinstance(error, OperationalError) else error
            if not isinstance(cause, DeadlockDetected) or attempt == _TRIES:
                raise
    return False


def _apply(connection: sa.Connection, identifier: int) -> bool:
    record = imports.locked(connection, identifier)
    if record["status"] != "applying":
        return False
    taken = take(connection, identifier)
    if taken is None:
        end = {"applied_to": record["read_to"], "status": "done", "finished_at": clock.now()}
        imports.change(connection, identifier, **end)
        return False
    position, rows = taken
    table = TABLES[record["table_name"]]
    writer = _Writer(
        identifier=identifier,
        source=record["source_id"],
        organization=record["organization_id"],
        version=record["key_version"],
        now=clock.now(),
    )
    cursor = raw(connection).cursor()
    # One at a time applies rows of an organization, so rows are never locked in two orders.
    cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('registry', %s))", (writer.organization,))
    inserted, updated = _upsert(cursor, table, rows, writer)
    if table.name == "meters":
        serials = rows["serial_number"].unique().to_list()
        link_rows(connection, {"organization": writer.organization, "serials": serials})
    imports.change(
        connection,
        identifier,
        applied_to=position,
        inserted=record["inserted"] + inserted,
        updated=record["updated"] + updated,
    )
    return True


def _upsert(cursor: psycopg.Cursor[Any], table: Table, rows: pl.DataFrame, writer: _Writer) -> tuple[int, int]:
    """Insert and update rows in rounds: each holds an id once; most blocks are one round."""
    if "grid_uid" in rows.columns:
        _add_grids(cursor, rows, writer)
    # Of rows of one id that brought the same columns only the last one counts; the others follow each other.
    rows = rows.unique(["uid", "shape"], keep="last", maintain_order=True)
    rows = rows.with_columns(pl.int_range(pl.len()).over("uid").alias("round"))
    known = {
        uid
        for (uid,) in cursor.execute(
            f"SELECT uid FROM {SCHEMA}.{table.stored_in} WHERE uid = ANY(%s)".encode(), (rows["uid"].to_list(),)
        )
    }
    is_new = (pl.col("round") == 0) & ~pl.col("uid").is_in(list(known))
    new, rest = rows.filter(is_new), rows.filter(~is_new)
    if new.height:
        _insert(cursor, table, new.sort("uid"), writer)
    if not rest.height:
        return new.height, 0
    updated = 0
    cursor.execute(_arriving(table).encode())
    # The planner knows nothing of rows that just arrived; by their ids they are found in the registry's index.
    cursor.execute("SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off")
    for part in rest.partition_by("round", maintain_order=False):
        cursor.execute(f"TRUNCATE {_ARRIVING}")
        kept = ["sent", *(name for name in part.columns if name in _MADE or name in table.bit), "custom"]
        _copy(cursor, sql.Identifier(_ARRIVING), part.select(kept))
        cursor.execute(
            _update(table).encode(),
            {
                "import": writer.identifier,
                "source": writer.source,
                "version": writer.version,
                "now": writer.now,
            },
        )
        updated += cursor.rowcount
    cursor.execute("SET LOCAL enable_hashjoin = on; SET LOCAL enable_mergejoin = on")
    return new.height, updated


def _add_grids(cursor: psycopg.Cursor[Any], rows: pl.DataFrame, writer: _Writer) -> None:
    grids = rows.select("grid_uid", "grid_name").drop_nulls().unique("grid_uid", keep="first").sort("grid_uid")
    cursor.execute(
        "INSERT INTO wattloom.registry_grid (uid, organization_id, name, created_at)"
        " SELECT uid, %s, name, %s FROM unnest(%s::text[], %s::text[]) AS g (uid, name) ON CONFLICT DO NOTHING",
        (writer.organization, writer.now, grids["grid_uid"].to_list(), grids["grid_name"].to_list()),
    )


def _insert(cursor: psycopg.Cursor[Any], table: Table, rows: pl.DataFrame, writer: _Writer) -> None:
    """Copy rows of ids that are not in the registry to where they stay."""
    names = [name for name in rows.columns if name in _MADE or name in table.bit]
    now, version = writer.now.isoformat(), str(writer.version)
    constants = {
        "data_origin": ORIGIN,
        "organization_id": writer.organization,
        "created_at": now,
        "updated_at": now,
        "import_id": writer.identifier,
        "last_import_id": writer.identifier,
        "source_id": writer.source,
        "last_source_id": writer.source,
        "pseudonym_versions": "{" + ",".join([version] * len(table.hashed)) + "}",
    }
    frame = rows.select(
        *names,
        pl.Series("custom", [_without_nulls(text) for text in rows["custom"].to_list()], dtype=pl.String),
        *(pl.lit(value).alias(name) for name, value in constants.items()),
    )
    _copy(cursor, sql.Identifier(SCHEMA, table.stored_in), frame)


def _without_nulls(text: str | None) -> str | None:
    """Return further values without those that are null; None where nothing is left."""
    if text is None:
        return None
    kept = {name: value for name, value in msgspec.json.decode(text).items() if value is not None}
    return msgspec.json.encode(kept).decode() if kept else None


def _copy(cursor: psycopg.Cursor[Any], target: sql.Identifier, frame: pl.DataFrame) -> None:
    buffer = io.BytesIO()
    frame.write_csv(buffer, include_header=False)
    columns = sql.SQL(", ").join(map(sql.Identifier, frame.columns))
    with cursor.copy(sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv)").format(target, columns)) as copy:
        copy.write(buffer.getbuffer())


@lru_cache
def _arriving(table: Table) -> str:
    """Return the statement that makes a table for rows on their way, of the registry's types."""
    names = [c.name for c in table.columns if c.name in _MADE or c.name in table.bit]
    return f"""
        CREATE TEMPORARY TABLE {_ARRIVING} ON COMMIT DROP AS
        SELECT 0::int8 AS sent, {", ".join(names)}, custom FROM {SCHEMA}.{table.stored_in} WITH NO DATA
    """


def _brought(table: Table) -> dict[str, int]:
    """Return the columns that an update may change, with the bit that says whether a row brought them."""
    columns = dict(table.bit)
    if table.name == "meters":
        columns |= {name: table.bit[source] for name, source in _FOLLOWS.items()}
    return columns


@lru_cache
def _update(table: Table) -> str:
    brought = _brought(table)
    values = [
        f"{name} = CASE WHEN i.sent & {bit} <> 0 THEN i.{name} ELSE t.{name} END" for name, bit in brought.items()
    ]
    differs = [f"i.sent & {bit} <> 0 AND t.{name} IS DISTINCT FROM i.{name}" for name, bit in table.bit.items()]
    versions = ", ".join(
        f"CASE WHEN i.sent & {table.bit[c.name]} <> 0 THEN %(version)s::smallint ELSE t.pseudonym_versions[{n}] END"
        for n, c in enumerate(table.hashed, 1)
    )
    # A further value that was sent as null is cleared; those that were not sent stay.
    custom = """CASE WHEN i.custom IS NULL THEN t.custom ELSE (
        SELECT jsonb_object_agg(key, value) FROM jsonb_each(coalesce(t.custom, '{}') || i.custom)
        WHERE value <> 'null') END"""
    return f"""
        UPDATE {SCHEMA}.{table.stored_in} AS t SET {", ".join(values)}, custom = {custom},
            pseudonym_versions = ARRAY[{versions}],
            updated_at = %(now)s, last_import_id = %(import)s, last_source_id = %(source)s
        FROM {_ARRIVING} AS i
        WHERE t.uid = i.uid
          AND ({" OR ".join(differs)} OR (i.custom IS NOT NULL AND t.custom IS DISTINCT FROM ({custom})))
    """
