import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.amr.faults import BadFrame, MeterFault
from pipelines.amr.protocols.mbus.frames import Frame, frame_length, parse
from pipelines.amr.protocols.mbus.records import Record, parse_records
from pipelines.amr.protocols.mbus.series import Collection
from pipelines.amr.protocols.mbus.session import MODELS, RULES
from pipelines.amr.protocols.mbus.telegram import parse_telegram
from tests.unit.amr.mbus.support import ACK, BERLIN, NKE, NOW, REQ_1, call, session
from tests.unit.amr.transcripts import answer_from

MANY = settings(max_examples=2000, deadline=None)
TELEGRAMS = [bytes.fromhex(text) for model in MODELS.values() for text in model.data["sample"]["telegrams"]]


@MANY
@given(st.binary(min_size=1, max_size=300))
def test_any_bytes_are_framed_awaited_or_refused(data: bytes) -> None:
    with contextlib.suppress(BadFrame):
        length = frame_length(bytearray(data))
        assert length is None or 1 <= length <= len(data)
    with contextlib.suppress(BadFrame):
        parse(data)


@MANY
@given(st.binary(max_size=255))
def test_any_data_are_records_or_a_meter_fault(data: bytes) -> None:
    with contextlib.suppress(MeterFault):
        records, _ = parse_records(data)
        assert len(records) <= len(data)
        assert all(isinstance(record, Record) for record in records)


@MANY
@given(st.sampled_from((0x70, 0x72, 0x73, 0x78, 0x7A)), st.binary(max_size=250))
def test_any_telegram_is_readings_or_a_meter_fault(head: int, data: bytes) -> None:
    collection = Collection(rules=RULES["default"], zone=BERLIN, with_history=True)
    with contextlib.suppress(MeterFault):
        collection.readings(parse_telegram(Frame(0x08, 1, bytes([head]) + data)), NOW)


@MANY
@given(st.sampled_from(TELEGRAMS), st.data())
def test_a_flipped_bit_never_gets_past_the_checksum(telegram: bytes, data: st.DataObject) -> None:
    bit = data.draw(st.integers(0, len(telegram) * 8 - 1))
    damaged = bytearray(telegram)
    damaged[bit // 8] ^= 1 << bit % 8
    with pytest.raises(BadFrame):
        parse(bytes(damaged))


@MANY
@given(st.sampled_from(TELEGRAMS), st.data())
def test_a_damaged_telegram_with_a_right_checksum_is_readings_or_a_meter_fault(
    telegram: bytes, data: st.DataObject
) -> None:
    body = bytearray(telegram[6:-2])
    for _ in range(data.draw(st.integers(0, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(body[: data.draw(st.integers(1, len(body)))])
    collection = Collection(rules=RULES["kamstrup_multical_601"], zone=BERLIN, with_history=True)
    with contextlib.suppress(MeterFault):
        collection.readings(parse_telegram(Frame(0x08, 1, cut)), NOW)


PIECES = st.one_of(st.binary(min_size=1, max_size=40), st.sampled_from([ACK, REQ_1, *TELEGRAMS]))


@settings(max_examples=500, deadline=None)
@given(st.lists(PIECES, max_size=12))
def test_whatever_a_meter_says_a_conversation_ends(said: list[bytes]) -> None:
    pieces = iter([ACK, *said])
    asked = []

    def receive(request: bytes) -> list[bytes]:
        asked.append(request)
        return [next(pieces, b"")]

    with contextlib.suppress(MeterFault):
        answer_from(session().perform(call("read_values", primary_address=1, history=True)), receive)
    assert asked[0] == NKE
    # Eight telegrams and the reset, each tried three times at most.
    assert len(asked) <= 27
