"""One home's interval CSV: `timestamp` with its offset and `energy_wh` or `power_w`; every row has a verdict."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from pathlib import Path
from typing import Literal, NoReturn

import numpy as np
import numpy.typing as npt

from analytics.cadence import cadences, cut_at_cadences
from analytics.registers import Channel
from pipelines.db.bulk import MAX_SCALE
from pipelines.errors import RejectedInput
from pipelines.files.csv_rows import read_rows
from pipelines.files.decimal_columns import parse_decimals
from pipelines.files.interval_rows import VALUE_DETAILS
from pipelines.files.layout import Layout, separator_of, split_line
from pipelines.files.plan import BLANKS
from pipelines.files.text_blocks import TextFile
from pipelines.files.time_columns import parse_times

TIME = "timestamp"
MEASURES = {"energy_wh": "energy", "power_w": "power"}
_WITH_OFFSET = r"(?:[Zz]|[+-][0-9]{2}(?::?[0-9]{2})?)$"
_LARGEST = 9 * 10**18
_UWH_PER_WH = 10**6

Measure = Literal["energy", "power"]


class HomeCode(StrEnum):
    """Why a row of a home's file was rejected, beside the codes of every interval file."""

    MISSING_OFFSET = "missing_offset"
    DUPLICATE_TIME = "duplicate_time"


DETAILS: dict[str, str] = {
    **{str(code): detail for code, detail in VALUE_DETAILS.items()},
    HomeCode.MISSING_OFFSET: "The time has no offset: end it in Z or in one such as +01:00.",
    HomeCode.DUPLICATE_TIME: "A later row has the same time; that one counts.",
}


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A row that was not taken; the first row under the header is 1."""

    row: int
    column: str
    code: str
    detail: str


@dataclass(frozen=True, kw_only=True)
class HomeFile:
    """The good rows of a file in order of time, and the others.

    Parameters
    ----------
    measure : {'energy', 'power'}
        Energy of the interval that starts at each time [Wh], or its mean power [W].
    time_us : ndarray of int64, shape (n,), [µs since the epoch, UTC]
        Strictly increasing.
    values : ndarray of int64, shape (n,)
        The true value is `values * 10**-exponent`.
    exponent : int
    rows : int
        Of the file; blank lines are none.
    rejected : tuple of RejectedRow
    """

    measure: Measure
    time_us: npt.NDArray[np.int64]
    values: npt.NDArray[np.int64]
    exponent: int
    rows: int
    rejected: tuple[RejectedRow, ...]

    def channels(self) -> list[Channel]:
        """Return the file as one load profile, cut where the spacing of its rows changes."""
        whole = Channel(
            kind="interval",
            times_us=self.time_us,
            values=self.values,
            exponent=self.exponent,
            uwh_per_unit=Fraction(_UWH_PER_WH),
        )
        runs = cut_at_cadences(whole, cadences(self.time_us))
        if self.measure == "energy":
            return runs
        return [
            Channel(
                kind="interval",
                times_us=run.times_us,
                values=run.values,
                exponent=run.exponent,
                uwh_per_unit=Fraction(_UWH_PER_WH * (run.interval_s or 0), 3600),
                interval_s=run.interval_s,
            )
            for run in runs
        ]


@dataclass(frozen=True, kw_only=True)
class _Block:
    row: npt.NDArray[np.int64]
    time_us: npt.NDArray[np.int64]
    mantissa: npt.NDArray[np.int64]
    scale: npt.NDArray[np.int16]


def read_home(path: Path) -> HomeFile:
    """Read a home's file, plain or gzip, its rows in any order.

    Raises
    ------
    RejectedInput
        The file cannot be read, its header is wrong, or not two of its rows are right.
    """
    rejected: list[RejectedRow] = []
    blocks: list[_Block] = []
    rows = 0
    with TextFile(path) as text:
        layout = _layout(path, text.header)
        first_row = 1
        for block in text.blocks():
            taken, count, lines = _read_block(block, layout, first_row, rejected)
            blocks.append(taken)
            rows += count
            first_row += lines
    time_column = layout.columns[layout.time]
    row, time_us, mantissa, scale = (
        np.concatenate([np.empty(0, dtype=kind), *(getattr(block, name) for block in blocks)])
        for name, kind in (
            ("row", np.int64),
            ("time_us", np.int64),
            ("mantissa", np.int64),
            ("scale", np.int16),
        )
    )
    order = np.lexsort((row, time_us))
    is_last = np.append(np.diff(time_us[order]) != 0, np.ones(min(row.size, 1), dtype=np.bool_))
    replaced, kept = order[~is_last], order[is_last]
    rejected += [_verdict(number, time_column, HomeCode.DUPLICATE_TIME) for number in row[replaced].tolist()]
    rejected.sort(key=lambda verdict: verdict.row)
    if kept.size < 2:
        said = f"; row {rejected[0].row}, {rejected[0].column}: {rejected[0].detail}" if rejected else ""
        _refuse(path, f"has {kept.size} good rows of {rows}, and at least two are needed{said}")
    values, exponent = _at_one_exponent(mantissa[kept], scale[kept])
    return HomeFile(
        measure="power" if layout.unit == "power" else "energy",
        time_us=time_us[kept],
        values=values,
        exponent=exponent,
        rows=rows,
        rejected=tuple(rejected),
    )


def _layout(path: Path, header: str) -> Layout:
    separator = separator_of(header)
    columns = [name.strip().lower() for name in split_line(header, separator)]
    values = [name for name in columns if name in MEASURES]
    for wanted, found in ((TIME, columns.count(TIME)), (" or ".join(MEASURES), len(values))):
        if found != 1:
            what = f"{found} columns" if found else "no column"
            _refuse(path, f"has {what} {wanted}; its columns are {', '.join(map(repr, columns))[:500]}")
    return Layout(
        separator=separator,
        columns=tuple(columns),
        device=None,
        time=columns.index(TIME),
        value=columns.index(values[0]),
        unit=MEASURES[values[0]],
    )


def _read_block(
    block: bytes, layout: Layout, first_row: int, rejected: list[RejectedRow]
) -> tuple[_Block, int, int]:
    rows = read_rows(block, layout)
    time_column, value_column = layout.columns[layout.time], layout.columns[layout.value]
    times, values = parse_times(rows.time, zone="UTC", timestamps="utc"), parse_decimals(rows.value)
    offset = rows.time.str.strip_chars(BLANKS).str.contains(_WITH_OFFSET).fill_null(value=False).to_numpy()
    is_time = ~np.logical_or.reduce(list(times.faults.values()))
    faults: list[tuple[str, str, npt.NDArray[np.bool_]]] = [
        *((code, value_column, mask) for code, mask in rows.faults.items()),
        *((code, time_column, mask) for code, mask in times.faults.items()),
        (HomeCode.MISSING_OFFSET, time_column, is_time & ~offset),
        *((code, value_column, mask) for code, mask in values.faults.items()),
    ]
    fault = np.zeros(len(rows.place), dtype=np.int64)
    for number, (_, _, mask) in enumerate(faults, start=1):
        fault[(fault == 0) & mask] = number
    good, bad = np.flatnonzero(fault == 0), np.flatnonzero(fault)
    for place in bad.tolist():
        code, column, _ = faults[fault[place] - 1]
        rejected.append(_verdict(int(rows.place[place]) + first_row, column, code))
    taken = _Block(
        row=rows.place[good] + first_row,
        time_us=times.time_us[good],
        mantissa=values.mantissa[good],
        scale=values.scale[good],
    )
    return taken, len(rows.place), rows.lines


def _verdict(row: int, column: str, code: str) -> RejectedRow:
    return RejectedRow(row, column, str(code), DETAILS[code])


def _at_one_exponent(
    mantissa: npt.NDArray[np.int64], scale: npt.NDArray[np.int16]
) -> tuple[npt.NDArray[np.int64], int]:
    """Return values as integers of the finest decimals that they have and an int64 holds."""
    magnitude = np.abs(mantissa).astype(np.float64) / np.power(10.0, scale)
    exponent = min(int(scale.max()), MAX_SCALE)
    while exponent and magnitude.max() * 10.0**exponent >= _LARGEST:
        exponent -= 1
    finer, coarser = np.maximum(exponent - scale, 0), np.maximum(scale - exponent, 0)
    step = np.power(np.int64(10), coarser.astype(np.int64))
    rounded = np.sign(mantissa) * ((np.abs(mantissa) + step // 2) // step)
    return rounded * np.power(np.int64(10), finer.astype(np.int64)), exponent


def listed(rejected: tuple[RejectedRow, ...], most: int) -> Iterator[str]:
    """Yield a line for each of the first rejected rows, and one for how many more there are."""
    for verdict in rejected[:most]:
        yield f"row {verdict.row}, {verdict.column}: {verdict.code}: {verdict.detail}"
    if len(rejected) > most:
        yield f"... and {len(rejected) - most} more"


def _refuse(path: Path, reason: str) -> NoReturn:
    raise RejectedInput({str(path): [reason]})
