"""Interval files into readings: devices made once, a verdict per row, and the same load again changes nothing."""

import csv
import gzip
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from pipelines import clock
from pipelines.accounts.principals import Principal
from pipelines.crud import create_row
from pipelines.db import tables
from pipelines.db.engine import engine_for, unit_of_work
from pipelines.errors import NotFound, RejectedInput
from pipelines.files.interval_csv import LoadOutcome, LoadPlan, load_files
from pipelines.metering.resources import CONFIG, DEVICE, SERIES, TYPE
from pipelines.settings import Settings

PLAN = LoadPlan(organization="First", timezone="Europe/London", timestamps="utc")
Load = Callable[..., LoadOutcome]


@pytest.fixture
def load(settings: Settings, organization: dict[str, Any]) -> Iterator[Load]:
    """Load files as the command does; its connections are closed with the test."""

    def run(*files: Path, plan: LoadPlan = PLAN, **arguments: Any) -> LoadOutcome:
        return load_files(settings, files, plan, **arguments)

    yield run
    engine_for(settings).dispose()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    path = tmp_path / "home-1.csv"
    path.write_text("tstp,energy(kWh/hh)\n2013-01-01 00:00:00, 0.219 \n2013-01-01 00:30:00,0.1409999\n")
    return path


def _readings(engine: sa.Engine) -> list[tuple[str, str, str, Decimal]]:
    reading, device, series = tables.meter_reading, tables.meter_device, tables.meter_reading_series
    query = (
        sa.select(device.c.name, series.c.unit, reading.c.timestamp, reading.c.value)
        .join(device, device.c.sensor_id == reading.c.device_id)
        .join(series, series.c.series_key == reading.c.series_id)
        .order_by(device.c.name, reading.c.timestamp)
    )
    with unit_of_work(engine) as connection:
        return [(name, unit, f"{at:%Y-%m-%d %H:%M}", value) for name, unit, at, value in connection.execute(query)]


def _count(engine: sa.Engine, table: sa.Table) -> int:
    with unit_of_work(engine) as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0


def _made(engine: sa.Engine) -> list[int]:
    made = (
        tables.meter_device,
        tables.meter_device_type,
        tables.meter_device_config,
        tables.meter_reading_series,
        tables.meter_reading,
        tables.meter_reading_version,
        tables.reading_change,
        tables.staged_meter_reading,
    )
    return [_count(engine, table) for table in made]


def test_a_file_without_a_device_column_is_loaded_exactly_under_its_own_name(
    load: Load, engine: sa.Engine, home: Path
) -> None:
    outcome = load(home)
    assert (outcome.rows, outcome.accepted, outcome.inserted, outcome.devices) == (2, 2, 2, 1)
    assert _readings(engine) == [
        ("home-1", "kWh", "2013-01-01 00:00", Decimal("0.219")),
        ("home-1", "kWh", "2013-01-01 00:30", Decimal("0.1409999")),
    ]


def test_a_new_device_has_a_type_config_and_series_named_after_zone_and_unit(
    load: Load, engine: sa.Engine, home: Path
) -> None:
    load(home, plan=replace(PLAN, interval_s=1800, unit="wh"))
    device, kind, config = tables.meter_device, tables.meter_device_type, tables.meter_device_config
    link, series = tables.meter_device_config_series, tables.meter_reading_series
    query = (
        sa.select(
            *(device.c.name, device.c.protocol, kind.c.name, kind.c.manufacturer, kind.c.manufacturer_model),
            *(config.c.timezone, series.c.name, series.c.unit, series.c.kind, series.c.interval_s),
        )
        .join(kind, kind.c.id == device.c.type_id)
        .join(config, config.c.id == kind.c.config_id)
        .join(link, link.c.config_id == config.c.id)
        .join(series, series.c.id == link.c.series_id)
    )
    with unit_of_work(engine) as connection:
        made = [tuple(row) for row in connection.execute(query)]
    kind_name = "Interval file, Wh, Europe/London, 1800 s"
    assert made == [
        (
            *("home-1", "iec62056-21", kind_name, "Wattloom", "interval-csv"),
            *("Europe/London", "1-0:1.29.0", "Wh", "interval", 1800),
        )
    ]


def test_the_same_load_again_changes_nothing_and_says_so(load: Load, engine: sa.Engine, home: Path) -> None:
    load(home)
    before = _made(engine)
    outcome = load(home)
    assert (outcome.accepted, outcome.inserted, outcome.corrected, outcome.unchanged) == (2, 0, 0, 2)
    assert _made(engine) == before


def test_a_corrected_file_keeps_what_it_replaces(load: Load, engine: sa.Engine, home: Path) -> None:
    load(home)
    home.write_text(home.read_text().replace("0.219", "0.220"))
    outcome = load(home)
    assert (outcome.inserted, outcome.corrected, outcome.unchanged) == (0, 1, 1)
    version = tables.meter_reading_version
    with unit_of_work(engine) as connection:
        kept = connection.execute(sa.select(version.c.value, version.c.replaced_by, version.c.reason)).one()
    assert tuple(kept) == (Decimal("0.219"), "cli:load", "file home-1.csv")


def test_one_file_of_many_devices_may_be_gzip_with_bom_semicolons_and_quotes(
    load: Load, engine: sa.Engine, tmp_path: Path
) -> None:
    path = tmp_path / "export.bin"
    lines = ['"Meter";"Start";"Energy [Wh]"', '"a";"2013-01-01T00:00Z";"1.5"', '"b; c";2013-01-01T00:00Z;2', ""]
    path.write_bytes(gzip.compress(b"\xef\xbb\xbf" + "\r\n".join(lines).encode()))
    outcome = load(path)
    assert (outcome.rows, outcome.accepted, outcome.devices) == (2, 2, 2)
    assert [row[0::3] for row in _readings(engine)] == [("a", Decimal("1.5")), ("b; c", Decimal(2))]


def test_local_times_are_read_on_the_zones_clock_and_the_repeated_hour_twice(
    load: Load, engine: sa.Engine, tmp_path: Path
) -> None:
    path = tmp_path / "m.csv"
    times = [
        "03-31 00:30",
        "03-31 01:30",
        "03-31 02:00",
        "10-27 01:00",
        "10-27 01:30",
        "10-27 01:00",
        "10-27 01:30",
    ]
    path.write_text("time,kwh\n" + "".join(f"2013-{time},{n}\n" for n, time in enumerate(times)))
    for _ in range(2):
        outcome = load(path, plan=replace(PLAN, timestamps="local"))
        verdicts = [(r.row, r.column, r.code) for r in outcome.rejected]
        assert verdicts == [(2, "time", "nonexistent_local_time")]
        assert [(at, int(value)) for _, _, at, value in _readings(engine)] == [
            *(("2013-03-31 00:30", 0), ("2013-03-31 01:00", 2)),
            *(("2013-10-27 00:00", 3), ("2013-10-27 00:30", 4), ("2013-10-27 01:00", 5), ("2013-10-27 01:30", 6)),
        ]
    assert outcome.corrected == 0


def test_bad_rows_are_told_by_file_row_and_column_and_take_no_good_row_along(
    load: Load, engine: sa.Engine, tmp_path: Path
) -> None:
    path = tmp_path / "m.csv"
    bad = ["m,2013-01-01 00:00,Null", "m,2013-01-01 00:30,1,5", "m,soon,1", ",2013-01-01 00:30,1"]
    path.write_text("\n".join(["meter,time,kwh", *bad, "m,2013-01-01 01:00,1", "m,2013-01-01 01:30,2"]))
    outcome = load(path)
    assert [(r.file, r.row, r.column, r.code) for r in outcome.rejected] == [
        (str(path), 1, "kwh", "invalid_value"),
        (str(path), 2, "kwh", "wrong_field_count"),
        (str(path), 3, "time", "invalid_time"),
        (str(path), 4, "meter", "invalid_device"),
    ]
    assert (outcome.rows, outcome.accepted) == (6, 2)
    assert len(_readings(engine)) == 2
    outcome.write_rejected(tmp_path / "rejected.csv")
    with (tmp_path / "rejected.csv").open(newline="") as written:
        rows = list(csv.DictReader(written))
    assert [(row["file"], row["row"], row["code"]) for row in rows] == [
        (r.file, str(r.row), r.code) for r in outcome.rejected
    ]


def test_a_repeated_row_is_harmless_and_a_contradicted_one_rejected(
    load: Load, engine: sa.Engine, tmp_path: Path
) -> None:
    path = tmp_path / "m.csv"
    path.write_text("time,kwh\n" + "".join(f"2013-01-01 00:{m},{v}\n" for m, v in [("00", 1), ("00", "1.0")]))
    assert load(path).rejected[:] == []
    path.write_text("time,kwh\n2013-01-01 01:00,1\n2013-01-01 01:00,2\n")
    outcome = load(path)
    assert [(r.row, r.column, r.code) for r in outcome.rejected] == [(1, "time", "duplicate_in_batch")]
    assert (outcome.accepted, outcome.inserted) == (1, 1)
    assert [int(value) for *_, value in _readings(engine)] == [1, 2]


def _meter(engine: sa.Engine, principal: Principal, *, name: str, series: str, unit: str) -> None:
    with unit_of_work(engine) as connection:
        own = {"organization": str(principal.organization_id), "name": name}
        one = create_row(connection, SERIES, principal, {**own, "name": series, "unit": unit})
        config = create_row(connection, CONFIG, principal, {**own, "series": [str(one["id"])]})
        kind = {**own, "manufacturer": "x", "manufacturer_model": "y", "config": str(config["id"])}
        made = create_row(connection, TYPE, principal, kind)
        create_row(connection, DEVICE, principal, {**own, "protocol": "mbus", "type": str(made["id"])})


def test_a_device_of_another_type_is_used_as_it_is(
    load: Load, engine: sa.Engine, principal: Principal, home: Path
) -> None:
    _meter(engine, principal, name="home-1", series="1-0:1.29.0", unit="kwh")
    assert load(home).accepted == 2
    assert _count(engine, tables.meter_device_type) == 1


def test_a_device_that_may_not_save_the_series_has_its_rows_rejected_with_the_reason(
    load: Load, engine: sa.Engine, principal: Principal, home: Path
) -> None:
    _meter(engine, principal, name="home-1", series="1-0:1.8.0", unit="kWh")
    outcome = load(home)
    assert [(r.row, r.code) for r in outcome.rejected] == [(1, "unknown_series"), (2, "unknown_series")]
    assert (outcome.accepted, outcome.devices, _readings(engine)) == (0, 0, [])


def test_values_in_another_unit_than_the_devices_series_are_rejected(
    load: Load, engine: sa.Engine, home: Path, tmp_path: Path
) -> None:
    load(home)
    other = tmp_path / "other.csv"
    other.write_text("meter,time,wh\nhome-1,2013-01-02 00:00,1\nhome-2,2013-01-02 00:00,1\n")
    outcome = load(home, other)
    assert [(r.row, r.column, r.code) for r in outcome.rejected] == [(1, "wh", "other_unit")]
    assert (outcome.accepted, outcome.inserted, outcome.devices) == (3, 1, 2)
    assert [row[:2] for row in _readings(engine)][-1] == ("home-2", "Wh")


def test_readings_staged_under_a_name_become_readings_when_a_load_makes_the_device(
    load: Load, engine: sa.Engine, organization: dict[str, Any], home: Path
) -> None:
    at = clock.now()
    staged = {
        "organization_id": organization["organization"]["id"],
        "meter_device_name": "home-1",
        "series_name": "1-0:1.29.0",
        "timestamp": at,
        "value": 7,
        "created_at": at,
        "updated_at": at,
    }
    with unit_of_work(engine) as connection:
        connection.execute(sa.insert(tables.staged_meter_reading).values(staged))
    load(home)
    assert _count(engine, tables.staged_meter_reading) == 0
    assert [int(value) for *_, value in _readings(engine)] == [0, 0, 7]


def test_a_file_that_cannot_be_read_is_refused_before_anything_is_stored(
    load: Load, engine: sa.Engine, home: Path, tmp_path: Path
) -> None:
    empty = tmp_path / "empty.csv"
    empty.touch()
    with pytest.raises(RejectedInput, match=r"empty\.csv: is empty"):
        load(home, empty)
    assert _made(engine) == [0] * 8


@pytest.mark.parametrize(
    "change",
    [{"timezone": "Mars/Olympus"}, {"interval_s": 0}, {"interval_s": -60}, {"unit": "kW"}, {"timestamps": "gmt"}],
)
def test_a_wrong_plan_is_refused(load: Load, engine: sa.Engine, home: Path, change: dict[str, Any]) -> None:
    with pytest.raises(RejectedInput):
        load(home, plan=replace(PLAN, **change))
    assert _made(engine) == [0] * 8


def test_an_unknown_organization_is_refused(load: Load, home: Path) -> None:
    with pytest.raises(NotFound, match="Second"):
        load(home, plan=replace(PLAN, organization="Second"))


def test_progress_ends_at_all_bytes_and_never_goes_back(load: Load, home: Path, tmp_path: Path) -> None:
    second = tmp_path / "home-2.csv"
    second.write_text(home.read_text())
    seen: list[tuple[int, int]] = []
    load(home, second, progress=lambda done, total: seen.append((done, total)))
    size = home.stat().st_size
    assert seen == sorted(seen)
    assert seen[0] == (0, 2 * size)
    assert seen[-1] == (2 * size, 2 * size)
