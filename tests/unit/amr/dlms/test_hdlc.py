"""HDLC frames: published frames of the standard's examples, and what noise does to them."""

import pytest

from pipelines.amr.faults import BadFrame
from pipelines.amr.protocols.dlms.hdlc import (
    Frame,
    address_octets,
    check_sequence,
    hdlc_frame,
    read_frame,
)
from pipelines.simulators.meters.dlms_station import crc16

# SNRM and UA of the example in IEC 62056-46, annex; then an AARQ in an information frame.
SNRM = bytes.fromhex("7ea00703219 30f017e".replace(" ", ""))
UA = bytes.fromhex("7ea01f21022373e6c781801205019a06019a070400000001080400000001cca27e")
AARQ = bytes.fromhex(
    "7ea02c02232110af9fe6e600601da109060760857405080101be10040e01000000065f1f0400001e1dffffc5e47e"
)


def test_the_check_sequence_is_that_of_x25() -> None:
    assert check_sequence(b"123456789") == bytes.fromhex("6e90")
    assert crc16(b"123456789") == bytes.fromhex("6e90")


@pytest.mark.parametrize("octets", [SNRM, UA, AARQ])
def test_a_published_frame_is_read_and_built_again(octets: bytes) -> None:
    assert hdlc_frame(bytearray(octets)) == len(octets)
    assert read_frame(octets).octets() == octets


def test_the_fields_of_a_frame_are_told_apart() -> None:
    frame = read_frame(AARQ)

    assert frame == Frame(b"\x02\x23", b"\x21", 0x10, AARQ[9:-3])
    assert frame.is_information
    assert (frame.sent, frame.received, frame.more) == (0, 0, False)


@pytest.mark.parametrize(
    ("upper", "lower", "size", "octets"),
    [
        (16, None, None, "21"),
        (1, None, None, "03"),
        (1, 17, None, "0223"),
        (1, 17, 4, "00020023"),
        (1, 8191, None, "00027eff"),
        (300, None, None, "04580001"),
        (1, None, 2, "0201"),
    ],
)
def test_addresses_take_one_two_or_four_octets(
    upper: int, lower: int | None, size: int | None, octets: str
) -> None:
    assert address_octets(upper, lower, size).hex() == octets


def test_a_frame_ends_where_its_length_says() -> None:
    buffer = bytearray(UA + AARQ)

    assert hdlc_frame(buffer) == len(UA)
    assert all(hdlc_frame(buffer[:cut]) is None for cut in range(1, len(UA)))


def test_fill_flags_and_a_shared_flag_are_allowed() -> None:
    assert hdlc_frame(bytearray(b"\x7e\x7e\x7e" + SNRM)) == len(SNRM) + 3
    assert read_frame(b"\x7e\x7e\x7e" + SNRM) == read_frame(SNRM)
    assert hdlc_frame(bytearray(UA[1:])) == len(UA) - 1
    assert read_frame(UA[1:]) == read_frame(UA)


@pytest.mark.parametrize("octets", [b"\x55" * 40, b"/KAM5\r\n", b"\x7e\x00\x01\x00", b"\x7e" * 30])
def test_noise_is_no_frame(octets: bytes) -> None:
    with pytest.raises(BadFrame):
        hdlc_frame(bytearray(octets))


@pytest.mark.parametrize("bit", range(8 * (len(UA) - 2)))
def test_every_single_bit_error_is_noticed(bit: int) -> None:
    damaged = bytearray(UA)
    damaged[1 + bit // 8] ^= 1 << bit % 8

    with pytest.raises(BadFrame):
        read_frame(bytes(damaged))


@pytest.mark.parametrize("octets", [b"", b"\x7e", b"\x7e\x7e", UA[:-1], UA[:12] + b"\x7e"])
def test_a_cut_frame_is_bad(octets: bytes) -> None:
    with pytest.raises(BadFrame):
        read_frame(octets)
