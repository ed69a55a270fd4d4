"""Checked rows into the registry: set-based, a chunk per transaction, and nothing that did not change is touched.

A column that a row did not bring keeps its value; one that it brought empty is cleared. Of rows of one id the later
ones come after the earlier ones, as they stood in the file.
"""

from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from psycopg.errors import DeadlockDetected
from sqlalchemy.exc import OperationalError

from pipelines import clock
from pipelines.db.engine import raw, unit_of_work
from pipelines.registry import imports
from pipelines.registry.catalogue import TABLES
from pipelines.registry.dictionary import Table
from pipelines.registry.linking import link_rows

CHUNK = 20_000
_TRIES = 3
# What is made of other columns changes with them.
_FOLLOWS = {"account_uid": "account_external_id", "grid_uid": "grid_name"}


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
    table = TABLES[record["table_name"]]
    start, end = record["applied_to"], min(record["applied_to"] + CHUNK, record["read_to"])
    if start >= record["read_to"]:
        imports.change(connection, identifier, status="done", finished_at=clock.now())
        return False
    chunk = {
        "import": identifier,
        "source": record["source_id"],
        "organization": record["organization_id"],
        "version": record["key_version"],
        "start": start,
        "end": end,
        "now": clock.now(),
    }
    cursor = raw(connection).cursor()
    # One at a time applies rows of an organization, so rows are never locked in two orders.
    cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('registry', %(organization)s))", chunk)
    inserted, updated = _upsert(cursor, table, chunk)
    if table.name == "meters":
        link_rows(connection, f"SELECT serial_number FROM wattloom.{table.waiting_in} WHERE {_CHUNK}", chunk)
    cursor.execute(f"DELETE FROM wattloom.{table.waiting_in} WHERE {_CHUNK}".encode(), chunk)
    imports.change(
        connection,
        identifier,
        applied_to=end,
        inserted=record["inserted"] + inserted,
        updated=record["updated"] + updated,
    )
    return True


_CHUNK = "import_id = %(import)s AND row_number > %(start)s AND row_number <= %(end)s"


def _upsert(cursor: Any, table: Table, chunk: dict[str, Any]) -> tuple[int, int]:
    """Insert and update a chunk's rows in rounds: each holds an id once; most chunks are one round."""
    cursor.execute(
        "CREATE TEMPORARY TABLE IF NOT EXISTS registry_round (row_number int4, round int4) ON COMMIT DROP"
    )
    cursor.execute("TRUNCATE registry_round")
    cursor.execute(_rounds(table).encode(), chunk)
    rounds = cursor.execute("SELECT coalesce(max(round), 0) FROM registry_round").fetchone()[0]
    if table.name == "meters":
        cursor.execute(
            f"""
            INSERT INTO wattloom.registry_grid (uid, organization_id, name, created_at)
            SELECT DISTINCT ON (grid_uid) grid_uid, %(organization)s, grid_name, %(now)s
            FROM wattloom.{table.waiting_in} WHERE {_CHUNK} AND grid_uid IS NOT NULL ORDER BY grid_uid
            ON CONFLICT DO NOTHING
            """.encode(),
            chunk,
        )
    inserted = updated = 0
    for number in range(1, rounds + 1):
        chunk["round"] = number
        cursor.execute(_update(table).encode(), chunk)
        updated += cursor.rowcount
        cursor.execute(_insert(table).encode(), chunk)
        inserted += cursor.rowcount
    return inserted, updated


@lru_cache
def _rounds(table: Table) -> str:
    """Of rows of one id that brought the same columns only the last one counts; the others follow each other."""
    return f"""
        INSERT INTO registry_round (row_number, round)
        SELECT row_number, row_number() OVER (PARTITION BY uid ORDER BY row_number) FROM (
            SELECT DISTINCT ON (uid, shape) uid, row_number FROM wattloom.{table.waiting_in}
            WHERE {_CHUNK} ORDER BY uid, shape, row_number DESC
        ) AS last
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
        UPDATE wattloom.{table.stored_in} AS t SET {", ".join(values)}, custom = {custom},
            pseudonym_versions = ARRAY[{versions}],
            updated_at = %(now)s, last_import_id = %(import)s, last_source_id = %(source)s
        FROM wattloom.{table.waiting_in} AS i JOIN registry_round AS r USING (row_number)
        WHERE i.import_id = %(import)s AND r.round = %(round)s AND t.uid = i.uid
          AND ({" OR ".join(differs)} OR (i.custom IS NOT NULL AND t.custom IS DISTINCT FROM ({custom})))
    """


@lru_cache
def _insert(table: Table) -> str:
    made = {"device_uid", "customer_uid", "account_uid", "grid_uid"}
    names = ["uid", *(c.name for c in table.columns if not c.autogenerated or c.name in made)]
    custom = "(SELECT jsonb_object_agg(key, value) FROM jsonb_each(i.custom) WHERE value <> 'null')"
    return f"""
        INSERT INTO wattloom.{table.stored_in} ({", ".join(names)}, custom, data_origin, organization_id,
            created_at, updated_at, import_id, last_import_id, source_id, last_source_id, pseudonym_versions)
        SELECT {", ".join(f"i.{name}" for name in names)}, CASE WHEN i.custom IS NOT NULL THEN {custom} END, 'generic',
            %(organization)s, %(now)s, %(now)s, %(import)s, %(import)s, %(source)s, %(source)s,
            array_fill(%(version)s::smallint, ARRAY[{len(table.hashed)}])
        FROM wattloom.{table.waiting_in} AS i JOIN registry_round AS r USING (row_number)
        WHERE i.import_id = %(import)s AND r.round = %(round)s
          AND NOT EXISTS (SELECT FROM wattloom.{table.stored_in} AS t WHERE t.uid = i.uid)
        ORDER BY i.uid
    """
