"""Reading profiles by time, in portions, so that what was read stays read."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from pipelines.amr.contract import Call, Found, MeterEvent, Reported, date_start, local_instant, offset_start
from pipelines.amr.faults import BadData, MeterFault, Misconfigured, Refused
from pipelines.amr.protocols.dlms.apdu import Attribute
from pipelines.amr.protocols.dlms.obis import obis_code, obis_text
from pipelines.amr.protocols.dlms.profile import (
    PROFILE_CLASS,
    Captured,
    Row,
    capture_objects,
    range_selection,
    read_rows,
    row_readings,
)
from pipelines.amr.protocols.dlms.registers import raise_together, scaler_of
from pipelines.amr.protocols.dlms.services import get
from pipelines.amr.protocols.dlms.settings import DEFAULT_PROFILE, Settings
from pipelines.amr.protocols.dlms.state import State
from pipelines.amr.protocols.dlms.units import ScalerUnit
from pipelines.amr.protocols.dlms.wire import Talk

_BUFFER, _CAPTURE_OBJECTS, _CAPTURE_PERIOD = 2, 3, 4
_SECOND = timedelta(seconds=1)
_MOST_PORTIONS = 4_000


def read_by_date(state: State, settings: Settings, call: Call) -> Talk[None]:
    """Read a profile from a date to a date, or to the meter's now."""
    zone, end = state.meter.zone, call.arguments.get("end_date")
    start = date_start(call, zone)
    yield from _read(state, settings, call, start, state.meter_now() if end is None else local_instant(end, zone))


def read_by_offset(state: State, settings: Settings, call: Call) -> Talk[None]:
    """Read a profile back from the meter's now, and further where earlier rows are still missing."""
    now = state.meter_now()
    yield from _read(state, settings, call, offset_start(call, now), now)


def read_events(state: State, settings: Settings, call: Call) -> Talk[None]:
    """Read the event log back from the meter's now and report each entry.

    Raises
    ------
    Refused, BadData
        The meter has no such log, or it holds no event codes.
    """
    now = state.meter_now()
    profile = obis_code(settings.events)
    columns = capture_objects((yield from get(state, Attribute(PROFILE_CLASS, profile, _CAPTURE_OBJECTS))))
    code_at = next((index for index, column in enumerate(columns) if column.interface == 1), None)
    if code_at is None:
        raise BadData(f"the log {settings.events} has no column of event codes")
    for first, last in portions(offset_start(call, now), now, timedelta(days=settings.days_per_request)):
        rows = yield from _rows(state, settings, profile, columns, first, last, None)
        events = [_event(row, row.values[code_at], settings) for row in rows]
        if events:
            yield Reported(events)


def portions(start: datetime, end: datetime, step: timedelta) -> Iterator[tuple[datetime, datetime]]:
    """Yield (first, last) second of each portion of ``[start, end]``, oldest first, without a hole or an overlap."""
    while start <= end:
        following = start + step
        yield start, min(end, following - _SECOND)
        start = following


def _event(row: Row, value: object, settings: Settings) -> MeterEvent:
    code = value if isinstance(value, int) else -1
    title = settings.event_titles.get(code, f"Event {value}")[:50]
    return MeterEvent(row.at, title, f"{settings.events}: code {value}"[:500])


def _read(state: State, settings: Settings, call: Call, start: datetime, end: datetime) -> Talk[None]:
    """Read ``[start, end]`` and store it portion by portion.

    Raises
    ------
    Refused, BadData
        The profile is refused; or, after all else is stored, columns whose unit the meter does not tell.
    Misconfigured
        The range is longer than any archive.
    """
    profile = obis_code(call.arguments.get("profile") or DEFAULT_PROFILE)
    step = timedelta(days=settings.days_per_request)
    if (end - start) / step > _MOST_PORTIONS:
        raise Misconfigured(f"{obis_text(profile)} would take more than {_MOST_PORTIONS} requests from {start:%F}")
    columns = capture_objects((yield from get(state, Attribute(PROFILE_CLASS, profile, _CAPTURE_OBJECTS))))
    period = yield from _period(state, settings, profile)
    scales, faults = yield from _scales(state, settings, columns)
    for first, last in portions(start, end, step):
        rows = yield from _rows(state, settings, profile, columns, first, last, period)
        readings = row_readings(rows, columns, scales, settings, period)
        if rows and readings:
            yield Found(readings, covered=(start, rows[-1].at))
    raise_together(faults)


def _rows(
    state: State,
    settings: Settings,
    profile: bytes,
    columns: tuple[Captured, ...],
    first: datetime,
    last: datetime,
    period: timedelta | None,
) -> Talk[list[Row]]:
    zone = state.meter.zone
    selection = range_selection(first, last, zone)
    buffer = yield from get(state, Attribute(PROFILE_CLASS, profile, _BUFFER), selection)
    return read_rows(buffer, columns, period, zone, nulls_repeat=settings.nulls_repeat)


def _period(state: State, settings: Settings, profile: bytes) -> Talk[timedelta | None]:
    """Return the capture period: the model's, else the meter's; 0 means captured by events."""
    if settings.period is not None:
        return settings.period
    try:
        seconds = yield from get(state, Attribute(PROFILE_CLASS, profile, _CAPTURE_PERIOD))
    except Refused:
        return None
    return timedelta(seconds=seconds) if isinstance(seconds, int) and 0 < seconds < 2**31 else None


def _scales(
    state: State, settings: Settings, columns: tuple[Captured, ...]
) -> Talk[tuple[list[ScalerUnit | None], list[MeterFault]]]:
    """Return each column's scale, None for those that are not kept, and what the meter refused."""
    scales: list[ScalerUnit | None] = []
    faults: list[MeterFault] = []
    for column in columns:
        known = settings.column(column.series)
        scale = known.fixed
        if scale is None and known.is_kept and column.is_register:
            try:
                scale = yield from scaler_of(state, column.interface, column.obis)
            except (Refused, BadData) as fault:
                faults.append(fault)
        scales.append(scale if known.is_kept and not column.is_time else None)
    return scales, faults
