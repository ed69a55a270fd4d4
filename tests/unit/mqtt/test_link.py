"""The wire between us and a broker, byte by byte: what is said when, and above all what is not said too early."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from pipelines.errors import SourceUnavailable, Unauthorized, WattloomError
from pipelines.mqtt.link import Link, LinkRefused
from pipelines.mqtt.messages import KEPT_PAYLOAD, LARGEST_PAYLOAD, Message
from pipelines.mqtt.options import MqttSettings

ACCEPTED = {"3.1.1": b"\x20\x02\x00\x00", "5": b"\x20\x03\x00\x00\x00"}
# SUBACK for packet 1: granted QoS 1, with an empty property list in version 5.
GRANTED = {"3.1.1": b"\x90\x03\x00\x01\x01", "5": b"\x90\x04\x00\x01\x00\x01"}


def publish(protocol: str, *, qos: int, mid: int, payload: bytes = b"{}", dup: bool = False) -> bytes:
    topic = b"v1/c/readings"
    body = bytes([0, len(topic)]) + topic + mid.to_bytes(2, "big") + (b"\0" if protocol == "5" else b"") + payload
    assert len(body) < 128
    return bytes([0x30 | qos << 1 | dup << 3, len(body)]) + body


class Script:
    """The broker's side of one connection, in the test's own hands."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        connection.settimeout(5)

    def read_packet(self) -> bytes:
        head = self._connection.recv(2, socket.MSG_WAITALL)
        return head + (self._connection.recv(head[1], socket.MSG_WAITALL) if head[1] else b"")

    def send(self, data: bytes) -> None:
        self._connection.sendall(data)

    def is_silent(self) -> bool:
        self._connection.settimeout(0.2)
        try:
            return self._connection.recv(1, socket.MSG_PEEK) == b"?"
        except TimeoutError:
            return True
        finally:
            self._connection.settimeout(5)


@contextmanager
def linked(protocol: str = "5", **options: object) -> Iterator[tuple[Link, Script, list[Message]]]:
    """Open a link to a scripted broker, up to the CONNECT packet."""
    inbox: list[Message] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        link = Link(
            MqttSettings(port=server.getsockname()[1], client_id="us", protocol=protocol, **options),
            None,
            inbox.append,
        )
        link.open()
        connection, _ = server.accept()
        with connection:
            yield link, Script(connection), inbox
            closer = threading.Thread(target=lambda: link.close(wait_s=1))
            closer.start()
            connection.close()
            closer.join()


def pump(link: Link, until: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not until():
        assert link.pump(0.02, lambda: True)
        assert time.monotonic() < deadline


def settle(link: Link) -> None:
    """Let the link read what was sent, then write what it has to say to it."""
    for wait_s in (0.5, 0.05):
        assert link.pump(wait_s, lambda: True)


def subscribe(link: Link, script: Script, protocol: str) -> None:
    script.read_packet()
    script.send(ACCEPTED[protocol])
    settle(link)
    script.read_packet()
    script.send(GRANTED[protocol])
    pump(link, lambda: link.is_subscribed)


def test_version_5_asks_for_a_session_that_stays_and_bounds_what_is_in_flight():
    with linked("5", batch_size=500, shared_group="g") as (link, script, _):
        # Clean start 0; session expiry 0x11 of 30 days, receive maximum 0x21 of twice the batch,
        # maximum packet size 0x27 of 4 MiB (MQTT 5, clause 3.1.2.11).
        connect = script.read_packet()
        assert connect[2:10] == b"\x00\x04MQTT\x05\x00"
        assert b"\x11\x00\x27\x8d\x00" in connect
        assert b"\x21\x03\xe8" in connect
        assert b"\x27\x00\x40\x00\x00" in connect
        assert connect.endswith(b"\x00\x02us")
        script.send(ACCEPTED["5"])
        settle(link)
        # QoS 1, retained messages only for a new subscription (0x10).
        assert script.read_packet().endswith(b"\x00\x16$share/g/v1/+/readings\x11")


def test_version_3_1_1_asks_for_a_session_that_stays():
    with linked("3.1.1", username="u", password="secret") as (_, script, _):
        assert script.read_packet()[2:] == b"\x00\x04MQTT\x04\xc0\x00\x3c\x00\x02us\x00\x01u\x00\x06secret"


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
@pytest.mark.parametrize(("qos", "confirmation"), [(1, b"\x40\x02\x00\x07"), (2, b"\x50\x02\x00\x07")])
def test_a_message_is_confirmed_when_we_say_so_and_not_before(protocol, qos, confirmation):
    with linked(protocol) as (link, script, inbox):
        subscribe(link, script, protocol)
        script.send(publish(protocol, qos=qos, mid=7, dup=True))
        pump(link, lambda: bool(inbox))
        link.pump(0.1, lambda: True)
        assert script.is_silent()
        assert (inbox[0].client_id, inbox[0].payload, inbox[0].qos, inbox[0].is_repeated) == (
            "c",
            b"{}",
            qos,
            True,
        )
        link.acknowledge(inbox)
        assert script.read_packet() == confirmation
        if qos == 2:  # PUBREL is answered with PUBCOMP, for a message of an earlier process too
            script.send(b"\x62\x02\x00\x07\x62\x02\x00\x63")
            settle(link)
            assert script.read_packet() + script.read_packet() == b"\x70\x02\x00\x07\x70\x02\x00\x63"


def test_a_message_of_another_link_is_not_confirmed():
    with linked() as (link, script, inbox):
        subscribe(link, script, "5")
        script.send(publish("5", qos=1, mid=7) + publish("5", qos=1, mid=8))
        pump(link, lambda: len(inbox) == 2)
        link.acknowledge([inbox[0]._replace(link=inbox[0].link - 1), inbox[1]])
        assert script.read_packet() == b"\x40\x02\x00\x08"
        assert script.is_silent()


def test_nothing_more_is_read_than_there_is_room_for():
    with linked() as (link, script, inbox):
        subscribe(link, script, "5")
        script.send(b"".join(publish("5", qos=1, mid=mid) for mid in range(1, 100)))
        time.sleep(0.2)
        link.pump(0.1, lambda: len(inbox) < 10)
        assert len(inbox) == 10


def test_of_a_message_that_is_too_large_only_the_beginning_is_kept():
    with linked() as (link, script, inbox):
        subscribe(link, script, "5")
        topic, size = b"v1/c/readings", LARGEST_PAYLOAD + 1
        length = 2 + len(topic) + 1 + size
        varint = bytes([length & 127 | 128, length >> 7 & 127 | 128, length >> 14 & 127])
        sender = threading.Thread(
            target=script.send, args=(b"\x30" + varint + b"\x00\x0d" + topic + b"\0" + b"x" * size,)
        )
        sender.start()
        pump(link, lambda: bool(inbox))
        sender.join()
        assert (inbox[0].size_bytes, len(inbox[0].payload)) == (size, KEPT_PAYLOAD)


def test_a_malformed_publish_ends_the_link():
    with linked() as (link, script, inbox):
        subscribe(link, script, "5")
        script.send(b"\x36\x03\x00\x01a")
        assert not link.pump(1, lambda: True)
        assert inbox == []


@pytest.mark.parametrize(
    ("protocol", "answer", "kind", "text"),
    [
        ("3.1.1", b"\x20\x02\x00\x04", Unauthorized, "user name or password"),
        ("3.1.1", b"\x20\x02\x00\x05", Unauthorized, "user name or password"),
        ("3.1.1", b"\x20\x02\x00\x03", SourceUnavailable, "for now"),
        ("5", b"\x20\x03\x00\x86\x00", Unauthorized, "user name or password"),
        ("5", b"\x20\x03\x00\x87\x00", Unauthorized, "user name or password"),
        ("5", b"\x20\x03\x00\x84\x00", LinkRefused, "protocol"),
        ("5", b"\x20\x03\x00\x85\x00", LinkRefused, "Client identifier"),
        ("5", b"\x20\x03\x00\x89\x00", SourceUnavailable, "for now"),
    ],
)
def test_a_refused_connection_says_whether_trying_again_helps(protocol, answer, kind, text):
    with linked(protocol) as (link, script, _):
        script.read_packet()
        script.send(answer)
        with pytest.raises(kind, match=text):
            link.pump(1, lambda: True)


@pytest.mark.parametrize(
    ("protocol", "answer"), [("3.1.1", b"\x90\x03\x00\x01\x80"), ("5", b"\x90\x04\x00\x01\x00\x87")]
)
def test_a_refused_subscription_is_an_error(protocol, answer):
    with linked(protocol) as (link, script, _):
        script.read_packet()
        script.send(ACCEPTED[protocol])
        settle(link)
        script.read_packet()
        script.send(answer)
        with pytest.raises(LinkRefused, match=r"v1/\+/readings"):
            link.pump(1, lambda: True)


def test_a_broker_that_gives_our_session_to_another_is_an_error():
    with linked() as (link, script, _):
        subscribe(link, script, "5")
        script.send(b"\xe0\x01\x8e")  # DISCONNECT, session taken over (MQTT 5, clause 3.14.2.1)
        with pytest.raises(LinkRefused, match="client id of its own"):
            link.pump(1, lambda: True)


def test_a_broker_that_hangs_up_ends_the_link():
    with linked() as (link, script, _):
        subscribe(link, script, "5")
        script._connection.close()
        assert not link.pump(1, lambda: True)
        link.acknowledge([])


def test_nobody_at_the_address_is_an_outage():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(SourceUnavailable, match=f"127.0.0.1:{port} cannot be reached") as raised:
        Link(MqttSettings(port=port), None, print).open()
    assert isinstance(raised.value, WattloomError)
