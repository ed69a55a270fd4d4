"""Our decoding against libmbus: its test frames, and the XML that it made of them, read here on their own."""

import os
import struct
from decimal import Decimal
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from pipelines.amr.faults import BadData, BadFrame, MeterFault, Refused
from pipelines.amr.protocols.mbus.frames import parse
from pipelines.amr.protocols.mbus.records import Record
from pipelines.amr.protocols.mbus.telegram import Telegram, parse_telegram
from pipelines.amr.protocols.mbus.values import LocalTime

ROOT = Path(__file__).resolve().parents[4]
DATA = Path(os.environ.get("WATTLOOM_DATA_DIR") or ROOT.parent / "shared" / "data") / "telegrams" / "mbus_libmbus"
pytestmark = [
    pytest.mark.shared_data,
    pytest.mark.skipif(
        not DATA.is_dir(), reason=f"the telegrams of libmbus are not in {DATA} (WATTLOOM_DATA_DIR)"
    ),
]

FRAMES = sorted(path.stem for path in (DATA / "test-frames").glob("*.hex")) if DATA.is_dir() else []
FUNCTIONS = {
    "Instantaneous value": "instantaneous",
    "Maximum value": "maximum",
    "Minimum value": "minimum",
    "Value during error state": "error",
    "Manufacturer specific": "manufacturer",
    "More records follow": "manufacturer",
    "Actual value": "instantaneous",
}
# The quantities that we name otherwise; the rest differ in capitals at most.
QUANTITIES = {
    "Fabrication No": "fabrication number",
    "H.C.A.": "heat cost allocation",
    "Time point (date)": "date",
    "Time point (date & time)": "date and time",
    "(Enhanced) Identification": "identification",
    "Model / Version": "model version",
    "": "manufacturer specific",
}
UNITS = {"Units for H.C.A.": "", "m^3": "m³", "m^3/h": "m³/h", "-": "", "Reserved": "", "\u00c2\u00b0C": "°C"}
# Fixed data frames are not normalised: the unit is that of the counter.
FIXED_UNITS = {"l": ("m³", -3), "kWh": ("Wh", 3), "reserved but historic": ("m³", -3)}

# What libmbus makes of digits that are none: it counts A to F as 10 to 15. In EN 13757-3 they mark an error.
HEXADECIMAL_DIGITS = {("ELS_Elster-F96-Plus", 4), ("ELS_Elster-F96-Plus", 5), ("abb_f95", 2), ("abb_f95", 3)}
# Dates with day or month 0, which are no dates, and the year 127, which means "every year" and not 2027.
NO_DATES = {
    ("ACW_Itron-BM-plus-m", 2): "2000-00-00",
    ("itron_bm_+m", 2): "2000-00-00",
    ("siemens_water", 3): "2000-00-00",
    ("siemens_wfh21", 3): "2000-00-00",
    ("REL-Relay-Padpuls2", 1): "1900-01-00T00:00:00Z",
    ("landis+gyr_ultraheat_t230", 32): "2027-01-01T00:00:00Z",
}
# A reserved VIF (7Bh) of which libmbus writes nothing at all.
WITHOUT_WORDS = {("sen_pollutherm", 2)}
# float32: libmbus prints more digits than the number has; the same float32 must come out.
REALS = {
    ("EDC", 14),
    ("SEN_Pollustat", 7),
    ("amt_calec_mb", 1),
    ("amt_calec_mb", 2),
    ("amt_calec_mb", 3),
    ("amt_calec_mb", 5),
}


def telegram_of(kind: str, name: str) -> Telegram:
    words = (DATA / kind / f"{name}.hex").read_text().split()
    return parse_telegram(parse(bytes(int(word, 16) for word in words)))


def test_all_76_frames_are_there() -> None:
    assert len(FRAMES) == 76


@pytest.mark.parametrize("name", FRAMES)
def test_a_frame_decodes_as_libmbus_decodes_it(name: str) -> None:
    root = ET.parse(DATA / "test-frames" / f"{name}.norm.xml").getroot()  # noqa: S314 - a file of our own data set
    telegram = telegram_of("test-frames", name)
    _same_slave(telegram, root.find("SlaveInformation"))
    rows = root.findall("DataRecord")
    assert len(telegram.records) == len(rows)
    for number, (record, row) in enumerate(zip(telegram.records, rows, strict=True)):
        if (name, number) in WITHOUT_WORDS:
            assert list(row) == []
        else:
            _same_record(name, number, record, row)
    assert telegram.more_follow == any(_text(row, "Function") == "More records follow" for row in rows)


def _text(row: ET.Element, tag: str) -> str:
    return row.findtext(tag) or ""


def _same_slave(telegram: Telegram, slave: ET.Element | None) -> None:
    assert slave is not None
    assert telegram.serial is not None
    assert int(telegram.serial, 16) == int(_text(slave, "Id"), 16)
    assert telegram.access == int(_text(slave, "AccessNumber"))
    assert telegram.status == int(_text(slave, "Status"), 16)
    if slave.find("Manufacturer") is not None:
        assert telegram.manufacturer == _text(slave, "Manufacturer")
        assert telegram.version == int(_text(slave, "Version"))


def _same_record(name: str, number: int, record: Record, row: ET.Element) -> None:
    assert record.function == FUNCTIONS[_text(row, "Function")]
    unit = _text(row, "Unit")
    places = 0
    if _text(row, "Function") == "Actual value":
        unit, places = FIXED_UNITS[unit]
    else:
        quantity = _text(row, "Quantity")
        assert record.quantity.casefold() == QUANTITIES.get(quantity, quantity).casefold()
        assert record.storage == int(_text(row, "StorageNumber"))
        assert record.tariff == int(_text(row, "Tariff") or 0)
        assert record.subunit == int(_text(row, "Device") or 0)
    assert record.unit == UNITS.get(unit, unit)
    _same_value((name, number), record.value, _text(row, "Value"), places)


def _same_value(key: tuple[str, int], value: object, text: str, places: int) -> None:
    if key in NO_DATES:
        assert (value, text) == (None, NO_DATES[key])
    elif key in HEXADECIMAL_DIGITS:
        assert value is None
        assert Decimal(text)
    elif key in REALS:
        assert isinstance(value, Decimal)
        assert struct.pack("<f", float(value)) == struct.pack("<f", float(text))
    elif isinstance(value, Decimal):
        assert abs(value - Decimal(text).scaleb(places)) <= Decimal("0.0000005")
    elif isinstance(value, LocalTime):
        assert value.at.isoformat() + "Z" == text
    else:
        assert str(value) == text


def test_every_exception_is_still_needed() -> None:
    named = {*HEXADECIMAL_DIGITS, *NO_DATES, *WITHOUT_WORDS, *REALS}
    assert {name for name, _ in named} <= set(FRAMES)
    assert len(named) == 17


ERRORS = {
    "application_busy": (Refused, "application busy"),
    "buffer_too_long": (Refused, "buffer too long, truncated"),
    "error": (Refused, "unspecified error"),
    "premature_end_of_data1": (BadData, "bytes"),
    "premature_end_of_data2": (BadData, "bytes"),
    "premature_end_of_dif1": (BadData, "bytes"),
    "premature_end_of_dif2": (BadData, "bytes"),
    "premature_end_of_record": (Refused, "premature end of record"),
    "premature_end_of_var_vif1": (BadData, "bytes"),
    "premature_end_of_vif1": (BadData, "bytes"),
    "too_long_var_vif": (BadData, "bytes"),
    "too_many_dife": (BadData, "more than 10 DIFE"),
    "too_many_difes": (Refused, "more than 10 DIFE"),
    "too_many_readouts": (Refused, "too many readouts"),
    "too_many_records": (Refused, "too many records"),
    "too_many_vife": (BadData, "more than 10 VIFE"),
    "too_many_vifes": (Refused, "more than 10 VIFE"),
    "too_short_header": (BadData, "header"),
    "unimplemented_ci": (Refused, "CI field not implemented"),
    "unspecified_error": (Refused, "unspecified error"),
}


@pytest.mark.parametrize(("name", "fault"), sorted(ERRORS.items()), ids=sorted(ERRORS))
def test_a_faulty_frame_is_a_typed_fault(name: str, fault: tuple[type[MeterFault], str]) -> None:
    with pytest.raises(fault[0], match=fault[1]):
        telegram_of("error-frames", name)


def test_no_faulty_frame_is_left_out() -> None:
    assert {path.stem for path in (DATA / "error-frames").glob("*.hex")} == set(ERRORS)


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("invalid_length", BadFrame),
        ("invalid_length2", BadData),
        ("manual_frame1", BadFrame),
        # Commands of a master: true frames, but no answers.
        ("manual_frame4", BadData),
        ("manual_frame5", BadData),
        ("manual_frame6", BadData),
    ],
)
def test_a_frame_that_libmbus_does_not_support_is_a_typed_fault(name: str, fault: type[MeterFault]) -> None:
    with pytest.raises(fault):
        telegram_of("unsupported-frames", name)


def test_a_telegram_of_manufacturer_data_alone_is_legitimate() -> None:
    # The header is whole, DIF 1Fh opens the maker's own data up to the end and announces another telegram.
    telegram = telegram_of("unsupported-frames", "svm_f22_telegram2")
    assert (telegram.serial, telegram.manufacturer, telegram.more_follow) == ("01006089", "SVM", True)
    assert [record.function for record in telegram.records] == ["manufacturer"]
