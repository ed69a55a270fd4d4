"""Whatever is sent, the answer is a clear 4xx in the family's shape, never a 500."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import uvicorn
from litestar import Litestar

from tests.api.callers import METERING, Client, Home, Tenant, faults
from tests.api.catalog import COLLECTIONS, READABLE, UNCHANGEABLE, routes

WRITES = [
    ("POST", "/v1/metering/meter-devices"),
    ("POST", "/v1/metering/meter-readings"),
    ("POST", "/v1/metering/new-meter-readings"),
    ("POST", "/v1/metering/meter-security-keys"),
    ("POST", "/v1/metering/amr-tasks"),
    ("POST", "/v1/metering/amr-tasks/invoke"),
    ("POST", "/v1/organizations"),
    ("POST", "/v1/auth/jwt/token"),
    ("POST", "/auth/token"),
    ("POST", "/auth/token/refresh"),
]
MALFORMED = {
    "empty": b"",
    "blank": b"  \n",
    "cut short": b'{"name": "m',
    "trailing comma": b'{"name": "m",}',
    "single quotes": b"{'name': 'm'}",
    "two values": b"{} {}",
    "no JSON": b"name=m&protocol=mbus",
    "broken UTF-8": b'{"name": "\xff\xfe"}',
    "raw surrogate": b'{"name": "\xed\xa0\x80"}',
    "UTF-16": '{"name": "m"}'.encode("utf-16"),
    "byte order mark": b'\xef\xbb\xbf{"name": "m"}',
    "NUL": b'{"name": "m"}\0',
    "deep lists": b"[" * 200_000,
    "deep objects": b'{"a":' * 200_000,
    "deep and closed": b"[" * 50_000 + b"]" * 50_000,
    "deep in a field": b'{"name":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    "leading zero": b'{"name": 01}',
    "scalar": b"5",
    "text": b'"name"',
    "null": b"null",
    "true": b"true",
    "control character": b'{"name": "a\x01b"}',
}


@pytest.mark.parametrize("kind", MALFORMED)
def test_a_malformed_body_is_refused_with_the_shape_of_its_family(staff: Client, kind: str) -> None:
    for method, path in WRITES:
        answer = staff.request(method, path, content=MALFORMED[kind])

        assert answer.status_code == 400, (path, answer.text[:200])
        if path.startswith("/v1"):
            assert answer.headers["content-type"] == "application/json"
            assert set(answer.json()) <= {"detail", "non_field_errors", "name", "protocol", "organization"} | {
                "username",
                "password",
                "meter_device",
                "series",
                "timestamp",
                "value",
                "meter",
                "schedule",
                "meter_execution_type",
                "task_call",
            }
        else:
            assert answer.headers["content-type"] == "application/problem+json"
            assert set(answer.json()) >= {"type", "title", "status", "detail"}


def test_what_an_interpreter_may_still_read_of_deep_lists_is_no_value_of_any_field(staff: Client) -> None:
    deep = b"[" * 5_000 + b"]" * 5_000

    for method, path in WRITES:
        for body in (deep, b'{"name":' + deep + b"}"):
            answer = staff.request(method, path, content=body)

            if answer.status_code == 201:
                assert path.endswith("/new-meter-readings")
                assert answer.json()["accepted"] == answer.json()["staged"] == 0
                assert answer.json()["rejected"][0]["detail"]
            else:
                assert answer.status_code == 400, (path, answer.text[:200])


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/xml", "multipart/form-data", "x/y; charset=@", ""]
)
def test_the_content_type_of_a_body_does_not_matter(tenant: Tenant, content_type: str) -> None:
    body = json.dumps(COLLECTIONS["meter-devices"].body(tenant)).encode()

    answer = tenant.staff.post(f"{METERING}/meter-devices", content=body, headers={"Content-Type": content_type})

    assert answer.status_code == 201, answer.text


def test_of_repeated_keys_the_last_counts(tenant: Tenant) -> None:
    answer = tenant.staff.post("/v1/organizations", content=b'{"name": "first", "name": "last"}')

    assert (answer.status_code, answer.json()["name"]) == (201, "last")


NASTY: list[Any] = [
    None,
    True,
    0,
    -1,
    1.5,
    10**30,
    10**400,
    2**63,
    -(2**63) - 1,
    "",
    " ",
    "\0",
    "a\0b",
    "\ud800",
    "x" * 100_000,
    "NaN",
    "Infinity",
    "1e999999999",
    "\u202e\u0000",
    "😀" * 60,
    [],
    [None],
    ["\ud800"],
    [[[[[]]]]],
    {},
    {"\0": "\ud800"},
    {"id": 1},
]


@pytest.mark.parametrize("name", COLLECTIONS)
def test_no_value_of_any_field_breaks_a_resource(tenant: Tenant, name: str) -> None:
    collection = COLLECTIONS[name]
    row = collection.made(tenant)
    body = collection.body(tenant)
    # Elsewhere POST and PUT are generated; here every value meets every field once.
    requests = [
        ("PATCH", f"{collection.path}/{row['id']}") if name not in UNCHANGEABLE else ("POST", collection.path)
    ]

    for field in [*(f.name for f in collection.resource.fields), "id", "created_at", "unknown"]:
        for value in NASTY:
            content = json.dumps(body | {field: value})
            for method, path in requests:
                answer = tenant.staff.request(method, path, content=content)
                assert answer.status_code < 500, (method, field, value, answer.text)
                if answer.status_code == 400:
                    others = ("already exists", "cannot be moved", "unique set")  # the field itself was right
                    assert field in faults(answer) or any(text in answer.text for text in others), answer.text


@pytest.mark.parametrize("path", ["meter-readings", "new-meter-readings"])
def test_no_value_of_any_field_breaks_a_reading(tenant: Tenant, path: str) -> None:
    home = tenant.home()
    body = home.named() if path.startswith("new") else home.reading()

    for field in body:
        for value in [*NASTY, "2026-13-01T00:00:00Z", "2026-03-01T24:00:01Z", "2026-03-01T00:00:00+99:00", "٢٠٢٦"]:
            content = json.dumps(body | {field: value})
            answer = tenant.staff.post(f"{METERING}/{path}", content=content)
            listed = tenant.staff.post(f"{METERING}/{path}", content=f"[{content}]")
            assert answer.status_code < 500, (field, value)
            assert listed.status_code < 500, (field, value)
            if path.startswith("new"):
                assert answer.json() == listed.json(), (field, value)


@pytest.mark.parametrize("name", READABLE)
def test_no_id_in_a_path_breaks_a_route(tenant: Tenant, name: str) -> None:
    for key in [
        "%00",
        "%ff",
        "%ED%A0%80",
        "%2e%2e",
        "..%2f..",
        "a%0ab",
        "%F0%9F%98%80",
        "x" * 3000,
        "%25",
        "'",
        '"',
        "*",
    ]:
        for method in ("GET", "PATCH", "DELETE"):
            answer = tenant.staff.request(method, f"{READABLE[name].path}/{key}", content=b"{}")
            assert answer.status_code in {404, 405}, (method, key, answer.text)


@pytest.mark.parametrize(
    "key", ["%00", "%ff", "1_0", "+1", "-1", "1.0", "9" * 12, "9" * 5000, "x", "%D9%A3", "2147483648"]
)
def test_no_sensor_id_breaks_a_route(tenant: Tenant, key: str) -> None:
    for suffix in ("", "/sm/disag/month", "/sm/reports/monthly", "/sm/reports/weekly", "/sm/disag/month/weeks"):
        answer = tenant.staff.get(f"/sensors/{key}{suffix}?year=2026&month=3")

        assert answer.status_code == 404, (suffix, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"


def test_no_query_breaks_a_list(tenant: Tenant, app: Litestar) -> None:
    names = ["limit", "offset", "name", "meter_device", "series", "start_time", "end_time", "unit", "year", "x%00"]
    names += ["meter", "meter_name", "iccid", "amr_task", "state"]
    texts = ["", "%00", "%ff", "%ED%A0%80", "9" * 400, "x" * 3000, "%zz", "[]", "a&limit=b"]

    for method, path in routes(app):
        if method == "GET" and path.startswith(("/v1/", "/sensors")) and "{" not in path:
            for name in names:
                for text in texts:
                    answer = tenant.staff.get(f"{path}?{name}={text}")
                    assert answer.status_code < 500, (path, name, text)


def test_an_unknown_path_is_not_found_in_the_shape_of_its_family(staff: Client) -> None:
    for path in ("/v1/metering/nothing", "/v1", "/v1/metering", "/v1/organizations/a/b", "/v1/auth/jwt"):
        answer = staff.get(path)
        assert (answer.status_code, answer.json()) == (404, {"detail": "Not found."}), path
    for path in ("/", "/nothing", "/sensors/1/sm", "/docs/assets/../../secret", "/docs/assets/no.css"):
        answer = staff.get(path)
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json", path


def test_a_body_above_the_limit_is_413_and_leaves_no_row(tenant: Tenant) -> None:
    home = tenant.home()
    row = json.dumps(home.named()).encode()
    body = b"[" + row + b"," + b" " * 33_000_000 + row + b"]"

    answer = tenant.staff.post(f"{METERING}/new-meter-readings", content=body)

    assert (answer.status_code, list(answer.json())) == (413, ["detail"])
    assert tenant.readings(home) == []


@pytest.fixture(scope="module")
def address(app: Litestar) -> Iterator[tuple[str, int]]:
    """Host and port of a real server: what a test client cannot send, a socket can."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        host, port = listener.getsockname()
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off", ws="none"))
        thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])))
        thread.start()
        deadline = time.monotonic() + 10
        while not server.started and time.monotonic() < deadline:
            time.sleep(0.02)
        yield host, port
        server.should_exit = True
        thread.join()


def _sent(address: tuple[str, int], data: bytes) -> int:
    """Return the status of a raw request."""
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(data)
        return int(connection.recv(4096).split(b" ", 2)[1])


@pytest.mark.parametrize(
    "target",
    [
        b"/v1/metering/meter-devices/%ff%fe",
        b"/v1/metering/meter-devices/\xff",
        b"/v1/metering/meter-devices?name=\xff",
        b"/v1/metering/meter-devices?name=%ff%00",
        b"/v1/metering/meter-devices?%ff=%ff",
        b"/v1/metering/meter-devices?limit=",
        b"/v1/metering/meter-devices?;;&&==&",
        b"//v1/metering/meter-devices",
        b"/v1//metering/../metering/meter-devices",
        b"/sensors/%00",
        b"/sensors/" + b"9" * 6000,
        b"/" + b"a" * 60_000,
        b"*",
        b"http://other/v1/metering/meter-devices",
    ],
)
def test_no_request_line_is_a_server_error(tenant: Tenant, address: tuple[str, int], target: bytes) -> None:
    token = tenant.credentials["staff"]["token"].encode()

    status = _sent(
        address, b"GET " + target + b" HTTP/1.1\r\nHost: x\r\nAuthorization: Token " + token + b"\r\n\r\n"
    )

    assert status < 500


@pytest.mark.parametrize(
    "target",
    ["../../../../../etc/passwd", "..%2f..%2f..%2f..%2fetc/passwd", "/etc/passwd", "%2fetc%2fpasswd", "..\\x"],
)
def test_the_assets_of_the_docs_lead_nowhere_else(address: tuple[str, int], target: str) -> None:
    assert _sent(address, f"GET /docs/assets/{target} HTTP/1.1\r\nHost: x\r\n\r\n".encode()) == 404


@pytest.mark.parametrize("method", [b"GET", b"POST", b"TRACE", b"OPTIONS", b"HEAD", b"PROPFIND", b"get"])
def test_no_method_is_a_server_error(address: tuple[str, int], method: bytes) -> None:
    request = b" /v1/metering/meter-devices HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"

    assert _sent(address, method + request) < 500


def test_a_100_mb_body_is_413_whether_its_length_is_announced_or_not(
    tenant: Tenant, address: tuple[str, int]
) -> None:
    headers = {"Authorization": f"Token {tenant.credentials['staff']['token']}"}
    url = f"http://{address[0]}:{address[1]}{METERING}/new-meter-readings"
    announced = (
        b"POST /v1/metering/new-meter-readings HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n"
        b"Authorization: " + headers["Authorization"].encode() + b"\r\n\r\n["
    )

    def pieces() -> Iterator[bytes]:
        for _ in range(100):
            yield b" " * 1_000_000

    assert _sent(address, announced) == 413
    try:
        status = httpx.post(url, content=pieces(), headers=headers).status_code
    except httpx.TransportError:
        status = 413  # the server may close before everything is sent
    assert status == 413


def test_a_body_that_breaks_off_is_not_stored(tenant: Tenant, address: tuple[str, int]) -> None:
    home: Home = tenant.home()
    token = tenant.credentials["staff"]["token"]
    body = json.dumps([home.named()]).encode()
    head = (
        "POST /v1/metering/new-meter-readings HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Token {token}\r\nContent-Length: {len(body) + 50}\r\n\r\n"
    )

    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(head.encode() + body)
    time.sleep(0.1)

    assert tenant.readings(home) == []
