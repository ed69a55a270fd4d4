"""Reads simulated meters in its own process, with nothing behind it or as the platform does; prints its figures."""

import argparse
import asyncio
import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from pipelines import clock
from pipelines.amr.collection import Collector
from pipelines.amr.contract import Call, ClockSeen, ClockSet, Found, Meter, Reported
from pipelines.amr.conversation import converse
from pipelines.amr.drivers import checked_arguments, driver
from pipelines.amr.transport import connect
from pipelines.db.engine import engine_for
from pipelines.settings import Settings

KIND = "generic_lis200"
CALL = "read_archive_by_offset_seconds"


def arguments(rows: int) -> dict[str, object]:
    """Return the call that reads a whole archive of so many quarter hours."""
    back = timedelta(minutes=15) * rows + timedelta(hours=1)
    seconds = round(back.total_seconds())
    return {"offset_seconds": seconds, "archive_number": 2, "control_position": 3, "model": "dl230"}


class _Nothing:
    """Effects without effect: counts readings."""

    def __init__(self) -> None:
        self.count = 0

    async def found(self, found: Found) -> None:
        self.count += len(found.readings)

    async def clock_seen(self, step: ClockSeen) -> None:
        del step

    async def clock_set(self, step: ClockSet) -> None:
        del step

    async def reserve_counters(self, count: int) -> int:
        return count

    async def reported(self, step: Reported) -> None:
        del step


async def _bare(port: int, sessions: int, rows: int, concurrency: int) -> int:
    effects, gate = _Nothing(), asyncio.Semaphore(concurrency)
    meter = Meter(name="bench", protocol="lis-200", zone=ZoneInfo("UTC"), manufacturer="Elster", model="DL230")
    call = Call(name=CALL, arguments=checked_arguments(KIND, CALL, arguments(rows)))

    async def one() -> None:
        async with gate, await connect("127.0.0.1", port, 30) as link:
            session = driver(KIND).session(meter, clock.now)
            for conversation in (session.open, lambda: session.perform(call), session.close):
                await converse(link, conversation(), effects, timeout_s=60)

    await asyncio.gather(*(one() for _ in range(sessions)))
    return effects.count


def _peak_mb() -> float:
    """Return this program's peak memory; ``ru_maxrss`` would count what our parent was before it started us."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1000


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("mode", choices=["bare", "stored"])
    for name in ("--port", "--sessions", "--rows", "--concurrency"):
        parser.add_argument(name, type=int, required=True)
    chosen = parser.parse_args()
    began, used = time.perf_counter(), time.process_time()
    if chosen.mode == "bare":
        readings = asyncio.run(_bare(chosen.port, chosen.sessions, chosen.rows, chosen.concurrency))
    else:
        settings = Settings.from_environment()
        readings = asyncio.run(Collector(engine_for(settings), settings).drain()).readings
    took = {
        "seconds": time.perf_counter() - began,
        "cpu_s": time.process_time() - used,
        "readings": readings,
        "peak_mb": _peak_mb(),
        "at": datetime.now(UTC).isoformat(),
    }
    print(json.dumps(took), flush=True)


if __name__ == "__main__":
    main()
