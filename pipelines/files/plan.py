"""What a load of interval files is told, and what it says afterwards: a verdict for every row."""

import csv
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Literal, overload

from pipelines.errors import WattloomError


@dataclass(frozen=True, kw_only=True)
class LoadPlan:
    """How interval files are read and whose they are; what is None is found in the files.

    Parameters
    ----------
    organization : str
        Its name; it owns the devices that are found or created.
    device_column, time_column, value_column : str, optional
        Column names; else the usual ones are looked for. Without a device column a file's stem is its device.
    unit : str, optional
        Unit of energy; else from the value column's name, else kWh.
    interval_s : int, optional, [s]
        Length of an interval, kept with the series; else inferred when energy is derived.
    timezone : str
        Zone of the devices.
    timestamps : {'local', 'utc'}
        Whether times without an offset are in ``timezone`` or in UTC.
    """

    organization: str
    device_column: str | None = None
    time_column: str | None = None
    value_column: str | None = None
    unit: str | None = None
    interval_s: int | None = None
    timezone: str = "UTC"
    timestamps: Literal["local", "utc"] = "local"


BLANKS = " \t\r\u00a0"  # stand around a field without being part of it


class Code(StrEnum):
    """Why a row of a file was rejected before it was delivered."""

    WRONG_FIELD_COUNT = "wrong_field_count"
    MALFORMED_ROW = "malformed_row"
    INVALID_DEVICE = "invalid_device"
    MISSING_TIME = "missing_time"
    INVALID_TIME = "invalid_time"
    TIME_OUT_OF_RANGE = "time_out_of_range"
    NONEXISTENT_LOCAL_TIME = "nonexistent_local_time"
    REPEATED_LOCAL_TIME = "repeated_local_time"
    MISSING_VALUE = "missing_value"
    INVALID_VALUE = "invalid_value"
    VALUE_TOO_LONG = "value_too_long"
    OTHER_UNIT = "other_unit"
    OTHER_KIND = "other_kind"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why rows were rejected: the column at fault, a stable code and one sentence."""

    column: str
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that was not stored; the first row under the header is 1."""

    file: str
    row: int
    column: str
    code: str
    detail: str


class RejectedRows(Sequence[Rejected]):
    """Rejected rows in the order of the files, in 12 bytes each, so that many of them fit in memory."""

    def __init__(self) -> None:
        self._rows = array("q")
        self._reasons = array("i")
        self._known: dict[tuple[str, Reason], int] = {}
        self._kinds: list[tuple[str, Reason]] = []

    def add(self, file: str, rows: Iterable[tuple[int, Reason]]) -> None:
        """Append rows of one file."""
        for row, reason in rows:
            kind = self._known.setdefault((file, reason), len(self._kinds))
            if kind == len(self._kinds):
                self._kinds.append((file, reason))
            self._rows.append(row)
            self._reasons.append(kind)

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> Rejected: ...
    @overload
    def __getitem__(self, index: slice) -> list[Rejected]: ...
    def __getitem__(self, index: int | slice) -> Rejected | list[Rejected]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        file, reason = self._kinds[self._reasons[index]]
        return Rejected(file, self._rows[index], reason.column, reason.code, reason.detail)

    def __iter__(self) -> Iterator[Rejected]:
        return (self[i] for i in range(len(self)))


@dataclass(kw_only=True)
class LoadOutcome:
    """The verdicts of a load: accepted + staged + rejected is the number of its rows.

    Blank lines are no rows. ``accepted`` rows are new, corrections, or unchanged; a row is ``staged`` only where
    its meter was deleted while the load ran. ``devices`` counts those that have accepted rows.
    """

    rows: int = 0
    accepted: int = 0
    inserted: int = 0
    corrected: int = 0
    staged: int = 0
    devices: int = 0
    rejected: RejectedRows = field(default_factory=RejectedRows)

    @property
    def unchanged(self) -> int:
        """Accepted rows that were stored before, or stand in the file twice."""
        return self.accepted - self.inserted - self.corrected

    def write_rejected(self, path: Path) -> None:
        """Write every rejected row and its reason as CSV: file, row, column, code, detail.

        Raises
        ------
        WattloomError
            The file cannot be written.
        """
        try:
            with path.open("w", encoding="utf-8", newline="") as target:
                writer = csv.writer(target)
                writer.writerow(["file", "row", "column", "code", "detail"])
                writer.writerows([r.file, r.row, r.column, r.code, r.detail] for r in self.rejected)
        except OSError as error:
            raise WattloomError(f"the rejected rows cannot be written to {path}: {error.strerror}") from error
