"""The demo's meters as an operator enters them: from the manifest of `wattloom simulate` to devices that are read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.demo.client import JsonClient

_METERING = "/v1/metering"
SCHEDULE = "hourly"
_ARCHIVE_S = 430 * 86_400
"""Reaches back beyond the oldest row of any simulated archive [s]."""

Line = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """A simulated meter as the API knows it."""

    line: Line
    device_id: str
    sensor_id: int

    @property
    def has_archive(self) -> bool:
        """Whether its electricity archive is read, so that there will be reports."""
        is_electric = any(series["name"] == "1-0:1.8.0" for series in self.line["series"])
        return is_electric and "offset_seconds" in self.line["task_kwargs"]


def enter(api: JsonClient, organization: str, line: Line) -> Meter:
    """Return a meter with everything it takes to read it, created where it is missing; ports are brought up to date."""
    own = {"organization": organization}
    series = [_ensure(api, "meter-reading-series", {**own, **wanted})["id"] for wanted in line["series"]]
    config = _ensure(
        api,
        "meter-device-configs",
        {**own, "name": line["name"], "series": series, "timezone": line["timezone"]},
    )
    kind = _ensure(
        api,
        "meter-device-types",
        {
            **own,
            "name": line["name"],
            "manufacturer": line["manufacturer"],
            "manufacturer_model": line["manufacturer_model"],
            "config": config["id"],
        },
    )
    task = _ensure(
        api,
        "amr-tasks",
        {
            **own,
            "name": f"{line['protocol']}: {line['task_call']}",
            "schedule": SCHEDULE,
            "run_offset_seconds": 60,
            **{name: line[name] for name in ("meter_execution_type", "task_call", "task_kwargs")},
        },
    )
    found = api.get(f"{_METERING}/meter-devices", name=line["name"])["results"]
    if found:
        api.patch(
            f"{_METERING}/network-interfaces/{found[0]['network_interface']}",
            {"fqdn": line["host"], "port": line["port"]},
        )
        return Meter(line=line, device_id=found[0]["id"], sensor_id=int(found[0]["sensor_id"]))
    interface = api.post(
        f"{_METERING}/network-interfaces", {**own, "fqdn": line["host"], "port": line["port"], "can_block": True}
    )
    device = api.post(
        f"{_METERING}/meter-devices",
        {
            **own,
            "name": line["name"],
            "manufacturer_serial": line["manufacturer_serial"],
            "protocol": line["protocol"],
            **line["device"],
            "type": kind["id"],
            "network_interface": interface["id"],
            "meter_tasks": [task["id"]],
        },
    )
    if line["keys"]:
        api.post(f"{_METERING}/meter-security-keys", {"meter": device["id"], **line["keys"]})
    return Meter(line=line, device_id=device["id"], sensor_id=int(device["sensor_id"]))


def invoke(api: JsonClient, meter: Meter) -> int:
    """Ask for a meter's values now, for its whole archive if nothing of it is there yet; return the job's id."""
    kwargs = dict(meter.line["task_kwargs"])
    if meter.has_archive and not api.get(f"{_METERING}/meter-readings", meter_device=meter.device_id)["count"]:
        kwargs["offset_seconds"] = _ARCHIVE_S
    job = api.post(
        f"{_METERING}/amr-tasks/invoke",
        {
            "meter_device": meter.device_id,
            "meter_execution_type": meter.line["meter_execution_type"],
            "task_call": meter.line["task_call"],
            "task_kwargs": kwargs,
        },
    )
    return int(job["id"])


def describe(sensors: JsonClient, meter: Meter) -> None:
    """Say what the home behind a meter is; allowed from its first reading on."""
    for document, body in meter.line["household"].items():
        sensors.put(f"/sensors/{meter.sensor_id}/metadata/{document}", body)


def jobs(api: JsonClient, identifiers: Sequence[int]) -> list[dict[str, Any]]:
    """Return jobs as they stand."""
    return [api.get(f"{_METERING}/amr-jobs/{identifier}") for identifier in identifiers]


def _ensure(api: JsonClient, resource: str, wanted: dict[str, object]) -> dict[str, Any]:
    """Return the row of that name, created where there is none; series are one per name and unit."""
    path = f"{_METERING}/{resource}"
    found: list[dict[str, Any]] = api.get(path, limit=1000)["results"]
    for row in found:
        if all(row[name] == wanted[name] for name in ("name", "unit") if name in wanted):
            return row
    created: dict[str, Any] = api.post(path, wanted)
    return created
