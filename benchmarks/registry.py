"""A million meters from CSV, all 43 columns: against a raw COPY of the same rows, in a process of its own."""

import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg

from benchmarks.measure import Row, database, seconds
from pipelines.accounts.organizations import create_organization
from pipelines.db.engine import unit_of_work
from pipelines.registry.dictionary import example_csv
from pipelines.registry.meters import METERS

ROOT = Path(__file__).resolve().parents[1]
METERS_IN_FILE = int(os.environ.get("BENCH_METERS", "1000000"))


def _write(path: Path) -> None:
    """Write a file of distinct meters, customers, phones and places; every column is filled."""
    header, example = example_csv(METERS).splitlines()
    pattern = example.replace("%", "%%")
    for old, new in (
        ("6574", "C-%(n)d"),
        ("MTR-17", "D-%(n)d"),
        ("ABC/123", "SN%(n)09d"),
        ("John Smith", "Customer %(n)d"),
        ("L23FX1236", "ID%(n)d"),
        ("Some Street 123", "Some Street %(n)d"),
        ("test@", "test%(n)d@"),
        ("+2560123456789", "+2567%(n)08d"),
        ("+2560123456780", "+2568%(n)08d"),
        ("0.31628", "0.%(n)06d"),
        ("32.58219", "32.%(n)06d"),
        ("Lake Side", "Grid %(grid)d"),
    ):
        assert old in pattern
        pattern = pattern.replace(old, new, 1)
    with path.open("w", encoding="utf-8") as file:
        file.write(header + "\n")
        for n in range(METERS_IN_FILE):
            file.write(pattern % {"n": n, "grid": n % 500} + "\n")


def _imported(url: str, home: str, path: Path) -> tuple[float, float, str]:
    """Import a file by the command; return the time [s], the peak memory [MB] and what was said."""
    environment = {n: v for n, v in os.environ.items() if not n.startswith("WATTLOOM_")}
    environment |= {"WATTLOOM_DATABASE_URL": url, "WATTLOOM_HOME": home, "WATTLOOM_LOG_LEVEL": "warning"}
    command = [sys.executable, "-m", "pipelines", "import", str(path), "--table", "meters", "--organization", "B"]
    started, peak = time.perf_counter(), 0.0
    process = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    status = Path(f"/proc/{process.pid}/status")
    while process.poll() is None:
        for line in status.read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                peak = max(peak, int(line.split()[1]) / 1024)
        time.sleep(0.05)
    took = time.perf_counter() - started
    said = process.communicate()[0]
    assert process.returncode == 0, said
    return took, peak, said


def _raw_copy(url: str, file: Path) -> float:
    """Copy the stored rows out, and measure copying them into an empty table of the same shape and indexes."""
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE public.raw_meter (LIKE wattloom.registry_meter INCLUDING ALL)")
        with file.open("wb") as out, cursor.copy("COPY wattloom.registry_meter TO STDOUT (FORMAT binary)") as copy:
            for block in copy:
                out.write(block)

        def copy_in() -> None:
            statement = "COPY public.raw_meter FROM STDIN (FORMAT binary)"
            with file.open("rb") as rows, cursor.copy(statement) as copy:
                while block := rows.read(1 << 20):
                    copy.write(block)
            connection.commit()

        return seconds(copy_in)


def run(server_url: str) -> list[Row]:
    with database(server_url) as (url, engine), TemporaryDirectory() as folder:
        with unit_of_work(engine) as connection:
            create_organization(connection, "B")
        path = Path(folder) / "meters.csv"
        _write(path)
        size_mb = path.stat().st_size / 1e6
        new, peak, said = _imported(url, folder, path)
        assert f"({METERS_IN_FILE} new" in said, said
        again, _, repeated = _imported(url, folder, path)
        assert f"(0 new, 0 updated, {METERS_IN_FILE} unchanged)" in repeated, repeated
        path.unlink()
        copied = _raw_copy(url, Path(folder) / "raw.bin")
    return [
        Row(
            what=f"import of {METERS_IN_FILE:,} meters from CSV ({size_mb:.0f} MB): checked, hashed, stored",
            figure=f"{new:.0f} s ({METERS_IN_FILE / new:,.0f}/s); raw COPY {copied:.0f} s, ratio {copied / new:.0%}",
            target="<= 90 s",
            met=new <= 90,
        ),
        Row(what="peak memory of the import", figure=f"{peak:.0f} MB", target="<= 1,000 MB", met=peak <= 1000),
        Row(
            what="the same import again",
            figure=f"{again:.0f} s, nothing changes",
            target="<= 90 s",
            met=again <= 90,
        ),
    ]
