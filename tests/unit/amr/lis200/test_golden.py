"""LIS-200 by hand: every byte of these conversations is written from IEC 62056-21 and the LIS-200 documents."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from pipelines.amr.contract import ClockSeen, ClockSet, Found, Keys, Meter, Reading, Session
from pipelines.amr.faults import AuthenticationFailed, BadFrame, NoAnswer, Refused
from pipelines.amr.protocols.lis200 import DRIVER
from pipelines.amr.protocols.lis200.devices import choose_device
from pipelines.amr.protocols.lis200.session import Lis200Session
from tests.unit.amr.iec62056_21.helpers import bcc, call, readings
from tests.unit.amr.transcripts import Line, play

NOW = datetime(2026, 3, 1, 11, 0, tzinfo=UTC)
ZONE = ZoneInfo("Etc/GMT-1")
CLOCK_ASKED = b"\x01R1\x021:400.0(1)\x03s"
SIGN_ON: list[Line] = [
    (">", b"/?12345678!\r\n"),
    ("<", b"/Els6\\2EK280\r\n"),
    (">", b"\x06061\r\n"),
    ("<", b"\x01P0\x02(1234567)\x03P"),
]
CLOCK: list[Line] = [(">", CLOCK_ASKED), ("<", bcc(b"\x021:400.0(2026-03-01,12:00:07)\x03"))]
ROWS_1 = (
    b"(91)(11)(2026-03-01,00:15:00)(1.100)(1)(0)(0)(0x8101)(CRC Ok)\r\n"
    b"(92)(12)(2026-03-01,00:30:00)(1.200)(1)(0)(0)(0x8101)(CRC Ok)\r\n"
)
ROWS_2 = b"(93)(13)(2026-03-01,00:45:00)(1.300)(1)(0)(0)(0x8101)(CRC Ok)\r\n"
BLOCK_1, BLOCK_2 = bcc(b"\x02" + ROWS_1 + b"\x04"), bcc(b"\x02" + ROWS_2 + b"\x03")
ARCHIVE_ASKED = bcc(b"\x01R3\x023:V.0(3;2026-03-01,00:15:00;2026-03-01,00:45:00;40)\x03")
NAK, ACK = b"\x15", b"\x06"


def opened(password: str | None = None) -> Session:
    meter = Meter(name="m", protocol="lis-200", address="12345678", zone=ZONE, keys=Keys(password=password))
    return DRIVER.session(meter, lambda: NOW)


def archive_call(**more: object):
    arguments = {
        "start_date": "2026-03-01T00:15:00",
        "end_date": "2026-03-01T00:45:00",
        "archive_number": 3,
        "control_position": 3,
        "model": "one_counter",
    }
    return call(DRIVER, "read_archive_by_date", **(arguments | more))


def at(minute: int) -> datetime:
    return datetime(2026, 2, 28, 23, minute, tzinfo=UTC)


EXPECTED = [Reading("1-0:1.8.0", at(15 * i), Decimal(f"1.{i}00"), "kWh") for i in (1, 2, 3)]


def test_the_block_check_of_the_tests_agrees_with_the_printed_one():
    assert bcc(b"\x01P0\x02(1234567)\x03") == b"\x01P0\x02(1234567)\x03P"
    assert bcc(b"\x01B0\x03") == b"\x01B0\x03q"
    assert bcc(CLOCK_ASKED[:-1]) == CLOCK_ASKED


def test_a_session_opens_in_programming_mode_and_reads_the_clock():
    steps = play(opened().open(), SIGN_ON + CLOCK)
    assert steps == [ClockSeen(datetime(2026, 3, 1, 11, 0, 7, tzinfo=UTC))]


def test_the_password_opens_the_lock_before_the_clock_is_read():
    lock: list[Line] = [(">", bcc(b"\x01W1\x023:171.0(geheim12)\x03")), ("<", ACK)]
    assert len(play(opened("geheim12").open(), SIGN_ON + lock + CLOCK)) == 1


@pytest.mark.parametrize("verdict", [bcc(b"\x02(#0017)\x03"), NAK, b"\x01B0\x03q"])
def test_a_wrong_password_is_told_once_and_never_shown(verdict):
    lock: list[Line] = [(">", bcc(b"\x01W1\x023:171.0(geheim12)\x03")), ("<", verdict)]
    with pytest.raises(AuthenticationFailed) as failed:
        play(opened("geheim12").open(), SIGN_ON + lock)
    assert "geheim12" not in str(failed.value)
    assert not failed.value.may_retry


def test_silence_after_the_password_is_answered_by_nak_and_never_by_the_password():
    lock: list[Line] = [(">", bcc(b"\x01W1\x023:171.0(geheim12)\x03")), (">", NAK), ("<", ACK)]
    assert len(play(opened("geheim12").open(), SIGN_ON + lock + CLOCK)) == 1


def test_an_archive_comes_in_partial_blocks_and_each_is_stored_as_it_comes():
    transcript: list[Line] = [(">", ARCHIVE_ASKED), ("<", BLOCK_1), (">", ACK), ("<", BLOCK_2)]
    steps = play(opened().perform(archive_call()), transcript)
    assert steps == [Found(EXPECTED[:2], (at(15), at(30))), Found(EXPECTED[2:], (at(15), at(45)))]


def test_a_wrong_block_check_is_answered_by_nak():
    spoiled = BLOCK_1[:-1] + bytes([BLOCK_1[-1] ^ 1])
    transcript: list[Line] = [
        (">", ARCHIVE_ASKED),
        ("<", spoiled),
        (">", NAK),
        ("<", spoiled),
        (">", NAK),
        ("<", BLOCK_1),
        (">", ACK),
        ("<", BLOCK_2),
    ]
    assert readings(play(opened().perform(archive_call()), transcript)) == EXPECTED


def test_a_block_that_stays_wrong_is_given_up_after_three_repeats():
    spoiled = BLOCK_1[:-1] + bytes([BLOCK_1[-1] ^ 1])
    transcript: list[Line] = [(">", ARCHIVE_ASKED), ("<", spoiled)] + [(">", NAK), ("<", spoiled)] * 3
    with pytest.raises(BadFrame):
        play(opened().perform(archive_call()), transcript)


def test_a_repeated_block_is_not_taken_for_the_next_one():
    transcript: list[Line] = [(">", ARCHIVE_ASKED), ("<", BLOCK_1), (">", ACK), ("<", BLOCK_1 + BLOCK_2)]
    assert readings(play(opened().perform(archive_call()), transcript)) == EXPECTED


def test_an_acknowledgement_that_was_lost_is_sent_again():
    transcript: list[Line] = [
        (">", ARCHIVE_ASKED),
        ("<", BLOCK_1),
        (">", ACK),
        ("!", NoAnswer("silence")),
        (">", NAK),
        ("<", BLOCK_1),
        (">", ACK),
        ("<", BLOCK_2),
    ]
    assert readings(play(opened().perform(archive_call()), transcript)) == EXPECTED


def test_a_block_that_leaves_rows_out_is_read_again_from_the_last_known_row():
    rows_4 = b"(95)(15)(2026-03-01,01:15:00)(1.500)(1)(0)(0)(0x8101)(CRC Ok)\r\n"
    again = bcc(b"\x01R3\x023:V.0(3;2026-03-01,00:30:00;2026-03-01,00:45:00;40)\x03")
    overlap = bcc(b"\x02" + ROWS_1.split(b"\r\n")[1] + b"\r\n" + ROWS_2 + b"\x03")
    transcript: list[Line] = [
        (">", ARCHIVE_ASKED),
        ("<", BLOCK_1),
        (">", ACK),
        ("<", bcc(b"\x02" + rows_4 + b"\x03")),
        (">", again),
        ("<", overlap),
    ]
    assert readings(play(opened().perform(archive_call()), transcript)) == EXPECTED


def test_an_empty_range_is_no_fault():
    transcript: list[Line] = [(">", ARCHIVE_ASKED), ("<", bcc(b"\x02(#0104)\x03"))]
    assert play(opened().perform(archive_call()), transcript) == []


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (1, "wrong address"),
        (2, "no such object"),
        (3, "no such entity"),
        (4, "unknown attribute"),
        (5, "lacks this attribute"),
        (6, "out of range"),
        (9, "constant"),
        (11, "no input"),
        (18, "lock is closed"),
        (999, "unknown error"),
    ],
)
def test_an_error_number_is_put_into_words(number, words):
    transcript: list[Line] = [
        (">", bcc(b"\x01R1\x022:302.0(1)\x03")),
        ("<", bcc(f"\x02(#{number:04d})\x03".encode())),
    ]
    with pytest.raises(Refused, match=words):
        play(opened().perform(call(DRIVER, "read_single_value", address="2:302.0")), transcript)


def test_a_single_value_has_the_meters_time_and_the_models_series():
    session = opened()
    play(session.open(), SIGN_ON + CLOCK)
    transcript: list[Line] = [
        (">", bcc(b"\x01R1\x022:302.0(1)\x03")),
        ("<", bcc(b"\x027-2:302.2(00017433.1000*m3)\x03")),
    ]
    steps = play(session.perform(call(DRIVER, "read_single_value", address="2:302.0", model="ek280")), transcript)
    seen = datetime(2026, 3, 1, 11, 0, 7, tzinfo=UTC)
    assert readings(steps) == [Reading("7-0:13.2.0", seen, Decimal("17433.1000"), "m3")]


def test_an_answer_to_another_question_is_passed_over():
    transcript: list[Line] = [
        (">", bcc(b"\x01R1\x022:302.0(1)\x03")),
        ("<", bcc(b"\x021:400.0(2026-03-01,12:00:07)\x03") + bcc(b"\x022:302.0(5*m3)\x03")),
    ]
    steps = play(opened().perform(call(DRIVER, "read_single_value", address="2:302.0")), transcript)
    assert readings(steps) == [Reading("2:302.0", NOW, Decimal(5), "m3")]


def test_the_clock_is_read_set_and_read_again():
    transcript: list[Line] = [
        *CLOCK,
        (">", bcc(b"\x01W1\x021:400.0(2026-03-01,12:00:00)\x03")),
        ("<", ACK),
        (">", CLOCK_ASKED),
        ("<", bcc(b"\x021:400.0(2026-03-01,12:00:01)\x03")),
    ]
    steps = play(opened().perform(call(DRIVER, "set_time")), transcript)
    assert steps == [ClockSeen(datetime(2026, 3, 1, 11, 0, 7, tzinfo=UTC)), ClockSet(NOW)]


def test_a_clock_that_does_not_move_is_a_refusal():
    late = bcc(b"\x021:400.0(2026-02-28,12:00:00)\x03")
    transcript: list[Line] = [
        (">", CLOCK_ASKED),
        ("<", late),
        (">", bcc(b"\x01W1\x021:400.0(2026-03-01,12:00:00)\x03")),
        ("<", ACK),
        (">", CLOCK_ASKED),
        ("<", late),
    ]
    with pytest.raises(Refused, match="kept its clock"):
        play(opened().perform(call(DRIVER, "set_time")), transcript)


def test_a_session_ends_with_a_break():
    assert play(opened().close(), [(">", b"\x01B0\x03q")]) == []


def test_units_and_sources_are_asked_for_once_where_no_model_knows_them():
    session = opened()
    named = archive_call(model="generic")
    asked = bcc(b"\x01R3\x023:V.0(3;2026-03-01,00:15:00;2026-03-01,00:45:00;10)\x03")
    first: list[Line] = [
        (">", bcc(b"\x01R1\x023:V.4(1;;;)\x03")),
        ("<", bcc(b"\x02()()()(01:0202.0)(01:0203.0)()()()()\x03")),
        (">", bcc(b"\x01R1\x023:V.3(1;;;)\x03")),
        ("<", bcc(b"\x02()()()(kWh)()()()()()\x03")),
        (">", asked),
        ("<", BLOCK_2),
    ]
    expected = [Reading("1:202.0", at(45), Decimal("1.300"), "kWh")]
    assert readings(play(session.perform(named), first)) == expected
    assert readings(play(session.perform(named), first[4:])) == expected


def test_a_request_that_the_device_does_not_take_is_sent_again_and_in_the_end_a_refusal():
    one_time: list[Line] = [(">", ARCHIVE_ASKED), ("<", NAK)]
    rest: list[Line] = [(">", ARCHIVE_ASKED), ("<", BLOCK_1), (">", ACK), ("<", BLOCK_2)]
    assert readings(play(opened().perform(archive_call()), one_time + rest)) == EXPECTED
    with pytest.raises(Refused, match="NAK"):
        play(opened().perform(archive_call()), one_time * 4)


def test_a_device_that_knows_no_partial_blocks_answers_in_one():
    session = opened()
    assert isinstance(session, Lis200Session)
    device = replace(choose_device(Meter(name="m", protocol="lis-200"), "one_counter"), rows_per_block=0)
    asked = bcc(b"\x01R1\x023:V.0(3;2026-03-01,00:15:00;;)\x03")
    transcript: list[Line] = [(">", asked), ("<", bcc(b"\x02" + ROWS_1 + ROWS_2 + b"\x03"))]
    assert readings(play(session._read_archive(archive_call(), device, at(15), None), transcript)) == EXPECTED


def test_blocks_without_rows_are_not_taken_for_ever():
    empty, emptier = bcc(b"\x02\r\n\x04"), bcc(b"\x02\r\n\r\n\x04")
    transcript: list[Line] = [(">", ARCHIVE_ASKED), ("<", empty), (">", ACK), ("<", emptier)]
    transcript += [(">", ACK), ("<", empty), (">", ACK), ("<", emptier)]
    with pytest.raises(BadFrame, match="empty blocks"):
        play(opened().perform(archive_call()), transcript)


@pytest.mark.parametrize("number", [b"0017", b"0201"])
def test_a_wrong_access_code_is_a_failed_authentication_wherever_it_is_said(number):
    transcript: list[Line] = [(">", bcc(b"\x01R1\x022:302.0(1)\x03")), ("<", bcc(b"\x02(#" + number + b")\x03"))]
    with pytest.raises(AuthenticationFailed):
        play(opened().perform(call(DRIVER, "read_single_value", address="2:302.0")), transcript)
