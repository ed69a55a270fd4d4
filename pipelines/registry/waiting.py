"""Checked rows on their way: packed where they wait to be applied, in the transaction that notes how far it came.

A block of rows is one value (Arrow, compressed). Written a row at a time they would cost as much as the registry's own
rows, and be deleted a moment later.
"""

import io

import polars as pl
import sqlalchemy as sa

from pipelines.db import tables
from pipelines.db.engine import raw, unit_of_work
from pipelines.registry import imports
from pipelines.registry.checking import Rows

WAITING = tables.registry_waiting


def store(engine: sa.Engine, identifier: int, rows: Rows) -> bool:
    """Keep a block's good rows and verdicts, all or nothing; False where the import is no longer being read.

    Another process may be reading the same import: whoever comes second finds the block stored and leaves it.
    """
    packed = _packed(rows.frame) if rows.frame.height else None
    with unit_of_work(engine) as connection:
        record = imports.locked(connection, identifier)
        if record["status"] != "reading":
            return False
        if record["read_to"] >= rows.to:
            return True
        if packed is not None and not record["is_dry_run"]:
            connection.execute(sa.insert(WAITING).values(import_id=identifier, row_to=rows.to, rows=packed))
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


def take(connection: sa.Connection, identifier: int) -> tuple[int, pl.DataFrame] | None:
    """Take the next block of an import out, with the position it goes to; None once none is left."""
    following = sa.select(sa.func.min(WAITING.c.row_to)).where(WAITING.c.import_id == identifier)
    gone = sa.delete(WAITING).where(
        WAITING.c.import_id == identifier, WAITING.c.row_to == following.scalar_subquery()
    )
    row = connection.execute(gone.returning(WAITING.c.row_to, WAITING.c.rows)).one_or_none()
    return None if row is None else (row.row_to, pl.read_ipc(io.BytesIO(row.rows)))


def _packed(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_ipc(buffer, compression="zstd")
    return buffer.getvalue()


def _copy_verdicts(connection: sa.Connection, identifier: int, rows: Rows) -> None:
    statement = "COPY wattloom.registry_import_verdict (import_id, row_number, column_name, code) FROM STDIN"
    stored: set[tuple[int, str]] = set()
    with raw(connection).cursor() as cursor, cursor.copy(statement) as copy:
        for verdict in rows.verdicts:
            if (verdict.row, verdict.column) not in stored:
                stored.add((verdict.row, verdict.column))
                copy.write_row((identifier, verdict.row, verdict.column, str(verdict.code)))
