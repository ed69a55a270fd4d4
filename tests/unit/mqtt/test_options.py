"""What a subscriber is told: checked before anything is connected, and silent about its secrets."""

from pathlib import Path

import pytest

from pipelines.errors import WrongSetting
from pipelines.mqtt.options import MqttSettings
from pipelines.settings import Settings


@pytest.mark.parametrize(
    "wrong",
    [
        {"shared_group": "a/b"},
        {"shared_group": ""},
        {"client_id": ""},
        {"password": "hidden-word"},
        {"ca_file": Path("ca.pem")},
        {"tls": True, "key_file": Path("key.pem")},
        {"protocol": "4"},
        {"qos": 3},
        {"port": 0},
        {"batch_size": 0},
        {"linger_ms": -1},
    ],
)
def test_what_no_broker_would_understand_is_refused(wrong):
    with pytest.raises(WrongSetting) as raised:
        MqttSettings(**wrong)
    assert "hidden-word" not in str(raised.value)


def test_the_command_line_goes_before_the_settings():
    settings = Settings.from_environment(
        {"WATTLOOM_MQTT_HOST": "broker", "WATTLOOM_MQTT_QOS": "2", "WATTLOOM_MQTT_TLS": "true"}
    )
    options = MqttSettings.from_settings(settings, qos=0, tls=None, host=None)
    assert (options.host, options.qos, options.address) == ("broker", 0, ("broker", 8883))


def test_the_port_follows_tls_unless_it_is_given():
    assert MqttSettings().address[1] == 1883
    assert MqttSettings(port=99, tls=True).address[1] == 99


def test_a_group_shares_its_subscription():
    assert MqttSettings().topic_filter == "v1/+/readings"
    assert MqttSettings(shared_group="g").topic_filter == "$share/g/v1/+/readings"


def test_a_password_is_shown_nowhere():
    assert "hidden-word" not in repr(MqttSettings(username="u", password="hidden-word"))


def test_a_certificate_that_cannot_be_read_is_a_wrong_setting(tmp_path: Path):
    (tmp_path / "ca.pem").write_text("no certificate")
    for name in ("ca.pem", "missing.pem"):
        with pytest.raises(WrongSetting, match="certificates cannot be used"):
            MqttSettings(tls=True, ca_file=tmp_path / name).tls_context()


def test_tls_verifies_by_default():
    context = MqttSettings(tls=True).tls_context()
    assert context is not None
    assert (context.check_hostname, context.verify_mode.name) == (True, "CERT_REQUIRED")
    assert MqttSettings().tls_context() is None
