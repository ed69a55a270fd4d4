"""Whatever bytes come, framers, parsers and conversations end with a value or a fault of the meter."""

from datetime import UTC, datetime, timedelta
from functools import reduce
from itertools import pairwise
from operator import xor
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.amr.contract import Conversation, Exchange, Keys, Meter
from pipelines.amr.datalink import (
    BREAK,
    REPEATS,
    ask,
    block_check,
    command,
    identify,
    line_framer,
    message_framer,
    parse,
)
from pipelines.amr.faults import BadFrame, MeterFault, NoAnswer
from pipelines.amr.protocols.iec62056_21 import DRIVER
from pipelines.amr.protocols.iec62056_21.datasets import data_sets
from pipelines.amr.protocols.iec62056_21.devices import Device
from pipelines.amr.protocols.iec62056_21.profile import ProfileRows
from pipelines.amr.protocols.iec62056_21.times import clock, stamp
from pipelines.amr.protocols.iec62056_21.transfer import profile_slices
from pipelines.amr.protocols.iec62056_21.values import readings_of
from pipelines.simulators.meters.archive import steady_archive
from pipelines.simulators.meters.iec62056_21 import Iec62056Meter
from pipelines.simulators.meters.responder import Faults
from tests.unit.amr.iec62056_21.helpers import bcc, call
from tests.unit.amr.transcripts import play

NOW = datetime(2026, 3, 1, 11, 0, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
TABLE = b"0.9.1(120005)\r\n0.9.2(260301)\r\n1.8.0(012345.678*kWh)\r\n!\r\n"
PROFILE = "P.01(260301001500)(00)(15)(1)(1-0:1.8.0)(kWh)\r\n(1.100)\r\n(1.200)\r\n"
CALLS = [
    call(DRIVER, "read_values"),
    call(DRIVER, "read_registers", registers=["1.8.0", "2.8.0"]),
    call(DRIVER, "read_profile_by_date", start_date="2026-02-28T23:00:00Z", end_date="2026-03-01T10:00:00Z"),
    call(DRIVER, "set_time"),
]
many = settings(max_examples=2000, deadline=None)
noise = st.binary(max_size=60)
telegram_like = st.text(alphabet="()0123456789-.:;*ERkWhP&!\r\n", max_size=100)
messages = telegram_like.map(lambda text: bcc(b"\x02" + text.encode() + b"\x03"))


def spoiled(good: bytes) -> st.SearchStrategy[bytes]:
    """Truncated, and with a bit flipped."""
    cut = st.integers(0, len(good)).map(lambda end: good[:end])
    flip = st.integers(0, len(good) * 8 - 1).map(
        lambda bit: good[: bit // 8] + bytes([good[bit // 8] ^ (1 << bit % 8)]) + good[bit // 8 + 1 :]
    )
    return cut | flip


def feed(conversation: Conversation, answers: list[bytes]) -> list[object]:
    """Answer each exchange with the next bytes, then with silence; two hundred steps must be enough."""
    steps: list[object] = []
    try:
        step = next(conversation)
        for _ in range(200):
            if not isinstance(step, Exchange) or step.framer is None:
                steps.append(step)
                step = conversation.send(b"" if isinstance(step, Exchange) else None)
                continue
            buffer = bytearray(answers.pop(0) if answers else b"")
            size = step.framer(buffer) if buffer else None
            if size is None:
                step = conversation.throw(NoAnswer("silence"))
            else:
                assert 0 < size <= len(buffer)
                step = conversation.send(bytes(buffer[:size]))
    except StopIteration:
        return steps
    raise AssertionError("the conversation does not end")


@many
@given(st.binary(max_size=120))
def test_the_folded_block_check_is_the_exclusive_or_of_all_bytes(data):
    assert block_check(data) == reduce(xor, data, 0) & 0x7F


@many
@given(noise | spoiled(bcc(b"\x02" + TABLE + b"\x03")) | spoiled(b"/EMH5\\@01LZQJ\r\n"))
def test_any_bytes_are_framed_parsed_or_refused(data):
    for framer, read in ((message_framer, parse), (line_framer, identify)):
        size = framer(bytearray(data)) if data else None
        assert size is None or 0 < size <= len(data)
        try:
            read(data if size is None else data[:size])
        except BadFrame:
            continue


@many
@given(st.sampled_from(["P1", "R1", "R5", "W1", "B0"]), st.text("(A1.;:*)", max_size=20))
def test_what_is_built_is_parsed(head, text):
    built = command(head, text)
    assert message_framer(bytearray(built + b"\x02(")) == len(built)
    assert (parse(built).head, parse(built).text) == (head, text)
    assert bcc(built[:-1]) == built


@many
@given(st.lists(noise | messages | spoiled(bcc(b"\x02" + TABLE + b"\x03")), max_size=4), st.sampled_from(CALLS))
def test_any_answers_end_in_readings_or_a_fault(answers, asked):
    meter = Meter(name="m", protocol="iec62056-21", zone=BERLIN, keys=Keys(password="p"))
    session = DRIVER.session(meter, lambda: NOW)
    for first in ([b"/EMH5\\X\r\n", bcc(b"\x01P0\x02()\x03"), b"\x06"], []):
        for conversation in (session.open(), session.perform(asked), session.close()):
            try:
                feed(conversation, first + list(answers))
            except MeterFault:
                continue


@many
@given(telegram_like | spoiled(TABLE).map(lambda raw: raw.decode("latin-1")))
def test_any_text_is_data_sets_or_a_fault(text):
    try:
        found = readings_of(data_sets(text), Device(), NOW, BERLIN)
    except MeterFault:
        return
    assert all(each.value.is_finite() and each.timestamp.tzinfo is UTC for each in found)


@many
@given(telegram_like | spoiled(PROFILE.encode()).map(lambda raw: raw.decode("latin-1")))
def test_any_text_is_a_profile_or_a_fault(text):
    rows = ProfileRows(Device(), BERLIN)
    try:
        found = rows.take(text) + rows.take(text)
    except MeterFault:
        return
    assert all(each.value.is_finite() for each in found)


@many
@given(st.text(alphabet="0123456789WS-:", max_size=14), st.text(alphabet="0123456789-.", max_size=9))
def test_any_text_is_a_time_or_none(text, date):
    at = stamp(text, BERLIN)
    assert at is None or at.tzinfo is UTC
    try:
        assert clock(text, date, BERLIN).tzinfo is UTC
    except MeterFault:
        return


@many
@given(st.integers(0, 4_000_000_000), st.integers(0, 40 * 86_400), st.sampled_from(["Europe/Berlin", "UTC"]))
def test_slices_cover_a_range_without_a_hole(begin, length, name):
    start = datetime.fromtimestamp(begin, UTC)
    end = start + timedelta(seconds=length)
    slices = list(profile_slices(start, end, Device(), ZoneInfo(name)))
    assert slices[0][0] == start
    assert slices[-1][1] == end
    assert all(left[1] == right[0] for left, right in pairwise(slices))
    assert len(slices) <= length // 86_400 + 3


@settings(max_examples=500, deadline=None)
@given(st.lists(noise | telegram_like.map(lambda text: bcc(b"\x01R5\x02" + text.encode() + b"\x03")), max_size=5))
def test_the_simulated_meter_never_raises_and_never_hoards(segments):
    archive = steady_archive(start=NOW - timedelta(days=1), rows=10, interval_s=900)
    responder = Iec62056Meter(archive, Faults())
    for segment in (b"/?!\r\n", b"\x06051\r\n", *segments):
        assert sum(map(len, responder.receive(segment))) < 10_000


@pytest.mark.parametrize("cut", range(1, 24))
def test_the_simulated_meter_takes_segments_however_they_are_cut(cut):
    archive = steady_archive(start=NOW - timedelta(days=1), rows=10, interval_s=900)
    whole = b"/?!\r\n" + b"\x06051\r\n" + bcc(b"\x01R1\x021.8.0()\x03")
    responder = Iec62056Meter(archive, Faults())
    said = [frame for at in range(0, len(whole), cut) for frame in responder.receive(whole[at : at + cut])]
    assert [frame[:1] for frame in said] == [b"/", b"\x01", b"\x02"]


def test_the_break_message_is_that_of_the_standard():
    assert command("B0") == BREAK == b"\x01B0\x03q"


def test_stale_messages_without_end_are_given_up():
    lines = [(">", b"x"), ("<", b"\x06" * 5)] + [(">", b"\x15"), ("<", b"\x06" * 5)] * REPEATS
    with pytest.raises(BadFrame, match="earlier questions"):
        play(ask(b"x", lambda message: message.head == "ACK"), lines)
