"""Reports and disaggregation of measured months, against sums made here from the same readings."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from pipelines import clock, steps
from pipelines.settings import Settings
from tests.api.callers import METERING, Home, Json, Tenant

QUARTER = timedelta(minutes=15)
KEYS = {"boiler", "cooking", "cooking_heating", "cooling", "electric_vehicle", "fridge"}
KEYS |= {"heating", "lights", "others", "standby", "washing"}


@dataclass(frozen=True, kw_only=True)
class Month:
    """A month of a home: what was measured in it, by the start of each quarter hour [kWh]."""

    home: Home
    tenant: Tenant
    zone: str
    first: date
    measured: dict[datetime, Decimal]

    @property
    def days(self) -> list[date]:
        following = (self.first + timedelta(days=32)).replace(day=1)
        return [self.first + timedelta(days=n) for n in range((following - self.first).days)]

    @property
    def starts(self) -> list[datetime]:
        """Every quarter hour of the month."""
        return _quarters(self.first, self.days[-1] + timedelta(days=1), self.zone)

    def of_day(self, day: date) -> Decimal:
        zone = ZoneInfo(self.zone)
        return sum((kwh for at, kwh in self.measured.items() if at.astimezone(zone).date() == day), Decimal(0))

    @property
    def total(self) -> Decimal:
        return sum(map(self.of_day, self.days), Decimal(0))

    def due(self) -> datetime:
        """Local 00:00 of the third day of the next month."""
        third = (self.first + timedelta(days=32)).replace(day=3)
        return datetime(third.year, third.month, 3, tzinfo=ZoneInfo(self.zone)).astimezone(UTC)

    def ask(self, route: str, **query: object) -> Any:
        return self.tenant.staff.get(f"/sensors/{self.home.meter['sensor_id']}/sm/{route}", params=query)

    def month(self, route: str, **query: object) -> Json:
        clock.start_at(self.due())
        answer = self.ask(route, year=self.first.year, month=self.first.month, **query)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


def _quarters(first: date, end: date, zone: str) -> list[datetime]:
    at = datetime(first.year, first.month, first.day, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    until = datetime(end.year, end.month, end.day, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    return [at + n * QUARTER for n in range(int((until - at) / QUARTER))]


def _kwh(number: int, at: datetime) -> Decimal:
    """Return a quarter hour's energy: a base, an evening, and digits down to 10 mWh that differ each time."""
    evening = Decimal("0.4") if 17 <= at.hour < 21 else Decimal(0)
    return Decimal("0.05") + evening + Decimal(number % 7919) / 100_000


def _compute(settings: Settings, *months: Month) -> None:
    devices = [month.home.meter["sensor_id"] for month in months]
    steps.derive(devices=devices, settings=settings)
    steps.refresh(devices=devices, settings=settings)
    for first in sorted({month.first for month in months}):
        steps.disaggregate_month(month=f"{first:%Y-%m}", devices=devices, settings=settings)


def _measure(tenant: Tenant, zone: str, first: date, missing: Callable[[datetime], bool]) -> Month:
    home = tenant.home(series={"name": "1-0:1.29.0", "unit": "kWh"}, config={"timezone": zone})
    month = Month(home=home, tenant=tenant, zone=zone, first=first, measured={})
    for number, at in enumerate(month.starts):
        if not missing(at):
            month.measured[at] = _kwh(number, at)
    rows = [home.named(at.isoformat(), str(kwh)) for at, kwh in month.measured.items()]
    verdict = tenant.deliver(rows)
    assert verdict == {"accepted": len(rows), "staged": 0, "rejected": []}
    return month


def _never(_at: datetime) -> bool:
    return False


@pytest.fixture(scope="module")
def months(tenant: Tenant, settings: Settings) -> dict[str, Month]:
    gap = datetime(2026, 3, 10, 6, tzinfo=UTC), datetime(2026, 3, 10, 12, tzinfo=UTC)
    made = {
        "London March": _measure(tenant, "Europe/London", date(2026, 3, 1), _never),
        "London October": _measure(tenant, "Europe/London", date(2026, 10, 1), _never),
        "Kolkata March": _measure(tenant, "Asia/Kolkata", date(2026, 3, 1), _never),
        "Kolkata October": _measure(tenant, "Asia/Kolkata", date(2026, 10, 1), _never),
        "with a gap": _measure(tenant, "Asia/Kolkata", date(2026, 3, 1), lambda at: gap[0] <= at < gap[1]),
    }
    _compute(settings, *made.values())
    return made


NAMES = ["London March", "London October", "Kolkata March", "Kolkata October", "with a gap"]


@pytest.fixture(params=NAMES)
def month(months: dict[str, Month], request: pytest.FixtureRequest) -> Month:
    return months[request.param]


def _exact(number: float) -> Decimal:
    return Decimal(str(number))


def test_nothing_is_served_before_the_third_local_day_of_the_next_month(month: Month) -> None:
    query = {"year": month.first.year, "month": month.first.month}
    monday = month.first + timedelta(days=-month.first.weekday() % 7)
    week = {"startDate": monday, "endDate": monday + timedelta(days=6)}

    for route, asked in [
        ("reports/monthly", query),
        ("disag/month", query),
        ("disag/month/weeks", query),
        ("disag/week", week),
        ("disag/cycles/monthly", query),
        ("disag/cycles/weekly", week),
        ("reports/weekly", week),
    ]:
        clock.start_at(month.due() - timedelta(seconds=5))
        early = month.ask(route, **asked)
        clock.start_at(month.due())
        due = month.ask(route, **asked)
        assert (early.status_code, due.status_code) == (404, 200), route
        assert early.headers["content-type"] == "application/problem+json"


def test_a_month_without_a_result_is_not_found(month: Month) -> None:
    clock.start_at(datetime(2027, 6, 1, tzinfo=UTC))

    for year, number in [(2026, 2), (2026, 5), (2099, 12), (1970, 1)]:
        assert month.ask("reports/monthly", year=year, month=number).status_code == 404
        assert month.ask("disag/month", year=year, month=number).status_code == 404


def test_the_days_of_a_report_are_local_days_that_add_up(month: Month) -> None:
    metrics = month.month("reports/monthly")["day_by_day_metrics"]

    days = metrics["days"]
    assert [row["day"] for row in days] == [day.isoformat() for day in month.days]
    assert [row["weekend"] for row in days] == [day.weekday() >= 5 for day in month.days]
    assert [_exact(row["total_consumption"]) for row in days] == [month.of_day(day) for day in month.days]
    assert _exact(metrics["total_month_consumption"]) == month.total
    weekend = sum((_exact(row["total_consumption"]) for row in days if row["weekend"]), Decimal(0))
    assert _exact(metrics["total_consumed_on_weekend_days"]) == weekend
    assert _exact(metrics["total_consumed_on_week_days"]) == month.total - weekend
    average = (month.total / len(month.days)).quantize(Decimal("0.00001"))
    assert abs(_exact(metrics["average_month_consumption"]) - average) <= Decimal("0.00001")
    assert metrics["max_month_consumption"] == max(days, key=lambda row: row["total_consumption"])
    assert metrics["min_month_consumption"] == min(days, key=lambda row: row["total_consumption"])
    assert metrics["days_without_consumption"] == 0


def test_clock_changes_make_days_of_23_and_25_hours(months: dict[str, Month]) -> None:
    london = ZoneInfo("Europe/London")

    for name, day, quarters in [
        ("London March", date(2026, 3, 29), 92),
        ("London October", date(2026, 10, 25), 100),
    ]:
        found = [at for at in months[name].measured if at.astimezone(london).date() == day]
        assert len(found) == quarters
        assert months[name].month("disag/month")["disconnection_percentage"] == 0


def test_a_report_says_its_units_its_carbon_and_its_version(month: Month) -> None:
    report = month.month("reports/monthly")

    kgco2 = (month.total * Decimal("0.519")).quantize(Decimal("1e-8"))
    trees = (kgco2 / (Decimal("0.06034") * len(month.days))).quantize(Decimal("1e-6"))
    assert _exact(report["carbon_footprint"]["kgco2"]) == kgco2
    assert _exact(report["carbon_footprint"]["trees"]) == trees
    assert report["version"] == 1
    assert report["units"] == {
        "day_by_day_metrics": "kWh",
        "disaggregation_metrics": "Wh",
        "carbon_footprint": "kg CO2",
    }


def test_in_watt_hours_the_energies_of_the_days_are_a_thousandfold_and_nothing_else_changes(month: Month) -> None:
    kwh, wh = month.month("reports/monthly", unit="kwh"), month.month("reports/monthly", unit="wh")

    def thousandfold(block: Json) -> Json:
        return {
            name: _times(value) if name != "days_without_consumption" else value for name, value in block.items()
        }

    assert thousandfold(kwh["day_by_day_metrics"]) == _as_decimals(wh["day_by_day_metrics"])
    assert wh["units"]["day_by_day_metrics"] == "Wh"
    for name in ("disaggregation_metrics", "carbon_footprint", "version"):
        assert wh[name] == kwh[name]
    assert kwh == month.month("reports/monthly")


def _times(value: Any) -> Any:
    if isinstance(value, list):
        return [_times(one) for one in value]
    if isinstance(value, dict):
        return value | {"total_consumption": _exact(value["total_consumption"]) * 1000}
    return _exact(value) * 1000


def _as_decimals(value: Any) -> Any:
    if isinstance(value, list):
        return [_as_decimals(one) for one in value]
    if isinstance(value, dict):
        return {name: _as_decimals(one) for name, one in value.items()}
    return _exact(value) if isinstance(value, float) else value


def test_the_parts_of_a_month_add_up_to_its_total_exactly(month: Month) -> None:
    disaggregated = month.month("disag/month")
    metrics = month.month("reports/monthly")["disaggregation_metrics"]

    parts = {row["appliance_key"]: _exact(row["consumption"]) for row in disaggregated["appliances"]}
    assert len(parts) == len(disaggregated["appliances"])
    assert set(parts) <= KEYS
    assert {"standby", "others"} <= set(parts)
    assert all(part > 0 for part in parts.values())
    assert sum(parts.values()) == _exact(disaggregated["total_consumption"])
    assert abs(_exact(disaggregated["total_consumption"]) - month.total * 1000) <= Decimal("0.02")
    listed = {row["appliance_key"]: _exact(row["consumption"]) for row in metrics["appliances"]}
    assert {key: part for key, part in listed.items() if part} == parts
    assert _exact(metrics["total_consumption"]) == sum(listed.values())
    assert metrics["disconnection_percentage"] == disaggregated["disconnection_percentage"]


def test_the_weeks_of_a_month_are_clipped_to_it_and_add_up_to_it(month: Month) -> None:
    whole, by_week = month.month("disag/month"), month.month("disag/month/weeks")

    weeks = by_week["weeks"]
    days = [
        date.fromisoformat(week["from"]) + timedelta(days=n)
        for week in weeks
        for n in range((date.fromisoformat(week["to"]) - date.fromisoformat(week["from"])).days + 1)
    ]
    assert days == month.days
    assert all(date.fromisoformat(week["from"]).weekday() == 0 for week in weeks[1:])
    assert all(date.fromisoformat(week["to"]).weekday() == 6 for week in weeks[:-1])
    assert sum(_exact(week["total_consumption"]) for week in weeks) == _exact(by_week["total_consumption"])
    assert by_week["total_consumption"] == whole["total_consumption"]
    assert by_week["disconnection_percentage"] == whole["disconnection_percentage"]
    sums: dict[str, Decimal] = {}
    for week in weeks:
        parts = {row["appliance_key"]: _exact(row["consumption"]) for row in week["appliances"]}
        assert sum(parts.values()) == _exact(week["total_consumption"])
        for key, part in parts.items():
            sums[key] = sums.get(key, Decimal(0)) + part
    assert sums == {row["appliance_key"]: _exact(row["consumption"]) for row in whole["appliances"]}


def test_a_week_agrees_with_the_days_of_its_month(month: Month) -> None:
    monday = month.first + timedelta(days=-month.first.weekday() % 7)
    days = [monday + timedelta(days=n) for n in range(7)]
    clock.start_at(month.due())
    query = {"startDate": monday, "endDate": days[-1]}

    week = month.ask("disag/week", **query).json()
    report = month.ask("reports/weekly", **query).json()

    in_month = next(one for one in month.month("disag/month/weeks")["weeks"] if one["from"] == monday.isoformat())
    assert week["total_consumption"] == in_month["total_consumption"]
    assert week["appliances"] == in_month["appliances"]
    metrics = report["day_by_day_metrics"]
    total = sum(map(month.of_day, days), Decimal(0))
    assert _exact(metrics["total_week_consumption"]) == total
    assert [_exact(row["total_consumption"]) for row in metrics["days"]] == [month.of_day(day) for day in days]
    assert abs(_exact(metrics["average_week_consumption"]) - total / 7) <= Decimal("0.00001")
    assert set(metrics) >= {"max_week_consumption", "min_week_consumption", "days_without_consumption"}
    kgco2 = (total * Decimal("0.519")).quantize(Decimal("1e-8"))
    assert _exact(report["carbon_footprint"]["kgco2"]) == kgco2
    trees = (kgco2 / (Decimal("0.06034") * 7)).quantize(Decimal("1e-6"))
    assert _exact(report["carbon_footprint"]["trees"]) == trees


def test_a_week_of_two_months_waits_for_both(months: dict[str, Month]) -> None:
    clock.start_at(datetime(2027, 1, 1, tzinfo=UTC))

    for route in ("disag/week", "disag/cycles/weekly", "reports/weekly"):
        answer = months["London March"].ask(route, startDate="2026-03-30", endDate="2026-04-05")
        assert answer.status_code == 404


def test_missing_intervals_show_in_the_disconnection(months: dict[str, Month]) -> None:
    gappy = months["with a gap"]

    whole = gappy.month("disag/month")
    clock.start_at(gappy.due())
    week = gappy.ask("disag/week", startDate="2026-03-09", endDate="2026-03-15").json()

    missing = len(gappy.starts) - len(gappy.measured)
    assert missing == 24
    assert whole["disconnection_percentage"] == round(100 * missing / len(gappy.starts), 1)
    assert week["disconnection_percentage"] == round(100 * missing / (7 * 96), 1)
    assert months["Kolkata March"].month("disag/month")["disconnection_percentage"] == 0


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({}, "year"),
        ({"month": "3"}, "year"),
        ({"year": "2026"}, "month"),
        ({"year": "2026", "month": "0"}, "month"),
        ({"year": "2026", "month": "13"}, "month"),
        ({"year": "2026", "month": "-3"}, "month"),
        ({"year": "2026", "month": "3.0"}, "month"),
        ({"year": "0", "month": "3"}, "year"),
        ({"year": "20269", "month": "3"}, "year"),
        ({"year": "0000020269", "month": "3"}, "year"),
        ({"year": "9" * 5000, "month": "3"}, "year"),
        ({"year": "x", "month": "3"}, "year"),
        ({"year": "٢٠٢٦", "month": "3"}, "year"),
        ({"year": "", "month": ""}, "year"),
    ],
)
def test_a_wrong_month_is_400_and_named(months: dict[str, Month], query: dict[str, str], field: str) -> None:
    for route in ("reports/monthly", "disag/month", "disag/month/weeks"):
        answer = months["London March"].ask(route, **query)
        assert (answer.status_code, answer.json()["status"]) == (400, 400)
        assert list(answer.json()["errors"]) == [field]


@pytest.mark.parametrize(
    ("start", "end", "field"),
    [
        ("2026-03-02", "2026-03-15", "startDate"),
        ("2026-03-03", "2026-03-09", "startDate"),
        ("2026-03-08", "2026-03-02", "startDate"),
        ("2026-03-02", "2026-03-02", "startDate"),
        ("2026-03-02", "", "endDate"),
        ("", "2026-03-08", "startDate"),
        ("2026-3-2", "2026-03-08", "startDate"),
        ("2026-02-30", "2026-03-08", "startDate"),
        ("2026-W10-1", "2026-03-08", "startDate"),
        ("2026-03-02T00:00:00Z", "2026-03-08", "startDate"),
        ("9999-12-27", "9999-12-31", "startDate"),
        ("٢٠٢٦-03-02", "2026-03-08", "startDate"),
    ],
)
def test_a_week_is_a_monday_to_its_sunday(months: dict[str, Month], start: str, end: str, field: str) -> None:
    for route in ("reports/weekly", "disag/week"):
        answer = months["London March"].ask(route, startDate=start, endDate=end)
        assert answer.status_code == 400
        assert list(answer.json()["errors"]) == [field]


@pytest.mark.parametrize("unit", ["mwh", "WH", "kWh ", "%00", "1"])
def test_another_unit_is_400(months: dict[str, Month], unit: str) -> None:
    clock.start_at(months["London March"].due())

    answer = months["London March"].ask("reports/monthly", year=2026, month=3, unit=unit)

    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["unit"])


def test_a_correction_changes_its_day_and_no_other(tenant: Tenant, settings: Settings) -> None:
    month = _measure(tenant, "Asia/Kathmandu", date(2026, 4, 1), _never)
    _compute(settings, month)
    before = month.month("reports/monthly")["day_by_day_metrics"]["days"]
    at = datetime(2026, 4, 10, 18, 15, tzinfo=UTC)  # 00:00 of the 11th in Kathmandu
    month.measured[at] += Decimal("5.00001")
    tenant.deliver(month.home.named(at.isoformat(), str(month.measured[at])))

    _compute(settings, month)

    after = month.month("reports/monthly")["day_by_day_metrics"]["days"]
    changed = [new for old, new in zip(before, after, strict=True) if old != new]
    assert [row["day"] for row in changed] == ["2026-04-11"]
    assert _exact(changed[0]["total_consumption"]) == month.of_day(date(2026, 4, 11))


def test_a_register_behind_transformers_counts_its_differences_times_their_ratios(
    tenant: Tenant, settings: Settings
) -> None:
    home = tenant.home(
        series={"name": "1-0:1.8.0", "unit": "Wh", "affected_by_ct_ratio": True, "affected_by_vt_ratio": True},
        has_current_transformer=True,
        current_transformer_ratio=30,
        has_voltage_transformer=True,
        voltage_transformer_ratio=2,
    )
    first = datetime(2026, 5, 1, tzinfo=UTC)
    hours = 31 * 24
    tenant.deliver(
        [home.named((first + n * timedelta(hours=1)).isoformat(), str(1000 + n)) for n in range(hours + 1)]
    )
    month = Month(home=home, tenant=tenant, zone="UTC", first=first.date(), measured={})

    _compute(settings, month)

    report = month.month("reports/monthly", unit="wh")
    assert report["day_by_day_metrics"]["total_month_consumption"] == hours * 60
    assert {row["total_consumption"] for row in report["day_by_day_metrics"]["days"]} == {24 * 60}
    assert report["disaggregation_metrics"]["disconnection_percentage"] == 0


def test_a_ratio_that_changes_counts_again_for_the_whole_history(tenant: Tenant, settings: Settings) -> None:
    home = tenant.home(
        series={"name": "1-0:1.29.0", "unit": "Wh", "affected_by_ct_ratio": True},
        has_current_transformer=True,
        current_transformer_ratio=10,
    )
    tenant.deliver(
        [home.named(f"2026-06-{day:02}T{hour:02}:00:00Z", "1") for day in range(1, 31) for hour in range(24)]
    )
    month = Month(home=home, tenant=tenant, zone="UTC", first=date(2026, 6, 1), measured={})
    _compute(settings, month)
    before = month.month("reports/monthly", unit="wh")["day_by_day_metrics"]["total_month_consumption"]

    tenant.staff.patch(f"{METERING}/meter-devices/{home.meter['id']}", json={"current_transformer_ratio": 20})
    _compute(settings, month)

    after = month.month("reports/monthly", unit="wh")["day_by_day_metrics"]["total_month_consumption"]
    assert (before, after) == (30 * 24 * 10, 30 * 24 * 20)


def test_a_deleted_series_or_meter_leaves_no_energy_behind(fresh: Tenant, settings: Settings) -> None:
    kept = _measure(fresh, "UTC", date(2026, 2, 1), _never)
    gone = _measure(fresh, "UTC", date(2026, 2, 1), _never)
    _compute(settings, kept, gone)

    fresh.staff.delete(f"{METERING}/meter-reading-series/{kept.home.series['id']}")
    fresh.staff.delete(f"{METERING}/meter-devices/{gone.home.meter['id']}")
    _compute(settings, kept, gone)

    clock.start_at(kept.due())
    assert fresh.staff.found("/sensors") == []
    assert gone.ask("reports/monthly", year=2026, month=2).status_code == 404
    assert kept.ask("reports/monthly", year=2026, month=2).status_code == 403
    assert steps.check(settings=settings)["checks"] > 0


def _stored_days(engine: sa.Engine, month: Month) -> dict[date, int]:
    query = sa.text(
        "SELECT day, energy_uwh FROM wattloom.daily_energy WHERE device_id = :sensor AND energy_uwh <> 0"
    )
    with engine.connect() as connection:
        rows = connection.execute(query, {"sensor": month.home.meter["sensor_id"]})
        return {row.day: row.energy_uwh for row in rows}


def _days_in(month: Month, zone: str) -> dict[date, int]:
    days: dict[date, int] = {}
    for at, kwh in month.measured.items():
        day = at.astimezone(ZoneInfo(zone)).date()
        days[day] = days.get(day, 0) + int(kwh * 10**9)
    return days


def _to_new_york(tenant: Tenant, home: Home) -> None:
    tenant.staff.patch(
        f"{METERING}/meter-device-configs/{home.config['id']}", json={"timezone": "America/New_York"}
    )


def _to_another_type(tenant: Tenant, home: Home) -> None:
    other = tenant.type(tenant.config(home.series, timezone="America/New_York"))
    tenant.staff.patch(f"{METERING}/meter-devices/{home.meter['id']}", json={"type": other["id"]})


def _to_another_config(tenant: Tenant, home: Home) -> None:
    other = tenant.config(home.series, timezone="America/New_York")
    tenant.staff.patch(f"{METERING}/meter-device-types/{home.type['id']}", json={"config": other["id"]})


def _without_type(tenant: Tenant, home: Home) -> None:
    assert tenant.staff.delete(f"{METERING}/meter-device-types/{home.type['id']}").status_code == 204


def _without_config(tenant: Tenant, home: Home) -> None:
    assert tenant.staff.delete(f"{METERING}/meter-device-configs/{home.config['id']}").status_code == 204


@pytest.mark.parametrize(
    ("change", "zone"),
    [
        (_to_new_york, "America/New_York"),
        (_to_another_type, "America/New_York"),
        (_to_another_config, "America/New_York"),
        (_without_type, "UTC"),
        (_without_config, "UTC"),
    ],
)
def test_a_change_of_zone_moves_every_local_day(
    tenant: Tenant, settings: Settings, engine: sa.Engine, change: Callable[[Tenant, Home], None], zone: str
) -> None:
    month = _measure(tenant, "Asia/Kolkata", date(2026, 2, 1), _never)
    _compute(settings, month)
    before = _stored_days(engine, month)

    change(tenant, month.home)
    _compute(settings, month)

    assert before == _days_in(month, "Asia/Kolkata")
    assert _stored_days(engine, month) == _days_in(month, zone)
