"""``wattloom mqtt``: the subscriber of one broker."""

import argparse
import signal
from pathlib import Path

from pipelines.cli.database import require_head
from pipelines.settings import Settings


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``mqtt``; what is not given comes from the settings, the password always does."""
    mqtt = commands.add_parser("mqtt", help="takes readings from an MQTT broker")
    mqtt.add_argument("--host")
    mqtt.add_argument("--port", type=int)
    mqtt.add_argument("--client-id", help="names our session at the broker; each subscriber needs its own")
    mqtt.add_argument("--username", help="the password is WATTLOOM_MQTT_PASSWORD")
    mqtt.add_argument("--tls", action=argparse.BooleanOptionalAction)
    mqtt.add_argument("--ca-file", type=Path, metavar="FILE", help="trusted instead of the system's authorities")
    mqtt.add_argument("--cert-file", type=Path, metavar="FILE", help="our own certificate")
    mqtt.add_argument("--key-file", type=Path, metavar="FILE")
    mqtt.add_argument("--protocol", choices=("3.1.1", "5"))
    mqtt.add_argument("--qos", type=int, choices=(0, 1, 2))
    mqtt.add_argument("--shared", dest="shared_group", metavar="GROUP", help="share the messages within a group")
    mqtt.add_argument("--batch-size", type=int, metavar="N", help="most messages of one transaction")
    mqtt.add_argument("--linger-ms", type=int, metavar="MS", help="longest wait for more of them")
    mqtt.set_defaults(run=run_mqtt)


def run_mqtt(settings: Settings, chosen: argparse.Namespace) -> int:
    """Receive until SIGTERM or Ctrl-C, then finish the batch at hand and leave the broker in good order."""
    from pipelines.db.engine import engine_for
    from pipelines.mqtt.options import MqttSettings
    from pipelines.mqtt.subscriber import Subscriber

    names = MqttSettings.__dataclass_fields__.keys() - {"password"}
    options = MqttSettings.from_settings(settings, **{name: getattr(chosen, name) for name in names})
    require_head(settings)
    subscriber = Subscriber(engine_for(settings), options, allow_unconfigured=settings.allow_unconfigured_devices)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: subscriber.stop())
    subscriber.run()
    return 0
