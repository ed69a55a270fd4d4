"""An energy adviser: metadata in; then month, weeks, week, cycles and report, consistent to the last digit."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from pipelines import clock, steps
from pipelines.settings import Settings
from tests.api.callers import Home, Json, Tenant, faults

QUARTER = timedelta(minutes=15)
LONDON = ZoneInfo("Europe/London")
SERVED = datetime(2026, 12, 3, tzinfo=UTC)
OCTOBER = {"year": 2026, "month": 10}
PROPERTY = {
    "property_type": "HOME",
    "power_generator_source": "NONE",
    "home_type": "HOUSE",
    "home_usage_type": "PRIMARY",
    "home_size": 120,
    "bedroom_amount": 3,
    "people_amount": 2,
    "people_amount_in_day_time": 0,
    "people": [],
    "version": "1.0",
}
CAR = {"key": "ELECTRIC_VEHICLE", "amount": 1, "type": "CAR", "wattages": [7000]}
FRIDGE = {"key": "FRIDGE", "amount": 1, "type": "FRIDGE"}


def is_charging(at: datetime) -> bool:
    """The car charges from 22:00 to 02:30 local time every third night; also when October ends and clocks go back."""
    local = (at - timedelta(hours=3)).astimezone(LONDON)
    return local.day % 3 == 1 and local.hour >= 19 and at.astimezone(UTC).minute % 60 in {0, 15, 30, 45}


def kwh(number: int, at: datetime) -> Decimal:
    load = Decimal("0.03") + Decimal(number % 97) / 10_000
    return load + (Decimal("1.75") if is_charging(at) else 0)


@dataclass(frozen=True, kw_only=True)
class Advised:
    home: Home
    tenant: Tenant

    def ask(self, route: str, **query: object) -> Any:
        return self.tenant.bearer().get(f"/sensors/{self.home.meter['sensor_id']}/sm/{route}", params=query)

    def told(self, route: str, **query: object) -> Any:
        answer = self.ask(route, **query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def put(self, what: str, body: Json) -> None:
        answer = self.tenant.bearer().put(f"/sensors/{self.home.meter['sensor_id']}/metadata/{what}", json=body)
        assert answer.status_code == 204, answer.text


@pytest.fixture(scope="module")
def advised(tenant: Tenant, settings: Settings) -> Advised:
    home = tenant.home(series={"name": "1-0:1.29.0", "unit": "kWh"}, config={"timezone": "Europe/London"})
    start = datetime(2026, 9, 1, tzinfo=UTC)
    rows = [
        home.named((start + n * QUARTER).isoformat(), str(kwh(n, start + n * QUARTER))) for n in range(91 * 96)
    ]
    for first in range(0, len(rows), 4000):
        assert tenant.deliver(rows[first : first + 4000])["rejected"] == []
    one = Advised(home=home, tenant=tenant)
    one.put("property", PROPERTY)
    one.put("appliances", {"appliances": [CAR, FRIDGE], "version": "1.0"})
    one.put("geolocation", {"latitude": 51.5, "longitude": -0.1})
    clock.start_at(SERVED)
    devices = [home.meter["sensor_id"]]
    steps.derive(devices=devices, settings=settings)
    steps.refresh(devices=devices, settings=settings)
    assert steps.disaggregate_month(devices=devices, settings=settings)["months"] == [
        "2026-09",
        "2026-10",
        "2026-11",
    ]
    return one


@pytest.fixture(autouse=True)
def _december() -> None:
    clock.start_at(SERVED)


def exact(number: float) -> Decimal:
    return Decimal(str(number))


def parts_of(document: Json) -> dict[str, Decimal]:
    return {row["appliance_key"]: exact(row["consumption"]) for row in document["appliances"]}


def weeks_within(first: date, last: date) -> list[date]:
    mondays = [first + timedelta(days=n) for n in range(31)]
    return [day for day in mondays if day.weekday() == 0 and day + timedelta(days=6) <= last]


def test_month_weeks_report_and_cycles_agree_to_the_last_digit(advised: Advised) -> None:
    month, by_week = advised.told("disag/month", **OCTOBER), advised.told("disag/month/weeks", **OCTOBER)
    report, (car,) = advised.told("reports/monthly", **OCTOBER), advised.told("disag/cycles/monthly", **OCTOBER)

    parts = parts_of(month)
    assert sum(parts.values()) == exact(month["total_consumption"])
    assert sum(exact(week["total_consumption"]) for week in by_week["weeks"]) == exact(month["total_consumption"])
    for key, energy in parts.items():
        assert sum(parts_of(week).get(key, Decimal(0)) for week in by_week["weeks"]) == energy
    listed = parts_of(report["disaggregation_metrics"])
    assert {key: energy for key, energy in listed.items() if energy} == parts
    assert listed["cooling"] == listed["boiler"] == 0
    assert car["appliance_key"] == "electric_vehicle"
    assert sum(exact(cycle["consumption"]) for cycle in car["cycles"]) == exact(car["total_consumption"])
    assert exact(car["total_consumption"]) == parts["electric_vehicle"]


def test_weeks_within_a_month_are_those_of_the_month(advised: Advised) -> None:
    by_week = {week["from"]: week for week in advised.told("disag/month/weeks", **OCTOBER)["weeks"]}
    for monday in weeks_within(date(2026, 10, 1), date(2026, 10, 31)):
        query = {"startDate": monday, "endDate": monday + timedelta(days=6)}
        week, report = advised.told("disag/week", **query), advised.told("reports/weekly", **query)
        assert week["appliances"] == by_week[monday.isoformat()]["appliances"]
        found = parts_of(report["disaggregation_metrics"])
        assert {key: energy for key, energy in found.items() if energy} == parts_of(week)
        cycles = advised.told("disag/cycles/weekly", **query)
        total = sum((exact(one["total_consumption"]) for one in cycles), Decimal(0))
        assert total == parts_of(week).get("electric_vehicle", 0)


def test_a_charge_over_midnight_is_one_cycle_and_one_over_the_end_of_the_month_is_clipped(
    advised: Advised,
) -> None:
    (october,), (november,) = (
        advised.told("disag/cycles/monthly", year=2026, month=number) for number in (10, 11)
    )
    (across,) = advised.told("disag/cycles/weekly", startDate="2026-10-26", endDate="2026-11-01")

    overnight = [c for c in october["cycles"] if c["from"][:10] != c["to"][:10] and c["to"][11:] != "00:00:00"]
    assert len(overnight) >= 8
    assert october["cycles"][-1]["to"] == "2026-11-01T00:00:00"
    assert november["cycles"][0]["from"] == "2026-11-01T00:00:00"
    (whole,) = [cycle for cycle in across["cycles"] if cycle["from"] == october["cycles"][-1]["from"]]
    assert (whole["from"], whole["to"]) == (october["cycles"][-1]["from"], november["cycles"][0]["to"])
    halves = october["cycles"][-1], november["cycles"][0]
    assert exact(whole["consumption"]) == sum(exact(half["consumption"]) for half in halves)


def test_local_times_of_a_night_with_an_hour_twice_are_told_apart_by_utc(advised: Advised) -> None:
    (october,) = advised.told("disag/cycles/monthly", **OCTOBER)
    (fold,) = [cycle for cycle in october["cycles"] if cycle["to"].startswith("2026-10-26T")] or [None]
    for cycle in october["cycles"]:
        for end in ("from", "to"):
            utc = datetime.fromisoformat(cycle[f"{end}_utc"])
            assert utc.astimezone(LONDON).replace(tzinfo=None).isoformat() == cycle[end]
    assert fold is not None


def test_other_classes_are_there_when_asked_for(advised: Advised) -> None:
    default = advised.told("disag/cycles/monthly", **OCTOBER)
    everything = advised.told("disag/cycles/monthly", **OCTOBER, all="true")
    assert [one["appliance_key"] for one in default] == ["electric_vehicle"]
    assert everything[: len(default)] == default
    assert advised.told("disag/cycles/monthly", **OCTOBER, appliances="washing, boiler")[:1] == default
    for query, field in [({"appliances": "fridge"}, "appliances"), ({"all": "yes"}, "all")]:
        answer = advised.ask("disag/cycles/monthly", **OCTOBER, **query)
        assert answer.status_code == 400
        assert set(faults(answer)) == {field}


def test_every_answer_says_its_model_and_how_sure_it_is(advised: Advised) -> None:
    month = advised.told("disag/month", **OCTOBER)
    (cycles,) = advised.told("disag/cycles/monthly", **OCTOBER)
    for answer in (
        month,
        advised.told("reports/monthly", **OCTOBER),
        advised.told("disag/month/weeks", **OCTOBER),
    ):
        assert answer["model_version"] == month["model_version"]
        assert answer["quality"] == month["quality"]
    assert cycles["quality"] == month["quality"]
    (october,) = month["quality"]["months"]
    assert october["month"] == "2026-10"
    assert {row["appliance_key"] for row in october["appliances"]} >= set(parts_of(month))
    for row in october["appliances"]:
        assert 0 <= row["lower"] <= row["consumption"] <= row["upper"] <= month["total_consumption"]
        assert 0 <= row["confidence"] <= 1
    codes = {warning["code"] for warning in month["quality"]["warnings"]}
    assert codes == {"history", "no_temperatures"}
    week = advised.told("disag/week", startDate="2026-10-26", endDate="2026-11-01")
    assert [one["month"] for one in week["quality"]["months"]] == ["2026-10", "2026-11"]


def test_a_list_that_changes_changes_the_results_of_the_next_run(advised: Advised, settings: Settings) -> None:
    before = parts_of(advised.told("disag/month", **OCTOBER))
    advised.put("appliances", {"appliances": [FRIDGE], "version": "1.0"})
    devices = [advised.home.meter["sensor_id"]]
    assert steps.disaggregate_month(devices=devices, settings=settings)["home_months"] == 3
    without = advised.told("disag/month", **OCTOBER)
    assert "electric_vehicle" not in parts_of(without)
    assert advised.told("disag/cycles/monthly", **OCTOBER) == []
    advised.put("appliances", {"appliances": [CAR, FRIDGE], "version": "1.0"})
    assert steps.disaggregate_month(devices=devices, settings=settings)["home_months"] == 3
    assert parts_of(advised.told("disag/month", **OCTOBER)) == before
