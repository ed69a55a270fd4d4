"""Whole exchanges octet by octet, written from the standards' encodings, with no simulator in between."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from pipelines.amr.contract import Call, ClockSeen, Found, Keys, Reading
from pipelines.amr.faults import (
    AuthenticationFailed,
    BadData,
    BadFrame,
    CounterRefused,
    LinkLost,
    NoAnswer,
    Refused,
)
from pipelines.amr.protocols.dlms.ciphering import Cipher, Repeated
from pipelines.simulators.meters.dlms_station import crc16
from tests.unit.amr.dlms.meters import session
from tests.unit.amr.transcripts import Line, play

HEADER = "0001 0010 0001"
BACK = "0001 0001 0010"
AARQ = f"{HEADER} 001f 601d a1 09 0607 60857405080101 be10 040e 01 00 00 00 06 5f1f0400 00101d ffff"
AARE = (
    f"{BACK} 002b 6129 a1 09 0607 60857405080101 a203 020100 a305 a103 020100"
    " be10 040e 08 00 06 5f1f0400 00101d 0400 0007"
)
GET_CLOCK = f"{HEADER} 000d c001c1 0008 0000010000ff 02 00"
CLOCK = f"{BACK} 0012 c401c1 00 090c 07ea 03 1e 01 0c 00 11 00 ff88 80"
GET_UNIT = f"{HEADER} 000d c001c2 0003 0100010800ff 03 00"
UNIT = f"{BACK} 000a c401c2 00 0202 0fff 161e"
GET_VALUE = f"{HEADER} 000d c001c3 0003 0100010800ff 02 00"
VALUE = f"{BACK} 0009 c401c3 00 06 000003e9"
SEEN = datetime(2026, 3, 30, 10, 0, 17, tzinfo=UTC)


def lines(*texts: str) -> list[Line]:
    """Return a transcript of "> 00 01" and "< 00 01" lines; "< " alone ends the connection."""
    return [(text[0], bytes.fromhex(text[1:])) for text in texts]


def read_import() -> Call:
    return Call(name="read_registers", arguments={"registers": ["1-0:1.8.0"]})


def test_a_register_is_read_over_the_wrapper() -> None:
    one = session()

    steps = play(
        one.perform(read_import()),
        lines(
            f">{AARQ}", f"<{AARE}", f">{GET_CLOCK}", f"<{CLOCK}", f">{GET_UNIT}", f"<{UNIT}",
            f">{GET_VALUE}", f"<{VALUE}",
        ),
    )  # fmt: skip

    reading = Reading("1-0:1.8.0", SEEN, Decimal("100.1"), "Wh")
    assert steps == [ClockSeen(SEEN), Found([reading])]
    assert play(one.close(), lines(f">{HEADER} 0005 62 03 80 01 00", f"<{BACK} 0005 63 03 80 01 00")) == []


def test_an_answer_that_arrives_in_pieces_is_put_together() -> None:
    pieces = [f"<{octet}" for octet in bytes.fromhex(AARE).hex(" ").split()]

    with pytest.raises(NoAnswer):
        play(session().perform(read_import()), lines(f">{AARQ}", *pieces, f">{GET_CLOCK}") + _silences(1))


def _silences(first: int) -> list[Line]:
    again = [(">", bytes.fromhex(GET_CLOCK.replace("c001c1", f"c001c{number}"))) for number in (2, 3)]
    silence: Line = ("!", NoAnswer("silent"))
    return [silence, again[0], silence, again[1], silence][first - 1 :]


def test_a_late_answer_to_an_earlier_request_is_not_taken_for_the_present_one() -> None:
    late = GET_UNIT.replace("c001c2", "c001c3"), GET_VALUE.replace("c001c3", "c001c4")

    steps = play(
        session().perform(read_import()),
        [
            *lines(f">{AARQ}", f"<{AARE}", f">{GET_CLOCK}", f"<{CLOCK}", f">{GET_UNIT}"),
            ("!", NoAnswer("silent")),
            *lines(f">{late[0]}", f"<{UNIT}", f"<{UNIT.replace('c401c2', 'c401c3')}"),
            *lines(f">{late[1]}", f"<{UNIT.replace('c401c2', 'c401c3')}", f"<{VALUE.replace('c401c3', 'c401c4')}"),
        ],
    )

    assert steps[-1] == Found([Reading("1-0:1.8.0", SEEN, Decimal("100.1"), "Wh")])


def test_a_rejected_password_is_tried_once_and_never_shown() -> None:
    refused = f"{BACK} 0021 611f a1 09 0607 60857405080101 a203 020101 a305 a103 02010d be06 0404 0e 01 06 01"
    one = session()
    request = (
        f"{HEADER} 003a 6038 a1 09 0607 60857405080101 8a02 0780 8b07 60857405080201"
        " ac0c 800a 6f70656e736573616d65 be10 040e 01 00 00 00 06 5f1f0400 00101d ffff"
    )
    wanted = Call(name="read_registers", arguments={"registers": ["1.8.0"], "security": "lls"})

    with pytest.raises(AuthenticationFailed, match="authentication failed") as caught:
        play(one.perform(wanted), lines(f">{request}", f"<{refused}"))
    assert "opensesame" not in repr(caught.value)
    with pytest.raises(AuthenticationFailed):
        play(one.perform(wanted), [])
    assert play(one.close(), []) == []


def test_a_password_is_not_shown_again_after_silence() -> None:
    wanted = Call(name="read_registers", arguments={"registers": ["1.8.0"], "security": "lls"})
    request = (
        f"{HEADER} 003a 6038 a1 09 0607 60857405080101 8a02 0780 8b07 60857405080201"
        " ac0c 800a 6f70656e736573616d65 be10 040e 01 00 00 00 06 5f1f0400 00101d ffff"
    )

    with pytest.raises(NoAnswer):
        play(session().perform(wanted), [*lines(f">{request}"), ("!", NoAnswer("silent"))])


@pytest.mark.parametrize(
    ("response", "fault", "words"),
    [
        ("c401c2 01 04", Refused, "object undefined"),
        ("c401c2 01 0d", Refused, "scope of access violated"),
        ("c401c2 01 02", Refused, "temporary failure"),
        ("c401c2 01 63", Refused, "reason 99"),
        ("d8 01 02", Refused, "service not allowed, service not supported"),
        ("d8 01 06 0000002a", CounterRefused, "42"),
        ("d8 01 05", AuthenticationFailed, "decipher"),
        ("0e 05 04 01", Refused, "confirmed service error"),
        ("c401c2 02", BadData, "without data"),
        ("c403c2 01 00 06", BadData, "not asked for"),
        ("c401c2 00 06 0000", BadData, "cut short"),
        ("c402c2 00 00000005 00 01 00", BadData, "block 5"),
        ("c402c2 01 00000001 00 05 00", BadData, "as long as"),
    ],
)
def test_a_refusal_comes_with_the_meters_words(response: str, fault: type[Exception], words: str) -> None:
    answer = bytes.fromhex(response)
    framed = bytes.fromhex(BACK) + len(answer).to_bytes(2, "big") + answer

    with pytest.raises(fault, match=words):
        play(
            session().perform(read_import()),
            [*lines(f">{AARQ}", f"<{AARE}", f">{GET_CLOCK}", f"<{CLOCK}", f">{GET_UNIT}"), ("<", framed)],
        )


def hdlc(head: str, information: str = "") -> bytes:
    """Return a frame; its check sequences are computed by the simulator's independent routine."""
    octets = bytes.fromhex(head)
    octets += crc16(octets)
    if information:
        octets += bytes.fromhex(information)
        octets += crc16(octets)
    return b"\x7e" + octets + b"\x7e"


def apdu(wrapped: str) -> str:
    """Return the APDU of a wrapped one."""
    return bytes.fromhex(wrapped)[8:].hex()


PARAMETERS = "8180 14 0502 0200 0602 0200 0704 00000001 0804 00000001"
CLOCK_FRAME = hdlc("a01e 21 03 52", "e6e700" + apdu(CLOCK))


def test_a_register_is_read_over_hdlc_though_frames_are_damaged_repeated_segmented_and_lost() -> None:
    one = session()
    wanted = Call(name="read_registers", arguments={"registers": ["1.8.0"], "framing": "hdlc"})

    steps = play(
        one.perform(wanted),
        [
            (">", hdlc("a020 03 21 93", PARAMETERS)),
            ("<", hdlc("a007 21 03 73")),
            (">", hdlc("a02b 03 21 10", "e6e600" + apdu(AARQ))),
            ("<", hdlc("a037 21 03 30", "e6e700" + apdu(AARE))),
            (">", hdlc("a019 03 21 32", "e6e600" + apdu(GET_CLOCK))),
            ("<", CLOCK_FRAME.replace(b"\x03\x1e", b"\x03\x1f")),  # damaged: poll for it
            (">", hdlc("a007 03 21 31")),
            ("<", CLOCK_FRAME),
            (">", hdlc("a019 03 21 54", "e6e600" + apdu(GET_UNIT))),
            ("<", CLOCK_FRAME),  # repeated, too late: skip it
            ("<", hdlc("a80e 21 03 74", "e6e700 c401")),  # in two segments
            (">", hdlc("a007 03 21 71")),
            ("<", hdlc("a011 21 03 76", "c200 0202 0fff 161e")),
            (">", hdlc("a019 03 21 96", "e6e600" + apdu(GET_VALUE))),
            ("!", NoAnswer("silent")),
            (">", hdlc("a007 03 21 91")),
            ("<", hdlc("a007 21 03 71")),  # still expects our third: it was lost, so send it again
            (">", hdlc("a019 03 21 96", "e6e600" + apdu(GET_VALUE))),
            ("<", hdlc("a015 21 03 98", "e6e700" + apdu(VALUE))),
        ],
    )

    assert steps == [ClockSeen(SEEN), Found([Reading("1-0:1.8.0", SEEN, Decimal("100.1"), "Wh")])]
    play(
        one.close(),
        [
            (">", hdlc("a011 03 21 b8", "e6e600 6203800100")),
            ("<", hdlc("a011 21 03 ba", "e6e700 6303800100")),
            (">", hdlc("a007 03 21 53")),
            ("<", hdlc("a007 21 03 73")),
        ],
    )


def test_a_meter_that_dropped_the_link_is_a_lost_link() -> None:
    wanted = Call(name="read_registers", arguments={"registers": ["1.8.0"], "framing": "hdlc"})

    with pytest.raises(LinkLost, match="refuses the HDLC link"):
        play(session().perform(wanted), [(">", hdlc("a020 03 21 93", PARAMETERS)), ("<", hdlc("a007 21 03 1f"))])


# DLMS UA Green Book, 9.2.7.4 and annex: its keys, titles and results.
BOOK = Cipher(
    encryption_key=bytes.fromhex("000102030405060708090a0b0c0d0e0f"),
    authentication_key=bytes.fromhex("d0d1d2d3d4d5d6d7d8d9dadbdcdddedf"),
)


def test_the_green_books_gmac_is_accepted_and_any_other_refused() -> None:
    BOOK.meter_title = bytes.fromhex("4d4d4d0000000001")
    proof = bytes.fromhex("10 00000001 1a52fe7dd3e72748973c1e28")

    BOOK.check_proof(proof, b"P6wRJ21F")
    for wrong in (proof[:-1] + b"\x29", proof[:5], b"", b"\x00" + proof[1:]):
        with pytest.raises(AuthenticationFailed):
            BOOK.check_proof(wrong, b"P6wRJ21F")


def test_the_green_books_ciphered_get_is_deciphered() -> None:
    ciphered = bytes.fromhex("c8 1e 30 01234567 411312ff935a47566827c467bc7d825c3be4a77c3fcc056b6b")
    cipher = Cipher(BOOK.encryption_key, BOOK.authentication_key, meter_title=bytes.fromhex("4d4d4d0000bc614e"))

    assert cipher.unprotect(ciphered).hex() == "c0010000080000010000ff0200"
    with pytest.raises(Repeated):
        cipher.unprotect(ciphered)
    cipher.last_received = 0x01234568
    with pytest.raises(CounterRefused, match="went back"):
        cipher.unprotect(ciphered)


@pytest.mark.parametrize(
    "plain", ["c401c1 00 06 00000001", "cc 03 00 00 00", "db", "", "c8 1e 10 01234567" + "00" * 25]
)
def test_an_answer_without_the_agreed_protection_is_refused(plain: str) -> None:
    with pytest.raises((BadData, BadFrame)):
        Cipher(BOOK.encryption_key, BOOK.authentication_key, meter_title=b"12345678").unprotect(
            bytes.fromhex(plain)
        )


def test_keys_are_in_no_representation() -> None:
    assert BOOK.encryption_key.hex() not in repr(BOOK)
    assert repr(BOOK.encryption_key) not in repr(BOOK)
    one = session(keys=Keys(password="opensesame"))
    assert "opensesame" not in repr(vars(one))


def test_a_block_that_comes_twice_is_taken_once() -> None:
    first = f"{BACK} 0010 c402c1 00 00000001 00 06 090c07ea031e"
    second = f"{BACK} 0012 c402c1 01 00000002 00 08 010c001100ff8880"
    asked = f"{HEADER} 0007 c002c1 00000001"
    unit = GET_UNIT, UNIT.replace("c401c2 00 0202 0fff 161e", "c401c2 01 04").replace("000a", "0005")

    with pytest.raises(Refused, match="object undefined"):
        play(
            session().perform(read_import()),
            lines(
                f">{AARQ}", f"<{AARE}", f">{GET_CLOCK}", f"<{first}", f">{asked}", f"<{first}", f"<{second}",
                f">{unit[0]}", f"<{unit[1]}",
            ),
        )  # fmt: skip


def test_an_answer_of_another_logical_device_is_no_answer() -> None:
    elsewhere = AARE.replace("0001 0001 0010", "0001 0002 0010")

    with pytest.raises(BadFrame, match="from 2 to 16"):
        play(session().perform(read_import()), lines(*[f">{AARQ}", f"<{elsewhere}"] * 3))
