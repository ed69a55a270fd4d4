"""A simulated DLMS/COSEM meter: registers, load profile, event log and clock; wrapper or HDLC; all securities."""

import secrets
from datetime import datetime
from zoneinfo import ZoneInfo

from pipelines.simulators.meters.archive import MeterArchive
from pipelines.simulators.meters.dlms_association import Door, Security
from pipelines.simulators.meters.dlms_cipher import MeterCipher
from pipelines.simulators.meters.dlms_objects import MeterState, Objects
from pipelines.simulators.meters.dlms_services import Services
from pipelines.simulators.meters.dlms_station import Station
from pipelines.simulators.meters.responder import Faults

SYSTEM_TITLE = b"WTM\x00\x00\x00\x00\x07"
_HEADER = 8


class DlmsMeter:
    """One connection to a meter; ``state`` is what the meter keeps between connections, so share it among them.

    Parameters
    ----------
    framing : "wrapper" or "hdlc"
    security : "none", "lls" (``password``) or "gmac" (``encryption_key`` and ``authentication_key``)
        With lls and gmac the public client (SAP 16) still reads the clock, device name and counter.
    pdu_limit : int, [octets]
        Longer answers come in blocks.
    has_intervals, is_compressed : bool
        The profile also captures 1-0:1.29.0; times that follow by one period are null.
    tells_deviation : bool
        Whether times carry their minutes to UTC.
    refuses : frozenset of OBIS codes, six octets each
        Objects that it knows and does not show.
    """

    def __init__(
        self,
        archive: MeterArchive,
        faults: Faults,
        *,
        framing: str = "wrapper",
        security: str = "none",
        serial: str = "70000001",
        system_title: bytes = SYSTEM_TITLE,
        password: bytes | None = None,
        encryption_key: bytes | None = None,
        authentication_key: bytes | None = None,
        zone: ZoneInfo | None = None,
        server: int = 1,
        pdu_limit: int = 1024,
        state: MeterState | None = None,
        challenge: bytes | None = None,
        has_intervals: bool = False,
        is_compressed: bool = False,
        tells_deviation: bool = True,
        events: tuple[tuple[datetime, int], ...] = (),
        refuses: frozenset[bytes] = frozenset(),
    ) -> None:
        self.state = state or MeterState()
        objects = Objects(
            archive=archive,
            faults=faults,
            state=self.state,
            serial=serial,
            zone=zone or ZoneInfo("UTC"),
            tells_deviation=tells_deviation,
            has_intervals=has_intervals,
            is_compressed=is_compressed,
            events=events,
            refuses=refuses,
        )
        has_keys = encryption_key is not None and authentication_key is not None
        door = Door(
            security=Security(security),
            password=password,
            cipher=MeterCipher(encryption_key or b"", authentication_key or b"") if has_keys else None,
            title=system_title,
            challenge=challenge or secrets.token_bytes(16),
            pdu_limit=pdu_limit,
        )
        self._services = Services(objects, door)
        self._server = server
        self._station = Station(server, self._services.answer) if framing == "hdlc" else None
        self._buffer = bytearray()

    def receive(self, data: bytes) -> list[bytes]:
        """Take a segment and return the frames to send; a wrapper of another version clears what was received."""
        if self._station is not None:
            return self._station.receive(data)
        self._buffer += data
        made = []
        while len(self._buffer) >= _HEADER:
            if self._buffer[:2] != b"\x00\x01":
                self._buffer.clear()
                break
            end = _HEADER + int.from_bytes(self._buffer[6:8], "big")
            if len(self._buffer) < end:
                break
            frame = bytes(self._buffer[:end])
            del self._buffer[:end]
            if int.from_bytes(frame[4:6], "big") == self._server:
                answer = self._services.answer(frame[_HEADER:], int.from_bytes(frame[2:4], "big"))
                made.append(b"\x00\x01" + frame[4:6] + frame[2:4] + len(answer).to_bytes(2, "big") + answer)
        return made
