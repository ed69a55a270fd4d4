import pytest

from pipelines.amr.faults import BadData, BadFrame, Refused, Unsupported
from pipelines.amr.protocols.mbus.frames import Frame, frame_length, long_frame, parse, short_frame
from pipelines.amr.protocols.mbus.telegram import parse_telegram

SND_NKE_TO_1 = bytes.fromhex("10 40 01 41 16")
REQ_UD2_TO_1 = bytes.fromhex("10 7B 01 7C 16")
SELECT_12345678 = bytes.fromhex("68 0B 0B 68 53 FD 52 78 56 34 12 FF FF FF FF B2 16")


def test_requests_are_the_bytes_of_the_standard() -> None:
    assert short_frame(0x40, 1) == SND_NKE_TO_1
    assert short_frame(0x7B, 1) == REQ_UD2_TO_1
    mask = bytes.fromhex("78 56 34 12 FF FF FF FF")
    assert long_frame(0x53, 0xFD, b"\x52" + mask) == SELECT_12345678


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("E5", 1),
        ("E5 E5", 1),
        ("10 40 01 41", None),
        ("10 40 01 41 16 68", 5),
        ("68", None),
        ("68 03 03", None),
        ("68 03 03 68 08 01 70 79", None),
        ("68 03 03 68 08 01 70 79 16 E5", 9),
    ],
)
def test_a_frame_ends_where_its_length_says(text: str, length: int | None) -> None:
    assert frame_length(bytearray.fromhex(text)) == length


@pytest.mark.parametrize("text", ["55", "16", "68 03 04 68", "68 03 03 69", "68 00 00 68", "68 02 02 68"])
def test_what_no_byte_could_complete_is_refused_at_once(text: str) -> None:
    with pytest.raises(BadFrame):
        frame_length(bytearray.fromhex(text))


@pytest.mark.parametrize(
    "text",
    [
        "10 40 01 42 16",
        "10 40 01 41 17",
        "68 03 03 68 08 01 70 78 16",
        "68 03 03 68 08 01 70 79 15",
        "E5 E5",
        "",
    ],
)
def test_a_wrong_checksum_stop_or_length_is_a_bad_frame(text: str) -> None:
    with pytest.raises(BadFrame):
        parse(bytes.fromhex(text))


def test_an_acknowledgement_and_an_echo_are_no_answers() -> None:
    assert parse(b"\xe5").is_acknowledgement
    assert not parse(b"\xe5").is_answer
    assert not parse(REQ_UD2_TO_1).is_answer
    assert not parse(SELECT_12345678).is_answer
    assert parse(bytes.fromhex("68 03 03 68 08 01 70 79 16")).is_answer


@pytest.mark.parametrize("length_byte", range(256))
def test_any_length_byte_is_framed_or_refused(length_byte: int) -> None:
    head = bytearray([0x68, length_byte, length_byte, 0x68])
    if length_byte < 3:
        with pytest.raises(BadFrame):
            frame_length(head)
    else:
        assert frame_length(head) is None
        assert frame_length(head + bytes(length_byte + 2)) == length_byte + 6


def test_most_significant_byte_first_is_said_to_be_unsupported() -> None:
    with pytest.raises(Unsupported, match="most significant"):
        parse_telegram(Frame(0x08, 1, bytes.fromhex("76 12 34 56 78 0A 00 E9 7E")))


def test_an_encrypted_telegram_is_told_from_noise_in_the_signature() -> None:
    head = "72 78 56 34 12 24 40 01 07 55 00 {} 04 13 01 00 00 00"
    with pytest.raises(Unsupported, match="security mode 5"):
        parse_telegram(Frame(0x08, 1, bytes.fromhex(head.format("10 05"))))
    assert parse_telegram(Frame(0x08, 1, bytes.fromhex(head.format("FF FF")))).records


def test_telegrams_with_a_short_header_or_none_are_read() -> None:
    short = parse_telegram(Frame(0x08, 1, bytes.fromhex("7A 05 00 00 00 04 13 01 00 00 00")))
    bare = parse_telegram(Frame(0x08, 1, bytes.fromhex("78 04 13 01 00 00 00")))
    assert short.records == bare.records
    assert (short.access, short.serial) == (5, None)


def test_an_unknown_application_error_still_says_its_number() -> None:
    with pytest.raises(Refused, match="application error 77"):
        parse_telegram(Frame(0x08, 1, bytes([0x70, 77])))


def test_a_command_of_a_master_is_no_telegram() -> None:
    with pytest.raises(BadData):
        parse_telegram(Frame(0x53, 0xFE, bytes.fromhex("51 01 7A 08")))
