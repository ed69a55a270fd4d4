"""The first visible sheet of an xlsx as batches of rows: dates as dates, formulas as their values.

A workbook is a zip: a small one may unpack to more than there is memory, and a single cell far out makes a sheet of
billions. Both are found before anything is unpacked for good: sizes as the zip declares them, sizes as they turn out,
and the farthest cell.
"""

import datetime as dt
import io
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any

import python_calamine
from python_calamine import CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

from pipelines.registry.blocks import ROWS
from pipelines.registry.contents import Content
from pipelines.registry.dictionary import Table
from pipelines.registry.tabular import Batch
from pipelines.registry.verdicts import Code, RefusedFile, Verdict

LARGEST = 64 << 20  # of the file
UNPACKED = 192 << 20
CELLS = 12_000_000
_CELL = re.compile(rb'<(?:\w+:)?c [^>]{0,200}?r="([A-Z]{1,3})([0-9]{1,7})"')
_STEP = 1 << 20
_LOCAL_HEADER = 30
_TOO_LARGE = f"The workbook unpacks to more than {UNPACKED >> 20} MB; use CSV."
_DAMAGED = "The xlsx is damaged, protected, or no workbook."


def open_xlsx(_table: Table, content: Content) -> tuple[list[str], Iterator[Batch]]:
    """Return the header (the first row that is not empty), and the rows under it in batches.

    Raises
    ------
    RefusedFile
        Damaged, protected, too large, or without a sheet.
    """
    data = content.whole(LARGEST)
    _refuse_bombs(data)
    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(data))
        names = [
            sheet.name
            for sheet in book.sheets_metadata
            if sheet.visible == SheetVisibleEnum.Visible and sheet.typ == SheetTypeEnum.WorkSheet
        ]
        if not names:
            raise RefusedFile("empty", "The workbook has no visible sheet.")
        sheet = book.get_sheet_by_name(names[0])
        merged = sheet.merged_cell_ranges or []
        rows = enumerate(sheet.iter_rows())
    except (python_calamine.CalamineError, ValueError, OSError):
        raise RefusedFile("unreadable", _DAMAGED) from None
    above, header = next(((n, row) for n, row in rows if any(cell != "" for cell in row)), (0, []))
    spoiled = {
        row - above
        for (top, _), (bottom, _) in merged
        for row in range(max(top, above + 1), min(bottom, above + CELLS) + 1)
    }
    return [_text(cell) for cell in header], _batches((row for _, row in rows), spoiled)


def _batches(rows: Iterator[list[Any]], spoiled: set[int]) -> Iterator[Batch]:
    first = 1
    while True:
        part = [[_text(cell) for cell in row] for row, _ in zip(rows, range(ROWS), strict=False)]
        if not part:
            return
        last = first + len(part) - 1
        faults = [Verdict(row, "", Code.MERGED) for row in sorted(spoiled) if first <= row <= last]
        yield Batch(first=first, rows=part, faults=faults, bytes_read=last)
        first = last + 1


def _text(cell: Any) -> str:
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else repr(cell)
    if isinstance(cell, dt.datetime):
        midnight = cell.time() == dt.time()
        return cell.date().isoformat() if midnight else cell.isoformat(sep=" ")
    return cell.isoformat() if isinstance(cell, dt.date | dt.time) else str(cell)


def _refuse_bombs(data: bytes) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, ValueError, OverflowError, NotImplementedError):
        raise RefusedFile("unreadable", _DAMAGED) from None
    if sum(entry.file_size for entry in entries) > UNPACKED or len(entries) > 10_000:
        raise RefusedFile("too_large", _TOO_LARGE)
    left = UNPACKED
    for entry in entries:
        left = _measure(data, entry, left)


def _measure(data: bytes, entry: zipfile.ZipInfo, left: int) -> int:
    """Unpack an entry a step at a time, whatever size it claims; return what is left of the allowance."""
    try:
        name, extra = struct.unpack_from("<HH", data, entry.header_offset + 26)
    except struct.error:
        raise RefusedFile("unreadable", _DAMAGED) from None
    start = entry.header_offset + _LOCAL_HEADER + name + extra
    packed = memoryview(data)[start : start + entry.compress_size]
    is_sheet = "worksheets/" in entry.filename.lower()
    if entry.compress_type == zipfile.ZIP_STORED:
        steps: Iterator[bytes] = (bytes(packed[n : n + _STEP]) for n in range(0, len(packed), _STEP))
    elif entry.compress_type == zipfile.ZIP_DEFLATED:
        steps = _inflated(packed)
    else:
        raise RefusedFile("unreadable", _DAMAGED)
    carried, furthest_row, furthest_column = b"", 0, 0
    for step in steps:
        left -= len(step)
        if left < 0:
            raise RefusedFile("too_large", _TOO_LARGE)
        if is_sheet:
            for letters, number in _CELL.findall(carried + step):
                furthest_row = max(furthest_row, int(number))
                furthest_column = max(furthest_column, _column(letters))
            carried = step[-300:]
    if furthest_row * furthest_column > CELLS:
        raise RefusedFile("too_large", "A cell stands so far out that the sheet has too many cells; use CSV.")
    return left


def _inflated(packed: memoryview) -> Iterator[bytes]:
    unpacker = zlib.decompressobj(-15)
    try:
        for start in range(0, len(packed), _STEP):
            step: bytes = bytes(packed[start : start + _STEP])
            while step:
                yield unpacker.decompress(step, _STEP)
                step = unpacker.unconsumed_tail
    except zlib.error:
        raise RefusedFile("unreadable", _DAMAGED) from None


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number
