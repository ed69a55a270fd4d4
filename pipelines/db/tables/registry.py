"""The registry: its tables have the columns of its dictionary, in the order of the dictionary."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID

from pipelines.db.tables.columns import SCHEMA, at, count, flag, key, number_id, reference, table, text
from pipelines.registry.catalogue import TABLES as REGISTRY
from pipelines.registry.dictionary import Column, Kind, Table

_REGISTRY_TYPES: dict[Kind, sa.types.TypeEngine[Any]] = {
    Kind.STRING: sa.Text(),
    Kind.ENUM: sa.Text(),
    Kind.INTEGER: sa.Integer(),
    Kind.FLOAT: sa.Double(),
    Kind.DATE: sa.Date(),
    Kind.BOOLEAN: sa.Boolean(),
    Kind.DATETIME: sa.DateTime(timezone=True),
    Kind.JSONB: JSONB(none_as_null=True),
}
_COORDINATE = sa.Numeric(6, 3)


def _of_organization() -> sa.Column[object]:
    """Return the reference that the registry uses: the organization's number."""
    target = sa.ForeignKey(f"{SCHEMA}.organization.number", ondelete="CASCADE")
    return sa.Column("organization_id", sa.Integer, target, nullable=False)


def _of_import() -> sa.Column[object]:
    """Return a key that is an import; rows of it go with it."""
    target = sa.ForeignKey(f"{SCHEMA}.registry_import.id", ondelete="CASCADE")
    return sa.Column("import_id", sa.Integer, target, primary_key=True, autoincrement=False)


def _registry_type(column: Column) -> sa.types.TypeEngine[Any]:
    if column.is_hashed:
        return sa.String(64)
    return _COORDINATE if column.blurred else _REGISTRY_TYPES[column.kind]


_ALWAYS = {
    "created_at",
    "updated_at",
    "import_id",
    "last_import_id",
    "data_origin",
    "device_uid",
    "customer_uid",
}


def _registry_column(column: Column) -> sa.Column[object]:
    if column.name == "organization_id":
        return sa.Column("organization_id", sa.Integer, nullable=False)
    if column.name == "uid":
        return sa.Column("uid", sa.Text, primary_key=True)
    if column.name == "grid_uid":
        target = sa.ForeignKey(f"{SCHEMA}.registry_grid.uid", ondelete="SET NULL")
        return sa.Column("grid_uid", sa.Text, target)
    nullable = not (column.required or column.name in _ALWAYS)
    return sa.Column(column.name, _registry_type(column), nullable=nullable)


def _registry(kind: Table, *further: sa.Column[object]) -> sa.Table:
    versions: sa.Column[Any] = sa.Column("pseudonym_versions", ARRAY(sa.SmallInteger), nullable=False)
    return table(kind.stored_in, *map(_registry_column, kind.columns), versions, *further)


pseudonym_key = table(
    "pseudonym_key",
    sa.Column(
        "organization_id",
        UUID(as_uuid=True),
        sa.ForeignKey(f"{SCHEMA}.organization.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    key("version", sa.SmallInteger),
    sa.Column("wrapped_key", sa.LargeBinary),
    at("created_at"),
    at("destroyed_at", nullable=True),
)
registry_grid = table(
    "registry_grid",
    sa.Column("uid", sa.Text, primary_key=True),
    _of_organization(),
    sa.Column("name", sa.Text, nullable=False),
    at("created_at"),
)
registry_import = table(
    "registry_import",
    number_id(),
    _of_organization(),
    sa.Column("source_id", sa.Integer),
    text("table_name", 16),
    sa.Column("status", sa.String(9), nullable=False, server_default="reading"),
    flag("is_dry_run"),
    text("max_rejected", 32, nullable=True),
    sa.Column("content_digest", sa.LargeBinary),
    sa.Column("key_version", sa.SmallInteger, nullable=False),
    count("read_to"),
    count("applied_to"),
    count("rows"),
    count("rejected"),
    count("inserted"),
    count("updated"),
    text("refusal_column", 64, nullable=True),
    text("refusal_code", 32, nullable=True),
    text("refusal_detail", 250, nullable=True),
    at("created_at"),
    at("updated_at"),
    at("finished_at", nullable=True),
)
registry_import_verdict = table(
    "registry_import_verdict",
    _of_import(),
    key("row_number"),
    sa.Column("column_name", sa.String(64), primary_key=True, server_default=""),
    text("code", 32),
)
registry_customer = _registry(REGISTRY["customers"])
registry_meter = _registry(
    REGISTRY["meters"], reference("meter_device_id", "meter_device.id", nullable=True, on_delete="SET NULL")
)
registry_waiting = table(
    "registry_waiting",
    _of_import(),
    key("row_to"),
    sa.Column("rows", sa.LargeBinary, nullable=False),
)
