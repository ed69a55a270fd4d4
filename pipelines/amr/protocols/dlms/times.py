"""COSEM date-times: twelve octets, local time with the minutes from it to UTC and a status."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from pipelines.amr.faults import BadData
from pipelines.fields import EARLIEST, LATEST

_LENGTH = 12
_NO_DEVIATION = -0x8000
_DST = 0x80
_NO_STATUS = 0xFF
_NO_HUNDREDTHS = 0xFF
_DAY_MINUTES = 24 * 60


def instant(octets: bytes, zone: ZoneInfo) -> datetime:
    """Return a COSEM date-time in UTC, by its own deviation, else by ``zone`` and its daylight-saving flag.

    The deviation counts minutes from local time to UTC, so it is negative east of Greenwich.

    Raises
    ------
    BadData
        Not twelve octets, a wildcard where a date or time is needed, or no such date.

    Notes
    -----
    Source: DLMS UA Blue Book, 4.1.6.1 (date_time).
    """
    if len(octets) != _LENGTH:
        raise BadData(f"a date-time of {len(octets)} octets")
    at = _instant(octets, zone)
    if not EARLIEST <= at < LATEST:
        raise BadData(f"the date-time {octets.hex()} is out of range")
    return at


def _instant(octets: bytes, zone: ZoneInfo) -> datetime:
    year, month, day = int.from_bytes(octets[:2], "big"), octets[2], octets[3]
    hour, minute, second, hundredths = octets[5:9]
    deviation = int.from_bytes(octets[9:11], "big", signed=True)
    status = octets[11]
    try:
        local = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
        if hundredths != _NO_HUNDREDTHS:
            local += timedelta(milliseconds=10 * hundredths)
        if deviation != _NO_DEVIATION:
            if abs(deviation) > _DAY_MINUTES:
                raise BadData(f"a deviation of {deviation} minutes")
            return local + timedelta(minutes=deviation)
        # In the hour that autumn repeats, the flag tells the first (daylight saving) from the second pass.
        fold = int(status != _NO_STATUS and not status & _DST)
        return local.replace(tzinfo=zone, fold=fold).astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadData(f"no date-time: {octets.hex()}") from None


def date_time(at: datetime, zone: ZoneInfo) -> bytes:
    """Return an instant as a COSEM date-time in ``zone``, with its deviation and daylight-saving flag."""
    local = at.astimezone(zone)
    offset = local.utcoffset() or timedelta(0)
    deviation = -int(offset.total_seconds() // 60)
    status = _DST if local.dst() else 0
    return (
        local.year.to_bytes(2, "big")
        + bytes((local.month, local.day, local.isoweekday(), local.hour, local.minute, local.second, 0))
        + deviation.to_bytes(2, "big", signed=True)
        + bytes([status])
    )
