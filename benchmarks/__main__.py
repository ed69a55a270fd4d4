"""Run every benchmark on a server of its own and write the document, a section a part."""

import argparse
import os
import platform
import tempfile
from collections.abc import Callable
from pathlib import Path

import psycopg

from benchmarks import answering, bulk_write, collecting, delivering, disaggregating, erp, london, mqtt, registry
from benchmarks.measure import Row, document, section, sections
from pipelines.db.embedded import EmbeddedServer

PARTS: dict[str, Callable[[str], list[Row]]] = {
    "bulk-write": bulk_write.run,
    "delivering": delivering.run,
    "collecting": collecting.run,
    "erp": erp.run,
    "mqtt": mqtt.run,
    "london": london.run,
    "disaggregating": disaggregating.run,
    "answering": answering.run,
    "registry": registry.run,
}
DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"default: all of {', '.join(PARTS)}")
    chosen = parser.parse_args().parts or list(PARTS)
    if unknown := set(chosen) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    named = os.environ.get("WATTLOOM_TEST_DATABASE_URL")
    with tempfile.TemporaryDirectory(prefix="wattloom-bench-") as folder:
        server = EmbeddedServer(Path(folder))
        if named is None:
            server.start()
        try:
            url = named or server.url("postgres")
            with psycopg.connect(url) as connection:
                engine = f"PostgreSQL {connection.info.server_version // 10000}"
            engine += " (embedded)" if named is None else " with TimescaleDB"
            machine = f"{os.cpu_count()} cores, Python {platform.python_version()}"
            for part in chosen:
                busy = f"load average {os.getloadavg()[0]:.1f} before it began"
                text = section(PARTS[part](url), engine=engine, machine=f"{machine}, {busy}")
                print(f"## {part}\n\n{text}", flush=True)
                if named is None:
                    _renew(part, text)
        finally:
            if named is None:
                server.destroy()


def _renew(part: str, text: str) -> None:
    """Put one part's section in its place in the document."""
    known = sections(DOCUMENT.read_text(encoding="utf-8")) | {part: text}
    DOCUMENT.write_text(document({name: known[name] for name in PARTS if name in known}), encoding="utf-8")


if __name__ == "__main__":
    main()
