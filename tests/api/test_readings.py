"""Single readings: ``/meter-readings``."""

import json
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa

from tests.api.callers import METERING, Client, Home, Tenant

PATH = f"{METERING}/meter-readings"


@pytest.fixture(scope="module")
def home(tenant: Tenant) -> Home:
    return tenant.home()


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_reading_is_stored_read_by_its_number_and_deleted(tenant: Tenant, slash: str) -> None:
    home = tenant.home()

    created = tenant.staff.post(f"{PATH}{slash}", json=home.reading("2026-03-01T01:00:00+01:00", "12.340"))
    row = created.json()
    address = f"{PATH}/{row['id']}{slash}"
    read = tenant.staff.get(address)
    deleted = tenant.staff.delete(address)

    assert created.status_code == 201
    assert isinstance(row["id"], int)
    assert list(row) == ["id", "organization", "meter_device", "series", "timestamp", "value", "created_at"]
    assert row | {"id": 0, "created_at": ""} == {
        "id": 0,
        "organization": tenant.id,
        "meter_device": home.meter["id"],
        "series": home.series["id"],
        "timestamp": "2026-03-01T00:00:00Z",
        "value": "12.340",
        "created_at": "",
    }
    assert (read.status_code, read.json()) == (200, row)
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert tenant.staff.get(address).status_code == 404
    assert tenant.staff.delete(address).status_code == 404
    assert tenant.readings(home) == []


def test_readings_have_no_put_and_no_patch(tenant: Tenant, home: Home) -> None:
    row = tenant.staff.made(PATH, home.reading())

    for method in ("PUT", "PATCH"):
        assert tenant.staff.request(method, f"{PATH}/{row['id']}", json=home.reading()).status_code == 405
        assert tenant.staff.request(method, PATH, json=home.reading()).status_code == 405
    assert tenant.staff.delete(PATH).status_code == 405


@pytest.mark.parametrize(
    "key",
    ["999999999999", "9" * 30, "9" * 5000, "-1", "x", "6f1d2c3b-0000-4000-8000-000000000001", "%00", "1.0", "1_0"],
)
def test_an_unknown_reading_is_not_found(staff: Client, key: str) -> None:
    for method in ("GET", "DELETE"):
        answer = staff.request(method, f"{PATH}/{key}")
        assert (answer.status_code, answer.json()) == (404, {"detail": "Not found."})


def test_a_list_holds_only_timestamps_and_values_in_ascending_order(tenant: Tenant) -> None:
    home = tenant.home()
    for hour, value in [(3, "3"), (1, "1.10"), (2, "-2"), (0, "0")]:
        tenant.staff.made(PATH, home.reading(f"2026-03-01T0{hour}:00:00Z", value))

    everything = tenant.readings(home)
    middle = tenant.readings(home, start_time="2026-03-01T01:00:00Z", end_time="2026-03-01T03:00:00Z")
    page = tenant.staff.found(PATH, params={**home.selection, "limit": 1, "offset": 1})

    assert everything == [
        {"timestamp": "2026-03-01T00:00:00Z", "value": "0"},
        {"timestamp": "2026-03-01T01:00:00Z", "value": "1.10"},
        {"timestamp": "2026-03-01T02:00:00Z", "value": "-2"},
        {"timestamp": "2026-03-01T03:00:00Z", "value": "3"},
    ]
    assert middle == everything[1:3]
    assert (page["count"], page["results"]) == (4, everything[1:2])
    for kept in (f"meter_device={home.meter['id']}", f"series={home.series['id']}", "limit=1", "offset=2"):
        assert kept in page["next"]


def test_a_list_is_narrowed_by_meter_and_by_series(fresh: Tenant) -> None:
    series = fresh.series()
    both = fresh.config(series, other := fresh.series())
    kind = fresh.type(both)
    one, two = (Home(meter=fresh.meter(kind), series=series, config=both, type=kind) for _ in range(2))
    fresh.staff.made(PATH, one.reading(value="1"))
    fresh.staff.made(PATH, two.reading(value="2"))
    fresh.staff.made(PATH, one.reading(value="3", series=other["id"]))

    def values(**query: Any) -> list[str]:
        return [row["value"] for row in fresh.staff.found(PATH, params=query)["results"]]

    assert sorted(values()) == ["1", "2", "3"]
    assert sorted(values(meter_device=one.meter["id"])) == ["1", "3"]
    assert sorted(values(series=series["id"])) == ["1", "2"]
    assert values(**two.selection) == ["2"]
    assert values(meter_device=str(uuid4())) == []
    assert values(series=str(uuid4())) == []


def test_the_same_reading_again_changes_nothing(tenant: Tenant, engine: sa.Engine) -> None:
    home = tenant.home()

    first = tenant.staff.made(PATH, home.reading(value="1.5"))
    again = tenant.staff.made(PATH, home.reading(value="1.50"))

    assert again == first
    assert tenant.readings(home) == [{"timestamp": "2026-03-01T00:00:00Z", "value": "1.5"}]
    assert _versions(engine, home) == []


def test_a_correction_replaces_the_value_and_keeps_the_old_one(tenant: Tenant, engine: sa.Engine) -> None:
    home = tenant.home()

    first = tenant.staff.made(PATH, home.reading(value="1"))
    second = tenant.staff.made(PATH, home.reading(value="2"))
    tenant.staff.made(PATH, home.reading(value="3"))
    removed = tenant.staff.delete(f"{PATH}/{second['id']}")

    author = f"user:{tenant.credentials['staff']['username']}"
    assert first["id"] == second["id"]
    assert removed.status_code == 204
    assert _versions(engine, home) == [
        (1, "1", author, "posted to meter-readings"),
        (2, "2", author, "posted to meter-readings"),
        (3, "3", author, "deleted"),
    ]


def _versions(engine: sa.Engine, home: Home) -> list[tuple[int, str, str, str]]:
    query = sa.text(
        "SELECT version, value, replaced_by, reason FROM wattloom.meter_reading_version"
        " WHERE device_id = :device ORDER BY version"
    )
    with engine.connect() as connection:
        rows = connection.execute(query, {"device": home.meter["sensor_id"]})
        return [(row[0], str(row[1]), row[2], row[3]) for row in rows]


def test_a_series_that_the_config_does_not_allow_is_refused(tenant: Tenant, home: Home) -> None:
    other, bare = tenant.series(), tenant.meter()
    untyped = tenant.meter(tenant.type(None))

    for body in (
        home.reading(series=other["id"]),
        home.reading(meter_device=bare["id"]),
        home.reading(meter_device=untyped["id"]),
    ):
        answer = tenant.staff.post(PATH, json=body)
        assert (answer.status_code, list(answer.json())) == (400, ["series"])


@pytest.mark.parametrize("field", ["organization", "meter_device", "series", "timestamp", "value"])
def test_every_field_of_a_reading_is_required(tenant: Tenant, home: Home, field: str) -> None:
    body = home.reading()
    body.pop(field)

    absent = tenant.staff.post(PATH, json=body)
    null = tenant.staff.post(PATH, json=body | {field: None})

    assert (absent.status_code, absent.json()) == (400, {field: ["This field is required."]})
    assert (null.status_code, null.json()) == (400, {field: ["This field may not be null."]})


WRONG = [
    ("organization", [str(uuid4()), "x", 1, True, [], {}]),
    ("meter_device", [str(uuid4()), "x", 10**400]),
    ("series", [str(uuid4()), "", 1.5]),
    (
        "timestamp",
        [
            "2026-03-01T00:00:00",
            "2026-03-01",
            "2026-02-30T00:00:00Z",
            "1969-12-31T23:59:59Z",
            "2100-01-01T00:00:00Z",
            "0001-01-01T00:00:00+14:00",
            "9999-12-31T23:59:59-14:00",
            "01.03.2026",
            1772323200,
            "",
            True,
            [],
        ],
    ),
    (
        "value",
        [
            "NaN",
            "Infinity",
            "-inf",
            "sNaN",
            "x",
            "",
            "1,5",
            "1e30",
            10**30,
            "0.1234567890123",
            True,
            [],
            {},
            10**400,
        ],
    ),
]


@pytest.mark.parametrize(("field", "values"), WRONG, ids=[field for field, _ in WRONG])
def test_a_wrong_value_is_refused_by_the_name_of_its_field(
    tenant: Tenant, home: Home, field: str, values: list[Any]
) -> None:
    for value in values:
        answer = tenant.staff.post(PATH, json=home.reading() | {field: value})

        assert (answer.status_code, list(answer.json())) == (400, [field]), value


def test_what_belongs_to_another_organization_is_refused_and_not_written(
    tenant: Tenant, home: Home, stranger: Tenant
) -> None:
    theirs = stranger.home()

    for body, fields in [
        (theirs.reading(), {"organization"}),
        (home.reading(meter_device=theirs.meter["id"]), {"meter_device"}),
        (home.reading(series=theirs.series["id"]), {"series"}),
        (home.reading(organization=stranger.id), {"organization"}),
    ]:
        answer = tenant.staff.post(PATH, json=body)
        assert (answer.status_code, set(answer.json())) == (400, fields)
    assert stranger.readings(theirs) == []


@pytest.mark.parametrize(
    "value", ["999999999999999999", "-999999999999999999", "0.000000000001", "123456.123456789012"]
)
def test_eighteen_digits_and_twelve_decimals_are_kept_exactly(tenant: Tenant, value: str) -> None:
    home = tenant.home()

    assert tenant.staff.made(PATH, home.reading(value=value))["value"] == value
    assert tenant.readings(home)[0]["value"] == value


def test_a_json_number_keeps_the_digits_it_was_sent_with(tenant: Tenant) -> None:
    home = tenant.home()
    body = home.reading(value="@")
    text = json.dumps(body).replace('"@"', "0.10000000001")

    answer = tenant.staff.post(PATH, content=text)

    assert answer.json()["value"] == "0.10000000001"


def test_microseconds_are_kept_and_zones_become_utc(tenant: Tenant) -> None:
    home = tenant.home()

    shown = tenant.staff.made(PATH, home.reading("2026-03-01T05:45:00.123456+05:45"))

    assert shown["timestamp"] == "2026-03-01T00:00:00.123456Z"


def test_after_its_last_reading_is_deleted_a_device_is_no_sensor_any_more(fresh: Tenant) -> None:
    home = fresh.home()
    ids = [fresh.staff.made(PATH, home.reading(f"2026-03-01T0{n}:00:00Z"))["id"] for n in range(3)]
    sensor = f"/sensors/{home.meter['sensor_id']}"

    fresh.staff.delete(f"{PATH}/{ids[2]}")
    shorter = fresh.staff.found(sensor)
    fresh.staff.delete(f"{PATH}/{ids[0]}")
    middle = fresh.staff.found(sensor)
    fresh.staff.delete(f"{PATH}/{ids[1]}")

    assert (shorter["first_event"], shorter["last_event"]) == ("2026-03-01T00:00:00Z", "2026-03-01T01:00:00Z")
    assert (middle["first_event"], middle["last_event"]) == ("2026-03-01T01:00:00Z", "2026-03-01T01:00:00Z")
    assert fresh.staff.found("/sensors") == []
