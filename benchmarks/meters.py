"""Serves one simulated LIS-200 data logger to any number of connections, in a process of its own."""

import argparse
import asyncio
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from pipelines.simulators.meters.archive import steady_archive
from pipelines.simulators.meters.lis200 import Lis200Meter
from pipelines.simulators.meters.responder import Faults
from pipelines.simulators.meters.server import MeterServer

INTERVAL_S = 900


def archive_start(now: datetime, rows: int) -> datetime:
    """Return where an archive of so many quarter hours begins that ends at the last full hour."""
    return now.replace(minute=0, second=0, microsecond=0) - timedelta(seconds=INTERVAL_S * (rows - 1))


async def serve(rows: int, delay_s: float) -> None:
    archive = steady_archive(start=archive_start(datetime.now(UTC), rows), rows=rows, interval_s=INTERVAL_S)
    faults = Faults(reply_delay_s=delay_s)
    server = MeterServer(lambda f: Lis200Meter(archive, f, zone=ZoneInfo("UTC"), archive_number=2), faults)
    await server.start()
    print(server.port, flush=True)
    await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--delay", type=float, required=True)
    chosen = parser.parse_args()
    asyncio.run(serve(chosen.rows, chosen.delay))
