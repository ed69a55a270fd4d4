"""``/sensors/{id}/metadata``: what is known of the home behind a meter, each document set as a whole."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from litestar import Response, Router, get, put

from api import shapes
from api.auth.access import AnyRequest
from api.insight.sensors import opened_household
from pipelines import clock
from pipelines.errors import NotFound
from pipelines.household import documents, store
from pipelines.household.documents import Checked, Document
from pipelines.household.store import HouseholdDocuments

WARNING = "Wattloom-Warning"
_MOST_SHOWN = 10

_Write = Callable[[sa.Connection, int, Document, datetime], None]


def _read(request: AnyRequest, device_id: str) -> HouseholdDocuments:
    with opened_household(request, device_id) as (connection, home):
        return store.read_households(connection, [home.sensor_id])[home.sensor_id]


def _replace(
    request: AnyRequest, device_id: str, body: bytes, check: Callable[[Any], Checked], write: _Write
) -> Response[None]:
    with opened_household(request, device_id) as (connection, home):
        checked = check(shapes.read_json(body))
        write(connection, home.sensor_id, checked.document, clock.now())
    return Response(None, status_code=204, headers=_headers(checked.warnings))


def _headers(warnings: tuple[str, ...]) -> dict[str, str]:
    shown = [*warnings[:_MOST_SHOWN]]
    if len(warnings) > _MOST_SHOWN:
        shown.append(f"and {len(warnings) - _MOST_SHOWN} more")
    return {WARNING: "; ".join(shown)} if shown else {}


@get("/property", name="property", sync_to_thread=True)
def read_property(request: AnyRequest, device_id: str) -> Response[bytes]:
    """Return the property as it was set; 404 where it never was."""
    known = _read(request, device_id).property
    if known is None:
        raise NotFound
    return shapes.json_response(known)


@put("/property", name="set-property", sync_to_thread=True, status_code=204)
def set_property(request: AnyRequest, device_id: str, body: bytes) -> Response[None]:
    """Set the property."""
    return _replace(request, device_id, body, documents.check_property, store.write_property)


@get("/appliances", name="appliances", sync_to_thread=True)
def read_appliances(request: AnyRequest, device_id: str) -> Response[bytes]:
    """Return the list of appliances; an empty one where it was never set."""
    known = _read(request, device_id).appliances
    shown = documents.no_appliances()
    return shapes.json_response(shown if known is None else {**shown, "appliances": known})


@put("/appliances", name="set-appliances", sync_to_thread=True, status_code=204)
def set_appliances(request: AnyRequest, device_id: str, body: bytes) -> Response[None]:
    """Replace the list of appliances."""
    return _replace(request, device_id, body, documents.check_appliances, store.write_appliances)


@get("/geolocation", name="geolocation", sync_to_thread=True)
def read_geolocation(request: AnyRequest, device_id: str) -> Response[bytes]:
    """Return the place; 404 where it was never set."""
    known = _read(request, device_id)
    if known.latitude is None:
        raise NotFound
    return shapes.json_response({"latitude": known.latitude, "longitude": known.longitude})


@put("/geolocation", name="set-geolocation", sync_to_thread=True, status_code=204)
def set_geolocation(request: AnyRequest, device_id: str, body: bytes) -> Response[None]:
    """Set the place."""
    return _replace(request, device_id, body, documents.check_geolocation, store.write_place)


ROUTER = Router(
    "/sensors/{device_id:str}/metadata",
    route_handlers=[
        read_property,
        set_property,
        read_appliances,
        set_appliances,
        read_geolocation,
        set_geolocation,
    ],
)
