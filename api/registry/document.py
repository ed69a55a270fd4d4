"""The registry's part of the OpenAPI document, made from its dictionary."""

from typing import Any

from pipelines.registry.catalogue import TABLES
from pipelines.registry.dictionary import Column, Kind, Table
from pipelines.registry.listing import DEFAULT_SIZE, MAX_SIZE

Schema = dict[str, Any]
_TYPES: dict[Kind, Schema] = {
    Kind.STRING: {"type": "string"},
    Kind.ENUM: {"type": "string"},
    Kind.INTEGER: {"type": "integer"},
    Kind.FLOAT: {"type": "number"},
    Kind.DATE: {"type": "string", "format": "date"},
    Kind.BOOLEAN: {"type": "boolean"},
    Kind.DATETIME: {"type": "string", "format": "date-time"},
    Kind.JSONB: {"type": "object"},
}
_TEXT: Schema = {"type": "string"}
_NULLABLE_TEXT: Schema = {"type": "string", "nullable": True}
_WHOLE: Schema = {"type": "integer"}
_AT: Schema = {"type": "string", "format": "date-time"}
_SECURITY: list[dict[str, list[str]]] = [{"Source": []}, {"Token": []}]
_COMMON = {
    "401": {"description": "No credentials, or wrong ones"},
    "404": {"description": "No such table or import"},
    "429": {"description": "More than 300 requests per minute and source; Retry-After says when to come back"},
}


def _column(column: Column) -> Schema:
    schema: Schema = {**_TYPES[column.kind], "nullable": True, "description": column.doc}
    if column.choices:
        schema["enum"] = [*column.choices, None]
    return schema


def _object(properties: Schema, **further: Any) -> Schema:
    return {"type": "object", "properties": properties, **further}


def _row(table: Table) -> Schema:
    required = [c.name for c in table.sent if c.required]
    return _object({c.name: _column(c) for c in table.sent}, required=required, additionalProperties=True)


def _content(schema: Schema, media: str = "application/json") -> Schema:
    return {media: {"schema": schema}}


def _query(name: str, schema: Schema, description: str) -> Schema:
    return {"name": name, "in": "query", "required": False, "schema": schema, "description": description}


def _path(name: str, schema: Schema) -> Schema:
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _verdict() -> Schema:
    row = {"type": "integer", "nullable": True, "description": "The first data row is 1"}
    return _object({"row": row, "column": _NULLABLE_TEXT, "code": _TEXT, "detail": _TEXT})


def _list_of(item: Schema) -> Schema:
    return _object({"data": {"type": "array", "items": item}, "count": _WHOLE, "page": _WHOLE, "size": _WHOLE})


def _read(summary: str, schema: Schema, parameters: list[Schema], *, media: str = "application/json") -> Schema:
    answers = {
        "200": {"description": "OK", "content": _content(schema, media)},
        "400": {"description": "A parameter is wrong"},
    }
    return {
        "summary": summary,
        "tags": ["Registry"],
        "security": _SECURITY,
        "parameters": parameters,
        "responses": answers | _COMMON,
    }


def _paging() -> list[Schema]:
    size = {"type": "integer", "minimum": 1, "default": DEFAULT_SIZE}
    return [
        _query("size", size, f"rows of a page, at most {MAX_SIZE}"),
        _query("page", {"type": "integer", "minimum": 1, "default": 1}, "the first page is 1"),
    ]


def _bring_in() -> Schema:
    rows: list[Schema] = [_row(table) for table in TABLES.values()]
    one: Schema = {"oneOf": rows}
    many: Schema = {"type": "array", "items": one}
    started = {"id": _WHOLE, "created_at": _AT, "status": _TEXT, "rows": _WHOLE, "rejected": _WHOLE}
    refused = {
        "type": _TEXT,
        "title": _TEXT,
        "status": _WHOLE,
        "detail": _TEXT,
        "import_id": _WHOLE,
        "errors": {"type": "array", "items": _verdict()},
    }
    return {
        "summary": "Import rows: JSON, or a form with a csv, xlsx or json file",
        "tags": ["Registry"],
        "security": _SECURITY,
        "parameters": [
            _query("dry_run", {"type": "boolean", "default": False}, "check every row, store none"),
            _query("max_rejected", _TEXT, "refuse everything above this count (5) or share (0.05, 5%)"),
        ],
        "requestBody": {
            "required": True,
            "content": {
                **_content({"oneOf": [_object({"data": many}, required=["data"]), many, *rows]}),
                **_content(_object({"file": {"type": "string", "format": "binary"}}), "multipart/form-data"),
            },
        },
        "responses": {
            "201": {
                "description": "Every row was checked, the good ones are stored",
                "content": _content(_object(started)),
            },
            "400": {"description": "A parameter or the form is wrong"},
            "422": {
                "description": "All of it is refused: each reason with its row, column and code",
                "content": _content(_object(refused), "application/problem+json"),
            },
        }
        | _COMMON,
    }


def registry_paths() -> dict[str, Schema]:
    """Return the paths of the registry."""
    table = _path("table", {"type": "string", "enum": list(TABLES)})
    identifier = _path("identifier", _WHOLE)
    refusal = _object({"column": _NULLABLE_TEXT, "code": _TEXT, "detail": _TEXT}, nullable=True)
    counts = ("rows", "accepted", "rejected", "inserted", "updated")
    import_: Schema = _object(
        {
            "id": _WHOLE,
            "table": _TEXT,
            "status": {
                "type": "string",
                "enum": ["reading", "applying", "done", "refused", "checked", "abandoned"],
            },
            "source_id": {"type": "integer", "nullable": True},
            "dry_run": {"type": "boolean"},
            **dict.fromkeys(counts, _WHOLE),
            "unchanged": {"type": "integer", "nullable": True},
            "refusal": refusal,
            "created_at": _AT,
            "updated_at": _AT,
            "finished_at": {**_AT, "nullable": True},
        }
    )
    stored: Schema = {"oneOf": [_object({c.name: _column(c) for c in t.columns}) for t in TABLES.values()]}
    filters = [
        _query("q[uid_eq]", _TEXT, "rows whose column equals this; any column may stand before _eq"),
        _query("q[s]", _TEXT, "column and direction to sort by, such as: created_at desc"),
    ]
    status = _query("status", {"type": "string", "enum": ["rejected"]}, "only rejected rows have a verdict")
    return {
        "/api/v1/in/{table}": {"parameters": [table], "post": _bring_in()},
        "/api/v1/in/{table}/example.csv": {
            "parameters": [table],
            "get": _read("A file that the import takes", _TEXT, [], media="text/csv"),
        },
        "/api/v1/out/{table}/": {
            "parameters": [table],
            "get": _read("List rows of a table", _list_of(stored), [*_paging(), *filters]),
        },
        "/api/v1/imports/{identifier}": {
            "parameters": [identifier],
            "get": _read("What became of an import", import_, []),
        },
        "/api/v1/imports/{identifier}/rows": {
            "parameters": [identifier],
            "get": _read("The rejected rows of an import", _list_of(_verdict()), [status, *_paging()]),
        },
    }
