from datetime import UTC, datetime
from decimal import Decimal

import pytest

from pipelines.amr.contract import Call, ClockSeen, ClockSet, Found, Reading
from pipelines.amr.faults import BadData, BadFrame, LinkLost, Misconfigured, NoAnswer, Refused, Unsupported
from pipelines.errors import RejectedInput
from tests.unit.amr.mbus.support import ACK, NKE, NOW, REQ_0, REQ_1, answered, call, hexed, run, session
from tests.unit.amr.transcripts import Line, play

HEAD = "72 78 56 34 12 42 04 02 02 {access} 00 00 00 "
# 0Eh 03h: 123456.789 kWh in Wh; 04h 6Dh: 2026-03-02 15:26 in winter time.
PRESENT = HEAD.format(access="01") + "0E 03 89 67 45 23 01 00 04 6D 1A 0F 42 33"
FIRST = PRESENT + " 1F"
# Storage 1: 100000.000 kWh at 2026-02-28; then no more.
SECOND = HEAD.format(access="02") + "4E 03 00 00 00 00 01 00 42 6C 5C 32"
AT = datetime(2026, 3, 2, 14, 26, tzinfo=UTC)
ENERGY = Reading("1-0:1.8.0", AT, Decimal("123456.789"), "kWh")
STORED = Reading("1-0:1.8.0", datetime(2026, 2, 28, 23, tzinfo=UTC), Decimal("100000.000"), "kWh")
READ = call("read_values", primary_address=1)


def test_a_readout_resets_the_link_and_asks_once() -> None:
    transcript: list[Line] = [(">", NKE), ("<", ACK), (">", REQ_1), ("<", answered(PRESENT))]
    assert run(transcript, READ) == [ClockSeen(AT), Found([ENERGY])]


def test_more_telegrams_are_asked_for_with_a_toggled_frame_count_bit() -> None:
    transcript: list[Line] = [
        (">", NKE),
        ("<", ACK),
        (">", REQ_1),
        ("<", answered(FIRST)),
        (">", REQ_0),
        ("<", answered(SECOND)),
    ]
    asked = call("read_values", primary_address=1, history=True)
    assert run(transcript, asked) == [ClockSeen(AT), Found([ENERGY]), Found([STORED])]


def test_no_more_telegrams_are_read_than_asked_for() -> None:
    transcript: list[Line] = [(">", NKE), ("<", ACK), (">", REQ_1), ("<", answered(FIRST))]
    assert run(transcript, call("read_values", primary_address=1, telegrams=1)) == [ClockSeen(AT), Found([ENERGY])]


def test_a_damaged_telegram_is_asked_for_again_with_the_same_frame_count_bit() -> None:
    damaged = bytearray(answered(PRESENT))
    damaged[20] ^= 1
    transcript: list[Line] = [
        (">", NKE),
        ("<", ACK),
        (">", REQ_1),
        ("<", bytes(damaged)),
        (">", REQ_1),
        ("!", NoAnswer("quiet")),
        (">", REQ_1),
        ("<", answered(PRESENT)),
    ]
    assert run(transcript, READ) == [ClockSeen(AT), Found([ENERGY])]


def test_after_three_tries_silence_goes_up() -> None:
    transcript: list[Line] = [(">", NKE), ("<", ACK), (">", REQ_1), (">", REQ_1), (">", REQ_1)]
    with pytest.raises(NoAnswer):
        run(transcript, READ)


def test_a_slave_that_is_not_there_is_no_answer() -> None:
    with pytest.raises(NoAnswer):
        run([(">", NKE), (">", NKE), (">", NKE)], READ)


def test_a_lost_connection_is_not_tried_again() -> None:
    with pytest.raises(LinkLost):
        run([(">", NKE), ("<", ACK), (">", REQ_1), ("<", b"")], READ)


def test_a_stale_repeat_is_not_taken_for_the_next_telegram() -> None:
    transcript: list[Line] = [
        (">", NKE),
        ("<", ACK + ACK),
        (">", REQ_1),
        ("<", ACK),
        ("<", answered(FIRST)),
        (">", REQ_0),
        ("<", answered(FIRST)),
        ("<", answered(SECOND)),
    ]
    asked = call("read_values", primary_address=1, history=True)
    assert run(transcript, asked) == [ClockSeen(AT), Found([ENERGY]), Found([STORED])]


def test_a_meter_that_only_repeats_itself_keeps_what_was_found_and_fails() -> None:
    transcript: list[Line] = [(">", NKE), ("<", ACK), (">", REQ_1), ("<", answered(FIRST))]
    for _ in range(3):
        transcript += [(">", REQ_0), ("<", answered(FIRST))]
    conversation = session().perform(READ)
    with pytest.raises(NoAnswer, match="repeat"):
        play(conversation, transcript)


def test_an_echo_of_the_gateway_and_another_meter_s_frame_are_passed_over() -> None:
    transcript: list[Line] = [
        (">", NKE),
        ("<", NKE + ACK),
        (">", REQ_1),
        ("<", REQ_1),
        ("<", answered(PRESENT, address=2)),
        ("<", answered(PRESENT)),
    ]
    assert run(transcript, READ) == [ClockSeen(AT), Found([ENERGY])]


def test_a_line_that_never_stops_talking_is_a_bad_frame() -> None:
    noise: list[Line] = [("<", b"\x55" * 100)] * 17
    with pytest.raises(BadFrame):
        run([(">", NKE), *noise], READ)


def test_an_application_error_is_a_refusal_in_words() -> None:
    transcript: list[Line] = [(">", NKE), ("<", ACK), (">", REQ_1), ("<", answered("70 08"))]
    with pytest.raises(Refused, match="application busy"):
        run(transcript, READ)


def test_a_secondary_address_is_selected_first_and_deselected_at_the_end() -> None:
    talk = session(serial="12345678")
    asked = call("read_values")
    transcript: list[Line] = [
        (">", hexed("68 0B 0B 68 53 FD 52 78 56 34 12 FF FF FF FF B2 16")),
        ("<", ACK),
        (">", hexed("10 7B FD 78 16")),
        ("<", answered(PRESENT, address=7)),
    ]
    assert play(talk.open(), []) == []
    assert play(talk.perform(asked), transcript) == [ClockSeen(AT), Found([ENERGY])]
    assert play(talk.close(), [(">", hexed("10 40 FD 3D 16"))]) == []
    assert play(talk.close(), []) == []


def test_a_secondary_address_may_name_the_make_and_leave_digits_open() -> None:
    transcript: list[Line] = [
        (">", hexed("68 0B 0B 68 53 FD 52 78 56 34 F2 2D 2C 01 02 F2 16")),
        ("<", ACK),
        (">", hexed("10 7B FD 78 16")),
        ("<", answered(PRESENT, address=7)),
    ]
    asked = call("read_values", secondary_address="F23456782D2C0102")
    assert run(transcript, asked) == [ClockSeen(AT), Found([ENERGY])]


def test_the_telegram_of_another_serial_number_is_not_ours() -> None:
    transcript: list[Line] = [
        (">", hexed("68 0B 0B 68 53 FD 52 78 56 34 12 FF FF FF FF B2 16")),
        ("<", ACK),
    ]
    foreign = answered("72 79 56 34 12 42 04 02 02 01 00 00 00 04 03 01 00 00 00", address=9)
    transcript += [(">", hexed("10 7B FD 78 16")), ("<", foreign)] * 3
    with pytest.raises(NoAnswer):
        run(transcript, call("read_values"), serial="12345678")


@pytest.mark.parametrize("serial", [None, "1234567", "ABC45678", "123456789"])
def test_a_meter_without_any_address_is_misconfigured(serial: str | None) -> None:
    with pytest.raises(Misconfigured, match="primary_address"):
        run([], call("read_values"), serial=serial)


def test_an_unknown_model_and_an_unknown_call_are_said() -> None:
    with pytest.raises(Misconfigured, match="kamstrup_multical_601"):
        run([], call("read_values", primary_address=1, model="nonsense"))
    with pytest.raises(Unsupported, match="read_everything"):
        run([], Call(name="read_everything"))


def test_a_telegram_of_which_the_model_keeps_nothing_is_bad_data() -> None:
    body = HEAD.format(access="01") + "01 FD 17 00"
    with pytest.raises(BadData, match="default"):
        run([(">", NKE), ("<", ACK), (">", REQ_1), ("<", answered(body))], READ)


def test_without_a_clock_in_the_telegram_the_time_is_ours_on_the_grid() -> None:
    body = HEAD.format(access="01") + "0E 03 89 67 45 23 01 00"
    transcript: list[Line] = [(">", NKE), ("<", ACK), (">", REQ_1), ("<", answered(body))]
    (found,) = run(transcript, call("read_values", primary_address=1, align_seconds=900))
    at = NOW.replace(minute=30, second=0)
    assert found == Found([Reading("1-0:1.8.0", at, Decimal("123456.789"), "kWh")])


# 51h: data send; 04h 6Dh: 2026-03-02 15:31 (UTC 14:31:07, the nearest minute) in Berlin; 20h of the hour: 20xx.
SET_15_31 = hexed("68 09 09 68 53 01 51 04 6D 1F 2F 42 33 D9 16")


def test_the_clock_is_read_then_set_to_the_nearest_minute_of_the_meter_s_zone() -> None:
    transcript: list[Line] = [
        (">", NKE),
        ("<", ACK),
        (">", REQ_1),
        ("<", answered(PRESENT)),
        (">", SET_15_31),
        ("<", ACK),
    ]
    steps = run(transcript, call("set_time", primary_address=1))
    assert steps == [ClockSeen(AT), ClockSet(datetime(2026, 3, 2, 14, 31, tzinfo=UTC))]


def test_a_clock_within_the_allowed_drift_is_left_alone() -> None:
    transcript: list[Line] = [(">", NKE), ("<", ACK), (">", REQ_1), ("<", answered(PRESENT))]
    asked = call("set_time", primary_address=1, allowed_drift_seconds=600)
    assert run(transcript, asked) == [ClockSeen(AT)]


def test_a_drift_that_cannot_be_seen_is_not_guessed() -> None:
    body = HEAD.format(access="01") + "0E 03 89 67 45 23 01 00"
    transcript: list[Line] = [(">", NKE), ("<", ACK), (">", REQ_1), ("<", answered(body))]
    with pytest.raises(Unsupported, match="drift"):
        run(transcript, call("set_time", primary_address=1, allowed_drift_seconds=600))


@pytest.mark.parametrize(
    "arguments",
    [
        {"primary_address": 251},
        {"primary_address": -1},
        {"secondary_address": "1234567"},
        {"secondary_address": "1234567A"},
        {"telegrams": 0},
        {"telegrams": 65},
        {"align_seconds": 0},
    ],
)
def test_arguments_outside_their_limits_are_rejected(arguments: dict[str, object]) -> None:
    with pytest.raises(RejectedInput):
        call("read_values", **arguments)
