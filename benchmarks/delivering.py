"""Lists of 1,000 readings over HTTP: the server, its database and the clients share this machine."""

import http.client
import os
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from benchmarks.fleet import QUARTER_US, SERIES, START_US, Fleet, make_fleet
from benchmarks.measure import Row, database, seconds

LISTS, SENDERS, SIZE = 400, 4, 1000


def _bodies(fleet: Fleet) -> list[bytes]:
    """Return lists of 1,000 readings: 50 meters, 20 quarter hours each, none twice."""
    meters, quarters = 50, SIZE // 50
    bodies = []
    for number in range(LISTS):
        group, turn = number % (len(fleet.meters) // meters), number // (len(fleet.meters) // meters)
        rows = [
            {
                "meter_device_name": meter,
                "series_name": SERIES,
                "timestamp": datetime.fromtimestamp((START_US + (turn * quarters + q) * QUARTER_US) / 1e6, UTC),
                "value": f"{(q * 37 + turn) % 900 / 1000:.3f}",
            }
            for meter in fleet.meters[group * meters : (group + 1) * meters]
            for q in range(quarters)
        ]
        bodies.append(msgspec.json.encode(rows))
    return bodies


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _send(port: int, token: str, bodies: list[bytes]) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"Authorization": f"Token {token}", "Content-Type": "application/json"}
    accepted = 0
    for body in bodies:
        connection.request("POST", "/v1/metering/new-meter-readings", body, headers)
        answer = connection.getresponse()
        accepted += msgspec.json.decode(answer.read())["accepted"]
    connection.close()
    return accepted


def _wait(port: int) -> None:
    for _ in range(150):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
            connection.request("GET", "/_health/")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.2)
    raise SystemExit("the API did not start")


def run(server_url: str) -> list[Row]:
    with database(server_url) as (url, engine), TemporaryDirectory() as home:
        fleet = make_fleet(engine, 500)
        bodies = _bodies(fleet)
        port = _free_port()
        environment = {n: v for n, v in os.environ.items() if not n.startswith("WATTLOOM_")}
        environment |= {"WATTLOOM_DATABASE_URL": url, "WATTLOOM_HOME": home, "WATTLOOM_LOG_LEVEL": "warning"}
        command = [sys.executable, "-m", "pipelines", "serve", "--port", str(port), "--workers", "2"]
        root = Path(__file__).resolve().parents[1]
        server = subprocess.Popen(command, env=environment, cwd=root)
        try:
            _wait(port)
            token = fleet.credentials["staff"]["token"]
            warm, measured = bodies[: LISTS // 10], bodies[LISTS // 10 :]
            _send(port, token, warm)
            with ThreadPoolExecutor(SENDERS) as senders:
                shares = [measured[n::SENDERS] for n in range(SENDERS)]
                accepted: list[int] = []
                took = seconds(
                    lambda: accepted.extend(senders.map(lambda share: _send(port, token, share), shares))
                )
        finally:
            server.terminate()
            server.wait(20)
        assert sum(accepted) == len(measured) * SIZE
    rate = len(measured) * SIZE / took
    return [
        Row(
            what="POST /v1/metering/new-meter-readings in lists of 1,000, 2 workers, database and clients beside them",
            figure=f"{rate:,.0f} readings/s",
            target=">= 30,000 readings/s",
            met=rate >= 30_000,
        )
    ]
