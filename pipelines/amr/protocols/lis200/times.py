"""The local times of a LIS-200 device."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from pipelines.amr.faults import BadData

_LENGTH = len("2026-03-01,00:15:00")
_DATE = len("2026-03-01")
_DAY = timedelta(days=1)


def written(at: datetime, zone: ZoneInfo) -> str:
    """Return an instant as ``YYYY-MM-DD,HH:MM:SS`` on the device's clock."""
    return f"{at.astimezone(zone):%Y-%m-%d,%H:%M:%S}"


class LocalTimes:
    """Turns ``YYYY-MM-DD,HH:MM:SS`` of one zone into instants; the offset of each day is looked up once."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._offsets: dict[str, timedelta | None] = {}

    def instant(self, text: str, after: datetime | None = None) -> datetime:
        """Return the instant in UTC; of two that a clock change makes possible the first not before ``after``.

        Raises
        ------
        BadData
            The text is no time, or its year does not lie from 1970 to 2099.
        """
        if len(text) != _LENGTH or text[13] != ":" or text[16] != ":":
            raise BadData(f"{text[:40]!r} is no time")
        try:
            local = datetime.fromisoformat(text + "+00:00")
            day = text[:_DATE]
            if day not in self._offsets:
                self._offsets[day] = self._offset(local.replace(tzinfo=None))
            offset = self._offsets[day]
        except ValueError:
            raise BadData(f"{text!r} is no time") from None
        if offset is not None:
            return local - offset
        first = local.replace(tzinfo=self._zone)
        if after is None or first.astimezone(UTC) >= after:
            return first.astimezone(UTC)
        return first.replace(fold=1).astimezone(UTC)

    def _offset(self, naive: datetime) -> timedelta | None:
        """Return the offset that holds all day, None on a day on which the clocks change."""
        if not 1970 <= naive.year < 2100:
            raise ValueError
        midnight = naive.replace(hour=0, minute=0, second=0, tzinfo=self._zone)
        offsets = {edge.replace(fold=fold).utcoffset() for edge in (midnight, midnight + _DAY) for fold in (0, 1)}
        return offsets.pop() if len(offsets) == 1 else None
