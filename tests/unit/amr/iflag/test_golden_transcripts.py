"""Sessions written by hand, byte by byte.

The manufacturer's description of I-FLAG is not public. What these bytes follow is IEC 62056-21 for the sign-on and,
for all after it, the source, history and README of the iflag library, whose author had the description and real
meters. Two byte strings there hold a CRC that was not computed by us or by its code: ``PASS e0 ae`` in its first test
of a real meter, and the break ``01 B 0 03 ! 1``; the CRC in ``support.py``, a division bit by bit, gives the same. So
these transcripts prove that we say what that library says, not that every meter understands it.
"""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from pipelines.amr.contract import ClockSeen, ClockSet, Found, MeterEvent, Reading, Reported
from pipelines.amr.faults import AuthenticationFailed, BadData, BadFrame, LinkLost, MeterFault, NoAnswer, Refused
from tests.unit.amr.iflag.support import NOW, call, framed, meter, naive_crc, request, session
from tests.unit.amr.transcripts import Line, play

PASS = b"PASS\xe0\xae"
ASK_MAPPING = request("01 bf 01 5e 03")
MAPPING = framed(b"FL_G0003")
ASK_CLOCK = request("01 bf 01 6a 03")
# 2024-03-01 06:05:00: 24 << 26 | 3 << 22 | 1 << 17 | 6 << 12 | 5 << 6 | 0 = 0x60c26140, low byte first
CLOCK = framed(bytes.fromhex("40 61 c2 60"))

SIGN_ON: list[Line] = [
    (">", bytes(200)),
    ("<", bytes(3)),
    (">", b"/?!\r\n"),
    ("<", b"/ACT7CORUS\r\n"),
    (">", b"\x06076\r\n"),
    ("<", PASS),
    (">", PASS),
    ("<", b"\x06"),
]
OPENED: list[Line] = [*SIGN_ON, (">", ASK_MAPPING), ("<", MAPPING), (">", ASK_CLOCK), ("<", CLOCK)]

ASK_WEIGHT = request("01 bf 01 01 03")
# A question whose answer is as long as the one before asks for the parameter mapping as well.
ASK_WEIGHT_AND_MAPPING = request("01 bf 02 01 5e 03")
WEIGHT = bytes.fromhex("cd cc cc 3d")  # binary32 of 0.1
WEIGHT_AND_MAPPING = framed(WEIGHT + b"FL_G0003")

# hourly = 1, all columns, newest 2024-03-01 06:00:00 = 0x60c26000, oldest 2024-03-01 05:00:00 = 0x60c25000
ASK_HOURLY = request("01 be 0d 01 f9 ff ff ff 00 60 c2 60 00 50 c2 60 03")
READ_HOURLY = {"database": "hourly", "start_date": "2024-03-01T06:00:00", "end_date": "2024-03-01T05:00:00"}


def hourly(end: str, start: str, converted: str) -> bytes:
    return bytes.fromhex(
        f"3c 00 {end}"  # 60 minutes, status 0
        f"0a 00 {converted} 00 00 00 00 00 00"  # pulses: unconverted 10, converted; none under alarm
        "8e ff 4c 04 9a 01"  # -1.14, 11.00, 4.10 C
        "d6 0f 91 81 ff ff"  # 4.054 bar; 401e-2 bar; no average
        "0a 00 0c 40 28 00 05 80"  # 10e-1, 12e0, 40e-1, 5e1 pulses an hour
        "00 00 00 00 6e 00 ff ff"  # unused; 110e-1; no average
        f"{start} 00 00"
    )


NEWER = hourly("00 60 c2 60", "00 50 c2 60", "7b 00 00 00")
OLDER = hourly("00 50 c2 60", "00 40 c2 60", "e8 03 00 00")
STREAM = b"\x34" + NEWER + OLDER  # each record has 52 bytes; the second block begins within the older one
BLOCK_1 = framed(b"\x01\x00" + STREAM[:60])
BLOCK_2 = framed(b"\x02\x80" + STREAM[60:])
ASKED: list[Line] = [(">", ASK_WEIGHT_AND_MAPPING), ("<", WEIGHT_AND_MAPPING), (">", ASK_HOURLY)]
SIX, FIVE = datetime(2024, 3, 1, 5, tzinfo=UTC), datetime(2024, 3, 1, 4, tzinfo=UTC)


def record_readings(at: datetime, converted: str) -> list[Reading]:
    def of(name: str, value: str, unit: str) -> Reading:
        return Reading(name, at, Decimal(value), unit)

    return [
        of("consumption_unconverted_hourly", "1", "m3"),
        of("consumption_converted_hourly", converted, "m3"),
        of("consumption_unconverted_hourly_under_alarm", "0", "m3"),
        of("consumption_converted_hourly_under_alarm", "0", "m3"),
        of("temperature_hourly_minimum", "-1.14", "C"),
        of("temperature_hourly_maximum", "11", "C"),
        of("temperature_hourly_average", "4.1", "C"),
        of("pressure_hourly_minimum", "4.054", "bar"),
        of("pressure_hourly_maximum", "4.01", "bar"),
        of("flowrate_unconverted_hourly_minimum", "0.1", "m3/h"),
        of("flowrate_unconverted_hourly_maximum", "1.2", "m3/h"),
        of("flowrate_converted_hourly_minimum", "0.4", "m3/h"),
        of("flowrate_converted_hourly_maximum", "5", "m3/h"),
        of("flowrate_unconverted_hourly_average", "1.1", "m3/h"),
    ]


HOURLY_FOUND = [
    Found(record_readings(SIX, "12.3")),
    Found(record_readings(FIVE, "100"), covered=(FIVE, SIX)),
]


def read_hourly(*lines: Line) -> list[object]:
    """Open a session and read two hours; ``lines`` are what follows the question for them."""
    talking = session()
    play(talking.open(), OPENED)
    return list(play(talking.perform(call("read_database", **READ_HOURLY)), [*ASKED, *lines]))


def test_the_independent_crc_is_that_of_the_published_byte_strings() -> None:
    assert naive_crc(b"PASS") == b"\xe0\xae"
    assert naive_crc(b"\x01B0\x03") == b"!1"
    assert naive_crc(b"123456789") == b"\xe8\xfe"  # CRC-16/UMTS of the catalogue of CRCs, 0xFEE8


def test_a_session_signs_on_learns_its_firmware_and_shows_the_clock() -> None:
    talking = session()
    assert play(talking.open(), OPENED) == [ClockSeen(NOW)]
    assert talking.mapping_version == "g0003"
    assert play(talking.close(), [(">", b"\x01B0\x03!1")]) == []


def test_parameters_are_read_in_one_question_together_with_the_clock() -> None:
    talking = session()
    play(talking.open(), OPENED)
    asked = ["index_converted", "index_unconverted", "pressure", "firmware_version", "battery_days"]
    answer = bytes.fromhex(
        "39 30 00 00 c0 8b 0a 04"  # 12345 and 67800000 hundred-millionths
        "14 2e 00 00 80 1d 2c 04"  # 11796 and 70000000 hundred-millionths, as in the library's own test
        "66 66 80 40"  # binary32 nearest to 4.0125
        "56 33 2e 31 30 00 00 00"  # V3.10
        "ff ff"  # no value
        "40 61 c2 60"
    )
    steps = play(
        talking.perform(call("read_parameters", parameters=asked)),
        [(">", request("01 bf 06 95 94 9f 00 6b 6a 03")), ("<", framed(answer))],
    )
    assert steps == [
        Found(
            [
                Reading("7-0:13.2.0", NOW, Decimal("12345.678"), "m3"),
                Reading("7-0:3.0.0", NOW, Decimal("11796.7"), "m3"),
                Reading("7-0:42.0.0", NOW, Decimal("4.0125"), "bar"),
            ]
        ),
        Reported([MeterEvent(NOW, "firmware_version", "V3.10")]),
    ]


def test_ids_from_239_on_take_two_bytes_with_the_high_bits_set() -> None:
    talking = session()
    clock = request("01 bf 01 5b 03")
    play(talking.open(), [*SIGN_ON, (">", ASK_MAPPING), ("<", framed(b"FL_m5A00")), (">", clock), ("<", CLOCK)])
    steps = play(
        talking.perform(call("read_parameters", parameters=["flowrate_converted", "pressure_2"])),
        [
            (">", request("01 bf 05 f1 19 f1 88 5b 03")),
            ("<", framed(bytes.fromhex("00 00 c0 3f ff ff ff ff 40 61 c2 60"))),
        ],
    )
    assert steps == [Found([Reading("7-0:43.2.0", NOW, Decimal("1.5"), "m3/h")])]


def test_a_database_is_acknowledged_block_by_block_and_found_block_by_block() -> None:
    assert read_hourly(("<", BLOCK_1), (">", b"\x06"), ("<", BLOCK_2)) == HOURLY_FOUND


def test_a_block_with_a_wrong_checksum_is_refused_and_comes_again() -> None:
    bad = BLOCK_2[:40] + bytes([BLOCK_2[40] ^ 8]) + BLOCK_2[41:]
    nak: list[Line] = [(">", b"\x15")]
    assert read_hourly(("<", BLOCK_1), (">", b"\x06"), ("<", bad), *nak, ("<", BLOCK_2)) == HOURLY_FOUND
    first = bytes([BLOCK_1[0]]) + BLOCK_1[1:9] + b"\x7f" + BLOCK_1[10:]
    assert read_hourly(("<", first), *nak, ("<", BLOCK_1), (">", b"\x06"), ("<", BLOCK_2)) == HOURLY_FOUND


def test_silence_in_a_transfer_is_broken_by_a_nak_and_a_repeated_old_block_acknowledged_again() -> None:
    lost_ack = [("<", BLOCK_1), (">", b"\x06"), (">", b"\x15"), ("<", BLOCK_1), (">", b"\x06"), ("<", BLOCK_2)]
    assert read_hourly(*lost_ack) == HOURLY_FOUND
    lost_block = [("<", BLOCK_1), (">", b"\x06"), (">", b"\x15"), ("<", BLOCK_2)]
    assert read_hourly(*lost_block) == HOURLY_FOUND
    lost_request = [(">", ASK_HOURLY), ("<", BLOCK_1), (">", b"\x06"), ("<", BLOCK_2)]
    assert read_hourly(*lost_request) == HOURLY_FOUND


def test_a_block_that_comes_twice_is_acknowledged_once() -> None:
    assert read_hourly(("<", BLOCK_1), (">", b"\x06"), ("<", BLOCK_1), ("<", BLOCK_2)) == HOURLY_FOUND


def test_an_answer_that_comes_twice_is_not_taken_for_the_answer_to_the_next_question() -> None:
    assert read_hourly(("<", WEIGHT_AND_MAPPING), ("<", BLOCK_1), (">", b"\x06"), ("<", BLOCK_2)) == HOURLY_FOUND
    talking = session()
    play(talking.open(), OPENED)
    asked = call("read_parameters", parameters=["temperature"])
    warm, cold = (framed(bytes.fromhex(value) + b"\x40\x61\xc2\x60") for value in ("00 00 04 41", "00 00 80 40"))
    first = play(talking.perform(asked), [(">", request("01 bf 02 9e 6a 03")), ("<", warm)])
    padded = framed(cold[2:10] + b"FL_G0003")
    again: list[Line] = [(">", request("01 bf 03 9e 6a 5e 03")), ("<", warm), ("<", padded)]
    second = play(talking.perform(asked), again)
    assert [step.readings[0].value for step in (*first, *second) if isinstance(step, Found)] == [
        Decimal("8.25"),
        4,
    ]


def test_leftovers_of_the_sign_on_are_passed_over() -> None:
    doubled = [(direction, content * (2 if direction == "<" else 1)) for direction, content in OPENED]
    assert play(session().open(), doubled) == [ClockSeen(NOW)]


def test_a_block_that_is_left_out_ends_the_transfer_and_keeps_what_came_before() -> None:
    third = framed(b"\x03\x80" + STREAM[60:])
    talking = session()
    play(talking.open(), OPENED)
    conversation = talking.perform(call("read_database", **READ_HOURLY))
    found = [next(conversation)]
    found.append(conversation.send(WEIGHT_AND_MAPPING))
    found.append(conversation.send(BLOCK_1))
    assert found[-1] == HOURLY_FOUND[0]
    assert conversation.send(None) is not None
    with pytest.raises(BadFrame, match="block 3 where 2 was due"):
        conversation.send(third)


def test_a_database_that_ends_within_a_record_covers_nothing() -> None:
    torn = framed(b"\x01\x80" + STREAM[:60])
    talking = session()
    play(talking.open(), OPENED)
    conversation = talking.perform(call("read_database", **READ_HOURLY))
    next(conversation)
    conversation.send(WEIGHT_AND_MAPPING)
    assert conversation.send(torn) == HOURLY_FOUND[0]
    with pytest.raises(BadData, match="ends with 7 bytes of a record of 52"):
        conversation.send(None)


def test_an_empty_database_is_one_block_with_records_of_no_length() -> None:
    assert read_hourly(("<", framed(b"\x01\x80\x00"))) == []


def test_a_record_that_was_never_written_is_no_reading() -> None:
    blank = framed(b"\x01\x80\x34" + b"\xff" * 52)
    assert read_hourly(("<", blank)) == []


def test_the_clock_is_set_to_the_meters_own_zone() -> None:
    now = datetime(2024, 7, 1, 10, 0, 30, 999_999, tzinfo=UTC)  # 12:00:30 in Stockholm
    talking = session(now=lambda: now)
    play(talking.open(), OPENED)
    both = framed(bytes.fromhex("40 61 c2 60") + b"FL_G0003")
    # 24 << 26 | 7 << 22 | 1 << 17 | 12 << 12 | 0 << 6 | 30 = 0x61c2c01e
    steps = play(
        talking.perform(call("set_time", allowed_drift_seconds=5)),
        [
            (">", request("01 bf 02 6a 5e 03")),
            ("<", both),
            (">", request("01 ff 05 6a 1e c0 c2 61 03")),
            ("<", b"\x15"),
            (">", request("01 ff 05 6a 1e c0 c2 61 03")),
            ("<", b"\x06"),
        ],
    )
    assert steps == [ClockSet(now.replace(microsecond=0))]


def test_a_password_takes_the_place_of_the_meters_own_word_and_is_sent_once() -> None:
    secret = b"00000000" + naive_crc(b"00000000")
    with pytest.raises(AuthenticationFailed) as refused:
        play(session(meter(password="00000000")).open(), [*SIGN_ON[:6], (">", secret), ("<", b"\x15")])
    assert "00000000" not in str(refused.value)
    with pytest.raises(NoAnswer):
        play(session(meter(password="00000000")).open(), [*SIGN_ON[:6], (">", secret)])
    with pytest.raises(BadFrame):
        play(session(meter(password="00000000")).open(), [*SIGN_ON[:6], (">", secret), ("<", b"\x07")])


@pytest.mark.parametrize("at", [1, 3, 5, 7])
@pytest.mark.parametrize("said", [None, b"\x07"])
def test_a_sign_on_that_fails_on_the_line_begins_again_three_times(at: int, said: bytes | None) -> None:
    broken: list[Line] = [*SIGN_ON[:at], *([("<", said)] if said else [])]
    assert play(session().open(), [*broken * 3, *OPENED]) == [ClockSeen(NOW)]
    with pytest.raises(BadFrame if said else NoAnswer):
        play(session().open(), broken * 4)


def test_a_wrong_checksum_of_the_meters_word_is_not_answered() -> None:
    broken = [*SIGN_ON[:5], ("<", b"PASS\xe0\xaf")]
    assert play(session().open(), [*broken, *OPENED]) == [ClockSeen(NOW)]


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (b"\x15", Refused),
        (b"", NoAnswer),
        (framed(b"FL_G0003")[:-1] + b"\x00", BadFrame),
        (b"U" * 400, BadFrame),
        (framed(b"FL_"), BadData),
    ],
)
def test_a_question_is_asked_four_times_and_then_given_up(answer: bytes, fault: type[MeterFault]) -> None:
    once: list[Line] = [(">", ASK_MAPPING), *([("<", answer)] if answer else [])]
    with pytest.raises(fault):
        play(session().open(), [*SIGN_ON, *once * 4])
    done: list[Line] = [(">", ASK_MAPPING), ("<", MAPPING), (">", ASK_CLOCK), ("<", CLOCK)]
    assert play(session().open(), [*SIGN_ON, *once * 3, *done]) == [ClockSeen(NOW)]


def test_a_late_answer_of_a_question_that_was_given_up_is_not_taken_for_another() -> None:
    talking = session()
    play(talking.open(), OPENED)
    with pytest.raises(NoAnswer):
        play(
            talking.perform(call("read_parameters", parameters=["temperature"])),
            [(">", request("01 bf 02 9e 6a 03"))] * 4,
        )
    warm, pressure = framed(bytes.fromhex("00 00 04 41 40 61 c2 60")), bytes.fromhex("00 00 80 40 40 61 c2 60")
    steps = play(
        talking.perform(call("read_parameters", parameters=["pressure"])),
        [(">", request("01 bf 03 9f 6a 5e 03")), ("<", warm), ("<", framed(pressure + b"FL_G0003"))],
    )
    assert steps == [Found([Reading("7-0:42.0.0", NOW, Decimal(4), "bar")])]


def test_a_lost_link_is_not_repeated() -> None:
    with pytest.raises(LinkLost):
        play(session().open(), [*SIGN_ON, (">", ASK_MAPPING), ("!", LinkLost("gone"))])


def test_a_clock_that_holds_no_date_is_not_shown_and_can_be_set() -> None:
    talking = session()
    unset: list[Line] = [*OPENED[:-1], ("<", framed(b"\xff\xff\xff\xff"))]
    assert play(talking.open(), unset) == []
    written = request("01 ff 05 6a 40 61 c2 60 03")
    ask_again: list[Line] = [(">", request("01 bf 02 6a 5e 03")), ("<", framed(bytes(4) + b"FL_G0003"))]
    steps = play(
        talking.perform(call("set_time", allowed_drift_seconds=5)), [*ask_again, (">", written), ("<", b"\x06")]
    )
    assert steps == [ClockSet(NOW)]
    with pytest.raises(BadData, match="clock is not set"):
        play(
            talking.perform(call("read_database_by_offset_seconds", offset_seconds=1, database="daily")),
            [(">", ASK_CLOCK), ("<", framed(bytes(4)))],
        )
