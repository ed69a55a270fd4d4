"""How the subscriber reaches its broker: one checked, frozen value made of settings and command line."""

import ssl
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from pipelines.errors import WrongSetting
from pipelines.settings import Settings

TOPIC_FILTER = "v1/+/readings"
_PLAIN_PORT, _TLS_PORT = 1883, 8883
LARGEST_BATCH = 20_000


class _Socket(ssl.SSLSocket):
    """Closes itself when the handshake fails; the client library would leave it to the garbage collector."""

    def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002 - the standard library's signature
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise


@dataclass(frozen=True, kw_only=True)
class MqttSettings:
    """Where the broker is, who we are there, and how messages are gathered into transactions.

    Parameters
    ----------
    client_id : str
        Names the session in which the broker keeps what arrives while we are away; each subscriber needs its own.
    shared_group : str, optional
        Subscribers of one group share the messages between them.
    batch_size : int
        Most messages of one transaction; the broker sends at most twice as many without an acknowledgement.
    linger_ms : int, [ms]
        Longest wait for further messages of a batch.
    """

    host: str = "127.0.0.1"
    port: int | None = None
    client_id: str = "wattloom"
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    protocol: str = "5"
    qos: int = 1
    shared_group: str | None = None
    batch_size: int = 1000
    linger_ms: int = 50

    def __post_init__(self) -> None:
        """Refuse what no broker would understand.

        Raises
        ------
        WrongSetting
            A part is malformed or contradicts another; the text names it, never a secret.
        """
        group = self.shared_group
        if group is not None and (not group or any(mark in group for mark in "/+#\0")):
            raise WrongSetting("the MQTT shared group must be a name without '/', '+' and '#'")
        if not self.client_id or "\0" in self.client_id:
            raise WrongSetting("the MQTT client id must not be empty: the broker keeps our session under it")
        if self.password is not None and self.username is None:
            raise WrongSetting("WATTLOOM_MQTT_PASSWORD needs WATTLOOM_MQTT_USERNAME")
        if not self.tls and (self.ca_file or self.cert_file or self.key_file):
            raise WrongSetting("MQTT certificates are given but TLS is off: set WATTLOOM_MQTT_TLS=true")
        if self.key_file is not None and self.cert_file is None:
            raise WrongSetting("WATTLOOM_MQTT_KEY_FILE needs WATTLOOM_MQTT_CERT_FILE")
        if self.protocol not in {"3.1.1", "5"} or self.qos not in {0, 1, 2}:
            raise WrongSetting("MQTT speaks protocol 3.1.1 or 5 with QoS 0, 1 or 2")
        if self.port is not None and not 1 <= self.port <= 65_535:
            raise WrongSetting("the MQTT port must lie from 1 to 65535")
        if not 1 <= self.batch_size <= LARGEST_BATCH or not 0 <= self.linger_ms <= 60_000:
            raise WrongSetting("MQTT gathers 1 to 20000 messages for at most 60000 ms")

    @classmethod
    def from_settings(cls, settings: Settings, **given: Any) -> "MqttSettings":
        """Return the ``mqtt_*`` settings of a process; what is ``given`` and not None goes before them."""
        names = [spec.name for spec in fields(cls)]
        values = {name: getattr(settings, f"mqtt_{name}") for name in names}
        return cls(**values | {name: value for name, value in given.items() if value is not None})

    @property
    def topic_filter(self) -> str:
        """Return what is subscribed to; with a group, the shared form (MQTT 5, clause 4.8.2)."""
        return TOPIC_FILTER if self.shared_group is None else f"$share/{self.shared_group}/{TOPIC_FILTER}"

    @property
    def address(self) -> tuple[str, int]:
        """Return host and port; the port follows TLS where none is given."""
        return self.host, self.port or (_TLS_PORT if self.tls else _PLAIN_PORT)

    def tls_context(self) -> ssl.SSLContext | None:
        """Return what TLS is spoken with, None without TLS; certificate and host name are always verified.

        Raises
        ------
        WrongSetting
            A file cannot be read or holds no certificate.
        """
        if not self.tls:
            return None
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
            if self.cert_file is not None:
                # An encrypted key would make the process ask for its password; that is an error instead.
                context.load_cert_chain(self.cert_file, self.key_file, password="")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or type(error).__name__
            raise WrongSetting(f"the MQTT certificates cannot be used: {reason}") from None
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.sslsocket_class = _Socket
        return context
