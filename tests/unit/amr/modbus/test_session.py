from decimal import Decimal

import pytest

from pipelines.amr.contract import Call, Conversation, Found, Pause, Reading
from pipelines.amr.faults import BadFrame, LinkLost, Misconfigured, NoAnswer, Refused, Unsupported
from pipelines.amr.protocols.modbus.session import MODELS
from tests.unit.amr.modbus.support import NOW, call, readings, run, session, unit_data
from tests.unit.amr.transcripts import Line, play

ONE = call(model="eastron_sdm630", registers=["1-0:1.8.0"])
ASK = "04 00 48 00 02"
# 12345.678 as float32.
SAY = "04 04 46 40 E6 B6"
GOT = Found([Reading("1-0:1.8.0", NOW, Decimal("12345.678"), "kWh")])


@pytest.mark.parametrize("key", sorted(MODELS))
def test_a_model_gives_the_readings_that_its_sample_expects(key: str) -> None:
    sample = MODELS[key].data["sample"]
    transcript: list[Line] = []
    for number, exchange in enumerate(sample["exchanges"], start=1):
        transcript.append((">", unit_data(number, exchange["request"])))
        transcript.append(("<", unit_data(number, exchange["response"])))
    found = readings(run(transcript, call(model=key)))
    expected = [Reading(row["series"], NOW, Decimal(row["value"]), row["unit"]) for row in sample["readings"]]
    assert sorted(found, key=lambda one: one.series) == sorted(expected, key=lambda one: one.series)


def test_a_request_is_the_bytes_of_the_standard() -> None:
    request = bytes.fromhex("00 01 00 00 00 06 01 04 00 48 00 02")
    response = bytes.fromhex("00 01 00 00 00 07 01 04 04 46 40 E6 B6")
    assert run([(">", request), ("<", response)], ONE) == [GOT]


def test_the_device_type_names_the_model_and_the_call_the_unit() -> None:
    asked = call(unit=17, registers=["1-0:1.8.0"])
    transcript: list[Line] = [(">", unit_data(1, ASK, unit=17)), ("<", unit_data(1, SAY, unit=17))]
    assert run(transcript, asked, manufacturer="eastron", model="sdm630") == [GOT]


def test_the_time_is_put_on_the_grid() -> None:
    asked = call(model="eastron_sdm630", registers=["1-0:1.8.0"], align_seconds=900)
    (found,) = readings(run([(">", unit_data(1, ASK)), ("<", unit_data(1, SAY))], asked))
    assert found.timestamp == NOW.replace(minute=30, second=0)


def test_a_stale_answer_is_not_taken_for_the_answer() -> None:
    stale = unit_data(9, "04 04 00 00 00 00")
    assert run([(">", unit_data(1, ASK)), ("<", stale + stale + unit_data(1, SAY))], ONE) == [GOT]


def test_a_repeat_has_a_new_transaction_so_that_a_late_answer_is_known() -> None:
    transcript: list[Line] = [
        (">", unit_data(1, ASK)),
        ("!", NoAnswer("quiet")),
        (">", unit_data(2, ASK)),
        ("<", unit_data(1, "04 04 00 00 00 00") + unit_data(2, SAY)),
    ]
    assert run(transcript, ONE) == [GOT]


@pytest.mark.parametrize(
    "damaged",
    [
        unit_data(1, SAY, unit=2),
        unit_data(1, "03 04 46 40 E6 B6"),
        unit_data(1, "04 02 46 40"),
        unit_data(1, "04 04 46 40 E6"),
        unit_data(1, "04 04 46 40 E6 B6 00"),
        unit_data(1, "04"),
        b"\x00\x01\x00\x01\x00\x07\x01",
        b"\x00\x01\x00\x00\x00\xff\x01",
        b"\x00\x01\x00\x00\x00\x01\x01",
    ],
    ids=["unit", "function", "fewer", "short", "long", "empty", "protocol", "too long", "too short"],
)
def test_what_is_not_the_answer_that_was_asked_for_is_asked_again(damaged: bytes) -> None:
    transcript: list[Line] = [(">", unit_data(1, ASK)), ("<", damaged)]
    transcript += [(">", unit_data(2, ASK)), ("<", unit_data(2, SAY))]
    assert run(transcript, ONE) == [GOT]


def test_after_three_tries_the_fault_goes_up() -> None:
    silent: list[Line] = [(">", unit_data(number, ASK)) for number in (1, 2, 3)]
    with pytest.raises(NoAnswer):
        run(silent, ONE)
    wrong: list[Line] = []
    for number in (1, 2, 3):
        wrong += [(">", unit_data(number, ASK)), ("<", unit_data(number, SAY, unit=9))]
    with pytest.raises(BadFrame):
        run(wrong, ONE)


def test_a_lost_connection_is_not_tried_again() -> None:
    with pytest.raises(LinkLost):
        run([(">", unit_data(1, ASK)), ("<", b"")], ONE)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (1, "illegal function"),
        (2, "illegal data address"),
        (3, "illegal data value"),
        (4, "device failure"),
        (10, "gateway path unavailable"),
        (77, "exception 77"),
    ],
)
def test_an_exception_is_a_refusal_in_words(code: int, words: str) -> None:
    with pytest.raises(Refused, match=f"input registers 72\\.\\.73 of unit 1: {words}"):
        run([(">", unit_data(1, ASK)), ("<", unit_data(1, bytes([0x84, code])))], ONE)


def test_a_busy_device_is_given_time() -> None:
    transcript: list[Line] = [(">", unit_data(1, ASK)), ("<", unit_data(1, "84 06"))]
    transcript += [(">", unit_data(2, ASK)), ("<", unit_data(2, SAY))]
    assert run(transcript, ONE) == [Pause(0.5), GOT]


def test_a_device_that_stays_busy_is_refused() -> None:
    transcript: list[Line] = []
    for number in (1, 2, 3):
        transcript += [(">", unit_data(number, ASK)), ("<", unit_data(number, "84 06"))]
    with pytest.raises(Refused, match="busy"):
        run(transcript, ONE)


def test_a_device_that_is_silent_behind_its_gateway_is_no_answer() -> None:
    transcript: list[Line] = []
    for number in (1, 2, 3):
        transcript += [(">", unit_data(number, ASK)), ("<", unit_data(number, "84 0B"))]
    with pytest.raises(NoAnswer, match="failed to respond"):
        run(transcript, ONE)


def test_a_refused_block_does_not_lose_the_others() -> None:
    asked = call(model="eastron_sdm630", registers=["1-0:32.7.0", "1-0:1.8.0"])
    transcript: list[Line] = [
        (">", unit_data(1, "04 00 00 00 02")),
        ("<", unit_data(1, "84 02")),
        (">", unit_data(2, ASK)),
        ("<", unit_data(2, SAY)),
    ]
    kept: list[Found] = []
    with pytest.raises(Refused, match=r"registers 0\.\.1"):
        play(_watched(session().perform(asked), kept), transcript)
    assert kept == [GOT]


def _watched(conversation: Conversation, kept: list[Found]) -> Conversation:
    """Pass a conversation through, keeping what it found before it failed."""
    step = next(conversation)
    while True:
        if isinstance(step, Found):
            kept.append(step)
        result = yield step
        try:
            step = conversation.send(result)
        except StopIteration:
            return


def test_transaction_identifiers_start_over_after_65535() -> None:
    talk = session()
    talk.state.last = 0xFFFF
    assert play(talk.perform(ONE), [(">", unit_data(1, ASK)), ("<", unit_data(1, SAY))]) == [GOT]


def test_an_unknown_series_model_or_call_is_said() -> None:
    with pytest.raises(Misconfigured, match=r"1-0:99\.0\.0"):
        run([], call(model="eastron_sdm630", registers=["1-0:99.0.0"]))
    with pytest.raises(Misconfigured, match="abb_b23"):
        run([], call())
    with pytest.raises(Unsupported, match="set_time"):
        run([], Call(name="set_time"))


def test_opening_and_closing_say_nothing() -> None:
    assert play(session().open(), []) == []
    assert play(session().close(), []) == []
