"""A session with a Corus: open, the four calls, close."""

from collections.abc import Generator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

from pipelines.amr.contract import (
    Call,
    ClockSeen,
    ClockSet,
    Conversation,
    Exchange,
    Found,
    Meter,
    MeterEvent,
    Now,
    Reading,
    Reported,
    Step,
    local_instant,
    offset_start,
)
from pipelines.amr.faults import BadData, Misconfigured, Unsupported
from pipelines.amr.protocols.iflag.calls import PARAMETERS
from pipelines.amr.protocols.iflag.frames import BREAK
from pipelines.amr.protocols.iflag.layouts import (
    CLOCK,
    MAPPING_VERSION,
    PULSE_WEIGHT,
    Firmware,
    Spot,
    answer_length,
    choose_firmware,
    read_parameters,
)
from pipelines.amr.protocols.iflag.line import Line, ask, first_block, next_block, set_clock, sign_on
from pipelines.amr.protocols.iflag.records import Records
from pipelines.amr.protocols.iflag.requests import clock_request, database_request, read_request
from pipelines.amr.protocols.iflag.times import highest_shown, lowest_shown, nearest, now_of
from pipelines.amr.protocols.iflag.values import Value

_MAPPING = (MAPPING_VERSION, Spot(name="parameter_mapping_version", kind="string", offset=0))

Values = Generator[Step, object, dict[str, Value]]


@dataclass(slots=True)
class CorusSession:
    """One connection to a Corus; ``mapping_version`` is what the meter says of its own parameter ids."""

    meter: Meter
    now: Now
    line: Line = field(default_factory=Line)
    mapping_version: str | None = None
    is_clock_seen: bool = False

    def open(self) -> Conversation:
        """Sign on, learn which firmware this is and, if a model file describes it, read its clock."""
        yield from sign_on(self.meter.keys.password or None)
        said = (yield from self._values([_MAPPING]))["parameter_mapping_version"]
        # "FL_G0003": the library's author found both cases in use, so the case says nothing.
        self.mapping_version = said.partition("_")[2].lower() if isinstance(said, str) else None
        try:
            firmware = choose_firmware(self.meter, self.mapping_version)
        except Misconfigured:
            return  # a call may still name its model
        yield from self._clock(firmware)

    def perform(self, call: Call) -> Conversation:
        """Carry out one call.

        Raises
        ------
        Unsupported, Misconfigured
            No such call, parameter or database; no model file for this firmware.
        """
        firmware = choose_firmware(self.meter, self.mapping_version, call.arguments.get("model"))
        match call.name:
            case "read_parameters":
                yield from self._read_parameters(firmware, call.arguments["parameters"])
            case "read_database":
                newest, oldest = (self._bound(call, name) for name in ("start_date", "end_date"))
                if newest is not None and oldest is not None and newest < oldest:
                    raise Misconfigured("a database is read backwards: start_date must not lie before end_date")
                yield from self._read_database(firmware, call, newest, oldest)
            case "read_database_by_offset_seconds":
                clock = yield from self._clock(firmware)
                if clock is None:
                    raise BadData("the meter's clock is not set, so nothing can be read relative to it")
                yield from self._read_database(firmware, call, None, offset_start(call, clock))
            case "set_time":
                yield from self._set_time(firmware, call.arguments["allowed_drift_seconds"])
            case _:
                raise Unsupported(f"a Corus has no call {call.name}")

    def close(self) -> Conversation:
        """Tell the meter that the session is over."""
        yield Exchange(BREAK, None)

    def _read_parameters(self, firmware: Firmware, names: list[str]) -> Conversation:
        unknown = sorted(set(names) - set(PARAMETERS))
        if unknown:
            raise Unsupported(f"there are no parameters {', '.join(unknown)}; there are {', '.join(PARAMETERS)}")
        wanted = {name: firmware.parameter(name) for name in names}
        # The clock in the same answer says when the values were true.
        values = yield from self._values(list((wanted | {CLOCK: firmware.parameter(CLOCK)}).values()))
        clock = yield from self._saw(values[CLOCK])
        at = clock or self.now()
        readings, events = [], []
        for name, (_, spot) in wanted.items():
            value = values[name]
            if isinstance(value, Decimal) and spot.series is not None:
                readings.append(Reading(spot.series, at, value, spot.unit))
            elif isinstance(value, str) and value:
                events.append(MeterEvent(at, name, value))
        if readings:
            yield Found(readings)
        if events:
            yield Reported(events)

    def _read_database(
        self, firmware: Firmware, call: Call, newest: datetime | None, oldest: datetime | None
    ) -> Conversation:
        weight = (yield from self._values([firmware.parameter(PULSE_WEIGHT)]))[PULSE_WEIGHT]
        zone = self.meter.zone
        request = database_request(
            call.arguments["database"],
            None if newest is None else highest_shown(newest, zone),
            None if oldest is None else lowest_shown(oldest, zone),
        )
        records = Records(
            firmware, call.arguments["database"], zone, weight if isinstance(weight, Decimal) else None
        )
        block = yield from first_block(self.line, request)
        readings = records.begin(block.data)
        while not block.is_last:
            if readings:
                yield Found(readings)
            block = yield from next_block(self.line, block)
            readings = records.take(block.data)
        complete = None
        if not records.is_torn and records.oldest is not None and records.newest is not None:
            complete = (records.oldest if oldest is None else min(oldest, records.oldest), records.newest)
        if readings or complete:
            yield Found(readings, covered=complete)
        records.end()

    def _set_time(self, firmware: Firmware, allowed_drift_s: int) -> Conversation:
        clock = yield from self._clock(firmware)
        if clock is not None and abs((clock - self.now()).total_seconds()) <= allowed_drift_s:
            return
        identifier, _ = firmware.parameter(CLOCK)
        yield from set_clock(lambda: clock_request(identifier, now_of(self.now(), self.meter.zone)))
        yield ClockSet(self.now().replace(microsecond=0))

    def _clock(self, firmware: Firmware) -> Generator[Step, object, datetime | None]:
        """Read the clock; None: it holds no date."""
        try:
            values = yield from self._values([firmware.parameter(CLOCK)])
        except BadData:
            return None
        return (yield from self._saw(values[CLOCK]))

    def _saw(self, shown: Value) -> Generator[Step, object, datetime | None]:
        """Report what the clock showed, once a session, and return it in UTC."""
        if not isinstance(shown, datetime):
            return None
        clock = nearest(shown, self.meter.zone, self.now())
        if not self.is_clock_seen:
            self.is_clock_seen = True
            yield ClockSeen(clock)
        return clock

    def _values(self, spots: list[tuple[int, Spot]]) -> Values:
        """Read parameters; one more where the answer could be taken for a repeat of the last one."""
        asked = [*spots, _MAPPING] if self.line.clashes(answer_length(spots)) else spots
        data = yield from ask(
            self.line, read_request([identifier for identifier, _ in asked]), answer_length(asked)
        )
        return read_parameters(spots, data[: answer_length(spots)])

    def _bound(self, call: Call, name: str) -> datetime | None:
        at = call.arguments.get(name)
        return None if at is None else local_instant(at, self.meter.zone).astimezone(UTC)
