"""Lists: pages, their links, and filters."""

from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.api.callers import METERING, Client, Tenant, unique
from tests.api.catalog import COLLECTIONS, READ_ONLY, READABLE


def _follow(caller: Client, link: str) -> Any:
    parts = urlsplit(link)
    return caller.found(f"{parts.path}?{parts.query}")


@pytest.mark.parametrize("name", READABLE)
@pytest.mark.parametrize("slash", ["", "/"])
def test_the_pages_of_a_list_hold_every_row_once(fresh: Tenant, name: str, slash: str) -> None:
    collection = READABLE[name]
    for _ in range(5):
        collection.made(fresh)
    everything = fresh.staff.found(collection.path + slash)

    page, seen = fresh.staff.found(f"{collection.path}{slash}?limit=2"), []
    while True:
        seen += page["results"]
        assert page["count"] == everything["count"] >= 5
        last = page
        if page["next"] is None:
            break
        page = _follow(fresh.staff, page["next"])
    while last["previous"] is not None:
        last = _follow(fresh.staff, last["previous"])

    assert list(everything) == ["count", "next", "previous", "results"]
    assert (everything["next"], everything["previous"]) == (None, None)
    assert seen == everything["results"]
    assert last["results"] == seen[:2]


def test_a_list_has_100_rows_unless_told_and_never_more_than_1000(fresh: Tenant) -> None:
    rows = [
        {
            "meter_device_name": "nobody",
            "series_name": "s",
            "timestamp": f"2026-01-01T00:00:00.{n:06}Z",
            "value": n,
        }
        for n in range(1002)
    ]
    fresh.deliver(rows)
    path = f"{METERING}/staged-meter-readings"

    assert len(fresh.staff.found(path)["results"]) == 100
    assert len(fresh.staff.found(path, params={"limit": 1001})["results"]) == 1000
    page = fresh.staff.found(path, params={"limit": 10**15})
    assert (page["count"], len(page["results"])) == (1002, 1000)
    assert len(_follow(fresh.staff, page["next"])["results"]) == 2
    beyond = fresh.staff.found(path, params={"offset": 5000})
    assert (beyond["count"], beyond["results"], beyond["next"]) == (1002, [], None)


@pytest.mark.parametrize("name", ["limit", "offset"])
@pytest.mark.parametrize("text", ["-1", "x", "1.5", "9" * 30, "9" * 5000, "1_0", "%00", "1e3", "%D9%A3", "+ 1"])
def test_a_wrong_limit_or_offset_is_refused_by_name(staff: Client, name: str, text: str) -> None:
    answer = staff.get(f"{METERING}/meter-devices?{name}={text}")

    assert (answer.status_code, list(answer.json())) == (400, [name])


FILTERS = [
    ("meter-devices", "name", "name"),
    ("meter-devices", "external_system_reference", "external_system_reference"),
    ("meter-devices", "manufacturer_serial", "manufacturer_serial"),
    ("meter-devices", "dlms_logical_device_name", "dlms_logical_device_name"),
    ("meter-devices", "dlms_system_title", "dlms_system_title"),
    ("meter-reading-series", "name", "name"),
    ("meter-reading-series", "unit", "unit"),
    ("staged-meter-readings", "meter_device_name", "meter_device_name"),
    ("sim-cards", "iccid", "iccid"),
    ("sim-cards", "imsi", "imsi"),
]


@pytest.mark.parametrize(("name", "query", "field"), FILTERS)
def test_a_filter_matches_exactly(fresh: Tenant, name: str, query: str, field: str) -> None:
    collection = COLLECTIONS[name]
    texts = ("89460", "894601", "089460") if name == "sim-cards" else ("abcdef01", "abcdef012", "ABCDEF01")
    rows = [collection.made(fresh, **{field: text}) for text in texts]

    found = fresh.staff.found(collection.path, params={query: texts[0]})
    part = fresh.staff.found(collection.path, params={query: texts[0][:-1]})
    empty = fresh.staff.found(collection.path, params={query: ""})

    assert [row["id"] for row in found["results"]] == [rows[0]["id"]]
    assert (part["count"], part["results"]) == (0, [])
    assert empty["count"] >= 3


def test_filters_combine_and_stay_in_the_links(fresh: Tenant) -> None:
    odd = unique("kWh &?=%é")[:10]
    for _ in range(3):
        fresh.series(unit=odd)
    fresh.series(unit="m3")

    page = fresh.staff.found(f"{METERING}/meter-reading-series", params={"unit": odd, "limit": 2})
    following = _follow(fresh.staff, page["next"])
    none = fresh.staff.found(f"{METERING}/meter-reading-series", params={"unit": odd, "name": "x"})

    assert (page["count"], len(page["results"])) == (3, 2)
    assert (following["count"], len(following["results"])) == (3, 1)
    assert {row["unit"] for row in following["results"]} == {odd}
    assert none["count"] == 0


@pytest.mark.parametrize("name", ["meter-system-events", "staged-meter-readings"])
def test_a_time_filter_includes_its_start_and_excludes_its_end(fresh: Tenant, name: str) -> None:
    collection = COLLECTIONS[name]
    for hour in range(4):
        collection.made(fresh, timestamp=f"2026-03-01T0{hour}:00:00Z")

    page = fresh.staff.found(
        collection.path, params={"start_time": "2026-03-01T01:00:00Z", "end_time": "2026-03-01T04:00:00+01:00"}
    )

    assert [row["timestamp"] for row in page["results"]] == ["2026-03-01T01:00:00Z", "2026-03-01T02:00:00Z"]


def test_events_are_found_by_their_meter(fresh: Tenant, stranger: Tenant) -> None:
    one, two = fresh.home(), fresh.home()
    event = fresh.event(one)
    fresh.event(two)
    path = f"{METERING}/meter-system-events"

    found = fresh.staff.found(path, params={"meter_device": one.meter["id"]})
    foreign = stranger.staff.found(path, params={"meter_device": one.meter["id"]})

    assert [row["id"] for row in found["results"]] == [event["id"]]
    assert foreign["count"] == 0


@pytest.mark.parametrize("name", ["meter-system-events", "staged-meter-readings", "meter-readings", *READ_ONLY])
@pytest.mark.parametrize("query", ["start_time", "end_time"])
@pytest.mark.parametrize(
    "text", ["x", "2026-03-01T00:00:00", "1", "9999-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "%00"]
)
def test_a_wrong_time_filter_is_refused_by_name(staff: Client, name: str, query: str, text: str) -> None:
    answer = staff.get(f"{METERING}/{name}?{query}={text}")

    assert (answer.status_code, list(answer.json())) == (400, [query])


@pytest.mark.parametrize(
    ("name", "query"),
    [
        ("meter-system-events", "meter_device"),
        ("meter-readings", "series"),
        ("meter-security-keys", "meter"),
        ("amr-jobs", "meter_device"),
        ("amr-jobs", "amr_task"),
    ],
)
def test_an_id_filter_that_is_no_uuid_is_refused_by_name(staff: Client, name: str, query: str) -> None:
    answer = staff.get(f"{METERING}/{name}?{query}=17")

    assert (answer.status_code, list(answer.json())) == (400, [query])
