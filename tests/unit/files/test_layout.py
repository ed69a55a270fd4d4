"""A header is understood by the usual names, or refused naming the file and the column."""

import pytest

from pipelines.errors import RejectedInput
from pipelines.files.layout import read_layout
from pipelines.files.plan import LoadPlan

PLAN = LoadPlan(organization="First")


@pytest.mark.parametrize(
    ("header", "device", "time", "value", "unit"),
    [
        ("LCLid,tstp,energy(kWh/hh)", 0, 1, 2, "kWh"),
        ("LCLid,stdorToU,DateTime,KWH/hh (per half hour) ,Acorn,Acorn_grouped", 0, 2, 3, "kWh"),
        ("timestamp;energy_wh", None, 0, 1, "Wh"),
        ("meter_device_name\tinterval_start\tconsumption [MWh]", 0, 1, 2, "MWh"),
        ('"Meter","Start time","Energy, imported (kWh)"', 0, 1, 2, "kWh"),
        ("start,value", None, 0, 1, "kWh"),
        ("time,energyWh,comment", None, 0, 1, "Wh"),
        ("time,consumption_gj", None, 0, 1, "GJ"),
    ],
)
def test_usual_headers_are_understood(header: str, device: int | None, time: int, value: int, unit: str) -> None:
    layout = read_layout("a.csv", header, PLAN)
    assert (layout.device, layout.time, layout.value, layout.unit) == (device, time, value, unit)


def test_named_columns_and_a_named_unit_go_before_usual_names() -> None:
    plan = LoadPlan(organization="First", device_column="id", time_column="t", value_column="kW", unit="wh")
    layout = read_layout("a.csv", "meter,id,t,time,energy_kwh,kW", plan)
    assert (layout.device, layout.time, layout.value, layout.unit) == (1, 2, 5, "Wh")


@pytest.mark.parametrize(
    ("header", "plan", "words"),
    [
        ("a,b,c", PLAN, "no time column"),
        ("time,b", PLAN, "no value column"),
        ("time,value,value", PLAN, "'value' stands 2 times"),
        ("time,energy_wh,energy_kwh", PLAN, "--value-column"),
        ("time,Timestamp,value", PLAN, "--time-column"),
        ("time,value", LoadPlan(organization="First", device_column="home"), "no column 'home'"),
        ("time,value", LoadPlan(organization="First", value_column="time"), "three different columns"),
        ("time,value", LoadPlan(organization="First", unit="therms"), "'therms' is not one of"),
        ("time,power_kw", LoadPlan(organization="First", value_column="power_kw"), "--unit"),
        ("time,energy_mWh", PLAN, "--unit"),
        ("time", PLAN, "no value column"),
    ],
)
def test_a_header_that_cannot_be_understood_is_refused(header: str, plan: LoadPlan, words: str) -> None:
    with pytest.raises(RejectedInput) as refusal:
        read_layout("a.csv", header, plan)
    assert words in str(refusal.value)
    assert "a.csv" in refusal.value.errors or "unit" in refusal.value.errors
