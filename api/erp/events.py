"""Events of an ERP: taken, shown row by row, replayed, and simulated."""

from typing import Any

import msgspec
from litestar import Response, Router, get, post

from api import shapes
from api.auth.access import ERP, INTEGRATIONS, AnyRequest, authorised, settings_of
from pipelines.erp import events, limits, simulation
from pipelines.errors import NotFound

_ENCODER = msgspec.json.Encoder(decimal_format="number")


def _answer(content: Any) -> Response[bytes]:
    """Return an answer in which numbers of payloads are numbers, digit by digit."""
    return Response(_ENCODER.encode(content), media_type="application/json")


def _key(text: str) -> object:
    key = shapes.identifier(text, integer=False)
    if key is None:
        raise NotFound
    return key


@post("/v3/erp/updates/events", name="erp-events", sync_to_thread=True, status_code=200)
def take_events(request: AnyRequest, body: bytes) -> Response[bytes]:
    """Store up to 100 events, then process them in order; the answer says what became of each.

    What was stored and could not be processed is not lost: it is processed when it is sent again, or by the replay.
    """
    with authorised(request, ERP) as (connection, principal):
        limits.count_request(connection, principal.organization_id)
    with authorised(request, ERP) as (connection, principal):
        stored = events.store(connection, principal, shapes.read_json(body))
    allow = settings_of(request).allow_unconfigured_devices
    results = events.work_off(request.app.state.engine, stored, by=principal.name, allow_unconfigured=allow)
    return _answer({"results": results})


@post("/v2/erp/updates/mapping_simulation", name="erp-simulation", sync_to_thread=True, status_code=200)
def simulate(request: AnyRequest, body: bytes) -> Response[bytes]:
    """Map a payload by a configuration and store nothing."""
    with authorised(request, ERP) as (connection, principal):
        limits.count_request(connection, principal.organization_id)
    with authorised(request, ERP):
        return _answer(simulation.simulate(shapes.read_json(body)))


@get("/v1/integrations/{key:str}/events/{event:str}", name="erp-event", sync_to_thread=True)
def read_event(request: AnyRequest, key: str, event: str) -> Response[bytes]:
    """Return an event with the verdict on each of its rows, and its trace."""
    with authorised(request, INTEGRATIONS) as (connection, principal):
        shown = events.show(connection, principal, _key(key), _key(event))
    return _answer({name: shapes.wire(value) if name != "results" else value for name, value in shown.items()})


@post("/v1/integrations/{key:str}/events/replay", name="erp-replay", sync_to_thread=True, status_code=200)
def replay_events(request: AnyRequest, key: str, body: bytes) -> Response[bytes]:
    """Process events again by the integration's present configuration."""
    with authorised(request, INTEGRATIONS) as (connection, principal):
        chosen = events.chosen_for_replay(connection, principal, _key(key), shapes.read_json(body))
    allow = settings_of(request).allow_unconfigured_devices
    results = events.replay(request.app.state.engine, chosen, by=principal.name, allow_unconfigured=allow)
    return _answer({"results": results})


ROUTER = Router("/", route_handlers=[take_events, simulate, read_event, replay_events])
