"""The OpenAPI 3.0 document, made from the same field dictionaries that check requests."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any

from api.auth import client_tokens, jwt
from api.insight import document as insight
from api.metering import new_readings
from api.registry.document import registry_paths
from api.shapes import DEFAULT_LIMIT, MAX_LIMIT
from pipelines.accounts import resources as accounts
from pipelines.amr import tasks
from pipelines.crud import Resource
from pipelines.erp import events as erp_events
from pipelines.erp import simulation
from pipelines.erp.resources import INTEGRATION
from pipelines.fields import Field, Kind
from pipelines.household import fields as household
from pipelines.metering import interfaces, readings, security_keys
from pipelines.metering import resources as metering
from pipelines.mqtt.resources import QUARANTINED

Schema = dict[str, Any]

_FORMATS: dict[Kind, Schema] = {
    Kind.STRING: {"type": "string"},
    Kind.BOOLEAN: {"type": "boolean"},
    Kind.INTEGER: {"type": "integer"},
    Kind.DECIMAL: {"type": "string", "format": "decimal"},
    Kind.NUMBER: {"type": "number"},
    Kind.INTEGERS: {"type": "array", "items": {"type": "integer"}},
    Kind.UUID: {"type": "string", "format": "uuid"},
    Kind.UUIDS: {"type": "array", "items": {"type": "string", "format": "uuid"}, "uniqueItems": True},
    Kind.DATETIME: {"type": "string", "format": "date-time"},
    Kind.ZONE: {"type": "string", "example": "Europe/Stockholm"},
    Kind.URI: {"type": "string", "format": "uri"},
    Kind.IP: {"type": "string", "example": "192.0.2.7"},
    Kind.OBJECT: {"type": "object"},
    Kind.OBJECTS: {"type": "array", "items": {"type": "object"}},
    Kind.TEXTS: {"type": "array", "items": {"type": "string"}},
    Kind.LOCAL_DATETIME: {"type": "string", "format": "date-time"},
}
_STAMP: Schema = {"type": "string", "format": "date-time", "readOnly": True}
_Security = list[dict[str, list[str]]]
_METERING: _Security = [{"Token": []}, {"JWT": []}]
_SENSORS: _Security = [{"Token": []}, {"Bearer": []}]
_INTEGRATIONS: _Security = [{"Token": []}, {"JWT": []}, {"Bearer": []}]


def field_schema(field: Field) -> Schema:
    """Return a field's limits as a schema."""
    schema = deepcopy(_FORMATS[field.kind])
    limits = {
        "minLength": field.min_length or None,
        "maxLength": field.max_length,
        "minimum": field.minimum,
        "maximum": field.maximum,
        "pattern": f"^{field.pattern}$" if field.pattern else None,
    }
    limited: Schema = schema.get("items", schema)
    limited |= {name: limit for name, limit in limits.items() if limit is not None}
    if field.choices is not None:
        limited["enum"] = [*field.choices, *([None] if field.nullable else [])]
    if field.doc:
        schema["description"] = field.doc
    if field.nullable:
        schema["nullable"] = True
    if field.read_only:
        schema["readOnly"] = True
    if field.write_only:
        schema["writeOnly"] = True
    return schema


def object_schema(fields: Sequence[Field], *, partial: bool = False) -> Schema:
    """Return a field dictionary as an object schema."""
    schema: Schema = {"type": "object", "properties": {f.name: field_schema(f) for f in fields}}
    required = [f.name for f in fields if f.required]
    if required and not partial:
        schema["required"] = required
    return schema


def _answer(description: str, schema: Schema | None = None) -> Schema:
    content = {"content": {"application/json": {"schema": schema}}} if schema is not None else {}
    return {"description": description, **content}


def _parameter(name: str, schema: Schema, description: str = "", *, required: bool = False) -> Schema:
    return {"name": name, "in": "query", "required": required, "schema": schema, "description": description}


def _operation(
    summary: str,
    tag: str,
    answers: dict[str, Schema],
    *,
    security: _Security,
    body: Schema | None = None,
    parameters: Sequence[Schema] = (),
) -> Schema:
    operation: Schema = {"summary": summary, "tags": [tag], "responses": answers, "security": security}
    if body is not None:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    if parameters:
        operation["parameters"] = list(parameters)
    if security:
        operation["responses"] |= {
            "401": _answer("No credentials, or wrong or expired ones"),
            "403": _answer("The credentials do not allow this"),
        }
    return operation


_PAGING = (
    _parameter(
        "limit", {"type": "integer", "minimum": 1, "default": DEFAULT_LIMIT}, f"at most {MAX_LIMIT} are returned"
    ),
    _parameter("offset", {"type": "integer", "minimum": 0, "default": 0}),
)
_INVALID = _answer("The fields that are wrong, each with its messages", {"type": "object"})
_ABSENT = _answer("Unknown, or another organization's")


def _page_of(item: Schema) -> Schema:
    uri = {"type": "string", "format": "uri", "nullable": True}
    return {
        "type": "object",
        "properties": {
            "count": {"type": "integer"},
            "next": uri,
            "previous": uri,
            "results": {"type": "array", "items": item},
        },
    }


def _filter(name: str) -> Schema:
    if name in {"start_time", "end_time"}:
        return _parameter(
            name, {"type": "string", "format": "date-time"}, "inclusive" if name[0] == "s" else "exclusive"
        )
    is_id = name in {"meter_device", "meter", "amr_task"}
    return _parameter(name, {"type": "string", "format": "uuid"} if is_id else {"type": "string"})


def _key(schema: Schema) -> Schema:
    return {"name": "key", "in": "path", "required": True, "schema": schema}


def resource_paths(resource: Resource, path: str, security: _Security = _METERING) -> dict[str, Schema]:
    """Return the paths of a resource."""
    identifier: Schema = {"type": "integer"} if resource.integer_id else {"type": "string", "format": "uuid"}
    shown = object_schema([f for f in resource.fields if not f.write_only])
    shown["properties"] = {"id": identifier, **shown["properties"], "created_at": _STAMP, "updated_at": _STAMP}
    shown["properties"] |= {name: {"type": "object"} for name in resource.nested}
    body, tag = object_schema([f for f in resource.fields if not f.read_only]), resource.title
    many: Schema = {
        "get": _operation(
            f"List {resource.title} rows",
            tag,
            {"200": _answer("One page", _page_of(shown)), "400": _INVALID},
            security=security,
            parameters=[*(_filter(name) for name in (*resource.filters, *resource.related_filters)), *_PAGING],
        ),
    }
    if resource.may_create:
        many["post"] = _operation(
            f"Create a {resource.title}",
            tag,
            {"201": _answer("Created", shown), "400": _INVALID},
            security=security,
            body=body,
        )
    one: Schema = {
        "parameters": [_key(identifier)],
        "get": _operation(
            f"Read a {resource.title}", tag, {"200": _answer("OK", shown), "404": _ABSENT}, security=_METERING
        ),
    }
    if resource.may_delete:
        one["delete"] = _operation(
            f"Delete a {resource.title}", tag, {"204": _answer("Deleted"), "404": _ABSENT}, security=_METERING
        )
    if resource.may_update:
        answers = {"200": _answer("OK", shown), "400": _INVALID, "404": _ABSENT}
        one["put"] = _operation(f"Update a {resource.title}", tag, dict(answers), security=security, body=body)
        partial = object_schema([f for f in resource.fields if not f.read_only], partial=True)
        one["patch"] = _operation(
            f"Partially update a {resource.title}", tag, dict(answers), security=security, body=partial
        )
    return {f"{path}/": many, path + "/{key}": one}


def _reading_paths() -> dict[str, Schema]:
    fields, tag = readings.FIELDS, "MeterReading"
    value = object_schema([f for f in fields if f.name in {"timestamp", "value"}])
    shown = object_schema(fields)
    shown["properties"] = {"id": {"type": "integer"}, **shown["properties"], "created_at": _STAMP}
    filters = [
        _parameter("meter_device", {"type": "string", "format": "uuid"}),
        _parameter("series", {"type": "string", "format": "uuid"}),
        _parameter("start_time", {"type": "string", "format": "date-time"}, "inclusive"),
        _parameter("end_time", {"type": "string", "format": "date-time"}, "exclusive"),
    ]
    delivered = object_schema(new_readings.FIELDS)
    verdicts: Schema = {
        "type": "object",
        "properties": {
            "accepted": {"type": "integer"},
            "staged": {"type": "integer"},
            "rejected": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "index": {"type": "integer"},
                        "code": {"type": "string"},
                        "detail": {"type": "string"},
                    },
                },
            },
        },
    }
    return {
        "/v1/metering/meter-readings/": {
            "get": _operation(
                "List readings; give meter_device and series to get one complete series",
                tag,
                {"200": _answer("One page, ascending in time", _page_of(value)), "400": _INVALID},
                security=_METERING,
                parameters=[*filters, *_PAGING],
            ),
            "post": _operation(
                "Store one reading",
                tag,
                {"201": _answer("Stored", shown), "400": _INVALID},
                security=_METERING,
                body=object_schema(fields),
            ),
        },
        "/v1/metering/meter-readings/{key}": {
            "parameters": [_key({"type": "integer"})],
            "get": _operation(
                "Read a reading", tag, {"200": _answer("OK", shown), "404": _ABSENT}, security=_METERING
            ),
            "delete": _operation(
                "Delete a reading; the audit table keeps its value",
                tag,
                {"204": _answer("Deleted"), "404": _ABSENT},
                security=_METERING,
            ),
        },
        "/v1/metering/new-meter-readings": {
            "post": _operation(
                "Deliver readings by the names of meter and series",
                tag,
                {"201": _answer("A verdict for every row", verdicts), "400": _INVALID},
                security=_METERING,
                body={"oneOf": [delivered, {"type": "array", "items": delivered}]},
            )
        },
    }


def _invocation_paths() -> dict[str, Schema]:
    job = object_schema(tasks.JOB.fields)
    job["properties"] = {
        "id": {"type": "integer"},
        **job["properties"],
        "created_at": _STAMP,
        "updated_at": _STAMP,
    }
    return {
        "/v1/metering/amr-tasks/invoke": {
            "post": _operation(
                "Execute a task call on a meter now; the job's state is under amr-jobs",
                "AmrTask",
                {"201": _answer("The job", job), "400": _INVALID},
                security=_METERING,
                body=object_schema(tasks.INVOCATION),
            )
        }
    }


def _token_paths() -> dict[str, Schema]:
    token: Schema = {"type": "object", "properties": {"token": {"type": "string"}}}
    access: Schema = {
        "type": "object",
        "properties": {
            "access_token": {"type": "string"},
            "token_type": {"type": "string"},
            "expires_in_secs": {"type": "integer"},
            "refresh_token": {"type": "string"},
        },
    }
    jwt_only: _Security = [{"JWT": []}]
    tag, denied = "Authentication", _answer("Wrong credentials")

    def posted(summary: str, code: str, answer: Schema, fields: Sequence[Field], *, security: Any = ()) -> Schema:
        answers = {code: _answer("The token", answer), "400": _INVALID, "401": denied}
        return {"post": _operation(summary, tag, answers, security=list(security), body=object_schema(fields))}

    renew = posted("Renew a JWT, in the header or the body", "200", token, (Field(name="token"),))
    renew["get"] = _operation("Renew a JWT", tag, {"200": _answer("The token", token)}, security=jwt_only)
    return {
        "/v1/auth/jwt/token/": posted("Exchange a password for a JWT", "201", token, jwt.CREDENTIALS),
        "/v1/auth/jwt/renew/": renew,
        "/v1/auth/jwt/change-organization/": posted(
            "Get a JWT for another organization", "201", token, jwt.CHANGE, security=jwt_only
        ),
        "/auth/token": posted(
            "Exchange a client's secret for an access token", "200", access, client_tokens.GRANT
        ),
        "/auth/token/refresh": posted("Renew an access token", "200", access, client_tokens.REFRESH),
    }


def _sensor_paths() -> dict[str, Schema]:
    year, month = (
        _parameter("year", {"type": "integer", "minimum": 1970, "maximum": 2099}, required=True),
        _parameter("month", {"type": "integer", "minimum": 1, "maximum": 12}, required=True),
    )
    monday, sunday = (
        _parameter("startDate", {"type": "string", "format": "date"}, "a Monday", required=True),
        _parameter("endDate", {"type": "string", "format": "date"}, "the Sunday of that week", required=True),
    )
    unit = _parameter(
        "unit",
        {"type": "string", "enum": ["kwh", "wh"], "default": "kwh"},
        "unit of the energies of day_by_day_metrics",
    )
    device = {"name": "device_id", "in": "path", "required": True, "schema": {"type": "integer"}}
    not_yet = "Unknown device, or no result yet: a month is served from the third day of the next one on"

    def read(summary: str, parameters: Sequence[Schema] = (), answer: Schema | None = None) -> Schema:
        said = {"200": _answer("OK", answer or {"type": "object"}), "404": _answer(not_yet)}
        if parameters:
            said["400"] = _answer("A parameter is wrong")
        return {
            "parameters": [device],
            "get": _operation(summary, "Sensors", said, security=_SENSORS, parameters=parameters),
        }

    further = (
        _parameter(
            "appliances",
            {"type": "string"},
            "further classes, between commas: boiler, cooking, washing; electric_vehicle is always there",
        ),
        _parameter("all", {"type": "boolean", "default": False}, "every class whose cycles are told apart"),
    )
    ids = {"200": _answer("The ids", {"type": "array", "items": {"type": "integer"}})}
    one = "/sensors/{device_id}"
    return {
        "/sensors": {"get": _operation("List devices that have sent data", "Sensors", ids, security=_SENSORS)},
        one: read("Read a device"),
        f"{one}/sm/disag/month": read("A month by appliance class [Wh]", (year, month), insight.DISAGGREGATION),
        f"{one}/sm/disag/month/weeks": read(
            "A month by weeks and appliance class [Wh]", (year, month), insight.WEEKS
        ),
        f"{one}/sm/disag/week": read("A week by appliance class [Wh]", (monday, sunday), insight.DISAGGREGATION),
        f"{one}/sm/disag/cycles/monthly": read(
            "A month's cycles, clipped to it [Wh]", (year, month, *further), insight.CYCLES
        ),
        f"{one}/sm/disag/cycles/weekly": read(
            "A week's cycles, clipped to it [Wh]", (monday, sunday, *further), insight.CYCLES
        ),
        f"{one}/sm/reports/monthly": read("A month's report", (year, month, unit), insight.REPORT),
        f"{one}/sm/reports/weekly": read("A week's report", (monday, sunday, unit), insight.REPORT),
    }


def _property_schema(kinds: Sequence[str], further: Sequence[Field] = ()) -> Schema:
    fields = [replace(f, choices=tuple(kinds)) if f.name == "property_type" else f for f in household.PROPERTY]
    schema = object_schema([*fields, *further])
    if further:
        schema["properties"]["people"]["items"] = object_schema(household.PERSON_GROUP)
    return schema


def _appliances_schema() -> Schema:
    schema = object_schema(household.APPLIANCE_LIST)
    schema["properties"]["appliances"]["items"] = {
        "oneOf": [
            object_schema((replace(household.KEY, choices=(key,)), household.AMOUNT, *further))
            for key, further in household.APPLIANCES.items()
        ]
    }
    return schema


def _metadata_paths() -> dict[str, Schema]:
    device = {"name": "device_id", "in": "path", "required": True, "schema": {"type": "integer"}}
    absent = _answer("Unknown device, or it was never set")
    kept = _answer("Kept; the header Wattloom-Warning says what was ignored or is doubtful")

    def document(what: str, shown: Schema, sent: Schema, *, may_be_absent: bool = True) -> Schema:
        answers = {"200": _answer("OK", shown), "404": absent if may_be_absent else _answer("Unknown device")}
        changed = {"204": kept, "400": _answer("The fields that are wrong, each with its place"), "404": _ABSENT}
        return {
            "parameters": [device],
            "get": _operation(f"Read {what}", "Household", answers, security=_SENSORS),
            "put": _operation(f"Set {what}", "Household", changed, security=_SENSORS, body=sent),
        }

    home = _property_schema((household.HOME,), household.HOME_ONLY)
    others = [kind for kind in household.PROPERTY_TYPES if kind != household.HOME]
    shown = {"oneOf": [home, _property_schema(others)]}
    sent = {"oneOf": [home, _property_schema([*others, *household.PROPERTY_ALIASES])]}
    listed, place = _appliances_schema(), object_schema(household.GEOLOCATION)
    one = "/sensors/{device_id}/metadata"
    return {
        f"{one}/property": document("the property", shown, sent),
        f"{one}/appliances": document("the list of appliances", listed, listed, may_be_absent=False),
        f"{one}/geolocation": document("the place", place, place),
    }


def _erp_paths() -> dict[str, Schema]:
    tag, text = "ERP", {"type": "string"}
    objects: Schema = {"type": "array", "items": {"type": "object"}}
    result = {"event_id": {"type": "string", "format": "uuid", "nullable": True}, "status": text, "message": text}
    results: Schema = {
        "type": "object",
        "properties": {"results": {"type": "array", "items": {"type": "object", "properties": result}}},
    }
    optional = {"type": "string", "nullable": True}
    shown: Schema = {
        "type": "object",
        "properties": {
            "integration_id": {"type": "string", "format": "uuid"},
            "event_id": {"type": "string", "format": "uuid"},
            **dict.fromkeys(("deduplication_id", "correlation_id", "event_type", "use_case_slug"), optional),
            "timestamp": {"type": "string", "format": "date-time", "nullable": True},
            "status": {"type": "string", "enum": ["stored", "success", "partial", "error", "failed"]},
            "message": text,
            "results": objects,
            "created_at": _STAMP,
            "updated_at": _STAMP,
            "trace": {"type": "object"},
        },
    }
    taken = object_schema(erp_events.REQUEST)
    taken["properties"] |= {
        "meta": object_schema(erp_events.META),
        "events": {"type": "array", "items": object_schema(erp_events.EVENT)},
    }
    updates = ("entity_updates", "meter_readings_updates", "warnings")
    simulated: Schema = {"type": "object", "properties": dict.fromkeys(updates, objects)}
    limited = _answer("More than 1,000 requests of the organization within a minute; see Retry-After")
    event = {"name": "event", "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}}

    def posted(summary: str, answers: Schema, body: Schema, security: _Security) -> Schema:
        return {"post": _operation(summary, tag, answers | {"400": _INVALID}, security=security, body=body)}

    key = _key({"type": "string", "format": "uuid"})
    return {
        "/v3/erp/updates/events": posted(
            "Deliver up to 100 events; each is stored, then processed",
            {"200": _answer("What became of each event", results), "429": limited},
            taken,
            _SENSORS,
        ),
        "/v2/erp/updates/mapping_simulation": posted(
            "Map a payload and store nothing",
            {"200": _answer("What the payload would give", simulated), "429": limited},
            object_schema(simulation.FIELDS),
            _SENSORS,
        ),
        "/v1/integrations/{key}/events/{event}": {
            "parameters": [key, event],
            "get": _operation(
                "Read an event with the verdict on each of its rows",
                tag,
                {"200": _answer("OK", shown), "404": _ABSENT},
                security=_INTEGRATIONS,
            ),
        },
        "/v1/integrations/{key}/events/replay": {
            "parameters": [key],
            **posted(
                "Process events again, by the present configuration",
                {"200": _answer("What became of each event", results), "404": _ABSENT},
                object_schema(erp_events.REPLAY),
                _INTEGRATIONS,
            ),
        },
    }


def document() -> Schema:
    """Return the whole OpenAPI document."""
    paths: dict[str, Schema] = {}
    for resource in (
        metering.DEVICE,
        interfaces.INTERFACE,
        interfaces.SIM_CARD,
        metering.TYPE,
        metering.CONFIG,
        metering.SERIES,
        metering.STAGED,
        metering.SYSTEM_EVENT,
        security_keys.SECURITY_KEY,
        tasks.TASK_GROUP,
        tasks.TASK,
        tasks.JOB,
        QUARANTINED,
    ):
        paths |= resource_paths(resource, f"/v1/metering/{resource.name}")
    paths |= _reading_paths() | _invocation_paths()
    paths |= resource_paths(accounts.ORGANIZATION, "/v1/organizations")
    paths |= resource_paths(accounts.MEMBERSHIP, "/v1/organizations/memberships")
    paths |= _token_paths() | _sensor_paths() | _metadata_paths() | registry_paths()
    paths |= resource_paths(INTEGRATION, "/v1/integrations", _INTEGRATIONS) | _erp_paths()
    paths["/_health/"] = {
        "get": _operation("Health", "Operations", {"200": _answer("The API and its database answer")}, security=[])
    }

    def header(scheme: str, what: str) -> Schema:
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": f"`{scheme} ...`: {what}",
        }

    return {
        "openapi": "3.0.3",
        "info": {
            "title": "Wattloom",
            "version": "1",
            "description": "Smart-meter data: meters and readings, household disaggregation and reports.",
        },
        "paths": paths,
        "components": {
            "securitySchemes": {
                "Token": header("Token", "the staff token, everything of its organization"),
                "JWT": header("JWT", "a user's token, read only"),
                "Bearer": {"type": "http", "scheme": "bearer", "description": "from POST /auth/token"},
                "Source": {"type": "http", "scheme": "bearer", "description": "a source's secret"},
            }
        },
    }
