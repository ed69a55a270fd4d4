"""Temperatures from a CSV file: every row has a verdict, and a wrong one takes no good one with it."""

import csv
import gzip
import math
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path

import numpy as np

from analytics.calendar import to_us
from analytics.temperatures import WholeHours, to_whole_hours
from pipelines.errors import RejectedInput, WattloomError
from pipelines.fields import instant

TIME_NAMES = ("timestamp", "time", "datetime", "dt")
CELSIUS_NAMES = ("temperature_c", "temp_c", "tempc")
FAHRENHEIT_NAMES = ("temperature_f", "temp_f", "tempf")
COLDEST_C, WARMEST_C = -100.0, 70.0
"""Wider than anything measured on Earth (-89.2 and 56.7), narrower than a wrong unit."""
_LONGEST_LINE = 65_536
_GZIP = b"\x1f\x8b"
_NUMBER = re.compile(r"[+-]?[0-9]{1,9}(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,2})?")
_STRAY = "No other row lies within 3 hours, so that no whole hour could be told from this one."


@dataclass(frozen=True, kw_only=True)
class RejectedRow:
    """Why a row was not taken; the first data row is 1."""

    row: int
    column: str
    code: str
    detail: str


@dataclass(frozen=True, kw_only=True, eq=False)
class TemperatureFile:
    """What a file says: its temperatures by whole hours, how many rows it has, and those that were not taken."""

    hours: WholeHours
    rows: int
    rejected: tuple[RejectedRow, ...]

    def write_rejected(self, path: Path) -> None:
        """Write every rejected row and its reason as CSV: row, column, code, detail.

        Raises
        ------
        WattloomError
            The file cannot be written.
        """
        try:
            with path.open("w", encoding="utf-8", newline="") as target:
                writer = csv.writer(target)
                writer.writerow(["row", "column", "code", "detail"])
                writer.writerows([r.row, r.column, r.code, r.detail] for r in self.rejected)
        except OSError as error:
            raise WattloomError(f"the rejected rows cannot be written to {path}: {error.strerror}") from error


@dataclass
class _Taken:
    row: list[int] = field(default_factory=list)
    time_us: list[int] = field(default_factory=list)
    temperature_c: list[float] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class _Header:
    separator: str
    columns: int
    time: int
    time_name: str
    value: int
    value_name: str
    is_fahrenheit: bool


def read_temperatures(path: Path) -> TemperatureFile:
    """Read ``timestamp,temperature_c`` (or ``temperature_f``), plain or gzip, in any order.

    Raises
    ------
    RejectedInput
        The file cannot be read, or its header lacks a column.
    """
    taken, rejected, rows = _Taken(), [], 0
    try:
        with _opened(path) as stream:
            lines = _lines(stream)
            header = _header(next(lines, ""))
            for row, line in enumerate(lines, start=1):
                if not line.strip(' \t"' + header.separator):
                    continue
                rows += 1
                fault = _take(line, row, header, taken)
                if fault is not None:
                    rejected.append(fault)
    except (OSError, EOFError, zlib.error) as error:
        raise RejectedInput({"file": [f"{path}: {_reason(error)}"]}) from None
    at = np.array(taken.time_us, dtype=np.int64)
    hours = to_whole_hours(at, np.array(taken.temperature_c, dtype=np.float64))
    rejected += [
        RejectedRow(row=taken.row[n], column=header.time_name, code="too_sparse", detail=_STRAY)
        for n in np.flatnonzero(hours.is_stray).tolist()
    ]
    return TemperatureFile(hours=hours, rows=rows, rejected=tuple(sorted(rejected, key=lambda one: one.row)))


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return "the compressed data is damaged or cut off"


def _opened(path: Path) -> gzip.GzipFile | BufferedReader:
    with path.open("rb") as stream:
        is_compressed = stream.read(len(_GZIP)) == _GZIP
    return gzip.open(path, "rb") if is_compressed else path.open("rb")


def _lines(stream: gzip.GzipFile | BufferedReader) -> Iterator[str]:
    """Yield lines; of one that never ends only the beginning, which no header or row fits."""
    is_first = True
    while line := stream.readline(_LONGEST_LINE):
        rest = line
        while len(rest) == _LONGEST_LINE and not rest.endswith(b"\n"):
            rest = stream.readline(_LONGEST_LINE)
        yield line.decode("utf-8-sig" if is_first else "utf-8", errors="replace").rstrip("\r\n")
        is_first = False


def _header(line: str) -> _Header:
    separator = max(",;\t|", key=line.count)
    names = [name.strip().strip('"').strip().lower() for name in line.split(separator)]
    time = _place("timestamp", names, TIME_NAMES)
    celsius = [names.index(name) for name in CELSIUS_NAMES if name in names]
    fahrenheit = [names.index(name) for name in FAHRENHEIT_NAMES if name in names]
    if len(celsius) + len(fahrenheit) != 1:
        said = "more than one column" if celsius or fahrenheit else "no column"
        raise RejectedInput(
            {"temperature_c": [f"The header has {said} of temperatures; expected temperature_c or temperature_f."]}
        )
    value = (celsius + fahrenheit)[0]
    return _Header(
        separator=separator,
        columns=len(names),
        time=time,
        time_name=names[time],
        value=value,
        value_name=names[value],
        is_fahrenheit=bool(fahrenheit),
    )


def _place(wanted: str, names: list[str], known: tuple[str, ...]) -> int:
    found = [names.index(name) for name in known if name in names]
    if not found:
        raise RejectedInput({wanted: [f"The header has no column {wanted}; it has {', '.join(names)[:200]!r}."]})
    return found[0]


def _take(line: str, row: int, header: _Header, taken: _Taken) -> RejectedRow | None:
    """Keep a row, or say what is wrong with it."""
    try:
        cells = next(csv.reader([line], delimiter=header.separator, strict=True, skipinitialspace=True))
    except (csv.Error, StopIteration):
        return RejectedRow(row=row, column="", code="malformed_row", detail="The row has an open quote.")
    if len(cells) != header.columns:
        said = f"The row has {len(cells)} fields, the header {header.columns}; is the decimal sign no point?"
        return RejectedRow(row=row, column="", code="wrong_field_count", detail=said)
    try:
        at = instant(cells[header.time].strip())
    except ValueError as error:
        return RejectedRow(row=row, column=header.time_name, code="invalid_time", detail=str(error))
    text = cells[header.value].strip()
    if not _NUMBER.fullmatch(text):
        code = "invalid_number" if text else "missing_value"
        said = "A number with a decimal point is expected." if text else "There is no temperature."
        return RejectedRow(row=row, column=header.value_name, code=code, detail=said)
    temperature_c = (float(text) - 32.0) / 1.8 if header.is_fahrenheit else float(text)
    if not COLDEST_C <= temperature_c <= WARMEST_C or not math.isfinite(temperature_c):
        said = f"{temperature_c:.6g} °C is no temperature of air (from {COLDEST_C:g} to {WARMEST_C:g})."
        return RejectedRow(row=row, column=header.value_name, code="out_of_range", detail=said)
    taken.row.append(row)
    taken.time_us.append(to_us(at))
    taken.temperature_c.append(temperature_c)
    return None
