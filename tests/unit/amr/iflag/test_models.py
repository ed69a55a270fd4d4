"""The model files: every sample is read as it says, every layout is whole, every name fits the platform."""

from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from pipelines.amr.contract import Driver, Meter, Reading, local_instant
from pipelines.amr.faults import Misconfigured, Unsupported
from pipelines.amr.protocols.iflag import DRIVER
from pipelines.amr.protocols.iflag.calls import CALLS, DATABASES, PARAMETERS
from pipelines.amr.protocols.iflag.frames import body_of, is_intact
from pipelines.amr.protocols.iflag.layouts import (
    CLOCK,
    MAPPING_VERSION,
    PULSE_WEIGHT,
    STAMP,
    choose_firmware,
    firmwares,
    model_files,
    read_parameters,
)
from pipelines.amr.protocols.iflag.records import Records
from pipelines.amr.protocols.iflag.requests import read_request
from pipelines.amr.protocols.iflag.values import LENGTHS
from pipelines.errors import RejectedInput
from pipelines.fields import check_all
from tests.unit.amr.iflag.support import request

KEYS = sorted(firmwares())
PUBLISHED_LENGTHS = {
    "corus_g0003": {"interval": {52}, "hourly": {52}, "daily": {57}, "monthly": {103}},
    "corus_m5a00": {"interval": {90, 92}, "hourly": {90, 92}, "daily": {95, 97}, "monthly": {109, 111}},
}
PUBLISHED_LENGTHS["corus_m5b00"] = PUBLISHED_LENGTHS["corus_m5a00"]


@pytest.mark.parametrize("key", KEYS)
def test_the_sample_of_a_model_file_is_read_as_it_says(key: str) -> None:
    firmware, sample = firmwares()[key], model_files()[key].data["sample"]
    zone = ZoneInfo(sample["zone"])
    telegrams = [bytes.fromhex(sample[name]) for name in ("parameters_telegram", "database_telegram")]
    assert all(is_intact(telegram) for telegram in telegrams)
    spots = [firmware.parameter(name) for name in sample["parameters"]]
    values = read_parameters(spots, body_of(telegrams[0]))
    at = values[CLOCK]
    assert isinstance(at, datetime)
    readings = [
        Reading(spot.series, local_instant(at, zone), value, spot.unit)
        for _, spot in spots
        if spot.series is not None and isinstance(value := values[spot.name], Decimal)
    ]
    records = Records(firmware, sample["database"], zone, Decimal(sample["pulse_weight"]))
    readings += records.begin(body_of(telegrams[1])[2:])
    records.end()
    expected = [
        Reading(series, datetime.fromisoformat(when), Decimal(value), unit)
        for series, when, value, unit in sample["readings"]
    ]
    assert readings == expected
    assert [str(reading.value) for reading in readings] == [value for _, _, value, _ in sample["readings"]]


@pytest.mark.parametrize("key", KEYS)
def test_a_layout_leaves_no_hole_and_has_the_published_length(key: str) -> None:
    found: dict[str, set[int]] = {}
    for layout in firmwares()[key].layouts:
        end = 0
        for column in layout.columns:
            assert column.offset == end, f"{column.name} of {set(layout.databases)}"
            end += LENGTHS[column.kind]
        assert end == min(layout.lengths)
        assert [column.kind for column in layout.columns if column.name == STAMP] == ["date"]
        for database in layout.databases:
            found.setdefault(database, set()).update(layout.lengths)
    assert found == PUBLISHED_LENGTHS[key]
    assert set(found) == set(DATABASES)


@pytest.mark.parametrize("key", KEYS)
def test_parameters_have_ids_of_their_own_and_names_that_fit(key: str) -> None:
    firmware = firmwares()[key]
    ids = [identifier for identifier, _ in firmware.parameters.values()]
    assert len(set(ids)) == len(ids)
    assert set(firmware.parameters) <= set(PARAMETERS)
    assert firmware.parameter("parameter_mapping_version")[0] == MAPPING_VERSION
    assert firmware.parameter(CLOCK)[0] < 239  # the library loses the data of a longer id when it writes
    assert {firmware.parameter(name)[1].kind for name in (CLOCK, PULSE_WEIGHT)} == {"date", "float"}
    # All at once, with the clock and the guard against repeats, must fit one frame.
    assert sum(LENGTHS[spot.kind] for _, spot in firmware.parameters.values()) + 8 <= 255
    assert len(read_request(ids)) <= 255
    spots = [spot for _, spot in firmware.parameters.values()]
    for spot in (*spots, *(column for layout in firmware.layouts for column in layout.columns)):
        assert len(spot.series or "") <= 50
        assert len(spot.unit or "") <= 10


def test_a_model_is_chosen_by_name_then_by_what_the_meter_says_then_by_its_device_type() -> None:
    typed = Meter(name="G-1", protocol="i-flag", manufacturer="ITRON", model="corus mid")
    unknown = Meter(name="G-2", protocol="i-flag")
    assert choose_firmware(typed, "m5b00", "corus_g0003").key == "corus_g0003"
    assert choose_firmware(typed, "m5b00").key == "corus_m5b00"
    assert choose_firmware(typed, "x1234").key == "corus_m5a00"
    assert choose_firmware(typed, None).key == "corus_m5a00"
    with pytest.raises(Misconfigured, match="'x1234'"):
        choose_firmware(unknown, "x1234")
    with pytest.raises(Misconfigured, match="corus_g0003"):
        choose_firmware(unknown, None)


def test_records_of_a_length_that_is_not_described_are_unsupported() -> None:
    with pytest.raises(Unsupported, match="records of 77 bytes in database hourly"):
        firmwares()["corus_g0003"].layout("hourly", 77)


def test_a_question_is_coded_as_published() -> None:
    assert read_request([94]) == request("01 bf 01 5e 03")


def test_the_driver_offers_the_calls_of_the_contract() -> None:
    assert isinstance(DRIVER, Driver)
    assert (DRIVER.protocol, DRIVER.execution_type) == ("i-flag", "generic_corus_meter")
    required = {name: {field.name for field in spec.fields if field.required} for name, spec in CALLS.items()}
    assert required == {
        "read_parameters": {"parameters"},
        "read_database": {"database"},
        "read_database_by_offset_seconds": {"offset_seconds", "database"},
        "set_time": {"allowed_drift_seconds"},
    }
    archive = CALLS["read_database"].archive
    assert archive is not None
    assert archive({"database": "hourly"}) == "database hourly"
    assert CALLS["read_parameters"].archive is None
    assert CALLS["set_time"].archive is None


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("read_database", {"database": "event"}),
        ("read_database", {"database": "daily", "start_date": "yesterday"}),
        ("read_database_by_offset_seconds", {"database": "daily", "offset_seconds": -1}),
        ("read_database_by_offset_seconds", {"database": "daily", "offset_seconds": "60"}),
        ("read_parameters", {"parameters": "temperature"}),
        ("set_time", {}),
        ("set_time", {"allowed_drift_seconds": -5}),
    ],
)
def test_wrong_arguments_are_refused_before_a_session(name: str, arguments: dict[str, object]) -> None:
    with pytest.raises(RejectedInput):
        check_all(CALLS[name].fields, arguments)
