"""Noise, truncation and flipped bits: what comes out is a value or a MeterFault, in bounded time."""

import struct
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from iflag import utils

from pipelines.amr.contract import Found, Step
from pipelines.amr.faults import BadData, BadFrame, MeterFault
from pipelines.amr.protocols.iflag.frames import FRAME_LIMIT, Kind, crc16, frame_end, is_intact, kind_of
from pipelines.amr.protocols.iflag.layouts import firmwares
from pipelines.amr.protocols.iflag.records import Records
from pipelines.amr.protocols.iflag.times import before, highest_shown, lowest_shown, nearest
from pipelines.amr.protocols.iflag.values import LENGTHS, decode, encode_date
from pipelines.simulators.meters.iflag import CorusMeter, checksum
from pipelines.simulators.meters.responder import Faults
from tests.unit.amr.iflag.support import (
    STOCKHOLM,
    call,
    framed,
    meter,
    naive_crc,
    quarter_hours,
    session,
)
from tests.unit.amr.transcripts import answer_from

MANY = settings(max_examples=2000, deadline=None)
SOME = settings(max_examples=400, deadline=None)
FRAMES = (bytes(3), b"/ACT7CORUS\r\n", b"PASS\xe0\xae", b"\x06", b"\x15", framed(b"FL_G0003"), framed(bytes(200)))
ARCHIVE = quarter_hours(4, datetime(2024, 3, 1, 2, tzinfo=UTC))
AT = datetime(2024, 3, 1, 5, 5, 10, tzinfo=UTC)


@st.composite
def spoilt(draw: st.DrawFn) -> bytes:
    """A frame with some bits flipped and some of it cut off."""
    frame = bytearray(draw(st.sampled_from(FRAMES)))
    for bit in draw(st.lists(st.integers(0, len(frame) * 8 - 1), max_size=4)):
        frame[bit // 8] ^= 1 << bit % 8
    return bytes(frame[: draw(st.integers(1, len(frame)))])


@MANY
@given(st.one_of(st.binary(min_size=1, max_size=FRAME_LIMIT * 2), spoilt()))
def test_the_framer_ends_a_frame_within_its_buffer_or_waits_or_refuses(noise: bytes) -> None:
    buffer = bytearray(noise)
    try:
        end = frame_end(buffer)
    except BadFrame:
        return
    assert buffer == noise
    if end is None:
        assert len(noise) < FRAME_LIMIT
    else:
        assert 0 < end <= len(noise)
        frame = noise[:end]
        assert kind_of(frame) in Kind
        assert is_intact(frame) in (True, False)


@SOME
@given(st.lists(st.sampled_from(FRAMES), min_size=1, max_size=4), st.integers(1, 50))
def test_frames_are_found_again_however_they_are_cut(frames: list[bytes], step: int) -> None:
    stream, buffer, found = b"".join(frames), bytearray(), []
    for at in range(0, len(stream), step):
        buffer += stream[at : at + step]
        while buffer and (end := frame_end(buffer)) is not None:
            found.append(bytes(buffer[:end]))
            del buffer[:end]
    assert found == frames


@SOME
@given(st.binary(max_size=255))
def test_the_crc_is_that_of_the_library_of_the_simulator_and_of_a_division(data: bytes) -> None:
    assert crc16(data) == checksum(data) == naive_crc(data) == utils.crc16(data)


@MANY
@given(st.sampled_from(sorted(LENGTHS)), st.binary(min_size=9, max_size=9))
def test_any_bytes_decode_to_a_value_that_can_be_kept_or_are_bad_data(kind: str, noise: bytes) -> None:
    try:
        value = decode(kind, noise[: LENGTHS[kind]])
    except BadData:
        return
    assert value is None or isinstance(value, Decimal | str | datetime)
    if isinstance(value, Decimal):
        exponent = value.as_tuple().exponent
        assert isinstance(exponent, int)
        assert -12 <= exponent <= 0
        assert value.adjusted() < 18


@MANY
@given(st.sampled_from(sorted(LENGTHS)), st.binary(max_size=12))
def test_bytes_of_a_wrong_length_are_bad_data(kind: str, noise: bytes) -> None:
    if len(noise) != LENGTHS[kind]:
        with pytest.raises(BadData):
            decode(kind, noise)


@MANY
@given(st.floats(width=32, min_value=2.0**-20, max_value=2.0**30))
def test_a_binary32_becomes_the_shortest_decimal_that_is_itself(number: float) -> None:
    raw = struct.pack("<f", number)
    value = decode("float", raw)
    assert isinstance(value, Decimal)
    if value.as_tuple().exponent > -12:  # type: ignore[operator]
        assert struct.pack("<f", float(value)) == raw
    assert len(value.as_tuple().digits) <= 10


@SOME
@given(st.integers(0, 2**31 - 1), st.integers(0, 99_999_999))
def test_an_index_keeps_all_its_digits(whole: int, fraction: int) -> None:
    for kind, raw in (
        ("index", struct.pack("<II", whole, fraction)),
        ("index9", whole.to_bytes(5, "little") + struct.pack("<I", fraction)),
    ):
        assert decode(kind, raw) == Decimal(f"{whole}.{fraction:08d}")


@SOME
@given(st.integers(0, 64 * 365 * 86_400).map(lambda s: datetime(2000, 1, 1) + timedelta(seconds=s)))  # noqa: DTZ001
def test_a_date_is_read_back_as_it_was_written(at: datetime) -> None:
    assert decode("date", encode_date(at)) == at


@SOME
@given(
    st.integers(0, 10 * 365 * 24).map(
        lambda quarters: datetime(2020, 1, 1, tzinfo=UTC) + timedelta(hours=quarters / 4)
    ),
    st.sampled_from(["Europe/Stockholm", "Australia/Lord_Howe", "Etc/GMT-1"]),
)
def test_bounds_enclose_and_instants_survive_the_meters_local_time(at: datetime, name: str) -> None:
    zone = ZoneInfo(name)
    shown = at.astimezone(zone).replace(tzinfo=None, fold=0)
    assert lowest_shown(at, zone) <= shown <= highest_shown(at, zone)
    assert nearest(shown, zone, at) == at
    assert before(shown, zone, at + timedelta(minutes=15)) == at


@MANY
@given(
    st.sampled_from(sorted(firmwares())),
    st.sampled_from(["interval", "hourly", "daily", "monthly"]),
    st.lists(st.binary(max_size=252), min_size=1, max_size=4),
    st.booleans(),
)
def test_any_blocks_become_readings_or_a_fault(
    key: str, database: str, blocks: list[bytes], is_known: bool
) -> None:
    firmware = firmwares()[key]
    lengths = [min(layout.lengths) for layout in firmware.layouts if database in layout.databases]
    if is_known:
        blocks[0] = bytes(lengths) + blocks[0]
    records = Records(firmware, database, STOCKHOLM, Decimal("0.1"))
    try:
        readings = records.begin(blocks[0])
        for block in blocks[1:]:
            readings += records.take(block)
        records.end()
    except MeterFault:
        return
    assert all(reading.timestamp.tzinfo is UTC for reading in readings)


def converse_with(receive: Any) -> tuple[list[Step], MeterFault | None]:
    talking, steps = session(meter(manufacturer="Itron", model="Corus"), lambda: AT), []
    asked = (
        call("read_parameters", parameters=["temperature", "index_converted"]),
        call("read_database", database="interval"),
    )
    try:
        for conversation in (talking.open(), *map(talking.perform, asked), talking.close()):
            steps += answer_from(conversation, receive)
    except MeterFault as fault:
        return steps, fault
    return steps, None


@MANY
@given(st.lists(st.one_of(st.binary(max_size=40), st.sampled_from(FRAMES), spoilt()), max_size=30))
def test_a_session_with_noise_ends_with_a_fault(noise: list[bytes]) -> None:
    answers = list(noise)
    _, fault = converse_with(lambda _request: [answers.pop(0)] if answers else [])
    assert fault is not None


def _corus() -> CorusMeter:
    return CorusMeter(ARCHIVE, Faults(clock_drift_s=0.0), zone=STOCKHOLM, firmware="m5b00")


@pytest.fixture(scope="module")
def right() -> list[Any]:
    steps, fault = converse_with(_corus().receive)
    assert fault is None
    return _values(steps)


def _values(steps: list[Step]) -> list[Any]:
    """Return the readings that do not depend on the second they were asked in, and what was covered."""
    return [
        [(reading.series, reading.value) for reading in step.readings] + [step.covered]
        for step in steps
        if isinstance(step, Found)
    ]


@MANY
@given(st.integers(1, 9), st.floats(0, 1, exclude_max=True))
def test_one_flipped_bit_anywhere_gives_the_right_readings(right: list[Any], number: int, share: float) -> None:
    corus, count = _corus(), 0

    def receive(data: bytes) -> list[bytes]:
        nonlocal count
        frames = []
        for frame in corus.receive(data):
            count += 1
            spoilable = bytearray(frame)
            if count == number:
                bit = int(share * len(frame) * 8)
                spoilable[bit // 8] ^= 1 << bit % 8
            frames.append(bytes(spoilable))
        return frames

    steps, fault = converse_with(receive)
    # An ACK that a flipped bit makes a NAK, and any other fault of the line, may end the session, never change it.
    assert _values(steps) == right if fault is None else _values(steps) == right[: len(_values(steps))]
    assert fault is None or number == 4


@MANY
@given(st.lists(st.tuples(st.integers(1, 9), st.sampled_from(["drop", "double", "cut"])), max_size=6))
def test_lost_doubled_and_cut_frames_never_change_a_reading(
    right: list[Any], spoils: list[tuple[int, str]]
) -> None:
    corus, count, spoil = _corus(), 0, dict(spoils)

    def receive(data: bytes) -> list[bytes]:
        nonlocal count
        frames = []
        for frame in corus.receive(data):
            count += 1
            kind = spoil.get(count)
            frames += {"drop": [], "double": [frame, frame], "cut": [frame[: len(frame) // 2]], None: [frame]}[
                kind
            ]
        return frames

    steps, fault = converse_with(receive)
    assert _values(steps) == right if fault is None else _values(steps) == right[: len(_values(steps))]


def test_a_transfer_without_end_ends() -> None:
    corus, number = _corus(), 0
    blank = b"\xff" * 90

    def receive(data: bytes) -> list[bytes]:
        nonlocal number
        if data[:2] == b"\x01\xbe" or (number and data == b"\x06"):
            number += 1
            body = struct.pack("<H", number & 0xFFFF) + (b"\x5a" if number == 1 else b"") + blank
            frame = b"\x01" + bytes([len(body)]) + body + b"\x03"
            return [frame + crc16(frame)]
        return corus.receive(data)

    _, fault = converse_with(receive)
    assert isinstance(fault, MeterFault)
    assert 0x7FFF < number < 0x8010


@SOME
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=60), st.sampled_from([bytes(200), b"/?!\r\n", b"\x06076\r\n", b"PASS\xe0\xae"])
        ),
        max_size=8,
    )
)
def test_the_simulated_meter_never_raises(noise: list[bytes]) -> None:
    corus = _corus()
    for data in noise:
        assert all(isinstance(frame, bytes) for frame in corus.receive(data))
