"""The demo's homes and what their meters deliver: three zones, two spacings, intervals and a register."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from analytics.calendar import from_us
from pipelines.demo.client import JsonClient
from pipelines.errors import BrokenContract
from pipelines.simulators.household import (
    KOLKATA_HOME,
    LONDON_FLAT,
    STOCKHOLM_HOUSE,
    Household,
    register_readings,
    simulate,
)

_METERING = "/v1/metering"
_BATCH = 4000
_REGISTER_DIGITS = 6
_Reading = dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoHome:
    """A simulated household and its meter; a register starts high enough to roll over within the archive."""

    meter: str
    title: str
    household: Household
    seed: int
    interval_s: int
    kind: Literal["interval", "cumulative"]
    initial_wh: int = 0

    @property
    def series(self) -> dict[str, object]:
        """The meter's series as the API takes it; its OBIS code says which kind it is."""
        if self.kind == "interval":
            return {"name": "1-0:1.29.0", "description": "Energy imported in the interval", "unit": "Wh"}
        return {
            "name": "1-0:1.8.0",
            "description": "Register of the energy imported",
            "unit": "kWh",
            "register_digits": _REGISTER_DIGITS,
        }

    def readings(self, start: datetime, end: datetime) -> list[_Reading]:
        """Return what the meter would deliver for ``[start, end)``, oldest first."""
        simulated = simulate(self.household, start=start, end=end, interval_s=self.interval_s, seed=self.seed)
        if self.kind == "interval":
            thousandths = simulated.total_mwh.tolist()
            times_us = simulated.start_us.tolist()
        else:
            register = register_readings(simulated, initial_wh=self.initial_wh, digits=_REGISTER_DIGITS + 3)
            thousandths = register.register_wh.tolist()
            times_us = register.time_us.tolist()
        names = {"meter_device_name": self.meter, "series_name": str(self.series["name"])}
        return [
            {**names, "timestamp": from_us(at).isoformat(), "value": f"{value // 1000}.{value % 1000:03d}"}
            for at, value in zip(times_us, thousandths, strict=True)
        ]

    def local_midnight(self, month: datetime) -> datetime:
        """Return the start of a month on the home's wall clock."""
        zone = ZoneInfo(self.household.zone)
        return datetime(month.year, month.month, 1, tzinfo=zone).astimezone(UTC)


HOMES = (
    DemoHome(
        meter="demo-london",
        title="Flat in London, half-hours",
        household=LONDON_FLAT,
        seed=11,
        interval_s=1800,
        kind="interval",
    ),
    DemoHome(
        meter="demo-stockholm",
        title="House in Stockholm, a register every quarter of an hour",
        household=STOCKHOLM_HOUSE,
        seed=12,
        interval_s=900,
        kind="cumulative",
        initial_wh=993_000_000,
    ),
    DemoHome(
        meter="demo-kolkata",
        title="Home in Kolkata, half-hours",
        household=KOLKATA_HOME,
        seed=13,
        interval_s=1800,
        kind="interval",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """A home's meter as the API knows it."""

    home: DemoHome
    device_id: str
    series_id: str
    sensor_id: int


def ensure_meter(api: JsonClient, organization: str, home: DemoHome) -> Meter:
    """Return the home's meter, its series, config and type, created where they are missing."""
    own = {"organization": organization}
    series = _ensure(api, "meter-reading-series", {**own, **home.series})
    config = _ensure(
        api,
        "meter-device-configs",
        {**own, "name": home.meter, "series": [series["id"]], "timezone": home.household.zone},
    )
    kind = _ensure(
        api,
        "meter-device-types",
        {
            **own,
            "name": home.meter,
            "manufacturer": "Wattloom",
            "manufacturer_model": "Simulated meter",
            "config": config["id"],
        },
    )
    device = _ensure(
        api,
        "meter-devices",
        {
            **own,
            "name": home.meter,
            "manufacturer_serial": f"SIM{home.seed:06d}",
            "protocol": "dlms-cosem",
            "type": kind["id"],
        },
    )
    return Meter(home=home, device_id=device["id"], series_id=series["id"], sensor_id=int(device["sensor_id"]))


def missing_readings(api: JsonClient, meter: Meter, start: datetime, end: datetime) -> list[_Reading]:
    """Return the readings of ``[start, end)`` that are newer than what the API has."""
    path = f"{_METERING}/meter-readings"
    of_meter = {"meter_device": meter.device_id, "series": meter.series_id, "limit": 1}
    count = api.get(path, **of_meter)["count"]
    readings = meter.home.readings(start, end)
    if not count:
        return readings
    newest = datetime.fromisoformat(api.get(path, **of_meter, offset=count - 1)["results"][0]["timestamp"])
    return [reading for reading in readings if datetime.fromisoformat(reading["timestamp"]) > newest]


def deliver(api: JsonClient, readings: list[_Reading]) -> Iterator[int]:
    """Post ``readings`` list by list and yield the size of each that was accepted whole.

    Raises
    ------
    BrokenContract
        A reading of ours was not accepted.
    """
    for first in range(0, len(readings), _BATCH):
        part = readings[first : first + _BATCH]
        answer = api.post(f"{_METERING}/new-meter-readings", part)
        if answer["accepted"] != len(part):
            refused = answer["rejected"][:3]
            raise BrokenContract(f"{answer['accepted']} of {len(part)} readings were accepted: {refused}")
        yield len(part)


def _ensure(api: JsonClient, resource: str, wanted: dict[str, object]) -> dict[str, Any]:
    path = f"{_METERING}/{resource}"
    found: list[dict[str, Any]] = api.get(path, limit=1000)["results"]
    for row in found:
        if row["name"] == wanted["name"]:
            return row
    created: dict[str, Any] = api.post(path, wanted)
    return created
