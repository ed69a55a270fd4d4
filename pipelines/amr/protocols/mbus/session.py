"""A session with an M-Bus slave over one link: readout of its telegrams, and setting of its clock."""

from collections.abc import Generator
from datetime import datetime, timedelta
from typing import Any

from pipelines.amr.contract import Call, ClockSeen, ClockSet, Conversation, Found, Meter, Now, Step
from pipelines.amr.faults import BadData, Unsupported
from pipelines.amr.models import choose_model, load_models
from pipelines.amr.protocols.mbus import link
from pipelines.amr.protocols.mbus.address import address_of
from pipelines.amr.protocols.mbus.series import Collection, rules_of
from pipelines.amr.protocols.mbus.telegram import Telegram, parse_telegram
from pipelines.amr.protocols.mbus.values import packed_time_f

MODELS = load_models(__package__)
RULES = {key: rules_of(model) for key, model in MODELS.items()}
DEFAULT_MODEL = "default"
DEFAULT_TELEGRAMS = 8
_DATA_SEND = 0x51
_TIME_POINT_32_BIT = b"\x04\x6d"
_HALF_A_MINUTE = timedelta(seconds=30)


class MbusSession:
    """One connection to a gateway or level converter; each call names its slave anew."""

    def __init__(self, meter: Meter, now: Now) -> None:
        self.state = link.LinkState()
        self._meter = meter
        self._now = now

    def open(self) -> Conversation:
        """Do nothing: M-Bus knows no sign-on, and the slave is named by the call."""
        yield from ()

    def perform(self, call: Call) -> Conversation:
        """Carry out a call.

        Raises
        ------
        Unsupported
            There is no such call.
        """
        if call.name == "read_values":
            yield from self._read_values(call)
        elif call.name == "set_time":
            yield from self._set_time(call)
        else:
            raise Unsupported(f"M-Bus has no call {call.name!r}")

    def close(self) -> Conversation:
        """Deselect the slave that was selected."""
        yield from link.finish(self.state)

    def _read_values(self, call: Call) -> Conversation:
        arguments = call.arguments
        model = choose_model(MODELS, self._meter, arguments.get("model"), DEFAULT_MODEL)
        collection = Collection(
            rules=RULES[model.key],
            zone=self._meter.zone,
            dates=model.data.get("dates", "turn"),
            with_history=arguments.get("history", False),
            align_seconds=arguments.get("align_seconds"),
        )
        yield from link.start(self.state, address_of(arguments, self._meter))
        is_clock_seen = False
        for _ in range(arguments.get("telegrams", DEFAULT_TELEGRAMS)):
            telegram = yield from self._telegram()
            readings = collection.readings(telegram, self._now())
            if collection.clock_at is not None and not is_clock_seen:
                is_clock_seen = True
                yield ClockSeen(collection.clock_at)
            if readings:
                yield Found(readings)
            if not telegram.more_follow:
                break
        if not collection.seen:
            raise BadData(f"no record of the meter fits the model {model.key!r}")

    def _telegram(self) -> Generator[Step, Any, Telegram]:
        frame = yield from link.next_answer(self.state)
        return parse_telegram(frame)

    def _set_time(self, call: Call) -> Conversation:
        yield from link.start(self.state, address_of(call.arguments, self._meter))
        shown = yield from self._clock()
        if shown is not None:
            yield ClockSeen(shown)
        allowed = call.arguments.get("allowed_drift_seconds")
        if allowed is not None:
            if shown is None:
                raise Unsupported("the meter's telegram shows no clock, so that its drift is unknown")
            if abs((shown - self._now()).total_seconds()) <= allowed:
                return
        # The clock takes whole minutes: the nearest one is wrong by half a minute at most.
        target = (self._now() + _HALF_A_MINUTE).replace(second=0, microsecond=0)
        local = target.astimezone(self._meter.zone)
        packed = packed_time_f(local, is_summer=bool(local.dst()))
        yield from link.send_data(self.state, bytes([_DATA_SEND]) + _TIME_POINT_32_BIT + packed)
        yield ClockSet(target)

    def _clock(self) -> Generator[Step, Any, datetime | None]:
        telegram = yield from self._telegram()
        collection = Collection(rules=(), zone=self._meter.zone)
        collection.readings(telegram, self._now())
        return collection.clock_at
