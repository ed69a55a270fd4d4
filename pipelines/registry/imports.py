"""Imports as records: begun, known again after an interruption, refused, finished, and shown."""

import csv
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from pipelines import clock
from pipelines.db import tables
from pipelines.errors import NotFound, RejectedInput, WattloomError
from pipelines.registry.catalogue import TABLES
from pipelines.registry.verdicts import RefusedFile, sentence

IMPORT, VERDICT = tables.registry_import, tables.registry_import_verdict
Row = dict[str, Any]
_WRONG_LIMIT = "Expected a share such as 0.05 or 5%, or a whole number of rows."


@dataclass(frozen=True, kw_only=True)
class Target:
    """Whose import it is: the organization by id and number, and the source that is named as the writer."""

    organization: UUID
    number: int
    source: int | None


@dataclass(frozen=True, kw_only=True)
class Limit:
    """How many rows may be rejected before the whole import is refused: a count, or a share of all rows."""

    text: str
    count: int | None
    share: Decimal | None

    @classmethod
    def parse(cls, text: str) -> "Limit":
        """Read ``5`` as a count, ``0.05`` and ``5%`` as a share.

        Raises
        ------
        RejectedInput
            It is neither.
        """
        bare = text.strip()
        try:
            if bare.isascii() and bare.isdigit() and len(bare) <= 9:
                return cls(text=bare, count=int(bare), share=None)
            number = Decimal(bare.removesuffix("%")) / (100 if bare.endswith("%") else 1)
        except InvalidOperation:
            raise RejectedInput({"max_rejected": [_WRONG_LIMIT]}) from None
        if not number.is_finite() or not 0 <= number <= 1 or len(bare) > 32:
            raise RejectedInput({"max_rejected": [_WRONG_LIMIT]})
        return cls(text=bare, count=None, share=number)

    def allows(self, rejected: int, rows: int) -> bool:
        """Tell whether so many rejected rows are tolerable."""
        return rejected <= self.count if self.count is not None else rejected <= (self.share or 0) * rows


def target(connection: sa.Connection, organization: UUID, source: int | None) -> Target:
    """Return whose import it is; without a source it is the organization's first one.

    Raises
    ------
    NotFound
        The source is not the organization's, or not active.
    """
    known = tables.source
    number = connection.scalar(
        sa.select(tables.organization.c.number).where(tables.organization.c.id == organization)
    )
    query = sa.select(known.c.id).where(known.c.organization_id == organization, known.c.state == "active")
    if source is not None:
        query = query.where(known.c.id == source)
    found = connection.scalar(query.order_by(known.c.id).limit(1))
    if source is not None and found is None:
        raise NotFound(f"the organization has no active source {source}")
    return Target(organization=organization, number=int(number or 0), source=found)


def begin(connection: sa.Connection, whose: Target, table: str, **columns: Any) -> Row:
    """Store a new import, nothing read yet."""
    now = clock.now()
    insert = sa.insert(IMPORT).values(
        organization_id=whose.number,
        source_id=whose.source,
        table_name=table,
        created_at=now,
        updated_at=now,
        **columns,
    )
    return dict(connection.execute(insert.returning(IMPORT)).one()._mapping)


def interrupted(connection: sa.Connection, whose: Target, table: str, digest: bytes) -> Row | None:
    """Return an unfinished import of the same content with the same options, for the same table."""
    query = sa.select(IMPORT).where(
        IMPORT.c.organization_id == whose.number,
        IMPORT.c.table_name == table,
        IMPORT.c.content_digest == digest,
        IMPORT.c.status.in_(("reading", "applying")),
    )
    row = connection.execute(query.order_by(IMPORT.c.id.desc()).limit(1)).one_or_none()
    return None if row is None else dict(row._mapping)


def locked(connection: sa.Connection, identifier: int) -> Row:
    """Return an import and keep others from working on it until the transaction ends.

    Raises
    ------
    NotFound
        It is gone.
    """
    row = connection.execute(sa.select(IMPORT).where(IMPORT.c.id == identifier).with_for_update()).one_or_none()
    if row is None:
        raise NotFound
    return dict(row._mapping)


def change(connection: sa.Connection, identifier: int, **columns: Any) -> None:
    """Change columns of an import."""
    connection.execute(
        sa.update(IMPORT).where(IMPORT.c.id == identifier).values(updated_at=clock.now(), **columns)
    )


def refuse(connection: sa.Connection, row: Row, refusal: RefusedFile) -> None:
    """End an import with nothing stored; its verdicts stay to be read."""
    discard_waiting(connection, row)
    change(
        connection,
        row["id"],
        status="refused",
        refusal_column=refusal.column or None,
        refusal_code=refusal.code,
        refusal_detail=refusal.detail[:250],
        finished_at=clock.now(),
    )


def discard_waiting(connection: sa.Connection, row: Row) -> None:
    """Delete the checked rows of an import that wait to be applied."""
    waiting = tables.registry_waiting
    connection.execute(sa.delete(waiting).where(waiting.c.import_id == row["id"]))


def get(connection: sa.Connection, number: int, identifier: int) -> Row:
    """Return an import of an organization.

    Raises
    ------
    NotFound
        Unknown, or of another organization.
    """
    query = sa.select(IMPORT).where(IMPORT.c.id == identifier, IMPORT.c.organization_id == number)
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound
    return dict(row._mapping)


def shown(row: Row) -> Row:
    """Return an import as it is shown: where it is, and its counts."""
    refusal = None
    if row["refusal_code"] is not None:
        refusal = {
            "column": row["refusal_column"],
            "code": row["refusal_code"],
            "detail": row["refusal_detail"],
        }
    done = row["status"] == "done"
    return {
        "id": row["id"],
        "table": row["table_name"],
        "status": row["status"],
        "source_id": row["source_id"],
        "dry_run": row["is_dry_run"],
        "rows": row["rows"],
        "accepted": row["rows"] - row["rejected"] if refusal is None else 0,
        "rejected": row["rejected"],
        "inserted": row["inserted"],
        "updated": row["updated"],
        "unchanged": row["rows"] - row["rejected"] - row["inserted"] - row["updated"] if done else None,
        "refusal": refusal,
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
        "finished_at": row["finished_at"],
    }


def verdicts(connection: sa.Connection, row: Row, *, limit: int, offset: int = 0) -> list[Row]:
    """Return verdicts of an import by row: ``{row, column, code, detail}``."""
    query = sa.select(VERDICT).where(VERDICT.c.import_id == row["id"])
    ordered = query.order_by(VERDICT.c.row_number, VERDICT.c.column_name).limit(limit).offset(offset)
    table = TABLES[row["table_name"]]
    return [
        {
            "row": one.row_number,
            "column": one.column_name or None,
            "code": one.code,
            "detail": sentence(table, one.column_name, one.code),
        }
        for one in connection.execute(ordered)
    ]


def write_verdicts(connection: sa.Connection, row: Row, path: Path) -> None:
    """Write every verdict of an import as CSV: row, column, code, detail.

    Raises
    ------
    WattloomError
        The file cannot be written.
    """
    try:
        with path.open("w", encoding="utf-8", newline="") as target_file:
            writer = csv.writer(target_file)
            writer.writerow(["row", "column", "code", "detail"])
            offset = 0
            while page := verdicts(connection, row, limit=10_000, offset=offset):
                writer.writerows([one["row"], one["column"] or "", one["code"], one["detail"]] for one in page)
                offset += len(page)
    except OSError as error:
        raise WattloomError(f"the rejected rows cannot be written to {path}: {error.strerror}") from error


def count_verdicts(connection: sa.Connection, row: Row) -> int:
    """Return how many verdicts an import has; a row may have several."""
    query = sa.select(sa.func.count()).select_from(VERDICT).where(VERDICT.c.import_id == row["id"])
    return connection.scalar(query) or 0
