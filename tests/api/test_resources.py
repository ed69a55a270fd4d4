"""Every field of every resource: its limits, whether it may be left out or null, and what an answer shows."""

import json
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import available_timezones

import pytest
import sqlalchemy as sa

from pipelines import crud
from pipelines.db.engine import unit_of_work
from tests.api.callers import METERING, Client, Tenant, unique
from tests.api.catalog import COLLECTIONS, DELETABLE, INTEGER_IDS, READ_ONLY, READABLE, UNCHANGEABLE, WRITE_ONLY

# Contract 2.3, written down here once more: collection, field, least and greatest length, required, nullable.
TEXTS = [
    ("meter-devices", "name", 1, 50, True, False),
    ("meter-devices", "external_system_reference", 0, 50, False, True),
    ("meter-devices", "manufacturer_serial", 0, 50, False, True),
    ("meter-devices", "iec62056_21_address", 0, 8, False, True),
    ("meter-devices", "dlms_logical_device_name", 0, 32, False, True),
    ("meter-devices", "dlms_system_title", 0, 16, False, True),
    ("meter-device-types", "name", 1, 50, True, False),
    ("meter-device-types", "description", 0, 500, False, False),
    ("meter-device-types", "manufacturer", 1, 100, True, False),
    ("meter-device-types", "manufacturer_model", 1, 50, True, False),
    ("meter-device-configs", "name", 1, 50, True, False),
    ("meter-reading-series", "name", 1, 50, True, False),
    ("meter-reading-series", "description", 0, 250, False, False),
    ("meter-reading-series", "unit", 1, 10, True, False),
    ("meter-reading-series", "unit_description", 1, 250, False, True),
    ("staged-meter-readings", "meter_device_name", 1, 50, True, False),
    ("staged-meter-readings", "series_name", 1, 50, True, False),
    ("meter-system-events", "title", 1, 50, True, False),
    ("meter-system-events", "content", 1, 500, True, False),
    ("organizations", "name", 1, 64, True, False),
    ("network-interfaces", "fqdn", 0, 200, False, True),
    ("sim-cards", "iccid", 1, 20, True, False),
    ("sim-cards", "imsi", 1, 15, True, False),
    ("sim-cards", "phone_number", 1, 30, False, True),
    ("meter-security-keys", "iec62056_21_password", 1, 8, False, True),
    ("meter-security-keys", "dlms_global_unicast_encryption_key", 0, 64, False, True),
    ("meter-security-keys", "dlms_global_broadcast_encryption_key", 0, 64, False, True),
    ("meter-security-keys", "dlms_master_key", 0, 64, False, True),
    ("meter-security-keys", "dlms_global_authentication_key", 0, 64, False, True),
    ("amr-task-groups", "name", 1, 150, True, False),
    ("amr-task-groups", "description", 0, 500, False, False),
    ("amr-tasks", "name", 1, 150, True, False),
    ("amr-tasks", "description", 0, 500, False, False),
    ("amr-tasks", "task_call", 1, 50, True, False),
]
_NO_ADDRESSES: list[Any] = [
    *("", " ", "localhost", "192.0.2", "192.0.2.256", "192.0.2.7/24", "192.0.2.7:80", "192.0.2.07", "1::2::3"),
    *(" 192.0.2.7", "192.0.2.7\n", "[::1]", "fe80::1%eth0", "::1%" + "a" * 100, "::1%\0", "١٩٢.0.2.7", "x" * 99),
    *(3_221_225_991, True, [], {}, "\0", "\ud800"),
]
# What JSON can carry and the database, or an answer, cannot: nothing that a driver could take either.
_NO_ARGUMENTS: list[Any] = [
    *([], "x", "{}", 1, True),
    *({"a": "\0"}, {"\0": 1}, {"a": "\ud800"}, {"\ud800": 1}, {"a": [{"b": ["x\0"]}]}),
    *({"a": float("nan")}, {"a": {"b": float("-inf")}}),
    json.loads('{"a":' * 50 + "1" + "}" * 50),
    json.loads('{"a":' + "[" * 400 + "]" * 400 + "}"),
]
# Fields that are no text: collection, field, required, nullable, good values, bad values.
OTHERS: list[tuple[str, str, bool, bool, list[Any], list[Any]]] = [
    (
        "meter-devices",
        "protocol",
        True,
        False,
        ["dlms-cosem", "iec62056-21", "i-flag", "mbus", "modbus", "lis-200"],
        ["DLMS-COSEM", "", "mqtt", 1, ["mbus"]],
    ),
    ("meter-devices", "has_current_transformer", False, False, [True, False], ["true", 1, 0]),
    ("meter-devices", "has_voltage_transformer", False, False, [True, False], ["yes", 1]),
    ("meter-devices", "has_disconnector", False, False, [True, False], ["no", 0]),
    ("meter-devices", "disconnector_status", False, True, [0, 1, 2], [3, -1, "1", True, 1.0]),
    ("meter-devices", "current_transformer_ratio", False, False, [1, 30, 2**31 - 1], [2**31, "30", 1.5, True]),
    ("meter-devices", "voltage_transformer_ratio", False, False, [1, 200], [-(2**31) - 1, 10**400]),
    ("meter-devices", "type", False, True, [], [str(uuid4()), "no-uuid", 7, {}]),
    ("meter-devices", "network_interface", False, True, [], [str(uuid4()), "no-uuid"]),
    ("meter-devices", "task_groups", False, False, [[]], [[str(uuid4())], "x", [1]]),
    ("meter-devices", "meter_tasks", False, False, [[]], [[str(uuid4())], {}, 3]),
    ("meter-device-types", "organization", True, False, [], [str(uuid4()), "x", 1]),
    ("meter-device-types", "config", False, True, [], [str(uuid4()), "x"]),
    ("meter-device-configs", "organization", True, False, [], [str(uuid4()), ""]),
    ("meter-device-configs", "series", True, False, [[]], [[str(uuid4())], "x", ["x"], [None]]),
    (
        "meter-device-configs",
        "timezone",
        False,
        False,
        ["UTC", "Asia/Kathmandu", "Etc/GMT-2"],
        ["Mars/Base", "", 1],
    ),
    ("meter-reading-series", "organization", True, False, [], [str(uuid4()), []]),
    ("meter-reading-series", "si_multiplier", False, False, ["1000", "0.001"], ["x", "NaN", True, "1" * 19, []]),
    ("meter-reading-series", "affected_by_ct_ratio", False, False, [True, False], ["x", 1]),
    ("meter-reading-series", "affected_by_vt_ratio", False, False, [True, False], [2]),
    ("meter-reading-series", "kind", False, True, ["cumulative", "interval", "instantaneous"], ["other", 1]),
    ("staged-meter-readings", "timestamp", True, False, ["2026-03-01T00:00:00Z"], ["2026-03-01", "x", 1]),
    ("staged-meter-readings", "value", True, False, ["1.5", "-0.25", "0"], ["x", "Infinity", "", False, {}]),
    ("meter-system-events", "organization", True, False, [], [str(uuid4())]),
    ("meter-system-events", "meter_device", True, False, [], [str(uuid4()), "x"]),
    ("meter-system-events", "timestamp", True, False, ["2026-03-01T00:00:00Z"], ["2026-03-01T00:00:00", 12]),
    ("organizations", "is_active", False, False, [True, False], ["true", 1]),
    ("network-interfaces", "organization", True, False, [], [str(uuid4()), "x", 1]),
    (
        "network-interfaces",
        "static_ip_address",
        False,
        True,
        ["192.0.2.7", "0.0.0.0", "255.255.255.255", "2001:db8::7", "::"],  # noqa: S104 - a value, not a server
        _NO_ADDRESSES,
    ),
    ("network-interfaces", "port", False, True, [0, 1, 4059, 65_535], [-1, 65_536, 2**31, "80", 80.5, True]),
    ("network-interfaces", "sim", False, True, [], [str(uuid4()), "no-uuid", 7, []]),
    ("network-interfaces", "can_block", False, False, [True, False], ["true", 1, 0]),
    ("sim-cards", "organization", False, True, [], [str(uuid4()), "x"]),
    ("sim-cards", "ip_address", False, True, ["10.0.0.1", "fd00::1"], _NO_ADDRESSES),
    (
        "sim-cards",
        "external_system_link",
        False,
        True,
        ["https://example.org/sims/1?x=y#z", "http://192.0.2.7:8080/", "https://example.org/" + "a" * 180],
        [
            *("", " ", "example.org", "/sims/1", "javascript:alert(1)", "ftp://example.org", "http://", 1, []),
            *("https://", "https://[", "https://:80", "https://exam ple.org", "https://example.org/\n", "//x"),
            *("https://example.org:99999/", "https://example.org/" + "a" * 181),
        ],
    ),
    ("meter-security-keys", "meter", True, False, [], [str(uuid4()), "x", 1, {}]),
    ("amr-task-groups", "organization", True, False, [], [str(uuid4()), "x"]),
    ("amr-task-groups", "tasks", False, False, [[]], [[str(uuid4())], "x", [1], {}]),
    ("amr-tasks", "organization", True, False, [], [str(uuid4()), "x"]),
    ("amr-tasks", "is_active", False, False, [True, False], ["true", 1]),
    (
        "amr-tasks",
        "schedule",
        True,
        False,
        ["quarterly", "hourly", "daily", "weekly", "monthly", "yearly"],
        ["Hourly", "", "minutely", 1, ["daily"], {}],
    ),
    ("amr-tasks", "run_offset_seconds", False, False, [0, 1, 3599], [-1, 3600, 2**31, "60", 1.5, True]),
    (
        "amr-tasks",
        "meter_execution_type",
        True,
        False,
        ["generic_lis200", "generic_iec6205621", "generic_corus_meter"],
        ["generic", "", "GENERIC_LIS200", 1, []],
    ),
    (
        "amr-tasks",
        "task_kwargs",
        False,
        True,
        [{}, {"address": "1:180.0"}, {"a": {"b": [1, None, True, "x", []]}}, {"a": 10**30, "\u00e9": -(2**63)}],
        _NO_ARGUMENTS,
    ),
    ("memberships", "organization", True, False, [], [str(uuid4()), "x"]),
    ("memberships", "user", True, False, [], [str(uuid4()), "x"]),
]


def _id(case: tuple[Any, ...]) -> str:
    return f"{case[0]}-{case[1]}"


@pytest.mark.parametrize(("name", "field", "least", "most", "required", "nullable"), TEXTS, ids=map(_id, TEXTS))
def test_a_text_field_keeps_its_limits(
    tenant: Tenant, name: str, field: str, least: int, most: int, required: bool, nullable: bool
) -> None:
    collection = COLLECTIONS[name]
    body = collection.body(tenant)
    full = (unique("a").replace("-", "") + "a" * most)[:most]
    full = "abcDEF0123456789"[:most] * 4 if field.startswith("dlms") else full
    full = "8946071512360089522012"[:most] if name == "sim-cards" else full

    longest = tenant.staff.post(collection.path, json=body | {field: full[:most]})
    too_long = tenant.staff.post(collection.path, json=body | {field: "a" * (most + 1)})
    empty = tenant.staff.post(collection.path, json=collection.body(tenant) | {field: ""})
    null = tenant.staff.post(collection.path, json=collection.body(tenant) | {field: None})
    number = tenant.staff.post(collection.path, json=collection.body(tenant) | {field: 5})
    absent_body = collection.body(tenant)
    absent_body.pop(field, None)
    absent = tenant.staff.post(collection.path, json=absent_body)

    assert longest.status_code == 201, longest.text
    if (name, field) in WRITE_ONLY:
        assert field not in longest.json()
    else:
        assert longest.json()[field] == full[:most]
    assert (too_long.status_code, list(too_long.json())) == (400, [field])
    assert str(most) in too_long.json()[field][0]
    assert empty.status_code == (400 if least else 201)
    assert null.status_code == (201 if nullable else 400)
    assert (number.status_code, list(number.json())) == (400, [field])
    assert absent.status_code == (400 if required else 201)
    if required:
        assert absent.json() == {field: ["This field is required."]}


@pytest.mark.parametrize(("name", "field", "required", "nullable", "good", "bad"), OTHERS, ids=map(_id, OTHERS))
def test_a_field_accepts_its_values_and_refuses_others_by_name(
    tenant: Tenant, name: str, field: str, required: bool, nullable: bool, good: list[Any], bad: list[Any]
) -> None:
    collection = COLLECTIONS[name]

    for value in good:
        shown = collection.made(tenant, **{field: value})
        if field != "timestamp":
            assert shown[field] == value
    for value in bad:
        content = json.dumps(collection.body(tenant) | {field: value})
        answer = tenant.staff.post(collection.path, content=content)
        assert (answer.status_code, list(answer.json())) == (400, [field]), (value, answer.text)
        assert all(isinstance(message, str) for message in answer.json()[field])
    null = tenant.staff.post(collection.path, json=collection.body(tenant) | {field: None})
    assert null.status_code == (201 if nullable else 400), null.text
    absent_body = collection.body(tenant)
    absent_body.pop(field, None)
    absent = tenant.staff.post(collection.path, json=absent_body)
    assert absent.status_code == (400 if required else 201)


@pytest.mark.parametrize("field", ["dlms_logical_device_name", "dlms_system_title"])
@pytest.mark.parametrize("text", ["xyz", "0x12", "12 34", "12\n", "é"])
def test_dlms_names_are_hexadecimal(tenant: Tenant, field: str, text: str) -> None:
    body = COLLECTIONS["meter-devices"].body(tenant) | {field: text}

    answer = tenant.staff.post(f"{METERING}/meter-devices", json=body)

    assert (answer.status_code, list(answer.json())) == (400, [field])


@pytest.mark.parametrize("field", ["iccid", "imsi"])
@pytest.mark.parametrize("text", ["89x", "89 46", "-1", "8946\n", "٨٩٤٦", "89.46", "+46"])
def test_the_numbers_of_a_sim_card_are_plain_digits(tenant: Tenant, field: str, text: str) -> None:
    collection = COLLECTIONS["sim-cards"]

    answer = tenant.staff.post(collection.path, json=collection.body(tenant) | {field: text})

    assert (answer.status_code, list(answer.json())) == (400, [field])


def test_iccid_and_imsi_are_not_refused_for_a_check_digit_or_a_length(tenant: Tenant) -> None:
    for iccid, imsi in [("0", "0"), ("8946071512360089523", "999"), ("1" * 20, "0" * 15)]:
        shown = COLLECTIONS["sim-cards"].made(tenant, iccid=iccid, imsi=imsi)
        assert (shown["iccid"], shown["imsi"]) == (iccid, imsi)


@pytest.mark.parametrize("name", READABLE)
def test_an_answer_has_an_id_the_fields_and_utc_stamps(tenant: Tenant, name: str) -> None:
    collection = READABLE[name]

    shown = collection.made(tenant)

    assert next(iter(shown)) == "id"
    assert list(shown)[-2:] == ["created_at", "updated_at"]
    fields = [field.name for field in collection.resource.fields if (name, field.name) not in WRITE_ONLY]
    assert [*shown][1:-2] == fields
    assert shown["created_at"].endswith("Z")
    assert shown["updated_at"].endswith("Z")
    if name in INTEGER_IDS:
        assert isinstance(shown["id"], int)
    else:
        assert str(UUID(shown["id"])) == shown["id"]


@pytest.mark.parametrize("name", COLLECTIONS)
def test_read_only_fields_of_a_body_are_ignored(tenant: Tenant, name: str) -> None:
    collection = COLLECTIONS[name]
    sent: dict[str, Any] = {"id": str(uuid4()), "created_at": "2000-01-01T00:00:00Z", "updated_at": None}
    sent |= {field.name: "sent" for field in collection.resource.fields if field.read_only}
    sent["nobody_knows_this_field"] = 1

    shown = collection.made(tenant, **sent)

    assert shown["id"] != sent["id"]
    assert shown["created_at"] != sent["created_at"]
    assert shown["updated_at"]
    assert all(shown[f.name] != "sent" for f in collection.resource.fields if f.read_only)
    assert "nobody_knows_this_field" not in shown


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("name", COLLECTIONS)
def test_a_row_is_created_read_replaced_changed_and_deleted(tenant: Tenant, name: str, slash: str) -> None:
    collection = COLLECTIONS[name]
    body = collection.body(tenant)

    created = tenant.staff.post(f"{collection.path}{slash}", json=body)
    address = f"{collection.path}/{created.json()['id']}{slash}"
    read = tenant.staff.get(address)
    replaced = tenant.staff.put(address, json=body)
    changed = tenant.staff.patch(address, json={})
    deleted = tenant.staff.delete(address)

    assert created.status_code == 201
    assert (read.status_code, read.json()) == (200, created.json())
    if name in UNCHANGEABLE:
        assert (replaced.status_code, changed.status_code) == (405, 405)
        assert {*replaced.headers["allow"].replace(" ", "").split(",")} >= {"GET", "DELETE"}
        assert replaced.json() == {"detail": 'Method "PUT" not allowed.'}
    else:
        assert (replaced.status_code, changed.status_code) == (200, 200)
        stamps = {"updated_at": None}
        assert replaced.json() | stamps == changed.json() | stamps == created.json() | stamps
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert tenant.staff.get(address).status_code == 404
    assert tenant.staff.delete(address).status_code == 404


@pytest.mark.parametrize("name", READABLE)
@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_an_unknown_id_is_not_found(tenant: Tenant, name: str, method: str) -> None:
    collection = READABLE[name]
    if method in {"PUT", "PATCH"} and name in UNCHANGEABLE | READ_ONLY.keys():
        return
    if method == "DELETE" and name in READ_ONLY.keys() - DELETABLE:
        return
    unknown = [
        "999999999",
        "99999999999",
        "9" * 30,
        "-1",
        "1.5",
        str(uuid4()),
        "abc",
        "%00",
        "1_0",
        "+1",
        "%D9%A3",
    ]
    unknown.append("9" * 5000)

    for key in unknown:
        answer = tenant.staff.request(method, f"{collection.path}/{key}", json={})

        assert (answer.status_code, answer.json()["detail"]) == (404, "Not found."), key


@pytest.mark.parametrize("name", COLLECTIONS)
def test_a_method_that_a_collection_lacks_is_405(tenant: Tenant, name: str) -> None:
    for method in ("PUT", "PATCH", "DELETE"):
        answer = tenant.staff.request(method, COLLECTIONS[name].path, json={})

        assert (answer.status_code, answer.json()["detail"]) == (405, f'Method "{method}" not allowed.')
        assert "POST" in answer.headers["allow"]


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("name", READ_ONLY)
def test_what_the_platform_makes_itself_is_read_and_never_written(tenant: Tenant, name: str, slash: str) -> None:
    collection = READ_ONLY[name]
    row = collection.made(tenant)
    address = f"{collection.path}/{row['id']}{slash}"

    refused = [
        (path, tenant.staff.request(method, path, json=row))
        for path in (collection.path + slash, address)
        for method in ("POST", "PUT", "PATCH", "DELETE")
        if (method, path, name in DELETABLE) != ("DELETE", address, True)
    ]

    for path, answer in refused:
        allowed = {"GET", "OPTIONS"} | ({"DELETE"} if path == address and name in DELETABLE else set())
        assert (answer.status_code, list(answer.json())) == (405, ["detail"])
        assert set(answer.headers["allow"].replace(" ", "").split(",")) == allowed
    assert tenant.staff.found(address) == row
    assert row in tenant.staff.found(collection.path + slash, params={"limit": 1000})["results"]


def test_put_needs_the_required_fields_and_patch_does_not(tenant: Tenant) -> None:
    meter = tenant.meter(external_system_reference="crm-1")
    address = f"{METERING}/meter-devices/{meter['id']}"

    incomplete = tenant.staff.put(address, json={"external_system_reference": "crm-2"})
    changed = tenant.staff.patch(address, json={"external_system_reference": None})

    assert incomplete.status_code == 400
    assert set(incomplete.json()) == {"name", "protocol"}
    assert changed.json()["external_system_reference"] is None
    assert changed.json()["name"] == meter["name"]


def test_all_faults_of_a_body_are_named_at_once(staff: Client) -> None:
    answer = staff.post(f"{METERING}/meter-devices", json={"name": "", "protocol": "x", "has_disconnector": 3})

    assert answer.status_code == 400
    assert set(answer.json()) == {"name", "protocol", "has_disconnector"}


def test_a_series_list_of_a_config_is_unique_and_shown_with_its_series(tenant: Tenant) -> None:
    one, two = tenant.series(), tenant.series(unit="m3")
    body = COLLECTIONS["meter-device-configs"].body(tenant)

    repeated = tenant.staff.post(
        f"{METERING}/meter-device-configs", json=body | {"series": [one["id"], one["id"]]}
    )
    config = tenant.config(one, two)

    assert (repeated.status_code, list(repeated.json())) == (400, ["series"])
    assert set(config["series"]) == {one["id"], two["id"]}
    assert {row["name"] for row in config["series_info"]} == {one["name"], two["name"]}


def test_a_config_takes_every_zone_of_today_and_the_two_retired_ones(tenant: Tenant) -> None:
    config = tenant.config()
    address = f"{METERING}/meter-device-configs/{config['id']}"

    for zone in ["Asia/Hanoi", "US/Pacific-New", "Europe/Kyiv", "America/Nuuk", "Etc/GMT-2", "Asia/Kolkata"]:
        assert tenant.staff.patch(address, json={"timezone": zone}).json()["timezone"] == zone
    for zone in ["localtime", "posixrules", "Factory/", "../etc/passwd", "utc ", "europe/stockholm"]:
        answer = tenant.staff.patch(address, json={"timezone": zone})
        assert (answer.status_code, list(answer.json())) == (400, ["timezone"]), zone
    assert config["timezone"] == "UTC"
    assert len(available_timezones()) > 590


@pytest.mark.parametrize("kind", ["current", "voltage"])
def test_a_transformer_needs_a_ratio_above_zero(tenant: Tenant, kind: str) -> None:
    flag, ratio = f"has_{kind}_transformer", f"{kind}_transformer_ratio"
    meter = tenant.meter()
    address = f"{METERING}/meter-devices/{meter['id']}"

    for size in (0, -30):
        for refused in (
            tenant.staff.patch(address, json={flag: True, ratio: size}),
            tenant.staff.post(
                f"{METERING}/meter-devices",
                json=COLLECTIONS["meter-devices"].body(tenant) | {flag: True, ratio: size},
            ),
        ):
            assert (refused.status_code, list(refused.json())) == (400, [ratio])
    assert tenant.staff.patch(address, json={ratio: 0}).status_code == 200
    assert tenant.staff.patch(address, json={flag: True}).status_code == 400
    assert tenant.staff.patch(address, json={flag: True, ratio: 30}).json()[ratio] == 30
    assert tenant.staff.patch(address, json={ratio: -1}).status_code == 400


def test_a_meter_name_is_unique_within_its_organization_only(tenant: Tenant, stranger: Tenant) -> None:
    meter = tenant.meter()
    other = tenant.meter()

    repeated = tenant.staff.post(f"{METERING}/meter-devices", json={"name": meter["name"], "protocol": "mbus"})
    renamed = tenant.staff.patch(f"{METERING}/meter-devices/{other['id']}", json={"name": meter["name"]})
    elsewhere = stranger.meter(name=meter["name"])

    assert (repeated.status_code, list(repeated.json())) == (400, ["name"])
    assert (renamed.status_code, list(renamed.json())) == (400, ["name"])
    assert elsewhere["name"] == meter["name"]


def test_a_meter_belongs_to_the_callers_organization_unless_it_says_otherwise(tenant: Tenant) -> None:
    subsidiary = COLLECTIONS["organizations"].made(tenant)

    assert tenant.meter()["organization"] == tenant.id
    assert tenant.meter(organization=None)["organization"] == tenant.id
    assert tenant.meter(organization=subsidiary["id"])["organization"] == subsidiary["id"]


def test_a_meter_has_its_sensor_id_from_its_creation_on(tenant: Tenant) -> None:
    meter = tenant.meter()

    assert isinstance(meter["sensor_id"], int)
    assert tenant.staff.found(f"{METERING}/meter-devices/{meter['id']}")["sensor_id"] == meter["sensor_id"]


def test_decimals_are_strings_that_keep_every_digit(tenant: Tenant) -> None:
    for sent, shown in [("1000", "1000"), (0.001, "0.001"), (12, "12"), ("1.50", "1.50"), ("1E3", "1000")]:
        assert tenant.series(si_multiplier=sent)["si_multiplier"] == shown
    assert tenant.series()["si_multiplier"] == "1"


def test_what_points_into_another_organization_is_refused_and_nothing_is_written(
    tenant: Tenant, stranger: Tenant
) -> None:
    home, theirs = tenant.home(), stranger.home()
    bodies = [
        ("meter-devices", {"type": theirs.type["id"]}),
        ("meter-devices", {"organization": stranger.id}),
        ("meter-device-types", {"config": theirs.config["id"]}),
        ("meter-device-types", {"organization": stranger.id}),
        ("meter-device-configs", {"series": [theirs.series["id"]]}),
        ("meter-device-configs", {"organization": stranger.id}),
        ("meter-reading-series", {"organization": stranger.id}),
        ("meter-system-events", {"meter_device": theirs.meter["id"]}),
        ("meter-system-events", {"organization": stranger.id}),
    ]

    for name, wrong in bodies:
        collection = COLLECTIONS[name]
        body = collection.body(tenant)
        before = tenant.staff.found(collection.path)["count"]
        answer = tenant.staff.post(collection.path, json=body | wrong)
        assert answer.status_code == 400, (name, wrong)
        assert set(answer.json()) <= {*wrong, "meter_device"}
        assert tenant.staff.found(collection.path)["count"] == before
    for path, wrong in [
        (f"meter-devices/{home.meter['id']}", {"type": theirs.type["id"]}),
        (f"meter-device-types/{home.type['id']}", {"config": theirs.config["id"]}),
        (f"meter-device-configs/{home.config['id']}", {"series": [theirs.series["id"]]}),
        (f"meter-reading-series/{home.series['id']}", {"organization": stranger.id}),
    ]:
        assert tenant.staff.patch(f"{METERING}/{path}", json=wrong).status_code == 400


def test_a_row_never_moves_to_another_organization(tenant: Tenant) -> None:
    subsidiary, series = COLLECTIONS["organizations"].made(tenant), tenant.series()

    answer = tenant.staff.patch(
        f"{METERING}/meter-reading-series/{series['id']}", json={"organization": subsidiary["id"]}
    )

    assert (answer.status_code, list(answer.json())) == (400, ["organization"])


def test_deleting_what_others_point_to_leaves_them_without_it(tenant: Tenant) -> None:
    home = tenant.home()

    assert tenant.staff.delete(f"{METERING}/meter-reading-series/{home.series['id']}").status_code == 204
    assert tenant.staff.found(f"{METERING}/meter-device-configs/{home.config['id']}")["series"] == []
    assert tenant.staff.delete(f"{METERING}/meter-device-configs/{home.config['id']}").status_code == 204
    assert tenant.staff.found(f"{METERING}/meter-device-types/{home.type['id']}")["config"] is None
    assert tenant.staff.delete(f"{METERING}/meter-device-types/{home.type['id']}").status_code == 204
    assert tenant.staff.found(f"{METERING}/meter-devices/{home.meter['id']}")["type"] is None


def _lost_meanwhile(monkeypatch: pytest.MonkeyPatch, engine: sa.Engine, table: str, identifier: str) -> None:
    """Let another process delete a row right after this one has found that it exists."""
    check = crud._check_references

    def check_and_lose(*arguments: Any) -> None:
        check(*arguments)
        with unit_of_work(engine) as connection:
            connection.execute(sa.text(f"DELETE FROM wattloom.{table} WHERE id = :id"), {"id": identifier})

    monkeypatch.setattr(crud, "_check_references", check_and_lose)


def test_what_is_deleted_while_a_row_that_needs_it_is_written_is_400(
    tenant: Tenant, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tenant.home()
    cases = [
        ("meter_device_type", home.type, "meter-devices", {"type": home.type["id"]}),
        ("meter_reading_series", home.series, "meter-device-configs", {"series": [home.series["id"]]}),
    ]

    for table, row, name, change in cases:
        body = COLLECTIONS[name].body(tenant) | change
        with monkeypatch.context() as patch:
            _lost_meanwhile(patch, engine, table, row["id"])
            answer = tenant.staff.post(COLLECTIONS[name].path, json=body)
        assert (answer.status_code, list(answer.json())) == (400, ["non_field_errors"]), answer.text
