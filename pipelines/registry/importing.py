"""One import from start to end: read and check (nothing personal is kept), decide, apply; safe to kill and repeat.

While it is read, each block's good rows are stored with their pseudonyms and wait; only when everything was read, and
no more was rejected than allowed, they are applied. Both halves note how far they came in the transaction that does
the work, so whoever goes on after a kill neither repeats nor skips a row.
"""

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from uuid import UUID

import polars as pl
import sqlalchemy as sa

from pipelines import clock
from pipelines.db.engine import unit_of_work
from pipelines.errors import BrokenContract, NotFound
from pipelines.registry import imports, json_rows, pseudonyms, tabular
from pipelines.registry.applying import apply_chunk
from pipelines.registry.blocks import Block
from pipelines.registry.checking import check
from pipelines.registry.contents import Content, Form, form_of
from pipelines.registry.csv_rows import open_csv
from pipelines.registry.dictionary import Table
from pipelines.registry.imports import Limit, Row, Target
from pipelines.registry.pseudonyms import Hasher
from pipelines.registry.verdicts import RefusedFile
from pipelines.registry.waiting import store
from pipelines.registry.xlsx_rows import open_xlsx
from pipelines.settings import Settings

_LOG = logging.getLogger("wattloom.registry")
Progress = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class Options:
    """How an import is done; ``resume`` looks for an interrupted one of the same content first."""

    dry_run: bool = False
    limit: Limit | None = None
    resume: bool = False


def _no_progress(_done: int, _total: int) -> None:
    """Tell nobody."""


def read_content(
    engine: sa.Engine,
    settings: Settings,
    whose: Target,
    table: Table,
    content: Content,
    options: Options,
    progress: Progress = _no_progress,
) -> Row:
    """Read and check everything; return the import: applying, or refused, or (of a dry run) checked.

    Raises
    ------
    RejectedInput
        The file cannot be opened. What is wrong inside is no error but a refused import.
    """
    record, hasher = _begun(engine, settings, whose, table, content, options)
    if record["status"] != "reading":
        return record
    try:
        with ThreadPoolExecutor(1) as storing:  # the server stores a block while the next one is checked
            under_way: Future[bool] | None = None
            for block in _blocks(table, content, hasher):
                if block.to <= record["read_to"]:
                    continue
                rows = check(table, block, hasher, whose.number)
                if under_way is not None and not under_way.result():
                    break
                under_way = storing.submit(store, engine, record["id"], rows)
                progress(block.bytes_read, content.size)
            if under_way is not None:
                under_way.result()
        _finish_reading(engine, record["id"], options.limit)
    except RefusedFile as refusal:
        with unit_of_work(engine) as connection:
            current = imports.locked(connection, record["id"])
            if current["status"] == "reading":
                imports.refuse(connection, current, refusal)
    except pl.exceptions.PolarsError as error:  # its text may repeat values
        raise BrokenContract(f"the checks of import {record['id']} failed: {type(error).__name__}") from None
    with unit_of_work(engine) as connection:
        record = imports.get(connection, whose.number, record["id"])
    _LOG.info("import %d into %s: %s, %d rows", record["id"], table.name, record["status"], record["rows"])
    return record


def _begun(
    engine: sa.Engine, settings: Settings, whose: Target, table: Table, content: Content, options: Options
) -> tuple[Row, Hasher]:
    """Return a new import, or the interrupted one of this content with the key that it began with."""
    limit = options.limit.text if options.limit else None
    with unit_of_work(engine) as connection:
        hasher = pseudonyms.hasher(connection, settings, whose.organization)
        digest = None
        if options.resume:
            purpose = f"{whose.number}|{table.name}|{options.dry_run}|{limit}|{whose.source}"
            digest = content.digest(hasher.key or b"sha256", purpose)
            found = imports.interrupted(connection, whose, table.name, digest)
            if found is not None and found["key_version"] == hasher.version:
                return found, hasher
        record = imports.begin(
            connection,
            whose,
            table.name,
            is_dry_run=options.dry_run,
            max_rejected=limit,
            key_version=hasher.version,
            content_digest=digest,
        )
    return record, hasher


def _blocks(table: Table, content: Content, hasher: Hasher) -> Iterator[Block]:
    form = form_of(content)
    if form is Form.JSON:
        return json_rows.blocks(table, json_rows.read_rows(content), hasher)
    header, batches = (open_csv if form is Form.CSV else open_xlsx)(table, content)
    return tabular.blocks(table, tabular.read_header(table, header), batches, hasher)


def _finish_reading(engine: sa.Engine, identifier: int, limit: Limit | None) -> None:
    """Decide what becomes of an import that was read to its end."""
    with unit_of_work(engine) as connection:
        record = imports.locked(connection, identifier)
        if record["status"] != "reading":
            return
        rows, rejected = record["rows"], record["rejected"]
        if limit is not None and not limit.allows(rejected, rows):
            detail = f"{rejected} of {rows} rows are wrong, more than max_rejected allows; nothing was stored."
            imports.refuse(connection, record, RefusedFile("too_many_rejected", detail))
        elif rows and rejected == rows:
            detail = f"None of the {rows} rows is right; nothing was stored."
            imports.refuse(connection, record, RefusedFile("no_good_rows", detail))
        elif record["is_dry_run"]:
            imports.change(connection, identifier, status="checked", finished_at=clock.now())
        else:
            imports.change(connection, identifier, status="applying")


def finish(engine: sa.Engine, identifier: int, *, progress: Progress = _no_progress) -> None:
    """Apply what of an import waits; safe to repeat and to run twice at once."""
    while apply_chunk(engine, identifier):
        with unit_of_work(engine) as connection:
            record = imports.locked(connection, identifier)
        progress(record["applied_to"], record["read_to"])


def unfinished(engine: sa.Engine) -> list[int]:
    """Return the imports that were read, and not applied to their end."""
    with unit_of_work(engine) as connection:
        query = sa.select(imports.IMPORT.c.id).where(imports.IMPORT.c.status == "applying")
        return list(connection.scalars(query.order_by(imports.IMPORT.c.id)))


def import_content(
    engine: sa.Engine,
    settings: Settings,
    organization: UUID,
    table: Table,
    content: Content,
    options: Options,
    *,
    source: int | None = None,
    progress: Progress = _no_progress,
) -> Row:
    """Import a content from start to end; return the import as it ended.

    Raises
    ------
    NotFound
        The source is not the organization's.
    RejectedInput
        The file cannot be opened.
    """
    with unit_of_work(engine) as connection:
        whose = imports.target(connection, organization, source)
    record = read_content(engine, settings, whose, table, content, options, progress)
    if record["status"] == "applying":
        finish(engine, record["id"], progress=progress)
    with unit_of_work(engine) as connection:
        try:
            return imports.get(connection, whose.number, record["id"])
        except NotFound:
            return record
