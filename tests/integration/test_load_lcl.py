"""Ten real homes of Low Carbon London: every month's total equals an independent computation, to the last digit."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
import pytest

from pipelines.db.engine import engine_for
from pipelines.files.interval_csv import LoadPlan, load_files
from pipelines.settings import Settings

PLAN = LoadPlan(organization="First", timezone="Europe/London", timestamps="utc", interval_s=1800)
HOMES = 10
Totals = dict[tuple[str, str], tuple[int, Decimal]]


def _expected(files: list[Path]) -> Totals:
    """Return (readings, kWh) per home and UTC month, by polars alone."""
    frame = pl.concat([pl.read_csv(file, infer_schema=False) for file in files])
    monthly = frame.group_by("LCLid", pl.col("tstp").str.slice(0, 7).alias("month")).agg(
        pl.len(), pl.col("energy(kWh/hh)").str.strip_chars().cast(pl.Decimal(38, 7)).sum().alias("kwh")
    )
    return {(home, month): (count, kwh) for home, month, count, kwh in monthly.iter_rows()}


def _stored(url: str) -> Totals:
    with psycopg.connect(url, options="-c timezone=UTC") as connection:
        rows = connection.execute(
            "SELECT d.name, to_char(r.\"timestamp\", 'YYYY-MM'), count(*), sum(r.value)"
            " FROM wattloom.meter_reading AS r JOIN wattloom.meter_device AS d ON d.sensor_id = r.device_id"
            " GROUP BY 1, 2"
        )
        return {(home, month): (count, kwh) for home, month, count, kwh in rows}


@pytest.mark.shared_data
def test_ten_london_homes_are_stored_to_the_last_digit_and_again_without_a_change(
    settings: Settings, database_url: str, organization: dict[str, Any], shared_data: Path
) -> None:
    files = sorted((shared_data / "lcl_100_households_2013").glob("MAC*.csv.gz"))[:HOMES]
    expected = _expected(files)
    try:
        first = load_files(settings, files, PLAN)
        stored = _stored(database_url)
        again = load_files(settings, files, PLAN)
    finally:
        engine_for(settings).dispose()
    rows = sum(count for count, _ in expected.values())
    assert (first.rows, first.inserted, len(first.rejected), first.devices) == (rows, rows, 0, HOMES)
    assert stored == expected
    assert (again.inserted, again.corrected, again.unchanged) == (0, 0, rows)
    assert _stored(database_url) == expected
