"""Integrations, events and readings of an ERP, as a tenant's API client sees them."""

import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import sqlalchemy as sa

from pipelines.db.engine import unit_of_work
from tests.api.callers import METERING, Client, Home, Json, Tenant, unique

EVENTS = "/v3/erp/updates/events"
INTEGRATIONS = "/v1/integrations"
SIMULATION = "/v2/erp/updates/mapping_simulation"

BY_NUMBER = {"unique_ids": [{"attribute": "meter_number", "field": "meter"}]}
FIELDS = [
    {"attribute": "external_id", "field": "id"},
    {"attribute": "timestamp", "field": "at"},
    {"attribute": "source", "constant": "ERP"},
    {"attribute": "value", "field": "value"},
]
OPTIONAL = [
    {"attribute": "reason", "field": "reason"},
    {"attribute": "direction", "field": "direction"},
    {"attribute": "reading_type", "field": "type"},
    {"attribute": "source", "field": "source"},
]
BY_COUNTER = {"unique_ids": [{"attribute": "external_id", "field": "counter"}]}


def item(**changes: Any) -> Json:
    """Return an item that maps ``readings`` of a payload."""
    return {"jsonataExpression": "$.readings", "meter": BY_NUMBER, "fields": FIELDS} | changes


@dataclass
class Erp:
    """An integration of a tenant, with the API client that uses it."""

    tenant: Tenant
    items: list[Json] = field(default_factory=lambda: [item()])
    entities: list[Json] = field(default_factory=list)
    extra: Json = field(default_factory=dict)

    @cached_property
    def client(self) -> Client:
        return self.tenant.bearer()

    @cached_property
    def id(self) -> str:
        body = {"name": unique("erp"), "use_case_slug": "meter-readings", "configuration": self.configuration}
        return str(self.client.made(INTEGRATIONS, body | self.extra)["id"])

    @property
    def configuration(self) -> Json:
        return {"entities": self.entities, "meter_readings": self.items}

    def body(self, *payloads: Any, **event: Any) -> Json:
        events = [
            {"event_type": "readings", "format": "json", "payload": p if isinstance(p, str) else json.dumps(p)}
            | event
            for p in payloads
        ]
        return {"integration_id": self.id, "meta": {"correlation_id": "c-1"}, "events": events}

    def post(self, *payloads: Any, **event: Any) -> list[Json]:
        answer = self.client.post(EVENTS, json=self.body(*payloads, **event))
        assert answer.status_code == 200, answer.text
        return list(answer.json()["results"])

    def event(self, identifier: str) -> Json:
        return dict(self.client.found(f"{INTEGRATIONS}/{self.id}/events/{identifier}"))

    def send(self, payload: Any, **event: Any) -> list[Json]:
        """Post one event and return the verdict on each of its rows."""
        (result,) = self.post(payload, **event)
        return list(self.event(result["event_id"])["results"])

    def replayed(self, result: Json) -> list[Json]:
        """Replay a posted event and return the verdict on each of its rows."""
        body = {"event_ids": [result["event_id"]]}
        assert self.client.post(f"{INTEGRATIONS}/{self.id}/events/replay", json=body).status_code == 200
        return list(self.event(result["event_id"])["results"])

    def rows(self, *rows: Json, **root: Any) -> list[Json]:
        return self.send({"readings": list(rows), **root})

    def sql(self, query: str, **parameters: Any) -> list[tuple[Any, ...]]:
        with unit_of_work(self.tenant.staff.transport.app.state.engine) as connection:
            return [tuple(row) for row in connection.execute(sa.text(query), parameters)]

    def said(self, home: Home) -> dict[str, tuple[str, str]]:
        """Return what the ERP said of a meter's readings: external id -> (instant, value)."""
        found = self.sql(
            "SELECT r.external_id, r.timestamp, m.value, r.source FROM wattloom.erp_reading AS r"
            " JOIN wattloom.meter_reading AS m USING (device_id, series_id, timestamp)"
            " WHERE r.device_id = :d ORDER BY r.timestamp",
            d=home.meter["sensor_id"],
        )
        return {row[0]: (row[1].isoformat().replace("+00:00", "Z"), format(row[2], "f")) for row in found}


def reading(home: Home, number: object, at: str = "2024-01-15T08:00:00Z", value: Any = 100, **more: Any) -> Json:
    return {"meter": home.meter["name"], "id": f"R-{number}", "at": at, "value": value, **more}


__all__ = ["BY_COUNTER", "BY_NUMBER", "EVENTS", "FIELDS", "INTEGRATIONS", "METERING", "OPTIONAL", "SIMULATION"]
