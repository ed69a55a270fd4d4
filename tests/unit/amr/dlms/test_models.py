"""Every model file proves itself: its sample gives its readings."""

from datetime import timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from pipelines.amr.contract import Reading
from pipelines.amr.faults import BadData
from pipelines.amr.models import choose_model
from pipelines.amr.protocols.dlms.axdr import decode
from pipelines.amr.protocols.dlms.profile import capture_objects, read_rows, row_readings
from pipelines.amr.protocols.dlms.settings import DEFAULT_MODEL, MODELS, read_settings
from pipelines.amr.protocols.dlms.units import scaler_unit
from tests.unit.amr.dlms.meters import meter


@pytest.mark.parametrize("key", MODELS)
def test_the_sample_of_every_model_gives_its_readings(key: str) -> None:
    settings = read_settings(MODELS[key])
    sample = settings.sample
    columns = capture_objects(decode(bytes.fromhex(sample["capture_objects"])))
    scales = [
        scaler_unit(decode(bytes.fromhex(sample["scaler_units"][column.series]))) if column.is_register else None
        for column in columns
    ]
    period = timedelta(seconds=sample["period_s"])

    rows = read_rows(decode(bytes.fromhex(sample["buffer"])), columns, period, ZoneInfo(sample["zone"]))
    readings = row_readings(rows, columns, scales, settings, period)

    expected = [
        Reading(item["series"], item["timestamp"], Decimal(item["value"]), item["unit"])
        for item in sample["readings"]
    ]
    assert readings == expected
    assert [str(reading.value) for reading in readings] == [item["value"] for item in sample["readings"]]


def test_a_meter_gets_the_model_of_its_device_type_else_the_generic_one() -> None:
    kamstrup = meter(manufacturer="KAMSTRUP", model="omnipower")

    assert choose_model(MODELS, kamstrup, None, DEFAULT_MODEL).key == "kamstrup_omnipower"
    assert choose_model(MODELS, meter(manufacturer="Acme", model="1"), None, DEFAULT_MODEL).key == "generic"
    assert len(MODELS) >= 4


COLUMNS = capture_objects(
    decode(
        bytes.fromhex("0102 0204 120008 0906 0000010000ff 0f02 120000 0204 120003 0906 0100010800ff 0f02 120000")
    )
)
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    "buffer",
    ["06 00000001", "0101 06 00000001", "0101 0201 00", "0101 0202 00 06 00000001", "0101 0202 0900 00",
     "0101 0203 00 00 00", "0101 0202 06 00000001 00"],
)  # fmt: skip
def test_a_buffer_of_another_shape_than_its_columns_is_bad_data(buffer: str) -> None:
    with pytest.raises(BadData):
        read_rows(decode(bytes.fromhex(buffer)), COLUMNS, timedelta(minutes=15), BERLIN)


def test_a_time_left_out_needs_a_period() -> None:
    buffer = decode(
        bytes.fromhex("0102 0202 090c 07ea0301070000000000 0080 06 00000001 0202 00 00".replace(" ", ""))
    )

    with pytest.raises(BadData, match="without a time"):
        read_rows(buffer, COLUMNS, None, BERLIN)


def test_a_null_value_is_the_one_before_or_missing_as_the_model_says() -> None:
    buffer = decode(
        bytes.fromhex("0102 0202 090c 07ea0301070000000000 0080 06 00000001 0202 00 00".replace(" ", ""))
    )

    repeated = read_rows(buffer, COLUMNS, timedelta(minutes=15), BERLIN)
    missing = read_rows(buffer, COLUMNS, timedelta(minutes=15), BERLIN, nulls_repeat=False)

    assert [row.values[1] for row in repeated] == [1, 1]
    assert [row.values[1] for row in missing] == [1, None]


@pytest.mark.parametrize(
    "objects", ["0100", "00", "0101 0204 120003 0906 0100010800ff 0f02 120000", "0101 0201 00"]
)
def test_capture_objects_without_a_time_are_bad_data(objects: str) -> None:
    with pytest.raises(BadData):
        capture_objects(decode(bytes.fromhex(objects)))
