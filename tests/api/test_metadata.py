"""Property, appliances and place of a home over HTTP: set as a whole, read back, each fault named with its place."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import jsonschema
import pytest
import sqlalchemy as sa

from api.openapi import document
from pipelines.db.engine import unit_of_work
from pipelines.household.store import HouseholdDocuments, read_households
from pipelines.mqtt.messages import Message
from pipelines.mqtt.store import store as store_messages
from tests.api.callers import Client, Tenant, faults

HOUSE = {
    "property_type": "HOME",
    "home_type": "HOUSE",
    "home_usage_type": "PRIMARY",
    "home_size": 80,
    "bedroom_amount": 2,
    "power_generator_source": "NONE",
    "people_amount": 3,
    "people_amount_in_day_time": 2,
    "people": [{"age_range": "ADULT", "amount": 2}, {"age_range": "ZERO_TO_FIVE", "amount": 1}],
    "version": "1.0",
}
APPLIANCES = {
    "appliances": [
        {"key": "AC", "amount": 1, "type": "MINI_SPLIT", "usage_type": "BOTH"},
        {"key": "ELECTRIC_VEHICLE", "amount": 2, "type": "BIKE", "wattages": [750, 750]},
        {"key": "TUMBLE_DRYER", "amount": 1, "type": "I_DONT_KNOW", "usage_types": ["AUTUMN", "SPRING", "WINTER"]},
        {"key": "OTHER", "amount": 3, "name": "Sprinklers"},
    ],
    "version": "1.0",
}
PLACE = {"latitude": 51.509865, "longitude": -0.118092}
DOCUMENTS: dict[str, Any] = {"property": HOUSE, "appliances": APPLIANCES, "geolocation": PLACE}
NEVER_SET = {"property": 404, "appliances": 200, "geolocation": 404}


@pytest.fixture
def sensor(tenant: Tenant) -> int:
    """A device that has sent a reading."""
    home = tenant.home()
    tenant.deliver(home.named())
    return int(home.meter["sensor_id"])


def path(sensor: int, name: str) -> str:
    return f"/sensors/{sensor}/metadata/{name}"


def put(caller: Client, sensor: int, name: str, body: Any) -> Any:
    return caller.put(path(sensor, name), content=json.dumps(body))


def kept(engine: sa.Engine, sensor: int) -> HouseholdDocuments:
    with unit_of_work(engine) as connection:
        return read_households(connection, [sensor])[sensor]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_what_was_set_is_read_back(tenant: Tenant, sensor: int, name: str) -> None:
    for caller in (tenant.staff, tenant.bearer()):
        answer = put(caller, sensor, name, DOCUMENTS[name])

        assert (answer.status_code, answer.content) == (204, b"")
        assert "wattloom-warning" not in answer.headers
        for slash in ("", "/"):
            assert caller.found(path(sensor, name) + slash) == DOCUMENTS[name]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_what_was_never_set_is_not_found_but_for_the_empty_list_of_appliances(
    tenant: Tenant, sensor: int, name: str
) -> None:
    answer = tenant.staff.get(path(sensor, name))

    assert answer.status_code == NEVER_SET[name]
    if name == "appliances":
        assert answer.json() == {"appliances": [], "version": "1.0"}


def test_no_list_and_an_empty_list_are_told_apart(tenant: Tenant, sensor: int, engine: sa.Engine) -> None:
    put(tenant.staff, sensor, "property", HOUSE)
    unknown = kept(engine, sensor).appliances
    put(tenant.staff, sensor, "appliances", {"appliances": [], "version": "1.0"})

    assert unknown is None
    assert kept(engine, sensor).appliances == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_before_the_first_data_point_it_is_403_and_after_it_at_once_allowed(fresh: Tenant, name: str) -> None:
    home = fresh.home()
    sensor, caller = home.meter["sensor_id"], fresh.bearer()

    refused = [caller.get(path(sensor, name)), put(caller, sensor, name, DOCUMENTS[name])]
    fresh.deliver(home.named())
    allowed = put(caller, sensor, name, DOCUMENTS[name])

    assert [answer.status_code for answer in refused] == [403, 403]
    assert allowed.status_code == 204  # with the same access token: nothing remembers the refusal


def test_after_the_first_message_over_mqtt_metadata_is_allowed_at_once(fresh: Tenant, engine: sa.Engine) -> None:
    home = fresh.home(series={"name": "1-0:1.29.0"})
    sensor, caller = home.meter["sensor_id"], fresh.bearer()
    refused = put(caller, sensor, "geolocation", PLACE)
    energy = {"deviceId": home.meter["name"], "timestamp": "2026-03-01T00:15:00Z", "consumption": 125}
    payload = json.dumps(energy).encode()
    message = Message(
        topic=f"v1/{fresh.credentials['client']['client_id']}/readings",
        payload=payload,
        size_bytes=len(payload),
        qos=1,
        mid=1,
        is_repeated=False,
        link=1,
        received_at=datetime.now(UTC),
    )

    counts = store_messages(engine, [message], allow_unconfigured=False, at=datetime.now(UTC))

    assert (refused.status_code, counts.quarantined) == (403, 0)
    assert put(caller, sensor, "geolocation", PLACE).status_code == 204


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_stranger_and_an_unknown_device_are_404_and_a_jwt_is_401(
    tenant: Tenant, stranger: Tenant, sensor: int, name: str, engine: sa.Engine
) -> None:
    for caller, one in [(stranger.staff, sensor), (stranger.bearer(), sensor), (tenant.staff, 2**31 - 1)]:
        assert put(caller, one, name, DOCUMENTS[name]).status_code == 404
        assert caller.get(path(one, name)).status_code == 404
    assert put(tenant.staff, 10**20, name, DOCUMENTS[name]).status_code == 404
    assert tenant.staff.put(f"/sensors/x/metadata/{name}").status_code == 404
    assert put(tenant.reader(), sensor, name, DOCUMENTS[name]).status_code == 401
    assert kept(engine, sensor) == HouseholdDocuments()


@pytest.mark.parametrize("name", DOCUMENTS)
@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
def test_documents_are_read_and_set_and_nothing_else(tenant: Tenant, sensor: int, name: str, method: str) -> None:
    assert tenant.staff.request(method, path(sensor, name)).status_code == 405


def test_a_list_of_appliances_replaces_the_one_before(tenant: Tenant, sensor: int) -> None:
    put(tenant.staff, sensor, "appliances", APPLIANCES)
    kettle = {"appliances": [{"key": "KETTLE", "amount": 1}], "version": "1.0"}
    put(tenant.staff, sensor, "appliances", kettle)

    assert tenant.staff.found(path(sensor, "appliances")) == kettle


def test_industry_is_read_back_under_its_canonical_name(tenant: Tenant, sensor: int) -> None:
    sent = {"property_type": "INDUSTRY", "power_generator_source": "SOLAR", "version": "1.0"}

    answer = put(tenant.staff, sensor, "property", sent)

    assert answer.status_code == 204
    assert "power_generator_source" in answer.headers["wattloom-warning"]
    assert tenant.staff.found(path(sensor, "property")) == sent | {"property_type": "INDUSTRIAL"}


def test_a_property_of_older_times_that_lacks_a_field_is_still_shown(
    tenant: Tenant, sensor: int, engine: sa.Engine
) -> None:
    older = {name: value for name, value in HOUSE.items() if name != "home_usage_type"}
    with unit_of_work(engine) as connection:
        connection.execute(
            sa.text(
                "INSERT INTO wattloom.household (device_id, property, version, changed_at)"
                " VALUES (:device, CAST(:document AS jsonb), 1, now())"
            ),
            {"device": sensor, "document": json.dumps(older)},
        )

    assert tenant.staff.found(path(sensor, "property")) == older


@pytest.mark.parametrize(
    ("name", "body", "named"),
    [
        ("property", HOUSE | {"home_type": "CASTLE"}, "home_type"),
        ("property", HOUSE | {"people": [{"age_range": "ADULT"}]}, "people[0].amount"),
        ("appliances", {"appliances": [{"key": "FRIDGE", "amount": 1}], "version": "1.0"}, "appliances[0].type"),
        ("geolocation", {"latitude": 91, "longitude": 0}, "latitude"),
        ("geolocation", [], "non_field_errors"),
    ],
)
def test_a_fault_is_400_with_its_place_and_nothing_is_kept(
    tenant: Tenant, sensor: int, engine: sa.Engine, name: str, body: Any, named: str
) -> None:
    put(tenant.staff, sensor, name, DOCUMENTS[name])
    before = kept(engine, sensor)

    answer = put(tenant.staff, sensor, name, body)

    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert list(faults(answer)) == [named]
    assert kept(engine, sensor) == before


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b'{"latitude": NaN, "longitude": 1}', b"[" * 100_000])
@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_body_that_is_no_json_is_400(tenant: Tenant, sensor: int, name: str, content: bytes) -> None:
    assert tenant.staff.put(path(sensor, name), content=content).status_code == 400


def test_what_is_ignored_is_said_in_a_header_that_cannot_be_broken(tenant: Tenant, sensor: int) -> None:
    body = PLACE | {f"x{n}\r\nSet-Cookie: é": n for n in range(30)}

    answer = put(tenant.staff, sensor, "geolocation", body)

    assert answer.status_code == 204
    assert "set-cookie" not in answer.headers
    assert answer.headers["wattloom-warning"].startswith("x0\\r\\nSet-Cookie: \\xe9: ignored")
    assert answer.headers["wattloom-warning"].endswith("and 20 more")


def test_the_version_grows_with_every_change_and_only_then(tenant: Tenant, sensor: int, engine: sa.Engine) -> None:
    versions = []
    for name, body in [
        ("property", HOUSE),
        ("property", dict(reversed(HOUSE.items()))),
        ("property", HOUSE | {"home_size": 80.0}),
        ("geolocation", PLACE),
        ("geolocation", PLACE),
        ("appliances", {"appliances": [], "version": "1.0"}),
        ("appliances", {"appliances": [], "version": "1.0"}),
        ("property", HOUSE | {"home_size": 80.5}),
        ("property", HOUSE | {"home_size": "?"}),
    ]:
        put(tenant.staff, sensor, name, body)
        versions.append(kept(engine, sensor).version)

    assert versions == [1, 1, 1, 2, 2, 3, 3, 4, 4]


def test_many_who_set_one_place_at_once_take_turns(tenant: Tenant, sensor: int, engine: sa.Engine) -> None:
    put(tenant.staff, sensor, "appliances", APPLIANCES)
    places = [{"latitude": float(n % 3), "longitude": 0.0} for n in range(24)]

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda place: put(tenant.staff, sensor, "geolocation", place), places))

    known = kept(engine, sensor)
    assert {answer.status_code for answer in answers} == {204}
    assert 2 <= known.version <= 25
    assert known.latitude in {0.0, 1.0, 2.0}
    assert known.appliances == APPLIANCES["appliances"]


def test_what_was_set_is_there_for_the_analysis(tenant: Tenant, sensor: int, engine: sa.Engine) -> None:
    for name, body in DOCUMENTS.items():
        put(tenant.staff, sensor, name, body)
    silent = tenant.meter()["sensor_id"]

    with unit_of_work(engine) as connection:
        found = read_households(connection, [sensor, silent])

    assert found[silent] == HouseholdDocuments()
    known = found[sensor]
    assert (known.property, known.appliances) == (HOUSE, APPLIANCES["appliances"])
    assert (known.latitude, known.longitude, known.version) == (PLACE["latitude"], PLACE["longitude"], 3)
    assert known.changed_at is not None
    assert abs((datetime.now(UTC) - known.changed_at).total_seconds()) < 600


def test_a_household_goes_with_its_device(fresh: Tenant, engine: sa.Engine) -> None:
    home = fresh.home()
    fresh.deliver(home.named())
    put(fresh.staff, home.meter["sensor_id"], "geolocation", PLACE)

    fresh.staff.delete(f"/v1/metering/meter-devices/{home.meter['id']}").raise_for_status()

    assert kept(engine, home.meter["sensor_id"]) == HouseholdDocuments()


@pytest.mark.parametrize("name", DOCUMENTS)
def test_what_is_sent_and_answered_fits_its_schema(tenant: Tenant, sensor: int, name: str) -> None:
    operations = document()["paths"][f"/sensors/{{device_id}}/metadata/{name}"]
    sent = operations["put"]["requestBody"]["content"]["application/json"]["schema"]
    shown = operations["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    put(tenant.staff, sensor, name, DOCUMENTS[name])

    jsonschema.validate(DOCUMENTS[name], sent)
    jsonschema.validate(tenant.staff.found(path(sensor, name)), shown)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({}, sent)
