"""Every model file proves itself with its own sample."""

from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from pipelines.amr.contract import Meter, Reading
from pipelines.amr.protocols.lis200 import DRIVER
from pipelines.amr.protocols.lis200.devices import MODELS, choose_device
from tests.unit.amr.iec62056_21.helpers import bcc, call, readings
from tests.unit.amr.transcripts import Line, play


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
    session = DRIVER.session(Meter(name="m", protocol="lis-200", zone=zone), lambda: expected[-1].timestamp)
    archive, position = sample["archive"], sample["control_position"]
    told: list[Line] = []
    for attribute, name in (("4", "sources"), ("3", "units")):
        if name in sample:
            told.append((">", bcc(f"\x01R1\x02{archive}:V.{attribute}(1;;;)\x03".encode())))
            told.append(("<", bcc(f"\x02{sample[name]}\r\n\x03".encode("latin-1"))))
    rows = MODELS[key].data["rows_per_block"]
    start = expected[0].timestamp.astimezone(zone)
    asked = f"\x01R3\x02{archive}:V.0({position};{start:%Y-%m-%d,%H:%M:%S};;{rows})\x03"
    text = sample["rows"].strip().replace("\n", "\r\n") + "\r\n"
    told += [(">", bcc(asked.encode())), ("<", bcc(f"\x02{text}\x03".encode("latin-1")))]
    asking = call(
        DRIVER,
        "read_archive_by_date",
        start_date=expected[0].timestamp.isoformat(),
        archive_number=archive,
        control_position=position,
        model=key,
    )
    assert readings(play(session.perform(asking), told)) == expected


@pytest.mark.parametrize(
    ("manufacturer", "model", "lock"), [("elster", "ek280", "4:171.0"), ("Unknown", "X", "3:171.0")]
)
def test_the_type_of_a_meter_chooses_its_model_and_generic_is_the_rest(manufacturer, model, lock):
    meter = Meter(name="m", protocol="lis-200", manufacturer=manufacturer, model=model)
    assert choose_device(meter, None).lock == lock
