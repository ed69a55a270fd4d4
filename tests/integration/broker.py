"""A real Mosquitto of the test's own on loopback, publishers for it, and subscribers in threads and processes."""

import contextlib
import getpass
import ipaddress
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
import sqlalchemy as sa
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from pipelines.mqtt.options import MqttSettings
from pipelines.mqtt.subscriber import Subscriber

ROOT = Path(__file__).resolve().parents[2]
_PLACES = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
MOSQUITTO = shutil.which("mosquitto", path=_PLACES)
_PASSWD = shutil.which("mosquitto_passwd", path=_PLACES)
PROGRAM = ["-m", "pipelines"]
USER, PASSWORD = "wattloom", "hidden-broker-password"
# Both at once: a Debian package may be split one day.
needs_broker = pytest.mark.skipif(
    MOSQUITTO is None or _PASSWD is None, reason="needs a Mosquitto broker: apt install mosquitto"
)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def make_certificate(folder: Path) -> Path:
    """Write a self-signed certificate for 127.0.0.1 and its key; return the certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "broker of a test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "broker.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "broker.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return folder / "broker.pem"


class Broker:
    """Mosquitto with one user, a plain and a TLS listener."""

    def __init__(self, folder: Path) -> None:
        self.port, self.tls_port = free_port(), free_port()
        self.certificate = make_certificate(folder)
        self._folder = folder
        self._child: subprocess.Popen[bytes] | None = None
        passwords = folder / "passwords"
        subprocess.run([str(_PASSWD), "-b", "-c", passwords, USER, PASSWORD], check=True, capture_output=True)
        (folder / "mosquitto.conf").write_text(
            f"""
            user {getpass.getuser()}
            allow_anonymous false
            password_file {passwords}
            persistence true
            persistence_location {folder}/
            max_queued_messages 0
            max_inflight_messages 0
            log_dest none
            listener {self.port} 127.0.0.1
            listener {self.tls_port} 127.0.0.1
            certfile {self.certificate}
            keyfile {folder}/broker.key
            """
        )

    def start(self) -> None:
        command = [str(MOSQUITTO), "-c", str(self._folder / "mosquitto.conf")]
        self._child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for port in (self.port, self.tls_port):
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                    break
                assert self._child.poll() is None, "mosquitto does not start"
                time.sleep(0.05)

    def stop(self) -> None:
        if self._child is not None:
            self._child.terminate()
            self._child.wait(20)
            self._child = None

    def options(self, **other: Any) -> MqttSettings:
        known = {
            "port": self.port,
            "username": USER,
            "password": PASSWORD,
            "client_id": f"subscriber-{uuid.uuid4().hex[:8]}",
        }
        return MqttSettings(**known | other)


@contextlib.contextmanager
def running_broker(folder: Path) -> Iterator[Broker]:
    broker = Broker(folder)
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


class Publisher:
    """A client that publishes to one topic and knows what the broker has taken over."""

    def __init__(self, broker: Broker, topic: str, *, protocol: str = "3.1.1", qos: int = 1) -> None:
        version = MQTTProtocolVersion.MQTTv5 if protocol == "5" else MQTTProtocolVersion.MQTTv311
        self.topic, self.qos = topic, qos
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=version)
        self._client.username_pw_set(USER, PASSWORD)
        self._client.max_inflight_messages_set(100)
        self._client.connect("127.0.0.1", broker.port)
        self._client.loop_start()

    def send(self, payload: object, *, topic: str | None = None) -> paho.MQTTMessageInfo:
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        return self._client.publish(topic or self.topic, body, qos=self.qos)

    def send_all(self, payloads: Iterable[object]) -> None:
        """Publish, and return when the broker has taken all over."""
        for info in [self.send(payload) for payload in payloads]:
            info.wait_for_publish(30)
            assert info.is_published()

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@contextlib.contextmanager
def publishing(broker: Broker, topic: str, **how: Any) -> Iterator[Publisher]:
    publisher = Publisher(broker, topic, **how)
    try:
        yield publisher
    finally:
        publisher.close()


@dataclass
class Running:
    """A subscriber at work in a thread."""

    subscriber: Subscriber
    thread: threading.Thread
    failure: list[BaseException]


@contextlib.contextmanager
def subscribing(engine: sa.Engine, options: MqttSettings, **how: Any) -> Iterator[Running]:
    """Run a subscriber in a thread from its subscription on; stop it at the end."""
    subscriber = Subscriber(engine, options, **how)
    failure: list[BaseException] = []

    def work() -> None:
        try:
            subscriber.run()
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        wait_until(lambda: bool(failure) or subscriber.is_subscribed)
        yield Running(subscriber, thread, failure)
    finally:
        subscriber.stop()
        thread.join(30)
        assert not thread.is_alive()


def wait_until(holds: Callable[[], bool], *, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.02)


class Process:
    """``wattloom mqtt`` in a process of its own, to be killed or asked to stop."""

    def __init__(self, database_url: str, home: Path, broker: Broker, *arguments: str, password: str = PASSWORD):
        clean = {name: value for name, value in os.environ.items() if not name.startswith("WATTLOOM_")}
        variables = {
            "WATTLOOM_DATABASE_URL": database_url,
            "WATTLOOM_HOME": str(home),
            "WATTLOOM_MQTT_PORT": str(broker.port),
            "WATTLOOM_MQTT_USERNAME": USER,
            "WATTLOOM_MQTT_PASSWORD": password,
        }
        command = [sys.executable, "-W", "error", *PROGRAM, "mqtt", *arguments]
        self.child = subprocess.Popen(
            command, env=clean | variables, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def kill(self) -> None:
        os.kill(self.child.pid, signal.SIGKILL)
        self.child.communicate(timeout=20)

    def end(self) -> tuple[int, str]:
        """Ask it to stop; return its exit code and what it said."""
        self.child.terminate()
        _, said = self.child.communicate(timeout=30)
        return self.child.returncode, said
