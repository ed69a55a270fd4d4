"""Whatever bytes come, a LIS-200 conversation ends with readings or a fault of the meter."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.amr.contract import Conversation, Exchange, Found, Keys, Meter
from pipelines.amr.faults import BadData, BadFrame, MeterFault, NoAnswer
from pipelines.amr.protocols.lis200 import DRIVER
from pipelines.amr.protocols.lis200.devices import Column, Layout
from pipelines.amr.protocols.lis200.rows import ArchiveRows
from pipelines.amr.protocols.lis200.times import LocalTimes
from pipelines.simulators.meters.archive import steady_archive
from pipelines.simulators.meters.lis200 import Lis200Meter
from pipelines.simulators.meters.responder import Faults
from tests.unit.amr.iec62056_21.helpers import bcc, call

NOW = datetime(2026, 3, 1, 11, 0, tzinfo=UTC)
LAYOUT = Layout(time=2, ordinal=1, columns=(Column(3, "1-0:1.8.0", "kWh"),))
ROW = "(91)(11)(2026-03-01,00:15:00)(1.100)\r\n(92)(12)(2026-03-01,00:30:00)(1.200)\r\n"
CALL = call(
    DRIVER,
    "read_archive_by_date",
    start_date="2026-03-01T00:00:00",
    archive_number=3,
    control_position=3,
    model="one_counter",
)
many = settings(max_examples=2000, deadline=None)
noise = st.binary(max_size=80)
telegram_like = st.text(alphabet="()0123456789-,:.;*#RVk\r\n", max_size=120)


def spoiled(good: bytes) -> st.SearchStrategy[bytes]:
    """Truncated, and with a bit flipped."""
    cut = st.integers(0, len(good)).map(lambda end: good[:end])
    flip = st.integers(0, len(good) * 8 - 1).map(
        lambda bit: good[: bit // 8] + bytes([good[bit // 8] ^ (1 << bit % 8)]) + good[bit // 8 + 1 :]
    )
    return cut | flip


def feed(conversation: Conversation, answers: list[bytes]) -> list[object]:
    """Answer each exchange with the next bytes, then with silence; a hundred steps must be enough."""
    steps: list[object] = []
    try:
        step = next(conversation)
        for _ in range(100):
            if not isinstance(step, Exchange) or step.framer is None:
                steps.append(step)
                step = conversation.send(b"" if isinstance(step, Exchange) else None)
                continue
            buffer = bytearray(answers.pop(0) if answers else b"")
            try:
                size = step.framer(buffer) if buffer else None
            except BadFrame as fault:
                step = conversation.throw(fault)
                continue
            if size is None:
                step = conversation.throw(NoAnswer("silence"))
            else:
                assert 0 < size <= len(buffer)
                step = conversation.send(bytes(buffer[:size]))
    except StopIteration:
        return steps
    raise AssertionError("the conversation does not end")


@many
@given(st.lists(noise | telegram_like.map(lambda text: bcc(b"\x02" + text.encode() + b"\x03")), max_size=6))
def test_any_answers_end_in_readings_or_a_fault(answers):
    session = DRIVER.session(Meter(name="m", protocol="lis-200", keys=Keys(password="p")), lambda: NOW)
    for conversation in (session.open(), session.perform(CALL)):
        try:
            feed(conversation, list(answers))
        except MeterFault:
            return


@many
@given(
    st.lists(
        spoiled(bcc(b"\x02" + ROW.encode() + b"\x04")) | spoiled(bcc(b"\x02" + ROW.encode() + b"\x03")), max_size=5
    )
)
def test_no_spoiled_block_becomes_another_value(answers):
    session = DRIVER.session(Meter(name="m", protocol="lis-200"), lambda: NOW)
    steps: list[object] = []
    try:
        steps = feed(session.perform(CALL), answers)
    except MeterFault:
        return
    for step in steps:
        assert isinstance(step, Found)
        assert {str(each.value) for each in step.readings} <= {"1.100", "1.200"}


@many
@given(telegram_like | spoiled(ROW.encode()).map(lambda raw: raw.decode("latin-1")))
def test_any_text_is_rows_or_bad_data(text):
    rows = ArchiveRows(LAYOUT, LocalTimes(ZoneInfo("Europe/Berlin")))
    try:
        block = rows.take(text)
    except MeterFault:
        return
    assert block is None or all(each.value.is_finite() for each in block.readings)


@many
@given(
    st.integers(86_400, 4_000_000_000),
    st.sampled_from(["Europe/Berlin", "Australia/Lord_Howe", "America/New_York", "UTC"]),
)
def test_a_local_time_is_the_instant_that_zoneinfo_knows(seconds, name):
    zone = ZoneInfo(name)
    naive = datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)
    text = f"{naive:%Y-%m-%d,%H:%M:%S}"
    assert LocalTimes(zone).instant(text) == naive.replace(tzinfo=zone).astimezone(UTC)


@many
@given(st.text(max_size=25) | st.text(alphabet="0123456789-,:", min_size=19, max_size=19))
def test_any_text_is_a_time_or_bad_data(text):
    try:
        at = LocalTimes(ZoneInfo("Europe/Berlin")).instant(text)
    except BadData:
        return
    assert 1969 < at.year < 2101


def test_the_second_of_two_equal_times_is_the_later_instant():
    times = LocalTimes(ZoneInfo("Europe/Berlin"))
    first = times.instant("2026-10-25,02:30:00")
    assert times.instant("2026-10-25,02:00:00", first) == first + timedelta(minutes=30)


@settings(max_examples=500, deadline=None)
@given(st.lists(noise | telegram_like.map(lambda text: bcc(b"\x01R1\x02" + text.encode() + b"\x03")), max_size=5))
def test_the_simulated_meter_never_raises_and_never_hoards(segments):
    archive = steady_archive(start=NOW - timedelta(days=1), rows=10, interval_s=900)
    responder = Lis200Meter(archive, Faults())
    for segment in (b"/?!\r\n", b"\x06061\r\n", *segments):
        assert sum(map(len, responder.receive(segment))) < 10_000


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e5", "1_0", "٣", "1.2.3", "9" * 19, "+1", "."])
def test_what_is_no_plain_number_is_bad_data(value):
    rows = ArchiveRows(LAYOUT, LocalTimes(ZoneInfo("UTC")))
    with pytest.raises(BadData):
        rows.take(f"(1)(1)(2026-03-01,00:15:00)({value})")
