"""A block of an interval file into readings that can be delivered, and a reason for every row that cannot."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from pipelines.files import csv_rows, decimal_columns, time_columns
from pipelines.files.csv_rows import Rows, read_rows
from pipelines.files.decimal_columns import parse_decimals
from pipelines.files.layout import Layout
from pipelines.files.plan import BLANKS, Code, Reason
from pipelines.files.time_columns import RepeatedTimes, parse_times

MAX_NAME = 50
FILE_NAME = "(file name)"
_INVALID_DEVICE = f"A device's name has 1 to {MAX_NAME} characters, none of them a control character."
_VALID_DEVICE = rf"^[^\x00-\x1f\x7f]{{1,{MAX_NAME}}}$"
VALUE_DETAILS = {**csv_rows.DETAILS, **time_columns.DETAILS, **decimal_columns.DETAILS}
"""What is wrong with a row's form, its time or its value, by code."""
_DETAILS = {**VALUE_DETAILS, Code.INVALID_DEVICE: _INVALID_DEVICE}


@dataclass(frozen=True, kw_only=True)
class IntervalRows:
    """The good rows of a block, column by column, and the others.

    ``row`` [n] is each good row's number in its file; ``device`` [n] points into ``devices``; ``rejected``
    holds (number, reason) in the order of the file; ``rows`` counts both, ``lines`` the blank lines too.
    """

    row: npt.NDArray[np.int64]
    devices: list[str]
    device: npt.NDArray[np.int32]
    time_us: npt.NDArray[np.int64]
    mantissa: npt.NDArray[np.int64]
    scale: npt.NDArray[np.int16]
    rejected: list[tuple[int, Reason]]
    rows: int
    lines: int


class IntervalParser:
    """Parses the blocks of one file, which it must be given in their order.

    Parameters
    ----------
    stem : str
        The device of every row where the file has no device column.
    zone, timestamps
        As in `LoadPlan`.
    """

    def __init__(self, layout: Layout, *, stem: str, zone: str, timestamps: Literal["local", "utc"]) -> None:
        self._layout = layout
        self._stem = stem
        self._zone = zone
        self._timestamps = timestamps
        self._repeated = RepeatedTimes()
        columns = layout.columns
        self.device_column = FILE_NAME if layout.device is None else columns[layout.device]
        self.time_column = columns[layout.time]
        self.value_column = columns[layout.value]

    def parse(self, block: bytes, *, first_row: int) -> IntervalRows:
        """Return the rows of a block whose first line has the number ``first_row``."""
        rows = read_rows(block, self._layout)
        device, is_device = self._devices(rows)
        times = parse_times(rows.time, zone=self._zone, timestamps=self._timestamps)
        values = parse_decimals(rows.value)
        faults = [
            *((code, self.value_column, mask) for code, mask in rows.faults.items()),
            (Code.INVALID_DEVICE, self.device_column, ~is_device),
            *((code, self.time_column, mask) for code, mask in times.faults.items()),
        ]
        placed = ~np.logical_or.reduce([mask for _, _, mask in faults])
        # A row whose value is bad still is one of the two passes of its hour.
        twice = np.flatnonzero(placed & (times.later_us != times.time_us))
        too_often = self._repeated.settle(device.gather(twice).to_list(), times, twice)
        faults.append((Code.REPEATED_LOCAL_TIME, self.time_column, too_often))
        faults += [(code, self.value_column, mask) for code, mask in values.faults.items()]
        reasons = [Reason(column, code, _DETAILS[code]) for code, column, _ in faults]
        fault = np.zeros(len(rows.place), dtype=np.int64)
        for number, (_, _, mask) in enumerate(faults, start=1):
            fault[(fault == 0) & mask] = number
        good, bad = np.flatnonzero(fault == 0), np.flatnonzero(fault)
        names, index = _indexed(device.gather(good))
        return IntervalRows(
            row=rows.place[good] + first_row,
            devices=names,
            device=index,
            time_us=times.time_us[good],
            mantissa=values.mantissa[good],
            scale=values.scale[good],
            rejected=[
                (row, reasons[number - 1])
                for row, number in zip((rows.place[bad] + first_row).tolist(), fault[bad].tolist(), strict=True)
            ],
            rows=len(rows.place),
            lines=rows.lines,
        )

    def _devices(self, rows: Rows) -> tuple[pl.Series, npt.NDArray[np.bool_]]:
        """Return each row's device [n], and where it is a name that a device may have."""
        if rows.device is None:
            count = len(rows.place)
            return pl.repeat(self._stem, count, dtype=pl.String, eager=True), np.ones(count, dtype=np.bool_)
        names = rows.device.str.strip_chars(BLANKS).fill_null("")
        return names, names.str.contains(_VALID_DEVICE).to_numpy()


def _indexed(names: pl.Series) -> tuple[list[str], npt.NDArray[np.int32]]:
    """Return the distinct names in order of appearance, and [n] which of them each row has."""
    distinct = names.unique(maintain_order=True)
    if len(distinct) <= 1:
        return distinct.to_list(), np.zeros(len(names), dtype=np.int32)
    places = pl.int_range(len(distinct), dtype=pl.Int32, eager=True)
    return distinct.to_list(), names.replace_strict(distinct, places).to_numpy()
