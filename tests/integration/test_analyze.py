"""``wattloom analyze`` says of a file what the platform says of the same readings, to the last digit."""

import gzip
import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from analytics.reports import CarbonFactors
from pipelines import clock, steps
from pipelines.cli import main
from pipelines.db.engine import unit_of_work
from pipelines.household.store import write_appliances, write_place, write_property
from pipelines.insight import answers
from pipelines.insight.results import read_pieces
from pipelines.settings import Settings
from pipelines.weather.loading import load_file
from tests.integration.world import Device, World

LONDON = "Europe/London"
PROPERTY = {
    "property_type": "HOME",
    "power_generator_source": "NONE",
    "home_type": "HOUSE",
    "home_usage_type": "PRIMARY",
    "home_size": 110.5,
    "bedroom_amount": 3,
    "people_amount": 4,
    "people_amount_in_day_time": 1,
    "people": [],
    "version": "1.0",
}
APPLIANCES = [
    {"key": "FRIDGE", "amount": 1, "type": "FRIDGE_AND_FREEZER"},
    {"key": "WASHING_MACHINE", "amount": 1},
    {"key": "ELECTRIC_OVEN", "amount": 1, "type": "REGULAR"},
    {"key": "ELECTRIC_VEHICLE", "amount": 1, "type": "CAR", "wattages": [7000]},
    {"key": "ELECTRIC_HEATING", "amount": 2, "type": "RADIATOR"},
]


def rows_of_london(folder: Path) -> list[tuple[datetime, Decimal]]:
    """Return a real home's half hours of six months [Wh]; some are missing."""
    frame = pl.read_csv(folder / "lcl_100_households_2013" / "MAC000018.csv.gz", infer_schema=False)
    frame = frame.rename(str.strip).select(pl.all().str.strip_chars())
    rows = {}
    for _, at, kwh in frame.iter_rows():
        start = datetime.fromisoformat(at[:19]).replace(tzinfo=UTC)
        if kwh[:1].isdigit() and start < datetime(2013, 6, 30, 23, tzinfo=UTC):
            rows[start] = Decimal(kwh) * 1000
    return sorted(rows.items())


def with_charges(rows: list[tuple[datetime, Decimal]]) -> list[tuple[datetime, Decimal]]:
    """Add a car that is charged with 7 kW for three hours over midnight, every third day."""
    return [
        (at, wh + (3500 if at.timetuple().tm_yday % 3 == (at.hour < 12) and (at.hour >= 22 or at.hour < 1) else 0))
        for at, wh in rows
    ]


def csv_of(rows: list[tuple[datetime, Decimal]], value: str = "energy_wh") -> str:
    return "\n".join([f"timestamp,{value}", *(f"{at:%Y-%m-%dT%H:%M:%SZ},{wh}" for at, wh in rows)]) + "\n"


def loaded(world: World, rows: list[tuple[datetime, Decimal]]) -> Device:
    series = world.series("1-0:1.29.0", unit="Wh")
    device = world.device(series, zone=LONDON)
    world.write((device, series, at, wh) for at, wh in rows)
    world.work_off()
    return device


def analyzed(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict:
    assert main(["analyze", *map(str, arguments)]) == 0
    return json.loads(capsys.readouterr().out)


def served(world: World, device: Device, months: list[date]) -> list[dict]:
    """Return what the routes answer of each month."""
    found = []
    with unit_of_work(world.engine) as connection:
        home = answers.Household(
            sensor_id=device.sensor_id, zone=ZoneInfo(LONDON), first_event=clock.now(), last_event=clock.now()
        )
        for month in months:
            period = answers.month_period(month.year, month.month)
            result = answers.stored_result(connection, home, period, datetime(2030, 1, 1, tzinfo=UTC))
            pieces = read_pieces(connection, device.sensor_id, period.days.first, period.days.last)
            report = answers.report(result, "month", unit="kwh", factors=CarbonFactors())
            found.append(
                {
                    "month": f"{month:%Y-%m}",
                    "disaggregation": answers.with_quality(answers.disaggregation(result), result),
                    "cycles": answers.cycles(pieces, home.zone, result, ("electric_vehicle",)),
                    "report": answers.with_quality(report, result),
                }
            )
    return json.loads(json.dumps(found))


@pytest.mark.shared_data
@pytest.mark.parametrize("with_metadata", [False, True])
def test_a_file_and_the_database_give_the_same_numbers(
    world: World,
    settings: Settings,
    shared_data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    with_metadata: bool,
):
    rows = with_charges(rows_of_london(shared_data))
    file = tmp_path / "home.csv"
    file.write_text(csv_of(rows))
    device = loaded(world, rows)
    arguments = [file, "--timezone", LONDON]
    if with_metadata:
        weather = tmp_path / "weather.csv"
        hours = [datetime(2013, 1, 1, tzinfo=UTC) + n * timedelta(hours=1) for n in range(180 * 24)]
        lines = (
            f"{at:%Y-%m-%dT%H:%MZ},{5 + at.timetuple().tm_yday / 15 - abs(at.hour - 14) / 3:.1f}" for at in hours
        )
        weather.write_text("\n".join(["timestamp,temperature_c", *lines]))
        load_file(world.engine, weather, latitude=51.53, longitude=-0.12, organization_id=None)
        (tmp_path / "property.json").write_text(json.dumps(PROPERTY))
        (tmp_path / "appliances.json").write_text(json.dumps({"appliances": APPLIANCES, "version": "1.0"}))
        arguments += ["--latitude", 51.53, "--longitude", -0.12, "--weather", weather]
        arguments += ["--property", tmp_path / "property.json", "--appliances", tmp_path / "appliances.json"]
        with unit_of_work(world.engine) as connection:
            write_property(connection, device.sensor_id, PROPERTY, clock.now())
            write_appliances(connection, device.sensor_id, {"appliances": APPLIANCES}, clock.now())
            write_place(connection, device.sensor_id, {"latitude": 51.53, "longitude": -0.12}, clock.now())
    steps.disaggregate(start="2013-01-01", end="2013-07-01", settings=settings)

    printed = analyzed(capsys, *arguments)

    assert printed["rejected"] == []
    assert len(printed["months"]) == 6
    assert printed["months"] == served(world, device, [date(2013, n, 1) for n in range(1, 7)])
    (june,) = analyzed(capsys, *arguments, "--month", "2013-06")["months"]
    assert june == printed["months"][5]


@pytest.mark.shared_data
def test_rows_out_of_order_doubled_or_wrong_are_named_and_harm_no_other_row(
    shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    rows = rows_of_london(shared_data)[:4000]
    clean, dirty = tmp_path / "clean.csv", tmp_path / "dirty.csv.gz"
    clean.write_text(csv_of(rows))
    header, *lines = csv_of(rows).splitlines()
    lines.reverse()
    wrong = ["2013-02-31T00:00Z,1", "2013-01-01T00:10,1", "2013-01-01T00:10Z,x", "2013-01-01T00:10Z", "", lines[7]]
    dirty.write_bytes(gzip.compress("\n".join([header, *lines[:3], *wrong, *lines[3:]]).encode()))

    expected = analyzed(capsys, clean, "--timezone", LONDON)
    found = analyzed(capsys, dirty, "--timezone", LONDON)

    assert found["months"] == expected["months"]
    # The doubled row stands before the one it repeats, so the later one counts.
    assert [(row["row"], row["column"], row["code"]) for row in found["rejected"]] == [
        (4, "timestamp", "invalid_time"),
        (5, "timestamp", "missing_offset"),
        (6, "energy_wh", "invalid_value"),
        (7, "energy_wh", "wrong_field_count"),
        (9, "timestamp", "duplicate_time"),
    ]


def constant(count: int, step: timedelta, value: str = "100") -> list[tuple[datetime, str]]:
    start = datetime(2024, 1, 1, tzinfo=UTC)
    return [(start + n * step, value) for n in range(count)]


@pytest.mark.parametrize("minutes", [1, 15, 30, 60, 61])
def test_mean_power_counts_for_the_time_to_the_next_row(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], minutes: int
):
    count = 3 * 24 * 60 // minutes
    file = tmp_path / "home.csv"
    file.write_text(csv_of(constant(count, timedelta(minutes=minutes), "600"), "power_w"))
    (month,) = analyzed(capsys, file, "--timezone", "UTC")["months"]
    covered_h = count * (60 if minutes == 61 else minutes) / 60  # 61 is taken for an hour with a minute's gap
    assert month["report"]["day_by_day_metrics"]["total_month_consumption"] == pytest.approx(0.6 * covered_h)


def test_rows_every_seven_seconds_negative_ones_and_spikes_are_flagged_and_counted_as_gaps(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    rows = constant(40_000, timedelta(seconds=7), "200")
    rows[1000:1010] = [(at, "-50") for at, _ in rows[1000:1010]]
    rows[2000] = (rows[2000][0], "1000000")
    file = tmp_path / "home.csv"
    file.write_text(csv_of(rows, "power_w"))
    (month,) = analyzed(capsys, file, "--timezone", "America/St_Johns")["months"][1:]
    codes = {warning["code"] for warning in month["disaggregation"]["quality"]["warnings"]}
    assert {"export", "implausible"} <= codes
    total = month["disaggregation"]["total_consumption"]
    parts = sum(Decimal(str(part["consumption"])) for part in month["disaggregation"]["appliances"])
    assert parts == Decimal(str(total))
    assert total < 200 * 40_000 * 7 / 3600


@pytest.mark.parametrize(
    ("content", "arguments", "said"),
    [
        ("time,energy_wh\n", [], "no column timestamp"),
        ("timestamp,energy_wh,power_w\n", [], "2 columns energy_wh or power_w"),
        (
            "timestamp,energy_wh\n2024-01-01T00:00,1\n2024-01-01T01:00,1\n",
            [],
            "row 1, timestamp: The time has no offset",
        ),
        ("timestamp,energy_wh\n", ["--timezone", "Europe/Nowhere"], "'Europe/Nowhere' is no IANA time zone"),
        ("timestamp,energy_wh\n", ["--latitude", "91", "--longitude", "0"], "latitude"),
        ("timestamp,energy_wh\n", ["--latitude", "50"], "both latitude and longitude"),
        ("timestamp,energy_wh\n", ["--month", "2024-13"], "'2024-13' is no month"),
        (None, [], "there is no such file"),
    ],
)
def test_what_cannot_be_analyzed_is_one_clear_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content, arguments, said
):
    file = tmp_path / "home.csv"
    if content is not None:
        file.write_text(content)
    zone = [] if "--timezone" in arguments else ["--timezone", "UTC"]
    assert main(["analyze", str(file), *zone, *arguments]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert said in output.err
    assert "Traceback" not in output.err


def test_a_wrong_document_names_its_file_and_field(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    file, appliances = tmp_path / "home.csv", tmp_path / "a.json"
    file.write_text(csv_of(constant(48, timedelta(hours=1))))
    appliances.write_text('[{"key": "FRIDGE", "amount": 1, "type": "COOL"}]')
    assert main(["analyze", str(file), "--timezone", "UTC", "--appliances", str(appliances)]) == 2
    assert f"{appliances}: appliances[0].type" in capsys.readouterr().err


def test_a_month_as_text_has_a_table_and_bars(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    file = tmp_path / "home.csv"
    file.write_text(csv_of(constant(24 * 31, timedelta(hours=1))))
    assert main(["analyze", str(file), "--timezone", "UTC", "--format", "text"]) == 0
    printed = capsys.readouterr().out
    assert "2024-01" in printed
    assert "█" in printed
    assert "74.40 kWh" in printed
