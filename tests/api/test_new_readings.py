"""Deliveries by name: ``/new-meter-readings``, staging and promotion."""

import dataclasses
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from litestar.testing import TestClient

from api.app import create_app
from pipelines import clock, steps
from pipelines.db.engine import unit_of_work
from pipelines.settings import Settings
from tests.api.callers import METERING, Client, Home, Json, Tenant, unique

PATH = f"{METERING}/new-meter-readings"
STAGED = f"{METERING}/staged-meter-readings"


def _staged(tenant: Tenant, meter: str) -> list[Json]:
    return list(tenant.staff.found(STAGED, params={"meter_device_name": meter, "limit": 1000})["results"])


def _stored_state(engine: sa.Engine) -> list[Any]:
    """Everything a delivery can change, row by row."""
    tables = (
        "meter_reading",
        "meter_reading_version",
        "staged_meter_reading",
        "reading_channel",
        "reading_change",
    )
    with engine.connect() as connection:
        return [
            sorted(map(str, connection.execute(sa.text(f"SELECT * FROM wattloom.{table}")))) for table in tables
        ]


@pytest.mark.parametrize("slash", ["", "/"])
def test_one_object_is_accepted_and_readable_at_once(tenant: Tenant, slash: str) -> None:
    home = tenant.home()

    answer = tenant.staff.post(f"{PATH}{slash}", json=home.named(value="1.50"))

    assert (answer.status_code, answer.json()) == (201, {"accepted": 1, "staged": 0, "rejected": []})
    assert tenant.readings(home) == [{"timestamp": "2026-03-01T00:00:00Z", "value": "1.50"}]


def test_an_empty_list_is_a_delivery_of_nothing(staff: Client) -> None:
    assert staff.made(PATH, []) == {"accepted": 0, "staged": 0, "rejected": []}


@pytest.mark.parametrize(
    "body", [b"1", b'"x"', b"null", b"true", b"1.5", b"", b"{", b"[1,", b"NaN", b"\xff", b"[]]"]
)
def test_what_is_neither_object_nor_list_is_400(staff: Client, body: bytes) -> None:
    answer = staff.post(PATH, content=body)

    assert answer.status_code == 400
    assert isinstance(answer.json(), dict)


def test_the_route_only_takes_posts(staff: Client) -> None:
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        assert staff.request(method, PATH).status_code == 405


def test_every_row_has_its_verdict_and_good_rows_survive_the_others(tenant: Tenant) -> None:
    home, bare = tenant.home(), tenant.meter()
    unknown, other = unique("unknown"), tenant.series()
    rows: list[Any] = [
        home.named(value="1"),
        home.named(value="NaN"),
        home.named("2026-03-01T01:00:00", "2"),
        home.named("2026-03-01T01:00:00Z", "2"),
        home.named(series_name="9.9.9"),
        home.named(series_name=other["name"]),
        home.named(meter_device_name=unknown),
        home.named(meter_device_name=bare["name"]),
        "no object",
        None,
        [],
        {},
        home.named(value=True),
        home.named(meter_device_name="x" * 51),
        home.named(meter_device_name=" "),
        home.named(meter_device_name="a\0b"),
        home.named(value=10**30),
        home.named("2150-01-01T00:00:00Z"),
        home.named(value=10**400),
        home.named("2026-03-01T02:00:00Z", 3),
    ]

    answer = tenant.staff.made(PATH, rows)

    verdicts = {row["index"]: row for row in answer["rejected"]}
    assert (answer["accepted"], answer["staged"]) == (3, 1)
    assert answer["accepted"] + answer["staged"] + len(answer["rejected"]) == len(rows)
    assert [row["index"] for row in answer["rejected"]] == sorted(verdicts)
    assert all(set(row) == {"index", "code", "detail"} for row in answer["rejected"])
    assert {n: verdicts[n]["code"] for n in (4, 5, 7)} == {
        4: "unknown_series",
        5: "series_not_allowed",
        7: "device_not_configured",
    }
    assert {verdicts[n]["code"] for n in (1, 2, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18)} == {"invalid"}
    fields = {1: "value", 2: "timestamp", 12: "value", 13: "meter_device_name", 16: "value", 17: "timestamp"}
    for index, field in fields.items():
        assert verdicts[index]["detail"].startswith(field), verdicts[index]
    assert [row["value"] for row in tenant.readings(home)] == ["1", "2", "3"]
    assert len(_staged(tenant, unknown)) == 1


@pytest.mark.parametrize(
    "literal", ["NaN", "-Infinity", "1e99999999999999999999", "1" + "0" * 6000, "1e400", "-1e-400"]
)
def test_a_number_that_json_cannot_hold_costs_only_its_own_row(tenant: Tenant, literal: str) -> None:
    home = tenant.home()
    rows = [
        home.named(value="1"),
        home.named("2026-03-01T01:00:00Z", "@"),
        home.named("2026-03-01T02:00:00Z", "3"),
    ]

    answer = tenant.staff.post(PATH, content=json.dumps(rows).replace('"@"', literal))

    assert answer.status_code == 201, answer.text
    assert answer.json()["accepted"] == 2
    assert [(row["index"], row["detail"][:6]) for row in answer.json()["rejected"]] == [(1, "value:")]


def test_a_lone_surrogate_costs_only_its_own_row(tenant: Tenant) -> None:
    home = tenant.home()
    text = json.dumps([home.named(value="1"), home.named(series_name="\ud800"), home.named(value="\ud800")])

    answer = tenant.staff.post(PATH, content=text)

    assert answer.status_code == 201, answer.text
    assert answer.json()["accepted"] == 1
    assert [row["index"] for row in answer.json()["rejected"]] == [1, 2]
    assert [row["value"] for row in tenant.readings(home)] == ["1"]


@pytest.mark.parametrize(
    "timestamp",
    [
        "2026-03-01T00:00:00.1234567Z",
        "2026-03-01T00:00:00.9999999+01:00",
        "2026-03-01T00:00:00.000000499Z",
        "2026-03-01t00:00:00z",
        "2026-03-01 00:00:00Z",
        "2026-03-01T00:00Z",
        "20260301T000000+0545",
        "2026-03-01T00:00:00,5Z",
    ],
)
def test_a_row_means_the_same_alone_in_a_list_beside_a_bad_row_and_as_a_reading(
    tenant: Tenant, timestamp: str
) -> None:
    home = tenant.home()
    row = home.named(timestamp, "1")

    tenant.deliver(row)
    tenant.deliver([row])
    tenant.deliver([row, {}])
    tenant.staff.made(f"{METERING}/meter-readings", home.reading(timestamp, "1"))

    assert len(tenant.readings(home)) == 1


def test_redelivery_changes_nothing(fresh: Tenant, engine: sa.Engine) -> None:
    home = fresh.home()
    rows = [home.named(f"2026-03-01T{n:02}:00:00Z", str(n)) for n in range(24)]
    rows += [home.named(f"2026-03-01T{n:02}:00:00Z", str(n), meter_device_name="unknown") for n in range(24)]
    first = fresh.deliver(rows)
    before = _stored_state(engine)

    again = fresh.deliver(rows)

    assert first == again == {"accepted": 24, "staged": 24, "rejected": []}
    assert _stored_state(engine) == before


def test_of_two_values_for_one_timestamp_the_later_row_wins_and_the_other_is_named(tenant: Tenant) -> None:
    home = tenant.home()

    answer = tenant.deliver([home.named(value="1"), home.named(value="2"), home.named(value="2.0")])

    assert answer["accepted"] == 2
    assert [(row["index"], row["code"]) for row in answer["rejected"]] == [(0, "duplicate_in_batch")]
    assert [float(row["value"]) for row in tenant.readings(home)] == [2.0]


def test_a_correction_by_delivery_keeps_the_old_value(tenant: Tenant, engine: sa.Engine) -> None:
    home = tenant.home()
    tenant.deliver(home.named(value="1"))

    tenant.deliver(home.named(value="2"))

    with engine.connect() as connection:
        kept = connection.execute(
            sa.text("SELECT value, reason FROM wattloom.meter_reading_version WHERE device_id = :id"),
            {"id": home.meter["sensor_id"]},
        ).all()
    assert [(str(value), reason) for value, reason in kept] == [("1", "delivered to new-meter-readings")]
    assert [row["value"] for row in tenant.readings(home)] == ["2"]


def test_two_series_of_one_name_in_one_config_are_ambiguous(tenant: Tenant) -> None:
    one = tenant.series()
    config = tenant.config(one, tenant.series(name=one["name"]))
    meter = tenant.meter(tenant.type(config))

    answer = tenant.deliver(
        {
            "meter_device_name": meter["name"],
            "series_name": one["name"],
            "timestamp": "2026-03-01T00:00:00Z",
            "value": 1,
        }
    )

    assert answer["rejected"][0]["code"] == "ambiguous_series"


def test_another_organizations_names_mean_nothing(tenant: Tenant, stranger: Tenant) -> None:
    theirs = stranger.home()

    answer = tenant.deliver(theirs.named())

    assert (answer["accepted"], answer["staged"]) == (0, 1)
    assert stranger.readings(theirs) == []
    assert stranger.staff.found(STAGED)["count"] == 0


def _stage(tenant: Tenant, series: Json) -> str:
    meter = unique("later")
    rows = [
        {
            "meter_device_name": meter,
            "series_name": series["name"],
            "timestamp": f"2026-03-01T0{n}:00:00Z",
            "value": n,
        }
        for n in range(3)
    ]
    assert tenant.deliver(rows) == {"accepted": 0, "staged": 3, "rejected": []}
    assert len(_staged(tenant, meter)) == 3
    return meter


def _promoted(tenant: Tenant, meter: Json, series: Json) -> bool:
    rows = tenant.staff.found(
        f"{METERING}/meter-readings", params={"meter_device": meter["id"], "series": series["id"]}
    )
    return [row["value"] for row in rows["results"]] == ["0", "1", "2"] and not _staged(tenant, meter["name"])


def test_staged_readings_become_readings_when_their_meter_is_created(tenant: Tenant) -> None:
    home = tenant.home()
    name = _stage(tenant, home.series)

    meter = tenant.meter(home.type, name=name)

    assert _promoted(tenant, meter, home.series)
    assert meter["sensor_id"] in tenant.staff.found("/sensors")


def test_staged_readings_become_readings_when_a_meter_gets_their_name(tenant: Tenant) -> None:
    home = tenant.home()
    name = _stage(tenant, home.series)

    meter = tenant.staff.patch(f"{METERING}/meter-devices/{home.meter['id']}", json={"name": name}).json()

    assert _promoted(tenant, meter, home.series)


def test_staged_readings_wait_until_the_meter_has_a_type_that_allows_them(tenant: Tenant) -> None:
    home = tenant.home()
    name = _stage(tenant, home.series)

    meter = tenant.meter(name=name)
    waiting = len(_staged(tenant, name))
    tenant.staff.patch(f"{METERING}/meter-devices/{meter['id']}", json={"type": home.type["id"]})

    assert waiting == 3
    assert _promoted(tenant, meter, home.series)


def test_staged_readings_become_readings_when_the_type_gets_a_config(tenant: Tenant) -> None:
    series = tenant.series()
    config, kind = tenant.config(series), tenant.type(None)
    name = _stage(tenant, series)
    meter = tenant.meter(kind, name=name)

    tenant.staff.patch(f"{METERING}/meter-device-types/{kind['id']}", json={"config": config["id"]})

    assert _promoted(tenant, meter, series)


def test_staged_readings_become_readings_when_the_config_gets_their_series(tenant: Tenant) -> None:
    series, config = tenant.series(), tenant.config()
    name = _stage(tenant, series)
    meter = tenant.meter(tenant.type(config), name=name)

    answer = tenant.staff.patch(f"{METERING}/meter-device-configs/{config['id']}", json={"series": [series["id"]]})

    assert answer.status_code == 200
    assert _promoted(tenant, meter, series)


def test_staged_readings_become_readings_when_a_series_gets_their_name(tenant: Tenant) -> None:
    home, ghost = tenant.home(), {"name": unique("ghost")}
    name = _stage(tenant, ghost)
    meter = tenant.meter(home.type, name=name)

    tenant.staff.patch(f"{METERING}/meter-reading-series/{home.series['id']}", json={"name": ghost["name"]})

    assert _promoted(tenant, meter, home.series)


def test_the_promotion_step_finds_what_was_staged_after_the_meter_appeared(
    tenant: Tenant, settings: Settings
) -> None:
    home = tenant.home()
    for n in range(3):
        tenant.staff.made(STAGED, home.named(f"2026-03-01T0{n}:00:00Z", n))

    done = steps.promote(settings=settings)

    assert done["promoted"] >= 3
    assert _promoted(tenant, home.meter, home.series)
    assert steps.promote(settings=settings)["promoted"] == 0


def test_a_reading_delivered_before_and_after_promotion_is_stored_once(tenant: Tenant, engine: sa.Engine) -> None:
    home = tenant.home()
    name = _stage(tenant, home.series)
    meter = tenant.meter(home.type, name=name)
    before = _stored_state(engine)

    rows = [home.named(f"2026-03-01T0{n}:00:00Z", n, meter_device_name=name) for n in range(3)]
    again = tenant.deliver(rows)

    assert again == {"accepted": 3, "staged": 0, "rejected": []}
    assert _stored_state(engine) == before
    assert _promoted(tenant, meter, home.series)


def test_staged_readings_are_pruned_by_the_time_they_arrived(fresh: Tenant, settings: Settings) -> None:
    arrived = datetime(2030, 1, 1, tzinfo=UTC)
    clock.start_at(arrived)
    name = _stage(fresh, {"name": "1-0:1.8.0"})

    clock.start_at(arrived + timedelta(days=29, hours=23))
    steps.prune_staging(settings=settings)
    kept = len(_staged(fresh, name))
    clock.start_at(arrived + timedelta(days=30, minutes=1))
    steps.prune_staging(settings=settings)

    assert (kept, len(_staged(fresh, name))) == (3, 0)


def test_a_staged_reading_is_unique_by_meter_series_and_timestamp(tenant: Tenant) -> None:
    body = Home(meter={"name": unique("m")}, series={"name": "s"}, config={}, type={}).named(value="1.250")
    row = tenant.staff.made(STAGED, body)
    other = tenant.staff.made(STAGED, body | {"series_name": "t"})

    repeated = tenant.staff.post(STAGED, json=body)
    collided = tenant.staff.patch(f"{STAGED}/{other['id']}", json={"series_name": "s"})
    changed = tenant.staff.patch(f"{STAGED}/{row['id']}", json={"value": "2"})

    assert row["value"] == "1.250"
    assert (repeated.status_code, list(repeated.json())) == (400, ["timestamp"])
    assert (collided.status_code, list(collided.json())) == (400, ["timestamp"])
    assert changed.json()["value"] == "2"


def test_a_delivered_value_replaces_a_staged_one(tenant: Tenant) -> None:
    name = unique("m")
    body = {"meter_device_name": name, "series_name": "s", "timestamp": "2026-03-01T00:00:00Z"}

    tenant.deliver(body | {"value": 1})
    tenant.deliver([body | {"value": 2}, body | {"value": 3}])

    assert [row["value"] for row in _staged(tenant, name)] == ["3"]


@pytest.fixture
def lenient(settings: Settings, engine: sa.Engine, tenant: Tenant) -> Iterator[Tenant]:
    """The module's tenant, on a deployment that takes readings of devices without a config."""
    allowing = dataclasses.replace(settings, allow_unconfigured_devices=True)
    with TestClient(create_app(allowing, engine)) as transport:
        staff = Client(transport, f"Token {tenant.credentials['staff']['token']}")
        yield dataclasses.replace(tenant, staff=staff, anonymous=Client(transport))


def test_where_devices_need_no_config_staged_readings_follow_at_once(lenient: Tenant) -> None:
    series = lenient.series()
    name = _stage(lenient, series)

    meter = lenient.meter(name=name)
    more = lenient.deliver(
        {
            "meter_device_name": name,
            "series_name": series["name"],
            "timestamp": "2026-03-01T00:00:00Z",
            "value": "0",
        }
    )

    assert _promoted(lenient, meter, series)
    assert more == {"accepted": 1, "staged": 0, "rejected": []}


@pytest.mark.timescale
def test_readings_in_a_columnstore_are_read_corrected_and_deleted(fresh: Tenant, engine: sa.Engine) -> None:
    home = fresh.home()
    rows = [home.named(f"2020-01-01T{n:02}:00:00Z", str(n)) for n in range(24)]
    fresh.deliver(rows)
    with unit_of_work(engine) as connection:
        connection.execute(sa.text("SELECT compress_chunk(c) FROM show_chunks('wattloom.meter_reading') AS c"))

    again = fresh.deliver(rows)
    corrected = fresh.staff.made(f"{METERING}/meter-readings", home.reading("2020-01-01T05:00:00Z", "50"))
    shown = fresh.staff.found(f"{METERING}/meter-readings/{corrected['id']}")
    deleted = fresh.staff.delete(f"{METERING}/meter-readings/{corrected['id']}")

    assert again == {"accepted": 24, "staged": 0, "rejected": []}
    assert shown == corrected
    assert shown["value"] == "50"
    assert deleted.status_code == 204
    assert [row["value"] for row in fresh.readings(home)] == [str(n) for n in range(24) if n != 5]
