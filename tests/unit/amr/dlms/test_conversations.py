"""The driver against the simulated meter: every security over both framings, refusals, counters, ranges."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from pipelines import clock
from pipelines.amr.contract import (
    Call,
    ClockSeen,
    ClockSet,
    Exchange,
    Found,
    Keys,
    Reading,
    Reported,
    ReserveCounters,
)
from pipelines.amr.faults import (
    AuthenticationFailed,
    BadData,
    CounterRefused,
    MeterFault,
    Misconfigured,
    NoAnswer,
    Refused,
    Unsupported,
)
from pipelines.amr.protocols.dlms import DRIVER
from pipelines.amr.protocols.dlms.association import PUBLIC_CLIENT, associate, release
from pipelines.amr.protocols.dlms.clock import read_clock
from pipelines.amr.protocols.dlms.profiles import portions
from pipelines.amr.protocols.dlms.settings import Association
from pipelines.simulators.meters.archive import steady_archive
from pipelines.simulators.meters.dlms_objects import EXPORT, INTERVAL, PROFILE, MeterState
from pipelines.simulators.meters.responder import Faults
from tests.unit.amr.dlms.meters import (
    ARCHIVE,
    CASES,
    GUEK,
    NOW,
    QUARTER,
    call,
    found,
    meter,
    session,
    simulated,
    steps_of,
)
from tests.unit.amr.transcripts import answer_from

START, END = datetime(2026, 3, 28, 22, 0, tzinfo=UTC), datetime(2026, 3, 30, 1, 0, tzinfo=UTC)


@pytest.mark.parametrize(("framing", "security"), CASES)
def test_registers_are_read_at_the_time_of_the_meters_clock(framing: str, security: str) -> None:
    simulator = simulated(framing, security, faults=Faults(clock_drift_s=90))

    steps = steps_of(framing, security, "read_registers", simulator, registers=["1-0:1.8.0", "2.8.0", "1.7.0"])

    at = next(step.meter_at for step in steps if isinstance(step, ClockSeen))
    assert timedelta(seconds=88) < at - NOW < timedelta(seconds=100)
    values = {reading.series: (reading.value, reading.unit) for reading in found(steps)}
    assert values == {
        "1-0:1.8.0": (Decimal(ARCHIVE.register_at(at)), "Wh"),
        "1-0:2.8.0": (Decimal(0), "Wh"),
        "1-0:1.7.0": (Decimal(400), "W"),
    }
    assert all(timedelta(0) <= reading.timestamp - at < timedelta(seconds=10) for reading in found(steps))


@pytest.mark.parametrize(("framing", "security"), CASES)
def test_a_profile_is_read_block_by_block_oldest_first_through_the_spring_change(
    framing: str, security: str
) -> None:
    steps = steps_of(
        framing, security, "read_profile_by_date",
        start_date="2026-03-28T23:00:00", end_date="2026-03-30T03:00:00",
    )  # fmt: skip

    read = [(reading.timestamp, int(reading.value)) for reading in found(steps)]
    assert read == ARCHIVE.rows(START, END)
    covered = [step.covered for step in steps if isinstance(step, Found)]
    assert covered == [(START, datetime(2026, 3, 29, 21, 45, tzinfo=UTC)), (START, END)]


def test_interval_values_are_labelled_by_the_start_and_times_left_out_are_filled_in() -> None:
    simulator = simulated(has_intervals=True, is_compressed=True, tells_deviation=False)

    steps = steps_of(
        "wrapper", "none", "read_profile_by_date", simulator,
        start_date="2026-03-29T00:00:00+01:00", end_date="2026-03-29T06:00:00+02:00",
    )  # fmt: skip

    cumulative = [reading.timestamp for reading in found(steps) if reading.series == "1-0:1.8.0"]
    intervals = [reading for reading in found(steps) if reading.series == "1-0:1.29.0"]
    assert [reading.timestamp + QUARTER for reading in intervals] == cumulative
    assert {reading.value for reading in intervals} == {Decimal(100)}
    assert len(cumulative) == 5 * 4 + 1  # five hours, for the night of the change is an hour shorter


def test_the_hour_that_autumn_repeats_is_read_once_each() -> None:
    start = datetime(2025, 10, 25, 22, tzinfo=UTC)
    archive = steady_archive(start=start, rows=40, interval_s=900)
    clock.start_at(datetime(2025, 10, 26, 12, tzinfo=UTC))

    steps = steps_of(
        "wrapper", "none", "read_profile_by_date", simulated(archive=archive, tells_deviation=False),
        start_date="2025-10-26T00:00:00", end_date="2025-10-26T04:00:00",
    )  # fmt: skip

    assert [reading.timestamp for reading in found(steps)] == [start + QUARTER * n for n in range(5 * 4 + 1)]


def test_a_read_by_offset_is_relative_to_the_meters_clock_and_reaches_back_to_what_is_missing() -> None:
    simulator = simulated(faults=Faults(clock_drift_s=-3600))
    one = session()

    near = answer_from(one.perform(call("read_profile_by_offset_seconds", offset_seconds=1800)), simulator.receive)
    since = NOW - timedelta(hours=6)
    far = answer_from(
        one.perform(call("read_profile_by_offset_seconds", offset_seconds=1800, since=since)), simulator.receive
    )

    assert [reading.timestamp.minute for reading in found(near)] == [45, 0]
    assert found(near)[-1].timestamp == datetime(2026, 3, 30, 9, 0, tzinfo=UTC)
    assert found(far)[0].timestamp == datetime(2026, 3, 30, 4, 15, tzinfo=UTC)
    assert [step.covered for step in far if isinstance(step, Found)] == [(since, found(near)[-1].timestamp)]


def test_the_clock_is_set_where_it_is_further_off_than_allowed() -> None:
    simulator = simulated(faults=Faults(clock_drift_s=30))
    one = session()

    allowed = answer_from(one.perform(call("set_time", allowed_drift_seconds=60)), simulator.receive)
    set_now = answer_from(one.perform(call("set_time", allowed_drift_seconds=5)), simulator.receive)
    again = answer_from(one.perform(call("set_time", allowed_drift_seconds=5)), simulator.receive)
    always = answer_from(one.perform(call("set_time")), simulator.receive)

    assert [type(step) for step in allowed] == [ClockSeen]
    assert [type(step) for step in set_now] == [ClockSet]
    assert again == []
    assert [type(step) for step in always] == [ClockSet]
    assert abs(simulator.state.clock_offset + timedelta(seconds=30)) < timedelta(seconds=2)


def test_events_are_reported() -> None:
    at = datetime(2026, 3, 30, 9, 30, tzinfo=UTC)
    simulator = simulated(events=((at - timedelta(days=9), 1), (at, 3)))

    steps = steps_of("wrapper", "none", "read_events_by_offset_seconds", simulator, offset_seconds=86_400)

    events = [event for step in steps if isinstance(step, Reported) for event in step.events]
    assert [(event.timestamp, event.title, event.content) for event in events] == [
        (at, "Event 3", "0-0:99.98.0: code 3")
    ]


def test_one_refused_register_does_not_lose_the_others() -> None:
    simulator = simulated(refuses=frozenset({EXPORT}))
    steps: list[Any] = []

    with pytest.raises(Refused, match=r"1-0:2\.8\.0.*read write denied; 1-0:9\.9\.9.*object undefined"):
        _collect(
            steps,
            session().perform(call("read_registers", registers=["2.8.0", "1.8.0", "9.9.9"])),
            simulator.receive,
        )
    assert [reading.series for reading in found(steps)] == ["1-0:1.8.0"]


def _collect(steps: list[Any], conversation: Any, receive: Any) -> None:
    """Run a conversation as ``answer_from`` does, keeping its steps though it fails."""

    def keeping() -> Any:
        step = next(conversation)
        while True:
            if not isinstance(step, Exchange):
                steps.append(step)
            try:
                result = yield step
            except MeterFault as fault:
                step = conversation.throw(fault)
            else:
                step = conversation.send(result)

    answer_from(keeping(), receive)


def test_a_column_whose_unit_is_refused_does_not_lose_the_others() -> None:
    simulator = simulated(has_intervals=True, refuses=frozenset({INTERVAL}))
    steps: list[Any] = []

    with pytest.raises(Refused, match=r"1-0:1\.29\.0"):
        _collect(
            steps,
            session().perform(call("read_profile_by_offset_seconds", offset_seconds=3600)),
            simulator.receive,
        )
    assert {reading.series for reading in found(steps)} == {"1-0:1.8.0"}


def test_a_refused_profile_is_refused() -> None:
    with pytest.raises(Refused, match=r"1-0:99\.1\.0"):
        steps_of(
            "wrapper", "none", "read_profile_by_offset_seconds", simulated(refuses=frozenset({PROFILE})),
            offset_seconds=3600,
        )  # fmt: skip


def test_an_extended_register_bears_its_own_time() -> None:
    one = session(manufacturer="Landis+Gyr", model="E450")
    wanted = call("read_registers", registers=["1.6.0"], framing="wrapper", security="none")

    steps = answer_from(one.perform(wanted), simulated().receive)

    assert found(steps) == [Reading("1-0:1.6.0", datetime(2026, 3, 30, 10, 0, tzinfo=UTC), Decimal(400), "W")]


@pytest.mark.parametrize("framing", ["wrapper", "hdlc"])
def test_a_wrong_password_is_tried_once(framing: str) -> None:
    simulator = simulated(framing, "lls", password=b"something")
    one = session()
    wanted = call("read_registers", registers=["1.8.0"], framing=framing, security="lls", client=1)

    for _ in range(3):
        with pytest.raises(AuthenticationFailed, match="authentication failed"):
            answer_from(one.perform(wanted), simulator.receive)
    assert simulator.state.refused == 1


@pytest.mark.parametrize("key", ["encryption_key", "authentication_key"])
@pytest.mark.parametrize("framing", ["wrapper", "hdlc"])
def test_a_wrong_key_is_tried_once(framing: str, key: str) -> None:
    simulator = simulated(framing, "gmac", **{key: bytes(16)})
    one = session()
    wanted = call("read_registers", registers=["1.8.0"], framing=framing, security="gmac", client=1)

    for _ in range(3):
        with pytest.raises(AuthenticationFailed):
            answer_from(one.perform(wanted), simulator.receive)
    assert simulator.state.refused == 1


@pytest.mark.parametrize("framing", ["wrapper", "hdlc"])
def test_a_meter_that_cannot_prove_its_keys_is_not_believed(framing: str) -> None:
    simulator = simulated(framing, "gmac")
    one = session(system_title=b"WTM\x00\x00\x00\x00\x08")
    wanted = call("read_registers", registers=["1.8.0"], framing=framing, security="gmac", client=1)

    with pytest.raises(AuthenticationFailed, match="system title"):
        answer_from(one.perform(wanted), simulator.receive)


@pytest.mark.parametrize("model", [None, "iskraemeco_am550"])
@pytest.mark.parametrize("framing", ["wrapper", "hdlc"])
def test_a_used_counter_is_refused_and_not_tried_again(framing: str, model: str | None) -> None:
    state = MeterState(last_client_counter=5_000)
    simulator = simulated(framing, "gmac", state=state)
    one = session()
    named = {} if model is None else {"model": model}
    wanted = call("read_registers", registers=["1.8.0"], framing=framing, security="gmac", client=1, **named)

    for _ in range(2):
        with pytest.raises(CounterRefused, match="5000"):
            answer_from(one.perform(wanted), simulator.receive)
    assert state.last_client_counter == 5_000


def test_counters_are_reserved_before_they_are_used_and_never_used_twice() -> None:
    state = MeterState()
    one = session()
    wanted = call("read_profile_by_offset_seconds", offset_seconds=86_400 * 4, security="gmac", client=1)

    steps = answer_from(one.perform(wanted), simulated("wrapper", "gmac", state=state, pdu_limit=100).receive)

    reserved = sum(step.count for step in steps if isinstance(step, ReserveCounters))
    assert isinstance(steps[0], ReserveCounters)
    assert reserved >= 100
    assert state.last_client_counter <= reserved
    with pytest.raises(CounterRefused):  # the same numbers again, in another connection of the same meter
        answer_from(session().perform(wanted), simulated("wrapper", "gmac", state=state).receive)


@pytest.mark.parametrize(
    ("security", "keys", "words"),
    [
        ("lls", Keys(), "no password"),
        ("gmac", Keys(authentication_key=GUEK), "no global unicast encryption key"),
        ("gmac", Keys(encryption_key=GUEK), "no global authentication key"),
        ("gmac", Keys(encryption_key=GUEK * 2, authentication_key=GUEK), "encryption key has 256 bits"),
        ("lls", Keys(password="x" * 100), "longer than an association request"),
    ],
)
def test_a_missing_secret_is_named_and_never_shown(security: str, keys: Keys, words: str) -> None:
    with pytest.raises(Misconfigured, match=words) as caught:
        answer_from(
            session(keys=keys).perform(call("read_registers", registers=["1.8.0"], security=security)),
            simulated("wrapper", security).receive,
        )
    assert "xxxxxxxx" not in str(caught.value)
    assert GUEK.hex() not in str(caught.value)


def test_another_association_releases_the_first() -> None:
    for framing in ("wrapper", "hdlc"):
        simulator = simulated(framing, "lls")
        one = session()
        private = call("read_registers", registers=["1.8.0"], framing=framing, security="lls", client=1)
        public = call("read_registers", registers=["1.8.0"], framing=framing, client=PUBLIC_CLIENT)

        assert found(answer_from(one.perform(private), simulator.receive))
        with pytest.raises(Refused, match="scope of access violated"):
            answer_from(one.perform(public), simulator.receive)
        assert found(answer_from(one.perform(private), simulator.receive))


def test_a_call_or_a_model_that_does_not_exist_is_said_so() -> None:
    one = session()
    with pytest.raises(Misconfigured, match="generic"):
        answer_from(one.perform(call("read_registers", registers=["1.8.0"], model="none")), simulated().receive)
    with pytest.raises(Unsupported):
        answer_from(one.perform(Call(name="nothing")), simulated().receive)


def test_portions_leave_no_hole_and_do_not_overlap() -> None:
    parts = list(portions(START, END, timedelta(hours=10)))

    assert parts[0][0] == START
    assert parts[-1][1] == END
    assert all(following[0] - before[1] == timedelta(seconds=1) for before, following in pairwise(parts))


def test_a_range_longer_than_any_archive_is_a_mistake() -> None:
    with pytest.raises(Misconfigured, match="more than"):
        steps_of("wrapper", "none", "read_profile_by_date", start_date="1975-01-01T00:00:00")


def test_the_name_of_the_archive_is_that_of_the_profile() -> None:
    archive = DRIVER.calls["read_profile_by_date"].archive

    assert archive is not None
    assert archive({}) == "profile 1-0:99.1.0"
    assert archive({"profile": "1.0.99.2.0.255"}) == "profile 1-0:99.2.0"
    assert meter().zone == ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize("is_general", [False, True])
def test_both_ways_to_cipher_a_service_are_spoken(is_general: bool) -> None:
    simulator = simulated("wrapper", "gmac")
    state = session().state

    def talk() -> Any:
        yield from associate(state, Association(security="gmac", client=1, is_general=is_general))
        yield from read_clock(state)
        yield from release(state)

    steps = answer_from(talk(), simulator.receive)

    assert [type(step) for step in steps] == [ReserveCounters, ClockSeen]


def test_the_public_client_tells_the_operator_which_counter_the_meter_has() -> None:
    simulator = simulated("wrapper", "gmac", state=MeterState(last_client_counter=5_000))
    wanted = call("read_registers", registers=["1.8.0"], model="iskraemeco_am550")

    with pytest.raises(CounterRefused, match="the meter's invocation counter is 5000, ours was 1"):
        answer_from(session().perform(wanted), simulator.receive)


def test_a_refusal_for_another_reason_is_not_blamed_on_the_counter() -> None:
    one = session(system_title=b"WTM\x00\x00\x00\x00\x08")

    with pytest.raises(AuthenticationFailed, match="system title"):
        answer_from(
            one.perform(call("read_registers", registers=["1.8.0"], model="iskraemeco_am550")),
            simulated("wrapper", "gmac").receive,
        )


def test_registers_that_were_read_before_the_line_failed_are_stored() -> None:
    simulator = simulated()
    left = [6]  # the association, the clock, and two registers

    def receive(data: bytes) -> list[bytes]:
        left[0] -= 1
        return simulator.receive(data) if left[0] >= 0 else []

    steps: list[Any] = []
    with pytest.raises(NoAnswer):
        _collect(steps, session().perform(call("read_registers", registers=["1.8.0", "2.8.0", "1.7.0"])), receive)
    assert [reading.series for reading in found(steps)] == ["1-0:1.8.0", "1-0:2.8.0"]


@pytest.mark.parametrize("framing", ["wrapper", "hdlc"])
def test_a_meter_whose_proof_is_wrong_is_not_believed(framing: str) -> None:
    simulator = simulated(framing, "gmac")
    answer = simulator._services.answer

    def forgetful(apdu: bytes, client: int) -> bytes:
        response: bytes = answer(apdu, client)
        simulator._services.entry.client_challenge = b"another challenge"
        return response

    simulator._services.answer = forgetful
    if framing == "hdlc":
        simulator._station.answer = forgetful

    with pytest.raises(AuthenticationFailed, match="not the meter we know"):
        answer_from(
            session().perform(
                call("read_registers", registers=["1.8.0"], framing=framing, security="gmac", client=1)
            ),
            simulator.receive,
        )


@pytest.mark.parametrize(("size", "most"), [(60_000, 40), (0, 5_100)])
def test_an_answer_without_end_is_given_up(size: int, most: int) -> None:
    simulator = simulated()
    asked = [0]

    def receive(data: bytes) -> list[bytes]:
        if data[8] != 0xC0:
            frames: list[bytes] = simulator.receive(data)
            return frames
        asked[0] += 1
        number = int.from_bytes(data[11:15], "big") + 1 if data[9] == 2 else 1
        block = b"\xc4\x02" + data[10:11] + b"\x00" + number.to_bytes(4, "big") + b"\x00"
        block += b"\x82" + size.to_bytes(2, "big") + b"\x01" * size
        return [b"\x00\x01\x00\x01\x00\x10" + len(block).to_bytes(2, "big") + block]

    with pytest.raises(BadData, match="longer than"):
        answer_from(session().perform(call("read_registers", registers=["1.8.0"])), receive)
    assert asked[0] < most


@pytest.mark.parametrize("lost", [None, 2, 3, 4, 5, 6, 7, 8])
def test_requests_longer_than_a_frame_are_sent_in_segments_though_frames_are_lost(lost: int | None) -> None:
    simulator = simulated("hdlc", "gmac")
    state = session().state
    frames = [0]
    sent: list[bytes] = []

    def receive(data: bytes) -> list[bytes]:
        frames[0] += 1
        sent.append(data)
        return [] if frames[0] == lost else simulator.receive(data)

    def talk() -> Any:
        yield from associate(
            state, Association(framing="hdlc", security="gmac", client=1, physical=17, frame_length=40)
        )
        yield from read_clock(state)
        yield from release(state)

    steps = answer_from(talk(), receive)

    assert [type(step) for step in steps] == [ReserveCounters, ClockSeen]
    assert any(frame[1] & 0x08 for frame in sent)
    assert max(len(frame) for frame in sent[1:]) <= 40 + 13
