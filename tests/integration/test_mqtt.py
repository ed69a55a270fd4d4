"""``wattloom mqtt`` against a real broker: what is published is stored, staged or quarantined, and never lost."""

import json
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from pipelines import crud
from pipelines.accounts.organizations import create_organization
from pipelines.accounts.principals import Principal
from pipelines.db.engine import unit_of_work
from pipelines.errors import NotFound, Unauthorized, WattloomError
from pipelines.metering import promotion
from pipelines.mqtt.link import _numbers as link_numbers
from pipelines.mqtt.messages import LARGEST_PAYLOAD
from pipelines.mqtt.resources import QUARANTINED
from tests.integration.broker import Broker, needs_broker, publishing, running_broker, subscribing, wait_until
from tests.integration.world import QUARTER, STORED_AT, T0, Device, Series, World

pytestmark = needs_broker
IMPORT, EXPORT = "1-0:1.29.0", "1-0:2.29.0"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with running_broker(tmp_path_factory.mktemp("broker")) as one:
        yield one


@pytest.fixture
def topic(organization: dict[str, dict[str, str]]) -> str:
    return f"v1/{organization['client']['client_id']}/readings"


@pytest.fixture
def home(world: World) -> tuple[Device, Series, Series]:
    """A home with solar panels whose series are in kWh and Wh."""
    bought, sold = world.series(IMPORT, unit="kWh"), world.series(EXPORT, unit="Wh")
    return world.device(bought, sold), bought, sold


def energy(device: object, number: int = 0, consumption: object = 250, **more: object) -> dict[str, object]:
    at = (T0 + number * QUARTER).isoformat().replace("+00:00", "Z")
    return {"deviceId": device, "timestamp": at, "consumption": consumption, **more}


def quarantined(world: World) -> list[tuple[Any, ...]]:
    return world.rows(
        "SELECT organization_id, code, row_number, convert_from(payload, 'LATIN1'), detail"
        " FROM wattloom.quarantined_message ORDER BY id"
    )


def taken(running: Any, messages: int) -> None:
    wait_until(lambda: bool(running.failure) or running.subscriber.counts.messages >= messages)
    assert not running.failure
    assert running.subscriber.counts.messages == messages


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_both_formats_arrive_exactly_with_every_protocol_and_quality(world, broker, topic, home, protocol, qos):
    device, bought, sold = home
    with (
        subscribing(world.engine, broker.options(protocol=protocol, qos=qos)) as running,
        publishing(broker, topic, protocol=protocol, qos=qos) as publisher,
    ):
        publisher.send_all(
            [
                energy(device.name, 0, 1234.5, production=70),
                [energy(device.sensor_id, 1), energy(str(device.sensor_id), 2, "0.10", production=None)],
                {
                    "meter": device.name,
                    "series": IMPORT,
                    "timestamp": "2024-01-01T02:00:00+01:00",
                    "value": "7.50",
                },
            ]
        )
        taken(running, 3)
    assert world.readings(device) == {
        (bought.key, T0): Decimal("1.2345"),
        (sold.key, T0): Decimal(70),
        (bought.key, T0 + QUARTER): Decimal("0.250"),
        (bought.key, T0 + 2 * QUARTER): Decimal("0.00010"),
        (bought.key, T0 + 4 * QUARTER): Decimal("7.50"),
    }
    assert quarantined(world) == []
    assert (running.subscriber.counts.readings, running.subscriber.counts.staged) == (5, 0)


def test_the_only_other_interval_series_of_a_device_takes_its_energy(world, broker, topic):
    bought, register = world.series("load profile", unit="MWh", kind="interval"), world.series("1-0:1.8.0")
    device = world.device(bought, register)
    with (
        subscribing(world.engine, broker.options()) as running,
        publishing(broker, topic) as publisher,
    ):
        publisher.send_all([energy(device.name, 0, "1250.5")])
        taken(running, 1)
    assert world.readings(device) == {(bought.key, T0): Decimal("0.0012505")}


def test_an_unknown_device_is_staged_and_promoted_with_its_energy_when_it_appears(world, broker, topic):
    series = world.series(IMPORT, unit="kWh")
    with subscribing(world.engine, broker.options()) as running, publishing(broker, topic) as publisher:
        publisher.send_all([energy("late", 0, 250), energy("late", 1, 500)])
        taken(running, 2)
    assert running.subscriber.counts.staged == 2
    device = world.device(series, name="late")
    with unit_of_work(world.engine) as connection:
        assert promotion.promote(connection, world.organization, at=STORED_AT) == 2
    assert world.readings(device) == {
        (series.key, T0): Decimal("0.250"),
        (series.key, T0 + QUARTER): Decimal("0.500"),
    }


def test_an_unknown_device_is_staged_in_wh_where_no_series_says_otherwise(world, broker, topic):
    with subscribing(world.engine, broker.options()) as running, publishing(broker, topic) as publisher:
        publisher.send_all([energy(4711, 0, 250, production=1)])
        taken(running, 1)
    assert world.rows(
        "SELECT meter_device_name, series_name, value FROM wattloom.staged_meter_reading ORDER BY 2"
    ) == [("4711", IMPORT, 250), ("4711", EXPORT, 1)]


GOOD_TIME = "2024-01-01T00:00:00Z"
MALFORMED = [
    (b"", "not_json"),
    (b"\xff\xfe", "not_json"),
    (b'{"deviceId": "m", ', "not_json"),
    (b'{"deviceId": "m", "timestamp": "2024-01-01T00:00:00Z", "consumption": NaN}', "not_json"),
    (b"42", "invalid"),
    ({"deviceId": "m", "timestamp": GOOD_TIME}, "invalid"),
    ({"deviceId": True, "timestamp": GOOD_TIME, "consumption": 1}, "invalid"),
    ({"deviceId": "m", "timestamp": "2024-01-01T00:00:00", "consumption": 1}, "invalid"),
    ({"deviceId": "m", "timestamp": "yesterday", "consumption": 1}, "invalid"),
    ({"deviceId": "m", "timestamp": GOOD_TIME, "consumption": "Infinity"}, "invalid"),
    ({"deviceId": "m", "timestamp": GOOD_TIME, "consumption": "1e30"}, "invalid"),
    ({"meter": "m", "series": "", "timestamp": GOOD_TIME, "value": 1}, "invalid"),
    (b" " * (LARGEST_PAYLOAD + 1), "too_large"),
]


def test_every_malformed_message_is_kept_with_its_reason_and_stops_nothing(world, broker, topic, home):
    device, bought, _ = home
    with subscribing(world.engine, broker.options()) as running, publishing(broker, topic) as publisher:
        publisher.send_all([payload for payload, _ in MALFORMED])
        publisher.send_all([energy(device.name)])
        taken(running, len(MALFORMED) + 1)
    found = quarantined(world)
    assert [row[1] for row in found] == [code for _, code in MALFORMED]
    assert {row[0] for row in found} == {world.organization}
    assert all(row[4] for row in found)
    assert found[2][3] == '{"deviceId": "m", '
    assert len(found[-1][3]) == 64 * 1024
    assert world.rows("SELECT max(size_bytes) FROM wattloom.quarantined_message") == [(LARGEST_PAYLOAD + 1,)]
    assert world.readings(device) == {(bought.key, T0): Decimal("0.25")}


def test_bad_rows_of_a_list_are_kept_one_by_one_and_good_rows_stored(world, broker, topic, home):
    device, bought, _ = home
    other = {"meter": device.name, "series": "9.9.9", "timestamp": GOOD_TIME, "value": 1}
    rows = [energy(device.name, 0), 17, energy(device.name, 1, "soon"), other, energy(device.name, 2)]
    with subscribing(world.engine, broker.options()) as running, publishing(broker, topic) as publisher:
        publisher.send_all([rows])
        taken(running, 1)
    assert [(row[1], row[2], json.loads(row[3])) for row in quarantined(world)] == [
        ("invalid", 1, 17),
        ("invalid", 2, energy(device.name, 1, "soon")),
        ("unknown_series", 3, other),
    ]
    assert set(world.readings(device)) == {(bought.key, T0), (bought.key, T0 + 2 * QUARTER)}


def test_a_list_of_nothing_but_faults_does_not_flood_the_quarantine(world, broker, topic):
    with subscribing(world.engine, broker.options()) as running, publishing(broker, topic) as publisher:
        publisher.send_all([[1] * 5000])
        taken(running, 1)
    found = quarantined(world)
    assert len(found) == 101
    assert (found[-1][1], found[-1][2]) == ("too_many_faults", None)
    assert found[-1][4].startswith("4900 ")


def test_energy_without_a_series_for_it_is_refused_with_the_reason(world, broker, topic):
    register = world.series("1-0:1.8.0")
    one, two = world.series("profile a", kind="interval"), world.series("profile b", kind="interval")
    plain, torn = world.device(register), world.device(one, two)
    bare = world._insert(
        sa.Table("meter_device", sa.MetaData(), autoload_with=world.engine, schema="wattloom"),
        name="bare",
        protocol="mbus",
    )
    with subscribing(world.engine, broker.options()) as running, publishing(broker, topic) as publisher:
        publisher.send_all([energy(plain.name), energy(torn.name), energy(bare.name)])
        taken(running, 3)
    assert [row[1] for row in quarantined(world)] == [
        "series_not_allowed",
        "ambiguous_series",
        "device_not_configured",
    ]
    assert running.subscriber.counts.readings == 0


def test_a_device_of_another_organization_is_quarantined_for_the_sender_alone(world, broker, topic, principal):
    with unit_of_work(world.engine) as connection:
        made = create_organization(connection, "Second")
    other = World(world.engine, made["organization"]["id"])
    device = other.device(other.series(IMPORT, unit="Wh"), name="theirs")
    with subscribing(world.engine, broker.options()) as running, publishing(broker, topic) as publisher:
        publisher.send_all(
            [
                energy("theirs"),
                energy(device.sensor_id),
                {"meter": "theirs", "series": IMPORT, "timestamp": GOOD_TIME, "value": 1},
            ]
        )
        publisher.send(energy("theirs"), topic=f"v1/{made['client']['client_id']}/readings").wait_for_publish(10)
        taken(running, 4)
    assert [(row[0], row[1]) for row in quarantined(world)] == [(world.organization, "foreign_device")] * 3
    assert len(other.readings(device)) == 1
    with unit_of_work(world.engine) as connection:
        count, rows = crud.list_rows(connection, QUARANTINED, principal, [], limit=10, offset=0)
        foreign = Principal(
            scheme=principal.scheme, organization_id=uuid.UUID(made["organization"]["id"]), name="x"
        )
        assert (count, json.loads(rows[0]["payload"])) == (3, energy("theirs"))
        assert crud.list_rows(connection, QUARANTINED, foreign, [], limit=10, offset=0) == (0, [])
        with pytest.raises(NotFound):
            crud.delete_row(connection, QUARANTINED, foreign, rows[0]["id"])
        crud.delete_row(connection, QUARANTINED, principal, rows[0]["id"])
        assert crud.list_rows(connection, QUARANTINED, principal, [], limit=10, offset=0)[0] == 2


def test_messages_of_unknown_clients_belong_to_nobody(world, broker, topic, principal, caplog):
    with subscribing(world.engine, broker.options()) as running, publishing(broker, topic) as publisher:
        publisher.send(b"private", topic="v1/stranger/readings").wait_for_publish(10)
        publisher.send(b"private", topic="v1//readings").wait_for_publish(10)
        publisher.send(b"private", topic=f"v1/{'x' * 65}/readings").wait_for_publish(10)
        taken(running, 3)
    assert [(row[0], row[1]) for row in quarantined(world)] == [
        (None, "unknown_client"),
        (None, "bad_topic"),
        (None, "bad_topic"),
    ]
    with unit_of_work(world.engine) as connection:
        assert crud.list_rows(connection, QUARANTINED, principal, [], limit=10, offset=0) == (0, [])
    assert "private" not in caplog.text


def test_a_revoked_client_is_an_unknown_one(world, broker, topic, home):
    world.execute("UPDATE wattloom.api_client SET revoked_at = now()")
    with subscribing(world.engine, broker.options()) as running, publishing(broker, topic) as publisher:
        publisher.send_all([energy(home[0].name)])
        taken(running, 1)
    assert [(row[0], row[1]) for row in quarantined(world)] == [(None, "unknown_client")]
    assert world.readings(home[0]) == {}


def test_a_later_message_of_the_same_batch_corrects_an_earlier_one(world, broker, topic, home):
    device, bought, _ = home
    options = broker.options(client_id="corrections")
    with subscribing(world.engine, options):
        pass  # the session exists: what follows waits in it and comes at once
    with publishing(broker, topic) as publisher:
        publisher.send_all([energy(device.name, 0, value) for value in (100, 200, 200, 100, 300)])
    with subscribing(world.engine, options) as running:
        taken(running, 5)
    assert world.readings(device) == {(bought.key, T0): Decimal("0.3")}
    versions = world.rows("SELECT value FROM wattloom.meter_reading_version ORDER BY version")
    assert versions == [(Decimal("0.100"),), (Decimal("0.200"),), (Decimal("0.100"),)]
    assert quarantined(world) == []


def test_a_contradiction_within_one_message_is_a_rejected_row(world, broker, topic, home):
    device, bought, _ = home
    with subscribing(world.engine, broker.options()) as running, publishing(broker, topic) as publisher:
        publisher.send_all([[energy(device.name, 0, 100), energy(device.name, 0, 200)]])
        taken(running, 1)
    assert world.readings(device) == {(bought.key, T0): Decimal("0.2")}
    assert [(row[1], row[2]) for row in quarantined(world)] == [("duplicate_in_batch", 0)]


def test_a_repeated_delivery_changes_nothing(world, broker, topic, home):
    device = home[0]
    with subscribing(world.engine, broker.options()) as running, publishing(broker, topic) as publisher:
        payloads = [[energy(device.name, number, number) for number in range(50)]]
        publisher.send_all(payloads)
        taken(running, 1)
        before = world.rows("SELECT * FROM wattloom.meter_reading ORDER BY id")
        publisher.send_all(payloads * 3)
        taken(running, 4)
    assert world.rows("SELECT * FROM wattloom.meter_reading ORDER BY id") == before
    assert world.rows("SELECT * FROM wattloom.meter_reading_version") == []


def test_what_is_published_while_nobody_listens_is_not_lost(world, broker, topic, home):
    options = broker.options()
    with subscribing(world.engine, options), publishing(broker, topic):
        pass
    with publishing(broker, topic) as publisher:
        publisher.send_all([energy(home[0].name, number) for number in range(300)])
    with subscribing(world.engine, options) as running:
        taken(running, 300)
    assert len(world.readings(home[0])) == 300


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
def test_two_subscribers_of_a_group_share_without_loss_or_repetition(world, broker, topic, home, protocol):
    group = uuid.uuid4().hex
    options = [broker.options(shared_group=group, protocol=protocol, batch_size=50) for _ in range(2)]
    with (
        subscribing(world.engine, options[0]) as one,
        subscribing(world.engine, options[1]) as two,
        publishing(broker, topic) as publisher,
    ):
        publisher.send_all([energy(home[0].name, number, number) for number in range(1000)])
        wait_until(lambda: one.subscriber.counts.messages + two.subscriber.counts.messages >= 1000)
    assert one.subscriber.counts.messages + two.subscriber.counts.messages == 1000
    assert min(one.subscriber.counts.messages, two.subscriber.counts.messages) > 100
    assert len(world.readings(home[0])) == 1000
    assert world.rows("SELECT * FROM wattloom.meter_reading_version") == []


def test_tls_is_spoken_and_its_certificate_verified(world, broker, topic, home, tmp_path: Path):
    secure = broker.options(port=broker.tls_port, tls=True, ca_file=broker.certificate)
    with subscribing(world.engine, secure) as running, publishing(broker, topic) as publisher:
        publisher.send_all([energy(home[0].name, number) for number in range(200)])
        taken(running, 200)
    assert len(world.readings(home[0])) == 200
    with (
        pytest.raises(WattloomError, match="certificate is not trusted"),
        subscribing(world.engine, broker.options(port=broker.tls_port, tls=True)) as distrusting,
    ):
        raise distrusting.failure[0]


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
def test_a_wrong_password_is_one_clear_error_and_tried_once(world, broker, protocol):
    wrong = broker.options(protocol=protocol, password="not-the-password")
    with subscribing(world.engine, wrong) as running:
        running.thread.join(10)
    assert isinstance(running.failure[0], Unauthorized)
    assert "user name or password" in str(running.failure[0])
    assert "not-the-password" not in str(running.failure[0]) + repr(wrong)


def test_two_subscribers_of_one_name_do_not_wear_the_broker_out(world, broker, topic, home, caplog):
    options = broker.options()
    first_link = next(link_numbers)
    with subscribing(world.engine, options) as one, subscribing(world.engine, options) as two:
        time.sleep(3)
        assert not one.failure + two.failure
    assert next(link_numbers) - first_link < 12
    assert f"does another subscriber use the client id {options.client_id!r}?" in caplog.text


def test_a_broker_that_restarts_is_waited_for(world, topic, home, tmp_path: Path):
    with running_broker(tmp_path) as broker, subscribing(world.engine, broker.options(qos=2)) as running:
        with publishing(broker, topic, qos=2) as publisher:
            publisher.send_all([energy(home[0].name, number) for number in range(100)])
            taken(running, 100)
        broker.stop()
        broker.start()
        link = running.subscriber._link
        wait_until(lambda: running.subscriber._link is not link and running.subscriber._link.is_subscribed)
        with publishing(broker, topic, qos=2) as publisher:
            publisher.send_all([energy(home[0].name, number) for number in range(100, 200)])
        wait_until(lambda: len(world.readings(home[0])) == 200)


def test_the_summary_counts_and_shows_no_payload(world, broker, topic, home, caplog):
    caplog.set_level("INFO", logger="wattloom.mqtt")
    with subscribing(world.engine, broker.options()) as running, publishing(broker, topic) as publisher:
        publisher.send_all([energy(home[0].name), b"secret payload", energy("late")])
        taken(running, 3)
    assert "3 messages: 1 readings, 1 staged, 1 quarantined (not_json 1)" in caplog.text
    assert "secret payload" not in caplog.text


def test_times_are_kept_to_the_microsecond_and_in_utc(world, broker, topic, home):
    device, bought, _ = home
    late = datetime(2024, 3, 31, 2, 30, 0, 123456, tzinfo=UTC)
    with subscribing(world.engine, broker.options()) as running, publishing(broker, topic) as publisher:
        publisher.send_all([energy(device.name) | {"timestamp": "2024-03-31T04:30:00.123456+02:00"}])
        taken(running, 1)
    assert set(world.readings(device)) == {(bought.key, late + timedelta(0))}
