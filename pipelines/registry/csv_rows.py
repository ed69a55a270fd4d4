"""CSV of any size as batches of rows: the delimiter found by the header, quoted line ends and cells honoured."""

import csv
import io
import re
from collections.abc import Iterator
from itertools import chain, islice
from typing import Any

import polars as pl

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
    """Return the rows: lines that are simple are split as a whole, others by the reader that knows every case."""
    first = 1
    with content.open() as raw, io.TextIOWrapper(raw, encoding=encoding, newline="") as stream:
        width = len(_header(_reader(stream, delimiter, skip_line=skip_line)))
        simple = simple_line(delimiter, width)
        while True:
            lines: list[str] = []
            try:
                lines.extend(islice(stream, ROWS))
            except UnicodeError:
                raise _broken_off(first + len(lines)) from None
            if not lines:
                return
            columns = split_simple(lines, simple, delimiter, width)
            if columns is not None:
                yield Batch(first=first, columns=columns, bytes_read=raw.tell())
                first += len(lines)
                continue
            rows, faults = _read_carefully(lines, stream, delimiter, first)
            yield Batch(first=first, rows=rows, faults=faults, bytes_read=raw.tell())
            first += len(rows)


def simple_line(delimiter: str, width: int) -> str:
    """Return the pattern of a line of so many cells, each plain or wholly in quotes, that end within the line."""
    d = re.escape(delimiter)
    cell = f'(?:[^"\r\n\0{d}]*|"(?:[^"\r\n\0]|"")*")'
    return f"^{cell}(?:{d}{cell}){{{width - 1}}}(?:\r?\n)?$"


def split_simple(lines: list[str], simple: str, delimiter: str, width: int) -> pl.DataFrame | None:
    """Return the cells of lines as columns; None unless every line is simple and holds something."""
    texts = pl.Series(lines, dtype=pl.String)
    if lines[0].startswith("\ufeff"):  # it would be taken for the mark of a text's beginning
        return None
    if not texts.str.contains(simple).all() or (texts.str.strip_chars(f'{delimiter}"\r\n') == "").any():
        return None
    return pl.read_csv(
        "".join(lines).replace("\r\n", "\n").encode(),
        has_header=False,
        separator=delimiter,
        schema={f"column_{place}": pl.String for place in range(width)},
    )


def _read_carefully(
    lines: list[str], stream: io.TextIOWrapper, delimiter: str, first: int
) -> tuple[list[list[str]], list[Verdict]]:
    """Read the records of these lines; the last one may need further lines of the stream."""
    reader = csv.reader(chain(lines, stream), delimiter=delimiter, strict=True)
    rows: list[list[str]] = []
    faults: list[Verdict] = []
    while reader.line_num < len(lines):
        try:
            rows.append(next(reader))
        except csv.Error as error:
            _refuse_what_hides_rows(str(error), first + len(rows))
            faults.append(Verdict(first + len(rows), "", Code.MALFORMED))
            rows.append([])
        except UnicodeError:
            raise _broken_off(first + len(rows)) from None
        except StopIteration:
            break
    return rows, faults


def _broken_off(row: int) -> RefusedFile:
    return RefusedFile("unreadable", f"The text breaks off in row {row}.")


def _refuse_what_hides_rows(message: str, row: int) -> None:
    if "unexpected end" in message or "field larger" in message:
        raise RefusedFile(
            "unclosed_quote",
            f"A quoted cell in row {row} never ends, or has more than {_LONGEST_CELL >> 20} MB; it hides what follows.",
        )
