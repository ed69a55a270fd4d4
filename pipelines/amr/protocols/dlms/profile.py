"""Load profiles: what a buffer's rows mean. No conversation here, so that a sample can prove a model."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from pipelines.amr.contract import Reading
from pipelines.amr.faults import BadData
from pipelines.amr.protocols.dlms.axdr import Data, octet_string
from pipelines.amr.protocols.dlms.obis import CLOCK, obis_text
from pipelines.amr.protocols.dlms.registers import LAYOUTS, number_of
from pipelines.amr.protocols.dlms.settings import Settings
from pipelines.amr.protocols.dlms.times import date_time, instant
from pipelines.amr.protocols.dlms.units import ScalerUnit

PROFILE_CLASS = 7
COLUMN_LIMIT = 100
_CLOCK_CLASS = 8
_RANGE_DESCRIPTOR = b"\x01\x02\x04"
_ALL_COLUMNS = b"\x01\x00"
# The value in the buffer is the whole attribute.
_CLOCK_TIME = b"\x02\x04\x12\x00\x08" + octet_string(CLOCK) + b"\x0f\x02\x12\x00\x00"


@dataclass(frozen=True, slots=True)
class Captured:
    """A capture object: whose attribute a column holds."""

    interface: int
    obis: bytes
    attribute: int

    @property
    def is_time(self) -> bool:
        """Whether the column is the time of its row."""
        return self.interface == _CLOCK_CLASS and self.attribute == 2

    @property
    def series(self) -> str:
        """The series that the column feeds."""
        return obis_text(self.obis)

    @property
    def is_register(self) -> bool:
        """Whether the column holds the value of a register that has a scaler and unit."""
        layout = LAYOUTS.get(self.interface)
        return layout is not None and layout.scaler_unit is not None and layout.value == self.attribute


def capture_objects(value: Data) -> tuple[Captured, ...]:
    """Return the attribute ``capture_objects``.

    Raises
    ------
    BadData
        It is no list of capture objects, or names no time.

    Notes
    -----
    Source: DLMS UA Blue Book, 4.3.6 (Profile generic).
    """
    found = []
    for entry in value if isinstance(value, list) else ():
        match entry:
            case [int(interface), bytes(obis), int(attribute), int()] if len(obis) == 6:
                found.append(Captured(interface, obis, abs(attribute)))
            case _:
                raise BadData(f"no capture object: {str(entry)[:60]}")
    if not any(column.is_time for column in found) or len(found) > COLUMN_LIMIT:
        raise BadData("a profile without a time column, or with too many columns")
    return tuple(found)


def range_selection(start: datetime, end: datetime, zone: ZoneInfo) -> bytes:
    """Return the selective access by time, ``start <= time <= end``, all columns."""
    limits = octet_string(date_time(start, zone)) + octet_string(date_time(end, zone))
    return _RANGE_DESCRIPTOR + _CLOCK_TIME + limits + _ALL_COLUMNS


@dataclass(frozen=True, slots=True)
class Row:
    """One entry of a buffer: its instant in UTC, and its values with the repeats filled in."""

    at: datetime
    values: list[Data]


def read_rows(
    buffer: Data,
    columns: Sequence[Captured],
    period: timedelta | None,
    zone: ZoneInfo,
    *,
    nulls_repeat: bool = True,
) -> list[Row]:
    """Return the rows of a buffer, oldest first.

    A null time is the time before plus the capture period; a null value is the value before, where ``nulls_repeat``.

    Raises
    ------
    BadData
        Rows of other lengths than the columns, or a time that cannot be told.
    """
    if not isinstance(buffer, list):
        raise BadData("a profile buffer that is no array")
    time_at = next(index for index, column in enumerate(columns) if column.is_time)
    rows: list[Row] = []
    for entry in buffer:
        if not isinstance(entry, list) or len(entry) != len(columns):
            raise BadData(f"a row of a profile does not have its {len(columns)} columns")
        before = rows[-1] if rows else None
        values = entry
        if before is not None and nulls_repeat:
            values = [old if new is None else new for new, old in zip(entry, before.values, strict=True)]
        rows.append(Row(_row_time(entry[time_at], before, period, zone), values))
    return sorted(rows, key=lambda row: row.at)


def _row_time(value: Data, before: Row | None, period: timedelta | None, zone: ZoneInfo) -> datetime:
    if isinstance(value, bytes):
        return instant(value, zone)
    if value is None and before is not None and period:
        return before.at + period
    raise BadData("a row of a profile without a time")


def row_readings(
    rows: Sequence[Row],
    columns: Sequence[Captured],
    scales: Sequence[ScalerUnit | None],
    settings: Settings,
    period: timedelta | None,
) -> list[Reading]:
    """Return the readings of rows; a column without scale is not kept.

    A mean or sum over an interval is labelled by the start of it: one period before the row's instant where the
    model says that the meter labels the end.

    Raises
    ------
    BadData
        The period is needed and not known.
    """
    found = []
    for index, (column, scale) in enumerate(zip(columns, scales, strict=True)):
        if scale is None:
            continue
        shift = timedelta(0)
        if settings.column(column.series).is_end_labelled:
            if not period:
                raise BadData(f"{column.series} is labelled by the end of a period that is not known")
            shift = period
        for row in rows:
            number = number_of(row.values[index])
            if number is not None:
                found.append(Reading(column.series, row.at - shift, scale.apply(number), scale.unit))
    return found
