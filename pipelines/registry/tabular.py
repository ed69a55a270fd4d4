"""Rows under a header, from CSV and xlsx alike: which field is which column, and what goes to ``custom``."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
import polars as pl

from pipelines.registry import custom
from pipelines.registry.blocks import Block, Texts, canonical, is_ours, shape_of
from pipelines.registry.dictionary import Table
from pipelines.registry.pseudonyms import Hasher
from pipelines.registry.verdicts import Code, RefusedFile, Verdict


@dataclass(kw_only=True)
class Batch:
    """Rows as lists of texts, blank ones empty; ``first`` is the position of the first of them.

    ``columns`` holds them instead where each has as many cells as the header, and none is blank.
    """

    first: int
    rows: list[list[str]] = field(default_factory=list)
    columns: pl.DataFrame | None = None
    faults: list[Verdict] = field(default_factory=list)
    bytes_read: int = 0

    @property
    def last(self) -> int:
        """Return the position of the last row."""
        return self.first + (len(self.rows) if self.columns is None else self.columns.height) - 1


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where each column of the table stands in a row, and the names of the others."""

    width: int
    known: dict[str, int]
    others: dict[str, int]


def read_header(table: Table, header: Sequence[str]) -> Layout:
    """Understand a header.

    Raises
    ------
    RefusedFile
        A column stands twice, or a required one is missing. Names that are not ours are never repeated: a file
        without a header has people where the names should be.
    """
    known: dict[str, int] = {}
    others: dict[str, int] = {}
    for place, written in enumerate(header):
        name = canonical(written)
        ours = name in table.by_name
        if is_ours(table, name):
            continue
        target, key = (known, name) if ours else (others, written.strip() or f"column_{place + 1}")
        if key in target:
            called = f"The column {name}" if ours else f"The column at place {place + 1}"
            raise RefusedFile("duplicate_column", f"{called} stands twice in the header.", name if ours else "")
        if len(key) > custom.LONGEST_NAME or "\0" in key:
            raise RefusedFile("invalid_header", f"The header at place {place + 1} is no column name.")
        target[key] = place
    missing = [c.name for c in table.sent if c.required and c.name not in known]
    if not known:
        raise RefusedFile(
            "missing_column",
            f"No column of the table was found in the first line (required: {', '.join(missing)}); the delimiter may"
            " be a comma, a semicolon, a tab or a vertical bar.",
            missing[0],
        )
    if missing:
        listed = ", ".join(missing)
        raise RefusedFile("missing_column", f"The header lacks what is required: {listed}.", missing[0])
    return Layout(width=len(header), known=known, others=others)


def blocks(table: Table, layout: Layout, batches: Iterator[Batch], hasher: Hasher) -> Iterator[Block]:
    """Return the rows as blocks; a row of another width is a fault, a blank one is no row."""
    mask = sum(table.bit[name] for name in layout.known)
    shape = shape_of(mask, list(layout.others))
    for batch in batches:
        columns, numbers, faults = _columns(batch, layout.width)
        block = Block(to=batch.last, faults=faults, bytes_read=batch.bytes_read)
        block.rows, block.sent, block.shapes = numbers, [mask] * len(numbers), [shape] * len(numbers)
        if columns:
            block.texts = {name: columns[place] for name, place in layout.known.items()}
            block.custom = _customs({n: columns[p] for n, p in layout.others.items()}, len(numbers), hasher)
            _drop_long_customs(block)
        yield block


def _columns(batch: Batch, width: int) -> tuple[Sequence[Texts], list[int], list[Verdict]]:
    if batch.columns is not None:
        return batch.columns.get_columns(), list(range(batch.first, batch.last + 1)), batch.faults
    rows, numbers, faults = _fitting(batch, width)
    return list(zip(*rows, strict=True)) if rows else [], numbers, faults


def _fitting(batch: Batch, width: int) -> tuple[list[list[str]], list[int], list[Verdict]]:
    if not batch.faults and all(len(row) == width and any(row) for row in batch.rows):
        return batch.rows, list(range(batch.first, batch.first + len(batch.rows))), []
    faults, wrong = list(batch.faults), {fault.row for fault in batch.faults}
    rows: list[list[str]] = []
    numbers: list[int] = []
    for number, row in enumerate(batch.rows, batch.first):
        if number in wrong or not any(row):
            continue
        if len(row) > width and not any(row[width:]):
            del row[width:]  # delimiters at the end of a line that separate nothing
        if len(row) != width:
            faults.append(Verdict(number, "", Code.FIELDS))
            continue
        rows.append(row)
        numbers.append(number)
    return rows, numbers, faults


def _customs(others: Mapping[str, Texts], count: int, hasher: Hasher) -> list[str | None]:
    """Return each row's further values as JSON; an empty one is null, which clears it."""
    if not others:
        return [None] * count
    columns = [
        [
            custom.guarded(name, text.replace("\0", ""), hasher) if (text := (value or "").strip()) else None
            for value in values
        ]
        for name, values in others.items()
    ]
    names = list(others)
    return [msgspec.json.encode(dict(zip(names, row, strict=True))).decode() for row in zip(*columns, strict=True)]


def _drop_long_customs(block: Block) -> None:
    too_long = {n for n, text in enumerate(block.custom) if text is not None and len(text) > custom.LONGEST}
    if not too_long:
        return
    block.faults += [Verdict(block.rows[n], "", Code.CUSTOM) for n in sorted(too_long)]
    kept = [n for n in range(len(block.rows)) if n not in too_long]
    block.texts = {name: [values[n] for n in kept] for name, values in block.texts.items()}
    for name in ("rows", "sent", "custom", "shapes"):
        values = getattr(block, name)
        setattr(block, name, [values[n] for n in kept])
