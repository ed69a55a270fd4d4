"""The ERP gateway: mapping alone, and events that are mapped, matched and stored."""

import json
import uuid
from typing import Any

from benchmarks.fleet import SERIES, make_fleet
from benchmarks.measure import Row, database, median, seconds
from pipelines.accounts.principals import Principal, Scheme
from pipelines.crud import create_row
from pipelines.db.engine import unit_of_work
from pipelines.erp import events
from pipelines.erp.configuration import check_configuration
from pipelines.erp.getters import Document
from pipelines.erp.mapping import Stopwatch, map_readings, rows_of
from pipelines.erp.payloads import decode
from pipelines.erp.resources import INTEGRATION

EVENTS, ROWS = 100, 100
# The original's complete example, with the attributes that its own rules require.
CONFIGURATION: dict[str, Any] = {
    "meter_readings": [
        {
            "jsonataExpression": "readings",
            "meter": {"unique_ids": ["meter_number"]},
            "fields": [
                {"attribute": "meter_number", "field": "meterId"},
                {"attribute": "external_id", "jsonataExpression": "$$.batchId & '-' & meterId"},
                {"attribute": "timestamp", "field": "$$.readingDate"},
                {"attribute": "value", "field": "currentReading"},
                {"attribute": "previous_value", "field": "previousReading"},
                {"attribute": "unit", "field": "unit"},
                {"attribute": "consumption", "jsonataExpression": "currentReading - previousReading"},
                {"attribute": "source", "constant": "ERP"},
                {"attribute": "batch_id", "field": "$$.batchId"},
            ],
        }
    ]
}


def _payload(number: int, meters: list[str]) -> str:
    rows = [
        {
            "meterId": meter,
            "meterType": "electricity",
            "currentReading": 12500.5 + number,
            "previousReading": 12000.0 + number,
            "unit": "kWh",
        }
        for meter in meters
    ]
    day = f"{2000 + number // 12}-{number % 12 + 1:02}-15T08:00:00Z"
    return json.dumps({"batchId": f"BATCH-{number}", "readingDate": day, "readings": rows})


def _mapping_rate(meters: list[str]) -> float:
    item = check_configuration(CONFIGURATION).readings[0]
    payloads = [_payload(number, meters) for number in range(EVENTS)]

    def work() -> None:
        for payload in payloads:
            document = Document(decode(payload))
            rows = rows_of(item, document)
            assert rows is not None
            assert not any(one.error for one in map_readings(item, 0, rows, Stopwatch()))

    work()
    return EVENTS * len(meters) / median([seconds(work) for _ in range(3)])


def run(server_url: str) -> list[Row]:
    with database(server_url) as (_, engine):
        fleet = make_fleet(engine, ROWS)
        organization = uuid.UUID(fleet.credentials["organization"]["id"])
        principal = Principal(scheme=Scheme.BEARER, organization_id=organization, name="bench")
        rate = _mapping_rate(fleet.meters)
        body: dict[str, Any] = {"name": "ERP", "use_case_slug": "readings", "configuration": CONFIGURATION}
        with unit_of_work(engine) as connection:
            integration = create_row(connection, INTEGRATION, principal, body | {"default_series": SERIES})["id"]
        request = {
            "integration_id": str(integration),
            "events": [{"payload": _payload(number, fleet.meters)} for number in range(EVENTS)],
        }

        def send() -> list[dict[str, Any]]:
            with unit_of_work(engine) as connection:
                stored = events.store(connection, principal, request)
            return events.work_off(engine, stored, by="bench", allow_unconfigured=False)

        results: list[dict[str, Any]] = []
        took = seconds(lambda: results.extend(send()))
        assert [one["status"] for one in results] == ["success"] * EVENTS, results[0]
        again = seconds(send)
    what = f"{EVENTS} ERP events of {ROWS} readings mapped, matched and stored"
    return [
        Row(
            what="mapping the ERP example (two expressions a row), one core",
            figure=f"{rate:,.0f} rows/s",
            target=">= 3,000 rows/s",
            met=rate >= 3000,
        ),
        Row(what=what, figure=f"{took:.2f} s", target="<= 3 s", met=took <= 3),
        Row(what=f"{what} a second time, as updates", figure=f"{again:.2f} s", target="<= 3 s", met=again <= 3),
    ]
