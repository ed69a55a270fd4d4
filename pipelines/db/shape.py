"""How tables are written down: the schema, and the columns that many of them have."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import UUID

SCHEMA = "wattloom"
metadata = sa.MetaData(schema=SCHEMA)


def table(name: str, *columns: sa.Column[object] | sa.Constraint) -> sa.Table:
    """Return a table of our schema."""
    return sa.Table(name, metadata, *columns)


def uuid_id() -> sa.Column[object]:
    """Return an id that the database makes at random."""
    return sa.Column("id", UUID(as_uuid=True), primary_key=True, server_default=sa.text("gen_random_uuid()"))


def number_id(kind: type[sa.Integer] = sa.Integer, *, always: bool = True) -> sa.Column[object]:
    """Return an id that counts up."""
    return sa.Column("id", kind, sa.Identity(always=always), primary_key=True)


def reference(name: str, target: str, *, nullable: bool = False, on_delete: str = "CASCADE") -> sa.Column[object]:
    """Return a reference to a row that takes this one with it, unless told otherwise."""
    kind = sa.Integer if target.endswith("sensor_id") else UUID(as_uuid=True)
    return sa.Column(name, kind, sa.ForeignKey(f"{SCHEMA}.{target}", ondelete=on_delete), nullable=nullable)


def at(name: str, *, nullable: bool = False) -> sa.Column[object]:
    """Return an instant."""
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def flag(name: str, default: str = "false") -> sa.Column[object]:
    """Return a boolean that is never null."""
    return sa.Column(name, sa.Boolean, nullable=False, server_default=sa.text(default))


def text(name: str, size: int, *, nullable: bool = False, unique: bool = False) -> sa.Column[object]:
    """Return a text of limited length."""
    return sa.Column(name, sa.String(size), nullable=nullable, unique=unique)


def count(name: str) -> sa.Column[object]:
    """Return a count that begins at 0."""
    return sa.Column(name, sa.Integer, nullable=False, server_default=sa.text("0"))


def key(name: str, kind: type[sa.Integer | sa.Date] = sa.Integer) -> sa.Column[object]:
    """Return a part of a primary key."""
    return sa.Column(name, kind, primary_key=True, autoincrement=False)


def of_sensor(name: str) -> sa.Column[object]:
    """Return the key of what belongs to a meter, by its number."""
    target = sa.ForeignKey(f"{SCHEMA}.meter_device.sensor_id", ondelete="CASCADE")
    return sa.Column(name, sa.Integer, target, primary_key=True, autoincrement=False)


def link(name: str, **ends: str) -> sa.Table:
    """Return the table of a many-to-many relation: two references that together are the key."""
    columns: list[sa.Column[object]] = [
        sa.Column(
            column,
            UUID(as_uuid=True),
            sa.ForeignKey(f"{SCHEMA}.{target}.id", ondelete="CASCADE"),
            primary_key=True,
        )
        for column, target in ends.items()
    ]
    return table(name, *columns)
