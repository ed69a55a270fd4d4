"""``kill -9`` of the API while it is being written to: what it answered as accepted is there afterwards."""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.integration.world import World

ROOT = Path(__file__).resolve().parents[2]
ROWS, LISTS = 200, 400


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def serve(database_url: str, home: Path, port: int) -> subprocess.Popen[bytes]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("WATTLOOM_")}
    variables = {"WATTLOOM_DATABASE_URL": database_url, "WATTLOOM_HOME": str(home), "WATTLOOM_LOG_LEVEL": "error"}
    command = [sys.executable, "-m", "pipelines", "serve", "--port", str(port)]
    server = subprocess.Popen(command, env=clean | variables, cwd=ROOT)
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline:
        try:
            with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=2)) as connection:
                connection.request("GET", "/_health/")
                if connection.getresponse().status == 200:
                    return server
        except OSError:
            time.sleep(0.1)
    server.kill()
    pytest.fail("the API did not start")


def _list(number: int, meter: str, series: str) -> list[dict[str, str]]:
    return [
        {
            "meter_device_name": meter,
            "series_name": series,
            "timestamp": f"{2000 + number // 12}-{number % 12 + 1:02}-01T{row // 60:02}:{row % 60:02}:00Z",
            "value": str(number * ROWS + row),
        }
        for row in range(ROWS)
    ]


def test_every_reading_the_api_accepted_survives_its_kill(
    world: World, engine: sa.Engine, database_url: str, organization: dict[str, dict[str, str]], tmp_path: Path
) -> None:
    meter, series = world.device(world.series("1-0:1.8.0")).name, "1-0:1.8.0"
    port = free_port()
    server = serve(database_url, tmp_path, port)
    confirmed: list[int] = []

    def send() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        headers = {"Authorization": f"Token {organization['staff']['token']}", "Content-Type": "application/json"}
        try:
            for number in range(LISTS):
                body = json.dumps(_list(number, meter, series))
                connection.request("POST", "/v1/metering/new-meter-readings", body, headers)
                answer = json.loads(connection.getresponse().read())
                if answer["accepted"] == ROWS:
                    confirmed.append(number)
        except (OSError, http.client.HTTPException, ValueError):
            pass  # the server is gone: this list was never confirmed
        finally:
            connection.close()

    sender = threading.Thread(target=send)
    sender.start()
    while len(confirmed) < 15:
        assert sender.is_alive(), "no list was accepted"
        time.sleep(0.01)
    os.kill(server.pid, signal.SIGKILL)
    sender.join(30)
    server.wait(10)

    with engine.connect() as connection:
        query = "SELECT value::int / :rows, count(*) FROM wattloom.meter_reading GROUP BY 1"
        stored = dict(connection.execute(sa.text(query), {"rows": ROWS}).all())
    assert set(stored.values()) == {ROWS}, "a list was stored in part"
    assert set(confirmed) <= set(stored)
    assert len(confirmed) < LISTS, "the kill came too late to prove anything"
