"""Routes of a resource, made from its field dictionary: list, create, read, replace, change, delete."""

from typing import Any
from uuid import UUID

import sqlalchemy as sa
from litestar import Response, Router, delete, get, patch, post, put
from litestar.handlers import HTTPRouteHandler

from api import shapes
from api.auth.access import METERING, AnyRequest, authorised
from api.shapes import identifier
from pipelines import crud
from pipelines.accounts.principals import Scheme
from pipelines.crud import Resource, Row
from pipelines.errors import NotFound

_HIGHEST_INTEGER_ID = 2**31 - 1


def _shown(resource: Resource, row: Row) -> dict[str, Any]:
    """Return a row as the API shows it."""
    return {name: shapes.wire(value) for name, value in crud.shown(resource, row).items()}


def _key(resource: Resource, text: str) -> UUID | int:
    key = identifier(text, integer=resource.integer_id)
    too_high = (
        isinstance(key, int)
        and isinstance(resource.table.c.id.type, sa.Integer)
        and not isinstance(resource.table.c.id.type, sa.BigInteger)
        and key > _HIGHEST_INTEGER_ID
    )
    if key is None or too_high:
        raise NotFound
    return key


def _conditions(resource: Resource, request: AnyRequest) -> list[sa.ColumnElement[bool]]:
    where: list[sa.ColumnElement[bool]] = []
    columns = {f.name: f.stored_as for f in resource.fields}
    for name in resource.filters:
        if name in {"start_time", "end_time"}:
            at = shapes.query_instant(request, name)
            column = resource.table.c[resource.time_column]
            if at is not None:
                where.append(column >= at if name == "start_time" else column < at)
            continue
        column = resource.table.c[columns[name]]
        key = shapes.query_uuid(request, name) if isinstance(column.type, sa.Uuid) else None
        wanted = key if isinstance(column.type, sa.Uuid) else shapes.query_text(request, name)
        if wanted is not None:
            where.append(column == wanted)
    related = {name: shapes.query_text(request, name) for name in resource.related_filters}
    where += [crud.related(resource, name, text) for name, text in related.items() if text is not None]
    return where


def routes(resource: Resource, path: str, schemes: frozenset[Scheme] = METERING) -> Router:
    """Return the routes of ``resource`` below ``path``, for callers of some schemes."""

    @get("/", name=f"{resource.name}-list", sync_to_thread=True)
    def list_(request: AnyRequest) -> Response[bytes]:
        with authorised(request, schemes) as (connection, principal):
            limit, offset = shapes.page_bounds(request)
            where = _conditions(resource, request)
            count, rows = crud.list_rows(connection, resource, principal, where, limit=limit, offset=offset)
        return shapes.page(request, count, limit, offset, [_shown(resource, row) for row in rows])

    @post("/", name=f"{resource.name}-create", sync_to_thread=True)
    def create(request: AnyRequest, body: bytes) -> Response[bytes]:
        with authorised(request, schemes) as (connection, principal):
            row = crud.create_row(connection, resource, principal, shapes.read_json(body))
        return shapes.json_response(_shown(resource, row), 201)

    @get("/{key:str}", name=f"{resource.name}-read", sync_to_thread=True)
    def read(request: AnyRequest, key: str) -> Response[bytes]:
        with authorised(request, schemes) as (connection, principal):
            row = crud.get_row(connection, resource, principal, _key(resource, key))
        return shapes.json_response(_shown(resource, row))

    def _update(request: AnyRequest, key: str, body: bytes, *, partial: bool) -> Response[bytes]:
        with authorised(request, schemes) as (connection, principal):
            row = crud.update_row(
                connection, resource, principal, _key(resource, key), shapes.read_json(body), partial=partial
            )
        return shapes.json_response(_shown(resource, row))

    @put("/{key:str}", name=f"{resource.name}-replace", sync_to_thread=True)
    def replace(request: AnyRequest, key: str, body: bytes) -> Response[bytes]:
        return _update(request, key, body, partial=False)

    @patch("/{key:str}", name=f"{resource.name}-change", sync_to_thread=True)
    def change(request: AnyRequest, key: str, body: bytes) -> Response[bytes]:
        return _update(request, key, body, partial=True)

    @delete("/{key:str}", name=f"{resource.name}-delete", sync_to_thread=True)
    def remove(request: AnyRequest, key: str) -> None:
        with authorised(request, schemes) as (connection, principal):
            crud.delete_row(connection, resource, principal, _key(resource, key))

    handlers: list[HTTPRouteHandler] = [list_, read]
    if resource.may_create:
        handlers.append(create)
    if resource.may_update:
        handlers += [replace, change]
    if resource.may_delete:
        handlers.append(remove)
    return Router(path, route_handlers=handlers)
