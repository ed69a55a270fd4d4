"""Every model file proves itself with its own sample."""

from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from pipelines.amr.contract import Meter, Reading
from pipelines.amr.protocols.iec62056_21 import DRIVER
from pipelines.amr.protocols.iec62056_21.devices import MODELS, Device, choose_device
from tests.unit.amr.iec62056_21.helpers import bcc, call, readings
from tests.unit.amr.transcripts import Line, play

SIGN_ON: list[Line] = [(">", b"/?!\r\n"), ("<", b"/EMH5\\X\r\n")]


def as_message(text: str) -> bytes:
    return bcc(b"\x02" + (text.strip().replace("\n", "\r\n") + "\r\n").encode() + b"\x03")


@pytest.mark.parametrize("key", sorted(MODELS))
def test_the_sample_of_a_model_gives_its_readings(key):
    sample = MODELS[key].data["sample"]
    zone = ZoneInfo(sample["zone"])
    expected = [
        Reading(
            each["series"], datetime.fromisoformat(each["timestamp"]), Decimal(each["value"]), each.get("unit")
        )
        for each in sample["expected"]
    ]
    newest = max(each.timestamp for each in expected) + timedelta(minutes=15)
    session = DRIVER.session(Meter(name="m", protocol="iec62056-21", zone=zone), lambda: newest)
    found: list[Reading] = []
    if "readout" in sample:
        lines: list[Line] = [*SIGN_ON, (">", b"\x06050\r\n"), ("<", as_message(sample["readout"]))]
        found += readings(play(session.perform(call(DRIVER, "read_values", model=key)), lines))
    if "profile" in sample:
        device = choose_device(Meter(name="m", protocol="iec62056-21"), key)
        start = newest.astimezone(zone) - timedelta(hours=3)
        season = {"season": "1" if start.dst() else "0"}.get(device.range_form, "")
        assert device.profile_read == "R5"
        stamp = sample["profile"].strip().partition("(")[2].partition(")")[0]
        first = datetime.strptime(stamp[-12:], "%y%m%d%H%M%S").replace(tzinfo=zone)
        asked = f"P.01({season}{first:%y%m%d%H%M};{season}{first:%y%m%d%H%M})"
        lines = [
            *SIGN_ON,
            (">", b"\x06051\r\n"),
            ("<", bcc(b"\x01P0\x02()\x03")),
            (">", bcc(b"\x01R5\x02" + asked.encode() + b"\x03")),
            ("<", as_message(sample["profile"])),
        ]
        at = first.isoformat()
        wanted = call(DRIVER, "read_profile_by_date", model=key, start_date=at, end_date=at)
        found += readings(play(session.perform(wanted), lines))
    assert found == expected


@pytest.mark.parametrize(("manufacturer", "model", "read"), [("emh", "lzqj-xc", "R5"), ("Unknown", "X", "R1")])
def test_the_type_of_a_meter_chooses_its_model_and_generic_is_the_rest(manufacturer, model, read):
    meter = Meter(name="m", protocol="iec62056-21", manufacturer=manufacturer, model=model)
    assert choose_device(meter, None).read == read


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("1.8.0", ("1-0:1.8.0", False)),
        ("1-1:1.29", ("1-1:1.29.0", True)),
        ("1-0:1.8.0*255", ("1-0:1.8.0", False)),
        ("1.8.0*01", ("", False)),
        ("1.8.0&01", ("", False)),
        ("7-0:13.2.0", ("7-0:13.2.0", False)),
        ("0-0:96.1.0", None),
        ("F.F", None),
    ],
)
def test_an_address_becomes_a_series_by_its_obis_code(address, kept):
    series = Device().keeps(address)
    assert (None if series is None else (series.name, series.is_interval)) == kept
