"""CSV of any size as batches of rows: the delimiter found by the header, quoted line ends and cells honoured."""

import csv
import io
from collections.abc import Iterator
from itertools import islice
from typing import Any

from pipelines.registry.blocks import ROWS, canonical
from pipelines.registry.contents import Content, encoding_of
from pipelines.registry.dictionary import Table
from pipelines.registry.tabular import Batch
from pipelines.registry.verdicts import Code, RefusedFile, Verdict

_DELIMITERS = ",;\t|"
_SAMPLE = 1 << 18
_LONGEST_CELL = 16 << 20
csv.field_size_limit(_LONGEST_CELL)  # what is longer is mostly the rest of a file behind a quote that never ends


def _first_record(sample: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter), [])
    except csv.Error:
        return []


def _delimiter(table: Table, sample: str) -> str:
    """Return the delimiter by which most of the table's columns appear in the header."""

    def score(delimiter: str) -> tuple[int, int]:
        names = [canonical(name) for name in _first_record(sample, delimiter)]
        return sum(name in table.by_name for name in names), len(names)

    return max(_DELIMITERS, key=score)


def open_csv(table: Table, content: Content) -> tuple[list[str], Iterator[Batch]]:
    """Return the header, and the rows under it in batches.

    Raises
    ------
    RefusedFile
        No text, or a quoted cell that never ends; the latter when the reading comes to it.
    """
    encoding = encoding_of(content)
    with content.open() as raw, io.TextIOWrapper(raw, encoding=encoding, newline="") as stream:
        try:
            sample = stream.read(_SAMPLE)
            stream.seek(0)
            told = sample[:4].lower() == "sep=" and sample[4:5] in set(_DELIMITERS)  # how Excel is told
            delimiter = sample[4:5] if told else _delimiter(table, sample)
            header = _header(_reader(stream, delimiter, skip_line=told))
        except (csv.Error, UnicodeError):
            raise RefusedFile("unreadable", "The first line cannot be read as a header.") from None
    return header, _batches(content, encoding, delimiter, skip_line=told)


def _reader(stream: io.TextIOWrapper, delimiter: str, *, skip_line: bool) -> Any:
    if skip_line:
        stream.readline()
    return csv.reader(stream, delimiter=delimiter, strict=True)


def _header(reader: Any) -> list[str]:
    return next((row for row in reader if any(row)), [])


def _batches(content: Content, encoding: str, delimiter: str, *, skip_line: bool) -> Iterator[Batch]:
    first = 1
    with content.open() as raw, io.TextIOWrapper(raw, encoding=encoding, newline="") as stream:
        reader = _reader(stream, delimiter, skip_line=skip_line)
        _header(reader)
        while True:
            rows: list[list[str]] = []
            faults: list[Verdict] = []
            while len(rows) < ROWS:
                before = len(rows)
                try:
                    rows.extend(islice(reader, ROWS - before))
                except csv.Error as error:
                    _refuse_what_hides_rows(str(error), first + len(rows))
                    faults.append(Verdict(first + len(rows), "", Code.MALFORMED))
                    rows.append([])
                    continue
                except UnicodeError:
                    raise RefusedFile("unreadable", f"The text breaks off in row {first + len(rows)}.") from None
                break
            if not rows:
                return
            yield Batch(first=first, rows=rows, faults=faults, bytes_read=raw.tell())
            first += len(rows)


def _refuse_what_hides_rows(message: str, row: int) -> None:
    if "unexpected end" in message or "field larger" in message:
        raise RefusedFile(
            "unclosed_quote",
            f"A quoted cell in row {row} never ends, or has more than {_LONGEST_CELL >> 20} MB; it hides what follows.",
        )
