"""``/api/v1``: rows in by JSON and by form, what became of them, and rows out; by a source's secret."""

import json
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from pipelines import clock
from pipelines.accounts.sources import REQUESTS, create_source
from pipelines.db.engine import unit_of_work
from pipelines.registry.catalogue import TABLES
from tests.api.callers import METERING, Client, Tenant, unique


@pytest.fixture
def source(fresh: Tenant) -> Client:
    """The organization's source."""
    return Client(fresh.anonymous.transport, f"Bearer {fresh.credentials['source']['secret']}")


def meter(**changes: Any) -> dict[str, Any]:
    row = {
        "customer_external_id": "C",
        "device_external_id": "D",
        "serial_number": unique("S"),
        "manufacturer": "M",
    }
    return row | changes


def test_an_import_is_answered_when_its_rows_are_stored(source: Client) -> None:
    answer = source.made("/api/v1/in/customers", {"data": [{"external_id": "1"}, {"external_id": "2"}]})

    assert isinstance(answer["id"], int)
    assert answer["created_at"].endswith("Z")
    assert answer["status"] == "Import started"
    shown = source.found(f"/api/v1/imports/{answer['id']}")
    assert (shown["status"], shown["rows"], shown["inserted"]) == ("done", 2, 2)
    assert source.found("/api/v1/out/customers/")["count"] == 2


def test_a_large_import_goes_on_after_the_answer(source: Client) -> None:
    answer = source.made("/api/v1/in/customers", [{"external_id": str(n)} for n in range(25_000)])

    for _ in range(100):
        shown = source.found(f"/api/v1/imports/{answer['id']}")
        if shown["status"] == "done":
            break
        time.sleep(0.2)
    assert (shown["status"], shown["inserted"]) == ("done", 25_000)


@pytest.mark.parametrize("name", ["meters.csv", "wrong.json", "no-name"])
def test_a_form_brings_a_file_that_is_known_by_its_content(source: Client, name: str) -> None:
    text = source.get("/api/v1/in/meters/example.csv")
    assert text.headers["content-type"].startswith("text/csv")

    answer = source.post("/api/v1/in/meters", files={"file": (name, text.content)})

    assert answer.status_code == 201
    row = source.found("/api/v1/out/meters")["data"][0]
    assert list(row) == [c.name for c in TABLES["meters"].columns]
    assert row["customer_latitude"] == 0.316
    assert len(row["customer_name"]) == 64


def test_a_mixed_import_keeps_the_good_rows_and_says_what_is_wrong_with_the_others(source: Client) -> None:
    rows = [meter(), meter(max_power_w="1,5", customer_gender="x"), meter(serial_number=None)]

    answer = source.made("/api/v1/in/meters", rows)

    assert (answer["rows"], answer["rejected"]) == (3, 2)
    listed = source.found(f"/api/v1/imports/{answer['id']}/rows", params={"status": "rejected"})
    assert [(v["row"], v["column"], v["code"]) for v in listed["data"]] == [
        (2, "customer_gender", "invalid_choice"),
        (2, "max_power_w", "decimal_comma"),
        (3, "serial_number", "required"),
    ]
    assert all(v["detail"].endswith(".") for v in listed["data"])
    assert source.found("/api/v1/out/meters")["count"] == 1


def test_an_import_without_a_good_row_is_422_with_every_reason(source: Client) -> None:
    answer = source.post("/api/v1/in/customers", json={"external_id": "1", "birth_year": "1990,5"})

    assert answer.status_code == 422
    assert answer.headers["content-type"].startswith("application/problem+json")
    (error,) = answer.json()["errors"]
    assert (error["row"], error["column"], error["code"]) == (1, "birth_year", "decimal_comma")
    assert "1990" not in answer.text
    assert source.found(f"/api/v1/imports/{answer.json()['import_id']}")["status"] == "refused"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty"),
        (b"{", "unreadable"),
        (b"name\nAnn\n", "missing_column"),
        (b"external_id,external_id\n1,2\n", "duplicate_column"),
    ],
)
def test_a_body_that_cannot_be_understood_is_422_with_one_reason(
    source: Client, content: bytes, code: str
) -> None:
    for answer in (
        source.post("/api/v1/in/customers", content=content),
        source.post("/api/v1/in/customers", files={"file": ("x", content)}),
    ):
        assert answer.status_code == 422
        assert [error["code"] for error in answer.json()["errors"]] == [code]


def test_a_form_without_a_file_and_a_broken_form_are_400(source: Client) -> None:
    broken = {"content-type": "multipart/form-data; boundary=x"}
    for answer in (
        source.post("/api/v1/in/customers", files={"other": ("x", b"external_id\n1\n")}),
        source.post("/api/v1/in/customers", files=[("file", ("a", b"1")), ("file", ("b", b"2"))]),
        source.post("/api/v1/in/customers", content=b"--x\r\nbroken", headers=broken),
        source.post("/api/v1/in/customers", content=b"", headers={"content-type": "multipart/form-data"}),
    ):
        assert answer.status_code == 400
        assert list(answer.json()["errors"]) == ["file"]


def test_a_dry_run_and_a_limit_are_taken_from_the_query(source: Client) -> None:
    rows = [{"external_id": "1"}, {"external_id": ""}]

    dry = source.post("/api/v1/in/customers?dry_run=true", json=rows)
    refused = source.post("/api/v1/in/customers?max_rejected=0.1", json=rows)

    assert (dry.status_code, dry.json()["status"]) == (201, "Import checked, nothing stored")
    assert refused.status_code == 422
    assert "1 of 2 rows" in refused.json()["detail"]
    assert source.found("/api/v1/out/customers")["count"] == 0
    for query in ("dry_run=perhaps", "max_rejected=many", "max_rejected=2.5", "max_rejected=-1"):
        assert source.post(f"/api/v1/in/customers?{query}", json=rows).status_code == 400


def test_rows_out_are_filtered_sorted_and_paged(source: Client) -> None:
    source.made("/api/v1/in/customers", [{"external_id": str(n), "birth_year": 1990 + n % 3} for n in range(7)])

    def out(**query: Any) -> list[str]:
        return [row["external_id"] for row in source.found("/api/v1/out/customers/", params=query)["data"]]

    assert out(**{"q[birth_year_eq]": "1990"}) == ["0", "3", "6"]
    assert out(**{"q[s]": "external_id desc", "size": "2", "page": "2"}) == ["4", "3"]
    assert out(**{"q[external_id_eq]": "5", "q[s]": "created_at desc"}) == ["5"]
    assert out(**{"q[uid_eq]": "nobody"}) == []
    for wrong in (
        {"q[nothing_eq]": "1"},
        {"q[birth_year_gt]": "1"},
        {"q[birth_year_eq]": "x"},
        {"q[created_at_eq]": "yesterday"},
        {"q[s]": "nothing desc"},
        {"q[s]": "uid sideways"},
        {"q[custom_eq]": "{}"},
        {"q": "1"},
        {"size": "0"},
        {"page": "x"},
        {"q[external_id_eq]": "\0"},
    ):
        assert source.get("/api/v1/out/customers/", params=wrong).status_code == 400, wrong


def test_the_last_writer_is_noted_and_the_first_one_stays(
    fresh: Tenant, source: Client, engine: sa.Engine
) -> None:
    with unit_of_work(engine) as connection:
        made = create_source(connection, fresh.id, "second")
    second = Client(fresh.anonymous.transport, f"Bearer {made['secret']}")
    first_import = source.made("/api/v1/in/customers", {"external_id": "1"})["id"]
    second_import = second.made("/api/v1/in/customers", {"external_id": "1", "country": "ug"})["id"]

    (row,) = source.found("/api/v1/out/customers")["data"]
    assert (row["import_id"], row["last_import_id"]) == (first_import, second_import)
    assert (row["source_id"], row["last_source_id"]) == (fresh.credentials["source"]["id"], made["id"])
    assert row["country"] == "UG"
    assert row["updated_at"] > row["created_at"]


def test_a_registry_meter_is_linked_to_the_device_of_its_serial_number(
    fresh: Tenant, source: Client, engine: sa.Engine
) -> None:
    def linked() -> Any:
        with unit_of_work(engine) as connection:
            query = sa.text("SELECT meter_device_id FROM wattloom.registry_meter WHERE organization_id = :o")
            return connection.scalar(query, {"o": fresh.credentials["organization"]["number"]})

    row = meter()
    source.made("/api/v1/in/meters", row)
    assert linked() is None
    device = fresh.meter(manufacturer_serial=row["serial_number"])
    assert str(linked()) == device["id"]
    fresh.staff.patch(f"{METERING}/meter-devices/{device['id']}", json={"manufacturer_serial": "other"})
    assert linked() is None
    fresh.staff.patch(
        f"{METERING}/meter-devices/{device['id']}", json={"manufacturer_serial": row["serial_number"]}
    )
    source.made("/api/v1/in/meters", row)
    assert str(linked()) == device["id"]
    assert fresh.staff.delete(f"{METERING}/meter-devices/{device['id']}").status_code == 204
    assert linked() is None


def test_the_301st_request_of_a_minute_is_429_and_says_when_to_come_back(
    fresh: Tenant, source: Client, engine: sa.Engine
) -> None:
    path = "/api/v1/in/customers/example.csv"
    assert {source.get(path).status_code for _ in range(REQUESTS)} == {200}

    refused = source.get(path)

    assert refused.status_code == 429
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert fresh.staff.get(path).status_code == 200
    with unit_of_work(engine) as connection:
        other = create_source(connection, fresh.id, "second")
    assert Client(source.transport, f"Bearer {other['secret']}").get(path).status_code == 200
    clock.start_at(clock.now() + timedelta(seconds=61))
    assert source.get(path).status_code == 200


def test_only_a_source_or_staff_comes_in(fresh: Tenant) -> None:
    for caller in (fresh.anonymous, fresh.reader(), fresh.bearer(), Client(fresh.anonymous.transport, "Bearer x")):
        for method, path in (("POST", "in/customers"), ("GET", "out/customers"), ("GET", "imports/1")):
            answer = caller.request(method, f"/api/v1/{path}")
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"]
    assert fresh.staff.made("/api/v1/in/customers/", {"external_id": "1"})["rows"] == 1


def test_what_belongs_to_another_organization_is_never_seen_nor_touched(
    source: Client, new_tenant: Callable[[], Tenant]
) -> None:
    made = source.made("/api/v1/in/customers", [{"external_id": "same", "country": "UG"}, {}])
    stranger = new_tenant()
    foreign = Client(source.transport, f"Bearer {stranger.credentials['source']['secret']}")
    foreign.made("/api/v1/in/customers", {"external_id": "same", "country": "SE"})

    for path in (f"imports/{made['id']}", f"imports/{made['id']}/rows", "imports/999999999999", "out/nothing"):
        assert foreign.get(f"/api/v1/{path}").status_code == 404
    assert [row["country"] for row in source.found("/api/v1/out/customers")["data"]] == ["UG"]
    assert [row["country"] for row in foreign.found("/api/v1/out/customers")["data"]] == ["SE"]


def test_an_organization_goes_with_its_registry(fresh: Tenant, engine: sa.Engine) -> None:
    child = fresh.staff.made("/v1/organizations", {"name": unique("Subsidiary")})
    with unit_of_work(engine) as connection:
        secret = create_source(connection, child["id"], "x")["secret"]
    Client(fresh.anonymous.transport, f"Bearer {secret}").made("/api/v1/in/meters", meter(grid_name="G"))

    assert fresh.staff.delete(f"/v1/organizations/{child['id']}").status_code == 204

    with unit_of_work(engine) as connection:
        for table in ("registry_meter", "registry_grid", "registry_import", "registry_waiting"):
            column = "import_id" if table.endswith("waiting") else "organization_id"
            query = sa.text(f"SELECT count(*) FROM wattloom.{table} WHERE {column} = :n")
            assert connection.scalar(query, {"n": child["number"]}) == 0 or column == "import_id"


def test_no_generated_body_is_an_error_of_ours(source: Client) -> None:
    bodies: list[Any] = [
        None,
        1,
        "x",
        [],
        [[]],
        {},
        {"data": None},
        {"data": []},
        {"external_id": {"a": 1}},
        [None],
    ]
    for table in TABLES:
        for body in bodies:
            answer = source.post(f"/api/v1/in/{table}", content=json.dumps(body))
            assert answer.status_code in {201, 422}, (body, answer.text)
