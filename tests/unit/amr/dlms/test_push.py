"""Telegrams of the customer port: the lists of three makers, real frames, and ciphering."""

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from pipelines.amr.contract import Keys, Reading
from pipelines.amr.faults import BadData, BadFrame, MeterFault, Misconfigured
from pipelines.amr.protocols.dlms.acse import read_association_response
from pipelines.amr.protocols.dlms.apdu import GET_RESPONSE, read_reply
from pipelines.amr.protocols.dlms.axdr import decode
from pipelines.amr.protocols.dlms.hdlc import hdlc_frame, read_frame
from pipelines.amr.protocols.dlms.push import Push, read_list, read_push
from pipelines.amr.protocols.dlms.times import instant
from tests.unit.amr.dlms.meters import GAK, GUEK

OSLO = ZoneInfo("Europe/Oslo")
RECEIVED = datetime(2020, 2, 1, 12, 0, 3, tzinfo=UTC)
# An Aidon list 1: one value, power 1661 W, header without a time.
NOTIFICATION = bytes.fromhex("0f40000000 00 0101 0203 0906 0100010700ff 06 0000067d 0202 0f00 161b")
POWER = Push(None, [Reading("1-0:1.7.0", RECEIVED, Decimal(1661), "W")])


def pushed(data: bytes, **more: Any) -> Push:
    return read_push(data, zone=OSLO, received_at=RECEIVED, **more)


def test_a_bare_notification_is_read() -> None:
    assert pushed(NOTIFICATION) == POWER


def test_a_notification_in_a_wrapper_is_read() -> None:
    assert pushed(b"\x00\x01\x00\x01\x00\x66" + len(NOTIFICATION).to_bytes(2, "big") + NOTIFICATION) == POWER


def test_the_headers_time_is_that_of_the_readings_and_may_bear_a_type() -> None:
    timed = bytes.fromhex("0f40000000 0c 07e4020f06011922ff800000 0201 06 0000157e")

    assert pushed(timed) == Push(
        None, [Reading("1-0:1.7.0", datetime(2020, 2, 15, 0, 25, 34, tzinfo=UTC), Decimal(5502), "W")]
    )
    assert pushed(timed.replace(b"\x0c\x07", b"\x09\x0c\x07")) == pushed(timed)


def ciphered(plain: bytes) -> bytes:
    title = b"KAM\x00\x00\x00\x00\x01"
    counter = b"\x00\x00\x01\x02"
    sealed = AESGCM(GUEK).encrypt(title + counter, plain, b"\x30" + GAK)[:-4]
    content = b"\x30" + counter + sealed
    return b"\xdb\x08" + title + bytes([len(content)]) + content


def test_a_ciphered_notification_needs_its_keys() -> None:
    keys = Keys(encryption_key=GUEK, authentication_key=GAK)

    assert pushed(ciphered(NOTIFICATION), keys=keys) == POWER
    with pytest.raises(Misconfigured, match="encryption key"):
        pushed(ciphered(NOTIFICATION))
    with pytest.raises(BadFrame, match="authentication"):
        pushed(ciphered(NOTIFICATION), keys=Keys(encryption_key=GAK, authentication_key=GAK))


@pytest.mark.parametrize(
    ("octets", "fault"),
    [("", BadData), ("0f4000", BadData), ("c401c10000", BadData), ("7ea0", BadFrame), ("a02a4108", BadFrame),
     ("0001000100100005aa", BadFrame), ("0f4000000000020106", BadData), ("0f40000000 00 0100", BadData),
     ("0f40000000 00 0202 06 00000001 06 00000002", BadData), ("db08", BadData)],
)  # fmt: skip
def test_what_is_no_telegram_is_a_fault(octets: str, fault: type[MeterFault]) -> None:
    with pytest.raises(fault):
        pushed(bytes.fromhex(octets), keys=Keys(encryption_key=GUEK, authentication_key=GAK))


# --- real telegrams ---


def _lines(folder: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "telegrams" / "han_dlms" / name).read_text().splitlines()]


def _naive(body: bytes) -> Iterator[tuple[str, int, int | None]]:
    """Yield (code C.D.E, integer, scaler) by looking for the octets of codes alone: no decoder, no structure."""
    sizes = {0x06: (4, False), 0x12: (2, False), 0x10: (2, True)}
    at = body.find(b"\x09\x06")
    while at >= 0:
        code, kind = body[at + 2 : at + 8], body[at + 8]
        if kind in sizes:
            size, signed = sizes[kind]
            after = at + 9 + size
            described = body[after : after + 3] == b"\x02\x02\x0f"
            scaler = int.from_bytes(body[after + 3 : after + 4], "big", signed=True) if described else None
            number = int.from_bytes(body[at + 9 : after], "big", signed=signed)
            yield f"{code[2]}.{code[3]}.{code[4]}", number, scaler
        at = body.find(b"\x09\x06", at + 8)


KAIFA = [("1.7.0", 0), ("2.7.0", 0), ("3.7.0", 0), ("4.7.0", 0), ("31.7.0", -3), ("51.7.0", -3), ("71.7.0", -3),
         ("32.7.0", -1), ("52.7.0", -1), ("72.7.0", -1), ("1.8.0", 0), ("2.8.0", 0), ("3.8.0", 0),
         ("4.8.0", 0)]  # fmt: skip


def _expected(source: str, name: str, body: bytes) -> list[tuple[str, Decimal]]:
    """Return code and quantity of a list by the naive reading and the makers' resolutions."""
    if "kaifa" in source and "SE_LIST" not in name:
        numbers = [int.from_bytes(part[:4], "big") for part in _double_longs(body)]
        return [(code, Decimal(value).scaleb(power)) for (code, power), value in zip(KAIFA, numbers, strict=False)]
    found = []
    for code, number, scaler in _naive(body):
        power = scaler
        if power is None:
            current, voltage, energy = (-2, 0, 1) if "kamstrup" in source else (-3, -1, 0)
            group, measure, _ = code.split(".")
            power = energy if measure == "8" else 0
            power = current if group in ("31", "51", "71") else power
            power = voltage if group in ("32", "52", "72") else power
        found.append((code, Decimal(number).scaleb(power)))
    return found


def _double_longs(body: bytes) -> Iterator[bytes]:
    """Yield what follows each type octet 06 after the three strings, stepping over the clock."""
    at = body.index(b"\x06", body.index(b"MA304"))
    while at < len(body):
        if body[at] == 0x06:
            yield body[at + 1 : at + 5]
            at += 5
        else:
            at += 2 + body[at + 1]


@pytest.mark.shared_data
def test_every_real_list_and_frame_gives_what_a_naive_reading_expects(shared_data: Path) -> None:
    telegrams = [line for line in _lines(shared_data, "amshan_frames.jsonl") if "dlde" not in line["source"]]
    assert len(telegrams) == 14

    for line in telegrams:
        octets = bytes.fromhex(line["hex"])
        if "FRAME" in line["name"]:
            push = pushed(octets)
            body = octets[9:-2]
            expected = (
                [("1.7.0", Decimal(5502))] if "FLAG_SEQUENCE" in line["name"] else _expected("aidon", "", body)
            )
        else:
            push = read_list(octets, zone=OSLO, sent_at=RECEIVED)
            expected = _expected(line["source"], line["name"], octets)
        read = [(reading.series.split(":")[1], reading.value) for reading in push.readings]
        assert read == expected, line["name"]
        assert read, line["name"]
        assert all(reading.unit in {"W", "var", "A", "V", "Wh", "varh"} for reading in push.readings)


@pytest.mark.shared_data
def test_the_times_and_serials_of_real_lists_are_theirs(shared_data: Path) -> None:
    seen = {}
    for line in _lines(shared_data, "amshan_frames.jsonl"):
        if "BODY" in line["name"]:
            push = read_list(bytes.fromhex(line["hex"]), zone=OSLO, sent_at=RECEIVED)
            seen[line["source"].split("_")[1][:-3] + str(line["line"])] = (push.serial, push.readings[0].timestamp)

    assert seen["kaifa56"] == ("6970631402614476", datetime(2020, 1, 25, 13, 0, 10, tzinfo=UTC))
    assert seen["kamstrup135"] == ("5705705705705702", datetime(2021, 11, 23, 23, 0, 25, tzinfo=UTC))
    assert seen["aidon28"] == ("7359992892587665", RECEIVED)


@pytest.mark.shared_data
def test_a_text_telegram_is_a_fault(shared_data: Path) -> None:
    texts = [line for line in _lines(shared_data, "amshan_frames.jsonl") if "dlde" in line["source"]]

    for line in texts:
        with pytest.raises(MeterFault):
            pushed(bytes.fromhex(line["hex"]))
    assert len(texts) == 9


@pytest.mark.shared_data
@pytest.mark.parametrize("name", ["pwitab_dlms_cosem_apdus.jsonl", "u9n_dlms_cosem_apdus.jsonl"])
def test_every_collected_apdu_decodes_or_gives_a_typed_fault_at_once(shared_data: Path, name: str) -> None:
    readers: list[Callable[[bytes], Any]] = [
        decode,
        pushed,
        read_association_response,
        lambda octets: read_reply(octets, GET_RESPONSE),
        lambda octets: hdlc_frame(bytearray(octets)),
        read_frame,
        lambda octets: instant(octets, OSLO),
    ]
    read = [0] * len(readers)
    started = time.perf_counter()
    lines = _lines(shared_data, name)

    for line in lines:
        octets = bytes.fromhex(line["hex"])
        for index, reader in enumerate(readers):
            try:
                reader(octets)
            except MeterFault:
                continue
            read[index] += 1

    assert time.perf_counter() - started < 5
    assert len(lines) > 100
    assert all(read), read
