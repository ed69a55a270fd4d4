"""One connection to the broker: a session that outlives it, and acknowledgements that wait for us.

The client is driven by its caller, in one thread: nothing arrives, and nothing is sent, outside of these calls.
"""

import contextlib
import itertools
import logging
import socket
import ssl
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from pipelines import clock
from pipelines.errors import SourceUnavailable, Unauthorized, WattloomError
from pipelines.mqtt.messages import KEPT_PAYLOAD, LARGEST_PAYLOAD, Message
from pipelines.mqtt.options import MqttSettings
from pipelines.mqtt.packets import Malformed, Publish, acknowledgements, read_publish

_log = logging.getLogger("wattloom.mqtt")
_KEEP_ALIVE_S = 60
_SESSION_EXPIRY_S = 30 * 86_400
_LARGEST_PACKET = 4 * LARGEST_PAYLOAD  # the broker drops what is larger; up to here it reaches the quarantine
_HIGHEST_RECEIVE_MAXIMUM = 65_535
_SESSION_TAKEN_OVER = 142
# CONNACK codes of MQTT 5, table 3-1; the library translates those of MQTT 3.1.1.
_BAD_CREDENTIALS = {134, 135, 138, 140}
_REFUSED_FOR_GOOD = {132, 133}
_numbers = itertools.count(1)


class LinkRefused(WattloomError):
    """The broker will not have us as we are configured; trying again would not help."""


class _Client(paho.Client):
    """The library's client, except that messages are taken over when the caller has stored them.

    Left alone it confirms a QoS 2 message with PUBREC on arrival and keeps it in memory only; a process killed then
    would lose it. Here neither QoS is confirmed before ``confirm``; what follows a PUBREC is the library's again.
    """

    publish_arrived: Callable[[Publish], None]

    def _handle_publish(self) -> MQTTErrorCode:
        is_v5 = self._protocol == MQTTProtocolVersion.MQTTv5
        try:
            packet = read_publish(self._in_packet["command"], self._in_packet["packet"], is_v5=is_v5)
        except Malformed:
            return MQTTErrorCode.MQTT_ERR_PROTOCOL
        self.publish_arrived(packet)
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def confirm(self, packets: Iterable[tuple[int, int]]) -> None:
        """Send PUBACK or PUBREC for packets given as (QoS, packet number), all in one write."""
        if sent := acknowledgements(packets):
            self._packet_queue(sent[0], sent, 0, 1)


class Link:
    """One connection; what arrives over it is handed to ``receive``, in order.

    A link is opened once. What it was and was not told dies with it, so no packet number is mistaken for another's.
    """

    def __init__(
        self, options: MqttSettings, tls: ssl.SSLContext | None, receive: Callable[[Message], None]
    ) -> None:
        self.number = next(_numbers)
        self.is_subscribed = False
        self.last_words = "the connection was lost"
        self._options = options
        self._receive = receive
        self._is_v5 = options.protocol == "5"
        self._failure: WattloomError | None = None
        self._arrivals = 0
        self._client = self._make_client(tls)

    def _make_client(self, tls: ssl.SSLContext | None) -> _Client:
        options = self._options
        client = _Client(
            CallbackAPIVersion.VERSION2,
            client_id=options.client_id,
            clean_session=None if self._is_v5 else False,
            protocol=MQTTProtocolVersion.MQTTv5 if self._is_v5 else MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False,
        )
        if options.username is not None:
            client.username_pw_set(options.username, options.password)
        if tls is not None:
            client.tls_set_context(tls)
        client.on_connect = self._connected
        client.on_subscribe = self._subscribed
        client.on_disconnect = self._disconnected
        client.publish_arrived = self._arrived
        client.on_socket_open = _send_at_once
        return client

    def open(self) -> None:
        """Connect and say who we are; the subscription follows the broker's answer.

        Raises
        ------
        SourceUnavailable
            The broker cannot be reached.
        LinkRefused
            Its certificate is not one that we trust.
        """
        host, port = self._options.address
        try:
            if self._is_v5:
                properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
                properties.SessionExpiryInterval = _SESSION_EXPIRY_S
                properties.ReceiveMaximum = min(_HIGHEST_RECEIVE_MAXIMUM, 2 * self._options.batch_size)
                properties.MaximumPacketSize = _LARGEST_PACKET
                self._client.connect(host, port, _KEEP_ALIVE_S, clean_start=False, properties=properties)
            else:
                self._client.connect(host, port, _KEEP_ALIVE_S)
        except ssl.SSLCertVerificationError as error:
            raise LinkRefused(f"the MQTT broker's certificate is not trusted: {error.verify_message}") from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise SourceUnavailable(f"the MQTT broker at {host}:{port} cannot be reached: {reason}") from None

    def pump(self, timeout_s: float, has_room: Callable[[], bool]) -> bool:
        """Wait at most ``timeout_s`` for the network and take in what is there; False when the link is lost.

        Raises
        ------
        WattloomError
            The broker refused us, or gave our session to another.
        """
        self._arrivals = 0
        alive = self._client.loop(timeout_s) == MQTTErrorCode.MQTT_ERR_SUCCESS
        seen = 0
        while alive and self._arrivals > seen and has_room():  # what is there already needs no more waiting
            seen = self._arrivals
            alive = self._client.loop_read() == MQTTErrorCode.MQTT_ERR_SUCCESS
        if self._failure is not None:
            raise self._failure
        return alive and self._client.socket() is not None

    def acknowledge(self, messages: Iterable[Message]) -> None:
        """Tell the broker that messages are ours now; those of another link it sends again over this one."""
        if self._client.socket() is not None:
            self._client.confirm((message.qos, message.mid) for message in messages if message.link == self.number)

    def close(self, *, wait_s: float = 5.0) -> None:
        """Send what is unsent, say goodbye and hang up; the session stays with the broker."""
        deadline = time.monotonic() + wait_s
        self._client.on_socket_close = partial(_hear_out, until=deadline)
        self._client.disconnect()
        while self._client.socket() is not None and self._client.want_write() and time.monotonic() < deadline:
            self._client.loop_write()
            time.sleep(0.01)

    def _connected(
        self, client: paho.Client, _data: Any, _flags: Any, reason: ReasonCode, _properties: Any
    ) -> None:
        if reason.is_failure:
            self._failure = _refusal(reason)
        elif self._is_v5:
            # Retained messages come with a new subscription only, not again with each reconnection.
            options = SubscribeOptions(
                qos=self._options.qos, retainHandling=SubscribeOptions.RETAIN_SEND_IF_NEW_SUB
            )
            client.subscribe(self._options.topic_filter, options=options)
        else:
            client.subscribe(self._options.topic_filter, self._options.qos)

    def _subscribed(
        self, _client: paho.Client, _data: Any, _mid: int, reasons: list[ReasonCode], _properties: Any
    ) -> None:
        if any(reason.is_failure for reason in reasons):
            self._failure = LinkRefused(
                f"the MQTT broker refuses the subscription {self._options.topic_filter}: {reasons[0]}"
            )
        else:
            self.is_subscribed = True
            _log.info(
                "subscribed to %s at %s:%d as %s",
                self._options.topic_filter,
                *self._options.address,
                self._options.client_id,
            )

    def _disconnected(
        self, _client: paho.Client, _data: Any, flags: Any, reason: ReasonCode, _properties: Any
    ) -> None:
        self.last_words = str(reason)
        if flags.is_disconnect_packet_from_server and reason.value == _SESSION_TAKEN_OVER:
            self._failure = LinkRefused(
                f"another subscriber connected as {self._options.client_id!r}: each needs a client id of its own"
            )

    def _arrived(self, packet: Publish) -> None:
        self._arrivals += 1
        size = len(packet.payload)
        self._receive(
            Message(
                topic=packet.topic,
                payload=packet.payload if size <= LARGEST_PAYLOAD else packet.payload[:KEPT_PAYLOAD],
                size_bytes=size,
                qos=packet.qos,
                mid=packet.mid,
                is_repeated=packet.is_repeated,
                link=self.number,
                received_at=clock.now(),
            )
        )


def _refusal(reason: ReasonCode) -> WattloomError:
    if reason.value in _BAD_CREDENTIALS:
        return Unauthorized(
            "the MQTT broker refuses the user name or password (WATTLOOM_MQTT_USERNAME, _PASSWORD)"
        )
    if reason.value in _REFUSED_FOR_GOOD:
        return LinkRefused(f"the MQTT broker refuses the connection: {reason}")
    return SourceUnavailable(f"the MQTT broker refuses the connection for now: {reason}")


def _send_at_once(_client: paho.Client, _data: Any, opened: Any) -> None:
    """Switch Nagle's algorithm off: it would hold acknowledgements back until the broker has answered the first."""
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _hear_out(_client: paho.Client, _data: Any, closing: Any, *, until: float) -> None:
    """Read on until the broker hangs up: a socket closed with unread data takes our last words back (TCP reset)."""
    with contextlib.suppress(OSError):
        closing.shutdown(socket.SHUT_WR)
        while (left_s := until - time.monotonic()) > 0:
            closing.settimeout(left_s)
            if not closing.recv(65_536):
                break
