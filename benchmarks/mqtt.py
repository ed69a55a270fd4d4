"""QoS 1 through a real broker into the database: broker, publisher, subscriber and database share this machine."""

import os
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import paho.mqtt.client as paho
import sqlalchemy as sa
from paho.mqtt.enums import CallbackAPIVersion

from benchmarks.fleet import QUARTER_US, START_US, Fleet, make_fleet
from benchmarks.measure import Row, database
from pipelines.mqtt.options import MqttSettings
from pipelines.mqtt.subscriber import Subscriber

ROOT = Path(__file__).resolve().parents[1]
METERS = 500
MESSAGES, LISTS, SIZE = 40_000, 4_000, 100
WINDOW = 1_000
TARGET = 5_000
MOSQUITTO = shutil.which("mosquitto", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"]))


def _payloads(size: int, count: int) -> Iterator[bytes]:
    """Give ``count`` payloads, single objects or lists of ``size``; quarter hour by quarter hour, none twice."""
    numbers = iter(range(size * count))
    for _ in range(count):
        rows = [
            {
                "deviceId": f"M{number % METERS}",
                "timestamp": time.strftime(
                    "%Y-%m-%dT%H:%M:%SZ", time.gmtime((START_US + number // METERS * QUARTER_US) // 1_000_000)
                ),
                "consumption": number % 900,
            }
            for number in (next(numbers) for _ in range(size))
        ]
        yield msgspec.json.encode(rows[0] if size == 1 else rows)


def publish(port: int, topic: str, size: int, count: int) -> None:
    """Publish at QoS 1 with at most WINDOW unacknowledged, as fast as the broker takes it.

    The packets are made beforehand and the acknowledgements only counted, so that this process, which shares the
    machine with what is measured, costs little. Source: MQTT 3.1.1, clauses 3.1 to 3.4.
    """
    name = topic.encode()
    packets = []
    for number, payload in enumerate(_payloads(size, count)):
        body = struct.pack("!H", len(name)) + name + struct.pack("!H", number % 65_535 + 1) + payload
        length, left = b"", len(body)
        while left or not length:
            left, low = divmod(left, 128)
            length += bytes([low | 128 if left else low])
        packets.append(b"\x32" + length + body)
    with closing(socket.create_connection(("127.0.0.1", port))) as connection:
        connection.sendall(b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x00\x00\x01p")
        assert connection.recv(4, socket.MSG_WAITALL) == b"\x20\x02\x00\x00"
        print("ready", flush=True)
        sys.stdin.readline()
        sent = taken = 0
        while taken < 4 * count:
            burst = packets[sent : sent + min(100, WINDOW - (sent - taken // 4))]
            connection.sendall(b"".join(burst))
            sent += len(burst)
            if not burst or sent == count or sent - taken // 4 >= WINDOW:
                taken += len(connection.recv(65_536))
        connection.sendall(b"\xe0\x00")


@contextmanager
def _broker(folder: Path) -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    (folder / "mosquitto.conf").write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\nlog_dest none\n"
    )
    child = subprocess.Popen(
        [str(MOSQUITTO), "-c", str(folder / "mosquitto.conf")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait(lambda: _answers(port), 20)
        yield port
    finally:
        child.terminate()
        child.wait(20)


def _answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def _wait(holds: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise SystemExit("the messages did not arrive")
        time.sleep(0.005)


def _publish_until(port: int, topic: str, size: int, count: int, arrived: Callable[[], int]) -> float:
    """Publish from another process; return the time [s] from the first message to the last arrival."""
    command = [sys.executable, "-m", "benchmarks.mqtt", str(port), topic, str(size), str(count)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as publisher:
        assert publisher.stdout is not None
        assert publisher.stdin is not None
        assert publisher.stdout.readline() == "ready\n"
        started = time.perf_counter()
        publisher.stdin.write("\n")
        publisher.stdin.flush()
        _wait(lambda: arrived() >= count, 300)
        took = time.perf_counter() - started
    assert arrived() == count
    return took


def _bare(port: int, topic: str, size: int, count: int) -> float:
    """Return how long the broker takes [s] with a subscriber that acknowledges and does nothing else."""
    arrived = 0

    def count_one(*_: object) -> None:
        nonlocal arrived
        arrived += 1

    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="bare")
    client.on_message = count_one
    client.connect("127.0.0.1", port)
    client.subscribe("v1/+/readings", 1)
    client.loop_start()
    try:
        return _publish_until(port, topic, size, count, lambda: arrived)
    finally:
        client.disconnect()
        client.loop_stop()


def _stored(engine: sa.Engine, port: int, topic: str, size: int, count: int) -> float:
    """Return how long it takes [s] until every reading is committed and acknowledged."""
    subscriber = Subscriber(engine, MqttSettings(port=port, client_id=f"bench-{size}"))
    thread = threading.Thread(target=subscriber.run)
    thread.start()
    try:
        _wait(lambda: subscriber.is_subscribed, 20)
        return _publish_until(port, topic, size, count, lambda: subscriber.counts.messages)
    finally:
        subscriber.stop()
        thread.join(30)


def _row(server_url: str, folder: Path, what: str, size: int, count: int) -> Row:
    with _broker(folder) as port, database(server_url) as (_, engine):
        fleet: Fleet = make_fleet(engine, METERS)
        topic = f"v1/{fleet.credentials['client']['client_id']}/readings"
        took = _stored(engine, port, topic, size, count)
        with engine.connect() as connection:
            stored = connection.scalar(sa.text("SELECT count(*) FROM wattloom.meter_reading"))
        assert stored == size * count, "readings were lost"
    with _broker(folder) as port:
        bare = _bare(port, topic, size, count)
    rate = size * count / took
    return Row(
        what=f"MQTT, QoS 1, {what}; broker, publisher and database beside the subscriber",
        figure=f"{rate:,.0f} readings/s, {bare / took:.0%} of the broker's rate without storage",
        target=f">= {TARGET:,} readings/s",
        met=rate >= TARGET,
    )


def run(server_url: str) -> list[Row]:
    if MOSQUITTO is None:
        return [
            Row(what="MQTT, QoS 1", figure="not measured: no mosquitto here", target=f">= {TARGET:,}/s", met=False)
        ]
    with TemporaryDirectory() as folder:
        return [
            _row(server_url, Path(folder), "one reading a message", 1, MESSAGES),
            _row(server_url, Path(folder), f"lists of {SIZE}", SIZE, LISTS),
        ]


if __name__ == "__main__":
    publish(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
