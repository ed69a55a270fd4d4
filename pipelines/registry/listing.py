"""What the registry holds, listed: filtered by equality, sorted by any column, a page at a time."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from pipelines.db import tables
from pipelines.db.tables.columns import SCHEMA
from pipelines.errors import RejectedInput
from pipelines.fields import NUL, instant
from pipelines.registry.dictionary import Column, Kind, Table

DEFAULT_SIZE, MAX_SIZE = 50, 1000
_NOT_SORTABLE = {Kind.JSONB}


def _stored(table: Table) -> sa.Table:
    return tables.metadata.tables[f"{SCHEMA}.{table.stored_in}"]


def _value(column: Column, text: str) -> Any:
    """Return what a filter compares with.

    Raises
    ------
    ValueError
        The column cannot hold it.
    """
    if "\0" in text:
        raise ValueError(NUL)
    if column.kind is Kind.INTEGER:
        number = int(text) if text.removeprefix("-").isascii() and text.removeprefix("-").isdigit() else None
        if number is None or abs(number) >= 2**31:
            raise ValueError("A whole number is expected.")
        return number
    if column.kind is Kind.FLOAT:
        return float(text)
    if column.kind is Kind.BOOLEAN:
        if text.lower() not in {"true", "false"}:
            raise ValueError("true or false is expected.")
        return text.lower() == "true"
    if column.kind is Kind.DATE:
        return instant(f"{text}T00:00:00Z").date()
    if column.kind is Kind.DATETIME:
        return instant(text)
    return text


def _filters(table: Table, stored: sa.Table, wanted: Mapping[str, str]) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = []
    for name, text in wanted.items():
        column = table.by_name.get(name.removesuffix("_eq")) if name.endswith("_eq") else None
        if column is None or column.kind in _NOT_SORTABLE:
            raise RejectedInput({f"q[{name[:60]}]": ["There is no such filter; q[COLUMN_eq] compares a column."]})
        try:
            conditions.append(stored.c[column.name] == _value(column, text))
        except ValueError as error:
            raise RejectedInput({f"q[{name}]": [str(error)]}) from None
    return conditions


def _order(table: Table, stored: sa.Table, sort: str | None) -> list[sa.ColumnElement[Any]]:
    if sort is None:
        return [stored.c.uid]
    name, _, direction = sort.strip().partition(" ")
    column = table.by_name.get(name)
    if column is None or column.kind in _NOT_SORTABLE or direction.strip().lower() not in {"", "asc", "desc"}:
        raise RejectedInput({"q[s]": ["Sort by a column, such as: created_at desc"]})
    chosen = stored.c[name]
    return [chosen.desc().nulls_last() if direction.strip().lower() == "desc" else chosen.asc(), stored.c.uid]


def page(
    connection: sa.Connection,
    table: Table,
    organization: int,
    *,
    filters: Mapping[str, str],
    sort: str | None,
    size: int,
    number: int,
) -> tuple[int, list[dict[str, Any]]]:
    """Return the count of an organization's rows that fit, and one page of them.

    Raises
    ------
    RejectedInput
        An unknown filter or sort field, or a value that the column cannot hold.
    """
    stored = _stored(table)
    where = [stored.c.organization_id == organization, *_filters(table, stored, filters)]
    order = _order(table, stored, sort)
    count = connection.scalar(sa.select(sa.func.count()).select_from(stored).where(*where)) or 0
    shown = [stored.c[c.name] for c in table.columns]
    query = sa.select(*shown).where(*where).order_by(*order).limit(size).offset(size * (number - 1))
    floats = [c.name for c in table.columns if c.kind is Kind.FLOAT]
    rows = []
    for found in connection.execute(query):
        row = dict(found._mapping)
        for name in floats:
            row[name] = None if row[name] is None else float(row[name])
        rows.append(row)
    return count, rows
