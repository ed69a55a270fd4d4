"""Noise into everything that reads octets: a value or a typed fault comes out, never anything else."""

import contextlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.amr.contract import Conversation, Exchange, Keys
from pipelines.amr.faults import MeterFault
from pipelines.amr.protocols.dlms.acse import read_association_response
from pipelines.amr.protocols.dlms.apdu import read_reply
from pipelines.amr.protocols.dlms.axdr import decode
from pipelines.amr.protocols.dlms.ciphering import Cipher
from pipelines.amr.protocols.dlms.hdlc import hdlc_frame, read_frame
from pipelines.amr.protocols.dlms.profile import capture_objects, read_rows
from pipelines.amr.protocols.dlms.push import read_push
from pipelines.amr.protocols.dlms.times import instant
from pipelines.amr.protocols.dlms.wire import wrapper_frame
from tests.unit.amr.dlms.meters import GAK, GUEK, NOW, SECRETS, call, session, simulated

BERLIN = ZoneInfo("Europe/Berlin")
EXAMPLES = settings(max_examples=2000, deadline=None)
COLUMNS = capture_objects(
    decode(
        bytes.fromhex("0102 0204 120008 0906 0000010000ff 0f02 120000 0204 120003 0906 0100010800ff 0f02 120000")
    )
)
AARE = bytes.fromhex(
    "6142a109060760857405080101a203020100a305a10302010e88020780890760857405080205"
    "aa0a8008503677524a323146be10040e0800065f1f040000501f01f40007"
)
BUFFER = bytes.fromhex(
    "0102 0202 090c 07ea030107000000000000 80 06 00000001 0202 00 130202111201060011000122022200"
)
PUSH = bytes.fromhex("a02a410883130413e6e7000f40000000000101020309060100010700ff060000067d02020f00161b1c05")
BLOCK = bytes.fromhex("c402c1 00 00000001 00 0a 01020304050607080910")
CIPHERED = bytes.fromhex("c8 1e 30 01234567 411312ff935a47566827c467bc7d825c3be4a77c3fcc056b6b")
DATE_TIME = bytes.fromhex("07ea0105010c000000ffc400")


def rows(data: bytes) -> Any:
    return read_rows(decode(data), COLUMNS, timedelta(minutes=15), BERLIN)


def deciphered(data: bytes) -> bytes:
    return Cipher(GUEK, GAK, meter_title=bytes.fromhex("4d4d4d0000bc614e")).unprotect(data)


def pushed(data: bytes) -> Any:
    return read_push(data, zone=BERLIN, received_at=NOW, keys=Keys(encryption_key=GUEK, authentication_key=GAK))


# Readers of the same octets share their examples.
READERS: dict[str, tuple[list[Callable[[bytes], Any]], bytes]] = {
    "data": ([decode, rows, lambda data: capture_objects(decode(data))], BUFFER),
    "association response": ([read_association_response], AARE),
    "responses": (
        [lambda data, service=service: read_reply(data, service) for service in (0xC4, 0xC5, 0xC7)],  # type: ignore[misc]
        BLOCK,
    ),
    "ciphered": ([deciphered], CIPHERED),
    "HDLC": ([read_frame, lambda data: hdlc_frame(bytearray(data)), pushed], b"\x7e" + PUSH + b"\x7e"),
    "wrapper": ([lambda data: wrapper_frame(bytearray(data))], b"\x00\x01\x00\x01\x00\x10\x00\x02ab"),
    "notification": ([pushed], PUSH[9:-2]),
    "date-time": ([lambda data: instant(data, BERLIN)], DATE_TIME),
}


def damaged(sound: bytes) -> st.SearchStrategy[bytes]:
    """Return noise, cut-off and bit-flipped copies, and copies with octets replaced by lengths and types."""
    flips = st.lists(st.tuples(st.integers(0, len(sound) - 1), st.integers(0, 255)), min_size=1, max_size=6)

    def patched(changes: list[tuple[int, int]]) -> bytes:
        octets = bytearray(sound)
        for at, value in changes:
            octets[at] = value
        return bytes(octets)

    def flipped(bits: list[int]) -> bytes:
        octets = bytearray(sound)
        for bit in bits:
            octets[bit // 8] ^= 1 << bit % 8
        return bytes(octets)

    return st.one_of(
        st.binary(max_size=80),
        st.integers(0, len(sound)).map(lambda end: sound[:end]),
        st.lists(st.integers(0, 8 * len(sound) - 1), min_size=1, max_size=8).map(flipped),
        flips.map(patched),
        st.lists(st.sampled_from([1, 2, 3, 9, 18, 19, 0xFF, 0x84, 0]), max_size=60).map(bytes),
    )


@pytest.mark.parametrize("name", READERS)
def test_octets_of_any_kind_give_a_value_or_a_typed_fault(name: str) -> None:
    readers, sound = READERS[name]

    def feed(data: bytes) -> None:
        for reader in readers:
            with contextlib.suppress(MeterFault):
                reader(data)

    @EXAMPLES
    @given(damaged(sound))
    def check(data: bytes) -> None:
        feed(data)

    check()
    for end in range(len(sound)):
        feed(sound[:end])


def _answered(conversation: Conversation, answers: list[bytes]) -> None:
    step = next(conversation)
    for _ in range(200):
        assert isinstance(step, Exchange)
        step = conversation.send(answers.pop() if answers else b"\x00" * 12)


@pytest.mark.parametrize("framing", ["wrapper", "hdlc"])
def test_a_meter_that_answers_noise_ends_the_conversation_with_a_fault(framing: str) -> None:
    @settings(max_examples=300, deadline=None)
    @given(st.lists(st.binary(max_size=60), min_size=1, max_size=12))
    def check(answers: list[bytes]) -> None:
        conversation = session().perform(call("read_registers", registers=["1.8.0"], framing=framing))
        with pytest.raises(MeterFault):
            _answered(conversation, list(answers))

    check()


@pytest.mark.parametrize(("framing", "security"), [("wrapper", "none"), ("wrapper", "gmac"), ("hdlc", "none")])
def test_the_simulator_survives_noise(framing: str, security: str) -> None:
    @settings(max_examples=200, deadline=None)
    @given(
        st.lists(damaged(bytes.fromhex("0001001000010 00dc001c1000801000000ff0200".replace(" ", ""))), max_size=4)
    )
    def check(segments: list[bytes]) -> None:
        simulator = simulated(framing, security, **SECRETS)
        for segment in segments:
            assert all(isinstance(frame, bytes) for frame in simulator.receive(segment))

    check()
