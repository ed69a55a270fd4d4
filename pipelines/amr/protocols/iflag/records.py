"""Cuts the blocks of a database transfer into records and the records into readings, newest first."""

from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from pipelines.amr.contract import Reading
from pipelines.amr.faults import BadData
from pipelines.amr.protocols.iflag.layouts import Firmware, Layout, stamp_of
from pipelines.amr.protocols.iflag.times import before


class Records:
    """One transfer of a database; it keeps an unfinished record and the span of what it has seen."""

    def __init__(self, firmware: Firmware, database: str, zone: ZoneInfo, pulse_weight: Decimal | None) -> None:
        self.oldest: datetime | None = None
        self.newest: datetime | None = None
        self._firmware = firmware
        self._database = database
        self._zone = zone
        self._pulse_weight = pulse_weight
        self._layout: Layout | None = None
        self._length = 0
        self._rest = b""

    def begin(self, data: bytes) -> list[Reading]:
        """Take the data of the first block: the length of a record, 0 if there is none, and the newest records.

        Raises
        ------
        Unsupported
            The model file does not describe records of this length.
        BadData
            The block is empty, or a value in it is none.
        """
        if not data:
            raise BadData("the first block of a database does not say how long a record is")
        self._length = data[0]
        if self._length == 0:
            return []
        self._layout = self._firmware.layout(self._database, self._length)
        return self.take(data[1:])

    def take(self, data: bytes) -> list[Reading]:
        """Return the readings of the records that ``data`` completes; a record may begin in an earlier block.

        Raises
        ------
        BadData
            A value is none, or there are records where none were announced.
        """
        if self._layout is None:
            raise BadData("the meter announced no records and sends some")
        data = self._rest + data
        whole = len(data) - len(data) % self._length
        self._rest = data[whole:]
        readings: list[Reading] = []
        for start in range(0, whole, self._length):
            readings += self._readings(self._layout, data[start : start + self._length])
        return readings

    @property
    def is_torn(self) -> bool:
        """Whether the last record is not whole yet."""
        return bool(self._rest)

    def end(self) -> None:
        """Check that the transfer ended with a whole record.

        Raises
        ------
        BadData
            It did not.
        """
        if self._rest:
            raise BadData(f"the database ends with {len(self._rest)} bytes of a record of {self._length}")

    def _readings(self, layout: Layout, record: bytes) -> list[Reading]:
        stamp = stamp_of(layout, record)
        if stamp is None:
            return []
        at = before(stamp, self._zone, self.oldest)
        self.oldest = at if self.oldest is None else min(self.oldest, at)
        self.newest = at if self.newest is None else max(self.newest, at)
        found = []
        for column in layout.columns:
            if column.series is not None:
                value = column.read(record, self._pulse_weight)
                if isinstance(value, Decimal):
                    found.append(Reading(column.series, at, value, column.unit))
        return found
