"""What dies between broker and database loses nothing and doubles nothing: ``wattloom mqtt`` in its own process."""

import json
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from pipelines.accounts.organizations import create_organization
from pipelines.db.embedded import EmbeddedServer
from pipelines.db.engine import create_engine, unit_of_work
from pipelines.db.migrate import migrate
from tests.integration.broker import (
    Broker,
    Process,
    Publisher,
    needs_broker,
    publishing,
    running_broker,
    subscribing,
    wait_until,
)
from tests.integration.test_mqtt import IMPORT, energy, quarantined, taken
from tests.integration.world import Device, World

pytestmark = needs_broker


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with running_broker(tmp_path_factory.mktemp("broker")) as one:
        yield one


@pytest.fixture
def topic(organization: dict[str, dict[str, str]]) -> str:
    return f"v1/{organization['client']['client_id']}/readings"


@pytest.fixture
def start(database_url: str, tmp_path: Path, broker: Broker) -> Iterator[Callable[..., Process]]:
    """Start ``wattloom mqtt`` with arguments; whatever still runs at the end of the test is killed."""
    started: list[Process] = []

    def one(*arguments: str, **how: str) -> Process:
        started.append(Process(database_url, tmp_path, broker, *arguments, **how))
        return started[-1]

    yield one
    for process in started:
        if process.child.poll() is None:
            process.kill()


@pytest.fixture
def device(world: World) -> Device:
    return world.device(world.series(IMPORT, unit="Wh"))


def stored(world: World, device: Device) -> int:
    ((count,),) = world.rows(
        "SELECT count(*) FROM wattloom.meter_reading WHERE device_id = :d", d=device.sensor_id
    )
    return int(count)


def publish(publisher: Publisher, device: Device, numbers: range, *, pause_s: float = 0.02) -> None:
    """Publish one message a reading and every so often one that is no reading, over some time."""
    for number in numbers:
        publisher.send(energy(device.name, number, number))
        if number % 100 == 0:
            publisher.send(f"poison {number}".encode())
        if number % 50 == 0:
            time.sleep(pause_s)


def assert_everything_once(world: World, device: Device, count: int) -> None:
    readings = world.readings(device)
    assert sorted(int(value) for value in readings.values()) == list(range(count))
    assert world.rows("SELECT * FROM wattloom.meter_reading_version") == []


def assert_poison_kept_once(world: World, numbers: range) -> None:
    expected = [f"poison {number}" for number in numbers if number % 100 == 0]
    wait_until(lambda: len(quarantined(world)) >= len(expected))
    assert sorted(row[3] for row in quarantined(world)) == sorted(expected)


def wait_for_session(world: World, publisher: Publisher, device: Device) -> None:
    """Publish the first reading until it is stored: from then on the broker keeps what it cannot deliver."""
    deadline = time.monotonic() + 40
    while not stored(world, device):
        assert time.monotonic() < deadline, "the subscriber does not start"
        publisher.send(energy(device.name, 0, 0))
        time.sleep(0.2)


@pytest.mark.parametrize(("qos", "protocol"), [(1, "5"), (2, "3.1.1"), (2, "5")])
def test_a_subscriber_killed_in_mid_stream_loses_and_doubles_nothing(
    world: World,
    broker: Broker,
    topic: str,
    device: Device,
    start: Callable[..., Process],
    qos: int,
    protocol: str,
):
    name = f"killed-{qos}-{protocol}"
    how = ["--client-id", name, "--qos", str(qos), "--protocol", protocol, "--batch-size", "40"]
    chance = random.Random(qos)
    process = start(*how)
    published = 1
    with publishing(broker, topic, qos=qos) as publisher:
        wait_for_session(world, publisher, device)
        for _ in range(2):
            until = stored(world, device) + chance.randrange(50, 400)
            while stored(world, device) < until:
                publish(publisher, device, range(published, published + 50))
                published += 50
            publish(
                publisher, device, range(published, published + 600), pause_s=0
            )  # more than it can store at once
            published += 600
            process.kill()
            assert stored(world, device) < published, "the kill came too late to prove anything"
            process = start(*how)
        publish(publisher, device, range(published, published + 300))
        published += 300
        wait_until(lambda: stored(world, device) == published)
        time.sleep(0.5)
    code, said = process.end()
    assert (code, "subscribed to v1/+/readings" in said) == (0, True)
    assert_everything_once(world, device, published)
    assert_poison_kept_once(world, range(1, published))


def test_sigterm_finishes_the_batch_and_leaves_the_rest_to_the_next(
    world: World, broker: Broker, topic: str, device: Device, start: Callable[..., Process]
):
    how = ["--client-id", "asked", "--batch-size", "40"]
    process = start(*how)
    with publishing(broker, topic) as publisher:
        wait_for_session(world, publisher, device)
        for number in range(1, 1000):
            publisher.send(energy(device.name, number, number))
        code, said = process.end()
        assert code == 0, said
        assert " readings, 0 staged, 0 quarantined" in said
        before = stored(world, device)
        publisher.send_all([energy(device.name, number, number) for number in range(1000, 2000)])
        with subscribing(world.engine, broker.options(client_id="asked")) as running:
            wait_until(lambda: stored(world, device) == 2000)
    assert running.subscriber.counts.messages == 2000 - before, "an acknowledgement got lost"
    assert_everything_once(world, device, 2000)


def test_a_wrong_password_ends_the_command_with_one_clear_line(world: World, start: Callable[..., Process]):
    process = start(password="hidden-and-wrong")
    _, said = process.child.communicate(timeout=30)
    assert process.child.returncode == 2
    assert said.splitlines()[-1].startswith("wattloom: the MQTT broker refuses the user name or password")
    assert "hidden-and-wrong" not in said


@contextmanager
def refused_connections(server_url: str, database: str) -> Iterator[None]:
    """Keep everyone out of a database for a while and throw out who is in."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f'ALTER DATABASE "{database}" ALLOW_CONNECTIONS false')
        try:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (database,)
            )
            yield
        finally:
            connection.execute(f'ALTER DATABASE "{database}" ALLOW_CONNECTIONS true')


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_messages_wait_while_the_database_refuses_connections(
    world: World, broker: Broker, topic: str, device: Device, server_url: str, caplog, qos: int
):
    name = world.engine.url.database or ""
    with (
        subscribing(world.engine, broker.options(qos=qos, batch_size=200)) as running,
        publishing(broker, topic, qos=qos) as publisher,
    ):
        publish(publisher, device, range(200))
        wait_until(lambda: stored(world, device) > 0)
        with refused_connections(server_url, name):
            publish(publisher, device, range(200, 500))
            wait_until(lambda: "waits for the database" in caplog.text)
            time.sleep(1)
            assert not running.failure
        wait_until(lambda: stored(world, device) == 500 and running.subscriber.counts.messages >= 505)
    assert_everything_once(world, device, 500)
    assert_poison_kept_once(world, range(500))


def test_a_stopped_database_server_is_waited_for_in_bounded_memory(broker: Broker, tmp_path: Path):
    server = EmbeddedServer(tmp_path / "home")
    server.start()
    try:
        engine = create_engine(server.url())
        migrate(engine)
        with unit_of_work(engine) as connection:
            made = create_organization(connection, "Stopped")
        world = World(engine, made["organization"]["id"])
        device = world.device(world.series(IMPORT, unit="Wh"))
        topic = f"v1/{made['client']['client_id']}/readings"
        with (
            subscribing(engine, broker.options(batch_size=50)) as running,
            publishing(broker, topic) as publisher,
        ):
            publisher.send_all([energy(device.name, 0, 0)])
            taken(running, 1)
            server.stop()
            publisher.send_all([energy(device.name, number, number) for number in range(1, 1000)])
            time.sleep(2)
            assert len(running.subscriber._inbox) <= 100
            server.start()
            wait_until(lambda: running.subscriber.counts.messages >= 1000, seconds=60)
        assert sorted(int(value) for value in world.readings(device).values()) == list(range(1000))
        engine.dispose()
    finally:
        server.destroy()


def test_stopping_while_the_database_is_away_leaves_the_messages_with_the_broker(
    world: World, broker: Broker, topic: str, device: Device, server_url: str, caplog
):
    options = broker.options()
    with (
        publishing(broker, topic) as publisher,
        subscribing(world.engine, options) as running,
        refused_connections(server_url, world.engine.url.database or ""),
    ):
        publisher.send_all([energy(device.name, number, number) for number in range(50)])
        wait_until(lambda: "waits for the database" in caplog.text)
        running.subscriber.stop()
        running.thread.join(20)
        assert not running.thread.is_alive()
    assert not running.failure
    with subscribing(world.engine, options) as running:
        taken(running, 50)
    assert len(world.readings(device)) == 50


def test_a_message_that_the_database_chokes_on_is_quarantined_and_the_others_stored(
    world: World, broker: Broker, topic: str, device: Device
):
    world.execute(
        "CREATE FUNCTION wattloom.choke() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " IF NEW.value = 666 THEN RAISE EXCEPTION 'no such beast' USING ERRCODE = '22000'; END IF; RETURN NEW; END $$"
    )
    world.execute(
        "CREATE TRIGGER choke BEFORE INSERT ON wattloom.meter_reading FOR EACH ROW EXECUTE FUNCTION wattloom.choke()"
    )
    values = [*range(30), 666, *range(31, 60)]
    with subscribing(world.engine, broker.options()) as running, publishing(broker, topic) as publisher:
        publisher.send_all([energy(device.name, number, value) for number, value in enumerate(values)])
        taken(running, 60)
    assert len(world.readings(device)) == 59
    ((organization, code, row, payload, _),) = quarantined(world)
    assert (organization, code, row) == (world.organization, "internal", None)
    assert json.loads(payload)["consumption"] == 666
