"""Checked rows on their way: copied where they wait to be applied, in the transaction that notes how far it came."""

import io

import polars as pl
import sqlalchemy as sa
from psycopg import sql

from pipelines.db import tables
from pipelines.db.engine import raw, unit_of_work
from pipelines.db.tables.columns import SCHEMA
from pipelines.registry import imports
from pipelines.registry.checking import Rows
from pipelines.registry.dictionary import Table


def store(engine: sa.Engine, table: Table, identifier: int, rows: Rows) -> bool:
    """Keep a block's good rows and verdicts, all or nothing; False where the import is no longer being read.

    Another process may be reading the same import: whoever comes second finds the block stored and leaves it.
    """
    with unit_of_work(engine) as connection:
        record = imports.locked(connection, identifier)
        if record["status"] != "reading":
            return False
        if record["read_to"] >= rows.to:
            return True
        if rows.frame.height and not record["is_dry_run"]:
            _copy_rows(connection, table, identifier, rows)
        if rows.verdicts:
            _copy_verdicts(connection, identifier, rows)
        imports.change(
            connection,
            identifier,
            read_to=rows.to,
            rows=record["rows"] + rows.seen,
            rejected=record["rejected"] + rows.seen - rows.frame.height,
        )
    return True


def _copy_rows(connection: sa.Connection, table: Table, identifier: int, rows: Rows) -> None:
    target = tables.metadata.tables[f"{SCHEMA}.{table.waiting_in}"]
    names = ["import_id", *(c.name for c in target.columns if c.name in rows.frame.columns)]
    buffer = io.BytesIO()
    lines = rows.frame.select([pl.lit(identifier).alias("import_id"), *names[1:]])
    lines.write_csv(buffer, include_header=False)
    columns = sql.SQL(", ").join(map(sql.Identifier, names))
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv)").format(
        sql.Identifier(SCHEMA, table.waiting_in), columns
    )
    with raw(connection).cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(buffer.getbuffer())


def _copy_verdicts(connection: sa.Connection, identifier: int, rows: Rows) -> None:
    statement = "COPY wattloom.registry_import_verdict (import_id, row_number, column_name, code) FROM STDIN"
    stored: set[tuple[int, str]] = set()
    with raw(connection).cursor() as cursor, cursor.copy(statement) as copy:
        for verdict in rows.verdicts:
            if (verdict.row, verdict.column) not in stored:
                stored.add((verdict.row, verdict.column))
                copy.write_row((identifier, verdict.row, verdict.column, str(verdict.code)))
