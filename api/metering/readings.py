"""``/meter-readings``: single readings and their lists."""

from litestar import Response, Router, delete, get, post

from api import shapes
from api.auth.access import METERING, AnyRequest, authorised, settings_of
from api.shapes import identifier
from pipelines.errors import NotFound
from pipelines.metering import readings
from pipelines.metering.readings import ReadingFilter


def _key(text: str) -> int:
    key = identifier(text, integer=True)
    if not isinstance(key, int):
        raise NotFound
    return key


@get("/", name="meter-readings-list", sync_to_thread=True)
def list_readings(request: AnyRequest) -> Response[bytes]:
    """List timestamps and values, ascending; give ``meter_device`` and ``series`` to get one complete series."""
    with authorised(request, METERING) as (connection, principal):
        limit, offset = shapes.page_bounds(request)
        chosen = ReadingFilter(
            meter_device=shapes.query_uuid(request, "meter_device"),
            series=shapes.query_uuid(request, "series"),
            start_time=shapes.query_instant(request, "start_time"),
            end_time=shapes.query_instant(request, "end_time"),
        )
        count, rows = readings.list_readings(connection, principal, chosen, limit=limit, offset=offset)
    results = [{"timestamp": shapes.utc_text(at), "value": format(value, "f")} for at, value in rows]
    return shapes.page(request, count, limit, offset, results)


@post("/", name="meter-readings-create", sync_to_thread=True)
def create_reading(request: AnyRequest, body: bytes) -> Response[bytes]:
    """Store one reading; its series must be allowed by the config of the meter's type."""
    with authorised(request, METERING) as (connection, principal):
        row = readings.create_reading(
            connection,
            principal,
            shapes.read_json(body),
            allow_unconfigured=settings_of(request).allow_unconfigured_devices,
        )
    return shapes.json_response(shapes.wire(row), 201)


@get("/{key:str}", name="meter-readings-read", sync_to_thread=True)
def read_reading(request: AnyRequest, key: str) -> Response[bytes]:
    """Return one reading."""
    with authorised(request, METERING) as (connection, principal):
        row = readings.get_reading(connection, principal, _key(key))
    return shapes.json_response(shapes.wire(row))


@delete("/{key:str}", name="meter-readings-delete", sync_to_thread=True)
def delete_reading(request: AnyRequest, key: str) -> None:
    """Delete one reading; the audit table keeps its value."""
    with authorised(request, METERING) as (connection, principal):
        readings.delete_reading(connection, principal, _key(key))


ROUTER = Router("/meter-readings", route_handlers=[list_readings, create_reading, read_reading, delete_reading])
