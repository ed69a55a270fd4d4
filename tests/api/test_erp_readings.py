"""Readings of an ERP through the API: found, matched, stored, refused, deleted and pruned by the rules."""

from tests.api.callers import Tenant
from tests.api.erp_world import Erp, reading


def test_readings_of_an_event_are_readings_of_the_meter(tenant: Tenant) -> None:
    erp, home = Erp(tenant), tenant.home(series={"name": "1-0:1.8.0"})

    outcomes = erp.rows(reading(home, 1, value=12500.5), reading(home, 2, at="2024-02-15", value="12600.250"))

    assert [(o["status"], o["action"]) for o in outcomes] == [("success", "created")] * 2
    assert tenant.readings(home) == [
        {"timestamp": "2024-01-15T08:00:00Z", "value": "12500.5"},
        {"timestamp": "2024-02-15T00:00:00Z", "value": "12600.250"},
    ]
