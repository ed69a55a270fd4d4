"""IEC 62056-21 by hand: every byte of these conversations is written from clause 6 of the standard."""

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from pipelines.amr.contract import ClockSeen, ClockSet, Found, Keys, Meter, Reading, Session
from pipelines.amr.faults import (
    AuthenticationFailed,
    BadData,
    BadFrame,
    LinkLost,
    Misconfigured,
    NoAnswer,
    Refused,
    Unsupported,
)
from pipelines.amr.protocols.iec62056_21 import DRIVER, transfer
from pipelines.amr.protocols.iec62056_21.devices import Device
from pipelines.amr.protocols.iec62056_21.profile import ProfileRows
from tests.unit.amr.iec62056_21.helpers import bcc, call, readings
from tests.unit.amr.transcripts import Line, play

NOW = datetime(2026, 3, 1, 11, 0, tzinfo=UTC)
NAK, ACK, BREAK = b"\x15", b"\x06", b"\x01B0\x03q"
SIGN_ON: list[Line] = [(">", b"/?00001234!\r\n"), ("<", b"/EMH5\\@01LZQJL0014F\r\n")]
PROGRAMMING: list[Line] = [*SIGN_ON, (">", b"\x06051\r\n"), ("<", b"\x01P0\x02(00000000)\x03`")]
DATE: list[Line] = [(">", bcc(b"\x01R1\x020.9.2()\x03")), ("<", bcc(b"\x020.9.2(260301)\x03"))]
TIME: list[Line] = [(">", bcc(b"\x01R1\x020.9.1()\x03")), ("<", bcc(b"\x020.9.1(120007)\x03"))]
TABLE = (
    b"F.F(00000000)\r\n0.0.0(00001234)\r\n0.9.1(120005)\r\n0.9.2(260301)\r\n"
    b"1.8.0(012345.678*kWh)\r\n1.8.0*01(012000.000*kWh)\r\n2.8.0(000000.5*kWh)\r\n!\r\n"
)
READOUT = bcc(b"\x02" + TABLE + b"\x03")


def opened(password: str | None = None, address: str | None = "00001234", zone: str = "Etc/GMT-1") -> Session:
    meter = Meter(
        name="m", protocol="iec62056-21", address=address, zone=ZoneInfo(zone), keys=Keys(password=password)
    )
    return DRIVER.session(meter, lambda: NOW)


def programming(password: str | None = None) -> Session:
    session = opened(password)
    play(session.open(), PROGRAMMING + DATE + TIME)
    return session


def kwh(value: str, at: datetime, series: str = "1-0:1.8.0") -> Reading:
    return Reading(series, at, Decimal(value), "kWh")


def test_the_block_check_of_the_tests_agrees_with_the_written_one():
    assert bcc(b"\x01P0\x02(00000000)\x03") == PROGRAMMING[-1][1]


def test_a_session_opens_in_programming_mode_and_reads_the_clock():
    steps = play(opened().open(), PROGRAMMING + DATE + TIME)
    assert steps == [ClockSeen(datetime(2026, 3, 1, 11, 0, 7, tzinfo=UTC))]


def test_the_password_follows_the_challenge():
    login: list[Line] = [(">", bcc(b"\x01P1\x02(12345678)\x03")), ("<", ACK)]
    assert len(play(opened("12345678").open(), PROGRAMMING + login + DATE + TIME)) == 1


@pytest.mark.parametrize("verdict", [bcc(b"\x02(ER01)\x03"), NAK, BREAK])
def test_a_wrong_password_is_told_once_and_never_shown(verdict):
    login: list[Line] = [(">", bcc(b"\x01P1\x02(12345678)\x03")), ("<", verdict)]
    with pytest.raises(AuthenticationFailed) as failed:
        play(opened("12345678").open(), PROGRAMMING + login)
    assert "12345678" not in str(failed.value)


def test_a_password_that_would_end_the_message_is_never_sent():
    with pytest.raises(AuthenticationFailed) as failed:
        play(opened("a)b").open(), PROGRAMMING)
    assert "a)b" not in str(failed.value)


def test_an_address_that_would_end_the_message_is_never_sent():
    with pytest.raises(Misconfigured):
        play(opened(address="1!\r\n").open(), [])


def test_a_meter_without_an_address_is_asked_without_one():
    lines: list[Line] = [(">", b"/?!\r\n"), ("<", b"/EMH5\\@X\r\n"), *PROGRAMMING[2:], *DATE, *TIME]
    assert len(play(opened(address=None).open(), lines)) == 1


def test_an_echo_of_the_request_is_no_identification():
    lines: list[Line] = [SIGN_ON[0], ("<", b"/?00001234!\r\n/EMH5\\@X\r\n"), *PROGRAMMING[2:], *DATE, *TIME]
    assert len(play(opened().open(), lines)) == 1


def test_a_clock_that_is_refused_does_not_keep_the_session_from_opening():
    refused: list[Line] = [DATE[0], ("<", bcc(b"\x02(ER03)\x03"))]
    assert play(opened().open(), PROGRAMMING + refused) == []


def test_a_data_readout_gives_every_current_value_at_the_telegrams_time():
    lines: list[Line] = [*SIGN_ON, (">", b"\x06050\r\n"), ("<", READOUT)]
    at = datetime(2026, 3, 1, 11, 0, 5, tzinfo=UTC)
    assert play(opened().perform(call(DRIVER, "read_values")), lines) == [
        ClockSeen(at),
        Found([kwh("12345.678", at), kwh("0.5", at, "1-0:2.8.0")]),
    ]


def test_a_readout_after_programming_mode_breaks_that_off_and_signs_on_anew():
    lines: list[Line] = [(">", BREAK), *SIGN_ON, (">", b"\x06050\r\n"), ("<", READOUT)]
    assert len(readings(play(programming().perform(call(DRIVER, "read_values")), lines))) == 2


def test_a_table_is_chosen_by_the_request_character():
    lines: list[Line] = [(">", b"/400001234!\r\n"), SIGN_ON[1], (">", b"\x06050\r\n"), ("<", READOUT)]
    assert len(readings(play(opened().perform(call(DRIVER, "read_values", table=4)), lines))) == 2


def test_a_readout_without_a_clock_has_the_time_of_collection():
    short = bcc(b"\x021.8.0(1.5*kWh)\r\n!\r\n\x03")
    lines: list[Line] = [*SIGN_ON, (">", b"\x06050\r\n"), ("<", short)]
    assert readings(play(opened().perform(call(DRIVER, "read_values")), lines)) == [kwh("1.5", NOW)]


def test_a_readout_with_a_wrong_block_check_is_asked_for_again():
    spoiled = READOUT.replace(b"12345.678", b"12345.679")
    lines: list[Line] = [*SIGN_ON, (">", b"\x06050\r\n"), ("<", spoiled), (">", NAK), ("<", READOUT)]
    assert readings(play(opened().perform(call(DRIVER, "read_values")), lines))[0].value == Decimal("12345.678")


def test_a_readout_that_stays_wrong_is_given_up_after_three_repeats():
    spoiled = READOUT.replace(b"12345.678", b"12345.679")
    lines: list[Line] = [*SIGN_ON, (">", b"\x06050\r\n"), ("<", spoiled)] + [(">", NAK), ("<", spoiled)] * 3
    with pytest.raises(BadFrame):
        play(opened().perform(call(DRIVER, "read_values")), lines)


def test_silence_is_asked_again_three_times():
    lines: list[Line] = [(">", b"/?00001234!\r\n"), ("!", NoAnswer("silence"))] * 4
    with pytest.raises(NoAnswer):
        play(opened().open(), lines)


def test_a_meter_of_mode_a_is_read_without_an_option_select():
    lines: list[Line] = [SIGN_ON[0], ("<", b"/ABCA\\X\r\n" + READOUT)]
    assert len(readings(play(opened().perform(call(DRIVER, "read_values")), lines))) == 2


def test_a_meter_without_programming_mode_has_no_registers():
    lines: list[Line] = [SIGN_ON[0], ("<", b"/ABCA\\X\r\n")]
    with pytest.raises(Unsupported):
        play(opened().perform(call(DRIVER, "read_registers", registers=["1.8.0"])), lines)


def test_a_refused_register_does_not_keep_the_others_from_being_stored():
    lines: list[Line] = [
        (">", bcc(b"\x01R1\x021.8.1()\x03")),
        ("<", bcc(b"\x021.8.1(0001.5*kWh)\x03")),
        (">", bcc(b"\x01R1\x029.9.9()\x03")),
        ("<", bcc(b"\x02(ER03)\x03")),
        (">", bcc(b"\x01R1\x021-0:2.8.1()\x03")),
        ("<", bcc(b"\x02(0002.5*kWh)\x03")),
    ]
    session = programming()
    steps: list[object] = []
    conversation = session.perform(call(DRIVER, "read_registers", registers=["1.8.1", "9.9.9", "1-0:2.8.1"]))

    def watched():
        try:
            step = next(conversation)
            while True:
                steps.append(step)
                step = conversation.send((yield step))
        except StopIteration:
            return

    with pytest.raises(Refused, match=r"9\.9\.9.*ER03"):
        play(watched(), lines)
    assert readings(steps) == [kwh("1.5", NOW, "1-0:1.8.1"), kwh("2.5", NOW, "1-0:2.8.1")]


def test_an_answer_to_another_register_is_passed_over():
    late = bcc(b"\x021.8.1(0001.5*kWh)\x03")
    lines: list[Line] = [
        (">", bcc(b"\x01R1\x021.8.2()\x03")),
        ("<", late + ACK + bcc(b"\x021.8.2(7*kWh)\x03")),
    ]
    steps = play(programming().perform(call(DRIVER, "read_registers", registers=["1.8.2"])), lines)
    assert readings(steps) == [kwh("7", NOW, "1-0:1.8.2")]


def test_an_answer_without_an_address_that_repeats_the_last_one_gives_way_to_the_one_behind_it():
    lines: list[Line] = [
        (">", bcc(b"\x01R1\x021.8.1()\x03")),
        ("<", bcc(b"\x02(1*kWh)\x03")),
        (">", bcc(b"\x01R1\x021.8.2()\x03")),
        ("<", bcc(b"\x02(1*kWh)\x03") + bcc(b"\x02(2*kWh)\x03")),
        (">", bcc(b"\x01R1\x021.8.3()\x03")),
        ("<", bcc(b"\x02(2*kWh)\x03")),
    ]
    asked = call(DRIVER, "read_registers", registers=["1.8.1", "1.8.2", "1.8.3"])
    assert [each.value for each in readings(play(programming().perform(asked), lines))] == [1, 2, 2]


def test_a_register_that_is_no_number_is_bad_data():
    lines: list[Line] = [(">", bcc(b"\x01R1\x02C.1.1()\x03")), ("<", bcc(b"\x02C.1.1(ABC)\x03"))]
    with pytest.raises(BadData):
        play(programming().perform(call(DRIVER, "read_registers", registers=["C.1.1"])), lines)


def test_a_break_in_place_of_an_answer_is_a_lost_link():
    lines: list[Line] = [(">", bcc(b"\x01R1\x021.8.1()\x03")), ("<", BREAK)]
    with pytest.raises(LinkLost):
        play(programming().perform(call(DRIVER, "read_registers", registers=["1.8.1"])), lines)


def profile(start: str, end: str | None = None, **more: object):
    return call(DRIVER, "read_profile_by_date", start_date=start, **({"end_date": end} if end else {}), **more)


def test_a_profile_of_intervals_is_labelled_by_their_start():
    block = b"P.01(260301001500)(00)(15)(2)(1.29.0)(kWh)(1-0:1.8.0)(kWh)\r\n(0.10)(5.10)\r\n(0.20)(5.30)\r\n"
    lines: list[Line] = [
        (">", bcc(b"\x01R5\x02P.01(2603010010;2603010030)\x03")),
        ("<", bcc(b"\x02" + block + b"\x03")),
    ]
    first, second, third = (datetime(2026, 2, 28, 23, minute, tzinfo=UTC) for minute in (0, 15, 30))
    steps = play(programming().perform(profile("2026-03-01T00:10:00", "2026-03-01T00:30:00")), lines)
    assert steps == [
        Found(
            [
                kwh("0.10", first, "1-0:1.29.0"),
                kwh("5.10", second),
                kwh("0.20", second, "1-0:1.29.0"),
                kwh("5.30", third),
            ],
            (datetime(2026, 2, 28, 23, 10, tzinfo=UTC), third),
        )
    ]


def test_a_long_profile_is_asked_for_day_by_day_and_repeated_days_are_passed_over():
    head = b"(00)(720)(1)(1.8.0)(kWh)\r\n"
    day_1 = bcc(b"\x02P.01(260227120000)" + head + b"(1)\r\n(2)\r\n(3)\r\n\x03")
    day_2 = bcc(b"\x02P.01(260228120000)" + head + b"(3)\r\n(4)\r\n(5)\r\n\x03")
    lines: list[Line] = [
        (">", bcc(b"\x01R5\x02P.01(2602271200;2602281200)\x03")),
        ("<", day_1),
        (">", bcc(b"\x01R5\x02P.01(2602281200;2603011200)\x03")),
        ("<", day_1 + day_2),
        (">", bcc(b"\x01R5\x02P.01(2603011200;)\x03")),
        ("<", bcc(b"\x02P.01()\x03")),
    ]
    steps = play(programming().perform(profile("2026-02-27T12:00:00")), lines)
    assert [int(each.value) for each in readings(steps)] == [1, 2, 3, 4, 5]
    assert len(steps) == 2


def test_an_empty_profile_is_no_fault():
    lines: list[Line] = [
        (">", bcc(b"\x01R5\x02P.01(2603010010;2603010030)\x03")),
        ("<", bcc(b"\x02P.01()\x03")),
    ]
    assert play(programming().perform(profile("2026-03-01T00:10:00", "2026-03-01T00:30:00")), lines) == []


@pytest.mark.parametrize(
    ("season", "hour"), [(b"0", 1), (b"1", 0), (b"2", 2), (b"", 0)], ids=["winter", "summer", "utc", "unknown"]
)
def test_the_season_of_a_stamp_decides_which_of_two_equal_hours_it_is(season, hour):
    session = opened(zone="Europe/Berlin")
    play(session.open(), PROGRAMMING + DATE + TIME)
    block = b"P.01(" + season + b"261025020000)(00)(15)(1)(1.8.0)(kWh)\r\n(7)\r\n"
    lines: list[Line] = [
        (">", bcc(b"\x01R5\x02P.01(2610250000;2610250300)\x03")),
        ("<", bcc(b"\x02" + block + b"\x03")),
    ]
    steps = play(session.perform(profile("2026-10-25T00:00:00", "2026-10-25T03:00:00")), lines)
    assert readings(steps) == [kwh("7", datetime(2026, 10, 25, hour, tzinfo=UTC))]


def test_partial_blocks_are_acknowledged_one_by_one():
    head = b"P.01(260301001500)(00)(15)(1)(1.8.0)(kWh)\r\n"

    start, end = datetime(2026, 3, 1, 0, 15, tzinfo=UTC), datetime(2026, 3, 1, 1, 0, tzinfo=UTC)
    device, zone = Device(profile_read="R6"), ZoneInfo("UTC")
    asked = transfer.ProfileRange("P.01", start, start, end)
    lines: list[Line] = [
        (">", bcc(b"\x01R6\x02P.01(2603010015;2603010100)\x03")),
        ("<", bcc(b"\x02" + head + b"(1)\r\n\x04")),
        (">", ACK),
        ("<", bcc(b"\x02(2)\r\n\x04")[:-1] + b"\x7f"),
        (">", NAK),
        ("<", bcc(b"\x02(2)\r\n\x04")),
        (">", ACK),
        ("<", bcc(b"\x02(2)\r\n\x04") + bcc(b"\x02(3)\r\n\x03")),
    ]
    conversation = transfer.read_range(asked, ProfileRows(device, zone), device, zone, lambda *_: None)
    assert [int(each.value) for each in readings(play(conversation, lines))] == [1, 2, 3]


def test_the_clock_is_set_in_the_form_in_which_the_meter_shows_it():
    late: list[Line] = [
        DATE[0],
        ("<", bcc(b"\x020.9.2(26-03-01)\x03")),
        TIME[0],
        ("<", bcc(b"\x020.9.1(11:58:00)\x03")),
    ]
    kept: list[Line] = [
        DATE[0],
        ("<", bcc(b"\x020.9.2(26-03-01)\x03")),
        TIME[0],
        ("<", bcc(b"\x020.9.1(12:00:01)\x03")),
    ]
    writes: list[Line] = [
        (">", bcc(b"\x01W1\x020.9.2(26-03-01)\x03")),
        ("<", ACK),
        (">", bcc(b"\x01W1\x020.9.1(12:00:00)\x03")),
        ("<", ACK),
    ]
    steps = play(programming().perform(call(DRIVER, "set_time", allowed_drift_seconds=60)), late + writes + kept)
    assert steps == [ClockSeen(datetime(2026, 3, 1, 10, 58, tzinfo=UTC)), ClockSet(NOW)]


def test_a_clock_within_what_is_allowed_is_left_alone():
    steps = play(programming().perform(call(DRIVER, "set_time", allowed_drift_seconds=7)), DATE + TIME)
    assert steps == [ClockSeen(datetime(2026, 3, 1, 11, 0, 7, tzinfo=UTC))]


def test_a_clock_that_may_not_be_set_is_a_refusal():
    write: list[Line] = [(">", bcc(b"\x01W1\x020.9.2(260301)\x03")), ("<", bcc(b"\x02(ER17)\x03"))]
    with pytest.raises(Refused, match="ER17"):
        play(programming().perform(call(DRIVER, "set_time")), DATE + TIME + write)


def test_a_session_in_programming_mode_ends_with_a_break_and_any_other_says_nothing():
    assert play(programming().close(), [(">", BREAK)]) == []
    assert play(opened().close(), []) == []


def test_partial_blocks_without_rows_are_not_taken_for_ever():
    start = datetime(2026, 3, 1, 0, 15, tzinfo=UTC)
    device, zone = Device(profile_read="R6"), ZoneInfo("UTC")
    empty = [bcc(b"\x02" + b"\r\n" * lines + b"\x04") for lines in (1, 2, 3, 4)]
    lines: list[Line] = [(">", bcc(b"\x01R6\x02P.01(2603010015;)\x03")), ("<", empty[0])]
    for block in empty[1:]:
        lines += [(">", ACK), ("<", block)]
    asked = transfer.ProfileRange("P.01", start, start, None)
    with pytest.raises(BadFrame, match="without rows"):
        play(transfer.read_range(asked, ProfileRows(device, zone), device, zone, lambda *_: None), lines)
