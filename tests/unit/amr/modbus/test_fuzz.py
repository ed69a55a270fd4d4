import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.amr.faults import BadFrame, MeterFault
from pipelines.amr.protocols.modbus.frames import Block, frame_length, read_answer, transaction_of
from tests.unit.amr.modbus.support import NOW, call, readings, session, unit_data
from tests.unit.amr.transcripts import answer_from

MANY = settings(max_examples=2000, deadline=None)
BLOCK = Block("input", 0x48, 2)
GOOD = unit_data(1, "04 04 46 40 E6 B6")
ASKED = call(model="eastron_sdm630", registers=["1-0:1.8.0"])
PIECES = st.one_of(
    st.binary(min_size=1, max_size=30),
    st.builds(unit_data, st.integers(0, 4), st.binary(min_size=1, max_size=10)),
    st.builds(lambda transaction: unit_data(transaction, "04 04 46 40 E6 B6"), st.integers(0, 4)),
)


@MANY
@given(st.binary(max_size=300))
def test_any_bytes_are_framed_awaited_or_refused(data: bytes) -> None:
    with contextlib.suppress(BadFrame):
        length = frame_length(bytearray(data))
        assert length is None or 8 <= length <= min(len(data), 260)


@MANY
@given(st.binary(max_size=253))
def test_any_pdu_is_an_answer_or_a_bad_frame(pdu: bytes) -> None:
    with contextlib.suppress(BadFrame):
        answer = read_answer(unit_data(1, pdu), 1, BLOCK)
        assert answer.exception or len(answer.words) == 2


@MANY
@given(st.sampled_from((0x04, 0x84)), st.binary(max_size=12))
def test_any_answer_of_the_right_function_is_an_answer_or_a_bad_frame(function: int, rest: bytes) -> None:
    with contextlib.suppress(BadFrame):
        answer = read_answer(unit_data(1, bytes([function]) + rest), 1, BLOCK)
        assert answer.exception == (rest[0] if function & 0x80 else 0)


@pytest.mark.parametrize("bit", range(9 * 8))
def test_a_flipped_bit_in_front_of_the_values_is_noticed(bit: int) -> None:
    damaged = bytearray(GOOD)
    damaged[bit // 8] ^= 0x80 >> bit % 8
    try:
        length = frame_length(damaged)
    except BadFrame:
        return
    if length is None or transaction_of(damaged) != 1:
        return
    if damaged[7] == 0x84:
        assert read_answer(bytes(damaged[:length]), 1, BLOCK).exception
        return
    with pytest.raises(BadFrame):
        read_answer(bytes(damaged[:length]), 1, BLOCK)


@settings(max_examples=500, deadline=None)
@given(st.lists(PIECES, max_size=12))
def test_whatever_a_device_says_a_conversation_ends(said: list[bytes]) -> None:
    pieces = iter(said)
    asked = []

    def receive(request: bytes) -> list[bytes]:
        asked.append(request)
        return [next(pieces, b""), next(pieces, b"")]

    steps = []
    with contextlib.suppress(MeterFault):
        steps = answer_from(session().perform(ASKED), receive)
    assert 1 <= len(asked) <= 3
    assert all(reading.timestamp == NOW for reading in readings(steps))
