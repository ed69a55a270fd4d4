"""Devices as sensors: from the first reading on, and what is said of each."""

from datetime import UTC, datetime

import pytest

from tests.api.callers import Client, Tenant

ROUTES = (
    "",
    "/sm/disag/month?year=2026&month=3",
    "/sm/disag/month/weeks?year=2026&month=3",
    "/sm/disag/week?startDate=2026-03-02&endDate=2026-03-08",
    "/sm/disag/cycles/monthly?year=2026&month=3",
    "/sm/disag/cycles/weekly?startDate=2026-03-02&endDate=2026-03-08",
    "/sm/reports/monthly?year=2026&month=3",
    "/sm/reports/weekly?startDate=2026-03-02&endDate=2026-03-08",
)


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_device_is_a_sensor_from_its_first_reading_on(fresh: Tenant, slash: str) -> None:
    home = fresh.home(config={"timezone": "Europe/Stockholm"})
    sensor = home.meter["sensor_id"]
    before = fresh.staff.found(f"/sensors{slash}")
    fresh.deliver([home.named("2026-03-01T00:15:00+01:00"), home.named("2026-03-02T00:00:00.5Z")])

    for caller in (fresh.staff, fresh.bearer()):
        assert caller.found(f"/sensors{slash}") == [sensor]
        assert caller.found(f"/sensors/{sensor}{slash}") == {
            "connection_state": None,
            "firmware": None,
            "first_event": "2026-02-28T23:15:00Z",
            "last_event": "2026-03-02T00:00:00.500000Z",
            "locale": {
                "isoCountryCode": "SE",
                "isoLocaleCode": None,
                "timeZoneId": "Europe/Stockholm",
                "userDefinedLanguage": None,
            },
        }
    assert before == []


def test_a_known_device_without_any_reading_is_403_and_an_unknown_one_404(fresh: Tenant) -> None:
    silent = fresh.home().meter["sensor_id"]
    bare = fresh.meter()["sensor_id"]

    for route in ROUTES:
        for caller in (fresh.staff, fresh.bearer()):
            for sensor in (silent, bare):
                answer = caller.get(f"/sensors/{sensor}{route}")
                assert (answer.status_code, answer.json()["status"]) == (403, 403), route
            assert caller.get(f"/sensors/2147483647{route}").status_code == 404


def test_sensors_come_in_the_order_of_their_ids(fresh: Tenant) -> None:
    homes = [fresh.home() for _ in range(3)]
    fresh.deliver([home.named() for home in reversed(homes)])

    assert fresh.staff.found("/sensors") == sorted(home.meter["sensor_id"] for home in homes)


def test_sensors_only_answer_gets_of_the_right_callers(fresh: Tenant, reader: Client) -> None:
    home = fresh.home()
    fresh.deliver(home.named())
    sensor = home.meter["sensor_id"]

    for route in ROUTES:
        assert fresh.reader().get(f"/sensors/{sensor}{route}").status_code == 401
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            assert fresh.staff.request(method, f"/sensors/{sensor}{route}").status_code == 405
    assert reader.get("/sensors").status_code == 401


def test_a_device_without_a_config_lives_in_the_default_zone(fresh: Tenant) -> None:
    home = fresh.home()
    fresh.deliver(home.named())
    fresh.staff.patch(f"/v1/metering/meter-devices/{home.meter['id']}", json={"type": None})

    assert fresh.staff.found(f"/sensors/{home.meter['sensor_id']}")["locale"]["timeZoneId"] == "UTC"


def test_a_retired_zone_is_served_under_its_present_name(fresh: Tenant) -> None:
    home = fresh.home(config={"timezone": "Asia/Hanoi"})
    fresh.deliver(home.named(datetime(2026, 3, 1, tzinfo=UTC).isoformat()))

    assert fresh.staff.found(f"/sensors/{home.meter['sensor_id']}")["locale"]["timeZoneId"] == "Asia/Ho_Chi_Minh"
