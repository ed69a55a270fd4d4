"""Loading interval CSV files of any size, block by block, each in one transaction; safe to repeat.

A load that was killed has stored some blocks whole and no block in part; the same load again stores the rest.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import numpy as np
import sqlalchemy as sa

from pipelines import clock
from pipelines.accounts.organizations import organization_by_name
from pipelines.accounts.principals import Principal, Scheme
from pipelines.db.engine import engine_for, unit_of_work
from pipelines.errors import RejectedInput
from pipelines.fields import canonical_zone, is_zone
from pipelines.files.file_devices import SERIES_NAME, FileDevices
from pipelines.files.interval_rows import MAX_NAME, IntervalParser, IntervalRows
from pipelines.files.layout import Layout, read_layout
from pipelines.files.plan import LoadOutcome, LoadPlan, Reason, Rejected
from pipelines.files.text_blocks import TextFile
from pipelines.metering.batches import NamedReadings
from pipelines.metering.delivery import Delivery, deliver
from pipelines.metering.writer import Authorship
from pipelines.settings import Settings

__all__ = ["LoadOutcome", "LoadPlan", "Rejected", "load_files"]

_AUTHOR = "cli:load"
_LONGEST_INTERVAL_S = 34_300_800


class _Source(NamedTuple):
    path: Path
    size: int
    layout: Layout
    stem: str


def load_files(
    settings: Settings,
    files: Sequence[Path],
    plan: LoadPlan,
    *,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> LoadOutcome:
    """Store the readings of interval files and return a verdict for every row; a bad row harms no good one.

    All headers are understood before anything is stored. Devices that do not exist are created.

    Parameters
    ----------
    progress
        Called with the bytes that are done and those of all files, as they lie on the disk.

    Raises
    ------
    RejectedInput
        The plan is wrong, or a file cannot be read; blocks of it that were stored before stay.
    NotFound
        There is no such organization.
    SourceUnavailable
        The database cannot be reached.
    """
    zone = _checked_zone(plan)
    sources = [_inspect(path, plan) for path in files]
    engine = engine_for(settings)
    with unit_of_work(engine) as connection:
        organization: UUID = organization_by_name(connection, plan.organization)
    principal = Principal(scheme=Scheme.TOKEN, organization_id=organization, name=_AUTHOR)
    devices = {
        unit: FileDevices(
            principal=principal,
            unit=unit,
            zone=zone,
            interval_s=plan.interval_s,
            allow_unconfigured=settings.allow_unconfigured_devices,
        )
        for unit in {source.layout.unit for source in sources}
    }
    load = _Load(engine, organization, allow_unconfigured=settings.allow_unconfigured_devices)
    done, total = 0, sum(source.size for source in sources)
    progress(done, total)
    for source in sources:
        before = done
        parser = IntervalParser(source.layout, stem=source.stem, zone=zone, timestamps=plan.timestamps)
        with TextFile(source.path) as text:
            first_row = 1
            for block in text.blocks():
                parsed = parser.parse(block, first_row=first_row)
                load.store(source, parser, parsed, devices[source.layout.unit])
                first_row += parsed.lines
                progress(min(before + text.position, total), total)
        done = before + source.size
        progress(done, total)
    return load.outcome()


def _checked_zone(plan: LoadPlan) -> str:
    if not is_zone(plan.timezone):
        raise RejectedInput({"timezone": [f"{plan.timezone!r} is no IANA time zone, such as Europe/London"]})
    if plan.timestamps not in {"local", "utc"}:
        raise RejectedInput({"timestamps": [f"{plan.timestamps!r} is neither local nor utc"]})
    if plan.interval_s is not None and not 1 <= plan.interval_s <= _LONGEST_INTERVAL_S:
        raise RejectedInput({"interval": [f"An interval has 1 to {_LONGEST_INTERVAL_S} seconds."]})
    return canonical_zone(plan.timezone)


def _inspect(path: Path, plan: LoadPlan) -> _Source:
    with TextFile(path) as text:
        layout = read_layout(str(path), text.header, plan)
    name = path.name[:-3] if path.name.lower().endswith(".gz") else path.name
    stem = Path(name).stem.strip()
    if layout.device is None and not (0 < len(stem) <= MAX_NAME and stem.isprintable()):
        reason = f"no device column, and no device can be named {stem[:60]!r}: name one with --device-column"
        raise RejectedInput({str(path): [reason]})
    return _Source(path, path.stat().st_size, layout, stem)


class _Load:
    """Stores blocks and adds up their verdicts."""

    def __init__(self, engine: sa.Engine, organization: UUID, *, allow_unconfigured: bool) -> None:
        self._engine = engine
        self._organization = organization
        self._allow_unconfigured = allow_unconfigured
        self._outcome = LoadOutcome()
        self._devices: set[str] = set()

    def outcome(self) -> LoadOutcome:
        self._outcome.devices = len(self._devices)
        return self._outcome

    def store(self, source: _Source, parser: IntervalParser, parsed: IntervalRows, devices: FileDevices) -> None:
        """Store one block in one transaction."""
        rejected = list(parsed.rejected)
        if len(parsed.row):
            at = clock.now()
            with unit_of_work(self._engine) as connection:
                devices.ensure(connection, parsed.devices, at)
                may_take = np.array([name not in devices.refused for name in parsed.devices], dtype=np.bool_)
                taken = np.flatnonzero(may_take[parsed.device])
                batch = NamedReadings(
                    pairs=[(name, SERIES_NAME) for name in parsed.devices],
                    pair=parsed.device[taken],
                    times_us=parsed.time_us[taken],
                    mantissa=parsed.mantissa[taken],
                    scale=parsed.scale[taken],
                )
                delivery = deliver(
                    connection,
                    self._organization,
                    batch,
                    Authorship(author=_AUTHOR, reason=f"file {source.path.name}", at=at),
                    allow_unconfigured=self._allow_unconfigured,
                )
            for index in np.flatnonzero(~may_take[parsed.device]).tolist():
                code, detail = devices.refused[parsed.devices[parsed.device[index]]]
                rejected.append((int(parsed.row[index]), Reason(parser.value_column, code, detail)))
            rows = parsed.row[taken]
            rejected += [(int(rows[r.index]), _reason(parser, r.code, r.detail)) for r in delivery.rejected]
            self._count(delivery)
            kept = np.ones(len(taken), dtype=np.bool_)
            kept[[r.index for r in delivery.rejected]] = False
            self._devices.update(parsed.devices[n] for n in np.unique(batch.pair[kept]).tolist())
        self._outcome.rows += parsed.rows
        self._outcome.rejected.add(str(source.path), sorted(rejected, key=lambda pair: pair[0]))

    def _count(self, delivery: Delivery) -> None:
        self._outcome.accepted += delivery.accepted
        self._outcome.inserted += delivery.inserted
        self._outcome.corrected += delivery.corrected
        self._outcome.staged += delivery.staged


def _reason(parser: IntervalParser, code: str, detail: str) -> Reason:
    """Say a delivery's verdict in the file's own columns."""
    field, _, sentence = detail.partition(": ")
    column = parser.time_column if field == "timestamp" else parser.device_column
    return Reason(column, code, sentence)
