"""Scoped create, read, update and delete of resources: the one place where a query is bound to an organization."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from psycopg.errors import ForeignKeyViolation
from sqlalchemy.exc import IntegrityError

from pipelines import clock
from pipelines.accounts.principals import Principal
from pipelines.errors import BrokenContract, NotFound, RejectedInput
from pipelines.fields import Field, check_all

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Link:
    """A many-to-many field: its link table and the two columns of it."""

    table: sa.Table
    own: str
    other: str


Hook = Callable[[sa.Connection, Principal, Row, Row | None], None]


def _nothing(_connection: sa.Connection, _principal: Principal, _values: Row, _before: Row | None) -> None:
    """Do nothing: the default hook."""


@dataclass(frozen=True, kw_only=True)
class Resource:
    """A kind of row as the API offers it.

    ``before_write`` may add to or refuse the checked values; ``after_write`` sees the stored row; ``before`` is the
    row as it was, None on creation. ``before_delete`` sees the row's columns alone and removes what the database
    does not cascade to. ``nested`` fields are sent as an id and shown as the whole object. ``related_filters``
    filter by a column of the row that one of ours points to: name -> (our column, its column).
    """

    name: str
    title: str
    table: sa.Table
    fields: tuple[Field, ...]
    filters: tuple[str, ...] = ()
    nested: tuple[str, ...] = ()
    related_filters: Mapping[str, tuple[str, sa.Column[Any]]] = field(default_factory=dict)
    links: Mapping[str, Link] = field(default_factory=dict)
    targets: Mapping[str, sa.Table] = field(default_factory=dict)
    unique: Mapping[str, str] = field(default_factory=dict)
    scope_column: str = "organization_id"
    time_column: str = "timestamp"
    integer_id: bool = False
    may_create: bool = True
    may_update: bool = True
    may_delete: bool = True
    before_write: Hook = _nothing
    after_write: Hook = _nothing
    before_delete: Callable[[sa.Connection, Row], None] | None = None
    extend: Callable[[sa.Connection, Sequence[Row]], None] | None = None


def visible_organizations(principal: Principal) -> sa.Select[tuple[UUID]]:
    """Return the organizations whose rows a caller sees: its own, and for staff also those it created."""
    organization = sa.table("organization", sa.column("id"), sa.column("created_by_id"), schema="wattloom")
    own = organization.c.id == principal.organization_id
    if principal.is_staff:
        own = sa.or_(own, organization.c.created_by_id == principal.organization_id)
    return sa.select(organization.c.id).where(own)


def scoped(resource: Resource, principal: Principal) -> sa.ColumnElement[bool]:
    """Return the condition that keeps a query inside the caller's organizations."""
    return resource.table.c[resource.scope_column].in_(visible_organizations(principal))


def related(resource: Resource, name: str, text: str) -> sa.ColumnElement[bool]:
    """Return the condition of a related filter: rows that point to a row whose column equals ``text``."""
    own, other = resource.related_filters[name]
    return resource.table.c[own].in_(sa.select(other.table.c.id).where(other == text))


def list_rows(
    connection: sa.Connection,
    resource: Resource,
    principal: Principal,
    conditions: Sequence[sa.ColumnElement[bool]],
    *,
    limit: int,
    offset: int,
) -> tuple[int, list[Row]]:
    """Return the full count and one page of the visible rows, oldest first."""
    where = [scoped(resource, principal), *conditions]
    count = connection.scalar(sa.select(sa.func.count()).select_from(resource.table).where(*where)) or 0
    order = (resource.table.c.id,) if resource.integer_id else (resource.table.c.created_at, resource.table.c.id)
    rows = connection.execute(sa.select(resource.table).where(*where).order_by(*order).limit(limit).offset(offset))
    found = [dict(row._mapping) for row in rows]
    _complete(connection, resource, found)
    return count, found


def get_row(
    connection: sa.Connection, resource: Resource, principal: Principal, identifier: object, *, lock: bool = False
) -> Row:
    """Return one visible row.

    Raises
    ------
    NotFound
        Unknown, or of another organization.
    """
    found = _stored_row(connection, resource, principal, identifier, lock=lock)
    _complete(connection, resource, [found])
    return found


def _stored_row(
    connection: sa.Connection, resource: Resource, principal: Principal, identifier: object, *, lock: bool
) -> Row:
    query = sa.select(resource.table).where(scoped(resource, principal), resource.table.c.id == identifier)
    if lock:
        query = query.with_for_update(of=resource.table)
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound
    return dict(row._mapping)


def _complete(connection: sa.Connection, resource: Resource, rows: Sequence[Row]) -> None:
    """Add the linked ids, and whatever the resource shows beyond its columns."""
    for name, link in resource.links.items():
        linked: dict[Any, list[Any]] = {row["id"]: [] for row in rows}
        own, other = link.table.c[link.own], link.table.c[link.other]
        for owner, item in connection.execute(sa.select(own, other).where(own.in_(list(linked))).order_by(other)):
            linked[owner].append(item)
        for row in rows:
            row[name] = linked[row["id"]]
    if resource.extend is not None:
        resource.extend(connection, rows)


def shown(resource: Resource, row: Row) -> Row:
    """Return a row by the names of its fields: id, fields in the contract's order, creation and change."""
    fields = {f.name: row[f.name if f.name in row else f.stored_as] for f in resource.fields if not f.write_only}
    return {"id": row["id"], **fields, "created_at": row["created_at"], "updated_at": row["updated_at"]}


def shown_rows(
    connection: sa.Connection, resource: Resource, identifiers: set[Any], organizations: set[Any]
) -> dict[Any, Row]:
    """Return, by id and as ``shown`` makes them, rows that visible rows of these organizations point to."""
    if not identifiers:
        return {}
    table = resource.table
    within = table.c[resource.scope_column].in_(organizations)
    found = connection.execute(sa.select(table).where(table.c.id.in_(identifiers), within))
    rows = [dict(row._mapping) for row in found]
    _complete(connection, resource, rows)
    return {row["id"]: shown(resource, row) for row in rows}


def create_row(connection: sa.Connection, resource: Resource, principal: Principal, payload: Any) -> Row:
    """Check and store a new row.

    Raises
    ------
    RejectedInput
        A field is wrong, refers to something unknown, or repeats what must be unique.
    """
    values = check_all(resource.fields, payload)
    return _store(connection, resource, principal, values, None)


def update_row(
    connection: sa.Connection,
    resource: Resource,
    principal: Principal,
    identifier: object,
    payload: Any,
    *,
    partial: bool,
) -> Row:
    """Check and store changes of a row; a field that is not sent keeps its value.

    Raises
    ------
    NotFound, RejectedInput
        As for reading and creating.
    """
    before = get_row(connection, resource, principal, identifier, lock=True)
    values = check_all(resource.fields, payload, partial=partial)
    return _store(connection, resource, principal, values, before)


def delete_row(connection: sa.Connection, resource: Resource, principal: Principal, identifier: object) -> None:
    """Delete a visible row and what belongs to it.

    Raises
    ------
    NotFound
        Unknown, or of another organization.
    """
    row = _stored_row(connection, resource, principal, identifier, lock=True)  # it may be unfit to be shown
    if resource.before_delete is not None:
        resource.before_delete(connection, row)
    connection.execute(sa.delete(resource.table).where(resource.table.c.id == row["id"]))


def _store(
    connection: sa.Connection, resource: Resource, principal: Principal, values: Row, before: Row | None
) -> Row:
    _settle_organization(connection, resource, principal, values, before)
    organization = values.get("organization") or (before or {}).get(resource.scope_column)
    _check_references(connection, resource, principal, values, organization)
    resource.before_write(connection, principal, values, before)
    now = clock.now()
    stored_as = {f.name: f.stored_as for f in resource.fields}  # what a hook added is named as its column
    columns = {stored_as.get(n, n): v for n, v in values.items() if n not in resource.links}
    columns["updated_at"] = now
    try:
        with connection.begin_nested():
            if before is None:
                columns["created_at"] = now
                insert = sa.insert(resource.table).values(**columns).returning(resource.table.c.id)
                identifier = connection.execute(insert).scalar_one()
            else:
                identifier = before["id"]
                connection.execute(
                    sa.update(resource.table).where(resource.table.c.id == identifier).values(**columns)
                )
            _store_links(connection, resource, values, identifier)
    except IntegrityError as error:
        raise _explained(resource, error) from None
    stored = get_row(connection, resource, principal, identifier)
    resource.after_write(connection, principal, stored, before)
    return stored


def _settle_organization(
    connection: sa.Connection, resource: Resource, principal: Principal, values: Row, before: Row | None
) -> None:
    """Check that a sent organization is one of the caller's; an optional one that is left out is the caller's own."""
    if all(f.name != "organization" for f in resource.fields):
        return
    if values.get("organization") is None:
        values.pop("organization", None)
        if before is None:
            values["organization"] = principal.organization_id
        return
    allowed = connection.scalar(
        sa.select(sa.literal(1)).where(sa.literal(values["organization"]).in_(visible_organizations(principal)))
    )
    if not allowed:
        raise RejectedInput({"organization": [_missing(values["organization"])]})
    if before is not None and values["organization"] != before[resource.scope_column]:
        raise RejectedInput({"organization": ["A row cannot be moved to another organization."]})


def _missing(identifier: object) -> str:
    return f'Invalid pk "{identifier}" - object does not exist.'


def _check_references(
    connection: sa.Connection, resource: Resource, principal: Principal, values: Row, organization: object
) -> None:
    """Check that everything a row points to exists in the same organization, or in any that the caller sees."""
    allowed = visible_organizations(principal) if organization is None else [organization]
    errors: dict[str, list[str]] = {}
    for name, target in resource.targets.items():
        sent = values.get(name)
        wanted: set[Any] = set(sent) if isinstance(sent, list) else {sent} - {None}
        if wanted:
            query = sa.select(target.c.id).where(target.c.id.in_(wanted))
            if "organization_id" in target.c:
                query = query.where(target.c.organization_id.in_(allowed))
            absent = wanted - set(connection.scalars(query))
            if absent:
                errors[name] = [_missing(item) for item in sorted(absent)]
    if errors:
        raise RejectedInput(errors)


def _store_links(connection: sa.Connection, resource: Resource, values: Row, identifier: object) -> None:
    for name, link in resource.links.items():
        if name in values:
            connection.execute(sa.delete(link.table).where(link.table.c[link.own] == identifier))
            if values[name]:
                rows = [{link.own: identifier, link.other: item} for item in values[name]]
                connection.execute(sa.insert(link.table), rows)


def _explained(resource: Resource, error: IntegrityError) -> Exception:
    """Turn a violated constraint into the field and sentence that the resource knows for it."""
    if isinstance(error.orig, ForeignKeyViolation):  # it existed when the references were checked
        return RejectedInput("What this row refers to was deleted meanwhile.")
    diagnosis = getattr(error.orig, "diag", None)
    constraint = str(getattr(diagnosis, "constraint_name", None))
    if constraint in resource.unique:
        name, message = resource.unique[constraint].split(": ", 1)
        return RejectedInput({name: [message]})
    return BrokenContract(f"{resource.name} violates {constraint}")
