"""The drop folder: ``ORGANIZATION/TABLE/FILE`` is imported, then set aside under ``imported`` or ``refused``.

A file is left alone until nobody has written to it for a while. What is set aside holds personal values, as it came;
it is deleted when it is past the retention.
"""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import sqlalchemy as sa

from pipelines import clock
from pipelines.accounts.organizations import organization_by_name
from pipelines.db.engine import unit_of_work
from pipelines.errors import NotFound, RejectedInput
from pipelines.registry import imports
from pipelines.registry.catalogue import TABLES
from pipelines.registry.contents import Content
from pipelines.registry.dictionary import Table
from pipelines.registry.importing import Options, finish, import_content, unfinished
from pipelines.settings import Settings

_LOG = logging.getLogger("wattloom.registry")
IMPORTED, REFUSED = "imported", "refused"
QUIET_S = 10  # a file that was written to more recently may not be complete
# An import broke off while it was read: a file may be brought again and goes on, what came over the API cannot.
ABANDONED = timedelta(days=2)
ABANDONED_WITHOUT_FILE = timedelta(minutes=15)
_UNFINISHED_NAMES = (".part", ".tmp", ".crdownload", ".filepart")


def _modified_at(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)


def _files(folder: Path, table: Table) -> Iterator[Path]:
    place = folder / table.name
    if not place.is_dir():
        return
    for path in sorted(place.iterdir()):
        is_whole = path.is_file() and not path.name.startswith(".") and path.suffix not in _UNFINISHED_NAMES
        if is_whole and clock.now() - _modified_at(path) >= timedelta(seconds=QUIET_S):
            yield path


def import_files(engine: sa.Engine, settings: Settings) -> dict[str, int]:
    """Finish what was interrupted, then import every file that is complete; return counts."""
    with unit_of_work(engine) as connection:
        _abandon(connection)
    counts = {"finished": 0, "imported": 0, "refused": 0, "rows": 0, "rejected": 0}
    for identifier in unfinished(engine):
        finish(engine, identifier)
        counts["finished"] += 1
    if settings.import_folder is None or not settings.import_folder.is_dir():
        return counts
    for folder in sorted(path for path in settings.import_folder.iterdir() if path.is_dir()):
        try:
            with unit_of_work(engine) as connection:
                organization = organization_by_name(connection, folder.name)
        except NotFound:
            _LOG.warning("the drop folder has a folder that is named like no organization")
            continue
        for table in TABLES.values():
            for path in _files(folder, table):
                _import_file(engine, settings, organization, table, path, counts)
    return counts


def _import_file(
    engine: sa.Engine, settings: Settings, organization: UUID, table: Table, path: Path, counts: dict[str, int]
) -> None:
    try:
        row = import_content(engine, settings, organization, table, Content(path=path), Options(resume=True))
    except RejectedInput:
        _LOG.warning("a file of the drop folder cannot be opened; it is tried again")
        return
    refused = row["status"] == "refused"
    counts[REFUSED if refused else IMPORTED] += 1
    counts["rows"] += row["rows"]
    counts["rejected"] += row["rejected"]
    aside = path.parent / (REFUSED if refused else IMPORTED)
    aside.mkdir(exist_ok=True)
    kept = path.rename(aside / f"{row['id']}-{path.name}")
    if row["rejected"]:
        with unit_of_work(engine) as connection:
            imports.write_verdicts(connection, row, kept.with_name(f"{kept.name}.rejected.csv"))


def prune(engine: sa.Engine, settings: Settings) -> dict[str, int]:
    """Delete what is past the retention; the imports themselves, which hold counts only, stay."""
    before = clock.now() - timedelta(days=settings.import_retention_days)
    record, verdict = imports.IMPORT, imports.VERDICT
    with unit_of_work(engine) as connection:
        old = sa.select(record.c.id).where(record.c.created_at < before)
        verdicts = connection.execute(sa.delete(verdict).where(verdict.c.import_id.in_(old))).rowcount
        abandoned = _abandon(connection)
    return {"verdicts": verdicts, "abandoned": abandoned, "files": _prune_files(settings, before)}


def _abandon(connection: sa.Connection) -> int:
    """Give up imports that nobody goes on reading, and what waits of them; return how many."""
    record, now = imports.IMPORT, clock.now()
    idle = sa.case(
        (record.c.content_digest.is_(None), record.c.updated_at < now - ABANDONED_WITHOUT_FILE),
        else_=record.c.updated_at < now - ABANDONED,
    )
    left = sa.select(record).where(record.c.status == "reading", idle).with_for_update(skip_locked=True)
    found = connection.execute(left).all()
    for row in found:
        imports.discard_waiting(connection, dict(row._mapping))
        imports.change(connection, row.id, status="abandoned", finished_at=now)
    return len(found)


def _prune_files(settings: Settings, before: datetime) -> int:
    deleted = 0
    if settings.import_folder is None or not settings.import_folder.is_dir():
        return deleted
    for aside in (IMPORTED, REFUSED):
        for path in settings.import_folder.glob(f"*/*/{aside}/*"):
            if path.is_file() and _modified_at(path) < before:
                path.unlink(missing_ok=True)
                deleted += 1
    return deleted
