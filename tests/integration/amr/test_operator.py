"""A new operator's first day, through the API and the commands alone, against meters on real sockets."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from pipelines import clock
from pipelines.demo.client import JsonClient, RefusedRequest, free_port
from pipelines.settings import Settings

METERING = "/v1/metering"
PROTOCOLS = ("lis-200", "dlms-cosem", "iec62056-21", "modbus", "mbus", "i-flag")


class Site:
    """What the operator has in hand: the API, the commands, and the manifest of the meters on site."""

    def __init__(self, settings: Settings, organization: dict[str, dict[str, str]]) -> None:
        self.environment = os.environ | {
            "WATTLOOM_DATABASE_URL": settings.database_url or "",
            "WATTLOOM_HOME": str(settings.home),
            "WATTLOOM_AMR_SILENCE_S": "2",
            "WATTLOOM_AMR_CONNECT_S": "2",
            "WATTLOOM_AMR_RETRY_S": "3600",
        }
        self.organization = organization["organization"]["id"]
        self.token = organization["staff"]["token"]

    @contextmanager
    def running(self, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
        command = [sys.executable, "-m", "pipelines", *arguments]
        with subprocess.Popen(
            command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            try:
                yield process
            finally:
                process.terminate()
                process.communicate(timeout=30)

    def done(self, *arguments: str) -> dict[str, Any]:
        command = [sys.executable, "-m", "pipelines", *arguments]
        finished = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        assert finished.returncode == 0, finished.stderr
        return dict(json.loads(finished.stdout))

    def connect(self, port: int) -> JsonClient:
        api = JsonClient(port)
        api.authorization = f"Token {self.token}"
        return api


def until(condition: Callable[[], Any], seconds: float = 40) -> Any:
    ends = time.monotonic() + seconds
    while True:
        try:
            found = condition()
        except OSError:
            found = None
        if found:
            return found
        assert time.monotonic() < ends, "it never came to that"
        time.sleep(0.05)


def healthy(api: JsonClient) -> bool:
    try:
        api.get("/_health/")
    except Exception:
        return False
    return True


def entered(api: JsonClient, site: Site, line: dict[str, Any], interface: str) -> dict[str, Any]:
    """Enter a meter of the manifest by hand: series, config, type, device, keys."""
    own = {"organization": site.organization}
    series = [api.post(f"{METERING}/meter-reading-series", own | wanted)["id"] for wanted in line["series"]]
    config = api.post(
        f"{METERING}/meter-device-configs",
        own | {"name": line["name"], "series": series, "timezone": line["timezone"]},
    )
    kind = api.post(
        f"{METERING}/meter-device-types",
        own
        | {
            "name": line["name"],
            "manufacturer": line["manufacturer"],
            "manufacturer_model": line["manufacturer_model"],
            "config": config["id"],
        },
    )
    device = api.post(
        f"{METERING}/meter-devices",
        own
        | line["device"]
        | {
            "name": line["name"],
            "protocol": line["protocol"],
            "manufacturer_serial": line["manufacturer_serial"],
            "type": kind["id"],
            "network_interface": interface,
        },
    )
    if line["keys"]:
        api.post(f"{METERING}/meter-security-keys", {"meter": device["id"], **line["keys"]})
    return dict(device)


def invoked(api: JsonClient, device: dict[str, Any], line: dict[str, Any]) -> int:
    call = {name: line[name] for name in ("meter_execution_type", "task_call", "task_kwargs")}
    return int(api.post(f"{METERING}/amr-tasks/invoke", {"meter_device": device["id"], **call})["id"])


def ended(api: JsonClient, job: int) -> dict[str, Any]:
    def found() -> dict[str, Any] | None:
        row = api.get(f"{METERING}/amr-jobs/{job}")
        return dict(row) if row["finished_at"] or (row["attempt"] and row["state"] == "waiting") else None

    return dict(until(found))


@pytest.fixture
def site(settings: Settings, organization: dict[str, dict[str, str]]) -> Site:
    clock.start_at(None)
    return Site(settings, organization)


@pytest.fixture
def api(site: Site) -> Iterator[JsonClient]:
    port = free_port(0)
    with site.running("serve", "--port", str(port)):
        client = site.connect(port)
        until(lambda: healthy(client))
        yield client
        client.close()


@contextmanager
def simulated(site: Site, *arguments: str) -> Iterator[tuple[list[dict[str, Any]], "subprocess.Popen[str]"]]:
    manifest = f"{site.environment['WATTLOOM_HOME']}-meters.json"
    with site.running("simulate", "--months", "1", "--manifest", manifest, *arguments) as process:
        until(lambda: os.path.exists(manifest))  # noqa: PTH110
        with open(manifest, encoding="utf-8") as file:  # noqa: PTH123
            yield json.load(file), process


def test_the_first_day(site: Site, api: JsonClient) -> None:
    with ExitStack() as stack:
        lines, meters = stack.enter_context(simulated(site))
        by_protocol = {line["protocol"]: line for line in lines}
        own = {"organization": site.organization}

        # A SIM card leads to the first meter, names to the others.
        sim = api.post(
            f"{METERING}/sim-cards",
            own | {"iccid": "89460000000000000001", "imsi": "240010000000001", "ip_address": "127.0.0.1"},
        )
        devices = {}
        for protocol, line in by_protocol.items():
            way = {"sim": sim["id"]} if protocol == "lis-200" else {"fqdn": line["host"]}
            interface = api.post(
                f"{METERING}/network-interfaces", own | way | {"port": line["port"], "can_block": True}
            )
            assert interface["host"] == "127.0.0.1"
            devices[protocol] = entered(api, site, line, interface["id"])
        assert set(devices) == set(PROTOCOLS)

        # On schedule: a task in a group, dispatched and collected by the steps that the DAGs call.
        line = by_protocol["lis-200"]
        task = api.post(
            f"{METERING}/amr-tasks",
            own
            | {name: line[name] for name in ("meter_execution_type", "task_call", "task_kwargs")}
            | {"name": "Archive", "schedule": "quarterly"},
        )
        assert task["problem"] is None
        group = api.post(f"{METERING}/amr-task-groups", own | {"name": "Daily", "tasks": [task["id"]]})
        api.patch(f"{METERING}/meter-devices/{devices['lis-200']['id']}", {"task_groups": [group["id"]]})
        assert site.done("pipeline", "dispatch", "--schedule", "quarterly")["jobs"] == 1
        assert site.done("pipeline", "collect") == {"jobs": 1, "ok": 1, "readings": 96}
        (job,) = api.get(f"{METERING}/amr-jobs", amr_task=task["id"])["results"]
        assert (job["state"], job["readings_stored"]) == ("ok", 96)

        # On demand: every protocol, by the worker.
        stack.enter_context(site.running("worker"))
        for protocol, device in devices.items():
            done = ended(api, invoked(api, device, by_protocol[protocol]))
            assert done["state"] == "ok", (protocol, done["reason"], done["detail"])
            assert done["readings_stored"] > 0, protocol
            assert api.get(f"{METERING}/meter-readings", meter_device=device["id"])["count"] > 0

        # Somebody pulls the plug of the whole site.
        meters.terminate()
        meters.wait(timeout=30)
        gone = ended(api, invoked(api, devices["modbus"], by_protocol["modbus"]))
        assert (gone["state"], gone["reason"]) == ("waiting", "unreachable")
        assert f"127.0.0.1:{by_protocol['modbus']['port']}" in gone["detail"]


def test_an_interface_shows_that_it_is_in_use(site: Site, api: JsonClient) -> None:
    with simulated(site, "--protocol", "lis-200", "--fault", "slow") as (lines, _), site.running("worker"):
        (line,) = lines
        interface = api.post(
            f"{METERING}/network-interfaces",
            {"organization": site.organization, "fqdn": line["host"], "port": line["port"], "can_block": True},
        )
        device = entered(api, site, line, interface["id"])
        path = f"{METERING}/network-interfaces/{interface['id']}"
        assert (interface["is_blocked"], interface["block_time"]) == (False, None)

        invoked(api, device, line)

        blocked = until(lambda: (row := api.get(path))["is_blocked"] and row)
        assert blocked["block_time"] is not None
        shown = api.get(f"{METERING}/meter-devices/{device['id']}")["network_interface_info"]
        assert shown["is_blocked"] is True


@pytest.mark.parametrize(
    ("fault", "state", "reason"),
    [
        ("wrong-password", "failed", "authentication"),
        ("silent", "waiting", "no_answer"),
        ("cut", "waiting", "connection_lost"),
        ("corrupt", "ok", None),
        ("duplicate", "ok", None),
        ("drift", "ok", None),
    ],
)
def test_what_is_wrong_with_a_meter_is_read_from_its_job(
    site: Site, api: JsonClient, fault: str, state: str, reason: str | None
) -> None:
    with simulated(site, "--protocol", "lis-200", "--fault", fault) as (lines, _):
        (line,) = lines
        interface = api.post(
            f"{METERING}/network-interfaces",
            {"organization": site.organization, "fqdn": line["host"], "port": line["port"]},
        )
        device = entered(api, site, line, interface["id"])
        job = invoked(api, device, line)

        site.done("pipeline", "collect")

        found = api.get(f"{METERING}/amr-jobs/{job}")
        assert (found["state"], found["reason"]) == (state, reason), found["detail"]


def test_readings_of_an_unknown_meter_wait_until_it_is_created(site: Site, api: JsonClient) -> None:
    reading = {
        "meter_device_name": "late",
        "series_name": "1-0:1.8.0",
        "timestamp": "2026-03-01T00:00:00Z",
        "value": "17.5",
    }
    assert api.post(f"{METERING}/new-meter-readings", [reading])["staged"] == 1
    line = {
        "name": "late",
        "protocol": "modbus",
        "manufacturer": "Schneider Electric",
        "manufacturer_model": "iEM3255",
        "manufacturer_serial": "1",
        "timezone": "UTC",
        "device": {},
        "keys": {},
        "series": [{"name": "1-0:1.8.0", "unit": "kWh"}],
    }
    interface = api.post(
        f"{METERING}/network-interfaces", {"organization": site.organization, "fqdn": "a.example"}
    )

    device = entered(api, site, line, interface["id"])

    (stored,) = api.get(f"{METERING}/meter-readings", meter_device=device["id"])["results"]
    assert stored["value"] == "17.5"
    assert api.get(f"{METERING}/staged-meter-readings")["count"] == 0
    with pytest.raises(RefusedRequest, match="404"):
        api.get(f"{METERING}/meter-devices/00000000-0000-0000-0000-000000000000")
